package admin

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/roles"
	"latchkey/internal/users"
)

// roleRoutes are roles of the realm, of clients, and by id.
// Keycloak: RoleContainerResource, RoleByIdResource.
func (h *Handler) roleRoutes() []Route {
	return slices.Concat(
		h.rolesAt("/admin/realms/{realm}/roles", "REALM_ROLE", ListRealmRoles, ViewRealm, ManageRealm),
		h.rolesAt("/admin/realms/{realm}/clients/{client}/roles", "CLIENT_ROLE", ViewClients, ViewClients, ManageClient),
		h.roleAt("/admin/realms/{realm}/roles-by-id/{roleid}", "REALM_ROLE", Checked, Checked, h.roleByID),
		[]Route{
			{"GET /admin/realms/{realm}/roles-by-id/{roleid}/management/permissions", ViewRealm, None, "", featureOff, ByMethod},
			{"PUT /admin/realms/{realm}/roles-by-id/{roleid}/management/permissions", ManageRealm, None, "", featureOff, ByMethod},
		})
}

func (h *Handler) rolesAt(at, kind string, list, view, manage Perm) []Route {
	one := at + "/{role}"
	return slices.Concat([]Route{
		{"GET " + at, list, None, "", h.listRoles, ByMethod},
		{"POST " + at, manage, Create, kind, h.createRole, ByMethod},
		{"GET " + one + "/users", view, None, "", h.roleUsers, ByMethod},
		{"GET " + one + "/groups", view, None, "", h.roleGroups, ByMethod},
		{"GET " + one + "/management/permissions", view, None, "", rolePermissions, ByMethod},
		{"PUT " + one + "/management/permissions", view, None, "", rolePermissions, ByMethod},
	}, h.roleAt(one, kind, view, manage, roleByName))
}

// roleAt are the routes of one role, however it is named.
func (h *Handler) roleAt(at, kind string, view, manage Perm, find func(c *Call, change bool) (*realms.Role, error)) []Route {
	with := func(change bool, f func(*Call, *realms.Role) (any, error)) func(*Call) (any, error) {
		return func(c *Call) (any, error) {
			role, err := find(c, change)
			if err != nil {
				return nil, err
			}
			return f(c, role)
		}
	}
	return []Route{
		{"GET " + at, view, None, "", with(false, getRole), ByMethod},
		{"PUT " + at, manage, Update, kind, with(true, h.updateRole), ByMethod},
		{"DELETE " + at, manage, Delete, kind, with(true, h.deleteRole), NoCache},
		{"GET " + at + "/composites", view, None, "", with(false, listComposites), ByMethod},
		{"POST " + at + "/composites", manage, Create, kind, with(true, h.compose(true)), ByMethod},
		{"DELETE " + at + "/composites", manage, Delete, kind, with(true, h.compose(false)), ByMethod},
		{"GET " + at + "/composites/realm", view, None, "", with(false, realmComposites), ByMethod},
		{"GET " + at + "/composites/clients/{container}", view, None, "", with(false, clientComposites), ByMethod},
	}
}

// rolePermissions is off whether there is that role or not.
func rolePermissions(c *Call) (any, error) {
	if _, err := container(c); err != nil {
		return nil, err
	}
	return featureOff(c)
}

// container is the client whose roles the path is about, "" for the realm.
func container(c *Call) (iam.ClientID, error) {
	if c.Path("client") == "" {
		return "", nil
	}
	cl, err := clientOf(c)
	if err != nil {
		return "", err
	}
	return cl.ID, nil
}

func roleByName(c *Call, change bool) (*realms.Role, error) {
	of, err := container(c)
	if err != nil {
		return nil, err
	}
	role := c.Realm.RoleByName(of, c.Path("role"))
	if role == nil {
		return nil, Plain(http.StatusNotFound, "Could not find role")
	}
	if change {
		return role, c.overRole(role)
	}
	return role, nil
}

// overRole refuses to change roles that rights are found by, and others to
// callers who lack rights that they give.
// Keycloak: RolePermissions.canManage, for the former.
func (c *Call) overRole(role *realms.Role) error {
	if roles.Administrative(c, c.Realm, role) {
		return errForbidden
	}
	return c.mayGive(role.ID)
}

// roleByID finds a role and asks for the right that its container demands.
func (h *Handler) roleByID(c *Call, change bool) (*realms.Role, error) {
	role, over := c.Realm.Role(iam.RoleID(c.Path("roleid"))), c.named("roleid")
	perm := ViewRealm
	switch {
	case role == nil || role.Client == "":
		if change {
			perm = ManageRealm
		}
	case change:
		perm = ManageClients
	default:
		perm = ViewClients
	}
	if !c.Can(perm, over) && !(role == nil && (c.Can(AnyAdmin, onAll) || c.Can(Impersonate, onAll))) {
		return nil, errForbidden
	}
	if role == nil {
		return nil, Plain(http.StatusNotFound, "Could not find role with id")
	}
	if change {
		return role, c.overRole(role)
	}
	return role, nil
}

func (h *Handler) listRoles(c *Call) (any, error) {
	of, err := container(c)
	if err != nil {
		return nil, err
	}
	first, max, err := c.Page(-1)
	if err != nil {
		return nil, err
	}
	search := strings.TrimSpace(c.Query("search"))
	if search == "" && (c.Query("first") == "" || c.Query("max") == "") {
		first, max = 0, -1 // a page needs both
	}
	list := rolesIn(c, of, c.Bool("briefRepresentation", true), func(r *realms.Role) bool {
		return containsFold(r.Name, search) || containsFold(r.Description, search)
	})
	return page(list, first, max), nil
}

func (h *Handler) createRole(c *Call) (any, error) {
	of, err := container(c)
	if err != nil {
		return nil, err
	}
	v, err := Body[rep.Role](c)
	if err != nil {
		return nil, err
	}
	if v.Name == "" {
		return nil, Plain(http.StatusBadRequest, "role has no name")
	}
	v.ID = "" // whoever makes a role does not choose it
	if v.Composites != nil && v.Composite {
		parts, err := roles.Named(c, c.Realm, v.Composites.Realm, v.Composites.Client)
		if err != nil {
			return nil, err
		}
		if err := c.mayGive(parts...); err != nil {
			return nil, err
		}
	}
	err = h.Manager.CreateRole(c, c.Realm, of, v)
	if missing, ok := errors.AsType[*iam.Error](err); ok && missing.Kind == iam.NotFound {
		return nil, Message(http.StatusNotFound, missing.Msg) // Keycloak: RoleContainerResource.createRole
	}
	if err != nil {
		return nil, err
	}
	c.Created(v.Name)
	return nil, nil
}

func getRole(c *Call, role *realms.Role) (any, error) { return mappedRole(c.Realm, role, false), nil }

func (h *Handler) updateRole(c *Call, role *realms.Role) (any, error) {
	v, err := Body[rep.Role](c)
	if err != nil {
		return nil, err
	}
	if v.Name == "" {
		return nil, Plain(http.StatusBadRequest, "role has no name")
	}
	aboutRole(c, role)
	err = h.Manager.UpdateRole(c, c.Realm, role, v)
	if refused, ok := errors.AsType[*iam.Error](err); ok && refused.Kind == iam.Conflict {
		return nil, &Error{Status: http.StatusConflict, Body: plainBody{"conflict", "Duplicate resource error"}, Err: err}
	}
	return nil, err
}

// aboutRole gives events of roles-by-id the kind of role they are about.
func aboutRole(c *Call, role *realms.Role) {
	if role.Client != "" {
		c.route.Kind = "CLIENT_ROLE"
	}
}

func (h *Handler) deleteRole(c *Call, role *realms.Role) (any, error) {
	aboutRole(c, role)
	if c.Path("roleid") == "" {
		c.Represent(&rep.Role{ID: string(role.ID), Name: role.Name})
	}
	return nil, h.Manager.DeleteRole(c, c.Realm, role)
}

func composites(c *Call, role *realms.Role, ok func(*realms.Role) bool) []rep.Role {
	list := []rep.Role{}
	for _, id := range role.Composites {
		if part := c.Realm.Role(id); part != nil && c.sees(part) && ok(part) {
			list = append(list, mappedRole(c.Realm, part, true))
		}
	}
	return byName(list)
}

// sees reports whether the caller may look at a role: at the realm's by another
// right than at those of clients. Keycloak: RolePermissions.canView.
func (c *Call) sees(role *realms.Role) bool {
	if role.Client == "" {
		return c.Can(ViewRealm, onRole(role))
	}
	return c.Can(ViewClients, onRole(role))
}

// listComposites searches and pages by id alone. Keycloak: RoleByIdResource.getRoleComposites.
func listComposites(c *Call, role *realms.Role) (any, error) {
	if c.Path("roleid") == "" {
		return composites(c, role, func(*realms.Role) bool { return true }), nil
	}
	first, max, err := c.Page(-1)
	if err != nil {
		return nil, err
	}
	search := strings.TrimSpace(c.Query("search"))
	return page(composites(c, role, func(r *realms.Role) bool { return containsFold(r.Name, search) }), first, max), nil
}

func realmComposites(c *Call, role *realms.Role) (any, error) {
	return composites(c, role, func(r *realms.Role) bool { return r.Client == "" }), nil
}

func clientComposites(c *Call, role *realms.Role) (any, error) {
	id := iam.ClientID(c.Path("container"))
	if _, err := c.Realm.Client(c, id); realms.Missing(err) {
		return nil, Plain(http.StatusNotFound, "Could not find client")
	} else if err != nil {
		return nil, err
	}
	return composites(c, role, func(r *realms.Role) bool { return r.Client == id }), nil
}

// compose makes the posted roles part of one, or takes them out. They are named
// by id alone. Keycloak: RoleResource.addComposites.
func (h *Handler) compose(add bool) func(*Call, *realms.Role) (any, error) {
	return func(c *Call, role *realms.Role) (any, error) {
		list, err := Body[[]rep.Role](c)
		if err != nil {
			return nil, err
		}
		ids := make([]iam.RoleID, 0, len(*list))
		for _, v := range *list {
			part := c.Realm.Role(iam.RoleID(v.ID))
			if part == nil {
				return nil, Plain(http.StatusNotFound, "Could not find composite role")
			}
			if part.Client != "" && !c.Can(ManageClients, onRole(part)) {
				return nil, errForbidden
			}
			if err := c.mayGive(part.ID); err != nil {
				return nil, err
			}
			ids = append(ids, part.ID)
		}
		aboutRole(c, role)
		return nil, h.Manager.Compose(c, c.Realm, role.ID, ids, add)
	}
}

func (h *Handler) roleUsers(c *Call) (any, error) {
	role, err := roleByName(c, false)
	if err != nil {
		return nil, err
	}
	first, max, err := c.Page(-1)
	if err != nil {
		return nil, err
	}
	if !c.Can(ViewUsers, onAll) {
		return nil, errForbidden
	}
	list, err := h.Users.Search(c, c.Realm, &users.Filter{Role: role.ID, ServiceAccounts: true, First: first, Max: max})
	if err != nil {
		return nil, err
	}
	return h.viewUsers(c, list, c.Bool("briefRepresentation", false), map[string]bool{"manage": c.Can(ManageUsers, onAll)})
}

func (h *Handler) roleGroups(c *Call) (any, error) {
	role, err := roleByName(c, false)
	if err != nil {
		return nil, err
	}
	first, max, err := c.Page(-1)
	if err != nil {
		return nil, err
	}
	if !c.Can(QueryGroups, onAll) {
		return nil, errForbidden
	}
	found, err := h.Users.GroupsWith(c, c.Realm, role.ID)
	if err != nil {
		return nil, err
	}
	out := []*rep.Group{}
	for _, g := range page(found, first, max) {
		out = append(out, viewGroup(c.Realm, g, c.Bool("briefRepresentation", true)))
	}
	return out, nil
}
