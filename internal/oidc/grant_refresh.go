package oidc

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"latchkey/internal/bearer"
	"latchkey/internal/iam"
	"latchkey/internal/logout"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
)

// refresh answers a refresh token with new tokens (RFC 6749 6).
// Keycloak: RefreshTokenGrantType, AbstractRefreshTokenProvider.
func (t *tokenCall) refresh() (*decision, error) {
	if !t.form.Has("refresh_token") {
		return nil, &Error{http.StatusBadRequest, "invalid_request", "No refresh token"}
	}
	param, err := t.requestedScope()
	if err != nil {
		return nil, err
	}
	v, err := t.judgeRefresh(t.form.Get("refresh_token"), refreshChecks, t.jkt)
	if err != nil {
		return nil, err
	}
	old, view := v.Token, v.View
	g, want, finish := t.refreshGrant(old, param, view)
	ok, err := t.consented(view.User.ID, &t.client.Client, g.Scopes)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, t.deny(refusal{reason: iam.ConsentMissing, word: "invalid_token", code: "invalid_scope",
			description: "Client no longer has requested consent from user"})
	}
	if err := t.noteAdapter(view); err != nil {
		return nil, err
	}
	if t.realm.Refresh.Rotate {
		if g.RefreshID, err = t.Sessions.Rotate(t.ctx(), t.realm, view, g.Client, old.Use()); err != nil {
			return nil, t.changed(err)
		}
	}
	g.ClientSession = view.ClientSession
	t.event.User = view.User.ID
	if g.Refresh == iam.RefreshOffline {
		whole := *g // what narrows the access token leaves the offline token as it is
		whole.Scopes = tokens.Requested(t.realm, &t.client.Client, old.Scope)
		if err := t.mayGoOffline(&whole); err != nil {
			return nil, err
		}
	}
	t.detail("age_of_refresh_token", strconv.FormatInt(t.Now().Unix()-old.IssuedAt, 10))
	return &decision{grant: g, want: want, finish: finish}, nil
}

// refreshGrant narrows the old token's scope to what is asked for now. Whether an
// ID token is due is what the login asked for. The answer to an offline token
// tells the scope that it keeps, not the narrowed one.
func (t *tokenCall) refreshGrant(old *tokens.Token, param string,
	view *sessions.View) (*iam.Grant, tokens.Want, func(*tokens.Response) error) {
	scope := old.Scope
	if param != "" {
		var kept []string
		for _, name := range tokens.SplitScope(old.Scope) {
			if tokens.HasScope(param, name) {
				kept = append(kept, name)
			}
		}
		scope = strings.Join(kept, " ")
	}
	g := &iam.Grant{
		Client: &t.client.Client, User: view.User, Session: view.Session, ClientSession: view.ClientSession, Type: "rt", Nonce: old.Nonce,
		Scopes: tokens.Requested(t.realm, &t.client.Client, scope), Asked: scope, OpenID: tokens.HasScope(scope, tokens.ScopeOpenID),
		Offline: view.Session.Offline, Audience: old.Requested,
	}
	view.SetRoles(g)
	if g.Client.OIDC.Refresh {
		g.Refresh, g.KeepScope, g.ReuseID, g.Chained = iam.RefreshKind(old.Type), old.Scope, old.ReuseID, true
	}
	openid := tokens.HasScope(view.ClientSession.Notes[noteScope], tokens.ScopeOpenID)
	want := tokens.Want{ID: openid, NoID: !openid}
	if param == "" || g.Refresh != iam.RefreshOffline {
		return g, want, nil
	}
	kept := *g
	kept.Scopes, kept.Asked, kept.OpenID = tokens.Requested(t.realm, &t.client.Client, old.Scope), old.Scope,
		tokens.HasScope(old.Scope, tokens.ScopeOpenID)
	return g, want, func(res *tokens.Response) (err error) {
		res.Scope, err = t.Issuer.Scope(t.ctx(), t.realm, &kept)
		return err
	}
}

// worthless refuses a refresh token, or what came of it.
func (b *backCall) worthless(reason iam.Reason, text string) error {
	return b.deny(refusal{reason: reason, word: "invalid_token", code: "invalid_grant", description: text})
}

// refreshChecks are those of TokenManager.verifyRefreshToken and validateToken, in their order.
var refreshChecks = []bearer.Check{
	bearer.OfType, bearer.OfHost, bearer.AfterRealm, bearer.AfterClient, bearer.NotExpired, bearer.OfClient, bearer.Keyed,
	bearer.LiveSession, bearer.UserOn,
	bearer.AfterSession, bearer.LivePart, bearer.ClientOn, bearer.AfterPart, bearer.AfterRealm, bearer.AfterClient, bearer.AfterUser,
	bearer.OfflineGranted,
}

// refreshSayings are the reference's words, those for offline tokens where they are others.
var refreshSayings = map[bearer.Refusal]struct{ text, offline string }{
	bearer.Unsigned:         {text: "Invalid refresh token"},
	bearer.RetiredKey:       {text: "Invalid refresh token"},
	bearer.WrongType:        {text: "Invalid refresh token"},
	bearer.OtherHost:        {text: "Invalid token issuer. Expected '$issuer'"},
	bearer.Expired:          {text: "Token is not active"},
	bearer.OtherClient:      {text: "Invalid refresh token. Token client and authorized client don't match"},
	bearer.WrongProof:       {text: "$proof"},
	bearer.SessionGone:      {text: "Session not active", offline: "Offline user session not found"},
	bearer.SessionTimedOut:  {text: "Session not active", offline: "Offline user session not found"},
	bearer.SessionForgotten: {text: "Session not active", offline: "Offline session not active"},
	bearer.UserGone:         {text: "Unknown user"},
	bearer.UserOff:          {text: "User disabled"},
	bearer.OlderThanSession: {text: "Refresh token issued before the user session started"},
	bearer.PartGone:         {text: "Session doesn't have required client"},
	bearer.PartTimedOut:     {text: "Client session not active"},
	bearer.OlderThanPart:    {text: "refresh token issued before the client session started"},
	bearer.BeforeRealm:      {text: "Stale token"},
	bearer.BeforeClient:     {text: "Stale token"},
	bearer.BeforeUser:       {text: "Stale token"},
	bearer.NotGranted:       {text: "Offline session invalid because offline access not granted anymore"},
}

// judgeRefresh judges a refresh token of the client. Sessions of tokens that come too
// late end. The event tells of the token once its session was looked for.
func (b *backCall) judgeRefresh(raw string, order []bearer.Check, jkt string) (*bearer.Verdict, error) {
	v, err := b.judge(raw, bearer.Want{Checks: order, Types: refreshTypes, Client: b.client.ClientID, Key: jkt, OneKind: true})
	if err != nil {
		return nil, err
	}
	if v.View != nil || v.Refusal == bearer.SessionGone {
		b.tell(v, theSession)
		b.detail("refresh_token_id", v.Token.ID)
		b.detail("refresh_token_type", v.Token.Type)
		b.detail("refresh_token_sub", v.Token.Subject)
	}
	switch v.Refusal {
	case "":
		return v, nil
	case bearer.RealmOff:
		return nil, b.realmOff()
	case bearer.ClientOff:
		return nil, b.clientOff()
	case bearer.SessionTimedOut, bearer.SessionForgotten:
		err = b.endExpired(v.View)
	case bearer.PartTimedOut:
		end := b.Sessions.ClientSessionTimedOut(b.realm, &b.client.Client, v.View.Session, v.View.ClientSession)
		err = b.Sessions.Detach(b.ctx(), b.realm, v.View.Session.Ref(), b.client.ID, end)
	}
	if err != nil {
		return nil, err
	}
	say := refreshSayings[v.Refusal]
	if say.offline != "" && v.Token.Type == tokens.TypeOffline {
		say.text = say.offline
	}
	return nil, b.worthless(v.Reason(), b.fill(say.text, v))
}

// endExpired ends a session that somebody came back to too late.
func (b *backCall) endExpired(view *sessions.View) error {
	_, err := b.Sessions.End(b.ctx(), b.realm, view.Session.Ref(), b.Sessions.TimedOut(b.realm, view.Session))
	if errors.Is(err, sessions.ErrGone) {
		return nil
	}
	return err
}

// changed refuses where the client session could not be changed, and keeps other errors.
func (b *backCall) changed(err error) error {
	switch {
	case errors.Is(err, sessions.ErrReused):
		return b.worthless(iam.TokenReuse, "Maximum allowed refresh token reuse exceeded")
	case errors.Is(err, sessions.ErrStale):
		return b.worthless(iam.TokenReuse, "Stale token")
	case errors.Is(err, sessions.ErrGone), errors.Is(err, sessions.ErrNoClientSession):
		return b.worthless(iam.ClientSessionEnded, "Session doesn't have required client")
	}
	return err
}

// noteAdapter keeps what an adapter calls its session in the application, for the
// logout to tell it. Keycloak: OAuth2GrantTypeBase.updateClientSession.
func (t *tokenCall) noteAdapter(view *sessions.View) error {
	state := t.form.Get(logout.NoteAdapter)
	if state == "" {
		return nil
	}
	return t.changed(t.Sessions.PutNote(t.ctx(), t.realm, view, &t.client.Client, logout.NoteAdapter, state))
}
