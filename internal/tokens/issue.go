package tokens

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"latchkey/internal/claims"
	"latchkey/internal/iam"
	"latchkey/internal/jose"
	"latchkey/internal/keys"
	"latchkey/internal/realms"
	"latchkey/internal/roles"
	"latchkey/internal/sessions"
)

// An Issuer makes tokens. It is safe for concurrent use.
type Issuer struct {
	Keys  *keys.Service
	Roles *roles.Service
	Now   func() time.Time
}

// Want says what a response carries besides, or instead of, an access token.
type Want struct {
	NoAccess bool   // no access token
	ID       bool   // an ID token although openid was not asked for
	NoID     bool   // no ID token although openid was asked for
	Code     string // bind the ID token to it: c_hash
	State    string // bind the ID token to it: s_hash
	// Encrypt encrypts the signed ID token, nil leaves it as it is.
	Encrypt func(signed string) (string, error)
}

// A Response is what the token endpoint answers (RFC 6749 5.1), and what its
// event tells. Lifetimes are in seconds.
type Response struct {
	Access, Refresh, ID string
	Type                string // token_type
	ExpiresIn           int64
	RefreshExpiresIn    int64
	NotBefore           int64
	Session             iam.SessionID // "" when tokens carry no sid
	Scope               string

	AccessID  string // jti
	RefreshID string // jti
	Kind      iam.RefreshKind
	ReuseID   string   // the chain that a rotating refresh token belongs to
	IssuedAt  int64    // seconds since the epoch
	ExpiresAt int64    // of the access token
	Audience  []string // of the access token
	Extra     *claims.Set
}

// JSON writes the answer of the token endpoint in Keycloak's order (AccessTokenResponse).
func (p *Response) JSON() ([]byte, error) {
	out := claims.NewSet()
	if p.Access != "" {
		out.Put("access_token", p.Access)
	}
	out.Put("expires_in", p.ExpiresIn)
	out.Put("refresh_expires_in", p.RefreshExpiresIn)
	if p.Refresh != "" {
		out.Put("refresh_token", p.Refresh)
	}
	if p.Type != "" {
		out.Put("token_type", p.Type)
	}
	if p.ID != "" {
		out.Put("id_token", p.ID)
	}
	out.Put("not-before-policy", p.NotBefore)
	if p.Session != "" {
		out.Put("session_state", string(p.Session))
	}
	out.Put("scope", p.Scope)
	if p.Extra != nil {
		p.Extra.All(func(name string, v any) bool { out.Put(name, v); return true })
	}
	return out.Plain()
}

// An issue is one response in the making.
type issue struct {
	*Issuer
	ctx   context.Context
	r     *realms.Realm
	whole *iam.Grant // with scopes that the user may not have
	g     *iam.Grant
	in    *claims.Input
	chain claims.Chain
	now   time.Time
	exp   time.Time // of access and ID token
	res   *Response
}

// Issue makes the tokens of a grant. Scopes that the user may not have are left
// out of what the grant says.
func (s *Issuer) Issue(ctx context.Context, r *realms.Realm, g *iam.Grant, w Want) (*Response, error) {
	i := s.begin(ctx, r, g)
	err := i.stand()
	if err != nil {
		return nil, err
	}
	i.exp = i.accessExpiry()
	i.res = &Response{IssuedAt: i.now.Unix(), ExpiresAt: i.exp.Unix(), Scope: scopeText(g, i.g.Scopes, false)}
	access, err := i.access()
	if err != nil {
		return nil, err
	}
	i.res.Audience = access.Audience()
	if !w.NoAccess {
		if i.res.Access, err = i.sign(access, g.Client.Attr("access.token.signed.response.alg"), i.accessType()); err != nil {
			return nil, err
		}
	}
	i.res.Type, i.res.ExpiresIn = access.Text("typ"), i.exp.Unix()-i.now.Unix()
	if g.Refresh != iam.NoRefresh {
		if err := i.refresh(access); err != nil {
			return nil, err
		}
	}
	if (g.OpenID || w.ID) && !w.NoID {
		if i.res.ID, err = i.id(w); err != nil {
			return nil, err
		}
	}
	i.res.Session = iam.SessionID(access.Text("sid"))
	i.res.NotBefore = seconds(latest(r.NotBefore, g.Client.NotBefore, g.User.NotBefore))
	extra := new(claims.Set)
	i.chain.Apply(i.in, claims.Response, extra)
	if extra.Len() > 0 {
		i.res.Extra = extra
	}
	return i.res, nil
}

func latest(times ...time.Time) time.Time {
	return slices.MaxFunc(times, func(a, b time.Time) int { return a.Compare(b) })
}

// seconds is a time as NumericDate; 0 for none.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// effective are the user's roles and groups, read unless it came with the session.
func (s *Issuer) effective(ctx context.Context, r *realms.Realm, g *iam.Grant) (*roles.Effective, error) {
	if g.NoGroups {
		return roles.Given(r, g.Roles), nil
	}
	return s.Roles.Of(ctx, r, g.User.ID)
}

// begin collects what mappers need, but for the user's roles and groups.
func (s *Issuer) begin(ctx context.Context, r *realms.Realm, g *iam.Grant) *issue {
	in := input(r, g)
	in.AMR = func() []string { return amr(r, g.Session, s.Now()) }
	return &issue{Issuer: s, ctx: ctx, r: r, whole: g, g: g, in: in, now: s.Now()}
}

func input(r *realms.Realm, g *iam.Grant) *claims.Input {
	return &claims.Input{
		Grant: g, Access: &roles.Access{Clients: map[string][]string{}},
		Origins: func() []string { return g.Client.Origins(strings.TrimSuffix(g.Issuer, r.Path())) },
		Levels:  levels(r, g.Client),
	}
}

// stand reads the user's roles and groups, and drops scopes that the user may not have.
func (i *issue) stand() error {
	effective, err := i.effective(i.ctx, i.r, i.g)
	if err != nil {
		return err
	}
	narrowed := *i.g
	if narrowed.Scopes, err = permitted(i.ctx, i.r, effective, i.g); err != nil {
		return err
	}
	access, err := roles.Names(i.ctx, i.r, roles.InScope(i.r, effective.Roles, narrowed.Client, narrowed.Scopes))
	if err != nil {
		return err
	}
	if i.chain == nil || len(narrowed.Scopes) < len(i.g.Scopes) {
		i.chain = claims.Of(&narrowed)
	}
	i.g, i.in.Grant, i.in.Effective, i.in.Access = &narrowed, &narrowed, effective, access
	return nil
}

// permitted are the scopes of a grant that the user may have. Where an audience was
// asked for, a scope counts by its roles of the realm and of that audience alone.
// Keycloak: DefaultClientSessionContext.isClientScopePermittedForUser.
func permitted(ctx context.Context, r *realms.Realm, effective *roles.Effective, g *iam.Grant) ([]*iam.ClientScope, error) {
	if g.Audience == nil {
		return roles.Permitted(r, effective.Roles, g.Scopes), nil
	}
	held := roles.Set{}
	for id := range effective.Roles {
		role := r.Role(id)
		if role == nil {
			continue
		}
		if role.Client != "" {
			name, err := r.ClientName(ctx, role.Client)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(g.Audience, name) {
				continue
			}
		}
		held[id] = struct{}{}
	}
	return roles.Permitted(r, held, g.Scopes), nil
}

// levels reads acr.loa.map, the client's or else the realm's.
func levels(r *realms.Realm, c *iam.Client) map[string]int {
	for _, text := range []string{c.Attr("acr.loa.map"), r.Attrs["acr.loa.map"]} {
		if m, err := iam.ParseLevels(text); err == nil && len(m) > 0 {
			return m
		}
	}
	return nil
}

// offlineTimes is the session as far as expiry goes: an offline token lives by
// the offline settings even while it is made out of an online session.
func (i *issue) offlineTimes() *iam.UserSession {
	us := *i.g.Session
	us.Offline = us.Offline || i.g.Offline
	return &us
}

// accessExpiry: TokenManager.getTokenExpiration.
func (i *issue) accessExpiry() time.Time {
	// Keycloak: OIDCResponseType.isImplicitFlow: a hybrid answer is none.
	asked := strings.Fields(i.g.ClientSession.Notes["response_type"])
	implicit := i.g.Type == "na" && !slices.Contains(asked, "code")
	return sessions.AccessTokenExpiry(&i.r.Realm, i.g.Client, i.offlineTimes(), i.g.ClientSession, implicit, i.now)
}

// tokenID: DefaultTokenContextEncoderProvider.
func (i *issue) tokenID() string {
	session, kind := "on", "rt"
	switch {
	case i.g.Transient == iam.Transient:
		session = "tr"
	case i.g.Transient == iam.TransientClient && i.g.Session.Offline:
		session = "ft"
	case i.g.Transient == iam.TransientClient:
		session = "nt"
	case i.g.Offline:
		session = "of"
	}
	if i.g.Client.Lightweight() {
		kind = "lt"
	}
	return session + kind + i.g.Type + ":" + uuid.NewString()
}

// access makes the claims of the access token.
func (i *issue) access() (*claims.Set, error) {
	t := claims.NewSet()
	i.res.AccessID = i.tokenID()
	t.Put("exp", i.exp.Unix())
	t.Put("iat", i.now.Unix())
	t.Put("jti", i.res.AccessID)
	t.Put("iss", i.g.Issuer)
	typ := "Bearer"
	if i.g.Confirm.JKT != "" {
		typ = "DPoP"
	}
	if i.g.Client.Flag("token.response.type.bearer.lower-case") {
		typ = strings.ToLower(typ)
	}
	t.Put("typ", typ)
	t.Put("azp", i.g.Client.ClientID)
	if i.g.Transient == iam.Transient {
		t.Put("sub", string(i.g.User.ID))
	} else {
		t.Put("sid", string(i.g.Session.ID))
	}
	t.Put("scope", i.res.Scope)
	i.chain.Apply(i.in, claims.AccessToken, t)
	i.withholdRights(t)
	Actor(t, i.g.Session)
	Bind(t, i.g.Confirm)
	if i.g.Audience != nil {
		restrict(t, i.g.Audience)
	}
	return t, i.withholdAudience(t)
}

// Actor names the administrator who acts as the user in a session (RFC 8693 4.1),
// whatever mappers say. Keycloak: TokenManager.setActClaimFromImpersonator (26.8).
func Actor(t *claims.Set, s *iam.UserSession) {
	if s == nil || s.Notes[iam.NoteImpersonator] == "" {
		return
	}
	act := new(claims.Set)
	act.Put("sub", s.Notes[iam.NoteImpersonator])
	act.Put("preferred_username", s.Notes[iam.NoteImpersonatorName])
	t.Put("act", act)
}

// withholdAudience takes clients that are switched off out of the audience, whoever
// put them there: nobody is to take a token in their name. Keycloak 26.7.5 does so.
func (i *issue) withholdAudience(t *claims.Set) error {
	all := t.Audience()
	kept := make([]string, 0, len(all))
	for _, name := range all {
		on, err := realms.Recall(i.r, audienceOf(name), func() (bool, error) {
			c, err := i.r.ClientByName(i.ctx, name)
			if realms.Missing(err) {
				return true, nil // a name that is none of the realm's
			}
			return err == nil && c.Enabled, err
		})
		if err != nil {
			return err
		}
		if on {
			kept = append(kept, name)
		}
	}
	switch {
	case len(kept) == len(all):
	case len(kept) == 0:
		t.Remove("aud")
	default:
		t.Put("aud", kept)
	}
	return nil
}

// audienceOf is a name in an audience, as a key of what is known of it.
type audienceOf string

// withholdRights takes roles that administer the realm out of what mappers of any
// claim have written, unless the user has them: a client that registered itself
// brings its mappers along. CVE-2026-16102.
func (i *issue) withholdRights(t *claims.Set) {
	switch all := t.Get("resource_access").(type) {
	case *claims.Set:
		all.All(func(client string, v any) bool {
			if !administers(i.r, client) {
				return true
			}
			access, _ := v.(*claims.Set)
			var list []any
			if access != nil {
				list = claims.List(access.Get("roles"))
			}
			if list == nil {
				all.Remove(client)
				return true
			}
			access.Put("roles", slices.DeleteFunc(slices.Clone(list), func(role any) bool {
				name, ok := role.(string)
				return !ok || !slices.Contains(i.in.Access.Clients[client], name)
			}))
			return true
		})
	case jsontext.Value: // a mapper wrote all of it
		var members map[string]jsontext.Value
		if json.Unmarshal(all, &members) != nil {
			return
		}
		for client := range members {
			if administers(i.r, client) {
				delete(members, client)
			}
		}
		t.Put("resource_access", members)
	}
}

// administers tells whether a client's roles are rights over a realm.
func administers(r *realms.Realm, client string) bool {
	return client == realms.ClientAdmin || r.Name == realms.Master && strings.HasSuffix(client, "-realm")
}

// Bind binds a token to a key (RFC 7800).
func Bind(t *claims.Set, c iam.Confirmation) {
	cnf := new(claims.Set)
	if c.X5T != "" {
		cnf.Put("x5t#S256", c.X5T)
	}
	if c.JKT != "" {
		cnf.Put("jkt", c.JKT)
		cnf.Put("kc-jkt-type", TypeDPoP)
	}
	if cnf.Len() > 0 {
		t.Put("cnf", cnf)
	}
}

// restrict keeps of audience and client roles what token exchange asked for.
// Keycloak: TokenManager.restrictRequestedAudience.
func restrict(t *claims.Set, audience []string) {
	if aud := t.Audience(); aud != nil {
		kept := slices.DeleteFunc(slices.Clone(audience), func(a string) bool { return !slices.Contains(aud, a) })
		iam.HashOrder(kept, len(audience)-len(kept), func(name string) string { return name })
		t.Put("aud", slices.Compact(kept))
	}
	access, _ := t.Get("resource_access").(*claims.Set)
	if access == nil {
		return
	}
	kept := new(claims.Set)
	access.All(func(client string, v any) bool {
		if slices.Contains(audience, client) {
			kept.Put(client, v)
		}
		return true
	})
	t.Put("resource_access", kept)
}

func (i *issue) accessType() string {
	if i.g.Client.Flag("access.token.header.type.rfc9068") {
		return "at+jwt"
	}
	return "JWT"
}

// refresh makes the refresh token. Keycloak: DefaultRefreshTokenProvider,
// RefreshToken's constructor, which takes over what the access token says.
func (i *issue) refresh(access *claims.Set) error {
	t := claims.NewSet()
	us := *i.g.Session
	us.Offline = i.g.Refresh == iam.RefreshOffline
	exp := sessions.RefreshTokenExpiry(&i.r.Realm, i.g.Client, &us, i.g.ClientSession, i.now)
	if !exp.IsZero() {
		t.Put("exp", exp.Unix())
		i.res.RefreshExpiresIn = exp.Unix() - i.now.Unix()
	}
	i.res.RefreshID, i.res.Kind = cmp.Or(i.g.RefreshID, uuid.NewString()), i.g.Refresh
	t.Put("iat", i.now.Unix())
	t.Put("jti", i.res.RefreshID)
	t.Put("iss", i.g.Issuer)
	t.Put("aud", []string{i.g.Issuer})
	if sub := access.Text("sub"); sub != "" {
		t.Put("sub", sub)
	}
	t.Put("typ", string(i.g.Refresh))
	t.Put("azp", i.g.Client.ClientID)
	if nonce := access.Text("nonce"); nonce != "" {
		t.Put("nonce", nonce)
	}
	t.Put("sid", string(i.g.Session.ID))
	if i.g.Confirm != (iam.Confirmation{}) && (i.g.Client.Access == iam.Public || i.g.Confirm.X5T != "") {
		Bind(t, i.g.Confirm)
	}
	t.Put("scope", cmp.Or(i.g.KeepScope, scopeText(i.whole, i.g.Scopes, true)))
	if aud := access.Audience(); len(aud) == 1 {
		t.Put("aud_x", aud[0])
	} else if len(aud) > 1 {
		t.Put("aud_x", aud)
	}
	t.Put("prov", "default")
	if i.r.Refresh.Rotate {
		if i.res.ReuseID = i.g.ReuseID; !i.g.Chained {
			i.res.ReuseID = uuid.NewString()
		}
		if i.res.ReuseID != "" {
			t.Put("reuse_id", i.res.ReuseID)
		}
	}
	if i.g.Audience != nil {
		t.Put("req-aud", i.g.Audience)
	}
	var err error
	i.res.Refresh, err = i.sign(t, "HS512", "JWT")
	return err
}

// id makes the ID token.
func (i *issue) id(w Want) (string, error) {
	t := claims.NewSet()
	t.Put("exp", i.exp.Unix())
	t.Put("iat", i.now.Unix())
	t.Put("jti", uuid.NewString())
	t.Put("iss", i.g.Issuer)
	t.Put("aud", []string{i.g.Client.ClientID})
	t.Put("sub", string(i.g.User.ID))
	t.Put("typ", "ID")
	t.Put("azp", i.g.Client.ClientID)
	if i.g.Nonce != "" {
		t.Put("nonce", i.g.Nonce)
	}
	if i.g.Transient != iam.Transient {
		t.Put("sid", string(i.g.Session.ID))
	}
	i.chain.Apply(i.in, claims.IDToken, t)
	if err := i.withholdAudience(t); err != nil {
		return "", err
	}
	Actor(t, i.g.Session)
	alg := cmp.Or(i.g.Client.Attr("id.token.signed.response.alg"), i.r.SignatureAlg)
	for _, h := range [...]struct{ claim, of string }{{"at_hash", i.res.Access}, {"c_hash", w.Code}, {"s_hash", w.State}} {
		if h.of != "" {
			t.Put(h.claim, jose.HashClaim(alg, h.of))
		}
	}
	signed, err := i.sign(t, alg, "JWT")
	if err != nil || w.Encrypt == nil {
		return signed, err
	}
	return w.Encrypt(signed)
}

func (i *issue) sign(t *claims.Set, alg, typ string) (string, error) {
	return i.Issuer.Sign(i.ctx, i.r, t, alg, typ)
}

// Sign makes a JWS of claims with the realm's key for an algorithm, the realm's
// default one where alg is "".
func (s *Issuer) Sign(ctx context.Context, r *realms.Realm, t *claims.Set, alg, typ string) (string, error) {
	k, err := s.Keys.Signer(ctx, r, cmp.Or(alg, r.SignatureAlg))
	if err != nil {
		return "", fmt.Errorf("key for %s: %w", alg, err)
	}
	payload, err := t.JSON()
	if err != nil {
		return "", fmt.Errorf("claims: %w", err)
	}
	return k.Sign(typ, payload)
}

// Scope is what a grant's scopes read like in an answer: without those that the
// user may not have.
func (s *Issuer) Scope(ctx context.Context, r *realms.Realm, g *iam.Grant) (string, error) {
	effective, err := s.effective(ctx, r, g)
	if err != nil {
		return "", err
	}
	permitted, err := permitted(ctx, r, effective, g)
	return scopeText(g, permitted, false), err
}

// OfflineAllowed reports whether a grant may come with an offline token: the
// user has the realm's role offline_access, and the grant's scopes let it through.
// Keycloak: UserSessionManager.isOfflineTokenAllowed.
func (s *Issuer) OfflineAllowed(ctx context.Context, r *realms.Realm, g *iam.Grant) (bool, error) {
	effective, err := s.effective(ctx, r, g)
	role := r.RoleByName("", ScopeOffline)
	if err != nil || role == nil {
		return false, err
	}
	may := roles.Permitted(r, effective.Roles, g.Scopes)
	return roles.InScope(r, effective.Roles, g.Client, may).Has(role.ID), nil
}

// OfflineGranted reports whether offline_access is among the scopes of a grant,
// and the user may have it.
// Keycloak: UserSessionUtil.isOfflineAccessGranted.
func (s *Issuer) OfflineGranted(ctx context.Context, r *realms.Realm, g *iam.Grant) (bool, error) {
	if !OfflineRequested(g.Scopes) {
		return false, nil
	}
	effective, err := s.effective(ctx, r, g)
	if err != nil {
		return false, err
	}
	return OfflineRequested(roles.Permitted(r, effective.Roles, g.Scopes)), nil
}

// Map runs the mappers of a token's client and scopes over claims that are there
// already: for userinfo and introspection answers. The grant's scopes are those
// that the token's scope claim comes to. The user's roles and groups are read
// where a mapper or a scope asks for them, and only there.
func (s *Issuer) Map(ctx context.Context, r *realms.Realm, g *iam.Grant, scope string, kind claims.Kind, t *claims.Set) error {
	m := mappersOf(r, g.Client, scope)
	g.Scopes = m.scopes
	i := s.begin(ctx, r, g)
	i.chain = m.chain
	if m.need(i.in, kind) {
		if err := i.stand(); err != nil {
			return err
		}
	}
	i.chain.Apply(i.in, kind, t)
	return nil
}

// Rights is what a lightweight access token leaves out: what a full one of the same
// session and scope would say of audience, roles and origins, as far as
// introspection says it, too. Keycloak: AuthenticationManager.resolveLightweightAccessTokenRoles.
func (s *Issuer) Rights(ctx context.Context, r *realms.Realm, g *iam.Grant, scope string) (*claims.Set, error) {
	m := mappersOf(r, g.Client, scope)
	g.Scopes = m.scopes
	i := s.begin(ctx, r, g)
	i.chain = m.chain
	if err := i.stand(); err != nil {
		return nil, err
	}
	t := claims.NewSet()
	i.chain.Apply(i.in, claims.Rights, t)
	i.withholdRights(t)
	return t, i.withholdAudience(t)
}

func (m *mappers) need(in *claims.Input, kind claims.Kind) bool {
	byRole := func(c *iam.ClientScope) bool { return len(c.Roles) > 0 }
	return m.chain.Needs(in, kind) || slices.ContainsFunc(m.scopes, byRole)
}

// mappers are what a scope claim comes to for a client. They are shared.
type mappers struct {
	scopes []*iam.ClientScope
	chain  claims.Chain
}

// mappersKey is a client as it was read, which is never changed: one that is
// read anew is another.
type mappersKey struct {
	client *iam.Client
	scope  string
}

// mappersOf collects them once for a realm's snapshot.
func mappersOf(r *realms.Realm, c *iam.Client, scope string) *mappers {
	m, _ := realms.Recall(r, mappersKey{c, scope}, func() (*mappers, error) {
		scopes := Requested(r, c, scope)
		return &mappers{scopes, claims.Of(&iam.Grant{Client: c, Scopes: scopes})}, nil
	})
	return m
}
