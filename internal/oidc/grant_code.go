package oidc

import (
	"errors"
	"fmt"
	"maps"

	"github.com/go-json-experiment/json"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
)

// code exchanges an authorization code (RFC 6749 4.1.3).
// Keycloak: AuthorizationCodeGrantType.process.
func (t *tokenCall) code() (*decision, error) {
	if !t.form.Has("code") {
		t.detail("reason", "Missing parameter: code")
		return nil, t.deny(refusal{word: "invalid_code", code: "invalid_request", description: "Missing parameter: code", detail: untold})
	}
	text := t.form.Get("code")
	code, view, err := t.redeem(text)
	if err != nil {
		return nil, err
	}
	t.event.User = view.User.ID
	if !view.User.Enabled {
		return nil, t.deny(refusal{word: "user_disabled", code: "invalid_grant", description: "User disabled", detail: untold})
	}
	if code.RedirectURI != "" && code.RedirectURI != t.form.Get("redirect_uri") {
		got := "null"
		if t.form.Has("redirect_uri") {
			got = t.form.Get("redirect_uri")
		}
		t.detail("reason", "Parameter 'redirect_uri' did not match originally saved redirect URI used in initial OIDC request. Saved "+
			"redirectUri: "+
			code.RedirectURI+", redirectUri parameter: "+got)
		return nil, t.deny(refusal{word: "invalid_redirect_uri", code: "invalid_grant", description: "Incorrect redirect_uri", detail: untold})
	}
	if code.Client != t.client.ID {
		return nil, t.deny(refusal{reason: iam.WrongClient, word: "invalid_client", code: "invalid_grant",
			description: "Auth error: Found different client_id in clientSession"})
	}
	if !t.client.StandardFlow {
		t.event.Cause.Setting = iam.SettingStandardFlow
		return nil, t.deny(refusal{word: "not_allowed", code: "invalid_grant", description: "Client not allowed to exchange code"})
	}
	if view.ClientSession == nil {
		return nil, t.deny(refusal{word: "user_session_not_found", code: "invalid_grant", description: "Session not active"})
	}
	if err := t.checkVerifier(code.Challenge, code.ChallengeAlg); err != nil {
		return nil, err
	}
	if err := t.checkThumbprint(code.JKT); err != nil {
		return nil, err
	}
	g, err := t.loginGrant(view, "ac", code.Scope, code.Nonce)
	if err != nil {
		return nil, err
	}
	if err := t.noteAdapter(view); err != nil {
		return nil, err
	}
	g.ClientSession = view.ClientSession
	if err := t.withRefresh(g, code.Scope, view.ClientSession.Notes[noteFirstOffline] != ""); err != nil {
		return nil, err
	}
	return &decision{grant: g}, nil
}

// loginGrant is what a login in a browser comes to at the token endpoint, if the user's consent
// still covers it. kind is how token ids name the grant.
func (t *tokenCall) loginGrant(view *sessions.View, kind, scope, nonce string) (*iam.Grant, error) {
	g := &iam.Grant{
		Client: &t.client.Client, User: view.User, Session: view.Session, ClientSession: view.ClientSession, Type: kind, Nonce: nonce,
		Scopes: tokens.Requested(t.realm, &t.client.Client, scope), Asked: scope, OpenID: tokens.HasScope(scope, tokens.ScopeOpenID),
	}
	view.SetRoles(g)
	ok, err := t.consented(view.User.ID, &t.client.Client, g.Scopes)
	if err == nil && !ok {
		err = t.deny(refusal{reason: iam.ConsentMissing, word: "not_allowed", code: "invalid_scope",
			description: "Client no longer has requested consent from user"})
	}
	return g, err
}

// redeem takes a code, once, and finds the session it was made in. A code that
// was used before ends the client's part in the session that it names: somebody has
// it who should not (RFC 6749 4.1.2). One that this server never made ends nothing.
// Keycloak: OAuth2CodeParser.parseCode.
func (t *tokenCall) redeem(text string) (*loginCode, *sessions.View, error) {
	notValid := &Error{400, "invalid_grant", "Code not valid"}
	id, session, owner, ok := splitCode(text)
	if !ok {
		return nil, nil, t.refuse("invalid_code", notValid)
	}
	t.detail("code_id", string(session))
	t.event.Session = session
	client, err := t.realm.Client(t.ctx(), owner)
	if realms.Missing(err) {
		return nil, nil, t.refuse("invalid_code", notValid)
	}
	if err != nil {
		return nil, nil, err
	}
	value, view, findErr := t.Sessions.Redeem(t.ctx(), t.realm, codeKey(id), iam.SessionRef{ID: session}, &client.Client)
	if errors.Is(findErr, sessions.ErrGone) {
		t.event.Cause.Reason = iam.SessionEnded
		return nil, nil, t.refuse("invalid_code", notValid)
	}
	if view == nil {
		return nil, nil, findErr
	}
	var code loginCode
	if value != nil {
		if err := json.Unmarshal(value, &code); err != nil {
			return nil, nil, fmt.Errorf("code: %w", err)
		}
	}
	if value == nil || code.Session != session || code.Client != owner {
		if t.wasGiven(id, session, owner) {
			if err := t.spentCode(codeKey(id), view.Session.Ref(), owner); err != nil {
				return nil, nil, err
			}
		}
		return nil, nil, t.refuse("invalid_code", notValid)
	}
	if code.User != "" && code.User != view.Session.User {
		t.event.Cause.Reason = iam.SessionEnded
		return nil, nil, t.refuse("invalid_code", notValid)
	}
	switch {
	case findErr == nil, errors.Is(findErr, sessions.ErrNoClientSession):
		return &code, view, nil
	case errors.Is(findErr, sessions.ErrUserGone):
		return nil, nil, t.deny(refusal{word: "user_not_found", code: "invalid_grant", description: "User not found", detail: untold})
	case errors.Is(findErr, sessions.ErrExpired), errors.Is(findErr, sessions.ErrClientSessionExpired):
		t.event.User = view.Session.User
		return nil, nil, t.deny(refusal{reason: iam.SessionEnded, word: "user_session_not_found", code: "invalid_grant",
			description: "Session not active"})
	}
	return nil, nil, t.switchedOff(findErr)
}

// spentCode ends the client's part in the session of a code that was used, or
// came too late, and says which of both in the event.
func (t *tokenCall) spentCode(key string, session iam.SessionRef, owner iam.ClientID) error {
	t.event.Cause.Reason = iam.CodeReplayed
	late, err := t.Sessions.SingleUseExpired(t.ctx(), t.realm, key)
	if err != nil {
		return err
	}
	if late {
		t.event.Cause.Reason = iam.CodeLate
	}
	return t.Sessions.Detach(t.ctx(), t.realm, session, owner, iam.End{Reason: t.event.Cause.Reason, By: iam.ActorServer, Client: t.client.ID})
}

// switchedOff answers for a client or realm that was switched off while this
// node's configuration does not know of it yet. Other errors are returned as
// they are.
func (t *tokenCall) switchedOff(err error) error {
	switch {
	case errors.Is(err, sessions.ErrClientDisabled):
		return t.clientOff()
	case errors.Is(err, sessions.ErrRealmDisabled):
		return t.realmOff()
	}
	return err
}

// withRefresh decides about the refresh token of a new grant: with
// offline_access it is an offline one, out of an offline session that is made
// now. scope is what the login asked for; first says that the session began with
// it: then the online one ends by the same step, if the realm wants that.
// Keycloak: OAuth2GrantTypeBase.createTokenResponseBuilder, DefaultRefreshTokenProvider.
func (t *tokenCall) withRefresh(g *iam.Grant, scope string, first bool) error {
	g.Offline = tokens.OfflineRequested(g.Scopes)
	if !g.Client.OIDC.Refresh {
		return nil
	}
	g.Refresh = iam.RefreshOnline
	if !g.Offline {
		t.Sessions.Touch(t.realm, g.Session.Ref(), g.Client.ID)
		return nil
	}
	g.Refresh = iam.RefreshOffline
	if err := t.mayGoOffline(g); err != nil {
		return err
	}
	part := *g.ClientSession
	part.Notes = maps.Clone(part.Notes)
	delete(part.Notes, noteFirstOffline)
	part.Origin = iam.Origin{How: iam.HowOffline, Client: g.Client.ID, Scope: scope, Scopes: tokens.Why(g.Client, scope, g.Scopes),
		Issuer: t.issuer()}
	endOnline := first && t.realm.OfflineSSO().EndsOnline(tokens.HasScope(scope, tokens.ScopeOffline))
	_, _, err := t.Sessions.GoOffline(t.ctx(), t.realm, sessions.OfflineGrant{Online: g.Session, ClientSession: &part,
		EndOnline: endOnline, Stored: true})
	if errors.Is(err, sessions.ErrGone) {
		return t.deny(refusal{reason: iam.SessionEnded, word: "user_session_not_found", code: "invalid_grant", description: "Session not active"})
	}
	return err
}

// mayGoOffline refuses a user without the role of that name.
// Keycloak: UserSessionManager.isOfflineTokenAllowed.
func (t *tokenCall) mayGoOffline(g *iam.Grant) error {
	allowed, err := t.Issuer.OfflineAllowed(t.ctx(), t.realm, g)
	if err == nil && !allowed {
		return t.deny(refusal{reason: iam.OfflineNotGranted, word: "not_allowed",
			description: "Offline tokens not allowed for the user or client"})
	}
	return err
}
