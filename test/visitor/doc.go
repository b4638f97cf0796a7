// Package visitor is what tests and examples meet a server with: a Browser that
// keeps cookies, follows redirects and fills in forms, and an Admin that speaks
// the admin REST API. Both work with any server that is compatible with
// Keycloak, Keycloak included.
package visitor
