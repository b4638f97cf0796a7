// Package webauthn registers authenticators (W3C Web Authentication, level 3)
// and judges their assertions under a realm's policy, with credentials in the
// form in which Keycloak stores them. It remembers nothing: that a challenge is
// good once, and that a counter grows, is for the caller to hold.
package webauthn
