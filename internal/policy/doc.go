// Package policy checks passwords against a realm's password policy, in
// Keycloak's order and with its message keys. It knows neither hashes nor
// databases: what was used before is asked of the caller.
package policy
