package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/internal/jobs"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// Of many nodes one runs a job with a lease, and the next one only after its time.
func TestOneNodeRunsALeasedJob(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var runs atomic.Int64
		job := jobs.Job{Name: "leased", Lease: 700 * time.Millisecond, Run: func(context.Context) error { runs.Add(1); return nil }}
		round := func() {
			var nodes sync.WaitGroup
			for range 8 {
				nodes.Go(func() {
					if err := jobs.New(db, slog.New(slog.DiscardHandler), nil).Once(t.Context(), job); err != nil {
						t.Error(err)
					}
				})
			}
			nodes.Wait()
		}
		round()
		if n := runs.Load(); n != 1 {
			t.Fatalf("%d nodes ran it, want 1", n)
		}
		time.Sleep(800 * time.Millisecond)
		round()
		if n := runs.Load(); n != 2 {
			t.Errorf("%d runs after the lease was over, want 2", n)
		}
	})
}

// A job runs at its time and when it is woken, its runs do not overlap, what it
// leaves to do is done when the server stops, and a failure is said once.
func TestRun(t *testing.T) {
	var out bytes.Buffer
	var at atomic.Int64
	var stopped atomic.Bool
	wake, woken := make(chan struct{}), make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	list := []jobs.Job{
		{Name: "often", Every: time.Millisecond, Run: func(context.Context) error {
			if at.Add(1) != 1 {
				t.Error("two runs at once")
			}
			defer at.Add(-1)
			time.Sleep(3 * time.Millisecond)
			return errors.New("the disk is full")
		}},
		{Name: "woken", Every: time.Hour, Wake: wake, Run: func(context.Context) error { close(woken); return nil },
			Stop: func(ctx context.Context) {
				stopped.Store(ctx.Err() == nil)
			}},
	}
	go func() {
		defer close(ended)
		jobs.New(storetest.SQLite(t), slog.New(slog.NewTextHandler(&out, nil)), nil).Run(ctx, list)
	}()
	wake <- struct{}{}
	<-woken
	time.Sleep(50 * time.Millisecond)
	stop()
	<-ended
	if !stopped.Load() {
		t.Error("the job's last work was not done, or with a context that had ended")
	}
	if n := strings.Count(out.String(), "the disk is full"); n != 1 {
		t.Errorf("the failure is said %d times, want once:\n%s", n, out.String())
	}
}
