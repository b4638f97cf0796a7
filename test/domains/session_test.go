package domains

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"golang.org/x/oauth2"

	"latchkey/test/chromium"
)

// expectIdentity says which hosts and paths have to have an identity cookie in the browser.
func expectIdentity(t *testing.T, b *chromium.Tab, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := identity(b); !slices.Equal(got, want) {
		t.Errorf("identity cookies at %v, want %v", got, want)
	}
}

// identity are the hosts and paths that have an identity cookie in the browser.
func identity(b *chromium.Tab) (at []string) {
	for _, c := range b.Cookies() {
		if c.Name == "KEYCLOAK_IDENTITY" {
			at = append(at, c.Domain+c.Path)
		}
	}
	slices.Sort(at)
	return at
}

// severalHostNames: one realm, reached under two host names. Where each
// request's own name counts, each has a cookie of its own, and the application
// that knows the server by its second name prompts.
func severalHostNames(w *world) {
	t := w.t
	a, shop := w.twoNames(nil)
	b := w.tab()
	signOn(t, b, a)
	expect(t, "the application that knows the other name", visit(t, b, shop), "prompt")
	expect(t, "the prompt is at", address(t, b).Host, w.at.other)
	expectIdentity(t, b, w.at.host+"/realms/town/")

	// The second login makes a second session and a second cookie.
	b.LogIn(username, password)
	b.Until(`location.host === 'shop.beta.test'`)
	expect(t, "after the second login", b.Settled(), loggedIn)
	expectIdentity(t, b, w.at.other+"/realms/town/", w.at.host+"/realms/town/")
	if a.sid() == shop.sid() {
		t.Error("both logins are in one session")
	}
	b.Go(a.url("/logout"))
	b.Until(`location.host === 'www.alpha.test' && location.pathname === '/'`)
	expect(t, "the first name after a logout there", visit(t, b, a), "prompt")
	expect(t, "the second name after it", visit(t, b, shop), loggedIn)
}

// frontendURL: the same with the realm's Frontend URL. Discovery names the one
// host wherever it is read, so both applications send the browser there.
func frontendURL(w *world) {
	w.oneName(w.twoNames(map[string]any{"attributes": map[string]any{"frontendUrl": "https://" + w.at.host}}))
}

// oneName sees that the applications share a session although they know the server by two names.
func (w *world) oneName(first, second *app) *chromium.Tab {
	w.t.Helper()
	b := w.tab()
	signOn(w.t, b, first)
	expect(w.t, "the application that knows the other name", visit(w.t, b, second), loggedIn)
	expectIdentity(w.t, b, w.at.host+"/realms/town/")
	if first.sid() != second.sid() {
		w.t.Error("the logins are in two sessions")
	}
	return b
}

// fixedHostName: the same with --hostname, for all realms of the server.
func fixedHostName(w *world) {
	t := w.t
	a, shop := w.twoNames(nil)
	b := w.oneName(a, shop)

	// An address that was written by hand, with the other name, leads to a page
	// that does not see the session; and since its form goes to the one host,
	// which did not set the page's cookies, a login there does not succeed.
	byHand := strings.Replace(shop.config.AuthCodeURL("by hand", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())),
		w.at.host, w.at.other, 1)
	b.Go(byHand)
	expect(t, "the other name, signed on", outcome(t, b), "prompt")
	b.ClearCookies()
	b.Go(byHand)
	b.LogIn(username, password)
	b.Until(`location.host === '` + w.at.host + `' && document.body.innerText.includes('Restart login cookie not found')`)
}

// twoNames runs an application that reads discovery at the server's first name and one that reads it at the other; more is added to the
// realm.
func (w *world) twoNames(more map[string]any) (first, second *app) {
	w.t.Helper()
	alpha, beta := client{id: "alpha", host: "www.alpha.test"}, client{id: "beta", host: "shop.beta.test"}
	w.realm("town", more, alpha, beta)
	return w.app("town", alpha), w.appAt("https://"+w.at.other+"/realms/town", beta)
}

// severalRealms: two realms are two sets of users: no single sign-on leads from one to the other.
func severalRealms(w *world) {
	t := w.t
	alpha, beta, delta := client{id: "alpha", host: "www.alpha.test"}, client{id: "beta", host: "shop.beta.test"},
		client{id: "delta", host: "my.delta.test"}
	w.realm("town", nil, alpha, delta)
	w.realm("village", nil, beta)
	a, neighbour, shop := w.app("town", alpha), w.app("town", delta), w.app("village", beta)
	b := w.tab()
	signOn(t, b, a)
	expect(t, "an application of the same realm", visit(t, b, neighbour), loggedIn)
	expect(t, "an application of the other realm", visit(t, b, shop), "prompt")
	expectIdentity(t, b, w.at.host+"/realms/town/")
	b.LogIn(username, password)
	b.Until(`location.host === 'shop.beta.test'`)
	expect(t, "after the second login", b.Settled(), loggedIn)
	// And a logout in one realm leaves the other alone.
	b.Go(a.url("/logout"))
	b.Until(`location.host === 'www.alpha.test' && location.pathname === '/'`)
	expect(t, "the realm that was left", visit(t, b, neighbour), "prompt")
	expect(t, "the other realm", visit(t, b, shop), loggedIn)
}

// offlineAccess: a client with offline_access among its default scopes gets an offline session
// at its first login instead of the online one, and single sign-on finds none.
// As an optional scope it does no harm until the client asks for it.
func offlineAccess(w *world) {
	t := w.t
	defaults := []string{"basic", "acr", "profile", "email", "roles", "web-origins"}
	for _, c := range []struct {
		realm                 string
		byDefault, byOptional []string
		scopes                []string
		want, offline         string
	}{
		{"default", append(slices.Clone(defaults), "offline_access"), nil, nil, "prompt", "Offline"},
		{"optional", defaults, []string{"offline_access"}, nil, loggedIn, "Refresh"},
		{"asked", defaults, []string{"offline_access"}, []string{"offline_access"}, "prompt", "Offline"},
	} {
		t.Run(c.realm, func(t *testing.T) {
			alpha := client{id: "alpha", host: c.realm + ".alpha.test", more: map[string]any{"defaultClientScopes": c.byDefault,
				"optionalClientScopes": c.byOptional}}
			beta := client{id: "beta", host: c.realm + ".beta.test", more: map[string]any{"defaultClientScopes": defaults}}
			w.realm(c.realm, nil, alpha, beta)
			a, shop := w.app(c.realm, alpha, c.scopes...), w.app(c.realm, beta)
			b := w.first.Open(t)
			b.ClearCookies()
			signOn(t, b, a)
			if typ := a.refreshType(t); typ != c.offline {
				t.Errorf("the refresh token is of type %q, want %q", typ, c.offline)
			}
			expect(t, "the other application", visit(t, b, shop), c.want)
			b.Go(a.url("/refresh"))
			expect(t, "the first application's refresh", b.Settled(), loggedIn)
		})
	}
}

// rememberMe puts an end date on the identity cookie, so that it outlives the
// browser; without it the cookie goes when the browser does. One profile, and
// three browsers one after the other.
func rememberMe(w *world) {
	t := w.t
	alpha := client{id: "alpha", host: "www.alpha.test"}
	w.realm("town", map[string]any{"rememberMe": true}, alpha)
	a := w.app("town", alpha)
	profile := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	logIn := func(b *chromium.Tab, remember bool) {
		t.Helper()
		if remember {
			chromium.MustEval[bool](b, `document.querySelector('input[name=rememberMe]').checked = true`)
		}
		b.LogIn(username, password)
		b.Until(`location.host === 'www.alpha.test'`)
		expect(t, "after the login", b.Settled(), loggedIn)
		all := b.Cookies()
		i := slices.IndexFunc(all, func(k *network.Cookie) bool { return k.Name == "KEYCLOAK_IDENTITY" })
		if i < 0 || all[i].Session == remember {
			t.Fatalf("the identity cookie has the wrong end, or there is none: %+v", all)
		}
		b.Close()
	}
	b := w.start(t, ctx, profile)
	expect(t, "before the login", visit(t, b, a), "prompt")
	logIn(b, false)

	b = w.start(t, ctx, profile)
	expect(t, "not remembered, after the restart", visit(t, b, a), "prompt")
	logIn(b, true)

	b = w.start(t, ctx, profile)
	expect(t, "the application's own session, after the restart", shows(b, a), "out")
	expect(t, "remembered, after the restart", visit(t, b, a), loggedIn)
}
