package oidc

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"latchkey/internal/claims"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// lightUserinfo is the client's attribute that lets lightweight tokens in.
const lightUserinfo = "allow.userinfo.with.lightweight.access.token"

// revokedReason is how the reference explains a revoked token to its event log.
const revokedReason = "JWT check failed for check org.keycloak.protocol.oidc.TokenManager$TokenRevocationCheck@0000000"

// userinfo tells what an access token's user is called (OpenID Connect Core 5.3).
// Keycloak: UserInfoEndpoint.
func (h *Handler) userinfo(c *call) error {
	c.noStore()
	c.detail("auth_method", "validate_access_token")
	b := &backCall{call: c, cors: web.CORS{Methods: []string{c.r.Method}, Expose: []string{"Access-Control-Allow-Methods"}, Auth: true}}
	raw, sent, err := b.tokenOfRequest()
	if err != nil {
		return err
	}
	if !sent {
		c.detail("reason", "Missing token")
		b.anyOrigin()
		return c.refuse("invalid_token", c.challenge(http.StatusUnauthorized, "", ""))
	}
	p, err := b.checkUserinfoToken(raw)
	if err != nil {
		return err
	}
	return b.writeUserinfo(p)
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

func (c *call) invalidToken(word, description string) error {
	return c.refuse(word, c.challenge(http.StatusUnauthorized, "invalid_token", description))
}

// verifyAccess checks what can be told of an access token without its client,
// and says in TokenVerifier's words what is wrong.
func (c *call) verifyAccess(raw string) (tok *tokens.Token, reason string) {
	tok, err := tokens.Parse(c.ctx(), c.realm, raw)
	switch {
	case err != nil:
		c.event.Cause.Reason = unparsed(err)
		return nil, "Failed to parse JWT"
	case tok.Issuer != c.issuer():
		c.event.Cause.Reason = iam.TokenOtherHost
		c.presents(tok)
		return nil, "Invalid token issuer. Expected '" + c.issuer() + "'"
	case !strings.EqualFold(tok.Type, tokens.TypeBearer) && !strings.EqualFold(tok.Type, tokens.TypeDPoP):
		return nil, "Token type is incorrect. Expected '[Bearer, DPoP]' but was '" + tok.Type + "'"
	case !tok.Active(c.Now()):
		c.event.Cause.Reason = iam.TokenExpired
		c.presents(tok)
		return nil, "Token is not active"
	}
	return tok, ""
}

func (b *backCall) checkUserinfoToken(raw string) (*presented, error) {
	unverified := func(reason string) error {
		b.anyOrigin()
		b.detail("reason", reason)
		return b.invalidToken("invalid_token", "Token verification failed")
	}
	tok, reason := b.verifyAccess(raw)
	var client *realms.Client
	var err error
	if reason == "" {
		client, err = b.realm.ClientByName(b.ctx(), tok.Client)
		if err == nil || realms.Missing(err) {
			reason, err = b.checkScheme(tok, raw, client != nil && client.Flag("dpop.bound.access.tokens"))
		}
		if err != nil {
			return nil, err
		}
	}
	if reason != "" {
		return nil, unverified(reason)
	}
	if !tokens.HasScope(tok.Scope, tokens.ScopeOpenID) {
		b.anyOrigin()
		b.detail("reason", "Missing openid scope")
		return nil, b.refuse("access_denied", b.challenge(http.StatusForbidden, "insufficient_scope", "Missing openid scope"))
	}
	if client == nil {
		return nil, unverified("Client not found")
	}
	if err := b.checkOrigin(client); err != nil {
		return nil, err
	}
	p, lost, err := b.live(tok, client)
	if err != nil {
		return nil, err
	}
	revoked, err := b.revoked(p)
	switch {
	case err != nil:
		return nil, err
	case revoked:
		return nil, unverified(revokedReason)
	case tok.Before(b.realm.NotBefore, client.NotBefore):
		return nil, unverified("Stale token")
	case client.Protocol != iam.OIDC:
		b.detail("reason", "Wrong client protocol")
		return nil, b.invalidToken("invalid_client", "Wrong client protocol")
	}
	b.event.Client = client.ClientID
	if p.clientDisabled() {
		return nil, b.invalidToken("client_disabled", "Client disabled")
	}
	b.event.Session = iam.SessionID(tok.Session)
	if lost != (loss{}) {
		return nil, b.invalidToken(lost.word, lost.word)
	}
	b.event.User = p.user.ID
	b.detail("username", p.user.Username)
	switch {
	case !p.user.Enabled:
		return nil, b.invalidToken("user_disabled", "User disabled")
	case p.stale(b.realm):
		return nil, b.invalidToken("invalid_user", "User not valid")
	case p.Context().Light && !client.Flag(lightUserinfo):
		const reason = "Lightweight access token not allowed for userinfo endpoint"
		b.detail("reason", reason)
		return nil, b.invalidToken("invalid_token", reason)
	}
	return p, nil
}

// notUserinfo are claims that are about a token and not its user, whatever
// mappers say. Keycloak: TokenManager.generateUserInfoClaims lists all others.
var notUserinfo = []string{
	"exp", "nbf", "iat", "jti", "typ", "azp", "nonce", "auth_time", "sid", "at_hash", "c_hash", "s_hash", "acr", "trusted-certs",
	"allowed-origins", "cnf", "scope", "authorization",
}

// writeUserinfo answers with what the mappers say, as JSON or signed.
func (b *backCall) writeUserinfo(p *presented) error {
	mapped := claims.NewSet()
	if err := b.Issuer.Map(b.ctx(), b.realm, b.grantOf(p), p.Scope, claims.UserInfo, mapped); err != nil {
		return err
	}
	out := claims.NewSet()
	out.Put("sub", string(p.user.ID))
	mapped.All(func(name string, v any) bool {
		if !slices.Contains(notUserinfo, name) {
			out.Put(name, v)
		}
		return true
	})
	alg := p.client.Attr("user.info.response.signature.alg")
	signed := alg != "" && alg != "none"
	contentType, cty := "application/json", ""
	var body []byte
	var err error
	if signed {
		out.Put("iss", b.issuer())
		out.Put("aud", []string{p.client.ClientID})
		var text string
		text, err = b.Issuer.Sign(b.ctx(), b.realm, out, alg, "JWT")
		body = []byte(text)
		contentType, cty = "application/jwt", "JWT"
		b.detail("signature_algorithm", alg)
	} else {
		body, err = out.Plain()
	}
	if encrypt := b.encryption(&p.client.Client, "user.info", cty); err == nil && encrypt != nil {
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
