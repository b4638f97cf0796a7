package account_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/account"
	"latchkey/internal/deliveries"
	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/keys"
	"latchkey/internal/logout"
	"latchkey/internal/pages"
	"latchkey/internal/passhash"
	"latchkey/internal/policy"
	"latchkey/internal/realms"
	"latchkey/internal/records"
	"latchkey/internal/rep"
	"latchkey/internal/roles"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
	"latchkey/internal/telemetry"
	"latchkey/internal/tokens"
	"latchkey/internal/users"
	"latchkey/internal/web"
)

// A house is the door with the rules behind it, and anna, who has two sessions
// and an offline one.
type house struct {
	*testing.T
	db     *store.DB
	realm  *realms.Realm
	events *events.Writer
	live   *sessions.Service
	caller *account.Caller // nil is nobody
	mu     sync.Mutex
	told   []string // whom the end of a session was told
	mux    *http.ServeMux
}

// told is how clients hear of the end of their part in a session: by their id.
type told struct{}

func (told) Note(c *iam.Client, _ *iam.ClientSession, _ string) []byte { return []byte(c.ID) }

func (told) Call(_ context.Context, _ *realms.Realm, _ *iam.Client, d *deliveries.Delivery) (*deliveries.Call, error) {
	return &deliveries.Call{To: string(d.Doc)}, nil
}

const realmDoc = `{"realm":"shop","enabled":true,"eventsEnabled":true,"clients":[
	{"clientId":"till","name":"The till","rootUrl":"https://till.test","baseUrl":"/home","enabled":true},
	{"clientId":"back","enabled":true},
	{"clientId":"shown","baseUrl":"https://shown.test","alwaysDisplayInConsole":true}],
	"users":[{"username":"anna","enabled":true,"email":"anna@x.test","emailVerified":true,"firstName":"Anna","lastName":"Ant",
	"credentials":[{"type":"otp","userLabel":"phone","credentialData":"{\"subType\":\"totp\"}","secretData":"{\"value\":\"x\"}"},
	{"type":"password","credentialData":"{\"algorithm\":\"a\"}","secretData":"{\"value\":\"y\"}"}]},{"username":"bob","email":"bob@x.test"}]}`

func newHouse(t *testing.T) *house {
	t.Helper()
	x := &house{T: t, db: storetest.SQLite(t), mux: http.NewServeMux()}
	ctx := t.Context()
	cache := realms.NewCache(x.db)
	m := realms.NewManager(cache, time.Now, realms.Rules{NewKey: keys.NewMaker(time.Now).Fill})
	for _, doc := range []string{`{"realm":"master","enabled":true}`, realmDoc} {
		given := new(rep.Realm)
		x.must(rep.Unmarshal([]byte(doc), given))
		_, err := m.Create(ctx, given)
		x.must(err)
	}
	var err error
	x.realm, err = cache.Get(ctx, "shop")
	x.must(err)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	x.events, x.live = events.New(x.db, log, nil, nil), sessions.New(x.db, nil)
	people := users.New(x.db, passhash.New(64<<20), policy.New(""), x.live, nil)
	anna, err := people.ByName(ctx, x.realm, "anna")
	x.must(err)
	x.caller = &account.Caller{User: anna, Token: new(tokens.Token), Session: "one", Audience: []string{"account"},
		Roles: []string{"manage-account"}, Origins: []string{"https://till.test"}}
	for _, s := range []struct {
		id, client, agent string
		offline           bool
	}{
		{"one", "till", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", false},
		{"two", "back", "curl/8.5.0", false},
		{"three", "till", "curl/8.5.0", true},
	} {
		client, err := x.realm.ClientByName(ctx, s.client)
		x.must(err)
		us := &iam.UserSession{ID: iam.SessionID(s.id), Realm: x.realm.ID, User: anna.ID, Offline: s.offline, IP: "192.0.2.1",
			Started: time.Now(), LastAccess: time.Now()}
		sessions.NoteDevice(us, s.agent)
		x.must(x.live.Login(ctx, &sessions.Login{Session: us, New: true, ClientSession: &iam.ClientSession{
			Session: us.ID, Realm: x.realm.ID, Client: client.ID, Offline: s.offline, Started: time.Now(), LastAccess: time.Now(),
		}}))
	}
	set, err := pages.New(pages.Options{ResourcesPath: "/resources"})
	x.must(err)
	host, err := web.NewHostname(web.HostnameOptions{})
	x.must(err)
	h := &account.Handler{
		Explorer: &records.Explorer{DB: x.db, Sessions: x.live, Realms: cache},
		Realms:   cache, Users: people, Roles: roles.New(x.db), Sessions: x.live, Events: x.events, Texts: set.Texts(), Hostname: host, Log: log,
		Page: http.NotFoundHandler(),
		Authenticate: func(*http.Request, *realms.Realm) (*account.Caller, error) {
			if x.caller == nil {
				return nil, nil
			}
			now := *x.caller
			now.User, err = people.Get(ctx, x.realm, anna.ID)
			return &now, err
		},
		Ender: &logout.Ender{Sessions: x.live, Notifier: logout.New(nil, deliveries.New(cache, log, telemetry.NewMetrics()),
			func(_ context.Context, _ iam.Reach, to string, _ map[string]string, _ string) (int, error) {
				x.mu.Lock()
				defer x.mu.Unlock()
				x.told = append(x.told, to)
				return http.StatusNoContent, nil
			}, func(context.Context, iam.Reach, string, string, string) error { return io.ErrClosedPipe }, log,
			map[iam.Protocol]logout.Protocol{iam.OIDC: told{}})},
	}
	h.Routes(x.mux)
	return x
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
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	x.mux.ServeHTTP(w, r)
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

// kinds are the stored events, the oldest first.
func (x *house) kinds() (list []string) {
	x.Helper()
	stored, err := x.events.List(x.Context(), x.realm, events.Filter{Max: 100})
	x.must(err)
	for _, e := range stored {
		list = append(list, string(e.Kind))
		if e.Client != "account" {
			x.Errorf("%s is an event of client %q", e.Kind, e.Client)
		}
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
		{"DELETE", "/offline-grants/three/nope", "", 404, `{"errorMessage":"Offline grant not found"}`},
		{"DELETE", "/offline-grants/three/back", "", 404, `{"errorMessage":"Offline grant not found"}`},
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
	if w := x.ask("GET", "/groups", "", "Accept: text/html"); w.Code != 404 {
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
	x.caller.Roles = []string{"view-profile"}
	for method, want := range map[string]int{"GET": 200, "DELETE": 403} {
		path := map[string]string{"GET": "/offline-grants", "DELETE": "/offline-grants/three/till"}[method]
		if w := x.ask(method, path, ""); w.Code != want {
			t.Errorf("with view-profile alone %s %s is answered %d", method, path, w.Code)
		}
	}
	x.caller.Roles = []string{"view-groups"}
	for path, want := range map[string]int{"": 403, "/sessions": 403, "/offline-grants": 403, "/credentials": 403, "/applications": 403,
		"/groups": 200, "/supportedLocales": 200, "/nonsense": 404} {
		if w := x.ask("GET", path, ""); w.Code != want {
			t.Errorf("with view-groups alone %s is answered %d", path, w.Code)
		}
	}
	x.caller.Audience = []string{"till"}
	if w := x.ask("GET", "/groups", ""); w.Code != 401 {
		t.Errorf("a token for somebody else: %d", w.Code)
	}
	x.caller = nil
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
	list, err := x.events.List(t.Context(), x.realm, events.Filter{Max: 1})
	x.must(err)
	want := map[string]string{"context": "ACCOUNT", "previous_email": "anna@x.test", "updated_email": "new@x.test",
		"previous_first_name": "Anna", "updated_first_name": "A"}
	if len(list) != 1 || list[0].Kind != "UPDATE_PROFILE" || !mapsEqual(list[0].Details, want) {
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
		if (s["id"] == "one") != (current == true) || (s["id"] == "one") != (browser == "Firefox/140.0") || len(s["clients"].([]any)) != 1 {
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
	}{{"/sessions/three", 2}, {"/sessions", 1}, {"/sessions?current=true", 0}} {
		if w := x.ask("DELETE", step.path, ""); w.Code != 204 {
			t.Fatalf("DELETE %s: %d %s", step.path, w.Code, w.Body)
		}
		if left := x.read("/sessions").([]any); len(left) != step.left {
			t.Errorf("after DELETE %s: %v", step.path, left)
		}
	}
	if left := x.read("/sessions/devices").([]any); len(left) != 0 {
		t.Errorf("left on devices: %v", left)
	}
	if len(x.told) != 3 {
		t.Errorf("%d clients are told", len(x.told))
	}
	if got := x.kinds(); !slices.Equal(got, []string{"LOGOUT", "LOGOUT", "LOGOUT"}) {
		t.Errorf("events %v", got)
	}
}

// Keycloak: AccountRestService.applications, upsert, revokeConsent; UserConsentManager.revokeConsentToClient.
func TestApplicationsAndConsents(t *testing.T) {
	x := newHouse(t)
	scope := x.realm.ScopeByName("profile")
	body := `{"grantedScopes":[{"id":"` + string(scope.ID) + `"}]}`
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
	if len(x.told) != 1 {
		t.Errorf("%d clients are told", len(x.told))
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
	list, err := x.events.List(t.Context(), x.realm, events.Filter{Max: 1})
	x.must(err)
	if list[0].Details["credential_user_label"] != "tablet" {
		t.Errorf("details %v", list[0].Details)
	}
}
