package store

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"latchkey/internal/iam"
)

// A RecordSource is one of the tables that records are kept in, and for
// sessions which kind of them.
type RecordSource struct {
	Table   RecordTable
	Offline bool     // of sessions
	Kind    string   // of occurrences: Refused or TransientToken
	Overdue *Overdue // of live sessions: only what has timed out and is not swept yet
}

// Overdue says by when sessions of one kind, remembered or not, have timed out.
type Overdue struct {
	Remember bool
	Used     time.Time // last used before
	Begun    time.Time // or begun before; zero sets no bound
}

// A RecordTable is where records are kept.
type RecordTable int

// The tables of records.
const (
	LiveRecords RecordTable = iota
	EndedRecords
	OccurrenceRecords
	// LeftRecords are live sessions in which the filter's client had a part and has
	// none any more; without a client there are none.
	LeftRecords
)

// A RecordFilter narrows a search for records; zero members do not.
type RecordFilter struct {
	Sources  []RecordSource
	User     iam.UserID
	Client   iam.ClientID // sessions that it has, or had, a part in
	Reason   string
	IP       string    // that a live session began from
	KeptIP   string    // the same as records keep it; with IP, "" finds none of them
	From, To time.Time // of the beginning, both included
	ByAccess bool      // sort by last access, else by the beginning; with Client, when the client came in
	After    *RecordCursor
	Max      int

	counting bool // how many there are, and nothing of them
}

// A RecordCursor is where a page ended.
type RecordCursor struct {
	At     int64  // milliseconds since 1970
	ID     string // of the last record: ties are broken by it, and then by
	Source int    // the Record's Place
}

// A Record is one line of a list of records.
type Record struct {
	Source     RecordSource
	Place      int    // of Source in the filter
	ID         string // session's, or the occurrence's own
	Key        int64  // what it is sorted by, milliseconds since 1970
	User       iam.UserID
	Username   string // as typed at login
	IP         string
	Remember   bool
	AuthMethod string
	Started    time.Time
	LastAccess time.Time
	Ended      time.Time         // zero for what is live
	Device     string            // JSON, what the browser said of itself
	Notes      map[string]string // of what is live
	Origin     iam.Origin
	End        iam.End // of what has ended
	Occurrence *Occurrence
}

// recordQuery is how one source is searched. In on each ? stands for whether
// the sessions are offline ones: were the tables' columns compared with each
// other, PostgreSQL would not see that the index of a client's parts is sorted.
type recordQuery struct {
	columns, from, on, user, client, reason, ip, started, access, id string
}

const (
	liveColumns  = `s.id, s.user_id, s.username, s.ip, s.remember, s.auth_method, s.started_at, s.last_access, s.notes, s.origin`
	endedColumns = `s.session_id, s.user_id, s.username, s.ip, s.remember, s.auth_method, s.started_at, s.last_access, s.device, s.origin, s.ended_at, s.ending`
	happened     = `o.id, o.kind, o.user_id, o.client_id, o.ip, o.reason, o.count, o.first_at, o.last_at, o.doc`
)

// join names the tables in the order in which SQLite visits them: a cross join
// is one to it. The client's parts come first, in the order of the list, unless
// something narrower than a client is asked for.
func (f *RecordFilter) join(parts, sessions string) string {
	if f.User != "" || f.IP != "" || f.Reason != "" {
		return sessions + " cross join " + parts
	}
	return parts + " cross join " + sessions
}

func (f *RecordFilter) query(s RecordSource) recordQuery {
	switch {
	case f.counting && s.Table == EndedRecords && f.Client != "" && f.User == "" && f.IP == "" && f.Reason == "":
		// The same parts as below, told by their index: one that ended with its session is its last. One that ended alone is of
		// a session that goes on if that was left, and a later part is of the same session unless that ended in between.
		return recordQuery{"", "ended_parts c",
			`c.offline = ? and (not c.alone or not exists (select 1 from left_parts l where l.realm_id = c.realm_id and l.session_id = c.session_id
			and l.offline = ? and l.client_id = c.client_id and l.started_at <= c.started_at)
			and not exists (select 1 from ended_parts k where k.realm_id = c.realm_id and k.session_id = c.session_id and k.offline = ?
				and k.client_id = c.client_id
			and k.started_at > c.started_at and not exists (select 1 from ended_sessions s
				where s.realm_id = k.realm_id and s.session_id = k.session_id and s.offline = ?
			and s.started_at <= c.started_at and s.ended_at >= c.ended_at and s.ended_at < k.ended_at)))`,
			"", "c.client_id", "", "", "c.started_at", "c.last_access", "c.session_id"}
	case f.counting && s.Table == LiveRecords && s.Overdue == nil && f.Client != "" && f.User == "" && f.IP == "":
		return recordQuery{"", "client_sessions c", "c.offline = ?", "", "c.client_id", "", "", "c.started_at", "c.last_access", "c.session_id"}
	case s.Table == OccurrenceRecords:
		return recordQuery{happened, "occurrences o", "", "o.user_id", "o.client_id", "o.reason", "o.ip", "o.first_at", "o.last_at", "o.id"}
	case s.Table == EndedRecords && f.Client != "":
		// A client that left a session and came back has several parts in it: the last one counts.
		return recordQuery{endedColumns, f.join("ended_parts c", "ended_sessions s"),
			`s.realm_id = c.realm_id and s.session_id = c.session_id and s.offline = ? and c.offline = ?
			and s.started_at <= c.started_at and s.ended_at >= c.ended_at and (not c.alone or not exists (select 1 from ended_parts k
				where k.realm_id = c.realm_id
			and k.session_id = c.session_id and k.offline = ?
				and k.client_id = c.client_id and k.started_at > c.started_at and k.ended_at <= s.ended_at))`,
			"s.user_id", "c.client_id", "s.reason", "s.ip", "c.started_at", "c.last_access", "c.session_id"}
	case s.Table == EndedRecords:
		return recordQuery{endedColumns, "ended_sessions s", "", "s.user_id", "", "s.reason", "s.ip", "s.started_at",
			"s.last_access", "s.session_id"}
	case s.Table == LeftRecords:
		return recordQuery{liveColumns, f.join("left_parts c", "user_sessions s"),
			`s.realm_id = c.realm_id and s.id = c.session_id and s.offline = ? and c.offline = ?
			and not exists (select 1 from client_sessions k where k.realm_id = c.realm_id and k.session_id = c.session_id and k.offline = ?
			and k.client_id = c.client_id)`, "s.user_id", "c.client_id", "", "s.ip", "c.started_at", "c.last_access", "c.session_id"}
	case f.Client != "":
		parts, sessions := "client_sessions c", "user_sessions s"
		from := f.join(parts, sessions)
		if s.Overdue != nil {
			from = sessions + " cross join " + parts // they are few
		}
		return recordQuery{liveColumns, from, "s.realm_id = c.realm_id and s.id = c.session_id and s.offline = ? and c.offline = ?",
			"s.user_id", "c.client_id", "", "s.ip", "c.started_at", "c.last_access", "c.session_id"}
	}
	return recordQuery{liveColumns, "user_sessions s", "", "s.user_id", "", "", "s.ip", "s.started_at", "s.last_access", "s.id"}
}

// A recordSearch is one statement's worth of a search.
type recordSearch struct {
	recordQuery
	where
	source RecordSource
	key    string // what the records are sorted by
	order  string // the same, for the planner's eyes
	before int64  // the bound of order; 0 when it has none
}

// bound keeps what is before a time: column is the order or another. An order has
// one bound: PostgreSQL begins to read an index where one says, and if that is the
// looser of two, passes over all between them.
func (x *recordSearch) bound(column string, before int64) {
	switch {
	case column != x.order:
		x.and(column+" < ?", before)
	case x.before == 0 || before < x.before:
		x.before = before
	}
}

// rest ends the conditions: only what comes after a cursor, nil for all.
func (x *recordSearch) rest(after *RecordCursor, place int) {
	switch {
	case after != nil && (x.before == 0 || after.At < x.before):
		than := "<"
		if place > after.Source {
			than = "<="
		}
		x.and("("+x.order+", "+x.id+") "+than+" (?, ?)", after.At, after.ID)
	case x.before != 0:
		x.and(x.order+" < ?", x.before)
	}
}

// searches makes the statements for a source: none when it cannot have any of
// what is looked for. Live sessions that nothing narrows are indexed by whether
// they are remembered, which tells when they time out, so they take two.
func (f *RecordFilter) searches(realm iam.RealmID, s RecordSource) []*recordSearch {
	if s.Table == LeftRecords && f.Client == "" {
		return nil
	}
	live := s.Table == LiveRecords || s.Table == LeftRecords
	if !live && f.IP != "" && f.KeptIP == "" {
		return nil
	}
	if live && f.Reason != "" && s.Overdue == nil {
		return nil
	}
	var out []*recordSearch
	switch {
	case s.Overdue != nil:
		used, begun := f.search(realm, s), f.search(realm, s)
		used.and("s.remember = ?", s.Overdue.Remember)
		if !f.ByAccess {
			// Not by the index of beginnings, where they are far between.
			used.order = "(" + used.key + " + 0)"
		}
		used.bound("s.last_access", millis(s.Overdue.Used))
		out = append(out, used)
		if !s.Overdue.Begun.IsZero() {
			begun.and("s.remember = ?", s.Overdue.Remember)
			if f.ByAccess {
				begun.order = "(" + begun.key + " + 0)"
			}
			begun.bound("s.started_at", millis(s.Overdue.Begun))
			begun.and("(s.last_access + 0) >= ?", millis(s.Overdue.Used)) // as most have been
			out = append(out, begun)
		}
	case s.Table == LiveRecords && f.User == "" && f.Client == "" && f.IP == "":
		for _, remember := range []bool{false, true} {
			x := f.search(realm, s)
			x.and("s.remember = ?", remember)
			out = append(out, x)
		}
	default:
		out = append(out, f.search(realm, s))
	}
	return out
}

func (f *RecordFilter) search(realm iam.RealmID, s RecordSource) *recordSearch {
	x := &recordSearch{recordQuery: f.query(s), source: s}
	alias := x.from[strings.IndexByte(x.from, ' ')+1:][:1] // of the table that is visited first
	x.and(alias+".realm_id = ?", realm)
	switch {
	case s.Table == OccurrenceRecords:
		x.and("o.kind = ?", s.Kind)
	case x.on != "":
		x.and(x.on, slices.Repeat([]any{s.Offline}, strings.Count(x.on, "?"))...)
	default:
		x.and("s.offline = ?", s.Offline)
	}
	x.key = x.started
	if f.ByAccess {
		x.key = x.access
	}
	x.order = x.key
	ip := f.IP
	if s.Table == EndedRecords || s.Table == OccurrenceRecords {
		ip = f.KeptIP
	}
	for _, c := range []struct{ column, value string }{{x.user, string(f.User)}, {x.client, string(f.Client)},
		{x.reason, f.Reason}, {x.ip, ip}} {
		if c.column != "" && c.value != "" {
			x.and(c.column+" = ?", c.value)
		}
	}
	if !f.From.IsZero() {
		x.and(x.started+" >= ?", millis(f.From))
	}
	if !f.To.IsZero() {
		x.bound(x.started, millis(f.To)+1)
	}
	return x
}

// Records returns a page of records of a realm, the latest first.
func (r *Reader) Records(ctx context.Context, realm iam.RealmID, f *RecordFilter) ([]*Record, error) {
	var out []*Record
	for place, s := range f.Sources {
		for _, x := range f.searches(realm, s) {
			x.rest(f.After, place)
			list, err := all(ctx, r.search(), scanRecord(realm, s), `select `+x.key+`, `+x.columns+` from `+x.from+x.text.String()+
				` order by `+x.order+` desc, `+x.id+` desc limit `+x.bind(f.Max), x.args...)
			if err != nil {
				return nil, err
			}
			for _, rec := range list {
				rec.Place = place
			}
			out = append(out, list...)
		}
	}
	// Stable: what ties goes by its source's place.
	slices.SortStableFunc(out, func(a, b *Record) int { return cmp.Or(cmp.Compare(b.Key, a.Key), cmp.Compare(b.ID, a.ID)) })
	return out[:min(len(out), f.Max)], nil
}

// CountRecords counts what a search would find, up to max; a negative max means all.
func (r *Reader) CountRecords(ctx context.Context, realm iam.RealmID, f *RecordFilter, max int) (int64, error) {
	counted := *f
	counted.counting = true
	var sum int64
	for _, s := range f.Sources {
		for _, x := range counted.searches(realm, s) {
			if max >= 0 && sum >= int64(max) {
				return sum, nil
			}
			left := -1
			if max >= 0 {
				left = max - int(sum)
			}
			x.rest(nil, 0)
			n, err := one(ctx, r.search(), scanValue[int64], `select count(*) from (select 1 as found from `+x.from+x.text.String()+` limit `+
				x.bind(limit(left))+`) as matching`, x.args...)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
}

func scanRecord(realm iam.RealmID, s RecordSource) func(row) (*Record, error) {
	return func(row row) (*Record, error) {
		x := &Record{Source: s}
		if s.Table == OccurrenceRecords {
			o, err := scanOccurrence(realm, &x.Key)(row)
			if err != nil {
				return nil, err
			}
			x.ID, x.User, x.IP, x.Started, x.LastAccess, x.Occurrence = o.ID, o.User, o.IP, o.First, o.Last, o
			return x, nil
		}
		var started, access, ended int64
		var device, origin, ending []byte
		dest := []any{&x.Key, &x.ID, &x.User, &x.Username, &x.IP, &x.Remember, &x.AuthMethod, &started, &access, &device, &origin}
		if s.Table == EndedRecords {
			dest = append(dest, &ended, &ending)
		}
		if err := row.Scan(dest...); err != nil {
			return nil, err
		}
		x.Started, x.LastAccess, x.Ended, x.Device = fromMillis(started), fromMillis(access), fromMillis(ended), string(device)
		if s.Table == LiveRecords || s.Table == LeftRecords {
			var notes map[string]string
			if err := json.Unmarshal(device, &notes); err != nil {
				return nil, err
			}
			x.Device, x.Notes = notes[noteDevice], notes
		} else if err := readEnd(ending, &x.End); err != nil {
			return nil, err
		}
		return x, readOrigin(origin, &x.Origin)
	}
}

func scanOccurrence(realm iam.RealmID, key *int64) func(row) (*Occurrence, error) {
	return func(row row) (*Occurrence, error) {
		o := new(Occurrence)
		var first, last int64
		var doc []byte
		if err := row.Scan(key, &o.ID, &o.Kind, &o.User, &o.Client, &o.IP, &o.Reason, &o.Count, &first, &last, &doc); err != nil {
			return nil, err
		}
		o.Realm, o.First, o.Last = realm, fromMillis(first), fromMillis(last)
		return o, readOccurrence(doc, o)
	}
}

// RecordsOfSession returns what there is of a session id, live and ended, both
// kinds, the latest beginning first.
func (r *Reader) RecordsOfSession(ctx context.Context, realm iam.RealmID, id iam.SessionID) ([]*Record, error) {
	var out []*Record
	for _, kind := range iam.SessionKinds() {
		for _, q := range []struct {
			table RecordTable
			text  string
		}{
			{LiveRecords, `select s.started_at, ` + liveColumns + ` from user_sessions s where s.realm_id = $1 and s.id = $2 and s.offline = $3`},
			{EndedRecords, `select s.started_at, ` + endedColumns +
				` from ended_sessions s where s.realm_id = $1 and s.session_id = $2 and s.offline = $3`},
		} {
			list, err := all(ctx, r, scanRecord(realm, RecordSource{Table: q.table, Offline: bool(kind)}), q.text, realm, id, kind)
			if err != nil {
				return nil, err
			}
			out = append(out, list...)
		}
	}
	slices.SortStableFunc(out, func(a, b *Record) int { return cmp.Compare(b.Key, a.Key) })
	return out, nil
}

// Occurrence returns one occurrence by its id; ErrNotFound when it is not there.
func (r *Reader) Occurrence(ctx context.Context, realm iam.RealmID, id string) (*Occurrence, error) {
	var key int64
	return one(ctx, r, scanOccurrence(realm, &key), `select o.first_at, `+happened+` from occurrences o where o.realm_id = $1 and o.id = $2`,
		realm, id)
}

// EndedClientSessions returns the ended parts of clients in sessions of an id.
func (r *Reader) EndedClientSessions(ctx context.Context, realm iam.RealmID, id iam.SessionID) ([]*iam.EndedClientSession, error) {
	return r.EndedClientSessionsOf(ctx, realm, []iam.SessionID{id})
}

// EndedClientSessionsOf returns the ended parts of clients in sessions of several ids.
func (r *Reader) EndedClientSessionsOf(ctx context.Context, realm iam.RealmID, ids []iam.SessionID) ([]*iam.EndedClientSession, error) {
	var out []*iam.EndedClientSession
	for chunk := range slices.Chunk(ids, chunkSize) {
		args := []any{realm}
		for _, id := range chunk {
			args = append(args, id)
		}
		list, err := all(ctx, r, scanEndedClientSession(realm), `select `+endedPartColumns+` from ended_parts p where p.realm_id = $1
			and p.session_id in (`+binds(2, len(chunk))+`) order by p.session_id, (p.ended_at + 0), p.client_id`, args...) // not by the index of all that ended
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

// EndedClientSessionsOfUser returns the latest ended parts of a user's sessions: those of
// one client, or of all for "", that ended at or after a time.
func (r *Reader) EndedClientSessionsOfUser(ctx context.Context, realm iam.RealmID, user iam.UserID, client iam.ClientID, since time.Time,
	max int) ([]*iam.EndedClientSession, error) {
	return all(ctx, r, scanEndedClientSession(realm), `select `+endedPartColumns+` from ended_parts p where p.realm_id = $1 and p.user_id = $2
		and ($3 = '' or p.client_id = $3) and p.ended_at >= $4 order by p.ended_at desc limit $5`, realm, user, client, millis(since), max)
}

const endedPartColumns = `p.session_id, p.offline, p.client_id, p.started_at, p.user_id, p.last_access, p.ended_at, p.refreshes, p.issued, p.origin, p.ending`

func scanEndedClientSession(realm iam.RealmID) func(row) (*iam.EndedClientSession, error) {
	return func(row row) (*iam.EndedClientSession, error) {
		p := new(iam.EndedClientSession)
		p.Realm = realm
		var started, access int64
		var origin, ending []byte
		if err := row.Scan(&p.Session, &p.Offline, &p.Client, &started, &p.User, &access, &p.Ended, &p.Refreshes, &p.Issued, &origin,
			&ending); err != nil {
			return nil, err
		}
		p.Started, p.LastAccess = fromMillis(started), fromMillis(access)
		if err := readEnd(ending, &p.End); err != nil {
			return nil, err
		}
		return p, readOrigin(origin, &p.Origin)
	}
}

// RemovedClients returns the client_ids of clients that are gone, of those asked for.
func (r *Reader) RemovedClients(ctx context.Context, realm iam.RealmID, ids []iam.ClientID) (map[iam.ClientID]string, error) {
	out := map[iam.ClientID]string{}
	for chunk := range slices.Chunk(ids, chunkSize) {
		args := []any{realm}
		for _, id := range chunk {
			args = append(args, id)
		}
		_, err := all(ctx, r, func(row row) (struct{}, error) {
			var id iam.ClientID
			var name string
			err := row.Scan(&id, &name)
			out[id] = name
			return struct{}{}, err
		}, `select id, client_id from removed_clients where realm_id = $1 and id in (`+binds(2, len(chunk))+`)`, args...)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
