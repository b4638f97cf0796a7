package rep

import (
	"reflect"
	"testing"
)

// Each attribute that is a setting changes what is compiled of the client, and the values
// are those of Keycloak's OIDCConfigAttributes.
func TestClientSettingsAreCompiled(t *testing.T) {
	none := clientOIDC(nil)
	if !none.Refresh || !none.SessionState || !none.IssuerParam {
		t.Errorf("of no attributes: %+v", none)
	}
	for name, value := range map[string]string{
		"pkce.code.challenge.method": "S256", "require.pushed.authorization.requests": "true", "dpop.bound.access.tokens": "true",
		"tls.client.certificate.bound.access.tokens": "true", "exclude.session.state.from.auth.response": "true",
		"exclude.issuer.from.auth.response": "true",
		"use.refresh.tokens":                "false", "client_credentials.use_refresh_token": "true", "standard.token.exchange.enabled": "true",
		"standard.token.exchange.enableRefreshRequestedTokenType": "SAME_SESSION", "logout.confirmation.enabled": "true",
		"allow.token.introspection.without.audience.check": "true", "client.introspection.response.allow.jwt.claim.enabled": "true",
		"allow.userinfo.with.lightweight.access.token": "true", "user.info.response.signature.alg": "RS256",
		"authorization.signed.response.alg": "RS256",
		"id.token.encrypted.response.alg":   "RSA-OAEP", "id.token.encrypted.response.enc": "A256GCM",
		"user.info.encrypted.response.alg": "RSA-OAEP",
		"user.info.encrypted.response.enc": "A256GCM", "authorization.encrypted.response.alg": "RSA-OAEP",
		"authorization.encrypted.response.enc": "A256GCM",
		"request.object.signature.alg":         "RS256", "request.object.encryption.alg": "any", "request.object.encryption.enc": "any",
		"request.uris": "https://a.example",
		"client.secret.authentication.allowed.method": "client_secret_post", "token.endpoint.auth.signing.alg": "ES256",
		"token.endpoint.auth.signing.max.exp":       "30",
		"oauth2.device.authorization.grant.enabled": "true", "oauth2.device.code.lifespan": "5", "oauth2.device.polling.interval": "5",
		"request.object.required": "request only", "use.jwks.url": "true", "use.jwks.string": "true", "jwks.url": "https://a.example",
		"jwks.string": "{}", "jwt.credential.certificate": "MII",
		"jwt.credential.public.key": "MII", "jwt.credential.kid": "k",
	} {
		if reflect.DeepEqual(clientOIDC(map[string]string{name: value}), none) {
			t.Errorf("%s=%s changes nothing", name, value)
		}
	}
	for _, life := range []string{"-5", "x"} {
		if got := clientOIDC(map[string]string{"token.endpoint.auth.signing.max.exp": life}).AssertionLife; got != 0 {
			t.Errorf("an assertion lives %s: %d", life, got)
		}
	}
}
