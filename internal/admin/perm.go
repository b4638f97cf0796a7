package admin

import (
	"latchkey/internal/iam"
	"latchkey/internal/realms"
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
	Impersonate    Perm = "impersonation"
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

// grants lists the roles of realm-management (or of <realm>-realm in the master
// realm) of which one gives the right. Composites of the default realm are
// expanded before, so each line is what Keycloak's evaluators ask for.
// Keycloak: UserPermissions, GroupPermissions, ClientPermissions,
// RealmPermissions, RolePermissions in services.resources.admin.fgap.
var grants = map[Perm][]string{
	// Keycloak: AdminRoles.ALL_REALM_ROLES, where impersonation is not among them.
	AnyAdmin: {"manage-realm", "manage-users", "manage-clients", "manage-events", "manage-identity-providers", "manage-authorization",
		"manage-organizations", "create-client", "view-realm", "view-users", "view-clients", "view-events", "view-identity-providers",
		"view-authorization", "view-organizations", "query-users", "query-groups", "query-clients", "query-realms", "query-organizations",
		"realm-admin"},
	ViewRealm:              {"manage-realm", "view-realm"},
	ManageRealm:            {"manage-realm"},
	ListRealmRoles:         {"manage-realm", "view-realm", "manage-identity-providers"},
	ViewUsers:              {"manage-users", "view-users"},
	QueryUsers:             {"manage-users", "view-users", "query-users"},
	ManageUsers:            {"manage-users"},
	ViewProfile:            {"manage-realm", "view-realm", "manage-users", "view-users", "query-users"},
	Impersonate:            {"impersonation"},
	ViewGroups:             {"manage-users", "view-users"},
	QueryGroups:            {"manage-users", "view-users", "query-groups"},
	ViewClients:            {"manage-clients", "view-clients"},
	QueryClients:           {"manage-clients", "view-clients", "query-clients"},
	ManageClients:          {"manage-clients"},
	CreateClients:          {"manage-clients", "create-client"},
	ViewFlows:              {"manage-realm", "view-realm", "query-clients"},
	ViewClientAuth:         {"manage-realm", "view-realm", "manage-clients", "view-clients", "query-clients"},
	ViewActions:            {"manage-realm", "view-realm", "query-users"},
	ViewScopes:             {"manage-clients", "view-clients"},
	ManageScopes:           {"manage-clients"},
	ViewEvents:             {"manage-events", "view-events"},
	ManageEvents:           {"manage-events"},
	ViewIDPs:               {"manage-identity-providers", "view-identity-providers"},
	ManageIDPs:             {"manage-identity-providers"},
	"view-organizations":   {"manage-organizations", "view-organizations"},
	"manage-organizations": {"manage-organizations"},
	ViewAuthz:              {"manage-authorization", "view-authorization"},
	ManageAuthz:            {"manage-authorization"},
}

// A Caller is the administrator behind a request, as their token says and
// their user stands now.
type Caller struct {
	Realm    *realms.Realm // where they are at home
	Client   *iam.Client   // which the token was issued to
	User     *iam.User
	Session  iam.SessionID
	Offline  bool                    // Session is an offline one
	Audience []string                // of the token
	Roles    map[iam.RoleID]struct{} // effective, and in the scope of Client
	Origins  []string                // allowed by the token
}

// holds reports whether the caller has one of a client's roles.
func (c *Caller) holds(client iam.ClientID, names []string) bool {
	for _, name := range names {
		if role := c.Realm.RoleByName(client, name); role != nil {
			if _, ok := c.Roles[role.ID]; ok {
				return true
			}
		}
	}
	return false
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

// Can reports whether the caller has a right in the request's realm; in
// requests without one, only CreateRealm can be had.
func (c *Call) Can(p Perm) bool {
	if p == CreateRealm {
		return c.Caller.Realm.Name == masterRealm && c.Caller.HoldsRealmRole(string(CreateRealm))
	}
	return c.Realm != nil && c.CanIn(c.Realm, p)
}

// CanIn reports whether the caller has a right in some realm. Administrators of
// the master realm have it by the roles of that realm's client there, others
// only in their own realm. Keycloak: MgmtPermissions.hasOneAdminRole.
func (c *Call) CanIn(r *realms.Realm, p Perm) bool { return c.holdsIn(r, grants[p]) }

// holdsIn reports whether the caller has one of the roles that administer a realm.
func (c *Call) holdsIn(r *realms.Realm, roles []string) bool {
	home := c.Caller.Realm
	name := "realm-management"
	switch {
	case home.Name == masterRealm:
		name = r.Name + "-realm"
	case home.ID != r.ID:
		return false
	}
	client, err := home.ClientByName(c, name)
	return err == nil && c.Caller.holds(client.ID, roles)
}
