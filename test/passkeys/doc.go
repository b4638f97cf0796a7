// Package passkeys logs in by passkeys in Chromium, with its virtual authenticator.
package passkeys
