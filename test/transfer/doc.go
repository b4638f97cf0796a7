// Package transfer holds the tests that move a realm of Keycloak's own export
// through the real server: imported, logged in to with every kind of
// credential, changed, exported, and imported by the other engine.
package transfer
