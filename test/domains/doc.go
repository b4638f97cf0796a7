// Package domains is tests alone: one sign-on for applications on different
// registrable domains, in Chromium, over HTTPS, with third-party cookies
// blocked by policy. The host names end in .test and are mapped to loopback;
// a certificate authority that the test makes vouches for them. What
// doc/sessions.md says of browsers is shown here, cause and effect.
package domains
