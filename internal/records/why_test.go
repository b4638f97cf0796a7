package records

import (
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/store"
)

// A refusal outweighs an end before it, also one of the same millisecond: times
// are stored in milliseconds, and a browser that comes back at once takes less.
func TestWhatIsRefusedAfterAnEndOutweighsIt(t *testing.T) {
	end := time.UnixMilli(1_000_000)
	for gap, want := range map[time.Duration]bool{-time.Millisecond: false, 0: true, time.Millisecond: true} {
		o := &seenRefusal{kind: "LOGIN", reason: iam.RedirectMismatch,
			Occurrence: &store.Occurrence{OccurrenceKey: store.OccurrenceKey{User: "u"}, Last: end.Add(gap)}}
		f := &facts{past: true, refusals: []*seenRefusal{o}}
		list, err := f.refusedSince(end, "LOGIN")
		if err != nil || len(list) != 1 || (list[0].rank == holds) != want {
			t.Errorf("a refusal %v after the end: %+v, %v; want it first: %v", gap, list, err, want)
		}
	}
}
