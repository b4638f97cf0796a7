package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/internal/iam"
	"latchkey/internal/seal"
	"latchkey/internal/store"
	"latchkey/internal/store/pgtest"
	"latchkey/internal/store/storetest"
)

// openPostgres opens a fresh database, with more in its URL, and a connection beside it.
func openPostgres(t *testing.T, more string, cfg store.Config) (*store.DB, *pgx.Conn) {
	t.Helper()
	url := pgtest.Database(t)
	ring, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Engine, cfg.URL, cfg.Ring = store.Postgres, url+more, ring
	db, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return db, conn
}

// cutOthers ends all other connections to a connection's database.
func cutOthers(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	if _, err := conn.Exec(t.Context(),
		`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`); err != nil {
		t.Fatal(err)
	}
}

// rename is a transaction of two statements.
func rename(db *store.DB, id iam.UserID, name string) error {
	ctx := context.Background()
	return db.Tx(ctx, func(tx *store.Tx) error {
		u, err := tx.User(ctx, "r", id)
		if err != nil {
			return err
		}
		u.FirstName = name
		return tx.UpdateUser(ctx, u, false)
	})
}

// Transactions get over connections that were lost while idle and a schema that
// changes under prepared statements. After Close they fail with ErrUnavailable.
func TestWritesSurviveLostConnections(t *testing.T) {
	var late atomic.Int64
	db, conn := openPostgres(t, "", store.Config{Clock: func() time.Time { return time.Now().Add(time.Duration(late.Load())) }})
	ids := crowd(t, db, 2)
	write := func(when string) {
		t.Helper()
		if err := rename(db, ids[1], when); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if u, err := db.User(t.Context(), "r", ids[1]); err != nil || u.FirstName != when {
			t.Fatalf("%s: %+v, %v", when, u, err)
		}
	}
	write("at first")
	for range 3 {
		cutOthers(t, conn)
		late.Add(int64(2 * time.Second))
		write("after its connection was ended")
	}
	if _, err := conn.Exec(t.Context(), `alter table users alter column first_name type varchar(500)`); err != nil {
		t.Fatal(err)
	}
	write("after another node's migration")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := rename(db, ids[1], "after the end"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("after the end: %v", err)
	}
}

// More transactions than there are connections wait for their turn, and one
// whose caller has no more time leaves none of them waiting for ever.
func TestManyTransactions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ids := crowd(t, db, 60)
		var wg sync.WaitGroup
		for _, id := range ids {
			wg.Go(func() {
				if err := rename(db, id, "new "+string(id)); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				_ = db.Tx(ctx, func(tx *store.Tx) error { return tx.SetUserNotBefore(ctx, "r", "nobody", time.Now()) })
			})
		}
		wg.Wait()
		for _, id := range ids {
			if u, err := db.User(t.Context(), "r", id); err != nil || u.FirstName != "new "+string(id) {
				t.Errorf("%s: %+v, %v", id, u, err)
			}
		}
	})
}

// A statement that fails, and whose error is swallowed, leaves nothing that
// could be taken for success.
func TestSwallowedErrors(t *testing.T) {
	db, _ := openPostgres(t, "", store.Config{})
	crowd(t, db, 1)
	ctx := t.Context()
	err := db.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.SetUserNotBefore(ctx, "r", "u00", time.UnixMilli(1000)); err != nil {
			return err
		}
		if _, err := tx.User(ctx, "r", "a\x00b"); err == nil {
			t.Error("a user with a NUL was found")
		}
		return nil
	})
	if err == nil {
		t.Error("committed after a failed statement")
	}
	if u, err := db.User(ctx, "r", "u00"); err != nil || !u.NotBefore.IsZero() {
		t.Errorf("%+v, %v", u, err)
	}
}

// putCode stores a value to be redeemed.
func putCode(t *testing.T, db *store.DB) {
	t.Helper()
	err := db.Single(t.Context(), func(tx *store.Tx) error {
		_, err := tx.PutSingleUse(t.Context(), "r", store.SingleUse{Key: "code", Value: []byte("value"), Expires: db.Now().Add(time.Minute)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Of many who redeem a code one gets it, and all see the session.
func TestRedeemHasOneWinner(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		addRealm(t, db, "r")
		addSession(t, db, &iam.UserSession{ID: "s", Realm: "r", User: "u", Started: db.Now(), LastAccess: db.Now()}, "c")
		putCode(t, db)
		var won atomic.Int64
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				var value []byte
				var v *store.SessionView
				err := db.Single(ctx, func(tx *store.Tx) (err error) {
					value, v, err = tx.Redeem(ctx, "r", "code", iam.SessionRef{ID: "s"}, "c")
					return err
				})
				if err != nil || v == nil || v.Session.ID != "s" || v.ClientSession == nil {
					t.Errorf("%+v, %v", v, err)
				}
				if string(value) == "value" {
					won.Add(1)
				} else if value != nil {
					t.Errorf("took %q", value)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d of 16 took the value, want 1", won.Load())
		}
	})
}

// A code is not spent where the session cannot be read, or is not there. PostgreSQL
// knows no text with a NUL; to SQLite it is a session that is not there.
func TestRedeemIsWhole(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		addRealm(t, db, "r")
		putCode(t, db)
		redeem := func(session iam.SessionID) (value []byte, v *store.SessionView, err error) {
			err = db.Single(ctx, func(tx *store.Tx) (err error) {
				value, v, err = tx.Redeem(ctx, "r", "code", iam.SessionRef{ID: session}, "c")
				return err
			})
			return value, v, err
		}
		if value, v, err := redeem("a\x00b"); value != nil || v != nil || (err == nil) != (db.Engine() == store.SQLite) {
			t.Errorf("unreadable: %q, %+v, %v", value, v, err)
		}
		if value, v, err := redeem("gone"); value != nil || v != nil || err != nil {
			t.Errorf("gone: %q, %+v, %v", value, v, err)
		}
		addSession(t, db, &iam.UserSession{ID: "s", Realm: "r", User: "u", Started: db.Now(), LastAccess: db.Now()}, "c")
		if value, v, err := redeem("s"); string(value) != "value" || v == nil || err != nil {
			t.Errorf("%q, %+v, %v", value, v, err)
		}
	})
}

// A client that comes again finds its session gone, its part changed by others,
// or joins: and then its code is there.
func TestRejoin(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		addRealm(t, db, "r")
		addSession(t, db, &iam.UserSession{ID: "s", Realm: "r", User: "u", Started: db.Now(), LastAccess: db.Now()}, "c")
		rejoin := func(id iam.SessionID, by string, version int64) (won bool, err error) {
			p := &iam.ClientSession{Session: id, Realm: "r", Client: "c", Notes: map[string]string{"by": by}, Version: version}
			err = db.Single(ctx, func(tx *store.Tx) error {
				won, err = tx.Rejoin(ctx, p, []store.SingleUse{{Key: "code " + by, Value: []byte(by), Expires: db.Now().Add(time.Minute)}})
				return err
			})
			return won, err
		}
		if won, err := rejoin("gone", "x", 0); !errors.Is(err, store.ErrOrphan) {
			t.Errorf("a session that is gone: %v, %v", won, err)
		}
		v, err := db.Session(ctx, "r", iam.SessionRef{ID: "s"}, "c")
		if err != nil {
			t.Fatal(err)
		}
		var won [8]bool
		var wg sync.WaitGroup
		for n := range won {
			wg.Go(func() {
				it, err := rejoin("s", fmt.Sprint(n), v.ClientSession.Version)
				if err != nil {
					t.Error(err)
				}
				won[n] = it
			})
		}
		wg.Wait()
		if v, err = db.Session(ctx, "r", iam.SessionRef{ID: "s"}, "c"); err != nil {
			t.Fatal(err)
		}
		winners := 0
		for n, it := range won {
			by := fmt.Sprint(n)
			if it != (v.ClientSession.Notes["by"] == by) {
				t.Errorf("rival %s was told %v, and %q stands there", by, it, v.ClientSession.Notes["by"])
			}
			if !it {
				continue
			}
			winners++
			err := db.Single(ctx, func(tx *store.Tx) error {
				value, err := tx.TakeSingleUse(ctx, "r", "code "+by)
				if err == nil && string(value) != by {
					err = fmt.Errorf("took %q", value)
				}
				return err
			})
			if err != nil {
				t.Errorf("the winner's code: %v", err)
			}
		}
		if winners != 1 {
			t.Errorf("%d won", winners)
		}
	})
}

// Before a pooler that knows no prepared statements all goes by database/sql.
func TestBeforePoolers(t *testing.T) {
	db, _ := openPostgres(t, "&default_query_exec_mode=exec", store.Config{})
	ids := crowd(t, db, 3)
	if err := rename(db, ids[2], "new"); err != nil {
		t.Fatal(err)
	}
	if u, err := db.User(t.Context(), "r", ids[2]); err != nil || u.FirstName != "new" {
		t.Fatalf("%+v, %v", u, err)
	}
	putCode(t, db)
	addSession(t, db, &iam.UserSession{ID: "s", Realm: "r", User: "u", Started: db.Now(), LastAccess: db.Now()}, "c")
	err := db.Single(t.Context(), func(tx *store.Tx) error {
		value, v, err := tx.Redeem(t.Context(), "r", "code", iam.SessionRef{ID: "s"}, "c")
		if err == nil && (string(value) != "value" || v == nil) {
			err = fmt.Errorf("%q, %+v", value, v)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A database is migrated and used with as few connections as somebody allows.
func TestFewConnections(t *testing.T) {
	for conns := 1; conns <= 6; conns++ {
		db, _ := openPostgres(t, "", store.Config{MaxConns: conns})
		ids := crowd(t, db, 8)
		var wg sync.WaitGroup
		for _, id := range ids {
			wg.Go(func() {
				if err := rename(db, id, "new"); err != nil {
					t.Errorf("%d connections: %v", conns, err)
				}
				if u, err := db.User(t.Context(), "r", id); err != nil || u.FirstName != "new" {
					t.Errorf("%d connections: %+v, %v", conns, u, err)
				}
			})
		}
		wg.Wait()
	}
}
