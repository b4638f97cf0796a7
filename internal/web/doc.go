// Package web is what every door needs of HTTP and nothing of identity: the
// middleware (who asks, from where, how long it took, how large it may be), the
// addresses that the server has in its clients' eyes, and reading and writing
// forms, JSON, cookies, CORS and security headers exactly as Keycloak does; and
// the client by which the server calls others, by purpose.
package web
