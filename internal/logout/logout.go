package logout

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/claims"
	"latchkey/internal/deliveries"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
	"latchkey/internal/telemetry"
	"latchkey/internal/tokens"
)

const (
	tokenLifespan = 2 * time.Minute
	callTimeout   = 5 * time.Second // of one call to an admin URL
	patience      = 2 * time.Second // that a logout waits for its calls; slower ones go on without it
	maxCalls      = 64              // to admin URLs, under way at a time
)

// A Notifier tells clients of logouts. It is safe for concurrent use.
type Notifier struct {
	issuer *tokens.Issuer
	queue  *deliveries.Queue
	post   func(ctx context.Context, reach iam.Reach, to, contentType, body string) error
	log    *slog.Logger
	calls  chan struct{}

	protocols map[iam.Protocol]Protocol
}

// A Protocol is how clients of one kind hear from the server that their part in a
// session has ended. How they ask for logins is login.Protocol.
type Protocol interface {
	// Note is what is kept until a client was told of its part, nil for one that is not told.
	Note(c *iam.Client, p *iam.ClientSession, issuer string) []byte
	// Call makes the call of one attempt, with the client as it is now.
	Call(ctx context.Context, r *realms.Realm, c *iam.Client, d *deliveries.Delivery) (*deliveries.Call, error)
}

// OIDC tells by logout tokens (OpenID Connect Back-Channel Logout), or an adapter by its admin URL.
type OIDC struct{ Issuer *tokens.Issuer }

// New makes a Notifier. Logouts go through queue, by send; post sends a body to an admin
// URL and returns an error for anything but success. Clients of other protocols are not told.
func New(issuer *tokens.Issuer, queue *deliveries.Queue, send deliveries.Post, post func(ctx context.Context, reach iam.Reach, to,
	contentType, body string) error, log *slog.Logger, protocols map[iam.Protocol]Protocol) *Notifier {
	n := &Notifier{issuer: issuer, queue: queue, post: post, log: log, calls: make(chan struct{}, maxCalls), protocols: protocols}
	// 400 says that the request was invalid or the logout failed at the client
	// (section 2.8): the same again is refused again. Everything else may pass.
	queue.Handle(deliveries.KindLogout, deliveries.HTTP{Post: send, Make: n.call, Final: []int{400}})
	return n
}

// Notify calls the back-channel addresses of the clients that had parts in
// ended sessions of a user, all at once. It waits for a moment and never fails:
// what a client answers changes nothing about the logout. Who was not reached is
// tried again; see package deliveries. issuer is the realm's address, for parts
// that do not remember theirs.
// Keycloak: AuthenticationManager.backchannelLogout.
func (n *Notifier) Notify(ctx context.Context, r *realms.Realm, issuer string, user iam.UserID, parts []*iam.ClientSession) {
	batch, err := n.queue.Put(ctx, n.deliveriesOf(r, issuer, user, parts, func(id iam.ClientID) (*realms.Client,
		error) {
		return r.Client(ctx, id)
	}))
	if err != nil {
		n.log.ErrorContext(ctx, "clients are not told of a logout", telemetry.KeyRealm, r.Name, telemetry.KeyError, err)
	}
	batch.Wait(ctx, patience)
}

// Calls are the logout calls that a transaction has written down.
type Calls struct {
	ids   []string
	batch *deliveries.Batch
}

// Enqueue is Notify for the transaction that ends the sessions: with it the
// clients are told if, and only if, the sessions end. Pass the calls to Outcome
// once the transaction is committed.
func (n *Notifier) Enqueue(ctx context.Context, tx *store.Tx, r *realms.Realm, issuer string, user iam.UserID,
	parts []*iam.ClientSession) (*Calls, error) {
	list := n.deliveriesOf(r, issuer, user, parts, func(id iam.ClientID) (*realms.Client, error) { return r.ClientIn(ctx, tx, id) })
	batch, err := n.queue.Enqueue(ctx, tx, list)
	c := &Calls{batch: batch}
	for _, d := range list {
		c.ids = append(c.ids, d.ID)
	}
	return c, err
}

// Wait waits for calls as long as a logout should. The nil Calls is none.
func (n *Notifier) Wait(ctx context.Context, c *Calls) {
	if c != nil {
		c.batch.Wait(ctx, patience)
	}
}

// Outcome waits for calls as long as a logout should, and says how each stands
// then: delivered, to be tried again, or given up. The nil Calls is none.
func (n *Notifier) Outcome(ctx context.Context, r *realms.Realm, c *Calls) ([]*deliveries.Delivery, error) {
	if c == nil {
		return nil, nil
	}
	c.batch.Wait(ctx, patience)
	var out []*deliveries.Delivery
	for _, id := range c.ids {
		d, err := n.queue.Find(ctx, r, id)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// A notice is what a delivery keeps for the tokens that its attempts make; the
// rest stands beside it. A logout token itself would have expired before long.
type notice struct {
	Issuer string `json:"iss"`            // of the token
	Base   string `json:"base,omitempty"` // the realm's address for the client's relative URLs, when it is another
	// Adapter is the application's own session, which the client's admin URL is told
	// of where it has no back-channel address.
	Adapter string `json:"adapter,omitempty"`
}

// NoteAdapter is the note of a client's part with the session that an adapter
// keeps for it in the application. Keycloak: AdapterConstants.CLIENT_SESSION_STATE.
const NoteAdapter = "client_session_state"

// adapterAddress is where an adapter wants to hear of the end of its session,
// "" for nowhere. Addresses that follow the host which an adapter names are not
// called. Keycloak: ResourceAdminManager.logoutClientSessions.
func adapterAddress(c *iam.Client, p *iam.ClientSession, base string) string {
	if c.AdminURL == "" || c.FrontLogout || p.Notes[NoteAdapter] == "" || strings.Contains(c.AdminURL, "${") {
		return ""
	}
	return strings.TrimSuffix(resolve(c, c.AdminURL, base), "/") + LogoutAll().path
}

func (n *Notifier) deliveriesOf(r *realms.Realm, issuer string, user iam.UserID, parts []*iam.ClientSession,
	find func(iam.ClientID) (*realms.Client, error)) []*deliveries.Delivery {
	var list []*deliveries.Delivery
	for _, p := range parts {
		client, err := find(p.Client)
		if err != nil {
			continue // it is gone, and with it its address
		}
		protocol := n.protocols[client.Protocol]
		if protocol == nil {
			continue
		}
		doc := protocol.Note(&client.Client, p, issuer)
		if doc == nil {
			continue
		}
		list = append(list, &deliveries.Delivery{
			Realm: r.ID, Kind: deliveries.KindLogout, Event: "logout", Client: p.Client, User: user, Session: p.Session, Doc: doc,
		})
	}
	return list
}

// Note keeps the addresses that the token's issuer and the client's URL are made of.
func (o OIDC) Note(c *iam.Client, p *iam.ClientSession, issuer string) []byte {
	what := notice{Issuer: issuer}
	if iss := p.Notes["iss"]; iss != "" && iss != issuer {
		what = notice{Issuer: iss, Base: issuer}
	}
	if address(c, issuer) == "" {
		if adapterAddress(c, p, issuer) == "" {
			return nil
		}
		what.Adapter = p.Notes[NoteAdapter]
	}
	doc, _ := json.Marshal(what) // texts always marshal
	return doc
}

// address is where a client wants to be told by the server, "" for nowhere.
func address(c *iam.Client, base string) string {
	to := c.Attr("backchannel.logout.url")
	if to == "" || c.FrontLogout {
		return ""
	}
	return resolve(c, to, base)
}

// call makes the call of one attempt, with the client as it is now.
func (n *Notifier) call(ctx context.Context, r *realms.Realm, d *deliveries.Delivery) (*deliveries.Call, error) {
	client, err := r.Client(ctx, d.Client)
	if realms.Missing(err) {
		return nil, deliveries.Hopeless("the client is gone")
	}
	if err != nil {
		return nil, err
	}
	protocol := n.protocols[client.Protocol]
	if protocol == nil {
		return nil, deliveries.Hopeless("the client's protocol is not spoken any more")
	}
	return protocol.Call(ctx, r, &client.Client, d)
}

// Call sends a fresh token.
func (o OIDC) Call(ctx context.Context, r *realms.Realm, c *iam.Client, d *deliveries.Delivery) (*deliveries.Call, error) {
	var what notice
	if err := json.Unmarshal(d.Doc, &what); err != nil {
		return nil, deliveries.Unreadable
	}
	if what.Adapter != "" {
		return o.callAdapter(ctx, r, c, d, &what)
	}
	to := address(c, cmp.Or(what.Base, what.Issuer))
	if to == "" {
		return nil, deliveries.Hopeless("the client has no back-channel logout address any more")
	}
	token, err := o.token(ctx, r, c, d, what.Issuer)
	if err != nil {
		return nil, err
	}
	return &deliveries.Call{
		To: to, Reach: r.Reach(c), Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		Body: url.Values{"logout_token": {token}}.Encode(),
	}, nil
}

// callAdapter makes the call that tells an adapter of the end of its session.
// Keycloak: ResourceAdminManager.sendLogoutRequest.
func (o OIDC) callAdapter(ctx context.Context, r *realms.Realm, c *iam.Client, d *deliveries.Delivery,
	what *notice) (*deliveries.Call, error) {
	to := adapterAddress(c, &iam.ClientSession{Notes: map[string]string{NoteAdapter: what.Adapter}}, cmp.Or(what.Base, what.Issuer))
	if to == "" {
		return nil, deliveries.Hopeless("the client has no admin URL any more")
	}
	token, err := action(ctx, o.Issuer, r, c, LogoutAll(), 0, what.Adapter, d.Session)
	if err != nil {
		return nil, err
	}
	return &deliveries.Call{To: to, Reach: r.Reach(c), Header: map[string]string{"Content-Type": "text/plain"}, Body: token}, nil
}

// eventLogout and eventOffline are members of a logout token's events.
const (
	eventLogout  = "http://schemas.openid.net/event/backchannel-logout"
	eventOffline = "revoke_offline_access"
)

// token makes a logout token. Keycloak: TokenManager.initLogoutToken.
func (o OIDC) token(ctx context.Context, r *realms.Realm, c *iam.Client, d *deliveries.Delivery, issuer string) (string, error) {
	now := o.Issuer.Now()
	t := new(claims.Set)
	t.Put("exp", now.Add(tokenLifespan).Unix())
	t.Put("iat", now.Unix())
	t.Put("jti", uuid.NewString())
	t.Put("iss", issuer)
	t.Put("aud", c.ClientID)
	t.Put("sub", string(d.User))
	t.Put("typ", "Logout")
	if c.Attr("backchannel.logout.session.required") != "false" {
		t.Put("sid", string(d.Session))
	}
	what := map[string]any{eventLogout: map[string]any{}}
	if c.Flag("backchannel.logout.revoke.offline.tokens") {
		what[eventOffline] = true
	}
	t.Put("events", what)
	return o.Issuer.Sign(ctx, r, t, c.Attr("id.token.signed.response.alg"), "logout+jwt")
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
