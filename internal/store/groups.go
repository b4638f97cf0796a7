package store

import (
	"context"
	"strings"

	"latchkey/internal/iam"
)

// A GroupRow is a node of a realm's tree of groups. Doc is its representation
// without path, parent, sub-groups and roles, which are kept apart.
type GroupRow struct {
	ID      iam.GroupID
	Parent  iam.GroupID // "" at the top
	Name    string
	Default bool // new users join it
	Doc     []byte
	Version int64
}

const groupColumns = `id, parent_id, name, is_default, doc, version`

func scanGroup(row row) (v GroupRow, err error) {
	return v, row.Scan(&v.ID, &v.Parent, &v.Name, &v.Default, &v.Doc, &v.Version)
}

// Groups returns all groups of a realm by name.
func (r *Reader) Groups(ctx context.Context, realm iam.RealmID) ([]GroupRow, error) {
	return all(ctx, r, scanGroup, `select `+groupColumns+` from groups where realm_id = $1 order by name, id`, realm)
}

// Group returns one group, or ErrNotFound.
func (r *Reader) Group(ctx context.Context, realm iam.RealmID, id iam.GroupID) (GroupRow, error) {
	return one(ctx, r, scanGroup, `select `+groupColumns+` from groups where realm_id = $1 and id = $2`, realm, id)
}

// A Lineage says which groups are read: those that it names, with all above them.
type Lineage string

// The lineages: of a group by its id, of the groups that a user is a direct
// member of, and of those that a role is mapped to.
const (
	OfGroup      Lineage = "group"
	OfMember     Lineage = "member"
	OfGroupsRole Lineage = "role"
)

// lineage selects the ids of the groups of one, as the recursive "line": $1 is the realm, $2 the id, $3 of what.
const lineage = `
		select id from groups where realm_id = $1 and id = $2 and $3 = 'group'
		union
		select group_id from user_groups where realm_id = $1 and user_id = $2 and $3 = 'member'
		union
		select group_id from group_roles where realm_id = $1 and role_id = $2 and $3 = 'role'
		union
		select g.parent_id from line join groups g on g.realm_id = $1 and g.id = line.id where g.parent_id <> ''`

// GroupsUp returns the groups of a lineage by name, each with the number of
// groups directly below it, and the roles that are mapped to them.
func (r *Reader) GroupsUp(ctx context.Context, realm iam.RealmID, l Lineage,
	id string) (rows []GroupRow, below map[iam.GroupID]int, roles []RolePair, err error) {
	below = map[iam.GroupID]int{}
	rows, err = all(ctx, r, func(row row) (v GroupRow, err error) {
		var n int
		err = row.Scan(&v.ID, &v.Parent, &v.Name, &v.Default, &v.Doc, &v.Version, &n)
		below[v.ID] = n
		return v, err
	}, `with recursive line (id) as (`+lineage+`)
		select g.id, g.parent_id, g.name, g.is_default, g.doc, g.version,
			(select count(*) from groups c where c.realm_id = $1 and c.parent_id = g.id)
		from line join groups g on g.realm_id = $1 and g.id = line.id order by 3, 1`, realm, id, string(l))
	if err != nil || len(rows) == 0 {
		return nil, nil, nil, err
	}
	roles, err = all(ctx, r, scanPair, `with recursive line (id) as (`+lineage+`)
		select group_id, role_id from group_roles where realm_id = $1 and group_id in (select id from line)
		order by group_id, role_id`, realm, id, string(l))
	return rows, below, roles, err
}

// RolesBelow returns the roles that are mapped to the groups below one, at whatever depth.
func (r *Reader) RolesBelow(ctx context.Context, realm iam.RealmID, group iam.GroupID) ([]iam.RoleID, error) {
	return all(ctx, r, scanValue[iam.RoleID], `with recursive tree (id) as (
			select id from groups where realm_id = $1 and parent_id = $2
			union
			select g.id from tree join groups g on g.realm_id = $1 and g.parent_id = tree.id)
		select distinct role_id from group_roles where realm_id = $1 and group_id in (select id from tree) order by role_id`, realm, group)
}

// GroupNamed returns the id of the group of a name directly below parent ("" for the top), or ErrNotFound.
func (r *Reader) GroupNamed(ctx context.Context, realm iam.RealmID, parent iam.GroupID, name string) (iam.GroupID, error) {
	return one(ctx, r, scanValue[iam.GroupID], `select id from groups where realm_id = $1 and parent_id = $2 and name = $3`,
		realm, parent, name)
}

// DefaultGroups returns the groups that new users join.
func (r *Reader) DefaultGroups(ctx context.Context, realm iam.RealmID) ([]iam.GroupID, error) {
	return all(ctx, r, scanValue[iam.GroupID], `select id from groups where realm_id = $1 and is_default order by id`, realm)
}

// SubGroups returns a page of the groups directly below parent ("" for the
// top), by name; search must be part of the name, ignoring case, max < 0 means all.
func (r *Reader) SubGroups(ctx context.Context, realm iam.RealmID, parent iam.GroupID, search string, first, max int) ([]GroupRow, error) {
	return all(ctx, r, scanGroup, `select `+groupColumns+` from groups where realm_id = $1 and parent_id = $2 and name_lower like $3 escape '!'
		order by name, id limit $4 offset $5`, realm, parent, containing(search), limit(max), first)
}

// InsertGroup adds a group; an ExistsError tells of a taken id or a sibling of that name.
func (tx *Tx) InsertGroup(ctx context.Context, realm iam.RealmID, v GroupRow) error {
	_, err := tx.exec(ctx,
		`insert into groups (realm_id, id, parent_id, name, name_lower, is_default, doc, version) values ($1, $2, $3, $4, $5, $6, $7, 1)`,
		realm, v.ID, v.Parent, v.Name, strings.ToLower(v.Name), v.Default, string(v.Doc))
	return err
}

// UpdateGroup writes a group back; ErrConflict when it changed since it was read.
func (tx *Tx) UpdateGroup(ctx context.Context, realm iam.RealmID, v GroupRow) error {
	return tx.must(ctx, `update groups set parent_id = $1, name = $2, name_lower = $3, is_default = $4, doc = $5, version = version + 1
		where realm_id = $6 and id = $7 and version = $8`, v.Parent, v.Name, strings.ToLower(v.Name), v.Default, string(v.Doc), realm, v.ID,
		v.Version)
}

// DeleteGroup removes a group with everything below it, and their roles and
// members; ErrNotFound when it is not there.
func (tx *Tx) DeleteGroup(ctx context.Context, realm iam.RealmID, id iam.GroupID) error {
	ids, err := all(ctx, &tx.Reader, scanValue[iam.GroupID], `with recursive tree (id) as (
			select g.id from groups g where g.realm_id = $1 and g.id = $2
			union all select g.id from groups g join tree t on g.parent_id = t.id where g.realm_id = $1
		) select id from tree order by id`, realm, id)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return ErrNotFound
	}
	for _, id := range ids {
		for _, q := range []string{
			`delete from groups where realm_id = $1 and id = $2`,
			`delete from group_roles where realm_id = $1 and group_id = $2`,
			`delete from user_groups where realm_id = $1 and group_id = $2`,
		} {
			if _, err := tx.exec(ctx, q, realm, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// GroupRoles returns the role mappings of all groups of a realm.
func (r *Reader) GroupRoles(ctx context.Context, realm iam.RealmID) ([]RolePair, error) {
	return all(ctx, r, scanPair, `select group_id, role_id from group_roles where realm_id = $1 order by group_id, role_id`, realm)
}

// AddGroupRole maps a role to a group; doing it twice is no error.
func (tx *Tx) AddGroupRole(ctx context.Context, realm iam.RealmID, group iam.GroupID, role iam.RoleID) error {
	_, err := tx.exec(ctx,
		`insert into group_roles (realm_id, group_id, role_id) values ($1, $2, $3) on conflict (realm_id, group_id, role_id) do nothing`,
		realm, group, role)
	return err
}

// RemoveGroupRole takes a role from a group.
func (tx *Tx) RemoveGroupRole(ctx context.Context, realm iam.RealmID, group iam.GroupID, role iam.RoleID) error {
	_, err := tx.exec(ctx, `delete from group_roles where realm_id = $1 and group_id = $2 and role_id = $3`, realm, group, role)
	return err
}
