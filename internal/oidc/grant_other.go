package oidc

import (
	"net/http"

	"latchkey/internal/bearer"
	"latchkey/internal/jose"
	"latchkey/internal/realms"
)

// The grants that are not built answer as the reference does where a realm has
// not set them up, so that no client takes them for a missing address.

// ciba: CibaGrantType of a client without backchannel authentication.
func (t *tokenCall) ciba() (*decision, error) {
	return nil, t.deny(refusal{word: "not_allowed", code: "invalid_grant", description: "Client not allowed OIDC CIBA Grant"})
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
	return nil, t.deny(refusal{word: "invalid_request", code: "invalid_grant", description: reason})
}

// uma: PermissionGrantType for a resource server without authorization services.
func (t *tokenCall) uma() (*decision, error) {
	t.detail("auth_method", "oauth_credentials")
	return nil, t.deny(refusal{word: "invalid_request", description: "Client does not support permissions"})
}

// permissionChecks are accessChecks behind the client, whose policy says which scripts may
// read the refusal.
var permissionChecks = []bearer.Check{
	bearer.KnownClient, bearer.OfHost, bearer.OfType, bearer.NotExpired, bearer.NotRevoked, bearer.LiveSession, bearer.LivePart,
	bearer.AfterSession, bearer.AfterPart,
	bearer.ClientOn, bearer.UserOn, bearer.AfterRealm, bearer.AfterClient, bearer.AfterUser,
}

// umaByToken is uma for who shows an access token in place of a client's secret.
// Whose token it is, and so which scripts may read the answer, is known when it is
// signed by the realm, and not before. CVE-2026-37977.
func (t *tokenCall) umaByToken(raw string) (*decision, error) {
	t.detail("auth_method", "oauth_credentials")
	v, err := t.judge(raw, bearer.Want{Checks: permissionChecks, Types: accessTypes})
	if err != nil {
		return nil, err
	}
	if t.client = v.Client; t.client != nil {
		if err := t.openToClient(); err != nil {
			return nil, err
		}
	}
	switch {
	case !v.Good():
		return nil, t.deny(refusal{word: "invalid_token", code: "invalid_grant", description: "Invalid bearer token", detail: untold})
	case !t.form.Has("audience"):
		return nil, t.deny(refusal{word: "invalid_request", description: "You must provide the issuedFor"})
	}
	if _, err := t.realm.ClientByName(t.ctx(), t.form.Get("audience")); realms.Missing(err) {
		return nil, t.deny(refusal{word: "invalid_request", description: "Unknown resource server id: [" + t.form.Get("audience") + "]"})
	} else if err != nil {
		return nil, err
	}
	return nil, t.deny(refusal{word: "invalid_request", description: "Client does not support permissions"})
}
