package oidc

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"latchkey/internal/bearer"
	"latchkey/internal/claims"
	"latchkey/internal/iam"
	"latchkey/internal/oauth"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// An introspection is what a resource server asks (RFC 7662 2.1).
type introspection struct {
	token web.Param
	hint  web.Param
	twice bool // a parameter was given more than once
}

func readIntrospection(form web.Form) introspection {
	return introspection{token: form.Param("token"), hint: form.Param("token_type_hint"), twice: form.Duplicate() != ""}
}

// The hints that say what else than an access token is shown.
const (
	hintRefresh     = "refresh_token"
	hintPermissions = "requesting_party_token"
)

var hints = []string{"access_token", hintRefresh, hintPermissions}

// introspect tells a resource server what a token is worth (RFC 7662).
// Keycloak: TokenIntrospectionEndpoint.
func (h *Handler) introspect(c *call) error {
	b, form, err := c.back()
	if err != nil {
		return err
	}
	p := readIntrospection(form)
	b.cors = nil // no script is to read the answer
	if err := b.authenticateClient(); err != nil {
		var refused *oauth.Refusal
		if errors.As(err, &refused) && refused.Status == http.StatusUnauthorized && refused.Code == "unauthorized_client" {
			b.record(refused)
			return introspectorUnproved
		}
		return err
	}
	b.event.Client = b.client.ClientID
	switch {
	case b.client.Access == iam.Public:
		return introspectorPublic
	case p.twice:
		return introspectTwice
	case !p.token.Given:
		return introspectNothing
	case p.hint.Given && !slices.Contains(hints, p.hint.Text):
		b.detail("token_type", p.hint.Text)
		b.failed("invalid_request")
		return introspectHint
	}
	found, err := b.checkIntrospected(p.token.Text, p.hint.Text == hintRefresh)
	if err != nil {
		return err
	}
	return b.writeIntrospection(found, p.hint.Text == hintPermissions)
}

// introspected is what checks come to: nil, and an event, for a token that is
// worth nothing.
type introspected struct {
	*bearer.Verdict
	claims *claims.Set
}

// introspectionChecks are those of AccessTokenIntrospectionProvider.introspectionChecks, in
// its order.
var introspectionChecks = []bearer.Check{
	bearer.OfHost, bearer.KnownClient, bearer.ClientOn, bearer.NotRevoked, bearer.NotExpired, bearer.AfterRealm, bearer.AfterClient,
	bearer.OfType, bearer.ClientOn,
	bearer.LiveSession, bearer.LiveClientSession, bearer.AfterSession, bearer.AfterClientSession, bearer.UserOn,
	bearer.AfterUser, bearer.OfflineGranted,
	bearer.Unspent,
}

const introspecting = "Introspection access token for $client client: "

var introspectionSayings = map[bearer.Refusal]saying{
	bearer.Unsigned:      {word: "invalid_token", reason: "Access token JWT check failed"},
	bearer.RetiredKey:    {word: "invalid_token", reason: "Access token JWT check failed"},
	bearer.OtherHost:     {word: "invalid_token", reason: "Access token JWT check failed"},
	bearer.UnknownClient: {word: "client_not_found", reason: "Could not find client for $client"},
	bearer.ClientOff:     {word: "client_disabled", reason: "Client with clientId $client is disabled"},
	bearer.RevokedToken:  {word: "invalid_token", reason: introspecting + "JWT check failed"},
	bearer.Expired:       {word: "invalid_token", reason: introspecting + "JWT check failed"},
	bearer.BeforeRealm:   {word: "invalid_token", reason: introspecting + "JWT check failed"},
	bearer.BeforeClient:  {word: "invalid_token", reason: introspecting + "JWT check failed"},
	bearer.WrongType:     {word: "invalid_token_type", reason: introspecting + "invalid_token_type", tells: theSession},
	bearer.UserOff:       {word: "user_disabled", reason: "Could not find valid user from user session $session", tells: theUser},
	bearer.BeforeUser:    {word: "user_disabled", reason: "Could not find valid user from user session $session", tells: theUser},
	bearer.SpentToken:    {word: "invalid_token", reason: introspecting + "failed to validate Token reuse for introspection", tells: theUser},
	bearer.NotGranted: {word: "session_expired", reason: "Offline session invalid because offline access not granted anymore",
		tells: theUser},
}

// checkIntrospected judges a token, and whether the resource server may know of it.
func (b *backCall) checkIntrospected(raw string, refresh bool) (*introspected, error) {
	want := bearer.Want{Checks: introspectionChecks}
	if refresh {
		want.Types = refreshTypes
	}
	v, err := b.judge(raw, want)
	if err != nil {
		return nil, err
	}
	inactive := func(reason iam.Reason, say saying) (*introspected, error) {
		b.event.Cause.Reason = reason
		b.tell(v, say.tells)
		b.detail("reason", b.fill(say.reason, v))
		b.failed(say.word)
		return nil, nil
	}
	if v.Token != nil && v.Refusal != bearer.OtherHost {
		b.detail("token_id", v.Token.ID)
		b.detail("token_type", v.Token.Type)
		b.detail("token_issued_for", v.Token.Client)
	}
	switch {
	case !v.Good():
		return inactive(v.Reason(), sayingOf(introspectionSayings, v.Refusal, introspecting))
	case refresh && v.Token.Client != b.client.ClientID:
		return nil, nil // without an event, as RefreshTokenIntrospectionProvider
	}
	b.tell(v, theUser)
	out, err := b.mapped(b.ctx(), v)
	if err != nil {
		return nil, err
	}
	if !refresh && !b.addressed(v.Token, out) {
		return inactive(iam.WrongClient, saying{word: "invalid_token", reason: "Client '" + b.client.ClientID + "' is not in the token audience",
			tells: theUser})
	}
	return &introspected{v, out}, nil
}

// mapped is the token as introspection tells of it: what it says itself, and
// what the mappers add now.
func (b *backCall) mapped(ctx context.Context, v *bearer.Verdict) (*claims.Set, error) {
	p, out := v.Token, claims.NewSet()
	for _, c := range []struct {
		name  string
		value int64
	}{{"exp", p.Expires}, {"iat", p.IssuedAt}} {
		if c.value != 0 {
			out.Put(c.name, c.value)
		}
	}
	for _, c := range []struct{ name, value string }{{"jti", p.ID}, {"iss", p.Issuer}, {"sub", p.Subject}, {"typ", p.Type}, {"azp", p.Client},
		{"nonce", p.Nonce},
		{"sid", p.Session}, {"scope", p.Scope}} {
		if c.value != "" {
			out.Put(c.name, c.value)
		}
	}
	tokens.Bind(out, iam.Confirmation{JKT: p.Confirm.JKT, X5T: p.Confirm.X5T})
	if len(p.Audience) > 0 {
		out.Put("aud", slices.Clone([]string(p.Audience)))
	}
	return out, b.door.Issuer.Map(ctx, b.realm, b.grantOf(v), p.Scope, claims.Introspection, out)
}

// addressed tells whether a token was meant for the resource server that asks. A
// lightweight one does not say; what its mappers say now does.
// Keycloak: AccessTokenIntrospectionProvider.verifyAudience.
func (b *backCall) addressed(p *tokens.Token, mapped *claims.Set) bool {
	audience := []string(p.Audience)
	if p.Context().Light {
		audience = mapped.Audience()
	}
	return slices.Contains(audience, b.client.ClientID) || b.client.OIDC.AnyAudience
}

// writeIntrospection answers; nil is a token that is worth nothing. rpt asks for
// what UMA's resource servers read. Keycloak: RPTIntrospectionProvider.
func (b *backCall) writeIntrospection(p *introspected, rpt bool) error {
	out, jwt := new(claims.Set), ""
	if p != nil {
		out = p.claims
	}
	if p != nil && b.r.Header.Get("Accept") == "application/jwt" && b.client.OIDC.IntrospectJWT {
		var err error
		if jwt, err = b.door.Issuer.Sign(b.ctx(), b.realm, out, "", "JWT"); err != nil {
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
	out.Put("client_id", p.Token.Client)
	if p.Token.Scope == "" {
		out.Remove("scope")
	}
	if out.Get("username") == nil {
		out.Put("username", p.User.Username)
	}
	tokens.Actor(out, b.door.Bearer.SessionOf(b.realm, p.Verdict, b.event.IP))
	out.Put("token_type", p.Token.Type)
}
