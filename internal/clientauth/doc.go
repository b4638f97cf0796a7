// Package clientauth finds out which client sent a request: by its secret or by an
// assertion that it signed, as the realm's flow for clients says. Keycloak: org.keycloak.authentication.authenticators.client.
package clientauth
