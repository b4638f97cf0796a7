package situations

import (
	"time"

	"latchkey/internal/iam"
	"latchkey/test/visitor"
)

// mailed lets a realm send mail; more are further members.
func mailed(w *world, more settings) {
	w.Helper()
	s := settings{"smtpServer": w.site.box.Settings()}
	for k, v := range more {
		s[k] = v
	}
	w.set(s)
	// Realms of a site share the box: the address tells whose mail it is.
	w.setUser(settings{"email": w.realm + "@kim.example", "emailVerified": false})
}

// link is that of the mail that kim gets next.
func link(w *world) string {
	w.Helper()
	m := w.site.box.Next(w, w.realm+"@kim.example")
	if m.Link() == "" {
		w.Fatalf("no link in %q", m.Text)
	}
	return m.Link()
}

// asksToVerify logs kim in up to the page that tells of the mail.
func asksToVerify(w *world, b *visitor.Browser) *visitor.Page {
	w.Helper()
	return stays(w, w.asked(b, "shop", nil), right)
}

var mails = []situation{
	{name: "the link of a mail followed too late", reason: iam.LinkExpired, ask: noSession("shop"),
		realm: settings{"actionTokenGeneratedByUserLifespan": 1},
		happens: func(w *world) {
			mailed(w, settings{"verifyEmail": true})
			asksToVerify(w, w.b)
			at := link(w)
			w.wait(2100 * time.Millisecond)
			if p := w.open(w.b, at); !p.Asks("password") {
				w.Fatalf("an old link leads to %s:\n%.600s", p.URL, p.Body)
			}
		},
		mended: func(w *world) {
			w.set(settings{"actionTokenGeneratedByUserLifespan": 300})
			b := visitor.NewBrowser()
			asksToVerify(w, b)
			w.refreshes("shop", w.redeem(w.open(b, link(w)), "shop"))
		}},
	{name: "the link of a mail followed twice", reason: iam.LinkUsed, ask: noSession("shop"), realm: settings{"resetPasswordAllowed": true},
		happens: func(w *world) {
			mailed(w, nil)
			at, other := reset(w, w.b), phone()
			if p := w.submit(w.open(other, at), map[string]string{"password-new": password, "password-confirm": password}); p.Away ||
				p.Status != 200 {
				w.Fatalf("who has the mail alone is at %s, status %d", p.URL, p.Status)
			}
			if p := w.open(other, at); p.Status != 400 {
				w.Fatalf("a used link leads to %s, status %d", p.URL, p.Status)
			}
		},
		mended: func(w *world) {
			b := visitor.NewBrowser()
			p := w.submit(w.open(b, reset(w, b)), map[string]string{"password-new": password, "password-confirm": password})
			w.refreshes("shop", w.redeem(p, "shop"))
		}},
	{name: "a link to an address that has changed", reason: iam.LinkStale, ask: noSession("shop"),
		happens: func(w *world) {
			mailed(w, settings{"verifyEmail": true})
			asksToVerify(w, w.b)
			at := link(w)
			w.setUser(settings{"email": "new." + w.realm + "@kim.example"})
			if p := w.open(w.b, at); p.Status != 400 {
				w.Fatalf("a stale link leads to %s, status %d", p.URL, p.Status)
			}
		},
		mended: func(w *world) {
			w.setUser(settings{"email": w.realm + "@kim.example"})
			b := visitor.NewBrowser()
			asksToVerify(w, b)
			w.refreshes("shop", w.redeem(w.open(b, link(w)), "shop"))
		}},
	{name: "a link followed in another browser", reason: iam.LinkElsewhere, ask: noSession("shop"),
		happens: func(w *world) {
			mailed(w, settings{"verifyEmail": true})
			asksToVerify(w, w.b)
			other := phone()
			p := w.open(other, link(w))
			on, err := p.Follow(w.ctx, "action-token")
			w.must(err)
			if on.Status != 200 || on.Away {
				w.Fatalf("the confirmed link leads to %s, status %d", on.URL, on.Status)
			}
		},
		mended: func(w *world) { w.again("shop") }},
	{name: "no mail can be sent", reason: iam.MailNotSent, ask: noSession("shop"),
		happens: func(w *world) {
			mailed(w, settings{"verifyEmail": true, "smtpServer": settings{"host": "127.0.0.1", "port": "1", "from": "noreply@realm.example"}})
			if p := w.submit(w.asked(w.b, "shop", nil), right); p.Status != 500 {
				w.Fatalf("the login leads to %s, status %d", p.URL, p.Status)
			}
		},
		mended: func(w *world) {
			mailed(w, nil)
			b := visitor.NewBrowser()
			asksToVerify(w, b)
			w.refreshes("shop", w.redeem(w.open(b, link(w)), "shop"))
		}},
}

// reset asks for the mail that resets kim's password, and returns its link.
func reset(w *world, b *visitor.Browser) string {
	w.Helper()
	p, err := w.asked(b, "shop", nil).Follow(w.ctx, "reset-credentials")
	w.must(err)
	stays(w, p, map[string]string{"username": "kim"})
	return link(w)
}
