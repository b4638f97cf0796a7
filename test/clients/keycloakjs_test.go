package clients

import (
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

//go:embed testdata/app.html
var appPage string

// adapterVersion is the keycloak-js that the tests use.
const adapterVersion = "26.2.4"

// adapter is the path of keycloak.js, which npm fetches once into the user's
// cache; it is not part of the repository. Without npm the test is skipped.
func adapter(t *testing.T) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm is not installed: keycloak-js cannot be fetched")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "latchkey-test", "keycloak-js-"+adapterVersion)
	script := filepath.Join(dir, "node_modules", "keycloak-js", "lib", "keycloak.js")
	if _, err := os.Stat(script); err == nil {
		return script
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, npm, "install", "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts", "keycloak-js@"+adapterVersion).CombinedOutput()
	if err != nil {
		t.Skipf("npm cannot fetch keycloak-js: %v\n%s", err, out)
	}
	return script
}

// chromium starts a headless browser; without one the test is skipped.
func chromium(t *testing.T, ctx context.Context) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("there is no Chromium")
	}
	flags := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir())}
	for _, flag := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
		"disable-component-update", "disable-sync", "disable-dev-shm-usage",
	} {
		flags = append(flags, chromedp.Flag(flag, true))
	}
	ctx, cancel := chromedp.NewExecAllocator(ctx, flags...)
	t.Cleanup(cancel)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(end)
	return ctx
}

// A tab is the browser's page with the app in it.
type tab struct {
	context.Context
	t *testing.T

	mu    sync.Mutex
	asked []string // addresses of the server that were asked, without their queries
}

// eval evaluates JavaScript, awaiting promises.
func eval[T any](b *tab, script string) (T, error) {
	ctx, cancel := context.WithTimeout(b, 20*time.Second)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

func mustEval[T any](b *tab, script string) T {
	b.t.Helper()
	v, err := eval[T](b, script)
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return v
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b, 20*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// until waits for JavaScript to be true, on whatever page the browser then is.
func (b *tab) until(script string) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if so, err := eval[bool](b, `Boolean(`+script+`)`); err == nil && so {
			return
		}
	}
	where, _ := eval[string](b, `location.href + ' ' + (window.failure || '') + document.body.innerText`)
	b.t.Fatalf("it never is so that %s; the browser is at %.800s", script, where)
}

// state opens the app and returns whether the adapter is "in" or "out".
func (b *tab) state(at string) string {
	b.t.Helper()
	b.do(chromedp.Navigate(at))
	return b.settled()
}

func (b *tab) settled() string {
	b.t.Helper()
	b.until(`document.getElementById('state') && document.getElementById('state').textContent !== 'starting'`)
	return mustEval[string](b, `document.getElementById('state').textContent + window.failure`)
}

// logIn lets the adapter send the browser to the login page, and fills it in.
func (b *tab) logIn() {
	b.t.Helper()
	mustEval[chromedp.Void](b, `void kc.login()`)
	b.until(`document.querySelector('input[name=password]')`)
	b.do(
		chromedp.SendKeys(chromedp.CSS(`input[name=username]`), username),
		chromedp.SendKeys(chromedp.CSS(`input[name=password]`), password),
		chromedp.Submit(chromedp.CSS(`input[name=password]`)),
	)
	if state := b.settled(); state != "in" {
		b.t.Fatalf("after the login the app is %s", state)
	}
}

// loaded reports whether a path of the server was asked.
func (b *tab) loaded(path string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, at := range b.asked {
		if strings.HasSuffix(at, path) {
			return true
		}
	}
	return false
}

// keycloak-js in Chromium: third-party cookie check, silent check-sso, login
// with PKCE, refresh, the login-status iframe noticing a logout elsewhere, logout.
func TestKeycloakJS(t *testing.T) {
	script := adapter(t)
	w := newWorld(t)
	page := template.Must(template.New("app").Parse(appPage))
	w.mux.HandleFunc("/app", func(rw http.ResponseWriter, _ *http.Request) {
		if err := page.Execute(rw, map[string]template.JSStr{"Base": template.JSStr(w.base), "Realm": template.JSStr(w.realm)}); err != nil {
			t.Error(err)
		}
	})
	w.mux.HandleFunc("/silent.html", func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(rw, `<!doctype html><script>parent.postMessage(location.href, location.origin)</script>`)
	})
	w.mux.HandleFunc("/keycloak.js", func(rw http.ResponseWriter, r *http.Request) { http.ServeFile(rw, r, script) })
	b := &tab{Context: chromium(t, w), t: t}
	// The first action starts the browser, which lives as long as its context.
	if err := chromedp.Do(b, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	requests := chromedp.Events(b, network.RequestWillBeSent)
	if _, err := chromedp.Call(b, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	go func() {
		for sent, err := range requests {
			if err != nil {
				return // the browser is gone
			}
			at, _, _ := strings.Cut(sent.Request.URL, "?")
			b.mu.Lock()
			b.asked = append(b.asked, at)
			b.mu.Unlock()
		}
	}()
	app := w.app.URL + "/app"

	if state := b.state(app); state != "out" {
		t.Fatalf("before the login the app is %s", state)
	}
	for _, path := range []string{"/3p-cookies/step1.html", "/3p-cookies/step2.html", "/login-status-iframe.html"} {
		if !b.loaded(path) {
			t.Errorf("%s was not loaded", path)
		}
	}
	b.logIn()
	if name := mustEval[string](b, `kc.tokenParsed.preferred_username`); name != username {
		t.Errorf("logged in as %q", name)
	}
	if state := b.state(app); state != "in" {
		t.Fatalf("loaded again, silent check-sso says %s", state)
	}
	if !mustEval[bool](b, `(async () => { const before = kc.token; const did = await kc.updateToken(-1); return did && kc.token !== before; })()`) {
		t.Error("the token was not refreshed")
	}
	if email := mustEval[string](b, `kc.loadUserInfo().then(i => i.email)`); email != "kim@clients.example" {
		t.Errorf("user info %q", email)
	}

	// The session's cookies go, as at a logout in another tab: the iframe tells.
	if _, err := chromedp.Call(b, storage.ClearCookies, storage.ClearCookiesParams{}); err != nil {
		t.Fatal(err)
	}
	b.until(`seen.includes('onAuthLogout')`)

	b.logIn()
	mustEval[chromedp.Void](b, `void kc.logout({redirectUri: location.origin + '/app?iframe=off'})`)
	b.until(`location.search === '?iframe=off'`)
	if state := b.settled(); state != "out" {
		t.Errorf("after the logout the app is %s", state)
	}
	mustEval[chromedp.Void](b, `void kc.login()`)
	b.until(`document.querySelector('input[name=password]')`)
}
