package store

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"latchkey/internal/iam"
)

// A RecordSource is one of the tables that records are kept in, and for
// sessions which kind of them.
type RecordSource struct {
	Table   RecordTable
	Offline bool   // of sessions
	Kind    string // of occurrences: Refused or TransientToken
}

// A RecordTable is where records are kept.
type RecordTable int

// The tables of records.
const (
	LiveRecords RecordTable = iota
	EndedRecords
	OccurrenceRecords
	// LeftRecords are live sessions in which the filter's client has no part any
	// more; without a client there are none.
	LeftRecords
)

// A RecordFilter narrows a search for records; zero members do not.
type RecordFilter struct {
	Sources  []RecordSource
	User     iam.UserID
	Client   iam.ClientID // sessions that it has, or had, a part in
	Reason   string
	IP       string
	From, To time.Time // of the beginning, both included
	ByAccess bool      // sort by last access, else by the beginning; with Client, when the client came in
	After    *RecordCursor
	Max      int
}

// A RecordCursor is where a page ended.
type RecordCursor struct {
	At int64  // milliseconds since 1970
	ID string // of the last record: ties are broken by it
}

// A Record is one line of a list of records.
type Record struct {
	Source     RecordSource
	ID         string // session's, or the occurrence's own
	Key        int64  // what it is sorted by, milliseconds since 1970
	User       iam.UserID
	Username   string // as typed at login
	IP         string
	Remember   bool
	AuthMethod string
	Started    time.Time
	LastAccess time.Time
	Ended      time.Time // zero for what is live
	Device     string    // JSON, what the browser said of itself
	Origin     iam.Origin
	End        iam.End // of what has ended
	Occurrence *Occurrence
}

// recordQuery is how one source is searched.
type recordQuery struct {
	columns, from, user, client, reason, ip, started, access, id string
}

const (
	liveColumns  = `s.id, s.user_id, s.username, s.ip, s.remember, s.auth_method, s.started_at, s.last_access, s.notes, s.origin`
	endedColumns = `s.session_id, s.user_id, s.username, s.ip, s.remember, s.auth_method, s.started_at, s.last_access, s.device, s.origin, s.ended_at, s.ending`
	happened     = `o.id, o.kind, o.user_id, o.client_id, o.ip, o.reason, o.count, o.first_at, o.last_at, o.doc`
)

func (f *RecordFilter) query(s RecordSource) recordQuery {
	switch {
	case s.Table == OccurrenceRecords:
		return recordQuery{happened, "occurrences o", "o.user_id", "o.client_id", "o.reason", "o.ip", "o.first_at", "o.last_at", "o.id"}
	case s.Table == EndedRecords && f.Client != "":
		return recordQuery{endedColumns, `ended_parts c join ended_sessions s on s.realm_id = c.realm_id and s.session_id = c.session_id and s.offline = c.offline
			and s.started_at <= c.started_at and s.ended_at >= c.ended_at`, "s.user_id", "c.client_id", "s.reason", "s.ip", "c.started_at", "c.last_access", "c.session_id"}
	case s.Table == EndedRecords:
		return recordQuery{endedColumns, "ended_sessions s", "s.user_id", "", "s.reason", "s.ip", "s.started_at", "s.last_access", "s.session_id"}
	case s.Table == LeftRecords:
		return recordQuery{liveColumns, `ended_parts c join user_sessions s on s.realm_id = c.realm_id and s.id = c.session_id and s.offline = c.offline and s.started_at <= c.started_at`,
			"s.user_id", "c.client_id", "", "s.ip", "c.started_at", "c.last_access", "c.session_id"}
	case f.Client != "":
		return recordQuery{liveColumns, "client_sessions c join user_sessions s on s.realm_id = c.realm_id and s.id = c.session_id and s.offline = c.offline",
			"s.user_id", "c.client_id", "", "s.ip", "c.started_at", "c.last_access", "c.session_id"}
	}
	return recordQuery{liveColumns, "user_sessions s", "s.user_id", "", "", "s.ip", "s.started_at", "s.last_access", "s.id"}
}

// search makes the condition, and what the records are sorted by. ok is false
// for a source that cannot have any.
func (f *RecordFilter) search(realm iam.RealmID, s RecordSource) (q recordQuery, w *where, key string, ok bool) {
	q, w = f.query(s), new(where)
	alias := "s"
	switch {
	case s.Table == OccurrenceRecords:
		alias = "o"
	case f.Client != "":
		alias = "c"
	}
	w.and(alias+".realm_id = ?", realm)
	if s.Table == OccurrenceRecords {
		w.and("o.kind = ?", s.Kind)
	} else {
		w.and(alias+".offline = ?", s.Offline)
	}
	key = q.started
	if f.ByAccess {
		key = q.access
	}
	for _, c := range []struct{ column, value string }{{q.user, string(f.User)}, {q.client, string(f.Client)}, {q.reason, f.Reason}, {q.ip, f.IP}} {
		switch {
		case c.value == "":
		case c.column == "":
			return q, w, key, false
		default:
			w.and(c.column+" = ?", c.value)
		}
	}
	if s.Table == LeftRecords {
		if f.Client == "" {
			return q, w, key, false
		}
		w.and(`not exists (select 1 from client_sessions k where k.realm_id = c.realm_id and k.session_id = c.session_id and k.offline = c.offline
			and k.client_id = c.client_id)`)
	}
	if !f.From.IsZero() {
		w.and(q.started+" >= ?", millis(f.From))
	}
	if !f.To.IsZero() {
		w.and(q.started+" <= ?", millis(f.To))
	}
	return q, w, key, true
}

// Records returns a page of records of a realm, the latest first.
func (r *Reader) Records(ctx context.Context, realm iam.RealmID, f *RecordFilter) ([]*Record, error) {
	var out []*Record
	for _, s := range f.Sources {
		q, w, key, ok := f.search(realm, s)
		if !ok {
			continue
		}
		if f.After != nil {
			w.and("("+key+", "+q.id+") < (?, ?)", f.After.At, f.After.ID)
		}
		list, err := all(ctx, r, scanRecord(realm, s), `select `+key+`, `+q.columns+` from `+q.from+w.text.String()+
			` order by `+key+` desc, `+q.id+` desc limit `+w.bind(f.Max), w.args...)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	slices.SortStableFunc(out, func(a, b *Record) int { return cmp.Or(cmp.Compare(b.Key, a.Key), cmp.Compare(b.ID, a.ID)) })
	return out[:min(len(out), f.Max)], nil
}

// CountRecords counts what a search would find, up to max of each source.
func (r *Reader) CountRecords(ctx context.Context, realm iam.RealmID, f *RecordFilter, max int) (int64, error) {
	var sum int64
	for _, s := range f.Sources {
		q, w, _, ok := f.search(realm, s)
		if !ok {
			continue
		}
		n, err := one(ctx, r, scanValue[int64], `select count(*) from (select 1 as found from `+q.from+w.text.String()+` limit `+w.bind(limit(max))+`) as matching`, w.args...)
		if err != nil {
			return 0, err
		}
		sum += n
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
			x.Device = notes[noteDevice]
		} else if err := json.Unmarshal(ending, &x.End); err != nil {
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
		return o, json.Unmarshal(doc, &o.Doc)
	}
}

// RecordsOfSession returns what there is of a session id, live and ended, both
// kinds, the latest beginning first.
func (r *Reader) RecordsOfSession(ctx context.Context, realm iam.RealmID, id iam.SessionID) ([]*Record, error) {
	var out []*Record
	for _, offline := range []bool{false, true} {
		for _, q := range []struct {
			table RecordTable
			text  string
		}{
			{LiveRecords, `select s.started_at, ` + liveColumns + ` from user_sessions s where s.realm_id = $1 and s.id = $2 and s.offline = $3`},
			{EndedRecords, `select s.started_at, ` + endedColumns + ` from ended_sessions s where s.realm_id = $1 and s.session_id = $2 and s.offline = $3`},
		} {
			list, err := all(ctx, r, scanRecord(realm, RecordSource{Table: q.table, Offline: offline}), q.text, realm, id, offline)
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
	return one(ctx, r, scanOccurrence(realm, &key), `select o.first_at, `+happened+` from occurrences o where o.realm_id = $1 and o.id = $2`, realm, id)
}

// EndedParts returns the ended parts of clients in sessions of an id.
func (r *Reader) EndedParts(ctx context.Context, realm iam.RealmID, id iam.SessionID) ([]*iam.EndedPart, error) {
	return r.EndedPartsOf(ctx, realm, []iam.SessionID{id})
}

// EndedPartsOf returns the ended parts of clients in sessions of several ids.
func (r *Reader) EndedPartsOf(ctx context.Context, realm iam.RealmID, ids []iam.SessionID) ([]*iam.EndedPart, error) {
	var out []*iam.EndedPart
	for chunk := range slices.Chunk(ids, chunkSize) {
		args := []any{realm}
		for _, id := range chunk {
			args = append(args, id)
		}
		list, err := all(ctx, r, scanEndedPart(realm), `select `+endedPartColumns+` from ended_parts p where p.realm_id = $1
			and p.session_id in (`+binds(2, len(chunk))+`) order by p.session_id, p.ended_at, p.client_id`, args...)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

// EndedPartsOfUser returns the latest ended parts of a user's sessions: those of
// one client, or of all for "", that ended at or after a time.
func (r *Reader) EndedPartsOfUser(ctx context.Context, realm iam.RealmID, user iam.UserID, client iam.ClientID, since time.Time, max int) ([]*iam.EndedPart, error) {
	return all(ctx, r, scanEndedPart(realm), `select `+endedPartColumns+` from ended_parts p where p.realm_id = $1 and p.user_id = $2
		and ($3 = '' or p.client_id = $3) and p.ended_at >= $4 order by p.ended_at desc limit $5`, realm, user, client, millis(since), max)
}

const endedPartColumns = `p.session_id, p.offline, p.client_id, p.started_at, p.user_id, p.last_access, p.ended_at, p.refreshes, p.issued, p.origin, p.ending`

func scanEndedPart(realm iam.RealmID) func(row) (*iam.EndedPart, error) {
	return func(row row) (*iam.EndedPart, error) {
		p := new(iam.EndedPart)
		p.Realm = realm
		var started, access int64
		var origin, ending []byte
		if err := row.Scan(&p.Session, &p.Offline, &p.Client, &started, &p.User, &access, &p.Ended, &p.Refreshes, &p.Issued, &origin, &ending); err != nil {
			return nil, err
		}
		p.Started, p.LastAccess = fromMillis(started), fromMillis(access)
		if err := json.Unmarshal(ending, &p.End); err != nil {
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
