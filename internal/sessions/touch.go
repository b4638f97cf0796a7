package sessions

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
)

const (
	flushEvery = 10 * time.Second
	flushAt    = 1000 // entries
	maxLag     = time.Minute
)

// A Toucher writes last accesses behind: many uses of a session cost one
// write. What a crash loses is some seconds of idleness.
type Toucher struct {
	db       *store.DB
	flushing sync.Mutex // one at a time: who has flushed reads what others flushed
	mu       sync.Mutex
	due      map[touchKey]use
	full     chan struct{}
}

// touchKey names a session, or with a client that client's part in it.
type touchKey struct {
	Realm   iam.RealmID
	Session iam.SessionID
	Kind    iam.SessionKind
	Client  iam.ClientID
}

// A use is what is to be written of a session or part.
type use struct {
	at        time.Time
	refreshes int64
	issued    string
}

// add puts a later use on top of an earlier one.
func (u use) add(later use) use {
	if later.at.After(u.at) {
		u.at = later.at
	}
	u.refreshes += later.refreshes
	u.issued = later.issued + u.issued
	if len(u.issued) > iam.MaxIssued {
		u.issued = u.issued[:iam.MaxIssued]
	}
	return u
}

func newToucher(db *store.DB) *Toucher {
	return &Toucher{db: db, due: map[touchKey]use{}, full: make(chan struct{}, 1)}
}

// touchLag is how far a stored last access may lag behind.
func touchLag(idle time.Duration) time.Duration {
	return min(maxLag, idle/20) + flushEvery
}

// touch notes a use of a session, and of a client's part in it for a client
// that is not "".
func (t *Toucher) touch(k touchKey, u use) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k.Client != "" {
		t.due[k] = t.due[k].add(u)
		k.Client = ""
	}
	t.due[k] = t.due[k].add(use{at: u.at})
	if len(t.due) >= flushAt {
		select {
		case t.full <- struct{}{}:
		default:
		}
	}
}

// adjust shows a session's last access as this node knows it, before it is written.
func (t *Toucher) adjust(v *View) {
	s := v.Session
	t.mu.Lock()
	due := t.due[touchKey{Realm: s.Realm, Session: s.ID, Kind: iam.SessionKind(s.Offline)}]
	t.mu.Unlock()
	if due.at.After(s.LastAccess) {
		s.LastAccess = due.at
	}
	if v.ClientSession != nil {
		t.adjustClientSession(v.ClientSession)
	}
}

// adjustClientSession does so for a client's part, with the tokens that were issued.
func (t *Toucher) adjustClientSession(p *iam.ClientSession) {
	t.mu.Lock()
	due := t.due[touchKey{p.Realm, p.Session, iam.SessionKind(p.Offline), p.Client}]
	t.mu.Unlock()
	u := use{p.LastAccess, p.Refreshes, p.Issued}.add(due)
	p.LastAccess, p.Refreshes, p.Issued = u.at, u.refreshes, u.issued
}

// Flush writes what is due; what cannot be written is due again.
func (t *Toucher) Flush(ctx context.Context) (err error) {
	t.flushing.Lock()
	defer t.flushing.Unlock()
	t.mu.Lock()
	due := t.due
	t.due = map[touchKey]use{}
	t.mu.Unlock()
	if len(due) == 0 {
		return nil
	}
	touches := make([]store.Touch, 0, len(due))
	for k, u := range due {
		touches = append(touches, store.Touch{Realm: k.Realm, Session: k.Session, Kind: k.Kind, Client: k.Client, At: u.at,
			Refreshes: u.refreshes, Issued: u.issued})
	}
	slices.SortFunc(touches, func(a, b store.Touch) int {
		return cmp.Or(store.CompareTouches(a, b), a.At.Compare(b.At))
	})
	for chunk := range slices.Chunk(touches, 200) {
		if failed := t.db.Tx(ctx, func(tx *store.Tx) error { return tx.TouchSessions(ctx, chunk) }); failed != nil {
			t.putBack(chunk)
			err = failed
		}
	}
	return err
}

func (t *Toucher) putBack(touches []store.Touch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range touches {
		k := touchKey{x.Realm, x.Session, x.Kind, x.Client}
		t.due[k] = use{x.At, x.Refreshes, x.Issued}.add(t.due[k])
	}
}

const sweepChunk = 500

// SweepSingleUse removes what can be used once and was not in time: codes, and
// logins that were begun. They are invisible already.
func (s *Service) SweepSingleUse(ctx context.Context) error {
	for shard := range int64(store.Shards) {
		if err := errors.Join(
			s.db.InChunks(ctx, sweepChunk, func(tx *store.Tx) (int64, error) { return tx.SweepSingleUse(ctx, shard, sweepChunk) }),
			s.db.InChunks(ctx, sweepChunk, func(tx *store.Tx) (int64, error) { return tx.SweepAuthSessions(ctx, shard, sweepChunk) }),
		); err != nil {
			return err
		}
	}
	return nil
}

// SweepRealm ends a realm's sessions that have timed out, and forgets the
// records of those whose time of retention is over. Sessions that have timed out
// are invisible already.
func (s *Service) SweepRealm(ctx context.Context, r *realms.Realm) error {
	for n, kind := range []iam.SessionKind{iam.Online, iam.Online, iam.Offline, iam.Offline} {
		due := s.Overdue(r, kind, n%2 == 1)
		err := s.db.InChunks(ctx, sweepChunk, func(tx *store.Tx) (int64, error) {
			list, err := tx.SweepSessions(ctx, r.ID, kind, due, sweepChunk, func(x *Ending) {
				s.complete(r, x)
				x.End = s.timedOut(r, x.Session, iam.ActorSweep)
			})
			if err != nil {
				return 0, err
			}
			return int64(len(list)), s.tell(ctx, tx, r, list)
		})
		if err != nil {
			return err
		}
	}
	before := s.db.Now().Add(-r.RecordRetention())
	return s.db.InChunks(ctx, sweepChunk, func(tx *store.Tx) (int64, error) { return tx.SweepEnded(ctx, r.ID, before, sweepChunk) })
}

// Overdue says by when sessions of a kind have timed out, going by their last
// uses as they are stored, which lag behind.
func (s *Service) Overdue(r *realms.Realm, kind iam.SessionKind, remember bool) store.Overdue {
	idle, max := userLifespans(&r.Realm, &iam.UserSession{Offline: bool(kind), Remember: remember})
	now := s.db.Now()
	if forgotten(&r.Realm, &iam.UserSession{Remember: remember}) {
		return store.Overdue{Remember: true, Used: now.Add(maxLag)} // all of them
	}
	o := store.Overdue{Remember: remember, Used: now.Add(-idle - touchLag(idle))}
	if max > 0 {
		o.Begun = now.Add(-max)
	}
	return o
}

// FlushEvery is how often Flush has to run, so that last accesses lag behind no
// longer than what Find allows for.
const FlushEvery = flushEvery

// Full has a value when much is noted, and Flush should run now.
func (s *Service) Full() <-chan struct{} { return s.toucher.full }

// Flush writes all noted uses. What cannot be written is tried again at the next call.
func (s *Service) Flush(ctx context.Context) error { return s.toucher.Flush(ctx) }
