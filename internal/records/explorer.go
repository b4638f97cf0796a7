package records

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/internal/bearer"
	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
)

// An Explorer finds sessions of every kind, live and ended, and tells their
// stories. Its fields are set once. It is safe for concurrent use.
type Explorer struct {
	DB       *store.DB
	Sessions *sessions.Service
	Judge    *bearer.Service
	Counter  *Counter
	Events   *events.Writer
	Realms   *realms.Cache
}

// The kinds of sessions, and of what is listed beside them.
const (
	KindOnline    = "online"
	KindOffline   = "offline"
	KindTransient = "transient" // tokens that have no session
	KindRefused   = "refused"   // refused logins and tokens
)

// The states of a session.
const (
	StateLive  = "live"
	StateEnded = "ended"
)

// A Query narrows a list; zero members do not.
type Query struct {
	Kinds    []string // KindOnline...; none means all but KindRefused
	State    string   // StateLive or StateEnded
	User     iam.UserID
	Client   iam.ClientID
	Reason   iam.Reason
	Address  string
	From, To time.Time // of the beginning
	ByAccess bool      // sort by last access instead of the beginning
	After    string    // Page.Next of the page before
	Max      int       // 0: 50; at most 500
	Count    string    // "": none, "true": up to 10,000 of each kind, "exact": all
}

// A Page is a part of a list, the latest first.
type Page struct {
	Sessions []*Entry `json:"sessions"`
	Next     string   `json:"next,omitzero"`  // give it as Query.After for the next page
	Count    *Count   `json:"count,omitzero"` // if it was asked for
}

// A Count is how many a query finds.
type Count struct {
	Number int64  `json:"number"`
	Exact  bool   `json:"exact"` // false: there are more
	Text   string `json:"text"`  // "214", "more than 10,000"
}

// An Entry is one session as lists show it. Times are milliseconds since 1970.
type Entry struct {
	ID         string           `json:"id"` // for the story
	Kind       string           `json:"kind"`
	State      string           `json:"state,omitzero"`     // of sessions
	Session    iam.SessionID    `json:"sessionId,omitzero"` // the sid claim
	User       iam.UserID       `json:"userId,omitzero"`
	Username   string           `json:"username,omitzero"`
	Clients    []*ClientSession `json:"clients"`
	Address    string           `json:"ipAddress,omitzero"`
	Device     *Device          `json:"device,omitzero"`
	RememberMe bool             `json:"rememberMe,omitzero"`
	Start      int64            `json:"start"`
	LastAccess int64            `json:"lastAccess"`
	Began      *Beginning       `json:"began,omitzero"`
	GoodFor    *GoodFor         `json:"goodFor,omitzero"` // of what is live
	End        *Ending          `json:"end,omitzero"`     // of what has ended
	Count      int64            `json:"count,omitzero"`   // of what is counted by the hour
	Reason     iam.Reason       `json:"reason,omitzero"`  // of refusals
	Text       string           `json:"text,omitzero"`    // of refusals, in a plain sentence
	Token      string           `json:"tokenId,omitzero"` // the last one, of what is counted
	Scopes     []Scope          `json:"scopes,omitzero"`  // likewise
}

// A Device is what the browser or program said of itself.
type Device = sessions.Device

// A ClientSession is a client's part in a session.
type ClientSession struct {
	ID         iam.ClientID `json:"id"`
	ClientID   string       `json:"clientId,omitzero"`
	State      string       `json:"state"`
	Start      int64        `json:"start"`
	LastAccess int64        `json:"lastAccess"`
	Refreshes  int64        `json:"refreshes"`
	How        iam.How      `json:"how,omitzero"`
	Again      bool         `json:"again,omitzero"` // it had a part before; How is how it came last
	Scope      string       `json:"scope,omitzero"` // as it was asked for
	Scopes     []Scope      `json:"scopes,omitzero"`
	End        *Ending      `json:"end,omitzero"`
	Issued     []Issued     `json:"issued,omitzero"` // the newest first; in stories alone
}

// A Scope is a granted scope and why it was.
type Scope struct {
	Name string `json:"name"`
	Why  string `json:"why"` // "requested", "default of the client", "default of the realm when the client was made"
}

// Issued is an answer with tokens: ids and types, never tokens.
type Issued struct {
	At          int64  `json:"at"`
	Grant       string `json:"grant"`
	AccessToken string `json:"accessTokenId,omitzero"`
	RefreshType string `json:"refreshTokenType,omitzero"`
	Refresh     string `json:"refreshTokenId,omitzero"`
}

// A Beginning is how a session began.
type Beginning struct {
	How      iam.How       `json:"how"`
	Flow     string        `json:"flow,omitzero"`
	Client   string        `json:"clientId,omitzero"`
	Asked    iam.Reason    `json:"asked,omitzero"` // why the login page was shown
	Why      string        `json:"why,omitzero"`   // the same in words
	Named    iam.SessionID `json:"named,omitzero"` // the session that the browser's cookie named
	OutOf    string        `json:"outOf,omitzero"` // of an offline session: the online one's story
	ByAdmin  iam.UserID    `json:"byAdmin,omitzero"`
	Recorded bool          `json:"recorded"` // false: it began before beginnings were kept
}

// GoodFor says what a live session can still do.
type GoodFor struct {
	SingleSignOn bool  `json:"singleSignOn"`
	Refresh      bool  `json:"refresh"`
	UntilIdle    int64 `json:"untilIdle"`      // when it ends unless it is used
	UntilMax     int64 `json:"until,omitzero"` // when it ends at the latest; 0: never
}

// An Ending is why something ended.
type Ending struct {
	At         int64         `json:"at"`
	Reason     iam.Reason    `json:"reason"`
	Text       string        `json:"text"` // the reason in words
	By         iam.ActorKind `json:"by"`
	Actor      iam.UserID    `json:"actorId,omitzero"`
	ActorName  string        `json:"actor,omitzero"`
	ActorRealm string        `json:"actorRealm,omitzero"` // of an administrator of another realm
	Client     string        `json:"clientId,omitzero"`
	Rule       string        `json:"rule,omitzero"`
	Token      string        `json:"tokenId,omitzero"`
}

const (
	defaultPage = 50
	maxPage     = 500
	countLimit  = 10_000
	patience    = 2 * time.Second
)

// errNarrow is what a search comes to that is neither among the documented
// filters nor fast by luck.
var errNarrow = &iam.Error{Kind: iam.Invalid, Msg: "This combination of filters takes longer than two seconds. Narrow it: by a user, a " +
	"client, an address, a reason or a shorter time, alone."}

// List returns a page of a realm's sessions.
func (x *Explorer) List(ctx context.Context, r *realms.Realm, q Query) (*Page, error) {
	f, err := x.filter(r, q)
	if err != nil {
		return nil, err
	}
	x.Counter.Flush(ctx)
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	page, err := x.list(limited, r, q, f)
	if err == nil && q.Count != "" {
		counting := limited
		if q.Count == "exact" { // whoever asks for that waits for it
			counting = ctx
		}
		page.Count, err = x.count(counting, r, q, f)
	}
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return nil, errNarrow
	}
	return page, err
}

func (x *Explorer) list(ctx context.Context, r *realms.Realm, q Query, f *store.RecordFilter) (*Page, error) {
	page := &Page{Sessions: []*Entry{}}
	want := f.Max
	for {
		f.Max = want + 1
		list, err := x.DB.Records(ctx, r.ID, f)
		if err != nil {
			return nil, err
		}
		entries, err := x.entries(ctx, r, list)
		if err != nil {
			return nil, err
		}
		for i, e := range entries {
			// What has timed out and is not swept yet has ended all the same.
			if q.State != "" && e.State != "" && e.State != q.State || q.Reason != "" && e.End != nil && e.End.Reason != q.Reason {
				continue
			}
			if len(page.Sessions) == want {
				page.Next = cursor(list[i-1])
				break
			}
			page.Sessions = append(page.Sessions, e)
		}
		if page.Next != "" || len(list) < f.Max {
			break
		}
		last := list[len(list)-1]
		f.After = &store.RecordCursor{At: last.Key, ID: last.ID, Source: last.Place}
		if len(page.Sessions) == want {
			page.Next = cursor(last)
			break
		}
	}
	return page, nil
}

func cursor(x *store.Record) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %d %s", x.Key, x.Place, x.ID))
}

// place reads what cursor wrote.
func place(text string) (*store.RecordCursor, bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	words := strings.SplitN(string(b), " ", 3)
	if err != nil || len(words) != 3 || !Storable(words[2]) {
		return nil, false
	}
	at, err := strconv.ParseInt(words[0], 10, 64)
	source, err2 := strconv.Atoi(words[1])
	return &store.RecordCursor{At: at, Source: source, ID: words[2]}, err == nil && err2 == nil
}

func (x *Explorer) filter(r *realms.Realm, q Query) (*store.RecordFilter, error) {
	f := &store.RecordFilter{User: q.User, Client: q.Client, Reason: string(q.Reason), IP: q.Address, From: q.From, To: q.To,
		ByAccess: q.ByAccess, Max: q.Max}
	if f.Max <= 0 {
		f.Max = defaultPage
	}
	f.Max = min(f.Max, maxPage)
	if q.State != "" && q.State != StateLive && q.State != StateEnded {
		return nil, iam.Errorf(iam.Invalid, "There is no state %q: it is live or ended", q.State)
	}
	reason, ok := q.Reason.Info()
	if !ok && q.Reason != "" {
		return nil, iam.Errorf(iam.Invalid, "There is no reason %q", q.Reason)
	}
	// Nobody learns by searching what records of this realm do not show; live
	// sessions have their whole addresses, in Keycloak's own endpoints too.
	f.KeptIP = r.KeptAddress(f.IP)
	if len(q.Kinds) == 0 {
		q.Kinds = []string{KindOnline, KindOffline, KindTransient}
		if q.State != "" {
			q.Kinds = []string{KindOnline, KindOffline}
		}
		if reason.Refuses && q.State == "" {
			q.Kinds = append(q.Kinds, KindRefused)
		}
	}
	if q.State != "" && slices.Contains(q.Kinds, KindRefused) {
		return nil, iam.Errorf(iam.Invalid, "What was refused is neither live nor ended: leave out the state, or the kind %s", KindRefused)
	}
	for _, kind := range q.Kinds {
		switch kind {
		case KindOnline, KindOffline:
			f.Sources = append(f.Sources, x.sessions(r, q, kind == KindOffline)...)
		case KindTransient:
			if q.Reason == "" { // a token without a session has no end to have a reason
				f.Sources = append(f.Sources, store.RecordSource{Table: store.OccurrenceRecords, Kind: store.TransientToken})
			}
		case KindRefused:
			f.Sources = append(f.Sources, store.RecordSource{Table: store.OccurrenceRecords, Kind: store.Refused})
		default:
			return nil, iam.Errorf(iam.Invalid, "There is no kind %q: it is online, offline, transient or refused", kind)
		}
	}
	if q.After != "" {
		after, ok := place(q.After)
		if !ok {
			return nil, iam.Errorf(iam.Invalid, "The place to go on after is not one that this server gave")
		}
		f.After = after
	}
	return f, nil
}

// sessions are the tables in which sessions of a kind are looked for. What has
// timed out and is not swept yet has ended, but its record is where it was.
func (x *Explorer) sessions(r *realms.Realm, q Query, kind iam.SessionKind) []store.RecordSource {
	var out []store.RecordSource
	for _, table := range []store.RecordTable{store.LiveRecords, store.LeftRecords} {
		if q.State != StateEnded && q.Reason == "" {
			out = append(out, store.RecordSource{Table: table, Offline: bool(kind)})
			continue
		}
		if q.State == StateLive || q.Reason != "" && q.Reason != iam.Idle && q.Reason != iam.MaxAge && q.Reason != iam.NotRemembered {
			continue
		}
		out = append(out, x.overdue(r, store.RecordSource{Table: table, Offline: bool(kind)})...)
	}
	if q.State != StateLive {
		out = append(out, store.RecordSource{Table: store.EndedRecords, Offline: bool(kind)})
	}
	return out
}

// overdue narrows a source of live sessions to what has timed out.
func (x *Explorer) overdue(r *realms.Realm, s store.RecordSource) []store.RecordSource {
	out := []store.RecordSource{s, s}
	for i := range out {
		due := x.Sessions.Overdue(r, iam.SessionKind(s.Offline), i == 1)
		out[i].Overdue = &due
	}
	return out
}

func (x *Explorer) count(ctx context.Context, r *realms.Realm, q Query, f *store.RecordFilter) (*Count, error) {
	all := *f
	all.After = nil
	limit := countLimit + 1
	if q.Count == "exact" {
		limit = -1
	}
	n, err := x.DB.CountRecords(ctx, r.ID, &all, limit)
	if err != nil {
		return nil, err
	}
	if q.State == StateLive && (limit < 0 || n < int64(limit)) {
		// Not those that are stored as live, and have timed out.
		all.Sources = nil
		for _, s := range f.Sources {
			if s.Table == store.LiveRecords || s.Table == store.LeftRecords {
				all.Sources = append(all.Sources, x.overdue(r, s)...)
			}
		}
		due, err := x.DB.CountRecords(ctx, r.ID, &all, -1)
		if err != nil {
			return nil, err
		}
		n -= due
	}
	if q.Count != "exact" && n > countLimit {
		return &Count{Number: countLimit, Text: "more than 10,000"}, nil
	}
	c := &Count{Number: n, Exact: true, Text: strconv.FormatInt(n, 10)}
	if q.State != "" && slices.Contains(q.Kinds, KindTransient) {
		// Which tokens have expired is not known without reading all of them.
		c.Text, c.Exact = "at most "+c.Text, false
	}
	return c, nil
}

// Storable tells whether a text may be looked for at all: PostgreSQL has none
// with a zero byte, or that is not UTF-8.
func Storable(text string) bool {
	return strings.IndexByte(text, 0) < 0 && utf8.ValidString(text)
}

// id names a record in addresses, for as long as it is kept, live or ended.
func id(s *store.Record) string {
	if o := s.Occurrence; o != nil {
		return o.Kind + "." + o.ID
	}
	kind := KindOnline
	if s.Source.Offline {
		kind = KindOffline
	}
	return kind + "." + s.ID + "." + strconv.FormatInt(s.Started.UnixMilli(), 36)
}

// entries renders records, asking the database once for what all of them need.
func (x *Explorer) entries(ctx context.Context, r *realms.Realm, list []*store.Record) ([]*Entry, error) {
	t := &describer{ctx: ctx, x: x, r: r, names: map[iam.UserID]string{}, clients: clientNames{}}
	live := map[iam.SessionKind][]iam.SessionID{}
	var ended []iam.SessionID
	var users []iam.UserID
	for _, rec := range list {
		if rec.User != "" && !slices.Contains(users, rec.User) {
			users = append(users, rec.User)
		}
		if rec.End.Actor != "" && rec.End.Realm == "" && !slices.Contains(users, rec.End.Actor) {
			users = append(users, rec.End.Actor)
		}
		if rec.Occurrence != nil {
			continue
		}
		if kind := iam.SessionKind(rec.Source.Offline); rec.Ended.IsZero() {
			live[kind] = append(live[kind], iam.SessionID(rec.ID))
		}
		ended = append(ended, iam.SessionID(rec.ID))
	}
	var err error
	if t.names, err = x.DB.Usernames(ctx, r.ID, users); err != nil {
		return nil, err
	}
	for _, kind := range iam.SessionKinds() {
		parts, err := x.Sessions.ClientSessions(ctx, r, iam.SessionRefs{Kind: kind, IDs: live[kind]})
		if err != nil {
			return nil, err
		}
		t.live = append(t.live, parts...)
	}
	if len(ended) > 0 {
		if t.ended, err = x.DB.EndedClientSessionsOf(ctx, r.ID, ended); err != nil {
			return nil, err
		}
	}
	if err := t.nameClients(list); err != nil {
		return nil, err
	}
	out := make([]*Entry, len(list))
	for i, rec := range list {
		out[i] = t.entry(rec)
	}
	return out, nil
}

// ErrNoRecord says that there is no session of that id, or no longer a record of it.
var ErrNoRecord = &iam.Error{Kind: iam.NotFound, Msg: "There is no session of that id, or its record has been removed"}

// find returns the records that an id of a list, or a bare session id, names:
// the one that is meant first.
func (x *Explorer) find(ctx context.Context, r *realms.Realm, name string) ([]*store.Record, error) {
	if !Storable(name) {
		return nil, ErrNoRecord
	}
	kind, rest, dotted := strings.Cut(name, ".")
	if dotted && (kind == KindTransient || kind == KindRefused) {
		x.Counter.Flush(ctx)
		o, err := x.DB.Occurrence(ctx, r.ID, rest)
		if errors.Is(err, store.ErrNotFound) || err == nil && o.Kind != kind {
			return nil, ErrNoRecord
		}
		if err != nil {
			return nil, err
		}
		return []*store.Record{{Source: store.RecordSource{Table: store.OccurrenceRecords, Kind: o.Kind}, ID: o.ID, User: o.User, IP: o.IP,
			Started: o.First, LastAccess: o.Last, Occurrence: o}}, nil
	}
	sid, started := name, ""
	if dotted && (kind == KindOnline || kind == KindOffline) {
		i := strings.LastIndexByte(rest, '.')
		if i < 0 {
			return nil, ErrNoRecord
		}
		sid, started = rest[:i], rest[i+1:]
	}
	list, err := x.DB.RecordsOfSession(ctx, r.ID, iam.SessionID(sid))
	if err != nil {
		return nil, err
	}
	meant := -1
	for i, rec := range list {
		switch {
		case started == "" && (meant < 0 || rec.Ended.IsZero() && !list[meant].Ended.IsZero()):
			meant = i // the live one, else the latest
		case started != "" && id(rec) == name:
			meant = i
		}
	}
	if meant < 0 {
		return nil, ErrNoRecord
	}
	list[0], list[meant] = list[meant], list[0]
	return list, nil
}
