package storetest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/internal/iam"
	"latchkey/internal/store"
)

// A Fill is what a realm of a certain size looks like: users, sessions online
// and offline, live and ended, clients' parts in them, and occurrences. It is
// the same for the same fields. Nobody in it can log in.
type Fill struct {
	Realm    iam.RealmID
	Sessions int            // in all: 60 % ended online, 20 % live online, 10 % live offline, 10 % ended offline
	Clients  []iam.ClientID // the first has nine parts in ten
	Now      time.Time      // everything lies in the 60 days before
}

// What Fill makes, and how much of it: a tenth as many users as sessions, one
// tenth of all sessions the service user's, one hundredth from the office.
const (
	Office       = "10.9.0.1"
	fillDays     = 60
	rareReason   = 300 // one ended session in so many: iam.TokenReuse
	leftOneIn    = 50  // one live online session in so many: a client has left it
	secondOneIn  = 10  // one session in so many: a second client takes part
	recordsPerOC = 20  // sessions per occurrence
)

// Users is how many users there are.
func (f *Fill) Users() int { return max(2, f.Sessions/10) }

// User is the id of a user. The first is the service user.
func (f *Fill) User(n int) iam.UserID {
	return iam.UserID(spread(n, f.Users(), "4000-9000-"))
}

// Session is the id of a session; ids are as far apart as random ones, and in order.
func (f *Fill) Session(n int) iam.SessionID {
	return iam.SessionID(spread(n, f.Sessions, "4000-8000-"))
}

// Ended reports whether a session has ended, and Offline whether it is an offline one.
func (f *Fill) Ended(n int) bool   { k := dice(n, 1) % 100; return k < 60 || k >= 90 }
func (f *Fill) Offline(n int) bool { return dice(n, 1)%100 >= 80 }

// UserOf is the number of a session's user.
func (f *Fill) UserOf(n int) int {
	d := dice(n, 2)
	if d%10 == 0 {
		return 0
	}
	return 1 + int(d/10%uint64(f.Users()-1))
}

func spread(n, of int, middle string) string {
	return fmt.Sprintf("%08x-%04x-%s%012x", uint64(n)<<32/uint64(of), n&0xffff, middle, dice(n, 3)>>16)
}

// dice is a number that depends on nothing but n and what it is for (splitmix64).
func dice(n int, use uint64) uint64 {
	x := uint64(n)*0x9e3779b97f4a7c15 + use*0xd1342543de82ef95
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (f *Fill) address(n int) string {
	d := dice(n, 4)
	if d%100 == 0 {
		return Office
	}
	return fmt.Sprintf("10.7.%d.%d", d>>8&0xff, d>>16&0xff)
}

// times are a session's beginning, last access and end.
func (f *Fill) times(n int) (started, access, ended int64) {
	const minute = int64(time.Minute / time.Millisecond)
	d := dice(n, 5)
	now := f.Now.UnixMilli()
	started = now - 10*minute - int64(d%uint64(fillDays*24*60*60*1000-20*60*1000))
	access = started + int64(dice(n, 6)%uint64(8*minute))
	return started, access, access + minute
}

func (f *Fill) ending(n int) iam.End {
	client := f.Clients[0]
	d := dice(n, 7)
	if d%rareReason == 0 {
		return iam.End{Reason: iam.TokenReuse, By: iam.ActorServer, Client: client, Token: string(f.Session(n))}
	}
	switch p := d / rareReason % 100; {
	case p < 50:
		return iam.End{Reason: iam.Idle, By: iam.ActorSweep, Rule: "ssoSessionIdleTimeout"}
	case p < 55:
		return iam.End{Reason: iam.MaxAge, By: iam.ActorSweep, Rule: "ssoSessionMaxLifespan"}
	case p < 80:
		return iam.End{Reason: iam.LogoutByUser, By: iam.ActorUser, Client: client, Actor: f.User(f.UserOf(n))}
	case p < 90:
		return iam.End{Reason: iam.LogoutByClient, By: iam.ActorClient, Client: client}
	case p < 96:
		return iam.End{Reason: iam.ReplacedByOffline, By: iam.ActorClient, Client: client, Rule: "offline_access:i"}
	}
	return iam.End{Reason: iam.LogoutByAdmin, By: iam.ActorAdmin, Actor: f.User(1), Rule: "session"}
}

const (
	device = `{"os":"Windows","osVersion":"10","device":"Other","browser":"Firefox/140.0","mobile":false}`
	notes  = `{"KC_DEVICE_NOTE":"{\"os\":\"Windows\",\"osVersion\":\"10\",\"device\":\"Other\",\"browser\":\"Firefox/140.0\",\"mobile\":false}"}`
)

func (f *Fill) origin(client iam.ClientID, offline bool) string {
	if offline {
		return `{"how":"offline-grant","client":"` + string(client) + `","scope":"openid","online":true}`
	}
	return `{"how":"browser","flow":"browser","client":"` + string(client) + `","scope":"openid","asked":"no-cookie"}`
}

func (f *Fill) partOrigin(client iam.ClientID, first bool) string {
	how := "single-sign-on"
	if first {
		how = "browser"
	}
	return `{"how":"` + how + `","client":"` + string(client) +
		`","scope":"openid","scopes":"openid:r email:d profile:d roles:d offline_access:i","issuer":"http://127.0.0.1/realms/scale"}`
}

// parts are the clients in a session, one or two of them.
func (f *Fill) parts(n int) []iam.ClientID {
	d := dice(n, 8)
	first := f.Clients[0]
	if d%100 == 0 {
		first = f.Clients[1+d/100%uint64(len(f.Clients)-1)]
	}
	if d>>20%secondOneIn != 0 {
		return []iam.ClientID{first}
	}
	if other := f.Clients[1+d>>30%uint64(len(f.Clients)-1)]; other != first {
		return []iam.ClientID{first, other}
	}
	return []iam.ClientID{first}
}

// left is a client that has left a live session.
func (f *Fill) left(n int) (client iam.ClientID, ok bool) {
	if f.Ended(n) || f.Offline(n) || dice(n, 9)%leftOneIn != 0 {
		return "", false
	}
	parts := f.parts(n)
	client = f.Clients[dice(n, 9)>>20%uint64(len(f.Clients))]
	return client, client != parts[0] && client != parts[len(parts)-1]
}

func (f *Fill) issued(n int, at int64) string {
	id := string(f.Session(n))
	return iam.Issuance{At: at, Grant: "rt", Access: id, RefreshType: "Refresh", Refresh: id}.String() + iam.Issuance{At: at, Grant: "ac",
		Access: id, RefreshType: "Refresh", Refresh: id}.String()
}

// A table is what is loaded into one table: row returns those that belong to n.
type table struct {
	name, columns string
	n             int
	rows          func(n int) [][]any
}

func (f *Fill) tables() []table {
	realm := string(f.Realm)
	session := func(n int) (id, user string) { return string(f.Session(n)), string(f.User(f.UserOf(n))) }
	return []table{
		{"users", "realm_id, id, username, email, email_verified, first_name, last_name, first_lower, last_lower, enabled, federation, " +
			"created_at, not_before, doc, version", f.Users(),
			func(n int) [][]any {
				name := fmt.Sprintf("user%08d", n)
				return [][]any{{realm, string(f.User(n)), name, name + "@scale.test", true, "Ursula", "User", "ursula", "user", true, "", int64(1),
					int64(0), "{}", int64(1)}}
			}},
		{"user_sessions", "realm_id, id, offline, user_id, remember, username, ip, auth_method, broker_session, broker_user, started_at, " +
			"last_access, notes, version, origin", f.Sessions,
			func(n int) [][]any {
				if f.Ended(n) {
					return nil
				}
				id, user := session(n)
				started, access, _ := f.times(n)
				return [][]any{{realm, id, f.Offline(n), user, dice(n, 10)%10 == 0, fmt.Sprintf("user%08d", f.UserOf(n)), f.address(n),
					"openid-connect", "", "", started, access, notes, int64(1),
					f.origin(f.parts(n)[0], f.Offline(n))}}
			}},
		{"client_sessions", "realm_id, session_id, offline, client_id, refresh_id, refresh_use, redirect_to, started_at, last_access, notes, " +
			"version, origin, refreshes, issued", f.Sessions,
			func(n int) (rows [][]any) {
				if f.Ended(n) {
					return nil
				}
				id, _ := session(n)
				started, access, _ := f.times(n)
				for i, c := range f.parts(n) {
					rows = append(rows, []any{realm, id, f.Offline(n), string(c), "", int64(0), "http://web.test/cb", started + int64(i), access, "{}",
						int64(1), f.partOrigin(c, i == 0), int64(1), f.issued(n, access)})
				}
				return rows
			}},
		{"ended_sessions", "realm_id, session_id, offline, started_at, user_id, username, ip, remember, auth_method, last_access, ended_at, " +
			"reason, device, origin, ending", f.Sessions,
			func(n int) [][]any {
				if !f.Ended(n) {
					return nil
				}
				id, user := session(n)
				started, access, ended := f.times(n)
				e := f.ending(n)
				return [][]any{{realm, id, f.Offline(n), started, user, fmt.Sprintf("user%08d", f.UserOf(n)), f.address(n), dice(n, 10)%10 == 0,
					"openid-connect", access, ended, string(e.Reason),
					device, f.origin(f.parts(n)[0], f.Offline(n)), asJSON(e)}}
			}},
		{"ended_parts", "realm_id, session_id, offline, client_id, started_at, alone, user_id, last_access, ended_at, reason, refreshes, " +
			"issued, origin, ending", f.Sessions,
			func(n int) (rows [][]any) {
				id, user := session(n)
				started, access, ended := f.times(n)
				if c, ok := f.left(n); ok {
					return [][]any{{realm, id, false, string(c), started + 2, true, user, access, ended, string(iam.Revoked), int64(0),
						f.issued(n, access), f.partOrigin(c, false),
						asJSON(iam.End{Reason: iam.Revoked, By: iam.ActorClient, Client: c})}}
				}
				if !f.Ended(n) {
					return nil
				}
				e := f.ending(n)
				for i, c := range f.parts(n) {
					rows = append(rows, []any{realm, id, f.Offline(n), string(c), started + int64(i), false, user, access, ended, string(e.Reason),
						int64(1), f.issued(n, access), f.partOrigin(c, i == 0), asJSON(e)})
				}
				return rows
			}},
		{"left_parts", "realm_id, session_id, offline, client_id, started_at, last_access", f.Sessions,
			func(n int) [][]any {
				c, ok := f.left(n)
				if !ok {
					return nil
				}
				started, access, _ := f.times(n)
				return [][]any{{realm, string(f.Session(n)), false, string(c), started + 2, access}}
			}},
		{"occurrences", "realm_id, id, kind, user_id, client_id, ip, reason, count, first_at, last_at, doc", f.Sessions / recordsPerOC,
			func(n int) [][]any {
				_, user := session(n)
				kind, reason, client := store.Refused, string(iam.WrongPassword), f.Clients[0]
				switch d := dice(n, 11) % 10; {
				case d < 3:
					kind, reason, client = store.TransientToken, string(iam.HowService), f.Clients[1]
				case d < 5:
					reason = string(iam.TokenExpired)
				}
				started, access, _ := f.times(n)
				return [][]any{{realm, string(f.Session(n)), kind, user, string(client), f.address(n), reason, int64(1 + dice(n, 12)%5), started,
					access, `{"event":"LOGIN","error":"invalid_user_credentials"}`}}
			}},
	}
}

// SQLite loads a database file that no server has open.
func (f *Fill) SQLite(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(off)&_pragma=cache_size(-400000)&_pragma=temp_store(memory)")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	again, err := indexes(ctx, db, `select name, sql from sqlite_master where type = 'index' and sql is not null and tbl_name in `+f.names())
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, t := range f.tables() {
		stmt, err := tx.PrepareContext(ctx, `insert into `+t.name+` (`+t.columns+`) values (`+strings.Repeat("?, ",
			strings.Count(t.columns, ","))+"?)")
		if err != nil {
			return err
		}
		for n := range t.n {
			for _, row := range t.rows(n) {
				if _, err := stmt.ExecContext(ctx, row...); err != nil {
					return fmt.Errorf("%s: %w", t.name, err)
				}
			}
		}
		stmt.Close()
	}
	for _, text := range again {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// Postgres loads a database. Statistics are up to date afterwards, as
// autovacuum keeps them.
func (f *Fill) Postgres(ctx context.Context, url string) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer db.Close()
	again, err := indexes(ctx, db, `select indexname, indexdef from pg_indexes where schemaname = current_schema() and tablename in `+
		f.names()+`
		and not exists (select 1 from pg_constraint where conname = indexname)`)
	if err != nil {
		return err
	}
	var load, index []func(*pgx.Conn) error
	for _, t := range f.tables() {
		load = append(load, func(conn *pgx.Conn) error {
			_, err := conn.CopyFrom(ctx, pgx.Identifier{t.name}, strings.Split(t.columns, ", "), t.copy())
			return err
		})
	}
	for _, text := range again {
		index = append(index, func(conn *pgx.Conn) error { _, err := conn.Exec(ctx, text); return err })
	}
	if err := atOnce(ctx, url, load); err != nil {
		return err
	}
	if err := atOnce(ctx, url, index); err != nil {
		return err
	}
	for _, text := range []string{`vacuum analyze`, `checkpoint`} {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// atOnce runs jobs on four connections.
func atOnce(ctx context.Context, url string, jobs []func(*pgx.Conn) error) error {
	todo := make(chan func(*pgx.Conn) error, len(jobs))
	for _, job := range jobs {
		todo <- job
	}
	close(todo)
	failed := make(chan error, 4)
	for range cap(failed) {
		go func() {
			conn, err := pgx.Connect(ctx, url)
			if err == nil {
				defer conn.Close(ctx)
				// What is loaded refers to what is loaded: checking that row by row takes longer than the rest.
				_, err = conn.Exec(ctx, `set session_replication_role = replica; set maintenance_work_mem = '512MB'; set synchronous_commit = off`)
			}
			for job := range todo {
				if err == nil {
					err = job(conn)
				}
			}
			failed <- err
		}()
	}
	var errs []error
	for range cap(failed) {
		errs = append(errs, <-failed)
	}
	return errors.Join(errs...)
}

// copy hands out the rows one after the other.
func (t table) copy() pgx.CopyFromSource {
	n, rows := 0, [][]any(nil)
	return pgx.CopyFromFunc(func() ([]any, error) {
		for len(rows) == 0 {
			if n == t.n {
				return nil, nil
			}
			rows = t.rows(n)
			n++
		}
		row := rows[0]
		rows = rows[1:]
		return row, nil
	})
}

// names are the tables as a list in SQL.
func (f *Fill) names() string {
	var names []string
	for _, t := range f.tables() {
		names = append(names, "'"+t.name+"'")
	}
	return "(" + strings.Join(names, ", ") + ")"
}

// indexes drops the indexes that a query names and returns how to make them
// again: that takes far less time than filling them row by row.
func indexes(ctx context.Context, db *sql.DB, query string) (again []string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			return nil, err
		}
		names, again = append(names, name), append(again, text)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, name := range names {
		if _, err := db.ExecContext(ctx, `drop index `+name); err != nil {
			return nil, err
		}
	}
	return again, nil
}

func asJSON(e iam.End) string {
	b, _ := json.Marshal(e) // a plain struct always marshals
	return string(b)
}
