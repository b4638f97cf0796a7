package store

import (
	"context"

	"latchkey/internal/iam"
)

// A UserGroup is a group that a user is in: directly, or by way of a group below it.
type UserGroup struct {
	ID     iam.GroupID
	Parent iam.GroupID
	Name   string
	Doc    []byte // its representation, for the attributes
	Direct bool
}

// RoleMappings are what decides about a user's rights: the roles given to them and to
// their groups, composites not expanded, and the groups themselves.
type RoleMappings struct {
	Roles  []iam.RoleID
	Groups []UserGroup
}

// RoleMappings reads a user's role mappings and groups in one statement. A user who is not there
// has none; that is no error.
func (r *Reader) RoleMappings(ctx context.Context, realm iam.RealmID, user iam.UserID) (*RoleMappings, error) {
	s := new(RoleMappings)
	_, err := all(ctx, r.quick(), func(row row) (struct{}, error) {
		var g UserGroup
		var isRole bool
		err := row.Scan(&isRole, &g.ID, &g.Parent, &g.Name, &g.Doc, &g.Direct)
		if isRole {
			s.Roles = append(s.Roles, iam.RoleID(g.ID))
		} else {
			s.Groups = append(s.Groups, g)
		}
		return struct{}{}, err
	}, `with recursive mine (id) as (
		select group_id from user_groups where realm_id = $1 and user_id = $2
		union
		select g.parent_id from mine join groups g on g.realm_id = $1 and g.id = mine.id where g.parent_id <> '')
		select true, role_id, '', '', '', false from user_roles where realm_id = $1 and user_id = $2
		union
		select true, r.role_id, '', '', '', false from mine join group_roles r on r.realm_id = $1 and r.group_id = mine.id
		union all
		select false, g.id, g.parent_id, g.name, g.doc, u.group_id is not null
		from mine join groups g on g.realm_id = $1 and g.id = mine.id
		left join user_groups u on u.realm_id = $1 and u.user_id = $2 and u.group_id = g.id
		order by 4, 2`, realm, user)
	return s, err
}
