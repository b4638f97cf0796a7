package oidc

import (
	"errors"
	"net/http"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
)

// A presented token is one whose session is alive: what it is about now.
type presented struct {
	*tokens.Token
	client *realms.Client // that it was issued for
	user   *iam.User
	view   *sessions.View // nil without a stored session
	// session and part are the stored ones, or stand in for them.
	session *iam.UserSession
	part    *iam.ClientSession
}

// presents lets the record of a refusal know which token it is about.
func (c *call) presents(tok *tokens.Token) {
	c.event.Cause.User, c.event.Cause.Session, c.event.Cause.Token = iam.UserID(tok.Subject), iam.SessionID(tok.Session), tok.ID
	c.event.Cause.Offline = tok.Type == tokens.TypeOffline || tok.Context().Offline
}

// A loss is why there is nothing that a token still stands for: by the event's
// error word, and by ours. The zero one says that there is.
type loss struct {
	word   string
	reason iam.Reason
}

var (
	sessionGone    = loss{"user_session_not_found", iam.SessionEnded}
	sessionExpired = loss{"session_expired", iam.SessionEnded}
	sessionNewer   = loss{"invalid_token", iam.TokenOfPast}
	userGone       = loss{"user_not_found", iam.UserRemoved}
	userDisabled   = loss{"user_disabled", iam.UserDisabled}
)

// cause is why a presented token is worth nothing; lost is what live said.
func (p *presented) cause(r *realms.Realm, lost loss, revoked bool) iam.Reason {
	switch {
	case revoked:
		return iam.Revoked
	case lost != loss{}:
		return lost.reason
	case p.clientDisabled():
		return iam.ClientDisabled
	case p.user != nil && !p.user.Enabled:
		return iam.UserDisabled
	}
	realm, client := r.NotBefore, p.client.NotBefore
	if p.view != nil {
		realm, client = p.view.RealmNotBefore, p.view.ClientNotBefore
	}
	switch {
	case p.Before(realm):
		return iam.NotBeforeRealm
	case p.Before(client):
		return iam.NotBeforeClient
	case p.user != nil && p.Before(p.user.NotBefore):
		return iam.NotBeforeUser
	}
	return ""
}

// bearerOf returns the token of an Authorization header: a scheme, one space and
// the token. Keycloak: AppAuthManager.extractTokenStringFromAuthHeader.
func bearerOf(r *http.Request) (token string, ok bool) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	if rest == "" || strings.Contains(rest, " ") || !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, schemeDPoP) {
		return "", false
	}
	return rest, true
}

const schemeDPoP = "DPoP"

// byDPoP tells whether the Authorization header has a token bound to a key (RFC 9449 7.1).
func byDPoP(r *http.Request) bool {
	scheme, _, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	_, ok := bearerOf(r)
	return ok && strings.EqualFold(scheme, schemeDPoP)
}

// live finds the session behind an access token, online or offline as the
// token's id says. lost says why there is none that the token still stands for;
// then p tells as much as is known.
// Keycloak: UserSessionUtil.findValidSession.
func (c *call) live(tok *tokens.Token, client *realms.Client) (p *presented, lost loss, err error) {
	p = &presented{Token: tok, client: client}
	c.presents(tok)
	how := tok.Context()
	if tok.Session == "" {
		if !how.Transient && !how.Unknown {
			return p, sessionGone, nil
		}
		lost, err = c.passing(p)
		return p, lost, err
	}
	expired := false
	for _, offline := range []bool{false, true} {
		if how.Transient || !how.Unknown && how.Offline != offline {
			continue
		}
		lost, err = c.stored(p, how, offline)
		if err != nil || lost == (loss{}) || lost == sessionNewer || lost == userGone {
			return p, lost, err
		}
		expired = expired || lost == sessionExpired
	}
	if expired {
		return p, sessionExpired, nil
	}
	return p, sessionGone, nil
}

// passing stands in for the session of a token that never had one. Where its
// subject is none of the realm's - a pairwise one, say - it goes by the username,
// which mappers write as they like: for the client's own service account alone.
// Keycloak: TokenManager.lookupUserFromStatelessToken.
func (c *call) passing(p *presented) (lost loss, err error) {
	p.user, err = c.Users.ByID(c.ctx(), &c.realm.Realm, iam.UserID(p.Subject))
	if err == nil && p.user == nil && p.Username != "" {
		p.user, err = c.Users.Find(c.ctx(), &c.realm.Realm, p.Username)
		if p.user != nil && p.user.ServiceAccount != p.client.ID {
			p.user = nil
		}
	}
	switch {
	case err != nil:
		return loss{}, err
	case p.user == nil:
		return userGone, nil
	case !p.user.Enabled:
		return userDisabled, nil
	}
	now := c.Now()
	p.session = &iam.UserSession{Realm: c.realm.ID, User: p.user.ID, Username: p.user.Username, IP: c.event.IP, AuthMethod: "client_auth", Started: now, LastAccess: now}
	p.part = &iam.ClientSession{Realm: c.realm.ID, Client: p.client.ID, Started: now, LastAccess: now, Notes: map[string]string{"iss": c.issuer()}}
	return loss{}, nil
}

// stored finds a stored session of one kind.
func (c *call) stored(p *presented, how tokens.Context, offline bool) (lost loss, err error) {
	view, err := c.Sessions.FindFor(c.ctx(), c.realm, p.Ref(offline), &p.client.Client, p.RevokedKey())
	switch {
	case err == nil, how.Guest && errors.Is(err, sessions.ErrNoPart), errors.Is(err, sessions.ErrClientDisabled):
	case errors.Is(err, sessions.ErrPartExpired), errors.Is(err, sessions.ErrForgotten):
		return sessionExpired, nil
	case errors.Is(err, sessions.ErrGone), errors.Is(err, sessions.ErrExpired), errors.Is(err, sessions.ErrNoPart), errors.Is(err, sessions.ErrRealmDisabled):
		return sessionGone, nil
	case errors.Is(err, sessions.ErrUserGone):
		return userGone, nil
	default:
		return loss{}, err
	}
	p.view, p.session, p.part, p.user = view, view.Session, view.Part, view.User
	if p.BeforeSession(view.Session.Started) || view.Part != nil && p.BeforeSession(view.Part.Started) && !how.Guest {
		return sessionNewer, nil
	}
	if p.part == nil {
		now := c.Now()
		p.part = &iam.ClientSession{Session: view.Session.ID, Realm: c.realm.ID, Client: p.client.ID, Offline: offline, Started: now, LastAccess: now,
			Notes: map[string]string{"iss": c.issuer()}}
	}
	return loss{}, nil
}

// revoked reports whether the token was revoked. What the session's statement
// read along with it answers; without a session it takes one of its own.
func (c *call) revoked(p *presented) (bool, error) {
	if p.view != nil {
		return p.view.Once, nil
	}
	return c.Sessions.HasOnce(c.ctx(), c.realm, p.RevokedKey())
}

// stale reports whether a not-before of realm, client or user, read with the
// session where there is one, refuses the token.
func (p *presented) stale(r *realms.Realm) bool {
	if p.view != nil {
		return p.Before(p.view.RealmNotBefore, p.view.ClientNotBefore, p.user.NotBefore)
	}
	return p.Before(r.NotBefore, p.client.NotBefore, p.user.NotBefore)
}

// clientDisabled tells whether the client was switched off, as of now.
func (p *presented) clientDisabled() bool {
	return !p.client.Enabled || p.view != nil && p.view.Part != nil && !p.view.ClientEnabled
}

// grantOf is the grant that a presented token came from, for mappers that run
// again over it. Its scopes are for the issuer to find.
func (c *call) grantOf(p *presented) *iam.Grant {
	g := &iam.Grant{
		Client: &p.client.Client, User: p.user, Session: p.session, Part: p.part, Nonce: p.Nonce, Issuer: c.issuer(),
		OpenID: tokens.HasScope(p.Scope, tokens.ScopeOpenID),
	}
	if p.view != nil {
		p.view.Inform(g)
	}
	return g
}
