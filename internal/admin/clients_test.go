package admin

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/clients"
	"latchkey/internal/deliveries"
	"latchkey/internal/doctor"
	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/logout"
	"latchkey/internal/passhash"
	"latchkey/internal/policy"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/roles"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
	"latchkey/internal/telemetry"
	"latchkey/internal/users"
	"latchkey/internal/web"
)

// A shop is a whole realm named shop behind the admin API. Who asks has the
// roles of realm-management that the bearer token lists, with commas.
type shop struct {
	*testing.T
	h    *Handler
	mux  http.Handler
	mu   sync.Mutex
	told []string // what clients heard of ends of sessions
}

// told is how clients hear of the end of their part in a session: the realm's address and their id.
type told struct{}

func (told) Note(c *iam.Client, _ *iam.ClientSession, issuer string) []byte {
	return []byte(issuer + " " + string(c.ID))
}

func (told) Call(_ context.Context, _ *realms.Realm, _ *iam.Client, d *deliveries.Delivery) (*deliveries.Call, error) {
	return &deliveries.Call{To: string(d.Doc)}, nil
}

func newShop(t *testing.T) *shop {
	t.Helper()
	return newShopOn(t, storetest.SQLite(t))
}

func newShopOn(t *testing.T, db *store.DB) *shop {
	t.Helper()
	cache := realms.NewCache(db)
	manager := realms.NewManager(cache, db.Now, realms.Rules{NewKey: func(context.Context, string, string,
		map[string][]string) error {
		return nil
	}})
	given := &rep.Realm{Realm: "shop", Enabled: new(true), AdminEventsEnabled: new(true), AdminEventsDetailsEnabled: new(true)}
	if _, err := manager.Create(t.Context(), given); err != nil {
		t.Fatal(err)
	}
	hostname, err := web.NewHostname(web.HostnameOptions{})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	h := &Handler{
		Realms: cache, Manager: manager, Clients: clients.New(cache, nil, sessions.New(db, nil)), Sessions: sessions.New(db, nil),
		Events: events.New(db, log, nil, nil), Hostname: hostname, Log: log,
		Users: users.New(db, passhash.New(64<<20, passhash.DefaultQueue), policy.New(""), sessions.New(db, nil), nil), Roles: roles.New(db),
	}
	h.Doctor = &doctor.Service{Cache: cache, Manager: manager, Clients: h.Clients}
	s := &shop{T: t, h: h}
	send := func(_ context.Context, _ iam.Reach, to string, _ map[string]string, _ string) (int, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.told = append(s.told, to)
		return http.StatusNoContent, nil
	}
	h.Ender = &logout.Ender{Sessions: h.Sessions, Notifier: logout.New(nil, deliveries.New(cache, log, telemetry.NewMetrics()), send,
		func(context.Context, iam.Reach, string, string, string) error { return io.ErrClosedPipe }, log,
		map[iam.Protocol]logout.Protocol{iam.OIDC: told{}})}
	h.Authenticate = func(r *http.Request) (*Caller, error) {
		home, err := cache.Get(r.Context(), "shop")
		if err != nil {
			return nil, err
		}
		admin, err := home.ClientByName(r.Context(), realms.ClientAdmin)
		if err != nil {
			return nil, err
		}
		c := &Caller{Realm: home, Client: &iam.Client{ID: "cli"}, User: &iam.User{ID: "root"}, Roles: map[iam.RoleID]struct{}{}}
		names, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		for _, role := range home.RolesOf(admin.ID) {
			if names == "all" || strings.Contains(","+names+",", ","+role.Name+",") {
				c.Roles[role.ID] = struct{}{}
			}
		}
		return c, nil
	}
	s.mux = h.Mux()
	return s
}

// call sends a request below the realm and returns its status and body, and
// after 201 the last segment of its Location in place of a body.
func (s *shop) call(who, method, path, body string) (int, string) {
	s.Helper()
	return s.callIn("shop", who, method, path, body)
}

// callIn is call below another realm, by the same administrator.
func (s *shop) callIn(realm, who, method, path, body string) (int, string) {
	s.Helper()
	r := httptest.NewRequest(method, "/admin/realms/"+realm+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+who)
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	text, _ := io.ReadAll(w.Body)
	if w.Code == http.StatusCreated {
		at := w.Header().Get("Location")
		return w.Code, at[strings.LastIndex(at, "/")+1:]
	}
	return w.Code, strings.TrimSpace(string(text))
}

// want sends a request as an administrator with all rights and demands a
// status and, unless it is "", a part of the body; it returns the body.
func (s *shop) want(method, path, body string, status int, part string) string {
	s.Helper()
	code, got := s.call("all", method, path, body)
	if code != status || !strings.Contains(got, part) {
		s.Errorf("%s %s %s: %d %s, want %d with %s", method, path, body, code, got, status, part)
	}
	return got
}

// Oracle: clients/create-defaults, clients/representation.
// Keycloak: RepresentationToModel.createClient, OIDCLoginProtocolFactory.setupClientDefaults.
func TestClientsStartAsKeycloaks(t *testing.T) {
	s := newShop(t)
	id := s.want("POST", "/clients", `{"clientId":"plain"}`, 201, "")
	s.want("GET", "/clients/"+id, "", 200, `"publicClient":false,"frontchannelLogout":false,"protocol":"openid-connect"`)
	s.want("GET", "/clients/"+id, "", 200, `"defaultClientScopes":["`)
	s.want("POST", "/clients", `{"clientId":"plain"}`, 409, `{"errorMessage":"Client plain already exists"}`)

	id = s.want("POST", "/clients", `{"clientId":"spa","protocol":"openid-connect","rootUrl":"http://x.test/"}`, 201, "")
	for _, part := range []string{
		`"publicClient":true`, `"directAccessGrantsEnabled":true`, `"redirectUris":["http://x.test/*"]`, `"webOrigins":["http://x.test"]`,
		`"adminUrl":"http://x.test/"`, `"backchannel.logout.session.required":"true"`,
	} {
		s.want("GET", "/clients/"+id, "", 200, part)
	}
	if got := s.want("GET", "/clients/"+id, "", 200, ""); strings.Contains(got, `"secret"`) {
		t.Error("a public client shows a secret")
	}

	for body, want := range map[string]string{`"bearerOnly":false`: `"publicClient":true`, `"bearerOnly":true`: `"publicClient":true`,
		`"publicClient":false`: `"publicClient":false`} {
		id := s.want("POST", "/clients", `{"protocol":"openid-connect",`+body+`}`, 201, "")
		s.want("GET", "/clients/"+id, "", 200, want)
	}

	s.want("GET", "/clients?clientId=PLA&search=true", "", 200, `"clientId":"plain"`)
	s.want("GET", "/clients?clientId=pla", "", 200, `[]`)
	s.want("GET", "/clients?q=realm_client:true", "", 400, `Attributes [realm_client] not allowed for search`)
	s.want("DELETE", "/clients/"+id, "", 204, "")
	s.want("GET", "/clients/"+id, "", 404, `{"error":"Could not find client"}`)
	s.want("GET", "/admin-events?operationTypes=DELETE", "", 200, `"resourcePath":"clients/`+id+`","representation":"{\"id\":\"`+id+
		`\",\"clientId\":\"spa\"}"`)
}

// Oracle: clients/representation. Keycloak: RepresentationToModel.updateClient.
func TestUpdateChangesWhatItNames(t *testing.T) {
	s := newShop(t)
	id := s.want("POST", "/clients",
		`{"clientId":"full","secret":"sesame","redirectUris":["http://app.test/*"],"attributes":{"custom":"thing","other":"x"},"defaultClientScopes":["profile"]}`, 201, "")
	s.want("PUT", "/clients/"+id, `{"clientId":" "}`, 400, `{"error":"invalid_input","error_description":"Client ID cannot be blank"}`)
	s.want("PUT", "/clients/"+id, `{"redirectUris":["http://app.test/*","http://app.test/*"],"webOrigins":["+","+"]}`, 204, "")
	s.want("GET", "/clients/"+id, "", 200, `"redirectUris":["http://app.test/*"],"webOrigins":["+"]`)
	s.want("PUT", "/clients/"+id, `{"description":"Changed","attributes":{"custom":"","new":"y"},"defaultClientScopes":[]}`, 204, "")
	s.want("GET", "/clients/"+id, "", 200, `"other":"x"`)
	s.want("GET", "/clients/"+id, "", 200, `"new":"y"`)
	s.want("GET", "/clients/"+id, "", 200, `"defaultClientScopes":["profile"]`)
	if got := s.want("GET", "/clients/"+id, "", 200, `"secret":"sesame"`); strings.Contains(got, "custom") {
		t.Errorf("an emptied attribute stays: %s", got)
	}
	s.want("PUT", "/clients/"+id, `{"clientId":"account"}`, 409, `{"error":"conflict","error_description":"Duplicate resource error"}`)
	s.want("PUT", "/clients/"+id, `{"publicClient":true}`, 204, "")
	s.want("GET", "/clients/"+id+"/client-secret", "", 200, `{"type":"secret"}`)
	s.want("PUT", "/clients/"+id, `{"publicClient":false}`, 204, "")
	if got := s.want("GET", "/clients/"+id+"/client-secret", "", 200, `"value":"`); strings.Contains(got, "sesame") {
		t.Error("a secret came back that was given up")
	}
}

// Oracle: clients/validation. Keycloak: DefaultClientValidationProvider.
func TestClientsAreRefusedInKeycloaksWords(t *testing.T) {
	s := newShop(t)
	for body, want := range map[string]string{
		`{"redirectUris":["javascript:alert(1)"]}`:                            "A redirect URI uses an illegal scheme",
		`{"redirectUris":["http://app.test/#fragment"]}`:                      "A redirect URI must not contain an URL fragment",
		`{"redirectUris":["http://x.test/a b"]}`:                              "A redirect URI is not a valid URI",
		`{"redirectUris":["http://"]}`:                                        "A redirect URI is not a valid URI",
		`{"rootUrl":"not a url"}`:                                             "Root URL is not a valid URL",
		`{"rootUrl":"foo:bar"}`:                                               "Root URL is not a valid URL",
		`{"baseUrl":"DATA:x"}`:                                                "Base URL uses an illegal scheme",
		`{"adminUrl":"foo bar"}`:                                              "Admin URL is not a valid URL",
		`{"protocol":"nonsense"}`:                                             "Invalid protocol: nonsense",
		`{"attributes":{"jwks.url":"nonsense","use.jwks.url":"true"}}`:        "JWKS URL is not a valid URL",
		`{"attributes":{"post.logout.redirect.uris":"javascript:x##http:a"}}`: "A post-logout redirect URI uses an illegal scheme",
		`{"attributes":{"default.acr.values":"abc"}}`: "Default ACR values need to contain values specified in the " +
			"ACR-To-Loa mapping or number levels from set realm browser flow",
		`{"attributes":{"client.session.idle.timeout":"99999999"}}`: "Client session idle timeout cannot exceed realm SSO session " +
			"idle timeout.",
	} {
		s.want("POST", "/clients", body, 400, `{"error":"invalid_input","error_description":"`+want+`"}`)
	}
	for _, body := range []string{
		`{"redirectUris":["*"]}`, `{"redirectUris":["vbscript:x"]}`, `{"redirectUris":["http://a.test/*/b"]}`, `{"baseUrl":"http://foo/#a"}`,
		`{"clientId":"has space"}`, `{"bearerOnly":true,"publicClient":true}`, `{"defaultClientScopes":["nonsense"]}`, `{"baseUrl":"/base"}`,
	} {
		s.want("POST", "/clients", body, 201, "")
	}
}

// Keycloak: ClientPermissions.canConfigure, Constants.defaultClients.
func TestClientsThatAreNotForEverybody(t *testing.T) {
	s := newShop(t)
	id := func(name string) string {
		list := s.want("GET", "/clients?clientId="+name, "", 200, "")
		_, rest, _ := strings.Cut(list, `"id":"`)
		found, _, _ := strings.Cut(rest, `"`)
		return found
	}
	s.want("PUT", "/clients/"+id(realms.ClientAdmin), `{"description":"x"}`, 403, "")
	s.want("DELETE", "/clients/"+id(realms.ClientAdmin), "", 403, "")
	s.want("DELETE", "/clients/"+id(realms.ClientAccount), "", 400,
		`{"error":"invalid_request","error_description":"Could not delete client"}`)
	own := s.want("POST", "/clients", `{"clientId":"own","secret":"sesame"}`, 201, "")
	if code, got := s.call("view-clients", "GET", "/clients/"+own, ""); code != 200 || strings.Contains(got, "sesame") ||
		!strings.Contains(got, `"manage":false`) {
		t.Errorf("a viewer sees %d %s", code, got)
	}
	for _, c := range []struct{ who, method, path string }{
		{"view-clients", "PUT", "/clients/" + own}, {"view-clients", "GET", "/clients/" + own + "/client-secret"},
		{"view-users", "GET", "/clients"}, {"view-clients", "GET", "/events"}, {"view-events", "DELETE", "/events"},
	} {
		if code, got := s.call(c.who, c.method, c.path, `{}`); code != 403 {
			t.Errorf("%s: %s %s: %d %s", c.who, c.method, c.path, code, got)
		}
	}
	// Who may list clients is told that one is missing, before anything about rights. Keycloak: ClientsResource.getClient.
	for who, want := range map[string]int{"view-clients": 404, "query-clients": 404, "view-users": 403} {
		for _, method := range []string{"PUT", "DELETE"} {
			if code, got := s.call(who, method, "/clients/missing", `{}`); code != want {
				t.Errorf("%s: %s /clients/missing: %d %s", who, method, code, got)
			}
		}
	}
	// Keycloak: ClientsResource.getClients
	if code, got := s.call("query-clients", "GET", "/clients?clientId=own", ""); code != 200 || got != "[]" {
		t.Errorf("somebody who may only query sees %d %s", code, got)
	}
}

// Oracle: clients/scopes-assign, scopes/crud, scopes/default-to-optional.
func TestClientScopes(t *testing.T) {
	s := newShop(t)
	scope := s.want("POST", "/client-scopes", `{"name":"extra","protocol":"openid-connect","nonsense":1}`, 201, "")
	s.want("POST", "/client-scopes", `{"name":"extra","protocol":"saml"}`, 409, `{"errorMessage":"Client Scope extra already exists"}`)
	s.want("POST", "/client-scopes", `{"name":"has space","protocol":"openid-connect"}`, 400,
		`{"errorMessage":"Unexpected name \"has space\" for ClientScope"}`)
	s.want("POST", "/client-scopes", `{"name":"odd","protocol":"nonsense"}`, 400, `{"errorMessage":"Unexpected protocol"}`)
	id := s.want("POST", "/clients", `{"clientId":"web"}`, 201, "")
	names := func(kind string) string { return s.want("GET", "/clients/"+id+"/"+kind+"-client-scopes", "", 200, "") }
	for range 2 {
		s.want("PUT", "/clients/"+id+"/default-client-scopes/"+scope, "", 204, "")
	}
	s.want("PUT", "/clients/"+id+"/optional-client-scopes/"+scope, "", 204, "")
	if !strings.Contains(names("default"), `"extra"`) || strings.Contains(names("optional"), `"extra"`) {
		t.Error("a default scope became optional without being taken away first")
	}
	s.want("PUT", "/clients/"+id+"/default-client-scopes/nonsense", "", 404, `{"error":"Client scope not found"}`)
	s.want("PUT", "/client-scopes/"+scope, `{"name":"renamed","protocol":"openid-connect","attributes":{"gui.order":"1"}}`, 204, "")
	s.want("GET", "/client-templates/"+scope, "", 200, `"attributes":{"gui.order":"1"}`)
	s.want("DELETE", "/client-scopes/"+scope, "", 204, "")
	if strings.Contains(names("default"), "renamed") {
		t.Error("a removed scope is still assigned")
	}
	s.want("GET", "/client-scopes/"+scope, "", 404, `{"error":"Could not find client scope"}`)
}

// Oracle: clients/protocol-mappers, scopes/mappers.
func TestProtocolMappers(t *testing.T) {
	s := newShop(t)
	id := s.want("POST", "/clients", `{"clientId":"web"}`, 201, "")
	at := "/clients/" + id + "/protocol-mappers"
	body := `{"name":"fixed","protocol":"openid-connect","protocolMapper":"oidc-hardcoded-claim-mapper","config":{"access.token.claim":"true","claim.value":""}}`
	m := s.want("POST", at+"/models", body, 201, "")
	s.want("GET", at+"/models/"+m, "", 200, `"config":{"access.token.claim":"true","introspection.token.claim":"true"}`)
	s.want("POST", at+"/models", body, 409, `{"errorMessage":"Protocol mapper exists with same name"}`)
	s.want("POST", at+"/models", `{"name":"bad","protocol":"openid-connect","protocolMapper":"nonsense"}`, 404,
		`{"error":"ProtocolMapper provider not found"}`)
	s.want("POST", at+"/add-models", `[{"name":"resolve","protocol":"openid-connect","protocolMapper":"oidc-audience-resolve-mapper"}]`,
		204, "")
	s.want("POST", at+"/add-models", "["+strings.Replace(body, "fixed", "twice", 1)+","+strings.Replace(body, "fixed", "twice", 1)+"]", 409,
		`"Protocol mapper name must be unique per protocol"`)
	s.want("GET", at+"/protocol/openid-connect", "", 200, `"config":{"access.token.claim":"true","introspection.token.claim":"true"}`)
	s.want("GET", at+"/protocol/saml", "", 200, `[]`)
	s.want("PUT", at+"/models/"+m, strings.Replace(body, "fixed", "resolve", 1), 204, "")
	s.want("GET", at+"/models/"+m, "", 200, `"name":"fixed"`)
	s.want("POST", at+"/add-models", "["+body+"]", 409, `"error_description":"Protocol mapper name must be unique per protocol"`)
	s.want("DELETE", at+"/models/"+m, "", 204, "")
	s.want("GET", at+"/models/"+m, "", 404, `{"error":"Model not found"}`)
}

// Oracle: scopes/mappers. Keycloak: ScopeMappedResource.
func TestScopeMappings(t *testing.T) {
	s := newShop(t)
	scope := s.want("POST", "/client-scopes", `{"name":"car","protocol":"openid-connect"}`, 201, "")
	at := "/client-scopes/" + scope + "/scope-mappings"
	r, err := s.h.Realms.Get(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	def := r.RoleByName("", "default-roles-shop")
	s.want("GET", at, "", 200, `{}`)
	s.want("POST", at+"/realm", `[{"id":"`+string(def.ID)+`","name":"x"}]`, 204, "")
	s.want("GET", at+"/realm", "", 200,
		`"name":"default-roles-shop","description":"${role_default-roles}","composite":true,"clientRole":false,"containerId":"`+string(r.ID)+`"`)
	s.want("GET", at+"/realm/composite", "", 200, `"offline_access"`)
	if got := s.want("GET", at+"/realm/available", "", 200, `"offline_access"`); strings.Contains(got, "default-roles") {
		t.Errorf("available is what is mapped already: %s", got)
	}
	s.want("POST", at+"/realm", `[{"id":"nonsense"}]`, 404, `{"error":"Role not found"}`)
	account, err := r.ClientByName(t.Context(), realms.ClientAccount)
	if err != nil {
		t.Fatal(err)
	}
	s.want("GET", at+"/clients/"+string(account.ID)+"/composite", "", 200, `"view-profile"`)
	// Keycloak: ClientAdapter.hasDirectScope
	s.want("GET", "/clients/"+string(account.ID)+"/scope-mappings/clients/"+string(account.ID)+"/available", "", 200, `[]`)
	s.want("POST", at+"/clients/"+string(account.ID), `[{"name":"view-profile"}]`, 204, "")
	s.want("GET", at, "", 200, `"clientMappings":{"account":{"id":"`)
	s.want("DELETE", at+"/realm", "", 204, "")
	s.want("GET", at+"/realm", "", 200, `[]`)
	s.want("GET", at+"/clients/nonsense", "", 404, `{"error":"Could not find client"}`)
}

// Oracle: clients/service-account. Keycloak: ClientManager.updateClientServiceAccount.
func TestServiceAccounts(t *testing.T) {
	s := newShop(t)
	id := s.want("POST", "/clients", `{"clientId":"Job","serviceAccountsEnabled":true}`, 201, "")
	s.want("GET", "/clients/"+id, "", 200, `"service_account"`)
	s.want("GET", "/clients/"+id+"/service-account-user", "", 200, `"username":"service-account-job"`)
	s.want("PUT", "/clients/"+id, `{"clientId":"task"}`, 204, "")
	s.want("GET", "/clients/"+id+"/service-account-user", "", 200, `"username":"service-account-task"`)
	// Keycloak: UsersResource.getUsers, GroupResource.getMembers, UserCredentialManager.updateCredential, ClientResource.getServiceAccountUser
	for path, found := range map[string]bool{"/users": false, "/users?search=service": false, "/users?username=service": true,
		"/users?enabled=true": true, "/users?q=username:service": true,
		"/users?search=username:service-account-task": true, "/roles/default-roles-shop/users": true} {
		if got := s.want("GET", path, "", 200, ""); strings.Contains(got, `"service-account-task"`) != found {
			t.Errorf("%s: %s", path, got)
		}
	}
	s.want("GET", "/users/count", "", 200, "0")
	s.want("GET", "/users/count?enabled=true", "", 200, "1")
	got := s.want("GET", "/clients/"+id+"/service-account-user", "", 200, "")
	_, rest, _ := strings.Cut(got, `"id":"`)
	user, _, _ := strings.Cut(rest, `"`)
	s.want("PUT", "/users/"+user+"/reset-password", `{"type":"password","value":"x"}`, 400, "You can not manage credentials for this user")
	s.want("PUT", "/users/"+user, `{"credentials":[{"type":"password","value":"x"}]}`, 400, "You can not manage credentials for this user")
	s.want("DELETE", "/users/"+user, "", 204, "")
	if got = s.want("GET", "/clients/"+id+"/service-account-user", "", 200, `"service-account-task"`); strings.Contains(got, user) {
		t.Errorf("a service account that was removed is there: %s", got)
	}
	s.want("PUT", "/clients/"+id, `{"serviceAccountsEnabled":false}`, 204, "")
	s.want("GET", "/clients/"+id+"/service-account-user", "", 400, `{"error":"Service account not enabled for the client 'task'"}`)
	if got := s.want("GET", "/clients/"+id, "", 200, ""); strings.Contains(got, "service_account") {
		t.Errorf("the scope of service accounts stays: %s", got)
	}
}

// Oracle: realms/events-config, events/order-and-paging, events/admin-events.
func TestEventsEndpoints(t *testing.T) {
	s := newShop(t)
	s.want("GET", "/events/config", "", 200, `"enabledEventTypes":["LOGIN","LOGIN_ERROR","REGISTER"`)
	s.want("PUT", "/events/config", `{"eventsEnabled":true,"eventsExpiration":3600,"enabledEventTypes":["LOGIN"]}`, 204, "")
	s.want("GET", "/events/config", "", 200,
		`{"eventsEnabled":true,"eventsExpiration":3600,"eventsListeners":["jboss-logging"],"enabledEventTypes":["LOGIN"],"adminEventsEnabled":true,"adminEventsDetailsEnabled":true}`)
	s.want("PUT", "/events/config", `{"eventsListeners":["nonsense"]}`, 400, `{"error":"Unknown event listener"}`)
	s.want("GET", "/admin-events", "", 200, `"operationType":"UPDATE","resourceType":"REALM","resourcePath":"events/config"`)
	s.want("GET", "/admin-events?max=0", "", 200, `[]`)
	s.want("GET", "/admin-events?operationTypes=NONSENSE", "", 400, "")
	s.want("GET", "/events?direction=sideways", "", 400, `{"error":"Invalid value for sortDirection, expected value is asc or desc"}`)
	s.want("GET", "/events?dateFrom=today", "", 400,
		`{"error":"Invalid value for 'dateFrom', expected format is yyyy-MM-dd or an Epoch timestamp"}`)
	s.want("DELETE", "/admin-events", "", 204, "")
	s.want("GET", "/admin-events", "", 200, `[]`)
}

// Oracle: clients/session-endpoints, sessions/admin-logout-all, sessions/delete-session.
func TestSessionEndpoints(t *testing.T) {
	s := newShop(t)
	id := s.want("POST", "/clients", `{"clientId":"web","publicClient":true}`, 201, "")
	r, err := s.h.Realms.Get(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	job := s.want("POST", "/clients", `{"clientId":"job","serviceAccountsEnabled":true}`, 201, "")
	_, user, _ := strings.Cut(s.want("GET", "/clients/"+job+"/service-account-user", "", 200, ""), `"id":"`)
	user = user[:36]
	begin := func(id iam.SessionID, client string) {
		now := s.h.Manager.Clock()
		us := &iam.UserSession{ID: id, Realm: r.ID, User: iam.UserID(user), IP: "10.0.0.1", Started: now, LastAccess: now}
		part := &iam.ClientSession{Session: id, Realm: r.ID, Client: iam.ClientID(client), Started: now, LastAccess: now}
		if err := s.h.Sessions.Login(t.Context(), &sessions.Login{Session: us, New: true, ClientSession: part}); err != nil {
			t.Fatal(err)
		}
		if client == job {
			if _, _, err := s.h.Sessions.GoOffline(t.Context(), r, sessions.OfflineGrant{Online: us, ClientSession: part, EndOnline: true,
				Stored: true}); err != nil {
				t.Fatal(err)
			}
		}
	}
	begin("one", id)
	begin("two", job)
	s.want("GET", "/clients/"+id+"/user-sessions", "", 200, `"username":"service-account-job","userId":"`+user+`","ipAddress":"10.0.0.1"`)
	s.want("GET", "/clients/"+id+"/user-sessions", "", 200, `"rememberMe":false,"clients":{"`+id+`":"web"},"transientUser":false`)
	s.want("GET", "/clients/"+id+"/user-sessions?first=1", "", 200, `[]`)
	// Keycloak: SessionsResource.clientSessions.
	s.want("GET", "/ui-ext/sessions/client?clientId="+id, "", 200, `"userId":"`+user+`"`)
	s.want("GET", "/ui-ext/sessions/client?type=OFFLINE&clientId="+id, "", 200, `[]`)
	s.want("GET", "/ui-ext/sessions/client?clientId=nothing", "", 404, "")
	s.want("GET", "/ui-ext/sessions?type=NONSENSE", "", 404, "")
	s.want("GET", "/clients/"+id+"/user-sessions?first=minus", "", 404, `{"error":"HTTP 404 Not Found"}`)
	s.want("GET", "/clients/"+job+"/offline-sessions", "", 200, `"id":"two"`)
	s.want("GET", "/clients/"+job+"/offline-session-count", "", 200, `{"count":1}`)
	s.want("GET", "/clients/"+job+"/session-count", "", 200, `{"count":0}`)
	s.want("GET", "/client-session-stats", "", 200, `[{"active":"0","clientId":"job","id":"`+job+
		`","offline":"1"},{"active":"1","clientId":"web","id":"`+id+`","offline":"0"}]`)
	s.want("DELETE", "/sessions/two", "", 404, `{"error":"Sesssion not found"}`)
	s.want("DELETE", "/sessions/one", "", 204, "")
	if want := "http://example.com/realms/shop " + id; len(s.told) != 1 || s.told[0] != want {
		t.Errorf("told %q of the end of a session, want %q", s.told, want)
	}
	s.want("POST", "/logout-all", "", 200, `{}`)
	s.want("GET", "/client-session-stats", "", 200, `[]`)
	s.want("GET", "/admin-events?operationTypes=ACTION", "", 200, `"resourceType":"REALM","resourcePath":"logout-all","representation":"{}"`)
	if r, err = s.h.Realms.Get(t.Context(), "shop"); err != nil || r.NotBefore.IsZero() {
		t.Errorf("logout-all leaves not-before at %v, %v", r.NotBefore, err)
	}
}

// Keycloak: ManagementPermissionReference's resources without the feature
// admin-fine-grained-authz.
func TestManagementPermissions(t *testing.T) {
	s := newShop(t)
	group := s.want("POST", "/groups", `{"name":"g"}`, 201, "")
	for path, want := range map[string]int{
		"/users-management-permissions": 501, "/roles/none/management/permissions": 501, "/roles-by-id/none/management/permissions": 501,
		"/identity-provider/instances/none/management/permissions": 501, "/groups/" + group + "/management/permissions": 501,
		"/groups/none/management/permissions": 404, "/clients/none/roles/none/management/permissions": 404,
		"/clients/none/management/permissions": 404,
	} {
		s.want("GET", path, "", want, "")
		s.want("PUT", path, `{"enabled":true}`, want, "")
	}
}

// Keycloak: ClearCacheRealmAdminProvider and its like for users, keys and lists
// of revoked certificates.
func TestClearCaches(t *testing.T) {
	s := newShop(t)
	for _, what := range []string{"clear-realm-cache", "clear-user-cache", "clear-keys-cache", "clear-crl-cache"} {
		before, err := s.h.Realms.Get(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		s.want("POST", "/"+what, "", 204, "")
		s.want("GET", "/admin-events?max=1", "", 200, `"operationType":"ACTION","resourceType":"REALM","resourcePath":"`+what+`"}`)
		if code, got := s.call("view-realm", "POST", "/"+what, ""); code != 403 {
			t.Errorf("%s by a viewer: %d %s", what, code, got)
		}
		if after, err := s.h.Realms.Get(t.Context(), "shop"); err != nil || after == before {
			t.Errorf("%s: the realm is not read again (%v)", what, err)
		}
	}
}

// Keycloak: ClientAttributeCertificateResource.
func TestCertificates(t *testing.T) {
	s := newShop(t)
	id := s.want("POST", "/clients", `{"clientId":"signer"}`, 201, "")
	at := "/clients/" + id + "/certificates/jwt.credential"
	s.want("GET", at, "", 200, `{}`)
	var made rep.Certificate
	if err := rep.Unmarshal([]byte(s.want("POST", at+"/generate", "", 200, `"privateKey":"`)), &made); err != nil {
		t.Fatal(err)
	}
	der, err := base64.StdEncoding.DecodeString(made.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	// Keycloak: KeycloakModelUtils.generateKeyPairCertificate; a realm's keys are certified for ten years.
	if cert, err := x509.ParseCertificate(der); err != nil || cert.NotAfter.Sub(cert.NotBefore) > 3*366*24*time.Hour {
		t.Errorf("a client's certificate is valid until %v (%v)", cert.NotAfter, err)
	}
	if code, got := s.call("view-clients", "GET", at, ""); code != 200 || strings.Contains(got, "privateKey") ||
		!strings.Contains(got, "certificate") {
		t.Errorf("a viewer sees %d %s", code, got)
	}
	if events := s.want("GET", "/admin-events?operationTypes=ACTION", "", 200, "certificates/jwt.credential/generate"); strings.Contains(
		events, "privateKey") {
		t.Error("an admin event shows a private key")
	}
	upload := func(format, text string) (int, string) {
		var body strings.Builder
		form := multipart.NewWriter(&body)
		_ = form.WriteField("keystoreFormat", format)
		_ = form.WriteField("file", text)
		_ = form.Close()
		r := httptest.NewRequest("POST", "/admin/realms/shop"+at+"/upload-certificate", strings.NewReader(body.String()))
		r.Header.Set("Content-Type", form.FormDataContentType())
		r.Header.Set("Authorization", "Bearer all")
		w := httptest.NewRecorder()
		s.mux.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	const key = `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
	if code, got := upload("JSON Web Key Set", key); code != 200 || !strings.Contains(got, `"kid":"k1"`) {
		t.Errorf("uploading a key set: %d %s", code, got)
	}
	if got := s.want("GET", "/clients/"+id, "", 200, `"use.jwks.string":"true"`); strings.Contains(got, "jwt.credential") {
		t.Errorf("the generated key stays beside the uploaded set: %s", got)
	}
	if code, got := upload("Certificate PEM", "nonsense"); code != 400 || !strings.Contains(got, "certificate-not-found") {
		t.Errorf("uploading nonsense: %d %s", code, got)
	}
	if code, got := upload("JKS", "x"); code != 400 {
		t.Errorf("uploading a Java keystore: %d %s", code, got)
	}
}

// Keycloak: ClientValidationUtil, SHA256PairwiseSubMapper, PartialImportRepresentation.Policy.
func TestWhatIsMissingIsRefusedOrMade(t *testing.T) {
	s := newShop(t)
	s.want("POST", "/clients", `{"clientId":""}`, 400, `{"error":"invalid_input","error_description":"Client ID cannot be blank"}`)
	id := s.want("POST", "/clients", `{"clientId":null}`, 201, "")
	s.want("GET", "/clients/"+id, "", 200, `"clientId":"`+id+`"`)
	s.want("PUT", "/clients/"+id, `{"clientId":""}`, 400, `"Client ID cannot be blank"`)
	s.want("PUT", "/clients/"+id, `{"description":"d"}`, 204, "")
	s.want("POST", "/clients", `{"clientId":"new","id":"`+id+`"}`, 409, `{"error":"conflict","error_description":"Duplicate resource error"}`)
	s.want("POST", "/clients", `{"clientId":"new","id":"`+strings.Repeat("x", 37)+`"}`, 400,
		`{"error":"invalid_input","error_description":"Client ID must not exceed 36 characters"}`)
	s.want("POST", "/clients", `{"clientId":"`+id+`"}`, 409, `{"errorMessage":"Client `+id+` already exists"}`)
	s.want("POST", "/clients", `{"clientId":"x","attributes":{"logoUri":"javascript:x","backchannel.logout.url":"nonsense"}}`, 400,
		"Logo URL uses an illegal scheme; Backchannel logout URL is not a valid URL")
	const mappers = "/protocol-mappers/models"
	s.want("POST", "/clients/"+id+mappers, `{"protocol":"openid-connect","protocolMapper":"oidc-audience-mapper"}`, 409,
		`{"error":"conflict","error_description":"Duplicate resource error"}`)
	// no protocol
	s.want("POST", "/clients/"+id+mappers, `{"name":"a","protocolMapper":"oidc-audience-mapper"}`, 409, `"Duplicate resource error"`)
	// Keycloak: PairwiseSubMapperValidator.
	const pairwise = `{"name":"sub","protocol":"openid-connect","protocolMapper":"oidc-sha256-pairwise-sub-mapper"`
	s.want("POST", "/clients/"+id+mappers, pairwise+`}`, 400, `"error":"Client redirect URIs must contain a valid host component."`)
	s.want("PUT", "/clients/"+id, `{"redirectUris":["http://a.test/*","http://b.test/*"]}`, 204, "")
	s.want("POST", "/clients/"+id+mappers, pairwise+`}`, 400,
		`"error":"Without a configured Sector Identifier URI, client redirect URIs must not contain multiple host components."`)
	s.want("POST", "/clients/"+id+mappers, pairwise+`,"config":{"sectorIdentifierUri":"nonsense"}}`, 400,
		`{"error":"Invalid Sector Identifier URI.","error_description":"Malformed Sector Identifier URI."}`)
	s.want("PUT", "/clients/"+id, `{"redirectUris":["http://a.test/*","http://a.test/cb"]}`, 204, "")
	m := s.want("POST", "/clients/"+id+mappers, pairwise+`}`, 201, "")
	s.want("PUT", "/clients/"+id, `{"redirectUris":["http://a.test/*","http://b.test/*"]}`, 400,
		`{"error":"invalid_input","error_description":"Without a configured`)
	s.want("POST", "/clients/"+id+mappers, `{"id":"`+m+`","name":"other","protocol":"openid-connect","protocolMapper":"oidc-audience-mapper"}`,
		409, "Protocol mapper exists with same name")
	s.want("GET", "/clients/"+id+mappers+"/"+m, "", 200, `"pairwiseSubAlgorithmSalt":"`)
	s.want("PUT", "/clients/"+id+mappers+"/"+m,
		`{"name":"sub","protocol":"openid-connect","protocolMapper":"oidc-sha256-pairwise-sub-mapper","config":{"pairwiseSubAlgorithmSalt":"mine"}}`, 204, "")
	s.want("GET", "/clients/"+id+mappers+"/"+m, "", 200, `"pairwiseSubAlgorithmSalt":"mine"`)
	s.want("POST", "/partialImport", `{"ifResourceExists":"NONSENSE"}`, 400, `"Cannot parse the JSON"`)
	// Keycloak: RolesPartialImport, UsersPartialImport.getName.
	s.want("POST", "/partialImport",
		`{"ifResourceExists":"OVERWRITE","roles":{"realm":[{"name":"carried"}]},"users":[{"username":"Carried"}]}`, 200,
		`"resourceName":"Carried"`)
	s.want("POST", "/partialImport", `{"ifResourceExists":"OVERWRITE","roles":{"realm":[{"name":"carried","description":"again"}]}}`, 200,
		`{"overwritten":1,"added":1,"skipped":0,`)
}

// Keycloak: ClientRegistrationPolicyResource, the ClientRegistrationPolicyFactory
// implementations' validateConfiguration, RealmAdminResource.convertClientDescription.
func TestPoliciesOfRegistrationAndDescriptionsOfClients(t *testing.T) {
	s := newShop(t)
	s.want("GET", "/client-registration-policy/providers", "", 200, `"id":"trusted-hosts"`)
	policy := func(provider, config string) string {
		return `{"name":"p","providerId":"` + provider +
			`","providerType":"org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy","subType":"anonymous","config":{` +
			config + `}}`
	}
	for _, c := range []struct {
		provider, config string
		status           int
		part             string
	}{
		{"nonsense", "", 400, `{"error":"Invalid provider type or no such provider"}`},
		{"scope", "", 201, ""},
		{"max-clients", "", 400, `{"errorMessage":"'Max Clients Per Realm' is required"}`},
		{"max-clients", `"max-clients":["x"]`, 400, `{"errorMessage":"'Max Clients Per Realm' should be a number"}`},
		{"max-clients", `"max-clients":["7"]`, 201, ""},
		{"trusted-hosts", "", 400, `{"errorMessage":"'Host Sending Client Registration Request Must Match' is required"}`},
		{"trusted-hosts", `"host-sending-registration-request-must-match":["maybe"]`, 400, `should be 'true' or 'false'`},
		{"trusted-hosts", `"host-sending-registration-request-must-match":["false"],"client-uris-must-match":["false"]`, 400,
			"At least one of hosts verification or client URIs validation must be enabled"},
		{"trusted-hosts", `"host-sending-registration-request-must-match":["false"],"client-uris-must-match":["true"]`, 201, ""},
		{"allowed-client-templates", `"allowed-client-scopes":["email","nonsense"]`, 400,
			`{"errorMessage":"Client scopes not allowed: [email, nonsense]"}`},
	} {
		s.want("POST", "/components", policy(c.provider, c.config), c.status, c.part)
	}
	const convert = "/client-description-converter"
	s.want("POST", convert, `{"clientId":"x","name":"X"}`, 200, `{"clientId":"x","name":"X"}`)
	s.want("POST", convert, `{"redirect_uris":["http://a.test/cb"],"token_endpoint_auth_method":"none"}`, 200,
		`"clientAuthenticatorType":"none"`)
	s.want("POST", convert, `{"redirect_uris":["http://a.test/cb"],"response_types":["nonsense"]}`, 400, "Client metadata invalid")
	s.want("POST", convert, `{"nonsense":1}`, 400, `{"error":"Unsupported format"}`)
}

// An address that is posted empty counts: the client is made without the defaults of logouts.
// Keycloak: OIDCLoginProtocolFactory.setupClientDefaults.
func TestAddressOfLogoutPostedEmpty(t *testing.T) {
	s := newShop(t)
	id := s.want("POST", "/clients",
		`{"clientId":"x","protocol":"openid-connect","attributes":{"backchannel.logout.url":"","access.token.lifespan":""}}`, 201, "")
	if got := s.want("GET", "/clients/"+id, "", 200, `"clientId":"x"`); strings.Contains(got, "backchannel.logout") {
		t.Errorf("made with %s", got)
	}
}

// Keycloak: ExportUtils.exportRealm, whose partial exports have the users that stand for clients.
func TestPartialExportHasServiceAccounts(t *testing.T) {
	s := newShop(t)
	s.want("POST", "/clients", `{"clientId":"worker","serviceAccountsEnabled":true}`, 201, "")
	s.want("POST", "/partial-export?exportClients=true&exportGroupsAndRoles=true", "", 200, `"username":"service-account-worker"`)
	s.want("POST", "/partial-export?exportClients=true&exportGroupsAndRoles=true", "", 200, `"realmRoles":["default-roles-shop"]`)
	if got := s.want("POST", "/partial-export?exportClients=true", "", 200, `"serviceAccountClientId":"worker"`); strings.Contains(got,
		`"realmRoles"`) {
		t.Error("roles of a service account, which nobody asked for")
	}
	if got := s.want("POST", "/partial-export?exportGroupsAndRoles=true", "", 200, ""); strings.Contains(got, "service-account-worker") {
		t.Error("a service account without its client")
	}
}
