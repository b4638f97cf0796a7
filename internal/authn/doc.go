// Package authn runs authentication flows: trees of executions that an
// administrator has put together. The engine is pure; it knows neither HTTP nor
// the database, what steps need of the world stands behind their functions, and
// where a login has got to lives in its iam.AuthTab. Five laws, Keycloak's:
//
//  1. Beside a REQUIRED or CONDITIONAL execution, ALTERNATIVE ones are ignored.
//  2. Required executions run in order, and each must succeed. A CONDITIONAL
//     sub-flow is absent unless it has an enabled condition and all hold.
//  3. Of alternatives the first success wins; one that errs counts as attempted.
//     Which comes first may follow the user's order of credentials.
//  4. A step that needs a user errs while nobody is known; a step that the user
//     has not set up becomes a required action where that is allowed, else errs.
//  5. After a submit, ancestors that are thereby complete succeed, and the walk
//     goes on at the first that is not.
//
// An execution whose provider is not built fails the whole flow, by name: it is
// never skipped, not even as one alternative of several.
package authn
