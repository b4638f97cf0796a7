package store

import (
	"context"

	"latchkey/internal/iam"
)

// Endless runs a statement that ends only with its context.
func (db *DB) Endless(ctx context.Context) error {
	_, err := one(ctx, &db.Reader, scanValue[int64],
		`with recursive endless (n) as (select 1 union all select 1 from endless) select count(*) from endless`)
	return err
}

// EndlessOnes counts the statements of Endless that PostgreSQL still runs.
func (db *DB) EndlessOnes(ctx context.Context) (int64, error) {
	return one(ctx, &db.Reader, scanValue[int64],
		`select count(*) from pg_stat_activity where datname = current_database() and state = 'active' and query like '%as (select 1 union%from endless'`)
}

// The statements about a client session as the version before has them, which keeps
// refresh chains in notes alone.

// OldPart reads the notes and the version of a client session.
func (tx *Tx) OldPart(ctx context.Context, p *iam.ClientSession) (notes map[string]string, version int64, err error) {
	_, err = one(ctx, &tx.Reader, func(row row) (struct{}, error) {
		var doc string
		err := row.Scan(&doc, &version)
		if err == nil {
			err = readNotes([]byte(doc), &notes)
		}
		return struct{}{}, err
	}, `select notes, version from client_sessions where realm_id = $1 and session_id = $2 and offline = $3 and client_id = $4`, p.Realm,
		p.Session, p.Offline, p.Client)
	return notes, version, err
}

// OldPut is PutClientSession, OldSwap SwapClientSession.
func (tx *Tx) OldPut(ctx context.Context, p *iam.ClientSession) (bool, error) {
	n, err := tx.exec(ctx,
		`insert into client_sessions (realm_id, session_id, offline, client_id, refresh_id, refresh_use, redirect_to, started_at, last_access, notes, origin, version)
		values (`+binds(1, 11)+`, 1)
		on conflict (realm_id, session_id, offline, client_id) do update set refresh_id = excluded.refresh_id, refresh_use = excluded.refresh_use,
		redirect_to = excluded.redirect_to, started_at = excluded.started_at, last_access = excluded.last_access, notes = excluded.notes, origin = excluded.origin,
		version = client_sessions.version + 1 where client_sessions.version = $12`,
		p.Realm, p.Session, p.Offline, p.Client, "", 0, "https://app/", millis(p.Started), millis(p.LastAccess), notes(p.Notes),
		text(p.Origin), p.Version)
	return n > 0, err
}

func (tx *Tx) OldSwap(ctx context.Context, p *iam.ClientSession) (bool, error) {
	n, err := tx.exec(ctx,
		`update client_sessions set refresh_id = $1, refresh_use = $2, redirect_to = $3, last_access = $4, notes = $5, version = version + 1
		where realm_id = $6 and session_id = $7 and offline = $8 and client_id = $9 and version = $10`,
		"", 0, "https://app/", millis(p.LastAccess), notes(p.Notes), p.Realm, p.Session, p.Offline, p.Client, p.Version)
	return n > 0, err
}

// ChainNote is a refresh chain as a note.
func ChainNote(c iam.RefreshChain) (name, note string) { return chainNote + c.ReuseID, chainNoteOf(c) }

// Narrow are statements that concern one session, or one user's.
var Narrow = map[string]string{"beginSession": beginSession, "clientSessionsOfUser": clientSessionsOfUser,
	"sessionIDsOfUser": sessionIDsOfUser}

// ClientCheck is how often PostgreSQL looks whether the client of a running statement is there still.
func (db *DB) ClientCheck(ctx context.Context) (string, error) {
	return one(ctx, db.quick(), scanValue[string], `select current_setting('client_connection_check_interval')`)
}
