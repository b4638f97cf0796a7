package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// do runs a transaction that must succeed.
func do(t *testing.T, db *store.DB, f func(tx *store.Tx) error) {
	t.Helper()
	if err := db.Tx(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func delivery(realm iam.RealmID, id string, due time.Time) *store.Delivery {
	return &store.Delivery{Realm: realm, ID: id, Kind: "webhook", Event: "session.ended", Hook: "h1", Client: "c1", User: "u1", Session: "s1",
		DueAt: due, State: store.Due, Doc: []byte("news of " + id)}
}

// take takes what is due and returns it by id.
func take(t *testing.T, db *store.DB, lease time.Duration, limit int) map[string]*store.Delivery {
	t.Helper()
	got := map[string]*store.Delivery{}
	do(t, db, func(tx *store.Tx) error {
		list, err := tx.TakeDue(t.Context(), tx.Now.Add(lease), limit)
		for _, d := range list {
			got[d.ID] = d
		}
		return err
	})
	return got
}

func TestDeliveryLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		addRealm(t, db, "r")
		past := db.Now().Add(-time.Second)
		do(t, db, func(tx *store.Tx) error {
			return tx.InsertDeliveries(ctx, []*store.Delivery{delivery("r", "a", past), delivery("r", "b", past),
				delivery("r", "later", past.Add(time.Hour))})
		})
		if due, err := db.HasDue(ctx, db.Now()); err != nil || !due {
			t.Fatalf("HasDue: %v %v", due, err)
		}
		got := take(t, db, time.Hour, 10)
		a, b := got["a"], got["b"]
		if len(got) != 2 || a == nil || b == nil || string(a.Doc) != "news of a" || a.Attempts != 1 || a.Event != "session.ended" ||
			a.Hook != "h1" ||
			a.Client != "c1" || a.User != "u1" || a.Session != "s1" || a.Created.IsZero() {
			t.Fatalf("took %+v", got)
		}
		if due, err := db.HasDue(ctx, db.Now()); err != nil || due || len(take(t, db, time.Hour, 10)) != 0 {
			t.Fatalf("what is taken is due: %v %v", due, err)
		}

		// One arrives, the other fails, is due again, and is given up.
		do(t, db, func(tx *store.Tx) error {
			return errors.Join(tx.FinishDelivery(ctx, "r", "a"), tx.FailDelivery(ctx, b, past, strings.Repeat("ü", 400)))
		})
		d, err := db.Delivery(ctx, "r", "a")
		if err != nil || d.State != store.Delivered || d.DeliveredAt.IsZero() || d.LastError != "" {
			t.Errorf("the delivered one: %+v %v", d, err)
		}
		again := take(t, db, time.Hour, 10)["b"]
		if again == nil || again.Attempts != 2 || again.LastError != strings.Repeat("ü", 150) {
			t.Fatalf("taken again: %+v", again)
		}
		// Who was overtaken changes nothing any more.
		do(t, db, func(tx *store.Tx) error {
			return errors.Join(tx.FailDelivery(ctx, b, past, "late"), tx.GiveUpDelivery(ctx, b, "late"), tx.PutBackDelivery(ctx, b, past))
		})
		if len(take(t, db, time.Hour, 10)) != 0 {
			t.Error("an overtaken attempt made the delivery due")
		}
		do(t, db, func(tx *store.Tx) error { return tx.PutBackDelivery(ctx, again, past) })
		if again = take(t, db, time.Hour, 10)["b"]; again == nil || again.Attempts != 2 {
			t.Fatalf("taken after it was put back: %+v", again)
		}
		do(t, db, func(tx *store.Tx) error { return tx.GiveUpDelivery(ctx, again, "gone") })
		if d, err = db.Delivery(ctx, "r", "b"); err != nil || d.State != store.GivenUp || d.LastError != "gone" {
			t.Errorf("given up: %+v %v", d, err)
		}
		for id, want := range map[string]bool{"a": false, "b": true, "later": false, "none": false} {
			do(t, db, func(tx *store.Tx) error {
				if ok, err := tx.RetryDelivery(ctx, "r", id); ok != want || err != nil {
					t.Errorf("retry of %s: %v %v", id, ok, err)
				}
				return nil
			})
		}
		if d := take(t, db, time.Hour, 10)["b"]; d == nil || d.Attempts != 1 || string(d.Doc) != "news of b" {
			t.Errorf("retried: %+v", d)
		}
	})
}

func TestDeliveryLists(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		addRealm(t, db, "r")
		addRealm(t, db, "other")
		var list []*store.Delivery
		for i := range 120 { // more than one statement holds
			d := delivery("r", fmt.Sprintf("%03d", i), db.Now().Add(time.Hour))
			d.Session, d.User, d.Client = iam.SessionID(fmt.Sprint("s", i%3)), iam.UserID(fmt.Sprint("u", i%4)), iam.ClientID(fmt.Sprint("c", i%5))
			list = append(list, d)
		}
		list[7].Kind, list[8].Hook, list[9].State, list[10].State = "backchannel-logout", "h2", store.GivenUp, store.Delivered
		do(t, db, func(tx *store.Tx) error {
			return tx.InsertDeliveries(ctx, append(list, delivery("other", "000", db.Now())))
		})
		for _, c := range []struct {
			f    store.DeliveryFilter
			want int
		}{
			{store.DeliveryFilter{Max: -1}, 120},
			{store.DeliveryFilter{Max: 10}, 10},
			{store.DeliveryFilter{Max: -1, Session: "s1"}, 40},
			{store.DeliveryFilter{Max: -1, User: "u1"}, 30},
			{store.DeliveryFilter{Max: -1, Client: "c1"}, 24},
			{store.DeliveryFilter{Max: -1, Client: "c1", User: "u1"}, 6},
			{store.DeliveryFilter{Max: -1, Kind: "backchannel-logout"}, 1},
			{store.DeliveryFilter{Max: -1, Hook: "h2"}, 1},
			{store.DeliveryFilter{Max: -1, State: store.Due}, 118},
			{store.DeliveryFilter{Max: -1, State: store.GivenUp}, 1},
			{store.DeliveryFilter{Max: -1, State: store.Delivered}, 1},
			{store.DeliveryFilter{Max: -1, Before: "005"}, 5},
		} {
			got, err := db.Deliveries(ctx, "r", c.f)
			if err != nil || len(got) != c.want {
				t.Errorf("%+v: %d %v, want %d", c.f, len(got), err, c.want)
				continue
			}
			for i := 1; i < len(got); i++ {
				if got[i-1].ID <= got[i].ID {
					t.Errorf("%+v: %s before %s", c.f, got[i-1].ID, got[i].ID)
				}
			}
		}

		// Finished ones are swept, waiting ones never.
		swept := int64(0)
		for s := range int64(store.Shards) {
			do(t, db, func(tx *store.Tx) error {
				n, err := tx.SweepDeliveries(ctx, s, db.Now().Add(2*time.Hour), 500)
				swept += n
				return err
			})
		}
		if rest, err := db.Deliveries(ctx, "r", store.DeliveryFilter{Max: -1}); swept != 2 || len(rest) != 118 || err != nil {
			t.Errorf("swept %d, left %d, %v", swept, len(rest), err)
		}
		do(t, db, func(tx *store.Tx) error { return tx.DeleteRealm(ctx, "r") })
		if rest, err := db.Deliveries(ctx, "r", store.DeliveryFilter{Max: -1}); len(rest) != 0 || err != nil {
			t.Errorf("of a realm that is gone: %d %v", len(rest), err)
		}
	})
}

// Many take at once: each delivery goes to one of them, and to one again once
// its lease is over.
func TestTakeDueHasOneTakerEach(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		addRealm(t, db, "r")
		const deliveries = 60
		var list []*store.Delivery
		for i := range deliveries {
			list = append(list, delivery("r", fmt.Sprintf("%03d", i), db.Now().Add(-time.Second)))
		}
		do(t, db, func(tx *store.Tx) error { return tx.InsertDeliveries(ctx, list) })
		for round := 1; round <= 3; round++ {
			var mu sync.Mutex
			taken := map[string]int{}
			var wg sync.WaitGroup
			start := make(chan struct{})
			for range 8 {
				wg.Go(func() {
					<-start
					for empty := 0; empty < 3; {
						var mine []*store.Delivery
						err := db.Tx(context.WithoutCancel(ctx), func(tx *store.Tx) (err error) {
							// A lease that is over when all have been taken: the next round begins.
							mine, err = tx.TakeDue(ctx, list[0].DueAt.Add(time.Hour), 7)
							return err
						})
						if err != nil {
							t.Error(err)
							return
						}
						if len(mine) == 0 {
							empty++
						}
						mu.Lock()
						for _, d := range mine {
							taken[d.ID]++
							if d.Attempts != round {
								t.Errorf("%s is at attempt %d in round %d", d.ID, d.Attempts, round)
							}
						}
						mu.Unlock()
					}
				})
			}
			close(start)
			wg.Wait()
			if len(taken) != deliveries {
				t.Errorf("round %d: %d of %d were taken", round, len(taken), deliveries)
			}
			for id, n := range taken {
				if n != 1 {
					t.Errorf("round %d: %s was taken %d times", round, id, n)
				}
			}
			do(t, db, func(tx *store.Tx) error { // the leases end
				for _, d := range list {
					d.Attempts = round
					if err := tx.FailDelivery(ctx, d, tx.Now.Add(-time.Millisecond), "away"); err != nil {
						return err
					}
				}
				return nil
			})
		}
	})
}
