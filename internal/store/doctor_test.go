package store_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// inTx runs f in a transaction that must succeed.
func inTx(t *testing.T, db *store.DB, f func(tx *store.Tx) error) {
	t.Helper()
	if err := db.Tx(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// The numbers that the doctor asks for, over parts and events made for it.
func TestDoctorNumbers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx, now := t.Context(), db.Now()
		ago := func(d time.Duration) time.Time { return now.Add(-d) }
		const day = 24 * time.Hour
		inTx(t, db, func(tx *store.Tx) error {
			errs := []error{
				tx.InsertRealm(ctx, store.RealmRow{ID: "r", Name: "r", Doc: []byte(`{}`)}),
				tx.InsertUser(ctx, &iam.User{ID: "u", Realm: "r", Username: "u", CreatedAt: now}, false),
				tx.InsertUser(ctx, &iam.User{ID: "cut", Realm: "r", Username: "cut", CreatedAt: now, NotBefore: ago(time.Hour)}, false),
			}
			for _, id := range []iam.ClientID{"web", "idle"} {
				errs = append(errs, tx.InsertClient(ctx, "r", store.ClientRow{ID: id, ClientID: string(id), Doc: []byte(`{}`)}))
			}
			for _, s := range []struct {
				id              iam.SessionID
				user            iam.UserID
				offline         bool
				started, access time.Time
			}{
				{"used", "u", false, ago(4 * day), ago(3 * day)},
				{"fresh", "u", true, ago(2 * day), ago(2 * day)},
				{"used", "u", true, ago(3 * day), ago(time.Hour)},
				{"old", "u", true, ago(70 * day), ago(5 * day)},
				{"dead", "cut", true, ago(day), ago(2 * time.Hour)},
				{"over", "u", true, ago(90 * day), ago(80 * day)},
				{"online", "u", false, ago(time.Hour), ago(time.Minute)},
			} {
				_, err := tx.BeginSession(ctx, &iam.UserSession{ID: s.id, Realm: "r", User: s.user, Offline: s.offline, Started: s.started,
					LastAccess: s.access})
				_, err2 := tx.PutClientSession(ctx, &iam.ClientSession{Session: s.id, Realm: "r", Client: "web", Offline: s.offline, Started: s.started,
					LastAccess: s.access})
				errs = append(errs, err, err2)
			}
			for i, e := range []iam.Event{
				{Kind: "LOGIN", Client: "web", Time: ago(2 * day), Details: map[string]string{"grant_type": "password"}},
				{Kind: "LOGIN", Client: "web", Time: ago(day)},
				{Kind: "LOGIN", Client: "web", Time: ago(200 * day), Details: map[string]string{"grant_type": "password"}},
				{Kind: "LOGIN_ERROR", Client: "idle", Time: ago(day), Error: "invalid_redirect_uri"},
				{Kind: "LOGOUT", Client: "web", Session: "used", Time: ago(2 * time.Hour)},
			} {
				e.Realm, e.ID = "r", string(rune('a'+i))
				errs = append(errs, tx.InsertEvent(ctx, &e))
			}
			return errors.Join(errs...)
		})
		inTx(t, db, func(tx *store.Tx) error {
			_, err := tx.EndSessions(ctx, "r", iam.SessionRefs{IDs: []iam.SessionID{"used", "online"}}, func(x *store.Ending) {
				x.End = iam.End{Reason: iam.Idle}
				if x.Session.ID == "used" {
					x.End.Reason = iam.LogoutByUser
				}
			})
			return err
		})
		if ids, err := db.ClientsWithSessions(ctx, "r", true); err != nil || len(ids) != 1 || ids[0] != "web" {
			t.Errorf("clients with offline sessions: %v %v", ids, err)
		}
		q := store.ClientSessionQuery{Client: "web", Offline: true, UsedSince: ago(30 * day), Week: ago(7 * day), Refreshed: 2 * time.Second,
			Older: ago(60 * day), Most: 100}
		got, err := db.ClientSessionNumbers(ctx, "r", q)
		want := store.ClientSessionNumbers{Looked: 4, Begun: 3, Unrefreshed: 1, Older: 1, Dead: 1, LastAccess: ago(time.Hour)}
		if !got.LastAccess.Equal(want.LastAccess) {
			t.Errorf("last access %s, want %s", got.LastAccess, want.LastAccess)
		}
		if got.LastAccess = want.LastAccess; got != want || err != nil {
			t.Errorf("%+v, want %+v (%v)", got, want, err)
		}
		q.NotBefore, q.BegunSince, q.Most = ago(day/2), ago(60*day), 2
		if got, err := db.ClientSessionNumbers(ctx, "r", q); err != nil || got.Looked != 2 {
			t.Errorf("at most two: %+v %v", got, err)
		}
		if first, err := db.FirstEvent(ctx, "r"); err != nil || !first.Equal(ago(200*day)) {
			t.Error(first, err)
		}
		if uses, err := db.EventUses(ctx, "r", ago(90*day), 100); err != nil || len(uses) != 1 || uses[0].Client != "web" ||
			!uses[0].Last.Equal(ago(2*time.Hour)) {
			t.Error(uses, err)
		}
		if n, err := db.CountEvents(ctx, "r", ago(90*day), 3); err != nil || n != 3 {
			t.Error(n, err)
		}
		passwords := 0
		err = db.LoginDetails(ctx, "r", ago(90*day), 100, func(client string, details map[string]string) {
			if client == "web" && details["grant_type"] == "password" {
				passwords++
			}
		})
		if err != nil || passwords != 1 {
			t.Error(passwords, err)
		}
		if left, err := db.LeftOffline(ctx, "r", iam.LogoutByUser, 100); err != nil || len(left) != 1 ||
			left[0] != (store.SessionCount{Client: "web", Count: 1}) {
			t.Error(left, err)
		}
		if left, err := db.LeftOffline(ctx, "r", iam.LogoutByAdmin, 100); err != nil || len(left) != 0 {
			t.Error(left, err)
		}
	})
}

// A fix is undone once, whoever races for it; records go with their realm and by their age.
func TestDoctorFixes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		inTx(t, db, func(tx *store.Tx) error {
			errs := []error{tx.InsertRealm(ctx, store.RealmRow{ID: "r", Name: "r", Doc: []byte(`{}`)})}
			for _, id := range []string{"a", "b", "c"} {
				errs = append(errs, tx.InsertDoctorFix(ctx, "r", store.DoctorFix{ID: id, Finding: "f", Fix: "x", MadeBy: "root",
					Changes: []byte(`[]`)}))
			}
			return errors.Join(errs...)
		})
		var won atomic.Int32
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				err := db.Tx(ctx, func(tx *store.Tx) error {
					first, err := tx.UndoDoctorFix(ctx, "r", "b", "root")
					if first {
						tx.After(func() { won.Add(1) })
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("undone %d times", won.Load())
		}
		page, err := db.DoctorFixes(ctx, "r", store.DoctorFix{}, 2)
		if err != nil || len(page) != 2 || page[0].ID != "c" || page[1].ID != "b" || page[1].Undone.IsZero() || page[1].UndoneBy != "root" {
			t.Fatalf("%+v %v", page, err)
		}
		if page, err = db.DoctorFixes(ctx, "r", page[1], 2); err != nil || len(page) != 1 || page[0].ID != "a" ||
			string(page[0].Changes) != "[]" || page[0].MadeBy != "root" {
			t.Errorf("%+v %v", page, err)
		}
		inTx(t, db, func(tx *store.Tx) error {
			n, err := tx.SweepDoctorFixes(ctx, "r", tx.Now.Add(time.Hour), 2)
			if n != 2 {
				t.Errorf("swept %d", n)
			}
			return errors.Join(err, tx.DeleteRealm(ctx, "r"))
		})
		if _, err := db.DoctorFix(ctx, "r", "c"); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	})
}
