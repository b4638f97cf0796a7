package admin

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/clients"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/users"
)

// uiRoleRoutes are the lists of roles of the admin console's dialogs, and its "Unassign".
// Keycloak: AvailableRoleMappingResource, EffectiveRoleMappingResource, AllEffectiveRoleMappingResource,
// RoleCompositeResource, RoleMappingDeleteResource.
func (h *Handler) uiRoleRoutes() []Route {
	list := []Route{{"GET " + uiExtPath + "/role-mappings/roles/{id}", Checked, None, "", compositesByContainer, Silent}}
	for _, k := range holderKinds {
		list = append(list, Route{"GET " + uiExtPath + "/available-roles/" + k.name + "/{id}", Checked, None, "",
			h.withHolder(k, availableRoles), Silent})
		if k.name != "users" {
			k.ask = "" // these tell everybody what is not there
		}
		list = append(list,
			Route{"GET " + uiExtPath + "/effective-roles/" + k.name + "/{id}", Checked, None, "", h.withHolder(k, effectiveClientRoles), Silent},
			Route{"GET " + uiExtPath + "/effective-roles-all/" + k.name + "/{id}", Checked, None, "", h.withHolder(k, effectiveRoles), Silent},
			Route{"POST " + uiExtPath + "/role-mapping-delete/" + k.name + "/{id}", Checked, Delete, k.event, h.withHolder(k, unassign), ByMethod})
	}
	return list
}

// A holderKind is a kind of what has roles, or has them in its scope.
type holderKind struct {
	name, path string // in URLs; the name that other routes have for the id
	event      string // resource type of the event when roles are taken away
	view, give Perm   // what looking at its roles asks for, and what listing those that it lacks does
	ask        Perm   // who has it is told that there is no such thing; "" is everybody
	manage     Perm   // with what demand asks of the one thing
	find       func(*Handler, *Call) (*holder, error)
}

// A holder is one of them.
type holder struct {
	kind   holderKind
	direct []iam.RoleID // assigned, or in its scope
	given  []iam.RoleID // those and its groups', without composites
	own    iam.ClientID // whose roles it has anyway
	remove func(ids []iam.RoleID) error
}

var holderKinds = []holderKind{
	{"users", "user", "REALM_ROLE_MAPPING", ViewUsers, ManageUsers, QueryUsers, ManageUser, (*Handler).userHolder},
	{"groups", "group", "REALM_ROLE_MAPPING", ViewGroups, ManageUsers, QueryGroups, ManageGroup, (*Handler).groupHolder},
	{"clients", "client", "CLIENT_SCOPE_MAPPING", ViewClients, ManageClients, QueryClients, ManageClient, (*Handler).clientHolder},
	{"clientScopes", "scope", "CLIENT_SCOPE_MAPPING", ViewScopes, ManageClients, QueryClients, ManageScopes, (*Handler).scopeHolder},
	{"roles", "roleid", "REALM_ROLE", ListRealmRoles, ManageUsers, "", Checked, (*Handler).roleHolder},
}

func errNoGroupHere() error { return Plain(http.StatusNotFound, "Could not find group") }

func errNoRoleHere() error { return Plain(http.StatusNotFound, "Could not find role") }

// withHolder makes a handler of one that needs what the path names.
func (h *Handler) withHolder(k holderKind, f func(*Handler, *Call, *holder) (any, error)) func(*Call) (any, error) {
	return func(c *Call) (any, error) {
		c.R.SetPathValue(k.path, c.Path("id"))
		o, err := k.find(h, c)
		if err != nil {
			if k.ask != "" && !c.Can(k.ask, onAll) && refusesMissing(err) {
				return nil, errForbidden
			}
			return nil, err
		}
		o.kind = k
		return f(h, c, o)
	}
}

// refusesMissing reports whether an error says that there is no such thing.
func refusesMissing(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	if ok {
		return refused.Status == http.StatusNotFound
	}
	missing, ok := errors.AsType[*iam.Error](err)
	return ok && missing.Kind == iam.NotFound
}

func (h *Handler) userHolder(c *Call) (*holder, error) {
	s, err := h.userSubject(c)
	if err != nil {
		return nil, err
	}
	groups, err := h.Users.GroupsOf(c, c.Realm, iam.UserID(c.Path("user")))
	if err != nil {
		return nil, err
	}
	given := slices.Clone(s.direct)
	for _, g := range groups {
		given = append(given, rolesUp(g)...)
	}
	return &holder{direct: s.direct, given: given, remove: func(ids []iam.RoleID) error { return s.change(ids, false) }}, nil
}

func (h *Handler) groupHolder(c *Call) (*holder, error) {
	s, err := h.groupSubject(c)
	if errors.Is(err, users.ErrNoGroup) {
		return nil, errNoGroupHere()
	}
	if err != nil {
		return nil, err
	}
	g, err := h.Users.Group(c, c.Realm, iam.GroupID(c.Path("group")))
	if err != nil {
		return nil, err
	}
	return &holder{direct: s.direct, given: rolesUp(g), remove: func(ids []iam.RoleID) error { return s.change(ids, false) }}, nil
}

// rolesUp are the roles of a group and of those above it.
func rolesUp(g *users.Group) (ids []iam.RoleID) {
	for ; g != nil; g = g.Up {
		ids = append(ids, g.Roles...)
	}
	return ids
}

func (h *Handler) clientHolder(c *Call) (*holder, error) {
	o, err := clientOwner(c)
	if err != nil {
		return nil, err
	}
	x := h.inScope(c, o)
	x.own = o.Client.ID
	return x, nil
}

func (h *Handler) scopeHolder(c *Call) (*holder, error) {
	o, err := scopeOwner(c)
	if err != nil {
		return nil, err
	}
	return h.inScope(c, o), nil
}

func (h *Handler) inScope(c *Call, o clients.Owner) *holder {
	direct := c.Realm.ScopeRoles(o.ID())
	return &holder{direct: direct, given: direct, remove: func(ids []iam.RoleID) error {
		return h.Clients.RemoveScopeRoles(c,
			c.Realm, o, ids)
	}}
}

// roleHolder is a role with its composites. One that is not there has none: what it lacks can be listed.
func (h *Handler) roleHolder(c *Call) (*holder, error) {
	id := iam.RoleID(c.Path("roleid"))
	return &holder{direct: []iam.RoleID{id}, given: []iam.RoleID{id}, remove: func(ids []iam.RoleID) error {
		return h.Manager.Compose(c,
			c.Realm, id, ids, false)
	}}, nil
}

// A listedRole is a client's role as the dialogs list it.
type listedRole struct {
	ID          string  `json:"id"`
	Role        string  `json:"role"`
	Client      string  `json:"client"`
	ClientID    string  `json:"clientId"`
	Description *string `json:"description,omitempty"`
}

// An effectiveRole is a role of the realm or of a client as the lists of all effective roles show it.
type effectiveRole struct {
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	Description *string `json:"description,omitempty"`
	ClientRole  bool    `json:"clientRole"`
	Client      string  `json:"client,omitempty"`
	ClientID    string  `json:"clientId,omitempty"`
}

// namedListedRoles names roles of clients, by client and name.
func namedListedRoles(c *Call, list []*realms.Role) ([]listedRole, error) {
	all, err := namedEffectiveRoles(c, list)
	if err != nil {
		return nil, err
	}
	out := make([]listedRole, len(all))
	for i, r := range all {
		out[i] = listedRole{r.ID, r.Name, r.Client, r.ClientID, r.Description}
	}
	return out, nil
}

// namedEffectiveRoles names roles, those of the realm first, then by client and name.
func namedEffectiveRoles(c *Call, list []*realms.Role) ([]effectiveRole, error) {
	out := make([]effectiveRole, 0, len(list))
	for _, role := range list {
		v := effectiveRole{ID: string(role.ID), Name: role.Name, Description: role.Rep.Description, ClientRole: role.Client != "",
			ClientID: string(role.Client)}
		if v.ClientRole {
			var err error
			if v.Client, err = c.Realm.ClientName(c, role.Client); err != nil {
				return nil, err
			}
		}
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b effectiveRole) int {
		return cmp.Or(strings.Compare(a.Client, b.Client), strings.Compare(a.Name, b.Name))
	})
	return out, nil
}

// availableRoles is a page of the clients' roles that a holder lacks, for who may give roles.
func availableRoles(_ *Handler, c *Call, o *holder) (any, error) {
	first, max, err := c.Page(10)
	if err != nil {
		return nil, err
	}
	if !c.Can(o.kind.give, c.named(o.kind.path)) {
		return []listedRole{}, nil
	}
	var lacking []*realms.Role
	for role := range c.Realm.AllRoles {
		if role.Client != "" && role.Client != o.own && !slices.Contains(o.direct, role.ID) {
			lacking = append(lacking, role)
		}
	}
	list, err := namedListedRoles(c, lacking)
	if err != nil {
		return nil, err
	}
	search := strings.TrimSpace(c.Query("search"))
	list = slices.DeleteFunc(list, func(r listedRole) bool { return !containsFold(r.Client, search) && !containsFold(r.Role, search) })
	return page(list, first, max), nil
}

// seenBelow are roles and their composites as far as the caller may look at them: what only a role gives
// that they do not see is not shown.
func (c *Call) seenBelow(ids []iam.RoleID) (list []*realms.Role) {
	seen := map[iam.RoleID]bool{}
	for len(ids) > 0 {
		role := c.Realm.Role(ids[0])
		ids = ids[1:]
		if role == nil || seen[role.ID] || !c.sees(role) {
			continue
		}
		seen[role.ID] = true
		list = append(list, role)
		ids = append(slices.Clone(ids), role.Composites...)
	}
	return list
}

// effectiveClientRoles are the effective roles of clients. Of a role the reference
// lists those of the default role, whichever it is. Keycloak: EffectiveRoleMappingResource.
func effectiveClientRoles(_ *Handler, c *Call, o *holder) (any, error) {
	if !c.Can(o.kind.view, c.named(o.kind.path)) {
		return nil, errForbidden
	}
	given := o.given
	if o.kind.name == "roles" {
		given = []iam.RoleID{c.Realm.DefaultRole}
	}
	list := slices.DeleteFunc(c.seenBelow(given), func(r *realms.Role) bool { return r.Client == "" })
	return namedListedRoles(c, list)
}

// effectiveRoles are all effective roles.
func effectiveRoles(_ *Handler, c *Call, o *holder) (any, error) {
	if o.kind.name == "roles" {
		if _, err := seenRole(c, o.direct[0]); err != nil {
			return nil, err
		}
	} else if !c.Can(o.kind.view, c.named(o.kind.path)) {
		return nil, errForbidden
	}
	return namedEffectiveRoles(c, c.seenBelow(o.given))
}

// seenRole is a role that the caller may look at.
func seenRole(c *Call, id iam.RoleID) (*realms.Role, error) {
	role := c.Realm.Role(id)
	if role == nil {
		return nil, errNoRoleHere()
	}
	if !c.sees(role) {
		return nil, errForbidden
	}
	return role, nil
}

// compositesByContainer are a role's composites with the client_ids of those of clients.
// Keycloak: RoleCompositeResource.
func compositesByContainer(c *Call) (any, error) {
	role, err := seenRole(c, iam.RoleID(c.Path("id")))
	if err != nil {
		return nil, err
	}
	v := new(rep.Mappings)
	for _, part := range composites(c, role, func(*realms.Role) bool { return true }) {
		if !rep.Val(part.ClientRole) {
			v.RealmMappings = append(v.RealmMappings, part)
			continue
		}
		id := iam.ClientID(part.ContainerID)
		if part.ContainerID, err = c.Realm.ClientName(c, id); err != nil {
			return nil, err
		}
		if v.ClientMappings == nil {
			v.ClientMappings = map[string]rep.ClientMappings{}
		}
		m := v.ClientMappings[part.ContainerID]
		m.ID, m.Client, m.Mappings = string(id), part.ContainerID, append(m.Mappings, part)
		v.ClientMappings[part.ContainerID] = m
	}
	return v, nil
}

// An unassignedRole is one that is taken away: by its id alone.
type unassignedRole struct {
	RoleID   string `json:"roleId,omitzero"`
	RoleName string `json:"roleName,omitzero"`
	ClientID string `json:"clientId,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"RoleDeleteRequest"`
}

// unassign takes roles away from a holder. Those that are not there are passed over.
func unassign(h *Handler, c *Call, o *holder) (any, error) {
	list, err := Body[[]unassignedRole](c)
	if err != nil {
		return nil, err
	}
	c.Represent(nil)
	if err := h.mayUnassign(c, o); err != nil {
		return nil, err
	}
	var ids []iam.RoleID
	for _, v := range *list {
		role := c.Realm.Role(iam.RoleID(v.RoleID))
		if role == nil {
			continue
		}
		if !c.Can(ManageUsers, onRole(role)) { // Keycloak: RolePermissions.requireMapRole
			return nil, errForbidden
		}
		ids = append(ids, role.ID)
	}
	if err := c.mayGive(ids...); err != nil {
		return nil, err
	}
	return nil, o.remove(ids)
}

// mayUnassign asks for the rights that taking roles away by the admin REST asks for.
func (h *Handler) mayUnassign(c *Call, o *holder) error {
	if o.kind.name != "roles" {
		if !c.Can(o.kind.manage, c.named(o.kind.path)) {
			return errForbidden
		}
		return h.demand(c, o.kind.manage)
	}
	if c.Realm.Role(iam.RoleID(c.Path("roleid"))) == nil {
		return errNoRoleHere()
	}
	_, err := h.roleByID(c, true)
	return err
}
