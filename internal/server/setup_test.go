package server

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"latchkey/internal/realms"
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

// A realm's users get no password that its policy refuses, however they come;
// nothing of such a realm is stored.
// Keycloak: RepresentationToModel.createCredentials, RealmsAdminResource.importRealm
func TestNewRealmsPasswordsPleaseItsPolicy(t *testing.T) {
	dir := t.TempDir()
	cfg := devIn(dir)
	if err := os.MkdirAll(filepath.Join(dir, "password-blacklists"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "password-blacklists", "bad.txt"), []byte("swordfish\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Handler())
	t.Cleanup(func() { srv.Close(); _ = s.Close() })
	address := srv.URL
	token := adminToken(t, address)
	realm := func(policy, password string) string {
		return `{"realm":"shop","passwordPolicy":"` + policy + `","users":[{"username":"anna"},{"username":"bert","enabled":true,
			"credentials":[{"type":"password","value":"` + password + `"}]}]}`
	}
	for _, c := range []struct{ policy, password, want string }{
		{"length(8)", "short", "invalidPasswordMinLengthMessage 8"},
		{"digits(1) and notUsername", "BERT", "invalidPasswordMinDigitsMessage 1"},
		{"notUsername", "bert", "invalidPasswordNotUsernameMessage"},
		{"passwordBlacklist(bad.txt)", "swordfish", "invalidPasswordBlacklistedMessage"},
	} {
		status, body := asAdmin(t, http.MethodPost, address+"/admin/realms", token, realm(c.policy, c.password))
		want := `{"errorMessage":"/users/1/credentials/0: Password policy not met: ` + c.want + `"}`
		if status != http.StatusBadRequest || body != want {
			t.Errorf("%s, %s: %d %s", c.policy, c.password, status, body)
		}
		if status, _ := asAdmin(t, http.MethodGet, address+"/admin/realms/shop", token, ""); status != http.StatusNotFound {
			t.Errorf("%s: something is stored: %d", c.policy, status)
		}
		file := filepath.Join(t.TempDir(), "shop.json")
		if err := os.WriteFile(file, []byte(realm(c.policy, c.password)), 0o600); err != nil {
			t.Fatal(err)
		}
		err := Import(t.Context(), cfg, ImportOptions{Path: file, OnConflict: OnConflictFail, Env: noEnv, Out: io.Discard})
		if problem, ok := errors.AsType[*realms.Problem](err); !ok || problem.Line != 2 || !strings.HasSuffix(problem.Msg, c.want) {
			t.Errorf("import, %s: %v", c.policy, err)
		}
	}
	if status, body := asAdmin(t, http.MethodPost, address+"/admin/realms", token, realm("length(8) and passwordHistory(3)",
		"long enough")); status != http.StatusCreated {
		t.Fatalf("a password that pleases: %d %s", status, body)
	}
	more := `{"ifResourceExists":"FAIL","users":[{"username":"cleo","credentials":[{"type":"password","value":"short"}]}]}`
	if status, body := asAdmin(t, http.MethodPost, address+"/admin/realms/shop/partialImport", token, more); status != http.StatusBadRequest {
		t.Errorf("a partial import: %d %s", status, body)
	}
}

// asAdmin sends a request with a token and JSON and returns the answer.
func asAdmin(t *testing.T, method, at, token, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, at, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// adminToken logs in the administrator of a development server.
func adminToken(t *testing.T, address string) string {
	t.Helper()
	_, doc := postForm(t, address+"/realms/master/protocol/openid-connect/token", url.Values{"grant_type": {"password"},
		"client_id": {"admin-cli"},
		"username":  {"admin"}, "password": {"admin"}})
	token, _ := doc["access_token"].(string)
	return token
}

// Keycloak: TokenManager.TokenRevocationCheck.
func TestRevokedAccessTokenDoesNotOpenTheAdminAPI(t *testing.T) {
	address, _, _ := start(t, DevDefaults(), nil)
	const oidc = "/realms/master/protocol/openid-connect"
	_, body := post(t, address+oidc+"/token", url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"},
		"password": {"admin"}, "scope": {"openid"}})
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
	post(t, address+"/realms/master/protocol/openid-connect/token", url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"},
		"username": {"admin"}, "password": {"wrong"}})
	w := httptest.NewRecorder()
	s.metrics.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if want := `latchkey_events_total{error="invalid_user_credentials",type="LOGIN_ERROR"} 1`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("no %s", want)
	}
}

// A link that made an administrator, or whose server saw one, is never good
// again, by whatever way somebody else is an administrator, or nobody is any more.
func TestSetupLinkStaysDead(t *testing.T) {
	for _, way := range []string{"role", "composite", "group", "group below", "nobody"} {
		t.Run(way, func(t *testing.T) {
			cfg := DevDefaults()
			cfg.Bootstrap = Bootstrap{}
			var link string
			cfg.SetupLink = func(a string) { link = a }
			var s *Server
			address, _, _ := start(t, cfg, func(made *Server) { s = made })
			post(t, link, url.Values{"username": {"root"}, "password-new": {"pw"}, "password-confirm": {"pw"}})
			_, doc := postForm(t, address+"/realms/master/protocol/openid-connect/token", url.Values{"grant_type": {"password"},
				"client_id": {"admin-cli"}, "username": {"root"}, "password": {"pw"}})
			token, _ := doc["access_token"].(string)
			at := address + "/admin/realms/master"
			do := func(method, path, body string) {
				t.Helper()
				if status, answer := asAdmin(t, method, at+path, token, body); status >= 300 {
					t.Fatalf("%s %s: %d %s", method, path, status, answer)
				}
			}
			find := func(path, name string) string {
				t.Helper()
				var list []struct{ ID, Name, Username string }
				_, answer := asAdmin(t, http.MethodGet, at+path, token, "")
				if err := json.Unmarshal([]byte(answer), &list); err != nil {
					t.Fatalf("%s: %s", path, answer)
				}
				for _, one := range list {
					if one.Name == name || one.Username == name {
						return one.ID
					}
				}
				t.Fatalf("no %s in %s", name, answer)
				return ""
			}
			role := `[{"name":"admin","id":"` + find("/roles", "admin") + `"}]`
			do("POST", "/users", `{"username":"other","enabled":true}`)
			other := find("/users", "other")
			switch way {
			case "role":
				do("POST", "/users/"+other+"/role-mappings/realm", role)
			case "composite":
				do("POST", "/roles", `{"name":"wide"}`)
				do("POST", "/roles/wide/composites", role)
				do("POST", "/users/"+other+"/role-mappings/realm", `[{"name":"wide","id":"`+find("/roles", "wide")+`"}]`)
			case "group", "group below":
				do("POST", "/groups", `{"name":"admins"}`)
				group := find("/groups", "admins")
				do("POST", "/groups/"+group+"/role-mappings/realm", role)
				if way == "group below" {
					do("POST", "/groups/"+group+"/children", `{"name":"below"}`)
					group = find("/groups/"+group+"/children", "below")
				}
				do("PUT", "/users/"+other+"/groups/"+group, "")
			}
			do("DELETE", "/users/"+find("/users", "root"), "")
			if status, _ := get(t, http.DefaultClient, link); status != http.StatusNotFound {
				t.Errorf("the old link: %d, want 404", status)
			}
			again, err := newSetup(t.Context(), &setup{db: s.db, realms: s.realms})
			if err != nil || (again != nil) != (way == "nobody") {
				t.Errorf("a server that starts now has a link: %v, %v", again != nil, err)
			}
		})
	}
}
