package oidc_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"latchkey/internal/jose"
)

// objectClients are clients that send request objects, with a key of their own,
// which may be fetched from the addresses below base.
func objectClients(t *testing.T, base string, key *jose.Key) string {
	t.Helper()
	public, err := jose.Set{key}.Public()
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := json.Marshal(public)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for name, attrs := range map[string]map[string]string{
		"any":      {"request.uris": base + "/*"},
		"signing":  {"request.object.signature.alg": "RS256"},
		"by-value": {"request.object.required": "request only"},
		"either":   {"request.object.required": "request or request_uri", "request.uris": base + "/*"},
	} {
		attrs["use.jwks.string"], attrs["jwks.string"] = "true", string(jwks)
		client, err := json.Marshal(map[string]any{"clientId": name, "secret": "a-secret-that-is-long-enough-for-hs256",
			"redirectUris": []string{"https://app.example.org/*"}, "attributes": attrs})
		if err != nil {
			t.Fatal(err)
		}
		text.Write(client)
		text.WriteByte(',')
	}
	return strings.Replace(realmFile, `{"clientId":"app",`, text.String()+`{"clientId":"app",`, 1)
}

func unsigned(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"none"}`)) + "." + enc([]byte(claims)) + "."
}

// OpenID Connect Core 6, RFC 9101. Keycloak: AuthorizationEndpointRequestParserProcessor,
// AuthzEndpointRequestObjectParser, DefaultTokenManager.decodeClientJWT.
func TestRequestObjects(t *testing.T) {
	private, err := jose.GenerateRSA(2048)
	if err != nil {
		t.Fatal(err)
	}
	key := &jose.Key{KID: "mine", Alg: "RS256", Use: "sig", Private: private}
	const said = `{"redirect_uri":"https://app.example.org/said","response_type":"code","state":"said","max_age":100,"claims":{"userinfo":{"email":null}}}`
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/there" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write([]byte(unsigned(said)))
	}))
	t.Cleanup(host.Close)
	s := newSiteOf(t, objectClients(t, host.URL, key))
	v := s.visitor(t)
	sign := func(k *jose.Key, claims string) string {
		t.Helper()
		text, err := k.Sign("JWT", []byte(claims))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	signed := sign(key, said)
	secret := &jose.Key{Alg: "HS256", Secret: []byte("a-secret-that-is-long-enough-for-hs256")}
	other := &jose.Key{Alg: "HS256", Secret: []byte("another-secret-that-is-long-enough-too")}
	_, _, certs := v.open(protocol+"/certs", nil)
	set, err := jose.ParseSet([]byte(certs))
	if err != nil {
		t.Fatal(err)
	}
	seal := func(inner string) string {
		t.Helper()
		for _, k := range set {
			if k.CanEncrypt("RSA-OAEP") && k.Use == "enc" {
				text, err := k.Encrypt("A256GCM", "JWT", []byte(inner))
				if err != nil {
					t.Fatal(err)
				}
				return text
			}
		}
		t.Fatal("the realm publishes no key to encrypt with")
		return ""
	}
	const (
		mine = "https://app.example.org/cb?error=login_required&state=mine"
		that = "https://app.example.org/said?error=login_required&state=said"
		bad  = "Invalid Request"
	)
	for _, c := range []struct {
		why, client string
		query       url.Values
		want        string // where the browser is sent, or the page's text
	}{
		{"unsigned", "any", url.Values{"request": {unsigned(said)}}, that},
		{"one that says nothing", "any", url.Values{"request": {unsigned("{}")}}, mine},
		{"signed", "any", url.Values{"request": {signed}}, that},
		{"with the secret", "any", url.Values{"request": {sign(secret, said)}}, that},
		{"with another's secret", "any", url.Values{"request": {sign(other, said)}}, bad},
		{"altered", "any", url.Values{"request": {signed[:len(signed)-8] + "AAAAAAAA"}}, bad},
		{"encrypted", "any", url.Values{"request": {seal(said)}}, that},
		{"signed and encrypted", "any", url.Values{"request": {seal(signed)}}, that},
		{"altered and encrypted", "any", url.Values{"request": {seal(signed[:len(signed)-8] + "AAAAAAAA")}}, bad},
		{"empty", "any", url.Values{"request": {""}}, bad},
		{"no JSON", "any", url.Values{"request": {unsigned("x")}}, bad},
		{"for another client", "any", url.Values{"request": {unsigned(`{"client_id":"app"}`)}}, bad},
		{"with a reference in it", "any", url.Values{"request": {unsigned(`{"request_uri":"x"}`)}}, bad},
		{"to another response type", "any", url.Values{"request": {unsigned(`{"response_type":"token"}`)}}, "#error=unauthorized_client"},
		{"by reference", "any", url.Values{"request_uri": {host.URL + "/there"}}, that},
		{"by a reference to nothing", "any", url.Values{"request_uri": {host.URL + "/gone"}}, bad},
		{"by a foreign reference", "any", url.Values{"request_uri": {"https://elsewhere.example.org/"}}, bad},
		{"both", "any", url.Values{"request": {signed}, "request_uri": {host.URL + "/there"}}, bad},
		{"signed as demanded", "signing", url.Values{"request": {signed}}, that},
		{"unsigned in spite", "signing", url.Values{"request": {unsigned(said)}}, bad},
		{"unsigned inside in spite", "signing", url.Values{"request": {seal(said)}}, bad},
		{"signed inside as demanded", "signing", url.Values{"request": {seal(signed)}}, that},
		{"demanded, missing", "by-value", nil, bad},
		{"demanded by value", "by-value", url.Values{"request": {unsigned(said)}}, that},
		{"demanded, missing", "either", nil, bad},
		{"demanded, by reference", "either", url.Values{"request_uri": {host.URL + "/there"}}, that},
	} {
		q := url.Values{"client_id": {c.client}, "redirect_uri": {"https://app.example.org/cb"}, "response_type": {"code"}, "prompt": {"none"},
			"state": {"mine"}}
		for name, v := range c.query {
			q[name] = v
		}
		_, to, page := v.open(protocol+"/auth?"+q.Encode(), nil)
		if !strings.Contains(to+page, c.want) {
			t.Errorf("%s, %s: to %q\n%s", c.client, c.why, to, page)
		}
	}
	q := url.Values{"client_id": {"any"}, "response_type": {"none"}, "request": {unsigned(said)}}
	if _, to, _ := v.open(protocol+"/auth?"+q.Encode(), nil); !strings.HasPrefix(to,
		"https://app.example.org/said?error=invalid_request&error_description=Parameter+response_type+does+not+match") {
		t.Errorf("another response type beside it: to %q", to)
	}
	// In a pushed request the object is checked at once, and counts when the browser comes.
	push := func(pairs ...string) *answer {
		return s.post("/ext/par/request", append(pairs, "client_id", "signing", "client_secret", "a-secret-that-is-long-enough-for-hs256")...)
	}
	push("request", unsigned(said)).want(t, "pushed unsigned", "invalid_request_object: invalidRequestMessage")
	a := push("request", signed)
	if a.status != http.StatusCreated {
		t.Fatalf("pushed: %d %s", a.status, a.raw)
	}
	q = url.Values{"client_id": {"signing"}, "prompt": {"none"}, "request_uri": {a.text("request_uri")}}
	if _, to, page := v.open(protocol+"/auth?"+q.Encode(), nil); !strings.HasPrefix(to, that) {
		t.Errorf("pushed: to %q\n%s", to, page)
	}
}
