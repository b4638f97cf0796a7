// Package nodes is tests alone: two Latchkey processes on one PostgreSQL, behind
// an address that leads to either, are one server to those who use them.
package nodes
