// Package store holds every SQL statement of Latchkey, written once for SQLite
// and PostgreSQL (doc/sql-style.md says in which subset); package engine runs
// them. Reads are methods of Reader, which both DB and Tx embed; writes are
// methods of Tx, so that nothing is changed outside of a transaction. There are
// no interfaces to mock: tests use a real database through storetest.
package store
