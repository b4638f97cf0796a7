// Package scale measures that what people do costs the same however many
// sessions a realm has: pages of the session explorer with each documented
// filter, stories, why, refreshing, logging in and out, ending, sweeping. Two
// servers run side by side, one with ten thousand sessions and records and one
// with many more, bulk-loaded; each operation may take at most twice as long
// on the second. An ordinary run has a hundred thousand there; `make scale
// N=10000000 ENGINE=postgres` has more, and prints the table of
// doc/performance.md.
package scale
