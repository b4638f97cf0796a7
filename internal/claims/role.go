package claims

import (
	"slices"
	"strings"

	"latchkey/internal/iam"
)

// realmRoles: UserRealmRoleMappingMapper.
func realmRoles(in *Input, m *iam.ProtocolMapper, _ Kind, t *Set) {
	if in.Access.Realm != nil {
		putRoles(m, t, in.Access.Realm, "", m.Config["usermodel.realmRoleMapping.rolePrefix"])
	}
}

// clientRoles: UserClientRoleMappingMapper; without a client in its
// configuration those of all clients, "${client_id}" in the claim's name standing for each.
func clientRoles(in *Input, m *iam.ProtocolMapper, _ Kind, t *Set) {
	prefix := m.Config["usermodel.clientRoleMapping.rolePrefix"]
	if c := m.Config["usermodel.clientRoleMapping.clientId"]; c != "" {
		if list := in.Access.Clients[c]; list != nil {
			putRoles(m, t, list, c, prefix)
		}
		return
	}
	for _, c := range clientNames(in) {
		putRoles(m, t, in.Access.Clients[c], c, strings.ReplaceAll(prefix, "${client_id}", c))
	}
}

// clientNames sorts, so that tokens do not depend on a map's order.
func clientNames(in *Input) []string {
	names := make([]string, 0, len(in.Access.Clients))
	for c := range in.Access.Clients {
		names = append(names, c)
	}
	slices.Sort(names)
	return names
}

// pathElement escapes what iam.ClaimPath would split at.
var pathElement = strings.NewReplacer(`\`, `\\`, `.`, `\.`)

// putRoles: AbstractUserRoleMappingMapper.setClaim. Roles are added to those
// that another mapper has put under the same name.
func putRoles(m *iam.ProtocolMapper, t *Set, list []string, client, prefix string) {
	if prefix != "" {
		list = slices.Clone(list)
		for i := range list {
			list[i] = prefix + list[i]
		}
	}
	name := m.Config["claim.name"]
	if client != "" {
		name = strings.ReplaceAll(name, "${client_id}", pathElement.Replace(client))
	}
	path := iam.ClaimPath(name)
	v := convert(m, list)
	if v == nil || len(path) == 0 {
		return
	}
	t = below(path, t)
	if t == nil {
		return
	}
	last := path[len(path)-1]
	had := List(t.Get(last))
	more, several := v.([]any)
	if !several {
		t.Put(last, v)
		return
	}
	for _, e := range more {
		if !slices.ContainsFunc(had, func(have any) bool { return text(have) == text(e) }) {
			had = append(had, e)
		}
	}
	t.Put(last, had)
}

// splitRole takes "client.role" apart; a role's name has no dot, a client's may.
// Keycloak: KeycloakModelUtils.parseRole.
func splitRole(name string) (client, role string) {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}

// hardcodedRole: HardcodedRole.
func hardcodedRole(in *Input, m *iam.ProtocolMapper, _ Kind, _ *Set) {
	client, role := splitRole(m.Config["role"])
	addRole(in, client, role)
}

func addRole(in *Input, client, role string) {
	list := in.Access.Realm
	if client != "" {
		list = in.Access.Clients[client]
	}
	if !slices.Contains(list, role) {
		list = append(slices.Clip(list), role)
	}
	setRoles(in, client, list)
}

func setRoles(in *Input, client string, list []string) {
	if client == "" {
		in.Access.Realm = list
		return
	}
	in.Access.Clients[client] = list
}

// roleName: RoleNameMapper gives a role another name, perhaps another client's.
func roleName(in *Input, m *iam.ProtocolMapper, _ Kind, _ *Set) {
	client, role := splitRole(m.Config["role"])
	list := in.Access.Realm
	if client != "" {
		list = in.Access.Clients[client]
	}
	i := slices.Index(list, role)
	if i < 0 {
		return
	}
	setRoles(in, client, slices.Delete(slices.Clone(list), i, i+1))
	newClient, newRole := splitRole(m.Config["new.role.name"])
	addRole(in, newClient, newRole)
}

// audienceResolve: AudienceResolveProtocolMapper, the clients of which the user has a role.
func audienceResolve(in *Input, _ *iam.ProtocolMapper, _ Kind, t *Set) {
	for _, c := range clientNames(in) {
		if c != in.Grant.Client.ClientID && len(in.Access.Clients[c]) > 0 {
			t.AddAudience(c)
		}
	}
}

// audience: AudienceProtocolMapper.
func audience(_ *Input, m *iam.ProtocolMapper, _ Kind, t *Set) {
	name := m.Config["included.client.audience"]
	if name == "" {
		name = m.Config["included.custom.audience"]
	}
	if name != "" {
		t.AddAudience(name)
	}
}

// allowedOrigins: AllowedWebOriginsProtocolMapper.
func allowedOrigins(in *Input, _ *iam.ProtocolMapper, _ Kind, t *Set) {
	if len(in.Grant.Client.WebOrigins) > 0 {
		t.Put("allowed-origins", slices.Clone(in.Origins()))
	}
}
