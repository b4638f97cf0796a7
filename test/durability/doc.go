// Package durability watches a running server's system calls: what it answers
// must have been synced to disk before.
package durability
