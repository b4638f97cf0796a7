package store_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// Of many who bring an event of another server, one is told that it is new.
func TestForeignEventsAreStoredOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx, now := t.Context(), db.Now()
		addRealm(t, db, "r")
		var fresh atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				var is bool
				err := db.Tx(ctx, func(tx *store.Tx) (err error) {
					is, err = tx.PutEvent(ctx, &iam.Event{Realm: "r", ID: "e", Kind: "LOGIN", Time: now})
					if err == nil {
						err = tx.PutAdminEvent(ctx, &iam.AdminEvent{Realm: "r", ID: "a", Operation: "DELETE", Time: now})
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
				if is {
					fresh.Add(1)
				}
			})
		}
		all.Wait()
		events, err := db.Events(ctx, "r", store.EventFilter{Max: -1})
		admin, err2 := db.AdminEvents(ctx, "r", store.AdminEventFilter{Max: -1})
		if err != nil || err2 != nil || fresh.Load() != 1 || len(events) != 1 || len(admin) != 1 {
			t.Errorf("told %d times that it is new; %d events and %d admin events, %v %v", fresh.Load(), len(events), len(admin), err, err2)
		}
		inTx(t, db, func(tx *store.Tx) error {
			if n, err := tx.SweepAdminEvents(ctx, "r", now, 10); err != nil || n != 0 {
				t.Errorf("%d admin events of now are swept, %v", n, err)
			}
			n, err := tx.SweepAdminEvents(ctx, "r", now.Add(time.Second), 10)
			if n != 1 {
				t.Errorf("%d admin events are swept", n)
			}
			return err
		})
	})
}
