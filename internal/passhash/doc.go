// Package passhash hashes and verifies passwords with the algorithms and in the encodings of Keycloak 26 (credentialData and
// secretData of a password credential), so that imported users log in and exported ones log in elsewhere. A Hasher bounds the memory, and
// with it
// the number, of hashes computed at a time; whoever waits too long gives up with the context's error. What a credential says about its own
// parameters
// always wins over the policy when verifying; NeedsRehash tells when the policy has moved on.
//
// Argon2 with one lane, which is all that Keycloak writes, is computed here where the processor has AVX2 (argon.go, fill_amd64.s), and by
// x/crypto
// elsewhere: a login is little else, and x/crypto takes twice the time and seven megabytes of new memory. A test holds that both compute
// the same.
package passhash
