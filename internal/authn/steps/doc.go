// Package steps has the authenticators, conditions, forms and form actions of
// authentication flows, under Keycloak's provider ids: All lists them for the
// engine. What a step needs of the world it takes from World; what it decides
// it returns. A provider that Keycloak has and this list has not makes a flow
// that needs it fail by name.
package steps
