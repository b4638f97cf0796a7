package oidc_test

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"latchkey/internal/jose"
)

// sealedClients are clients whose answers are all encrypted, one for each pair
// of algorithms, which is also its name. They publish an RSA and an EC key
// without saying which algorithm they are for.
func sealedClients(t *testing.T, pairs []string, private ...crypto.Signer) string {
	t.Helper()
	var set jose.Set
	for i, key := range private {
		set = append(set, &jose.Key{KID: fmt.Sprint(i), Use: "enc", Private: key})
	}
	public, err := set.Public()
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := json.Marshal(public)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, pair := range pairs {
		alg, enc, _ := strings.Cut(pair, "/")
		attrs := map[string]string{"use.jwks.string": "true", "jwks.string": string(jwks)}
		for _, kind := range []string{"id.token", "user.info", "authorization"} {
			attrs[kind+".encrypted.response.alg"], attrs[kind+".encrypted.response.enc"] = alg, enc
		}
		client, err := json.Marshal(map[string]any{"clientId": pair, "publicClient": true,
			"redirectUris":              []string{"https://sealed.example.org/*"},
			"directAccessGrantsEnabled": true, "implicitFlowEnabled": true, "attributes": attrs})
		if err != nil {
			t.Fatal(err)
		}
		text.Write(client)
		text.WriteByte(',')
	}
	return strings.Replace(realmFile, `{"clientId":"app",`, text.String()+`{"clientId":"app",`, 1)
}

// Each algorithm that discovery lists for encryption is used for each kind of
// answer that it lists it for. OpenID Connect Core 10.2, JARM 2.2; Keycloak:
// OIDCWellKnownProvider, DefaultTokenManager.encodeAndEncrypt.
func TestEncryptedAnswers(t *testing.T) {
	rsa, err := jose.GenerateRSA(2048)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := jose.GenerateEC("P-256")
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for _, alg := range []string{"RSA-OAEP", "RSA-OAEP-256", "RSA1_5", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"} {
		pairs = append(pairs, alg+"/A256GCM")
	}
	for _, enc := range []string{"A128GCM", "A192GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"} {
		pairs = append(pairs, "RSA-OAEP/"+enc)
	}
	s := newSiteOf(t, sealedClients(t, pairs, rsa, ec))
	decrypt := func(what, pair, text string) string {
		t.Helper()
		alg, enc, _ := strings.Cut(pair, "/")
		key := &jose.Key{Alg: alg, Use: "enc", Private: rsa}
		if strings.HasPrefix(alg, "ECDH") {
			key.Private = ec
		}
		plain, err := key.Decrypt(text)
		if err != nil {
			t.Fatalf("%s, %s is not encrypted to the client: %v", pair, what, err)
		}
		head, _, _ := strings.Cut(text, ".")
		header, err := base64.RawURLEncoding.DecodeString(head)
		if err != nil || !strings.Contains(string(header), `"alg":"`+alg+`"`) || !strings.Contains(string(header), `"enc":"`+enc+`"`) {
			t.Errorf("%s, %s: header %s, %v", pair, what, header, err)
		}
		return string(plain)
	}
	v := s.visitor(t)
	v.login("app", "https://app.example.org/cb")
	answer := map[string]func(pair string){
		"id_token": func(pair string) {
			a := s.token("grant_type", "password", "username", "ann", "password", "ann-pw", "scope", "openid", "client_id", pair)
			a.want(t, "password grant", "OK")
			if claims := claimsOf(t, decrypt("ID token", pair, a.text("id_token"))); claims["aud"] != pair || claims["typ"] != "ID" {
				t.Errorf("%s: the ID token is %v", pair, claims)
			}
		},
		"userinfo": func(pair string) {
			a := s.token("grant_type", "password", "username", "ann", "password", "ann-pw", "scope", "openid", "client_id", pair)
			info := s.userinfo(a.text("access_token"))
			if plain := decrypt("userinfo", pair, info.raw); !strings.Contains(plain, `"preferred_username":"ann"`) ||
				info.header.Get("Content-Type") != "application/jwt" {
				t.Errorf("%s: userinfo is %s %q", pair, info.header.Get("Content-Type"), plain)
			}
		},
		"authorization": func(pair string) {
			for typ, mode := range map[string]string{"code": "jwt", "code id_token": "query.jwt", "none": "query.jwt"} {
				q := url.Values{"client_id": {pair}, "redirect_uri": {"https://sealed.example.org/"}, "response_type": {typ}, "response_mode": {mode},
					"state": {"s"}, "nonce": {"n"}, "scope": {"openid"}}
				_, to, page := v.open(protocol+"/auth?"+q.Encode(), nil)
				u, err := url.Parse(to)
				if err != nil || to == "" {
					t.Fatalf("%s, %s: %s", pair, typ, page)
				}
				claims := claimsOf(t, decrypt("authorization response", pair, u.Query().Get("response")))
				if claims["aud"] != pair || claims["state"] != "s" || strings.Contains(typ, "code") && claims["code"] == nil {
					t.Errorf("%s: the answer to %s is %v", pair, typ, claims)
				}
			}
		},
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/realms/shop/.well-known/openid-configuration", nil)
	if err != nil {
		t.Fatal(err)
	}
	document := s.do(r).body
	for kind, use := range answer {
		used := 0
		for list, pair := range map[string]string{"alg": "%s/A256GCM", "enc": "RSA-OAEP/%s"} {
			values, _ := document[kind+"_encryption_"+list+"_values_supported"].([]any)
			for _, name := range values {
				used++
				use(fmt.Sprintf(pair, name))
			}
		}
		if used != 13 {
			t.Errorf("%s: %d algorithms are listed", kind, used)
		}
	}
}

// A client that wants encryption and has no key for it gets an error of OAuth's.
func TestEncryptionNeedsAKey(t *testing.T) {
	ec, err := jose.GenerateEC("P-256")
	if err != nil {
		t.Fatal(err)
	}
	s := newSiteOf(t, sealedClients(t, []string{"RSA-OAEP/A256GCM"}, ec))
	a := s.token("grant_type", "password", "username", "ann", "password", "ann-pw", "scope", "openid", "client_id", "RSA-OAEP/A256GCM")
	if a.status != 400 || a.text("error") != "invalid_request" {
		t.Errorf("%d %s", a.status, a.raw)
	}
	v := s.visitor(t)
	v.login("app", "https://app.example.org/cb")
	q := url.Values{"client_id": {"RSA-OAEP/A256GCM"}, "redirect_uri": {"https://sealed.example.org/"}, "response_type": {"code"},
		"response_mode": {"jwt"}}
	if status, to, _ := v.open(protocol+"/auth?"+q.Encode(), nil); status != 400 || to != "" {
		t.Errorf("authorization response: %d to %s", status, to)
	}
}
