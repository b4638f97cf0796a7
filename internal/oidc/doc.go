// Package oidc is the door of OpenID Connect and OAuth 2.0: what is served
// below /realms/{realm}/protocol/openid-connect, discovery, and the realm's
// public description. An endpoint is a function of a call that writes its
// answer or returns an error; Handler.fail is the one place that turns errors
// into OAuth's JSON or a page. The table of routes is in handler.go, the checks
// of an authorization request are the table in authorize.go.
package oidc
