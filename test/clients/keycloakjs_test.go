package clients

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"

	"latchkey/test/chromium"
)

//go:embed testdata/app.html
var appPage string

// A page is the browser's tab with the app in it.
type page struct {
	*chromium.Tab
	t *testing.T
}

// state opens the app and returns whether the adapter is "in" or "out".
func (b page) state(at string) string {
	b.t.Helper()
	b.Go(at)
	return b.Settled()
}

// logIn lets the adapter send the browser to the login page, and fills it in.
func (b page) logIn() {
	b.t.Helper()
	chromium.MustEval[chromedp.Void](b.Tab, `void kc.login()`)
	b.LogIn(username, password)
	if state := b.Settled(); state != "in" {
		b.t.Fatalf("after the login the app is %s", state)
	}
}

// keycloak-js in Chromium: third-party cookie check, silent check-sso, login
// with PKCE, refresh, the login-status iframe noticing a logout elsewhere, logout.
func TestKeycloakJS(t *testing.T) {
	script := chromium.Adapter(t)
	w := newWorld(t)
	app := template.Must(template.New("app").Parse(appPage))
	w.mux.HandleFunc("/app", func(rw http.ResponseWriter, _ *http.Request) {
		if err := app.Execute(rw, map[string]template.JSStr{"Base": template.JSStr(w.base), "Realm": template.JSStr(w.realm)}); err != nil {
			t.Error(err)
		}
	})
	w.mux.HandleFunc("/silent.html", func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(rw, `<!doctype html><script>parent.postMessage(location.href, location.origin)</script>`)
	})
	w.mux.HandleFunc("/keycloak.js", func(rw http.ResponseWriter, r *http.Request) { http.ServeFile(rw, r, script) })
	b := page{chromium.Start(t, w, chromium.Options{}), t}
	at := w.app.URL + "/app"

	if state := b.state(at); state != "out" {
		t.Fatalf("before the login the app is %s", state)
	}
	for _, path := range []string{"/3p-cookies/step1.html", "/3p-cookies/step2.html", "/login-status-iframe.html"} {
		if b.Asked(path) == 0 {
			t.Errorf("%s was not loaded", path)
		}
	}
	b.logIn()
	if name := chromium.MustEval[string](b.Tab, `kc.tokenParsed.preferred_username`); name != username {
		t.Errorf("logged in as %q", name)
	}
	if state := b.state(at); state != "in" {
		t.Fatalf("loaded again, silent check-sso says %s", state)
	}
	if !chromium.MustEval[bool](b.Tab,
		`(async () => { const before = kc.token; const did = await kc.updateToken(-1); return did && kc.token !== before; })()`) {
		t.Error("the token was not refreshed")
	}
	if email := chromium.MustEval[string](b.Tab, `kc.loadUserInfo().then(i => i.email)`); email != "kim@clients.example" {
		t.Errorf("user info %q", email)
	}

	// The session's cookies go, as at a logout in another tab: the iframe tells.
	b.ClearCookies()
	b.Until(`seen.includes('onAuthLogout')`)

	b.logIn()
	chromium.MustEval[chromedp.Void](b.Tab, `void kc.logout({redirectUri: location.origin + '/app?iframe=off'})`)
	b.Until(`location.search === '?iframe=off'`)
	if state := b.Settled(); state != "out" {
		t.Errorf("after the logout the app is %s", state)
	}
	chromium.MustEval[chromedp.Void](b.Tab, `void kc.login()`)
	b.AwaitLogin()
}
