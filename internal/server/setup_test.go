package server

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// post sends a form and returns status and body.
func post(t *testing.T, to string, form url.Values) (int, string) {
	t.Helper()
	res, err := http.PostForm(to, form)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestSetupLinkMakesOneAdministrator(t *testing.T) {
	cfg := DevDefaults()
	cfg.Bootstrap = Bootstrap{}
	var link string
	cfg.SetupLink = func(a string) { link = a }
	address, log, _ := start(t, cfg, nil)
	if !strings.HasPrefix(link, address+"/setup/") {
		t.Fatalf("link %q, server at %s", link, address)
	}
	if strings.Contains(log.String(), link[len(address):]) {
		t.Error("the link is in the log")
	}
	if status, body := get(t, http.DefaultClient, address+"/setup/guessed"); status != http.StatusNotFound || strings.Contains(body, "<form") {
		t.Errorf("a guessed link: %d", status)
	}
	if status, body := get(t, http.DefaultClient, link); status != http.StatusOK || !strings.Contains(body, `name="password-new"`) {
		t.Errorf("the link: %d %s", status, body)
	}
	form := url.Values{"username": {"Root"}, "password-new": {"pw-1"}, "password-confirm": {"pw-2"}}
	if _, body := post(t, link, form); !strings.Contains(body, "confirmation doesn") {
		t.Errorf("two different passwords: %s", body)
	}
	form.Set("password-confirm", "pw-1")
	var made int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, body := post(t, link, form); strings.Contains(body, "The administrator root is ready") {
				mu.Lock()
				made++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if made != 1 {
		t.Errorf("%d of 4 requests made the administrator, want 1", made)
	}
	if status, _ := get(t, http.DefaultClient, link); status != http.StatusNotFound {
		t.Errorf("the link after its use: %d, want 404", status)
	}
}

func TestSetupLinkAddress(t *testing.T) {
	s := &setup{token: "T"}
	for _, c := range []struct{ listening, hostname, want string }{
		{"http://127.0.0.1:8080", "", "http://127.0.0.1:8080/setup/T"},
		{"https://0.0.0.0:8443", "id.example.org", "https://id.example.org:8443/setup/T"},
		{"http://127.0.0.1:8080/auth", "https://id.example.org/auth/", "https://id.example.org/auth/setup/T"},
	} {
		if got := s.address(c.listening, c.hostname); got != c.want {
			t.Errorf("%s with hostname %q: %s, want %s", c.listening, c.hostname, got, c.want)
		}
	}
}

// Keycloak: TokenManager.TokenRevocationCheck.
func TestRevokedAccessTokenDoesNotOpenTheAdminAPI(t *testing.T) {
	address, _, _ := start(t, DevDefaults(), nil)
	const oidc = "/realms/master/protocol/openid-connect"
	_, body := post(t, address+oidc+"/token", url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {"admin"}, "scope": {"openid"}})
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	status := func(path string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+answer.Token)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	if got := status("/admin/realms"); got != http.StatusOK {
		t.Errorf("before: %d", got)
	}
	if code, _ := post(t, address+oidc+"/revoke", url.Values{"client_id": {"admin-cli"}, "token": {answer.Token}}); code != http.StatusOK {
		t.Fatalf("revoking: %d", code)
	}
	if got := status("/admin/realms"); got != http.StatusUnauthorized {
		t.Errorf("after: %d, want 401", got)
	}
}

func TestUserEventsAreCountedEvenWhereNoneAreKept(t *testing.T) {
	var s *Server
	address, _, _ := start(t, DevDefaults(), func(made *Server) { s = made })
	post(t, address+"/realms/master/protocol/openid-connect/token", url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {"wrong"}})
	w := httptest.NewRecorder()
	s.metrics.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if want := `latchkey_events_total{error="invalid_user_credentials",type="LOGIN_ERROR"} 1`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("no %s", want)
	}
}
