package attacks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/jose"
	"latchkey/test/visitor"
)

// A clerk is a token endpoint that takes each refresh token once, and clients by one way alone.
type clerk struct {
	*httptest.Server
	t    testing.TB
	key  *jose.Key
	keys func() jose.Set // of the realm that asks

	mu        sync.Mutex
	method    string
	nonce     string
	seen      map[string]bool // ids of assertions
	good      string          // the refresh token that is good now
	refreshes int
	lost      []string // refresh tokens that came twice
	down      bool
}

const hardSecret = "a:secret of%thirty-two + characters"

func openClerk(t testing.TB, keys func() jose.Set) *clerk {
	c := &clerk{t: t, key: newKey(t, "own"), keys: keys, seen: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		set, _ := jose.Set{c.key}.Public()
		_ = json.NewEncoder(w).Encode(set)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		_ = r.ParseForm()
		w.Header().Set("Content-Type", "application/json")
		if why := c.wrong(r); why != "" || c.down {
			c.t.Log(c.method, why)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":"invalid_client"}`))
			return
		}
		if r.PostForm.Get("grant_type") == "refresh_token" {
			if token := r.PostForm.Get("refresh_token"); token != c.good {
				c.lost = append(c.lost, token)
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
				return
			}
			c.refreshes++
			time.Sleep(50 * time.Millisecond)
		}
		c.good = fmt.Sprint("refresh-", c.refreshes)
		now := time.Now()
		id, _ := c.key.SignJSON("JWT", map[string]any{"iss": c.URL, "aud": "cid", "sub": "sam", "iat": now.Unix(), "nonce": c.nonce,
			"exp": now.Add(time.Minute).Unix(), "email": "sam@uni.example", "given_name": "S", "family_name": "M", "preferred_username": "sam"})
		out := map[string]any{"access_token": fmt.Sprint("access-", c.refreshes), "expires_in": 600, "refresh_token": c.good}
		if c.refreshes == 0 {
			out["id_token"], out["expires_in"] = id, 1
		}
		_ = json.NewEncoder(w).Encode(out)
	})
	c.Server = httptest.NewServer(mux)
	t.Cleanup(c.Close)
	return c
}

// wrong tells what is not in order with how a client says who it is.
func (c *clerk) wrong(r *http.Request) string {
	form := r.PostForm
	basic := r.Header.Get("Authorization")
	want := map[string]string{}
	switch c.method {
	case "client_secret_post":
		want = map[string]string{"client_id": "cid", "client_secret": hardSecret}
	case "client_secret_basic": // RFC 6749 2.3.1: both are encoded as forms are
		r.Header.Set("Authorization", basic)
		if id, secret, ok := r.BasicAuth(); !ok || id != "cid" || secret != url.QueryEscape(hardSecret) {
			return "not by HTTP Basic: " + basic
		}
	case "client_secret_basic_unencoded":
		if id, secret, ok := r.BasicAuth(); !ok || id != "cid" || secret != hardSecret {
			return "not by HTTP Basic as it is: " + basic
		}
	default:
		return c.wrongAssertion(form)
	}
	for _, name := range []string{"client_id", "client_secret", "client_assertion", "client_assertion_type"} {
		if form.Get(name) != want[name] {
			return name + " is " + form.Get(name)
		}
	}
	if strings.HasPrefix(c.method, "client_secret_basic") != (basic != "") {
		return "in two ways"
	}
	return ""
}

// wrongAssertion checks RFC 7523 3, strictly.
func (c *clerk) wrongAssertion(form url.Values) string {
	if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || form.Has("client_secret") {
		return "no assertion: " + form.Encode()
	}
	token, err := jose.Parse(form.Get("client_assertion"))
	if err != nil {
		return err.Error()
	}
	method, alg, _ := strings.Cut(c.method, " ")
	set := jose.Set{{Alg: token.Header.Alg, Secret: []byte(hardSecret), KID: token.Header.KID}}
	if method == "private_key_jwt" {
		set = c.keys()
	}
	if _, err := set.Verify(token); err != nil || token.Header.Alg != alg {
		return fmt.Sprint("signed by ", token.Header.Alg, ": ", err)
	}
	var v struct {
		Iss, Sub, Aud, Jti string
		Iat, Exp           int64
	}
	if err := json.Unmarshal(token.Payload, &v); err != nil || v.Iss != "cid" || v.Sub != "cid" || v.Aud != c.URL+"/token" || v.Jti == "" ||
		c.seen[v.Jti] || v.Exp <= time.Now().Unix() || v.Exp > time.Now().Add(10*time.Minute).Unix() || v.Iat > time.Now().Unix() {
		return fmt.Sprintf("the assertion says %+v: %v", v, err)
	}
	c.seen[v.Jti] = true
	return ""
}

// instance are the clerk's settings as a provider of the shop.
func (c *clerk) instance(method string, more map[string]any) map[string]any {
	name, alg, _ := strings.Cut(method, " ")
	v := map[string]any{"alias": "uni", "providerId": "oidc", "enabled": true, "config": map[string]string{
		"clientId": "cid", "clientSecret": hardSecret, "clientAuthMethod": name, "clientAssertionSigningAlg": alg, "issuer": c.URL,
		"authorizationUrl": c.URL + "/auth", "tokenUrl": c.URL + "/token", "jwksUrl": c.URL + "/keys", "useJwksUrl": "true",
		"validateSignature": "true", "disableUserInfo": "true"}}
	for name, value := range more {
		v[name] = value
	}
	return v
}

func (c *clerk) login(s *shop, b *visitor.Browser) *visitor.Page {
	s.Helper()
	q := leave(s, b, "uni")
	c.mu.Lock()
	c.nonce = q.Get("nonce")
	c.mu.Unlock()
	return cameBack(s, b, "uni", q)
}

func keysOfShop(s *shop) func() jose.Set {
	return func() jose.Set {
		var doc json.RawMessage
		r, err := http.Get(s.base + "/realms/shop/protocol/openid-connect/certs")
		s.must(err)
		defer r.Body.Close()
		s.must(json.NewDecoder(r.Body).Decode(&doc))
		set, err := jose.ParseSet(doc)
		s.must(err)
		return set
	}
}

// A realm proves to its provider who it is in the way that the settings say, and in no other.
func TestProvingToProviders(t *testing.T) {
	t.Parallel()
	methods := []string{"client_secret_post", "client_secret_basic", "client_secret_basic_unencoded", "client_secret_jwt HS256",
		"client_secret_jwt HS512", "private_key_jwt RS256"}
	eachShop(t, func(t *testing.T, s *shop) {
		c := openClerk(t, keysOfShop(s))
		_, err := s.admin.Post(s, "/shop/identity-provider/instances", c.instance(methods[0], nil))
		s.must(err)
		for _, method := range methods {
			s.must(s.admin.Put(s, "/shop/identity-provider/instances/uni", c.instance(method, nil)))
			for _, takes := range []string{method, methods[(slices.Index(methods, method)+1)%len(methods)]} {
				c.mu.Lock()
				c.method = takes
				c.mu.Unlock()
				if page := c.login(s, visitor.NewBrowser()); page.Away != (takes == method) {
					t.Errorf("%s at a provider that takes %s: %d %s", method, takes, page.Status, page.URL)
				}
			}
		}
	})
}

// A stored token that has expired is refreshed before it is handed out: once, by however many ask for it at the same time.
func TestStoredTokensAreRefreshed(t *testing.T) {
	t.Parallel()
	eachShop(t, func(t *testing.T, s *shop) {
		c := openClerk(t, keysOfShop(s))
		c.method = "client_secret_post"
		_, err := s.admin.Post(s, "/shop/identity-provider/instances",
			c.instance(c.method, map[string]any{"storeToken": true, "addReadTokenRoleOnCreate": true}))
		s.must(err)
		a := s.redeem(c.login(s, visitor.NewBrowser()), "web")
		read := func() (status int, doc map[string]any) {
			q, err := http.NewRequestWithContext(s, http.MethodGet, s.base+"/realms/shop/broker/uni/token", nil)
			s.must(err)
			q.Header.Set("Authorization", "Bearer "+a.Access)
			r, err := http.DefaultClient.Do(q)
			s.must(err)
			defer r.Body.Close()
			_ = json.NewDecoder(r.Body).Decode(&doc)
			return r.StatusCode, doc
		}
		c.mu.Lock()
		c.down = true
		c.mu.Unlock()
		if status, doc := read(); status != http.StatusBadGateway || doc["errorMessage"] != "Unable to refresh token" {
			t.Errorf("while the provider refuses: %d %v", status, doc)
		}
		c.mu.Lock()
		c.down = false
		c.mu.Unlock()
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				status, doc := read()
				if status != http.StatusOK || doc["access_token"] != "access-1" || doc["refresh_token"] != "refresh-1" || doc["id_token"] == nil {
					t.Errorf("%d %v", status, doc)
				}
			})
		}
		all.Wait()
		if c.refreshes != 1 || len(c.lost) != 0 {
			t.Errorf("refreshed %d times, with spent tokens %v", c.refreshes, c.lost)
		}
	})
}
