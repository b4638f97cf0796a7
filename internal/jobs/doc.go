// Package jobs runs all periodic work of a server. A Job says what it is called,
// how often it runs, and whether one node or each node runs it. The assembly has
// the table of them (server/jobs.go); no other room has a ticker of its own.
package jobs
