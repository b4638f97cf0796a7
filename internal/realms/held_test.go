package realms_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// A node that answers for 5,000 realms in turn holds a part of them in memory,
// and the one that is asked for all the time among them.
func TestHeldRealmsAreBounded(t *testing.T) {
	const many, most = 5000, 1000
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		err := db.Tx(ctx, func(tx *store.Tx) error {
			for i := range many {
				id := iam.RealmID(fmt.Sprintf("r%d", i))
				if err := tx.InsertRealm(ctx, store.RealmRow{ID: id, Name: string(id), Enabled: true, Doc: []byte(`{}`)}); err != nil {
					return err
				}
				if err := tx.BumpRealm(ctx, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		cache := realms.NewCache(db)
		var held atomic.Int64
		get := func(name string) *realms.Realm {
			t.Helper()
			r, err := cache.Get(ctx, name)
			if err != nil || r.Name != name {
				t.Fatalf("%s: %v", name, err)
			}
			return r
		}
		get("r0")
		busy := get("r0")
		for i := 1; i < many; i++ {
			held.Add(1)
			runtime.AddCleanup(get(fmt.Sprintf("r%d", i)), func(int) { held.Add(-1) }, 0)
		}
		if get("r0") != busy {
			t.Error("a walk over all realms displaces the one that is in use")
		}
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			runtime.GC()
			if held.Load() <= most {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%d of %d realms are held in memory", held.Load(), many)
			}
		}
		if held.Load() == 0 {
			t.Error("nothing is held")
		}
		// Changes are seen of what is held, however much that is.
		if err := realms.NewCache(db).Refresh(ctx, "r0"); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if err := cache.PollOnce(ctx); err != nil {
			t.Fatal(err)
		}
		t.Logf("looking for changes took %s", time.Since(begun))
		if get("r0") == busy {
			t.Error("a change is missed")
		}
		runtime.KeepAlive(cache)
	})
}
