package attacks

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/jose"
	"latchkey/test/visitor"
)

// A university is an OpenID provider that says whatever a test has it say.
type university struct {
	*httptest.Server
	key *jose.Key

	mu    sync.Mutex
	sign  func(claims map[string]any) string // the ID token; nil: as it should be
	claim map[string]any                     // instead of what it says of its student, or beside it; nil leaves out
	user  map[string]any                     // likewise of the userinfo
}

const student = "student-1"

func openUniversity(t testing.TB) *university {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	u := &university{key: &jose.Key{KID: "k", Alg: "RS256", Use: "sig", Private: private}}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		set, _ := jose.Set{u.key}.Public()
		answer(w, set)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) { // the code is the nonce
		u.mu.Lock()
		defer u.mu.Unlock()
		now := time.Now()
		claims := instead(map[string]any{"iss": u.URL, "aud": "latchkey", "sub": student, "nonce": r.FormValue("code"),
			"exp": now.Add(time.Minute).Unix(), "iat": now.Unix(),
			"preferred_username": "sam", "email": "sam@uni.example", "given_name": "S", "family_name": "M"}, u.claim)
		raw := ""
		if u.sign != nil {
			raw = u.sign(claims)
		} else {
			raw, _ = u.key.SignJSON("JWT", claims)
		}
		answer(w, map[string]any{"access_token": "access", "id_token": raw, "token_type": "Bearer"})
	})
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, _ *http.Request) {
		u.mu.Lock()
		defer u.mu.Unlock()
		answer(w, instead(map[string]any{"sub": student}, u.user))
	})
	u.Server = httptest.NewServer(mux)
	t.Cleanup(u.Close)
	return u
}

func instead(usual, other map[string]any) map[string]any {
	maps.Copy(usual, other)
	maps.DeleteFunc(usual, func(_ string, v any) bool { return v == nil })
	return usual
}

// says has the university say something else from now on.
func (u *university) says(claim, user map[string]any, sign func(map[string]any) string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.claim, u.user, u.sign = claim, user, sign
}

// provider is the university as a provider of the shop.
func (u *university) provider(kind, alias string, config map[string]string, members map[string]any) map[string]any {
	all := map[string]string{"clientId": "latchkey", "clientSecret": "latchkey-secret", "authorizationUrl": u.URL + "/auth",
		"tokenUrl":    u.URL + "/token",
		"userInfoUrl": u.URL + "/userinfo", "issuer": u.URL, "jwksUrl": u.URL + "/keys", "useJwksUrl": "true", "validateSignature": "true"}
	maps.Copy(all, config)
	v := map[string]any{"alias": alias, "providerId": kind, "enabled": true, "config": all}
	maps.Copy(v, members)
	return v
}

// away has a browser choose a provider at the login page, and returns where it is sent.
func away(s *shop, b *visitor.Browser, alias string) *url.URL {
	s.Helper()
	p, err := s.open(b, "web", "").Follow(s, "/broker/"+alias+"/login")
	s.must(err)
	if !p.Away || p.Param("state") == "" {
		s.Fatalf("nobody was sent to %s: %d %s", alias, p.Status, p.Body)
	}
	return p.URL
}

// back comes back from where a browser was sent.
func back(s *shop, b *visitor.Browser, sent *url.URL) *visitor.Page {
	s.Helper()
	q := sent.Query()
	p, err := b.Open(s, q.Get("redirect_uri")+"?"+url.Values{"state": {q.Get("state")}, "code": {q.Get("nonce")}}.Encode())
	s.must(err)
	return p
}

// in tells whether a browser has come through a provider: to the application, or to the first broker login.
func in(p *visitor.Page) bool {
	return p.Away && p.Param("code") != "" || strings.Contains(p.URL.Path, "/login-actions/first-broker-login")
}

// Only what the provider said, to this realm, now and of this login, logs anybody in.
func TestIDTokens(t *testing.T) {
	t.Parallel()
	eachShop(t, func(t *testing.T, s *shop) {
		uni := openUniversity(t)
		_, err := s.admin.Post(s, "/shop/identity-provider/instances", uni.provider("oidc", "uni", nil, nil))
		s.must(err)
		_, err = s.admin.Post(s, "/shop/identity-provider/instances", uni.provider("google", "goog",
			map[string]string{"hostedDomain": "shop.example,uni.example"}, nil))
		s.must(err)
		_, err = s.admin.Post(s, "/shop/identity-provider/instances", uni.provider("google", "hosted",
			map[string]string{"hostedDomain": "*"}, nil))
		s.must(err)
		public, err := jose.EncodePublicKey(uni.key.PublicKey())
		s.must(err)
		part := func(v any) string {
			doc, _ := json.Marshal(v)
			return base64.RawURLEncoding.EncodeToString(doc)
		}
		hmacBy := func(secret string) func(map[string]any) string {
			return func(c map[string]any) string {
				raw, _ := (&jose.Key{KID: "k", Alg: "HS256", Secret: []byte(secret)}).SignJSON("JWT", c)
				return raw
			}
		}
		other, err := rsa.GenerateKey(rand.Reader, 2048)
		s.must(err)
		ago := time.Now().Add(-time.Hour).Unix()
		for _, x := range []struct {
			what, alias string
			claim, user map[string]any
			sign        func(map[string]any) string
			good        bool
		}{
			{what: "as it should be", alias: "uni", good: true},
			{what: "alg none", alias: "uni", sign: func(c map[string]any) string {
				return part(map[string]any{"alg": "none"}) +
					"." + part(c) + "."
			}},
			{what: "HMAC with the client's secret, which nobody has asked for", alias: "uni", sign: hmacBy("latchkey-secret")},
			{what: "HMAC with the public key", alias: "uni", sign: hmacBy(public)},
			{what: "another key of the same id", alias: "uni", sign: func(c map[string]any) string {
				raw, _ := (&jose.Key{KID: "k", Alg: "RS256", Private: other}).SignJSON("JWT", c)
				return raw
			}},
			{what: "another issuer", alias: "uni", claim: map[string]any{"iss": "https://elsewhere.example"}},
			{what: "no issuer", alias: "uni", claim: map[string]any{"iss": nil}},
			{what: "another audience", alias: "uni", claim: map[string]any{"aud": "other"}},
			{what: "no audience", alias: "uni", claim: map[string]any{"aud": nil}},
			{what: "issued for another client", alias: "uni", claim: map[string]any{"aud": []string{"latchkey", "other"}, "azp": "other"}},
			{what: "another login's nonce", alias: "uni", claim: map[string]any{"nonce": "other"}},
			{what: "no nonce", alias: "uni", claim: map[string]any{"nonce": nil}},
			{what: "expired", alias: "uni", claim: map[string]any{"exp": ago}},
			{what: "of nobody", alias: "uni", claim: map[string]any{"sub": nil}, user: map[string]any{"sub": nil}},
			{what: "the userinfo of somebody else", alias: "uni", user: map[string]any{"sub": "other"}},
			{what: "hosted in a domain of the realm's", alias: "goog", claim: map[string]any{"hd": "uni.example"}, good: true},
			{what: "hosted elsewhere", alias: "goog", claim: map[string]any{"hd": "elsewhere.example"}},
			{what: "hosted in a part of the list", alias: "goog", claim: map[string]any{"hd": "shop.example,uni.example"}},
			{what: "a private account", alias: "goog"},
			{what: "hosted anywhere", alias: "hosted", claim: map[string]any{"hd": "elsewhere.example"}, good: true},
			{what: "a private account where any domain will do", alias: "hosted"},
		} {
			uni.says(x.claim, x.user, x.sign)
			b := visitor.NewBrowser()
			if p := back(s, b, away(s, b, x.alias)); in(p) != x.good {
				t.Errorf("%s: %s lets in %t, want %t: %d %s", x.what, x.alias, in(p), x.good, p.Status, p.URL)
			}
		}
	})
}

// Who administers identity providers alone gives nobody rights by a mapper, however it names them: what the name is
// judged as is what it gives.
func TestMapperNames(t *testing.T) {
	t.Parallel()
	eachShop(t, func(t *testing.T, s *shop) {
		uni := openUniversity(t)
		realmManagement, err := s.admin.ID(s, "/shop/clients?clientId=realm-management", "clientId", "realm-management")
		s.must(err)
		var manages map[string]any
		s.must(s.admin.Get(s, "/shop/clients/"+realmManagement+"/roles/manage-users", &manages))
		give := []any{manages}
		for _, name := range []string{"boss", "account.boss", "a.b.boss", "account.a.boss"} {
			_, err := s.admin.Post(s, "/shop/roles", map[string]any{"name": name})
			s.must(err)
			_, err = s.admin.Post(s, "/shop/roles/"+name+"/composites", give)
			s.must(err)
		}
		for _, name := range []string{"staff", "staff/", "/staff"} {
			id, err := s.admin.Post(s, "/shop/groups", map[string]any{"name": name})
			s.must(err)
			_, err = s.admin.Post(s, "/shop/groups/"+id+"/role-mappings/clients/"+realmManagement, give)
			s.must(err)
		}
		ida, err := s.admin.Post(s, "/shop/users", map[string]any{"username": "ida", "enabled": true, "email": "ida@shop.example",
			"firstName": "I", "lastName": "D",
			"credentials": []any{map[string]any{"type": "password", "value": "ida-pw"}}})
		s.must(err)
		var own map[string]any
		s.must(s.admin.Get(s, "/shop/clients/"+realmManagement+"/roles/manage-identity-providers", &own))
		_, err = s.admin.Post(s, "/shop/users/"+ida+"/role-mappings/clients/"+realmManagement, []any{own})
		s.must(err)
		_, err = s.admin.Post(s, "/shop/identity-provider/instances",
			uni.provider("oidc", "uni", map[string]string{"allowAdminRoleMapping": "true"}, nil))
		s.must(err)
		admin := &visitor.Admin{Base: s.base, Realm: "shop", Username: "ida", Password: "ida-pw"}
		made := 0
		for _, config := range []map[string]string{
			{"role": "boss"}, {"role": "account.boss"}, {"role": "a.b.boss"}, {"role": "account.a.boss"}, {"role": "realm-management.manage-users"},
			{"group": "/staff"}, {"group": "staff"}, {"group": "/staff/"}, {"group": "/staff//"}, {"group": "staff//"}, {"group": "//staff"},
			{"group": "//staff/"},
		} {
			kind := "oidc-hardcoded-role-idp-mapper"
			if config["group"] != "" {
				kind = "oidc-hardcoded-group-idp-mapper"
			}
			config["syncMode"] = "FORCE"
			name := "of " + config["role"] + config["group"]
			if _, err := admin.Post(s, "/shop/identity-provider/instances/uni/mappers", map[string]any{"name": name, "identityProviderAlias": "uni",
				"identityProviderMapper": kind, "config": config}); err == nil {
				made++
			}
		}
		b := visitor.NewBrowser()
		if p := back(s, b, away(s, b, "uni")); p.Param("code") == "" {
			t.Fatalf("nobody is logged in: %d %s", p.Status, p.URL)
		}
		sam, err := s.admin.ID(s, "/shop/users?username=sam", "username", "sam")
		s.must(err)
		var roles, groups []map[string]any
		s.must(s.admin.Get(s, "/shop/users/"+sam+"/role-mappings/clients/"+realmManagement+"/composite", &roles))
		s.must(s.admin.Get(s, "/shop/users/"+sam+"/groups", &groups))
		if len(roles)+len(groups) > 0 {
			t.Errorf("of %d mappers somebody has the roles %v and groups %v", made, roles, groups)
		}
	})
}

// An address counts as verified only by what is said of that address, and only where the provider is trusted with it.
func TestProvidersAddresses(t *testing.T) {
	t.Parallel()
	eachShop(t, func(t *testing.T, s *shop) {
		uni := openUniversity(t)
		for _, alias := range []string{"trusted", "other"} {
			_, err := s.admin.Post(s, "/shop/identity-provider/instances", uni.provider("oidc", alias, nil,
				map[string]any{"trustEmail": alias == "trusted"}))
			s.must(err)
		}
		for _, x := range []struct {
			what, alias string
			claim, user map[string]any
			verified    bool
		}{
			{"verified", "trusted", map[string]any{"email_verified": true}, nil, true},
			{"nothing said", "trusted", nil, nil, true},
			{"not verified", "trusted", map[string]any{"email_verified": false}, nil, false},
			{"not trusted", "other", map[string]any{"email_verified": true}, nil, false},
			{"the ID token's, which is another", "trusted", map[string]any{"email_verified": true},
				map[string]any{"email": "new@uni.example"}, false},
			{"both verified", "trusted", map[string]any{"email_verified": true}, map[string]any{"email": "new@uni.example", "email_verified": true},
				true},
			{"the same in other letters", "trusted", map[string]any{"email_verified": true}, map[string]any{"email": "SAM@uni.example"}, true},
		} {
			uni.says(x.claim, x.user, nil)
			b := visitor.NewBrowser()
			if p := back(s, b, away(s, b, x.alias)); p.Param("code") == "" {
				t.Fatalf("%s: nobody is logged in: %d %s", x.what, p.Status, p.URL)
			}
			id, err := s.admin.ID(s, "/shop/users?username=sam", "username", "sam")
			s.must(err)
			var sam struct {
				Email         string
				EmailVerified bool
			}
			s.must(s.admin.Get(s, "/shop/users/"+id, &sam))
			if sam.EmailVerified != x.verified {
				t.Errorf("%s: %s counts as verified %t, want %t", x.what, sam.Email, sam.EmailVerified, x.verified)
			}
			s.must(s.admin.Delete(s, "/shop/users/"+id))
		}
	})
}

// A provider's answer is good once, in the browser that went there, at the provider that it went to, and while that is there
// to log in by.
func TestProvidersAnswers(t *testing.T) {
	t.Parallel()
	eachShop(t, func(t *testing.T, s *shop) {
		uni := openUniversity(t)
		set := func(alias string, members map[string]any) {
			t.Helper()
			s.must(s.admin.Put(s, "/shop/identity-provider/instances/"+alias, uni.provider("oidc", alias, nil, members)))
		}
		for _, alias := range []string{"uni", "second"} {
			_, err := s.admin.Post(s, "/shop/identity-provider/instances", uni.provider("oidc", alias, nil, nil))
			s.must(err)
		}
		_, err := s.admin.Post(s, "", json.RawMessage(strings.ReplaceAll(shopDoc, `"realm": "shop"`, `"realm": "twin"`)))
		s.must(err)
		_, err = s.admin.Post(s, "/twin/identity-provider/instances", uni.provider("oidc", "uni", nil, nil))
		s.must(err)
		instead := func(u *url.URL, old, new string) *url.URL {
			v, q := *u, u.Query()
			q.Set("redirect_uri", strings.Replace(q.Get("redirect_uri"), old, new, 1))
			v.RawQuery = q.Encode()
			return &v
		}
		out := func(what string, p *visitor.Page) {
			t.Helper()
			if in(p) {
				t.Errorf("%s: somebody is let in: %d %s", what, p.Status, p.URL)
			}
		}
		b := visitor.NewBrowser()
		sent := away(s, b, "uni")
		out("another browser", back(s, visitor.NewBrowser(), sent))
		victim := visitor.NewBrowser()
		s.open(victim, "web", "")
		out("another browser that logs in, too", back(s, victim, sent))
		out("another provider's endpoint", back(s, b, instead(sent, "/broker/uni/", "/broker/second/")))
		out("another realm's", back(s, b, instead(sent, "/realms/shop/", "/realms/twin/")))
		if p := back(s, b, away(s, b, "uni")); !in(p) {
			t.Fatalf("nobody is let in: %d %s", p.Status, p.URL)
		}
		b = visitor.NewBrowser()
		sent = away(s, b, "uni")
		if p := back(s, b, sent); !in(p) {
			t.Fatalf("nobody is let in: %d %s", p.Status, p.URL)
		}
		out("once more", back(s, b, sent))
		for _, members := range []map[string]any{{"enabled": false}, {"linkOnly": true}} {
			b := visitor.NewBrowser()
			begun, page := away(s, b, "uni"), s.open(b, "web", "")
			set("uni", members)
			out("a provider that nobody logs in by since", back(s, b, begun))
			p, err := page.Follow(s, "/broker/uni/login")
			s.must(err)
			if p.Away {
				t.Errorf("%v: the browser is sent to %s", members, p.URL)
			}
			set("uni", map[string]any{"enabled": true, "linkOnly": false})
		}
	})
}

// The way back from a provider's logout ends nothing in the browser of somebody else whom it is given to.
func TestProvidersLogoutAddress(t *testing.T) {
	t.Parallel()
	eachShop(t, func(t *testing.T, s *shop) {
		uni := openUniversity(t)
		_, err := s.admin.Post(s, "/shop/identity-provider/instances",
			uni.provider("oidc", "uni", map[string]string{"logoutUrl": uni.URL + "/out"}, nil))
		s.must(err)
		victim, own := visitor.NewBrowser(), visitor.NewBrowser()
		if p := s.submit(s.open(victim, "web", ""), "alice"); p.Param("code") == "" {
			t.Fatalf("alice is not logged in: %d %s", p.Status, p.URL)
		}
		for _, x := range []struct {
			what string
			b    *visitor.Browser
			on   bool // afterwards
		}{{"the victim's browser", victim, true}, {"the browser that logs out", own, false}} {
			a := s.redeem(back(s, own, away(s, own, "uni")), "web")
			hint := a.ID
			p, err := own.Open(s, s.party("web").Endpoint("logout")+"?id_token_hint="+hint)
			s.must(err)
			if !p.Away || p.Param("post_logout_redirect_uri") == "" {
				t.Fatalf("%s: the browser is not sent to the provider: %d %s", x.what, p.Status, p.URL)
			}
			_, err = x.b.Open(s, p.Param("post_logout_redirect_uri")+"?state="+p.Param("state"))
			s.must(err)
			if on := s.open(x.b, "web", "").Param("code") != ""; on != x.on {
				t.Errorf("%s is logged in: %t, want %t", x.what, on, x.on)
			}
		}
	})
}
