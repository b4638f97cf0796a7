package iam

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// A Secret never prints: fmt, log/slog and JSON all show "***". Code that must
// have the bytes converts explicitly, which is easy to find in review.
type Secret []byte

const redacted = "***"

// String, GoString, Format, LogValue and MarshalJSON hide the value.
func (s Secret) String() string { return redacted }

// GoString hides the value from %#v.
func (s Secret) GoString() string { return redacted }

// Format hides the value from every verb, %x and %s included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue hides the value from log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON hides the value from encoding/json.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText hides the value from encoders that prefer text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Equal compares in constant time for secrets of one length.
func (s Secret) Equal(other string) bool {
	return subtle.ConstantTimeCompare(s, []byte(other)) == 1
}
