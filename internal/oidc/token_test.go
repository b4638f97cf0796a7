package oidc_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/tokens"
)

// Oracle: tokens/errors, tokens/client-authentication, tokens/password
func TestTokenEndpointRefuses(t *testing.T) {
	s := newSite(t, "")
	for _, c := range []struct {
		name  string
		pairs []string
		want  string
	}{
		{"nothing", nil, "invalid_request: Missing form parameter: grant_type"},
		{"unknown grant", app("grant_type", "nonsense"), "unsupported_grant_type: Unsupported grant_type"},
		{"no client", []string{"grant_type", "password"}, "invalid_client: Invalid client or Invalid client credentials"},
		{"unknown client", []string{"grant_type", "password", "client_id", "x"}, "invalid_client: Invalid client or Invalid client credentials"},
		{"wrong secret", []string{"grant_type", "password", "client_id", "app", "client_secret", "x"},
			"unauthorized_client: Invalid client or Invalid client credentials"},
		{"disabled client", []string{"grant_type", "password", "client_id", "off", "client_secret", "off-secret"},
			"invalid_client: Invalid client or Invalid client credentials"},
		{"a parameter twice", app("grant_type", "password", "scope", "openid", "scope", "email"), "invalid_request: duplicated parameter"},
		{"direct grants not allowed", []string{"grant_type", "password", "client_id", "other", "client_secret", "other-secret"},
			"unauthorized_client: Client not allowed for direct access grants"},
		{"unknown scope", app("grant_type", "password", "scope", "openid nonsense"), "invalid_scope: Invalid scopes: openid nonsense"},
		{"wrong password", app("grant_type", "password", "username", "ann", "password", "x"), "invalid_grant: Invalid user credentials"},
		{"unknown user", app("grant_type", "password", "username", "x", "password", "x"), "invalid_grant: Invalid user credentials"},
		{"something to do first", app("grant_type", "password", "username", "todo", "password", "todo-pw"),
			"invalid_grant: Account is not fully set up"},
		{"offline access without its role", app("grant_type", "password", "username", "plain", "password", "plain-pw", "scope", "offline_access"),
			"not_allowed: Offline tokens not allowed for the user or client"},
		{"a public client's own tokens", []string{"grant_type", "client_credentials", "client_id", "spa"},
			"unauthorized_client: Public client not allowed to retrieve service account"},
		{"no service account", []string{"grant_type", "client_credentials", "client_id", "other", "client_secret", "other-secret"},
			"unauthorized_client: Client not enabled to retrieve service account"},
		{"no code", app("grant_type", "authorization_code"), "invalid_request: Missing parameter: code"},
		{"nonsense for a code", app("grant_type", "authorization_code", "code", "a.b.c"), "invalid_grant: Code not valid"},
		{"no refresh token", app("grant_type", "refresh_token"), "invalid_request: No refresh token"},
		{"nonsense for a refresh token", app("grant_type", "refresh_token", "refresh_token", "x"), "invalid_grant: Invalid refresh token"},
		{"nonsense for an assertion", app("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", "x"),
			"invalid_grant: The provided assertion is not a valid JWT"},
	} {
		a := s.token(c.pairs...)
		a.want(t, c.name, c.want)
		if a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control %q", c.name, a.header.Get("Cache-Control"))
		}
	}
}

// Oracle: tokens/authorization-code
func TestCodeIsRedeemedOnce(t *testing.T) {
	s := newSite(t, "")
	const back = "https://app.example.org/cb"
	code := s.login("client_id", "app", "redirect_uri", back, "nonce", "n1")
	first := s.token(app("grant_type", "authorization_code", "code", code, "redirect_uri", back)...)
	first.want(t, "the code", "OK")
	id := claimsOf(t, first.text("id_token"))
	if id["nonce"] != "n1" || id["at_hash"] == nil || id["sid"] != first.body["session_state"] {
		t.Errorf("ID token %v", id)
	}
	s.token(app("grant_type", "authorization_code", "code", code, "redirect_uri", back)...).want(t, "again", "invalid_grant: Code not valid")
	s.token(app("grant_type", "refresh_token", "refresh_token", first.text("refresh_token"))...).
		want(t, "what the code had given", "invalid_grant: Session doesn't have required client")

	code = s.login("client_id", "app", "redirect_uri", back)
	s.token(app("grant_type", "authorization_code", "code", code, "redirect_uri", "https://app.example.org/x")...).want(t, "elsewhere",
		"invalid_grant: Incorrect redirect_uri")
	code = s.login("client_id", "app", "redirect_uri", back)
	s.token("grant_type", "authorization_code", "code", code, "redirect_uri", back, "client_id", "other", "client_secret", "other-secret").
		want(t, "another client", "invalid_grant: Auth error: Found different client_id in clientSession")

	// A session that is not there is noticed before the code is spent. Keycloak: OAuth2CodeParser.parseCode.
	code = s.login("client_id", "app", "redirect_uri", back)
	parts := strings.Split(code, ".")
	s.token(app("grant_type", "authorization_code", "code", parts[0]+".x."+parts[2], "redirect_uri", back)...).want(t, "no session",
		"invalid_grant: Code not valid")
	s.token(app("grant_type", "authorization_code", "code", code, "redirect_uri", back)...).want(t, "the code after it", "OK")
}

// Of many who redeem one code at once, one gets tokens; and since the others
// are replays, these tokens are then worth nothing.
func TestCodeRace(t *testing.T) {
	s := newSite(t, "")
	const back = "https://app.example.org/cb"
	code := s.login("client_id", "app", "redirect_uri", back)
	won := race(12, func() bool {
		return s.token(app("grant_type", "authorization_code", "code", code, "redirect_uri", back)...).status == http.StatusOK
	})
	if won > 1 {
		t.Errorf("%d of 12 got tokens for one code", won)
	}
}

// race counts how many of n that run at once succeed.
func race(n int, f func() bool) (won int) {
	var wg sync.WaitGroup
	results := make(chan bool, n)
	start := make(chan struct{})
	for range n {
		wg.Go(func() {
			<-start
			results <- f()
		})
	}
	close(start)
	wg.Wait()
	close(results)
	for ok := range results {
		if ok {
			won++
		}
	}
	return won
}

// Keycloak: PkceUtils; RFC 7636 appendix B.
func TestPKCE(t *testing.T) {
	s := newSite(t, "")
	const back, verifier, challenge = "https://spa.example.org/cb", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
		"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	for _, c := range []struct{ name, verifier, want string }{
		{"the right verifier", verifier, "OK"},
		{"another verifier", strings.Repeat("x", 43), "invalid_grant: PKCE verification failed: Code mismatch"},
		{"too short a verifier", "x", "invalid_grant: PKCE verification failed: Invalid code verifier"},
		{"no verifier", "", "invalid_grant: PKCE code verifier not specified"},
	} {
		code := s.login("client_id", "spa", "redirect_uri", back, "code_challenge", challenge, "code_challenge_method", "S256")
		pairs := []string{"grant_type", "authorization_code", "code", code, "redirect_uri", back, "client_id", "spa"}
		if c.verifier != "" {
			pairs = append(pairs, "code_verifier", c.verifier)
		}
		s.token(pairs...).want(t, c.name, c.want)
	}
}

// Oracle: tokens/rotation
func TestRotation(t *testing.T) {
	s := newSite(t, `,"revokeRefreshToken":true,"refreshTokenMaxReuse":0`)
	refresh := func(token string) *answer {
		return s.token(app("grant_type", "refresh_token", "refresh_token", token)...)
	}
	a := s.password("openid").text("refresh_token")
	b := refresh(a)
	b.want(t, "the first", "OK")
	c := refresh(b.text("refresh_token"))
	c.want(t, "the second", "OK")
	refresh(b.text("refresh_token")).want(t, "a spent one", "invalid_grant: Maximum allowed refresh token reuse exceeded")
	refresh(c.text("refresh_token")).want(t, "the newest, after that", "invalid_grant: Session doesn't have required client")

	// Keycloak tells old tokens by the second; here they are told in any case.
	a = s.password("openid").text("refresh_token")
	b = refresh(a)
	refresh(b.text("refresh_token")).want(t, "the second", "OK")
	refresh(a).want(t, "one before the last", "invalid_grant: Stale token")
}

func TestRotationRace(t *testing.T) {
	s := newSite(t, `,"revokeRefreshToken":true,"refreshTokenMaxReuse":0`)
	old := s.password("openid").text("refresh_token")
	won := race(12, func() bool {
		return s.token(app("grant_type", "refresh_token", "refresh_token", old)...).status == http.StatusOK
	})
	if won != 1 {
		t.Errorf("%d of 12 got new tokens for one", won)
	}
}

// Oracle: sessions/password-grant-offline, sessions/token-types
func TestOfflineAccess(t *testing.T) {
	s := newSite(t, "")
	a := s.password("openid offline_access")
	if claims := claimsOf(t, a.text("refresh_token")); claims["typ"] != "Offline" || claims["exp"] != nil ||
		a.body["refresh_expires_in"] != 0.0 {
		t.Errorf("offline token %v", claims)
	}
	b := s.token(app("grant_type", "refresh_token", "refresh_token", a.text("refresh_token"))...)
	b.want(t, "refresh", "OK")
	if jti, _ := claimsOf(t, b.text("access_token"))["jti"].(string); !strings.HasPrefix(jti, "ofrtrt:") {
		t.Errorf("jti %q", jti)
	}
	s.post("/revoke", app("token", b.text("refresh_token"))...).want(t, "revoke", "OK")
	s.token(app("grant_type", "refresh_token", "refresh_token", a.text("refresh_token"))...).want(t, "after",
		"invalid_grant: Offline user session not found")
}

// A realm that loses the role offline_access has no offline tokens any more.
// Keycloak: UserSessionManager.isOfflineTokenAllowed.
func TestOfflineAccessNeedsTheRole(t *testing.T) {
	s := newSite(t, "")
	a := s.password("openid offline_access")
	again := func() *answer {
		return s.token(app("grant_type", "refresh_token", "refresh_token", a.text("refresh_token"), "scope", "openid email")...)
	}
	again().want(t, "a narrowed scope", "OK")
	if a := s.admin("DELETE", "/roles/offline_access", ""); a.status != 204 {
		t.Fatalf("removing the role: %d", a.status)
	}
	again().want(t, "without the role", "not_allowed: Offline tokens not allowed for the user or client")
}

// sorted is a scope without its order, which the ids of scopes make.
func sorted(scope string) string {
	list := strings.Split(scope, " ")
	slices.Sort(list)
	return strings.Join(list, " ")
}

// Oracle: tokens/refresh; RFC 6749 6: scope narrows.
func TestRefreshNarrowsScope(t *testing.T) {
	s := newSite(t, "")
	a := s.password("openid phone")
	b := s.token(app("grant_type", "refresh_token", "refresh_token", a.text("refresh_token"), "scope", "openid email")...)
	if got := sorted(b.text("scope")); got != "email openid profile" { // default scopes stay
		t.Errorf("scope %q", got)
	}
	c := s.token(app("grant_type", "refresh_token", "refresh_token", b.text("refresh_token"))...)
	if got := sorted(c.text("scope")); got != "email openid phone profile" {
		t.Errorf("the narrowed token's refresh token gives %q", got)
	}
}

// Oracle: tokens/client-credentials, tokens/assertions
func TestClientsOwnTokens(t *testing.T) {
	s := newSite(t, "")
	a := s.token(app("grant_type", "client_credentials")...)
	a.want(t, "by secret", "OK")
	if a.body["refresh_token"] != nil || a.body["session_state"] != nil || claimsOf(t, a.text("access_token"))["sid"] != nil {
		t.Errorf("there is a session: %v", a.body)
	}
	jwtOf := func(client, jti, secret string) string {
		enc := base64.RawURLEncoding.EncodeToString
		now := time.Now().Unix()
		input := enc([]byte(`{"alg":"HS256"}`)) + "." + enc(fmt.Appendf(nil,
			`{"iss":%q,"sub":%[1]q,"aud":%q,"jti":%q,"iat":%d,"exp":%d}`, client, s.url+"/realms/shop", jti, now, now+30))
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(input))
		return input + "." + enc(mac.Sum(nil))
	}
	jwt := func(jti, secret string) string { return jwtOf("hmac", jti, secret) }
	by := func(assertion string, form ...string) *answer {
		return s.token(append(form, "grant_type", "client_credentials", "client_assertion", assertion,
			"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")...)
	}
	const secret = "a-secret-that-is-long-enough-for-hs256"
	one := jwt("1", secret)
	by(one).want(t, "by assertion", "OK")
	by(one).want(t, "the same again", "invalid_client: Token reuse detected")
	by(jwt("2", "another")).want(t, "signed otherwise", "unauthorized_client: Client authentication with client secret signed JWT failed: "+
		"Signature on JWT token by client secret  failed validation")
	fresh := jwt("3", secret)
	if won := race(8, func() bool { return by(fresh).status == http.StatusOK }); won != 1 {
		t.Errorf("%d of 8 used one assertion", won)
	}
	s.token("grant_type", "client_credentials", "client_id", "hmac", "client_secret", secret).
		want(t, "by the secret itself", "invalid_client: Parameter client_assertion_type is missing")
	// Whom a client_id names that does not fit the assertion: the client of the
	// assertion does not count. Keycloak: AbstractJWTClientValidator.validateClient.
	by(jwt("4", secret), "client_id", "nobody").want(t, "with a client_id of nobody",
		"invalid_client: Invalid client or Invalid client credentials")
	by(jwtOf("app", "5", secret), "client_id", "hmac").want(t, "with another's assertion",
		"invalid_client: client_id parameter does not match authenticated client")
}

// Oracle: tokens/exchange
func TestExchange(t *testing.T) {
	s := newSite(t, "")
	const grant, access = "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:token-type:access_token"
	own := s.password("openid").text("access_token")
	a := s.token(app("grant_type", grant, "subject_token", own, "subject_token_type", access)...)
	a.want(t, "one's own", "OK")
	if a.text("issued_token_type") != access || a.body["refresh_token"] != nil {
		t.Errorf("exchange gave %v", a.body)
	}
	// Keycloak: TokenManager.attachAuthenticationSession, which leaves the note of the scope in the client's part.
	if got := a.text("scope"); !tokens.HasScope(got, "openid") {
		t.Errorf("without a scope, exchange gave %q, not openid as the login had", got)
	}
	if got := s.token(app("grant_type", grant, "subject_token", own, "subject_token_type", access, "scope", "email")...).
		text("scope"); tokens.HasScope(got, "openid") {
		t.Errorf("for the scope email, exchange gave %q", got)
	}
	s.token(app("grant_type", grant, "subject_token", own, "subject_token_type", access, "audience", "nobody")...).want(t, "for nobody",
		"invalid_client: Audience not found")
	s.token(app("grant_type", grant, "subject_token", "x", "subject_token_type", access)...).want(t, "nonsense",
		"invalid_request: Invalid token")
	s.token("grant_type", grant, "subject_token", own, "subject_token_type", access, "client_id", "other", "client_secret", "other-secret").
		want(t, "not switched on", "invalid_request: Standard token exchange is not enabled for the requested client")
}

// Oracle: tokens/errors
func TestTokenEndpointForScripts(t *testing.T) {
	s := newSite(t, "")
	for origin, want := range map[string]int{"https://app.example.org": http.StatusOK, "https://evil.example.org": http.StatusForbidden} {
		r, err := http.NewRequest(http.MethodPost, s.url+"/realms/shop/protocol/openid-connect/token",
			strings.NewReader("grant_type=client_credentials&client_id=app&client_secret=app-secret"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
		a := s.do(r)
		allowed := a.header.Get("Access-Control-Allow-Origin")
		if a.status != want || (allowed == origin) != (want == http.StatusOK) {
			t.Errorf("%s: %d, allowed %q", origin, a.status, allowed)
		}
	}
}

// RFC 9126; Keycloak: ParEndpoint, AuthzEndpointParParser. That a pushed
// request serves once is stricter than the reference.
func TestPushedRequests(t *testing.T) {
	s := newSite(t, "")
	const back = "https://app.example.org/cb"
	push := func(pairs ...string) *answer {
		return s.post("/ext/par/request", app(append(pairs, "response_type", "code", "scope", "openid")...)...)
	}
	a := push("redirect_uri", back, "nonce", "pushed")
	if a.status != http.StatusCreated || a.body["expires_in"] != 60.0 {
		t.Fatalf("push: %d %s", a.status, a.raw)
	}
	code := s.login("client_id", "app", "request_uri", a.text("request_uri"), "redirect_uri", "https://evil.example.org/")
	got := s.token(app("grant_type", "authorization_code", "code", code, "redirect_uri", back)...)
	got.want(t, "its code", "OK")
	if claimsOf(t, got.text("id_token"))["nonce"] != "pushed" {
		t.Error("the browser's parameters won over the pushed ones")
	}
	push("redirect_uri", "https://evil.example.org/").want(t, "a foreign address", "invalid_request: Invalid parameter: redirect_uri")
	push("redirect_uri", back, "request_uri", "x").want(t, "a reference", "invalid_request: It is not allowed to include request_uri to PAR.")
	b := push("redirect_uri", back)
	query := "/auth?prompt=none&request_uri=" + b.text("request_uri") + "&client_id="
	for _, c := range []struct {
		why, client string
		status      int
	}{
		{"another client's request", "other", http.StatusBadRequest},
		{"which does not use it up", "app", http.StatusFound},
		{"a second time", "app", http.StatusBadRequest},
	} {
		r, err := http.NewRequest(http.MethodGet, s.url+"/realms/shop/protocol/openid-connect"+query+c.client, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.do(r); got.status != c.status {
			t.Errorf("%s: %d", c.why, got.status)
		}
	}
	// Refusals. Keycloak: AbstractParEndpoint.authorizeClient, ParEndpoint.request.
	s.post("/ext/par/request", app("response_type", "code", "redirect_uri", back, "scope", "nonsense")...).want(t, "a foreign scope",
		"invalid_request: Invalid scopes: nonsense")
	for client, want := range map[string]string{"app": "invalid_request: Authentication failed.",
		"nobody": "invalid_request: Authentication failed."} {
		s.post("/ext/par/request", "client_id", client, "client_secret", "wrong", "response_type", "code", "redirect_uri", back).
			want(t, client, want)
	}
	if a := s.post("/ext/par/request", app("response_type", "token", "nonce", "n", "redirect_uri",
		back)...); a.status != http.StatusUnauthorized || a.text("error") != "unauthorized_client" {
		t.Errorf("implicit flow off: %d %s", a.status, a.raw)
	}
	s.post("/ext/par/request", app("response_type", "code", "request", "x")...).want(t, "a broken request object",
		"invalid_request_object: invalidRequestMessage")
}
