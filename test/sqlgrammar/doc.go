// Package sqlgrammar holds the test that all SQL of the store is also
// CockroachDB's: every statement in internal/store and its migrations goes
// through the parser of that database. It is a module of its own, so that the
// parser is no dependency of the product.
package sqlgrammar
