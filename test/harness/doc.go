// Package harness runs the real binary for black-box tests: it builds it once,
// starts it on a free loopback port with a fresh database of either engine,
// waits until it answers, keeps its log, and stops or kills it. Nodes that
// share a PostgreSQL, restarts at the same address and lost databases are
// options of the same two calls, Start and Restart.
package harness
