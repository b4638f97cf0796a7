package oidc

import (
	"net/http"

	"latchkey/internal/jose"
	"latchkey/internal/tokens"
)

// The grants that are not built answer as the reference does where a realm has
// not set them up, so that no client takes them for a missing address.

// ciba: CibaGrantType of a client without backchannel authentication.
func (t *tokenCall) ciba() (*decision, error) {
	return nil, t.bad("not_allowed", "invalid_grant", "Client not allowed OIDC CIBA Grant")
}

// device: DeviceGrantType of a client without the device grant.
func (t *tokenCall) device() (*decision, error) {
	return nil, t.bad("not_allowed", "invalid_grant", "Client not allowed OAuth 2.0 Device Authorization Grant")
}

// jwtBearer: JWTAuthorizationGrantType of a realm without an identity provider
// for it.
func (t *tokenCall) jwtBearer() (*decision, error) {
	reason := "No Identity Provider for provided issuer"
	if !t.form.Has("assertion") {
		reason = "Missing parameter:assertion"
	} else if _, err := jose.Parse(t.form.Get("assertion")); err != nil {
		return nil, &Error{http.StatusBadRequest, "invalid_grant", "The provided assertion is not a valid JWT"}
	}
	return nil, t.bad("invalid_request", "invalid_grant", reason)
}

// uma: PermissionGrantType for a resource server without authorization services.
func (t *tokenCall) uma() (*decision, error) {
	t.detail("auth_method", "oauth_credentials")
	if raw, ok := bearerOf(t.r); ok {
		if _, err := tokens.Parse(t.ctx(), t.realm, raw); err != nil {
			return nil, t.refuse("invalid_token", &Error{http.StatusBadRequest, "invalid_grant", "Invalid bearer token"})
		}
	}
	return nil, t.bad("invalid_request", "invalid_request", "Client does not support permissions")
}
