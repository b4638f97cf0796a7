package realms

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"latchkey/internal/iam"
	"latchkey/internal/store"
)

// ErrNotFound says that there is no such realm.
var ErrNotFound = &iam.Error{Kind: iam.NotFound, Msg: "Realm not found."}

// A Cache keeps realm snapshots. A node's own changes are seen at once, other
// nodes' within a poll (one second); what must never lag - enabled, not-before,
// sessions, users - is not read from snapshots where it decides.
type Cache struct {
	db    *store.DB
	load  singleflight.Group
	mu    sync.RWMutex
	names map[string]*Realm
	ids   map[iam.RealmID]*Realm
	drops int64 // counts invalidations, so that a snapshot begun before one is not kept
}

// NewCache makes an empty cache over a database.
func NewCache(db *store.DB) *Cache {
	return &Cache{db: db, names: map[string]*Realm{}, ids: map[iam.RealmID]*Realm{}}
}

// DB is the database underneath, for the other rooms of rules.
func (c *Cache) DB() *store.DB { return c.db }

// Get returns the current snapshot of the realm with that name, or ErrNotFound.
func (c *Cache) Get(ctx context.Context, name string) (*Realm, error) {
	c.mu.RLock()
	r := c.names[name]
	c.mu.RUnlock()
	if r != nil {
		return r, nil
	}
	return c.build(ctx, "n:"+name, func(ctx context.Context) (store.RealmRow, error) { return c.db.RealmByName(ctx, name) })
}

// ByID returns the current snapshot of the realm with that id, or ErrNotFound.
func (c *Cache) ByID(ctx context.Context, id iam.RealmID) (*Realm, error) {
	c.mu.RLock()
	r := c.ids[id]
	c.mu.RUnlock()
	if r != nil {
		return r, nil
	}
	return c.build(ctx, "i:"+string(id), func(ctx context.Context) (store.RealmRow, error) { return c.db.RealmByID(ctx, id) })
}

// Names returns the names of all realms, sorted.
func (c *Cache) Names(ctx context.Context) ([]string, error) { return c.db.RealmNames(ctx) }

func (c *Cache) build(ctx context.Context, key string, find func(context.Context) (store.RealmRow, error)) (*Realm, error) {
	// Whoever waits for somebody else's load must not fail with that one's context.
	ctx = context.WithoutCancel(ctx)
	c.mu.RLock()
	drops := c.drops
	c.mu.RUnlock()
	// Who comes after a change must not join a load that began before it.
	v, err, _ := c.load.Do(key+"#"+strconv.FormatInt(drops, 10), func() (any, error) {
		row, err := find(ctx)
		if errors.Is(err, store.ErrNotFound) {
			return nil, ErrNotFound
		}
		if err != nil {
			return nil, err
		}
		r, err := load(ctx, c.db, row)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if drops == c.drops {
			c.names[r.Name], c.ids[r.ID] = r, r
		}
		return r, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*Realm), nil
}

// Change runs f in a transaction that changes a realm's configuration, and lets
// every node know. See store.DB.Tx for what f may do.
func (c *Cache) Change(ctx context.Context, realm iam.RealmID, f func(tx *store.Tx) error) error {
	return c.db.Tx(ctx, func(tx *store.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return c.Changed(ctx, tx, realm)
	})
}

// Refresh makes every node read a realm again.
func (c *Cache) Refresh(ctx context.Context, realm iam.RealmID) error {
	return c.Change(ctx, realm, func(*store.Tx) error { return nil })
}

// Changed marks a realm's configuration as changed by tx, for transactions that
// touch several realms.
func (c *Cache) Changed(ctx context.Context, tx *store.Tx, realm iam.RealmID) error {
	tx.After(func() { c.drop(realm) })
	return tx.BumpRealm(ctx, realm)
}

func (c *Cache) drop(realm iam.RealmID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drops++
	if r := c.ids[realm]; r != nil {
		delete(c.ids, realm)
		delete(c.names, r.Name)
	}
}

const pollBack = 30 * time.Second // how far the clocks of nodes may differ

// PollOnce drops the snapshots that other nodes have changed. It has to run once a second.
func (c *Cache) PollOnce(ctx context.Context) error {
	versions, err := c.db.RealmVersionsSince(ctx, c.db.Now().Add(-pollBack))
	if err != nil {
		return err
	}
	for _, v := range versions {
		c.mu.RLock()
		r := c.ids[v.Realm]
		c.mu.RUnlock()
		if r != nil && r.Version != v.Version {
			c.drop(v.Realm)
		}
	}
	return nil
}
