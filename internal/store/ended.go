package store

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"latchkey/internal/iam"
)

// An Ending is a session that a transaction has ended, with the parts that
// clients had in it.
type Ending struct {
	Session        *iam.UserSession
	ClientSessions []*iam.ClientSession
	End            iam.End
}

// EndSessions ends those of some user sessions that are there, and
// keeps a record of each: of many who end a session, one is told so. end says
// why each ends; it may look at the parts, and fill in what was written behind.
func (tx *Tx) EndSessions(ctx context.Context, realm iam.RealmID, refs iam.SessionRefs, end func(*Ending)) ([]*Ending, error) {
	return tx.endSessions(ctx, realm, refs, "", nil, end)
}

// endingColumns are sessionColumns without the table's alias.
const endingColumns = `id, offline, user_id, remember, username, ip, auth_method, broker_session, broker_user, started_at, last_access, notes, origin`

// ofUser is the condition that a row of user_sessions is of the user in $3: of anybody
// where that is none of the realm's.
const ofUser = `($3 = '' or user_id = $3 or not exists (select 1 from users x where x.realm_id = $1 and x.id = $3))`

// endSessions is EndSessions with a further condition, whose arguments are numbered from $4 on.
func (tx *Tx) endSessions(ctx context.Context, realm iam.RealmID, refs iam.SessionRefs, and string, args []any,
	end func(*Ending)) ([]*Ending, error) {
	var out []*Ending
	for chunk := range slices.Chunk(refs.IDs, chunkSize) {
		parts, err := tx.ClientSessionsOf(ctx, realm, iam.SessionRefs{Kind: refs.Kind, IDs: chunk})
		if err != nil {
			return nil, err
		}
		values := append([]any{realm, refs.Kind, refs.User}, args...)
		for _, id := range chunk {
			values = append(values, id)
		}
		list, err := all(ctx, &tx.Reader, scanSession(realm), `delete from user_sessions where realm_id = $1 and offline = $2 and `+ofUser+and+
			` and id in (`+binds(4+len(args), len(chunk))+`) returning `+endingColumns, values...)
		if err != nil {
			return nil, err
		}
		at := map[iam.SessionID]*Ending{}
		for _, us := range list {
			x := &Ending{Session: us}
			at[us.ID] = x
			out = append(out, x)
		}
		for _, p := range parts {
			if x := at[p.Session]; x != nil {
				x.ClientSessions = append(x.ClientSessions, p)
			}
		}
	}
	for _, x := range out {
		end(x)
	}
	return out, tx.recordEndings(ctx, out)
}

func (tx *Tx) recordEndings(ctx context.Context, list []*Ending) error {
	sessions := make([][]any, 0, len(list))
	var parts [][]any
	for _, x := range list {
		s := x.Session
		sessions = append(sessions, []any{s.Realm, s.ID, s.Offline, millis(s.Started), s.User, s.Username, s.IP, s.Remember, s.AuthMethod,
			millis(s.LastAccess),
			millis(tx.Now), x.End.Reason, s.Notes[noteDevice], text(s.Origin), text(x.End)})
		for _, p := range x.ClientSessions {
			parts = append(parts, clientSessionRow(p, s.User, false, millis(tx.Now), x.End))
		}
	}
	err := tx.insertRows(ctx, sessions, func(rows string) string {
		return `insert into ended_sessions (realm_id, session_id, offline, started_at, user_id, username, ip, remember, auth_method, last_access,
			ended_at, reason, device, origin, ending) values ` + rows + ` on conflict do nothing`
	})
	if err != nil {
		return err
	}
	return tx.insertRows(ctx, parts, insertEndedClientSessions)
}

// noteDevice is the note of a session that keeps what the browser said of itself.
const noteDevice = "KC_DEVICE_NOTE"

func insertEndedClientSessions(rows string) string {
	return `insert into ended_parts (realm_id, session_id, offline, client_id, started_at, alone, user_id, last_access, ended_at, reason, refreshes, issued,
		origin, ending) values ` + rows + ` on conflict do nothing`
}

func clientSessionRow(p *iam.ClientSession, user iam.UserID, alone bool, now int64, e iam.End) []any {
	return []any{p.Realm, p.Session, p.Offline, p.Client, millis(p.Started), alone, user, millis(p.LastAccess), now, e.Reason, p.Refreshes,
		p.Issued, text(p.Origin), text(e)}
}

// insertRows inserts many rows, in statements of a few lengths only: each
// length is a statement to prepare.
func (tx *Tx) insertRows(ctx context.Context, rows [][]any, statement func(rows string) string) error {
	for len(rows) > 0 {
		n := 1
		for _, size := range []int{100, 10} {
			if len(rows) >= size {
				n = size
				break
			}
		}
		var b strings.Builder
		var args []any
		for i, row := range rows[:n] {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString("(" + binds(len(args)+1, len(row)) + ")")
			args = append(args, row...)
		}
		if _, err := tx.exec(ctx, statement(b.String()), args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// text is a value as JSON.
func text(v any) string {
	b, _ := json.Marshal(v) // plain structs always marshal
	return string(b)
}

// EndClientSessions ends one client's part in some sessions and keeps a
// record of each. The sessions stay, even those that are left without a part.
func (tx *Tx) EndClientSessions(ctx context.Context, realm iam.RealmID, refs iam.SessionRefs, client iam.ClientID,
	adjust func(*iam.ClientSession), e iam.End) ([]*iam.ClientSession, error) {
	var out []*iam.ClientSession
	users := map[iam.SessionID]iam.UserID{}
	for chunk := range slices.Chunk(refs.IDs, chunkSize) {
		args := []any{realm, refs.Kind, client}
		whose := []any{realm, refs.Kind, refs.User, client}
		for _, id := range chunk {
			args, whose = append(args, id), append(whose, id)
		}
		// The session's row is locked first, as by those who end it whole.
		locked, err := all(ctx, &tx.Reader, func(row row) (struct{}, error) {
			var id iam.SessionID
			var user iam.UserID
			err := row.Scan(&id, &user)
			users[id] = user
			return struct{}{}, err
		}, `update user_sessions set version = version + 1 where realm_id = $1 and offline = $2 and `+ofUser+` and id in (`+
			binds(5, len(chunk))+`)
			and exists (select 1 from client_sessions c where c.realm_id = user_sessions.realm_id
				and c.session_id = user_sessions.id and c.offline = user_sessions.offline
			and c.client_id = $4) returning id, user_id`, whose...)
		if err != nil {
			return nil, err
		}
		if len(locked) == 0 {
			continue
		}
		parts, err := all(ctx, &tx.Reader, scanClientSession(realm),
			`delete from client_sessions where realm_id = $1 and offline = $2 and client_id = $3
			and session_id in (`+binds(4, len(chunk))+`) returning session_id, offline, client_id, refresh_chains, chains_version, started_at,
				last_access,
			refreshes, version, notes, origin, issued`, args...)
		if err != nil {
			return nil, err
		}
		out = append(out, parts...)
	}
	rows, left := make([][]any, len(out)), make([][]any, len(out))
	for i, p := range out {
		adjust(p)
		rows[i] = clientSessionRow(p, users[p.Session], true, millis(tx.Now), e)
		left[i] = []any{p.Realm, p.Session, p.Offline, p.Client, millis(p.Started), millis(p.LastAccess)}
	}
	if err := tx.insertRows(ctx, rows, insertEndedClientSessions); err != nil {
		return nil, err
	}
	return out, tx.insertRows(ctx, left, func(rows string) string {
		return `insert into left_parts (realm_id, session_id, offline, client_id, started_at, last_access) values ` + rows +
			` on conflict do nothing`
	})
}

const sessionIDsOfUser = `select id from user_sessions where realm_id = $1 and user_id = $2 and offline = $3 order by id`

// SessionRefsOfUser lists a user's sessions of one kind.
func (r *Reader) SessionRefsOfUser(ctx context.Context, realm iam.RealmID, user iam.UserID, kind iam.SessionKind) (iam.SessionRefs, error) {
	ids, err := all(ctx, r, scanValue[iam.SessionID], sessionIDsOfUser, realm, user, kind)
	return iam.SessionRefs{Kind: kind, User: user, IDs: ids}, err
}

// SessionRefsOfRealm lists up to max sessions of a realm of one kind.
func (r *Reader) SessionRefsOfRealm(ctx context.Context, realm iam.RealmID, kind iam.SessionKind, max int) (iam.SessionRefs, error) {
	ids, err := all(ctx, r, scanValue[iam.SessionID], `select id from user_sessions where realm_id = $1 and offline = $2 order by id limit $3`,
		realm, kind, max)
	return iam.SessionRefs{Kind: kind, IDs: ids}, err
}

// SessionRefsWith lists the sessions of one kind that a client has a part in: those
// of one user, or of everybody for "".
func (r *Reader) SessionRefsWith(ctx context.Context, realm iam.RealmID, client iam.ClientID, user iam.UserID,
	kind iam.SessionKind) (iam.SessionRefs, error) {
	ids, err := all(ctx, r, scanValue[iam.SessionID], `select c.session_id from client_sessions c
		join user_sessions s on s.realm_id = c.realm_id and s.id = c.session_id and s.offline = c.offline
		where c.realm_id = $1 and c.client_id = $2 and c.offline = $3 and ($4 = '' or s.user_id = $4) order by c.session_id`, realm, client,
		kind, user)
	return iam.SessionRefs{Kind: kind, User: user, IDs: ids}, err
}

// EndEmptySessions ends those of the given sessions in which no client has a
// part any more.
func (tx *Tx) EndEmptySessions(ctx context.Context, realm iam.RealmID, refs iam.SessionRefs, end func(*Ending)) ([]*Ending, error) {
	return tx.endSessions(ctx, realm, refs, ` and not exists (select 1 from client_sessions c
		where c.realm_id = user_sessions.realm_id
				and c.session_id = user_sessions.id and c.offline = user_sessions.offline)`, nil, end)
}

// SweepSessions ends up to max sessions of a realm that have timed out, and
// returns them.
func (tx *Tx) SweepSessions(ctx context.Context, realm iam.RealmID, kind iam.SessionKind, o Overdue, max int,
	end func(*Ending)) ([]*Ending, error) {
	// Two statements, each a range of an index: with "or" it would be the whole table.
	ids, err := all(ctx, &tx.Reader, scanValue[iam.SessionID],
		`select id from user_sessions where realm_id = $1 and offline = $2 and remember = $3
		and last_access < $4 order by last_access limit $5`, realm, kind, o.Remember, millis(o.Used), max)
	if err != nil {
		return nil, err
	}
	if len(ids) < max && !o.Begun.IsZero() {
		more, err := all(ctx, &tx.Reader, scanValue[iam.SessionID],
			`select id from user_sessions where realm_id = $1 and offline = $2 and remember = $3
			and started_at < $4 and (last_access + 0) >= $5 order by started_at limit $6`, realm, kind, o.Remember, millis(o.Begun), millis(o.Used),
			max-len(ids))
		if err != nil {
			return nil, err
		}
		ids = append(ids, more...)
	}
	return tx.endSessions(ctx, realm, iam.SessionRefs{Kind: kind, IDs: ids}, ` and (last_access < $4 or started_at < $5)`,
		[]any{millis(o.Used), millis(o.Begun)}, end)
}

// SweepEnded removes up to max records of each kind that ended before a time
// and returns how many there were of the kind that had most.
func (tx *Tx) SweepEnded(ctx context.Context, realm iam.RealmID, before time.Time, max int) (int64, error) {
	var most int64
	for _, q := range []string{
		`delete from ended_sessions where (realm_id, session_id, offline, started_at) in
			(select realm_id, session_id, offline, started_at from ended_sessions where realm_id = $1 and ended_at < $2 order by ended_at limit $3)`,
		`delete from ended_parts where (realm_id, session_id, offline, client_id, started_at) in
			(select realm_id, session_id, offline, client_id, started_at from ended_parts where realm_id = $1 and ended_at < $2 order by ended_at
				limit $3)`,
		`delete from occurrences where (realm_id, id) in
			(select realm_id, id from occurrences where realm_id = $1 and kind = 'refused' and last_at < $2 order by last_at limit $3)`,
		`delete from occurrences where (realm_id, id) in
			(select realm_id, id from occurrences where realm_id = $1 and kind = 'transient' and last_at < $2 order by last_at limit $3)`,
		`delete from removed_clients where (realm_id, id) in
			(select realm_id, id from removed_clients where realm_id = $1 and removed_at < $2 order by removed_at limit $3)`,
	} {
		n, err := tx.exec(ctx, q, realm, millis(before), max)
		if err != nil {
			return 0, err
		}
		if n > most {
			most = n
		}
	}
	return most, nil
}
