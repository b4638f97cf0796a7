package web_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/internal/web"
)

func TestParseForm(t *testing.T) {
	for _, c := range []struct {
		in, want string // want: name=value|value,... in alphabetical order, or "error"
		dup      string
	}{
		{"a=1&b=2", "a=1,b=2", ""},
		{"a=1&a=2", "a=1|2", "a"},
		{"a=x%20y+z&&b", "a=x y z,b=", ""},
		{"password=a;b", "password=a;b", ""},
		{"z=1&z=2&c=1&c=1", "c=1|1,z=1|2", "c"},
		{"audience=1&audience=2", "audience=1|2", ""},
		{"a=%zz", "error", ""},
		{"%zz=a", "error", ""},
		{strings.Repeat("a&", 1001), "error", ""},
		{"", "", ""},
	} {
		f, err := web.ParseForm(c.in)
		if (c.want == "error") != errors.Is(err, web.ErrMalformed) {
			t.Errorf("%.40s: %v", c.in, err)
		}
		if c.want == "error" {
			continue
		}
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(f.Values)) {
			parts = append(parts, k+"="+strings.Join(f.Values[k], "|"))
		}
		if got := strings.Join(parts, ","); got != c.want || f.Duplicate("audience") != c.dup {
			t.Errorf("%s: %s, duplicate %q", c.in, got, f.Duplicate("audience"))
		}
	}
}

func TestReadForm(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		name, contentType, body string
		chunked                 bool
		status                  int
		got                     string
	}{
		{"form", form, "a=1", false, 200, "1"},
		{"form with charset", form + "; charset=UTF-8", "a=1", false, 200, "1"},
		// Oracle: tokens/errors (a JSON body misses the form parameter).
		{"another type is an empty form", "application/json", `a=1`, false, 200, ""},
		{"no type", "", "a=1", false, 200, ""},
		{"large and announced", form, "a=" + strings.Repeat("x", 100), false, 413, ""},
		{"large and chunked", form, "a=" + strings.Repeat("x", 100), true, 413, ""},
	} {
		var got string
		h := (web.Bodies{Small: 64, Large: 64, First: 64, HeldFirst: 64}).Limit()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f, err := web.ReadForm(r)
			if errors.Is(err, web.ErrTooLarge) {
				web.WriteStatus(w, http.StatusRequestEntityTooLarge)
			}
			got = f.Get("a")
		}))
		var body io.Reader = strings.NewReader(c.body)
		if c.chunked {
			body = io.MultiReader(body)
		}
		r := httptest.NewRequest("POST", "/?a=query", body)
		if c.chunked {
			r.ContentLength = -1
		}
		if c.contentType != "" {
			r.Header.Set("Content-Type", c.contentType)
		}
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != c.status || got != c.got {
			t.Errorf("%s: %d %q", c.name, w.Code, got)
		}
	}
}

func TestWriteJSON(t *testing.T) {
	w := httptest.NewRecorder()
	if err := web.WriteJSON(w, 201, map[string]any{"z": "<a&b>", "a": []string{}}); err != nil {
		t.Fatal(err)
	}
	if got, want := w.Body.String(), `{"a":[],"z":"<a&b>"}`; got != want || w.Header().Get("Content-Type") != "application/json" ||
		w.Code != 201 {
		t.Errorf("%s %v", got, w.Header())
	}
	w = httptest.NewRecorder()
	if err := web.WriteJSON(w, 200, func() {}); err == nil || w.Code != 500 {
		t.Error(err, w.Code)
	}
}

// Oracle: badinput/limits (unknown paths and methods).
func TestFallback(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token/{x}", func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })
	h := web.Fallback(mux, func(w http.ResponseWriter, _ *http.Request, status int) { web.WriteStatus(w, status) })
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/token/1", `405 application/json {"error":"HTTP 405 Method Not Allowed"}`},
		{"GET", "/nonsense", `404 application/json {"error":"HTTP 404 Not Found"}`},
		{"POST", "/token/1", "404 text/plain; charset=utf-8 404 page not found\n"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if got := strings.Join([]string{w.Result().Status[:3], w.Header().Get("Content-Type"), w.Body.String()}, " "); got != c.body ||
			w.Header().Get("Allow") != "" {
			t.Errorf("%s %s: %q %v", c.method, c.path, got, w.Header())
		}
	}
}

func TestRecoverObserveDeadline(t *testing.T) {
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))
	var routes []string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /boom/{x}", func(http.ResponseWriter, *http.Request) { panic("secret detail") })
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	mux.HandleFunc("GET /half", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic("late")
	})
	h := web.Chain(mux, web.Identify(web.Proxy{}, ""),
		web.Observe(time.Now, func(r *http.Request, route string, status int, took time.Duration) {
			routes = append(routes, route)
			web.AccessLog(log)(r, route, status, took)
		}),
		web.Recover(log), web.Deadline(20*time.Millisecond))
	srv := httptest.NewServer(h)
	defer srv.Close()
	for path, want := range map[string]int{"/boom/1?code=geheim": 500, "/slow": 503, "/none": 404} {
		res, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != want || strings.Contains(string(body), "detail") {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
		if want == 500 {
			_, id, _ := strings.Cut(string(body), `"id":"`)
			if id = strings.TrimSuffix(id, `"}`); len(id) != 16 || !strings.Contains(logged.String(), "req="+id) {
				t.Errorf("the log does not know the answer's id %q: %s", id, logged.String())
			}
		}
	}
	if res, err := http.Get(srv.URL + "/half"); err == nil {
		if _, err = io.ReadAll(res.Body); err == nil {
			t.Error("half an answer looked whole")
		}
		_ = res.Body.Close()
	}
	srv.Close()         // the last requests are observed now
	slices.Sort(routes) // the client may have tried /half again
	if got := strings.Join(slices.Compact(routes), ","); got != ",GET /boom/{x},GET /half,GET /slow" {
		t.Error(got)
	}
	if strings.Contains(logged.String(), "geheim") {
		t.Error("the query was logged")
	}
}

// Keycloak: DefaultCors; the values as the reference sends them.
func TestCORS(t *testing.T) {
	c := web.CORS{Origins: []string{"http://app.test"}, Methods: []string{"POST", "OPTIONS"}, Expose: []string{"Access-Control-Allow-Methods"},
		Auth: true}
	for _, tc := range []struct {
		name, origin string
		preflight    bool
		cors         web.CORS
		ok           bool
		want         map[string]string
	}{
		{"no origin", "", false, c, true, nil},
		{"allowed", "http://app.test", false, c, true, map[string]string{
			"Origin": "http://app.test", "Expose": "Access-Control-Allow-Methods", "Credentials": "true"}},
		{"foreign", "http://evil.test", false, c, false, nil},
		{"every origin", "http://any.test", false, web.CORS{Origins: []string{"*"}}, true, map[string]string{"Origin": "http://any.test",
			"Credentials": "false"}},
		{"preflight", "http://any.test", true, c, true, map[string]string{
			"Origin": "http://any.test", "Methods": "POST, OPTIONS", "Credentials": "true", "Age": "3600",
			"Headers": "Origin, Accept, X-Requested-With, Access-Control-Request-Method, Access-Control-Request-Headers, DPoP, Content-Type, " +
				"Authorization"}},
		{"preflight, defaults", "http://any.test", true, web.CORS{}, true, map[string]string{
			"Origin": "http://any.test", "Methods": "GET, HEAD, OPTIONS", "Credentials": "false", "Age": "3600",
			"Headers": "Origin, Accept, X-Requested-With, Access-Control-Request-Method, Access-Control-Request-Headers, DPoP, Content-Type"}},
		{"preflight without origin", "", true, c, true, nil},
	} {
		r := httptest.NewRequest("OPTIONS", "/", nil)
		if tc.origin != "" {
			r.Header.Set("Origin", tc.origin)
		}
		w := httptest.NewRecorder()
		ok := true
		if tc.preflight {
			tc.cors.Preflight(w, r)
		} else {
			ok = tc.cors.Apply(w, r)
		}
		got := map[string]string{}
		for short, name := range map[string]string{"Origin": "Access-Control-Allow-Origin", "Methods": "Access-Control-Allow-Methods",
			"Headers": "Access-Control-Allow-Headers", "Credentials": "Access-Control-Allow-Credentials",
			"Expose": "Access-Control-Expose-Headers", "Age": "Access-Control-Max-Age"} {
			if v := w.Header().Get(name); v != "" {
				got[short] = v
			}
		}
		if ok != tc.ok || !maps.Equal(got, tc.want) || w.Code != 200 {
			t.Errorf("%s: %v %v", tc.name, ok, got)
		}
	}
}

// Oracle: login (cookies on http loopback are Secure; SameSite=None).
func TestCookies(t *testing.T) {
	for _, c := range []struct {
		base   string
		kind   web.CookieKind
		want   string
		safari bool
	}{
		{"http://127.0.0.1:8080", web.CookieAuthSession, "AUTH_SESSION_ID=v; Path=/realms/a%20b/; HttpOnly; Secure; SameSite=None", false},
		{"http://localhost:8080", web.CookieSession, "KEYCLOAK_SESSION=v; Path=/realms/a%20b/; Secure; SameSite=None", false},
		{"https://id.example/auth", web.CookieRememberMe, "KEYCLOAK_REMEMBER_ME=v; Path=/auth/realms/a%20b/; Max-Age=31536000; HttpOnly; " +
			"Secure; SameSite=None", false},
		{"http://[::1]", web.CookieAuthSessionHash, "KC_AUTH_SESSION_HASH=v; Path=/realms/a%20b/; Max-Age=60; Secure; SameSite=None", false},
		{"http://id.example", web.CookieIdentity, "KEYCLOAK_IDENTITY=v; Path=/realms/a%20b/; HttpOnly; SameSite=Lax", false},
		{"http://id.example", web.CookieStateChecker, "KC_STATE_CHECKER=v; Path=/realms/a%20b/; HttpOnly; SameSite=Strict", false},
		{"http://127.0.0.1:8080", web.CookieAuthSession, "AUTH_SESSION_ID=v; Path=/realms/a%20b/; HttpOnly; SameSite=Lax", true},
		{"http://localhost:8080", web.CookieStateChecker, "KC_STATE_CHECKER=v; Path=/realms/a%20b/; HttpOnly; SameSite=Strict", true},
		{"https://id.example", web.CookieSession, "KEYCLOAK_SESSION=v; Path=/realms/a%20b/; Secure; SameSite=None", true},
	} {
		w := httptest.NewRecorder()
		jar := web.NewCookies(c.base, "a b", c.safari)
		jar.Set(w, c.kind, "earlier")
		jar.Set(w, c.kind, "v")
		if got := w.Header()["Set-Cookie"]; len(got) != 1 || got[0] != c.want {
			t.Errorf("%s: %q", c.base, got)
		}
	}
	jar := web.NewCookies("https://id.example", "r", false)
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	r.AddCookie(&http.Cookie{Name: "KEYCLOAK_IDENTITY", Value: "x"})
	jar.Expire(w, r, web.CookieIdentity)
	jar.Expire(w, r, web.CookieSession)
	if got := w.Header()["Set-Cookie"]; len(got) != 1 || got[0] != "KEYCLOAK_IDENTITY=; Path=/realms/r/; Max-Age=0" {
		t.Errorf("%q", got)
	}
	if web.CookieValue(r, web.CookieIdentity) != "x" || web.CookieValue(r, web.CookieSession) != "" {
		t.Error("cookies are misread")
	}
}

// Keycloak: DefaultSecurityHeadersProvider.
func TestSecurityHeaders(t *testing.T) {
	for contentType, want := range map[string]string{
		"":                 "Referrer-Policy Strict-Transport-Security X-Content-Type-Options X-Robots-Tag",
		"application/json": "Referrer-Policy Strict-Transport-Security X-Content-Type-Options X-Frame-Options X-Robots-Tag",
		"text/html; charset=utf-8": "Content-Security-Policy Referrer-Policy Strict-Transport-Security X-Content-Type-Options X-Frame-Options " +
			"X-Robots-Tag",
	} {
		h := http.Header{}
		web.SecurityHeaders(h, nil, contentType)
		if got := strings.Join(slices.Sorted(maps.Keys(h)), " "); got != want {
			t.Errorf("%s: %s", contentType, got)
		}
	}
	h := http.Header{"X-Frame-Options": {"DENY"}}
	web.SecurityHeaders(h, map[string]string{"xFrameOptions": "ALLOW", "referrerPolicy": "same-origin", "xRobotsTag": ""}, "text/html")
	if h.Get("X-Frame-Options") != "DENY" || h.Get("Referrer-Policy") != "same-origin" || len(h) != 2 {
		t.Error(h)
	}
}

// Keycloak: MediaTypeMatcher.
func TestAccept(t *testing.T) {
	for accept, want := range map[string]bool{
		"text/html,application/xhtml+xml;q=0.9,*/*;q=0.8": true,
		"application/json": false, "*/*": false, "": false, "text/*": true, "text/html;q=0": false, "TEXT/HTML": true,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept", accept)
		if web.AcceptsHTML(r) != want {
			t.Errorf("%q: %v", accept, !want)
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept-Language", "en;q=0.5, de-CH, fr;q=0.9, *;q=0.1, it;q=x")
	if got := strings.Join(web.Languages(r), " "); got != "de-ch fr en" {
		t.Error(got)
	}
}
