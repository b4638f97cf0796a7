package logout

import (
	"context"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/claims"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/telemetry"
	"latchkey/internal/tokens"
)

const (
	tokenLifespan = 2 * time.Minute
	callTimeout   = 5 * time.Second // of one call
	patience      = 2 * time.Second // that a logout waits for its calls; slower ones go on without it
	maxCalls      = 64              // under way at a time; more are left out, and logged
)

// A Notifier tells clients of logouts. It is safe for concurrent use.
type Notifier struct {
	issuer *tokens.Issuer
	post   func(ctx context.Context, to, contentType, body string) error
	log    *slog.Logger
	calls  chan struct{}
}

// New makes a Notifier; post sends a body and returns an error for anything but success.
func New(issuer *tokens.Issuer, post func(ctx context.Context, to, contentType, body string) error, log *slog.Logger) *Notifier {
	return &Notifier{issuer: issuer, post: post, log: log, calls: make(chan struct{}, maxCalls)}
}

// Notify calls the back-channel addresses of the clients that had parts in
// ended sessions of a user, all at once. It waits for a moment and never fails:
// what a client answers changes nothing about the logout. issuer is the realm's
// address, for parts that do not remember theirs.
// Keycloak: AuthenticationManager.backchannelLogout.
func (n *Notifier) Notify(ctx context.Context, r *realms.Realm, issuer string, user iam.UserID, parts []*iam.ClientSession) {
	var wait sync.WaitGroup
	for _, p := range parts {
		client, err := r.Client(ctx, p.Client)
		if err != nil {
			continue // it is gone, and with it its address
		}
		to := client.Attr("backchannel.logout.url")
		if to == "" || client.FrontLogout {
			continue
		}
		to = resolve(&client.Client, to, issuer)
		token, err := n.token(ctx, r, &client.Client, p, user, issuer)
		if err != nil {
			n.log.ErrorContext(ctx, "logout token not made", telemetry.KeyRealm, r.Name, telemetry.KeyClient, client.ClientID, telemetry.KeyError, err)
			continue
		}
		select {
		case n.calls <- struct{}{}:
		default:
			n.log.WarnContext(ctx, "too many logout calls under way; one is left out", telemetry.KeyRealm, r.Name, telemetry.KeyClient, client.ClientID)
			continue
		}
		wait.Go(func() {
			defer func() { <-n.calls }()
			call, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
			defer cancel()
			if err := n.post(call, to, "application/x-www-form-urlencoded", url.Values{"logout_token": {token}}.Encode()); err != nil {
				n.log.WarnContext(ctx, "a client was not told of a logout", telemetry.KeyRealm, r.Name, telemetry.KeyClient, client.ClientID, telemetry.KeyError, err)
			}
		})
	}
	done := make(chan struct{})
	go func() { wait.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	case <-time.After(patience):
	}
}

// eventLogout and eventOffline are members of a logout token's events.
const (
	eventLogout  = "http://schemas.openid.net/event/backchannel-logout"
	eventOffline = "revoke_offline_access"
)

// token makes a logout token. Keycloak: TokenManager.initLogoutToken.
func (n *Notifier) token(ctx context.Context, r *realms.Realm, c *iam.Client, p *iam.ClientSession, user iam.UserID, issuer string) (string, error) {
	if iss := p.Notes["iss"]; iss != "" {
		issuer = iss
	}
	now := n.issuer.Now()
	t := new(claims.Set)
	t.Put("exp", now.Add(tokenLifespan).Unix())
	t.Put("iat", now.Unix())
	t.Put("jti", uuid.NewString())
	t.Put("iss", issuer)
	t.Put("aud", c.ClientID)
	t.Put("sub", string(user))
	t.Put("typ", "Logout")
	if c.Attr("backchannel.logout.session.required") != "false" {
		t.Put("sid", string(p.Session))
	}
	what := map[string]any{eventLogout: map[string]any{}}
	if c.Flag("backchannel.logout.revoke.offline.tokens") {
		what[eventOffline] = true
	}
	t.Put("events", what)
	return n.issuer.Sign(ctx, r, t, c.Attr("id.token.signed.response.alg"), "logout+jwt")
}

// resolve makes an address absolute that stands below the client's root URL.
func resolve(c *iam.Client, to, issuer string) string {
	if to[0] != '/' {
		return to
	}
	return c.ResolvedRoot(issuer) + to
}

// Front lists the addresses that the browser must load for the clients that
// want to be told that way, by client. Keycloak: FrontChannelLogoutHandler.
func Front(ctx context.Context, r *realms.Realm, issuer string, parts []*iam.ClientSession) []FrontClient {
	var out []FrontClient
	for _, p := range parts {
		c, err := r.Client(ctx, p.Client)
		if err != nil || !c.FrontLogout {
			continue
		}
		to := c.Attr("frontchannel.logout.url")
		if to == "" {
			continue
		}
		u, err := url.Parse(resolve(&c.Client, to, issuer))
		if err != nil {
			continue
		}
		if c.Attr("frontchannel.logout.session.required") != "false" {
			iss := p.Notes["iss"]
			if iss == "" {
				iss = issuer
			}
			extra := "sid=" + url.QueryEscape(string(p.Session)) + "&iss=" + url.QueryEscape(iss)
			if u.RawQuery != "" {
				extra = "&" + extra
			}
			u.RawQuery += extra
		}
		name := c.Name
		if name == "" {
			name = c.ClientID
		}
		out = append(out, FrontClient{Name: name, URL: u.String()})
	}
	return out
}

// A FrontClient is a client that is told of a logout through the browser.
type FrontClient struct{ Name, URL string }
