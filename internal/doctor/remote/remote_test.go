package remote

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"latchkey/internal/doctor"
	"latchkey/internal/iam"
	"latchkey/internal/web"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A keycloak answers from a table of what is below /admin/realms/shop; what is
// not in it is 404. A number is a status.
type keycloak struct {
	answers  map[string]string
	requests []string
	issuer   string // "" follows the request's Host
}

func (k *keycloak) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.requests = append(k.requests, r.Method+" "+r.URL.RequestURI())
	if strings.HasSuffix(r.URL.Path, "/token") {
		if r.FormValue("password") != "sesame" || r.FormValue("client_id") != "admin-cli" {
			http.Error(w, `{"error":"invalid_grant","error_description":"Invalid user credentials"}`, http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"access_token":"t","expires_in":60}`)
		return
	}
	if strings.HasSuffix(r.URL.Path, "/openid-configuration") {
		is := k.issuer
		if is == "" {
			is = "http://" + r.Host + "/realms/shop"
		}
		fmt.Fprintf(w, `{"issuer":%q}`, is)
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/admin/realms/shop")
	answer, ok := k.answers[r.Method+" "+path]
	if !ok {
		answer, ok = k.answers[path]
	}
	switch {
	case r.Header.Get("Authorization") != "Bearer t":
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method == http.MethodDelete && ok: // of an assignment
		k.answers[path[:strings.LastIndex(path, "/")]] = "[]"
	case !ok:
		http.Error(w, `{"error":"HTTP 404 Not Found"}`, http.StatusNotFound)
	case answer == "403":
		http.Error(w, `{"error":"HTTP 403 Forbidden"}`, http.StatusForbidden)
	case answer == "302":
		http.Redirect(w, r, "http://elsewhere.test/", http.StatusFound)
	case strings.HasPrefix(answer, "*"): // pages without end
		fmt.Fprint(w, "["+strings.TrimSuffix(strings.Repeat(answer[1:]+",", clientPage), ",")+"]")
	default:
		fmt.Fprint(w, answer)
	}
}

// whole is a realm with a client that has two offline sessions.
func whole() *keycloak {
	start := noon.Add(-time.Hour).UnixMilli()
	return &keycloak{issuer: "https://id.example.org/realms/shop", answers: map[string]string{
		"":                                 `{"id":"r","realm":"shop","accessTokenLifespan":300,"ssoSessionIdleTimeout":1800,"ssoSessionMaxLifespan":36000,"eventsEnabled":true}`,
		"/default-default-client-scopes":   `[{"id":"s1","name":"profile"}]`,
		"/default-optional-client-scopes":  `[{"id":"s2","name":"offline_access"}]`,
		"/client-scopes":                   `[{"id":"s1","name":"profile"},{"id":"s2","name":"offline_access"},{"id":"s3","name":"own"}]`,
		"/keys":                            `{"active":{"RS256":"k"},"keys":[{"kid":"k","use":"SIG","type":"RSA","algorithm":"RS256","status":"ACTIVE"},{"kid":"h","use":"SIG","type":"OCT","algorithm":"HS512","status":"ACTIVE"}]}`,
		"/authentication/required-actions": `[{"alias":"VERIFY_EMAIL","enabled":true}]`,
		"/clients":                         `[{"id":"w","clientId":"web","standardFlowEnabled":true,"directAccessGrantsEnabled":true,"redirectUris":["https://app.example.org/cb"],"defaultClientScopes":["offline_access"]}]`,
		"/client-session-stats":            `[{"id":"w","clientId":"web","active":"0","offline":"2"}]`,
		"/clients/w/offline-sessions": fmt.Sprintf(
			`[{"id":"x","userId":"u","start":%d,"lastAccess":%d},{"id":"y","userId":"u","start":%d,"lastAccess":%d}]`, start,
			start, start, start+60_000),
		"/users/u": fmt.Sprintf(`{"id":"u","notBefore":%d}`, noon.Add(-time.Minute*59-time.Second*30).Unix()),
		"/events": fmt.Sprintf(
			`[{"type":"LOGIN","clientId":"web","time":%d,"details":{"grant_type":"authorization_code"}}]`, noon.UnixMilli()),
	}}
}

func (k *keycloak) serve(t *testing.T) *Server {
	t.Helper()
	s := httptest.NewServer(k)
	t.Cleanup(s.Close)
	return &Server{Base: s.URL, HTTP: web.NewClient(web.AnotherServer), Now: func() time.Time { return noon },
		Credentials: Credentials{User: "root", Password: iam.Secret("sesame")}}
}

func TestCollect(t *testing.T) {
	k := whole()
	s := k.serve(t)
	steps := 0
	s.Progress = func(done, of int) {
		if done > of {
			t.Errorf("%d of %d", done, of)
		}
		steps++
	}
	e, err := s.Collect(t.Context(), "shop", 0)
	if err != nil {
		t.Fatal(err)
	}
	all, _ := e.Sessions.Get()
	week, _ := all["w"].Week.Get()
	dead, _ := all["w"].Dead.Get()
	scopes, _ := e.Scopes.Get()
	keys, _ := e.Keys.Get()
	follows, told := e.Follows.Get()
	if week.Begun.N != 2 || week.Unrefreshed.N != 1 || dead.N != 1 || len(scopes) != 3 || scopes[1].Assigned != doctor.Optional ||
		scopes[2].Assigned != doctor.Unassigned ||
		len(keys) != 1 || !keys[0].Active || follows || !told {
		t.Errorf("%+v %+v %+v %+v %v", week, dead, scopes, keys, follows)
	}
	r := doctor.Examine(e, doctor.Filter{Check: "offline-access-client-default"})
	if len(r.Findings) != 1 || !strings.Contains(r.Findings[0].Consequence,
		"2 offline sessions begun this week, 1 refreshed; 2 live in all.") {
		t.Errorf("%+v", r)
	}
	if steps != s.sent+1 { // and the end
		t.Errorf("progress was told %d times of %d requests", steps, s.sent)
	}
	for _, x := range k.requests {
		if !strings.HasPrefix(x, "GET ") && !strings.HasSuffix(x, "/token") {
			t.Errorf("not read only: %s", x)
		}
	}
}

// What is refused is missing from the evidence, with the right that is lacking.
func TestCollectWithoutRights(t *testing.T) {
	for _, c := range []struct{ path, answer, check, why string }{
		{"", `{"realm":"shop"}`, "brute-force-off", "lacks view-realm"},
		{"/clients", "403", "implicit-flow", "lacks view-clients"},
		{"/clients", `[{"id":"w","clientId":"web","enabled":true}]`, "implicit-flow", "lacks view-clients"},
		{"/client-scopes", "403", "offline-access-realm-default", "lacks view-clients"},
		{"/default-default-client-scopes", "403", "offline-access-realm-default", "lacks view-clients"},
		{"/keys", "403", "signing-key-single", "lacks view-realm"},
		{"/client-session-stats", "403", "zombie-offline-sessions", "lacks view-realm"},
		{"/clients/w/offline-sessions", "403", "zombie-offline-sessions", "lacks view-users"},
		{"/users/u", "403", "zombie-offline-sessions", "1 users was not to be had"},
		{"/events", "403", "direct-grants-unused", "lacks view-events"},
		{"/events", "[]", "direct-grants-unused", "no stored event is older"},
	} {
		k := whole()
		k.answers[c.path] = c.answer
		if c.path == "/users/u" {
			k.answers["/clients/w/offline-sessions"] = strings.Replace(k.answers["/clients/w/offline-sessions"], `"userId":"u"`, `"userId":"v"`, 1)
			k.answers["/users/v"] = `{}`
		}
		e, err := k.serve(t).Collect(t.Context(), "shop", 0)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		r := doctor.Examine(e, doctor.Filter{Check: c.check})
		if len(r.CannotTell) == 0 || !strings.Contains(r.CannotTell[0].Because, c.why) || len(r.Findings) > 0 {
			t.Errorf("%s %s: %+v", c.path, c.answer, r)
		}
	}
}

func TestBounds(t *testing.T) {
	k := whole()
	k.answers["/clients"] = `*{"id":"w","clientId":"web","standardFlowEnabled":true}`
	k.answers["/clients/w/offline-sessions"] = `*{"id":"x","userId":"u","start":1,"lastAccess":1}`
	k.answers["/client-session-stats"] = `[{"id":"w","active":"0","offline":"1000000"}]`
	e, err := k.serve(t).Collect(t.Context(), "shop", 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(k.requests) > RequestsMost+1 {
		t.Errorf("%d requests", len(k.requests))
	}
	all, _ := e.Sessions.Get()
	if n, ok := all["w"].Dead.Get(); len(e.Notes) != 1 || !ok || !n.More {
		t.Errorf("%v %+v", e.Notes, n)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		change func(*keycloak, *Server)
		want   string
	}{
		{func(_ *keycloak, s *Server) { s.Credentials.Password = iam.Secret("wrong") }, "logging in: POST " +
			"/realms/master/protocol/openid-connect/token: 401 invalid_grant Invalid user credentials"},
		{func(k *keycloak, _ *Server) { k.answers[""] = "403" }, "403 HTTP 403 Forbidden"},
		{func(k *keycloak, _ *Server) { k.answers["/keys"] = "302" }, "302"}, // the token goes nowhere else
		{func(k *keycloak, _ *Server) { k.answers["/keys"] = "<html>" }, "/keys"},
	} {
		k := whole()
		s := k.serve(t)
		c.change(k, s)
		_, err := s.Examine(t.Context(), "shop", 0, doctor.Filter{})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "wrong") ||
			strings.Contains(err.Error(), "sesame") {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	k := whole()
	k.issuer = ""
	if e, err := k.serve(t).Collect(t.Context(), "shop", 0); err != nil {
		t.Error(err)
	} else if follows, ok := e.Follows.Get(); !ok || !follows {
		t.Error("an issuer that follows the Host goes unnoticed")
	}
}

// When a change fails half way, what was done of it is taken back.
func TestHalfDoneIsTakenBack(t *testing.T) {
	k := whole()
	k.answers["/clients/w/default-client-scopes"] = `[{"id":"s2","name":"offline_access"}]`
	k.answers["/clients/w/optional-client-scopes"] = `[]`
	k.answers["DELETE /clients/w/default-client-scopes/s2"] = "{}"
	k.answers["PUT /clients/w/default-client-scopes/s2"] = "{}"
	k.answers["PUT /clients/w/optional-client-scopes/s2"] = "403"
	s := k.serve(t)
	change := doctor.Change{Subject: doctor.Subject{Kind: doctor.KindClient, ID: "w", Name: "web"}, Member: doctor.MemberScope,
		Scope:  &doctor.Scope{ID: "s2", Name: "offline_access"},
		Before: []byte(`"default"`), After: []byte(`"optional"`)}
	err := s.Change(t.Context(), "shop", []doctor.Change{change})
	if err == nil || status(err) != 403 {
		t.Error(err)
	}
	k.answers["/clients/w/default-client-scopes"] = `[{"id":"s2","name":"offline_access"}]`
	change.Before = []byte(`"none"`)
	if err := s.Change(t.Context(), "shop", []doctor.Change{change}); err == nil || !strings.Contains(err.Error(),
		`client scope offline_access of client web is "default", not "none"`) {
		t.Error(err)
	}
	back := false
	for _, x := range k.requests {
		back = back || x == "PUT /admin/realms/shop/clients/w/default-client-scopes/s2"
	}
	if !back {
		t.Errorf("not taken back: %q", k.requests)
	}
}
