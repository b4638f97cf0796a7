package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

func addRealm(t *testing.T, db *store.DB, id iam.RealmID) {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *store.Tx) error {
		return tx.InsertRealm(t.Context(), store.RealmRow{ID: id, Name: string(id), Enabled: true, Doc: []byte(`{"realm":"x"}`)})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRealmRoundTrip(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		at := time.Date(2026, 2, 3, 4, 5, 6, 7e6, time.UTC)
		in := store.RealmRow{ID: "r1", Name: "Ünïcode ✓", Enabled: true, NotBefore: at,
			Doc: []byte(`{"a":"` + string(make([]byte, 1<<20)) + `"}`)}
		if err := db.Tx(ctx, func(tx *store.Tx) error { return tx.InsertRealm(ctx, in) }); err != nil {
			t.Fatal(err)
		}
		out, err := db.RealmByName(ctx, in.Name)
		if err != nil {
			t.Fatal(err)
		}
		if out.ID != in.ID || !out.NotBefore.Equal(at) || string(out.Doc) != string(in.Doc) || out.Version != 1 {
			t.Errorf("came back as %v %v v%d, %d bytes", out.ID, out.NotBefore, out.Version, len(out.Doc))
		}
		if _, err := db.RealmByName(ctx, "nobody"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("missing realm: %v", err)
		}
		err = db.Tx(ctx, func(tx *store.Tx) error {
			return tx.InsertRealm(ctx, store.RealmRow{ID: "r2", Name: in.Name, Doc: []byte("{}")})
		})
		if exists, ok := store.Exists(err); !ok || !exists.On("realms", "name") {
			t.Errorf("second realm of one name: %v", err)
		}
	})
}

func TestUpdateIsCompareAndSwap(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		addRealm(t, db, "r")
		stale, err := db.RealmByID(ctx, "r")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				err := db.Tx(ctx, func(tx *store.Tx) error {
					row, err := tx.RealmByID(ctx, "r")
					if err != nil {
						return err
					}
					row.Doc = append(row.Doc, 'x')
					return tx.UpdateRealm(ctx, row)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		row, err := db.RealmByID(ctx, "r")
		if err != nil || row.Version != 9 || len(row.Doc) != len(stale.Doc)+8 {
			t.Errorf("after 8 racing updates: version %d, %d bytes, %v", row.Version, len(row.Doc), err)
		}
		err = db.Tx(ctx, func(tx *store.Tx) error { return tx.UpdateRealm(ctx, stale) })
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("a stale write: %v, want ErrConflict", err)
		}
	})
}

func TestTakeOnceHasOneWinner(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		addRealm(t, db, "r")
		put := func(expires time.Time) (free bool) {
			err := db.Single(ctx, func(tx *store.Tx) (err error) {
				free, err = tx.PutSingleUse(ctx, "r", store.SingleUse{Key: "code", Value: []byte("value"), Expires: expires})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return free
		}
		if !put(db.Now().Add(time.Minute)) {
			t.Fatal("a fresh key is not free")
		}
		if put(db.Now().Add(time.Minute)) {
			t.Error("a key that is stored is free")
		}
		var won atomic.Int64
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				err := db.Single(ctx, func(tx *store.Tx) error {
					v, err := tx.TakeSingleUse(ctx, "r", "code")
					if err == nil && string(v) != "value" {
						return fmt.Errorf("took %q", v)
					}
					return err
				})
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, store.ErrNotFound):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d of 16 took the value, want 1", won.Load())
		}
		put(db.Now().Add(-time.Second))
		err := db.Single(ctx, func(tx *store.Tx) error { _, err := tx.TakeSingleUse(ctx, "r", "code"); return err })
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an expired value: %v, want ErrNotFound", err)
		}
		if !put(db.Now().Add(time.Minute)) {
			t.Error("an expired key is not free")
		}
	})
}

func TestLeaseHasOneHolder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		lease := func(holder string, until time.Time) (ok bool) {
			if err := db.Tx(ctx, func(tx *store.Tx) (err error) { ok, err = tx.Lease(ctx, "sweep", holder, until); return err }); err != nil {
				t.Fatal(err)
			}
			return ok
		}
		if !lease("a", db.Now().Add(time.Minute)) || lease("b", db.Now().Add(time.Minute)) || !lease("a", db.Now().Add(-time.Second)) ||
			!lease("b", db.Now().Add(time.Minute)) {
			t.Error("want: a takes it, b is refused, a renews it, b takes it once it has run out")
		}
	})
}

// One statement is a transaction by itself; a second would not be in it.
func TestSingle(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		put := func(tx *store.Tx, key string) error {
			_, err := tx.PutSingleUse(ctx, "r", store.SingleUse{Key: key, Expires: tx.Now.Add(time.Hour)})
			return err
		}
		done := 0
		err := db.Single(ctx, func(tx *store.Tx) error {
			tx.After(func() { done++ })
			return put(tx, "one")
		})
		if has, _ := db.HasSingleUse(ctx, "r", "one", db.Now()); err != nil || !has || done != 1 {
			t.Errorf("%v; stored: %v, %d times done", err, has, done)
		}
		err = db.Single(ctx, func(tx *store.Tx) error { return errors.Join(put(tx, "two"), put(tx, "three")) })
		if has, _ := db.HasSingleUse(ctx, "r", "three", db.Now()); err == nil || has {
			t.Errorf("a second statement: %v, stored: %v", err, has)
		}
	})
}

// One failing transaction of a group must leave the others alone.
func TestGroupedTransactionsFailAlone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		boom := errors.New("boom")
		var wg sync.WaitGroup
		var after atomic.Int64
		for i := range 40 {
			wg.Go(func() {
				err := db.Tx(ctx, func(tx *store.Tx) error {
					id := iam.RealmID(fmt.Sprintf("r%02d", i))
					if err := tx.InsertRealm(ctx, store.RealmRow{ID: id, Name: string(id), Doc: []byte("{}")}); err != nil {
						return err
					}
					tx.After(func() { after.Add(1) })
					if i%4 == 0 {
						return boom
					}
					return nil
				})
				if want := i%4 == 0; errors.Is(err, boom) != want {
					t.Errorf("%d: %v", i, err)
				}
			})
		}
		wg.Wait()
		names, err := db.RealmNames(ctx)
		if err != nil || len(names) != 30 || after.Load() != 30 {
			t.Errorf("%d realms, %d after-functions, %v; want 30", len(names), after.Load(), err)
		}
	})
}

func TestPanicInTransactionReachesItsCaller(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic got lost")
				}
			}()
			_ = db.Tx(t.Context(), func(tx *store.Tx) error {
				if err := tx.InsertRealm(t.Context(), store.RealmRow{ID: "p", Name: "p", Doc: []byte("{}")}); err != nil {
					return err
				}
				panic("here")
			})
		}()
		addRealm(t, db, "after")
		if names, err := db.RealmNames(t.Context()); err != nil || len(names) != 1 {
			t.Errorf("realms %v, %v; want the one after the panic", names, err)
		}
	})
}

func TestEveryConnectionIsDurable(t *testing.T) {
	db := storetest.SQLite(t)
	levels, err := db.Durability(context.Background())
	if err != nil || len(levels) < 2 {
		t.Fatal(levels, err)
	}
	for _, level := range levels {
		if level != 2 {
			t.Errorf("synchronous is %d on a connection, want 2 (full)", level)
		}
	}
}
