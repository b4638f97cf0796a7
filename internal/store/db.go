package store

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/seal"
	"latchkey/internal/store/engine"
)

// An Engine is a kind of database.
type Engine = engine.Kind

// The engines. Postgres stands for whatever speaks its protocol.
const (
	SQLite   = engine.SQLite
	Postgres = engine.Postgres
)

// Config says which database to open. Every zero value but Engine's, the
// place's and the Ring's works.
type Config struct {
	Engine   Engine
	Path     string           // SQLite: the file
	URL      string           // Postgres: postgres://...
	MaxConns int              // Postgres: at most so many connections; 0: 20
	Ring     *seal.Ring       // seals what is secret at rest
	Clock    func() time.Time // nil: time.Now
}

//go:embed migrations/*.sql
var migrations embed.FS

// A DB is an open database. Its reads see only what is committed.
type DB struct {
	Reader
	engine *engine.DB
}

// Open connects, migrates the schema to this program's and checks that Ring is
// the one which the database was sealed with.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Ring == nil {
		return nil, errors.New("store: no key to seal secrets with")
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	e, err := engine.Open(ctx, engine.Config{Kind: cfg.Engine, Path: cfg.Path, URL: cfg.URL, MaxConns: cfg.MaxConns, Clock: cfg.Clock,
		Migrations: files, Statistics: statistics})
	if err != nil {
		return nil, err
	}
	db := &DB{Reader{&e.Reader, cfg.Ring}, e}
	if err := db.checkSeal(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// statistics are those of tables that grow with sessions and users. client_sessions is not among
// them: pages of a client's sessions are read by its key, in their order.
var statistics = engine.Statistics{
	Tables: []string{"user_sessions", "ended_sessions", "events", "deliveries", "user_roles"},
	Distinct: map[string]int64{"realm_id": 1, "offline": 2, "remember": 2, "kind": 10, "state": 3, "reason": 20, "hook_id": 10, "shard": 16,
		"client_id": 1000, "role_id": 1000, "started_at": 10_000, "ended_at": 10_000, "last_access": 10_000, "time": 10_000, "due_at": 10_000},
}

const sealCheck = "seal-check"

// checkSeal refuses a database that was sealed with other keys, with an error that says so.
func (db *DB) checkSeal(ctx context.Context) error {
	sealed, err := one(ctx, &db.Reader, scanValue[[]byte], `select value from meta where name = $1`, sealCheck)
	if errors.Is(err, ErrNotFound) {
		return db.Tx(ctx, func(tx *Tx) error {
			_, err := tx.exec(ctx, `insert into meta (name, value) values ($1, $2) on conflict (name) do nothing`,
				sealCheck, tx.seal(sealCheck, []byte("latchkey")))
			return err
		})
	}
	if err != nil {
		return err
	}
	if _, err := db.unseal(sealCheck, sealed); err != nil {
		return fmt.Errorf("the seal key file does not fit this database: %w", err)
	}
	return nil
}

// Engine tells which engine this is, for messages.
func (db *DB) Engine() Engine { return db.engine.Kind() }

// Now is the database's clock, to the millisecond.
func (db *DB) Now() time.Time { return db.engine.Now() }

// Clock is the clock underneath Now, not cut to milliseconds and with what a
// process's monotonic clock says.
func (db *DB) Clock() time.Time { return db.engine.Clock() }

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	_, err := one(ctx, db.quick(), scanValue[int64], `select count(*) from meta where name = $1`, sealCheck)
	return err
}

// CheckLiveness asks whether the database answers. It has to run once a second:
// where it does not, all that waits for it fails with ErrUnavailable.
func (db *DB) CheckLiveness(ctx context.Context) error { return db.engine.CheckLiveness(ctx) }

// Probe writes a few kilobytes. A database whose disk is full, or that has become
// read-only, refuses that.
func (db *DB) Probe(ctx context.Context) error {
	noise := make([]byte, 8<<10) // what can be compressed would need less space
	_, _ = rand.Read(noise)      // never fails
	done := make(chan error, 1)
	go func() {
		done <- db.Tx(ctx, func(tx *Tx) error {
			_, err := tx.exec(ctx, `insert into leases (name, holder, until) values ($1, $2, $3)
				on conflict (name) do update set holder = excluded.holder, until = excluded.until`,
				"probe", hex.EncodeToString(noise), millis(tx.Now))
			return err
		})
	}()
	select {
	case err := <-done:
		return engine.Translate(err)
	case <-ctx.Done():
		if db.Engine() == SQLite {
			return nil // SQLite has one writer, and it is busy
		}
		return engine.Translate(ctx.Err())
	}
}

// Close ends all connections after the writes under way.
func (db *DB) Close() error { return db.engine.Close() }

// Backup writes a consistent copy of a SQLite database to a new file while the
// server runs. The seal key file is not part of it and must be kept as well.
func (db *DB) Backup(ctx context.Context, path string) error { return db.engine.Backup(ctx, path) }

// Durability returns the synchronous setting of a fresh pooled connection of
// each SQLite pool (2 is full), for the test that guards it.
func (db *DB) Durability(ctx context.Context) ([]int, error) { return db.engine.Durability(ctx) }

// binds returns "$from, $from+1, ..." for count values.
func binds(from, count int) string {
	var b strings.Builder
	for i := range count {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(from + i))
	}
	return b.String()
}
