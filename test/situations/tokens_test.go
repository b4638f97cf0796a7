package situations

import (
	"net/http"
	"net/url"
	"time"

	"latchkey/internal/iam"
	"latchkey/test/visitor"
)

// noOfflineRole takes the role offline_access from everybody who has it by default.
func noOfflineRole(w *world) {
	w.Helper()
	_, err := w.site.admin.Do(w.ctx, http.MethodDelete, w.at("/roles/default-roles-"+w.realm+"/composites"),
		[]settings{w.role("", "offline_access")}, nil)
	w.must(err)
}

// offlineRole gives kim the role.
func offlineRole(w *world) {
	w.Helper()
	w.post("/users/"+w.user+"/role-mappings/realm", []settings{w.role("", "offline_access")})
}

// tokenTrouble are refresh tokens that stopped working though their session may live.
var tokenTrouble = []situation{
	{name: "a disabled user's token", reason: iam.UserDisabled, ask: refresh("shop"), two: true,
		happens: func(w *world) {
			w.tokens = w.login(w.b, "shop", nil)
			w.setUser(settings{"enabled": false})
			w.refreshFails("shop", w.tokens)
			w.wrongPassword(visitor.NewBrowser(), "shop")
		},
		mended: func(w *world) {
			w.setUser(settings{"enabled": true})
			w.refreshes("shop", w.tokens)
		}},
	{name: "a disabled client's token", reason: iam.ClientDisabled, ask: refresh(""),
		happens: func(w *world) {
			w.tokens = w.login(w.b, "shop", nil)
			w.setClient("shop", settings{"enabled": false})
			w.refreshFails("shop", w.tokens)
		},
		mended: func(w *world) {
			w.setClient("shop", settings{"enabled": true})
			w.refreshes("shop", w.tokens)
		}},
	{name: "the client has an old secret", reason: iam.ClientCredentials, ask: refresh("shop"), two: true,
		happens: func(w *world) {
			w.tokens = w.login(w.b, "shop", nil)
			w.setClient("shop", settings{"secret": "a-new-secret-0123456789"})
			w.refreshFails("shop", w.tokens)
			w.wrongPassword(visitor.NewBrowser(), "shop")
		},
		mended: func(w *world) {
			party := w.party("shop")
			party.Secret = "a-new-secret-0123456789"
			a, err := party.Renew(w.ctx, w.tokens.Refresh)
			w.must(err)
			if !a.OK() {
				w.Fatalf("the refresh fails: %s", a.Description)
			}
		}},
	{name: "another client's token", reason: iam.WrongClient, ask: refresh("desk"),
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			w.refreshFails("desk", shop)
		},
		mended: func(w *world) { w.refreshes("desk", w.signsOn(w.b, "desk", nil)) }},
	{name: "an old token of a live session", reason: iam.TokenExpired, ask: refresh("shop"),
		happens: func(w *world) {
			w.setClient("shop", settings{"attributes": settings{"client.session.idle.timeout": "3"}})
			shop := w.login(w.b, "shop", nil)
			w.setClient("shop", settings{"attributes": settings{"client.session.idle.timeout": "600"}})
			w.wait(4200 * time.Millisecond)
			w.refreshFails("shop", shop)
		},
		mended: func(w *world) { w.refreshes("shop", w.signsOn(w.b, "shop", nil)) }},
	{name: "what is no token", reason: iam.TokenInvalid, ask: refresh("shop"),
		happens: func(w *world) {
			w.tokens = w.login(w.b, "shop", nil)
			w.refreshFails("shop", &visitor.Answer{Refresh: w.tokens.Refresh[:len(w.tokens.Refresh)/2]})
		},
		mended: func(w *world) { w.refreshes("shop", w.tokens) }},
	{name: "a token used at another address", reason: iam.TokenOtherHost, ask: refresh("shop"),
		happens: func(w *world) {
			w.tokens = w.login(w.b, "shop", nil)
			a, err := w.party("shop").At(w.site.other).Renew(w.ctx, w.tokens.Refresh)
			w.must(err)
			if a.OK() {
				w.Fatal("the refresh works")
			}
		},
		mended: func(w *world) { w.refreshes("shop", w.tokens) }},
	{name: "the key that signed the token was removed", reason: iam.TokenRetiredKey, ask: refresh("shop"), two: true,
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			retireKey(w)
			w.refreshFails("shop", shop)
			w.wrongPassword(visitor.NewBrowser(), "shop")
		},
		mended: loginAgain("shop")},
	// The id of a session is never another's, so what a token can outlive is the client's part in it.
	{name: "a token of a part before", reason: iam.TokenOfPast, ask: refresh("shop"), two: true,
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			w.signsOn(w.b, "desk", nil)
			_, err := w.party("shop").Post(w.ctx, "revoke", url.Values{"token": {shop.Refresh}})
			w.must(err)
			w.wait(2100 * time.Millisecond)
			w.tokens = w.signsOn(w.b, "shop", nil)
			if w.tokens.Session != shop.Session {
				w.Fatal("the client came back to another session")
			}
			w.refreshFails("shop", shop)
		},
		mended: func(w *world) { w.refreshes("shop", w.tokens) }},
	{name: "the realm refuses older tokens", reason: iam.NotBeforeRealm, ask: refresh("shop"),
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			w.wait(1100 * time.Millisecond)
			w.set(settings{"notBefore": time.Now().Unix()})
			w.refreshFails("shop", shop)
		},
		mended: loginAgain("shop")},
	{name: "the client refuses older tokens", reason: iam.NotBeforeClient, ask: refresh("shop"), two: true,
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			w.wait(1100 * time.Millisecond)
			w.setClient("shop", settings{"notBefore": time.Now().Unix()})
			w.refreshFails("shop", shop)
			w.wrongPassword(visitor.NewBrowser(), "shop")
		},
		mended: func(w *world) { w.refreshes("shop", w.signsOn(w.b, "shop", nil)) }},
	{name: "an offline token after a logout everywhere", reason: iam.NotBeforeUser, ask: refresh("mobile"), two: true,
		happens: func(w *world) {
			mobile := w.directWorks("mobile", "openid offline_access")
			w.login(w.b, "shop", nil)
			w.wait(1100 * time.Millisecond)
			w.post("/users/"+w.user+"/logout", nil)
			w.refreshFails("mobile", mobile)
			w.wrongPassword(w.b, "mobile")
		},
		mended: func(w *world) { w.refreshes("mobile", w.directWorks("mobile", "openid offline_access")) }},
	{name: "the client lost the scope offline_access", reason: iam.OfflineNotGranted, ask: refresh("mobile"),
		happens: func(w *world) {
			w.tokens = w.directWorks("mobile", "openid offline_access")
			w.delete("/clients/" + w.clientID("mobile") + "/optional-client-scopes/" + scopeID(w, "offline_access"))
			w.refreshFails("mobile", w.tokens)
		},
		mended: func(w *world) {
			w.put("/clients/"+w.clientID("mobile")+"/optional-client-scopes/"+scopeID(w, "offline_access"), nil)
			w.refreshes("mobile", w.tokens)
		}},
	{name: "the user lost the role offline_access", reason: iam.OfflineNotGranted, ask: refresh(""), two: true,
		happens: func(w *world) {
			w.tokens = w.directWorks("mobile", "openid offline_access")
			w.direct("shop", "")
			_, err := w.party("shop").Post(w.ctx, "revoke", url.Values{"token": {w.directWorks("shop", "").Refresh}})
			w.must(err)
			noOfflineRole(w)
			w.refreshFails("mobile", w.tokens)
		},
		mended: func(w *world) {
			offlineRole(w)
			w.refreshes("mobile", w.tokens)
		}},
	{name: "consent was never given", reason: iam.ConsentMissing, ask: refresh("shop"), two: true,
		happens: func(w *world) {
			w.tokens = w.login(w.b, "shop", nil)
			w.setClient("shop", settings{"consentRequired": true})
			w.refreshFails("shop", w.tokens)
			w.wrongPassword(visitor.NewBrowser(), "shop")
		},
		mended: func(w *world) {
			p := w.submit(w.open(w.b, w.authURL("shop", nil)), map[string]string{"accept": "Yes"})
			w.refreshes("shop", w.redeem(p, "shop"))
		}},
}
