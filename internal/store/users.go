package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/iam"
)

// userDoc is what a user row keeps as a document.
type userDoc struct {
	Attrs    map[string][]string `json:"attributes,omitempty"`
	Required []string            `json:"requiredActions,omitempty"`
	Extra    json.RawMessage     `json:"extra,omitempty"`
}

func readUserDoc(doc []byte) (d userDoc, err error) {
	if string(doc) != "{}" {
		err = readDoc(doc, &d)
	}
	return d, err
}

// readDoc decodes what every request reads, with the faster of the two
// libraries. It takes what the other one wrote.
func readDoc(doc []byte, into any) error {
	return jsonv2.Unmarshal(doc, into, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

const userColumns = `u.id, u.username, coalesce(u.email, ''), u.email_verified, u.first_name, u.last_name, u.enabled,
	coalesce(u.service_client_id, ''), u.federation, u.created_at, u.not_before, u.doc, u.version`

// userDest returns where userColumns are scanned to, and what to call then.
func userDest(u *iam.User) (dest []any, finish func() error) {
	var created, nb int64
	var doc []byte
	dest = []any{&u.ID, &u.Username, &u.Email, &u.EmailVerified, &u.FirstName, &u.LastName, &u.Enabled,
		&u.ServiceAccount, &u.Federation, &created, &nb, &doc, &u.Version}
	return dest, func() error {
		u.CreatedAt, u.NotBefore = fromMillis(created), fromMillis(nb)
		d, err := readUserDoc(doc)
		if err != nil {
			return fmt.Errorf("user %s: %w", u.ID, err)
		}
		u.Attrs, u.Required, u.Extra = d.Attrs, d.Required, d.Extra
		return nil
	}
}

func scanUser(realm iam.RealmID) func(row) (*iam.User, error) {
	return func(r row) (*iam.User, error) {
		u := &iam.User{Realm: realm}
		dest, finish := userDest(u)
		if err := r.Scan(dest...); err != nil {
			return nil, err
		}
		return u, finish()
	}
}

// User returns a user by id, or ErrNotFound.
func (r *Reader) User(ctx context.Context, realm iam.RealmID, id iam.UserID) (*iam.User, error) {
	return one(ctx, r.quick(), scanUser(realm), `select `+userColumns+` from users u where u.realm_id = $1 and u.id = $2`, realm, id)
}

// UserByName returns a user by user name, in whatever case, or ErrNotFound.
func (r *Reader) UserByName(ctx context.Context, realm iam.RealmID, name string) (*iam.User, error) {
	return one(ctx, r.quick(), scanUser(realm), `select `+userColumns+` from users u where u.realm_id = $1 and u.username = $2`, realm,
		strings.ToLower(name))
}

// UsersByEmail returns the users with an e-mail address, in whatever case; more
// than one only where the realm allows it.
func (r *Reader) UsersByEmail(ctx context.Context, realm iam.RealmID, email string) ([]*iam.User, error) {
	return all(ctx, r, scanUser(realm), `select `+userColumns+
		` from users u where u.realm_id = $1 and u.email = $2 order by u.created_at, u.id`, realm, strings.ToLower(email))
}

// ServiceAccount returns the user of a client's service account, or ErrNotFound.
func (r *Reader) ServiceAccount(ctx context.Context, realm iam.RealmID, client iam.ClientID) (*iam.User, error) {
	return one(ctx, r.quick(), scanUser(realm), `select `+userColumns+` from users u where u.realm_id = $1 and u.service_client_id = $2`,
		realm, client)
}

// Usernames maps those of the ids that are there to usernames.
func (r *Reader) Usernames(ctx context.Context, realm iam.RealmID, ids []iam.UserID) (map[iam.UserID]string, error) {
	names := make(map[iam.UserID]string, len(ids))
	for chunk := range slices.Chunk(ids, 500) {
		chunk = even(chunk)
		w := new(where)
		w.and("realm_id = ?", realm)
		in(w, "id", chunk)
		_, err := all(ctx, few(r, len(chunk)), func(row row) (struct{}, error) {
			var id iam.UserID
			var name string
			err := row.Scan(&id, &name)
			names[id] = name
			return struct{}{}, err
		}, `select id, username from users`+w.text.String()+` order by id`, w.args...)
		if err != nil {
			return nil, err
		}
	}
	return names, nil
}

func userValues(realm iam.RealmID, u *iam.User, duplicateEmails bool) ([]any, error) {
	doc, err := json.Marshal(userDoc{Attrs: u.Attrs, Required: u.Required, Extra: u.Extra})
	if err != nil {
		return nil, err
	}
	email := strings.ToLower(u.Email)
	unique := email
	if duplicateEmails {
		unique = ""
	}
	return []any{realm, u.ID, strings.ToLower(u.Username), nullable(email), nullable(unique), u.EmailVerified, u.FirstName, u.LastName,
		strings.ToLower(u.FirstName), strings.ToLower(u.LastName), u.Enabled, nullable(string(u.ServiceAccount)), u.Federation,
		millis(u.CreatedAt), millis(u.NotBefore), string(doc)}, nil
}

// InsertUser adds a user. An ExistsError is On("username") or On("email_unique")
// (the latter unless the realm allows duplicate e-mails), or tells of a taken id.
func (tx *Tx) InsertUser(ctx context.Context, u *iam.User, duplicateEmails bool) error {
	values, err := userValues(u.Realm, u, duplicateEmails)
	if err != nil {
		return err
	}
	if _, err := tx.exec(ctx, `insert into users (realm_id, id, username, email, email_unique, email_verified, first_name, last_name,
		first_lower, last_lower, enabled, service_client_id, federation, created_at, not_before, doc, version)
		values (`+binds(1, 16)+`, 1)`, values...); err != nil {
		return err
	}
	return tx.putAttributes(ctx, u)
}

// UpdateUser writes a user back; ErrConflict when it changed since it was read.
func (tx *Tx) UpdateUser(ctx context.Context, u *iam.User, duplicateEmails bool) error {
	values, err := userValues(u.Realm, u, duplicateEmails)
	if err != nil {
		return err
	}
	if err := tx.must(ctx,
		`update users set username = $3, email = $4, email_unique = $5, email_verified = $6, first_name = $7, last_name = $8,
		first_lower = $9, last_lower = $10, enabled = $11, service_client_id = $12, federation = $13, created_at = $14, not_before = $15, doc =
			$16,
		version = version + 1 where realm_id = $1 and id = $2 and version = $17`, append(values, u.Version)...); err != nil {
		return err
	}
	if _, err := tx.exec(ctx, `delete from user_attributes where realm_id = $1 and user_id = $2`, u.Realm, u.ID); err != nil {
		return err
	}
	return tx.putAttributes(ctx, u)
}

func (tx *Tx) putAttributes(ctx context.Context, u *iam.User) error {
	for name, values := range u.Attrs {
		for i, v := range values {
			if _, err := tx.exec(ctx, `insert into user_attributes (realm_id, user_id, name, position, value_lower) values ($1, $2, $3, $4, $5)`,
				u.Realm, u.ID, name, i, strings.ToLower(v)); err != nil {
				return err
			}
		}
	}
	return nil
}

// DeleteUser removes a user with credentials, roles, groups, consents, links,
// login failures and sessions; ErrNotFound when it is not there. It returns the
// sessions that it ended, as EndSessions does. What is kept of ended sessions
// loses the user's name and addresses.
func (tx *Tx) DeleteUser(ctx context.Context, realm iam.RealmID, id iam.UserID, end func(*Ending)) ([]*Ending, error) {
	n, err := tx.exec(ctx, `delete from users where realm_id = $1 and id = $2`, realm, id)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, ErrNotFound
	}
	var ended []*Ending
	for _, kind := range iam.SessionKinds() {
		refs, err := tx.SessionRefsOfUser(ctx, realm, id, kind)
		if err != nil {
			return nil, err
		}
		list, err := tx.EndSessions(ctx, realm, refs, end)
		if err != nil {
			return nil, err
		}
		ended = append(ended, list...)
	}
	for _, q := range []string{
		`delete from login_failures where realm_id = $1 and user_id = $2`,
		`update ended_sessions set username = '', ip = '', device = '' where realm_id = $1 and user_id = $2`,
		`update occurrences set ip = '', doc = '{}' where realm_id = $1 and user_id = $2`,
	} {
		if _, err := tx.exec(ctx, q, realm, id); err != nil {
			return nil, err
		}
	}
	_, err = tx.exec(ctx, `delete from objects where realm_id = $1 and kind = $2 and id = $3`, realm, KindUserExtra, id)
	return ended, err
}

// SetUserNotBefore refuses the user's tokens issued before a time.
func (tx *Tx) SetUserNotBefore(ctx context.Context, realm iam.RealmID, id iam.UserID, at time.Time) error {
	return tx.must(ctx, `update users set not_before = $1, version = version + 1 where realm_id = $2 and id = $3`, millis(at), realm, id)
}
