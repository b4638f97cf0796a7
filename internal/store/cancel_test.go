package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// The end of a request's time stops its statement, and does not only stop
// waiting for it: a few impatient callers would have the database to themselves.
func TestStatementsEndWithTheirContext(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for range 25 { // more than there are connections
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			begun := time.Now()
			err := db.Endless(ctx)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) && ctx.Err() == nil || err == nil {
				t.Fatalf("an endless statement ended with %v", err)
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("it took %v to stop", took)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := db.Ping(ctx); err != nil {
			t.Fatalf("no connection is free: %v", err)
		}
		if db.Engine() == store.SQLite {
			return // a connection that is free runs nothing
		}
		// A cancellation that comes too early does nothing; then the server has to notice.
		if check, err := db.ClientCheck(ctx); err != nil || check != "5s" {
			t.Errorf("the server looks for its clients every %q, %v", check, err)
		}
		for {
			n, err := db.EndlessOnes(ctx)
			if err != nil {
				t.Fatalf("%d statements still run: %v", n, err)
			}
			if n == 0 {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
}
