package store

import (
	"context"
	"time"

	"latchkey/internal/iam"
)

// ClientsWithSessions returns the clients of a realm that have a part in any
// session of one kind, by their ids.
func (r *Reader) ClientsWithSessions(ctx context.Context, realm iam.RealmID, offline bool) ([]iam.ClientID, error) {
	return all(ctx, r, scanValue[iam.ClientID], `select k.id from clients k where k.realm_id = $1
		and exists (select 1 from client_sessions c where c.realm_id = k.realm_id and c.client_id = k.id and c.offline = $2) order by k.id`,
		realm, offline)
}

// A ClientSessionQuery says which parts of a client ClientSessionNumbers counts, and how.
type ClientSessionQuery struct {
	Client     iam.ClientID
	Offline    bool
	UsedSince  time.Time     // parts that were used before have timed out
	BegunSince time.Time     // and parts that were begun before; zero sets no bound
	Week       time.Time     // Begun counts from here
	Refreshed  time.Duration // a part that was used so long after its beginning was refreshed
	Older      time.Time     // Older counts before
	NotBefore  time.Time     // of realm and client, the later one
	Most       int           // so many parts are looked at
}

// ClientSessionNumbers are numbers about a client's parts in sessions, of at most
// ClientSessionQuery.Most of them.
type ClientSessionNumbers struct {
	Looked      int64 // parts that were looked at
	Begun       int64 // since ClientSessionQuery.Week
	Unrefreshed int64 // of Begun, those that were not refreshed
	Older       int64
	Dead        int64 // last used before a not-before of realm, client or user
	LastAccess  time.Time
}

// ClientSessionNumbers counts the live parts of a client in sessions of one kind. It
// looks at no more rows than it is told.
func (r *Reader) ClientSessionNumbers(ctx context.Context, realm iam.RealmID, q ClientSessionQuery) (ClientSessionNumbers, error) {
	return one(ctx, r, func(row row) (v ClientSessionNumbers, err error) {
		var last int64
		err = row.Scan(&v.Looked, &v.Begun, &v.Unrefreshed, &v.Older, &v.Dead, &last)
		v.LastAccess = fromMillis(last)
		return v, err
	}, `select count(*), count(*) filter (where p.started_at >= $6), count(*) filter (where p.started_at >= $6 and p.last_access - p.started_at <= $7 and p.refreshes = 0),
		count(*) filter (where p.started_at < $8), count(*) filter (where p.last_access < $9 or p.last_access < p.user_before),
			coalesce(max(p.last_access), 0)
		from (select c.started_at, c.last_access, c.refreshes, coalesce(u.not_before, 0) as user_before from client_sessions c
			join user_sessions s on s.realm_id = c.realm_id and s.id = c.session_id and s.offline = c.offline
			left join users u on u.realm_id = s.realm_id and u.id = s.user_id
			where c.realm_id = $1 and c.client_id = $2 and c.offline = $3 and c.last_access >= $4 and c.started_at >= $5 limit $10) p`,
		realm, q.Client, q.Offline, millis(q.UsedSince), millis(q.BegunSince), millis(q.Week), q.Refreshed.Milliseconds(), millis(q.Older),
		millis(q.NotBefore), q.Most)
}

// FirstEvent returns the time of the oldest stored user event, zero when there is none.
func (r *Reader) FirstEvent(ctx context.Context, realm iam.RealmID) (time.Time, error) {
	list, err := all(ctx, r, scanValue[int64], `select time from events where realm_id = $1 order by time, id limit 1`, realm)
	if err != nil || len(list) == 0 {
		return time.Time{}, err
	}
	return fromMillis(list[0]), nil
}

// EventUse says when a client was last the subject of a stored event of success.
type EventUse struct {
	Client string // OAuth's client_id
	Last   time.Time
}

// recentEvents are the newest events since a time, of which so many are looked at.
const recentEvents = `(select time, kind, client_id, error, details from events where realm_id = $1 and time >= $2 order by time desc, id desc limit $3) e`

// EventUses tells for the clients of the newest events since a time, of which
// at most so many are looked at, when they were last used.
func (r *Reader) EventUses(ctx context.Context, realm iam.RealmID, since time.Time, most int) ([]EventUse, error) {
	return all(ctx, r, func(row row) (v EventUse, err error) {
		var last int64
		err = row.Scan(&v.Client, &last)
		v.Last = fromMillis(last)
		return v, err
	}, `select e.client_id, max(e.time) from `+recentEvents+
		` where e.error = '' and e.client_id <> '' group by e.client_id order by e.client_id`, realm, millis(since), most)
}

// CountEvents counts the events since a time, to at most so many.
func (r *Reader) CountEvents(ctx context.Context, realm iam.RealmID, since time.Time, most int) (int64, error) {
	return one(ctx, r, scanValue[int64], `select count(*) from `+recentEvents, realm, millis(since), most)
}

// LoginDetails calls yield with the client_id and the details of each login
// among the newest events since a time, of which at most so many are looked at.
func (r *Reader) LoginDetails(ctx context.Context, realm iam.RealmID, since time.Time, most int,
	yield func(client string, details map[string]string)) error {
	_, err := all(ctx, r, func(row row) (struct{}, error) {
		var client string
		var doc []byte
		if err := row.Scan(&client, &doc); err != nil {
			return struct{}{}, err
		}
		var details map[string]string
		err := readDetails(doc, &details)
		yield(client, details)
		return struct{}{}, err
	}, `select e.client_id, e.details from `+recentEvents+` where e.kind = 'LOGIN' order by e.client_id`, realm, millis(since), most)
	return err
}

// LeftOffline counts, for each client, its parts in offline sessions whose
// online session ended by a logout, as the newest records of such ends tell: of
// each reason at most so many are looked at. Clients without any are left out.
func (r *Reader) LeftOffline(ctx context.Context, realm iam.RealmID, reason iam.Reason, most int) ([]SessionCount, error) {
	return all(ctx, r, func(row row) (v SessionCount, err error) { return v, row.Scan(&v.Client, &v.Count) },
		`select c.client_id, count(*) from (select session_id, max(ended_at) as ended_at from
			(select session_id, ended_at from ended_sessions where realm_id = $1 and reason = $2 and offline = $4 order by started_at desc limit $3)
				n
			group by session_id) x
		join client_sessions c on c.realm_id = $1 and c.session_id = x.session_id and c.offline = $5 and c.started_at <= x.ended_at
		group by c.client_id order by c.client_id`, realm, string(reason), most, false, true)
}

// A DoctorFix is a record of changes that the doctor has made.
type DoctorFix struct {
	ID       string
	Finding  string
	Fix      string
	Made     time.Time
	MadeBy   string // who, as a user id
	Undone   time.Time
	UndoneBy string
	Changes  []byte // JSON
}

const doctorFixColumns = `id, finding, fix, made_at, made_by, undone_at, undone_by, changes`

func scanDoctorFix(row row) (v DoctorFix, err error) {
	var made, undone int64
	err = row.Scan(&v.ID, &v.Finding, &v.Fix, &made, &v.MadeBy, &undone, &v.UndoneBy, &v.Changes)
	v.Made, v.Undone = fromMillis(made), fromMillis(undone)
	return v, err
}

// InsertDoctorFix keeps a record, made now.
func (tx *Tx) InsertDoctorFix(ctx context.Context, realm iam.RealmID, v DoctorFix) error {
	_, err := tx.exec(ctx, `insert into doctor_fixes (realm_id, id, finding, fix, made_at, made_by, undone_at, undone_by, changes)
		values ($1, $2, $3, $4, $5, $6, 0, '', $7)`, realm, v.ID, v.Finding, v.Fix, millis(tx.Now), v.MadeBy, string(v.Changes))
	return err
}

// DoctorFix returns a record by its id, or ErrNotFound.
func (r *Reader) DoctorFix(ctx context.Context, realm iam.RealmID, id string) (DoctorFix, error) {
	return one(ctx, r, scanDoctorFix, `select `+doctorFixColumns+` from doctor_fixes where realm_id = $1 and id = $2`, realm, id)
}

// DoctorFixes returns the newest records, made before the given one unless it is the zero value.
func (r *Reader) DoctorFixes(ctx context.Context, realm iam.RealmID, before DoctorFix, max int) ([]DoctorFix, error) {
	at := millis(before.Made)
	if before.ID == "" {
		at = 1 << 60
	}
	return all(ctx, r, scanDoctorFix, `select `+doctorFixColumns+` from doctor_fixes where realm_id = $1 and (made_at, id) < ($2, $3)
		order by made_at desc, id desc limit $4`, realm, at, before.ID, max)
}

// UndoDoctorFix marks a record as taken back, and reports whether it was not yet.
func (tx *Tx) UndoDoctorFix(ctx context.Context, realm iam.RealmID, id, by string) (bool, error) {
	n, err := tx.exec(ctx, `update doctor_fixes set undone_at = $1, undone_by = $2 where realm_id = $3 and id = $4 and undone_at = 0`,
		millis(tx.Now), by, realm, id)
	return n > 0, err
}

// SweepDoctorFixes removes up to max records of a realm made before a time and returns how many.
func (tx *Tx) SweepDoctorFixes(ctx context.Context, realm iam.RealmID, before time.Time, max int) (int64, error) {
	return tx.exec(ctx, `delete from doctor_fixes where (realm_id, id) in
		(select realm_id, id from doctor_fixes where realm_id = $1 and made_at < $2 order by made_at, id limit $3)`, realm, millis(before), max)
}

// OnlyLinked counts the users who are linked to an identity provider and have neither a
// password nor another link, and looks at no more than most of them.
func (r *Reader) OnlyLinked(ctx context.Context, realm iam.RealmID, provider string, most int64) (int64, error) {
	return one(ctx, r, scanValue[int64], `select count(*) from (select 1 from federated_identities f where f.realm_id = $1 and f.provider = $2
		and not exists (select 1 from credentials c where c.realm_id = f.realm_id and c.user_id = f.user_id and c.kind = $3)
		and not exists (select 1 from federated_identities o where o.realm_id = f.realm_id and o.user_id = f.user_id and o.provider <>
			f.provider) limit $4) n`,
		realm, provider, iam.Password, most)
}
