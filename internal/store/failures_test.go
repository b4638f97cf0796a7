package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// A guesser takes places for one user's credentials.
type guesser struct {
	*testing.T
	db    *store.DB
	limit store.GuessLimit
	now   time.Time // the database's own clock when zero
}

// take takes as many places as there are of n that are asked for at once.
func (g *guesser) take(n int) (taken []*iam.Guess) {
	g.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			var place *iam.Guess
			err := g.db.Tx(context.Background(), func(tx *store.Tx) (err error) {
				if !g.now.IsZero() {
					tx.Now = g.now
				}
				place, _, err = tx.TakeGuess(context.Background(), "r", "u", g.limit)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				taken = append(taken, place)
			case !errors.Is(err, store.ErrNotFound):
				g.Error(err)
			}
		})
	}
	all.Wait()
	return taken
}

func (g *guesser) tx(f func(ctx context.Context, tx *store.Tx) error) {
	g.Helper()
	if err := g.db.Tx(context.Background(), func(tx *store.Tx) error { return f(context.Background(), tx) }); err != nil {
		g.Fatal(err)
	}
}

// fail counts the failure of a guess, end gives its place back.
func (g *guesser) fail(place *iam.Guess) {
	g.Helper()
	g.tx(func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.CountFailure(ctx, "r", "u", "10.0.0.1", g.limit.Forget, 0, place)
		return err
	})
}

func (g *guesser) end(place *iam.Guess) (clean bool) {
	g.Helper()
	g.tx(func(ctx context.Context, tx *store.Tx) (err error) { clean, err = tx.EndGuess(ctx, place); return err })
	return clean
}

func TestGuessesHavePlaces(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		addRealm(t, db, "r")
		g := &guesser{T: t, db: db, limit: store.GuessLimit{Failures: 3, Forget: time.Hour}}
		places := func(want, of int) []*iam.Guess {
			t.Helper()
			got := g.take(of)
			if len(got) != want {
				t.Fatalf("%d of %d places, want %d", len(got), of, want)
			}
			return got
		}
		three := places(3, 20)
		if g.end(three[0]) || g.end(three[1]) || !g.end(three[2]) {
			t.Error("only the last that ends without a failure leaves nothing behind")
		}
		three = places(3, 20)
		g.fail(three[0])
		places(0, 20)
		g.tx(func(ctx context.Context, tx *store.Tx) error { return tx.ForgiveFailures(ctx, "r", "u", true) })
		places(0, 20) // a login gives those who guess meanwhile no more places
		g.end(three[1])
		places(1, 20)
		g.tx(func(ctx context.Context, tx *store.Tx) error { return tx.ClearFailures(ctx, "r", "u") })
		for range 3 {
			g.fail(places(1, 1)[0])
		}
		one := places(1, 20) // whose wait is over may try once at a time
		g.tx(func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.LockOut(ctx, "r", "u", tx.Now.Add(time.Minute), 1)
			return err
		})
		g.end(one[0])
		places(0, 20)

		g.tx(func(ctx context.Context, tx *store.Tx) error { return tx.ClearFailures(ctx, "r", "u") })
		g.limit.Quick = time.Minute
		two := places(2, 20)
		g.fail(two[0])
		places(0, 20)
		g.fail(two[1])
		places(1, 20)

		g.tx(func(ctx context.Context, tx *store.Tx) error { return tx.ClearFailures(ctx, "r", "u") })
		g.limit = store.GuessLimit{Failures: 100, Secondary: 4}
		places(5, 20)
	})
}

// A server that ends while it compares leaves its place for others after a while.
func TestPlacesOfTheDeadComeBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		addRealm(t, db, "r")
		start := time.Now()
		g := &guesser{T: t, db: db, limit: store.GuessLimit{Failures: 2}, now: start}
		if n := len(g.take(5)); n != 2 {
			t.Fatalf("%d places", n)
		}
		g.now = start.Add(store.GuessTime - time.Millisecond)
		if n := len(g.take(5)); n != 0 {
			t.Errorf("%d places while the first may still be compared", n)
		}
		for range 5 { // also when others come all the time
			g.now = g.now.Add(store.GuessTime / 2)
			for _, place := range g.take(1) {
				g.end(place)
			}
		}
		if n := len(g.take(5)); n != 2 {
			t.Errorf("%d places afterwards", n)
		}
	})
}
