package migrate

import (
	"context"
	"fmt"
	"iter"

	"latchkey/internal/rep"
)

// pageSize is how many users, or sessions, are read and stored at once: it bounds the memory.
const pageSize = 500

func (r *reader) serviceAccounts() {
	r.out.Users = r.users(`REALM_ID = ? and SERVICE_ACCOUNT_CLIENT_LINK is not null`)
}

// Users reads a realm's users in pages, in the order of their ids and after one of them,
// but for those that stand for clients. last is the id of the page's last user.
func (s *Source) Users(ctx context.Context, of RealmID, after string) iter.Seq2[Page[rep.User], error] {
	return func(yield func(Page[rep.User], error) bool) {
		r, err := s.reader(ctx, of)
		if err != nil {
			yield(Page[rep.User]{}, err)
			return
		}
		for {
			last := ""
			r.each(func(x row) { last = x.text("id") },
				fmt.Sprintf(`select ID from (select ID from USER_ENTITY where REALM_ID = ? and ID > ? order by ID limit %d) p order by ID`,
					pageSize), after)
			if last == "" && r.err == nil {
				return
			}
			list := r.users(`REALM_ID = ? and ID > ? and ID <= ? and SERVICE_ACCOUNT_CLIENT_LINK is null`, after, last)
			if after = last; !yield(Page[rep.User]{list, last}, r.err) || r.err != nil {
				return
			}
		}
	}
}

// A Page is a part of a long list.
type Page[T any] struct {
	List []T
	Last string // the key of the last row, where the next page goes on
}

// paged reads page after page, until one is empty or cannot be read.
func paged[T any](after string, read func(after string) (Page[T], error)) iter.Seq2[Page[T], error] {
	return func(yield func(Page[T], error) bool) {
		for {
			page, err := read(after)
			if err == nil && page.Last == "" {
				return
			}
			if after = page.Last; !yield(page, err) || err != nil {
				return
			}
		}
	}
}

// users reads the users that a condition on USER_ENTITY names, with all that belongs to them.
func (r *reader) users(where string, args ...any) []rep.User {
	ids := ` in (select ID from USER_ENTITY where ` + where + `)`
	attrs, required := map[string]map[string][]string{}, r.lists("user_id", "required_action", `select * from USER_REQUIRED_ACTION
		where USER_ID`+ids, args...)
	r.each(func(x row) {
		value := x.text("value")
		if long := x.opt("long_value"); long != nil {
			value = *long
		}
		put(attrs, x.text("user_id"), x.text("name"), append(attrs[x.text("user_id")][x.text("name")], value))
	}, `select * from USER_ATTRIBUTE where USER_ID`+ids, args...)
	roles := r.lists("user_id", "role_id", `select * from USER_ROLE_MAPPING where USER_ID`+ids, args...)
	groups := r.lists("user_id", "group_id", `select * from USER_GROUP_MEMBERSHIP where USER_ID`+ids, args...)
	credentials := map[string][]rep.Credential{}
	r.each(func(x row) {
		credentials[x.text("user_id")] = append(credentials[x.text("user_id")], rep.Credential{ID: x.text("id"), Type: x.text("type"),
			UserLabel: x.opt("user_label"), CreatedDate: new(x.num("created_date")), SecretData: x.text("secret_data"),
			CredentialData: x.text("credential_data"),
			Priority:       new(int(x.num("priority")))})
	}, `select * from CREDENTIAL where USER_ID`+ids+` order by PRIORITY, ID`, args...)
	links := map[string][]rep.FederatedIdentity{}
	r.each(func(x row) {
		links[x.text("user_id")] = append(links[x.text("user_id")], rep.FederatedIdentity{IdentityProvider: x.text("identity_provider"),
			UserID: x.text("federated_user_id"), UserName: x.text("federated_username"), Token: x.text("token")})
	}, `select * from FEDERATED_IDENTITY where USER_ID`+ids, args...)
	consents := r.consents(ids, args)
	var list []rep.User
	r.each(func(x row) {
		id := x.text("id")
		u := rep.User{ID: id, Username: x.text("username"), FirstName: x.opt("first_name"), LastName: x.opt("last_name"), Email: x.opt("email"),
			EmailVerified: new(x.flag("email_verified")), Enabled: new(x.flag("enabled")), CreatedTimestamp: new(x.num("created_timestamp")),
			FederationLink: x.text("federation_link"), ServiceAccountClientID: r.clients[x.text("service_account_client_link")],
			NotBefore:  x.integer("not_before"),
			Attributes: attrs[id], RequiredActions: required[id], Credentials: credentials[id], FederatedIdentities: links[id],
			ClientConsents: consents[id]}
		u.RealmRoles, u.ClientRoles = r.names(roles[id])
		for _, g := range groups[id] {
			if path := r.groups[g]; path != "" { // an organization's group is in its organization
				u.Groups = append(u.Groups, path)
			}
		}
		list = append(list, u)
	}, `select * from USER_ENTITY where `+where+` order by ID`, args...)
	return list
}

func (r *reader) consents(ids string, args []any) map[string][]rep.UserConsent {
	scopes := map[string][]string{}
	r.each(func(x row) {
		if name, ok := r.scopes[x.text("scope_id")]; ok {
			scopes[x.text("user_consent_id")] = append(scopes[x.text("user_consent_id")], name)
		} else if name, ok := r.clients[x.text("scope_id")]; ok { // a client as a scope of its own
			scopes[x.text("user_consent_id")] = append(scopes[x.text("user_consent_id")], name)
		}
	}, `select * from USER_CONSENT_CLIENT_SCOPE where USER_CONSENT_ID in (select ID from USER_CONSENT where USER_ID`+ids+`)`, args...)
	all := map[string][]rep.UserConsent{}
	r.each(func(x row) {
		client := r.clients[x.text("client_id")]
		if client == "" {
			return // of another place, or an orphan
		}
		all[x.text("user_id")] = append(all[x.text("user_id")], rep.UserConsent{ClientID: client,
			GrantedClientScopes: orEmpty(scopes[x.text("id")]),
			CreatedDate:         new(x.num("created_date")), LastUpdatedDate: new(x.num("last_updated_date"))})
	}, `select * from USER_CONSENT where USER_ID`+ids, args...)
	return all
}
