// Package users finds and changes users and what belongs to them: attributes
// under the realm's user profile, credentials, required actions, groups,
// consents, links to identity providers, and the failures that brute force
// protection counts. A refusal is an *iam.Error (or iam.Errors for a profile)
// in Keycloak's words; doors decide how it is shown. Users come from directories:
// the table of our own, and those that a realm's components set up.
package users
