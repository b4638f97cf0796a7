package realms_test

import (
	"context"
	"errors"
	"fmt"
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
	db, err := store.Open(t.Context(), store.Config{Engine: store.SQLite, Path: filepath.Join(t.TempDir(), "latchkey.db"), Ring: ring, Clock: at.now})
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
