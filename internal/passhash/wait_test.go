package passhash

import (
	"errors"
	"testing"
	"time"

	"latchkey/internal/iam"
)

// Whoever would wait long for other hashes is told to come again.
func TestWaitingIsBounded(t *testing.T) {
	h := New(64<<20, DefaultQueue)
	if err := h.memory.Acquire(t.Context(), h.limit); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, _, err := h.Hash(t.Context(), Policy{}, []byte("x"))
	if took := time.Since(began); !errors.Is(err, iam.ErrBusy) || took > longestWait+2*time.Second {
		t.Errorf("%v after %v", err, took)
	}
}

// Of those who would wait, no more than the bound do; the others are told at once.
func TestTheQueueIsBounded(t *testing.T) {
	const queue = 3
	h := New(64<<20, queue)
	if err := h.memory.Acquire(t.Context(), h.limit); err != nil {
		t.Fatal(err)
	}
	answers := make(chan error)
	for range queue + 2 {
		go func() {
			_, _, err := h.Hash(t.Context(), Policy{}, []byte("x"))
			answers <- err
		}()
	}
	for range 2 {
		if err := <-answers; !errors.Is(err, iam.ErrBusy) {
			t.Errorf("beyond the bound: %v", err)
		}
	}
	h.memory.Release(h.limit)
	for range queue {
		if err := <-answers; err != nil {
			t.Errorf("within the bound: %v", err)
		}
	}
	if n := h.waiting.Load(); n != 0 {
		t.Errorf("%d still wait", n)
	}
}
