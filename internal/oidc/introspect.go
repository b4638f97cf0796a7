package oidc

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"latchkey/internal/claims"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// introspect tells a resource server what a token is worth (RFC 7662).
// Keycloak: TokenIntrospectionEndpoint.
func (h *Handler) introspect(c *call) error {
	b, err := c.back()
	if err != nil {
		return err
	}
	b.deaf = true
	if err := b.authenticateClient(); err != nil {
		var refused *Error
		if errors.As(err, &refused) && refused.Status == http.StatusUnauthorized && refused.Code == "unauthorized_client" {
			return b.told(http.StatusUnauthorized, "invalid_client", "Client authentication failed.")
		}
		return err
	}
	b.event.Client = b.client.ClientID
	hint := b.form.Get("token_type_hint")
	switch {
	case b.client.Access == iam.Public:
		return b.told(http.StatusForbidden, "invalid_request", "Client not allowed.")
	case b.form.Duplicate() != "":
		return b.told(http.StatusBadRequest, "invalid_request", "duplicated parameter")
	case !b.form.Has("token"):
		return b.told(http.StatusBadRequest, "invalid_request", "Token not provided.")
	case b.form.Has("token_type_hint") && !slices.Contains([]string{"access_token", "refresh_token", "requesting_party_token"}, hint):
		b.detail("token_type", hint)
		_ = b.refuse("invalid_request", nil)
		return b.told(http.StatusBadRequest, "invalid_request", "Unsupported token type.")
	}
	p, err := b.checkIntrospected(b.form.Get("token"), hint == "refresh_token")
	if err != nil {
		return err
	}
	return b.writeIntrospection(p, hint == "requesting_party_token")
}

// told refuses with an event whose detail is the description.
func (b *backCall) told(status int, code, description string) error {
	b.detail("detail", description)
	return b.refuse(code, &Error{status, code, description})
}

// unparsed is why a token could not even be read; nil says that it could, and
// is another host's.
func unparsed(err error) iam.Reason {
	switch {
	case err == nil:
		return iam.TokenOtherHost
	case errors.Is(err, tokens.ErrUnknownKey):
		return iam.TokenRetiredKey
	}
	return iam.TokenInvalid
}

// introspected is what checks come to: nil, and an event, for a token that is
// worth nothing.
type introspected struct {
	*presented
	claims *claims.Set
}

// checkIntrospected checks a token in the order of
// AccessTokenIntrospectionProvider.introspectionChecks.
func (b *backCall) checkIntrospected(raw string, refresh bool) (*introspected, error) {
	inactive := func(word, reason string) (*introspected, error) {
		b.detail("reason", reason)
		return nil, b.refuse(word, nil)
	}
	tok, err := tokens.Parse(b.ctx(), b.realm, raw)
	if err != nil || tok.Issuer != b.issuer() {
		b.event.Cause.Reason = unparsed(err)
		return inactive("invalid_token", "Access token JWT check failed")
	}
	b.detail("token_id", tok.ID)
	b.detail("token_type", tok.Type)
	b.detail("token_issued_for", tok.Client)
	client, err := b.realm.ClientByName(b.ctx(), tok.Client)
	if realms.Missing(err) {
		return inactive("client_not_found", "Could not find client for "+tok.Client)
	}
	if err != nil {
		return nil, err
	}
	if !client.Enabled {
		return inactive("client_disabled", "Client with clientId "+tok.Client+" is disabled")
	}
	about := "Introspection access token for " + tok.Client + " client: "
	p, lost, err := b.live(tok, client)
	if err != nil {
		return nil, err
	}
	revoked, err := b.revoked(p)
	if err != nil {
		return nil, err
	}
	b.event.Cause.Reason = p.cause(b.realm, lost, revoked)
	if !revoked && !tok.Active(b.Now()) {
		b.event.Cause.Reason = iam.TokenExpired
	}
	if revoked || !tok.Active(b.Now()) || tok.Before(b.realm.NotBefore, client.NotBefore) {
		return inactive("invalid_token", about+"JWT check failed")
	}
	b.event.Session = iam.SessionID(tok.Session)
	if refresh && tok.Type != tokens.TypeRefresh && tok.Type != tokens.TypeOffline {
		return inactive("invalid_token_type", about+"invalid_token_type")
	}
	if lost == (loss{}) && p.clientDisabled() {
		lost = loss{"client_disabled", iam.ClientDisabled}
	}
	if lost != (loss{}) {
		return inactive(lost.word, about+lost.word)
	}
	b.event.User = p.user.ID
	if !p.user.Enabled || p.stale(b.realm) {
		return inactive("user_disabled", "Could not find valid user from user session "+string(p.session.ID))
	}
	if p.view != nil && p.view.Session.Offline && p.view.Part != nil {
		granted, err := b.offlineGranted(p.view)
		if err != nil {
			return nil, err
		}
		if !granted {
			b.event.Cause.Reason = iam.OfflineNotGranted
			return inactive("session_expired", "Offline session invalid because offline access not granted anymore")
		}
	}
	if b.spent(p) {
		b.event.Cause.Reason = iam.TokenReuse
		return inactive("invalid_token", about+"failed to validate Token reuse for introspection")
	}
	if refresh && p.Client != b.client.ClientID {
		return nil, nil // without an event, as RefreshTokenIntrospectionProvider
	}
	out, err := b.mapped(b.ctx(), p)
	if err != nil {
		return nil, err
	}
	if !refresh && !b.addressed(p, out) {
		b.event.Cause.Reason = iam.WrongClient
		return inactive("invalid_token", "Client '"+b.client.ClientID+"' is not in the token audience")
	}
	return &introspected{p, out}, nil
}

// spent reports whether a rotating refresh token has been used up.
func (b *backCall) spent(p *presented) bool {
	return p.part != nil && (p.Type == tokens.TypeRefresh || p.Type == tokens.TypeOffline) && sessions.Spent(b.realm, p.part, p.Use())
}

// mapped is the token as introspection tells of it: what it says itself, and
// what the mappers add now.
func (b *backCall) mapped(ctx context.Context, p *presented) (*claims.Set, error) {
	out := claims.NewSet()
	for _, c := range []struct {
		name  string
		value int64
	}{{"exp", p.Expires}, {"iat", p.IssuedAt}} {
		if c.value != 0 {
			out.Put(c.name, c.value)
		}
	}
	for _, c := range []struct{ name, value string }{{"jti", p.ID}, {"iss", p.Issuer}, {"sub", p.Subject}, {"typ", p.Type}, {"azp", p.Client}, {"nonce", p.Nonce},
		{"sid", p.Session}, {"scope", p.Scope}} {
		if c.value != "" {
			out.Put(c.name, c.value)
		}
	}
	tokens.Bind(out, iam.Confirmation{JKT: p.Confirm.JKT, X5T: p.Confirm.X5T})
	if len(p.Audience) > 0 {
		out.Put("aud", slices.Clone([]string(p.Audience)))
	}
	return out, b.Issuer.Map(ctx, b.realm, b.grantOf(p), p.Scope, claims.Introspection, out)
}

// addressed tells whether a token was meant for the resource server that asks. A
// lightweight one does not say; what its mappers say now does.
// Keycloak: AccessTokenIntrospectionProvider.verifyAudience.
func (b *backCall) addressed(p *presented, mapped *claims.Set) bool {
	audience := []string(p.Audience)
	if p.Context().Light {
		audience = mapped.Audience()
	}
	return slices.Contains(audience, b.client.ClientID) || b.client.Flag("allow.token.introspection.without.audience.check")
}

// writeIntrospection answers; nil is a token that is worth nothing. rpt asks for
// what UMA's resource servers read. Keycloak: RPTIntrospectionProvider.
func (b *backCall) writeIntrospection(p *introspected, rpt bool) error {
	out, jwt := new(claims.Set), ""
	if p != nil {
		out = p.claims
	}
	if p != nil && b.r.Header.Get("Accept") == "application/jwt" && b.client.Flag("client.introspection.response.allow.jwt.claim.enabled") {
		var err error
		if jwt, err = b.Issuer.Sign(b.ctx(), b.realm, out, "", "JWT"); err != nil {
			return err
		}
	}
	switch {
	case p == nil:
	case rpt:
		out = new(claims.Set)
		for _, name := range []string{"exp", "iat", "jti", "aud", "typ", "acr"} {
			if v := p.claims.Get(name); v != nil {
				out.Put(name, v)
			}
		}
		b.emit()
	default:
		b.describe(out, p)
		b.emit()
	}
	if jwt != "" {
		out.Put("jwt", jwt)
	}
	out.Put("active", p != nil)
	body, err := out.JSON()
	if err != nil {
		return err
	}
	b.w.Header().Set("Cache-Control", web.CacheNoCache)
	b.bytes(http.StatusOK, "application/json", body)
	return nil
}

// describe adds what introspection tells beyond the token's claims.
// Keycloak: AccessTokenIntrospectionProvider.introspect.
func (b *backCall) describe(out *claims.Set, p *introspected) {
	out.Put("client_id", p.Client)
	if p.Scope == "" {
		out.Remove("scope")
	}
	if out.Get("username") == nil {
		out.Put("username", p.user.Username)
	}
	tokens.Actor(out, p.session)
	out.Put("token_type", p.Type)
}
