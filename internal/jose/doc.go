// Package jose signs, verifies and encrypts compact JOSE objects, and reads and writes keys as JWK sets, PEM and the bare
// base64 DER of realm files. A caller holds a Key, whose algorithm is part of it: what a token's header says is only ever compared
// with the key, never obeyed. Signing and verifying are written here on the standard library, because the header's order is part of
// the format this server reproduces and because nothing may be parsed twice on the way to a token; JWE, foreign JWKs and thumbprints go
// through go-jose, which only this package imports.
package jose
