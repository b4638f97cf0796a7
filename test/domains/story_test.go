package domains

import (
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"latchkey/test/chromium"
)

// theBlock is the control of all that follows: a frame of another site gets no
// cookies and keeps none, while the same page by itself does; where the policy
// allows them, the frame does, too. Certificates are checked.
func theBlock(w *world) {
	t, b := w.t, w.tab()
	inFrame := func(what string) string {
		return chromium.MustEval[string](b, what+`.then(got => got.sent + ' ' + got.script)`)
	}
	for _, c := range []struct {
		blocked bool
		want    string
	}{{true, "false "}, {false, "true seen=yes"}} {
		w.block(t, b, c.blocked)
		b.ClearCookies()
		b.Go(embedding)
		expect(t, "a cookie that a frame set, in the frame", inFrame(`set().then(get)`), c.want)
		b.Go(embedded + "set")
		b.Go(embedded + "get")
		expect(t, "a cookie that the page set, in the page", b.Settled(), "true")
		b.Go(embedding)
		expect(t, "a cookie that the page set, in the frame", inFrame(`get()`), c.want)
	}
	w.block(t, b, true)

	w.serve(t, "wrong.alpha.test", "www.alpha.test", http.NotFoundHandler())
	err := chromedp.Do(b, chromedp.Navigate("https://wrong.alpha.test/"))
	if _, missing := exec.LookPath("certutil"); missing == nil && (err == nil || !strings.Contains(err.Error(), "ERR_CERT")) {
		t.Errorf("a host with another's certificate: %v", err)
	}
}

// severalDomains: three applications and one more, each on a registrable domain of its own, the
// server on a fifth: sign on once, reach all; log out once, all are out.
func severalDomains(w *world) {
	t := w.t
	alpha := client{id: "alpha", host: "www.alpha.test", attrs: backChannel("www.alpha.test")}
	beta := client{id: "beta", host: "shop.beta.test", attrs: backChannel("shop.beta.test")}
	gamma := spaClient("gamma", "app.gamma.test")
	delta := frontClient("delta", "my.delta.test")
	w.realm("town", nil, alpha, beta, gamma, delta)
	a, shop, page, my := w.app("town", alpha), w.app("town", beta), w.spa("town", gamma), w.app("town", delta)
	b := w.tab()

	// The password is asked for once, at the first application.
	signOn(t, b, a)
	for _, one := range []*app{shop, my} {
		expect(t, one.host, visit(t, b, one), loggedIn)
	}
	tab := b.Open(t)
	tab.Go(page)
	expect(t, page, outcome(t, tab), loggedIn)
	if n := b.Asked("/login-actions/authenticate") + tab.Asked("/login-actions/authenticate"); n != 1 {
		t.Errorf("the login form was sent %d times", n)
	}

	// One logout at the first.
	sid := a.sid()
	b.Go(a.url("/logout"))
	b.Until(`location.host === 'www.alpha.test' && location.pathname === '/'`)
	expect(t, a.host, b.Settled(), "out")
	if got := shop.backLogouts(); !slices.Equal(got, []string{sid}) || shop.count() != 0 {
		t.Errorf("back channel: told of %v, want %s; %d sessions are left", got, sid, shop.count())
	}
	if got := my.frontLogouts(); !slices.Equal(got, []heard{{sid: sid, cookie: false}}) || my.count() != 0 {
		t.Errorf("front channel: heard %+v, want %s without a cookie; %d sessions are left", got, sid, my.count())
	}
	for _, one := range []*app{a, shop, my} {
		expect(t, one.host+" after the logout", shows(b, one), "out")
		expect(t, one.host+" logging in again", visit(t, b, one), "prompt")
	}
	// The page in the browser finds out when it next asks the server.
	if chromium.MustEval[bool](tab, `kc.updateToken(-1).then(() => true, () => false)`) {
		t.Error("the page's refresh token works after the logout")
	}
	tab.Go(page)
	expect(t, page+" after the logout", outcome(t, tab), "out")
	chromium.MustEval[chromedp.Void](tab, `void kc.login()`)
	tab.AwaitLogin()
}

// frontChannelLogout: it arrives in a frame. An application that goes by the
// session that the address names ends it; one that goes by its cookie ends
// nothing where third-party cookies are blocked.
func frontChannelLogout(w *world) {
	t := w.t
	alpha, delta := client{id: "alpha", host: "www.alpha.test"}, frontClient("delta", "my.delta.test")
	w.realm("town", nil, alpha, delta)
	a, my := w.app("town", alpha), w.app("town", delta)
	t.Cleanup(func() { w.block(t, w.first, true) })
	for _, c := range []struct {
		name              string
		blocked, byCookie bool
		cookie            bool
		want              string
	}{
		{"blocked, by the session", true, false, false, "out"},
		{"blocked, by the cookie", true, true, false, loggedIn},
		{"allowed, by the cookie", false, true, true, "out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := w.first.Open(t)
			w.block(t, b, c.blocked)
			b.ClearCookies()
			my.reset(c.byCookie)
			signOn(t, b, a)
			expect(t, "the other application", visit(t, b, my), loggedIn)
			b.Go(a.url("/logout"))
			b.Until(`location.host === 'www.alpha.test' && location.pathname === '/'`)
			if got := my.frontLogouts(); len(got) != 1 || got[0].cookie != c.cookie {
				t.Errorf("heard %+v, want one with the cookie: %t", got, c.cookie)
			}
			expect(t, "the other application after the logout", shows(b, my), c.want)
		})
	}
}

// logoutIsNoticed: a logout in one application is noticed by another through the back channel,
// or else when it refreshes; until then its own session goes on.
func logoutIsNoticed(w *world) {
	t := w.t
	alpha := client{id: "alpha", host: "www.alpha.test"}
	beta := client{id: "beta", host: "shop.beta.test", attrs: backChannel("shop.beta.test")}
	delta := client{id: "delta", host: "my.delta.test"}
	w.realm("town", nil, alpha, beta, delta)
	a, told, untold := w.app("town", alpha), w.app("town", beta), w.app("town", delta)
	b := w.tab()
	signOn(t, b, a)
	expect(t, "the one with a back channel", visit(t, b, told), loggedIn)
	expect(t, "the one without", visit(t, b, untold), loggedIn)
	b.Go(untold.url("/refresh"))
	expect(t, "a refresh before the logout", b.Settled(), loggedIn)

	// Without id_token_hint anybody could have sent the browser there: the user is asked, and nothing has ended.
	other := b.Open(t)
	other.Go("https://" + w.at.host + "/realms/town/protocol/openid-connect/logout?client_id=alpha&post_logout_redirect_uri=" + a.url("/"))
	other.Until(`document.querySelector('[name=confirmLogout]')`)
	b.Go(untold.url("/refresh"))
	expect(t, "a refresh while the user is asked", b.Settled(), loggedIn)

	other.Go(a.url("/logout"))
	other.Until(`location.host === 'www.alpha.test' && location.pathname === '/'`)
	expect(t, "the one with a back channel, after the logout", shows(b, told), "out")
	expect(t, "the one without, after the logout", shows(b, untold), loggedIn)
	b.Go(untold.url("/refresh"))
	expect(t, "the one without, after its refresh", b.Settled(), "out")
	expect(t, "and then", visit(t, b, untold), "prompt")
}

// backChannel are the attributes of a client with a back-channel logout.
func backChannel(host string) map[string]string {
	return map[string]string{"backchannel.logout.url": "https://" + host + "/backchannel-logout",
		"backchannel.logout.session.required": "true"}
}

// frontClient is a client with a front-channel logout.
func frontClient(id, host string) client {
	return client{id: id, host: host, more: map[string]any{"frontchannelLogout": true}, attrs: map[string]string{
		"frontchannel.logout.url": "https://" + host + "/frontchannel-logout", "frontchannel.logout.session.required": "true",
	}}
}
