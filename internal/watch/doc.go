// Package watch knows realms of another server, a Keycloak 24 to 26, as that server's
// admin REST tells of them: settings, users, sessions that live, and stored events.
// It writes them into a database of ours, in the tables that our own sessions are in,
// and makes of events the records that Keycloak does not keep; so package records
// lists, explains and judges them by its own rules. A new piece of evidence is asked
// for in doctor/remote and written here, in the form that our own has.
package watch
