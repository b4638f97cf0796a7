// Package parity holds the tests that compare the running server with the
// reference: the oracle's scenarios on both engines against the floors in
// test/, which only rise.
package parity
