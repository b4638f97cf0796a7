package oidc

import (
	"net/http"
	"slices"
	"strconv"

	"latchkey/internal/bearer"
	"latchkey/internal/iam"
	"latchkey/internal/oauth"
	"latchkey/internal/oidc/grants"
	"latchkey/internal/records"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// token serves the token endpoint. Keycloak: TokenEndpoint.processGrantRequest.
func (h *Handler) token(c *call) error {
	c.noStore()
	b, form, err := c.back()
	if err != nil {
		return err
	}
	params := grants.Read(form)
	if !params.GrantType.Given {
		return grantMissing
	}
	kind, ok := grants.Of(params.GrantType.Text)
	if !ok {
		return grantUnknown
	}
	b.event.Kind = kind.Event
	b.detail("grant_type", params.GrantType.Text)
	q := &grants.Request{Realm: b.realm, Params: params, Issuer: b.issuer(), Event: &b.event, Agent: b.r.UserAgent()}
	if raw, ok := bearerOf(c.r); ok && kind.Bearer != nil {
		q.Bearer, err = b.admitBearer(raw, kind.Bearer)
	} else {
		q.Key, err = b.admitFor(&kind, &params)
	}
	if err != nil {
		return err
	}
	q.Client = b.client
	d, err := h.grants.Decide(c.ctx(), kind, q)
	if err != nil {
		return err
	}
	return b.giveTokens(q, d)
}

// admitFor takes a token request from a client that proves who it is, and from its key if
// the tokens are to be bound to one.
func (b *backCall) admitFor(kind *grants.Type, p *grants.Params) (key string, err error) {
	if err := b.admitClient(); err != nil {
		return "", err
	}
	if kind.Alone {
		if err := b.stillOpen(); err != nil {
			return "", err
		}
	}
	if slices.ContainsFunc(p.Twice, func(name string) bool { return !slices.Contains(kind.Lists, name) }) {
		return "", duplicated
	}
	return b.bind()
}

// admitBearer takes a token request from who shows an access token in place of a client's
// secret. Whose token it is, and so which scripts may read the answer, is known when it is
// signed by the realm, and not before. CVE-2026-37977.
func (b *backCall) admitBearer(raw string, checks []bearer.Check) (*bearer.Verdict, error) {
	v, err := b.judge(raw, bearer.Want{Checks: checks, Types: accessTypes})
	if err != nil {
		return nil, err
	}
	if b.client = v.Client; b.client == nil {
		return v, nil
	}
	return v, b.openToClient()
}

// stillOpen refuses where realm or client were switched off at another node so
// lately that this node's snapshot does not know.
func (b *backCall) stillOpen() error {
	realm, client, err := b.realm.EnabledNow(b.ctx(), b.client.ID)
	switch {
	case err != nil:
		return err
	case !realm:
		return oauth.RealmOff
	case !client:
		return oauth.ClientOff
	}
	return nil
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
		return bearerOnly
	}
	return nil
}

// giveTokens issues a decision's tokens, tells the event of them and writes them.
func (b *backCall) giveTokens(q *grants.Request, d *grants.Decision) error {
	d.Grant.Issuer = q.Issuer
	d.Grant.Confirm.JKT = q.Key
	d.Want.Encrypt = b.encryption(d.Grant.Client, d.Grant.Client.OIDC.IDToken, "JWT")
	res, err := b.door.Issuer.Issue(b.ctx(), b.realm, d.Grant, d.Want)
	if err != nil {
		return err
	}
	if d.Finish != nil {
		if err := d.Finish(res); err != nil {
			return err
		}
	}
	b.byImpersonator(d.Grant.Session)
	b.detail("token_id", res.AccessID)
	if res.RefreshID != "" {
		if b.event.Details["refresh_token_id"] != "" {
			b.detail("updated_refresh_token_id", res.RefreshID)
		} else {
			b.detail("refresh_token_id", res.RefreshID)
		}
		b.detail("refresh_token_type", string(res.Kind))
	}
	if b.event.Kind == "REFRESH_TOKEN" {
		b.detail("access_token_expiration_time", strconv.FormatInt(res.ExpiresAt-res.IssuedAt, 10))
	}
	b.detail("scope", res.Scope)
	body, err := res.JSON()
	if err != nil {
		return err
	}
	if d.Locale != nil {
		b.cookies().Put(b.w, b.r, web.CookieLocale, *d.Locale)
	}
	b.note(d.Grant, res)
	b.emit()
	b.bytes(http.StatusOK, "application/json", body)
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
func (b *backCall) note(g *iam.Grant, res *tokens.Response) {
	if g.Transient == iam.Transient {
		b.door.Counter.Transient(b.realm, records.Transient{
			User: g.User.ID, Client: g.Client.ID, IP: b.event.IP, How: g.ClientSession.Origin.How, Scopes: g.ClientSession.Origin.Scopes,
			Token: res.AccessID, Expires: res.ExpiresAt,
		})
		return
	}
	if g.Transient == iam.TransientClient {
		return // the session's own client knows of it
	}
	ref := g.Session.Ref()
	ref.Kind = iam.SessionKind(g.Refresh == iam.RefreshOffline || g.Session.Offline)
	b.door.Sessions.Issued(b.realm, ref, g.Client.ID, iam.Issuance{Grant: g.Type, Access: res.AccessID, RefreshType: string(res.Kind),
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
