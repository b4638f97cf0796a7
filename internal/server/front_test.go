package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Oracle: badinput/limits.
func TestEscapedSlashesStayInTheirSegment(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.PathValue("id"))) })
	h := keepSegments(mux)
	for at, want := range map[string]string{
		"/users/a":               "a",
		"/users/a%2Fb":           "a/b", // a role's name, say
		"/users/..%2F..%2F":      "..%2F..%2F",
		"/users/%2e%2e%2Fetc":    "..%2Fetc",
		"/users/..%2f..%2Fadmin": "..%2f..%2Fadmin",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, at, nil))
		if w.Code != http.StatusOK || w.Body.String() != want {
			t.Errorf("%s: %d %q, want %q", at, w.Code, w.Body.String(), want)
		}
	}
}

// Keycloak: KeycloakErrorHandler, asked with and without Accept: text/html.
func TestUnmatchedPaths(t *testing.T) {
	srv := serveRealm(t, `{"realm":"shop","enabled":true}`, io.Discard)
	for _, c := range []struct {
		method, path, accept string
		status               int
		body                 string
	}{
		{"GET", "/nonsense", "", 404, `{"error":"Unable to find matching target resource method"}`},
		{"GET", "/realms/shop/nonsense", "*/*", 404, `{"error":"HTTP 404 Not Found"}`},
		{"GET", "/realms/none/nonsense", "", 404, `{"error":"Realm does not exist"}`},
		{"GET", "/realms/none", "", 404, `{"error":"Realm does not exist"}`},
		{"PUT", "/realms/shop/protocol/openid-connect/token", "", 405, `{"error":"HTTP 405 Method Not Allowed"}`},
		{"POST", "/realms/shop/.well-known/openid-configuration", "", 404, `{"error":"HTTP 404 Not Found"}`},
		{"OPTIONS", "/realms/shop/protocol/openid-connect/auth", "", 200, ""},
		{"OPTIONS", "/realms/shop/nonsense", "", 404, ""},
		{"GET", "/realms/shop/protocol/nonsense/token", "", 404, `{"error":"Protocol not found"}`},
		{"GET", "/realms/shop/protocol/openid-connect/nonsense", "", 404, `{"error":"HTTP 404 Not Found"}`},
		{"GET", "/realms//shop", "", 400, `{"error":"missingNormalization","error_description":"Request path not normalized"}`},
		{"GET", "/realms/shop/%2e%2e/shop", "", 400, `{"error":"missingNormalization"`},
		{"POST", "//realms/shop", "", 400, `{"error":"missingNormalization"`},
		{"GET", "/nonsense", "text/html", 404, "Page not found"},
		{"GET", "/realms/none", "text/html", 404, "Page not found"},
		{"GET", "/realms/shop/nonsense", "text/html,*/*;q=0.8", 404, "Page not found"},
		{"PUT", "/realms/shop/protocol/openid-connect/token", "text/html", 405, "An internal server error has occurred"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, srv.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", c.accept)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if allow := res.Header.Get("Allow"); (allow != "") != (c.method == "OPTIONS" && c.status == 200) || allow != "" &&
			allow != "GET, HEAD, POST, OPTIONS" {
			t.Errorf("%s %s: Allow: %q", c.method, c.path, allow)
		}
		if res.StatusCode != c.status || !strings.Contains(string(b), c.body) {
			t.Errorf("%s %s for %q: %d %s, want %d %s", c.method, c.path, c.accept, res.StatusCode, b, c.status, c.body)
		}
	}
}
