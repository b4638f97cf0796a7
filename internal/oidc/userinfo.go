package oidc

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"latchkey/internal/bearer"
	"latchkey/internal/claims"
	"latchkey/internal/iam"
	"latchkey/internal/web"
)

// revokedReason is how the reference explains a revoked token to its event log.
const revokedReason = "JWT check failed for check org.keycloak.protocol.oidc.TokenManager$TokenRevocationCheck@0000000"

// userinfo tells what an access token's user is called (OpenID Connect Core 5.3).
// Keycloak: UserInfoEndpoint.
func (h *Handler) userinfo(c *call) error {
	c.noStore()
	c.detail("auth_method", "validate_access_token")
	c.cors = &web.CORS{Methods: []string{c.r.Method}, Expose: []string{"Access-Control-Allow-Methods"}, Auth: true}
	b := &backCall{call: c}
	raw, sent, err := b.tokenOfRequest()
	if err != nil {
		return err
	}
	if !sent {
		c.detail("reason", "Missing token")
		b.anyOrigin()
		c.failed("invalid_token")
		return c.challenge(http.StatusUnauthorized, "", "")
	}
	v, err := b.checkUserinfoToken(raw)
	if err != nil {
		return err
	}
	return b.writeUserinfo(v)
}

// tokenOfRequest finds the token in the header or, of a POST, in the form; in
// both is a mistake (RFC 6750 2). sent says that there was one, even if empty.
func (b *backCall) tokenOfRequest() (raw string, sent bool, err error) {
	raw, sent = bearerOf(b.r)
	if b.r.Method != http.MethodPost || web.MediaType(b.r) != "application/x-www-form-urlencoded" {
		return raw, sent, nil
	}
	form, err := web.ReadForm(b.r)
	if err != nil {
		return "", false, err
	}
	if len(form.Values["access_token"]) > 1 {
		b.anyOrigin()
		return "", false, b.challenge(http.StatusBadRequest, "invalid_request", "Duplicate parameter")
	}
	if sent && form.Has("access_token") {
		b.anyOrigin()
		return "", false, b.challenge(http.StatusBadRequest, "invalid_request", "More than one method used for including an access token")
	}
	if form.Has("access_token") {
		return form.Get("access_token"), true, nil
	}
	return raw, sent, nil
}

// A challenge is a refusal by WWW-Authenticate (RFC 6750 3) with an empty text.
type challenge struct{ status int }

func (c challenge) Error() string { return http.StatusText(c.status) }

// challenge sets the header and returns the refusal.
func (c *call) challenge(status int, code, description string) error {
	parts := []string{`realm="` + c.realm.Name + `"`}
	if code != "" {
		parts = append(parts, `error="`+code+`"`)
	}
	if description != "" {
		parts = append(parts, `error_description="`+description+`"`)
	}
	scheme := "Bearer "
	if byDPoP(c.r) {
		// Keycloak: OAuth2Error, which names the algorithms of proofs (RFC 9449 7.1).
		scheme = schemeDPoP + ` algs="` + strings.Join(proofAlgs(), " ") + `", `
	}
	c.w.Header().Set("WWW-Authenticate", scheme+strings.Join(parts, ", "))
	if exposed := c.w.Header().Get("Access-Control-Expose-Headers"); exposed != "" {
		c.w.Header().Set("Access-Control-Expose-Headers", exposed+", WWW-Authenticate")
	}
	return challenge{status}
}

// userinfoChecks are those of UserInfoEndpoint, in its order.
var userinfoChecks = []bearer.Check{
	bearer.OfHost, bearer.OfType, bearer.NotExpired, bearer.Proved, bearer.InOpenID, bearer.KnownClient, bearer.NotRevoked, bearer.AfterRealm,
	bearer.AfterClient,
	bearer.ClientOn, bearer.LiveSession, bearer.LiveClientSession, bearer.AfterSession, bearer.AfterClientSession,
	bearer.UserOn, bearer.AfterUser,
}

// unverified is what TokenVerifier refuses, for a reason that the event alone tells.
func unverified(reason string) saying {
	return saying{word: "invalid_token", reason: reason, description: "Token verification failed", open: true}
}

var userinfoSayings = map[bearer.Refusal]saying{
	bearer.Unsigned:        unverified("Failed to parse JWT"),
	bearer.RetiredKey:      unverified("Failed to parse JWT"),
	bearer.OtherHost:       unverified("Invalid token issuer. Expected '$issuer'"),
	bearer.WrongType:       unverified("Token type is incorrect. Expected '[Bearer, DPoP]' but was '$type'"),
	bearer.Expired:         unverified("Token is not active"),
	bearer.BoundToken:      unverified("The access token type is DPoP but Authorization Header is not DPoP"),
	bearer.UnboundToken:    unverified("The access token type is not DPoP but Authorization Header is DPoP"),
	bearer.BindingDemanded: unverified("This client requires DPoP, but no DPoP Authorization header is present"),
	bearer.WrongProof:      unverified("$proof"),
	bearer.NoOpenID:        {word: "access_denied", reason: "Missing openid scope", description: "Missing openid scope", open: true},
	bearer.UnknownClient:   unverified("Client not found"),
	bearer.RevokedToken:    unverified(revokedReason),
	bearer.BeforeRealm:     unverified("Stale token"),
	bearer.BeforeClient:    unverified("Stale token"),
	bearer.ClientOff:       {word: "client_disabled", description: "Client disabled", tells: theClient},
	bearer.UserOff:         {word: "user_disabled", description: "User disabled", tells: theUser},
	bearer.BeforeUser:      {word: "invalid_user", description: "User not valid", tells: theUser},
}

// checkUserinfoToken judges the token, and whether scripts of the origin may read the answer.
func (b *backCall) checkUserinfoToken(raw string) (*bearer.Verdict, error) {
	v, err := b.judge(raw, bearer.Want{Checks: userinfoChecks, Types: accessTypes, DPoP: byDPoP(b.r), Proof: b.proof(raw)})
	if err != nil {
		return nil, err
	}
	say := sayingOf(userinfoSayings, v.Refusal, "")
	if say.open {
		b.anyOrigin()
		return nil, b.refuseUserinfo(v, say)
	}
	if err := b.checkOrigin(v.Client); err != nil {
		return nil, err
	}
	const light = "Lightweight access token not allowed for userinfo endpoint"
	switch {
	case v.Client.Protocol != iam.OIDC:
		say = saying{word: "invalid_client", reason: "Wrong client protocol", description: "Wrong client protocol"}
	case v.Good() && v.Token.Context().Light && !v.Client.OIDC.LightUserinfo:
		say = saying{word: "invalid_token", reason: light, description: light, tells: theUser}
	case v.Good():
		b.tell(v, theUser)
		b.detail("username", v.User.Username)
		return v, nil
	}
	return nil, b.refuseUserinfo(v, say)
}

// refuseUserinfo refuses by a challenge (RFC 6750 3.1).
func (b *backCall) refuseUserinfo(v *bearer.Verdict, say saying) error {
	b.detail("reason", b.fill(say.reason, v))
	if b.tell(v, say.tells); say.tells == theUser {
		b.detail("username", v.User.Username)
	}
	b.failed(say.word)
	if v.Refusal == bearer.NoOpenID {
		return b.challenge(http.StatusForbidden, "insufficient_scope", say.description)
	}
	return b.challenge(http.StatusUnauthorized, "invalid_token", say.description)
}

// notUserinfo are claims that are about a token and not its user, whatever
// mappers say. Keycloak: TokenManager.generateUserInfoClaims lists all others.
var notUserinfo = []string{
	"exp", "nbf", "iat", "jti", "typ", "azp", "nonce", "auth_time", "sid", "at_hash", "c_hash", "s_hash", "acr", "trusted-certs",
	"allowed-origins", "cnf", "scope", "authorization",
}

// writeUserinfo answers with what the mappers say, as JSON or signed.
func (b *backCall) writeUserinfo(v *bearer.Verdict) error {
	mapped := claims.NewSet()
	if err := b.door.Issuer.Map(b.ctx(), b.realm, b.grantOf(v), v.Token.Scope, claims.UserInfo, mapped); err != nil {
		return err
	}
	out := claims.NewSet()
	out.Put("sub", string(v.User.ID))
	mapped.All(func(name string, value any) bool {
		if !slices.Contains(notUserinfo, name) {
			out.Put(name, value)
		}
		return true
	})
	alg := v.Client.OIDC.UserInfoAlg
	signed := alg != "" && alg != "none"
	contentType, cty := "application/json", ""
	var body []byte
	var err error
	if signed {
		out.Put("iss", b.issuer())
		out.Put("aud", []string{v.Client.ClientID})
		var text string
		text, err = b.door.Issuer.Sign(b.ctx(), b.realm, out, alg, "JWT")
		body = []byte(text)
		contentType, cty = "application/jwt", "JWT"
		b.detail("signature_algorithm", alg)
	} else {
		body, err = out.Plain()
	}
	if encrypt := b.encryption(&v.Client.Client, v.Client.OIDC.UserInfo, cty); err == nil && encrypt != nil {
		var text string
		text, err = encrypt(string(body))
		body = []byte(text)
		contentType = "application/jwt"
	}
	if err != nil {
		return err
	}
	b.detail("signature_required", strconv.FormatBool(signed))
	b.emit()
	b.w.Header().Add("Cache-Control", web.CacheNoCache)
	b.bytes(http.StatusOK, contentType, body)
	return nil
}

// anyPreflight answers the preflight of an endpoint that is read.
func (h *Handler) anyPreflight(c *call) error {
	web.SecurityHeaders(c.w.Header(), c.realm.SecurityHeaders, "")
	web.CORS{Auth: true}.Preflight(c.w, c.r)
	return nil
}
