package server

import (
	"math"
	"runtime"
	"runtime/debug"
)

// headroom is how much may be allocated, beyond what lives, between two
// collections of garbage, in bytes. What lives is some ten megabytes, and Go
// collects when that has doubled: so often that it took a seventh of all CPU.
const headroom = 16 << 20

// reserve makes the collector count headroom as living memory, until the
// function that it returns is called. It is never written to, so the system
// gives no memory for it, and what it holds is not looked at. Whoever has set a
// limit (GOMEMLIMIT) counts on every byte: there it does nothing.
func reserve() (release func()) {
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return func() {}
	}
	room := make([]byte, headroom)
	return func() { runtime.KeepAlive(room) }
}
