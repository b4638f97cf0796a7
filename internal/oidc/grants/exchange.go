package grants

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"latchkey/internal/bearer"
	"latchkey/internal/claims"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
)

// Types of tokens in token exchange (RFC 8693 3).
const (
	typeAccess  = "urn:ietf:params:oauth:token-type:access_token"
	typeID      = "urn:ietf:params:oauth:token-type:id_token"
	typeRefresh = "urn:ietf:params:oauth:token-type:refresh_token"
)

// exchange gives a token for another one of the same user (RFC 8693).
// Keycloak: StandardTokenExchangeProvider.
func (s *Service) exchange(ctx context.Context, q *Request) (*Decision, error) {
	q.Event.Detail("auth_method", "token_exchange")
	if why := unsupported(q); why != "" {
		return nil, exchangeUnsupported.With("$why", why)
	}
	q.Event.Detail("requested_token_type", q.Params.Exchange.Wanted)
	v, err := s.subject(ctx, q)
	if err != nil {
		return nil, err
	}
	q.Event.Session, q.Event.User = iam.SessionID(v.Token.Session), v.User.ID
	q.Event.Detail("username", v.User.Username)
	q.Event.Detail("subject_token_client_id", v.Token.Client)
	kind := cmp.Or(q.Params.Exchange.Wanted, typeAccess)
	renewable := q.Client.OIDC.Refresh && q.Client.OIDC.ExchangeRefresh
	if kind != typeAccess && kind != typeID && (kind != typeRefresh || !renewable) {
		return nil, exchangeType
	}
	q.Event.Detail("requested_token_type", kind)
	if err := checkAudience(ctx, q, v.Token); err != nil {
		return nil, err
	}
	scope, err := q.scope()
	if err != nil {
		return nil, err
	}
	g, err := s.exchangeGrant(ctx, q, v, scope, kind)
	if err != nil {
		return nil, err
	}
	want := tokens.Want{ID: kind == typeID, NoAccess: kind == typeID, NoID: kind != typeID && scope == ""}
	return &Decision{Grant: g, Want: want, Finish: func(res *tokens.Response) error { return exchanged(q, res, kind) }}, nil
}

// unsupported: StandardTokenExchangeProvider.supports, in its words.
func unsupported(q *Request) string {
	switch p := q.Params.Exchange; {
	case p.Foreign != "":
		return "Parameter '" + p.Foreign + "' is not supported for standard token exchange"
	case !q.Client.OIDC.Exchange:
		return "Standard token exchange is not enabled for the requested client"
	case !p.Subject.Given:
		return "Parameter 'subject_token' required for standard token exchange"
	case !p.SubjectType.Given:
		return "Parameter 'subject_token_type' required for standard token exchange"
	case p.SubjectType.Text != typeAccess:
		return "Parameter 'subject_token' supports access tokens only"
	}
	return ""
}

// accessChecks are those of an access token that another grant goes by.
// Keycloak: AuthenticationManager.verifyIdentityToken.
var accessChecks = []bearer.Check{
	bearer.OfHost, bearer.OfType, bearer.NotExpired, bearer.KnownClient, bearer.NotRevoked, bearer.LiveSession, bearer.LiveClientSession,
	bearer.AfterSession, bearer.AfterClientSession,
	bearer.ClientOn, bearer.UserOn, bearer.AfterRealm, bearer.AfterClient, bearer.AfterUser,
}

// subject is the token to exchange, if it is one.
func (s *Service) subject(ctx context.Context, q *Request) (*bearer.Verdict, error) {
	want := bearer.Want{Checks: accessChecks, Types: []string{tokens.TypeBearer, tokens.TypeDPoP}}
	v, err := s.judge(ctx, q, q.Params.Exchange.Subject.Text, want)
	if err != nil {
		return nil, err
	}
	tok := v.Token
	switch {
	case !v.Good():
		return nil, exchangeSubject
	case tok.Confirm.X5T != "", tok.Confirm.JKT != "" && tok.Client != q.Client.ClientID:
		// Nobody can prove a certificate here: that is not built.
		return nil, exchangeBound
	}
	return v, BadProof(tok.Bound(q.Key))
}

// checkAudience: AbstractTokenExchangeProvider.getTargetAudienceClients,
// StandardTokenExchangeProvider.validateAudience.
func checkAudience(ctx context.Context, q *Request, subject *tokens.Token) error {
	for _, name := range q.Params.Audience {
		target, err := q.Realm.ClientByName(ctx, name)
		no := audienceUnknown
		switch {
		case realms.Missing(err):
		case err != nil:
			return err
		case target.Enabled:
			continue
		default:
			no = audienceOff
		}
		q.Event.Detail("audience", name)
		return no
	}
	if q.Client.Access == iam.Public {
		return exchangePublic
	}
	if subject.Client != q.Client.ClientID && !slices.Contains(subject.Audience, q.Client.ClientID) {
		return exchangeOutside
	}
	return nil
}

// exchangeGrant makes the grant: within the subject's session when the client
// has a part in it, else with a part that passes with the response.
func (s *Service) exchangeGrant(ctx context.Context, q *Request, v *bearer.Verdict, scope, kind string) (*iam.Grant, error) {
	us := *s.Bearer.SessionOf(q.Realm, v, q.Event.IP)
	g := q.grant("te", scope)
	g.User, g.Session, g.Audience, g.Offline = v.User, &us, q.Params.Audience, us.Offline
	if v.View != nil {
		v.View.SetRoles(g)
	}
	ok, err := s.consented(ctx, q, v.User.ID, g.Scopes)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, exchangeConsent.With("$client", q.Client.ClientID)
	}
	if kind == typeRefresh {
		return g, s.join(ctx, q, v, g, scope)
	}
	if err := s.rememberScope(ctx, q, v, g, scope); err != nil {
		return nil, err
	}
	if g.ClientSession == nil {
		g.Transient = iam.TransientClient
		if v.View == nil {
			g.Transient = iam.Transient
			q.Event.Session = ""
		}
		now := s.Now()
		g.ClientSession = q.newPart(&us, scope, iam.HowExchange)
		g.ClientSession.Started, g.ClientSession.LastAccess = now, now
	}
	return g, nil
}

// findOwn finds what the client has in the subject's session itself. stale is the version
// of a part that has timed out.
func (s *Service) findOwn(ctx context.Context, q *Request, v *bearer.Verdict, g *iam.Grant, scope string) (stale int64) {
	if v.View == nil || v.View.Session.Offline {
		return 0
	}
	mine, err := s.Sessions.Find(ctx, q.Realm, v.View.Session.Ref(), &q.Client.Client)
	switch {
	case err == nil:
		g.Session, g.ClientSession = mine.Session, mine.ClientSession
		// A request without scope asks for the scope "openid" as the client's login did.
		if scope == "" {
			g.OpenID = tokens.HasScope(mine.ClientSession.Notes[NoteScope], tokens.ScopeOpenID)
		}
	case mine != nil && mine.ClientSession != nil:
		return mine.ClientSession.Version
	}
	return 0
}

// join takes the client into the subject's session, for a refresh token.
func (s *Service) join(ctx context.Context, q *Request, v *bearer.Verdict, g *iam.Grant, scope string) error {
	switch {
	case g.Session.Offline || v.View == nil || v.Token.Context().Guest:
		return exchangeSession
	case tokens.OfflineRequested(g.Scopes):
		return exchangeOffline
	}
	g.Refresh = iam.RefreshOnline
	us, stale := g.Session, int64(0)
	return sessions.RetryChanged(func() error {
		if was := s.findOwn(ctx, q, v, g, scope); was != 0 {
			stale = was
		}
		if g.ClientSession == nil {
			g.ClientSession = q.newPart(us, scope, iam.HowExchange)
			g.ClientSession.Version = stale
		}
		if g.ClientSession.Notes == nil {
			g.ClientSession.Notes = map[string]string{}
		}
		g.ClientSession.Notes[iam.NoteExchanged+v.Token.Client] = v.Token.ID
		if scope != "" {
			g.ClientSession.Notes[NoteScope] = scope
		}
		return s.Sessions.Join(ctx, g.ClientSession)
	})
}

// rememberScope finds what the client has in the session itself. The scope of a
// request becomes that of its login: later requests without scope, and their openid,
// go by it. Keycloak: TokenManager.attachAuthenticationSession.
func (s *Service) rememberScope(ctx context.Context, q *Request, v *bearer.Verdict, g *iam.Grant, scope string) error {
	return sessions.RetryChanged(func() error {
		s.findOwn(ctx, q, v, g, scope)
		if g.ClientSession == nil || scope == "" || g.ClientSession.Notes[NoteScope] == scope {
			return nil
		}
		g.ClientSession.Notes = maps.Clone(g.ClientSession.Notes)
		if g.ClientSession.Notes == nil {
			g.ClientSession.Notes = map[string]string{}
		}
		g.ClientSession.Notes[NoteScope] = scope
		return s.Sessions.Join(ctx, g.ClientSession)
	})
}

// exchanged checks that the token is for whom it was asked for, and says what it is.
func exchanged(q *Request, res *tokens.Response, kind string) error {
	if missing := lacking(res.Audience, q.Params.Audience); len(missing) > 0 {
		return audienceLacking.With("$audience", strings.Join(missing, " "))
	}
	q.Event.Detail("audience", strings.Join(res.Audience, " "))
	if kind == typeID {
		res.Access, res.ID, res.Type = res.ID, "", "N_A"
	}
	if res.Extra == nil {
		res.Extra = new(claims.Set)
	}
	res.Extra.Put("issued_token_type", kind)
	return nil
}

func lacking(have, wanted []string) []string {
	return slices.DeleteFunc(slices.Clone(wanted), func(w string) bool { return slices.Contains(have, w) })
}
