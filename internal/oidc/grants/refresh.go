package grants

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"latchkey/internal/bearer"
	"latchkey/internal/iam"
	"latchkey/internal/oauth"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
)

// refresh answers a refresh token with new tokens (RFC 6749 6).
// Keycloak: RefreshTokenGrantType, AbstractRefreshTokenProvider.
func (s *Service) refresh(ctx context.Context, q *Request) (*Decision, error) {
	if !q.Params.RefreshToken.Given {
		return nil, refreshMissing
	}
	param, err := q.scope()
	if err != nil {
		return nil, err
	}
	v, err := s.JudgeRefresh(ctx, q, refreshChecks)
	if err != nil {
		return nil, err
	}
	old, view := v.Token, v.View
	g, want, finish := s.refreshGrant(ctx, q, old, param, view)
	ok, err := s.consented(ctx, q, view.User.ID, g.Scopes)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, refreshConsent
	}
	if err := s.noteAdapter(ctx, q, view); err != nil {
		return nil, err
	}
	if q.Realm.Refresh.Rotate {
		if g.RefreshID, err = s.Sessions.Rotate(ctx, q.Realm, view, g.Client, old.Use()); err != nil {
			return nil, changed(err)
		}
	}
	g.ClientSession = view.ClientSession
	q.Event.User = view.User.ID
	if g.Refresh == iam.RefreshOffline {
		whole := *g // what narrows the access token leaves the offline token as it is
		whole.Scopes = tokens.Requested(q.Realm, &q.Client.Client, old.Scope)
		if err := s.mayGoOffline(ctx, q, &whole); err != nil {
			return nil, err
		}
	}
	q.Event.Detail("age_of_refresh_token", strconv.FormatInt(s.Now().Unix()-old.IssuedAt, 10))
	return &Decision{Grant: g, Want: want, Finish: finish}, nil
}

// refreshGrant narrows the old token's scope to what is asked for now. Whether an
// ID token is due is what the login asked for. The answer to an offline token
// tells the scope that it keeps, not the narrowed one.
func (s *Service) refreshGrant(ctx context.Context, q *Request, old *tokens.Token, param string,
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
	g := q.grant("rt", scope)
	g.User, g.Session, g.ClientSession, g.Nonce = view.User, view.Session, view.ClientSession, old.Nonce
	g.Offline, g.Audience = view.Session.Offline, old.Requested
	view.SetRoles(g)
	if g.Client.OIDC.Refresh {
		g.Refresh, g.KeepScope, g.ReuseID, g.Chained = iam.RefreshKind(old.Type), old.Scope, old.ReuseID, true
	}
	openid := tokens.HasScope(view.ClientSession.Notes[NoteScope], tokens.ScopeOpenID)
	want := tokens.Want{ID: openid, NoID: !openid}
	if param == "" || g.Refresh != iam.RefreshOffline {
		return g, want, nil
	}
	kept := *g
	kept.Scopes, kept.Asked = tokens.Requested(q.Realm, &q.Client.Client, old.Scope), old.Scope
	kept.OpenID = tokens.HasScope(old.Scope, tokens.ScopeOpenID)
	return g, want, func(res *tokens.Response) (err error) {
		res.Scope, err = s.Issuer.Scope(ctx, q.Realm, &kept)
		return err
	}
}

// refreshTypes are the types of refresh tokens.
var refreshTypes = []string{tokens.TypeRefresh, tokens.TypeOffline}

// refreshChecks are those of TokenManager.verifyRefreshToken and validateToken, in their order.
var refreshChecks = []bearer.Check{
	bearer.OfType, bearer.OfHost, bearer.AfterRealm, bearer.AfterClient, bearer.NotExpired, bearer.OfClient, bearer.Keyed,
	bearer.LiveSession, bearer.UserOn,
	bearer.AfterSession, bearer.LiveClientSession, bearer.ClientOn, bearer.AfterClientSession, bearer.AfterRealm,
	bearer.AfterClient, bearer.AfterUser,
	bearer.OfflineGranted,
}

// JudgeRefresh judges the refresh token of a request. Sessions of tokens that come too
// late end. The event tells of the token once its session was looked for.
func (s *Service) JudgeRefresh(ctx context.Context, q *Request, order []bearer.Check) (*bearer.Verdict, error) {
	want := bearer.Want{Checks: order, Types: refreshTypes, Client: q.Client.ClientID, Key: q.Key, OneKind: true}
	v, err := s.judge(ctx, q, q.Params.RefreshToken.Text, want)
	if err != nil {
		return nil, err
	}
	if v.View != nil || v.Refusal == bearer.SessionGone {
		q.Event.Session = iam.SessionID(v.Token.Session)
		q.Event.Detail("refresh_token_id", v.Token.ID)
		q.Event.Detail("refresh_token_type", v.Token.Type)
		q.Event.Detail("refresh_token_sub", v.Token.Subject)
	}
	switch v.Refusal {
	case "":
		return v, nil
	case bearer.RealmOff:
		return nil, oauth.RealmOff
	case bearer.ClientOff:
		return nil, oauth.ClientOff
	case bearer.SessionTimedOut, bearer.SessionForgotten:
		err = s.endExpired(ctx, q, v.View)
	case bearer.ClientSessionTimedOut:
		end := s.Sessions.ClientSessionTimedOut(q.Realm, &q.Client.Client, v.View.Session, v.View.ClientSession)
		err = s.Sessions.Detach(ctx, q.Realm, v.View.Session.Ref(), q.Client.ID, end)
	}
	if err != nil {
		return nil, err
	}
	say := refreshRefusals[v.Refusal]
	if say.offline != "" && v.Token.Type == tokens.TypeOffline {
		say.text = say.offline
	}
	return nil, Worthless(v.Reason(), strings.NewReplacer("$issuer", q.Issuer, "$proof", v.Proof).Replace(say.text))
}

// endExpired ends a session that somebody came back to too late.
func (s *Service) endExpired(ctx context.Context, q *Request, view *sessions.View) error {
	_, err := s.Sessions.End(ctx, q.Realm, view.Session.Ref(), s.Sessions.TimedOut(q.Realm, view.Session))
	if errors.Is(err, sessions.ErrGone) {
		return nil
	}
	return err
}

// changed refuses where the client session could not be changed, and keeps other errors.
func changed(err error) error {
	switch {
	case errors.Is(err, sessions.ErrReused):
		return refreshReused
	case errors.Is(err, sessions.ErrStale):
		return refreshStale
	case errors.Is(err, sessions.ErrGone), errors.Is(err, sessions.ErrNoClientSession):
		return refreshDetached
	}
	return err
}
