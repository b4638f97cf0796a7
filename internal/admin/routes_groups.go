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

// groupRoutes: Keycloak's GroupsResource and GroupResource.
func (h *Handler) groupRoutes() []Route {
	const at = "/admin/realms/{realm}/groups"
	const one = at + "/{group}"
	return append([]Route{
		{"GET " + at, QueryGroups, None, "", h.listGroups, ByMethod},
		{"GET " + at + "/count", QueryGroups, None, "", h.countGroups, ByMethod},
		{"POST " + at, ManageUsers, Create, "GROUP", h.createGroup, ByMethod},
		{"GET " + one, ViewGroups, None, "", h.withGroup(h.getGroup), ByMethod},
		{"PUT " + one, ManageGroup, Update, "GROUP", h.withGroup(h.updateGroup), ByMethod},
		{"DELETE " + one, ManageGroup, Delete, "GROUP", h.withGroup(h.deleteGroup), ByMethod},
		{"GET " + one + "/children", ViewGroups, None, "", h.withGroup(h.listChildren), ByMethod},
		{"POST " + one + "/children", ManageGroup, Create, "GROUP", h.withGroup(h.addChild), NoCache},
		{"GET " + one + "/members", ViewUsers, None, "", h.withGroup(h.listMembers), ByMethod},
		{"GET /admin/realms/{realm}/group-by-path", ViewGroups, None, "", h.groupByPath, ByMethod},
		{"GET " + one + "/management/permissions", ViewGroups, None, "", h.withGroup(groupPermissions), ByMethod},
		{"PUT " + one + "/management/permissions", ManageGroup, None, "", h.withGroup(groupPermissions), ByMethod},
		{"GET /admin/realms/{realm}/group-by-path/{path...}", ViewGroups, None, "", h.groupByPath, ByMethod},
	}, roleMappingRoutes(one, ViewGroups, ManageGroup, h.groupSubject)...)
}

func groupPermissions(c *Call, _ *users.Group) (any, error) { return featureOff(c) }

// viewGroup renders a group without those below it. Keycloak:
// ModelToRepresentation.groupToBriefRepresentation and toRepresentation.
func viewGroup(r *realms.Realm, g *users.Group, brief bool) *rep.Group {
	v := &rep.Group{ID: string(g.ID), Name: g.Name, Path: g.Path(), ParentID: string(g.Parent), Description: g.Doc.Description,
		SubGroups: []rep.Group{}}
	if brief {
		return v
	}
	v.Attributes, v.RealmRoles, v.ClientRoles = g.Attrs, []string{}, map[string][]string{}
	if v.Attributes == nil {
		v.Attributes = map[string][]string{}
	}
	for _, id := range g.Roles {
		role := r.Role(id)
		switch {
		case role == nil:
		case role.Client == "":
			v.RealmRoles = append(v.RealmRoles, role.Name)
		default:
			if name := r.KnownClientName(role.Client); name != "" {
				v.ClientRoles[name] = append(v.ClientRoles[name], role.Name)
			}
		}
	}
	slices.Sort(v.RealmRoles)
	return v
}

// listedGroup is a group in lists of groups: with what the caller may do and
// how many groups are below it.
func listedGroup(c *Call, g *users.Group, brief bool) *rep.Group {
	v := viewGroup(c.Realm, g, brief)
	if c.Bool("subGroupsCount", true) {
		v.SubGroupCount = new(int64(g.Count))
	}
	view, manage := c.Can(ViewGroups, onGroup(g.ID)), c.Can(ManageUsers, onGroup(g.ID))
	v.Access = map[string]bool{"view": view, "viewMembers": view, "manage": manage, "manageMembers": manage, "manageMembership": manage}
	return v
}

func (h *Handler) withGroup(f func(c *Call, g *users.Group) (any, error)) func(*Call) (any, error) {
	return func(c *Call) (any, error) {
		g, err := h.Users.Group(c, c.Realm, iam.GroupID(c.Path("group")))
		if err != nil {
			return nil, err
		}
		return f(c, g)
	}
}

// listGroups lists the groups at the top, or those that a search finds, within
// their parents unless populateHierarchy is false.
func (h *Handler) listGroups(c *Call) (any, error) {
	first, max, err := c.Page(-1)
	if err != nil {
		return nil, err
	}
	tree, err := h.Users.Groups(c, c.Realm)
	if err != nil {
		return nil, err
	}
	if !c.Can(ViewGroups, onAll) {
		return []any{}, nil
	}
	brief := c.Bool("briefRepresentation", true)
	out := []*rep.Group{}
	found := page(tree.Top, first, max)
	searches := c.Query("search") != "" || c.Query("q") != ""
	if searches {
		found = page(tree.Find(groupFilter(c, c.Query("q"))), first, max)
	}
	if searches && c.Bool("populateHierarchy", true) {
		return withParents(c, tree.Top, found, brief), nil
	}
	for _, g := range found {
		out = append(out, listedGroup(c, g, brief))
	}
	return out, nil
}

// groupFilter is what the query looks for: groups of a name, or those that have
// the attributes that q names, which are searched for alone.
// Keycloak: GroupsResource.getGroups.
func groupFilter(c *Call, q string) func(*users.Group) bool {
	search, exact := strings.TrimSpace(c.Query("search")), c.Bool("exact", false)
	attrs := attributeQuery(q)
	if q != "" {
		search = ""
	}
	parts := strings.Split(strings.ToLower(search), "*") // a * stands for anything
	return func(g *users.Group) bool {
		for _, a := range attrs {
			if !slices.Contains(g.Attrs[a[0]], a[1]) {
				return false
			}
		}
		if exact {
			return search == "" || g.Name == search
		}
		return inOrder(g.Name, parts)
	}
}

// inOrder reports whether the parts, in lower case, follow each other in a name.
func inOrder(name string, parts []string) bool {
	rest, ok := strings.ToLower(name), true
	for _, part := range parts {
		if _, rest, ok = strings.Cut(rest, part); !ok {
			return false
		}
	}
	return true
}

// childFilter is what the query looks for among the groups below one: unlike
// elsewhere it is how the name begins, and an exact search for nothing finds
// nothing. Keycloak: GroupAdapter.getSubGroupsStream.
func childFilter(c *Call) func(*users.Group) bool {
	search := c.Query("search")
	if c.Bool("exact", false) {
		return func(g *users.Group) bool { return g.Name == search }
	}
	parts := strings.Split(strings.ToLower(search), "*")
	return func(g *users.Group) bool {
		return strings.HasPrefix(strings.ToLower(g.Name), parts[0]) && inOrder(g.Name, parts)
	}
}

// withParents renders found groups inside the groups above them.
// Keycloak: GroupUtils.populateGroupHierarchyFromSubGroups.
func withParents(c *Call, list, found []*users.Group, brief bool) []*rep.Group {
	out := []*rep.Group{}
	for _, g := range list {
		below := withParents(c, g.Below, found, brief)
		if len(below) == 0 && !slices.Contains(found, g) {
			continue
		}
		v := listedGroup(c, g, brief)
		for _, b := range below {
			v.SubGroups = append(v.SubGroups, *b)
		}
		out = append(out, v)
	}
	return out
}

func (h *Handler) countGroups(c *Call) (any, error) {
	tree, err := h.Users.Groups(c, c.Realm)
	if err != nil {
		return nil, err
	}
	n := tree.Count()
	switch {
	case c.Query("search") != "":
		n = len(tree.Find(groupFilter(c, "")))
	case c.Bool("top", false):
		n = len(tree.Top)
	}
	return map[string]int{"count": n}, nil
}

func errNoGroupName() error { return Message(http.StatusBadRequest, "Group name is missing") }

// createGroup makes a group at the top, or moves one there that is elsewhere.
func (h *Handler) createGroup(c *Call) (any, error) {
	v, err := Body[rep.Group](c)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(v.Name) == "" {
		return nil, errNoGroupName()
	}
	if moved, err := h.moveGroup(c, v, ""); moved || err != nil {
		return nil, err
	}
	if err := h.Users.CreateGroup(c, c.Realm, "", v); err != nil {
		return nil, err
	}
	shownGroup(v)
	c.Created(v.ID)
	return nil, nil
}

// shownGroup is a posted group as the event shows it.
func shownGroup(v *rep.Group) {
	if v.SubGroups == nil {
		v.SubGroups = []rep.Group{}
	}
}

// moveGroup puts a group that is posted with its id below parent. It reports
// whether the post was about such a one.
func (h *Handler) moveGroup(c *Call, v *rep.Group, parent iam.GroupID) (bool, error) {
	if v.ID == "" {
		return false, nil
	}
	g, err := h.Users.Group(c, c.Realm, iam.GroupID(v.ID))
	if errors.Is(err, users.ErrNoGroup) {
		return false, Plain(http.StatusNotFound, "Could not find child by id")
	}
	if err != nil {
		return false, err
	}
	if err := h.overGroup(c, g); err != nil {
		return false, err
	}
	if err := h.Users.MoveGroup(c, c.Realm, iam.GroupID(v.ID), parent, v.Name); err != nil {
		return false, err
	}
	shownGroup(v)
	c.Event(Update, "GROUP", c.resource(), v)
	return true, nil
}

func (h *Handler) getGroup(c *Call, g *users.Group) (any, error) {
	return listedGroup(c, g, false), nil
}

func (h *Handler) updateGroup(c *Call, g *users.Group) (any, error) {
	v, err := Body[rep.Group](c)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(v.Name) == "" {
		return nil, errNoGroupName()
	}
	if v.ID != "" && v.ID != string(g.ID) {
		return nil, Message(http.StatusBadRequest, "Invalid group id")
	}
	shownGroup(v)
	return nil, h.Users.UpdateGroup(c, c.Realm, g.ID, v)
}

func (h *Handler) deleteGroup(c *Call, g *users.Group) (any, error) {
	c.Represent(&rep.Group{ID: string(g.ID), Name: g.Name, SubGroups: []rep.Group{}})
	return nil, h.Users.DeleteGroup(c, c.Realm, g.ID)
}

func (h *Handler) listChildren(c *Call, g *users.Group) (any, error) {
	first, max, err := c.Page(10)
	if err != nil {
		return nil, err
	}
	tree, err := h.Users.Groups(c, c.Realm)
	if err != nil {
		return nil, err
	}
	if g, err = tree.Get(g.ID); err != nil {
		return nil, err
	}
	ok := childFilter(c)
	list := slices.DeleteFunc(slices.Clone(g.Below), func(g *users.Group) bool { return !ok(g) })
	out := []*rep.Group{}
	for _, child := range page(list, first, max) {
		out = append(out, listedGroup(c, child, c.Bool("briefRepresentation", false)))
	}
	return out, nil
}

func (h *Handler) addChild(c *Call, g *users.Group) (any, error) {
	v, err := Body[rep.Group](c)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(v.Name) == "" {
		return nil, errNoGroupName()
	}
	if moved, err := h.moveGroup(c, v, g.ID); moved || err != nil {
		c.W.Header().Set("Content-Type", "application/json") // of no content, as the reference
		return nil, err
	}
	if err := h.Users.CreateGroup(c, c.Realm, g.ID, v); err != nil {
		return nil, err
	}
	made, err := h.Users.Group(c, c.Realm, iam.GroupID(v.ID))
	if err != nil {
		return nil, err
	}
	shownGroup(v)
	c.CreatedAt("groups", v.ID)
	out := listedGroup(c, made, false)
	out.SubGroupCount = nil
	return out, nil
}

func (h *Handler) listMembers(c *Call, g *users.Group) (any, error) {
	first, max, err := c.Page(defaultPage)
	if err != nil {
		return nil, err
	}
	list, err := h.Users.Search(c, c.Realm, &users.Filter{Group: g.ID, ServiceAccounts: true, First: first, Max: max})
	if err != nil {
		return nil, err
	}
	return h.viewUsers(c, list, c.Bool("briefRepresentation", false), nil)
}

func (h *Handler) groupByPath(c *Call) (any, error) {
	g, err := h.Users.GroupAt(c, c.Realm, c.Path("path"))
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, Plain(http.StatusNotFound, "Group path does not exist")
	}
	v := viewGroup(c.Realm, g, false)
	v.SubGroupCount = new(int64(g.Count))
	return v, nil
}

func (h *Handler) groupSubject(c *Call) (*subject, error) {
	g, err := h.Users.Group(c, c.Realm, iam.GroupID(c.Path("group")))
	if err != nil {
		return nil, err
	}
	return &subject{direct: g.Roles,
		effective: func() (roles.Set, error) {
			all := slices.Clone(g.Roles)
			// Of a client's roles the reference tells those of the group alone.
			// Keycloak: ClientRoleMappingsResource, RoleUtils.getDeepRoleMappings.
			for up := g.Up; up != nil && c.Path("container") == ""; up = up.Up {
				all = append(all, up.Roles...)
			}
			return roles.Expand(c.Realm, all...), nil
		},
		change: func(ids []iam.RoleID, add bool) error {
			return h.Users.MapGroupRoles(c, c.Realm, g.ID, ids, add)
		},
	}, nil
}
