package roles

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// RightNames lists, for each right that is called like an administrators' role,
// the roles of realm-management (or of <realm>-realm in the master realm) of
// which one gives it. Composites of the default realm are expanded before.
// Keycloak: UserPermissions, GroupPermissions, ClientPermissions, RealmPermissions.
var RightNames = map[string][]string{
	"view-realm":                {"manage-realm", "view-realm"},
	"manage-realm":              {"manage-realm"},
	"view-users":                {"manage-users", "view-users"},
	"query-users":               {"manage-users", "view-users", "query-users"},
	"manage-users":              {"manage-users"},
	"impersonation":             {"impersonation"},
	"query-groups":              {"manage-users", "view-users", "query-groups"},
	"query-realms":              {"query-realms"},
	"view-clients":              {"manage-clients", "view-clients"},
	"query-clients":             {"manage-clients", "view-clients", "query-clients"},
	"manage-clients":            {"manage-clients"},
	"create-client":             {"manage-clients", "create-client"},
	"view-events":               {"manage-events", "view-events"},
	"manage-events":             {"manage-events"},
	"view-identity-providers":   {"manage-identity-providers", "view-identity-providers"},
	"manage-identity-providers": {"manage-identity-providers"},
	"view-organizations":        {"manage-organizations", "view-organizations"},
	"manage-organizations":      {"manage-organizations"},
	"query-organizations":       {"manage-organizations", "view-organizations", "query-organizations"},
	"view-authorization":        {"manage-authorization", "view-authorization"},
	"manage-authorization":      {"manage-authorization"},
}

// Rights are what somebody may do as an administrator: nobody gives more than
// they have, and nobody changes who has more. Every door that changes rights
// asks Covers.
type Rights struct {
	home *realms.Realm
	held Set
}

// RightsOf are the rights of somebody at home in a realm with these effective roles.
func RightsOf(home *realms.Realm, held Set) Rights { return Rights{home, held} }

// Has reports whether they have one of the named roles that administer realm r:
// those of r's client in the master realm for who is at home there, others only
// in their own realm. Keycloak: MgmtPermissions.hasOneAdminRole.
func (a Rights) Has(ctx context.Context, r *realms.Realm, names ...string) bool {
	name := realms.ClientAdmin
	switch {
	case a.home.Name == realms.Master:
		name = realms.MasterClient(r.Name)
	case a.home.ID != r.ID:
		return false
	}
	return a.hasOf(ctx, name, names)
}

func (a Rights) hasOf(ctx context.Context, clientID string, names []string) bool {
	client, err := a.home.ClientByName(ctx, clientID)
	if err != nil {
		return false
	}
	for _, name := range names {
		if role := a.home.RoleByName(client.ID, name); role != nil && a.held.Has(role.ID) {
			return true
		}
	}
	return false
}

// Covers reports whether they have every administrator's right that roles of
// realm r give, composites included. Keycloak: RolePermissions.checkAdminRoles,
// UserPermissions.hasHigherPrivilegesThanAdmin (26.7.5).
func (a Rights) Covers(ctx context.Context, r *realms.Realm, ids ...iam.RoleID) bool {
	return a.covers(ctx, r, ids, func(string) bool { return false })
}

// MayGive is Covers for roles that are handed out, and for changing who has
// them: everybody may give the rights to ask, which show nothing by themselves.
func (a Rights) MayGive(ctx context.Context, r *realms.Realm, ids ...iam.RoleID) bool {
	return a.covers(ctx, r, ids, func(name string) bool { return strings.HasPrefix(name, "query-") })
}

func (a Rights) covers(ctx context.Context, r *realms.Realm, ids []iam.RoleID, free func(name string) bool) bool {
	for id := range Expand(r, ids...) {
		role := r.Role(id)
		if !Administrative(ctx, r, role) || a.home.ID == r.ID && a.held.Has(id) {
			continue
		}
		container, err := r.ClientName(ctx, role.Client)
		switch {
		case err != nil, container == "": // a realm role of the master realm, which one has or has not
			return false
		case role.Name == realms.RoleRealmAdmin && container == realms.ClientAdmin: // the sum of the others
		case free(role.Name):
		case a.home.ID == r.ID && !a.hasOf(ctx, container, RightNames[role.Name]), a.home.ID != r.ID && !a.Has(ctx, r, RightNames[role.Name]...):
			return false
		}
	}
	return true
}

// All reports whether they have all rights over a realm.
func (a Rights) All(ctx context.Context, r *realms.Realm) bool {
	if r.Name == realms.Master {
		role := r.RoleByName("", realms.RoleAdmin)
		return role != nil && a.Covers(ctx, r, role.ID)
	}
	client, err := r.ClientByName(ctx, realms.ClientAdmin)
	if err != nil {
		return false
	}
	var ids []iam.RoleID
	for _, role := range r.RolesOf(client.ID) {
		ids = append(ids, role.ID)
	}
	return a.Covers(ctx, r, ids...)
}

// Over reports whether they may change a user: whether they have all rights that
// the user has. In the user's place (asThem) the rights to ask count, too.
func (a Rights) Over(ctx context.Context, s *Service, r *realms.Realm, user iam.UserID, asThem bool) (bool, error) {
	if a.All(ctx, r) {
		return true, nil
	}
	effective, err := s.Of(ctx, r, user)
	if err != nil {
		return false, err
	}
	ids := slices.Collect(maps.Keys(effective.Roles))
	if asThem {
		return a.Covers(ctx, r, ids...), nil
	}
	return a.MayGive(ctx, r, ids...), nil
}

// OverClient reports whether they may know a client's secrets: whoever knows them
// can be its service account.
func (a Rights) OverClient(ctx context.Context, s *Service, r *realms.Realm, c *realms.Client) (bool, error) {
	if !c.ServiceAccounts {
		return true, nil
	}
	account, err := s.db.ServiceAccount(ctx, r.ID, c.ID)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return a.Over(ctx, s, r, account.ID, false)
}

// Administrative reports whether a role gives rights over a realm by itself.
// Rights are found by such a role's name: nobody renames, changes or removes it.
// Keycloak: RolePermissions.isRealmAdminRole, ClientPermissions.isInternal.
func Administrative(ctx context.Context, r *realms.Realm, role *realms.Role) bool {
	if role.Client == "" {
		return r.Name == realms.Master && (role.Name == realms.RoleAdmin || role.Name == realms.RoleCreateRealm)
	}
	name, err := r.ClientName(ctx, role.Client)
	return err != nil || realms.Administrative(r.Name, name)
}

// Named returns the roles of those names, the realm's own and clients' by
// client_id. Names that nothing has are left out.
func Named(ctx context.Context, r *realms.Realm, ofRealm []string, ofClients map[string][]string) ([]iam.RoleID, error) {
	var ids []iam.RoleID
	add := func(client iam.ClientID, names []string) {
		for _, name := range names {
			if role := r.RoleByName(client, name); role != nil {
				ids = append(ids, role.ID)
			}
		}
	}
	add("", ofRealm)
	for clientID, names := range ofClients {
		client, err := r.ClientByName(ctx, clientID)
		if realms.Missing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		add(client.ID, names)
	}
	return ids, nil
}

// MayMap reports whether they may set up protocol mappers beside those that are
// there: such as put roles into tokens only with the rights of these, and such as
// write who a token is about only with all. By these claims the realm's own doors
// find user, session and client; who writes them is whoever they like.
func (a Rights) MayMap(ctx context.Context, r *realms.Realm, mappers, there []rep.ProtocolMapper) (bool, error) {
	ids, err := ofMappers(ctx, r, mappers)
	if err != nil || !a.MayGive(ctx, r, ids...) {
		return false, err
	}
	added := slices.DeleteFunc(slices.Clone(mappers), func(m rep.ProtocolMapper) bool {
		return !identifies(&m) || slices.ContainsFunc(there, func(t rep.ProtocolMapper) bool {
			return t.ProtocolMapper == m.ProtocolMapper && maps.Equal(t.Config, m.Config)
		})
	})
	return len(added) == 0 || a.All(ctx, r), nil
}

// identifies reports whether a mapper writes a claim by which a token's user,
// client or session is found. Whether it is switched on does not matter: lightweight
// tokens and introspection have switches of their own.
func identifies(m *rep.ProtocolMapper) bool {
	path := iam.ClaimPath(m.Config["claim.name"])
	return len(path) > 0 && slices.Contains([]string{"sub", "azp", "sid"}, path[0])
}

// ofMappers returns the roles that protocol mappers put into tokens, whoever
// they are for. Keycloak: HardcodedRole, RoleNameMapper.
func ofMappers(ctx context.Context, r *realms.Realm, mappers []rep.ProtocolMapper) ([]iam.RoleID, error) {
	var ofRealm []string
	ofClients := map[string][]string{}
	for _, m := range mappers {
		var name string
		switch m.ProtocolMapper {
		case "oidc-hardcoded-role-mapper":
			name = m.Config["role"]
		case "oidc-role-name-mapper":
			name = m.Config["new.role.name"]
		}
		if i := strings.LastIndexByte(name, '.'); i >= 0 {
			ofClients[name[:i]] = append(ofClients[name[:i]], name[i+1:])
		} else if name != "" {
			ofRealm = append(ofRealm, name)
		}
	}
	return Named(ctx, r, ofRealm, ofClients)
}
