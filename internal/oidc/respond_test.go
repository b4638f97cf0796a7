package oidc

import (
	"net/http/httptest"
	"testing"

	"latchkey/internal/realms"
)

// Keycloak: OIDCResponseType.parse, OIDCResponseMode.parse. Oracle: login/response-modes.
func TestResponseTypeAndMode(t *testing.T) {
	for _, c := range []struct {
		typ, mode, want string // of modeOf's two halves; "" refuses the type
		known           bool
	}{
		{"code", "", "query", true},
		{"none", "", "query", true},
		{"token", "", "fragment", true},
		{"id_token token", "", "fragment", true},
		{"token code id_token", "", "fragment", true},
		{"code", "form_post", "form_post", true},
		{"code", "jwt", "query.jwt", true},
		{"id_token", "jwt", "fragment.jwt", true},
		{"code", "nonsense", "query", false},
		{"code none", "", "", false},
		{"nonsense", "", "", false},
		{"", "", "", false},
	} {
		types, ok := parseResponseType(c.typ)
		if ok != (c.want != "") {
			t.Errorf("%q: known %v", c.typ, ok)
		}
		if c.want == "" {
			continue
		}
		preset := "query"
		if types.implicit() {
			preset = "fragment"
		}
		if mode, known := responseMode(c.mode, preset); mode != c.want || known != c.known {
			t.Errorf("%q, %q: %q %v, want %q %v", c.typ, c.mode, mode, known, c.want, c.known)
		}
	}
}

// Keycloak: OIDCRedirectUriBuilder.
func TestSendJoinsParameters(t *testing.T) {
	for _, c := range []struct{ mode, to, want string }{
		{"query", "http://app.test/cb", "http://app.test/cb?state=a+b%26c"},
		{"query", "http://app.test/cb?x=1", "http://app.test/cb?x=1&state=a+b%26c"},
		{"query", "http://app.test/cb?", "http://app.test/cb?state=a+b%26c"},
		{"query", "http://app.test/cb#frag", "http://app.test/cb?state=a+b%26c#frag"},
		{"query", "myapp:go", "myapp:go?state=a+b%26c"},
		{"fragment", "http://app.test/cb", "http://app.test/cb#state=a+b%26c"},
		{"fragment", "http://app.test/cb#frag", "http://app.test/cb#frag&state=a+b%26c"},
		{"query", "http://app.test/ü", "http://app.test/%C3%BC?state=a+b%26c"},
	} {
		w := httptest.NewRecorder()
		x := &call{w: w, r: httptest.NewRequest("GET", "/", nil), realm: &realms.Realm{}}
		var p params
		p.add("state", "a b&c")
		p.add("error_description", "") // nothing to say
		if err := x.send(c.mode, nil, c.to, p); err != nil {
			t.Fatal(err)
		}
		if got := w.Header().Get("Location"); got != c.want || w.Code != 302 {
			t.Errorf("%s %s: %d %q, want %q", c.mode, c.to, w.Code, got, c.want)
		}
	}
}
