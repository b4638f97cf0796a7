package oidc_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"latchkey/internal/server"
	"latchkey/internal/web"
)

// With a host name of its own for the administration, the console's client is at home there, and its scripts
// may ask for tokens and embed frames at the other. Keycloak: ResolveRelative.resolveRootUrl, for ${authAdminUrl}.
func TestConsoleIsAtHomeAtTheAdministrationsName(t *testing.T) {
	cfg := server.DevDefaults()
	cfg.DataDir, cfg.LogTo, cfg.Hostname = t.TempDir(), io.Discard, web.HostnameOptions{Hostname: "https://id.test",
		Admin: "https://admin.test"}
	s, err := server.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ask := func(path string) int {
		r := httptest.NewRequest("GET", "http://id.test/realms/master/protocol/openid-connect/"+path, nil)
		r.RemoteAddr = "127.0.0.1:1000"
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w.Code
	}
	for client, homes := range map[string]map[string]int{
		"security-admin-console": {"https://admin.test/admin/master/console/": http.StatusOK,
			"https://id.test/admin/master/console/": http.StatusBadRequest, "https://evil.test/admin/master/console/": http.StatusBadRequest},
		"account-console": {"https://id.test/realms/master/account/": http.StatusOK,
			"https://admin.test/realms/master/account/": http.StatusBadRequest},
	} {
		for home, want := range homes {
			q := url.Values{"client_id": {client}, "redirect_uri": {home}, "response_type": {"code"}, "scope": {"openid"},
				"code_challenge_method": {"S256"}, "code_challenge": {"0123456789012345678901234567890123456789012"}}
			if got := ask("auth?" + q.Encode()); got != want {
				t.Errorf("%s at %s: %d, want %d", client, home, got, want)
			}
		}
	}
	for origin, want := range map[string]int{"https://admin.test": http.StatusNoContent, "https://evil.test": http.StatusForbidden} {
		if got := ask("login-status-iframe.html/init?client_id=security-admin-console&origin=" + url.QueryEscape(origin)); got != want {
			t.Errorf("the console's frame at %s: %d, want %d", origin, got, want)
		}
	}
}
