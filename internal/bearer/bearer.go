package bearer

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/roles"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
	"latchkey/internal/users"
)

// A Service judges presented tokens. It is safe for concurrent use.
type Service struct {
	Sessions *sessions.Service
	Users    *users.Service
	Roles    *roles.Service
	Issuer   *tokens.Issuer
	Now      func() time.Time
}

// Want is what a door wants of a token.
type Want struct {
	Checks []Check       // in the order of the door; the first no decides
	Whole  bool          // the checks go on after a no
	Issuer string        // the realm's address as the request sees it
	Types  []string      // that are taken; none stands for all
	Client string        // client_id of who presents it
	DPoP   bool          // it came by the scheme DPoP
	Proof  *tokens.Proof // of the request, for Proved
	Key    string        // the thumbprint of the key that the request has proved, "" for none
	Found  *Found        // its session where the door has read that
	// OneKind says that the session is of the kind that the token's type or id says, and
	// online where they do not; else both are looked for then.
	OneKind bool
}

// A Found is what sessions.Find says of a session.
type Found struct {
	View *sessions.View
	Err  error
}

// A Verdict is what is known of a presented token.
type Verdict struct {
	Refusal  Refusal   // the first, "" when the token is good
	Refusals []Refusal // all, where the door wants the whole
	Proof    string    // what is wrong with a WrongProof, in the reference's words
	Token    *tokens.Token
	Client   *realms.Client // that it was issued for
	User     *iam.User
	View     *sessions.View // nil without a stored session; it comes with a refusal, too, if the session is there
}

// Good tells whether the token is.
func (v *Verdict) Good() bool { return v.Refusal == "" }

// Reason is why the token is refused, "" when it is not.
func (v *Verdict) Reason() iam.Reason { return v.Refusal.Reason() }

// NotBefore is the not-before that BeforeRealm, BeforeClient or BeforeUser speaks of, as
// it was read with the session where that was read.
func (v *Verdict) NotBefore(r *realms.Realm, of Refusal) time.Time {
	switch {
	case of == BeforeRealm && v.View != nil:
		return v.View.RealmNotBefore
	case of == BeforeRealm:
		return r.NotBefore
	case of == BeforeClient && v.View != nil && v.View.ClientSession != nil:
		return v.View.ClientNotBefore
	case of == BeforeClient && v.Client != nil:
		return v.Client.NotBefore
	case of == BeforeUser && v.User != nil:
		return v.User.NotBefore
	}
	return time.Time{}
}

// Event is of a refusal at a door that writes no event of its own, for the records:
// where says as what the token was presented.
func (v *Verdict) Event(ip, where string) *iam.Event {
	e := &iam.Event{IP: ip, Details: map[string]string{"reason": where}}
	e.Cause.Reason = v.Reason()
	if tok := v.Token; tok != nil {
		e.User, e.Client, e.Session, e.Cause.Token = iam.UserID(tok.Subject), tok.Client, iam.SessionID(tok.Session), tok.ID
		e.Cause.Offline = tok.Context().Offline
	}
	if v.User != nil {
		e.User = v.User.ID
	}
	return e
}

// Record tells an event which token was judged, and what is wrong with it.
func (v *Verdict) Record(e *iam.Event) {
	e.Cause.Reason = v.Reason()
	if tok := v.Token; tok != nil {
		e.Cause.User, e.Cause.Session, e.Cause.Token = iam.UserID(tok.Subject), iam.SessionID(tok.Session), tok.ID
		e.Cause.Offline = tok.Type == tokens.TypeOffline || tok.Context().Offline
	}
}

// SessionOf is the session that a good token stands on, or what stands in for one that
// was never stored.
func (s *Service) SessionOf(r *realms.Realm, v *Verdict, ip string) *iam.UserSession {
	if v.View != nil {
		return v.View.Session
	}
	now := s.Now()
	return &iam.UserSession{
		Realm: r.ID, User: v.User.ID, Username: v.User.Username, IP: ip, AuthMethod: "client_auth", Started: now, LastAccess: now,
	}
}

// Judge says whether a presented token is good now, and why not.
func (s *Service) Judge(ctx context.Context, r *realms.Realm, raw string, want Want) (*Verdict, error) {
	tok, err := tokens.Parse(ctx, r, raw)
	switch {
	case errors.Is(err, tokens.ErrUnknownKey):
		return &Verdict{Refusal: RetiredKey}, nil
	case errors.Is(err, tokens.ErrInvalid):
		return &Verdict{Refusal: Unsigned}, nil
	case err != nil:
		return nil, err
	}
	return s.JudgeRead(ctx, r, tok, want)
}

// JudgeRead is Judge for a token whose signature was verified already.
func (s *Service) JudgeRead(ctx context.Context, r *realms.Realm, tok *tokens.Token, want Want) (*Verdict, error) {
	j := &judging{Service: s, ctx: ctx, realm: r, want: want, v: &Verdict{Token: tok}, context: tok.Context()}
	for _, check := range want.Checks {
		no, err := checks[check](j)
		if err != nil {
			return nil, err
		}
		if no == "" {
			continue
		}
		if j.v.Refusal == "" {
			j.v.Refusal = no
		}
		if !want.Whole {
			break
		}
		j.v.Refusals = append(j.v.Refusals, no)
	}
	return j.v, nil
}

// JudgeSession is Judge for what names a session and is no token: an authorization code, a device code.
func (s *Service) JudgeSession(ctx context.Context, r *realms.Realm, of iam.SessionRef, client *realms.Client,
	want Want) (*Verdict, error) {
	want.OneKind = true
	return s.JudgeRead(ctx, r, &tokens.Token{Session: string(of.ID), Subject: string(of.User), Client: client.ClientID}, want)
}

// judging is one judgement under way.
type judging struct {
	*Service
	ctx     context.Context
	realm   *realms.Realm
	want    Want
	v       *Verdict
	context tokens.Context
	client  struct{ known, missing bool }
	session struct {
		known bool
		err   error // of sessions.Find
	}
}

// findClient looks up the token's client, once.
func (j *judging) findClient() error {
	if j.client.known || j.v.Token.Client == "" {
		return nil
	}
	c, err := j.realm.ClientByName(j.ctx, j.v.Token.Client)
	j.client.missing = realms.Missing(err)
	if err != nil && !j.client.missing {
		return err
	}
	j.client.known, j.v.Client = true, c
	return nil
}

// findSession reads what the token stands on, once: its session, online or offline
// as the token's id says, or the user alone of a token that has none. What is wrong
// with the session is for the checks. Keycloak: UserSessionUtil.findValidSession.
func (j *judging) findSession() error {
	if j.session.known {
		return nil
	}
	if err := j.findClient(); err != nil {
		return err
	}
	j.session.known, j.session.err = true, sessions.ErrGone
	if f := j.want.Found; f != nil {
		return j.found(f.View, f.Err)
	}
	if j.v.Token.Session == "" {
		return j.findUser()
	}
	var client *iam.Client
	if j.v.Client != nil {
		client = &j.v.Client.Client
	}
	for _, kind := range j.kinds() {
		if err := j.found(j.Sessions.FindFor(j.ctx, j.realm, j.v.Token.Ref(kind), client, j.v.Token.RevokedKey())); err != nil {
			return err
		}
		if e := j.session.err; e == nil || errors.Is(e, sessions.ErrClientDisabled) || errors.Is(e, sessions.ErrUserGone) || j.guest() {
			break
		}
	}
	return nil
}

// kinds are the kinds of sessions that the token may stand on.
func (j *judging) kinds() []iam.SessionKind {
	switch {
	case j.want.OneKind:
		return []iam.SessionKind{j.v.Token.Kind()}
	case j.context.Transient:
		return nil
	case j.context.Unknown:
		return iam.SessionKinds()
	}
	return []iam.SessionKind{iam.SessionKind(j.context.Offline)}
}

// found keeps what sessions.Find says; err is a fault.
func (j *judging) found(view *sessions.View, said error) (err error) {
	switch {
	case view != nil:
		j.v.View, j.v.User, j.session.err = view, view.User, said
	case !errors.Is(said, sessions.ErrGone):
		return said
	}
	return nil
}

// guest tells whether the client needs no part in the session: it got the token by exchange.
func (j *judging) guest() bool {
	return j.context.Guest && errors.Is(j.session.err, sessions.ErrNoClientSession)
}

// findUser finds whom a token is about that never had a session. Where its subject
// is none of the realm's - a pairwise one, say - it goes by the username, which
// mappers write as they like: for the client's own service account alone.
// Keycloak: TokenManager.lookupUserFromStatelessToken.
func (j *judging) findUser() error {
	tok := j.v.Token
	if !j.context.Transient && !j.context.Unknown {
		return nil
	}
	u, err := j.Users.ByID(j.ctx, j.realm, iam.UserID(tok.Subject))
	if err == nil && u == nil && tok.Username != "" && j.v.Client != nil {
		u, err = j.Users.FindStored(j.ctx, j.realm, tok.Username)
		if u != nil && u.ServiceAccount != j.v.Client.ID {
			u = nil
		}
	}
	j.v.User = u
	return err
}
