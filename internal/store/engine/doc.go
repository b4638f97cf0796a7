// Package engine runs statements on SQLite and PostgreSQL: it opens and
// migrates a database, and knows transactions, their retries, groups of commits
// and of reads, and what a driver's errors mean. It knows no table.
package engine
