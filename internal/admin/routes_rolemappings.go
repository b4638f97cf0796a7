package admin

import (
	"net/http"
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/roles"
)

// A subject has roles: a user or a group.
type subject struct {
	direct    []iam.RoleID
	effective func() (roles.Set, error) // composites and groups included
	change    func(ids []iam.RoleID, add bool) error
}

// roleMappingRoutes are the roles of a user or of a group.
// Keycloak: RoleMapperResource, ClientRoleMappingsResource.
func roleMappingRoutes(at string, view, manage Perm, of func(*Call) (*subject, error)) []Route {
	at += "/role-mappings"
	type serve func(*Call, *subject, iam.ClientID) (any, error)
	with := func(f serve) func(*Call) (any, error) {
		return func(c *Call) (any, error) {
			s, err := of(c)
			if err != nil {
				return nil, err
			}
			id := iam.ClientID(c.Path("container"))
			if id != "" {
				if _, err := c.Realm.Client(c, id); realms.Missing(err) {
					return nil, errNoClient()
				} else if err != nil {
					return nil, err
				}
			}
			return f(c, s, id)
		}
	}
	// Whoever may not look at a client does not see who has its roles.
	seen := func(f serve) serve {
		return func(c *Call, s *subject, of iam.ClientID) (any, error) {
			if of != "" && !c.Can(ViewClients, onClient(of)) {
				return nil, errForbidden
			}
			return f(c, s, of)
		}
	}
	list := []Route{{"GET " + at, view, None, "", with(allMappings), ByMethod}}
	for _, kind := range []struct{ path, event string }{{"/realm", "REALM_ROLE_MAPPING"}, {"/clients/{container}", "CLIENT_ROLE_MAPPING"}} {
		in := at + kind.path
		list = append(list,
			Route{"GET " + in, view, None, "", with(seen(directMappings)), ByMethod},
			Route{"POST " + in, manage, Create, kind.event, with(addMappings), ByMethod},
			Route{"DELETE " + in, manage, Delete, kind.event, with(removeMappings), ByMethod},
			Route{"GET " + in + "/available", view, None, "", with(availableMappings), ByMethod},
			Route{"GET " + in + "/composite", view, None, "", with(seen(effectiveMappings)), ByMethod},
		)
	}
	return list
}

// rolesIn lists the roles of the realm or a client for which ok holds, by name.
func rolesIn(c *Call, container iam.ClientID, brief bool, ok func(*realms.Role) bool) []rep.Role {
	list := []rep.Role{}
	for _, role := range c.Realm.RolesOf(container) {
		if ok(role) {
			list = append(list, mappedRole(c.Realm, role, brief))
		}
	}
	return byName(list)
}

func allMappings(c *Call, s *subject, _ iam.ClientID) (any, error) {
	var m rep.Mappings
	for _, id := range s.direct {
		role := c.Realm.Role(id)
		if role == nil || !c.sees(role) {
			continue
		}
		v := mappedRole(c.Realm, role, true)
		if role.Client == "" {
			m.RealmMappings = append(m.RealmMappings, v)
			continue
		}
		name, err := c.Realm.ClientName(c, role.Client)
		if err != nil {
			return nil, err
		}
		if m.ClientMappings == nil {
			m.ClientMappings = map[string]rep.ClientMappings{}
		}
		of := m.ClientMappings[name]
		of.ID, of.Client, of.Mappings = string(role.Client), name, byName(append(of.Mappings, v))
		m.ClientMappings[name] = of
	}
	m.RealmMappings = byName(m.RealmMappings)
	return &m, nil
}

func directMappings(c *Call, s *subject, of iam.ClientID) (any, error) {
	return rolesIn(c, of, true, func(r *realms.Role) bool { return slices.Contains(s.direct, r.ID) }), nil
}

func effectiveMappings(c *Call, s *subject, of iam.ClientID) (any, error) {
	have, err := s.effective()
	if err != nil {
		return nil, err
	}
	return rolesIn(c, of, c.Bool("briefRepresentation", true), func(r *realms.Role) bool { return have.Has(r.ID) }), nil
}

func availableMappings(c *Call, s *subject, of iam.ClientID) (any, error) {
	if !c.Can(ManageUsers, c.named(objectOf(c.route.Pattern))) { // nothing that could be given. Keycloak: RolePermissions.canMapRole
		return []rep.Role{}, nil
	}
	return rolesIn(c, of, true, func(r *realms.Role) bool { return !slices.Contains(s.direct, r.ID) && c.mayGive(r.ID) == nil }), nil
}

func addMappings(c *Call, s *subject, of iam.ClientID) (any, error) {
	ids, err := postedRoles(c, of)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		c.NoEvent()
	}
	return nil, s.change(ids, true)
}

// removeMappings takes the posted roles away, or all when none is posted.
func removeMappings(c *Call, s *subject, of iam.ClientID) (any, error) {
	data, err := c.json()
	if err != nil {
		return nil, err
	}
	var ids []iam.RoleID
	if len(strings.TrimSpace(string(data))) == 0 {
		gone := rolesIn(c, of, true, func(r *realms.Role) bool { return slices.Contains(s.direct, r.ID) })
		for _, v := range gone {
			ids = append(ids, iam.RoleID(v.ID))
		}
		c.Represent(gone)
	} else {
		list := new([]rep.Role)
		if err := rep.Decode(data, list); err != nil {
			return nil, err
		}
		c.Represent(list)
		if ids, err = namedRoles(c, *list, of); err != nil {
			return nil, err
		}
	}
	if err := c.mayGive(ids...); err != nil {
		return nil, err
	}
	return nil, s.change(ids, false)
}

func postedRoles(c *Call, of iam.ClientID) ([]iam.RoleID, error) {
	list, err := Body[[]rep.Role](c)
	if err != nil {
		return nil, err
	}
	ids, err := namedRoles(c, *list, of)
	if err != nil {
		return nil, err
	}
	return ids, c.mayGive(ids...)
}

// namedRoles finds roles by name and id, which must fit each other; each is there once.
func namedRoles(c *Call, list []rep.Role, of iam.ClientID) ([]iam.RoleID, error) {
	ids := make([]iam.RoleID, 0, len(list))
	for _, v := range list {
		role := c.Realm.RoleByName(of, v.Name)
		if role == nil || string(role.ID) != v.ID {
			return nil, Plain(http.StatusNotFound, "Role not found")
		}
		ids = append(ids, role.ID)
	}
	return iam.Distinct(ids), nil
}
