package records

import (
	"context"
	"slices"
	"strings"
	"time"

	"latchkey/internal/bearer"
	"latchkey/internal/iam"
	"latchkey/internal/jose"
	"latchkey/internal/keys"
	"latchkey/internal/realms"
	"latchkey/internal/store"
	"latchkey/internal/tokens"
)

// Seen is where a request sees a realm.
type Seen struct {
	Issuer  string // the realm's address
	Follows bool   // it follows the host name that a request names
}

// An Inspection is what a token is and whether it works now. It never holds the
// token.
type Inspection struct {
	Kind      string       `json:"kind"` // "access token", "refresh token", "offline token", "ID token", "logout token"
	ID        string       `json:"tokenId,omitzero"`
	Client    string       `json:"clientId,omitzero"`
	User      iam.UserID   `json:"userId,omitzero"`
	Username  string       `json:"username,omitzero"`
	Session   string       `json:"sessionId,omitzero"`
	Scope     string       `json:"scope,omitzero"`
	Audience  []string     `json:"audience,omitzero"`
	Issued    int64        `json:"issued,omitzero"`  // milliseconds since 1970
	Expires   int64        `json:"expires,omitzero"` // likewise; 0: it does not by itself
	Works     bool         `json:"works"`            // somewhere at this server, now
	Where     []Place      `json:"where"`
	Why       []WhyNot     `json:"why"`            // it does not, the most telling first
	Story     string       `json:"story,omitzero"` // id of its session's story
	Sentence  string       `json:"sentence"`
	WouldEnd  []string     `json:"wouldEnd"` // what would end it, of what works
	Signature KeyInspected `json:"signature"`
}

// A Place is somewhere a token may be presented.
type Place struct {
	At    string `json:"at"` // "token endpoint", "userinfo", "introspection", "resource servers that verify offline", "logout, as a hint"
	Works bool   `json:"works"`
	Text  string `json:"text,omitzero"`
}

// A WhyNot is a reason that a token does not work, in words.
type WhyNot struct {
	Reason iam.Reason `json:"reason"`
	Text   string     `json:"text"`
}

// A KeyInspected is the key that signed a token.
type KeyInspected struct {
	Key    string        `json:"keyId,omitzero"`
	Alg    string        `json:"alg"`
	Status iam.KeyStatus `json:"status"` // active, passive or disabled
}

// errForeign is all that is said of what is no token of the realm.
var errForeign = &iam.Error{Kind: iam.Invalid, Msg: "This is not a token of this realm, or the key that signed it is gone"}

// longestToken bounds what is looked at.
const longestToken = 64 << 10

// Inspect tells of a token of the realm, also of one that is expired or
// revoked.
func (x *Explorer) Inspect(ctx context.Context, r *realms.Realm, at Seen, raw string) (*Inspection, error) {
	t, key, err := x.open(ctx, r, strings.TrimSpace(raw))
	if err != nil {
		return nil, err
	}
	return x.InspectRead(ctx, r, at, t, key)
}

// InspectRead is Inspect for a token that was read already, by whoever knows its key.
func (x *Explorer) InspectRead(ctx context.Context, r *realms.Realm, at Seen, t *tokens.Token, key *KeyInspected) (*Inspection, error) {
	in := &Inspection{
		Kind: kinds[t.Type], ID: t.ID, Client: t.Client, User: iam.UserID(t.Subject), Session: t.Session, Scope: t.Scope, Audience: t.Audience,
		Issued: t.IssuedAt * 1000, Expires: t.Expires * 1000, Where: []Place{}, Why: []WhyNot{}, WouldEnd: []string{}, Signature: *key,
	}
	if in.Kind == "" {
		in.Kind = "token of type " + t.Type
	}
	c := &inspecting{ctx: ctx, x: x, r: r, t: t, in: in, now: x.DB.Now()}
	if err := c.look(at, key); err != nil {
		return nil, err
	}
	c.conclude()
	return in, nil
}

var kinds = map[string]string{
	tokens.TypeBearer: "access token", tokens.TypeDPoP: "access token", tokens.TypeRefresh: "refresh token",
	tokens.TypeOffline: "offline token",
	tokens.TypeID:      "ID token", typeLogout: "logout token", typeIdentity: "identity cookie",
	typeInitialAccess: "initial access token", typeRegistration: "registration access token",
}

// The "typ" claims of what is signed by rooms that are not asked here.
const (
	typeLogout        = "Logout"
	typeIdentity      = "Serialized-ID"
	typeInitialAccess = "InitialAccessToken"
	typeRegistration  = "RegistrationAccessToken"
)

// standsOnSession tells whether tokens of a type fall with a session, or with
// the user and client where they have none.
func standsOnSession(typ string) bool {
	switch typ {
	case tokens.TypeBearer, tokens.TypeDPoP, tokens.TypeRefresh, tokens.TypeOffline, tokens.TypeID, typeIdentity:
		return true
	}
	return false
}

// open verifies a token with all keys that the realm has, the disabled ones
// too: whoever shows a token that none of them signed learns nothing.
func (x *Explorer) open(ctx context.Context, r *realms.Realm, raw string) (*tokens.Token, *KeyInspected, error) {
	if len(raw) > longestToken {
		return nil, nil, errForeign
	}
	parsed, err := jose.Parse(raw)
	if err != nil {
		return nil, nil, errForeign
	}
	for _, k := range keys.Of(r).All() {
		if k.For != iam.Sig || parsed.Header.KID != "" && parsed.Header.KID != k.KID {
			continue
		}
		if _, err := (jose.Set{k.Key}).Verify(parsed); err != nil {
			continue
		}
		t := new(tokens.Token)
		if err := parsed.Claims(t); err != nil {
			return nil, nil, errForeign
		}
		t.Payload = parsed.Payload
		return t, &KeyInspected{Key: k.KID, Alg: parsed.Header.Alg, Status: k.Status}, nil
	}
	return nil, nil, errForeign
}

// inspecting is one inspection under way.
type inspecting struct {
	ctx  context.Context
	x    *Explorer
	r    *realms.Realm
	t    *tokens.Token
	in   *Inspection
	now  time.Time
	v    *bearer.Verdict
	only string // the address at which alone the token works, "" where it works at this request's
}

// refuse adds a reason, once.
func (c *inspecting) refuse(reason iam.Reason, detail string) {
	if slices.ContainsFunc(c.in.Why, func(w WhyNot) bool { return w.Reason == reason }) {
		return
	}
	info, _ := reason.Info()
	text := "It does not work " + info.Text + "."
	if detail != "" {
		text += " " + detail
	}
	c.in.Why = append(c.in.Why, WhyNot{reason, text})
}

// What is asked about a token: of one that stands on a session or user, about these too; the
// lasting before the passing.
var (
	tokenChecks   = []bearer.Check{bearer.OfHost, bearer.KnownClient, bearer.NotExpired}
	sessionChecks = []bearer.Check{
		bearer.OfHost, bearer.KnownClient, bearer.LiveSession, bearer.LiveClientSession, bearer.NotRevoked,
		bearer.AfterSession, bearer.AfterClientSession,
		bearer.Unspent, bearer.OfflineGranted,
		bearer.KnownUser, bearer.RealmOn, bearer.ClientOn, bearer.AfterRealm, bearer.AfterClient, bearer.UserOn,
		bearer.AfterUser, bearer.NotExpired,
	}
)

// look finds everything that speaks against the token.
func (c *inspecting) look(at Seen, key *KeyInspected) (err error) {
	if key.Status == iam.KeyDisabled {
		c.refuse(iam.TokenRetiredKey, "Key "+key.Key+" is disabled.")
	}
	want := bearer.Want{Checks: tokenChecks, Whole: true, OneKind: true, Issuer: at.Issuer}
	if standsOnSession(c.t.Type) {
		want.Checks = sessionChecks
	}
	_, own := cutHost(at.Issuer)
	if host, path := cutHost(c.t.Issuer); c.t.Issuer != at.Issuer && at.Follows && path == own {
		c.only, want.Issuer = host, c.t.Issuer
	}
	if c.v, err = c.x.Judge.JudgeRead(c.ctx, c.r, c.t, want); err != nil {
		return err
	}
	if v := c.v.View; v != nil {
		c.in.Story = id(&store.Record{Source: store.RecordSource{Offline: v.Session.Offline}, ID: c.t.Session, Started: v.Session.Started})
	}
	if c.v.User != nil {
		c.in.Username = c.v.User.Username
	}
	for _, no := range c.v.Refusals {
		if err := c.explain(no, at); err != nil {
			return err
		}
	}
	return nil
}

// explain tells of one refusal what is known beyond its reason.
func (c *inspecting) explain(no bearer.Refusal, at Seen) error {
	v := c.v.View
	switch no {
	case bearer.OtherHost:
		c.refuse(iam.TokenOtherHost, "It was issued as "+c.t.Issuer+", and this request sees the realm as "+at.Issuer+".")
	case bearer.UnknownClient:
		c.refuse(iam.ClientRemoved, "")
	case bearer.SessionGone:
		return c.sessionEnded(iam.SessionID(c.t.Session))
	case bearer.SessionTimedOut, bearer.SessionForgotten:
		c.refuseEnd(c.x.Sessions.TimedOut(c.r, v.Session), "The session")
	case bearer.ClientSessionTimedOut:
		c.refuseEnd(c.x.Sessions.ClientSessionTimedOut(c.r, &c.v.Client.Client, v.Session, v.ClientSession), "The client's part in the session")
	case bearer.ClientSessionGone:
		return c.partEnded(iam.SessionID(c.t.Session))
	case bearer.SpentToken:
		text := "The realm rotates refresh tokens (revokeRefreshToken), and this one has been used; the next one counts now. Presenting it " +
			"again ends the client's part in the session"
		if grace := c.r.RefreshGrace(); grace > 0 {
			text += ", unless its successor is younger than " + span(grace) + " and unused: then it gives that successor again (" +
				iam.SettingRefreshGrace + ")"
		}
		c.refuse(iam.TokenReuse, text+".")
	case bearer.BeforeRealm, bearer.BeforeClient, bearer.BeforeUser:
		c.refuse(no.Reason(), "It was issued "+clock(c.t.Issued())+"; what was issued before "+clock(c.v.NotBefore(c.r, no))+" is refused.")
	case bearer.NotGranted:
		if c.t.Type == tokens.TypeOffline { // its access tokens work until they expire
			c.refuse(iam.OfflineNotGranted, "")
		}
	case bearer.Expired:
		c.refuse(iam.TokenExpired, "It expired "+clock(time.Unix(c.t.Expires, 0))+".")
	default:
		c.refuse(no.Reason(), "")
	}
	return nil
}

// cutHost cuts an address behind its host.
func cutHost(address string) (host, path string) {
	scheme, rest, ok := strings.Cut(address, "://")
	i := strings.IndexByte(rest, '/')
	if !ok || i < 0 {
		return address, ""
	}
	return scheme + "://" + rest[:i], rest[i:]
}

func (c *inspecting) offline() bool { return c.t.Type == tokens.TypeOffline || c.t.Context().Offline }

func (c *inspecting) refuseEnd(e iam.End, what string) {
	t := &describer{ctx: c.ctx, x: c.x, r: c.r, clients: clientNames{}}
	c.refuse(e.Reason, what+" timed out ("+t.rule(e)+").")
}

// sessionEnded tells why the token's session ended, from its record.
func (c *inspecting) sessionEnded(sid iam.SessionID) error {
	list, err := c.x.DB.RecordsOfSession(c.ctx, c.r.ID, sid)
	if err != nil {
		return err
	}
	for _, rec := range list {
		if rec.Ended.IsZero() || rec.Source.Offline != c.offline() {
			continue
		}
		s, err := c.x.Story(c.ctx, c.r, id(rec), false)
		if err != nil {
			return err
		}
		c.in.Story = s.ID
		c.refuse(rec.End.Reason, "Its session: "+s.Sentence)
		return nil
	}
	c.refuse(iam.SessionEnded, "No record of it is left.")
	return nil
}

// partEnded tells why the client's part ended while the session goes on.
func (c *inspecting) partEnded(sid iam.SessionID) error {
	parts, err := c.x.DB.EndedClientSessions(c.ctx, c.r.ID, sid)
	if err != nil {
		return err
	}
	slices.Reverse(parts)
	for _, p := range parts {
		if c.v.Client != nil && p.Client == c.v.Client.ID && p.Offline == c.offline() {
			c.refuse(p.End.Reason, "The client's part in the session ended "+clock(time.UnixMilli(p.Ended))+"; the session goes on.")
			return nil
		}
	}
	c.refuse(iam.ClientSessionEnded, "No record of it is left.")
	return nil
}

// ownAccount is the account REST, which takes tokens that are made for it.
func (c *inspecting) ownAccount(good bool) Place {
	p := Place{At: "account REST"}
	switch {
	case !slices.Contains(c.t.Audience, realms.ClientAccount):
		p.Text = "its audience lacks " + realms.ClientAccount
	case c.v.View == nil || c.v.User == nil || c.v.User.ServiceAccount != "":
		p.Text = "it is for people who have a session"
	default:
		p.Works = good
	}
	return p
}

// conclude says where the token works, and what would end it.
func (c *inspecting) conclude() {
	in, t := c.in, c.t
	good := len(in.Why) == 0
	switch t.Type {
	case tokens.TypeRefresh, tokens.TypeOffline:
		in.Where = append(in.Where, Place{"token endpoint", good, "for client " + t.Client + " alone"})
	case tokens.TypeID:
		in.Where = append(in.Where, Place{"logout, as a hint", true, "also when it has expired"})
	case tokens.TypeBearer, tokens.TypeDPoP:
		openid := tokens.HasScope(t.Scope, tokens.ScopeOpenID)
		text := ""
		if !openid {
			text = "it lacks the scope openid"
		}
		in.Where = append(in.Where, Place{"userinfo", good && openid, text}, Place{"introspection", good, "for clients in its audience"})
		if t.Type == tokens.TypeBearer {
			in.Where = append(in.Where, Place{"admin REST", good, "as far as the roles of its bearer reach"}, c.ownAccount(good))
		}
		offline := Place{At: "resource servers that verify offline", Works: t.Active(c.now)}
		if !good && offline.Works {
			offline.Text = "they do not ask this server: they accept it until it expires " + clock(time.Unix(t.Expires, 0))
		}
		in.Where = append(in.Where, offline)
	case typeIdentity:
		in.Where = append(in.Where, Place{"login pages, as the browser's cookie", good, ""})
	case typeLogout:
		in.Where = append(in.Where, Place{"the client's back-channel logout", good,
			"it tells a client of a logout; it is good for nothing at this server"})
	case typeInitialAccess, typeRegistration:
		in.Where = append(in.Where, Place{"client registration", good, "unless it has been used up, replaced or removed: that is decided there"})
	}
	in.Works = good && len(in.Where) > 0
	switch {
	case !good:
		in.Sentence = "This " + in.Kind + " does not work. " + in.Why[0].Text
		return
	case len(in.Where) == 0:
		in.Sentence = "This " + in.Kind + " is of this realm, but nothing at this server takes it."
		return
	}
	in.Sentence = "This " + in.Kind + " works now."
	if c.only != "" {
		in.Sentence = "This " + in.Kind + " works now, at " + c.only + " alone: the server answers under any host name, and a token works " +
			"under the one that it was issued under."
		for i := range in.Where {
			in.Where[i].Text = strings.TrimPrefix(in.Where[i].Text+"; at "+c.only, "; ")
		}
	}
	if t.Expires > 0 {
		in.WouldEnd = append(in.WouldEnd, "It expires "+clock(time.Unix(t.Expires, 0))+".")
	}
	if !standsOnSession(t.Type) {
		return
	}
	if c.v.View != nil {
		life, _ := c.x.Sessions.Life(c.r, c.v.View.Session)
		in.WouldEnd = append(in.WouldEnd, "Its session ends "+clock(life.Idle)+" unless it is used before.")
		if !life.Max.IsZero() {
			in.WouldEnd = append(in.WouldEnd, "Its session ends "+clock(life.Max)+" at the latest.")
		}
		if c.v.View.Session.Offline {
			in.WouldEnd = append(in.WouldEnd, "Its session is an offline one: logging out in the browser, and \"logout all sessions\" of the "+
				"user, leave it alone; what ends it is its revocation, the withdrawal of consent, or an administrator.")
		} else {
			in.WouldEnd = append(in.WouldEnd, "A logout of its session, by the user, the client or an administrator, ends it.")
		}
	}
	in.WouldEnd = append(in.WouldEnd, "It is refused when the user, the client or the realm is disabled, or a not-before is set.")
	if t.Type == tokens.TypeRefresh || t.Type == tokens.TypeOffline {
		if c.r.Refresh.Rotate {
			in.WouldEnd = append(in.WouldEnd, "Its next use: the realm rotates refresh tokens.")
		}
	}
}
