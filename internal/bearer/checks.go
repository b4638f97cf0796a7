package bearer

import (
	"errors"
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
)

// A Check is one question about a token.
type Check int

// The checks. Not-befores and switches are those that are read with the session,
// where that is read before, and else the snapshot's.
const (
	OfType             Check = iota // it is of one of the types that are wanted
	OfHost                          // it was issued under the host name that is asked
	NotExpired                      // its own time is not over
	OfClient                        // it was issued for who presents it
	Proved                          // it came as it is bound: with a proof of its key, or without
	Keyed                           // it is bound to the key that the request has proved, or to none
	InOpenID                        // it has the scope openid
	KnownClient                     // its client is there
	LiveSession                     // its session lives, or its user is there if it has none
	OfSubject                       // its session is its subject's
	KnownUser                       // its user is there
	LiveClientSession               // its client's part in the session lives
	AfterSession                    // it is not older than the session
	AfterClientSession              // it is not older than the client's part
	NotRevoked                      // it was not revoked
	RealmOn                         // the realm is enabled
	ClientOn                        // its client is enabled
	UserOn                          // its user is enabled
	AfterRealm                      // it is not older than the realm's not-before
	AfterClient                     // likewise the client's
	AfterUser                       // likewise the user's
	OfflineGranted                  // its offline session is still granted
	Unspent                         // it is no refresh token that was used up
)

// checks by their names. "" is a yes.
var checks = [...]func(*judging) (Refusal, error){
	OfType: func(j *judging) (Refusal, error) {
		is := func(typ string) bool { return strings.EqualFold(typ, j.v.Token.Type) }
		return unless(len(j.want.Types) == 0 || slices.ContainsFunc(j.want.Types, is), WrongType)
	},
	OfHost:     func(j *judging) (Refusal, error) { return unless(j.v.Token.Issuer == j.want.Issuer, OtherHost) },
	NotExpired: func(j *judging) (Refusal, error) { return unless(j.v.Token.Active(j.Now()), Expired) },
	OfClient:   func(j *judging) (Refusal, error) { return unless(j.v.Token.Client == j.want.Client, OtherClient) },
	Proved:     (*judging).proved,
	Keyed:      (*judging).keyed,
	InOpenID: func(j *judging) (Refusal, error) {
		return unless(tokens.HasScope(j.v.Token.Scope, tokens.ScopeOpenID), NoOpenID)
	},
	KnownClient:        (*judging).knownClient,
	LiveSession:        after((*judging).findSession, (*judging).liveSession),
	OfSubject:          after((*judging).findSession, (*judging).ofSubject),
	KnownUser:          (*judging).knownUser,
	LiveClientSession:  after((*judging).findSession, (*judging).liveClientSession),
	AfterSession:       after((*judging).findSession, (*judging).afterSession),
	AfterClientSession: after((*judging).findSession, (*judging).afterClientSession),
	NotRevoked:         (*judging).notRevoked,
	RealmOn:            (*judging).realmOn,
	ClientOn:           after((*judging).findClient, (*judging).clientOn),
	UserOn:             after((*judging).findSession, (*judging).userOn),
	AfterRealm:         (*judging).afterRealm,
	AfterClient:        after((*judging).findClient, (*judging).afterClient),
	AfterUser:          after((*judging).findSession, (*judging).afterUser),
	OfflineGranted:     (*judging).offlineGranted,
	Unspent:            after((*judging).findSession, (*judging).unspent),
}

func unless(ok bool, no Refusal) (Refusal, error) {
	if ok {
		return "", nil
	}
	return no, nil
}

// after is a check that needs something to be found first.
func after(find func(*judging) error, check func(*judging) Refusal) func(*judging) (Refusal, error) {
	return func(j *judging) (Refusal, error) {
		if err := find(j); err != nil {
			return "", err
		}
		return check(j), nil
	}
}

func (j *judging) knownClient() (Refusal, error) {
	if err := j.findClient(); err != nil {
		return "", err
	}
	return unless(!j.client.missing, UnknownClient)
}

func (j *judging) keyed() (Refusal, error) {
	if err := j.v.Token.Bound(j.want.Key); err != nil {
		j.v.Proof = err.Error()
		return WrongProof, nil
	}
	return "", nil
}

// proved holds the way in which an access token came against its binding: a bound
// one needs the scheme DPoP and a proof by its key (RFC 9449 7.1).
// Keycloak: DPoPUtil.withDPoPVerifier.
func (j *judging) proved() (Refusal, error) {
	if err := j.findClient(); err != nil {
		return "", err
	}
	bound := strings.EqualFold(j.v.Token.Type, tokens.TypeDPoP)
	switch {
	case bound && !j.want.DPoP:
		return BoundToken, nil
	case !bound && j.want.DPoP:
		return UnboundToken, nil
	case !bound && j.v.Client != nil && j.v.Client.OIDC.DPoP:
		return BindingDemanded, nil
	case !bound:
		return "", nil
	}
	var err error
	j.v.Proof, err = j.want.Proof.Holds(j.v.Token)
	if j.v.Proof != "" {
		return WrongProof, nil
	}
	return "", err
}

// liveSession leaves what is wrong with the client's part to liveClientSession.
func (j *judging) liveSession() Refusal {
	if j.v.Token.Session == "" {
		switch {
		case !j.context.Transient && !j.context.Unknown:
			return SessionGone
		case j.v.User == nil:
			return UserGone
		case !j.v.User.Enabled:
			return AccountOff
		}
		return ""
	}
	switch err := j.session.err; {
	case errors.Is(err, sessions.ErrForgotten):
		return SessionForgotten
	case errors.Is(err, sessions.ErrExpired):
		return SessionTimedOut
	case errors.Is(err, sessions.ErrGone):
		return SessionGone
	case errors.Is(err, sessions.ErrUserGone):
		return UserGone
	case errors.Is(err, sessions.ErrRealmDisabled):
		return RealmOff
	}
	return ""
}

func (j *judging) ofSubject() Refusal {
	if j.v.View != nil && (j.v.User == nil || string(j.v.User.ID) != j.v.Token.Subject) {
		return SessionGone
	}
	return ""
}

// knownUser looks for the user also where the session is gone.
func (j *judging) knownUser() (Refusal, error) {
	if err := j.findSession(); err != nil {
		return "", err
	}
	if j.v.User == nil && j.v.Token.Subject != "" {
		var err error
		if j.v.User, err = j.Users.ByID(j.ctx, j.realm, iam.UserID(j.v.Token.Subject)); err != nil {
			return "", err
		}
	}
	return unless(j.v.User != nil || j.v.Token.Subject == "", UserGone)
}

func (j *judging) liveClientSession() Refusal {
	switch {
	case errors.Is(j.session.err, sessions.ErrClientSessionExpired):
		return ClientSessionTimedOut
	case errors.Is(j.session.err, sessions.ErrNoClientSession) && !j.guest():
		return ClientSessionGone
	}
	return ""
}

func (j *judging) afterSession() Refusal {
	if j.v.View != nil && j.v.Token.BeforeSession(j.v.View.Session.Started) {
		return OlderThanSession
	}
	return ""
}

func (j *judging) afterClientSession() Refusal {
	if j.v.View != nil && j.v.View.ClientSession != nil && !j.context.Guest && j.v.Token.BeforeSession(j.v.View.ClientSession.Started) {
		return OlderThanClientSession
	}
	return ""
}

// notRevoked asks what the session's statement read along with it; without a
// session it takes one of its own.
func (j *judging) notRevoked() (Refusal, error) {
	if err := j.findSession(); err != nil {
		return "", err
	}
	if j.v.View != nil {
		return unless(!j.v.View.Revoked, RevokedToken)
	}
	revoked, err := j.Sessions.HasSingleUse(j.ctx, j.realm, j.v.Token.RevokedKey())
	if err != nil {
		return "", err
	}
	return unless(!revoked, RevokedToken)
}

func (j *judging) realmOn() (Refusal, error) {
	on := j.realm.Enabled
	if j.v.View != nil {
		on = j.v.View.RealmEnabled
	}
	return unless(on, RealmOff)
}

// clientOn: whether the client is enabled is read with its part in the session.
func (j *judging) clientOn() Refusal {
	if c := j.v.Client; c != nil && (!c.Enabled || j.v.View != nil && j.v.View.ClientSession != nil && !j.v.View.ClientEnabled) {
		return ClientOff
	}
	return ""
}

func (j *judging) userOn() Refusal {
	if j.v.User != nil && !j.v.User.Enabled {
		return UserOff
	}
	return ""
}

func (j *judging) afterRealm() (Refusal, error) { return j.after(BeforeRealm), nil }

func (j *judging) afterClient() Refusal { return j.after(BeforeClient) }

func (j *judging) afterUser() Refusal { return j.after(BeforeUser) }

// after holds the token against a not-before.
func (j *judging) after(no Refusal) Refusal {
	if j.v.Token.Before(j.v.NotBefore(j.realm, no)) {
		return no
	}
	return ""
}

// offlineGranted asks whether client and user may still have offline access.
// Keycloak: UserSessionUtil.isOfflineAccessGranted.
func (j *judging) offlineGranted() (Refusal, error) {
	if err := j.findSession(); err != nil {
		return "", err
	}
	view := j.v.View
	if view == nil || !view.Session.Offline || view.ClientSession == nil || j.v.Client == nil || j.v.User == nil {
		return "", nil
	}
	g := &iam.Grant{Client: &j.v.Client.Client, User: j.v.User, Scopes: tokens.Requested(j.realm, &j.v.Client.Client, tokens.ScopeOffline)}
	view.SetRoles(g)
	granted, err := j.Issuer.OfflineGranted(j.ctx, j.realm, g)
	if err != nil {
		return "", err
	}
	return unless(granted, NotGranted)
}

// unspent asks the chain of refresh tokens whether one may be presented again.
func (j *judging) unspent() Refusal {
	tok, view := j.v.Token, j.v.View
	if view != nil && view.ClientSession != nil && (tok.Type == tokens.TypeRefresh || tok.Type == tokens.TypeOffline) &&
		sessions.Spent(j.realm, view.ClientSession, tok.Use()) {
		return SpentToken
	}
	return ""
}
