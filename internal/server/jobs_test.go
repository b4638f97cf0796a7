package server

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/jobs"
	"latchkey/internal/keys"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/seal"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
)

// sweeps has each statement of the store that removes what is over, with rows
// for it to remove. A statement that is not here, or that no job runs, fails TestJobsSweepAll.
var sweeps = map[string]struct {
	seed  func(ctx context.Context, tx *store.Tx, r iam.RealmID) error
	sweep func(ctx context.Context, tx *store.Tx, r iam.RealmID, before time.Time) (int64, error)
}{
	"SweepSessions": {
		func(ctx context.Context, tx *store.Tx, r iam.RealmID) error {
			_, err := tx.BeginSession(ctx, &iam.UserSession{ID: "old", Realm: r, User: "u", Started: tx.Now, LastAccess: tx.Now})
			return err
		},
		func(ctx context.Context, tx *store.Tx, r iam.RealmID, before time.Time) (int64, error) {
			list, err := tx.SweepSessions(ctx, r, false, store.Overdue{Used: before}, 10, func(*store.Ending) {})
			return int64(len(list)), err
		},
	},
	"SweepEnded": {
		func(ctx context.Context, tx *store.Tx, r iam.RealmID) error {
			_, err := tx.BeginSession(ctx, &iam.UserSession{ID: "ended", Realm: r, User: "u", Started: tx.Now, LastAccess: tx.Now})
			if err != nil {
				return err
			}
			_, err = tx.EndSessions(ctx, r, iam.SessionRef{ID: "ended"}.Only(),
				func(x *store.Ending) { x.End = iam.End{Reason: iam.Idle, By: iam.ActorSweep} })
			return err
		},
		func(ctx context.Context, tx *store.Tx, r iam.RealmID, before time.Time) (int64, error) {
			return tx.SweepEnded(ctx, r, before, 10)
		},
	},
	"SweepSingleUse": {
		func(ctx context.Context, tx *store.Tx, r iam.RealmID) error {
			_, err := tx.PutSingleUse(ctx, r, store.SingleUse{Key: "k", Value: []byte("v"), Expires: tx.Now.Add(time.Minute)})
			return err
		},
		func(ctx context.Context, tx *store.Tx, _ iam.RealmID, _ time.Time) (n int64, err error) {
			return shards(func(s int64) (int64, error) { return tx.SweepSingleUse(ctx, s, 10) })
		},
	},
	"SweepAuthSessions": {
		func(ctx context.Context, tx *store.Tx, r iam.RealmID) error {
			_, err := tx.OpenAuthTab(ctx, iam.AuthSession{Realm: r, ID: "root", Created: tx.Now, Expires: tx.Now.Add(time.Minute)},
				&iam.AuthTab{ID: "tab"})
			return err
		},
		func(ctx context.Context, tx *store.Tx, _ iam.RealmID, _ time.Time) (int64, error) {
			return shards(func(s int64) (int64, error) { return tx.SweepAuthSessions(ctx, s, 10) })
		},
	},
	"SweepDeliveries": {
		func(ctx context.Context, tx *store.Tx, r iam.RealmID) error {
			if err := tx.InsertDeliveries(ctx, []*store.Delivery{{Realm: r, ID: "d", Kind: "none", State: "due", DueAt: tx.Now}}); err != nil {
				return err
			}
			return tx.FinishDelivery(ctx, r, "d")
		},
		func(ctx context.Context, tx *store.Tx, _ iam.RealmID, before time.Time) (int64, error) {
			return shards(func(s int64) (int64, error) { return tx.SweepDeliveries(ctx, s, before, 10) })
		},
	},
	"SweepDoctorFixes": {
		func(ctx context.Context, tx *store.Tx, r iam.RealmID) error {
			return tx.InsertDoctorFix(ctx, r, store.DoctorFix{ID: "f", Changes: []byte("[]")})
		},
		func(ctx context.Context, tx *store.Tx, r iam.RealmID, before time.Time) (int64, error) {
			return tx.SweepDoctorFixes(ctx, r, before, 10)
		},
	},
	"SweepAdminEvents": {
		func(ctx context.Context, tx *store.Tx, r iam.RealmID) error {
			return tx.InsertAdminEvent(ctx, &iam.AdminEvent{ID: "a", Realm: r, Time: tx.Now})
		},
		func(ctx context.Context, tx *store.Tx, r iam.RealmID, before time.Time) (int64, error) {
			return tx.SweepAdminEvents(ctx, r, before, 10)
		},
	},
	"SweepEvents": {
		func(ctx context.Context, tx *store.Tx, r iam.RealmID) error {
			return tx.InsertEvent(ctx, &iam.Event{ID: "e", Realm: r, Time: tx.Now, Kind: "LOGIN"})
		},
		func(ctx context.Context, tx *store.Tx, r iam.RealmID, before time.Time) (int64, error) {
			return tx.SweepEvents(ctx, r, before, 10)
		},
	},
}

func shards(f func(int64) (int64, error)) (n int64, err error) {
	for s := range int64(store.Shards) {
		k, err := f(s)
		if err != nil {
			return 0, err
		}
		n += k
	}
	return n, nil
}

// Whatever the store can remove because its time is over, a job does remove:
// rows that were written two years ago are gone after each job ran once.
// Keycloak: eventsExpiration, JpaEventStoreProvider.clearExpiredEvents.
func TestJobsSweepAll(t *testing.T) {
	var names []string
	for m := range reflect.TypeFor[*store.Tx]().Methods() {
		if strings.HasPrefix(m.Name, "Sweep") {
			names = append(names, m.Name)
		}
	}
	for name := range sweeps {
		if !slices.Contains(names, name) {
			t.Errorf("there is no %s", name)
		}
	}
	ctx := t.Context()
	cfg := DevDefaults()
	cfg.LogTo, cfg.DataDir = &syncBuffer{}, t.TempDir()
	cfg.Bootstrap.Username, cfg.Bootstrap.Password = "admin", iam.Secret("admin")
	s, err := New(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	master, err := s.realms.Get(ctx, realms.Master)
	if err != nil {
		t.Fatal(err)
	}
	live := sessions.New(s.db, nil)
	manager := newManager(s.db, s.realms, keys.NewMaker(s.db.Now), newUsers(s.db, cfg, live), live)
	if err := manager.Update(ctx, master.ID, &rep.Realm{EventsExpiration: new(int64(3600)),
		Attributes: map[string]string{"adminEventsExpiration": "3600"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	ring, err := seal.LoadOrCreate(cfg.sealKeyFile())
	if err != nil {
		t.Fatal(err)
	}
	long := func() time.Time { return time.Now().AddDate(-2, 0, 0) }
	old, err := store.Open(ctx, store.Config{Engine: store.SQLite, Path: cfg.SQLitePath(), Ring: ring, Clock: long})
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range sweeps {
		if err := old.Tx(ctx, func(tx *store.Tx) error { return x.seed(ctx, tx, master.ID) }); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}

	if s, err = New(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := time.Now().AddDate(-1, 0, 0)
	left := func(name string) (n int64) {
		undo := errors.New("only looked")
		err := s.db.Tx(ctx, func(tx *store.Tx) (err error) {
			if n, err = sweeps[name].sweep(ctx, tx, master.ID, before); err != nil {
				return err
			}
			return undo
		})
		if !errors.Is(err, undo) {
			t.Fatalf("%s: %v", name, err)
		}
		return n
	}
	for _, name := range names {
		if sweeps[name].seed == nil {
			t.Errorf("no rows for %s: add them to sweeps", name)
		} else if left(name) == 0 {
			t.Errorf("%s finds nothing before the jobs ran", name)
		}
	}
	runner := jobs.New(s.db, s.log, s.metrics)
	for _, j := range s.jobs {
		if err := runner.Once(ctx, j); err != nil {
			t.Errorf("%s: %v", j.Name, err)
		}
	}
	for _, name := range names {
		if sweeps[name].seed != nil && left(name) != 0 {
			t.Errorf("no job runs %s", name)
		}
	}
}
