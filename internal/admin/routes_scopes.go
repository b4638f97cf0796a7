package admin

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"latchkey/internal/claims"
	"latchkey/internal/clients"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

func (h *Handler) scopeRoutes() []Route {
	var routes []Route
	// client-templates is what client scopes were called once.
	for _, at := range []string{"/admin/realms/{realm}/client-scopes", "/admin/realms/{realm}/client-templates"} {
		one := at + "/{scope}"
		routes = slices.Concat(routes, []Route{
			{"GET " + at, QueryClients, None, "", h.listScopes, ByMethod},
			{"POST " + at, ManageScopes, Create, "CLIENT_SCOPE", h.createScope, NoCache},
			{"GET " + one, ViewScopes, None, "", h.getScope, ByMethod},
			{"PUT " + one, ManageScopes, Update, "CLIENT_SCOPE", h.updateScope, ByMethod},
			{"DELETE " + one, ManageScopes, Delete, "CLIENT_SCOPE", h.deleteScope, NoCache},
		}, mapperRoutes(one, ViewScopes, ManageScopes, scopeOwner, h), scopeMappingRoutes(one, ViewScopes, ManageScopes, scopeOwner, h))
	}
	return routes
}

func namedScope(c *Call) (*realms.Scope, error) {
	return clients.GetScope(c.Realm, c.Path("scope"), clients.ErrNoScope)
}

func scopeOwner(c *Call) (clients.Owner, error) {
	s, err := namedScope(c)
	return clients.Owner{Scope: s}, err
}

// listScopes lists those that the caller may see, which is all or none.
// Keycloak: ClientScopesResource.getClientScopes.
func (h *Handler) listScopes(c *Call) (any, error) {
	list := make([]*rep.ClientScope, 0, len(c.Realm.Scopes))
	if !c.Can(ViewScopes, onAll) {
		return list, nil
	}
	for _, s := range c.Realm.Scopes {
		list = append(list, clients.ScopeView(s))
	}
	return list, nil
}

func (h *Handler) createScope(c *Call) (any, error) {
	given, err := Body[rep.ClientScope](c)
	if err != nil {
		return nil, err
	}
	if err := c.mayPost("", given.ProtocolMappers, nil); err != nil {
		return nil, err
	}
	made, err := h.Clients.CreateScope(c, c.Realm, given)
	if err != nil {
		return nil, refusal(err)
	}
	c.Created(made.ID)
	return nil, nil
}

func (h *Handler) getScope(c *Call) (any, error) {
	s, err := namedScope(c)
	if err != nil {
		return nil, err
	}
	return clients.ScopeView(s), nil
}

func (h *Handler) updateScope(c *Call) (any, error) {
	s, err := namedScope(c)
	if err != nil {
		return nil, err
	}
	given, err := Body[rep.ClientScope](c)
	if err != nil {
		return nil, err
	}
	return nil, refusal(h.Clients.UpdateScope(c, c.Realm, s.ID, given))
}

func (h *Handler) deleteScope(c *Call) (any, error) {
	s, err := namedScope(c)
	if err != nil {
		return nil, err
	}
	return nil, h.Clients.DeleteScope(c, c.Realm, s.ID)
}

// An ownerOf finds what the path names.
type ownerOf func(c *Call) (clients.Owner, error)

// mapperRoutes are the protocol mappers of a client or client scope.
// Keycloak: ProtocolMappersResource.
func mapperRoutes(at string, view, manage Perm, owner ownerOf, h *Handler) []Route {
	at += "/protocol-mappers"
	with := func(f func(*Call, clients.Owner) (any, error)) func(*Call) (any, error) {
		return func(c *Call) (any, error) {
			o, err := owner(c)
			if err != nil {
				return nil, err
			}
			out, err := f(c, o)
			return out, refusal(err)
		}
	}
	return []Route{
		{"GET " + at + "/models", view, None, "", with(h.listMappers), ByMethod},
		{"POST " + at + "/models", manage, Create, "PROTOCOL_MAPPER", with(h.addMapper), NoCache},
		{"POST " + at + "/add-models", manage, Create, "PROTOCOL_MAPPER", with(h.addMappers), NoCache},
		{"GET " + at + "/protocol/{protocol}", view, None, "", with(h.listMappers), ByMethod},
		{"GET " + at + "/models/{mapper}", view, None, "", with(h.getMapper), ByMethod},
		{"PUT " + at + "/models/{mapper}", manage, Update, "PROTOCOL_MAPPER", with(h.updateMapper), NoCache},
		{"DELETE " + at + "/models/{mapper}", manage, Delete, "PROTOCOL_MAPPER", with(h.deleteMapper), NoCache},
	}
}

func (h *Handler) listMappers(c *Call, o clients.Owner) (any, error) {
	protocol := c.Path("protocol")
	list := []rep.ProtocolMapper{}
	for _, m := range o.Mappers() {
		if protocol == "" || m.Protocol == protocol {
			list = append(list, clients.Effective(m))
		}
	}
	return list, nil
}

func (h *Handler) getMapper(c *Call, o clients.Owner) (any, error) {
	m, err := o.Mapper(c.Path("mapper"))
	if err != nil {
		return nil, err
	}
	return clients.Effective(*m), nil
}

// knownMapper refuses mappers of providers that are not there. Those of SAML
// are, though nothing runs them yet.
func (h *Handler) knownMapper(m *rep.ProtocolMapper) error {
	if claims.Known(m.ProtocolMapper) || strings.HasPrefix(m.ProtocolMapper, "saml-") {
		return nil
	}
	return Plain(http.StatusNotFound, "ProtocolMapper provider not found")
}

func (h *Handler) addMapper(c *Call, o clients.Owner) (any, error) {
	given, err := Body[rep.ProtocolMapper](c)
	if err != nil {
		return nil, err
	}
	if err := h.knownMapper(given); err != nil {
		return nil, err
	}
	if err := c.mayPost("", []rep.ProtocolMapper{*given}, o.Mappers()); err != nil {
		return nil, err
	}
	if given.Name == "" { // which Keycloak's database refuses
		return nil, refusal(clients.ErrDuplicate)
	}
	configured(given)
	added := []rep.ProtocolMapper{*given}
	if err := h.Clients.AddMappers(c, c.Realm, o, added); err != nil {
		return nil, err
	}
	c.Created(added[0].ID)
	return nil, nil
}

func (h *Handler) addMappers(c *Call, o clients.Owner) (any, error) {
	given, err := Body[[]rep.ProtocolMapper](c)
	if err != nil {
		return nil, err
	}
	for i := range *given {
		if err := h.knownMapper(&(*given)[i]); err != nil {
			return nil, err
		}
		configured(&(*given)[i])
	}
	if err := c.mayPost("", *given, nil); err != nil {
		return nil, err
	}
	err = h.Clients.AddMappers(c, c.Realm, o, slices.Clone(*given))
	if errors.Is(err, clients.ErrMapperExists) {
		return nil, &Error{Status: http.StatusConflict, Body: plainBody{"conflict", "Protocol mapper name must be unique per protocol"}}
	}
	return nil, err
}

// configured gives mappers the configuration that a new ProtocolMapperRepresentation
// of the reference has, which its admin events show.
func configured(list ...*rep.ProtocolMapper) {
	for _, m := range list {
		if m.Config == nil {
			m.Config = map[string]string{}
		}
	}
}

func (h *Handler) updateMapper(c *Call, o clients.Owner) (any, error) {
	id := c.Path("mapper")
	if _, err := o.Mapper(id); err != nil {
		return nil, err
	}
	given, err := Body[rep.ProtocolMapper](c)
	if err != nil {
		return nil, err
	}
	if err := h.knownMapper(given); err != nil {
		return nil, err
	}
	if err := c.mayPost("", []rep.ProtocolMapper{*given}, o.Mappers()); err != nil {
		return nil, err
	}
	configured(given)
	return nil, h.Clients.UpdateMapper(c, c.Realm, o, id, *given)
}

func (h *Handler) deleteMapper(c *Call, o clients.Owner) (any, error) {
	return nil, h.Clients.DeleteMapper(c, c.Realm, o, c.Path("mapper"))
}

// scopeMappingRoutes are the roles in the scope of a client or client scope.
// Keycloak: ScopeMappedResource, ScopeMappedClientResource.
func scopeMappingRoutes(at string, view, manage Perm, owner ownerOf, h *Handler) []Route {
	at += "/scope-mappings"
	type serve func(*Call, clients.Owner, iam.ClientID) (any, error)
	with := func(f serve) func(*Call) (any, error) {
		return func(c *Call) (any, error) {
			o, err := owner(c)
			if err != nil {
				return nil, err
			}
			var of iam.ClientID
			if id := c.Path("container"); id != "" {
				cl, err := clients.Get(c, c.Realm, id)
				if err != nil {
					return nil, err
				}
				of = cl.ID
			}
			return f(c, o, of)
		}
	}
	routes := []Route{{"GET " + at, view, None, "", with(allScopeRoles), ByMethod}}
	for _, kind := range []struct{ path, event string }{{"/realm", "REALM_SCOPE_MAPPING"}, {"/clients/{container}", "CLIENT_SCOPE_MAPPING"}} {
		in := at + kind.path
		routes = append(routes,
			Route{"GET " + in, view, None, "", with(directScopeRoles), ByMethod},
			Route{"POST " + in, manage, Create, kind.event, with(h.addScopeRoles), ByMethod},
			Route{"DELETE " + in, manage, Delete, kind.event, with(h.removeScopeRoles), ByMethod},
			Route{"GET " + in + "/available", view, None, "", with(availableScopeRoles), ByMethod},
			Route{"GET " + in + "/composite", view, None, "", with(effectiveScopeRoles), ByMethod},
		)
	}
	return routes
}

// mappedRole is a role as scope mappings list it, brief unless asked otherwise.
func mappedRole(r *realms.Realm, role *realms.Role, brief bool) rep.Role {
	v := rep.Role{
		ID: string(role.ID), Name: role.Name, Description: role.Rep.Description, Composite: len(role.Composites) > 0,
		ClientRole: new(role.Client != ""), ContainerID: string(role.Client),
	}
	if role.Client == "" {
		v.ContainerID = string(r.ID)
	}
	if !brief {
		v.Attributes = role.Attrs
		if v.Attributes == nil {
			v.Attributes = map[string][]string{}
		}
	}
	return v
}

func byName(list []rep.Role) []rep.Role {
	slices.SortFunc(list, func(a, b rep.Role) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func allScopeRoles(c *Call, o clients.Owner, _ iam.ClientID) (any, error) {
	v := new(rep.Mappings)
	for _, role := range o.ScopeRoles(c.Realm) {
		if role.Client == "" {
			v.RealmMappings = append(v.RealmMappings, mappedRole(c.Realm, role, true))
			continue
		}
		name, err := c.Realm.ClientName(c, role.Client)
		if err != nil {
			return nil, err
		}
		if v.ClientMappings == nil {
			v.ClientMappings = map[string]rep.ClientMappings{}
		}
		m := v.ClientMappings[name]
		m.ID, m.Client, m.Mappings = string(role.Client), name, append(m.Mappings, mappedRole(c.Realm, role, true))
		v.ClientMappings[name] = m
	}
	return v, nil
}

func directScopeRoles(c *Call, o clients.Owner, of iam.ClientID) (any, error) {
	list := []rep.Role{}
	for _, role := range o.ScopeRoles(c.Realm) {
		if role.Client == of {
			list = append(list, mappedRole(c.Realm, role, true))
		}
	}
	return byName(list), nil
}

// availableScopeRoles: a client's own roles are in its scope already.
// Keycloak: ClientAdapter.hasDirectScope.
func availableScopeRoles(c *Call, o clients.Owner, of iam.ClientID) (any, error) {
	direct := c.Realm.ScopeRoles(o.ID())
	list := []rep.Role{}
	if o.Client != nil && o.Client.ID == of {
		return list, nil
	}
	for _, role := range c.Realm.RolesOf(of) {
		if !slices.Contains(direct, role.ID) && c.mayScope(role.ID) {
			list = append(list, mappedRole(c.Realm, role, true))
		}
	}
	return byName(list), nil
}

// mayScope reports whether the caller may put roles of the realm or of
// clients into scopes. Keycloak: RolePermissions.canMapClientScope.
func (c *Call) mayScope(ids ...iam.RoleID) bool {
	for _, id := range ids {
		perm, role := ManageClients, c.Realm.Role(id)
		if role.Client == "" {
			perm = ManageRealm
		}
		if !c.Can(perm, onRole(role)) {
			return false
		}
	}
	return true
}

func effectiveScopeRoles(c *Call, o clients.Owner, of iam.ClientID) (any, error) {
	list := []rep.Role{}
	for _, role := range c.Realm.RolesOf(of) {
		if o.HasScope(c.Realm, role) {
			list = append(list, mappedRole(c.Realm, role, c.Bool("briefRepresentation", true)))
		}
	}
	return byName(list), nil
}

func (h *Handler) addScopeRoles(c *Call, o clients.Owner, of iam.ClientID) (any, error) {
	given, err := Body[[]rep.Role](c)
	if err != nil {
		return nil, err
	}
	ids, err := clients.FindRoles(c.Realm, of, *given)
	if err != nil {
		return nil, err
	}
	if !c.mayScope(ids...) {
		return nil, errForbidden
	}
	if err := c.mayGive(ids...); err != nil {
		return nil, err
	}
	return nil, h.Clients.AddScopeRoles(c, c.Realm, o, ids)
}

// removeScopeRoles removes the roles named in the body or, without one, all.
func (h *Handler) removeScopeRoles(c *Call, o clients.Owner, of iam.ClientID) (any, error) {
	given := []rep.Role{}
	if c.R.ContentLength != 0 {
		body, err := Body[[]rep.Role](c)
		if err != nil {
			return nil, err
		}
		given = *body
	} else {
		for _, role := range o.ScopeRoles(c.Realm) {
			if role.Client == of {
				given = append(given, mappedRole(c.Realm, role, true))
			}
		}
		c.Represent(given)
	}
	ids, err := clients.FindRoles(c.Realm, of, given)
	if err != nil {
		return nil, err
	}
	if !c.mayScope(ids...) {
		return nil, errForbidden
	}
	return nil, h.Clients.RemoveScopeRoles(c, c.Realm, o, ids)
}
