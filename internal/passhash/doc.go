// Package passhash hashes and verifies passwords with the algorithms and in the encodings of Keycloak 26 (credentialData and
// secretData of a password credential), so that imported users log in and exported ones log in elsewhere. A Hasher bounds the memory, and with it
// the number, of hashes computed at a time; whoever waits too long gives up with the context's error. What a credential says about its own parameters
// always wins over the policy when verifying; NeedsRehash tells when the policy has moved on.
package passhash
