package store

import (
	"context"
	"strings"
	"time"

	"latchkey/internal/iam"
)

// A ClientRow is a client. Doc is its representation without scopes, which are
// rows of their own; it is sealed at rest.
type ClientRow struct {
	ID        iam.ClientID
	ClientID  string
	Enabled   bool
	NotBefore time.Time
	Doc       []byte
	Version   int64
}

const clientColumns = `id, client_id, enabled, not_before, doc, version`

func clientPlace(realm iam.RealmID, id iam.ClientID) string {
	return "client " + string(realm) + " " + string(id)
}

func (r *Reader) scanClient(realm iam.RealmID) func(row) (ClientRow, error) {
	return func(row row) (v ClientRow, err error) {
		var nb int64
		var doc []byte
		if err = row.Scan(&v.ID, &v.ClientID, &v.Enabled, &nb, &doc, &v.Version); err != nil {
			return v, err
		}
		v.NotBefore = fromMillis(nb)
		v.Doc, err = r.unseal(clientPlace(realm, v.ID), doc)
		return v, err
	}
}

// Client returns a client by its database id, or ErrNotFound.
func (r *Reader) Client(ctx context.Context, realm iam.RealmID, id iam.ClientID) (ClientRow, error) {
	return one(ctx, r, r.scanClient(realm), `select `+clientColumns+` from clients where realm_id = $1 and id = $2`, realm, id)
}

// ClientByName returns a client by OAuth's client_id, or ErrNotFound.
func (r *Reader) ClientByName(ctx context.Context, realm iam.RealmID, clientID string) (ClientRow, error) {
	return one(ctx, r, r.scanClient(realm), `select `+clientColumns+` from clients where realm_id = $1 and client_id = $2`, realm, clientID)
}

// Clients returns a page of clients ordered by client_id; search, when not "",
// must be part of the client_id, ignoring case. max < 0 means all.
func (r *Reader) Clients(ctx context.Context, realm iam.RealmID, search string, first, max int) ([]ClientRow, error) {
	return all(ctx, r, r.scanClient(realm), `select `+clientColumns+` from clients
		where realm_id = $1 and lower(client_id) like $2 escape '!' order by client_id limit $3 offset $4`,
		realm, containing(search), limit(max), first)
}

// ClientNames maps the database ids of a realm's clients to their client_ids.
func (r *Reader) ClientNames(ctx context.Context, realm iam.RealmID) (map[iam.ClientID]string, error) {
	names := map[iam.ClientID]string{}
	_, err := all(ctx, r, func(row row) (struct{}, error) {
		var id iam.ClientID
		var name string
		err := row.Scan(&id, &name)
		names[id] = name
		return struct{}{}, err
	}, `select id, client_id from clients where realm_id = $1 order by id`, realm)
	return names, err
}

// InsertClient adds a client; an ExistsError tells of a taken id or client_id.
func (tx *Tx) InsertClient(ctx context.Context, realm iam.RealmID, v ClientRow) error {
	_, err := tx.exec(ctx,
		`insert into clients (realm_id, id, client_id, enabled, not_before, doc, version) values ($1, $2, $3, $4, $5, $6, 1)`,
		realm, v.ID, v.ClientID, v.Enabled, millis(v.NotBefore), tx.seal(clientPlace(realm, v.ID), v.Doc))
	return err
}

// UpdateClient writes a client back; ErrConflict when it changed since it was read.
func (tx *Tx) UpdateClient(ctx context.Context, realm iam.RealmID, v ClientRow) error {
	return tx.must(ctx, `update clients set client_id = $1, enabled = $2, not_before = $3, doc = $4, version = version + 1
		where realm_id = $5 and id = $6 and version = $7`,
		v.ClientID, v.Enabled, millis(v.NotBefore), tx.seal(clientPlace(realm, v.ID), v.Doc), realm, v.ID, v.Version)
}

// DeleteClient removes a client with its roles, scope assignments, scope
// mappings, consents and client sessions; ErrNotFound when it is not there.
func (tx *Tx) DeleteClient(ctx context.Context, realm iam.RealmID, id iam.ClientID) error {
	name, err := one(ctx, &tx.Reader, scanValue[string], `delete from clients where realm_id = $1 and id = $2 returning client_id`, realm, id)
	if err != nil {
		return err
	}
	for _, kind := range iam.SessionKinds() {
		refs, err := tx.SessionRefsWith(ctx, realm, id, "", kind)
		if err != nil {
			return err
		}
		_, err = tx.EndClientSessions(ctx, realm, refs, id, func(*iam.ClientSession) {}, iam.End{Reason: iam.ClientRemoved, By: iam.ActorAdmin})
		if err != nil {
			return err
		}
	}
	if _, err := tx.exec(ctx,
		`insert into removed_clients (realm_id, id, client_id, removed_at) values ($1, $2, $3, $4) on conflict (realm_id, id) do nothing`,
		realm, id, name, millis(tx.Now)); err != nil {
		return err
	}
	for _, q := range []string{
		`delete from client_scopes where realm_id = $1 and client_id = $2`,
		`delete from scope_roles where realm_id = $1 and owner_id = $2`,
		`delete from consents where realm_id = $1 and client_id = $2`,
	} {
		if _, err := tx.exec(ctx, q, realm, id); err != nil {
			return err
		}
	}
	roles, err := all(ctx, &tx.Reader, scanValue[iam.RoleID], `select id from roles where realm_id = $1 and client_id = $2 order by id`,
		realm, id)
	if err != nil {
		return err
	}
	for _, role := range roles {
		if err := tx.DeleteRole(ctx, realm, role); err != nil {
			return err
		}
	}
	return nil
}

// A ScopeBinding assigns a client scope to a client, or to the realm's new
// clients when Client is "".
type ScopeBinding struct {
	Client    iam.ClientID
	Scope     iam.ScopeID
	Optional  bool
	Inherited bool // the client has it because the realm had it when the client was made
}

func scanBinding(row row) (v ScopeBinding, err error) {
	return v, row.Scan(&v.Client, &v.Scope, &v.Optional, &v.Inherited)
}

// ScopeBindings returns the scopes of one client, or of the realm for "".
func (r *Reader) ScopeBindings(ctx context.Context, realm iam.RealmID, client iam.ClientID) ([]ScopeBinding, error) {
	return all(ctx, r, scanBinding,
		`select client_id, scope_id, optional, inherited from client_scopes where realm_id = $1 and client_id = $2 order by scope_id`,
		realm, client)
}

// BindScope assigns a scope; one that is assigned already stays as it is,
// default or optional, as in Keycloak. It reports whether anything changed.
func (tx *Tx) BindScope(ctx context.Context, realm iam.RealmID, b ScopeBinding) (bool, error) {
	n, err := tx.exec(ctx, `insert into client_scopes (realm_id, client_id, scope_id, optional, inherited) values ($1, $2, $3, $4, $5)
		on conflict (realm_id, client_id, scope_id) do nothing`, realm, b.Client, b.Scope, b.Optional, b.Inherited)
	return n > 0, err
}

// UnbindScope takes a scope away; it reports whether it was assigned.
func (tx *Tx) UnbindScope(ctx context.Context, realm iam.RealmID, client iam.ClientID, scope iam.ScopeID) (bool, error) {
	n, err := tx.exec(ctx, `delete from client_scopes where realm_id = $1 and client_id = $2 and scope_id = $3`, realm, client, scope)
	return n > 0, err
}

// UnbindScopeEverywhere takes a scope from all clients and from the realm's
// defaults, for when it is removed.
func (tx *Tx) UnbindScopeEverywhere(ctx context.Context, realm iam.RealmID, scope iam.ScopeID) error {
	if _, err := tx.exec(ctx, `delete from client_scopes where realm_id = $1 and scope_id = $2`, realm, scope); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `delete from scope_roles where realm_id = $1 and owner_id = $2`, realm, scope)
	return err
}

// containing makes a like pattern (escape '!') for "contains", in lower case.
func containing(search string) string {
	if search == "" {
		return "%"
	}
	return "%" + escapeLike(search) + "%"
}

func escapeLike(s string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(strings.ToLower(s))
}

// limit turns "no limit" (< 0) into a number that both engines take.
func limit(n int) int64 {
	if n < 0 {
		return 1 << 60
	}
	return int64(n)
}
