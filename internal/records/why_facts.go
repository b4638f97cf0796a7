package records

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
)

// facts is what is known of one user at one time.
type facts struct {
	x    *Explainer
	ctx  context.Context
	r    *realms.Realm
	q    WhyQuery
	id   iam.UserID
	now  time.Time
	past bool // now is not the present: how things stand today explains nothing

	user     *iam.User            // nil when removed
	clientID iam.ClientID         // asked about, "" for any
	client   *realms.Client       // of that id, nil when removed
	unknown  bool                 // a client was asked about that never was
	sessions []*seenSession       // of the user, the latest beginning first
	parts    []*seenClientSession // of the client asked about, or of all, likewise
	refusals []*seenRefusal       // of the user, the latest first
	locks    []*seenRefusal       // of the user at any client, for a lock, likewise
	joins    []*seenClientSession // live parts of all clients
	others   []*seenRefusal       // of the client, of nobody in particular, likewise
	names    clientNames
	clients  map[iam.ClientID]*realms.Client // that were looked up, nil when gone
	alone    map[string]bool                 // of these, whether nobody else's sessions began there
	ips      map[string]bool                 // that are the user's, as they are kept
}

// A seenSession is a user session, live or ended.
type seenSession struct {
	iam.UserSession
	device string
	ended  time.Time // zero while it lives
	end    iam.End
	proved time.Time // when the user last proved who they are in it
}

// id is how the session explorer names it.
func (s *seenSession) id() string {
	kind := "online"
	if s.Offline {
		kind = "offline"
	}
	return kind + "." + string(s.ID) + "." + strconv.FormatInt(s.Started.UnixMilli(), 36)
}

func (s *seenSession) live() bool { return s.ended.IsZero() }

// A seenClientSession is a client's part in a session, live or ended.
type seenClientSession struct {
	iam.ClientSession
	session *seenSession // nil when its record is gone
	ended   time.Time    // zero while it lives
	end     iam.End
}

func (p *seenClientSession) live() bool { return p.ended.IsZero() }

// issued is when it last got tokens, as far as is known.
func (p *seenClientSession) issued() time.Time {
	if list := iam.Issuances(p.Issued); len(list) > 0 {
		return time.UnixMilli(list[0].At)
	}
	return time.Time{}
}

// A seenRefusal is a refused login or token.
type seenRefusal struct {
	*store.Occurrence
	reason iam.Reason
	kind   iam.EventKind // "LOGIN" of LOGIN_ERROR
}

// How much is read of each: the newest.
const (
	mostSessions = 100
	mostParts    = 200
	mostRefusals = 200
)

func (f *facts) findClient() error {
	if f.q.Client == "" {
		return nil
	}
	c, err := f.r.ClientByName(f.ctx, f.q.Client)
	switch {
	case err == nil:
		f.client, f.clientID = c, c.ID
		return nil
	case !realms.Missing(err):
		return err
	}
	// One that was removed is known by its name for as long as records of it are.
	list, err := f.x.Records.db.EndedClientSessionsOfUser(f.ctx, f.r.ID, f.id, "", time.Time{}, mostParts)
	if err != nil {
		return err
	}
	var ids []iam.ClientID
	for _, p := range list {
		ids = append(ids, p.Client)
	}
	gone, err := f.x.Records.db.RemovedClients(f.ctx, f.r.ID, ids)
	if err != nil {
		return err
	}
	for _, p := range list {
		if gone[p.Client] == f.q.Client {
			f.clientID = p.Client
			return nil
		}
	}
	f.unknown = true
	return nil
}

func (f *facts) read() error {
	f.clients, f.ips = map[iam.ClientID]*realms.Client{}, map[string]bool{}
	f.alone = map[string]bool{}
	for _, step := range []func() error{f.readLive, f.readEnded, f.readRefusals, f.readNames} {
		if err := step(); err != nil {
			return err
		}
	}
	slices.SortStableFunc(f.sessions, func(a, b *seenSession) int { return b.Started.Compare(a.Started) })
	slices.SortStableFunc(f.parts, func(a, b *seenClientSession) int { return b.Started.Compare(a.Started) })
	for _, s := range f.sessions {
		f.ips[f.r.KeptAddress(s.IP)] = true
	}
	if len(f.ips) == 0 { // nobody logged in yet: then those that tried
		for _, o := range f.refusals {
			f.ips[o.IP] = true
		}
	}
	delete(f.ips, "")
	return nil
}

// readLive reads sessions that are stored as live, those included whose time is
// over and which nobody came back to.
func (f *facts) readLive() error {
	for _, kind := range iam.SessionKinds() {
		stored, err := f.x.Records.db.Records(f.ctx, f.r.ID, &store.RecordFilter{User: f.id, Max: mostSessions,
			Sources: []store.RecordSource{{Table: store.LiveRecords, Offline: bool(kind)}}})
		if err != nil {
			return err
		}
		refs, at := iam.SessionRefs{Kind: kind, User: f.id}, map[iam.SessionID]*seenSession{}
		for _, rec := range stored {
			s := f.recorded(rec)
			life, live := f.x.Sessions.Life(f.r, &s.UserSession)
			if !live {
				s.end, s.ended = f.x.Sessions.TimedOut(f.r, &s.UserSession), life.First()
			}
			refs.IDs = append(refs.IDs, s.ID)
			at[s.ID] = f.addSession(s)
		}
		parts, err := f.x.Sessions.ClientSessions(f.ctx, f.r, refs)
		if err != nil {
			return err
		}
		for _, p := range parts {
			if err := f.addStored(at[p.Session], p); err != nil {
				return err
			}
		}
	}
	return nil
}

// recorded is a session as its record tells of it.
func (f *facts) recorded(rec *store.Record) *seenSession {
	s := &seenSession{device: rec.Device, ended: rec.Ended, end: rec.End, proved: rec.Started, UserSession: iam.UserSession{
		ID: iam.SessionID(rec.ID), Realm: f.r.ID, User: rec.User, Offline: rec.Source.Offline, Remember: rec.Remember,
		Username: rec.Username, IP: rec.IP,
		AuthMethod: rec.AuthMethod, Started: rec.Started, LastAccess: rec.LastAccess, Notes: rec.Notes, Origin: rec.Origin}}
	if sec, err := strconv.ParseInt(rec.Notes["AUTH_TIME"], 10, 64); err == nil && time.Unix(sec, 0).After(s.proved) {
		s.proved = time.Unix(sec, 0)
	}
	return s
}

// addSession takes a session as it stood at the time that is asked about.
func (f *facts) addSession(s *seenSession) *seenSession {
	if s.Started.After(f.now) {
		return s
	}
	if s.ended.After(f.now) {
		s.ended = time.Time{}
	}
	f.sessions = append(f.sessions, s)
	return s
}

func (f *facts) addPart(p *seenClientSession) {
	if !p.Started.After(f.now) && p.live() {
		f.joins = append(f.joins, p)
	}
	if p.Started.After(f.now) || f.clientID != "" && p.Client != f.clientID {
		return
	}
	if p.ended.After(f.now) {
		p.ended = time.Time{}
	}
	f.parts = append(f.parts, p)
}

// addStored adds the stored part of a session; it ends with it, or before.
func (f *facts) addStored(s *seenSession, stored *iam.ClientSession) error {
	p := &seenClientSession{ClientSession: *stored, session: s, ended: s.ended, end: s.end}
	c, err := f.clientOf(p.Client)
	if err != nil {
		return err
	}
	if c != nil && p.live() {
		if e := sessions.OfClientSession(&f.r.Realm, &c.Client, &s.UserSession, &p.ClientSession); e.At(f.now) {
			p.ended, p.end = e.First(), f.x.Sessions.ClientSessionTimedOut(f.r, &c.Client, &s.UserSession, &p.ClientSession)
		}
	}
	f.addPart(p)
	return nil
}

// clientOf returns a client, nil for one that is gone.
func (f *facts) clientOf(id iam.ClientID) (*realms.Client, error) {
	if c, ok := f.clients[id]; ok || id == "" {
		return c, nil
	}
	c, err := f.r.Client(f.ctx, id)
	if realms.Missing(err) {
		c, err = nil, nil
	}
	if err == nil {
		f.clients[id] = c
	}
	return c, err
}

func (f *facts) readEnded() error {
	list, err := f.x.Records.db.Records(f.ctx, f.r.ID, &store.RecordFilter{User: f.id, Max: mostSessions,
		Sources: []store.RecordSource{{Table: store.EndedRecords}, {Table: store.EndedRecords, Offline: true}}})
	if err != nil {
		return err
	}
	for _, rec := range list {
		f.addSession(f.recorded(rec))
	}
	parts, err := f.x.Records.db.EndedClientSessionsOfUser(f.ctx, f.r.ID, f.id, f.clientID, time.Time{}, mostParts)
	if err != nil {
		return err
	}
	for _, ended := range parts {
		p := &seenClientSession{ClientSession: ended.ClientSession, ended: time.UnixMilli(ended.Ended), end: ended.End}
		for _, s := range f.sessions {
			if s.ID == p.Session && s.Offline == p.Offline && !s.Started.After(p.Started) && (s.live() || !s.ended.Before(p.ended)) {
				p.session = s
			}
		}
		f.addPart(p)
	}
	return nil
}

func (f *facts) readRefusals() error {
	own, err := f.refused(&store.RecordFilter{User: f.id})
	if err != nil {
		return err
	}
	for _, o := range own {
		if o.reason == iam.BruteForceLock {
			f.locks = append(f.locks, o)
		}
		if f.clientID == "" && !f.unknown || o.Client == f.clientID || o.Client == "" {
			f.refusals = append(f.refusals, o)
		}
	}
	if f.clientID == "" && !f.unknown {
		return nil
	}
	filter := &store.RecordFilter{Client: f.clientID}
	if f.unknown {
		filter = &store.RecordFilter{Reason: string(iam.UnknownClient)}
	}
	// Whose it was is not known of a refusal at the door. Those of other users
	// are read along: there is no index of refusals without a user.
	list, err := f.refused(filter)
	if err != nil {
		return err
	}
	for _, o := range list {
		if o.User == "" {
			f.others = append(f.others, o)
		}
	}
	return nil
}

func (f *facts) refused(filter *store.RecordFilter) ([]*seenRefusal, error) {
	filter.Sources, filter.Max, filter.To = []store.RecordSource{{Table: store.OccurrenceRecords, Kind: store.Refused}}, mostRefusals, f.now
	list, err := f.x.Records.db.Records(f.ctx, f.r.ID, filter)
	if err != nil {
		return nil, err
	}
	out := make([]*seenRefusal, 0, len(list))
	for _, rec := range list {
		o := &seenRefusal{Occurrence: rec.Occurrence, reason: iam.Reason(rec.Occurrence.Reason), kind: rec.Occurrence.Doc.Event.Tried()}
		if o.Last.After(f.now) {
			o.Last = f.now
		}
		out = append(out, o)
	}
	slices.SortStableFunc(out, func(a, b *seenRefusal) int { return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(b.ID, a.ID)) })
	return out, nil
}

func (f *facts) readNames() error {
	var ids []iam.ClientID
	for _, s := range f.sessions {
		ids = append(ids, s.Origin.Client, s.end.Client)
	}
	for _, p := range f.parts {
		ids = append(ids, p.Client, p.end.Client)
	}
	for _, o := range slices.Concat(f.refusals, f.others) {
		ids = append(ids, o.Client)
	}
	return f.names.read(f.ctx, f.x.Records.db, f.r, append(ids, f.clientID))
}

// name is a client's name for sentences.
func (f *facts) name(id iam.ClientID) string { return f.names.of(id) }

// browser is what a session's browser said of itself, as far as it tells
// browsers apart.
func (s *seenSession) browser() string {
	var d sessions.Device
	if json.Unmarshal([]byte(s.device), &d) != nil {
		return ""
	}
	return d.Name()
}

// sameBrowser tells whether a refusal may have befallen the browser of a
// session: it named the session, or the one before it, or looks like it.
func (s *seenSession) sameBrowser(o *seenRefusal) bool {
	switch {
	case o.Doc.Session != "" && s != nil:
		return s.ID == o.Doc.Session || s.Origin.Named == o.Doc.Session
	case s == nil || o.Doc.Device == "":
		return true
	}
	return s.browser() == o.Doc.Device
}
