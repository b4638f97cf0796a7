package oidc_test

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// A visitor is a browser with its cookies, secure ones too.
type visitor struct {
	t    *testing.T
	s    *site
	http *http.Client
}

func (s *site) visitor(t *testing.T) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, s, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// open asks for an address, or posts a form to it when there is one.
func (v *visitor) open(at string, form url.Values) (status int, location, page string) {
	v.t.Helper()
	if strings.HasPrefix(at, "/") {
		at = v.s.url + at
	}
	var res *http.Response
	var err error
	if form == nil {
		res, err = v.http.Get(at)
	} else {
		res, err = v.http.PostForm(at, form)
	}
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("Location"), string(b)
}

const protocol = "/realms/shop/protocol/openid-connect"

// login logs ann in to a client and returns the code; by the cookie alone
// after the first time.
func (v *visitor) login(client, redirect string) (code string) {
	v.t.Helper()
	q := url.Values{"client_id": {client}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {"openid"}}
	_, to, page := v.open(protocol+"/auth?"+q.Encode(), nil)
	if m := action.FindStringSubmatch(page); m != nil {
		_, to, _ = v.open(html.UnescapeString(m[1]), url.Values{"username": {"ann"}, "password": {"ann-pw"}})
	}
	u, err := url.Parse(to)
	if err != nil || u.Query().Get("code") == "" {
		v.t.Fatalf("no code for %s: %q", client, to)
	}
	return u.Query().Get("code")
}

var (
	confirmAction = regexp.MustCompile(`action="([^"]*logout-confirm[^"]*)"`)
	sessionCode   = regexp.MustCompile(`name="session_code" value="([^"]*)"`)
)

// confirm reads the confirmation page.
func (v *visitor) confirm(page string) (at string, form url.Values) {
	v.t.Helper()
	a, c := confirmAction.FindStringSubmatch(page), sessionCode.FindStringSubmatch(page)
	if a == nil || c == nil {
		v.t.Fatalf("no confirmation page:\n%s", page)
	}
	return html.UnescapeString(a[1]), url.Values{"session_code": {html.UnescapeString(c[1])}, "confirmLogout": {"Logout"}}
}

// told collects what clients are told of logouts.
type told struct {
	mu     sync.Mutex
	tokens []string
}

func (x *told) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tokens = append(x.tokens, r.PostFormValue("logout_token"))
}

// logoutSite has clients that are told of logouts by either channel, and one
// whose address never answers.
func logoutSite(t *testing.T) (*site, *told) {
	heard := &told{}
	back := httptest.NewServer(heard)
	t.Cleanup(back.Close)
	release := make(chan struct{})
	deaf := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() { close(release); deaf.Close() })
	return newSiteOf(t, fmt.Sprintf(`{"realm":"shop","enabled":true,"passwordPolicy":"hashAlgorithm(pbkdf2-sha256) and hashIterations(1)",
 "clients":[
  {"clientId":"app","publicClient":true,"redirectUris":["https://app.example.org/*"],"attributes":{"post.logout.redirect.uris":"https://app.example.org/bye"}},
  {"clientId":"back","publicClient":true,"redirectUris":["https://back.example.org/*"],"attributes":{"backchannel.logout.url":"%s/out","backchannel.logout.session.required":"true"}},
  {"clientId":"deaf","publicClient":true,"redirectUris":["https://deaf.example.org/*"],"attributes":{"backchannel.logout.url":"%s/out"}},
  {"clientId":"front","publicClient":true,"frontchannelLogout":true,"redirectUris":["https://front.example.org/*"],"attributes":{"frontchannel.logout.url":"https://front.example.org/out?x=1"}}],
 "users":[{"username":"ann","email":"ann@example.org","firstName":"Ann","lastName":"Lee","enabled":true,"credentials":[{"type":"password","value":"ann-pw"}]}]`, back.URL, deaf.URL)), heard
}

// Oracle: oidc/end-session. OpenID Connect RP-Initiated Logout 1.0.
func TestLogoutByIDToken(t *testing.T) {
	s, _ := logoutSite(t)
	v := s.visitor(t)
	tokens := s.token("grant_type", "authorization_code", "client_id", "app", "code", v.login("app", "https://app.example.org/cb"),
		"redirect_uri", "https://app.example.org/cb")
	tokens.want(t, "code", "OK")
	q := url.Values{"id_token_hint": {tokens.text("id_token")}, "post_logout_redirect_uri": {"https://evil.example.org/"}}
	if status, to, _ := v.open(protocol+"/logout?"+q.Encode(), nil); status != 400 || to != "" {
		t.Errorf("a foreign address: %d to %q", status, to)
	}
	q.Set("post_logout_redirect_uri", "https://app.example.org/bye")
	q.Set("state", "a b")
	if status, to, _ := v.open(protocol+"/logout?"+q.Encode(), nil); status != 302 || to != "https://app.example.org/bye?state=a+b" {
		t.Errorf("logout: %d to %q", status, to)
	}
	s.token("grant_type", "refresh_token", "client_id", "app", "refresh_token", tokens.text("refresh_token")).
		want(t, "refresh after the logout", "invalid_grant: Session not active")
}

// A confirmation counts in the browser that it was shown to, and only there:
// nobody can log others out, nor himself twice.
func TestLogoutConfirmation(t *testing.T) {
	s, _ := logoutSite(t)
	victim, attacker := s.visitor(t), s.visitor(t)
	victim.login("app", "https://app.example.org/cb")
	attacker.login("app", "https://app.example.org/cb")

	_, _, page := attacker.open(protocol+"/logout", nil)
	at, form := attacker.confirm(page)
	if status, _, _ := victim.open(at, form); status != 400 {
		t.Errorf("the victim's browser took the attacker's confirmation: %d", status)
	}
	_, _, page = victim.open(protocol+"/logout?client_id=app", nil)
	at, form = victim.confirm(page)
	form.Del("confirmLogout") // the button does not count, the code does. Keycloak: LogoutEndpoint.logoutConfirmAction
	if status, _, page := victim.open(at, form); status != 200 || !strings.Contains(page, "You are logged out") {
		t.Errorf("confirmed: %d\n%s", status, page)
	}
	if status, _, _ := victim.open(at, form); status != 400 {
		t.Errorf("confirmed twice: %d", status)
	}
	// Keycloak 26.7.3, asked: somebody who is logged out is told so, as a mistake.
	if status, _, page := s.visitor(t).open(protocol+"/logout/logout-confirm", nil); status != 400 ||
		!strings.Contains(page, "You are logged out") {
		t.Errorf("a confirmation out of nowhere: %d\n%s", status, page)
	}
}

// OpenID Connect Back-Channel Logout 1.0, 2.4. Keycloak: TokenManager.initLogoutToken.
func TestClientsAreToldOfLogouts(t *testing.T) {
	s, heard := logoutSite(t)
	v := s.visitor(t)
	for _, client := range []string{"front", "back", "deaf"} {
		v.login(client, "https://"+client+".example.org/cb")
	}
	_, _, page := v.open(protocol+"/logout", nil)
	at, form := v.confirm(page)
	began := time.Now()
	status, _, page := v.open(at, form)
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("a client that does not answer kept the logout for %v", took)
	}
	if status != 200 || !strings.Contains(page, `src="https://front.example.org/out?x=1&amp;sid=`) {
		t.Errorf("no frame for the front-channel client: %d\n%s", status, page)
	}
	heard.mu.Lock()
	defer heard.mu.Unlock()
	if len(heard.tokens) != 1 {
		t.Fatalf("%d logout tokens", len(heard.tokens))
	}
	c := claimsOf(t, heard.tokens[0])
	if c["aud"] != "back" || c["typ"] != "Logout" || c["sid"] == nil || c["sub"] == nil || c["iss"] != s.url+"/realms/shop" ||
		c["nonce"] != nil {
		t.Errorf("logout token %v", c)
	}
	if events, _ := c["events"].(map[string]any); events["http://schemas.openid.net/event/backchannel-logout"] == nil {
		t.Errorf("events %v", c["events"])
	}
	if c["exp"].(float64)-c["iat"].(float64) != 120 {
		t.Errorf("lives from %v to %v", c["iat"], c["exp"])
	}
}

// Keycloak: ResourceAdminManager.logoutClientSessions, OAuth2GrantTypeBase.updateClientSession.
func TestAdaptersAreToldOfTheirSessions(t *testing.T) {
	heard := make(chan string, 4)
	client := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		heard <- r.URL.Path + " " + r.Header.Get("Content-Type") + " " + string(body)
	}))
	t.Cleanup(client.Close)
	s := newSiteOf(t, fmt.Sprintf(`{"realm":"shop","enabled":true,"passwordPolicy":"hashAlgorithm(pbkdf2-sha256) and hashIterations(1)",
 "clients":[
  {"clientId":"app","publicClient":true,"redirectUris":["https://app.example.org/*"],"adminUrl":"%[1]s/x/"},
  {"clientId":"mute","publicClient":true,"redirectUris":["https://mute.example.org/*"],"adminUrl":"%[1]s/mute"}],
 "users":[{"username":"ann","id":"ann","email":"ann@example.org","firstName":"Ann","lastName":"Lee","enabled":true,"credentials":[{"type":"password","value":"ann-pw"}]}]`, client.URL))
	v := s.visitor(t)
	tokens := s.token("grant_type", "authorization_code", "client_id", "app", "code", v.login("app", "https://app.example.org/cb"),
		"redirect_uri", "https://app.example.org/cb",
		"client_session_state", "first")
	tokens.want(t, "code", "OK")
	s.token("grant_type", "authorization_code", "client_id", "mute", "code", v.login("mute", "https://mute.example.org/cb"), "redirect_uri",
		"https://mute.example.org/cb").want(t, "code", "OK")
	s.token("grant_type", "refresh_token", "client_id", "app", "refresh_token", tokens.text("refresh_token"), "client_session_state",
		"second").want(t, "refresh", "OK")
	s.admin(http.MethodPost, "/users/ann/logout", "").want(t, "logout", "No Content")
	var got string
	select {
	case got = <-heard:
	case <-time.After(20 * time.Second):
		t.Fatal("the adapter heard nothing")
	}
	kind, token, _ := strings.Cut(strings.TrimPrefix(got, "/x/k_logout "), " ")
	if !strings.HasPrefix(got, "/x/k_logout ") || kind != "text/plain" {
		t.Fatalf("heard %q", got)
	}
	said := claimsOf(t, token)
	sid := claimsOf(t, tokens.text("access_token"))["sid"]
	if fmt.Sprint(said["action"], said["resource"], said["adapterSessionIds"], said["keycloakSessionIds"],
		said["notBefore"]) != fmt.Sprint("LOGOUT", "app", []any{"second"}, []any{sid}, 0) {
		t.Errorf("the adapter heard %v", said)
	}
	select {
	case more := <-heard:
		t.Errorf("and then %q", more)
	default:
	}
}

// Logging out a whole realm tells the admin URLs of clients that are on, and
// sends no logout tokens: the sessions are gone before anybody is told.
// Keycloak: RealmAdminResource.logoutAll, ResourceAdminManager.logoutClient
func TestLogoutOfTheRealmTellsAdminURLs(t *testing.T) {
	var mu sync.Mutex
	var heard []string
	client := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, r.URL.Path)
	}))
	t.Cleanup(client.Close)
	s := newSiteOf(t, fmt.Sprintf(`{"realm":"shop","enabled":true,"passwordPolicy":"hashAlgorithm(pbkdf2-sha256) and hashIterations(1)",
 "clients":[
  {"clientId":"app","publicClient":true,"redirectUris":["https://app.example.org/*"],"adminUrl":"%[1]s/on","attributes":{"backchannel.logout.url":"%[1]s/out"}},
  {"clientId":"off","enabled":false,"adminUrl":"%[1]s/off"}],
 "users":[{"username":"ann","email":"ann@example.org","firstName":"Ann","lastName":"Lee","enabled":true,"credentials":[{"type":"password","value":"ann-pw"}]}]`, client.URL))
	tokens := s.token("grant_type", "authorization_code", "client_id", "app", "code", s.visitor(t).login("app", "https://app.example.org/cb"),
		"redirect_uri", "https://app.example.org/cb")
	tokens.want(t, "code", "OK")
	if a := s.admin(http.MethodPost, "/logout-all", ""); a.status != 200 || a.raw != fmt.Sprintf(`{"successRequests":["%s/on"]}`, client.URL) {
		t.Errorf("%d %s", a.status, a.raw)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(heard) != 1 || heard[0] != "/on/k_logout" {
		t.Errorf("called: %q", heard)
	}
	if a := s.token("grant_type", "refresh_token", "client_id", "app", "refresh_token",
		tokens.text("refresh_token")); a.text("error") != "invalid_grant" {
		t.Errorf("refresh afterwards: %d %s", a.status, a.raw)
	}
}

// Keycloak: LogoutEndpoint, OIDCAdvancedConfigWrapper.isLogoutConfirmationEnabled.
func TestWhereLogoutsLead(t *testing.T) {
	s, _ := logoutSite(t)
	const bye = protocol + "/logout?post_logout_redirect_uri=https://app.example.org/bye&client_id=app"
	v := s.visitor(t)
	if status, to, _ := v.open(bye+"&id_token_hint=", nil); status != 302 || to != "https://app.example.org/bye" {
		t.Errorf("an empty hint is none: %d to %q", status, to)
	}
	if status, _, page := v.open(protocol+"/logout?id_token_hint=", nil); status != 200 || !strings.Contains(page, "logout-confirm") {
		t.Errorf("an empty hint alone: %d\n%s", status, page)
	}
	var list []struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(s.admin("GET", "/clients?clientId=app", "").raw), &list); err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	s.admin("PUT", "/clients/"+list[0].ID,
		`{"attributes":{"post.logout.redirect.uris":"https://app.example.org/bye","logout.confirmation.enabled":"true"}}`)
	if status, _, page := v.open(bye, nil); status != 200 || !strings.Contains(page, "You are logged out") {
		t.Errorf("a client that wants it said: %d\n%s", status, page)
	}
	got := s.token("grant_type", "authorization_code", "client_id", "app", "code", v.login("app", "https://app.example.org/cb"),
		"redirect_uri", "https://app.example.org/cb")
	got.want(t, "code", "OK")
	s.admin("PUT", "", `{"enabled":false}`)
	if a := s.post("/logout", "client_id", "app", "refresh_token", got.text("refresh_token")); a.status != 204 {
		t.Errorf("a logout in a realm that is switched off: %d", a.status)
	}
}
