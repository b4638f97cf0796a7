package users

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// A Group is a group in its tree.
type Group struct {
	iam.Group
	Doc   *rep.Group // without path, parent, sub-groups and roles
	Up    *Group     // nil at the top
	Below []*Group   // by name; of Groups alone
	Count int        // of those directly below
	Roles []iam.RoleID
}

// Path is "/top/inner".
func (g *Group) Path() string {
	if g.Up == nil {
		return "/" + g.Name
	}
	return g.Up.Path() + "/" + g.Name
}

// At tells whether a path may be the group's: as GroupAt takes it, or as realm files do, where only the first slash may be left out.
func (g *Group) At(path string) bool {
	own := g.Path()
	return own == path || own[1:] == path || own[1:] == trimPath(path)
}

// trimPath takes away the slashes around a path that are no part of a group's name.
func trimPath(path string) string { return strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/") }

// Given are the roles that members have by the group and by those above it,
// without what they are composed of.
func (g *Group) Given() []iam.RoleID {
	ids := slices.Clone(g.Roles)
	for up := g.Up; up != nil; up = up.Up {
		ids = append(ids, up.Roles...)
	}
	return ids
}

// Groups are groups of a realm as they are now, with all above them.
type Groups struct {
	Top []*Group // by name
	all map[iam.GroupID]*Group
}

// ErrNoGroup says that there is no such group.
var ErrNoGroup = &iam.Error{Kind: iam.NotFound, Msg: "Could not find group by id"}

// Groups reads all groups of the realm: for lists and searches. Who wants some
// asks Group, GroupAt, GroupsOf or GroupsWith.
func (s *Service) Groups(ctx context.Context, r *realms.Realm) (*Groups, error) {
	rows, err := s.db.Groups(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	pairs, err := s.db.GroupRoles(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	t, err := tree(rows, pairs)
	if err != nil {
		return nil, err
	}
	for _, g := range t.all {
		g.Count = len(g.Below)
	}
	return t, nil
}

// groupsUp reads the groups of a lineage and no others.
func (s *Service) groupsUp(ctx context.Context, r *realms.Realm, l store.Lineage, id string) (*Groups, error) {
	rows, below, pairs, err := s.db.GroupsUp(ctx, r.ID, l, id)
	if err != nil {
		return nil, err
	}
	t, err := tree(rows, pairs)
	if err != nil {
		return nil, err
	}
	for _, g := range t.all {
		g.Below, g.Count = nil, below[g.ID]
	}
	return t, nil
}

// Group reads a group and those above it, or returns ErrNoGroup.
func (s *Service) Group(ctx context.Context, r *realms.Realm, id iam.GroupID) (*Group, error) {
	t, err := s.groupsUp(ctx, r, store.OfGroup, string(id))
	if err != nil {
		return nil, err
	}
	return t.Get(id)
}

// GroupsWith returns the groups that a role is mapped to, by name.
func (s *Service) GroupsWith(ctx context.Context, r *realms.Realm, role iam.RoleID) ([]*Group, error) {
	t, err := s.groupsUp(ctx, r, store.OfGroupsRole, string(role))
	if err != nil {
		return nil, err
	}
	return t.Find(func(g *Group) bool { return slices.Contains(g.Roles, role) }), nil
}

// GroupAt returns the group at a path, with or without the slash in front, so
// that a bare name is that of a group at the top; nil when there is none. Names
// may contain slashes: of several ways to read the path the one with the
// shortest names counts.
func (s *Service) GroupAt(ctx context.Context, r *realms.Realm, path string) (*Group, error) {
	id, err := s.groupBelow(ctx, r, "", trimPath(path))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	g, err := s.Group(ctx, r, id)
	if errors.Is(err, ErrNoGroup) {
		return nil, nil // removed meanwhile
	}
	return g, err
}

func (s *Service) groupBelow(ctx context.Context, r *realms.Realm, parent iam.GroupID, path string) (iam.GroupID, error) {
	for i := 0; i <= len(path) && i <= 4*maxName; i++ {
		if i < len(path) && path[i] != '/' {
			continue
		}
		id, err := s.db.GroupNamed(ctx, r.ID, parent, path[:i])
		if err == nil && i < len(path) {
			id, err = s.groupBelow(ctx, r, id, path[i+1:])
		}
		if !errors.Is(err, store.ErrNotFound) {
			return id, err
		}
	}
	return "", store.ErrNotFound
}

// RolesAround are the roles that members of a group, or of one below it, have by them.
func (s *Service) RolesAround(ctx context.Context, r *realms.Realm, g *Group) ([]iam.RoleID, error) {
	below, err := s.db.RolesBelow(ctx, r.ID, g.ID)
	return append(g.Given(), below...), err
}

func tree(rows []store.GroupRow, pairs []store.RolePair) (*Groups, error) {
	t := &Groups{all: make(map[iam.GroupID]*Group, len(rows))}
	for _, row := range rows {
		doc := new(rep.Group)
		if err := rep.Unmarshal(row.Doc, doc); err != nil {
			return nil, err
		}
		t.all[row.ID] = &Group{Group: iam.Group{ID: row.ID, Parent: row.Parent, Name: row.Name, Description: rep.Val(doc.Description),
			Attrs: doc.Attributes}, Doc: doc}
	}
	for _, row := range rows { // by name, so that lists are
		g := t.all[row.ID]
		if g.Up = t.all[row.Parent]; g.Up == nil {
			t.Top = append(t.Top, g)
		} else {
			g.Up.Below = append(g.Up.Below, g)
		}
	}
	for _, p := range pairs {
		if g := t.all[iam.GroupID(p.Owner)]; g != nil {
			g.Roles = append(g.Roles, p.Role)
		}
	}
	return t, nil
}

// Get returns a group, or ErrNoGroup.
func (t *Groups) Get(id iam.GroupID) (*Group, error) {
	if g := t.all[id]; g != nil {
		return g, nil
	}
	return nil, ErrNoGroup
}

// Count is how many groups there are.
func (t *Groups) Count() int { return len(t.all) }

// Find returns the groups for which ok holds, by name.
func (t *Groups) Find(ok func(*Group) bool) []*Group {
	var list []*Group
	for _, g := range t.all {
		if ok(g) {
			list = append(list, g)
		}
	}
	slices.SortFunc(list, func(a, b *Group) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return list
}

// groupTaken is the refusal of a second sibling of a name.
func groupTaken(parent iam.GroupID, name string) error {
	if parent == "" {
		return iam.Errorf(iam.Conflict, "Top level group named '%s' already exists.", name)
	}
	return siblingTaken(name)
}

// siblingTaken is the same, of groups that are renamed at whatever level.
func siblingTaken(name string) error {
	return iam.Errorf(iam.Conflict, "Sibling group named '%s' already exists.", name)
}

// maxName bounds the names of groups, as Keycloak's database does.
const maxName = 255

func groupDoc(v *rep.Group) ([]byte, error) {
	if len([]rune(v.Name)) > maxName {
		return nil, &iam.Error{Kind: iam.Invalid, Msg: "The name is too long"}
	}
	attrs := maps.Clone(v.Attributes)
	maps.DeleteFunc(attrs, func(_ string, values []string) bool { return len(values) == 0 })
	return rep.Marshal(&rep.Group{ID: v.ID, Name: v.Name, Description: v.Description, Attributes: attrs, Unknown: v.Unknown})
}

// CreateGroup stores a new group below parent ("" for the top) and fills in its id.
func (s *Service) CreateGroup(ctx context.Context, r *realms.Realm, parent iam.GroupID, v *rep.Group) error {
	if v.ID == "" {
		v.ID = realms.NewID()
	}
	doc, err := groupDoc(v)
	if err != nil {
		return err
	}
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		return tx.InsertGroup(ctx, r.ID, store.GroupRow{ID: iam.GroupID(v.ID), Parent: parent, Name: v.Name, Doc: doc})
	})
	if _, exists := store.Exists(err); exists {
		return groupTaken(parent, v.Name)
	}
	return err
}

// editGroup changes a group's row; taken is the refusal if its name is another's there.
func (s *Service) editGroup(ctx context.Context, r *realms.Realm, id iam.GroupID, taken error, f func(row *store.GroupRow) error) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		row, err := tx.Group(ctx, r.ID, id)
		if errors.Is(err, store.ErrNotFound) {
			return ErrNoGroup
		}
		if err != nil {
			return err
		}
		was := ""
		if r.MapsGroups() {
			if was, err = pathIn(ctx, tx, r, id); err != nil {
				return err
			}
		}
		if err := f(&row); err != nil {
			return err
		}
		if err := tx.UpdateGroup(ctx, r.ID, row); err != nil || was == "" {
			return err
		}
		now, err := pathIn(ctx, tx, r, id)
		if err != nil || now == was {
			return err
		}
		return r.RenameInMappers(ctx, tx, "group", func(path string) string {
			if below, ok := strings.CutPrefix(path, was); ok && (below == "" || below[0] == '/') {
				return now + below
			}
			return path
		})
	})
	if _, exists := store.Exists(err); exists {
		return taken
	}
	return err
}

// pathIn is a group's path as the transaction sees it.
func pathIn(ctx context.Context, tx *store.Tx, r *realms.Realm, id iam.GroupID) (string, error) {
	rows, _, pairs, err := tx.GroupsUp(ctx, r.ID, store.OfGroup, string(id))
	if err != nil {
		return "", err
	}
	t, err := tree(rows, pairs)
	if err != nil {
		return "", err
	}
	g, err := t.Get(id)
	if err != nil {
		return "", err
	}
	return g.Path(), nil
}

// UpdateGroup renames and describes a group, and replaces its attributes where
// there are any in the representation. Keycloak: GroupResource.updateGroup.
func (s *Service) UpdateGroup(ctx context.Context, r *realms.Realm, id iam.GroupID, v *rep.Group) error {
	return s.editGroup(ctx, r, id, siblingTaken(v.Name), func(row *store.GroupRow) error {
		doc := new(rep.Group)
		if err := rep.Unmarshal(row.Doc, doc); err != nil {
			return err
		}
		doc.Name, row.Name = v.Name, v.Name
		doc.Description = v.Description
		if v.Attributes != nil {
			doc.Attributes = v.Attributes
		}
		var err error
		row.Doc, err = groupDoc(doc)
		return err
	})
}

// errLoop refuses to move a group below itself.
var errLoop = &iam.Error{Kind: iam.Invalid, Msg: "A group cannot be moved below itself"}

// MoveGroup puts a group below another one, "" for the top. Below itself is
// where it stays; a refusal calls it by the posted name.
// Keycloak: GroupResource.addChild, JpaRealmProvider.moveGroup.
func (s *Service) MoveGroup(ctx context.Context, r *realms.Realm, id, parent iam.GroupID, posted string) error {
	if id == parent {
		return nil
	}
	above, err := s.groupsUp(ctx, r, store.OfGroup, string(parent))
	if err != nil {
		return err
	}
	if above.all[id] != nil {
		return errLoop
	}
	return s.editGroup(ctx, r, id, groupTaken(parent, posted), func(row *store.GroupRow) error {
		row.Parent = parent
		return nil
	})
}

// DeleteGroup removes a group with everything below it.
func (s *Service) DeleteGroup(ctx context.Context, r *realms.Realm, id iam.GroupID) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error { return tx.DeleteGroup(ctx, r.ID, id) })
	if errors.Is(err, store.ErrNotFound) {
		return ErrNoGroup
	}
	return err
}

// MapGroupRoles gives a group roles, or with add false takes them away.
func (s *Service) MapGroupRoles(ctx context.Context, r *realms.Realm, id iam.GroupID, roles []iam.RoleID, add bool) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		for _, role := range roles {
			var err error
			if add {
				err = tx.AddGroupRole(ctx, r.ID, id, role)
			} else {
				err = tx.RemoveGroupRole(ctx, r.ID, id, role)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Roles returns the roles mapped to a user directly.
func (s *Service) Roles(ctx context.Context, r *realms.Realm, id iam.UserID) ([]iam.RoleID, error) {
	return s.db.UserRoles(ctx, r.ID, id)
}

// MapRoles gives a user roles, or with add false takes them away.
func (s *Service) MapRoles(ctx context.Context, r *realms.Realm, id iam.UserID, roles []iam.RoleID, add bool) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		for _, role := range roles {
			var err error
			if add {
				_, err = tx.AddUserRole(ctx, r.ID, id, role)
			} else {
				_, err = tx.RemoveUserRole(ctx, r.ID, id, role)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// GroupsOf returns the groups that a user is a direct member of, by name.
func (s *Service) GroupsOf(ctx context.Context, r *realms.Realm, id iam.UserID) ([]*Group, error) {
	ids, err := s.db.UserGroups(ctx, r.ID, id)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	t, err := s.groupsUp(ctx, r, store.OfMember, string(id))
	if err != nil {
		return nil, err
	}
	return t.Find(func(g *Group) bool { return slices.Contains(ids, g.ID) }), nil
}

// Join makes a user a member of a group; it reports whether that is new.
func (s *Service) Join(ctx context.Context, r *realms.Realm, id iam.UserID, group iam.GroupID) (joined bool, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		joined, err = tx.JoinGroup(ctx, r.ID, id, group)
		return err
	})
	return joined, err
}

// Leave ends a membership; it reports whether there was one.
func (s *Service) Leave(ctx context.Context, r *realms.Realm, id iam.UserID, group iam.GroupID) (left bool, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		left, err = tx.LeaveGroup(ctx, r.ID, id, group)
		return err
	})
	return left, err
}

// A Filter narrows a search for users.
type Filter = store.UserFilter

// ErrConditions says that a search asks for more than iam.MaxConditions.
var ErrConditions = &iam.Error{Kind: iam.Invalid, Msg: "The search has too many conditions"}

// Search returns a page of users by user name, or ErrConditions.
func (s *Service) Search(ctx context.Context, r *realms.Realm, f *Filter) ([]*iam.User, error) {
	if len(f.Terms)+len(f.Attrs) > iam.MaxConditions {
		return nil, ErrConditions
	}
	return s.db.SearchUsers(ctx, r.ID, f)
}

// Count counts the users that a filter lets through, or returns ErrConditions.
func (s *Service) Count(ctx context.Context, r *realms.Realm, f *Filter) (int64, error) {
	if len(f.Terms)+len(f.Attrs) > iam.MaxConditions {
		return 0, ErrConditions
	}
	return s.db.CountUsers(ctx, r.ID, f)
}

// SetNotBefore refuses the user's tokens from before now.
func (s *Service) SetNotBefore(ctx context.Context, r *realms.Realm, id iam.UserID) error {
	_, err := s.Change(ctx, r, id, func(u *iam.User) error {
		u.NotBefore = s.db.Now().Truncate(time.Second) // tokens know whole seconds
		return nil
	})
	return err
}
