// Package keys turns a realm's key components into keys: those that sign and
// decrypt now (active), those that are only accepted (passive), what the JWKS
// publishes, and the key of each algorithm, chosen by priority. It makes new
// keys too, RSA ones ahead of time.
package keys
