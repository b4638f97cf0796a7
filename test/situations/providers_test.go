package situations

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/records"
	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// A university is a realm of another Latchkey, by which kim logs in here.
type university struct {
	w     *world
	realm string
}

// provided makes the university and its provider "uni" here; members are more of the provider's.
func provided(w *world, members settings) *university {
	w.Helper()
	peer := w.site.peer
	u := &university{w, "u" + w.realm}
	_, err := peer.admin.Post(w.ctx, "", settings{"realm": u.realm, "enabled": true, "defaultSignatureAlgorithm": "ES256",
		"passwordPolicy": "hashAlgorithm(pbkdf2-sha256) and hashIterations(1)",
		"components": settings{"org.keycloak.keys.KeyProvider": []settings{
			{"name": "ec", "providerId": "ecdsa-generated", "config": settings{
				"priority": []string{"100"}, "ecdsaEllipticCurveKey": []string{"P-256"}}}}},
		"clients": []settings{{"clientId": "here", "secret": secret, "redirectUris": []string{w.site.base + "/*"},
			"attributes": settings{
				"backchannel.logout.url": w.site.base + "/realms/" + w.realm + "/protocol/openid-connect/logout/backchannel-logout"}}},
		"users": []settings{{"username": "kim", "enabled": true, "email": "kim@uni.example", "emailVerified": true,
			"firstName": "Kim", "lastName": "U", "credentials": []settings{{"type": "password", "value": password}}}}})
	w.must(err)
	w.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := peer.admin.Delete(ctx, "/"+u.realm); err != nil {
			w.Errorf("the university could not be removed: %v", err)
		}
	})
	p := settings{"alias": "uni", "providerId": "oidc", "enabled": true, "config": u.config(nil)}
	for k, v := range members {
		p[k] = v
	}
	w.post("/identity-provider/instances", p)
	return u
}

// config are the settings of the provider here.
func (u *university) config(more settings) settings {
	at := u.w.site.peer.base + "/realms/" + u.realm
	c := settings{"issuer": at, "clientId": "here", "clientSecret": secret, "useJwksUrl": "true", "validateSignature": "true",
		"authorizationUrl": at + "/protocol/openid-connect/auth", "tokenUrl": at + "/protocol/openid-connect/token",
		"userInfoUrl": at + "/protocol/openid-connect/userinfo", "jwksUrl": at + "/protocol/openid-connect/certs"}
	for k, v := range more {
		c[k] = v
	}
	return c
}

// set changes the provider here.
func (u *university) set(members settings, config settings) {
	u.w.Helper()
	p := settings{"alias": "uni", "providerId": "oidc", "enabled": true, "config": u.config(config)}
	for k, v := range members {
		p[k] = v
	}
	u.w.put("/identity-provider/instances/uni", p)
}

// leaves has a browser choose the university, and returns where that sends it back to.
func (u *university) leaves(b *visitor.Browser) *url.URL {
	w := u.w
	w.Helper()
	p, err := w.asked(b, "shop", nil).Follow(w.ctx, "/broker/uni/login")
	w.must(err)
	if !p.Away || !strings.HasPrefix(p.URL.String(), w.site.peer.base) {
		w.Fatalf("nobody is sent to the university but to %s, status %d", p.URL, p.Status)
	}
	if p = w.open(b, p.URL.String()); !p.Away {
		p = w.submit(p, right)
	}
	if !p.Away || p.Param("state") == "" {
		w.Fatalf("nobody comes back from the university but is at %s, status %d:\n%.500s", p.URL, p.Status, p.Body)
	}
	return p.URL
}

// logsIn goes the whole way.
func (u *university) logsIn(b *visitor.Browser) *visitor.Page {
	u.w.Helper()
	return u.w.open(b, u.leaves(b).String())
}

// in goes the whole way, and holds that it ends at the client with tokens.
func (u *university) in() {
	u.w.Helper()
	u.w.refreshes("shop", u.w.redeem(u.logsIn(visitor.NewBrowser()), "shop"))
}

// linked links kim here to kim there.
func (u *university) linked() {
	w := u.w
	w.Helper()
	id, err := w.site.peer.admin.ID(w.ctx, "/"+u.realm+"/users?username=kim", "username", "kim")
	w.must(err)
	w.post("/users/"+w.user+"/federated-identity/uni", settings{"userId": id, "userName": "kim"})
}

// out holds that a login by the university ended here.
func (u *university) out(p *visitor.Page) {
	u.w.Helper()
	if p.Away || p.Status < http.StatusBadRequest {
		u.w.Fatalf("the login is at %s, status %d:\n%.500s", p.URL, p.Status, p.Body)
	}
}

// oneStep is a first broker login of one step, which has to succeed.
func oneStep(w *world, authenticator string) {
	w.Helper()
	w.post("/authentication/flows", settings{"alias": "first", "providerId": "basic-flow", "topLevel": true, "builtIn": false})
	w.post("/authentication/flows/first/executions/execution", settings{"provider": authenticator})
	var list []settings
	w.must(w.site.admin.Get(w.ctx, w.at("/authentication/flows/first/executions"), &list))
	list[0]["requirement"] = "REQUIRED"
	w.put("/authentication/flows/first/executions", list[0])
}

// providers are logins by an identity provider that come to nothing.
var providers = []situation{
	{name: "the identity provider refuses the client's secret", reason: iam.ProviderRefused, ask: noSession("shop"),
		happens: func(w *world) {
			u := provided(w, nil)
			u.linked()
			u.set(nil, settings{"clientSecret": "another"})
			u.out(u.logsIn(w.b))
		},
		mended: func(w *world) {
			u := &university{w, "u" + w.realm}
			u.set(nil, nil)
			u.in()
		}},
	{name: "the user says no at the identity provider", reason: iam.ProviderRefused, ask: noSession("shop"), two: true,
		happens: func(w *world) {
			u := provided(w, nil)
			u.linked()
			w.wrongPassword(visitor.NewBrowser(), "shop")
			at := u.leaves(w.b)
			p := w.open(w.b, w.site.base+at.Path+"?"+url.Values{"state": {at.Query().Get("state")}, "error": {"access_denied"}}.Encode())
			if !p.Asks("password") {
				w.Fatalf("the browser is at %s, status %d", p.URL, p.Status)
			}
		},
		mended: func(w *world) { (&university{w, "u" + w.realm}).in() }},
	{name: "the identity provider cannot be reached", reason: iam.ProviderUnreachable, ask: noSession("shop"),
		happens: func(w *world) {
			u := provided(w, nil)
			u.linked()
			u.set(nil, settings{"tokenUrl": "http://127.0.0.1:1/token"})
			u.out(u.logsIn(w.b))
		},
		mended: func(w *world) {
			u := &university{w, "u" + w.realm}
			u.set(nil, nil)
			u.in()
		}},
	{name: "an answer of the identity provider to another login", reason: iam.ProviderState, ask: noSession("shop"),
		happens: func(w *world) {
			u := provided(w, nil)
			u.linked()
			old := u.leaves(w.b)
			u.leaves(w.b)
			q := old.Query()
			q.Set("state", q.Get("state")+"0")
			if p := w.open(w.b, w.site.base+old.Path+"?"+q.Encode()); p.Away {
				w.Fatalf("the browser is at %s", p.URL)
			}
		},
		mended: func(w *world) { (&university{w, "u" + w.realm}).in() }},
	{name: "a browser that keeps no cookies comes back from the identity provider", reason: iam.ProviderCookie, ask: noSession("shop"),
		happens: func(w *world) {
			u := provided(w, nil)
			u.linked()
			at := u.leaves(w.b)
			w.b.Forget()
			u.out(w.open(w.b, at.String()))
		},
		mended: func(w *world) { (&university{w, "u" + w.realm}).in() }},
	{name: "nobody is linked to the account at the identity provider", reason: iam.LinkMissing, ask: noSession("shop"),
		happens: func(w *world) {
			oneStep(w, "deny-access-authenticator")
			u := provided(w, settings{"firstBrokerLoginFlowAlias": "first"})
			u.out(u.logsIn(w.b))
		},
		mended: func(w *world) {
			u := &university{w, "u" + w.realm}
			u.linked()
			u.in()
		}},
	{name: "the name at the identity provider is another user's here", reason: iam.EmailTaken, ask: noSession("shop"), two: true,
		happens: func(w *world) {
			oneStep(w, "idp-create-user-if-unique")
			u := provided(w, settings{"firstBrokerLoginFlowAlias": "first"})
			w.wrongPassword(visitor.NewBrowser(), "shop")
			u.out(u.logsIn(w.b))
		},
		mended: func(w *world) {
			u := &university{w, "u" + w.realm}
			u.linked()
			u.in()
		}},
}

// A session tells through which provider it began, as whom, what the provider's mappers gave, and that it ended by the provider's word.
func TestStoriesOfProviders(t *testing.T) {
	at := map[harness.Engine]*site{harness.SQLite: newSite(t, harness.SQLite), harness.Postgres: newSite(t, harness.Postgres)}
	at[harness.SQLite].peer, at[harness.Postgres].peer = at[harness.Postgres], at[harness.SQLite]
	each(t, nil, "", at, func(w *world) {
		w.post("/roles", settings{"name": "student"})
		u := provided(w, nil)
		u.linked()
		w.post("/identity-provider/instances/uni/mappers", settings{"name": "all are students", "identityProviderAlias": "uni",
			"identityProviderMapper": "oidc-hardcoded-role-idp-mapper", "config": settings{"syncMode": "FORCE", "role": "student"}})
		tokens := w.redeem(u.logsIn(w.b), "shop")
		says := func(words ...string) {
			w.Helper()
			var story records.Story
			w.must(w.site.admin.Get(w.ctx, w.at("/session-explorer/"+tokens.Session), &story))
			for _, word := range words {
				if !strings.Contains(story.Sentence, word) {
					w.Errorf("the session does not tell %q: %s", word, story.Sentence)
				}
			}
		}
		says("through identity provider uni as kim there", "with role student by mapper all are students")
		id, err := w.site.peer.admin.ID(w.ctx, "/"+u.realm+"/users?username=kim", "username", "kim")
		w.must(err)
		_, err = w.site.peer.admin.Post(w.ctx, "/"+u.realm+"/users/"+id+"/logout", nil)
		w.must(err)
		for range 50 {
			if !w.refresh("shop", tokens).OK() {
				break
			}
			w.wait(100 * time.Millisecond)
		}
		says("through identity provider uni", "told of a logout there", "(identity provider uni)")
	})
}
