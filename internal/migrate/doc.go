// Package migrate brings the realms of a Keycloak here out of its own database,
// with what realm files do not hold: sessions online and offline, revoked tokens,
// initial access tokens, events. It reads one snapshot of that database and writes
// nothing to it.
//
// The tables are another product's, so the SQL that reads them is here and not in
// package store, which knows this server's own. What is read becomes the
// representations of realm files, and realms stores these as it stores files.
package migrate
