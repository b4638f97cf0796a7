package store

import (
	"context"

	"latchkey/internal/iam"
)

// A RoleRow is a realm role (Client "") or a client role. Doc is its
// representation; its name and composites are kept apart.
type RoleRow struct {
	ID      iam.RoleID
	Client  iam.ClientID
	Name    string
	Doc     []byte
	Version int64
}

func scanRole(row row) (v RoleRow, err error) {
	return v, row.Scan(&v.ID, &v.Client, &v.Name, &v.Doc, &v.Version)
}

// Roles returns all roles of a realm, those of its clients included.
func (r *Reader) Roles(ctx context.Context, realm iam.RealmID) ([]RoleRow, error) {
	return all(ctx, r, scanRole, `select id, client_id, name, doc, version from roles where realm_id = $1 order by client_id, name`, realm)
}

// Role returns one role, or ErrNotFound.
func (r *Reader) Role(ctx context.Context, realm iam.RealmID, id iam.RoleID) (RoleRow, error) {
	return one(ctx, r, scanRole, `select id, client_id, name, doc, version from roles where realm_id = $1 and id = $2`, realm, id)
}

// InsertRole adds a role; an ExistsError tells of a taken id or name.
func (tx *Tx) InsertRole(ctx context.Context, realm iam.RealmID, v RoleRow) error {
	_, err := tx.exec(ctx, `insert into roles (realm_id, id, client_id, name, doc, version) values ($1, $2, $3, $4, $5, 1)`,
		realm, v.ID, v.Client, v.Name, string(v.Doc))
	return err
}

// UpdateRole writes a role back; ErrConflict when it changed since it was read.
func (tx *Tx) UpdateRole(ctx context.Context, realm iam.RealmID, v RoleRow) error {
	return tx.must(ctx, `update roles set name = $1, doc = $2, version = version + 1 where realm_id = $3 and id = $4 and version = $5`,
		v.Name, string(v.Doc), realm, v.ID, v.Version)
}

// DeleteRole removes a role and takes it from composites, scopes, groups and users.
func (tx *Tx) DeleteRole(ctx context.Context, realm iam.RealmID, id iam.RoleID) error {
	for _, q := range []string{
		`delete from role_composites where realm_id = $1 and role_id = $2`,
		`delete from role_composites where realm_id = $1 and child_id = $2`,
		`delete from scope_roles where realm_id = $1 and role_id = $2`,
		`delete from group_roles where realm_id = $1 and role_id = $2`,
		`delete from user_roles where realm_id = $1 and role_id = $2`,
	} {
		if _, err := tx.exec(ctx, q, realm, id); err != nil {
			return err
		}
	}
	n, err := tx.exec(ctx, `delete from roles where realm_id = $1 and id = $2`, realm, id)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// A RolePair says that Owner (a composite role, a client, a client scope, a
// group or a user, by id) has Role.
type RolePair struct {
	Owner string
	Role  iam.RoleID
}

func scanPair(row row) (v RolePair, err error) { return v, row.Scan(&v.Owner, &v.Role) }

// Composites returns every composite role's direct children in a realm.
func (r *Reader) Composites(ctx context.Context, realm iam.RealmID) ([]RolePair, error) {
	return all(ctx, r, scanPair, `select role_id, child_id from role_composites where realm_id = $1 order by role_id, child_id`, realm)
}

// AddComposite makes child part of role; doing it twice is no error.
func (tx *Tx) AddComposite(ctx context.Context, realm iam.RealmID, role, child iam.RoleID) error {
	_, err := tx.exec(ctx,
		`insert into role_composites (realm_id, role_id, child_id) values ($1, $2, $3) on conflict (realm_id, role_id, child_id) do nothing`,
		realm, role, child)
	return err
}

// RemoveComposite takes child out of role.
func (tx *Tx) RemoveComposite(ctx context.Context, realm iam.RealmID, role, child iam.RoleID) error {
	_, err := tx.exec(ctx, `delete from role_composites where realm_id = $1 and role_id = $2 and child_id = $3`, realm, role, child)
	return err
}

// ScopeRoles returns the role scope mappings of every client and client scope of a realm.
func (r *Reader) ScopeRoles(ctx context.Context, realm iam.RealmID) ([]RolePair, error) {
	return all(ctx, r, scanPair, `select owner_id, role_id from scope_roles where realm_id = $1 order by owner_id, role_id`, realm)
}

// AddScopeRole puts a role into the scope of a client or client scope.
func (tx *Tx) AddScopeRole(ctx context.Context, realm iam.RealmID, owner string, role iam.RoleID) error {
	_, err := tx.exec(ctx,
		`insert into scope_roles (realm_id, owner_id, role_id) values ($1, $2, $3) on conflict (realm_id, owner_id, role_id) do nothing`,
		realm, owner, role)
	return err
}

// RemoveScopeRole takes a role out of the scope of a client or client scope.
func (tx *Tx) RemoveScopeRole(ctx context.Context, realm iam.RealmID, owner string, role iam.RoleID) error {
	_, err := tx.exec(ctx, `delete from scope_roles where realm_id = $1 and owner_id = $2 and role_id = $3`, realm, owner, role)
	return err
}
