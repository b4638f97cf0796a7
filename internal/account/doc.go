// Package account is the door through which people manage their own account:
// the REST services below /realms/{realm}/account that Keycloak's account
// console is made of. A route names the account roles of which a caller needs
// one; its function reads a call and returns what to answer, and Handler.fail
// is the one place that writes errors.
package account
