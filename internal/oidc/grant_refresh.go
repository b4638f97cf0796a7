package oidc

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

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
	old, err := t.refreshToken(t.form.Get("refresh_token"), true)
	if err == nil {
		err = refreshBound(old, t.jkt)
	}
	if err != nil {
		return nil, t.badRefresh(err)
	}
	t.event.Session = iam.SessionID(old.Session)
	t.detail("refresh_token_id", old.ID)
	t.detail("refresh_token_type", old.Type)
	t.detail("refresh_token_sub", old.Subject)
	view, err := t.refreshSession(old)
	if err != nil {
		return nil, t.badRefresh(err)
	}
	g, want, finish := t.refreshGrant(old, param, view)
	ok, err := t.consented(view.User.ID, &t.client.Client, g.Scopes)
	if err != nil {
		return nil, err
	}
	if !ok {
		t.event.Cause.Reason = iam.ConsentMissing
		return nil, t.bad("invalid_token", "invalid_scope", "Client no longer has requested consent from user")
	}
	if err := t.noteAdapter(view); err != nil {
		return nil, t.badRefresh(err)
	}
	if t.realm.Refresh.Rotate {
		if g.RefreshID, err = t.Sessions.Rotate(t.ctx(), t.realm, view, g.Client, old.Use()); err != nil {
			return nil, t.badRefresh(changed(err))
		}
	}
	g.Part = view.Part
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
func (t *tokenCall) refreshGrant(old *tokens.Token, param string, view *sessions.View) (*iam.Grant, tokens.Want, func(*tokens.Response) error) {
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
		Client: &t.client.Client, User: view.User, Session: view.Session, Part: view.Part, Type: "rt", Nonce: old.Nonce,
		Scopes: tokens.Requested(t.realm, &t.client.Client, scope), Asked: scope, OpenID: tokens.HasScope(scope, tokens.ScopeOpenID),
		Offline: view.Session.Offline, Audience: old.Requested,
	}
	view.Inform(g)
	if usesRefresh(g.Client) {
		g.Refresh, g.KeepScope, g.ReuseID, g.Chained = iam.RefreshKind(old.Type), old.Scope, old.ReuseID, true
	}
	openid := tokens.HasScope(view.Part.Notes[noteScope], tokens.ScopeOpenID)
	want := tokens.Want{ID: openid, NoID: !openid}
	if param == "" || g.Refresh != iam.RefreshOffline {
		return g, want, nil
	}
	kept := *g
	kept.Scopes, kept.Asked, kept.OpenID = tokens.Requested(t.realm, &t.client.Client, old.Scope), old.Scope, tokens.HasScope(old.Scope, tokens.ScopeOpenID)
	return g, want, func(res *tokens.Response) (err error) {
		res.Scope, err = t.Issuer.Scope(t.ctx(), t.realm, &kept)
		return err
	}
}

// badRefresh refuses with an event when err is a refreshError.
func (t *tokenCall) badRefresh(err error) error {
	var e refreshError
	if errors.As(err, &e) {
		t.event.Cause.Reason = e.cause
		return t.bad("invalid_token", "invalid_grant", e.text)
	}
	return err
}

// A refreshError says why a refresh token is not good: in the reference's words,
// and in ours.
type refreshError struct {
	text  string
	cause iam.Reason
}

func (e refreshError) Error() string { return e.text }

// refreshToken checks a refresh token as far as it can be told without its
// session. Keycloak: TokenManager.verifyRefreshToken.
func (b *backCall) refreshToken(raw string, times bool) (*tokens.Token, error) {
	tok, err := tokens.Parse(b.ctx(), b.realm, raw)
	switch {
	case errors.Is(err, tokens.ErrUnknownKey):
		return nil, refreshError{"Invalid refresh token", iam.TokenRetiredKey}
	case err != nil, tok.Type != tokens.TypeRefresh && tok.Type != tokens.TypeOffline:
		return nil, refreshError{"Invalid refresh token", iam.TokenInvalid}
	}
	b.presents(tok)
	switch {
	case tok.Issuer != b.issuer():
		return nil, refreshError{"Invalid token issuer. Expected '" + b.issuer() + "'", iam.TokenOtherHost}
	case times && tok.Before(b.realm.NotBefore):
		return nil, refreshError{"Stale token", iam.NotBeforeRealm}
	case times && tok.Before(b.client.NotBefore):
		return nil, refreshError{"Stale token", iam.NotBeforeClient}
	case times && !tok.Active(b.Now()):
		return nil, refreshError{"Token is not active", iam.TokenExpired}
	case tok.Client != b.client.ClientID:
		return nil, refreshError{"Invalid refresh token. Token client and authorized client don't match", iam.WrongClient}
	}
	return tok, nil
}

// refreshSession finds the session behind a refresh token, if it is still good
// for the client. Keycloak: TokenManager.validateToken.
func (t *tokenCall) refreshSession(old *tokens.Token) (*sessions.View, error) {
	offline := old.Type == tokens.TypeOffline
	view, err := t.Sessions.Find(t.ctx(), t.realm, old.Ref(offline), &t.client.Client)
	switch {
	case errors.Is(err, sessions.ErrExpired), errors.Is(err, sessions.ErrGone):
		if err := t.endExpired(view); err != nil {
			return nil, err
		}
		switch {
		case offline && errors.Is(err, sessions.ErrForgotten):
			return nil, refreshError{"Offline session not active", iam.SessionEnded}
		case offline:
			return nil, refreshError{"Offline user session not found", iam.SessionEnded}
		}
		return nil, refreshError{"Session not active", iam.SessionEnded}
	case errors.Is(err, sessions.ErrUserGone):
		return nil, refreshError{"Unknown user", iam.UserRemoved}
	case view == nil, errors.Is(err, sessions.ErrRealmDisabled):
		return nil, t.switchedOff(err)
	case !view.User.Enabled:
		return nil, refreshError{"User disabled", iam.UserDisabled}
	case old.BeforeSession(view.Session.Started):
		return nil, refreshError{"Refresh token issued before the user session started", iam.TokenOfPast}
	case errors.Is(err, sessions.ErrNoPart):
		return nil, refreshError{"Session doesn't have required client", iam.PartEnded}
	case errors.Is(err, sessions.ErrPartExpired):
		end := t.Sessions.PartTimedOut(t.realm, &t.client.Client, view.Session, view.Part)
		if err := t.Sessions.Detach(t.ctx(), t.realm, view.Session.Ref(), t.client.ID, end); err != nil {
			return nil, err
		}
		return nil, refreshError{"Client session not active", iam.PartEnded}
	case err != nil:
		return nil, t.switchedOff(err)
	case old.BeforeSession(view.Part.Started):
		return nil, refreshError{"refresh token issued before the client session started", iam.TokenOfPast}
	case old.Before(view.RealmNotBefore):
		return nil, refreshError{"Stale token", iam.NotBeforeRealm}
	case old.Before(view.ClientNotBefore):
		return nil, refreshError{"Stale token", iam.NotBeforeClient}
	case old.Before(view.User.NotBefore):
		return nil, refreshError{"Stale token", iam.NotBeforeUser}
	}
	if offline {
		granted, err := t.offlineGranted(view)
		if err != nil {
			return nil, err
		}
		if !granted {
			return nil, refreshError{"Offline session invalid because offline access not granted anymore", iam.OfflineNotGranted}
		}
	}
	return view, nil
}

// endExpired ends a session that somebody came back to too late.
func (t *tokenCall) endExpired(view *sessions.View) error {
	if view == nil {
		return nil
	}
	_, err := t.Sessions.End(t.ctx(), t.realm, view.Session.ID, view.Session.Offline, t.Sessions.TimedOut(t.realm, view.Session))
	if errors.Is(err, sessions.ErrGone) {
		return nil
	}
	return err
}

// offlineGranted reports whether client and user may still have offline access.
// Keycloak: UserSessionUtil.isOfflineAccessGranted.
func (c *call) offlineGranted(view *sessions.View) (bool, error) {
	client, err := c.realm.Client(c.ctx(), view.Part.Client)
	if err != nil {
		return false, err
	}
	g := &iam.Grant{Client: &client.Client, User: view.User, Scopes: tokens.Requested(c.realm, &client.Client, tokens.ScopeOffline)}
	view.Inform(g)
	return c.Issuer.OfflineGranted(c.ctx(), c.realm, g)
}

// changed refuses where the client session could not be changed, and keeps other errors.
func changed(err error) error {
	switch {
	case errors.Is(err, sessions.ErrReused):
		return refreshError{"Maximum allowed refresh token reuse exceeded", iam.TokenReuse}
	case errors.Is(err, sessions.ErrStale):
		return refreshError{"Stale token", iam.TokenReuse}
	case errors.Is(err, sessions.ErrGone), errors.Is(err, sessions.ErrNoPart):
		return refreshError{"Session doesn't have required client", iam.PartEnded}
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
	return changed(t.Sessions.PutNote(t.ctx(), t.realm, view, &t.client.Client, logout.NoteAdapter, state))
}
