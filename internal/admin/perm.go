package admin

import (
	"cmp"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/roles"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
	"latchkey/internal/users"
)

// A Perm is a right that a route asks for; grants says which roles give it.
type Perm string

// Rights. Those that are named like a role are given by that role and by those
// that include it.
const (
	// Checked marks routes that decide themselves whom they serve; a test holds
	// the list of them.
	Checked Perm = "checked by the handler"

	AnyAdmin       Perm = "any admin role"
	CreateRealm    Perm = "create-realm"
	ViewRealm      Perm = "view-realm"
	ManageRealm    Perm = "manage-realm"
	ListRealmRoles Perm = "list realm roles"
	ViewUsers      Perm = "view-users"
	QueryUsers     Perm = "query-users"
	ManageUsers    Perm = "manage-users"
	ViewProfile    Perm = "view user profile"
	ViewGroups     Perm = "view groups"
	QueryGroups    Perm = "query-groups"
	ViewClients    Perm = "view-clients"
	QueryClients   Perm = "query-clients"
	ManageClients  Perm = "manage-clients"
	CreateClients  Perm = "create-client" // by registration; here, whether it may be granted
	ViewFlows      Perm = "view authentication flows"
	ViewClientAuth Perm = "view client authenticators"
	ViewActions    Perm = "view required actions"
	ViewScopes     Perm = "view client scopes"
	ManageScopes   Perm = "manage client scopes"
	ViewEvents     Perm = "view-events"
	ManageEvents   Perm = "manage-events"
	ViewIDPs       Perm = "view-identity-providers"
	ManageIDPs     Perm = "manage-identity-providers"
	ViewAuthz      Perm = "view-authorization"
	ManageAuthz    Perm = "manage-authorization"
)

// Rights over one thing that the path names: those over its kind, and as many
// rights as it has itself, or gives to whoever has it. demand asks for them.
const (
	ManageUser   Perm = "manage the user"
	Impersonate  Perm = "impersonation"
	ManageGroup  Perm = "manage the group"
	ManageClient Perm = "manage the client"
	ClientSecret Perm = "read the client's secret"
)

// grants lists the roles of realm-management (or of <realm>-realm in the master
// realm) of which one gives a right that is not called like a role; the others
// are roles.RightNames.
// Keycloak: UserPermissions, GroupPermissions, ClientPermissions,
// RealmPermissions, RolePermissions in services.resources.admin.fgap.
var grants = map[Perm][]string{
	// Keycloak: AdminRoles.ALL_REALM_ROLES, where impersonation is not among them.
	AnyAdmin: {"manage-realm", "manage-users", "manage-clients", "manage-events", "manage-identity-providers", "manage-authorization",
		"manage-organizations", "create-client", "view-realm", "view-users", "view-clients", "view-events", "view-identity-providers",
		"view-authorization", "view-organizations", "query-users", "query-groups", "query-clients", "query-realms", "query-organizations",
		"realm-admin"},
	ListRealmRoles: {"manage-realm", "view-realm", "manage-identity-providers"},
	ViewProfile:    {"manage-realm", "view-realm", "manage-users", "view-users", "query-users"},
	ViewGroups:     {"manage-users", "view-users"},
	ViewFlows:      {"manage-realm", "view-realm", "query-clients"},
	ViewClientAuth: {"manage-realm", "view-realm", "manage-clients", "view-clients", "query-clients"},
	ViewActions:    {"manage-realm", "view-realm", "query-users"},
	ViewScopes:     {"manage-clients", "view-clients"},
	ManageScopes:   {"manage-clients"},
	ManageUser:     {"manage-users"},
	ManageGroup:    {"manage-users"},
	ManageClient:   {"manage-clients"},
	ClientSecret:   {"manage-clients"},
}

// givenBy are the roles of which one gives a right.
func givenBy(p Perm) []string {
	if names, ok := grants[p]; ok {
		return names
	}
	return roles.RightNames[string(p)]
}

// A Caller is the administrator behind a request, as their token says and
// their user stands now.
type Caller struct {
	Realm   *realms.Realm // where they are at home
	Client  *iam.Client   // which the token was issued to
	User    *iam.User
	Token   *tokens.Token
	Session iam.SessionID
	Offline bool                    // Session is an offline one
	View    *sessions.View          // of Session, with Client's part; nil without one
	Roles   map[iam.RoleID]struct{} // effective, and in the scope of Client
	Origins []string                // allowed by the token
}

// HoldsRealmRole reports whether the caller has a realm role of their own realm.
func (c *Caller) HoldsRealmRole(name string) bool {
	role := c.Realm.RoleByName("", name)
	if role == nil {
		return false
	}
	_, ok := c.Roles[role.ID]
	return ok
}

// Can reports whether the caller has a right over an object. Without a realm, of the
// request or as the object, only CreateRealm can be had. Administrators of
// the master realm have rights by the roles of a realm's client there, others
// only in their own realm. Keycloak: MgmtPermissions.hasOneAdminRole.
func (c *Call) Can(p Perm, over Object) bool {
	if p == CreateRealm {
		return c.Caller.Realm.Name == masterRealm && c.Caller.HoldsRealmRole(string(CreateRealm))
	}
	r := cmp.Or(over.realm, c.Realm)
	return r != nil && c.Caller.rights().Has(c, r, givenBy(p)...)
}

// rights are what the caller may do, and so what they may hand out.
func (c *Caller) rights() roles.Rights { return roles.RightsOf(c.Realm, c.Roles) }

// mayGive refuses callers who lack a right that the roles give. Without it, who
// manages users could make themselves an administrator.
func (c *Call) mayGive(ids ...iam.RoleID) error {
	if !c.Caller.rights().MayGive(c, c.Realm, ids...) {
		return errForbidden
	}
	return nil
}

// demand asks for what a right over one thing asks beyond that over its kind.
func (h *Handler) demand(c *Call, p Perm) error {
	switch p {
	case ManageUser, Impersonate:
		u, err := h.user(c)
		if err != nil {
			return err
		}
		return h.overUser(c, u.ID, p == Impersonate)
	case ManageGroup:
		g, err := h.Users.Group(c, c.Realm, iam.GroupID(c.Path("group")))
		if err != nil {
			return err
		}
		return h.overGroup(c, g)
	case ManageClient, ClientSecret:
		cl, err := clientOf(c)
		if err != nil {
			return err
		}
		return h.overClient(c, cl, p == ManageClient)
	}
	return nil
}

// overUser refuses callers with fewer rights than the user: with a new password
// or address, or in the user's place, they would have those. In the user's
// place the rights to ask count, too.
// Keycloak: UserPermissions.hasHigherPrivilegesThanAdmin (26.7.5), of impersonation alone.
func (h *Handler) overUser(c *Call, user iam.UserID, asThem bool) error {
	ok, err := c.Caller.rights().Over(c, h.Roles, c.Realm, user, asThem)
	if err == nil && !ok {
		err = errForbidden
	}
	return err
}

// overGroup refuses callers who lack a right that members of the group, or of
// one below it, have by it.
func (h *Handler) overGroup(c *Call, g *users.Group) error {
	ids, err := h.Users.RolesAround(c, c.Realm, g)
	if err != nil {
		return err
	}
	return c.mayGive(ids...)
}

// mayFill refuses to let anybody join the groups for which ok holds to callers
// who lack a right that members have by them.
func (h *Handler) mayFill(c *Call, ok func(*users.Group) bool) error {
	if c.Caller.rights().All(c, c.Realm) {
		return nil
	}
	tree, err := h.Users.Groups(c, c.Realm)
	if err != nil {
		return err
	}
	for _, g := range tree.Find(ok) {
		if err := c.mayGive(g.Given()...); err != nil {
			return err
		}
	}
	return nil
}

// overClient refuses what would change a client that carries the rights to
// administer a realm, and callers with fewer rights than the client's service
// account: who knows the client's secret can be it.
// Keycloak: ClientPermissions.isInternal.
func (h *Handler) overClient(c *Call, cl *realms.Client, change bool) error {
	if change && realms.Administrative(c.Realm.Name, cl.ClientID) {
		return errForbidden
	}
	ok, err := c.Caller.rights().OverClient(c, h.Roles, c.Realm, cl)
	if err == nil && !ok {
		err = errForbidden
	}
	return err
}
