package admin

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/internal/claims"
	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/keys"
	"latchkey/internal/pages"
	"latchkey/internal/policy"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store/storetest"
	"latchkey/internal/web"
)

// whole is a Handler over real realms, master and shop; "root" has every role
// of the master realm, "maker" may only create realms.
func whole(t *testing.T) (h *Handler, ask func(who, method, path, body string) (int, string, http.Header)) {
	t.Helper()
	ctx := t.Context()
	db := storetest.SQLite(t)
	manager := realms.NewManager(realms.NewCache(db), time.Now, realms.Rules{NewKey: keys.NewMaker(time.Now).Fill,
		CheckPolicy: policy.New("").Valid,
		Hash: func(context.Context, *iam.Realm, *iam.User, string) (*iam.Credential, error) {
			return &iam.Credential{Kind: iam.Password, Data: []byte("{}"), Secret: iam.Secret("{}")}, nil
		}})
	for _, r := range []*rep.Realm{
		{Realm: "master", Enabled: new(true), Users: []rep.User{{ID: "root", Username: "root"}, {ID: "maker", Username: "maker"}}},
		{Realm: "shop", Enabled: new(true), AdminEventsEnabled: new(true), Groups: []rep.Group{{ID: "g", Name: "new", Description: new("d")}}},
	} {
		if _, err := manager.Create(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	hostname, err := web.NewHostname(web.HostnameOptions{})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	set, err := pages.New(pages.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h = &Handler{Pages: set, Realms: manager.Cache, Manager: manager, Events: events.New(db, log, nil, nil), Hostname: hostname, Log: log}
	h.Authenticate = func(r *http.Request) (*Caller, error) {
		who, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		home, err := manager.Cache.Get(r.Context(), "master")
		if err != nil {
			return nil, err
		}
		c := &Caller{Realm: home, Client: &iam.Client{ID: "cli"}, User: &iam.User{ID: iam.UserID(who)}, Roles: map[iam.RoleID]struct{}{}}
		switch who {
		case "root":
			for role := range home.AllRoles {
				c.Roles[role.ID] = struct{}{}
			}
		case "maker":
			c.Roles[home.RoleByName("", "create-realm").ID] = struct{}{}
			roles, err := db.UserRoles(r.Context(), home.ID, "maker")
			if err != nil {
				return nil, err
			}
			for _, id := range roles {
				c.Roles[id] = struct{}{}
			}
		default:
			return nil, ErrUnauthenticated
		}
		return c, nil
	}
	mux := h.Mux()
	return h, func(who, method, path, body string) (int, string, http.Header) {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+who)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		text, _ := io.ReadAll(w.Body)
		return w.Code, string(text), w.Header()
	}
}

// Oracle: realms/errors, realms/update, realms/rename-and-delete, realms/scopes-and-groups
func TestRealmRoutes(t *testing.T) {
	h, ask := whole(t)
	shop, err := h.Realms.Get(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	phone := string(shop.ScopeByName("phone").ID)
	for _, c := range []struct {
		who, method, path, body string
		status                  int
		want                    string
	}{
		{"root", "POST", "/admin/realms", `{"realm":"shop"}`, 409, `{"errorMessage":"Realm shop already exists"}`},
		{"root", "POST", "/admin/realms", `{}`, 400, `{"errorMessage":"Realm name cannot be empty"}`},
		{"root", "POST", "/admin/realms", `{"realm":"a/b"}`, 400, `{"error":"Character '/' not allowed."}`},
		{"root", "POST", "/admin/realms", `{not json`, 400, `{"errorMessage":"unable to read contents from stream"}`},
		{"root", "POST", "/admin/realms", `[1]`, 400, `{"errorMessage":"unable to read contents from stream"}`},
		{"root", "POST", "/admin/realms", `{"realm":"x","nonsense":1}`, 400, `{"errorMessage":"unable to read contents from stream"}`},
		{"nobody", "POST", "/admin/realms", `{"realm":"x"}`, 401, `{"error":"HTTP 401 Unauthorized"}`},
		{"maker", "GET", "/admin/realms/shop", "", 403, `{"error":"HTTP 403 Forbidden"}`},
		{"maker", "GET", "/admin/realms", "", 403, `{"error":"HTTP 403 Forbidden"}`},
		{"maker", "POST", "/admin/realms", `{"realm":"made","enabled":true}`, 201, ``},
		{"maker", "GET", "/admin/realms?briefRepresentation=true", "", 200, `[{"id":"`},
		{"root", "GET", "/admin/shop/console/whoami", "", 401, `{"error":"HTTP 401 Unauthorized"}`},
		{"root", "GET", "/admin/master/console/whoami", "", 403, `{"error":"Token issued for an application that is not the admin console: "}`},
		{"root", "PUT", "/admin/realms/shop", `{"passwordPolicy":"nonsense(1)"}`, 400, `{"errorMessage":"Password policy not found"}`},
		{"root", "PUT", "/admin/realms/shop", `{"nonsense":true}`, 400, `{"error":"Invalid json representation for RealmRepresentation.`},
		{"root", "PUT", "/admin/realms/shop", `{"displayName":"S","smtpServer":{"host":"h","from":"a@b","password":"secret"}}`, 204, ``},
		{"root", "GET", "/admin/realms/shop", "", 200, `{"id":"`},
		{"root", "PUT", "/admin/realms/shop", `{"attributes":{"latchkey.offlineSso":"yes"}}`, 400,
			`{"field":"attributes.latchkey.offlineSso","errorMessage":"The realm attribute latchkey.offlineSso must be keycloak, keep or auto, not 'yes'"}`},
		{"root", "PUT", "/admin/realms/shop", `{"attributes":{"latchkey.refreshGraceSeconds":"-1"}}`, 400,
			`{"field":"attributes.latchkey.refreshGraceSeconds","errorMessage":"The realm attribute latchkey.refreshGraceSeconds must be a whole number of seconds from 0 to 3600, not '-1'"}`},
		{"root", "PUT", "/admin/realms/shop", `{"attributes":{"latchkey.recordRetentionDays":"0"}}`, 400,
			`{"field":"attributes.latchkey.recordRetentionDays","errorMessage":"The realm attribute latchkey.recordRetentionDays must be a whole number of days from 1 to 3650, not '0'"}`},
		{"root", "POST", "/admin/realms", `{"realm":"z","attributes":{"latchkey.addresses":"none"}}`, 400,
			`{"field":"attributes.latchkey.addresses","errorMessage":"The realm attribute latchkey.addresses must be full, short or off, not 'none'"}`},
		{"root", "PUT", "/admin/realms/shop",
			`{"attributes":{"latchkey.offlineSso":"keep","latchkey.refreshGraceSeconds":"10","latchkey.recordRetentionDays":"7","latchkey.addresses":"short"}}`, 204, ``},
		{"root", "DELETE", "/admin/realms/master", "", 400, `{"errorMessage":"Can't remove master realm"}`},
		{"root", "PUT", "/admin/realms/shop/default-default-client-scopes/" + phone, "", 409,
			`{"error":"conflict","error_description":"Duplicate resource error"}`},
		{"root", "DELETE", "/admin/realms/shop/default-optional-client-scopes/" + phone, "", 204, ``},
		{"root", "DELETE", "/admin/realms/shop/default-optional-client-scopes/" + phone, "", 204, ``},
		{"root", "PUT", "/admin/realms/shop/default-default-client-scopes/" + phone, "", 204, ``},
		{"root", "PUT", "/admin/realms/shop/default-default-client-scopes/nonsense", "", 404, `{"error":"Client scope not found"}`},
		{"root", "PUT", "/admin/realms/shop/default-groups/g", "", 204, ``},
		{"root", "GET", "/admin/realms/shop/default-groups", "", 200, `[{"id":"g","name":"new","description":"d","path":"/new","subGroups":[]}]`},
		{"root", "PUT", "/admin/realms/shop/default-groups/nonsense", "", 404, `{"error":"Group not found"}`},
		{"root", "GET", "/admin/realms/shop/localization", "", 200, `[]`},
		{"root", "POST", "/admin/realms/shop/localization/de", `{"a":"b"}`, 204, ``},
		{"root", "PUT", "/admin/realms/shop/localization/de/c", "d", 204, ``},
		{"root", "GET", "/admin/realms/shop/localization/de", "", 200, `{"a":"b","c":"d"}`},
		{"root", "DELETE", "/admin/realms/shop/localization/de/a", "", 204, ``},
		{"root", "GET", "/admin/realms/shop/localization/de/a", "", 404, `{"error":"Localization text not found"}`},
		{"root", "GET", "/admin/realms/shop/client-policies/policies", "", 200, `{"policies":[]}`},
		{"root", "GET", "/admin/realms/shop/credential-registrators", "", 200, `["CONFIGURE_TOTP","webauthn-register",`},
		{"root", "GET", "/admin/realms/shop/authentication/required-actions/nothing", "", 404, `{"error":"Failed to find required action"}`},
		{"root", "PUT", "/admin/realms/shop/authentication/required-actions/TERMS_AND_CONDITIONS",
			`{"alias":"TERMS_AND_CONDITIONS","name":"Terms","enabled":true,"priority":20}`, 204, ``},
		{"root", "GET", "/admin/realms/shop/authentication/required-actions/TERMS_AND_CONDITIONS", "", 200,
			`{"alias":"TERMS_AND_CONDITIONS","name":"Terms","providerId":"TERMS_AND_CONDITIONS","enabled":true,"defaultAction":false,"priority":20,"config":{}}`},
		{"root", "GET", "/admin/realms/shop/authentication/flows/nothing/executions", "", 404, `{"error":"Flow not found"}`},
		{"root", "POST", "/admin/realms/shop/user-storage/nothing/sync?action=triggerFullSync", "", 404, `{"error":"Could not find component"}`},
		{"maker", "GET", "/admin/serverinfo", "", 200, `{"systemInfo":{"version":"26.7.3"}`},
		{"root", "DELETE", "/admin/realms/shop", "", 204, ``},
		{"root", "GET", "/admin/realms/shop", "", 404, `{"error":"Realm not found."}`},
	} {
		status, body, _ := ask(c.who, c.method, c.path, c.body)
		if status != c.status || !strings.HasPrefix(body, c.want) || c.want == "" && body != "" {
			t.Errorf("%s %s %s %s: %d %s, want %d %s", c.who, c.method, c.path, c.body, status, body, c.status, c.want)
		}
		if strings.Contains(body, `"secret"`) && strings.Contains(body, "smtp") {
			t.Errorf("%s %s shows a password: %s", c.method, c.path, body)
		}
	}
	if _, body, _ := ask("root", "GET", "/admin/realms?briefRepresentation=true", ""); !strings.Contains(body,
		`"displayName":"Keycloak","displayNameHtml":"<div`) {
		t.Errorf("brief realms: %s", body)
	}
	// Keycloak: RepresentationToModel.createClient.
	ask("root", "POST", "/admin/realms", `{"realm":"asks","clients":[{"clientId":"asking","consentRequired":true},{"clientId":"not-asking"}]}`)
	for client, full := range map[string]string{"asking": "false", "not-asking": "true"} {
		if _, body, _ := ask("root", "GET", "/admin/realms/asks/clients?clientId="+client, ""); !strings.Contains(body,
			`"fullScopeAllowed":`+full) {
			t.Errorf("the scope of the client %s: %s", client, body)
		}
	}
	if _, _, head := ask("root", "POST", "/admin/realms", `{"realm":"a b"}`); head.Get("Location") != "http://example.com/admin/realms/a%20b" {
		t.Errorf("location %s", head.Get("Location"))
	}
}

// Oracle: realms/keys-and-components
func TestComponentRoutes(t *testing.T) {
	_, ask := whole(t)
	const all = "/admin/realms/shop/components"
	for _, c := range []struct{ body, want string }{
		{`{"name":"x","providerId":"nonsense","providerType":"org.keycloak.keys.KeyProvider"}`,
			`{"error":"Invalid provider type or no such provider"}`},
		{`{"name":"x","providerId":"java-keystore","providerType":"org.keycloak.keys.KeyProvider"}`,
			`{"error":"Invalid provider type or no such provider"}`},
		{`{"name":"x","providerId":"rsa-generated","providerType":"org.keycloak.keys.KeyProvider","config":{"keySize":["7"]}}`,
			`{"errorMessage":"'Key size' should be 1024, 2048, 3072 or 4096"}`},
	} {
		if status, body, _ := ask("root", "POST", all, c.body); status != 400 || body != c.want {
			t.Errorf("%s: %d %s", c.body, status, body)
		}
	}
	status, body, head := ask("root", "POST", all,
		`{"name":"second","providerId":"hmac-generated","providerType":"org.keycloak.keys.KeyProvider","config":{"priority":["200"],"algorithm":["HS512"],"active":["true"]}}`)
	if status != 201 {
		t.Fatal(status, body)
	}
	at, err := url.Parse(head.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	kid := func() string {
		t.Helper()
		_, body, _ := ask("root", "GET", "/admin/realms/shop/keys", "")
		var keys rep.KeysMetadata
		if err := rep.Unmarshal([]byte(body), &keys); err != nil {
			t.Fatal(err)
		}
		return keys.Active["HS512"]
	}
	made := kid()
	status, body, _ = ask("root", "GET", at.Path, "")
	var shown rep.Component
	if err := rep.Unmarshal([]byte(body), &shown); status != 200 || err != nil {
		t.Fatal(status, body, err)
	}
	if want := map[string][]string{"priority": {"200"}, "algorithm": {"HS512"}, "active": {"true"}}; !reflect.DeepEqual(shown.Config, want) {
		t.Errorf("shown: %v", shown.Config)
	}
	if status, body, _ := ask("root", "PUT", at.Path, `{"config":{"priority":["150"],"algorithm":["HS512"]}}`); status != 204 {
		t.Error(status, body)
	}
	if kid() != made {
		t.Error("a change of the priority made another key")
	}
	if status, body, _ := ask("root", "DELETE", at.Path, ""); status != 204 || kid() == made {
		t.Error(status, body)
	}
	if status, body, _ := ask("root", "GET", at.Path, ""); status != 404 || body != `{"error":"Could not find component"}` {
		t.Error(status, body)
	}
}

// TestExecutionsAsTheReference compares what the reference listed for the
// flows of a new realm. Oracle: realms/authentication-by-default
func TestExecutionsAsTheReference(t *testing.T) {
	_, ask := whole(t)
	text, err := os.ReadFile("testdata/executions.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string][]map[string]any
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for alias, list := range want {
		_, body, _ := ask("root", "GET", "/admin/realms/shop/authentication/flows/"+url.PathEscape(alias)+"/executions", "")
		var got []map[string]any
		if err := json.Unmarshal([]byte(body), &got); err != nil || len(got) != len(list) {
			t.Errorf("%s: %d executions, want %d (%v)", alias, len(got), len(list), err)
			continue
		}
		for i := range got {
			if got[i]["id"] == "" {
				t.Errorf("%s %d: no id", alias, i)
			}
			for _, random := range []string{"id", "flowId", "authenticationConfig"} {
				delete(got[i], random)
			}
			if !reflect.DeepEqual(got[i], list[i]) {
				t.Errorf("%s %d: %v, want %v", alias, i, got[i], list[i])
			}
		}
	}
	_, body, _ := ask("root", "GET", "/admin/realms/shop/authentication/flows/direct%20grant/executions", "")
	var got []rep.ExecutionInfo
	if err := rep.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if status, body, _ := ask("root", "PUT", "/admin/realms/shop/authentication/flows/direct%20grant/executions", `{"id":"`+got[2].ID+
		`","requirement":"REQUIRED","priority":30}`); status != 204 {
		t.Fatal(status, body)
	}
	_, body, _ = ask("root", "GET", "/admin/realms/shop/authentication/flows/direct%20grant/executions", "")
	if err := rep.Unmarshal([]byte(body), &got); err != nil || got[2].Requirement != "REQUIRED" || got[1].Requirement != "REQUIRED" ||
		got[2].Priority != 30 {
		t.Errorf("changed to %+v (%v)", got[2], err)
	}
	// A priority that is left out is 0. Keycloak: AuthenticationManagementResource.updateExecutions.
	if status, body, _ := ask("root", "PUT", "/admin/realms/shop/authentication/flows/direct%20grant/executions", `{"id":"`+got[2].ID+
		`","requirement":"REQUIRED"}`); status != 204 {
		t.Fatal(status, body)
	}
	_, body, _ = ask("root", "GET", "/admin/realms/shop/authentication/flows/direct%20grant/executions", "")
	if err := rep.Unmarshal([]byte(body), &got); err != nil || got[0].Priority != 0 {
		t.Errorf("without priority: %+v (%v)", got[0], err)
	}
}

// TestServerInfoTellsTheTruth: only what is there.
func TestServerInfoTellsTheTruth(t *testing.T) {
	_, ask := whole(t)
	_, body, _ := ask("root", "GET", "/admin/serverinfo", "")
	var v rep.ServerInfo
	if err := rep.Unmarshal([]byte(body), &v); err != nil {
		t.Fatal(err)
	}
	for _, m := range v.ProtocolMapperTypes["openid-connect"] {
		if !claims.Known(m.ID) {
			t.Errorf("mapper %s is not there", m.ID)
		}
	}
	for _, k := range v.ComponentTypes[realms.TypeKeyProvider] {
		if !keys.Supported(k.ID) {
			t.Errorf("key provider %s is not there", k.ID)
		}
	}
	if len(v.ProtocolMapperTypes["openid-connect"]) == 0 || len(v.PasswordPolicies) == 0 || v.SystemInfo.ServerTime == "" {
		t.Error("half of it is missing")
	}
	if m := v.MemoryInfo; m == nil || m.Total <= 0 || m.Used <= 0 || m.Used+m.Free != m.Total || v.CPUInfo == nil ||
		v.CPUInfo.ProcessorCount < 1 || v.SystemInfo.OSName == "" {
		t.Errorf("the machine: %+v %+v %+v", v.SystemInfo, v.CPUInfo, m)
	}
	if got := duration(25*time.Hour + 61*time.Second); got != "1 day, 1 hour, 1 minute, 1 second" {
		t.Error(got)
	}
	_, body, _ = ask("maker", "GET", "/admin/serverinfo", "")
	if strings.Contains(body, "memoryInfo") || strings.Contains(body, "serverTime") {
		t.Errorf("how the server runs is not for everybody: %s", body)
	}
	// What Terraform's provider looks up before it sets a theme, a password policy, a required action or a component.
	for kind, id := range map[string]string{
		"password-policy": "passwordHistory", "required-action": "CONFIGURE_TOTP", "authenticator": "auth-otp-form",
		"client-authenticator": "client-jwt",
		"form-action":          "registration-user-creation", "protocol-mapper": "oidc-audience-mapper",
		"keys": "rsa-generated", "signature": "PS256",
		"clientSignature": "HS512", "login-protocol": "openid-connect", "client-registration-policy": "max-clients",
		"eventsListener": "jboss-logging",
	} {
		if _, ok := v.Providers[kind].Providers[id]; !ok {
			t.Errorf("%s is no %s: %v", id, kind, v.Providers[kind].Providers)
		}
	}
	for kind, name := range map[string]string{"login": "keycloak.v2", "account": "keycloak.v3", "admin": "keycloak.v2", "email": "keycloak"} {
		if !slices.ContainsFunc(v.Themes[kind], func(theme rep.ThemeInfo) bool { return theme.Name == name }) {
			t.Errorf("no %s theme %s in %v", kind, name, v.Themes[kind])
		}
	}
	for kind, id := range map[string]string{
		"org.keycloak.authentication.Authenticator": "identity-provider-redirector",
		"org.keycloak.protocol.ProtocolMapper":      "oidc-audience-mapper",
		"org.keycloak.validate.Validator":           "length", realms.TypeRegistrationPolicy: "trusted-hosts",
	} {
		if !slices.ContainsFunc(v.ComponentTypes[kind], func(c rep.ComponentType) bool { return c.ID == id && c.HelpText != nil }) {
			t.Errorf("%s is no %s", id, kind)
		}
	}
	if i := slices.IndexFunc(v.Features, func(f rep.Feature) bool { return f.Name == "ADMIN_FINE_GRAINED_AUTHZ_V2" }); i < 0 ||
		v.Features[i].Enabled {
		t.Errorf("features %+v", v.Features)
	}
}

// TestKindsOfComponents: which there can be, and settings that mean nothing.
// Keycloak: ComponentResource.getSubcomponentConfig, ClientRegistrationPolicyResource,
// MaxClientsClientRegistrationPolicyFactory, TrustedHostClientRegistrationPolicyFactory, ClientScopesClientRegistrationPolicyFactory.
func TestKindsOfComponents(t *testing.T) {
	_, ask := whole(t)
	const all = "/admin/realms/shop/components"
	_, body, _ := ask("root", "GET", all+"?type=org.keycloak.keys.KeyProvider", "")
	var key []rep.Component
	if err := rep.Unmarshal([]byte(body), &key); err != nil || len(key) == 0 {
		t.Fatal(body, err)
	}
	for _, c := range []struct {
		path   string
		status int
		part   string
	}{
		{all + "/nonsense/sub-component-types?type=x", 404, `{"error":"Could not find parent component"}`},
		{all + "/" + key[0].ID + "/sub-component-types", 400, `{"error":"must specify a subtype"}`},
		{all + "/" + key[0].ID + "/sub-component-types?type=java.lang.String", 200, `[]`},
		{all + "/" + key[0].ID + "/sub-component-types?type=org.keycloak.keys.KeyProvider", 200, `"id":"rsa-generated"`},
		{all + "/" + key[0].ID + "/sub-component-types?type=" + realms.TypeRegistrationPolicy, 200, `"microprofile-jwt"`},
		{"/admin/realms/shop/client-registration-policy/providers", 200, `"microprofile-jwt"`},
		{"/admin/realms/shop/client-registration-policy/providers", 200, `"oidc-audience-mapper"`},
	} {
		if status, body, _ := ask("root", "GET", c.path, ""); status != c.status || !strings.Contains(body, c.part) {
			t.Errorf("%s: %d %s", c.path, status, body)
		}
	}
	for _, c := range []struct {
		provider, config string
		status           int
		part             string
	}{
		{"max-clients", `{}`, 400, `{"errorMessage":"'Max Clients Per Realm' is required"}`},
		{"max-clients", `{"max-clients":["1.5"]}`, 400, `{"errorMessage":"'Max Clients Per Realm' should be a number"}`},
		{"max-clients", `{"max-clients":["7"]}`, 201, ""},
		{"trusted-hosts", `{}`, 400, `{"errorMessage":"'Host Sending Client Registration Request Must Match' is required"}`},
		{"trusted-hosts", `{"host-sending-registration-request-must-match":["true"],"client-uris-must-match":["x"]}`, 400,
			`{"errorMessage":"'Client URIs Must Match' should be 'true' or 'false'"}`},
		{"trusted-hosts", `{"host-sending-registration-request-must-match":["false"],"client-uris-must-match":["false"]}`, 400,
			"At least one of hosts verification"},
		{"allowed-client-templates", `{"allowed-client-scopes":["nix","email"]}`, 400,
			`{"errorMessage":"Client scopes not allowed: [nix, email]"}`},
		{"consent-required", `{}`, 201, ""},
		{"nonsense", `{}`, 400, `{"error":"Invalid provider type or no such provider"}`},
	} {
		text := `{"name":"p","subType":"anonymous","providerType":"` + realms.TypeRegistrationPolicy + `","providerId":"` + c.provider +
			`","config":` + c.config + `}`
		if status, body, _ := ask("root", "POST", all, text); status != c.status || !strings.Contains(body, c.part) {
			t.Errorf("%s: %d %s", text, status, body)
		}
	}
}

// TestClientPolicies: they are kept, and none can be switched on.
// Keycloak: ClientPoliciesResource, ClientProfilesResource, ClientPoliciesUtil.
func TestClientPolicies(t *testing.T) {
	_, ask := whole(t)
	if _, body, _ := ask("root", "GET", "/admin/realms/shop/client-policies/policies?include-global-policies=true",
		""); body != `{"policies":[],"globalPolicies":[]}` {
		t.Errorf("global policies: %s", body)
	}
	const policies, profiles = "/admin/realms/shop/client-policies/policies", "/admin/realms/shop/client-policies/profiles"
	for _, c := range []struct {
		path, body string
		status     int
		want       string // of the answer, or of what is stored then
	}{
		{profiles, `{"profiles":[]}`, 204, `{"profiles":[]}`},
		{profiles, `{"profiles":[{"name":"a","executors":[{"executor":"pkce-enforcer","configuration":{"auto-configure":true}}]}]}`, 204,
			`{"profiles":[{"name":"a","executors":[{"executor":"pkce-enforcer","configuration":{"auto-configure":true}}]}]}`},
		{profiles, `{"profiles":[{"name":"a"},{"name":"a"}]}`, 400, `{"errorMessage":"proposed client profile name duplicated."}`},
		{profiles, `{"profiles":[{}]}`, 400, `{"errorMessage":"client profile without its name not allowed."}`},
		{profiles, `{"profiles":[{"name":"fapi-1-baseline"}]}`, 400,
			`{"errorMessage":"Proposed profile name 'fapi-1-baseline' is duplicated as a global profile"}`},
		{profiles, `{"profiles":[{"name":"b","executors":[{"executor":"nope"}]}]}`, 400,
			`{"errorMessage":"proposed client profile contains the executor`},
		{profiles, `{"profiles":[],"globalProfiles":[{"name":"z"}]}`, 400, `{"errorMessage":"Global profiles cannot be updated"}`},
		{policies, `{}`, 204, `{"policies":[]}`},
		{policies, `{"policies":[{"name":"p","profiles":["a"]}]}`, 204,
			`{"policies":[{"name":"p","enabled":false,"conditions":[],"profiles":["a"]}]}`},
		{policies, `{"policies":[{"name":"p","profiles":["nope"]}]}`, 400, `{"errorMessage":"Policy p contains invalid profile nope"}`},
		{policies, `{"policies":[{"name":"p","conditions":[{}]}]}`, 400, `{"errorMessage":"Policy p contains invalid condition null"}`},
		{policies, `{"policies":[{"name":"p"},{"name":"p"}]}`, 400, `{"errorMessage":"proposed client policy name duplicated"}`},
		{policies, `{"policies":[{}]}`, 400, `{"errorMessage":"client policy without name not allowed"}`},
		{policies, `{"policies":[{"name":"p","enabled":true}]}`, 400, `{"errorMessage":"Policy p cannot be enabled`},
		{policies, `{"policies":[{"name":"q","profiles":["fapi-1-baseline"],"conditions":[{"condition":"any-client","configuration":{}}]}]}`, 204,
			`{"policies":[{"name":"q","enabled":false,"conditions":[{"condition":"any-client","configuration":{}}],"profiles":["fapi-1-baseline"]}]}`},
	} {
		status, body, _ := ask("root", "PUT", c.path, c.body)
		if status == 204 {
			_, body, _ = ask("root", "GET", c.path, "")
		}
		if status != c.status || !strings.HasPrefix(body, c.want) {
			t.Errorf("%s %s: %d %s", c.path, c.body, status, body)
		}
	}
}
