package realms_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/seal"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// A clock is set by its test.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// addRole returns a change that makes a role of that name.
func addRole(ctx context.Context, name string) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		return tx.InsertRole(ctx, "r", store.RoleRow{ID: iam.RoleID(name), Name: name, Doc: []byte(`{}`)})
	}
}

// Whatever makes the time at which others see a change differ from the one
// that stands beside it, the other node does not go on with what it holds.
func TestNoChangeIsMissed(t *testing.T) {
	const long = 40 * time.Second
	for _, c := range []struct {
		name   string
		change func(ctx context.Context, at *clock, here, there *realms.Cache) error
	}{
		{"the other node was stopped", func(ctx context.Context, at *clock, here, _ *realms.Cache) error {
			defer at.move(long)
			return here.Change(ctx, "r", addRole(ctx, "new"))
		}},
		{"the other node was stopped, and its clock set back", func(ctx context.Context, at *clock, here, _ *realms.Cache) error {
			defer at.move(-long)
			return here.Change(ctx, "r", addRole(ctx, "new"))
		}},
		{"the clock of the node that changes is behind", func(ctx context.Context, at *clock, here, there *realms.Cache) error {
			at.move(-long)
			err := here.Change(ctx, "r", addRole(ctx, "new"))
			at.move(long)
			return errors.Join(err, there.PollOnce(ctx))
		}},
		{"the clock of the node that changes is ahead", func(ctx context.Context, at *clock, here, there *realms.Cache) error {
			at.move(long)
			err := here.Change(ctx, "r", addRole(ctx, "new"))
			at.move(-long)
			return errors.Join(err, there.PollOnce(ctx))
		}},
		{"the change takes long to be committed", func(ctx context.Context, at *clock, here, there *realms.Cache) error {
			err := here.Change(ctx, "r", func(tx *store.Tx) error {
				at.move(long)
				return addRole(ctx, "new")(tx)
			})
			return errors.Join(err, there.PollOnce(ctx))
		}},
		{"the realm is made anew under its id", func(ctx context.Context, at *clock, here, there *realms.Cache) error {
			err := here.Change(ctx, "r", func(tx *store.Tx) error {
				return errors.Join(tx.DeleteRealm(ctx, "r"),
					tx.InsertRealm(ctx, store.RealmRow{ID: "r", Name: "shop", Enabled: true, Doc: []byte(`{}`)}), addRole(ctx, "new")(tx))
			})
			return errors.Join(err, there.PollOnce(ctx))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := &clock{at: time.Now().Truncate(time.Millisecond)}
			storetest.EachAt(t, at.now, func(t *testing.T, db *store.DB) {
				ctx := t.Context()
				insertRealm(t, db)
				here, there := realms.NewCache(db), realms.NewCache(db)
				if _, err := there.Get(ctx, "shop"); err != nil {
					t.Fatal(err)
				}
				if err := c.change(ctx, at, here, there); err != nil {
					t.Fatal(err)
				}
				r, err := there.Get(ctx, "shop")
				if err != nil || r.RoleByName("", "new") == nil {
					t.Errorf("the other node answers without the change (%v)", err)
				}
			})
		})
	}
}

// A node that cannot ask what has changed does not answer with what it holds.
func TestNothingIsUsedUnconfirmed(t *testing.T) {
	at := &clock{at: time.Now()}
	ring, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Config{Engine: store.SQLite, Path: filepath.Join(t.TempDir(), "latchkey.db"),
		Ring: ring, Clock: at.now})
	if err != nil {
		t.Fatal(err)
	}
	insertRealm(t, db)
	cache := realms.NewCache(db)
	if _, err := cache.Get(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := cache.Get(t.Context(), "shop"); err != nil {
		t.Errorf("a moment after it was read: %v", err)
	}
	at.move(10 * time.Second)
	if _, err := cache.Get(t.Context(), "shop"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("nobody knows whether it is current: %v", err)
	}
}

// While another node changes a realm, no load ends with a mixture that looks current.
func TestLoadsDuringChangesElsewhere(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		insertRealm(t, db)
		here, there := realms.NewCache(db), realms.NewCache(db)
		const last = 60
		done := make(chan error, 1)
		go func() {
			for i := range last + 1 {
				err := here.Change(ctx, "r", func(tx *store.Tx) error {
					row, err := tx.RealmByID(ctx, "r")
					if err != nil {
						return err
					}
					row.Doc = fmt.Appendf(nil, `{"realm":"shop","displayName":"%d"}`, i)
					return tx.UpdateRealm(ctx, row)
				})
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		for going := true; going; {
			select {
			case err := <-done:
				if err != nil {
					t.Fatal(err)
				}
				going = false
			default:
			}
			there.Forget("r")
			if _, err := there.Get(ctx, "shop"); err != nil {
				t.Fatal(err)
			}
			if err := there.PollOnce(ctx); err != nil {
				t.Fatal(err)
			}
			r, err := there.ByID(ctx, "r")
			if err != nil {
				t.Fatal(err)
			}
			if row, err := db.RealmByID(ctx, "r"); err != nil || row.Whole == r.Version && row.Version != r.Row {
				t.Fatalf("the snapshot says version %d, as the database, but has row %d instead of %d (%v)", r.Version, r.Row, row.Version, err)
			}
		}
	})
}

// A realm is found by the name that it has, in whatever order renaming, asking
// and looking for changes follow each other.
func TestRenamedRealms(t *testing.T) {
	rename := func(ctx context.Context, c *realms.Cache, names map[iam.RealmID]string) error {
		return c.DB().Tx(ctx, func(tx *store.Tx) error {
			// By way of names that nobody has: two may change places.
			for _, to := range []func(iam.RealmID) string{func(id iam.RealmID) string { return "free " + string(id) },
				func(id iam.RealmID) string { return names[id] }} {
				for id := range names {
					row, err := tx.RealmByID(ctx, id)
					if err != nil {
						return err
					}
					row.Name = to(id)
					if err := tx.UpdateRealm(ctx, row); err != nil {
						return err
					}
				}
			}
			for id := range names {
				if err := c.Changed(ctx, tx, id); err != nil {
					return err
				}
			}
			return nil
		})
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		insertRealm(t, db)
		if err := db.Tx(ctx, func(tx *store.Tx) error {
			return tx.InsertRealm(ctx, store.RealmRow{ID: "q", Name: "bank", Enabled: true, Doc: []byte(`{}`)})
		}); err != nil {
			t.Fatal(err)
		}
		here, there := realms.NewCache(db), realms.NewCache(db)
		all := []string{"shop", "store", "bank"}
		truth := map[iam.RealmID]string{"r": "shop", "q": "bank"}
		dice := rand.New(rand.NewPCG(1, 2))
		for step := range 200 {
			ask := func(c *realms.Cache, who string) {
				t.Helper()
				name := all[dice.IntN(len(all))]
				r, err := c.Get(ctx, name)
				switch {
				case errors.Is(err, realms.ErrNotFound):
					if name == truth["r"] || name == truth["q"] {
						t.Fatalf("step %d: %s does not find %s", step, who, name)
					}
				case err != nil:
					t.Fatal(err)
				case r.Name != name:
					t.Fatalf("step %d: asked for %s, %s answers %s", step, name, who, r.Name)
				case c == here && truth[r.ID] != name:
					t.Fatalf("step %d: %s finds %s under the name %s", step, who, r.ID, name)
				}
			}
			switch dice.IntN(6) {
			case 0:
				next := map[iam.RealmID]string{"r": all[step%3], "q": all[(step+1)%3]}
				if err := rename(ctx, here, next); err != nil {
					t.Fatal(err)
				}
				truth = next
			case 1, 2:
				ask(here, "the node that renames")
			case 3, 4:
				ask(there, "the other node")
				if id := []iam.RealmID{"r", "q"}[dice.IntN(2)]; dice.IntN(2) == 0 {
					if _, err := there.ByID(ctx, id); err != nil {
						t.Fatal(err)
					}
				}
			case 5:
				if err := there.PollOnce(ctx); err != nil {
					t.Fatal(err)
				}
				for _, name := range all {
					if r, err := there.Get(ctx, name); err == nil && truth[r.ID] != name {
						t.Fatalf("step %d: after it looked for changes the other node finds %s under the name %s", step, r.ID, name)
					}
				}
			}
		}
	})
}
