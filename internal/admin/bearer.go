package admin

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/roles"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
	"latchkey/internal/users"
	"latchkey/internal/web"
)

// A Bearer finds out who a bearer token stands for. Its Authenticate is for
// Handler.
type Bearer struct {
	Realms   *realms.Cache
	Sessions *sessions.Service
	Roles    *roles.Service
	Users    *users.Service
	Issuer   *tokens.Issuer
	Hostname *web.Hostname
	Now      func() time.Time
	// Refused is told of a token that a realm takes no more, or never took, as of an
	// event; none is written: records.Ledger's Refused.
	Refused func(ctx context.Context, home *realms.Realm, e *iam.Event)
}

// Authenticate verifies a request's bearer token: signature, life, the session
// behind it, and that neither realm, client nor user is switched off or has a
// not-before after it. Any realm's token is taken; what its bearer may do is
// another question. Keycloak: AdminRoot.authenticateRealmAdminRequest.
func (b *Bearer) Authenticate(r *http.Request) (*Caller, error) {
	scheme, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	raw = strings.TrimSpace(raw)
	bound := strings.EqualFold(scheme, "DPoP")
	if !bound && !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return nil, ErrUnauthenticated
	}
	home, err := b.Realms.Get(r.Context(), realmOf(raw))
	if errors.Is(err, realms.ErrNotFound) {
		return nil, ErrUnauthenticated
	}
	if err != nil {
		return nil, err
	}
	tok, reason, err := b.verify(r, home, raw)
	if err == nil && reason == "" {
		reason, err = b.checkScheme(r, home, tok, raw, bound)
	}
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return nil, b.refuse(r, home, tok, nil, reason)
	}
	client, err := home.ClientByName(r.Context(), tok.Client)
	if realms.Missing(err) {
		return nil, b.refuse(r, home, tok, nil, iam.UnknownClient)
	}
	if err != nil {
		return nil, err
	}
	if !bound && client.Flag("dpop.bound.access.tokens") {
		return nil, b.refuse(r, home, tok, nil, iam.TokenInvalid)
	}
	user, view, reason, err := b.user(r.Context(), home, client, tok)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return nil, b.refuse(r, home, tok, user, reason)
	}
	standing, err := b.standing(r.Context(), home, user, view)
	if err != nil {
		return nil, err
	}
	c := &Caller{Realm: home, Client: &client.Client, User: user, Token: tok, Session: iam.SessionID(tok.Session), Offline: tok.Context().Offline, View: view, Audience: tok.Audience}
	return c, b.rights(r, c, standing.Roles)
}

// refuse tells of a token that is refused; it is nil when the realm did not sign
// it, and u when nobody knows whose it is but the token itself.
func (b *Bearer) refuse(r *http.Request, home *realms.Realm, tok *tokens.Token, u *iam.User, reason iam.Reason) error {
	e := &iam.Event{IP: web.RequestOf(r).Addr, Details: map[string]string{"reason": "as a bearer token at the administration or the account"}}
	e.Cause.Reason = reason
	if tok != nil {
		e.User, e.Client, e.Session, e.Cause.Token = iam.UserID(tok.Subject), tok.Client, iam.SessionID(tok.Session), tok.ID
		e.Cause.Offline = tok.Context().Offline
	}
	if u != nil {
		e.User = u.ID
	}
	b.Refused(r.Context(), home, e)
	return ErrUnauthenticated
}

// verify checks what can be told of a token without its client and session, and
// says what is wrong.
func (b *Bearer) verify(r *http.Request, home *realms.Realm, raw string) (tok *tokens.Token, reason iam.Reason, err error) {
	tok, err = tokens.Parse(r.Context(), home, raw)
	switch {
	case errors.Is(err, tokens.ErrUnknownKey):
		return nil, iam.TokenRetiredKey, nil
	case errors.Is(err, tokens.ErrInvalid):
		return nil, iam.TokenInvalid, nil
	case err != nil:
		return nil, "", err
	case tok.Type != tokens.TypeBearer && tok.Type != tokens.TypeDPoP:
		return tok, iam.TokenInvalid, nil
	}
	issuer := b.Hostname.URLs(web.RequestOf(r), home.Attrs["frontendUrl"]).Frontend + home.Path()
	switch tok.Check(issuer, b.Now(), home.NotBefore) {
	case nil:
		return tok, "", nil
	case tokens.ErrIssuer:
		return tok, iam.TokenOtherHost, nil
	case tokens.ErrNotActive:
		return tok, iam.TokenExpired, nil
	}
	return tok, iam.NotBeforeRealm, nil
}

// checkScheme refuses a token that is bound to a key without the scheme DPoP and
// a proof by that key (RFC 9449 7.1), and one that is not with the scheme.
// Keycloak: DPoPUtil.withDPoPVerifier.
func (b *Bearer) checkScheme(r *http.Request, home *realms.Realm, tok *tokens.Token, raw string, bound bool) (iam.Reason, error) {
	if bound != (tok.Type == tokens.TypeDPoP) {
		return iam.TokenInvalid, nil
	}
	if !bound {
		return "", nil
	}
	urls := b.Hostname.URLs(web.RequestOf(r), home.Attrs["frontendUrl"])
	path := r.URL.EscapedPath()
	for _, root := range []string{"/admin/", "/realms/"} {
		if i := strings.Index(path, root); i >= 0 {
			path = path[i:]
			break
		}
	}
	proof := tokens.Proof{
		Header: r.Header.Values("DPoP"), Method: r.Method, Bases: []string{urls.Admin, urls.Frontend, urls.Backchannel}, Path: path, Access: raw, Now: b.Now(),
		Once: func(key string, until time.Time) (bool, error) {
			return b.Sessions.PutOnce(r.Context(), home, key, []byte("1"), until)
		},
	}
	refused, err := proof.Holds(tok)
	if refused != "" {
		return iam.TokenInvalid, nil
	}
	return "", err
}

// realmOf reads the realm from the issuer of a token that is not verified yet.
func realmOf(raw string) string {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	issuer := member(payload, "iss")
	name, err := url.PathUnescape(issuer[strings.LastIndex(issuer, "/")+1:])
	if err != nil {
		return ""
	}
	return name
}

// member returns a text of a JSON object, "" when there is none, and reads no further.
func member(object []byte, name string) string {
	d := jsontext.NewDecoder(bytes.NewBuffer(object))
	if start, err := d.ReadToken(); err != nil || start.Kind() != '{' {
		return ""
	}
	for d.PeekKind() == '"' {
		key, err := d.ReadToken()
		if err != nil {
			return ""
		}
		if key.String() == name && d.PeekKind() == '"' {
			value, err := d.ReadToken()
			if err != nil {
				return ""
			}
			return value.String()
		}
		if d.SkipValue() != nil {
			return ""
		}
	}
	return ""
}

// user finds whom a token is about, and says why it is worth nothing if it is: its
// session is over, it is revoked, or something is switched off.
// Keycloak: TokenManager.TokenRevocationCheck.
func (b *Bearer) user(ctx context.Context, home *realms.Realm, client *realms.Client, tok *tokens.Token) (u *iam.User, view *sessions.View, reason iam.Reason, err error) {
	how := tok.Context()
	if tok.Session == "" {
		revoked, err := b.Sessions.HasOnce(ctx, home, tok.RevokedKey())
		switch {
		case err != nil:
			return nil, nil, "", err
		case revoked:
			return nil, nil, iam.Revoked, nil
		case !how.Transient:
			return nil, nil, iam.SessionEnded, nil
		}
		u, err := b.Users.Get(ctx, &home.Realm, iam.UserID(tok.Subject))
		if errors.Is(err, users.ErrNotFound) {
			return nil, nil, iam.UserRemoved, nil
		}
		if err != nil {
			return nil, nil, "", err
		}
		return u, nil, off(home, client, u, tok), nil
	}
	view, err = b.Sessions.FindFor(ctx, home, tok.Ref(how.Offline), &client.Client, tok.RevokedKey())
	if view != nil {
		u = view.User
	}
	switch {
	case err == nil, how.Guest && errors.Is(err, sessions.ErrNoPart):
	case errors.Is(err, sessions.ErrRealmDisabled):
		return u, view, iam.RealmDisabled, nil
	case errors.Is(err, sessions.ErrClientDisabled):
		return u, view, iam.ClientDisabled, nil
	case errors.Is(err, sessions.ErrUserGone):
		return nil, nil, iam.UserRemoved, nil
	case view == nil && !errors.Is(err, sessions.ErrGone):
		return nil, nil, "", err
	default:
		return u, view, iam.SessionEnded, nil
	}
	switch {
	case view.Once:
		return u, view, iam.Revoked, nil
	case tok.BeforeSession(view.Session.Started):
		return u, view, iam.TokenOfPast, nil
	case tok.Before(view.RealmNotBefore):
		return u, view, iam.NotBeforeRealm, nil
	case tok.Before(view.ClientNotBefore):
		return u, view, iam.NotBeforeClient, nil
	}
	return u, view, off(home, client, u, tok), nil
}

// off says what of a token's realm, client and user is switched off, or has a
// not-before after it.
func off(home *realms.Realm, client *realms.Client, u *iam.User, tok *tokens.Token) iam.Reason {
	switch {
	case !u.Enabled:
		return iam.UserDisabled
	case !client.Enabled:
		return iam.ClientDisabled
	case !home.Enabled:
		return iam.RealmDisabled
	case tok.Before(u.NotBefore):
		return iam.NotBeforeUser
	case tok.Before(client.NotBefore):
		return iam.NotBeforeClient
	}
	return ""
}

// standing is the user's; view is the session's, nil for a token without one.
func (b *Bearer) standing(ctx context.Context, home *realms.Realm, u *iam.User, view *sessions.View) (*roles.Standing, error) {
	if view == nil {
		return b.Roles.Of(ctx, home, u.ID)
	}
	return b.Roles.OfView(ctx, home, view)
}

// grantedClaims are the members of a token that say what its bearer may do.
type grantedClaims struct {
	Realm   access            `json:"realm_access"`
	Clients map[string]access `json:"resource_access"`
	Origins []string          `json:"allowed-origins"`
}

// grantedBy is a token whose grantedClaims were read lately.
type grantedBy string

type access struct {
	Roles []string `json:"roles"`
}

// rights fills in the caller's roles: all of the user for the clients that are
// made for administration, whose tokens name none, and else those that the
// token names and the user still has. Keycloak: MgmtPermissions.initIdentity.
func (b *Bearer) rights(r *http.Request, c *Caller, held roles.Set) error {
	c.Roles = held
	if !realms.Administers(c.Client.ClientID) {
		return b.Complete(r, c)
	}
	granted, err := granted(c)
	c.Origins = granted.Origins
	return err
}

// granted reads what the caller's token says itself.
func granted(c *Caller) (grantedClaims, error) {
	out, err := realms.Recall(c.Realm, grantedBy(c.Token.Payload), func() (granted grantedClaims, err error) {
		return granted, json.Unmarshal(c.Token.Payload, &granted)
	})
	if err != nil {
		return out, ErrUnauthenticated
	}
	return out, nil
}

// Complete leaves the caller those of its Roles that its token grants. One that is
// lightweight names neither these nor its audience: the issuer tells.
func (b *Bearer) Complete(r *http.Request, c *Caller) error {
	own, err := granted(c)
	if err != nil {
		return err
	}
	says := []grantedClaims{own}
	if c.Token.Context().Light && !exchanged(c) {
		left, err := b.leftOut(r, c)
		if err != nil {
			return err
		}
		says = append(says, left)
	}
	held := c.Roles
	c.Roles, c.Origins = map[iam.RoleID]struct{}{}, nil
	take := func(client iam.ClientID, names []string) {
		for _, name := range names {
			if role := c.Realm.RoleByName(client, name); role != nil {
				if _, ok := held[role.ID]; ok {
					c.Roles[role.ID] = struct{}{}
				}
			}
		}
	}
	for _, granted := range says {
		c.Origins = append(c.Origins, granted.Origins...)
		take("", granted.Realm.Roles)
		for clientID, list := range granted.Clients {
			client, err := c.Realm.ClientByName(r.Context(), clientID)
			if realms.Missing(err) {
				continue
			}
			if err != nil {
				return err
			}
			take(client.ID, list.Roles)
		}
	}
	return nil
}

// exchanged tells whether a token came of token exchange, or may have by a refresh
// token: it may have been asked for one audience, which a lightweight one does not say.
func exchanged(c *Caller) bool {
	how := c.Token.Context()
	if how.Guest || how.Grant == "te" {
		return true
	}
	if c.View == nil || c.View.Part == nil {
		return false
	}
	for note := range c.View.Part.Notes {
		if strings.HasPrefix(note, iam.NoteExchanged) {
			return true
		}
	}
	return false
}

// leftOut asks the issuer what the caller's lightweight token leaves out, and adds
// its audience to the caller's.
func (b *Bearer) leftOut(r *http.Request, c *Caller) (out grantedClaims, err error) {
	g := &iam.Grant{
		Client: c.Client, User: c.User, Nonce: c.Token.Nonce, Issuer: c.Token.Issuer,
		OpenID: tokens.HasScope(c.Token.Scope, tokens.ScopeOpenID),
	}
	if c.View != nil {
		g.Session, g.Part = c.View.Session, c.View.Part
		c.View.Inform(g)
	}
	t, err := b.Issuer.Rights(r.Context(), c.Realm, g, c.Token.Scope)
	if err != nil {
		return out, err
	}
	c.Audience = append(slices.Clone(c.Audience), t.Audience()...)
	doc, err := t.JSON()
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(doc, &out)
}
