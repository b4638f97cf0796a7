// Package settings is tests alone: what Latchkey's own attributes of a realm do,
// on both engines, through public endpoints and golang.org/x/oauth2.
package settings
