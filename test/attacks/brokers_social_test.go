package attacks

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
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

// A well-known provider in the shape in which its documentation has it: what it must be asked, and what it answers.
type wellKnown struct {
	kind, docs string
	config     map[string]string // besides client id and secret; {here} is the fake's address
	ask        map[string]string // of the authorization request, besides state, nonce, redirect_uri, client_id and response_type
	pkce       bool
	basic      bool              // the client proves itself by HTTP Basic
	answer     string            // of the token endpoint, besides an ID token; "" is the usual JSON
	claims     map[string]any    // of the ID token, nil for none
	pages      map[string]string // what is asked then, "path?query", and the answers
	bare       bool              // those are asked without the token in the header
	form       url.Values        // the browser comes back by a form, with these besides
	want       string            // username, email, first and last name of the user, and the id of the link
}

var wellKnowns = []wellKnown{
	{kind: "google", docs: "https://developers.google.com/identity/openid-connect/openid-connect",
		config: map[string]string{"issuer": "{here}", "jwksUrl": "{here}/keys", "userInfoUrl": "{here}/profile",
			"hostedDomain": "shop.example,uni.example", "offlineAccess": "true"},
		ask:    map[string]string{"scope": "openid profile email", "hd": "shop.example,uni.example", "access_type": "offline"},
		claims: map[string]any{"sub": "1104", "hd": "uni.example", "email": "sam@uni.example", "email_verified": true},
		pages: map[string]string{"/profile": `{"sub":"1104","name":"Sam Doe","given_name":"Sam","family_name":"Doe","email":"sam@uni.example",
			"email_verified":true,"picture":"https://x.example/p"}`},
		want: "sam@uni.example sam@uni.example Sam Doe 1104"},
	{kind: "gitlab", docs: "https://docs.gitlab.com/integration/openid_connect_provider/",
		config: map[string]string{"issuer": "{here}", "jwksUrl": "{here}/keys", "userInfoUrl": "{here}/api/v4/user"},
		ask:    map[string]string{"scope": "read_user openid"},
		claims: map[string]any{"sub": "17", "nickname": "sam"},
		pages:  map[string]string{"/api/v4/user": `{"id":17,"username":"sam","name":"Sam Doe","email":"sam@uni.example","state":"active"}`},
		want:   "sam sam@uni.example Sam Doe 17"},
	{kind: "linkedin-openid-connect",
		docs:   "https://learn.microsoft.com/linkedin/consumer/integrations/self-serve/sign-in-with-linkedin-v2",
		config: map[string]string{"issuer": "{here}", "jwksUrl": "{here}/keys", "userInfoUrl": "{here}/profile"},
		ask:    map[string]string{"scope": "openid profile email"},
		claims: map[string]any{"sub": "782bbtaQ"},
		pages: map[string]string{"/profile": `{"sub":"782bbtaQ","name":"Sam Doe","given_name":"Sam","family_name":"Doe","locale":"en-US",
			"email":"sam@uni.example","email_verified":true}`},
		want: "sam@uni.example sam@uni.example Sam Doe 782bbtaQ"},
	{kind: "apple", docs: "https://developer.apple.com/documentation/signinwithapplerestapi/generate-and-validate-tokens",
		config: map[string]string{"issuer": "{here}", "jwksUrl": "{here}/keys", "teamId": "TEAM123456", "keyId": "KEY1234567"},
		ask:    map[string]string{"scope": "openid email name", "response_mode": "form_post"},
		claims: map[string]any{"sub": "000123.abc.0456", "email": "sam@uni.example", "email_verified": "true"},
		form:   url.Values{"user": {`{"name":{"firstName":"Sam","lastName":"Doe"},"email":"alice@shop.example"}`}},
		want:   "sam@uni.example sam@uni.example Sam Doe 000123.abc.0456"},
	{kind: "github", docs: "https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps",
		config: map[string]string{"apiUrl": "{here}/api/v3/"},
		ask:    map[string]string{"scope": "user:email"},
		answer: "access_token=opaque&scope=user%3Aemail&token_type=bearer",
		pages: map[string]string{"/api/v3/user": `{"login":"sam","id":583231,"name":"Sam Doe","email":null}`,
			"/api/v3/user/emails": `[{"email":"old@uni.example","verified":true,"primary":false},
				{"email":"sam@uni.example","verified":true,"primary":true}]`},
		want: "sam sam@uni.example Sam Doe 583231"},
	{kind: "microsoft", docs: "https://learn.microsoft.com/graph/api/user-get",
		config: map[string]string{"userInfoUrl": "{here}/v1.0/me/", "prompt": "select_account"},
		ask:    map[string]string{"scope": "User.read", "prompt": "select_account"},
		pages: map[string]string{"/v1.0/me/": `{"id":"87d349ed","displayName":"Sam Doe","givenName":"Sam","surname":"Doe","mail":null,
			"userPrincipalName":"sam@uni.example"}`},
		want: "sam@uni.example sam@uni.example Sam Doe 87d349ed"},
	{kind: "facebook", docs: "https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow",
		config: map[string]string{"userInfoUrl": "{here}/me", "fetchedFields": "picture,birthday"},
		ask:    map[string]string{"scope": "email"},
		pages: map[string]string{"/me?fields=id,name,email,first_name,last_name,picture,birthday": `{"id":"10158","name":"Sam Doe",
			"email":"sam@uni.example","first_name":"Sam","last_name":"Doe"}`},
		want: "sam@uni.example sam@uni.example Sam Doe 10158"},
	{kind: "twitter", docs: "https://docs.x.com/resources/fundamentals/authentication/oauth-2-0/authorization-code",
		config: map[string]string{"userInfoUrl": "{here}/2/users/me"},
		ask:    map[string]string{"scope": "users.read tweet.read"}, pkce: true, basic: true,
		pages: map[string]string{"/2/users/me": `{"data":{"id":"2244994945","name":"Sam Doe","username":"sam"}}`},
		want:  "sam  Sam Doe 2244994945"},
	{kind: "bitbucket", docs: "https://developer.atlassian.com/cloud/bitbucket/rest/api-group-users/",
		config: map[string]string{"apiUrl": "{here}/2.0"},
		ask:    map[string]string{"scope": "account"},
		pages: map[string]string{"/2.0/user": `{"type":"user","account_id":"557058:a1","username":"sam","display_name":"Sam Doe"}`,
			"/2.0/user/emails": `{"pagelen":10,"values":[{"is_primary":true,"is_confirmed":true,"type":"email","email":"sam@uni.example"}],
				"page":1,"size":1}`},
		want: "sam sam@uni.example Sam Doe 557058:a1"},
	{kind: "paypal", docs: "https://developer.paypal.com/docs/log-in-with-paypal/",
		config: map[string]string{"userInfoUrl": "{here}/v1/oauth2/token/userinfo", "sandbox": "true"},
		ask:    map[string]string{"scope": "openid profile email"},
		pages: map[string]string{"/v1/oauth2/token/userinfo?schema=openid": `{"user_id":"https://www.paypal.com/webapps/auth/identity/user/mW",
			"name":"Sam Doe","email":"sam@uni.example"}`},
		want: "sam@uni.example sam@uni.example Sam Doe https://www.paypal.com/webapps/auth/identity/user/mW"},
	{kind: "stackoverflow", docs: "https://api.stackexchange.com/docs/authentication",
		config: map[string]string{"userInfoUrl": "{here}/2.2/me", "key": "app-key"},
		answer: "access_token=opaque&expires=86400", bare: true,
		pages: map[string]string{"/2.2/me?order=desc&sort=name&site=stackoverflow&access_token=opaque&key=app-key": `{"items":[{"user_id":1113,
			"display_name":"Sam O&#39;Doe","link":"https://stackoverflow.com/users/1113/sam-doe"}],"has_more":false}`},
		want: "sam-doe  Sam O'Doe 1113"},
	{kind: "openshift-v4", docs: "https://docs.openshift.com/container-platform/latest/authentication/configuring-oauth-clients.html",
		config: map[string]string{"baseUrl": "{here}"},
		ask:    map[string]string{"scope": "user:info"},
		pages: map[string]string{"/apis/user.openshift.io/v1/users/~": `{"kind":"User","metadata":{"name":"sam","uid":"4a5c"},
			"fullName":"Sam Doe","identities":["htpasswd:sam"]}`},
		want: "sam  Sam Doe 4a5c"},
}

const secretThere = "a secret of thirty-two characters"

// A fake is a well-known provider that answers what it is asked rightly, and tells the test of all else.
type fake struct {
	*httptest.Server
	wellKnown
	t   testing.TB
	key *jose.Key // of the provider
	own *jose.Key // of Apple's customer

	mu    sync.Mutex
	nonce string
	back  string
	proof string // the challenge of PKCE
}

func (f *fake) bad(w http.ResponseWriter, format string, args ...any) {
	f.t.Errorf(f.kind+" (see "+f.docs+"): "+format, args...)
	w.WriteHeader(http.StatusBadRequest)
}

func openFake(t testing.TB, k wellKnown) *fake {
	f := &fake{wellKnown: k, t: t, key: newKey(t, "own"), own: newKey(t, "KEY1234567")}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		set, _ := jose.Set{f.key}.Public()
		_ = json.NewEncoder(w).Encode(set)
	})
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": f.URL, "authorization_endpoint": f.URL + "/auth",
			"token_endpoint": f.URL + "/token"})
	})
	mux.HandleFunc("POST /token", f.token)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		page, ok := f.pages[r.URL.RequestURI()]
		bearer := "Bearer opaque"
		if f.bare {
			bearer = ""
		}
		if !ok || r.Header.Get("Authorization") != bearer {
			f.bad(w, "asked for %s with %q", r.URL.RequestURI(), r.Header.Get("Authorization"))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, page)
	})
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) token(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = r.ParseForm()
	want := url.Values{"grant_type": {"authorization_code"}, "code": {"the-code"}, "redirect_uri": {f.back}}
	if f.pkce {
		want.Set("code_verifier", r.PostForm.Get("code_verifier"))
		if challengeOf(want.Get("code_verifier")) != f.proof {
			f.bad(w, "the verifier is not the challenge's")
		}
	}
	name, password, basic := r.BasicAuth()
	switch {
	case basic != f.basic || basic && (name != "cid" || password != url.QueryEscape(secretThere)):
		f.bad(w, "basic authentication %v: %s", basic, name)
	case f.kind == "apple":
		want.Set("client_id", "cid")
		want.Set("client_secret", r.PostForm.Get("client_secret"))
		f.appleSecret(w, want.Get("client_secret"))
	case !basic:
		want.Set("client_id", "cid")
		want.Set("client_secret", secretThere)
	}
	if r.PostForm.Encode() != want.Encode() || r.URL.RawQuery != "" || r.Header.Get("Accept") != "application/json" {
		f.bad(w, "the token endpoint is asked %s, want %s", r.PostForm.Encode(), want.Encode())
		return
	}
	if f.answer != "" {
		_, _ = io.WriteString(w, f.answer)
		return
	}
	out := map[string]any{"access_token": "opaque", "token_type": "bearer", "expires_in": 3600}
	if f.claims != nil {
		now := time.Now()
		c := map[string]any{"iss": f.URL, "aud": "cid", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "nonce": f.nonce}
		maps.Copy(c, f.claims)
		out["id_token"], _ = f.key.SignJSON("JWT", c)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out)
}

// appleSecret checks a client secret of Apple's.
func (f *fake) appleSecret(w http.ResponseWriter, raw string) {
	token, err := jose.Parse(raw)
	if err == nil {
		_, err = jose.Set{f.own}.Verify(token)
	}
	var c struct {
		Iss, Sub, Aud string
		Iat, Exp      int64
	}
	if err != nil || token.Header.Alg != "ES256" || token.Header.KID != "KEY1234567" || json.Unmarshal(token.Payload, &c) != nil ||
		c.Iss != "TEAM123456" || c.Sub != "cid" || c.Aud != f.URL || c.Exp <= time.Now().Unix() || c.Exp > c.Iat+15777000 {
		f.bad(w, "the client secret is not Apple's: %v %+v", err, c)
	}
}

// asked checks an authorization request.
func (f *fake) asked(q url.Values) {
	want := url.Values{"response_type": {"code"}, "client_id": {"cid"}}
	for name, value := range f.ask {
		want.Set(name, value)
	}
	given := []string{"state", "redirect_uri"}
	if f.claims != nil {
		given = append(given, "nonce")
	}
	if f.pkce {
		given = append(given, "code_challenge")
		want.Set("code_challenge_method", "S256")
	}
	for _, name := range given {
		if q.Get(name) == "" {
			f.t.Errorf("%s: no %s is sent", f.kind, name)
		}
		want.Set(name, q.Get(name))
	}
	if q.Encode() != want.Encode() {
		f.t.Errorf("%s (see %s): the authorization request is\n%s, want\n%s", f.kind, f.docs, q.Encode(), want.Encode())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nonce, f.back, f.proof = q.Get("nonce"), q.Get("redirect_uri"), q.Get("code_challenge")
}

// provide makes the fake a provider of the shop.
func (f *fake) provide(s *shop) {
	s.Helper()
	config := map[string]string{"clientId": "cid", "clientSecret": secretThere, "authorizationUrl": f.URL + "/auth",
		"tokenUrl": f.URL + "/token"}
	if f.kind == "openshift-v4" { // it tells its addresses
		delete(config, "authorizationUrl")
		delete(config, "tokenUrl")
	}
	if f.kind == "apple" {
		der, err := x509.MarshalPKCS8PrivateKey(f.own.Private)
		s.must(err)
		config["clientSecret"] = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	for name, value := range f.config {
		config[name] = strings.ReplaceAll(value, "{here}", f.URL)
	}
	_, err := s.admin.Post(s, "/shop/identity-provider/instances",
		map[string]any{"alias": f.kind, "providerId": f.kind, "enabled": true, "config": config})
	s.must(err)
}

// Each well-known provider is asked as its documentation says, and its answer makes the user that it tells of.
func TestWellKnownProviders(t *testing.T) {
	t.Parallel()
	eachShop(t, func(t *testing.T, s *shop) {
		anyProfile(s)
		for _, k := range wellKnowns {
			f := openFake(t, k)
			f.provide(s)
			b := visitor.NewBrowser()
			q := leave(s, b, k.kind)
			f.asked(q)
			back := url.Values{"code": {"the-code"}, "state": {q.Get("state")}}
			maps.Copy(back, k.form)
			var page *visitor.Page
			var err error
			if k.form == nil {
				page, err = b.Open(s, q.Get("redirect_uri")+"?"+back.Encode())
			} else {
				page, err = b.Post(s, q.Get("redirect_uri"), back)
			}
			s.must(err)
			if page.Param("code") == "" {
				t.Errorf("%s: nobody is logged in: %d %s", k.kind, page.Status, page.URL)
				continue
			}
			name, _, _ := strings.Cut(k.want, " ")
			id, err := s.admin.ID(s, "/shop/users?exact=true&username="+url.QueryEscape(name), "username", name)
			s.must(err)
			var u struct {
				Username, Email, FirstName, LastName string
				FederatedIdentities                  []struct{ IdentityProvider, UserID string }
			}
			s.must(s.admin.Get(s, "/shop/users/"+id, &u))
			s.must(s.admin.Get(s, "/shop/users/"+id+"/federated-identity", &u.FederatedIdentities))
			there := ""
			for _, l := range u.FederatedIdentities {
				there = l.UserID
			}
			if got := fmt.Sprint(u.Username, " ", u.Email, " ", u.FirstName, " ", u.LastName, " ", there); got != k.want {
				t.Errorf("%s: the user is %q, want %q", k.kind, got, k.want)
			}
			s.must(s.admin.Delete(s, "/shop/users/"+id))
		}
	})
}

// anyProfile has the shop ask nobody for more than a provider tells.
func anyProfile(s *shop) {
	s.Helper()
	var profile map[string]any
	s.must(s.admin.Get(s, "/shop/users/profile", &profile))
	for _, a := range profile["attributes"].([]any) {
		if a := a.(map[string]any); slices.Contains([]any{"email", "firstName", "lastName"}, a["name"]) {
			delete(a, "required")
		}
	}
	s.must(s.admin.Put(s, "/shop/users/profile", profile))
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
