package realms

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"latchkey/internal/iam"
	"latchkey/internal/store"
)

// ErrNotFound says that there is no such realm.
var ErrNotFound = &iam.Error{Kind: iam.NotFound, Msg: "Realm not found."}

// A Cache keeps realm snapshots. A node's own changes are seen at once, other
// nodes' within a poll (one second); what must never lag - enabled, not-before,
// sessions, users - is not read from snapshots where it decides.
//
// The versions of what is held say what was missed, never a time: clocks differ,
// and a change may be committed long after it began. A node that could not ask
// for them (it was stopped, cut off, or its database was away) asks before it
// uses what it holds, and uses nothing without an answer.
type Cache struct {
	db    *store.DB
	load  singleflight.Group
	poll  singleflight.Group
	mu    sync.Mutex
	held  *lru.TwoQueueCache[iam.RealmID, *Realm] // a walk over all realms does not displace those in use
	names *lru.TwoQueueCache[string, iam.RealmID] // where to look in held, which decides: a realm may have been renamed
	drops int64                                   // counts invalidations, so that a snapshot begun before one is not kept
	seen  time.Time                               // what is held was current then, or is newer
}

// maxRealms bounds how many realms a node holds: a new one takes some 150 kilobytes.
const maxRealms = 1000

// NewCache makes an empty cache over a database.
func NewCache(db *store.DB) *Cache {
	held, _ := lru.New2Q[iam.RealmID, *Realm](maxRealms) // fails for sizes below one
	names, _ := lru.New2Q[string, iam.RealmID](maxRealms)
	return &Cache{db: db, held: held, names: names, seen: db.Clock()}
}

// DB is the database underneath, for the other rooms of rules.
func (c *Cache) DB() *store.DB { return c.db }

// Get returns the current snapshot of the realm with that name, or ErrNotFound.
func (c *Cache) Get(ctx context.Context, name string) (*Realm, error) {
	if err := c.confirm(ctx); err != nil {
		return nil, err
	}
	if id, ok := c.names.Get(name); ok {
		if r, ok := c.held.Get(id); ok && r.Name == name {
			return r, nil
		}
	}
	if !iam.Storable(name) {
		return nil, ErrNotFound // out of a token that nobody has verified
	}
	return c.build(ctx, "n:"+name, func(ctx context.Context) (store.RealmRow, error) { return c.db.RealmByName(ctx, name) })
}

// ByID returns the current snapshot of the realm with that id, or ErrNotFound.
func (c *Cache) ByID(ctx context.Context, id iam.RealmID) (*Realm, error) {
	if err := c.confirm(ctx); err != nil {
		return nil, err
	}
	if r, ok := c.held.Get(id); ok {
		return r, nil
	}
	return c.build(ctx, "i:"+string(id), func(ctx context.Context) (store.RealmRow, error) { return c.db.RealmByID(ctx, id) })
}

// Names returns the names of all realms, sorted.
func (c *Cache) Names(ctx context.Context) ([]string, error) { return c.db.RealmNames(ctx) }

func (c *Cache) build(ctx context.Context, key string, find func(context.Context) (store.RealmRow, error)) (*Realm, error) {
	// Whoever waits for somebody else's load must not fail with that one's context.
	ctx = context.WithoutCancel(ctx)
	c.mu.Lock()
	drops := c.drops
	c.mu.Unlock()
	// Who comes after a change must not join a load that began before it.
	v, err, _ := c.load.Do(key+"#"+strconv.FormatInt(drops, 10), func() (any, error) {
		r, err := c.read(ctx, find)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if drops == c.drops {
			c.held.Add(r.ID, r)
			c.names.Add(r.Name, r.ID)
		}
		return r, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*Realm), nil
}

// read loads a snapshot that is no older than what is held may be.
func (c *Cache) read(ctx context.Context, find func(context.Context) (store.RealmRow, error)) (*Realm, error) {
	for range maxTries {
		begun := c.db.Clock()
		row, err := find(ctx)
		if errors.Is(err, store.ErrNotFound) {
			return nil, ErrNotFound
		}
		if err != nil {
			return nil, err
		}
		r, err := load(ctx, c, row)
		if err != nil {
			return nil, err
		}
		if c.recent(begun) {
			return r, nil
		}
		// The realm is large, or the node was stopped meanwhile.
		versions, err := c.db.RealmVersions(ctx, []iam.RealmID{r.ID})
		if err != nil {
			return nil, err
		}
		if len(outdated([]*Realm{r}, versions)) == 0 {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%w: a realm changes faster than it is read", store.ErrUnavailable)
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
	c.held.Remove(realm)
}

const (
	pollWithin = 5 * time.Second // for the database to answer a poll
	maxAge     = 3 * time.Second // of the last poll that was answered, then nothing is used without another
	maxTries   = 3
)

// PollOnce drops the snapshots that other nodes have changed. It has to run once
// a second. Who comes while it looks waits for the same answer.
func (c *Cache) PollOnce(ctx context.Context) error {
	answer := c.poll.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pollWithin)
		defer cancel()
		return nil, c.look(ctx)
	})
	select {
	case got := <-answer:
		return got.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// look drops what is outdated. What it drops was current before; what it leaves
// is current as of the moment before it asked.
func (c *Cache) look(ctx context.Context) error {
	begun, held := c.db.Clock(), c.held.Values()
	var versions []store.RealmVersion
	if len(held) > 0 {
		ids := make([]iam.RealmID, len(held))
		for i, r := range held {
			ids[i] = r.ID
		}
		var err error
		if versions, err = c.db.RealmVersions(ctx, ids); err != nil {
			return fmt.Errorf("looking for changed realms: %w", errors.Join(store.ErrUnavailable, err))
		}
	}
	for _, id := range outdated(held, versions) {
		c.drop(id)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = begun
	return nil
}

// outdated returns which of list have another version by now.
func outdated(list []*Realm, versions []store.RealmVersion) (ids []iam.RealmID) {
	now := make(map[iam.RealmID]int64, len(versions))
	for _, v := range versions {
		now[v.Realm] = v.Version
	}
	for _, r := range list {
		if r.Version != now[r.ID] {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// confirm makes sure that a poll was answered lately, and asks where none was.
func (c *Cache) confirm(ctx context.Context) error {
	for range maxTries { // the answer that others wait for may be of before
		c.mu.Lock()
		seen := c.seen
		c.mu.Unlock()
		if c.recent(seen) {
			return nil
		}
		if err := c.PollOnce(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: answers come too late", store.ErrUnavailable)
}

// recent reports whether a moment is less than maxAge ago by both clocks: the
// monotonic one stands still while the machine sleeps, the other one may be set.
func (c *Cache) recent(moment time.Time) bool {
	now := c.db.Clock()
	wall := now.Round(0).Sub(moment.Round(0))
	return now.Sub(moment) < maxAge && wall < maxAge && wall > -maxAge
}
