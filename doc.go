// Package latchkey is the root of the repository and holds no product code,
// only the tests of the house rules: which room may import which, what a
// package must have, and what no file may say. Start reading in
// internal/server, or in CONTRIBUTING.md for the rules in words.
package latchkey
