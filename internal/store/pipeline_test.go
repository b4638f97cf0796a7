package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// crowd adds n users and returns their ids.
func crowd(t *testing.T, db *store.DB, n int) []iam.UserID {
	t.Helper()
	addRealm(t, db, "r")
	ids := make([]iam.UserID, n)
	err := db.Tx(t.Context(), func(tx *store.Tx) error {
		for i := range ids {
			ids[i] = iam.UserID(fmt.Sprintf("u%02d", i))
			u := &iam.User{ID: ids[i], Realm: "r", Username: "name-" + string(ids[i]), Enabled: true, FirstName: "Ünal"}
			if err := tx.InsertUser(t.Context(), u, false); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// Reads that share a round trip each get their own answer. A read that fails, or
// whose caller has gone, does not make the others fail.
func TestReadsTogether(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ids := crowd(t, db, 40)
		var wg sync.WaitGroup
		for round := range 3 {
			for _, id := range ids {
				wg.Go(func() {
					u, err := db.User(t.Context(), "r", id)
					if err != nil || u.ID != id || u.Username != "name-"+string(id) || !u.Enabled || u.FirstName != "Ünal" {
						t.Errorf("user %s: %+v, %v", id, u, err)
					}
				})
				wg.Go(func() {
					if _, err := db.User(t.Context(), "r", "nobody"); !errors.Is(err, store.ErrNotFound) {
						t.Errorf("nobody: %v", err)
					}
				})
				wg.Go(func() { // PostgreSQL knows no such text
					if _, err := db.User(t.Context(), "r", "a\x00b"); err == nil {
						t.Error("a user with a NUL was found")
					}
				})
				wg.Go(func() {
					ctx, cancel := context.WithCancel(t.Context())
					cancel()
					if _, err := db.User(ctx, "r", id); err != nil && !errors.Is(err, context.Canceled) {
						t.Errorf("round %d: not waited for: %v", round, err)
					}
				})
			}
			wg.Wait()
		}
	})
}

// A read sees what was committed before it was asked for, however many others
// it shares a round trip with.
func TestSharedReadsNeverLag(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ids := crowd(t, db, 8)
		var wg sync.WaitGroup
		for _, id := range ids {
			wg.Go(func() {
				for i := range 40 {
					at := time.UnixMilli(int64(i+1) * 1000)
					if err := db.Tx(t.Context(), func(tx *store.Tx) error { return tx.SetUserNotBefore(t.Context(), "r", id, at) }); err != nil {
						t.Error(err)
						return
					}
					if u, err := db.User(t.Context(), "r", id); err != nil || !u.NotBefore.Equal(at) {
						t.Errorf("user %s after %v: %+v, %v", id, at, u, err)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

// Reads get over connections that were lost while idle and a schema that changes
// under prepared statements. After Close they fail with ErrUnavailable.
func TestReadsSurviveLostConnections(t *testing.T) {
	db, conn := openPostgres(t, "", store.Config{})
	ids := crowd(t, db, 2)
	read := func(when string) {
		t.Helper()
		if u, err := db.User(t.Context(), "r", ids[1]); err != nil || u.ID != ids[1] {
			t.Fatalf("%s: %+v, %v", when, u, err)
		}
	}
	read("at first")
	for range 3 {
		cutOthers(t, conn)
		read("after its connection was ended")
	}
	if _, err := conn.Exec(t.Context(), `alter table users alter column first_name type varchar(500)`); err != nil {
		t.Fatal(err)
	}
	read("after another node's migration")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.User(t.Context(), "r", ids[1]); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("after the end: %v", err)
	}
}
