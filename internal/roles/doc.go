// Package roles says which roles a user really has: those given to them and to
// their groups and the groups above, with composites expanded, and which of
// these may show in a token for a client (scope mappings, full scope). It reads
// one statement per user; composites and scope mappings come from the snapshot.
package roles
