package situations

import (
	"time"

	"latchkey/internal/iam"
	"latchkey/test/visitor"
)

// phone is a browser that does not look like the other one.
func phone() *visitor.Browser {
	b := &visitor.Browser{Agent: otherOS}
	b.Forget()
	return b
}

// locks are settings under which two wrong passwords lock a user out.
var locks = settings{"bruteForceProtected": true, "failureFactor": 2, "waitIncrementSeconds": 900, "maxFailureWaitSeconds": 900,
	"maxDeltaTimeSeconds": 900}

// lockedAt has a browser lock kim out at a client.
func lockedAt(w *world, b *visitor.Browser, client string, more with) {
	w.Helper()
	p := w.asked(b, client, more)
	for range 3 {
		p = stays(w, p, map[string]string{"username": "kim", "password": "not-" + password})
	}
	stays(w, p, right)
}

func unlocked(w *world) {
	w.delete("/attack-detection/brute-force/users/" + w.user)
	w.login(phone(), "shop", nil)
}

// inBackground asks a client's login in a frame, as single-page applications do.
func inBackground(w *world, b *visitor.Browser, client string, more with) {
	w.Helper()
	q := with{"prompt": "none"}
	for k, v := range more {
		q[k] = v
	}
	if p := w.open(b, w.authURL(client, q)); p.Param("error") != "login_required" {
		w.Fatalf("the browser is at %s", p.URL)
	}
}

// gold has the client ask for a level that a session does not have.
func gold(w *world, client string) {
	w.setClient(client, settings{"attributes": settings{"acr.loa.map": `{"silver": 1, "gold": 2}`}})
}

// browsers are situations of users with more than one browser or client: that
// all is well in one says nothing of another.
var browsers = []situation{
	{name: "locked in another browser, at the same client", reason: iam.BruteForceLock, ask: noSession("shop"), two: true, realm: locks,
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			lockedAt(w, phone(), "shop", nil)
			w.refreshes("shop", shop)
		}, mended: unlocked},
	{name: "locked in another browser, and nobody says where", reason: iam.BruteForceLock, ask: asking{}, realm: locks,
		happens: func(w *world) { w.login(w.b, "shop", nil); lockedAt(w, phone(), "shop", nil) }, mended: unlocked},
	{name: "locked at another client than is asked about", reason: iam.BruteForceLock, ask: asked("shop"), realm: locks,
		happens: func(w *world) { w.login(w.b, "shop", nil); lockedAt(w, phone(), "desk", nil) }, mended: unlocked},
	{name: "locked in the browser that is signed on", reason: iam.BruteForceLock, ask: noSession("shop"), realm: locks,
		happens: func(w *world) { w.login(w.b, "shop", nil); lockedAt(w, w.b, "shop", with{"prompt": "login"}) }, mended: unlocked},
	{name: "a required action, beside a live session", reason: iam.ActionRequired, ask: noSession("shop"),
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			w.setUser(settings{"requiredActions": []string{"UPDATE_PASSWORD"}})
			if a := w.direct("shop", ""); a.OK() {
				w.Fatal("the direct grant works")
			}
			w.refreshes("shop", shop)
		},
		mended: func(w *world) {
			w.setUser(settings{"requiredActions": []string{}})
			w.directWorks("shop", "")
		}},
	{name: "no cookie in another browser, in the background", reason: iam.NoCookie, ask: asked("shop"),
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			inBackground(w, phone(), "shop", nil)
			w.refreshes("shop", shop)
		},
		mended: func(w *world) { w.login(phone(), "shop", nil) }},
	{name: "no cookie in another browser, at another client", reason: iam.NoCookie, ask: asked("desk"),
		happens: func(w *world) { w.login(w.b, "shop", nil); inBackground(w, phone(), "desk", nil) },
		mended:  func(w *world) { w.login(phone(), "desk", nil) }},
	{name: "no cookie any more, in the background", reason: iam.NoCookie, ask: asked("shop"),
		happens: func(w *world) { w.login(w.b, "shop", nil); w.b.Forget(); inBackground(w, w.b, "shop", nil) },
		mended:  loginAgain("shop")},
	{name: "another host's cookie, in the background", reason: iam.CookieOtherHost, ask: asked("shop"), two: true,
		happens: func(w *world) {
			w.login(w.b, "shop", nil)
			other := phone()
			w.login(other, "desk", nil)
			w.base = w.site.other
			inBackground(w, other, "shop", nil)
			w.base = w.site.base
		},
		mended: func(w *world) { w.login(phone(), "shop", nil) }},
	{name: "the session of another browser ended", reason: iam.LogoutByAdmin, ask: asked("desk"), two: true,
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			other := phone()
			w.delete("/sessions/" + w.login(other, "desk", nil).Session)
			inBackground(w, other, "desk", nil)
			w.refreshes("shop", shop)
		},
		mended: func(w *world) { w.login(phone(), "desk", nil) }},
	{name: "a new login is asked for, and nobody gives it", reason: iam.AskedPrompt, ask: asked("shop"),
		happens: func(w *world) { w.login(w.b, "shop", nil); w.asked(w.b, "shop", with{"prompt": "login"}) },
		mended:  func(w *world) { w.signsOn(w.b, "shop", nil) }},
	{name: "a new login is asked for in one of two browsers", reason: iam.AskedPrompt, ask: asked("shop"), two: true,
		happens: func(w *world) {
			other := phone()
			shop := w.login(w.b, "shop", nil)
			w.login(other, "shop", nil)
			w.asked(other, "shop", with{"prompt": "login"})
			w.signsOn(w.b, "shop", nil)
			w.refreshes("shop", shop)
		},
		mended: func(w *world) { w.signsOn(w.b, "shop", nil) }},
	{name: "a younger login is asked for at another client, and nobody gives it", reason: iam.AskedMaxAge, ask: asked("desk"),
		happens: func(w *world) {
			w.login(w.b, "shop", nil)
			w.wait(2100 * time.Millisecond) // ages count in whole seconds
			w.asked(w.b, "desk", with{"max_age": "1"})
		},
		mended: func(w *world) { w.signsOn(w.b, "desk", with{"max_age": "600"}) }},
	{name: "a younger login is asked for in one of two browsers", reason: iam.AskedMaxAge, ask: asked("shop"), two: true,
		happens: func(w *world) {
			other := phone()
			w.login(other, "shop", nil)
			w.wait(2100 * time.Millisecond)
			w.asked(other, "shop", with{"max_age": "1"})
			w.login(w.b, "shop", nil)
		},
		mended: func(w *world) { w.signsOn(w.b, "shop", with{"max_age": "600"}) }},
	{name: "a stronger login is asked for, and nobody gives it", reason: iam.AskedACR, ask: asked("shop"),
		happens: func(w *world) {
			gold(w, "shop")
			w.login(w.b, "desk", nil)
			w.asked(w.b, "shop", with{"acr_values": "gold"})
		},
		mended: func(w *world) { w.signsOn(w.b, "shop", nil) }},
	{name: "a stronger login is asked for in one of two browsers", reason: iam.AskedACR, ask: asked("shop"), two: true,
		happens: func(w *world) {
			gold(w, "shop")
			other := phone()
			w.login(other, "desk", nil)
			w.asked(other, "shop", with{"acr_values": "gold"})
			w.login(w.b, "shop", nil)
		},
		mended: func(w *world) { w.signsOn(w.b, "shop", nil) }},

	{name: "an application asks in the background before it shows a login page", ask: asked("shop"), happens: func(w *world) {
		other := phone()
		w.login(w.b, "shop", nil)
		inBackground(w, other, "shop", nil)
		w.refreshes("shop", w.login(other, "shop", nil))
	}},
	{name: "somebody else's browser has no cookie", ask: asked("shop"), happens: func(w *world) {
		other := phone()
		w.redeem(w.submit(w.asked(other, "desk", nil), map[string]string{"username": "lee", "password": password}), "desk")
		w.login(w.b, "shop", nil)
		inBackground(w, visitor.NewBrowser(), "shop", nil)
	}},
	{name: "a required action that a session does not mind", happens: func(w *world) {
		shop := w.login(w.b, "shop", nil)
		w.setUser(settings{"requiredActions": []string{"UPDATE_PROFILE"}})
		w.refreshes("shop", shop)
	}},
}
