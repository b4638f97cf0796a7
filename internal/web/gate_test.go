package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"latchkey/internal/web"
)

// Oracle: badinput/separators.
func TestGate(t *testing.T) {
	var got *http.Request
	gate := web.Gate(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r }))
	for _, c := range []struct {
		target, query string // of what comes through
		status        int
	}{
		{"/a?b=c&d=e", "b=c&d=e", 200}, {"/a?b=c;d=e", "b=c&d=e", 200}, {"/a?b=c%3Bd=e", "b=c%3Bd=e", 200},
		{"/a?b=c&amp;d=e", "b=c&amp&d=e", 200},
		{"/a?b=%0A%0d%09", "b=%0A%0d%09", 200}, {"/a?b=%C3%BC%F0%9F%98%80", "b=%C3%BC%F0%9F%98%80", 200}, {"/%C3%BC/%3B", "", 200},
		{"/a?b=%00", "", 400}, {"/a?%00=b", "", 400}, {"/a?b=%1f", "", 400}, {"/a?b=%FF", "", 400}, {"/a?b=%c0%80", "", 400},
		{"/a?b=%ed%a0%80", "", 400}, {"/a?b=\xff", "", 400},
		{"/a?b=%", "", 400}, {"/a?b=%4", "", 400}, {"/a?b=%zz", "", 400},
		{"/%00", "", 400}, {"/%ff", "", 400}, {"/a;b", "", 400}, {"/a;b=c/d", "", 400},
	} {
		got = nil
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, c.target, nil)
		r.Header.Set("User-Agent", "a\xffb")
		gate.ServeHTTP(w, r)
		switch {
		case w.Code != c.status || (got != nil) != (c.status == 200):
			t.Errorf("%q: %d, want %d", c.target, w.Code, c.status)
		case got != nil && (got.URL.RawQuery != c.query || got.UserAgent() != "a\uFFFDb"):
			t.Errorf("%q comes through as %q by %q", c.target, got.URL.RawQuery, got.UserAgent())
		}
	}
}
