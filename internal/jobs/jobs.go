package jobs

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"latchkey/internal/store"
	"latchkey/internal/telemetry"
)

// A Job is periodic work. Its runs never overlap on one node.
type Job struct {
	Name  string          // in metrics, in the log, and as the name of its lease
	Every time.Duration   // from the begin of one run to the next; the first is one such time after the start
	Wake  <-chan struct{} // a value runs it at once; nil when nothing does
	Lease time.Duration   // one node runs it, and the others do not until this time is over; 0 lets each node run it
	Run   func(context.Context) error
	Stop  func(context.Context) // runs once when the server stops, with a context that has not ended; nil for nothing
}

// A Runner runs jobs. It is safe for concurrent use.
type Runner struct {
	db      *store.DB
	log     *slog.Logger
	metrics *telemetry.Metrics
	holder  string // of leases: this process
}

// New makes a Runner. metrics may be nil.
func New(db *store.DB, log *slog.Logger, metrics *telemetry.Metrics) *Runner {
	return &Runner{db: db, log: log, metrics: metrics, holder: rand.Text()}
}

// Run runs the jobs until ctx ends and each of them has stopped.
func (r *Runner) Run(ctx context.Context, list []Job) {
	var running sync.WaitGroup
	for _, j := range list {
		running.Go(func() { r.keep(ctx, j) })
	}
	running.Wait()
}

func (r *Runner) keep(ctx context.Context, j Job) {
	tick := time.NewTicker(j.Every)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			if j.Stop != nil {
				j.Stop(context.WithoutCancel(ctx))
			}
			return
		case <-tick.C:
		case <-j.Wake:
		}
		err := r.Once(ctx, j)
		// A job that runs each second must not fill the log while the database is away.
		if err != nil && !failed && ctx.Err() == nil {
			r.log.WarnContext(ctx, "a job failed; it is tried again at its next time, and said again once it has worked", "job", j.Name,
				telemetry.KeyError, err)
		}
		failed = err != nil
	}
}

// Once runs a job now, unless another node has its lease.
func (r *Runner) Once(ctx context.Context, j Job) error {
	if j.Lease > 0 {
		var mine bool
		err := r.db.Tx(ctx, func(tx *store.Tx) (err error) {
			mine, err = tx.Lease(ctx, j.Name, r.holder, tx.Now.Add(j.Lease))
			return err
		})
		if err != nil || !mine {
			return err
		}
	}
	return r.metrics.Job(j.Name, func() error { return j.Run(ctx) })
}
