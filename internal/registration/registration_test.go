package registration_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"

	"latchkey/internal/bearer"
	"latchkey/internal/clientauth"
	"latchkey/internal/clients"
	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/keys"
	"latchkey/internal/realms"
	"latchkey/internal/registration"
	"latchkey/internal/rep"
	"latchkey/internal/roles"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

const issuer = "http://example.com/realms/shop"

type house struct {
	*testing.T
	cache   *realms.Cache
	clients *clients.Service
	mux     *http.ServeMux
}

func build(t *testing.T, db *store.DB) *house {
	t.Helper()
	cache := realms.NewCache(db)
	maker := keys.NewMaker(db.Now)
	manager := realms.NewManager(cache, db.Now, realms.Rules{NewKey: maker.Fill})
	if _, err := manager.Create(t.Context(), &rep.Realm{Realm: "shop", Enabled: new(true)}); err != nil {
		t.Fatal(err)
	}
	return node(t, db, cache, maker)
}

func node(t *testing.T, db *store.DB, cache *realms.Cache, maker *keys.Maker) *house {
	t.Helper()
	hostname, err := web.NewHostname(web.HostnameOptions{})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	live := sessions.New(db, nil)
	issuer := &tokens.Issuer{Keys: &keys.Service{Cache: cache, Maker: maker, Log: log}, Roles: roles.New(db), Now: db.Now}
	h := &house{t, cache, clients.New(cache, issuer, live), http.NewServeMux()}
	(&registration.Handler{
		Realms: cache, Clients: h.clients, ClientAuth: clientauth.New(live, db.Now), Judge: &bearer.Service{Sessions: live, Roles: roles.New(db),
			Issuer: issuer, Now: db.Now}, Roles: roles.New(db), Events: events.New(db, log, nil, nil), Hostname: hostname, Log: log, Now: db.Now,
		Lookup: func(context.Context, string) ([]string, error) { return []string{"192.0.2.1"}, nil },
	}).Routes(h.mux)
	return h
}

// beside is another node on the same database.
func (h *house) beside(db *store.DB) *house {
	h.Helper()
	cache := realms.NewCache(db)
	return node(h.T, db, cache, keys.NewMaker(db.Now))
}

func (h *house) realm() *realms.Realm {
	h.Helper()
	r, err := h.cache.Get(h.Context(), "shop")
	if err != nil {
		h.Fatal(err)
	}
	return r
}

func (h *house) initial(count int) string {
	h.Helper()
	a, err := h.clients.AddInitialAccess(h.Context(), h.realm(), issuer, &rep.ClientInitialAccessCreate{Count: &count, Expiration: new(60)})
	if err != nil {
		h.Fatal(err)
	}
	return a.Token
}

func (h *house) call(token, method, path, body string) (int, string) {
	r := httptest.NewRequest(method, "/realms/shop/clients-registrations/"+path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.mux.ServeHTTP(w, r)
	text, _ := io.ReadAll(w.Body)
	return w.Code, string(text)
}

func (h *house) want(token, method, path, body string, status int, part string) rep.OIDCClient {
	h.Helper()
	code, got := h.call(token, method, path, body)
	if code != status || !strings.Contains(got, part) {
		h.Errorf("%s %s %s: %d %s, want %d with %s", method, path, body, code, got, status, part)
	}
	var o rep.OIDCClient
	_ = json.Unmarshal([]byte(got), &o)
	return o
}

// Oracle: registration/initial-access. RFC 7592: the token that manages a
// client is that client's alone, and changes with every update.
func TestAClientManagesItselfWithItsToken(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := build(t, db)
		ia := h.initial(2)
		one := h.want(ia, "POST", "openid-connect", `{"client_name":"One","redirect_uris":["http://app.test/cb"]}`, 201, `"client_secret":"`)
		other := h.want(ia, "POST", "openid-connect", `{"client_name":"Other"}`, 201, "")
		at := "openid-connect/" + one.ClientID
		h.want(ia, "POST", "openid-connect", `{}`, 401, "No remaining count on initial access token")
		h.want(ia, "GET", at, "", 401, "Not initial access token allowed")
		h.want(other.RegistrationAccessToken, "GET", at, "", 401, "")
		h.want(other.RegistrationAccessToken, "PUT", at, `{"client_id":"`+one.ClientID+`"}`, 401, "")
		h.want(other.RegistrationAccessToken, "DELETE", at, "", 401, "")
		h.want(one.RegistrationAccessToken, "GET", at, "", 200, `"client_name":"One"`)
		h.want(one.RegistrationAccessToken, "PUT", at, `{"client_id":"`+other.ClientID+`"}`, 400, "Client Identifier modified")
		changed := h.want(one.RegistrationAccessToken, "PUT", at, `{"client_id":"`+one.ClientID+`","client_name":"Renamed"}`, 200,
			`"redirect_uris":["http://app.test/cb"]`)
		h.want(one.RegistrationAccessToken, "GET", at, "", 401, "")
		h.want(changed.RegistrationAccessToken, "DELETE", at, "", 204, "")
		h.want(changed.RegistrationAccessToken, "GET", at, "", 401, "")
	})
}

// Oracle: registration/anonymous.
func TestRefusals(t *testing.T) {
	h := build(t, storetest.SQLite(t))
	ia := h.initial(5)
	account, err := h.realm().ClientByName(t.Context(), "account")
	if err != nil {
		t.Fatal(err)
	}
	taken := string(account.ID)
	for _, c := range []struct{ token, method, path, body, want string }{
		{"", "POST", "openid-connect", `{"client_name":"x"}`,
			`403 Policy 'Trusted Hosts' rejected request to client-registration service. Details: Host not trusted.`},
		{"nonsense", "POST", "openid-connect", `{}`, `401 Failed decode token`},
		{"", "GET", "openid-connect/account", "", `401 Not authorized to view client. Not valid token or client credentials provided.`},
		{"", "GET", "install/account", "", `200 "resource":"account"`},
		{"", "GET", "install/broker", "", `401 Failed to authenticate client`},
		{"", "PUT", "default/account", `{"clientId":"account"}`, `401 Not authorized to update client.`},
		{"", "DELETE", "default/account", "", `401 Not authorized to update client.`},
		{ia, "POST", "openid-connect", `{"redirect_uris":["javascript:alert(1)"]}`, `400 "error":"invalid_redirect_uri"`},
		{ia, "POST", "openid-connect", `{"client_id":"chosen"}`, `400 Client Identifier included`},
		{ia, "POST", "openid-connect", `{nonsense`, `400 Cannot parse the JSON`},
		{ia, "POST", "default", `{"clientId":"account"}`, `400 Client Identifier in use`},
		{ia, "POST", "default", `{"clientId":"x","id":"` + taken + `"}`, `400 Client Identifier in use`},
		{ia, "POST", "default", `{"clientId":"x","id":"` + strings.Repeat("x", 300) + `"}`, `400 invalid_client_metadata`},
		{ia, "POST", "default",
			`{"clientId":"x","protocolMappers":[{"name":"a","protocol":"openid-connect","protocolMapper":"oidc-hardcoded-role-mapper"}]}`,
			`403 ProtocolMapper type not allowed`},
		{ia, "POST", "default", `{"clientId":"x","defaultClientScopes":["nonsense"]}`, `403 Not permitted to use specified clientScope`},
		{ia, "POST", "nonsense", `{}`, `404 Client registration provider not found`},
		{ia, "POST", "openid-connect", `{"token_endpoint_auth_method":"private_key_jwt"}`, `400 Client metadata invalid`},
	} {
		code, got := h.call(c.token, c.method, c.path, c.body)
		status, part, _ := strings.Cut(c.want, " ")
		if http.StatusText(code) == "" || status != itoa(code) || !strings.Contains(got, part) {
			t.Errorf("%s %s %s: %d %s, want %s", c.method, c.path, c.body, code, got, c.want)
		}
	}
}

func itoa(n int) string {
	return string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)})
}

// Keycloak: TrustedHostClientRegistrationPolicy, and the other policies of
// anonymous registration.
func TestTrustedHostsMayRegisterAnonymously(t *testing.T) {
	db := storetest.SQLite(t)
	h := build(t, db)
	r := h.realm()
	err := h.cache.Change(t.Context(), r.ID, func(tx *store.Tx) error {
		for _, p := range clients.Policies(r, "anonymous") {
			if p.Provider != "trusted-hosts" {
				continue
			}
			o, err := tx.Object(t.Context(), r.ID, store.KindComponent, p.ID)
			if err != nil {
				return err
			}
			o.Doc = []byte(strings.Replace(string(o.Doc), `"config":{`, `"config":{"trusted-hosts":["app.test"],`, 1))
			return tx.UpdateObject(t.Context(), r.ID, o)
		}
		return errors.New("no policy of trusted hosts")
	})
	if err != nil {
		t.Fatal(err)
	}
	h.want("", "POST", "openid-connect", `{"redirect_uris":["http://evil.test/cb"]}`, 403,
		"URI doesn't match any trusted host or trusted domain")
	made := h.want("", "POST", "openid-connect", `{"redirect_uris":["http://app.test/cb"]}`, 201, "")
	c, err := h.realm().ClientByName(t.Context(), made.ClientID)
	if err != nil {
		t.Fatal(err)
	}
	if !c.ConsentRequired || c.FullScope {
		t.Errorf("consent required %v, full scope %v: the realm's policies were not applied", c.ConsentRequired, c.FullScope)
	}
}

// An initial access token with one registration left makes one client, however
// many ask at once.
func TestTheLastRegistrationIsUsedOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := build(t, db)
		ia := h.initial(1)
		var mu sync.Mutex
		var wg sync.WaitGroup
		made := 0
		for range 8 {
			wg.Go(func() {
				code, got := h.call(ia, "POST", "openid-connect", `{}`)
				mu.Lock()
				defer mu.Unlock()
				if code == 201 {
					made++
				} else if code != 401 {
					t.Errorf("%d %s", code, got)
				}
			})
		}
		wg.Wait()
		if made != 1 {
			t.Errorf("%d clients were registered with a token for one", made)
		}
	})
}

// Of many who use one registration access token at two nodes, one changes or
// removes the client, and the token that it gets is the one that is valid then.
func TestARegistrationTokenIsUsedOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := build(t, db)
		other := h.beside(db)
		ia := h.initial(10)
		for round := range 6 {
			one := h.want(ia, "POST", "openid-connect", `{"redirect_uris":["http://app.test/cb"]}`, 201, "")
			at := "openid-connect/" + one.ClientID
			for _, node := range []*house{h, other} {
				node.want(one.RegistrationAccessToken, "GET", at, "", 200, "")
			}
			var mu sync.Mutex
			var wg sync.WaitGroup
			var won []string // what was answered
			for i := range 8 {
				node, method := []*house{h, other}[i%2], "PUT"
				if round >= 3 && i%4 == 3 {
					method = "DELETE"
				}
				wg.Go(func() {
					code, got := node.call(one.RegistrationAccessToken, method, at, `{"client_id":"`+one.ClientID+`","client_name":"`+strconv.Itoa(i)+`"}`)
					mu.Lock()
					defer mu.Unlock()
					if code == 200 || code == 204 {
						won = append(won, got)
					} else if code != 401 {
						t.Errorf("%s: %d %s", method, code, got)
					}
				})
			}
			wg.Wait()
			if len(won) != 1 {
				t.Fatalf("%d of 8 used one token", len(won))
			}
			for _, node := range []*house{h, other} {
				node.want(one.RegistrationAccessToken, "GET", at, "", 401, "")
				if won[0] == "" {
					continue
				}
				if err := node.cache.PollOnce(t.Context()); err != nil { // what it shows may lag, and what the token is worth may not
					t.Fatal(err)
				}
				var changed rep.OIDCClient
				if err := json.Unmarshal([]byte(won[0]), &changed); err != nil {
					t.Fatal(err)
				}
				node.want(changed.RegistrationAccessToken, "GET", at, "", 200, `"client_name":"`+rep.Val(changed.ClientName)+`"`)
			}
		}
	})
}

// Keycloak: OIDCClientRegistrationProvider.cors, RegistrationWebOriginsPolicy,
// ClientRegistrationTokenUtils.
func TestScriptsRegisterFromOriginsThatAreAllowed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := build(t, db)
		a, err := h.clients.AddInitialAccess(t.Context(), h.realm(), issuer, &rep.ClientInitialAccessCreate{Count: new(5),
			WebOrigins: []string{"http://app.test"}})
		if err != nil {
			t.Fatal(err)
		}
		from := func(origin, token, method, path, body string, status int, allowed string) rep.OIDCClient {
			t.Helper()
			r := httptest.NewRequest(method, "/realms/shop/clients-registrations/"+path, strings.NewReader(body))
			r.Header.Set("Origin", origin)
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			h.mux.ServeHTTP(w, r)
			if w.Code != status || w.Header().Get("Access-Control-Allow-Origin") != allowed {
				t.Errorf("%s %s from %s: %d %v %s", method, path, origin, w.Code, w.Header(), w.Body)
			}
			var o rep.OIDCClient
			_ = json.Unmarshal(w.Body.Bytes(), &o)
			return o
		}
		const app, evil = "http://app.test", "http://evil.test"
		from(evil, a.Token, "OPTIONS", "openid-connect", "", 200, evil) // a preflight does not know yet
		from(evil, a.Token, "OPTIONS", "default", "", 200, "")
		from(evil, a.Token, "POST", "openid-connect", "{}", 403, "")
		from(app, h.initial(1), "POST", "openid-connect", "{}", 403, "")
		one := from(app, a.Token, "POST", "openid-connect", "{}", 201, app)
		at := "openid-connect/" + one.ClientID
		from(app, one.RegistrationAccessToken, "GET", at, "", 200, app)
		one = from(app, one.RegistrationAccessToken, "PUT", at, `{"client_id":"`+one.ClientID+`"}`, 200, app)
		from(evil, one.RegistrationAccessToken, "DELETE", at, "", 403, "")
		from(app, one.RegistrationAccessToken, "DELETE", at, "", 204, app)
		from(app, a.Token, "POST", "default", `{"clientId":"own"}`, 201, "")
	})
}

// Keycloak: ClientRegistrationAuth, whose tokens are worth nothing while their
// client is disabled, ClientRegistrationPolicyManager.triggerBeforeView.
func TestWhoReadsAClient(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := build(t, db)
		h.want("", "GET", "default", "", 404, `{"error":"HTTP 404 Not Found"}`)
		h.want("", "POST", "default/x", "{}", 404, `{"error":"HTTP 404 Not Found"}`)
		h.want("", "POST", "install", "{}", 405, "")
		h.want("", "GET", "", "", 405, "")
		var own rep.Client
		_, text := h.call(h.initial(1), "POST", "default", `{"clientId":"own/one"}`)
		if err := json.Unmarshal([]byte(text), &own); err != nil || own.RegistrationAccessToken == nil {
			t.Fatal(text, err)
		}
		at := "openid-connect/own%2Fone"
		if o := h.want(*own.RegistrationAccessToken, "GET", at, "", 200, ""); !strings.HasSuffix(o.RegistrationClientURI,
			"/openid-connect/own/one") {
			t.Errorf("managed at %s", o.RegistrationClientURI)
		}
		if _, err := h.clients.Update(t.Context(), h.realm(), iam.ClientID(own.ID), &rep.Client{Enabled: new(false)}); err != nil {
			t.Fatal(err)
		}
		h.want(*own.RegistrationAccessToken, "GET", at, "", 401, "Not authorized to view client")
		h.want(*own.RegistrationAccessToken, "DELETE", at, "", 401, "Not authorized to update client")

		key := `{"kty":"EC","kid":"k1","use":"sig","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
		o := h.want(h.initial(1), "POST", "openid-connect", `{"jwks":{"keys":[`+key+
			`]},"scope":"","frontchannel_logout_uri":"http://app.test/out"}`, 201, `"scope":""`)
		cl, err := clients.ByClientID(t.Context(), h.realm(), o.ClientID)
		if err != nil || cl.Attr("jwt.credential.kid") != "k1" || !strings.HasPrefix(cl.Attr("jwt.credential.public.key"), "MFkw") ||
			cl.Attr("use.jwks.url") != "false" {
			t.Errorf("the client's key: %v, %v", cl.Attrs, err)
		}
		h.want(h.initial(1), "POST", "openid-connect", `{"subject_type":"pairwise","redirect_uris":["http://a.test/","http://b.test/"]}`, 400,
			"multiple host components")
	})
}

// Keycloak: DescriptionConverter.toInternal: response types decide on the flows,
// and grant types only where no response types are given.
func TestFlowsOfARegisteredClient(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := build(t, db)
		for _, c := range []struct {
			body           string
			code, implicit bool
		}{
			{`{}`, true, false},
			{`{"response_types":["none"]}`, true, false},
			{`{"response_types":["code","code id_token"],"grant_types":["authorization_code"]}`, true, true},
			{`{"response_types":["id_token"],"grant_types":["authorization_code"]}`, false, true},
			{`{"response_types":["code"],"grant_types":["implicit"]}`, true, false},
			{`{"grant_types":["implicit","password"]}`, false, true},
			{`{"grant_types":["authorization_code","refresh_token"]}`, true, false},
		} {
			made := h.want(h.initial(1), "POST", "openid-connect", c.body, 201, "")
			cl, err := h.realm().ClientByName(t.Context(), made.ClientID)
			if err != nil {
				t.Fatal(err)
			}
			if cl.StandardFlow != c.code || cl.ImplicitFlow != c.implicit {
				t.Errorf("%s: code flow %t, implicit flow %t, want %t and %t", c.body, cl.StandardFlow, cl.ImplicitFlow, c.code, c.implicit)
			}
		}
	})
}
