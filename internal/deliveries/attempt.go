package deliveries

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"latchkey/internal/realms"
	"latchkey/internal/store"
	"latchkey/internal/telemetry"
)

// pauses are the times between attempts: ten attempts within a day.
var pauses = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour,
	6 * time.Hour, 6 * time.Hour, 6 * time.Hour, 4*time.Hour + 45*time.Minute,
}

// pause is how long to wait after so many attempts, give or take a tenth, so
// that what failed together is not tried together; false when there were enough.
func pause(attempts int) (time.Duration, bool) {
	if attempts < 1 || attempts > len(pauses) {
		return 0, false
	}
	return spread(pauses[attempts-1]), true
}

func spread(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5)
}

// The outcomes of attempts, as they are counted.
const (
	outcomeDelivered = "delivered"
	outcomeFailed    = "failed"
	outcomeGivenUp   = "given up"
)

// try makes one attempt at a delivery that this node has taken, and notes how it went.
func (q *Queue) try(d *Delivery) {
	ctx := q.ctx
	kind, known := q.kinds[d.Kind]
	switch {
	case !known: // a newer node wrote it, and one will tell it
		q.putBack(ctx, busyPause, d)
		return
	case ctx.Err() != nil || q.db.Now().After(d.DueAt.Add(-kind.Limit())):
		// The server stops, or the turn came too late: others may have it already.
		q.putBack(ctx, time.Second, d)
		return
	}
	r, err := q.realms.ByID(ctx, d.Realm)
	if errors.Is(err, realms.ErrNotFound) {
		return // and so is the delivery
	}
	if err == nil {
		err = q.send(ctx, kind, r, d)
	}
	if ctx.Err() != nil && err != nil {
		q.putBack(ctx, 0, d)
		return
	}
	note := func(f func(ctx context.Context, tx *store.Tx) error) {
		ctx := context.WithoutCancel(ctx)
		if err := q.db.Tx(ctx, func(tx *store.Tx) error { return f(ctx, tx) }); err != nil {
			q.log.ErrorContext(ctx, "what became of a delivery is not stored", append(describe(r, d), telemetry.KeyError, err)...)
		}
	}
	if err == nil {
		q.metrics.Delivery(d.Kind, outcomeDelivered)
		note(func(ctx context.Context, tx *store.Tx) error { return tx.FinishDelivery(ctx, d.Realm, d.ID) })
		return
	}
	why, hopeless := q.why(ctx, r, d, err)
	after, again := pause(d.Attempts)
	if hopeless || !again {
		q.metrics.Delivery(d.Kind, outcomeGivenUp)
		q.log.WarnContext(ctx, "a delivery was given up", append(describe(r, d), telemetry.KeyError, why)...)
		note(func(ctx context.Context, tx *store.Tx) error { return tx.GiveUpDelivery(ctx, d, why) })
		return
	}
	q.metrics.Delivery(d.Kind, outcomeFailed)
	q.log.WarnContext(ctx, "a delivery failed and will be tried again", append(describe(r, d), telemetry.KeyError, why)...)
	note(func(ctx context.Context, tx *store.Tx) error { return tx.FailDelivery(ctx, d, tx.Now.Add(after), why) })
}

// send makes an attempt within its time.
func (q *Queue) send(ctx context.Context, kind Kind, r *realms.Realm, d *Delivery) error {
	if d.Doc == nil {
		return Unreadable
	}
	ctx, cancel := context.WithTimeout(ctx, kind.Limit())
	defer cancel()
	return kind.Send(ctx, r, d)
}

// notMade stands for what went wrong inside; the log has more.
const notMade = "the call could not be made"

// why says in words for administrators what failed, and whether it always will.
func (q *Queue) why(ctx context.Context, r *realms.Realm, d *Delivery, err error) (why string, hopeless bool) {
	if h, ok := errors.AsType[Hopeless](err); ok {
		return h.Error(), true
	}
	if f, ok := errors.AsType[Failure](err); ok {
		return f.Error(), false
	}
	q.log.ErrorContext(ctx, "a delivery could not be made", append(describe(r, d), telemetry.KeyError, err)...)
	return notMade, false
}

// describe is what log lines say of a delivery.
func describe(r *realms.Realm, d *Delivery) []any {
	list := []any{telemetry.KeyDelivery, d.ID, telemetry.KeyKind, d.Kind, telemetry.KeyEvent, d.Event, telemetry.KeyAttempt, d.Attempts}
	if r == nil {
		return append(list, telemetry.KeyRealm, string(d.Realm))
	}
	list = append(list, telemetry.KeyRealm, r.Name)
	if d.Hook != "" {
		return append(list, telemetry.KeyHook, d.Hook)
	}
	return append(list, telemetry.KeyClient, r.KnownClientName(d.Client))
}

// putBack gives back deliveries that were taken and not tried.
func (q *Queue) putBack(ctx context.Context, after time.Duration, list ...*Delivery) {
	if len(list) == 0 {
		return
	}
	ctx = context.WithoutCancel(ctx)
	err := q.db.Tx(ctx, func(tx *store.Tx) error {
		for _, d := range list {
			next := tx.Now
			if after > 0 {
				next = next.Add(spread(after))
			}
			if err := tx.PutBackDelivery(ctx, d, next); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		q.log.LogAttrs(ctx, slog.LevelWarn, "deliveries were not put back; they are due when their lease ends", slog.Any(telemetry.KeyError, err))
	}
}
