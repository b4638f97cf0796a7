package logout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"latchkey/internal/broker"
	"latchkey/internal/deliveries"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
	"latchkey/internal/telemetry"
)

// An Ender ends some of a user's sessions and says what that does: beforehand,
// and afterwards with what became of the calls to clients.
type Ender struct {
	Sessions *sessions.Service
	Notifier *Notifier
	Broker   *broker.Service // by which identity providers are asked to end theirs
}

// A Report says what ending sessions would do, or has done. Times are
// milliseconds since 1970.
type Report struct {
	Preview     bool            `json:"preview"`
	Text        string          `json:"text"`
	Sessions    []*EndedSession `json:"sessions"`
	LogoutCalls []*ClientCall   `json:"logoutCalls"`
	NotBefore   NotBefore       `json:"notBefore"`
}

// An EndedSession is a session that ends, or from which clients are taken out.
type EndedSession struct {
	ID         iam.SessionID         `json:"id"`
	Kind       string                `json:"kind"`  // online or offline
	Whole      bool                  `json:"whole"` // false: only the clients' parts end
	Start      int64                 `json:"start"`
	LastAccess int64                 `json:"lastAccess"`
	Text       string                `json:"text"`
	Clients    []*EndedClientSession `json:"clients"`
}

// An EndedClientSession is a client's part that ends, and what becomes of its tokens.
type EndedClientSession struct {
	ID           iam.ClientID `json:"id"`
	ClientID     string       `json:"clientId,omitzero"`
	RefreshToken string       `json:"refreshToken"`
	AccessToken  string       `json:"accessToken"`
	AccessUntil  int64        `json:"accessTokenUntil"` // at most, where a resource server verifies it by itself
}

// The ways in which clients learn of a logout.
const (
	ByBackChannel  = "back-channel"
	ByFrontChannel = "front-channel"
	ByNothing      = "none"
)

// A ClientCall is how a client learns that its part in a session ended.
type ClientCall struct {
	ID       iam.ClientID     `json:"id"`
	ClientID string           `json:"clientId"`
	Session  iam.SessionID    `json:"sessionId"`
	How      string           `json:"how"`
	URL      string           `json:"url,omitzero"`
	Text     string           `json:"text"`
	State    deliveries.State `json:"state,omitzero"`    // of a call that was made
	Delivery string           `json:"delivery,omitzero"` // its id
	Attempts int              `json:"attempts,omitzero"`
	Due      int64            `json:"dueAt,omitzero"` // when it is tried again
	Error    string           `json:"lastError,omitzero"`
}

// NotBefore says whether all tokens of the user from before are refused as well.
type NotBefore struct {
	Set  bool   `json:"set"`
	Text string `json:"text"`
}

func notBefore(set bool) NotBefore {
	if set {
		return NotBefore{true, "All tokens of the user that were issued before now are refused, also those of sessions that are not listed here."}
	}
	return NotBefore{false, "No not-before is set: tokens of the user's other sessions are not affected."}
}

// Session ends one session and tells the clients that had a part in it, which
// it returns; sessions.ErrGone when there is no such session. issuer is the
// realm's address. What a client answers changes nothing about the logout. The
// online session that an offline one came out of ends with it.
func (e *Ender) Session(ctx context.Context, r *realms.Realm, issuer string, ref iam.SessionRef,
	end iam.End) ([]*iam.ClientSession, error) {
	var calls told
	parts, err := e.Sessions.Logout(ctx, r, ref, end, e.telling(r, issuer, &calls))
	if err == nil {
		e.afterwards(ctx, r, &calls)
	}
	return parts, err
}

// Here is Session, but asks no identity provider to end its session: it is where the logout comes from, or is asked by itself.
func (e *Ender) Here(ctx context.Context, r *realms.Realm, issuer string, ref iam.SessionRef, end iam.End) ([]*iam.ClientSession, error) {
	var calls told
	parts, err := e.Sessions.Logout(ctx, r, ref, end, e.telling(r, issuer, &calls))
	if err == nil {
		e.Notifier.Wait(ctx, calls.clients)
	}
	return parts, err
}

// told is what ended sessions leave to tell.
type told struct {
	clients *Calls
	ended   []*iam.UserSession
}

// mostAsked is how many providers are asked at once to end their sessions.
const mostAsked = 8

func (e *Ender) afterwards(ctx context.Context, r *realms.Realm, t *told) {
	e.Notifier.Wait(ctx, t.clients)
	e.there(ctx, r, t.ended)
}

func (e *Ender) there(ctx context.Context, r *realms.Realm, list []*iam.UserSession) {
	var asked sync.WaitGroup
	free := make(chan struct{}, mostAsked)
	for _, s := range list {
		free <- struct{}{}
		asked.Go(func() {
			e.There(ctx, r, s)
			<-free
		})
	}
	asked.Wait()
}

// There has the provider by whose word a session began end its own, if it takes such calls, and tells whether
// it was asked. That it cannot be reached ends nothing here. Keycloak: OIDCIdentityProvider.backchannelLogout.
func (e *Ender) There(ctx context.Context, r *realms.Realm, s *iam.UserSession) bool {
	p := Provider(r, s)
	if p == nil || !p.Flag("backchannelSupported") {
		return false
	}
	asked, err := e.Broker.EndThere(ctx, &p.IdentityProvider, broker.Outgoing{Session: string(s.ID), IDToken: s.Notes[broker.NoteIDToken]})
	if err != nil {
		e.Notifier.log.WarnContext(ctx, "an identity provider was not told of a logout",
			telemetry.KeyRealm, r.Name, "provider", p.Alias, telemetry.KeyError, err)
	}
	return asked
}

// Provider is the identity provider by whose word a session began, nil for none that is there.
func Provider(r *realms.Realm, s *iam.UserSession) *realms.IdentityProvider {
	p := r.IDP(s.Notes["identity_provider"])
	if p == nil || !p.Enabled || s.BrokerUser == "" {
		return nil
	}
	return p
}

// OfUser ends a user's online sessions and tells their clients.
func (e *Ender) OfUser(ctx context.Context, r *realms.Realm, issuer string, user iam.UserID, end iam.End) error {
	var calls told
	_, err := e.Sessions.EndOfUser(ctx, r, user, end, e.telling(r, issuer, &calls))
	if err == nil {
		e.afterwards(ctx, r, &calls)
	}
	return err
}

// Others ends all of a user's sessions but the online one that is kept, and tells
// their clients. Keycloak: AuthenticatorUtil.logoutOtherSessions.
func (e *Ender) Others(ctx context.Context, r *realms.Realm, issuer string, user iam.UserID, kept iam.SessionID, end iam.End) error {
	for _, kind := range iam.SessionKinds() {
		list, err := e.Sessions.OfUser(ctx, r, user, kind)
		if err != nil {
			return err
		}
		for _, s := range list {
			if s.ID == kept && kind == iam.Online {
				continue
			}
			if _, err := e.Session(ctx, r, issuer, s.Ref(), end); err != nil && !errors.Is(err, sessions.ErrGone) {
				return fmt.Errorf("log out the user's other sessions: %w", err)
			}
		}
	}
	return nil
}

// telling writes the calls down in the transaction that ends the sessions: a
// server that is lost right after it tells the clients when it is back.
func (e *Ender) telling(r *realms.Realm, issuer string, t *told) sessions.Within {
	return func(ctx context.Context, tx *store.Tx, list []*sessions.Ending) (err error) {
		if len(list) == 0 {
			return nil
		}
		var parts []*iam.ClientSession
		t.ended = nil // the transaction may run again
		for _, x := range list {
			parts = append(parts, x.ClientSessions...)
			t.ended = append(t.ended, x.Session)
		}
		t.clients, err = e.Notifier.Enqueue(ctx, tx, r, issuer, list[0].Session.User, parts)
		return err
	}
}

// Preview says what End would do.
func (e *Ender) Preview(ctx context.Context, r *realms.Realm, issuer string, user iam.UserID, c sessions.Choice,
	before bool) (*Report, error) {
	list, err := e.Sessions.Chosen(ctx, r, user, c)
	if err != nil {
		return nil, err
	}
	return e.report(ctx, r, issuer, list, true, before)
}

// End ends the sessions that a Choice means, and tells clients. Whoever wants a
// not-before sets it before; before says that it was.
func (e *Ender) End(ctx context.Context, r *realms.Realm, issuer string, user iam.UserID, c sessions.Choice, end iam.End,
	before bool) (*Report, error) {
	var calls *Calls
	list, err := e.Sessions.EndChosen(ctx, r, user, c, end, func(ctx context.Context, tx *store.Tx, ended []sessions.Affected) (err error) {
		calls, err = e.Notifier.Enqueue(ctx, tx, r, issuer, user, toldParts(ended))
		return err
	})
	if err != nil {
		return nil, err
	}
	var whole []*iam.UserSession
	for _, x := range list {
		if x.Whole {
			whole = append(whole, x.UserSession)
		}
	}
	e.there(ctx, r, whole)
	report, err := e.report(ctx, r, issuer, list, false, before)
	if err != nil {
		return nil, err
	}
	outcome, err := e.Notifier.Outcome(ctx, r, calls)
	for _, d := range outcome {
		i := slices.IndexFunc(report.LogoutCalls, func(c *ClientCall) bool { return c.ID == d.Client && c.Session == d.Session })
		if i >= 0 {
			report.LogoutCalls[i].became(d)
		}
	}
	return report, err
}

// toldParts lists the parts whose clients are told, each client once for a session:
// an online and an offline one of the same id are one to it.
func toldParts(list []sessions.Affected) (parts []*iam.ClientSession) {
	for _, x := range list {
		for _, p := range x.ClientSessions {
			if !slices.ContainsFunc(parts, func(o *iam.ClientSession) bool { return o.Client == p.Client && o.Session == p.Session }) {
				parts = append(parts, p)
			}
		}
	}
	return parts
}

func (e *Ender) report(ctx context.Context, r *realms.Realm, issuer string, list []sessions.Affected, preview,
	before bool) (*Report, error) {
	out := &Report{Preview: preview, Sessions: []*EndedSession{}, LogoutCalls: []*ClientCall{}, NotBefore: notBefore(before)}
	now := e.Notifier.issuer.Now()
	var whole, parts int
	for _, x := range list {
		s := &EndedSession{ID: x.ID, Kind: "online", Whole: x.Whole, Start: x.Started.UnixMilli(), LastAccess: x.LastAccess.UnixMilli(),
			Clients: []*EndedClientSession{}}
		if x.Offline {
			s.Kind = "offline"
		}
		switch {
		case !x.Whole && x.Offline:
			s.Text = "The session stays, for its other clients."
		case !x.Whole:
			s.Text = "The session stays: with it the browser is signed on without being asked, at these clients too."
		case x.Offline:
			s.Text = "The offline session ends, with all its tokens."
		default:
			s.Text = "The session ends: the browser has to log in again, at whichever client."
		}
		if x.Whole {
			whole++
		} else {
			parts += len(x.ClientSessions)
		}
		for _, p := range x.ClientSessions {
			part, err := ended(ctx, r, x.UserSession, p, now)
			if err != nil {
				return nil, err
			}
			s.Clients = append(s.Clients, part)
		}
		out.Sessions = append(out.Sessions, s)
	}
	for _, p := range toldParts(list) {
		call, err := e.Notifier.way(ctx, r, issuer, p)
		if err != nil {
			return nil, err
		}
		if call != nil {
			out.LogoutCalls = append(out.LogoutCalls, call)
		}
	}
	out.Text = summary(whole, parts, preview)
	return out, nil
}

func summary(whole, parts int, preview bool) string {
	verb := map[bool]string{true: "would end", false: "ended"}[preview]
	switch {
	case whole == 0 && parts == 0:
		return "Nothing " + verb + ": there is no such live session."
	case parts == 0:
		return fmt.Sprintf("%s %s.", count(whole, "session"), verb)
	case whole == 0:
		return fmt.Sprintf("%s in sessions %s; the sessions stay.", count(parts, "client's part", "clients' parts"), verb)
	}
	return fmt.Sprintf("%s and %s in others %s.", count(whole, "session"), count(parts, "client's part", "clients' parts"), verb)
}

func count(n int, word string, words ...string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %s", n, append(words, word+"s")[0])
}

// ended says what becomes of a client's tokens. An access token of this moment
// is the one that lives longest.
func ended(ctx context.Context, r *realms.Realm, us *iam.UserSession, p *iam.ClientSession, now time.Time) (*EndedClientSession, error) {
	out := &EndedClientSession{ID: p.Client, RefreshToken: "Refused at once."}
	if us.Offline {
		out.RefreshToken = "The offline token is refused at once."
	}
	c, err := r.Client(ctx, p.Client)
	if realms.Missing(err) {
		out.AccessToken = "The client is gone: refused at once."
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	until := sessions.AccessTokenExpiry(&r.Realm, &c.Client, us, p, false, now)
	if c.ImplicitFlow {
		if other := sessions.AccessTokenExpiry(&r.Realm, &c.Client, us, p, true, now); other.After(until) {
			until = other
		}
	}
	out.ClientID, out.AccessUntil = c.ClientID, until.UnixMilli()
	out.AccessToken = "Refused at once by userinfo and introspection. A resource server that verifies it by itself accepts it until it " +
		"expires, by " +
		until.UTC().Format(time.RFC3339) + " at the latest as lifespans are set now."
	return out, nil
}

// way is how a client learns of the end of its part, nil for one that is gone.
func (n *Notifier) way(ctx context.Context, r *realms.Realm, issuer string, p *iam.ClientSession) (*ClientCall, error) {
	c, err := r.Client(ctx, p.Client)
	if realms.Missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := &ClientCall{ID: c.ID, ClientID: c.ClientID, Session: p.Session, How: ByBackChannel}
	if other := n.protocols[c.Protocol]; c.Protocol != iam.OIDC {
		if out.How, out.Text = ByNothing, "The client is not told."; other != nil && other.Note(&c.Client, p, issuer) != nil {
			out.How, out.Text = ByBackChannel, "The client is told by its protocol, and again for a day if that does not arrive."
		}
		return out, nil
	}
	out.URL = address(&c.Client, issuer)
	front := c.Attr("frontchannel.logout.url")
	switch {
	case out.URL != "":
		out.Text = "A logout token is sent to the client's back-channel logout address, and again for a day if it does not arrive."
	case adapterAddress(&c.Client, p, issuer) != "":
		out.URL = adapterAddress(&c.Client, p, issuer)
		out.Text = "The client's admin URL is told of its session, and again for a day if it does not take it."
	case c.FrontLogout && front != "":
		out.How, out.URL = ByFrontChannel, resolve(&c.Client, front, issuer)
		out.Text = "The client is told through the user's browser alone, which cannot be called from here: it notices when it next presents a " +
			"token."
	default:
		out.How, out.Text = ByNothing, "The client has no logout address: it notices when it next presents a token."
	}
	return out, nil
}

// became notes how a call stands.
func (c *ClientCall) became(d *deliveries.Delivery) {
	c.State, c.Delivery, c.Attempts, c.Error = d.State, d.ID, d.Attempts, d.LastError
	switch d.State {
	case deliveries.Delivered:
		c.Text = "The client took the logout token."
	case deliveries.GivenUp:
		c.Text = "The client was not told, and is not told again: " + d.LastError + "."
	default:
		c.Due = d.DueAt.UnixMilli()
		c.Text = "The client was not told yet: its turn has not come, or it has not answered."
		if d.LastError != "" {
			c.Text = "The client was not told yet: " + d.LastError + ". It is tried again."
		}
	}
}
