package passhash

import (
	"errors"
	"testing"
	"time"

	"latchkey/internal/iam"
)

// Whoever would wait long for other hashes is told to come again.
func TestWaitingIsBounded(t *testing.T) {
	h := New(64 << 20)
	if err := h.memory.Acquire(t.Context(), h.limit); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, _, err := h.Hash(t.Context(), Policy{}, []byte("x"))
	if took := time.Since(began); !errors.Is(err, iam.ErrBusy) || took > longestWait+2*time.Second {
		t.Errorf("%v after %v", err, took)
	}
}
