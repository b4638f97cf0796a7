package server

import (
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"latchkey/internal/otp"
)

// guarded is a realm file as Keycloak writes it, with a user who has a
// one-time code device, and clients for every way to a token.
const guarded = `{"realm":"guarded","enabled":true,"eventsEnabled":true,"resetPasswordAllowed":true,
	"clients":[
		{"clientId":"app","publicClient":true,"directAccessGrantsEnabled":true,"implicitFlowEnabled":true,"redirectUris":["http://app.test/*"]},
		{"clientId":"web","secret":"s3cret","directAccessGrantsEnabled":true,"serviceAccountsEnabled":true,"redirectUris":["http://app.test/*"]}],
	"users":[{"username":"otto","enabled":true,"email":"otto@guarded.test","firstName":"O","lastName":"T","realmRoles":["offline_access"],"credentials":[
		{"type":"password","value":"otto-pw"},
		{"type":"otp","userLabel":"phone","secretData":"{\"value\":\"abcdefghij0123456789\"}","credentialData":"{\"subType\":\"totp\",\"digits\":6,\"counter\":0,\"period\":30,\"algorithm\":\"HmacSHA1\"}"}]}]}`

func serveRealm(t *testing.T, doc string, log io.Writer) *httptest.Server {
	t.Helper()
	cfg := DevDefaults()
	cfg.LogTo, cfg.DataDir = log, t.TempDir()
	file := filepath.Join(cfg.DataDir, "realm.json")
	if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := Import(t.Context(), cfg, ImportOptions{Path: file, OnConflict: OnConflictFail, AcceptGaps: true, Env: os.LookupEnv,
		Out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Handler())
	t.Cleanup(func() { srv.Close(); _ = s.Close() })
	return srv
}

// postForm sends a form and returns the answer's JSON.
func postForm(t *testing.T, at string, form url.Values) (status int, doc map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, doc
}

// An imported user with a one-time code device gets no token, and no code, for
// the password alone, on any path.
func TestPasswordAloneIsNotEnough(t *testing.T) {
	srv := serveRealm(t, guarded, io.Discard)
	token := srv.URL + "/realms/guarded/protocol/openid-connect/token"
	clients := []url.Values{{"client_id": {"app"}}, {"client_id": {"web"}, "client_secret": {"s3cret"}}}
	for _, c := range clients {
		for _, more := range []url.Values{{}, {"scope": {"openid"}}, {"scope": {"openid offline_access"}}, {"otp": {""}}, {"totp": {"000000"}},
			{"otp": {"otto-pw"}},
			{"acr_values": {"0"}}, {"username": {"OTTO"}}, {"username": {"otto@guarded.test"}}} {
			form := url.Values{"grant_type": {"password"}, "username": {"otto"}, "password": {"otto-pw"}}
			for _, v := range []url.Values{c, more} {
				for k := range v {
					form[k] = v[k]
				}
			}
			status, doc := postForm(t, token, form)
			if status == http.StatusOK || doc["access_token"] != nil || doc["error"] != "invalid_grant" {
				t.Errorf("%v: %d %v", form, status, doc)
			}
		}
	}
	// The right code does it, once.
	c, err := otp.ParseCredential([]byte(`{"subType":"totp","digits":6,"counter":0,"period":30,"algorithm":"HmacSHA1"}`),
		[]byte(`{"value":"abcdefghij0123456789"}`))
	if err != nil {
		t.Fatal(err)
	}
	code, err := c.Code(c.Step(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"client_id": {"app"}, "grant_type": {"password"}, "username": {"otto"}, "password": {"otto-pw"}, "otp": {code}}
	if status, doc := postForm(t, token, form); status != http.StatusOK {
		t.Fatal(status, doc)
	}
	if status, doc := postForm(t, token, form); status == http.StatusOK {
		t.Fatal("the code worked twice", doc)
	}
	for _, query := range []string{"response_type=code", "response_type=token", "response_type=code%20id_token&nonce=n",
		"response_type=code&prompt=consent",
		"response_type=code&acr_values=0", "response_type=code&max_age=0", "response_type=code&kc_action=UPDATE_PASSWORD"} {
		b := &visitor{t: t, base: srv.URL, cookies: map[string]string{}}
		b.get(srv.URL + "/realms/guarded/protocol/openid-connect/auth?client_id=app&redirect_uri=http://app.test/cb&scope=openid&" + query)
		if to := b.submit(url.Values{"username": {"otto"}, "password": {"otto-pw"}}); to != "" || !strings.Contains(b.page, `name="otp"`) {
			t.Fatalf("%s: to %q, page %s", query, to, b.page)
		}
		// Neither starting over, nor another request, nor a wrong code goes past it.
		first := b.action()
		if to := b.submit(url.Values{"otp": {"000000"}}); to != "" {
			t.Fatalf("%s: %q", query, to)
		}
		for _, at := range []string{first, b.action(),
			srv.URL + "/realms/guarded/protocol/openid-connect/auth?client_id=app&redirect_uri=http://app.test/cb&" + query} {
			if to := b.get(at); to != "" {
				t.Fatalf("%s: GET %s leads to %q", query, at, to)
			}
		}
		if b.cookies["KEYCLOAK_IDENTITY"] != "" {
			t.Fatalf("%s: a session without the second factor", query)
		}
	}
}

// A step that is not built fails the login closed, with an event and a line in the log that name it.
func TestUnbuiltStepFailsClosed(t *testing.T) {
	log := new(syncBuffer)
	srv := serveRealm(t, `{"realm":"unbuilt","enabled":true,"eventsEnabled":true,
		"clients":[{"clientId":"app","publicClient":true,"directAccessGrantsEnabled":true,"redirectUris":["http://app.test/*"]}],
		"browserFlow":"strict","registrationFlow":"strict","directGrantFlow":"strict","resetCredentialsFlow":"strict","clientAuthenticationFlow":"strict","dockerAuthenticationFlow":"strict","firstBrokerLoginFlow":"strict","authenticationFlows":[{"alias":"strict","providerId":"basic-flow","topLevel":true,"builtIn":false,"authenticationExecutions":[
			{"authenticator":"auth-username-password-form","requirement":"REQUIRED","priority":10},
			{"authenticator":"auth-x509-client-username-form","requirement":"REQUIRED","priority":20}]}],
		"users":[{"username":"ann","enabled":true,"credentials":[{"type":"password","value":"ann-pw"}]}]}`, log)
	b := &visitor{t: t, base: srv.URL, cookies: map[string]string{}}
	for range 2 {
		b.get(srv.URL + "/realms/unbuilt/protocol/openid-connect/auth?client_id=app&redirect_uri=http://app.test/cb&response_type=code")
		if b.action() == "" {
			break
		}
		if to := b.submit(url.Values{"username": {"ann"}, "password": {"ann-pw"}}); to != "" {
			t.Fatalf("leads to %q", to)
		}
	}
	if b.status != http.StatusBadRequest || b.cookies["KEYCLOAK_IDENTITY"] != "" {
		t.Fatalf("%d %s", b.status, b.page)
	}
	if text := log.String(); !strings.Contains(text, "auth-x509-client-username-form") || !strings.Contains(text, "LOGIN_ERROR") {
		t.Fatalf("the log does not name the step: %s", text)
	}
}

// A visitor is a browser in a few lines: it keeps cookies and follows redirects within the server.
type visitor struct {
	t       *testing.T
	base    string
	cookies map[string]string
	page    string
	status  int
}

func (v *visitor) get(at string) string { return v.do(http.MethodGet, at, nil) }

func (v *visitor) submit(form url.Values) string { return v.do(http.MethodPost, v.action(), form) }

var actionOf = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)

func (v *visitor) action() string {
	if m := actionOf.FindStringSubmatch(v.page); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}

func (v *visitor) do(method, at string, form url.Values) (to string) {
	v.t.Helper()
	for {
		req, err := http.NewRequestWithContext(context.Background(), method, at, strings.NewReader(form.Encode()))
		if err != nil {
			v.t.Fatal(err)
		}
		if method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for n, c := range v.cookies {
			req.AddCookie(&http.Cookie{Name: n, Value: c})
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			v.t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			v.t.Fatal(err)
		}
		for _, c := range res.Cookies() {
			if v.cookies[c.Name] = c.Value; c.MaxAge < 0 {
				delete(v.cookies, c.Name)
			}
		}
		v.page, v.status = string(text), res.StatusCode
		if to = res.Header.Get("Location"); !strings.HasPrefix(to, v.base) {
			return to
		}
		method, at, form = http.MethodGet, to, nil
	}
}
