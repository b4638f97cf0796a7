// Package settings is tests alone: what Latchkey has for sessions beside
// Keycloak's endpoints and settings - its own attributes of a realm, ends that say
// what they do, users' offline grants - on both engines, through public endpoints
// and golang.org/x/oauth2.
package settings
