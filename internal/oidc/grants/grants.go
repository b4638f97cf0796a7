package grants

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"latchkey/internal/authn"
	"latchkey/internal/authn/actions"
	"latchkey/internal/authn/tabs"
	"latchkey/internal/bearer"
	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/logout"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
	"latchkey/internal/users"
)

// A Type is one way to get tokens.
type Type struct {
	Event  iam.EventKind
	decide func(*Service, context.Context, *Request) (*Decision, error)
	Lists  []string // parameters that may be given more than once
	Alone  bool     // it reads no session, which would tell what was switched off
	// Bearer is what an access token is checked for that stands for the client; none where
	// the client must prove itself who it is.
	Bearer []bearer.Check
}

// types by the grant_type parameter.
var types = map[string]Type{
	"authorization_code": {Event: "CODE_TO_TOKEN", decide: (*Service).code},
	"refresh_token":      {Event: "REFRESH_TOKEN", decide: (*Service).refresh},
	"password":           {Event: "LOGIN", decide: (*Service).password, Alone: true},
	"client_credentials": {Event: "CLIENT_LOGIN", decide: (*Service).clientCredentials, Alone: true},
	"urn:ietf:params:oauth:grant-type:token-exchange": {Event: "TOKEN_EXCHANGE", decide: (*Service).exchange,
		Lists: []string{"audience", "resource"}},
	"urn:openid:params:grant-type:ciba":            {Event: "AUTHREQID_TO_TOKEN", decide: (*Service).ciba},
	"urn:ietf:params:oauth:grant-type:device_code": {Event: "OAUTH2_DEVICE_CODE_TO_TOKEN", decide: (*Service).device},
	"urn:ietf:params:oauth:grant-type:jwt-bearer":  {Event: "LOGIN", decide: (*Service).jwtBearer},
	"urn:ietf:params:oauth:grant-type:uma-ticket":  {Event: "PERMISSION_TOKEN", decide: (*Service).uma, Bearer: permissionChecks},
}

// Of finds a way to get tokens.
func Of(grantType string) (Type, bool) {
	t, ok := types[grantType]
	return t, ok
}

// Rooms are what grants ask.
type Rooms struct {
	Sessions *sessions.Service
	Users    *users.Service
	Bearer   *bearer.Service
	Issuer   *tokens.Issuer
	Engine   *authn.Engine // for direct grants
	Actions  *actions.Set
	Events   *events.Writer
	Tabs     *tabs.Keeper // seals codes
	Log      *slog.Logger
	Now      func() time.Time
}

// A Service comes to decisions. It is safe for concurrent use.
type Service struct{ Rooms }

// New makes a Service.
func New(r Rooms) *Service { return &Service{r} }

// A Request is what a client that has proved who it is asks for.
type Request struct {
	Realm  *realms.Realm
	Client *realms.Client // nil with a Bearer that names none
	Params Params
	Issuer string          // the realm's address as the request sees it
	Key    string          // the thumbprint of the key that tokens are bound to (RFC 9449), "" for none
	Event  *iam.Event      // that tells of the request
	Agent  string          // the User-Agent
	Bearer *bearer.Verdict // of the token that stands for the client, nil where the client proved itself who it is
}

// A Decision is what a request comes to.
type Decision struct {
	Grant *iam.Grant
	Want  tokens.Want
	// Locale is the user's language for the browser's cookie, which goes when it is empty; nil leaves the cookie as it is.
	Locale *string
	// Finish changes the answer before it is written, nil for none.
	Finish func(*tokens.Response) error
}

// Decide says what a request of a type comes to. The error is an *oauth.Refusal, a Shown or a fault.
func (s *Service) Decide(ctx context.Context, t Type, q *Request) (*Decision, error) {
	return t.decide(s, ctx, q)
}

// judge asks about a presented token, of which the event tells.
func (s *Service) judge(ctx context.Context, q *Request, raw string, want bearer.Want) (*bearer.Verdict, error) {
	want.Issuer = q.Issuer
	v, err := s.Bearer.Judge(ctx, q.Realm, raw, want)
	if err == nil {
		v.Record(q.Event)
	}
	return v, err
}

// scope returns the scope parameter if every name in it is one of the client's.
// Keycloak: OAuth2GrantTypeBase.getRequestedScopes.
func (q *Request) scope() (string, error) {
	p := q.Params.Scope
	if p.Given && (p.Text == "" || !tokens.ValidScope(q.Realm, &q.Client.Client, p.Text)) {
		return "", wrongScope.With("$scope", p.Text)
	}
	return p.Text, nil
}

// grant is one of the client's with a scope. kind is how token ids name it.
func (q *Request) grant(kind, scope string) *iam.Grant {
	return &iam.Grant{
		Client: &q.Client.Client, Type: kind,
		Scopes: tokens.Requested(q.Realm, &q.Client.Client, scope), Asked: scope, OpenID: tokens.HasScope(scope, tokens.ScopeOpenID),
	}
}

// consented reports whether the user's consent, where the client needs it,
// still covers the scopes. Keycloak: TokenManager.verifyConsentStillAvailable.
func (s *Service) consented(ctx context.Context, q *Request, user iam.UserID, scopes []*iam.ClientScope) (bool, error) {
	if !q.Client.ConsentRequired {
		return true, nil
	}
	consent, err := s.Users.Consent(ctx, q.Realm, user, q.Client.ID)
	if err != nil {
		return false, err
	}
	for _, s := range scopes {
		if s.ShowOnConsent && (consent == nil || !slices.Contains(consent.Scopes, s.ID)) {
			return false, nil
		}
	}
	return true, nil
}

// noteAdapter keeps what an adapter calls its session in the application, for the
// logout to tell it. Keycloak: OAuth2GrantTypeBase.updateClientSession.
func (s *Service) noteAdapter(ctx context.Context, q *Request, view *sessions.View) error {
	if q.Params.AdapterSession == "" {
		return nil
	}
	return changed(s.Sessions.PutNote(ctx, q.Realm, view, &q.Client.Client, logout.NoteAdapter, q.Params.AdapterSession))
}

// newPart makes the part that the client has in a session that begins with a request.
func (q *Request) newPart(us *iam.UserSession, scope string, how iam.How) *iam.ClientSession {
	notes := map[string]string{"iss": q.Issuer}
	if scope != "" {
		notes[NoteScope] = scope
	}
	return &iam.ClientSession{
		Session: us.ID, Realm: q.Realm.ID, Client: q.Client.ID, Started: us.Started, LastAccess: us.LastAccess, Notes: notes,
		Origin: iam.Origin{How: how, Client: q.Client.ID, Scope: scope, Issuer: q.Issuer,
			Scopes: tokens.Why(&q.Client.Client, scope, tokens.Requested(q.Realm, &q.Client.Client, scope))},
	}
}

// begin stores the session that a grant makes: an online one, or with offline
// access an offline one alone.
func (s *Service) begin(ctx context.Context, q *Request, g *iam.Grant) error {
	if g.Offline = tokens.OfflineRequested(g.Scopes); g.Offline && g.Client.OIDC.Refresh {
		g.Refresh = iam.RefreshOffline
		if err := s.mayGoOffline(ctx, q, g); err != nil {
			return err
		}
		_, _, err := s.Sessions.GoOffline(ctx, q.Realm, sessions.OfflineGrant{Online: g.Session, ClientSession: g.ClientSession})
		return err
	}
	if g.Client.OIDC.Refresh {
		g.Refresh = iam.RefreshOnline
	}
	return s.Sessions.Login(ctx, &sessions.Login{Realm: q.Realm, Session: g.Session, New: true, ClientSession: g.ClientSession})
}

// mayGoOffline refuses a user without the role of that name.
// Keycloak: UserSessionManager.isOfflineTokenAllowed.
func (s *Service) mayGoOffline(ctx context.Context, q *Request, g *iam.Grant) error {
	allowed, err := s.Issuer.OfflineAllowed(ctx, q.Realm, g)
	if err == nil && !allowed {
		return offlineNotAllowed
	}
	return err
}
