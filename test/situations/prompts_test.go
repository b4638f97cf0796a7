package situations

import (
	"strconv"
	"time"

	"latchkey/internal/iam"
	"latchkey/test/visitor"
)

// prompts are login pages that come unexpectedly.
var prompts = []situation{
	{name: "logged out and in again", reason: iam.LogoutByUser, ask: asked(""),
		happens: func(w *world) {
			logoutAt(w, "shop", w.login(w.b, "shop", nil))
			w.login(w.b, "desk", nil)
		},
		mended: func(w *world) { w.signsOn(w.b, "shop", nil) }},
	{name: "an administrator logged the user out", reason: iam.LogoutByAdmin, ask: asked("shop"), two: true,
		happens: func(w *world) {
			stale := w.asked(visitor.NewBrowser(), "shop", nil)
			w.login(w.b, "shop", nil)
			w.post("/users/"+w.user+"/logout", nil)
			w.wait(1100 * time.Millisecond)
			w.set(settings{"accessCodeLifespanLogin": 1})
			if p := w.submit(stale, map[string]string{"username": "kim", "password": password}); p.Away {
				w.Fatal("the page of another tab has not expired")
			}
			w.set(settings{"accessCodeLifespanLogin": 600})
			w.asked(w.b, "shop", nil)
		},
		mended: loginAgain("shop")},
	{name: "the session ended before the login", reason: iam.LogoutByAdmin, ask: asked("desk"), two: true,
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			w.delete("/sessions/" + shop.Session)
			w.wrongPassword(w.b, "desk")
			w.login(w.b, "desk", nil)
		},
		mended: func(w *world) { w.signsOn(w.b, "shop", nil) }},
	{name: "the browser lost its cookies", reason: iam.NoCookie, ask: asked(""),
		happens: func(w *world) {
			w.login(w.b, "shop", nil)
			w.b.Forget()
			w.login(w.b, "desk", nil)
		},
		mended: func(w *world) { w.signsOn(w.b, "shop", nil) }},
	{name: "the server met at another address", reason: iam.CookieOtherHost, ask: asked(""),
		happens: func(w *world) {
			w.login(w.b, "shop", nil)
			w.base = w.site.other
			w.login(w.b, "desk", nil)
			w.base = w.site.base
		},
		mended: func(w *world) {
			w.login(w.b, "shop", nil)
			w.signsOn(w.b, "desk", nil)
		}},
	{name: "the key that signed the cookie was removed", reason: iam.CookieRetiredKey, ask: asked(""), two: true,
		happens: func(w *world) {
			w.login(w.b, "shop", nil)
			retireKey(w)
			p := w.submit(w.asked(w.b, "shop", nil), map[string]string{"username": "kim", "password": "not-" + password})
			w.redeem(w.submit(p, right), "shop")
		},
		mended: func(w *world) { w.signsOn(w.b, "desk", nil) }},
	{name: "the cookie was made for a shorter life", reason: iam.CookieExpired, ask: asked(""), realm: settings{"ssoSessionMaxLifespan": 2},
		happens: func(w *world) {
			w.submit(w.asked(w.b, "shop", nil), map[string]string{"username": "kim", "password": password})
			w.set(settings{"ssoSessionMaxLifespan": 600})
			w.wait(3100 * time.Millisecond) // the second of its end still counts
			w.login(w.b, "desk", nil)
		},
		mended: func(w *world) { w.signsOn(w.b, "shop", nil) }},
	{name: "the client wants a younger login", reason: iam.AskedMaxAge, ask: asked("shop"),
		happens: func(w *world) {
			w.login(w.b, "desk", nil)
			w.wait(2100 * time.Millisecond) // ages count in whole seconds
			p := w.asked(w.b, "shop", with{"max_age": "1"})
			w.redeem(w.submit(p, map[string]string{"password": password}), "shop")
		},
		mended: func(w *world) { w.signsOn(w.b, "shop", with{"max_age": "600"}) }},
	{name: "the client wants a younger login, in the background", reason: iam.AskedMaxAge, ask: asked("shop"), two: true,
		happens: func(w *world) {
			w.login(w.b, "desk", nil)
			w.wait(2100 * time.Millisecond)
			p := w.open(w.b, w.authURL("shop", with{"max_age": "1", "prompt": "none"}))
			if p.Param("error") != "login_required" {
				w.Fatalf("the browser is at %s", p.URL)
			}
			w.wrongPassword(visitor.NewBrowser(), "shop")
		},
		mended: func(w *world) { w.signsOn(w.b, "shop", with{"max_age": "600", "prompt": "none"}) }},
	{name: "the client wants a new login", reason: iam.AskedPrompt, ask: asked("shop"),
		happens: func(w *world) {
			w.login(w.b, "desk", nil)
			p := w.asked(w.b, "shop", with{"prompt": "login"})
			w.redeem(w.submit(p, map[string]string{"password": password}), "shop")
		},
		mended: func(w *world) { w.signsOn(w.b, "shop", nil) }},
	{name: "the client wants a stronger login", reason: iam.AskedACR, ask: asked("shop"),
		happens: func(w *world) {
			w.setClient("shop", settings{"attributes": settings{"acr.loa.map": `{"silver": 1, "gold": 2}`}})
			w.login(w.b, "desk", nil)
			p := w.asked(w.b, "shop", with{"acr_values": "gold"})
			w.redeem(w.submit(p, map[string]string{"password": password}), "shop")
		},
		mended: func(w *world) { w.signsOn(w.b, "shop", nil) }},
	{name: "the realm refuses what is older", reason: iam.NotBeforeRealm, ask: asked(""), two: true,
		happens: func(w *world) {
			w.login(w.b, "shop", nil)
			w.wait(1100 * time.Millisecond)
			w.set(settings{"notBefore": time.Now().Unix()})
			w.asked(w.b, "desk", nil)
			w.wrongPassword(w.b, "desk")
		},
		mended: func(w *world) {
			w.login(w.b, "shop", nil)
			w.signsOn(w.b, "desk", nil)
		}},
}

// retireKey makes a new key for cookies and refresh tokens, and removes the old one.
func retireKey(w *world) {
	w.Helper()
	var list []settings
	w.must(w.site.admin.Get(w.ctx, w.at("/components?type=org.keycloak.keys.KeyProvider"), &list))
	w.post("/components", settings{"name": "next", "providerId": "hmac-generated", "providerType": "org.keycloak.keys.KeyProvider",
		"config": settings{"priority": []string{strconv.Itoa(200)}, "algorithm": []string{"HS512"}}})
	for _, c := range list {
		if c["name"] == "hmac" {
			w.delete("/components/" + c["id"].(string))
		}
	}
}
