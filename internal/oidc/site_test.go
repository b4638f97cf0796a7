package oidc_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"latchkey/internal/server/servertest"
)

// realmFile is the realm that tests of this door run against: clients of each
// kind, and users. %s are further settings of the realm.
const realmFile = `{"realm":"shop","enabled":true,"eventsEnabled":true,"accessTokenLifespan":300,
 "passwordPolicy":"hashAlgorithm(pbkdf2-sha256) and hashIterations(1)",
 "clients":[
  {"clientId":"app","secret":"app-secret","redirectUris":["https://app.example.org/*"],"webOrigins":["https://app.example.org"],"directAccessGrantsEnabled":true,"serviceAccountsEnabled":true,"attributes":{"standard.token.exchange.enabled":"true"}},
  {"clientId":"spa","publicClient":true,"redirectUris":["https://spa.example.org/*"],"directAccessGrantsEnabled":true,"attributes":{"pkce.code.challenge.method":"S256"}},
  {"clientId":"other","secret":"other-secret","redirectUris":["https://other.example.org/*"]},
  {"clientId":"off","secret":"off-secret","enabled":false,"redirectUris":["https://off.example.org/*"]},
  {"clientId":"hmac","secret":"a-secret-that-is-long-enough-for-hs256","clientAuthenticatorType":"client-secret-jwt","serviceAccountsEnabled":true}],
 "users":[
  {"username":"ann","email":"ann@example.org","firstName":"Ann","lastName":"Lee","enabled":true,"realmRoles":["default-roles-shop"],"credentials":[{"type":"password","value":"ann-pw"}]},
  {"username":"todo","email":"t@example.org","firstName":"T","lastName":"O","enabled":true,"requiredActions":["UPDATE_PASSWORD"],"credentials":[{"type":"password","value":"todo-pw"}]},
  {"username":"plain","email":"p@example.org","firstName":"P","lastName":"L","enabled":true,"credentials":[{"type":"password","value":"plain-pw"}]}]`

// A site is an assembled server with the realm in it.
type site struct {
	t       testing.TB
	url     string
	handler http.Handler
}

func newSite(t testing.TB, settings string) *site {
	t.Helper()
	return newSiteOf(t, realmFile+settings)
}

// newSiteOf starts a server with a realm file that lacks its last brace.
func newSiteOf(t testing.TB, file string) *site {
	t.Helper()
	started := servertest.New(t, file+"}")
	return &site{t, started.URL, started.Handler}
}

// An answer is a status, headers, and a JSON body where there is one.
type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (a *answer) text(name string) string { s, _ := a.body[name].(string); return s }

// want checks status, error and error_description at once: "400 invalid_grant: why".
func (a *answer) want(t testing.TB, what, want string) {
	t.Helper()
	got := http.StatusText(a.status)
	if a.status >= 400 {
		got = strings.TrimSuffix(strings.TrimSpace(a.text("error")+": "+a.text("error_description")), ":")
	}
	if got != want {
		t.Errorf("%s: %d %s, want %s", what, a.status, got, want)
	}
}

func (s *site) do(r *http.Request) *answer {
	s.t.Helper()
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := &answer{status: res.StatusCode, header: res.Header, raw: string(b)}
	_ = json.Unmarshal(b, &a.body) // an answer without JSON has no body
	return a
}

// post sends a form to an endpoint of the protocol; "app" as first pair names
// the client, whose secret is added.
func (s *site) post(path string, pairs ...string) *answer {
	s.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequest(http.MethodPost, s.url+"/realms/shop/protocol/openid-connect"+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.do(r)
}

// admin sends a request below the realm in the admin API.
func (s *site) admin(method, path, body string) *answer {
	s.t.Helper()
	got, err := http.PostForm(s.url+"/realms/master/protocol/openid-connect/token", url.Values{"grant_type": {"password"},
		"client_id": {"admin-cli"}, "username": {"admin"}, "password": {"admin"}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer got.Body.Close()
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(got.Body).Decode(&token); err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+"/admin/realms/shop"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token.Access)
	r.Header.Set("Content-Type", "application/json")
	return s.do(r)
}

func (s *site) token(pairs ...string) *answer { s.t.Helper(); return s.post("/token", pairs...) }

// app adds the confidential client's credentials.
func app(pairs ...string) []string {
	return append(pairs, "client_id", "app", "client_secret", "app-secret")
}

// password logs ann in at the client app.
func (s *site) password(scope string) *answer {
	s.t.Helper()
	pairs := app("grant_type", "password", "username", "ann", "password", "ann-pw")
	if scope != "" {
		pairs = append(pairs, "scope", scope)
	}
	a := s.token(pairs...)
	a.want(s.t, "password grant", "OK")
	return a
}

func (s *site) userinfo(token string) *answer {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.url+"/realms/shop/protocol/openid-connect/userinfo", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return s.do(r)
}

var action = regexp.MustCompile(`action="([^"]*login-actions/authenticate[^"]*)"`)

// login is ann's browser, from the authorization endpoint to the code.
func (s *site) login(query ...string) (code string) {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasSuffix(r.URL.Host, "example.org") {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	q := url.Values{"response_type": {"code"}, "scope": {"openid"}}
	for i := 0; i+1 < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	res, err := browser.Get(s.url + "/realms/shop/protocol/openid-connect/auth?" + q.Encode())
	if err != nil {
		s.t.Fatal(err)
	}
	page, _ := io.ReadAll(res.Body)
	res.Body.Close()
	m := action.FindSubmatch(page)
	if m == nil {
		s.t.Fatalf("no login form: %s\n%s", res.Status, page)
	}
	res, err = browser.PostForm(strings.ReplaceAll(string(m[1]), "&amp;", "&"), url.Values{"username": {"ann"}, "password": {"ann-pw"}})
	if err != nil {
		s.t.Fatal(err)
	}
	res.Body.Close()
	to, err := res.Location()
	if err != nil || to.Query().Get("code") == "" {
		s.t.Fatalf("no code after the login: %s to %v", res.Status, to)
	}
	return to.Query().Get("code")
}

// claimsOf reads a token without checking it.
func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no token: %q", token)
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}
