package attacks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// Every address that the server calls is one that was given to it: an answer that
// redirects leads no call to another. CVE-2026-4366, CVE-2026-1180. A realm may
// forbid that registered clients have it call inside the network at all.
func TestCallsLeadNowhereElse(t *testing.T) {
	var away, victim atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { victim.Add(1) }))
	defer inside.Close()
	redirector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		away.Add(1)
		http.Redirect(w, r, inside.URL+"/secret", http.StatusTemporaryRedirect) // keeps the method
	}))
	defer redirector.Close()
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		server := harness.Start(t, harness.Options{Engine: e})
		for i, setting := range []string{"", "any", "public"} {
			c := newCaller(t, server.URL, fmt.Sprint("calls", i), setting, redirector.URL)
			for _, call := range []struct {
				name string
				make func()
				own  bool // an administrator gave the address
			}{
				{"jwks_uri", c.authenticate, false},
				{"request_uri", c.request, false},
				{"backchannel_logout_uri", c.logOut, false},
				{"admin URL", c.push, true},
				{"webhook", c.hook, true},
			} {
				away.Store(0)
				victim.Store(0)
				call.make()
				called := call.own || setting != "public"
				for end := time.Now().Add(5 * time.Second); called && away.Load() == 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				}
				if got := away.Load() > 0; got != called {
					t.Errorf("%s, addresses %q: called: %v", call.name, setting, got)
				}
				if victim.Load() != 0 {
					t.Errorf("%s: the redirect was followed", call.name)
				}
			}
		}
	})
}

// A caller has the server call an address in every way there is.
type caller struct {
	context.Context
	t          *testing.T
	base       string
	realm      string
	admin      *visitor.Admin
	address    string
	registered struct {
		ClientID string `json:"client_id"`
		Secret   string `json:"client_secret"`
	}
}

func (c *caller) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func newCaller(t *testing.T, base, realm, setting, address string) *caller {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	c := &caller{Context: ctx, t: t, base: base, realm: realm, admin: visitor.NewAdmin(base), address: address}
	_, err := c.admin.Post(c, "", map[string]any{"realm": realm, "enabled": true,
		"attributes": map[string]string{"latchkey.registeredAddresses": setting},
		"users": []any{map[string]any{"username": "kim", "enabled": true, "email": "kim@calls.example", "firstName": "Kim", "lastName": "Call",
			"credentials": []any{map[string]any{"type": "password", "value": "kim-pw"}}}}})
	c.must(err)
	return c
}

// register makes a client by an initial access token.
func (c *caller) register(metadata map[string]any) {
	c.t.Helper()
	var initial struct{ Token string }
	_, err := c.admin.Do(c, "POST", "/"+c.realm+"/clients-initial-access", map[string]any{"count": 1, "expiration": 60}, &initial)
	c.must(err)
	metadata["redirect_uris"] = []string{"http://app.example/cb"}
	data, err := json.Marshal(metadata)
	c.must(err)
	r, err := http.NewRequestWithContext(c, http.MethodPost, c.base+"/realms/"+c.realm+"/clients-registrations/openid-connect",
		strings.NewReader(string(data)))
	c.must(err)
	r.Header.Set("Authorization", "Bearer "+initial.Token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	c.must(err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		c.t.Fatalf("registration: %d", resp.StatusCode)
	}
	c.must(json.NewDecoder(resp.Body).Decode(&c.registered))
}

func (c *caller) party() visitor.Party {
	return visitor.Party{Base: c.base, Realm: c.realm, ClientID: c.registered.ClientID, Secret: c.registered.Secret,
		Redirect: "http://app.example/cb"}
}

func unsigned(claims map[string]any) string {
	payload, _ := json.Marshal(claims)
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"RS256","kid":"k","typ":"JWT"}`)) + "." + enc(payload) + "." + enc([]byte("signature"))
}

func (c *caller) authenticate() {
	c.register(map[string]any{"jwks_uri": c.address + "/keys", "token_endpoint_auth_method": "private_key_jwt",
		"grant_types": []string{"client_credentials"}})
	id := c.registered.ClientID
	form := url.Values{"grant_type": {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion": {unsigned(map[string]any{"iss": id, "sub": id, "aud": c.base + "/realms/" + c.realm, "jti": "1",
			"exp": time.Now().Add(time.Minute).Unix()})}}
	resp, err := http.PostForm(c.party().Endpoint("token"), form)
	c.must(err)
	resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		c.t.Error("a client was let in without a key")
	}
}

func (c *caller) request() {
	c.register(map[string]any{"request_uris": []string{c.address + "/object"}})
	page, err := visitor.NewBrowser().Open(c, c.party().AuthURL()+"&request_uri="+url.QueryEscape(c.address+"/object"))
	c.must(err)
	if page.Asks("password") {
		c.t.Error("a request object that is not there was taken")
	}
}

func (c *caller) logOut() {
	c.register(map[string]any{"backchannel_logout_uri": c.address + "/logout"})
	code, err := c.party().Code(c, visitor.NewBrowser(), "kim", "kim-pw")
	c.must(err)
	tokens, err := c.party().Redeem(c, code)
	c.must(err)
	_, err = c.party().Logout(c, tokens.Refresh)
	c.must(err)
}

func (c *caller) push() {
	_, err := c.admin.Post(c, "/"+c.realm+"/clients", map[string]any{"clientId": "adapter", "adminUrl": c.address + "/admin",
		"redirectUris": []string{"http://app.example/*"}})
	c.must(err)
	_, err = c.admin.Post(c, "/"+c.realm+"/push-revocation", nil)
	c.must(err)
}

func (c *caller) hook() {
	_, err := c.admin.Post(c, "/"+c.realm+"/components", map[string]any{"name": "hook", "providerType": "latchkey.sessions.Webhook",
		"providerId": "webhook",
		"config":     map[string]any{"url": []string{c.address + "/hook"}}})
	c.must(err)
	c.register(map[string]any{})
	code, err := c.party().Code(c, visitor.NewBrowser(), "kim", "kim-pw")
	c.must(err)
	_, err = c.party().Redeem(c, code)
	c.must(err)
}
