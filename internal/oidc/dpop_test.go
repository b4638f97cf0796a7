package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/internal/jose"
)

// A prover makes DPoP proofs (RFC 9449 4.2) with a key of its own.
type prover struct {
	t   *testing.T
	key *ecdsa.PrivateKey
	jkt string
}

func newProver(t *testing.T) *prover {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jkt, err := jose.Thumbprint(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return &prover{t, key, jkt}
}

func (p *prover) jwk() map[string]any {
	x, y := make([]byte, 32), make([]byte, 32)
	b, err := p.key.PublicKey.Bytes()
	if err != nil {
		p.t.Fatal(err)
	}
	copy(x, b[1:33])
	copy(y, b[33:])
	return map[string]any{"kty": "EC", "crv": "P-256", "x": base64.RawURLEncoding.EncodeToString(x),
		"y": base64.RawURLEncoding.EncodeToString(y)}
}

// proof is for a request; header and claims are laid over what a good one has,
// and what is nil in them is left out.
func (p *prover) proof(method, to string, header, claims map[string]any) string {
	p.t.Helper()
	part := func(set, over map[string]any) string {
		maps.Copy(set, over)
		maps.DeleteFunc(set, func(_ string, v any) bool { return v == nil })
		b, err := json.Marshal(set)
		if err != nil {
			p.t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": p.jwk()}, header) + "." +
		part(map[string]any{"jti": rand.Text(), "htm": method, "htu": to, "iat": time.Now().Unix()}, claims)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, sum[:])
	if err != nil {
		p.t.Fatal(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// with is a proof for an endpoint that takes forms.
func (p *prover) with(s *site, path string) string {
	return p.proof(http.MethodPost, s.url+"/realms/shop/protocol/openid-connect"+path, nil, nil)
}

func hashOf(token string) map[string]any {
	sum := sha256.Sum256([]byte(token))
	return map[string]any{"ath": base64.RawURLEncoding.EncodeToString(sum[:])}
}

func form(pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

// thumbprint is the key that a token is bound to.
func thumbprint(t *testing.T, token string) string {
	t.Helper()
	cnf, _ := claimsOf(t, token)["cnf"].(map[string]any)
	jkt, _ := cnf["jkt"].(string)
	return jkt
}

// Keycloak: DPoPUtil.validateDPoP.
func TestProofs(t *testing.T) {
	s := newSite(t, "")
	p, other := newProver(t), newProver(t)
	to := s.url + "/realms/shop/protocol/openid-connect/token"
	now := time.Now().Unix()
	private := p.jwk()
	private["d"] = "AAAA"
	spent := p.proof("POST", to, nil, nil)
	for _, c := range []struct{ why, proof, want string }{
		{"good", p.proof("POST", to, nil, nil), "OK"},
		{"good, to be used again", spent, "OK"},
		{"used again", spent, "DPoP proof has already been used"},
		{"with a query and a fragment", p.proof("POST", to+"?a=b#c", nil, nil), "OK"},
		{"a little old", p.proof("POST", to, nil, map[string]any{"iat": now - 20}), "OK"},
		{"a little early", p.proof("POST", to, nil, map[string]any{"iat": now + 10}), "OK"},
		{"old", p.proof("POST", to, nil, map[string]any{"iat": now - 60}), "DPoP proof is not active"},
		{"early", p.proof("POST", to, nil, map[string]any{"iat": now + 60}), "DPoP proof is not active"},
		{"empty", "", "DPoP proof is missing"},
		{"no JWT", "garbage", "DPoP header verification failure"},
		{"no time", p.proof("POST", to, nil, map[string]any{"iat": nil}), "DPoP mandatory claims are missing"},
		{"no id", p.proof("POST", to, nil, map[string]any{"jti": nil}), "DPoP mandatory claims are missing"},
		{"no method", p.proof("POST", to, nil, map[string]any{"htm": nil}), "DPoP mandatory claims are missing"},
		{"no address", p.proof("POST", to, nil, map[string]any{"htu": nil}), "DPoP mandatory claims are missing"},
		{"another address", p.proof("POST", to+"/", nil, nil), "DPoP HTTP URL mismatch"},
		{"another server", p.proof("POST", "https://elsewhere.example.org/realms/shop/protocol/openid-connect/token", nil, nil),
			"DPoP HTTP URL mismatch"},
		{"no address at all", p.proof("POST", ":::", nil, nil), "Malformed HTTP URL in DPoP proof"},
		{"another method", p.proof("GET", to, nil, nil), "DPoP HTTP method mismatch"},
		{"another type", p.proof("POST", to, map[string]any{"typ": "JWT"}, nil), "Invalid or missing type in DPoP header: JWT"},
		{"no type", p.proof("POST", to, map[string]any{"typ": nil}, nil), "Invalid or missing type in DPoP header: null"},
		{"unsigned", p.proof("POST", to, map[string]any{"alg": "none"}, nil), "Unsupported DPoP algorithm: none"},
		{"with a secret", p.proof("POST", to, map[string]any{"alg": "HS256"}, nil), "Unsupported DPoP algorithm: HS256"},
		{"no key", p.proof("POST", to, map[string]any{"jwk": nil}, nil), "No JWK in DPoP header"},
		{"a private key", p.proof("POST", to, map[string]any{"jwk": private}, nil), "Private key material must not be present in DPoP JWK"},
		{"a secret for a key", p.proof("POST", to, map[string]any{"jwk": map[string]any{"kty": "oct", "k": "AAAA"}}, nil),
			"Unsupported key type in DPoP header"},
		{"another's key", p.proof("POST", to, map[string]any{"jwk": other.jwk()}, nil),
			"DPoP verification failure: org.keycloak.exceptions.TokenSignatureInvalidException: Invalid token signature"},
	} {
		want := c.want
		if want != "OK" {
			want = "invalid_request: " + want
		}
		a := s.send(http.MethodPost, "/token", form(app("grant_type", "client_credentials")...), "DPoP", c.proof)
		a.want(t, c.why, want)
		if want == "OK" && (a.text("token_type") != "DPoP" || thumbprint(t, a.text("access_token")) != p.jkt) {
			t.Errorf("%s: %s %v, want a token bound to %s", c.why, a.text("token_type"), claimsOf(t, a.text("access_token")), p.jkt)
		}
	}
}

// Of requests with one proof, one is served, however close they are (RFC 9449 11.1).
func TestProofRace(t *testing.T) {
	s := newSite(t, "")
	proof := newProver(t).with(s, "/token")
	const racers = 8
	var served atomic.Int32
	var wait sync.WaitGroup
	for range racers {
		wait.Go(func() {
			if a := s.send(http.MethodPost, "/token", form(app("grant_type", "client_credentials")...), "DPoP", proof); a.status == http.StatusOK {
				served.Add(1)
			} else if a.text("error_description") != "DPoP proof has already been used" {
				t.Errorf("%d %s", a.status, a.raw)
			}
		})
	}
	wait.Wait()
	if served.Load() != 1 {
		t.Errorf("%d of %d requests with one proof were served", served.Load(), racers)
	}
}

// The event says why; Keycloak: DPoPUtil.handleDPoPHeader.
func TestRefusedProofInEvents(t *testing.T) {
	s := newSite(t, "")
	s.send(http.MethodPost, "/token", form(app("grant_type", "client_credentials")...), "DPoP", "garbage").want(t, "no proof",
		"invalid_request: DPoP header verification failure")
	got := s.admin(http.MethodGet, "/events?type=CLIENT_LOGIN_ERROR", "").raw
	if !strings.Contains(got, `"error":"invalid_dpop_proof"`) || !strings.Contains(got, `"reason":"DPoP header verification failure"`) {
		t.Errorf("events: %s", got)
	}
}

// Keycloak: DPoPUtil, TokenManager.verifyRefreshToken, StandardTokenExchangeProvider.
func TestBoundTokens(t *testing.T) {
	s := newSite(t, "")
	s.admin(http.MethodPost, "/clients", `{"clientId":"binding","secret":"b-secret","serviceAccountsEnabled":true,"implicitFlowEnabled":true,
		"redirectUris":["https://b.example.org/*"],"attributes":{"dpop.bound.access.tokens":"true"}}`).want(t, "a client that demands proofs", "Created")
	p, other := newProver(t), newProver(t)
	send := func(path, proof string, pairs ...string) *answer {
		t.Helper()
		if proof == "" {
			return s.send(http.MethodPost, path, form(pairs...))
		}
		return s.send(http.MethodPost, path, form(pairs...), "DPoP", proof)
	}
	s.token("grant_type", "client_credentials", "client_id", "binding", "client_secret", "b-secret").want(t, "without a proof",
		"invalid_request: DPoP proof is missing")

	front := s.send(http.MethodGet, "/auth?"+form("client_id", "binding", "response_type", "token", "redirect_uri",
		"https://b.example.org/cb"), "")
	if to, err := url.Parse(front.header.Get("Location")); err != nil || !strings.HasPrefix(to.Fragment,
		"error=unauthorized_client&error_description=DPoP+is+not+supported+for+implicit+nor+hybrid+flows.") {
		t.Errorf("a token in the front: %d to %s", front.status, to)
	}

	spa := []string{"grant_type", "password", "client_id", "spa", "username", "ann", "password", "ann-pw", "scope", "openid"}
	public := send("/token", p.with(s, "/token"), spa...)
	public.want(t, "a public client", "OK")
	token, refresh := public.text("access_token"), public.text("refresh_token")
	if thumbprint(t, token) != p.jkt || thumbprint(t, refresh) != p.jkt {
		t.Errorf("a public client's tokens are bound to %q and %q, want %s", thumbprint(t, token), thumbprint(t, refresh), p.jkt)
	}
	again := []string{"grant_type", "refresh_token", "client_id", "spa", "refresh_token", refresh}
	send("/token", "", again...).want(t, "a refresh without a proof", "invalid_grant: DPoP proof is missing")
	send("/token", other.with(s, "/token"), again...).want(t, "a refresh by another key",
		"invalid_grant: DPoP confirmation doesn't match DPoP proof")
	send("/token", p.with(s, "/token"), again...).want(t, "a refresh", "OK")
	send("/logout", "", "client_id", "spa", "refresh_token", refresh).want(t, "a logout without a proof",
		"invalid_grant: DPoP proof is missing")

	at := s.url + "/realms/shop/protocol/openid-connect/userinfo"
	proof := p.proof("GET", at, nil, hashOf(token))
	for _, c := range []struct {
		why, scheme, proof string
		status             int
	}{
		{"with a proof", "DPoP ", proof, 200},
		{"with a spent proof", "DPoP ", proof, 401},
		{"with the scheme in small letters", "dpop ", p.proof("GET", at, nil, hashOf(token)), 200},
		{"as anybody's", "Bearer ", p.proof("GET", at, nil, hashOf(token)), 401},
		{"by another key", "DPoP ", other.proof("GET", at, nil, hashOf(token)), 401},
		{"with a proof for no token", "DPoP ", p.proof("GET", at, nil, nil), 401},
		{"with a proof for another token", "DPoP ", p.proof("GET", at, nil, hashOf("x")), 401},
		{"with a proof for another method", "DPoP ", p.proof("POST", at, nil, hashOf(token)), 401},
		{"without a proof", "DPoP ", "", 401},
	} {
		headers := []string{"Authorization", c.scheme + token}
		if c.proof != "" {
			headers = append(headers, "DPoP", c.proof)
		}
		if a := s.send(http.MethodGet, "/userinfo", "", headers...); a.status != c.status {
			t.Errorf("userinfo %s: %d %s, want %d", c.why, a.status, a.header.Get("WWW-Authenticate"), c.status)
		}
	}
	account := s.url + "/realms/shop/account/"
	for want, header := range map[int][2]string{200: {"DPoP " + token, p.proof("GET", account, nil, hashOf(token))},
		401: {"Bearer " + token, ""}} {
		r, err := http.NewRequest(http.MethodGet, account, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Authorization", header[0])
		r.Header.Set("DPoP", header[1])
		if a := s.do(r); a.status != want {
			t.Errorf("account, %s: %d, want %d", header[0][:6], a.status, want)
		}
	}

	own := send("/token", p.with(s, "/token"), app("grant_type", "password", "username", "ann", "password", "ann-pw", "scope", "openid")...)
	own.want(t, "a confidential client", "OK")
	if got := thumbprint(t, own.text("refresh_token")); got != "" {
		t.Errorf("a confidential client's refresh token is bound to %s", got)
	}
	exchange := app("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token", own.text("access_token"),
		"subject_token_type", "urn:ietf:params:oauth:token-type:access_token")
	send("/token", "", exchange...).want(t, "an exchange without a proof", "invalid_request: DPoP proof is missing")
	send("/token", other.with(s, "/token"), exchange...).want(t, "an exchange by another key",
		"invalid_request: DPoP confirmation doesn't match DPoP proof")
	send("/token", p.with(s, "/token"), exchange...).want(t, "an exchange", "OK")
}

// Keycloak: DPoPUtil.validateDPoPJkt, ParEndpoint, AuthorizationEndpointChecker. RFC 9449 10.
func TestCodesBoundToAKey(t *testing.T) {
	s := newSite(t, "")
	p, other := newProver(t), newProver(t)
	redeem := func(code, proof string) *answer {
		t.Helper()
		body := form(app("grant_type", "authorization_code", "code", code, "redirect_uri", "https://app.example.org/cb")...)
		if proof == "" {
			return s.send(http.MethodPost, "/token", body)
		}
		return s.send(http.MethodPost, "/token", body, "DPoP", proof)
	}
	login := func(jkt string) string {
		t.Helper()
		return s.login("client_id", "app", "redirect_uri", "https://app.example.org/cb", "dpop_jkt", jkt)
	}
	redeem(login(p.jkt), p.with(s, "/token")).want(t, "the key that was named", "OK")
	redeem(login(p.jkt), other.with(s, "/token")).want(t, "another key",
		"invalid_request: DPoP Proof public key thumbprint does not match dpop_jkt")
	redeem(login(p.jkt), "").want(t, "no proof", "invalid_request: DPoP Proof missing")

	push := func(proof string, pairs ...string) *answer {
		t.Helper()
		return s.send(http.MethodPost, "/ext/par/request", form(app(append(pairs, "response_type", "code", "scope", "openid", "redirect_uri",
			"https://app.example.org/cb")...)...), "DPoP", proof)
	}
	pushed := push(p.with(s, "/ext/par/request"))
	pushed.want(t, "a pushed request", "Created")
	redeem(s.login("client_id", "app", "request_uri", pushed.text("request_uri")), other.with(s, "/token")).
		want(t, "another key than pushed", "invalid_request: DPoP Proof public key thumbprint does not match dpop_jkt")
	push(p.with(s, "/ext/par/request"), "dpop_jkt", other.jkt).want(t, "two keys",
		"invalid_request: DPoP Proof public key thumbprint does not match dpop_jkt.")
	push("garbage").want(t, "no proof", "invalid_request: DPoP header verification failure")
}
