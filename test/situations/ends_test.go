package situations

import (
	"context"
	"net/url"
	"slices"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/records"
	"latchkey/test/visitor"
)

func situations() []situation {
	return slices.Concat(ends, prompts, logins, passkeys, mails, tokenTrouble, devices, providers, browsers, healthy)
}

var (
	noSession = func(client string) asking { return asking{records.NoSession, client} }
	asked     = func(client string) asking { return asking{records.AskedAgain, client} }
	refresh   = func(client string) asking { return asking{records.RefreshFailed, client} }
)

// loginAgain is the remedy of what has ended.
func loginAgain(client string) func(w *world) { return func(w *world) { w.again(client) } }

// limited are the settings of a realm in which users may have one session.
func limited(behavior string) settings {
	step := func(provider, requirement string, priority int) settings {
		return settings{"authenticator": provider, "requirement": requirement, "priority": priority}
	}
	limits := step("user-session-limits", "REQUIRED", 20)
	limits["authenticatorConfig"] = "limits"
	return settings{
		"browserFlow": "limited",
		"authenticationFlows": []settings{
			{"alias": "limited", "providerId": "basic-flow", "topLevel": true, "authenticationExecutions": []settings{
				step("auth-cookie", "ALTERNATIVE", 10), {"flowAlias": "limited forms", "authenticatorFlow": true, "requirement": "ALTERNATIVE",
					"priority": 20}}},
			{"alias": "limited forms", "providerId": "basic-flow", "topLevel": false, "authenticationExecutions": []settings{
				step("auth-username-password-form", "REQUIRED", 10), limits}},
		},
		"authenticatorConfig": []settings{{"alias": "limits", "config": settings{"userRealmLimit": "1", "userClientLimit": "0",
			"behavior": behavior}}},
	}
}

// logoutAt logs the browser out at a client.
func logoutAt(w *world, client string, a *visitor.Answer) {
	w.Helper()
	p := w.open(w.b, w.party(client).Endpoint("logout")+"?"+url.Values{"id_token_hint": {a.ID},
		"post_logout_redirect_uri": {callback}}.Encode())
	if !p.Away {
		w.Fatalf("the logout ends at %s", p.URL)
	}
}

// provider makes another realm of the server an identity provider of the world's, with kim there linked to kim here.
func provider(w *world) (realm string) {
	w.Helper()
	realm = w.realm + "-there"
	at := w.base + "/realms/" + realm
	here := w.base + "/realms/" + w.realm
	_, err := w.site.admin.Post(w.ctx, "", settings{
		"realm": realm, "enabled": true, "passwordPolicy": "hashAlgorithm(pbkdf2-sha256) and hashIterations(1)",
		"clients": []settings{{"clientId": "here", "secret": secret, "redirectUris": []string{here + "/broker/there/endpoint"},
			"attributes": settings{"backchannel.logout.url": here + "/protocol/openid-connect/logout/backchannel-logout",
				"backchannel.logout.session.required": "true"}}},
		"users": []settings{{"id": w.user, "username": "kim", "enabled": true, "email": "kim@situations.example",
			"firstName": "kim", "lastName": "S",
			"credentials": []settings{{"type": "password", "value": password}}}},
	})
	w.must(err)
	w.Cleanup(func() { w.must(w.site.admin.Delete(context.Background(), "/"+realm)) })
	oidc := at + "/protocol/openid-connect"
	w.post("/identity-provider/instances", settings{"alias": "there", "providerId": "keycloak-oidc", "enabled": true, "config": settings{
		"clientId": "here", "clientSecret": secret, "clientAuthMethod": "client_secret_post", "issuer": at, "authorizationUrl": oidc + "/auth",
		"tokenUrl": oidc + "/token",
		"jwksUrl":  oidc + "/certs", "useJwksUrl": "true", "validateSignature": "true", "defaultScope": "openid"}})
	w.post("/users/"+w.user+"/federated-identity/there", settings{"userId": w.user, "userName": "kim"})
	return realm
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
	{name: "logged out at the identity provider", reason: iam.LogoutByBackChannel, ask: refresh("shop"),
		happens: func(w *world) {
			there := provider(w)
			p := w.asked(w.b, "shop", with{"kc_idp_hint": "there"})
			shop := w.redeem(w.submit(p, map[string]string{"username": "kim", "password": password}), "shop")
			w.refreshes("shop", shop)
			_, err := w.site.admin.Post(w.ctx, "/"+there+"/users/"+w.user+"/logout", nil)
			w.must(err)
			w.refreshFails("shop", shop)
			w.asked(w.b, "shop", nil)
		},
		mended: loginAgain("shop")},
	{name: "remember me was switched off", reason: iam.NotRemembered, ask: refresh("shop"), realm: settings{"rememberMe": true},
		happens: func(w *world) {
			p := w.asked(w.b, "shop", nil)
			shop := w.redeem(w.submit(p, map[string]string{"username": "kim", "password": password, "rememberMe": "on"}), "shop")
			w.set(settings{"rememberMe": false})
			w.refreshFails("shop", shop)
			w.asked(w.b, "shop", nil)
		},
		mended: loginAgain("shop")},
	{name: "one session too many ends the oldest", reason: iam.SessionLimit, ask: refresh("shop"), two: true,
		realm: limited("Terminate oldest session"),
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			w.login(visitor.NewBrowser(), "desk", nil)
			w.refreshFails("shop", shop)
			w.wrongPassword(w.b, "shop")
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
	{name: "offline_access asked for", reason: iam.ReplacedByOffline, ask: noSession(""), two: true,
		happens: func(w *world) {
			w.refreshes("mobile", w.login(w.b, "mobile", with{"scope": "openid offline_access"}))
			w.wrongPassword(w.b, "desk")
			w.asked(w.b, "desk", nil)
		},
		mended: func(w *world) {
			w.set(settings{"attributes": settings{iam.SettingOfflineSSO: "keep"}})
			w.login(w.b, "mobile", with{"scope": "openid offline_access"})
			w.signsOn(w.b, "desk", nil)
		}},
	{name: "an administrator became somebody else", reason: iam.ReplacedByLogin, ask: refresh("shop"),
		happens: func(w *world) {
			admin := w.clientID("realm-management")
			w.post("/users/"+w.user+"/role-mappings/clients/"+admin, []settings{w.role(admin, "impersonation")})
			shop := w.directWorks("shop", "")
			lee, err := w.site.admin.ID(w.ctx, w.at("/users?username=lee"), "username", "lee")
			w.must(err)
			if r := w.bearer("POST", "/admin/realms/"+w.realm+"/users/"+lee+"/impersonation", shop.Access); r.StatusCode != 200 {
				w.Fatalf("the impersonation is answered %s", r.Status)
			}
			w.refreshFails("shop", shop)
		},
		mended: func(w *world) { w.refreshes("shop", w.directWorks("shop", "")) }},
	{name: "a client's idle time", reason: iam.Idle, ask: refresh("shop"), two: true,
		happens: func(w *world) {
			w.setClient("shop", settings{"attributes": settings{"client.session.idle.timeout": "3"}})
			shop := w.login(w.b, "shop", nil)
			w.wait(3100 * time.Millisecond)
			w.refreshFails("shop", shop)
			w.wrongPassword(visitor.NewBrowser(), "shop")
		},
		mended: func(w *world) {
			w.setClient("shop", settings{"attributes": settings{"client.session.idle.timeout": "600"}})
			shop := w.signsOn(w.b, "shop", nil)
			w.wait(2100 * time.Millisecond)
			w.refreshes("shop", shop)
		}},
	{name: "the realm's idle time of clients", reason: iam.Idle, ask: refresh(""),
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			w.wait(2100 * time.Millisecond)
			w.set(settings{"clientSessionIdleTimeout": 1})
			w.refreshFails("shop", shop)
		},
		mended: func(w *world) {
			w.set(settings{"clientSessionIdleTimeout": 600})
			shop := w.signsOn(w.b, "shop", nil)
			w.wait(2100 * time.Millisecond)
			w.refreshes("shop", shop)
		}},
	{name: "the realm's idle time", reason: iam.Idle, ask: asked(""), two: true,
		happens: func(w *world) {
			w.login(w.b, "shop", nil)
			w.set(settings{"ssoSessionIdleTimeout": 1})
			w.wait(12 * time.Second) // the idle time, and what a last access may lag behind
			w.asked(w.b, "desk", nil)
			w.wrongPassword(visitor.NewBrowser(), "desk")
		},
		mended: func(w *world) {
			w.set(settings{"ssoSessionIdleTimeout": 600})
			w.login(w.b, "shop", nil)
			w.wait(2 * time.Second)
			w.signsOn(w.b, "desk", nil)
		}},
	{name: "the realm's maximum age", reason: iam.MaxAge, ask: asked("shop"),
		happens: func(w *world) {
			w.login(w.b, "shop", nil)
			w.wait(1100 * time.Millisecond)
			w.set(settings{"ssoSessionMaxLifespan": 1})
			w.asked(w.b, "shop", nil)
		},
		mended: func(w *world) {
			w.set(settings{"ssoSessionMaxLifespan": 600})
			w.login(w.b, "shop", nil)
			w.wait(1100 * time.Millisecond)
			w.signsOn(w.b, "shop", nil)
		}},
	{name: "logged in again after the maximum age", reason: iam.MaxAge, ask: asked(""), realm: settings{"ssoSessionMaxLifespan": 6},
		happens: func(w *world) {
			w.login(w.b, "shop", nil)
			w.wait(6100 * time.Millisecond)
			w.login(w.b, "desk", nil)
		},
		mended: func(w *world) {
			w.set(settings{"ssoSessionMaxLifespan": 600})
			w.b.Forget()
			w.login(w.b, "shop", nil)
			w.wait(6100 * time.Millisecond)
			w.signsOn(w.b, "desk", nil)
		}},
	{name: "a client's maximum age", reason: iam.MaxAge, ask: refresh("shop"),
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			w.wait(2100 * time.Millisecond)
			w.setClient("shop", settings{"attributes": settings{"client.session.max.lifespan": "1"}})
			w.refreshFails("shop", shop)
		},
		mended: func(w *world) {
			w.setClient("shop", settings{"attributes": settings{"client.session.max.lifespan": "600"}})
			shop := w.login(visitor.NewBrowser(), "shop", nil)
			w.wait(2100 * time.Millisecond)
			w.refreshes("shop", shop)
		}},
	{name: "the maximum age of offline sessions", reason: iam.MaxAge, ask: refresh("mobile"), two: true,
		happens: func(w *world) {
			mobile := w.directWorks("mobile", "openid offline_access")
			w.wait(2100 * time.Millisecond)
			w.set(settings{"offlineSessionMaxLifespanEnabled": true, "offlineSessionMaxLifespan": 1})
			w.refreshFails("mobile", mobile)
			w.login(w.b, "desk", nil) // of another client
		},
		mended: func(w *world) {
			w.set(settings{"offlineSessionMaxLifespanEnabled": false})
			mobile := w.directWorks("mobile", "openid offline_access")
			w.wait(2100 * time.Millisecond)
			w.refreshes("mobile", mobile)
		}},
	{name: "a client revoked its token", reason: iam.Revoked, ask: refresh("shop"), two: true,
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			w.signsOn(w.b, "desk", nil)
			_, err := w.party("shop").Post(w.ctx, "revoke", url.Values{"token": {shop.Refresh}})
			w.must(err)
			w.refreshFails("shop", shop)
			phone := &visitor.Browser{Agent: otherOS}
			phone.Forget()
			desk := w.login(phone, "desk", nil)
			_, err = w.party("desk").Logout(w.ctx, desk.Refresh)
			w.must(err)
		},
		mended: func(w *world) { w.refreshes("shop", w.signsOn(w.b, "shop", nil)) }},
	{name: "consent withdrawn", reason: iam.ConsentWithdrawn, ask: refresh("shop"),
		happens: func(w *world) {
			shop := consenting(w)
			w.delete("/users/" + w.user + "/consents/shop")
			w.refreshFails("shop", shop)
		},
		mended: func(w *world) {
			p := w.submit(w.open(w.b, w.authURL("shop", nil)), map[string]string{"accept": "Yes"})
			w.refreshes("shop", w.redeem(p, "shop"))
		}},
	{name: "a refresh token used twice", reason: iam.TokenReuse, ask: refresh("shop"), two: true, realm: settings{"revokeRefreshToken": true},
		happens: func(w *world) {
			first := w.login(w.b, "shop", nil)
			second := w.refreshes("shop", first)
			w.refreshFails("shop", first)
			w.refreshFails("shop", second) // because the client has no part any more
		},
		mended: func(w *world) {
			w.set(settings{"attributes": settings{iam.SettingRefreshGrace: "60"}})
			first := w.signsOn(w.b, "shop", nil)
			w.refreshes("shop", first)
			w.refreshes("shop", w.refreshes("shop", first))
		}},
	{name: "a code redeemed twice", reason: iam.CodeReplayed, ask: refresh("shop"), two: true,
		happens: func(w *world) {
			p := w.submit(w.asked(w.b, "shop", nil), map[string]string{"username": "kim", "password": password})
			shop := w.redeem(p, "shop")
			w.redeemFails(p, "shop")
			w.refreshFails("shop", shop)
		},
		mended: func(w *world) { w.refreshes("shop", w.signsOn(w.b, "shop", nil)) }},
	{name: "a change of password that signs out elsewhere", reason: iam.CredentialsChanged, ask: asked("shop"),
		happens: func(w *world) {
			w.login(w.b, "shop", nil)
			w.setUser(settings{"requiredActions": []string{"UPDATE_PASSWORD"}})
			phone := &visitor.Browser{Agent: otherOS}
			phone.Forget()
			p := w.submit(w.asked(phone, "desk", nil), map[string]string{"username": "kim", "password": password})
			p = w.submit(p, map[string]string{"password-new": "another-password", "password-confirm": "another-password", "logout-sessions": "on"})
			w.redeem(p, "desk")
			w.asked(w.b, "shop", nil)
		},
		mended: func(w *world) {
			p := w.submit(w.asked(w.b, "shop", nil), map[string]string{"username": "kim", "password": "another-password"})
			w.refreshes("shop", w.redeem(p, "shop"))
		}},
	{name: "the user was removed", reason: iam.UserRemoved, ask: refresh("shop"),
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			w.delete("/users/" + w.user)
			w.refreshFails("shop", shop)
		},
		mended: func(w *world) {
			w.post("/users", settings{"username": "kim", "enabled": true, "email": "kim@situations.example", "emailVerified": true,
				"firstName": "K", "lastName": "S",
				"credentials": []settings{{"type": "password", "value": password}}})
			w.again("shop")
		}},
	{name: "the client was removed", reason: iam.ClientRemoved, ask: refresh("shop"),
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			w.delete("/clients/" + w.clientID("shop"))
			w.refreshFails("shop", shop)
		},
		mended: func(w *world) {
			w.post("/clients", settings{"clientId": "shop", "enabled": true, "secret": secret, "redirectUris": []string{callback}})
			w.refreshes("shop", w.signsOn(w.b, "shop", nil))
		}},
}

// consenting makes shop ask for consent, and kim give it.
func consenting(w *world) *visitor.Answer {
	w.Helper()
	w.setClient("shop", settings{"consentRequired": true})
	p := w.submit(w.asked(w.b, "shop", nil), map[string]string{"username": "kim", "password": password})
	return w.redeem(w.submit(p, map[string]string{"accept": "Yes"}), "shop")
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
