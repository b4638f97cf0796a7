package situations

import (
	"crypto/sha512"
	"encoding/base32"
	"encoding/base64"
	"net/url"
	"sync"
	"time"

	"github.com/pquerna/otp/totp"

	"latchkey/internal/iam"
	"latchkey/test/visitor"
)

// right is what kim types.
var right = map[string]string{"username": "kim", "password": password}

// errorAt opens a client and holds that it comes to an error, at the server or
// back at the client.
func errorAt(w *world, client string, more with) {
	w.Helper()
	p := w.open(w.b, w.authURL(client, more))
	if p.Asks("password") || p.Param("code") != "" || !p.Away && p.Status < 400 {
		w.Fatalf("no error but %s, status %d", p.URL, p.Status)
	}
}

// stays submits a login page and holds that it leads to no client.
func stays(w *world, p *visitor.Page, typed map[string]string) *visitor.Page {
	w.Helper()
	if p = w.submit(p, typed); p.Away && p.Param("code") != "" {
		w.Fatalf("the login works: %s", p.URL)
	}
	return p
}

// hashed is a recovery code as Keycloak stores it.
func hashed(code string) string {
	sum := sha512.Sum512([]byte(code))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// kerberos says what the browser flow demands of tickets, which nobody has.
func kerberos(w *world, requirement string) {
	w.Helper()
	require(w, "auth-spnego", requirement)
}

// require sets the requirement of an execution of the browser flow.
func require(w *world, provider, requirement string) {
	w.Helper()
	const at = "/authentication/flows/browser/executions"
	var list []settings
	w.must(w.site.admin.Get(w.ctx, w.at(at), &list))
	for _, x := range list {
		if x["providerId"] == provider {
			x["requirement"] = requirement
			w.put(at, x)
		}
	}
}

// crowd has lee log in so often at once that a narrow server refuses kim: one password is hashed, which takes seconds, and one waits.
func crowd(w *world) {
	w.Helper()
	w.set(settings{"passwordPolicy": "hashAlgorithm(pbkdf2-sha512) and hashIterations(2000000)"})
	lee := func() *visitor.Answer {
		a, err := w.party("desk").Post(w.ctx, "token", url.Values{"grant_type": {"password"}, "username": {"lee"}, "password": {password}})
		w.must(err)
		return a
	}
	lee() // has the password hashed anew
	var all sync.WaitGroup
	full := make(chan bool, 4)
	for range cap(full) {
		all.Go(func() {
			if a := lee(); a.Status == 503 {
				full <- true
			}
		})
	}
	<-full
	if a := w.direct("shop", ""); a.Status != 503 || a.Error != "temporarily_unavailable" {
		w.Errorf("a direct grant in the crowd: %d %s", a.Status, a.Error)
	}
	all.Wait()
}

// logins are those that do not come to a session.
var logins = []situation{
	{name: "too many passwords at once", reason: iam.Overload, ask: noSession("shop"), narrow: true,
		happens: crowd,
		mended:  func(w *world) { w.again("shop") }},
	{name: "somebody else is logged in", reason: iam.AskedOtherUser, ask: noSession(""),
		happens: func(w *world) {
			first, second := w.asked(w.b, "shop", nil), w.asked(w.b, "desk", nil)
			w.redeem(w.submit(first, map[string]string{"username": "lee", "password": password}), "shop")
			stays(w, second, right)
		},
		mended: func(w *world) { w.b.Forget(); w.again("desk") }},
	{name: "one session too many is refused", reason: iam.SessionLimit, ask: noSession("shop"), two: true, realm: limited("Deny new session"),
		happens: func(w *world) {
			desk := w.login(w.b, "desk", nil)
			other := visitor.NewBrowser()
			w.wrongPassword(other, "shop")
			if p := stays(w, w.asked(other, "shop", nil), right); p.Status != 403 {
				w.Errorf("the page has status %d", p.Status)
			}
			w.refreshes("desk", desk)
			w.tokens = desk
		},
		mended: func(w *world) {
			w.delete("/sessions/" + w.tokens.Session)
			w.again("shop")
		}},
	{name: "a required action, and a direct grant", reason: iam.ActionRequired, ask: noSession("shop"), two: true,
		happens: func(w *world) {
			w.wrongPassword(w.b, "shop")
			w.setUser(settings{"requiredActions": []string{"UPDATE_PASSWORD"}})
			if a := w.direct("shop", ""); a.OK() {
				w.Fatal("the direct grant works")
			}
			w.wrongPassword(w.b, "shop")
		},
		mended: func(w *world) {
			w.setUser(settings{"requiredActions": []string{}})
			w.refreshes("shop", w.directWorks("shop", ""))
		}},
	{name: "a wrong password", reason: iam.WrongPassword, ask: noSession(""),
		happens: func(w *world) { w.wrongPassword(w.b, "shop") },
		mended:  loginAgain("shop")},
	{name: "a wrong one-time code", reason: iam.WrongOTP, ask: noSession("shop"), two: true,
		realm: settings{"kim": settings{"credentials": []settings{{"type": "password", "value": password},
			{"type": "otp", "secretData": `{"value":"` + otpSecret + `"}`,
				"credentialData": `{"subType":"totp","digits":6,"counter":0,"period":30,"algorithm":"HmacSHA1"}`}}}},
		happens: func(w *world) {
			w.wrongPassword(w.b, "shop")
			p := w.submit(w.asked(w.b, "shop", nil), right)
			w.page = stays(w, p, map[string]string{"otp": "000000"})
		},
		mended: func(w *world) {
			code, err := totp.GenerateCode(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(otpSecret)), time.Now())
			w.must(err)
			w.refreshes("shop", w.redeem(w.submit(w.page, map[string]string{"otp": code}), "shop"))
		}},
	{name: "a recovery code out of turn", reason: iam.WrongRecoveryCode, ask: noSession("shop"), two: true,
		realm: settings{"kim": settings{"credentials": []settings{{"type": "password", "value": password}, {"type": "recovery-authn-codes",
			"secretData": `{"codes":[{"number":1,"encodedHashedValue":"` + hashed("AAAABBBBCCCC") + `"},{"number":2,"encodedHashedValue":"` +
				hashed("DDDDEEEEFFFF") + `"}]}`,
			"credentialData": `{"algorithm":"SHA-512","totalCodes":2,"remainingCodes":2}`}}}},
		happens: func(w *world) {
			require(w, "auth-recovery-authn-code-form", "ALTERNATIVE")
			w.wrongPassword(w.b, "shop")
			p := w.submit(w.asked(w.b, "shop", nil), right)
			w.page = stays(w, p, map[string]string{"recoveryCodeInput": "DDDD-EEEE-FFFF"})
		},
		mended: func(w *world) {
			w.refreshes("shop", w.redeem(w.submit(w.page, map[string]string{"recoveryCodeInput": "AAAA-BBBB-CCCC"}), "shop"))
		}},
	{name: "a name that is nobody's", reason: iam.UnknownUser, ask: noSession("shop"),
		happens: func(w *world) {
			stays(w, w.asked(w.b, "shop", nil), map[string]string{"username": "kym", "password": password})
		},
		mended: loginAgain("shop")},
	{name: "locked after failed logins", reason: iam.BruteForceLock, ask: noSession("shop"), two: true,
		realm: settings{"bruteForceProtected": true, "failureFactor": 2, "waitIncrementSeconds": 900, "maxFailureWaitSeconds": 900,
			"maxDeltaTimeSeconds": 900},
		happens: func(w *world) {
			for range 3 {
				w.wrongPassword(w.b, "shop")
			}
			stays(w, w.asked(w.b, "shop", nil), right)
		},
		mended: func(w *world) {
			w.delete("/attack-detection/brute-force/users/" + w.user)
			w.again("shop")
		}},
	{name: "locked in one browser, signed on in another", reason: iam.BruteForceLock, ask: noSession("desk"), two: true,
		realm: settings{"bruteForceProtected": true, "failureFactor": 2, "waitIncrementSeconds": 900, "maxFailureWaitSeconds": 900,
			"maxDeltaTimeSeconds": 900},
		happens: func(w *world) {
			w.login(w.b, "shop", nil)
			other := visitor.NewBrowser()
			for range 3 {
				w.wrongPassword(other, "desk")
			}
			stays(w, w.asked(other, "desk", nil), right)
		},
		mended: func(w *world) {
			w.delete("/attack-detection/brute-force/users/" + w.user)
			w.login(visitor.NewBrowser(), "desk", nil)
		}},
	{name: "locked for good", reason: iam.BruteForceLock, ask: noSession(""), two: true,
		realm: settings{"bruteForceProtected": true, "permanentLockout": true, "failureFactor": 2},
		happens: func(w *world) {
			for range 3 {
				w.wrongPassword(w.b, "shop")
			}
			stays(w, w.asked(w.b, "shop", nil), right)
		},
		mended: func(w *world) {
			w.setUser(settings{"enabled": true})
			w.again("shop")
		}},
	{name: "a flow that lets nobody in", reason: iam.LoginRefused, ask: noSession("shop"), two: true,
		happens: func(w *world) {
			w.wrongPassword(w.b, "shop")
			kerberos(w, "REQUIRED")
			errorAt(w, "shop", nil)
		},
		mended: func(w *world) {
			kerberos(w, "DISABLED")
			w.again("shop")
		}},
	{name: "a login page left open", reason: iam.LoginExpired, ask: noSession("shop"), realm: settings{"accessCodeLifespanLogin": 1,
		"accessCodeLifespanUserAction": 1, "accessCodeLifespan": 1},
		happens: func(w *world) {
			p := w.asked(w.b, "shop", nil)
			w.wait(2100 * time.Millisecond)
			stays(w, p, right)
		},
		mended: func(w *world) {
			w.set(settings{"accessCodeLifespanLogin": 600, "accessCodeLifespanUserAction": 600, "accessCodeLifespan": 60})
			w.b.Forget()
			w.again("shop")
		}},
	{name: "consent refused", reason: iam.ConsentRefused, ask: noSession("shop"),
		happens: func(w *world) {
			w.setClient("shop", settings{"consentRequired": true})
			p := stays(w, w.submit(w.asked(w.b, "shop", nil), right), map[string]string{"cancel": "No"})
			if p.Param("error") != "access_denied" {
				w.Fatalf("the browser is at %s", p.URL)
			}
		},
		mended: func(w *world) {
			p := w.submit(w.asked(w.b, "shop", nil), right)
			w.refreshes("shop", w.redeem(w.submit(p, map[string]string{"accept": "Yes"}), "shop"))
		}},
	{name: "the user is disabled", reason: iam.UserDisabled, ask: noSession(""), two: true,
		happens: func(w *world) {
			w.login(w.b, "shop", nil)
			w.setUser(settings{"enabled": false})
			w.b.Forget()
			w.wrongPassword(w.b, "shop")
			stays(w, w.asked(w.b, "shop", nil), right)
			w.wrongPassword(w.b, "shop")
		},
		mended: func(w *world) {
			w.setUser(settings{"enabled": true})
			w.again("shop")
		}},
	{name: "the client is disabled", reason: iam.ClientDisabled, ask: noSession("shop"), two: true,
		happens: func(w *world) {
			w.wrongPassword(w.b, "shop")
			w.setClient("shop", settings{"enabled": false})
			errorAt(w, "shop", nil)
		},
		mended: func(w *world) {
			w.setClient("shop", settings{"enabled": true})
			w.again("shop")
		}},
	{name: "the realm is disabled", reason: iam.RealmDisabled, ask: noSession(""), two: true,
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			w.delete("/sessions/" + shop.Session)
			w.set(settings{"enabled": false})
			errorAt(w, "shop", nil)
		},
		mended: func(w *world) {
			w.set(settings{"enabled": true})
			w.again("shop")
		}},
	{name: "a client that is not there", reason: iam.UnknownClient, ask: noSession("shopp"),
		happens: func(w *world) { errorAt(w, "shopp", nil) },
		mended: func(w *world) {
			w.post("/clients", settings{"clientId": "shopp", "enabled": true, "secret": secret, "redirectUris": []string{callback}})
			w.again("shopp")
		}},
	{name: "direct grants are off", reason: iam.ClientNotAllowed, ask: noSession("shop"),
		happens: func(w *world) {
			w.setClient("shop", settings{"directAccessGrantsEnabled": false})
			if a := w.direct("shop", ""); a.OK() {
				w.Fatal("the direct grant works")
			}
		},
		mended: func(w *world) {
			w.setClient("shop", settings{"directAccessGrantsEnabled": true})
			w.directWorks("shop", "")
		}},
	{name: "logins in browsers are off", reason: iam.ClientNotAllowed, ask: noSession("shop"), two: true,
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			w.delete("/sessions/" + shop.Session)
			w.setClient("shop", settings{"standardFlowEnabled": false})
			errorAt(w, "shop", nil)
		},
		mended: func(w *world) {
			w.setClient("shop", settings{"standardFlowEnabled": true})
			w.again("shop")
		}},
	{name: "a request without its type", reason: iam.WrongRequest, ask: noSession("shop"),
		happens: func(w *world) { errorAt(w, "shop", with{"response_type": ""}) },
		mended:  loginAgain("shop")},
	{name: "a scope that the client does not have", reason: iam.WrongScope, ask: noSession("shop"),
		happens: func(w *world) { errorAt(w, "shop", with{"scope": "openid invoices"}) },
		mended: func(w *world) {
			id := w.post("/client-scopes", settings{"name": "invoices", "protocol": "openid-connect"})
			w.put("/clients/"+w.clientID("shop")+"/optional-client-scopes/"+id, nil)
			w.login(w.b, "shop", with{"scope": "openid invoices"})
		}},
	{name: "a redirect URI that is not the client's", reason: iam.RedirectMismatch, ask: noSession("shop"), two: true,
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			w.delete("/sessions/" + shop.Session)
			errorAt(w, "shop", with{"redirect_uri": "https://new.example/callback"})
			w.wrongPassword(w.b, "shop")
		},
		mended: func(w *world) {
			w.setClient("shop", settings{"redirectUris": []string{callback, "https://new.example/callback"}})
			p := w.submit(w.asked(w.b, "shop", with{"redirect_uri": "https://new.example/callback"}), right)
			if _, err := p.Code(); err != nil {
				w.Fatal(err)
			}
		}},
	{name: "somebody else at the same address meets a redirect URI that is not the client's", reason: iam.LogoutByAdmin,
		ask: noSession("shop"), two: true,
		happens: func(w *world) {
			shop := w.login(w.b, "shop", nil)
			w.delete("/sessions/" + shop.Session)
			kim := w.b
			w.b = visitor.NewBrowser()
			w.redeem(w.submit(w.asked(w.b, "desk", nil), map[string]string{"username": "lee", "password": password}), "desk")
			errorAt(w, "shop", with{"redirect_uri": "https://new.example/callback"})
			w.b = kim
			w.asked(w.b, "shop", nil)
		},
		mended: loginAgain("shop")},
	{name: "another redirect URI at the token endpoint", reason: iam.RedirectMismatch, ask: noSession(""), two: true,
		happens: func(w *world) {
			code, err := w.submit(w.asked(w.b, "shop", nil), right).Code()
			w.must(err)
			party := w.party("shop")
			party.Redirect = "https://app.example/other"
			a, err := party.Redeem(w.ctx, code)
			w.must(err)
			if a.OK() {
				w.Fatal("the code is taken")
			}
			w.wrongPassword(visitor.NewBrowser(), "shop")
		},
		mended: func(w *world) { w.refreshes("shop", w.signsOn(w.b, "shop", nil)) }},
	{name: "a code redeemed late", reason: iam.CodeLate, ask: noSession("shop"), realm: settings{"accessCodeLifespan": 1},
		happens: func(w *world) {
			p := w.submit(w.asked(w.b, "shop", nil), right)
			w.wait(1200 * time.Millisecond)
			w.redeemFails(p, "shop")
		},
		mended: func(w *world) {
			w.set(settings{"accessCodeLifespan": 60})
			w.refreshes("shop", w.signsOn(w.b, "shop", nil))
		}},
	{name: "no verifier for the challenge", reason: iam.WrongPKCE, ask: noSession("shop"), two: true,
		happens: func(w *world) {
			w.wrongPassword(w.b, "shop")
			p := w.submit(w.asked(w.b, "shop", with{"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
				"code_challenge_method": "S256"}), right)
			w.redeemFails(p, "shop")
		},
		mended: func(w *world) {
			p := w.open(w.b, w.authURL("shop", with{"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
				"code_challenge_method": "S256"}))
			code, err := p.Code()
			w.must(err)
			a, err := w.party("shop").Post(w.ctx, "token", url.Values{"grant_type": {"authorization_code"}, "code": {code},
				"redirect_uri":  {callback},
				"code_verifier": {"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}})
			w.must(err)
			w.refreshes("shop", a)
		}},
	{name: "offline access that the user may not have", reason: iam.OfflineNotGranted, ask: noSession("mobile"), two: true,
		happens: func(w *world) {
			w.wrongPassword(w.b, "mobile")
			noOfflineRole(w)
			if a := w.direct("mobile", "openid offline_access"); a.OK() {
				w.Fatal("the direct grant works")
			}
		},
		mended: func(w *world) {
			offlineRole(w)
			w.refreshes("mobile", w.directWorks("mobile", "openid offline_access"))
		}},
}
