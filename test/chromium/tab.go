package chromium

import (
	"context"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// patience is how long a browser may take for one thing. The tests wait for
// what they expect, so a busy machine makes them slow, not wrong.
const patience = 30 * time.Second

// Path is the installed browser; without one the test is skipped.
func Path(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	t.Skip("there is no Chromium")
	return ""
}

// Options say how to run a browser. The zero value has a new profile.
type Options struct {
	Profile string            // directory of the profile; t.TempDir() when empty
	Env     []string          // more environment, NAME=value
	Flags   map[string]string // more flags of the command line, without their dashes
}

// A Tab is a page of a running browser. Its methods are for one goroutine.
type Tab struct {
	context.Context
	t testing.TB

	mu    sync.Mutex
	asked []string // addresses that were asked for, without their queries
}

// Start runs a browser and returns its first tab. The browser ends with the test at the latest.
func Start(t testing.TB, ctx context.Context, o Options) *Tab {
	t.Helper()
	if o.Profile == "" {
		o.Profile = t.TempDir()
	}
	flags := []chromedp.ExecAllocatorOption{chromedp.ExecPath(Path(t)), chromedp.UserDataDir(o.Profile), chromedp.Env(o.Env...)}
	for _, flag := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
		"disable-component-update", "disable-sync", "disable-dev-shm-usage",
	} {
		flags = append(flags, chromedp.Flag(flag, true))
	}
	for name, value := range o.Flags {
		flags = append(flags, chromedp.Flag(name, value))
	}
	ctx, cancel := chromedp.NewExecAllocator(ctx, flags...)
	t.Cleanup(cancel)
	return open(t, ctx)
}

// Open opens another tab of the same browser, which is closed when the test
// ends; t may be a subtest of the one that started the browser.
func (b *Tab) Open(t testing.TB) *Tab {
	t.Helper()
	return open(t, b)
}

func open(t testing.TB, ctx context.Context) *Tab {
	t.Helper()
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(end)
	b := &Tab{Context: ctx, t: t}
	// The first action starts the browser or the tab, which live as long as its context.
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
	return b
}

// Close closes the browser as its window's button does, so that the profile is written.
func (b *Tab) Close() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b, patience)
	defer cancel()
	if err := chromedp.Cancel(ctx); err != nil {
		b.t.Fatal(err)
	}
}

// Eval evaluates JavaScript, awaiting promises.
func Eval[T any](b *Tab, script string) (T, error) {
	ctx, cancel := context.WithTimeout(b, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// MustEval is Eval for scripts that have to work.
func MustEval[T any](b *Tab, script string) T {
	b.t.Helper()
	v, err := Eval[T](b, script)
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return v
}

// Do runs steps that have to work.
func (b *Tab) Do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// Go opens an address and returns when the browser has loaded what it leads to.
func (b *Tab) Go(to string) {
	b.t.Helper()
	b.Do(chromedp.Navigate(to))
}

// Until waits for JavaScript, or what it promises, to be true, on whatever page the browser then is.
func (b *Tab) Until(script string) {
	b.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if so, err := Eval[bool](b, `Promise.resolve(`+script+`).then(Boolean)`); err == nil && so {
			return
		}
	}
	where, _ := Eval[string](b, `location.href + ' ' + (window.failure || '') + document.body.innerText`)
	b.t.Fatalf("it never is so that %s; the browser is at %.800s", script, where)
}

// Settled waits until the page's element "state" says something else than "starting" and returns that.
func (b *Tab) Settled() string {
	b.t.Helper()
	b.Until(`document.getElementById('state') && document.getElementById('state').textContent !== 'starting'`)
	return MustEval[string](b, `document.getElementById('state').textContent + (window.failure || '')`)
}

// AwaitLogin waits for the page that asks for the password.
func (b *Tab) AwaitLogin() {
	b.t.Helper()
	b.Until(`document.readyState === 'complete' && document.querySelector('input[name=password]')`)
}

// LogIn waits for the login page, fills it in and sends it off.
func (b *Tab) LogIn(username, password string) {
	b.t.Helper()
	b.AwaitLogin()
	b.Do(
		chromedp.SendKeys(chromedp.CSS(`input[name=username]`), username),
		chromedp.SendKeys(chromedp.CSS(`input[name=password]`), password),
		chromedp.Submit(chromedp.CSS(`input[name=password]`)),
	)
}

// Asked counts the requests for addresses that end like this, queries left out.
func (b *Tab) Asked(ending string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, at := range b.asked {
		if strings.HasSuffix(at, ending) {
			n++
		}
	}
	return n
}

// Cookies are the browser's, of all sites.
func (b *Tab) Cookies() []*network.Cookie {
	b.t.Helper()
	all, err := chromedp.Call(b, storage.GetCookies, storage.GetCookiesParams{})
	if err != nil {
		b.t.Fatal(err)
	}
	return all.Cookies
}

// ClearCookies forgets the cookies of all sites.
func (b *Tab) ClearCookies() {
	b.t.Helper()
	if _, err := chromedp.Call(b, storage.ClearCookies, storage.ClearCookiesParams{}); err != nil {
		b.t.Fatal(err)
	}
}
