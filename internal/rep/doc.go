// Package rep is Keycloak's JSON, and nothing else: one struct for each
// representation of Keycloak 26.7 that the admin REST, the account REST and
// realm files speak, a codec for them, and their compilation into package iam.
//
// The stored document of a configuration object is its representation, so the
// structs keep what they do not know: members without a field of their own
// stay in Unknown at every depth, and what was absent stays absent. iam values
// are compiled from them (the IAM methods), one way, when a realm is loaded.
package rep
