// Package admin is the door for administrators: Keycloak's admin REST API. The
// tables of routes (routes_*.go and the files beside them) are its definition:
// pattern, right, admin event and handler of each endpoint stand on one line,
// and the machinery (route.go, call.go) does for all what all need: the bearer
// token, the realm, the right, the body, the event, the answer and its errors.
//
// To add an endpoint, add a line to a table and a handler of about ten lines; a
// resource's handlers are methods of Handler, which holds what they work with.
package admin
