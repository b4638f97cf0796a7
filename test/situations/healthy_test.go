package situations

import (
	"net/url"
	"time"

	"latchkey/test/visitor"
)

// healthy are situations in which nothing needs an explanation.
var healthy = []situation{
	{name: "nobody logged in yet", happens: func(*world) {}},
	{name: "a first login", happens: func(w *world) { w.refreshes("shop", w.login(w.b, "shop", nil)) }},
	{name: "single sign-on", ask: asked("desk"), happens: func(w *world) {
		w.login(w.b, "shop", nil)
		w.refreshes("desk", w.signsOn(w.b, "desk", nil))
	}},
	{name: "a wrong password, then the right one", happens: func(w *world) {
		w.wrongPassword(w.b, "shop")
		w.refreshes("shop", w.login(w.b, "shop", nil))
	}},
	{name: "two browsers", happens: func(w *world) {
		phone := &visitor.Browser{Agent: otherOS}
		phone.Forget()
		w.login(w.b, "shop", nil)
		w.refreshes("shop", w.login(phone, "shop", nil))
	}},
	{name: "somebody guesses passwords", realm: settings{"bruteForceProtected": true, "failureFactor": 2}, happens: func(w *world) {
		shop := w.login(w.b, "shop", nil)
		robot := visitor.NewBrowser()
		for range 3 {
			w.wrongPassword(robot, "desk")
		}
		w.refreshes("shop", shop)
		w.signsOn(w.b, "desk", nil)
	}},
	{name: "another tab's login page has expired", ask: noSession("shop"), happens: func(w *world) {
		stale := w.asked(visitor.NewBrowser(), "shop", nil)
		shop := w.login(w.b, "shop", nil)
		w.wait(1100 * time.Millisecond)
		w.set(settings{"accessCodeLifespanLogin": 1})
		w.submit(stale, right)
		w.set(settings{"accessCodeLifespanLogin": 600})
		w.refreshes("shop", shop)
	}},
	{name: "an offline token that works", ask: asking{client: "mobile"}, happens: func(w *world) {
		w.refreshes("mobile", w.directWorks("mobile", "openid offline_access"))
	}},
	{name: "another browser logged out", happens: func(w *world) {
		phone := &visitor.Browser{Agent: otherOS}
		phone.Forget()
		shop := w.login(w.b, "shop", nil)
		desk := w.login(phone, "desk", nil)
		_, err := w.party("desk").Logout(w.ctx, desk.Refresh)
		w.must(err)
		w.refreshes("shop", shop)
	}},
	{name: "disabled, and enabled again", happens: func(w *world) {
		shop := w.login(w.b, "shop", nil)
		w.setUser(settings{"enabled": false})
		w.refreshFails("shop", shop)
		w.setUser(settings{"enabled": true})
		w.refreshes("shop", shop)
		w.signsOn(w.b, "shop", nil)
	}},
	{name: "rotation as it should be", realm: settings{"revokeRefreshToken": true}, ask: refresh("shop"), happens: func(w *world) {
		a := w.login(w.b, "shop", nil)
		for range 3 {
			a = w.refreshes("shop", a)
		}
	}},
	{name: "a robot that does not know the client's secret", ask: asking{client: "shop"}, happens: func(w *world) {
		shop := w.login(w.b, "shop", nil)
		robot := w.party("shop")
		robot.Secret = "guessed"
		_, err := robot.Post(w.ctx, "token", url.Values{"grant_type": {"client_credentials"}})
		w.must(err)
		_, err = robot.Renew(w.ctx, "guessed")
		w.must(err)
		w.refreshes("shop", shop)
	}},
}
