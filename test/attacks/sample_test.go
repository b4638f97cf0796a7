package attacks

import (
	"flag"
	"math/rand/v2"
	"testing"

	"latchkey/test/harness"
)

var everything = flag.Bool("all", false, "play every row of the large tables on PostgreSQL, too")

// sampled says which rows of a large table a test plays on an engine: all on
// SQLite, and one of n on PostgreSQL, others at each run. It is for tables about decisions that
// are made above the store; what the engines may judge differently is played whole.
func sampled(t *testing.T, e harness.Engine, n int) func(row int) bool {
	if e != harness.Postgres || *everything {
		return func(int) bool { return true }
	}
	first := rand.IntN(n)
	t.Logf("on %s every row of which the number leaves %d when divided by %d; -args -all plays all", e, first, n)
	return func(row int) bool { return row%n == first }
}
