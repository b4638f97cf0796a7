package deliveries

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
	"latchkey/internal/telemetry"
)

// A Delivery is something to tell; a Filter narrows a list of them.
type (
	Delivery = store.Delivery
	Filter   = store.DeliveryFilter
	State    = store.DeliveryState
)

// The states of a Delivery.
const (
	Due       = store.Due
	Delivered = store.Delivered
	GivenUp   = store.GivenUp
)

// The kinds of deliveries.
const (
	KindLogout  = "backchannel-logout"
	KindWebhook = "webhook"
	KindMail    = "mail"
)

const (
	lease      = 30 * time.Second // that a taken delivery is left to who took it
	maxCalls   = 64               // under way at a time
	maxPerTo   = 8                // under way at a time to one client or webhook
	maxWaiting = 1000             // taken by this node and not finished
	busyPause  = 30 * time.Second // of what was not tried since its receiver had enough to do
	stopGrace  = 3 * time.Second  // that calls under way get when the server stops
	pollEvery  = time.Second
	sweepEvery = 10 * time.Minute
	sweepChunk = 500

	// KeepFinished is how long deliveries are shown after they arrived or were given up.
	KeepFinished = 30 * 24 * time.Hour
)

// A Kind is what the Queue has to know of a kind of deliveries. HTTP is one.
type Kind interface {
	// Send makes one attempt. A Hopeless error gives the delivery up; any other counts as a
	// failed attempt. Administrators are shown a Hopeless and a Failure; what
	// else went wrong is for the log alone.
	Send(ctx context.Context, r *realms.Realm, d *Delivery) error
	// Limit is how long an attempt may take. It is less than the lease of a delivery.
	Limit() time.Duration
	// Receiver names whom a delivery is for among those of its realm and kind, and says how many
	// attempts for it may be under way at a time; where that is one, they are made in order.
	Receiver(d *Delivery) (name string, most int)
}

// Hopeless is an error that says why a delivery will never arrive.
type Hopeless string

func (h Hopeless) Error() string { return string(h) }

// A Failure is an error that says why an attempt failed, in words that hold neither address nor secret.
type Failure string

func (f Failure) Error() string { return string(f) }

// Unreadable is for a Doc that cannot be read any more.
const Unreadable = Hopeless("what to tell cannot be read any more")

// A Queue tries deliveries until they arrive. It is safe for concurrent use.
type Queue struct {
	realms  *realms.Cache
	db      *store.DB
	log     *slog.Logger
	metrics *telemetry.Metrics // nil counts nothing
	kinds   map[string]Kind
	calls   chan struct{}
	wake    chan struct{}

	mu      sync.Mutex
	lanes   map[string]*lane // by receiver
	waiting int              // taken and not finished
	closed  bool
	running sync.WaitGroup
	ctx     context.Context // of calls; ends with the Queue
	cancel  context.CancelFunc
}

// A lane keeps the calls to one receiver few: those beyond wait for their turn.
type lane struct {
	running int
	next    []*job
}

// A job is a delivery that this node has taken.
type job struct {
	*Delivery
	batch *Batch // nil: nobody waits for it
}

// A Batch is what was enqueued together.
type Batch struct{ jobs sync.WaitGroup }

// Wait returns when all of the batch were tried once and that is noted, when ctx
// ends, or after some time. The nil Batch is empty.
func (b *Batch) Wait(ctx context.Context, patience time.Duration) {
	if b == nil {
		return
	}
	done := make(chan struct{})
	go func() { b.jobs.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	case <-time.After(patience):
	}
}

// New makes a Queue. Handle tells it the kinds it may be given; Run tries what is due.
func New(cache *realms.Cache, log *slog.Logger, metrics *telemetry.Metrics) *Queue {
	q := &Queue{
		realms: cache, db: cache.DB(), log: log, metrics: metrics, kinds: map[string]Kind{},
		calls: make(chan struct{}, maxCalls), wake: make(chan struct{}, 1), lanes: map[string]*lane{},
	}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	return q
}

// Handle says how deliveries of a kind are sent; before anything is enqueued.
func (q *Queue) Handle(kind string, k Kind) { q.kinds[kind] = k }

// Enqueue writes deliveries in a transaction and has them tried once it is
// committed, at once where this node is not too busy. Callers fill in Realm,
// Kind, Event, Doc and what the delivery is about; an ID where Doc has it. Wait for the batch after the
// transaction, or not at all.
func (q *Queue) Enqueue(ctx context.Context, tx *store.Tx, list []*Delivery) (*Batch, error) {
	if len(list) == 0 {
		return nil, nil
	}
	mine := q.room() >= len(list)
	for _, d := range list {
		if d.ID == "" {
			d.ID = uuid.Must(uuid.NewV7()).String()
		}
		d.State, d.DueAt, d.Attempts, d.Created = Due, tx.Now, 0, tx.Now
		if mine {
			d.DueAt, d.Attempts = tx.Now.Add(lease), 1
		}
	}
	if err := tx.InsertDeliveries(ctx, list); err != nil {
		return nil, err
	}
	if !mine {
		tx.After(q.Wake)
		return nil, nil
	}
	b := new(Batch)
	b.jobs.Add(len(list))
	tx.After(func() {
		for _, d := range list {
			q.start(&job{d, b}, true)
		}
	})
	return b, nil
}

// Put is Enqueue in a transaction of its own.
func (q *Queue) Put(ctx context.Context, list []*Delivery) (b *Batch, err error) {
	if len(list) == 0 {
		return nil, nil
	}
	err = q.db.Tx(ctx, func(tx *store.Tx) (err error) { b, err = q.Enqueue(ctx, tx, list); return err })
	return b, err
}

// Wake has what is due tried now instead of at the next poll.
func (q *Queue) Wake() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// List returns deliveries of a realm, the latest first, without what they tell.
func (q *Queue) List(ctx context.Context, r *realms.Realm, f Filter) ([]*Delivery, error) {
	return q.db.Deliveries(ctx, r.ID, f)
}

// Find returns a delivery, without what it tells.
func (q *Queue) Find(ctx context.Context, r *realms.Realm, id string) (*Delivery, error) {
	d, err := q.db.Delivery(ctx, r.ID, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, iam.Errorf(iam.NotFound, "Could not find delivery")
	}
	return d, err
}

// Retry has a delivery that was given up tried again, as if it were new.
func (q *Queue) Retry(ctx context.Context, r *realms.Realm, id string) error {
	var found bool
	err := q.db.Tx(ctx, func(tx *store.Tx) (err error) { found, err = tx.RetryDelivery(ctx, r.ID, id); return err })
	if err != nil {
		return err
	}
	if !found {
		d, err := q.Find(ctx, r, id)
		if err != nil {
			return err
		}
		return iam.Errorf(iam.Conflict, "Only a delivery that was given up can be retried; this one is %s", d.State)
	}
	q.Wake()
	return nil
}

// PollEvery is how often Poll has to run, so that what another node left is tried.
const PollEvery = pollEvery

// Woken has a value when something became due, and Poll should run now.
func (q *Queue) Woken() <-chan struct{} { return q.wake }

// Close gives calls that are under way a moment to finish. What did not finish is
// due again, and nothing more is tried.
func (q *Queue) Close(context.Context) {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	cut := time.AfterFunc(stopGrace, q.cancel)
	q.running.Wait()
	cut.Stop()
	q.cancel()
}

// room is how many deliveries this node may take.
func (q *Queue) room() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return 0
	}
	return max(0, maxWaiting-q.waiting)
}

// Poll takes what is due and starts to try it.
func (q *Queue) Poll(ctx context.Context) error {
	for ctx.Err() == nil {
		limit := min(q.room(), maxCalls)
		if limit == 0 {
			return nil
		}
		if due, err := q.db.HasDue(ctx, q.db.Now()); err != nil || !due {
			return err
		}
		var taken []*Delivery
		err := q.db.Tx(ctx, func(tx *store.Tx) (err error) {
			taken, err = tx.TakeDue(ctx, tx.Now.Add(lease), limit)
			return err
		})
		if err != nil {
			return err
		}
		busy := slices.DeleteFunc(slices.Clone(taken), func(d *Delivery) bool { return q.start(&job{d, nil}, false) })
		// A receiver that has enough to do must not keep others from their news.
		q.putBack(ctx, busyPause, busy...)
		if len(taken) < limit {
			return nil
		}
	}
	return ctx.Err()
}

// start has a delivery tried that this node has taken. Where its receiver has
// enough to do it waits for its turn, or is refused.
func (q *Queue) start(j *job, wait bool) bool {
	to, most := q.receiver(j.Delivery)
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lanes[to]
	if l == nil {
		l = new(lane)
		q.lanes[to] = l
	}
	switch {
	case q.closed: // the lease ends, and somebody else takes it
		if l.running == 0 {
			delete(q.lanes, to)
		}
		j.finish()
		return true
	case l.running < most:
		l.running++
		q.waiting++
		q.running.Go(func() { q.drive(to, l, j) })
		return true
	case wait:
		q.waiting++
		l.next = append(l.next, j)
		return true
	}
	return false
}

// receiver names whom a delivery is for, and how many attempts for it may be under way.
func (q *Queue) receiver(d *Delivery) (string, int) {
	name, most := "", maxPerTo
	if kind, ok := q.kinds[d.Kind]; ok {
		name, most = kind.Receiver(d)
	}
	return string(d.Realm) + " " + d.Kind + " " + name, most
}

// drive tries a delivery and then, in its place, those that wait for the same receiver.
func (q *Queue) drive(to string, l *lane, j *job) {
	for j != nil {
		q.calls <- struct{}{}
		q.try(j.Delivery)
		<-q.calls
		j.finish()
		q.mu.Lock()
		q.waiting--
		if len(l.next) > 0 {
			j, l.next = l.next[0], l.next[1:]
		} else {
			j = nil
			if l.running--; l.running == 0 {
				delete(q.lanes, to)
			}
		}
		q.mu.Unlock()
	}
}

func (j *job) finish() {
	if j.batch != nil {
		j.batch.jobs.Done()
	}
}

// Sweep removes what finished long ago.
func (q *Queue) Sweep(ctx context.Context) error {
	for shard := range int64(store.Shards) {
		err := q.db.InChunks(ctx, sweepChunk, func(tx *store.Tx) (int64, error) {
			return tx.SweepDeliveries(ctx, shard, tx.Now.Add(-KeepFinished), sweepChunk)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
