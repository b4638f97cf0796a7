package oidc

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"latchkey/internal/iam"
	"latchkey/internal/records"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// A grantType is one way to get tokens. decide comes to a grant, or refuses
// with an event; everything else is the same for all.
type grantType struct {
	event  iam.EventKind
	decide func(*tokenCall) (*decision, error)
	lists  []string // parameters that may be given more than once
	alone  bool     // decide reads no session, which would tell what was switched off
	// byToken decides in place of decide when a bearer token stands for the client.
	byToken func(*tokenCall, string) (*decision, error)
}

// A decision is what a token request comes to.
type decision struct {
	grant *iam.Grant
	want  tokens.Want
	// finish changes the answer before it is written, nil for none.
	finish func(*tokens.Response) error
}

// A tokenCall is a request at the token endpoint.
type tokenCall struct {
	*backCall
	sent url.Values // the form with what is too long
	jkt  string     // the thumbprint of the key that tokens are bound to (RFC 9449), "" for none
}

// grants by the grant_type parameter.
func grants() map[string]grantType {
	return map[string]grantType{
		"authorization_code": {event: "CODE_TO_TOKEN", decide: (*tokenCall).code},
		"refresh_token":      {event: "REFRESH_TOKEN", decide: (*tokenCall).refresh},
		"password":           {event: "LOGIN", decide: (*tokenCall).password, alone: true},
		"client_credentials": {event: "CLIENT_LOGIN", decide: (*tokenCall).clientCredentials, alone: true},
		"urn:ietf:params:oauth:grant-type:token-exchange": {event: "TOKEN_EXCHANGE", decide: (*tokenCall).exchange,
			lists: []string{"audience", "resource"}},
		"urn:openid:params:grant-type:ciba":            {event: "AUTHREQID_TO_TOKEN", decide: (*tokenCall).ciba},
		"urn:ietf:params:oauth:grant-type:device_code": {event: "OAUTH2_DEVICE_CODE_TO_TOKEN", decide: (*tokenCall).device},
		"urn:ietf:params:oauth:grant-type:jwt-bearer":  {event: "LOGIN", decide: (*tokenCall).jwtBearer},
		"urn:ietf:params:oauth:grant-type:uma-ticket": {event: "PERMISSION_TOKEN", decide: (*tokenCall).uma,
			byToken: (*tokenCall).umaByToken},
	}
}

// token serves the token endpoint. Keycloak: TokenEndpoint.processGrantRequest.
func (h *Handler) token(c *call) error {
	c.noStore()
	b, err := c.back()
	if err != nil {
		return err
	}
	t := &tokenCall{backCall: b}
	name := t.form.Get("grant_type")
	if !t.form.Has("grant_type") {
		return &Error{http.StatusBadRequest, "invalid_request", "Missing form parameter: grant_type"}
	}
	kind, ok := h.grants[name]
	if !ok {
		return &Error{http.StatusBadRequest, "unsupported_grant_type", "Unsupported grant_type"}
	}
	t.event.Kind = kind.event
	t.detail("grant_type", name)
	if raw, ok := bearerOf(c.r); ok && kind.byToken != nil {
		_, err := kind.byToken(t, raw)
		return err
	}
	if err := t.admitClient(); err != nil {
		return err
	}
	if kind.alone {
		if err := t.stillOpen(); err != nil {
			return err
		}
	}
	if err := t.errDuplicate(kind.lists...); err != nil {
		return err
	}
	if err := t.bind(); err != nil {
		return err
	}
	t.dropLong()
	d, err := kind.decide(t)
	if err != nil {
		return err
	}
	return t.answer(d)
}

// stillOpen refuses where realm or client were switched off at another node so
// lately that this node's snapshot does not know.
func (t *tokenCall) stillOpen() error {
	realm, client, err := t.realm.EnabledNow(t.ctx(), t.client.ID)
	switch {
	case err != nil:
		return err
	case !realm:
		return t.realmOff()
	case !client:
		return t.clientOff()
	}
	return nil
}

// tokenParams are parameters that hold tokens, and may be longer than others.
var tokenParams = []string{"subject_token", "actor_token", "assertion", "refresh_token"}

const maxTokenParam = 20_000

// dropLong forgets parameters that are too long, which the reference passes
// over; the steps of a flow still see them. Keycloak: TokenEndpoint.checkParameters.
func (t *tokenCall) dropLong() {
	t.sent = maps.Clone(t.form.Values)
	for name, values := range t.form.Values {
		limit, size := iam.MaxParam, 0
		if slices.Contains(tokenParams, name) {
			limit = maxTokenParam
		}
		for _, v := range values {
			size += len(v)
		}
		if size > limit {
			delete(t.form.Values, name)
		}
	}
}

// admitClient takes a call from a client that proves who it is.
func (b *backCall) admitClient() error {
	if err := b.authenticateClient(); err != nil {
		return err
	}
	return b.openToClient()
}

// openToClient applies the client's policy for scripts of other origins, and
// keeps out clients that only receive tokens.
func (b *backCall) openToClient() error {
	b.event.Client = b.client.ClientID
	if err := b.checkOrigin(b.client); err != nil {
		return err
	}
	if b.client.Access == iam.BearerOnly {
		return &Error{http.StatusBadRequest, "invalid_client", "Bearer-only not allowed"}
	}
	return nil
}

// answer issues a decision's tokens, tells the event of them and writes them.
func (t *tokenCall) answer(d *decision) error {
	d.grant.Issuer = t.issuer()
	d.grant.Confirm.JKT = t.jkt
	d.want.Encrypt = t.encryption(d.grant.Client, d.grant.Client.OIDC.IDToken, "JWT")
	res, err := t.Issuer.Issue(t.ctx(), t.realm, d.grant, d.want)
	if err != nil {
		return err
	}
	if d.finish != nil {
		if err := d.finish(res); err != nil {
			return err
		}
	}
	t.byImpersonator(d.grant.Session)
	t.detail("token_id", res.AccessID)
	if res.RefreshID != "" {
		if t.event.Details["refresh_token_id"] != "" {
			t.detail("updated_refresh_token_id", res.RefreshID)
		} else {
			t.detail("refresh_token_id", res.RefreshID)
		}
		t.detail("refresh_token_type", string(res.Kind))
	}
	if t.event.Kind == "REFRESH_TOKEN" {
		t.detail("access_token_expiration_time", strconv.FormatInt(res.ExpiresAt-res.IssuedAt, 10))
	}
	t.detail("scope", res.Scope)
	body, err := res.JSON()
	if err != nil {
		return err
	}
	t.note(d.grant, res)
	t.emit()
	t.bytes(http.StatusOK, "application/json", body)
	return nil
}

// byImpersonator names in the call's event the administrator who acts as the user.
// Keycloak 26.8 does so.
func (b *backCall) byImpersonator(s *iam.UserSession) {
	if s != nil && s.Notes[iam.NoteImpersonatorName] != "" {
		b.detail("impersonator", s.Notes[iam.NoteImpersonatorName])
	}
}

// note keeps the ids of what was issued: with the client's part in the
// session, or on its own where no session is stored.
func (t *tokenCall) note(g *iam.Grant, res *tokens.Response) {
	if g.Transient == iam.Transient {
		t.Counter.Transient(t.realm, records.Transient{
			User: g.User.ID, Client: g.Client.ID, IP: t.event.IP, How: g.ClientSession.Origin.How, Scopes: g.ClientSession.Origin.Scopes,
			Token: res.AccessID, Expires: res.ExpiresAt,
		})
		return
	}
	if g.Transient == iam.TransientClient {
		return // the session's own client knows of it
	}
	ref := g.Session.Ref()
	ref.Kind = iam.SessionKind(g.Refresh == iam.RefreshOffline || g.Session.Offline)
	t.Sessions.Issued(t.realm, ref, g.Client.ID, iam.Issuance{Grant: g.Type, Access: res.AccessID, RefreshType: string(res.Kind),
		Refresh: res.RefreshID}, g.Type == "rt")
}

// bytes answers with a document that is written already.
func (c *call) bytes(status int, contentType string, b []byte) {
	web.SecurityHeaders(c.w.Header(), c.realm.SecurityHeaders, contentType)
	c.w.Header().Set("Content-Type", contentType)
	c.w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	c.w.WriteHeader(status)
	_, _ = c.w.Write(b)
}

// requestedScope returns the scope parameter if every name in it is one of the
// client's. Keycloak: OAuth2GrantTypeBase.getRequestedScopes.
func (t *tokenCall) requestedScope() (string, error) {
	scope := t.form.Get("scope")
	if t.form.Has("scope") && (scope == "" || !tokens.ValidScope(t.realm, &t.client.Client, scope)) {
		return "", t.deny(refusal{reason: iam.WrongScope, word: "invalid_request", code: "invalid_scope",
			description: "Invalid scopes: " + scope})
	}
	return scope, nil
}

// consented reports whether the user's consent, where the client needs it,
// still covers the scopes. Keycloak: TokenManager.verifyConsentStillAvailable.
func (c *call) consented(user iam.UserID, client *iam.Client, scopes []*iam.ClientScope) (bool, error) {
	if !client.ConsentRequired {
		return true, nil
	}
	consent, err := c.Users.Consent(c.ctx(), c.realm, user, client.ID)
	if err != nil {
		return false, err
	}
	for _, s := range scopes {
		if s.ShowOnConsent && (consent == nil || !slices.Contains(consent.Scopes, s.ID)) {
			return false, nil
		}
	}
	return true, nil
}
