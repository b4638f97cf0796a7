package attacks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// textDoors are requests with a place TEXT for what no database keeps. as is
// who asks: "admin", "kim" (an account token), "app" (by Basic) or nobody.
var textDoors = []struct{ method, path, as, contentType, body string }{
	{"GET", "/realms/TEXT/.well-known/openid-configuration", "", "", ""},
	{"GET", "/realms/TEXT", "", "", ""},
	{"GET", "/realms/text/clients/TEXT/redirect", "", "", ""},
	{"GET", "/nonsense/TEXT", "", "", ""},
	{"GET", "/realms/text/nonsense?x=TEXT", "", "", ""},
	{"GET", oidcPath + "/auth?client_id=TEXT&redirect_uri=http://app.example/cb&response_type=code", "", "", ""},
	{"GET", oidcPath + "/auth?client_id=pub&redirect_uri=http://app.example/TEXT&response_type=code", "", "", ""},
	{"GET", oidcPath + "/auth?client_id=pub&redirect_uri=http://app.example/cb&response_type=code&state=TEXT", "", "", ""},
	{"GET", oidcPath + "/auth?client_id=pub&redirect_uri=http://app.example/cb&response_type=code&login_hint=TEXT", "", "", ""},
	{"GET", oidcPath + "/auth?client_id=pub&redirect_uri=http://app.example/cb&response_type=code&request_uri=urn:ietf:params:oauth:request_uri:TEXT", "", "", ""},
	{"GET", oidcPath + "/auth?client_id=pub&redirect_uri=http://app.example/cb&response_type=code&TEXT=x", "", "", ""},
	{"GET", oidcPath + "/logout?client_id=TEXT&post_logout_redirect_uri=http://app.example/cb&state=TEXT", "", "", ""},
	{"GET", oidcPath + "/login-status-iframe.html/init?client_id=TEXT&origin=TEXT", "", "", ""},
	{"GET", "/realms/text/login-actions/authenticate?client_id=TEXT&tab_id=TEXT&session_code=TEXT&execution=TEXT", "", "", ""},
	{"GET", "/realms/text/login-actions/action-token?key=TEXT", "", "", ""},
	{"POST", oidcPath + "/token", "", formType, "grant_type=password&client_id=TEXT&username=kim&password=x"},
	{"POST", oidcPath + "/token", "", formType, "grant_type=password&client_id=pub&username=TEXT&password=x"},
	{"POST", oidcPath + "/token", "", formType, "grant_type=password&client_id=pub&username=kim&password=TEXT"},
	{"POST", oidcPath + "/token", "", formType, "grant_type=password&client_id=pub&username=kim&password=kim-password&scope=TEXT"},
	{"POST", oidcPath + "/token", "", formType, "grant_type=password&client_id=pub&username=kim&password=kim-password&TEXT=x"},
	{"POST", oidcPath + "/token", "", formType,
		"grant_type=authorization_code&client_id=pub&redirect_uri=http://app.example/cb&code=a.TEXT.TEXT"},
	{"POST", oidcPath + "/token", "", formType, "grant_type=refresh_token&client_id=pub&refresh_token=TEXT"},
	{"POST", oidcPath + "/token", "app", formType, "grant_type=client_credentials&client_session_state=TEXT"},
	{"POST", oidcPath + "/token/introspect", "app", formType, "token=TEXT"},
	{"POST", oidcPath + "/revoke", "app", formType, "token=TEXT"},
	{"POST", oidcPath + "/ext/par/request", "app", formType, "response_type=code&redirect_uri=http://app.example/cb&state=TEXT"},
	{"POST", oidcPath + "/ext/par/request", "app", formType, "response_type=code&redirect_uri=http://app.example/cb&TEXT=x"},
	{"POST", oidcPath + "/auth", "", formType, "client_id=pub&redirect_uri=http://app.example/cb&response_type=code&nonce=TEXT"},
	{"POST", oidcPath + "/logout", "", formType, "client_id=pub&refresh_token=TEXT"},
	{"POST", oidcPath + "/auth/device", "", formType, "client_id=TEXT"},
	{"POST", "/realms/text/login-actions/authenticate?client_id=pub", "", formType, "username=TEXT&password=x"},
	{"GET", "/realms/text/clients-registrations/default/TEXT", "", "", ""},
	{"POST", "/realms/text/clients-registrations/default", "admin", jsonType, `{"clientId": "JSON"}`},
	{"POST", "/realms/text/clients-registrations/openid-connect", "", jsonType, `{"client_name": "JSON"}`},
	{"GET", "/realms/text/account/sessions/TEXT", "kim", jsonType, ""},
	{"DELETE", "/realms/text/account/sessions/TEXT", "kim", jsonType, ""},
	{"GET", "/realms/text/account/applications/TEXT/consent", "kim", jsonType, ""},
	{"GET", "/realms/text/account/credentials?type=TEXT", "kim", jsonType, ""},
	{"PUT", "/realms/text/account/credentials/KIMS/label", "kim", jsonType, `"JSON"`},
	{"POST", "/realms/text/account", "kim", jsonType,
		`{"username": "kim", "firstName": "JSON", "lastName": "x", "email": "kim@attacks.example"}`},
	{"GET", "/admin/realms/TEXT", "admin", "", ""},
	{"GET", "/admin/realms/text/users?search=TEXT", "admin", "", ""},
	{"GET", "/admin/realms/text/users?username=TEXT", "admin", "", ""},
	{"GET", "/admin/realms/text/users?q=TEXT:TEXT", "admin", "", ""},
	{"GET", "/admin/realms/text/users/TEXT", "admin", "", ""},
	{"GET", "/admin/realms/text/clients?clientId=TEXT", "admin", "", ""},
	{"GET", "/admin/realms/text/roles/TEXT", "admin", "", ""},
	{"GET", "/admin/realms/text/groups?search=TEXT", "admin", "", ""},
	{"GET", "/admin/realms/text/events?client=TEXT&ipAddress=TEXT", "admin", "", ""},
	{"GET", "/admin/realms/text/admin-events?resourcePath=TEXT", "admin", "", ""},
	{"DELETE", "/admin/realms/text/sessions/TEXT", "admin", "", ""},
	{"POST", "/admin/realms", "admin", jsonType, `{"realm": "other", "displayName": "JSON"}`},
	{"PUT", "/admin/realms/text", "admin", jsonType, `{"displayName": "JSON"}`},
	{"POST", "/admin/realms/text/users", "admin", jsonType, `{"username": "JSON"}`},
	{"POST", "/admin/realms/text/users", "admin", jsonType, `{"username": "lee", "attributes": {"JSON": ["JSON"]}}`},
	{"POST", "/admin/realms/text/roles", "admin", jsonType, `{"name": "r", "description": "JSON"}`},
	{"POST", "/admin/realms/text/groups", "admin", jsonType, `{"name": "JSON"}`},
	{"POST", "/admin/realms/text/clients", "admin", jsonType, `{"clientId": "c", "name": "JSON"}`},
	{"POST", "/admin/realms/text/partialImport", "admin", jsonType, `{"users": [{"username": "lee", "firstName": "JSON"}]}`},
	{"PUT", "/admin/realms/text/localization/en/TEXT", "admin", "text/plain", "x"},
}

const oidcPath = "/realms/text/protocol/openid-connect"

const textRealm = `{"realm": "text", "enabled": true, "eventsEnabled": true, "adminEventsEnabled": true, "adminEventsDetailsEnabled": true,
	"clients": [
		{"clientId": "pub", "publicClient": true, "enabled": true, "redirectUris": ["http://app.example/*"], "directAccessGrantsEnabled": true},
		{"clientId": "app", "secret": "app-secret", "enabled": true, "redirectUris": ["http://app.example/*"], "serviceAccountsEnabled": true}],
	"users": [{"username": "kim", "enabled": true, "email": "kim@attacks.example", "emailVerified": true, "firstName": "Kim", "lastName": "Text",
		"clientRoles": {"account": ["manage-account", "view-profile", "view-consent", "view-applications"]}, "credentials": [{"type": "password", "value": "kim-password"}]}]}`

// Text that PostgreSQL does not keep is refused at every door, on both engines
// alike, and never a fault of the server.
func TestTextThatCannotBeStored(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e})
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		if _, err := visitor.NewAdmin(s.URL).Post(ctx, "", json.RawMessage(textRealm)); err != nil {
			t.Fatal(err)
		}
		signs := map[string]string{"": "", "app": "Basic " + base64.StdEncoding.EncodeToString([]byte("app:app-secret"))}
		for who, p := range map[string][3]string{"admin": {"master", "admin-cli", "admin"}, "kim": {"text", "pub", "kim-password"}} {
			signs[who] = "Bearer " + access(ctx, t, s.URL, p[0], p[1], who, p[2])
		}
		for _, d := range textDoors {
			texts := map[string]string{"NUL": "a%00b", "no UTF-8": "a%ffb", "overlong": "%c0%80", "surrogate": "%ed%a0%80"}
			if strings.Contains(d.body, "JSON") {
				texts = map[string]string{"NUL": `a\u0000b`, "half a pair": `\ud800`, "no UTF-8": "a\xffb", "overlong": "\xc0\x80"}
			}
			for name, text := range texts {
				path := strings.ReplaceAll(d.path, "TEXT", text)
				body := strings.NewReplacer("TEXT", text, "JSON", text).Replace(d.body)
				if got := ask(ctx, t, d.method, s.URL+path, body, map[string]string{"Content-Type": d.contentType, "Accept": jsonType,
					"Authorization": signs[d.as]}); got != http.StatusBadRequest {
					if d.path == "/realms/text/account/credentials/KIMS/label" && got == http.StatusNotFound {
						continue // there is no such credential, which is asked first
					}
					t.Errorf("%s %s %s, %s: %d, want 400", d.method, d.path, d.body, name, got)
				}
			}
		}
		// Where text comes wrapped, it is a wrong name like any other.
		jwt := func(claims string) string {
			return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"}`)) + "." +
				base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".eA"
		}
		basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
		const nul = `a\u0000b`
		assertion := "grant_type=client_credentials&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion=" + jwt(`{"iss":"`+nul+`","sub":"`+nul+`","jti":"`+nul+`"}`)
		for name, c := range map[string]struct {
			method, path, body string
			headers            map[string]string
		}{
			"Basic":           {"POST", oidcPath + "/token/introspect", "token=x", map[string]string{"Authorization": basic("a\x00b:x")}},
			"Basic, escaped":  {"POST", oidcPath + "/token/introspect", "token=x", map[string]string{"Authorization": basic("a%00b:x")}},
			"Basic, no UTF-8": {"POST", oidcPath + "/token/introspect", "token=x", map[string]string{"Authorization": basic("a\xffb:x")}},
			"an assertion":    {"POST", oidcPath + "/token", assertion, nil},
			"an admin's token": {"GET", "/admin/realms", "", map[string]string{"Authorization": "Bearer " + jwt(`{"iss":"http://x/realms/`+nul+
				`","azp":"`+nul+`"}`)}},
			"an account's token": {"GET", "/realms/text/account", "", map[string]string{"Accept": jsonType, "Authorization": "Bearer " +
				jwt(`{"iss":"http://x/realms/`+nul+`"}`)}},
			"a token at userinfo": {"GET", oidcPath + "/userinfo", "", map[string]string{"Authorization": "Bearer " + jwt(`{"azp":"`+nul+`","sid":"`+
				nul+`","sub":"`+nul+`"}`)}},
			"a hint":           {"GET", oidcPath + "/logout?id_token_hint=" + jwt(`{"azp":"`+nul+`","sid":"`+nul+`"}`), "", nil},
			"a request object": {"GET", oidcPath + "/auth?client_id=pub&request=" + jwt(`{"client_id":"`+nul+`"}`), "", nil},
			"headers": {"GET", oidcPath + "/auth?client_id=pub&redirect_uri=http://app.example/cb&response_type=code", "",
				map[string]string{"User-Agent": "a\xffb", "Accept-Language": "\xff", "Origin": "\xff",
					"Cookie": "AUTH_SESSION_ID=\xff; KEYCLOAK_IDENTITY=\xff; KC_RESTART=\xff"}},
			"a login's headers": {"POST", oidcPath + "/token", "grant_type=password&client_id=pub&username=kim&password=kim-password",
				map[string]string{"User-Agent": "a\xffb"}},
		} {
			if c.body != "" {
				if c.headers == nil {
					c.headers = map[string]string{}
				}
				c.headers["Content-Type"] = formType
			}
			if got := ask(ctx, t, c.method, s.URL+c.path, c.body, c.headers); got >= 500 {
				t.Errorf("%s: %d", name, got)
			}
		}
		for line := range strings.SplitSeq(s.Log(), "\n") {
			if strings.Contains(line, "level=ERROR") {
				t.Errorf("a fault of the server: %s", line)
			}
		}
	})
}

// ask sends a request and returns the answer's status.
func ask(ctx context.Context, t *testing.T, method, at, body string, headers map[string]string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, at, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range headers {
		if v != "" {
			req.Header.Set(name, v)
		}
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode
}

// access is an access token by a password.
func access(ctx context.Context, t *testing.T, base, realm, client, username, password string) string {
	t.Helper()
	p := visitor.Party{Base: base, Realm: realm, ClientID: client}
	a, err := p.Post(ctx, "token", map[string][]string{"grant_type": {"password"}, "username": {username}, "password": {password}})
	if err != nil || !a.OK() {
		t.Fatalf("%s cannot log in: %+v, %v", username, a, err)
	}
	return a.Access
}
