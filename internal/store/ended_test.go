package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

func addSession(t *testing.T, db *store.DB, s *iam.UserSession, client iam.ClientID) {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.BeginSession(t.Context(), s); err != nil {
			return err
		}
		_, err := tx.PutClientSession(t.Context(), &iam.ClientSession{Session: s.ID, Realm: s.Realm, Offline: s.Offline, Client: client,
			Started: s.Started, LastAccess: s.LastAccess})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Of those who read a client's part and write it, one does; the others are told.
func TestPartsAreNotWrittenOver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		addRealm(t, db, "r")
		addSession(t, db, &iam.UserSession{ID: "s", Realm: "r", User: "u", Started: db.Now(), LastAccess: db.Now()}, "c")
		const rivals = 8
		for round := range 10 {
			v, err := db.Session(ctx, "r", iam.SessionRef{ID: "s"}, "c")
			if err != nil {
				t.Fatal(err)
			}
			var won [rivals]bool
			var all sync.WaitGroup
			for n := range rivals {
				all.Go(func() {
					p := *v.ClientSession
					p.Notes = map[string]string{"by": fmt.Sprint(n)}
					err := db.Tx(ctx, func(tx *store.Tx) (err error) {
						if n%2 == 0 {
							won[n], err = tx.PutClientSession(ctx, &p)
						} else {
							won[n], err = tx.SwapClientSession(ctx, &p)
						}
						return err
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if v, err = db.Session(ctx, "r", iam.SessionRef{ID: "s"}, "c"); err != nil {
				t.Fatal(err)
			}
			for n, it := range won {
				if it != (v.ClientSession.Notes["by"] == fmt.Sprint(n)) {
					t.Fatalf("round %d: rival %d was told %v, and %q stands there", round, n, it, v.ClientSession.Notes["by"])
				}
			}
		}
	})
}

// A session that ends whole while a client's part in it ends alone: both are
// answered, and the part has one record.
func TestPartAndSessionEndAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		addRealm(t, db, "r")
		for i := range 20 {
			id := iam.SessionID(fmt.Sprint("s", i))
			addSession(t, db, &iam.UserSession{ID: id, Realm: "r", User: "u", Started: db.Now(), LastAccess: db.Now()}, "c")
			var all sync.WaitGroup
			for n := range 8 {
				all.Go(func() {
					err := db.Tx(ctx, func(tx *store.Tx) (err error) {
						if n%2 == 0 {
							_, err = tx.EndClientSessions(ctx, "r", iam.SessionRef{ID: id}.Only(), "c", func(*iam.ClientSession) {},
								iam.End{Reason: iam.Revoked})
							return err
						}
						_, err = tx.EndSessions(ctx, "r", iam.SessionRef{ID: id}.Only(), func(x *store.Ending) { x.End.Reason = iam.LogoutByUser })
						return err
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			parts, err := db.EndedClientSessions(ctx, "r", id)
			if err != nil || len(parts) != 1 {
				t.Errorf("%d records of the part, %v", len(parts), err)
			}
		}
	})
}

// Whatever has timed out is swept, by idleness and by age, and nothing else.
func TestSweepFindsIdleAndOld(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		addRealm(t, db, "r")
		now := db.Now()
		hours := func(n int) time.Time { return now.Add(time.Duration(-n) * time.Hour) }
		for i, s := range []iam.UserSession{
			{ID: "live", Started: hours(5), LastAccess: hours(0)},
			{ID: "idle", Started: hours(5), LastAccess: hours(3)},
			{ID: "old", Started: hours(20), LastAccess: hours(0)},
			{ID: "both", Started: hours(20), LastAccess: hours(3)},
			{ID: "remembered", Started: hours(20), LastAccess: hours(3), Remember: true},
			{ID: "offline", Started: hours(20), LastAccess: hours(3), Offline: true},
		} {
			s.Realm, s.User = "r", iam.UserID(fmt.Sprint("u", i))
			addSession(t, db, &s, "c")
		}
		due := store.Overdue{Used: hours(2), Begun: hours(10)}
		for _, want := range []int{2, 1, 0} {
			var got []*store.Ending
			err := db.Tx(ctx, func(tx *store.Tx) (err error) {
				got, err = tx.SweepSessions(ctx, "r", false, due, 2, func(*store.Ending) {})
				return err
			})
			if err != nil || len(got) != want {
				t.Fatalf("swept %d, want %d: %v", len(got), want, err)
			}
			for _, x := range got {
				if id := x.Session.ID; id != "idle" && id != "old" && id != "both" {
					t.Errorf("swept %s", id)
				}
			}
		}
	})
}
