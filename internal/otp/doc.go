// Package otp generates and verifies one-time passwords (RFC 4226, RFC 6238) under Keycloak's policies and in the encoding of
// Keycloak's otp credentials, and shows a new secret as a key URI, a QR code and grouped base32. It remembers nothing: Verify returns the
// step or counter
// that matched, and it is the caller who records it, so that a code works once.
package otp
