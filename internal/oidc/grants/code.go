package grants

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"latchkey/internal/bearer"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
)

// A Code is what an authorization code stands for. Keycloak: OAuth2Code.
type Code struct {
	Session      iam.SessionID `json:"sid"`
	User         iam.UserID    `json:"sub,omitempty"` // whose session it is; "" in codes of an earlier version
	Client       iam.ClientID  `json:"client"`
	Scope        string        `json:"scope"`
	RedirectURI  string        `json:"redirect_uri,omitempty"` // the parameter, "" when there was none
	Nonce        string        `json:"nonce,omitempty"`
	Challenge    string        `json:"code_challenge,omitempty"`
	ChallengeAlg string        `json:"code_challenge_method,omitempty"`
	JKT          string        `json:"dpop_jkt,omitempty"` // of the key that must redeem it
}

// Notes of a client's part in a session that its tokens need, under Keycloak's
// names; see also package claims.
const (
	NoteScope        = "scope"
	NoteFirstOffline = "first.offline.access" // the session began with this client's request for offline access
)

// NewCode makes a code: its text for the client, and what to store with the
// login. It names session and client, as Keycloak's codes do, so that a code
// that is used twice can be told whose it was: its id is sealed for both, so that
// nobody can invent one.
func (s *Service) NewCode(r *realms.Realm, c *Code, expires time.Time) (text string, once sessions.SingleUse, err error) {
	id, err := s.Tabs.Seal(codePurpose(r, c.Session, c.Client), nil)
	if err != nil {
		return "", sessions.SingleUse{}, err
	}
	value, err := json.Marshal(c)
	return id + "." + string(c.Session) + "." + string(c.Client), sessions.SingleUse{Key: codeKey(id), Value: value, Expires: expires}, err
}

func codePurpose(r *realms.Realm, session iam.SessionID, client iam.ClientID) string {
	return "oidc code " + string(r.ID) + " " + string(session) + " " + string(client)
}

// wasGiven tells whether this server made a code's id for a session and client.
// Codes of an earlier version cannot be told.
func (s *Service) wasGiven(r *realms.Realm, id string, session iam.SessionID, client iam.ClientID) bool {
	var nothing any
	return s.Tabs.Open(codePurpose(r, session, client), id, &nothing) == nil
}

func codeKey(id string) string { return "code " + id }

// splitCode takes a code's text apart.
func splitCode(text string) (id string, session iam.SessionID, client iam.ClientID, ok bool) {
	id, rest, _ := strings.Cut(text, ".")
	sid, client2, ok := strings.Cut(rest, ".")
	return id, iam.SessionID(sid), iam.ClientID(client2), ok && id != ""
}

// code exchanges an authorization code (RFC 6749 4.1.3).
// Keycloak: AuthorizationCodeGrantType.process.
func (s *Service) code(ctx context.Context, q *Request) (*Decision, error) {
	if !q.Params.Code.Given {
		return nil, codeMissing
	}
	code, v, err := s.redeem(ctx, q)
	if err != nil {
		return nil, err
	}
	switch sent := q.Params.RedirectURI; {
	case code.RedirectURI != "" && code.RedirectURI != sent.Text:
		if !sent.Given {
			sent.Text = "null"
		}
		return nil, codeRedirect.With("$saved", code.RedirectURI, "$sent", sent.Text)
	case code.Client != q.Client.ID:
		return nil, codeOfOther
	case !q.Client.StandardFlow:
		return nil, codeFlowOff
	case !v.Good(): // the client has no part in the session
		return nil, refusedSession(v.Refusal)
	}
	if err := checkVerifier(q, code.Challenge, code.ChallengeAlg); err != nil {
		return nil, err
	}
	if err := checkThumbprint(q, code.JKT); err != nil {
		return nil, err
	}
	g, err := s.loginGrant(ctx, q, v.View, "ac", code.Scope, code.Nonce)
	if err != nil {
		return nil, err
	}
	if err := s.noteAdapter(ctx, q, v.View); err != nil {
		return nil, err
	}
	g.ClientSession = v.View.ClientSession
	if err := s.withRefresh(ctx, q, g, code.Scope); err != nil {
		return nil, err
	}
	return &Decision{Grant: g}, nil
}

// loginGrant is what a login in a browser comes to at the token endpoint, if the user's consent
// still covers it. kind is how token ids name the grant.
func (s *Service) loginGrant(ctx context.Context, q *Request, view *sessions.View, kind, scope, nonce string) (*iam.Grant, error) {
	g := q.grant(kind, scope)
	g.User, g.Session, g.ClientSession, g.Nonce = view.User, view.Session, view.ClientSession, nonce
	view.SetRoles(g)
	ok, err := s.consented(ctx, q, view.User.ID, g.Scopes)
	if err == nil && !ok {
		err = consentMissing
	}
	return g, err
}

// codeChecks are those of the session behind a code. That the client has a part in it
// is refused last, when it is known to be the code's.
var codeChecks = []bearer.Check{bearer.LiveSession, bearer.OfSubject, bearer.ClientOn, bearer.UserOn, bearer.LiveClientSession}

// redeem takes a code, once, and judges the session it was made in. A code that
// was used before ends the client's part in the session that it names: somebody has
// it who should not (RFC 6749 4.1.2). One that this server never made ends nothing.
// Keycloak: OAuth2CodeParser.parseCode.
func (s *Service) redeem(ctx context.Context, q *Request) (*Code, *bearer.Verdict, error) {
	id, session, owner, ok := splitCode(q.Params.Code.Text)
	if !ok {
		return nil, nil, codeNotValid
	}
	q.Event.Detail("code_id", string(session))
	q.Event.Session = session
	client, err := q.Realm.Client(ctx, owner)
	if realms.Missing(err) {
		return nil, nil, codeNotValid
	}
	if err != nil {
		return nil, nil, err
	}
	value, view, found := s.Sessions.Redeem(ctx, q.Realm, codeKey(id), iam.SessionRef{ID: session}, &client.Client)
	switch {
	case errors.Is(found, sessions.ErrGone):
		return nil, nil, codeOfSession
	case view == nil:
		return nil, nil, found
	}
	code := new(Code)
	if value != nil {
		if err := json.Unmarshal(value, code); err != nil {
			return nil, nil, fmt.Errorf("code: %w", err)
		}
	}
	if value == nil || code.Session != session || code.Client != owner {
		return nil, nil, s.spentCode(ctx, q, id, view.Session.Ref(), owner)
	}
	of := iam.SessionRef{ID: session, User: code.User}
	if of.User == "" {
		of.User = view.Session.User
	}
	v, err := s.Bearer.JudgeSession(ctx, q.Realm, of, client, bearer.Want{Checks: codeChecks, Found: &bearer.Found{View: view, Err: found}})
	if err != nil {
		return nil, nil, err
	}
	switch v.Refusal {
	case "", bearer.ClientSessionGone:
		q.Event.User = view.Session.User
		return code, v, nil
	case bearer.UserOff, bearer.SessionTimedOut, bearer.SessionForgotten, bearer.ClientSessionTimedOut:
		q.Event.User = view.Session.User
	}
	return nil, nil, refusedSession(v.Refusal)
}

// spentCode refuses a code that was used, or came too late. The client's part in
// the session ends by it, if this server has given it.
func (s *Service) spentCode(ctx context.Context, q *Request, id string, session iam.SessionRef, owner iam.ClientID) error {
	if !s.wasGiven(q.Realm, id, session.ID, owner) {
		return codeNotValid
	}
	late, err := s.Sessions.SingleUseExpired(ctx, q.Realm, codeKey(id))
	if err != nil {
		return err
	}
	no := codeReplayed
	if late {
		no = codeLate
	}
	err = s.Sessions.Detach(ctx, q.Realm, session, owner, iam.End{Reason: no.Reason, By: iam.ActorServer, Client: q.Client.ID})
	if err != nil {
		return err
	}
	return no
}

// withRefresh decides about the refresh token of a new grant: with
// offline_access it is an offline one, out of an offline session that is made
// now. scope is what the login asked for. Where the session began with
// it, the online one ends by the same step, if the realm wants that.
// Keycloak: OAuth2GrantTypeBase.createTokenResponseBuilder, DefaultRefreshTokenProvider.
func (s *Service) withRefresh(ctx context.Context, q *Request, g *iam.Grant, scope string) error {
	g.Offline = tokens.OfflineRequested(g.Scopes)
	if !g.Client.OIDC.Refresh {
		return nil
	}
	g.Refresh = iam.RefreshOnline
	if !g.Offline {
		s.Sessions.Touch(q.Realm, g.Session.Ref(), g.Client.ID)
		return nil
	}
	g.Refresh = iam.RefreshOffline
	if err := s.mayGoOffline(ctx, q, g); err != nil {
		return err
	}
	first := g.ClientSession.Notes[NoteFirstOffline] != ""
	part := *g.ClientSession
	part.Notes = maps.Clone(part.Notes)
	delete(part.Notes, NoteFirstOffline)
	part.Origin = iam.Origin{How: iam.HowOffline, Client: g.Client.ID, Scope: scope, Issuer: q.Issuer}
	part.Origin.Scopes = tokens.Why(g.Client, scope, g.Scopes)
	endOnline := first && q.Realm.OfflineSSO().EndsOnline(tokens.HasScope(scope, tokens.ScopeOffline))
	how := sessions.OfflineGrant{Online: g.Session, ClientSession: &part, EndOnline: endOnline, Stored: true}
	_, _, err := s.Sessions.GoOffline(ctx, q.Realm, how)
	if errors.Is(err, sessions.ErrGone) {
		return sessionOver
	}
	return err
}

// BadProof is the refusal of a proof of a key, where err is one.
func BadProof(err error) error {
	if refused, ok := errors.AsType[tokens.ProofError](err); ok {
		return proofInvalid.With("$proof", refused.Error())
	}
	return err
}

// checkThumbprint holds the key of the request against the one that the login
// named (RFC 9449 10). Keycloak: DPoPUtil.validateDPoPJkt.
func checkThumbprint(q *Request, wanted string) error {
	switch {
	case wanted == "" || wanted == q.Key:
		return nil
	case q.Key == "":
		return proofMissing
	}
	return proofOfOther
}
