package server

import (
	"net/http"
	"net/http/httptest"
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
