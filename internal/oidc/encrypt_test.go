package oidc_test

import (
	"encoding/json"
	"strings"
	"testing"

	"latchkey/internal/jose"
)

// OpenID Connect Core 10.2; Keycloak: DefaultTokenManager.getEncryptedToken.
func TestEncryptedAnswers(t *testing.T) {
	private, err := jose.GenerateRSA(2048)
	if err != nil {
		t.Fatal(err)
	}
	key := &jose.Key{KID: "e1", Alg: "RSA-OAEP", Use: "enc", Private: private}
	set, err := jose.Set{key}.Public()
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(string(jwks))
	if err != nil {
		t.Fatal(err)
	}
	attrs := `"attributes":{"use.jwks.string":"true","jwks.string":` + string(text) + `,"id.token.encrypted.response.alg":"RSA-OAEP","user.info.encrypted.response.alg":"RSA-OAEP","user.info.encrypted.response.enc":"A256GCM"}`
	s := newSiteOf(t, strings.Replace(realmFile, `"clientId":"app",`, `"clientId":"sealed","publicClient":true,"redirectUris":["https://sealed.example.org/*"],"directAccessGrantsEnabled":true,`+attrs+`},{"clientId":"app",`, 1))
	a := s.token("grant_type", "password", "username", "ann", "password", "ann-pw", "scope", "openid", "client_id", "sealed")
	a.want(t, "password grant", "OK")
	signed, err := key.Decrypt(a.text("id_token"))
	if err != nil {
		t.Fatalf("the ID token is not encrypted to the client: %v", err)
	}
	if claims := claimsOf(t, string(signed)); claims["aud"] != "sealed" || claims["typ"] != "ID" {
		t.Errorf("inside is %v", claims)
	}
	info := s.userinfo(a.text("access_token"))
	plain, err := key.Decrypt(info.raw)
	if err != nil || !strings.Contains(string(plain), `"preferred_username":"ann"`) || info.header.Get("Content-Type") != "application/jwt" {
		t.Errorf("userinfo: %s %q, %v", info.header.Get("Content-Type"), plain, err)
	}
}
