package attacks

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
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

// An impostor is an identity provider that answers as a test tells it to.
type impostor struct {
	*httptest.Server
	key *jose.Key

	mu       sync.Mutex
	id       string // the ID token that the next code is redeemed for
	userinfo map[string]any
	redeemed int
	out      []url.Values // what its logout was asked with
}

func newKey(t testing.TB, kid string) *jose.Key {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &jose.Key{KID: kid, Alg: "ES256", Use: "sig", Private: k, Public: k.Public()}
}

func newImpostor(t testing.TB) *impostor {
	p := &impostor{key: newKey(t, "own")}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		set, err := jose.Set{p.key}.Public()
		if err != nil {
			t.Error(err)
		}
		answer(w, set)
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.redeemed++
		answer(w, map[string]any{"access_token": "opaque", "token_type": "Bearer", "id_token": p.id})
	})
	mux.HandleFunc("/userinfo", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		answer(w, p.userinfo)
	})
	mux.HandleFunc("/out", func(_ http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.out = append(p.out, r.URL.Query())
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// provide makes the impostor a provider of the shop.
func (p *impostor) provide(s *shop, alias, more string) {
	s.Helper()
	_, err := s.admin.Post(s, "/shop/identity-provider/instances",
		json.RawMessage(fmt.Sprintf(`{"alias":%q,"providerId":"oidc","enabled":true,"trustEmail":true,"config":{
		"clientId":"shop","clientSecret":"a secret of thirty-two characters","issuer":%q,"authorizationUrl":"%s/auth","tokenUrl":"%s/token","jwksUrl":"%s/keys","userInfoUrl":"%s/userinfo",
		"useJwksUrl":"true","validateSignature":"true"%s}}`, alias, p.URL, p.URL, p.URL, p.URL, p.URL, more)))
	s.must(err)
}

// leave has a browser go to a provider, and returns the authorization request.
func leave(s *shop, b *visitor.Browser, alias string) url.Values {
	s.Helper()
	at := s.party("web").AuthURL() + "&kc_idp_hint=" + alias
	for range 3 {
		p, err := b.Open(s, at)
		s.must(err)
		if p.URL.Path == "/auth" {
			return p.URL.Query()
		}
		at = p.URL.String()
	}
	s.Fatalf("nobody is sent to %s", alias)
	return nil
}

// say sets what the provider says of the login of a request.
func (p *impostor) say(s *shop, q url.Values, sign func(map[string]any) string, more, profile map[string]any) {
	s.Helper()
	claims := map[string]any{"iss": p.URL, "aud": "shop", "sub": "mallory", "exp": time.Now().Add(time.Minute).Unix(),
		"iat":   time.Now().Unix(),
		"nonce": q.Get("nonce"), "preferred_username": "mallory", "email": "mallory@evil.example", "email_verified": true, "given_name": "M",
		"family_name": "Y"}
	maps.Copy(claims, more)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.userinfo = map[string]any{"sub": claims["sub"]}
	maps.Copy(p.userinfo, profile)
	p.id = sign(claims)
}

func (p *impostor) signed(s *shop, k *jose.Key) func(map[string]any) string {
	return func(c map[string]any) string {
		id, err := k.SignJSON("JWT", c)
		s.must(err)
		return id
	}
}

func cameBack(s *shop, b *visitor.Browser, alias string, q url.Values) *visitor.Page {
	s.Helper()
	p, err := b.Open(s, s.base+"/realms/shop/broker/"+alias+"/endpoint?"+url.Values{"code": {"c"}, "state": {q.Get("state")}}.Encode())
	s.must(err)
	return p
}

// Nobody comes in by an answer that the provider did not give to this login of this browser.
func TestAnswersOfProviders(t *testing.T) {
	t.Parallel()
	eachShop(t, func(t *testing.T, s *shop) {
		p := newImpostor(t)
		p.provide(s, "good", "")
		p.provide(s, "other", "")
		own := p.signed(s, p.key)
		unsigned := func(c map[string]any) string {
			doc, _ := json.Marshal(c)
			enc := base64.RawURLEncoding.EncodeToString
			return enc([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + enc(doc) + "."
		}
		published, err := json.Marshal(p.key.Public)
		s.must(err)
		hmac := func(secret []byte) func(map[string]any) string {
			return p.signed(s, &jose.Key{KID: "own", Alg: "HS256", Secret: secret})
		}
		for _, c := range []struct {
			name    string
			sign    func(map[string]any) string
			more    map[string]any
			profile map[string]any
		}{
			{"unsigned", unsigned, nil, nil},
			{"signed with the secret", hmac([]byte("a secret of thirty-two characters")), nil, nil},
			{"signed with the public key as a secret", hmac(published), nil, nil},
			{"signed by a stranger", p.signed(s, newKey(t, "own")), nil, nil},
			{"signed by a key of another id", p.signed(s, newKey(t, "more")), nil, nil},
			{"of another issuer", own, map[string]any{"iss": "https://other.example"}, nil},
			{"for another client", own, map[string]any{"aud": "somebody"}, nil},
			{"issued for another client", own, map[string]any{"azp": "somebody", "aud": []string{"shop", "somebody"}}, nil},
			{"expired", own, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}, nil},
			{"of the future", own, map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}, nil},
			{"with another login's nonce", own, map[string]any{"nonce": "another"}, nil},
			{"without a nonce", own, map[string]any{"nonce": ""}, nil},
			{"about nobody", own, map[string]any{"sub": ""}, nil},
			{"with somebody else's userinfo", own, nil, map[string]any{"sub": "alice"}},
		} {
			t.Run(c.name, func(t *testing.T) {
				b := visitor.NewBrowser()
				q := leave(s, b, "good")
				p.say(s, q, c.sign, c.more, c.profile)
				if page := cameBack(s, b, "good", q); page.Away || page.Status != http.StatusBadGateway {
					t.Errorf("status %d, away %v: %s", page.Status, page.Away, page.URL)
				}
				if page := s.open(b, "web", ""); page.Away {
					t.Error("signed on")
				}
			})
		}
		t.Run("the state", func(t *testing.T) {
			b, thief := visitor.NewBrowser(), visitor.NewBrowser()
			q := leave(s, b, "good")
			p.say(s, q, own, nil, nil)
			before := p.redeemed
			for name, page := range map[string]*visitor.Page{"in another browser": cameBack(s, thief, "good", q),
				"at another provider": cameBack(s, b, "other", q)} {
				if page.Away && page.Param("code") != "" || p.redeemed != before { // the login may begin anew
					t.Errorf("%s: %s, redeemed %d times", name, page.URL, p.redeemed-before)
				}
			}
			q = leave(s, b, "good")
			p.say(s, q, own, nil, nil)
			if page := cameBack(s, b, "good", q); !page.Away || page.Param("code") == "" {
				t.Fatalf("the right one: status %d %s\n%.500s", page.Status, page.URL, page.Body)
			}
			before = p.redeemed
			cameBack(s, thief, "good", q)
			if page := cameBack(s, b, "good", q); p.redeemed != before {
				t.Errorf("heard again: %s", page.URL)
			}
		})
	})
}

// An account is not taken over by what a provider says of an address or a name, nor does a provider's mapper make administrators.
func TestTakeoverByProviders(t *testing.T) {
	t.Parallel()
	eachShop(t, func(t *testing.T, s *shop) {
		p := newImpostor(t)
		p.provide(s, "good", `,"syncMode":"FORCE"`)
		own := p.signed(s, p.key)
		alice, err := s.admin.ID(s, "/shop/users?username=alice", "username", "alice")
		s.must(err)
		s.must(s.admin.Put(s, "/shop/users/"+alice,
			json.RawMessage(`{"email":"alice@shop.example","emailVerified":true,"firstName":"A","lastName":"L"}`)))
		links := func() (n int) {
			var list []any
			s.must(s.admin.Get(s, "/shop/users/"+alice+"/federated-identity", &list))
			return len(list)
		}
		for name, more := range map[string]map[string]any{
			"by her address, not verified": {"sub": "1", "preferred_username": "mallory1", "email": "alice@shop.example", "email_verified": false},
			"by her address":               {"sub": "2", "preferred_username": "mallory2", "email": "ALICE@shop.example"},
			"by her name":                  {"sub": "3", "preferred_username": "Alice", "email": "m3@evil.example"},
			"by her id":                    {"sub": alice, "preferred_username": "alice"},
		} {
			b := visitor.NewBrowser()
			q := leave(s, b, "good")
			p.say(s, q, own, more, nil)
			page := cameBack(s, b, "good", q)
			if page.Away || !strings.Contains(page.Body, "linkAccount") {
				t.Errorf("%s: status %d, %s", name, page.Status, page.URL)
				continue
			}
			page, err := page.Submit(s, map[string]string{"submitAction": "linkAccount"})
			s.must(err)
			if page.Away || !page.Asks("password") || links() != 0 {
				t.Errorf("%s: linked without her password: %s", name, page.URL)
			}
		}
		_, err = s.admin.Post(s, "/shop/identity-provider/instances/good/mappers",
			json.RawMessage(`{"name":"giver","identityProviderAlias":"good",
			"identityProviderMapper":"oidc-hardcoded-role-idp-mapper","config":{"syncMode":"FORCE","role":"realm-management.realm-admin"}}`))
		s.must(err)
		b := visitor.NewBrowser()
		q := leave(s, b, "good")
		p.say(s, q, own, nil, nil)
		if page := cameBack(s, b, "good", q); !page.Away {
			t.Fatalf("status %d %s", page.Status, page.URL)
		}
		mallory, err := s.admin.ID(s, "/shop/users?username=mallory", "username", "mallory")
		s.must(err)
		var roles map[string]any
		s.must(s.admin.Get(s, "/shop/users/"+mallory+"/role-mappings", &roles))
		if strings.Contains(fmt.Sprint(roles), "realm-admin") {
			t.Errorf("a mapper made an administrator: %v", roles)
		}
		// A name that is another user's by now is not taken at a later login either.
		b = visitor.NewBrowser()
		q = leave(s, b, "good")
		p.say(s, q, own, map[string]any{"email": "alice@shop.example"}, nil)
		if page := cameBack(s, b, "good", q); page.Away {
			t.Errorf("with her address: %s", page.URL)
		}
	})
}

// Sessions end by a logout token that the provider signed for this realm, and by no other.
func TestLogoutTokens(t *testing.T) {
	t.Parallel()
	eachShop(t, func(t *testing.T, s *shop) {
		p := newImpostor(t)
		p.provide(s, "good", "")
		own := p.signed(s, p.key)
		b := visitor.NewBrowser()
		q := leave(s, b, "good")
		p.say(s, q, own, map[string]any{"sid": "s1"}, nil)
		if page := cameBack(s, b, "good", q); !page.Away {
			t.Fatalf("status %d %s", page.Status, page.URL)
		}
		event := map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}
		tell := func(sign func(map[string]any) string, more map[string]any) int {
			c := map[string]any{"iss": p.URL, "aud": "shop", "sub": "mallory", "sid": "s1", "jti": "j", "iat": time.Now().Unix(),
				"exp": time.Now().Add(time.Minute).Unix(), "events": event}
			maps.Copy(c, more)
			r, err := http.PostForm(s.base+"/realms/shop/protocol/openid-connect/logout/backchannel-logout", url.Values{"logout_token": {sign(c)}})
			s.must(err)
			defer r.Body.Close()
			return r.StatusCode
		}
		live := func() bool {
			page := s.open(b, "web", "")
			return page.Away && page.Param("code") != ""
		}
		for name, status := range map[string]int{
			"by a stranger":        tell(p.signed(s, newKey(t, "own")), nil),
			"by the secret":        tell(p.signed(s, &jose.Key{KID: "own", Alg: "HS256", Secret: []byte("a secret of thirty-two characters")}), nil),
			"of another issuer":    tell(own, map[string]any{"iss": "https://other.example"}),
			"for another client":   tell(own, map[string]any{"aud": "somebody"}),
			"an ID token":          tell(own, map[string]any{"events": map[string]any{}}),
			"with a nonce":         tell(own, map[string]any{"nonce": "n"}),
			"an old one":           tell(own, map[string]any{"iat": time.Now().Add(-time.Hour).Unix()}),
			"about nothing":        tell(own, map[string]any{"sub": "", "sid": ""}),
			"of an expired moment": tell(own, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}),
		} {
			if status != http.StatusBadRequest || !live() {
				t.Errorf("%s: status %d, session live: %v", name, status, live())
			}
		}
		if status := tell(own, map[string]any{"sid": "another"}); status != http.StatusOK || !live() {
			t.Errorf("another session's: status %d, session live: %v", status, live())
		}
		if status := tell(own, nil); status != http.StatusOK || live() {
			t.Errorf("the right one: status %d, session live: %v", status, live())
		}
	})
}

// A provider's logout that names its session alone ends what came out of that session, and nothing else; nor does one
// provider end what another began.
func TestLogoutTokensOfSessions(t *testing.T) {
	t.Parallel()
	eachShop(t, func(t *testing.T, s *shop) {
		p := newImpostor(t)
		p.provide(s, "good", "")
		p.provide(s, "second", "")
		own := p.signed(s, p.key)
		browsers := map[string]*visitor.Browser{}
		for _, name := range []string{"good.s1", "good.s2", "second.s1"} {
			alias, sid, _ := strings.Cut(name, ".")
			b := visitor.NewBrowser()
			browsers[name] = b
			q := leave(s, b, alias)
			who := map[string]any{"sid": sid, "sub": "m-" + alias, "preferred_username": "m-" + alias, "email": alias + "@evil.example"}
			p.say(s, q, own, who, nil)
			if page := cameBack(s, b, alias, q); !page.Away {
				t.Fatalf("%s: status %d %s", name, page.Status, page.URL)
			}
		}
		off := json.RawMessage(`{"alias":"second","providerId":"oidc","enabled":false,"config":{}}`)
		s.must(s.admin.Put(s, "/shop/identity-provider/instances/second", off))
		event := map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}
		token := own(map[string]any{"iss": p.URL, "aud": "shop", "sid": "s1", "jti": "j", "iat": time.Now().Unix(),
			"exp": time.Now().Add(time.Minute).Unix(), "events": event})
		r, err := http.PostForm(s.base+"/realms/shop/protocol/openid-connect/logout/backchannel-logout", url.Values{"logout_token": {token}})
		s.must(err)
		defer r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Errorf("status %d", r.StatusCode)
		}
		for name, b := range browsers {
			if page := s.open(b, "web", ""); (page.Param("code") != "") != (name != "good.s1") {
				t.Errorf("%s: the browser is at %s", name, page.URL)
			}
		}
	})
}

// Whoever ends a session here, its provider is asked to end its own, once, with the ID token that it gave.
func TestProvidersAreToldOfLogouts(t *testing.T) {
	t.Parallel()
	eachShop(t, func(t *testing.T, s *shop) {
		p := newImpostor(t)
		p.provide(s, "good", `,"backchannelSupported":"true","logoutUrl":"`+p.URL+`/out"`)
		own := p.signed(s, p.key)
		for _, how := range []struct {
			name string
			end  func(a *visitor.Answer, user string)
		}{
			{"an administrator ends the session", func(a *visitor.Answer, _ string) { s.must(s.admin.Delete(s, "/shop/sessions/"+a.Session)) }},
			{"an administrator logs the user out", func(_ *visitor.Answer, user string) {
				_, err := s.admin.Post(s, "/shop/users/"+user+"/logout", nil)
				s.must(err)
			}},
			{"the client logs out", func(a *visitor.Answer, _ string) {
				_, err := s.party("web").Logout(s, a.Refresh)
				s.must(err)
			}},
		} {
			b := visitor.NewBrowser()
			q := leave(s, b, "good")
			p.say(s, q, own, map[string]any{"sid": "s1"}, nil)
			a := s.redeem(cameBack(s, b, "good", q), "web")
			user, err := s.admin.ID(s, "/shop/users?username=mallory", "username", "mallory")
			s.must(err)
			p.mu.Lock()
			p.out = nil
			p.mu.Unlock()
			how.end(a, user)
			p.mu.Lock()
			if len(p.out) != 1 || p.out[0].Get("state") != a.Session || p.out[0].Get("id_token_hint") != p.id {
				t.Errorf("%s: the provider is asked %d times: %v", how.name, len(p.out), p.out)
			}
			p.mu.Unlock()
		}
	})
}
