package domains

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/http"

	"github.com/chromedp/chromedp"

	"latchkey/test/chromium"
)

//go:embed testdata/spa.html
var spaPage string

// spaClient is a client for a single-page application.
func spaClient(id, host string) client {
	return client{id: id, host: host, more: map[string]any{"publicClient": true}}
}

// spa runs a single-page application with keycloak-js, as React's wrappers of it do, and returns its address.
func (w *world) spa(realm string, c client) string {
	w.t.Helper()
	script := chromium.Adapter(w.t)
	page := template.Must(template.New("spa").Parse(spaPage))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(rw http.ResponseWriter, _ *http.Request) {
		if err := page.Execute(rw, map[string]string{"Base": "https://" + w.at.host, "Realm": realm, "Client": c.id}); err != nil {
			w.t.Error(err)
		}
	})
	mux.HandleFunc("GET /silent.html", func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(rw, `<!doctype html><script>parent.postMessage(location.href, location.origin)</script>`)
	})
	mux.HandleFunc("GET /keycloak.js", func(rw http.ResponseWriter, r *http.Request) { http.ServeFile(rw, r, script) })
	w.serve(w.t, c.host, c.host, mux)
	return "https://" + c.host + "/"
}

// singlePageApplication: what keycloak-js can and cannot do in a browser without third-party cookies.
func singlePageApplication(w *world) {
	t := w.t
	alpha, gamma := client{id: "alpha", host: "www.alpha.test"}, spaClient("gamma", "app.gamma.test")
	w.realm("town", nil, alpha, gamma)
	a, page := w.app("town", alpha), w.spa("town", gamma)
	b := w.tab()

	// Nobody is signed on: one redirect there and back with prompt=none, no prompt.
	b.Go(page)
	expect(t, "the page, before anybody signed on", outcome(t, b), "out")
	if b.Asked("/3p-cookies/step1.html") == 0 {
		t.Error("keycloak-js did not look whether third-party cookies work")
	}
	signOn(t, b, a)

	// silentCheckSsoFallback off: the hidden frame is asked although its cookies are blocked, and finds nobody.
	b.Go(page + "?fallback=off")
	expect(t, "with the hidden frame alone", outcome(t, b), "out")
	if b.Asked("/silent.html") == 0 {
		t.Error("the hidden frame was not asked")
	}

	// On, which is the default: the page itself goes there and comes back.
	before := b.Asked("/silent.html")
	b.Go(page)
	expect(t, "with the redirect", outcome(t, b), loggedIn)
	if b.Asked("/silent.html") != before {
		t.Error("the hidden frame was asked")
	}

	// The login-status iframe is not used at all, so it cannot mistake its
	// missing cookies for a logout.
	if n := b.Asked("/login-status-iframe.html"); n != 0 {
		t.Errorf("the login-status iframe was loaded %d times", n)
	}
	if chromium.MustEval[bool](b, `seen.includes('onAuthLogout')`) {
		t.Error("the user was logged out by the library")
	}
	if !chromium.MustEval[bool](b, `kc.updateToken(-1)`) {
		t.Error("the token cannot be refreshed")
	}

	// Nor does it notice a real one: the next refresh does.
	other := b.Open(t)
	other.Go(a.url("/logout"))
	expect(t, "the other application, logged out", outcome(t, other), "out")
	if chromium.MustEval[bool](b, `seen.includes('onAuthLogout') || !kc.authenticated`) {
		t.Error("the page noticed a logout elsewhere without asking")
	}
	if chromium.MustEval[bool](b, `kc.updateToken(-1).then(() => true, () => false)`) {
		t.Error("the refresh token works after the logout")
	}
	if !chromium.MustEval[bool](b, `seen.includes('onAuthRefreshError') && !kc.authenticated`) {
		t.Error("the page still believes that the user is in")
	}
	chromium.MustEval[chromedp.Void](b, `void kc.login()`)
	b.AwaitLogin()
}

// statusFrame: the login-status iframe by itself, without the library's care,
// cannot know: it says "error", which is neither "changed" nor "unchanged".
func statusFrame(w *world) {
	t := w.t
	gamma := spaClient("gamma", "app.gamma.test")
	w.realm("town", nil, gamma)
	page := w.spa("town", gamma)
	b := w.tab()
	b.Go(page)
	expect(t, "before the login", outcome(t, b), "out")
	chromium.MustEval[chromedp.Void](b, `void kc.login()`)
	b.LogIn(username, password)
	b.Until(`location.host === 'app.gamma.test'`)
	expect(t, "after the login", b.Settled(), loggedIn)
	got := chromium.MustEval[string](b, `new Promise((done, fail) => {
		const frame = document.createElement('iframe');
		frame.src = kc.endpoints.checkSessionIframe();
		frame.onload = () => frame.contentWindow.postMessage('gamma ' + kc.sessionId, 'https://`+w.at.host+`');
		frame.onerror = fail;
		addEventListener('message', e => { if (e.source === frame.contentWindow) done(e.data); });
		document.body.append(frame);
	})`)
	expect(t, "what the frame says", got, "error")
}
