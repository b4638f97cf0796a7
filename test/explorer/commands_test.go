package explorer

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// A ran is what a command came to.
type ran struct {
	code int
	text string // of both outputs
}

// run runs latchkey as the administrator admin, whose password is given.
func (w *shop) run(password, stdin string, args ...string) ran {
	w.Helper()
	cmd := exec.Command(harness.Binary(w), args...)
	cmd.Dir = w.TempDir()
	cmd.Env = append(os.Environ(), "LATCHKEY_ADMIN_USER=admin", "LATCHKEY_ADMIN_PASSWORD="+password, "TZ=UTC")
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		w.Fatal(err)
	}
	return ran{cmd.ProcessState.ExitCode(), string(out)}
}

// at is run at the test's server.
func (w *shop) at(args ...string) ran {
	w.Helper()
	return w.run("admin", "", append(args, "--server", w.s.URL)...)
}

func (w *shop) expect(r ran, code int, parts ...string) {
	w.Helper()
	if r.code != code {
		w.Errorf("exit code %d, want %d: %s", r.code, code, r.text)
	}
	for _, part := range parts {
		// Wrapped lines are one.
		if !strings.Contains(strings.Join(strings.Fields(r.text), " "), part) {
			w.Errorf("no %q in:\n%s", part, r.text)
		}
	}
}

// The administrator's whole way from an empty list of sessions to its reason, by
// commands.
func TestCommandsTellTheStory(t *testing.T) {
	each(t, false, func(w *shop) {
		a := w.login(w.web, visitor.NewBrowser())
		for _, user := range []string{"ada", "ada@shop.test", w.ada} {
			w.expect(w.at("sessions", "--realm", "shop", "--user", user, "--count", "exact"), 0, "online replaced-by-offline ada web",
				"offline live ada web", "2 listed of 2.")
		}
		// the only realm but master
		w.expect(w.at("sessions", "--user", "ada", "--client", "web", "--kind", "online", "--from", "1h"), 0, "1 listed.")
		w.expect(w.at("sessions", "--user", "bob"), 1, "0 listed.")
		var page struct{ Sessions []struct{ ID, Kind string } }
		r := w.at("sessions", "--user", "ada", "--json")
		if err := json.Unmarshal([]byte(r.text), &page); err != nil || r.code != 0 || len(page.Sessions) != 2 ||
			!strings.Contains(r.text, "\n  \"sessions\": [") {
			w.Errorf("%v %d %s", err, r.code, r.text)
		}
		for _, e := range page.Sessions {
			if e.Kind == "online" {
				w.expect(w.at("sessions", e.ID), 0, "when its first code was redeemed with offline_access, which client web has as a default scope "+
					"(inherited from the realm when the client was made).",
					"RELATED offline.", "TIMELINE")
			}
		}
		w.expect(w.at("sessions", a.Session), 0, "Live. Began")
		w.expect(w.at("why", "ada"), 0, "1. No session: replaced-by-offline", "seen:", "remedy:")
		w.expect(w.at("why", "bob"), 1, "Nothing was found")

		// Tokens: from standard input, or a file.
		for _, c := range []struct {
			token, kind string
			code        int
		}{{a.Access, "access token", 0}, {a.Refresh, "offline token", 0}, {a.ID, "ID token", 1}} {
			r := w.run("admin", "Bearer "+c.token[:40]+"\n"+c.token[40:]+"\n", "inspect-token", "--server", w.s.URL)
			w.expect(r, c.code, "This "+c.kind, "kind "+c.kind, "client web", "ada ("+w.ada+")")
			w.silent(r, c.token)
		}
		file := filepath.Join(w.TempDir(), "token")
		w.must(os.WriteFile(file, []byte(a.Refresh), 0o600))
		w.expect(w.at("inspect-token", "--file", file, "--json"), 0, `"kind": "offline token"`, `"works": true`)
		r = w.run("admin", a.Refresh, "inspect-token", "--server", w.s.URL, "--realm", "master")
		w.expect(r, 1, "not a token of this realm")
		w.silent(r, a.Refresh)
		r = w.run("admin", "", "inspect-token", a.Refresh, "--server", w.s.URL)
		w.expect(r, 2, "on the command line is seen")
		w.silent(r, a.Refresh)
		w.expect(w.run("admin", "opaque", "inspect-token", "--server", w.s.URL), 2, "not a signed token of a realm")
	})
}

// silent holds that neither the output nor the server's log shows a token.
func (w *shop) silent(r ran, token string) {
	w.Helper()
	signature := token[strings.LastIndexByte(token, '.')+1:]
	for where, text := range map[string]string{"the output": r.text, "the log": w.s.Log()} {
		if strings.Contains(text, signature) {
			w.Errorf("%s shows a token", where)
		}
	}
}

// This machine's server is found by its own options.
func TestCommandsFindTheServer(t *testing.T) {
	w := open(t, harness.SQLite, false)
	w.login(w.web, visitor.NewBrowser())
	text, err := w.s.Command("sessions", "--admin-user", "admin", "--admin-password", "admin")
	if err != nil || !strings.Contains(text, "replaced-by-offline") {
		t.Errorf("%v: %s", err, text)
	}
}

func TestCommandsSayWhatIsWrong(t *testing.T) {
	w := open(t, harness.SQLite, false)
	w.expect(w.run("wrong", "", "sessions", "--server", w.s.URL), 2, "admin could not log in to realm master", "invalid_grant")
	w.expect(w.run("admin", "", "sessions", "--server", "http://127.0.0.1:1"), 2, "cannot be reached", "--server")
	w.expect(w.at("sessions", "--realm", "nowhere"), 2, "there is no realm nowhere at "+w.s.URL)
	w.expect(w.at("sessions", "--realm", "shop", "--user", "nobody"), 2, "there is no user nobody in realm shop")
	w.expect(w.at("sessions", "--realm", "shop", "--client", "nothing"), 2, "there is no client nothing in realm shop")
	w.expect(w.at("sessions", "--realm", "shop", "--reason", "nothing"), 2, `There is no reason "nothing"`)
	w.expect(w.at("sessions", "--realm", "shop", "--state", "gone"), 2, `There is no state "gone"`)
	w.expect(w.at("sessions", "--realm", "shop", "online.x.1"), 1, "There is no session of that id")
	w.expect(w.at("sessions", "--realm", "shop", "--from", "soon"), 2, "is no time")
	w.expect(w.at("why", "nobody", "--realm", "shop"), 2, "there is no user nobody")
	_, err := w.admin.Post(w.ctx, "", map[string]any{"realm": "other", "enabled": true})
	w.must(err)
	w.expect(w.at("sessions"), 2, "which realm? give --realm:", "other", "shop")

	// A right that is missing is named.
	id, err := w.admin.Post(w.ctx, "/shop/users", map[string]any{"username": "clerk", "enabled": true, "email": "c@shop.test",
		"firstName": "F", "lastName": "L",
		"credentials": []any{map[string]any{"type": "password", "value": "admin"}}})
	w.must(err)
	client, err := w.admin.ID(w.ctx, "/shop/clients", "clientId", "realm-management")
	w.must(err)
	var role map[string]any
	w.must(w.admin.Get(w.ctx, "/shop/clients/"+client+"/roles/view-clients", &role))
	_, err = w.admin.Post(w.ctx, "/shop/users/"+id+"/role-mappings/clients/"+client, []any{role})
	w.must(err)
	w.expect(w.at("sessions", "--realm", "shop", "--admin-user", "clerk", "--auth-realm", "shop"), 2,
		"clerk may not do this in realm shop: it takes the role view-users")
}

// A Keycloak has no such endpoints; the commands ask what it has, and say what cannot be told.
func TestCommandsKnowAKeycloak(t *testing.T) {
	w := open(t, harness.SQLite, false)
	to, err := url.Parse(w.s.URL)
	w.must(err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }} // under the server's own name
	keycloak := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "session-explorer") || strings.HasSuffix(r.URL.Path, "/why") ||
			strings.HasSuffix(r.URL.Path, "/inspect-token") {
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(http.StatusNotFound)
			_, _ = rw.Write([]byte(`{"error":"HTTP 404 Not Found"}`))
			return
		}
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(keycloak.Close)
	w.expect(w.run("admin", "", "sessions", "--realm", "shop", "--server", keycloak.URL), 1, "0 listed.")
	w.expect(w.run("admin", "", "sessions", "x", "--realm", "shop", "--server", keycloak.URL), 1, "nothing is known of that session")
	w.expect(w.run("admin", "", "why", "ada", "--realm", "shop", "--server", keycloak.URL), 1, "cannot tell, because events are off")
	w.expect(w.run("admin", "x.y.z", "inspect-token", "--realm", "shop", "--server", keycloak.URL), 1, "this is not a token of this realm")
}
