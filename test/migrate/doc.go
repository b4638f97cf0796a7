// Package migrate moves from a running Keycloak to Latchkey as an administrator would, and looks
// whether anybody noticed: browsers that were signed on, and tokens that were given out, before.
package migrate
