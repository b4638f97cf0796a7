// Package clients is tests alone: client libraries that others wrote log in at
// the running server, through its front door, and administer it. With
// LATCHKEY_TEST_AGAINST set to the address of another server - Keycloak's, say -
// the same tests run against that one.
package clients
