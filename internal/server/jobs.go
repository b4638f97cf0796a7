package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/internal/deliveries"
	"latchkey/internal/doctor"
	"latchkey/internal/events"
	"latchkey/internal/jobs"
	"latchkey/internal/keys"
	"latchkey/internal/realms"
	"latchkey/internal/records"
	"latchkey/internal/sessions"
	"latchkey/internal/telemetry"
)

// periodic are the rooms that have periodic work.
type periodic struct {
	keys       *keys.Maker
	sessions   *sessions.Service
	counter    *records.Counter
	deliveries *deliveries.Queue
	events     *events.Writer
	doctor     *doctor.Service
}

const (
	sweepEvery = 5 * time.Minute
	// A sweep is due at the next node's time, and not at the next one's as well.
	sweepLease = sweepEvery - time.Second
)

// table is all periodic work of a server. What removes rows is run by one node.
func (s *Server) table(p periodic) []jobs.Job {
	return []jobs.Job{
		{Name: "ask-database", Every: time.Second, Run: s.db.CheckLiveness},
		{Name: "poll-realms", Every: time.Second, Run: s.realms.PollOnce},
		{Name: "make-keys", Every: 2 * time.Second, Run: p.keys.MakeAhead},
		{Name: "write-last-accesses", Every: sessions.FlushEvery, Wake: p.sessions.Full(), Run: p.sessions.Flush,
			Stop: s.last("write-last-accesses", p.sessions.Flush)},
		{Name: "write-refusals", Every: records.FlushEvery, Run: p.counter.Flush, Stop: s.last("write-refusals", p.counter.Flush)},
		{Name: "deliver", Every: deliveries.PollEvery, Wake: p.deliveries.Woken(), Run: p.deliveries.Poll, Stop: p.deliveries.Close},
		{Name: "sweep-deliveries", Every: sweepEvery, Lease: sweepLease, Run: p.deliveries.Sweep},
		{Name: "sweep-single-use", Every: sweepEvery, Lease: sweepLease, Run: p.sessions.SweepSingleUse},
		{Name: "sweep-realms", Every: sweepEvery, Lease: sweepLease, Run: s.eachRealm(p.sessions.SweepRealm, p.events.SweepRealm,
			p.doctor.SweepRealm)},
	}
}

// last runs work that is not lost when a server stops, if it can be done.
func (s *Server) last(name string, run func(context.Context) error) func(context.Context) {
	return func(ctx context.Context) {
		if err := run(ctx); err != nil {
			s.log.WarnContext(ctx, "the last run of a job failed", "job", name, telemetry.KeyError, err)
		}
	}
}

// eachRealm runs work for one realm after the other, so that a realm is read
// once for all of it. What fails for one realm does not keep others from it.
func (s *Server) eachRealm(work ...func(context.Context, *realms.Realm) error) func(context.Context) error {
	return func(ctx context.Context) error {
		names, err := s.realms.Names(ctx)
		if err != nil {
			return err
		}
		var failed []error
		for _, name := range names {
			r, err := s.realms.Get(ctx, name)
			if errors.Is(err, realms.ErrNotFound) {
				continue // removed meanwhile
			}
			if err != nil {
				return err
			}
			for _, f := range work {
				if err := f(ctx, r); err != nil {
					failed = append(failed, fmt.Errorf("realm %s: %w", name, err))
				}
			}
		}
		return errors.Join(failed...)
	}
}
