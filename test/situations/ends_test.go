package situations

import (
	"net/url"
	"slices"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/records"
	"latchkey/test/visitor"
)

func situations() []situation {
	return slices.Concat(ends, healthy)
}

var (
	noSession = func(client string) asking { return asking{records.NoSession, client} }
	asked     = func(client string) asking { return asking{records.AskedAgain, client} }
	refresh   = func(client string) asking { return asking{records.RefreshFailed, client} }
)

// loginAgain is the remedy of what has ended.
func loginAgain(client string) func(w *world) { return func(w *world) { w.again(client) } }

// logoutAt logs the browser out at a client.
func logoutAt(w *world, client string, a *visitor.Answer) {
	w.Helper()
	p := w.open(w.b, w.party(client).Endpoint("logout")+"?"+url.Values{"id_token_hint": {a.ID}, "post_logout_redirect_uri": {callback}}.Encode())
	if !p.Away {
		w.Fatalf("the logout ends at %s", p.URL)
	}
}

var ends = []situation{
	{name: "logged out at another client", reason: iam.LogoutByUser, ask: refresh("shop"), two: true,
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			desk := w.signsOn(w.b, "desk", nil)
			logoutAt(w, "desk", desk)
			w.refreshFails("shop", shop)
			w.wrongPassword(w.b, "shop")
		},
		mended: loginAgain("shop")},
	{name: "logged out by a client with a refresh token", reason: iam.LogoutByClient, ask: noSession(""),
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			_, err := w.party("shop").Logout(w.ctx, shop.Refresh)
			w.must(err)
			w.refreshFails("shop", shop)
			w.asked(w.b, "shop", nil)
		},
		mended: loginAgain("shop")},
	{name: "an administrator ended the session", reason: iam.LogoutByAdmin, ask: refresh(""), two: true,
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			w.delete("/sessions/" + shop.Session)
			w.refreshFails("shop", shop)
			w.wrongPassword(visitor.NewBrowser(), "desk")
		},
		mended: loginAgain("shop")},
	{name: "offline_access inherited from the realm", reason: iam.ReplacedByOffline, ask: asked(""),
		happens: func(w *world) {
			inheritOffline(w)
			w.tokens = w.login(w.b, "moto", nil)
			w.refreshes("moto", w.tokens)
			w.asked(w.b, "desk", nil)
		},
		mended: func(w *world) {
			moto, scope := w.clientID("moto"), scopeID(w, "offline_access")
			w.delete("/clients/" + moto + "/default-client-scopes/" + scope)
			w.put("/clients/"+moto+"/optional-client-scopes/"+scope, nil)
			w.login(w.b, "moto", nil)
			w.signsOn(w.b, "desk", nil)
			w.refreshes("moto", w.tokens)
		}},
	{name: "a client's idle time", reason: iam.Idle, ask: refresh("shop"), two: true,
		happens: func(w *world) {
			w.setClient("shop", settings{"attributes": settings{"client.session.idle.timeout": "1"}})
			shop := w.login(w.b, "shop", nil)
			w.wait(2100 * time.Millisecond)
			w.refreshFails("shop", shop)
			w.wrongPassword(visitor.NewBrowser(), "shop")
		},
		mended: func(w *world) {
			w.setClient("shop", settings{"attributes": settings{"client.session.idle.timeout": "600"}})
			shop := w.signsOn(w.b, "shop", nil)
			w.wait(2100 * time.Millisecond)
			w.refreshes("shop", shop)
		}},
}

// inheritOffline makes offline_access a default of the realm, and a client
// "moto" after that.
func inheritOffline(w *world) {
	w.Helper()
	id := scopeID(w, "offline_access")
	w.delete("/default-optional-client-scopes/" + id)
	w.put("/default-default-client-scopes/"+id, nil)
	w.post("/clients", settings{"clientId": "moto", "enabled": true, "secret": secret, "redirectUris": []string{callback}})
}

func scopeID(w *world, name string) string {
	w.Helper()
	id, err := w.site.admin.ID(w.ctx, w.at("/client-scopes"), "name", name)
	w.must(err)
	return id
}
