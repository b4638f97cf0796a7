package roles

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// A Set is a set of roles.
type Set map[iam.RoleID]struct{}

// Has reports whether a role is in the set.
func (s Set) Has(id iam.RoleID) bool { _, ok := s[id]; return ok }

// add puts roles and what they are made of into the set. A role that contains
// itself does no harm.
func (s Set) add(r *realms.Realm, ids []iam.RoleID) {
	for _, id := range ids {
		if s.Has(id) {
			continue
		}
		if role := r.Role(id); role != nil {
			s[id] = struct{}{}
			s.add(r, role.Composites)
		}
	}
}

// Expand returns roles with all that they are composed of, at any depth. Ids
// that the realm does not know are left out.
func Expand(r *realms.Realm, ids ...iam.RoleID) Set {
	s := make(Set, 2*len(ids))
	s.add(r, ids)
	return s
}

// A Group is a group that a user is in, with the groups above it.
type Group struct {
	iam.Group
	Up *Group // nil at the top
}

// Path is "/top/inner", as Keycloak writes it (KeycloakModelUtils.buildGroupPath,
// which by default does not escape slashes in names).
func (g *Group) Path() string {
	if g.Up == nil {
		return "/" + g.Name
	}
	return g.Up.Path() + "/" + g.Name
}

// Effective is what a user is in a realm: effective roles, and groups.
type Effective struct {
	Roles  Set      // effective: groups' and composites included
	Groups []*Group // direct memberships, by name
}

// GroupValues are what a user's groups, and those above them, give an attribute.
func (s *Effective) GroupValues(attr string) (values []string) {
	for _, g := range s.Groups {
		for ; g != nil; g = g.Up {
			values = append(values, g.Attrs[attr]...)
		}
	}
	return values
}

// A Service reads standings. It is safe for concurrent use.
type Service struct{ db *store.DB }

// New makes a Service.
func New(db *store.DB) *Service { return &Service{db} }

// Of reads what a user is in the realm. Keycloak: RoleUtils.getDeepUserRoleMappings.
func (s *Service) Of(ctx context.Context, r *realms.Realm, user iam.UserID) (*Effective, error) {
	row, err := s.db.RoleMappings(ctx, r.ID, user)
	if err != nil {
		return nil, fmt.Errorf("effective roles of user %s: %w", user, err)
	}
	return effective(r, row)
}

// Has tells whether a user effectively has a role: "name" or "clientId.name". One
// that does not exist is nobody's. Keycloak: KeycloakModelUtils.getRoleFromString.
func (s *Service) Has(ctx context.Context, r *realms.Realm, user iam.UserID, name string) (bool, error) {
	role := r.RoleByName("", name)
	// A client_id may have dots in it, as may a role's name: every split counts.
	for i := 0; role == nil && i < len(name); i++ {
		if name[i] != '.' {
			continue
		}
		if c, err := r.ClientByName(ctx, name[:i]); err == nil {
			role = r.RoleByName(c.ID, name[i+1:])
		} else if !realms.Missing(err) {
			return false, err
		}
	}
	if role == nil {
		return false, nil
	}
	st, err := s.Of(ctx, r, user)
	if err != nil {
		return false, err
	}
	return st.Roles.Has(role.ID), nil
}

// OfView is Of for the user of a session that was just read: for one in no group
// the session's statement has told all.
func (s *Service) OfView(ctx context.Context, r *realms.Realm, v *store.SessionView) (*Effective, error) {
	if v.Grouped {
		return s.Of(ctx, r, v.User.ID)
	}
	return Given(r, v.Roles), nil
}

// Given are the effective roles of a user in no group to whom these roles were given. It
// is shared: look, but do not change it.
func Given(r *realms.Realm, ids iam.RoleIDs) *Effective {
	s, _ := realms.Recall(r, ids, func() (*Effective, error) {
		s := &Effective{Roles: Set{}}
		for id := range strings.FieldsSeq(string(ids)) {
			s.Roles.add(r, []iam.RoleID{iam.RoleID(id)})
		}
		return s, nil
	})
	return s
}

func effective(r *realms.Realm, row *store.RoleMappings) (*Effective, error) {
	st := &Effective{Roles: Expand(r, row.Roles...)}
	all := make(map[iam.GroupID]*Group, len(row.Groups))
	for _, g := range row.Groups {
		var doc rep.Group
		if err := rep.Unmarshal(g.Doc, &doc); err != nil {
			return nil, fmt.Errorf("group %s: %w", g.Name, err)
		}
		node := &Group{Group: iam.Group{ID: g.ID, Parent: g.Parent, Name: g.Name, Attrs: doc.Attributes}}
		all[g.ID] = node
		if g.Direct {
			st.Groups = append(st.Groups, node)
		}
	}
	for _, g := range all {
		g.Up = all[g.Parent]
	}
	return st, nil
}

// Permitted returns those of the scopes that a user with these roles may have:
// a client scope with role scope mappings needs one of them.
// Keycloak: DefaultClientSessionContext.isClientScopePermittedForUser.
func Permitted(r *realms.Realm, held Set, scopes []*iam.ClientScope) []*iam.ClientScope {
	return slices.DeleteFunc(slices.Clone(scopes), func(c *iam.ClientScope) bool { return !permitted(r, held, c) })
}

func permitted(r *realms.Realm, held Set, c *iam.ClientScope) bool {
	if len(c.Roles) == 0 {
		return true
	}
	for id := range Expand(r, c.Roles...) {
		if held.Has(id) {
			return true
		}
	}
	return false
}

// InScope returns those of a user's roles that a token for the client may show:
// all with full scope, else the client's own, and what its scope mappings and
// those of the granted scopes let through. Keycloak: TokenManager.getAccess.
func InScope(r *realms.Realm, held Set, c *iam.Client, scopes []*iam.ClientScope) Set {
	if c.FullScope {
		return held
	}
	may := make(Set)
	for _, own := range r.RolesOf(c.ID) {
		may.add(r, []iam.RoleID{own.ID})
	}
	may.add(r, c.ScopeRoles)
	for _, s := range scopes {
		may.add(r, s.Roles)
	}
	for id := range may {
		if !held.Has(id) {
			delete(may, id)
		}
	}
	return may
}

// An Access is a set of roles by names, as tokens show them.
type Access struct {
	Realm   []string
	Clients map[string][]string // by client_id
}

// Names turns roles into names, sorted. Roles of clients that are gone are left out.
func Names(ctx context.Context, r *realms.Realm, set Set) (*Access, error) {
	a := &Access{Clients: map[string][]string{}}
	for id := range set {
		role := r.Role(id)
		if role == nil {
			continue
		}
		if role.Client == "" {
			a.Realm = append(a.Realm, role.Name)
			continue
		}
		name, err := r.ClientName(ctx, role.Client)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("client of role %s: %w", role.Name, err)
		}
		if name != "" {
			a.Clients[name] = append(a.Clients[name], role.Name)
		}
	}
	slices.Sort(a.Realm)
	for _, list := range a.Clients {
		slices.Sort(list)
	}
	return a, nil
}
