package attacks

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"latchkey/internal/admin"
	"latchkey/internal/roles"
	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// adminRoutes are the patterns of the admin API's routes.
func adminRoutes() []string {
	var list []string
	for _, rt := range new(admin.Handler).Routes() {
		list = append(list, rt.Pattern)
	}
	return list
}

// routeOf finds the pattern that serves a request.
func routeOf(t *testing.T, mux *http.ServeMux, method, path string) string {
	t.Helper()
	_, pattern := mux.Handler(httptest.NewRequest(method, path, nil))
	if pattern == "" {
		t.Fatalf("%s %s: no such route", method, path)
	}
	return pattern
}

func routeMux(patterns []string) *http.ServeMux {
	mux := http.NewServeMux()
	for _, p := range patterns {
		mux.HandleFunc(p, func(http.ResponseWriter, *http.Request) {})
	}
	return mux
}

// callers are the partial administrators, and pairs of rights that make sense together.
var callers = []string{
	"view-realm", "view-users", "view-clients", "view-events", "view-identity-providers", "view-authorization",
	"query-users", "query-clients", "query-groups", "query-realms",
	"create-client", "manage-events", "manage-authorization", "manage-identity-providers", "impersonation",
	"manage-users", "manage-clients", "manage-realm",
	"manage-users impersonation", "manage-users query-clients view-clients", "manage-realm manage-users", "manage-realm manage-clients",
	"manage-clients manage-users", "manage-clients query-users", "impersonation view-users", "manage-realm manage-users manage-clients",
	"manage-realm view-users view-clients", "manage-clients view-users impersonation",
}

// An attempt is a request by which somebody might get rights. Names in braces
// stand for ids: {u:boss}, {g:admins}, {c:robot}, {r:plain}, {a:manage-realm}
// of a role of realm-management, {s:extra} of a client scope.
type attempt struct{ method, path, body string }

const password = "attacker's own" // that accounts have of which an attacker took hold

// attempts are what attackers try, in a realm that newTown makes.
func attempts() []attempt {
	admins := []string{"realm-admin", "manage-realm", "manage-users", "impersonation", "manage-clients"}
	list := []attempt{
		// names of rights
		{"PUT", "/clients/{c:realm-management}/roles/manage-realm", `{"name":"away"}`},
		{"PUT", "/clients/{c:realm-management}/roles/query-users", `{"name":"manage-realm"}`},
		{"PUT", "/clients/{c:realm-management}/roles/{self}", `{"name":"realm-admin"}`},
		{"POST", "/clients/{c:realm-management}/roles",
			`{"name":"new","composite":true,"composites":{"client":{"realm-management":["realm-admin"]}}}`},
		{"DELETE", "/clients/{c:realm-management}/roles/manage-events", ""},
		{"PUT", "/clients/{c:realm-management}/roles/manage-realm/management/permissions", `{"enabled":true}`},
		{"PUT", "/roles-by-id/{a:manage-realm}", `{"name":"away"}`},
		{"PUT", "/roles-by-id/{a:query-users}", `{"name":"manage-realm"}`},
		{"DELETE", "/roles-by-id/{a:manage-events}", ""},
		{"PUT", "/roles-by-id/{a:manage-realm}/management/permissions", `{"enabled":true}`},
		{"PUT", "/clients/{c:realm-management}", `{"clientId":"gone"}`},
		{"PUT", "/clients/{c:app}", `{"clientId":"realm-management"}`},
		{"DELETE", "/clients/{c:realm-management}", ""},
		{"POST", "/clients", `{"clientId":"realm-management"}`},
		// composites
		{"POST", "/roles", `{"name":"grown","composite":true,"composites":{"client":{"realm-management":["realm-admin"]}}}`},
		{"POST", "/clients/{c:app}/roles", `{"name":"grown","composite":true,"composites":{"client":{"realm-management":["realm-admin"]}}}`},
		{"DELETE", "/clients/{c:realm-management}/roles/realm-admin/composites", `[{"id":"{a:manage-realm}","name":"manage-realm"}]`},
		{"DELETE", "/roles-by-id/{a:realm-admin}/composites", `[{"id":"{a:manage-realm}","name":"manage-realm"}]`},
		{"DELETE", "/roles/plain/composites", `[{"id":"{a:realm-admin}","name":"realm-admin"}]`},
		{"DELETE", "/roles/superadmin/composites", `[{"id":"{a:realm-admin}","name":"realm-admin"}]`},
		{"PUT", "/roles/superadmin", `{"name":"default-roles"}`},
		{"PUT", "/roles/plain", `{"name":"realm-admin"}`},
		{"PUT", "/roles/plain/management/permissions", `{"enabled":true}`},
		{"DELETE", "/roles/superadmin", ""},
		{"PUT", "/clients/{c:app}/roles/inner", `{"name":"realm-admin"}`},
		{"DELETE", "/clients/{c:app}/roles/inner", ""},
		{"DELETE", "/clients/{c:app}/roles/inner/composites", `[{"id":"{a:realm-admin}","name":"realm-admin"}]`},
		// groups
		{"PUT", "/default-groups/{g:admins}", ""},
		{"DELETE", "/default-groups/{g:admins}", ""},
		{"PUT", "", `{"defaultGroups":["/admins"]}`},
		{"PUT", "/ui-ext", `{"defaultGroups":["/admins"]}`},
		{"PUT", "/ui-ext", `{"defaultRoles":["superadmin"],"defaultRole":{"id":"{r:superadmin}","name":"superadmin"}}`},
		{"POST", "/ui-ext/role-mapping-delete/users/{u:boss}",
			`[{"roleId":"{a:realm-admin}","roleName":"realm-admin","clientId":"{c:realm-management}"}]`},
		{"POST", "/ui-ext/role-mapping-delete/groups/{g:admins}",
			`[{"roleId":"{a:realm-admin}","clientId":"{c:realm-management}"},{"roleId":"{r:superadmin}"}]`},
		{"POST", "/ui-ext/role-mapping-delete/roles/{a:realm-admin}", `[{"roleId":"{a:manage-realm}","clientId":"{c:realm-management}"}]`},
		{"POST", "/ui-ext/role-mapping-delete/roles/{r:superadmin}", `[{"roleId":"{a:realm-admin}","clientId":"{c:realm-management}"}]`},
		{"POST", "/ui-ext/role-mapping-delete/clients/{c:app}", `[{"roleId":"{a:realm-admin}","clientId":"{c:realm-management}"}]`},
		{"POST", "/ui-ext/role-mapping-delete/clientScopes/{s:extra}", `[{"roleId":"{a:realm-admin}","clientId":"{c:realm-management}"}]`},
		{"PUT", "", `{"defaultRoles":["superadmin"],"defaultRole":{"id":"{r:superadmin}","name":"superadmin"}}`},
		{"POST", "/users", `{"username":"late","enabled":true,"credentials":[{"type":"password","value":"` + password + `"}]}`},
		{"POST", "/users", `{"username":"joined","enabled":true,"groups":["/admins"],"credentials":[{"type":"password","value":"` +
			password + `"}]}`},
		{"POST", "/users", `{"username":"roled","enabled":true,"realmRoles":["superadmin"],"clientRoles":{"realm-management":["realm-admin"]},"credentials":[{"type":"password","value":"` + password + `"}]}`},
		{"PUT", "/users/{u:self}/groups/{g:admins}", ""},
		{"PUT", "/users/{u:self}/groups/{g:below}", ""},
		{"PUT", "/users/{u:self}/groups/{g:plain}", ""},
		{"DELETE", "/users/{u:boss}/groups/{g:admins}", ""},
		{"POST", "/groups/{g:admins}/children", `{"id":"{g:plain}","name":"plain"}`},
		{"POST", "/groups", `{"id":"{g:below}","name":"below"}`},
		{"POST", "/groups", `{"name":"made","realmRoles":["superadmin"],"clientRoles":{"realm-management":["realm-admin"]}}`},
		{"PUT", "/groups/{g:plain}", `{"name":"plain","realmRoles":["superadmin"],"clientRoles":{"realm-management":["realm-admin"]}}`},
		{"PUT", "/groups/{g:plain}/management/permissions", `{"enabled":true}`},
		{"DELETE", "/groups/{g:admins}", ""},
		{"DELETE", "/groups/{g:admins}/role-mappings/realm", `[{"id":"{r:superadmin}","name":"superadmin"}]`},
		{"DELETE", "/groups/{g:admins}/role-mappings/clients/{c:realm-management}", `[{"id":"{a:realm-admin}","name":"realm-admin"}]`},
		{"POST", "/partialImport",
			`{"ifResourceExists":"OVERWRITE","identityProviders":[{"alias":"trusted","providerId":"oidc","config":{"tokenUrl":"https://attacker.example/t"}}]}`},
		{"POST", "/partialImport",
			`{"ifResourceExists":"SKIP","identityProviders":[{"alias":"theirs","providerId":"oidc","config":{"allowAdminRoleMapping":"true"}}],
			"identityProviderMappers":[{"name":"d","identityProviderAlias":"theirs","identityProviderMapper":"oidc-hardcoded-role-idp-mapper","config":{"role":"superadmin"}}]}`},
		// those with more rights
		{"PUT", "/users/{u:boss}/reset-password", `{"type":"password","value":"` + password + `"}`},
		{"PUT", "/users/{u:chief}/reset-password", `{"type":"password","value":"` + password + `"}`},
		{"PUT", "/users/{u:service-account-robot}/reset-password", `{"type":"password","value":"` + password + `"}`},
		{"PUT", "/users/{u:boss}", `{"email":"attacker@example.org","credentials":[{"type":"password","value":"` + password + `"}]}`},
		{"DELETE", "/users/{u:boss}", ""},
		{"PUT", "/users/{u:boss}/disable-credential-types", `["password"]`},
		{"DELETE", "/users/{u:boss}/credentials/{k:boss}", ""},
		{"PUT", "/users/{u:boss}/credentials/{k:boss}/userLabel", "x"},
		{"POST", "/users/{u:boss}/credentials/{k:boss}/moveToFirst", ""},
		{"POST", "/users/{u:boss}/credentials/{k:boss}/moveAfter/{k:boss}", ""},
		{"PUT", "/users/{u:boss}/execute-actions-email", `["UPDATE_PASSWORD"]`},
		{"PUT", "/users/{u:boss}/reset-password-email", ""},
		{"PUT", "/users/{u:boss}/send-verify-email", ""},
		{"POST", "/users/{u:boss}/logout", ""},
		{"POST", "/users/{u:boss}/end-sessions", `{"kinds":["online"]}`},
		{"POST", "/users/{u:boss}/impersonation", ""},
		{"POST", "/users/{u:chief}/impersonation", ""},
		{"DELETE", "/users/{u:boss}/consents/app", ""},
		{"POST", "/users/{u:boss}/federated-identity/x", `{"userId":"mine","userName":"mine"}`},
		{"DELETE", "/users/{u:boss}/federated-identity/x", ""},
		// identity providers and their mappers
		{"POST", "/identity-provider/instances", `{"alias":"mine","providerId":"oidc","config":{"allowAdminRoleMapping":"true"}}`},
		{"POST", "/identity-provider/instances", `{"alias":"mine","providerId":"oidc","config":{"tokenUrl":"https://attacker.example/t"}}`},
		{"PUT", "/identity-provider/instances/trusted",
			`{"alias":"trusted","providerId":"oidc","config":{"tokenUrl":"https://attacker.example/t","allowAdminRoleMapping":"true"}}`},
		{"PUT", "/identity-provider/instances/trusted",
			`{"alias":"trusted","providerId":"oidc","config":{"tokenUrl":"https://attacker.example/t"}}`},
		{"POST", "/identity-provider/instances/trusted/mappers",
			`{"name":"a","identityProviderAlias":"trusted","identityProviderMapper":"oidc-hardcoded-role-idp-mapper","config":{"role":"realm-management.realm-admin"}}`},
		{"POST", "/identity-provider/instances/trusted/mappers",
			`{"name":"b","identityProviderAlias":"mine","identityProviderMapper":"oidc-hardcoded-role-idp-mapper","config":{"role":"superadmin"}}`},
		{"POST", "/identity-provider/instances/trusted/mappers",
			`{"name":"c","identityProviderAlias":"mine","identityProviderMapper":"oidc-hardcoded-group-idp-mapper","config":{"group":"/admins/below"}}`},
		{"PUT", "/identity-provider/instances/trusted/mappers/" + giverID,
			`{"name":"giver","identityProviderAlias":"trusted","identityProviderMapper":"oidc-hardcoded-role-idp-mapper","config":{"role":"realm-management.realm-admin"}}`},
		{"PUT", "/identity-provider/instances/trusted/mappers/" + giverID,
			`{"name":"giver","identityProviderAlias":"mine","identityProviderMapper":"oidc-hardcoded-role-idp-mapper","config":{"role":"plain"}}`},
		{"DELETE", "/users/{u:boss}/role-mappings/clients/{c:realm-management}", `[{"id":"{a:realm-admin}","name":"realm-admin"}]`},
		{"DELETE", "/users/{u:boss}/role-mappings/realm", ""},
		{"DELETE", "/sessions/{session}", ""},
		{"DELETE", "/attack-detection/brute-force/users/{u:boss}", ""},
		// clients, whose service accounts have rights, and what they put into tokens
		{"POST", "/clients/{c:robot}/client-secret", ""},
		{"PUT", "/clients/{c:robot}", `{"secret":"` + password + `"}`},
		{"POST", "/clients/{c:robot}/registration-access-token", ""},
		{"POST", "/clients/{c:robot}/certificates/jwt.credential/generate", ""},
		{"POST", "/clients/{c:robot}/certificates/jwt.credential/upload", ""},
		{"POST", "/clients/{c:robot}/certificates/jwt.credential/upload-certificate", ""},
		{"DELETE", "/clients/{c:robot}/client-secret/rotated", ""},
		{"POST", "/clients/{c:robot}/nodes", `{"node":"here"}`},
		{"DELETE", "/clients/{c:robot}/nodes/here", ""},
		{"POST", "/clients/{c:robot}/push-revocation", ""},
		{"PUT", "/clients/{c:robot}/management/permissions", `{"enabled":true}`},
		{"PUT", "/clients/{c:robot}/default-client-scopes/{s:extra}", ""},
		{"DELETE", "/clients/{c:robot}/default-client-scopes/{s:extra}", ""},
		{"PUT", "/clients/{c:robot}/optional-client-scopes/{s:extra}", ""},
		{"DELETE", "/clients/{c:robot}/optional-client-scopes/{s:extra}", ""},
		{"DELETE", "/clients/{c:robot}", ""},
		{"POST", "/clients", `{"clientId":"fresh","secret":"` + password + `","serviceAccountsEnabled":true,"defaultRoles":["realm-admin"]}`},
		{"POST", "/client-scopes", `{"name":"mine","protocol":"openid-connect","protocolMappers":[` + hardcoded + `]}`},
		{"POST", "/client-templates", `{"name":"mine","protocol":"openid-connect","protocolMappers":[` + hardcoded + `]}`},
		{"POST", "/clients", `{"clientId":"mapped","secret":"` + password + `","protocolMappers":[` + hardcoded + `]}`},
		{"PUT", "/clients/{c:app}", `{"protocolMappers":[` + hardcoded + `]}`},
		{"POST", "/clients-initial-access", `{"count":2}`},
	}
	for _, name := range admins {
		role := `[{"id":"{a:` + name + `}","name":"` + name + `"}]`
		for _, at := range []string{"/users/{u:self}", "/users/{u:late}", "/groups/{g:plain}"} {
			list = append(list, attempt{"POST", at + "/role-mappings/clients/{c:realm-management}", role},
				attempt{"DELETE", at + "/role-mappings/clients/{c:realm-management}", role})
		}
		for _, at := range []string{"/roles/plain", "/roles/default-roles-{realm}", "/roles-by-id/{r:plain}", "/roles-by-id/{a:query-users}",
			"/clients/{c:app}/roles/inner",
			"/clients/{c:realm-management}/roles/query-users"} {
			list = append(list, attempt{"POST", at + "/composites", role})
		}
		for _, at := range []string{"/clients/{c:app}", "/client-scopes/{s:extra}", "/client-templates/{s:extra}"} {
			list = append(list, attempt{"POST", at + "/scope-mappings/clients/{c:realm-management}", role},
				attempt{"DELETE", at + "/scope-mappings/clients/{c:realm-management}", role})
		}
		given := `"realmRoles":["superadmin"],"clientRoles":{"realm-management":["` + name + `"]}`
		composites := `"composite":true,"composites":{"client":{"realm-management":["` + name + `"]}}`
		for i, part := range []string{
			`"users":[{"username":"by-import","enabled":true,` + given + `,"credentials":[{"type":"password","value":"` + password + `"}]}]`,
			`"users":[{"username":"by-group","enabled":true,"groups":["/admins/below"],"credentials":[{"type":"password","value":"` +
				password + `"}]}]`,
			`"users":[{"username":"boss","enabled":true,"credentials":[{"type":"password","value":"` + password + `"}]}]`,
			`"users":[{"username":"service-account-robot","enabled":true,"serviceAccountClientId":"robot",` + given + `}]`,
			`"users":[{"username":"service-account-app","enabled":true,"serviceAccountClientId":"app",` + given + `}]`,
			`"groups":[{"name":"plain",` + given + `}]`,
			`"groups":[{"name":"outer","subGroups":[{"name":"inner",` + given + `}]}]`,
			`"groups":[{"name":"admins"}]`,
			`"roles":{"realm":[{"name":"plain",` + composites + `}]}`,
			`"roles":{"realm":[{"name":"superadmin"}]}`,
			`"roles":{"client":{"app":[{"name":"inner",` + composites + `}]}}`,
			`"roles":{"client":{"realm-management":[{"name":"` + name + `"}]}}`,
			`"roles":{"client":{"realm-management":[{"name":"query-users",` + composites + `}]}}`,
			`"roles":{"realm":[{"id":"{a:` + name +
				`}","name":"fake"}]},"users":[{"username":"by-fake","enabled":true,"realmRoles":["fake"],"credentials":[{"type":"password","value":"` +
				password + `"}]}]`,
			`"clients":[{"clientId":"realm-management"}]`,
			`"clients":[{"clientId":"robot","secret":"` + password + `","serviceAccountsEnabled":true}]`,
			`"clients":[{"clientId":"imported","secret":"` + password + `","protocolMappers":[` + hardcoded + `]}]`,
			`"clients":[{"clientId":"imported","serviceAccountsEnabled":true,"secret":"` + password +
				`"}],"users":[{"username":"service-account-imported","enabled":true,"serviceAccountClientId":"imported",` + given + `}]`,
		} {
			if i < 6 || name == "realm-admin" || strings.Contains(part, name) {
				list = append(list, attempt{"POST", "/partialImport", `{"ifResourceExists":"OVERWRITE",` + part + `}`})
			}
		}
	}
	super := `[{"id":"{r:superadmin}","name":"superadmin"}]`
	for _, at := range []string{"/users/{u:self}/role-mappings/realm", "/groups/{g:plain}/role-mappings/realm",
		"/roles/default-roles-{realm}/composites", "/roles/plain/composites",
		"/clients/{c:app}/scope-mappings/realm", "/client-scopes/{s:extra}/scope-mappings/realm",
		"/client-templates/{s:extra}/scope-mappings/realm"} {
		list = append(list, attempt{"POST", at, super})
		if !strings.HasSuffix(at, "/composites") {
			list = append(list, attempt{"DELETE", at, super})
		}
	}
	for _, at := range []string{"/clients/{c:app}", "/clients/{c:robot}", "/client-scopes/{s:extra}", "/client-templates/{s:extra}"} {
		list = append(list, attempt{"POST", at + "/protocol-mappers/models", hardcoded}, attempt{"POST", at + "/protocol-mappers/add-models",
			"[" + hardcoded + "]"},
			attempt{"PUT", at + "/protocol-mappers/models/{m:audience}", hardcoded},
			attempt{"DELETE", at + "/protocol-mappers/models/{m:audience}", ""})
	}
	return list
}

const hardcoded = `{"name":"role","protocol":"openid-connect","protocolMapper":"oidc-hardcoded-role-mapper","config":{"role":"realm-management.realm-admin"}}`

// harmless are the routes that change nobody's rights, with the reason.
var harmless = map[string]string{
	"POST /admin/realms":                            "another realm; needs a role of the master realm",
	"DELETE /admin/realms/{realm}":                  "nothing is left to have rights over",
	"POST /admin/realms/{realm}/testSMTPConnection": "sends a mail to whoever asks", "POST /admin/realms/{realm}/clear-": "caches",
	"/default-default-client-scopes": "which scopes new clients get", "/default-optional-client-scopes": "the same",
	"POST /admin/realms/{realm}/partial-export": "reads", "/management/permissions": "switched off",
	"/trust/": "makes a client and a provider, and asks for the rights of both realms", "/identity-provider/import-config": "reads",
	"/identity-provider/upload-certificate":                                             "reads",
	"DELETE /admin/realms/{realm}/identity-provider/instances/{alias}":                  "takes away",
	"DELETE /admin/realms/{realm}/identity-provider/instances/{alias}/mappers/{mapper}": "takes away",
	"PUT /admin/realms/{realm}/users-management-permissions":                            "switched off",
	"/localization/": "texts", "/components": "keys, policies and profiles: whoever manages the realm may choose who signs its tokens",
	"/client-policies/": "conditions on clients",
	"/authentication/":  "how one proves who one is", "PUT /admin/realms/{realm}/client-scopes/{scope}": "names and texts",
	"DELETE /admin/realms/{realm}/client-scopes/{scope}":          "takes away",
	"PUT /admin/realms/{realm}/client-templates/{scope}":          "names and texts",
	"DELETE /admin/realms/{realm}/client-templates/{scope}":       "takes away",
	"DELETE /admin/realms/{realm}/clients-initial-access/{token}": "takes away",
	"POST /admin/realms/{realm}/client-description-converter":     "reads",
	"POST /admin/realms/{realm}/logout-all":                       "ends sessions", "POST /admin/realms/{realm}/push-revocation": "tells",
	"DELETE /admin/realms/{realm}/events":       "forgets",
	"DELETE /admin/realms/{realm}/admin-events": "forgets", "PUT /admin/realms/{realm}/events/config": "what is kept",
	"/deliveries/": "tells again",
	"PUT /admin/realms/{realm}/users/profile":                         "which attributes there are",
	"DELETE /admin/realms/{realm}/attack-detection/brute-force/users": "forgets",
	"/workflows": "not built: does nothing", "/organizations": "not built: does nothing", "/client-types": "not built: does nothing",
	"/doctor/": "asks for the rights of the changes that it makes, by the same rule", "POST /admin/realms/{realm}/inspect-token": "reads",
}

// TestEveryRouteThatChangesRightsIsAttacked keeps a new route out of nobody's sight.
func TestEveryRouteThatChangesRightsIsAttacked(t *testing.T) {
	t.Parallel()
	patterns := adminRoutes()
	mux := routeMux(patterns)
	attacked := map[string]bool{}
	for _, a := range attempts() {
		path := strings.NewReplacer("{", "", "}", "", ":", "", " ", "").Replace(a.path)
		attacked[routeOf(t, mux, a.method, "/admin/realms/x"+path)] = true
	}
	for _, p := range patterns {
		if strings.HasPrefix(p, "GET ") || attacked[p] {
			continue
		}
		known := slices.ContainsFunc(slices.Collect(keysOf(harmless)), func(h string) bool {
			return p == h || !strings.Contains(h, " ") && strings.Contains(p, h) || strings.HasSuffix(h, "-") && strings.HasPrefix(p, h)
		})
		if !known {
			t.Errorf("%s: neither attacked nor known to change nobody's rights", p)
		}
	}
}

func keysOf(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// A town is a realm with an attacker in it.
type town struct {
	t     *testing.T
	base  string
	realm string
	root  *visitor.Admin
	ids   *strings.Replacer

	more         []string // ids that were learnt later
	bossSession  string
	componentIDs []string
}

// attacker is the name of the user with the i-th rights of newTown.
func attacker(i int) string {
	if i == 0 {
		return "self"
	}
	return fmt.Sprintf("other%d", i)
}

// learn finds ids of things with secrets.
func (w *town) learn() {
	w.t.Helper()
	w.bossSession = w.session("boss")
	var list []struct{ ID string }
	w.must(w.root.Get(w.t.Context(), "/"+w.realm+"/components", &list))
	for _, c := range list {
		w.componentIDs = append(w.componentIDs, c.ID)
	}
	w.componentIDs = append(w.componentIDs, "{config}")
	for key, at := range map[string][3]string{
		"{c:secret-keeper}": {"/clients?clientId=secret-keeper", "clientId", "secret-keeper"}, "{c:by-import}": {"/clients?clientId=by-import",
			"clientId", "by-import"},
		"{u:secretive}": {"/users?username=secretive", "username", "secretive"}, "{u:hashed}": {"/users?username=hashed", "username", "hashed"},
		"{u:with-hash}": {"/users?username=with-hash", "username", "with-hash"},
	} {
		id, err := w.root.ID(w.t.Context(), "/"+w.realm+at[0], at[1], at[2])
		w.must(err)
		w.more = append(w.more, key, id)
	}
}

// newTown makes the realm: boss has all rights by a role, chief by a group,
// robot by its service account, and attackers those of the list.
func newTown(t *testing.T, s *harness.Server, name string, rights ...string) *town {
	t.Helper()
	ctx := t.Context()
	w := &town{t: t, base: s.URL, realm: name, root: visitor.NewAdmin(s.URL)}
	user := func(name, more string) string {
		return fmt.Sprintf(`{"username":%q,"enabled":true,"email":"%s@example.org","firstName":"A","lastName":"B","credentials":[{"type":"password","value":"own of %s"}]%s}`, name, name, name, more)
	}
	var attackers []string
	for i, list := range rights {
		quoted, _ := json.Marshal(strings.Fields(list))
		attackers = append(attackers, user(attacker(i), `,"clientRoles":{"realm-management":`+string(quoted)+`}`))
	}
	doc := `{"realm":"` + name +
		`","enabled":true,"defaultSignatureAlgorithm":"ES256","passwordPolicy":"hashAlgorithm(pbkdf2-sha256) and hashIterations(1)",
		"components":{"org.keycloak.keys.KeyProvider":[{"name":"es","providerId":"ecdsa-generated","config":{"ecdsaEllipticCurveKey":["P-256"]}},
			{"name":"hs","providerId":"hmac-generated","config":{"algorithm":["HS512"]}}, {"name":"aes","providerId":"aes-generated","config":{}}],
			"org.keycloak.storage.UserStorageProvider":[{"name":"ldap","providerId":"ldap","config":{"enabled":["false"],"bindCredential":["planted-bind-credential"]}}]},
		"roles":{"realm":[{"name":"plain"},{"name":"superadmin","composite":true,"composites":{"client":{"realm-management":["realm-admin"]}}}],
			"client":{"app":[{"name":"inner"}]}},
		"identityProviders":[{"alias":"trusted","providerId":"oidc","config":{"tokenUrl":"https://trusted.example/t"}}],
		"identityProviderMappers":[{"id":"` + giverID + `","name":"giver","identityProviderAlias":"trusted","identityProviderMapper":"oidc-hardcoded-role-idp-mapper","config":{"role":"superadmin"}}],
		"groups":[{"name":"admins","clientRoles":{"realm-management":["realm-admin"]},"realmRoles":["superadmin"],"subGroups":[{"name":"below"}]},{"name":"plain"}],
		"clients":[{"clientId":"web","enabled":true,"publicClient":true,"directAccessGrantsEnabled":true,"redirectUris":["http://app.example/*"]},
			{"clientId":"app","enabled":true,"secret":"app-secret","protocolMappers":[` + audience + `]},
			{"clientId":"robot","enabled":true,"secret":"robot-secret","serviceAccountsEnabled":true,"protocolMappers":[` + audience + `]}],
		"users":[` + user("boss", `,"clientRoles":{"realm-management":["realm-admin"]}`) + `,` + user("chief", `,"groups":["/admins"]`) + `,` +
		strings.Join(attackers, ",") + `,` + user("victim", "") + `,
			{"username":"service-account-robot","enabled":true,"serviceAccountClientId":"robot","clientRoles":{"realm-management":["realm-admin"]}}]}`
	_, err := w.root.Post(ctx, "", json.RawMessage(doc))
	w.must(err)
	var scope string
	scope, err = w.root.Post(ctx, "/"+name+"/client-scopes", json.RawMessage(`{"name":"extra","protocol":"openid-connect","protocolMappers":[`+
		audience+`]}`))
	w.must(err)
	pairs := []string{"{s:extra}", scope, "{realm}", name, "{self}", strings.Fields(rights[0])[0]}
	id := func(key, at, member, value string) string {
		id, err := w.root.ID(ctx, "/"+name+at, member, value)
		w.must(err)
		pairs = append(pairs, key, id)
		return id
	}
	for _, c := range []string{"realm-management", "app", "robot", "web"} {
		id("{c:"+c+"}", "/clients?clientId="+c, "clientId", c)
	}
	management := pairs[len(pairs)-7]
	for _, u := range []string{"boss", "chief", "self", "victim", "service-account-robot"} {
		id("{u:"+u+"}", "/users?exact=true&username="+u, "username", u)
	}
	var list []struct{ ID, Name string }
	w.must(w.root.Get(ctx, "/"+name+"/clients/"+management+"/roles", &list))
	for _, r := range list {
		pairs = append(pairs, "{a:"+r.Name+"}", r.ID)
	}
	for _, r := range []string{"plain", "superadmin"} {
		id("{r:"+r+"}", "/roles", "name", r)
	}
	admins := id("{g:admins}", "/groups", "name", "admins")
	id("{g:plain}", "/groups", "name", "plain")
	id("{g:below}", "/groups/"+admins+"/children", "name", "below")
	boss := strings.NewReplacer(pairs...).Replace("{u:boss}")
	id("{k:boss}", "/users/"+boss+"/credentials", "type", "password")
	pairs = append(pairs, "{m:audience}", audienceID, "{u:late}", "none")
	w.ids = strings.NewReplacer(pairs...)
	return w
}

const (
	giverID    = "0d2c4f0e-6e57-4a3b-8d3c-3f2a52d1a002"
	audienceID = "0d2c4f0e-6e57-4a3b-8d3c-3f2a52d1a001"
	audience   = `{"id":"` + audienceID +
		`","name":"audience","protocol":"openid-connect","protocolMapper":"oidc-audience-mapper","config":{"included.custom.audience":"x","access.token.claim":"true"}}`
)

func (w *town) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// token logs somebody in at the client web; "" if that is refused.
func (w *town) token(user, password string) string {
	return w.grant(url.Values{"grant_type": {"password"}, "client_id": {"web"}, "username": {user}, "password": {password}})
}

func (w *town) grant(form url.Values) string {
	res, err := http.PostForm(w.base+"/realms/"+w.realm+"/protocol/openid-connect/token", form)
	w.must(err)
	defer res.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	w.must(json.NewDecoder(res.Body).Decode(&answer))
	return answer.Token
}

// ask sends an attempt and returns its status and answer.
func (w *town) ask(token string, a attempt) (int, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), a.method, w.base+"/admin/realms/"+w.realm+w.ids.Replace(a.path),
		strings.NewReader(w.ids.Replace(a.body)))
	w.must(err)
	r.Header.Set("Authorization", "Bearer "+token)
	if strings.HasSuffix(a.path, "/userLabel") {
		r.Header.Set("Content-Type", "text/plain")
	} else if a.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(r)
	w.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	w.must(err)
	return res.StatusCode, string(text)
}

// rights are the administrator's rights that a token names, those included that
// others of them give. Rights to ask show nothing by themselves and are left out.
func rights(token string) []string {
	var claims struct {
		Access map[string]struct{ Roles []string } `json:"resource_access"`
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	data, _ := base64.RawURLEncoding.DecodeString(parts[1])
	_ = json.Unmarshal(data, &claims)
	var list []string
	for right, by := range roles.RightNames {
		if !strings.HasPrefix(right, "query-") && slices.ContainsFunc(by,
			func(role string) bool { return slices.Contains(claims.Access["realm-management"].Roles, role) }) {
			list = append(list, right)
		}
	}
	slices.Sort(list)
	return list
}

// check demands that nothing which is within the attacker's reach has rights
// that the attacker did not have.
func (w *town) check(what string, had []string) bool {
	w.t.Helper()
	within := map[string]string{"self": w.token("self", "own of self")}
	for _, name := range []string{"boss", "chief", "victim", "late", "joined", "roled", "by-import", "by-fake", "by-group",
		"service-account-robot"} {
		within[name] = w.token(name, password)
	}
	for _, name := range []string{"robot", "fresh", "mapped", "imported", "app"} {
		within["client "+name] = w.grant(url.Values{"grant_type": {"client_credentials"}, "client_id": {name}, "client_secret": {password}})
	}
	ok := true
	for who, token := range within {
		for _, right := range rights(token) {
			if !slices.Contains(had, right) {
				w.t.Errorf("after %s: the attacker, who had %v, has %s as %s", what, had, right, who)
				ok = false
			}
		}
	}
	var providers []struct {
		Alias  string
		Config map[string]string
	}
	w.must(w.root.Get(w.t.Context(), "/"+w.realm+"/identity-provider/instances", &providers))
	for _, p := range providers {
		if p.Config["allowAdminRoleMapping"] != "" || p.Alias == "trusted" && p.Config["tokenUrl"] != "https://trusted.example/t" {
			w.t.Errorf("after %s by %v: the provider %s has %v", what, had, p.Alias, p.Config)
			ok = false
		}
		var mappers []struct{ Name string }
		w.must(w.root.Get(w.t.Context(), "/"+w.realm+"/identity-provider/instances/"+p.Alias+"/mappers", &mappers))
		for _, m := range mappers {
			if p.Alias != "trusted" || m.Name != "giver" {
				w.t.Errorf("after %s by %v: the provider %s gives rights by the mapper %s", what, had, p.Alias, m.Name)
				ok = false
			}
		}
	}
	if boss := w.token("boss", "own of boss"); len(rights(boss)) < len(roles.RightNames)-5 {
		w.t.Errorf("after %s by %v: the administrator has lost rights: %v", what, had, rights(boss))
		ok = false
	}
	return ok
}

// Nobody gets, by any sequence of requests, a right that they did not have, nor
// an account, a client or a password of who has it.
// Keycloak: CVE-2026-16105, CVE-2026-17526 and their kind.
func TestNobodyGivesMoreThanTheyHave(t *testing.T) {
	t.Parallel()
	all := attempts()
	mux := routeMux(adminRoutes())
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e})
		plays := sampled(t, e, 10)
		for i, rights := range callers {
			if !plays(i) {
				continue
			}
			t.Run(strings.ReplaceAll(rights, " ", "+"), func(t *testing.T) {
				w := newTown(t, s, fmt.Sprintf("town%d", i), rights)
				w.play(mux, all, rand.New(rand.NewPCG(uint64(i), 1)))
			})
		}
	})
}

// play makes every attempt once in order and once in another, and looks at what
// came of it every now and then; a breach is then looked for one by one.
func (w *town) play(mux *http.ServeMux, all []attempt, random *rand.Rand) {
	token := w.token("self", "own of self")
	had := rights(token)
	session := w.session("boss")
	var since []string // what was done since the last look
	shuffled := slices.Clone(all)
	random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for i, a := range slices.Concat(all, shuffled) {
		a.path = strings.ReplaceAll(a.path, "{session}", session)
		status, answer := w.ask(token, a)
		if status >= 500 && status != http.StatusNotImplemented && !strings.Contains(a.path, "email") {
			w.t.Errorf("%s %s %s: %d %s", a.method, a.path, a.body, status, answer)
		}
		if a.path == "/clients/{c:robot}/client-secret" && status < 300 && !slices.Contains(had, "manage-realm") {
			w.t.Errorf("%s of %v: %s", a.path, had, answer)
		}
		if strings.HasSuffix(a.path, "/impersonation") && status < 300 {
			w.t.Errorf("%v may impersonate an administrator: %s", had, answer)
		}
		if status < 300 {
			since = append(since, fmt.Sprintf("%s %s %s", a.method, a.path, a.body))
		}
		if i%60 == 0 && !w.check(strings.Join(since, "\n"), had) {
			return
		} else if i%60 == 0 {
			since = nil
			if token = w.token("self", "own of self"); token == "" {
				return // who has removed or renamed themselves is done
			}
		}
	}
	w.check(strings.Join(since, "\n"), had)
}

// session logs somebody in and returns the id of the session.
func (w *town) session(user string) string {
	token := w.token(user, "own of "+user)
	var claims struct {
		Session string `json:"sid"`
	}
	data, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	w.must(json.NewDecoder(bytes.NewReader(data)).Decode(&claims))
	return claims.Session
}

// Who acts as somebody else is named in tokens, by introspection and in events,
// whatever mappers put there.
func TestImpersonatorIsNamed(t *testing.T) {
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e})
		w := newTown(t, s, "stage", "impersonation")
		ctx := t.Context()
		w.must(w.root.Put(ctx, "/stage", json.RawMessage(`{"eventsEnabled":true,"enabledEventTypes":["CODE_TO_TOKEN","REFRESH_TOKEN"]}`)))
		_, err := w.root.Post(ctx, "/stage/clients",
			json.RawMessage(`{"clientId":"desk","secret":"desk-secret","redirectUris":["http://app.example/*"],"protocolMappers":[
			{"name":"aud","protocol":"openid-connect","protocolMapper":"oidc-audience-mapper","config":{"included.client.audience":"desk","access.token.claim":"true"}},
			{"name":"act","protocol":"openid-connect","protocolMapper":"oidc-hardcoded-claim-mapper","config":{"claim.name":"act.sub","claim.value":"nobody","access.token.claim":"true","id.token.claim":"true"}}]}`))
		w.must(err)
		var claims struct{ Sub string }
		token := w.token("self", "own of self")
		w.must(json.Unmarshal(payload(token), &claims))
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.base+"/admin/realms/stage"+w.ids.Replace("/users/{u:victim}/impersonation"),
			nil)
		w.must(err)
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(r)
		w.must(err)
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("impersonation: %d", res.StatusCode)
		}
		browser := visitor.NewBrowser()
		w.must(browser.Plant(w.base+"/realms/stage/", res.Cookies()...))
		desk := visitor.Party{Base: w.base, Realm: "stage", ClientID: "desk", Secret: "desk-secret", Redirect: "http://app.example/cb"}
		code, err := desk.Code(ctx, browser, "nobody", "nothing")
		w.must(err)
		first, err := desk.Redeem(ctx, code)
		w.must(err)
		again, err := desk.Renew(ctx, first.Refresh)
		w.must(err)
		if !again.OK() {
			t.Fatalf("refresh: %+v", again)
		}
		inspected, err := desk.Post(ctx, "token/introspect", url.Values{"token": {again.Access}})
		w.must(err)
		told, err := json.Marshal(inspected.Members)
		w.must(err)
		for what, text := range map[string][]byte{
			"access token": payload(first.Access), "ID token": payload(first.ID), "refreshed access token": payload(again.Access),
			"introspection": told,
		} {
			var c struct {
				Name string `json:"preferred_username"`
				Act  struct {
					Sub  string
					Name string `json:"preferred_username"`
				}
			}
			w.must(json.Unmarshal(text, &c))
			if c.Name != "victim" || c.Act.Sub != claims.Sub || c.Act.Name != "self" {
				t.Errorf("%s: %s", what, text)
			}
		}
		var events []struct {
			Type    string
			Details map[string]string
		}
		w.must(w.root.Get(ctx, "/stage/events", &events))
		for _, e := range events {
			if e.Details["impersonator"] != "self" {
				t.Errorf("%s: %v", e.Type, e.Details)
			}
		}
		if len(events) != 2 {
			t.Errorf("%d events", len(events))
		}
	})
}

func payload(token string) []byte {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return []byte("{}")
	}
	data, _ := base64.RawURLEncoding.DecodeString(parts[1])
	return data
}
