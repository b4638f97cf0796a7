// Package bench measures the server as doc/performance.md reports it: CPU per
// operation and memory beside the reference, both in production mode on one
// PostgreSQL, and how long a start takes. It takes half an hour and the whole
// machine, so it runs when asked: `make bench`.
package bench
