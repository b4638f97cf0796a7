package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"latchkey/internal/iam"
)

// A UserFilter narrows a search for users; zero members do not, but that
// service accounts are found only where it says so.
type UserFilter struct {
	Terms []string // each must match the name, the address, the first or the last name: "abc*" begins, "*abc*" contains, "\"abc\"" is
	// Username, Email, FirstName and LastName must be part of theirs, ignoring
	// case, or all of it when Exact.
	Username, Email, FirstName, LastName string
	Exact                                bool
	Enabled, EmailVerified               *bool
	Attrs                                [][2]string // name and value, ignoring case
	AttrsPart                            bool        // the value may be a part of the user's
	Provider, ExternalID                 string      // of a link; either may be missing
	ServiceAccounts                      bool        // finds them, too
	Group                                iam.GroupID // direct members
	Role                                 iam.RoleID  // who have it directly
	From, To                             time.Time   // creation, both included
	First, Max                           int         // page; Max < 0: all
}

func (f *UserFilter) where(realm iam.RealmID) *where {
	w := new(where)
	w.and("u.realm_id = ?", realm)
	if !f.ServiceAccounts {
		w.text.WriteString(" and u.service_client_id is null")
	}
	for _, term := range f.Terms {
		cond, value := "like", ""
		if len(term) > 1 && term[0] == '"' && term[len(term)-1] == '"' {
			cond, value = "=", strings.ToLower(term[1:len(term)-1])
		} else if value = wildcard(strings.ToLower(term)); !strings.HasSuffix(term, "*") {
			value += "%"
		}
		w.text.WriteString(" and (")
		for i, column := range []string{"u.username", "u.email", "u.first_lower", "u.last_lower"} {
			if i > 0 {
				w.text.WriteString(" or ")
			}
			w.text.WriteString(column + " " + cond + " " + w.bind(value))
			if cond == "like" {
				w.text.WriteString(" escape '!'")
			}
		}
		w.text.WriteString(")")
	}
	for _, c := range []struct{ column, value string }{{"u.username", f.Username}, {"u.email", f.Email}, {"u.first_lower", f.FirstName},
		{"u.last_lower", f.LastName}} {
		switch {
		case c.value == "":
		case f.Exact:
			w.and(c.column+" = ?", strings.ToLower(c.value))
		default:
			w.and(c.column+" like ? escape '!'", containing(c.value))
		}
	}
	if f.Enabled != nil {
		w.and("u.enabled = ?", *f.Enabled)
	}
	if f.EmailVerified != nil {
		w.and("u.email_verified = ?", *f.EmailVerified)
	}
	if !f.From.IsZero() {
		w.and("u.created_at >= ?", millis(f.From))
	}
	if !f.To.IsZero() {
		w.and("u.created_at <= ?", millis(f.To))
	}
	for _, a := range f.Attrs {
		w.text.WriteString(" and exists (select 1 from user_attributes a where a.realm_id = u.realm_id and a.user_id = u.id and a.name = " +
			w.bind(a[0]))
		if f.AttrsPart {
			w.text.WriteString(" and a.value_lower like " + w.bind(containing(a[1])) + " escape '!')")
		} else {
			w.text.WriteString(" and a.value_lower = " + w.bind(strings.ToLower(a[1])) + ")")
		}
	}
	if f.Provider != "" || f.ExternalID != "" {
		w.text.WriteString(" and exists (select 1 from federated_identities i where i.realm_id = u.realm_id and i.user_id = u.id")
		if f.Provider != "" {
			w.text.WriteString(" and i.provider = " + w.bind(f.Provider))
		}
		if f.ExternalID != "" {
			w.text.WriteString(" and i.external_id = " + w.bind(f.ExternalID))
		}
		w.text.WriteString(")")
	}
	if f.Group != "" {
		w.text.WriteString(" and exists (select 1 from user_groups g where g.realm_id = u.realm_id and g.user_id = u.id and g.group_id = " +
			w.bind(f.Group) + ")")
	}
	if f.Role != "" {
		w.text.WriteString(" and exists (select 1 from user_roles g where g.realm_id = u.realm_id and g.user_id = u.id and g.role_id = " +
			w.bind(f.Role) + ")")
	}
	return w
}

// SearchUsers returns a page of the users that a filter lets through, by user name.
func (r *Reader) SearchUsers(ctx context.Context, realm iam.RealmID, f *UserFilter) ([]*iam.User, error) {
	w := f.where(realm)
	return all(ctx, r, scanUser(realm), `select `+userColumns+` from users u`+w.text.String()+
		` order by u.username limit `+w.bind(limit(f.Max))+` offset `+w.bind(f.First), w.args...)
}

// CountUsers counts the users that a filter lets through.
func (r *Reader) CountUsers(ctx context.Context, realm iam.RealmID, f *UserFilter) (int64, error) {
	w := f.where(realm)
	return one(ctx, r, scanValue[int64], `select count(*) from users u`+w.text.String(), w.args...)
}

// CredentialKinds returns which kinds of credential each of the users has.
func (r *Reader) CredentialKinds(ctx context.Context, realm iam.RealmID, ids []iam.UserID) (map[iam.UserID][]iam.CredentialKind, error) {
	kinds := map[iam.UserID][]iam.CredentialKind{}
	for chunk := range slices.Chunk(ids, chunkSize) {
		w := new(where)
		w.and("realm_id = ?", realm)
		in(w, "user_id", chunk)
		_, err := all(ctx, r, func(row row) (struct{}, error) {
			var id iam.UserID
			var kind iam.CredentialKind
			err := row.Scan(&id, &kind)
			kinds[id] = append(kinds[id], kind)
			return struct{}{}, err
		}, `select distinct user_id, kind from credentials`+w.text.String()+` order by user_id, kind`, w.args...)
		if err != nil {
			return nil, err
		}
	}
	return kinds, nil
}
