package admin

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

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
	Hostname *web.Hostname
	Now      func() time.Time
}

// Authenticate verifies a request's bearer token: signature, life, the session
// behind it, and that neither realm, client nor user is switched off or has a
// not-before after it. Any realm's token is taken; what its bearer may do is
// another question. Keycloak: AdminRoot.authenticateRealmAdminRequest.
func (b *Bearer) Authenticate(r *http.Request) (*Caller, error) {
	scheme, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	raw = strings.TrimSpace(raw)
	if !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return nil, ErrUnauthenticated
	}
	home, err := b.Realms.Get(r.Context(), realmOf(raw))
	if errors.Is(err, realms.ErrNotFound) {
		return nil, ErrUnauthenticated
	}
	if err != nil {
		return nil, err
	}
	tok, err := tokens.Parse(r.Context(), home, raw)
	if errors.Is(err, tokens.ErrInvalid) {
		return nil, ErrUnauthenticated
	}
	if err != nil {
		return nil, err
	}
	issuer := b.Hostname.URLs(web.RequestOf(r), home.Attrs["frontendUrl"]).Frontend + "/realms/" + home.Name
	if tok.Type != tokens.TypeBearer || tok.Check(issuer, b.Now(), home.NotBefore) != nil {
		return nil, ErrUnauthenticated
	}
	client, err := home.ClientByName(r.Context(), tok.Client)
	if realms.Missing(err) {
		return nil, ErrUnauthenticated
	}
	if err != nil {
		return nil, err
	}
	var user *iam.User
	var standing *roles.Standing
	err = b.Sessions.Together(
		func() (err error) { user, err = b.user(r.Context(), home, client, tok); return err },
		func() (err error) { standing, err = b.standing(r.Context(), home, tok); return err },
	)
	if err != nil {
		return nil, err
	}
	if user == nil || !user.Enabled || !client.Enabled || !home.Enabled || tok.Before(user.NotBefore, client.NotBefore) {
		return nil, ErrUnauthenticated
	}
	c := &Caller{Realm: home, Client: &client.Client, User: user, Session: iam.SessionID(tok.Session), Offline: tok.Context().Offline, Audience: tok.Audience}
	return c, b.rights(r.Context(), c, tok, standing.Roles)
}

// realmOf reads the realm from the issuer of a token that is not verified yet.
func realmOf(raw string) string {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Issuer string `json:"iss"`
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return claims.Issuer[strings.LastIndex(claims.Issuer, "/")+1:]
}

// user finds whom a token is about, nil when its session is over or the token
// is revoked. Keycloak: TokenManager.TokenRevocationCheck.
func (b *Bearer) user(ctx context.Context, home *realms.Realm, client *realms.Client, tok *tokens.Token) (*iam.User, error) {
	how := tok.Context()
	if tok.Session == "" {
		revoked, err := b.Sessions.HasOnce(ctx, home, tok.RevokedKey())
		if err != nil || revoked || !how.Transient {
			return nil, err
		}
		u, err := b.Users.Get(ctx, &home.Realm, iam.UserID(tok.Subject))
		if errors.Is(err, users.ErrNotFound) {
			return nil, nil
		}
		return u, err
	}
	view, err := b.Sessions.FindFor(ctx, home, iam.SessionID(tok.Session), how.Offline, &client.Client, tok.RevokedKey())
	if errors.Is(err, sessions.ErrNoPart) && how.Guest {
		err = nil
	}
	switch {
	case view == nil && err != nil && !errors.Is(err, sessions.ErrGone):
		return nil, err
	case err != nil, view.Once, tok.BeforeSession(view.Session.Started), tok.Before(view.RealmNotBefore, view.ClientNotBefore):
		return nil, nil
	}
	return view.User, nil
}

// standing is that of the user whom user finds: tokens of administrators' clients
// name a session and no user.
func (b *Bearer) standing(ctx context.Context, home *realms.Realm, tok *tokens.Token) (*roles.Standing, error) {
	if tok.Session == "" {
		return b.Roles.Of(ctx, home, iam.UserID(tok.Subject))
	}
	return b.Roles.OfSession(ctx, home, iam.SessionID(tok.Session), tok.Context().Offline)
}

// grantedClaims are the members of a token that say what its bearer may do.
type grantedClaims struct {
	Realm   access            `json:"realm_access"`
	Clients map[string]access `json:"resource_access"`
	Origins []string          `json:"allowed-origins"`
}

type access struct {
	Roles []string `json:"roles"`
}

// rights fills in the caller's roles: all of the user for the clients that are
// made for administration, whose tokens name none, and else those that the
// token names and the user still has. Keycloak: MgmtPermissions.initIdentity.
func (b *Bearer) rights(ctx context.Context, c *Caller, tok *tokens.Token, held roles.Set) error {
	var granted grantedClaims
	if err := json.Unmarshal(tok.Payload, &granted); err != nil {
		return ErrUnauthenticated
	}
	c.Origins = granted.Origins
	if c.Client.ClientID == realms.ClientAdminCLI || c.Client.ClientID == realms.ClientAdminConsole {
		c.Roles = held
		return nil
	}
	c.Roles = map[iam.RoleID]struct{}{}
	take := func(client iam.ClientID, names []string) {
		for _, name := range names {
			if role := c.Realm.RoleByName(client, name); role != nil && held.Has(role.ID) {
				c.Roles[role.ID] = struct{}{}
			}
		}
	}
	take("", granted.Realm.Roles)
	for clientID, list := range granted.Clients {
		client, err := c.Realm.ClientByName(ctx, clientID)
		if realms.Missing(err) {
			continue
		}
		if err != nil {
			return err
		}
		take(client.ID, list.Roles)
	}
	return nil
}
