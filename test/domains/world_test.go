package domains

import (
	"context"
	"encoding/json"
	"net"
	"net/url"
	"strconv"
	"testing"

	"latchkey/test/chromium"
	"latchkey/test/harness"
	"latchkey/test/ports"
	"latchkey/test/visitor"
)

const (
	clientSecret = "web-secret-0123456789"
	username     = "kim"
	password     = "kim-password"
)

// A world is a server and a browser on an internet, for one test.
type world struct {
	t *testing.T
	*internet
	at    *server
	first *chromium.Tab // of the browser that the tests share
}

// A server is an identity server that answers HTTPS at two host names.
type server struct {
	host, other string
	admin       *visitor.Admin
}

// newServer starts one. It has to be there before the browser starts.
func (n *internet) newServer(t *testing.T, host, other string, args ...string) *server {
	t.Helper()
	cert, key := n.certify(t, host, other)
	port := strconv.Itoa(ports.Free(t, 1))
	for _, h := range []string{host, other} {
		n.servers[h] = net.JoinHostPort("127.0.0.1", port)
	}
	s := harness.Start(t, harness.Options{
		Args: append([]string{"--https-port=" + port, "--https-certificate-file=" + cert, "--https-certificate-key-file=" + key,
			"--http-management-scheme=http"}, args...),
		Env: []string{"SSL_CERT_FILE=" + n.dir + "/ca.pem", "HTTPS_PROXY=" + n.proxy(t), "NO_PROXY="},
	})
	return &server{host: host, other: other, admin: visitor.NewAdmin(s.URL)}
}

// tab opens a tab of the browser that the tests share.
func (w *world) tab() *chromium.Tab {
	w.t.Helper()
	return w.first.Open(w.t)
}

// A client is what the realm knows of an application: more of its representation.
type client struct {
	id, host string
	more     map[string]any
	attrs    map[string]string
}

// realm makes a realm for the test with clients and a user; more is added to its representation.
func (w *world) realm(name string, more map[string]any, clients ...client) {
	w.t.Helper()
	var list []any
	for _, c := range clients {
		origin := "https://" + c.host
		attrs := map[string]string{"post.logout.redirect.uris": origin + "/*", "pkce.code.challenge.method": "S256"}
		for k, v := range c.attrs {
			attrs[k] = v
		}
		rep := map[string]any{
			"clientId": c.id, "enabled": true, "secret": clientSecret, "rootUrl": origin, "attributes": attrs,
			"redirectUris": []string{origin + "/*"}, "webOrigins": []string{origin},
		}
		for k, v := range c.more {
			rep[k] = v
		}
		list = append(list, rep)
	}
	rep := map[string]any{"realm": name, "enabled": true, "clients": list, "users": []any{map[string]any{
		"username": username, "enabled": true, "email": "kim@domains.example", "emailVerified": true, "firstName": "Kim", "lastName": "Domains",
		"credentials": []any{map[string]any{"type": "password", "value": password}}, "realmRoles": []string{"default-roles-" + name},
	}}}
	for k, v := range more {
		rep[k] = v
	}
	data, err := json.Marshal(rep)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.at.admin.Post(w.t.Context(), "", json.RawMessage(data)); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := w.at.admin.Delete(context.WithoutCancel(w.t.Context()), "/"+name); err != nil {
			w.t.Errorf("the realm could not be removed: %v", err)
		}
	})
}

// app runs a server-side application that finds the realm at the server's first host name.
func (w *world) app(realm string, c client, scopes ...string) *app {
	w.t.Helper()
	return w.appAt("https://"+w.at.host+"/realms/"+realm, c, scopes...)
}

// visit follows an application's login link and returns what the browser ends
// up with: "prompt" for the page that asks for the password, else the state
// that the application shows.
func visit(t *testing.T, b *chromium.Tab, a *app) string {
	t.Helper()
	b.Go(a.url("/login"))
	return outcome(t, b)
}

// outcome waits for either a login page or an application's state.
func outcome(t *testing.T, b *chromium.Tab) string {
	t.Helper()
	b.Until(`document.readyState === 'complete' &&
		(document.querySelector('input[name=password]') || document.getElementById('state') && document.getElementById('state').textContent !== 'starting')`)
	return chromium.MustEval[string](b,
		`document.querySelector('input[name=password]') ? 'prompt' : document.getElementById('state').textContent + (window.failure || '')`)
}

// expect says what the browser has to end up with.
func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: %q, want %q", what, got, want)
	}
}

// loggedIn is the state of an application with a session.
const loggedIn = "in as " + username

// signOn logs in at an application with the password.
func signOn(t *testing.T, b *chromium.Tab, a *app) {
	t.Helper()
	expect(t, "before the login", visit(t, b, a), "prompt")
	b.LogIn(username, password)
	b.Until(`location.host === ` + strconv.Quote(a.host))
	expect(t, "after the login", b.Settled(), loggedIn)
}

// shows opens an application's page without logging in.
func shows(b *chromium.Tab, a *app) string {
	b.Go(a.url("/"))
	return b.Settled()
}

// address is where the browser is.
func address(t *testing.T, b *chromium.Tab) *url.URL {
	t.Helper()
	u, err := url.Parse(chromium.MustEval[string](b, `location.href`))
	if err != nil {
		t.Fatal(err)
	}
	return u
}
