package seal

import (
	"math/rand/v2"
	"testing"
)

// What is sealed opens again, also by a ring that has got another key since; and neighbours have nothing in common.
func TestNumber(t *testing.T) {
	old := ring(t)
	seen := map[uint64]bool{}
	for range 2000 {
		n := rand.Uint64N(1 << NumberBits)
		sealed := old.SealNumber("a", n)
		if sealed>>NumberBits != 0 || seen[sealed] {
			t.Fatalf("%x is sealed as %x", n, sealed)
		}
		seen[sealed] = true
		if got := old.OpenNumber("a", sealed); len(got) != 1 || got[0] != n {
			t.Fatalf("%x opens to %x", n, got)
		}
		if old.OpenNumber("b", sealed)[0] == n {
			t.Fatal("another purpose opens it")
		}
	}
	next := ring(t)
	both := &Ring{keys: append(next.keys, old.keys...)}
	if got := both.OpenNumber("a", old.SealNumber("a", 42)); len(got) != 2 || got[1] != 42 {
		t.Errorf("after a rotation it opens to %x", got)
	}
	// Of two neighbours' bits about half differ, in each place.
	var differ [NumberBits]int
	const tries = 2000
	for n := range uint64(tries) {
		x := old.SealNumber("a", n) ^ old.SealNumber("a", n+1)
		for bit := range differ {
			differ[bit] += int(x >> bit & 1)
		}
	}
	for bit, n := range differ {
		if n < tries*4/10 || n > tries*6/10 {
			t.Errorf("bit %d differs %d times of %d", bit, n, tries)
		}
	}
}
