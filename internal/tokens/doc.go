// Package tokens turns decisions into bytes and back: an iam.Grant becomes
// access, refresh and ID tokens (Issuer), and a token that somebody presents
// becomes claims whose signature, issuer, times and not-befores were checked
// (Parse, Check). What a response does not carry is never signed.
package tokens
