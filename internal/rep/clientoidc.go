package rep

import (
	"cmp"
	"strconv"

	"latchkey/internal/iam"
)

// clientOIDC reads the attributes of a client that are settings for OpenID Connect.
func clientOIDC(attrs map[string]string) iam.ClientOIDC {
	flag := func(name string) bool { return attrs[name] == "true" }
	encryption := func(kind string) iam.Encryption {
		return iam.Encryption{Alg: attrs[kind+".encrypted.response.alg"], Enc: attrs[kind+".encrypted.response.enc"]}
	}
	number := func(name string, bits int) int64 { // 0 for none, and for what is no positive one
		n, err := strconv.ParseInt(attrs[name], 10, bits)
		if err != nil {
			return 0
		}
		return max(n, 0)
	}
	return iam.ClientOIDC{
		PKCE:            attrs["pkce.code.challenge.method"],
		PushedOnly:      flag("require.pushed.authorization.requests"),
		DPoP:            flag("dpop.bound.access.tokens"),
		MTLS:            flag("tls.client.certificate.bound.access.tokens"),
		SessionState:    !flag("exclude.session.state.from.auth.response"),
		IssuerParam:     !flag("exclude.issuer.from.auth.response"),
		Device:          flag(iam.AttrDeviceGrant),
		DeviceLife:      number("oauth2.device.code.lifespan", 32),
		DeviceInterval:  number("oauth2.device.polling.interval", 32),
		Refresh:         attrs["use.refresh.tokens"] != "false",
		ServiceRefresh:  flag("client_credentials.use_refresh_token"),
		Exchange:        flag("standard.token.exchange.enabled"),
		ExchangeRefresh: attrs["standard.token.exchange.enableRefreshRequestedTokenType"] == "SAME_SESSION",
		ConfirmLogout:   flag("logout.confirmation.enabled"),
		AnyAudience:     flag("allow.token.introspection.without.audience.check"),
		IntrospectJWT:   flag("client.introspection.response.allow.jwt.claim.enabled"),
		LightUserinfo:   flag("allow.userinfo.with.lightweight.access.token"),
		UserInfoAlg:     attrs["user.info.response.signature.alg"],
		ResponseAlg:     attrs["authorization.signed.response.alg"],
		IDToken:         encryption("id.token"),
		UserInfo:        encryption("user.info"),
		Response:        encryption("authorization"),
		RequestObjects: iam.RequestObjects{
			Demand:     iam.ObjectsDemanded[attrs[iam.AttrObjectDemanded]],
			Signature:  attrs["request.object.signature.alg"],
			Encryption: iam.Encryption{Alg: attrs["request.object.encryption.alg"], Enc: attrs["request.object.encryption.enc"]},
			URIs:       attrs["request.uris"],
		},
		SecretMethod:  attrs["client.secret.authentication.allowed.method"],
		AssertionAlg:  attrs["token.endpoint.auth.signing.alg"],
		AssertionLife: number("token.endpoint.auth.signing.max.exp", 64),
		Keys: iam.ClientKeys{
			ByURL: flag("use.jwks.url"), ByText: flag("use.jwks.string"), URL: attrs["jwks.url"], Text: attrs["jwks.string"],
			PEM: cmp.Or(attrs["jwt.credential.certificate"], attrs["jwt.credential.public.key"]), KID: attrs["jwt.credential.kid"],
		},
	}
}
