// Package registration is the door for applications that register themselves:
// Keycloak's client registration service with its providers openid-connect
// (OpenID Connect Dynamic Client Registration 1.0, RFC 7591 and 7592), default
// (Keycloak's own representation) and install. Who may do what is decided by
// initial access tokens, registration access tokens, the roles of a bearer
// token and the realm's client registration policies; every answer leaves an event.
package registration
