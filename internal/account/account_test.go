package account_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/internal/otp"
	"latchkey/internal/server/servertest"
	"latchkey/test/visitor"
)

// A house is the server with anna, who has two sessions and an offline one; requests come with the token of the first.
type house struct {
	*testing.T
	*servertest.Server
	admin   *visitor.Admin
	token   string // "" is nobody
	offline string // the id of the offline session
	told    atomic.Int32
}

const device = `{\"subType\":\"totp\",\"digits\":6,\"counter\":0,\"period\":30,\"algorithm\":\"HmacSHA1\"}`

// realmDoc has %s where clients are told of logouts.
const realmDoc = `{"realm":"shop","enabled":true,"sslRequired":"none","eventsEnabled":true,` + servertest.CheapHash + `,
	"attributes":{"realmReusableOtpCode":"true"},"otpPolicyCodeReusable":true,"clients":[
	{"clientId":"till","name":"The till","rootUrl":"https://till.test","baseUrl":"/home","enabled":true,"publicClient":true,
		"directAccessGrantsEnabled":true,"attributes":{"backchannel.logout.url":"%s"}},
	{"clientId":"back","enabled":true,"publicClient":true,"directAccessGrantsEnabled":true,"webOrigins":["https://till.test"],
		"attributes":{"backchannel.logout.url":"%s"}},
	{"clientId":"shown","baseUrl":"https://shown.test","alwaysDisplayInConsole":true}],
	"users":[{"username":"anna","enabled":true,"email":"anna@x.test","emailVerified":true,"firstName":"Anna","lastName":"Ant",
	"realmRoles":["default-roles-shop"],"credentials":[{"type":"otp","userLabel":"phone","credentialData":"` + device + `",
	"secretData":"{\"value\":\"abcdefghij0123456789\"}"},{"type":"password","value":"pw"}]},
	{"username":"bob","email":"bob@x.test","firstName":"B","lastName":"B","enabled":true,"credentials":[{"type":"password","value":"pw"}]},
	{"username":"viewer","email":"v@x.test","firstName":"V","lastName":"V","enabled":true,"clientRoles":{"account":["view-profile"]},
		"credentials":[{"type":"password","value":"pw"}]},
	{"username":"grouper","email":"g@x.test","firstName":"G","lastName":"G","enabled":true,"clientRoles":{"account":["view-groups"]},
		"credentials":[{"type":"password","value":"pw"}]}]}`

func newHouse(t *testing.T) *house {
	t.Helper()
	x := &house{T: t}
	clients := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { x.told.Add(1) }))
	t.Cleanup(clients.Close)
	x.Server = servertest.New(t, strings.ReplaceAll(realmDoc, "%s", clients.URL))
	x.admin = visitor.NewAdmin(x.URL)
	const firefox, curl = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "curl/8.5.0"
	x.login("till", "anna", curl, "openid")
	x.offline = x.login("till", "anna", curl, "openid offline_access").Session
	x.token = x.login("back", "anna", firefox, "openid").Access
	return x
}

// login is a login by the password grant.
func (x *house) login(client, user, agent, scope string) (granted visitor.Answer) {
	x.Helper()
	code := ""
	if user == "anna" {
		c, err := otp.ParseCredential([]byte(strings.ReplaceAll(device, `\`, "")), []byte(`{"value":"abcdefghij0123456789"}`))
		x.must(err)
		code, err = c.Code(c.Step(time.Now()))
		x.must(err)
	}
	form := url.Values{"grant_type": {"password"}, "client_id": {client}, "username": {user}, "password": {"pw"}, "otp": {code},
		"scope": {scope}}
	r := httptest.NewRequest("POST", "http://id.test/realms/shop/protocol/openid-connect/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", agent)
	w := httptest.NewRecorder()
	x.Handler.ServeHTTP(w, r)
	x.must(json.Unmarshal(w.Body.Bytes(), &granted))
	if w.Code != http.StatusOK {
		x.Fatalf("%s at %s: %d %s", user, client, w.Code, w.Body)
	}
	return granted
}

func (x *house) must(err error) {
	x.Helper()
	if err != nil {
		x.Fatal(err)
	}
}

// ask sends a request; headers are "Name: value".
func (x *house) ask(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	x.Helper()
	r := httptest.NewRequest(method, "http://id.test/realms/shop/account"+path, strings.NewReader(body))
	r.Header.Set("Accept", "application/json")
	if x.token != "" {
		r.Header.Set("Authorization", "Bearer "+x.token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	x.Handler.ServeHTTP(w, r)
	return w
}

// read is ask for an answer of 200, as JSON.
func (x *house) read(path string) (out any) {
	x.Helper()
	w := x.ask("GET", path, "")
	if w.Code != http.StatusOK {
		x.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	x.must(json.Unmarshal(w.Body.Bytes(), &out))
	return out
}

// An event is one that the admin API lists.
type event struct {
	Type    string
	Details map[string]string
}

// events are those of the account, the latest first.
func (x *house) events() (list []event) {
	x.Helper()
	x.must(x.admin.Get(x.Context(), "/shop/events?client=account&max=100", &list))
	return list
}

// kinds are the stored events, the oldest first.
func (x *house) kinds() (list []string) {
	x.Helper()
	for _, e := range x.events() {
		list = append(list, e.Type)
	}
	slices.Reverse(list)
	return list
}

// Statuses and words are those that Keycloak 26.7.3 answered (Keycloak: AccountLoader, AccountRestService).
func TestRefusals(t *testing.T) {
	x := newHouse(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/nonsense", "", 404, `{"error":"HTTP 404 Not Found"}`},
		{"PUT", "", "{}", 404, `{"error":"HTTP 404 Not Found"}`},
		{"PATCH", "", "{}", 405, `{"error":"HTTP 405 Method Not Allowed"}`},
		{"POST", "/credentials/x/moveToFirst", "", 405, `{"error":"HTTP 405 Method Not Allowed"}`},
		{"GET", "/v1alpha1/groups", "", 200, `[]`},
		{"GET", "/v9/groups", "", 404, `{"error":"API version not found"}`},
		{"GET", "/resources", "", 403, `{"errorMessage":"User-managed access not enabled"}`},
		{"GET", "/supportedLocales", "", 200, `[]`},
		{"GET", "/linked-accounts", "", 200, `[]`},
		{"DELETE", "/linked-accounts/hub", "", 400, `{"errorMessage":"identityProviderNotFoundMessage"}`},
		{"GET", "/applications/nope/consent", "", 404, `{"errorMessage":"No client with clientId: nope found."}`},
		{"GET", "/applications/till/consent", "", 204, ``},
		{"DELETE", "/credentials/nope", "", 404, `{"error":"Credential not found"}`},
		{"DELETE", "/sessions/nope", "", 204, ``},
		{"DELETE", "/offline-grants/" + x.offline + "/nope", "", 404, `{"errorMessage":"Offline grant not found"}`},
		{"DELETE", "/offline-grants/" + x.offline + "/back", "", 404, `{"errorMessage":"Offline grant not found"}`},
		{"DELETE", "/offline-grants/one/till", "", 404, `{"errorMessage":"Offline grant not found"}`},
		{"PUT", "/offline-grants", "{}", 405, `{"error":"HTTP 405 Method Not Allowed"}`},
		{"POST", "", `[1]`, 400, `{"error":"unknown_error","error_description":"Cannot parse the JSON"}`},
		{"POST", "", `{"bogus":1}`, 400,
			`{"error":"Invalid json representation for UserRepresentation. Unrecognized field \"bogus\" at line 1 column 11."}`},
		{"POST", "", `{"username":"anna"}`, 400,
			`{"errors":[{"field":"firstName","errorMessage":"error-user-attribute-required","params":["${firstName}"]},` +
				`{"field":"lastName","errorMessage":"error-user-attribute-required","params":["${lastName}"]},{"field":"email","errorMessage":"error-user-attribute-required","params":["${email}"]}]}`},
		{"POST", "", `{"username":"anna","email":"","firstName":"a","lastName":"b"}`, 400,
			`{"errors":[{"field":"email","errorMessage":"missingEmailMessage","params":["${email}"]},` +
				`{"field":"email","errorMessage":"error-user-attribute-required","params":["${email}"]}]}`},
		{"POST", "", `{"username":"other","email":"u@x.test","firstName":"a","lastName":"b"}`, 400,
			`{"errors":[{"field":"username","errorMessage":"error-user-attribute-read-only","params":["${username}"]},` +
				`{"field":"username","errorMessage":"readOnlyUsernameMessage","params":["${username}"]}]}`},
		{"POST", "", `{"username":"anna","email":"nonsense","firstName":"A","lastName":"B"}`, 400,
			`{"field":"email","errorMessage":"error-invalid-email","params":["${email}","nonsense"],` +
				`"errors":[{"field":"email","errorMessage":"error-invalid-email","params":["${email}","nonsense"]}]}`},
		// Keycloak: AccountRestService.updateAccount, whose parameters are texts
		{"POST", "", `{"username":"anna","email":"bob@x.test","firstName":"a","lastName":"b"}`, 409,
			`{"field":"email","errorMessage":"emailExistsMessage","params":["${email}"],` +
				`"errors":[{"field":"email","errorMessage":"emailExistsMessage","params":["${email}"]}]}`},
		{"POST", "", `{"username":"anna","email":"u@x.test","firstName":"` + strings.Repeat("a", 256) + `","lastName":"b"}`, 400,
			`{"field":"firstName","errorMessage":"error-invalid-length-too-long","params":["${firstName}",null,"255"],` +
				`"errors":[{"field":"firstName","errorMessage":"error-invalid-length-too-long","params":["${firstName}",null,"255"]}]}`},
	} {
		w := x.ask(c.method, c.path, c.body)
		if got := w.Body.String(); w.Code != c.status || !sameErrors(got, c.want) {
			t.Errorf("%s %s %s: %d %s\nwant %d %s", c.method, c.path, c.body, w.Code, got, c.status, c.want)
		}
	}
	if w := x.ask("GET", "/groups", "", "Accept: text/html"); !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Errorf("a browser is answered %d", w.Code)
	}
	if w := x.ask("GET", "/groups", "", "Origin: https://till.test"); w.Code != 200 ||
		w.Header().Get("Access-Control-Allow-Origin") != "https://till.test" {
		t.Errorf("an allowed origin: %d %v", w.Code, w.Header())
	}
	if w := x.ask("GET", "/groups", "", "Origin: https://other.test"); w.Code != 403 || w.Body.String() != `{"error":"Invalid origin"}` {
		t.Errorf("another origin: %d %s", w.Code, w.Body)
	}
	if w := x.ask("OPTIONS", "/groups", "", "Origin: https://other.test"); w.Code != 200 ||
		!strings.Contains(w.Header().Get("Access-Control-Allow-Methods"), "DELETE") {
		t.Errorf("preflight: %d %v", w.Code, w.Header())
	}
	x.token = x.login("till", "viewer", "", "openid").Access
	for method, want := range map[string]int{"GET": 200, "DELETE": 403} {
		path := map[string]string{"GET": "/offline-grants", "DELETE": "/offline-grants/" + x.offline + "/till"}[method]
		if w := x.ask(method, path, ""); w.Code != want {
			t.Errorf("with view-profile alone %s %s is answered %d", method, path, w.Code)
		}
	}
	x.token = x.login("till", "grouper", "", "openid").Access
	for path, want := range map[string]int{"": 403, "/sessions": 403, "/offline-grants": 403, "/credentials": 403, "/applications": 403,
		"/groups": 200, "/supportedLocales": 200, "/nonsense": 404} {
		if w := x.ask("GET", path, ""); w.Code != want {
			t.Errorf("with view-groups alone %s is answered %d", path, w.Code)
		}
	}
	x.token = x.login("till", "bob", "", "openid").Access // without a role of the account
	if w := x.ask("GET", "/groups", ""); w.Code != 401 {
		t.Errorf("a token for somebody else: %d", w.Code)
	}
	x.token = ""
	if w := x.ask("GET", "/groups", ""); w.Code != 401 || w.Body.String() != `{"error":"HTTP 401 Unauthorized"}` {
		t.Errorf("nobody: %d %s", w.Code, w.Body)
	}
}

// sameErrors compares JSON, lists of errors in any order.
func sameErrors(a, b string) bool {
	if a == "" || b == "" {
		return a == b
	}
	sorted := func(text string) string {
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			return text
		}
		if m, ok := v.(map[string]any); ok {
			if list, ok := m["errors"].([]any); ok {
				slices.SortFunc(list, func(a, b any) int {
					x, _ := json.Marshal(a)
					y, _ := json.Marshal(b)
					return strings.Compare(string(x), string(y))
				})
			}
		}
		out, _ := json.Marshal(v)
		return string(out)
	}
	return sorted(a) == sorted(b)
}

// Oracle: oidc/account.
func TestProfile(t *testing.T) {
	x := newHouse(t)
	got := x.read("").(map[string]any)
	if got["email"] != "anna@x.test" || got["emailVerified"] != true || got["userProfileMetadata"] == nil || got["username"] != "anna" {
		t.Errorf("the profile is %v", got)
	}
	if got := x.read("?userProfileMetadata=false").(map[string]any); got["userProfileMetadata"] != nil {
		t.Error("metadata that was not asked for")
	}
	if w := x.ask("POST", "", `{"username":"anna","email":"new@x.test","firstName":"A","lastName":"Ant"}`); w.Code != 204 ||
		w.Header().Get("Cache-Control") != "no-cache" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if got := x.read("").(map[string]any); got["email"] != "new@x.test" || got["emailVerified"] != false || got["firstName"] != "A" {
		t.Errorf("the profile is %v", got)
	}
	list := x.events()
	want := map[string]string{"context": "ACCOUNT", "previous_email": "anna@x.test", "updated_email": "new@x.test",
		"previous_first_name": "Anna", "updated_first_name": "A"}
	if len(list) != 1 || list[0].Type != "UPDATE_PROFILE" || !mapsEqual(list[0].Details, want) {
		t.Errorf("events %+v", list)
	}
}

func mapsEqual(a, b map[string]string) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// Oracle: sessions/account-view. Keycloak: SessionResource.
func TestSessions(t *testing.T) {
	x := newHouse(t)
	list := x.read("/sessions").([]any)
	if len(list) != 2 {
		t.Fatalf("sessions %v", list)
	}
	for _, s := range list {
		s := s.(map[string]any)
		current, browser := s["current"], s["browser"]
		if (current == true) != (browser == "Firefox/140.0") || len(s["clients"].([]any)) != 1 {
			t.Errorf("session %v", s)
		}
	}
	devices := x.read("/sessions/devices").([]any)
	if len(devices) != 2 {
		t.Fatalf("devices %v", devices)
	}
	for _, d := range devices { // the offline session is on the device without the current one
		d := d.(map[string]any)
		if want := map[any]int{"Linux": 1, "Other": 2}[d["os"]]; (d["os"] == "Linux") != (d["current"] == true) ||
			len(d["sessions"].([]any)) != want {
			t.Errorf("device %v", d)
		}
	}
	for _, step := range []struct {
		path string
		left int
	}{{"/sessions/" + x.offline, 2}, {"/sessions", 1}} {
		if w := x.ask("DELETE", step.path, ""); w.Code != 204 {
			t.Fatalf("DELETE %s: %d %s", step.path, w.Code, w.Body)
		}
		if left := x.read("/sessions").([]any); len(left) != step.left {
			t.Errorf("after DELETE %s: %v", step.path, left)
		}
	}
	if left := x.read("/sessions/devices").([]any); len(left) != 1 {
		t.Errorf("left on devices: %v", left)
	}
	if w := x.ask("DELETE", "/sessions?current=true", ""); w.Code != 204 {
		t.Fatalf("the current session: %d %s", w.Code, w.Body)
	}
	if w := x.ask("GET", "/sessions", ""); w.Code != 401 {
		t.Errorf("a token of a session that is over: %d %s", w.Code, w.Body)
	}
	if n := x.told.Load(); n != 3 {
		t.Errorf("%d clients are told", n)
	}
	if got := x.kinds(); !slices.Equal(got, []string{"LOGOUT", "LOGOUT", "LOGOUT"}) {
		t.Errorf("events %v", got)
	}
}

// Keycloak: AccountRestService.applications, upsert, revokeConsent; UserConsentManager.revokeConsentToClient.
func TestApplicationsAndConsents(t *testing.T) {
	x := newHouse(t)
	scope, err := x.admin.ID(t.Context(), "/shop/client-scopes", "name", "profile")
	x.must(err)
	body := `{"grantedScopes":[{"id":"` + scope + `"}]}`
	if w := x.ask("POST", "/applications/till/consent", body); w.Code != 200 || !strings.Contains(w.Body.String(),
		`"displayText":"User profile"`) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := x.ask("PUT", "/applications/till/consent", `{"grantedScopes":[{"id":"nope"}]}`); w.Code != 400 {
		t.Fatalf("an unknown scope: %d %s", w.Code, w.Body)
	}
	if w := x.ask("PUT", "/applications/till/consent", body); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	apps := map[string]map[string]any{}
	for _, a := range x.read("/applications").([]any) {
		a := a.(map[string]any)
		apps[a["clientId"].(string)] = a
	}
	till, back, shown := apps["till"], apps["back"], apps["shown"]
	if till["inUse"] != true || till["offlineAccess"] != true || till["effectiveUrl"] != "https://till.test/home" || till["consent"] == nil {
		t.Errorf("till %v", till)
	}
	if back["inUse"] != true || back["offlineAccess"] != false || back["consent"] != nil {
		t.Errorf("back %v", back)
	}
	if shown["inUse"] != false || shown["effectiveUrl"] != "https://shown.test" {
		t.Errorf("shown %v", shown)
	}
	if found := x.read("/applications?name=TILL").([]any); len(found) != 1 {
		t.Errorf("found %v", found)
	}
	if w := x.ask("DELETE", "/applications/till/consent", ""); w.Code != 204 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := x.ask("GET", "/applications/till/consent", ""); w.Code != 204 {
		t.Errorf("after it was taken back: %d %s", w.Code, w.Body)
	}
	for _, a := range x.read("/applications").([]any) {
		if a.(map[string]any)["clientId"] == "till" {
			t.Errorf("still there: %v", a)
		}
	}
	if list := x.read("/sessions").([]any); len(list) != 2 {
		t.Errorf("the session without clients is gone: %v", list)
	}
	if got := x.kinds(); !slices.Equal(got, []string{"GRANT_CONSENT", "UPDATE_CONSENT_ERROR", "UPDATE_CONSENT", "REVOKE_GRANT"}) {
		t.Errorf("events %v", got)
	}
	if n := x.told.Load(); n != 1 {
		t.Errorf("%d clients are told", n)
	}
}

// Keycloak: AccountCredentialResource.
func TestCredentials(t *testing.T) {
	x := newHouse(t)
	ids := map[string]string{}
	for _, c := range x.read("/credentials").([]any) {
		c := c.(map[string]any)
		for _, m := range c["userCredentialMetadatas"].([]any) {
			credential := m.(map[string]any)["credential"].(map[string]any)
			ids[c["type"].(string)] = credential["id"].(string)
			if credential["secretData"] != nil {
				t.Error("a secret is shown")
			}
		}
	}
	if ids["password"] == "" || ids["otp"] == "" {
		t.Fatalf("credentials %v", ids)
	}
	if list := x.read("/credentials?type=otp&user-credentials=false").([]any); len(list) != 1 ||
		list[0].(map[string]any)["userCredentialMetadatas"] != nil {
		t.Errorf("otp alone: %v", list)
	}
	if w := x.ask("PUT", "/credentials/"+ids["otp"]+"/label", `"tablet"`); w.Code != 204 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := x.ask("PUT", "/credentials/"+ids["otp"]+"/label", `{"x":1}`); w.Code != 400 ||
		w.Body.String() != `{"errorMessage":"invalidRequestMessage"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := x.ask("DELETE", "/credentials/"+ids["password"], ""); w.Code != 400 ||
		w.Body.String() != `{"error":"Credential type cannot be removed"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := x.ask("DELETE", "/credentials/"+ids["otp"], ""); w.Code != 204 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if got := x.kinds(); !slices.Equal(got, []string{"REMOVE_TOTP", "REMOVE_CREDENTIAL"}) {
		t.Errorf("events %v", got)
	}
	list := x.events()
	if list[0].Details["credential_user_label"] != "tablet" {
		t.Errorf("details %v", list[0].Details)
	}
}
