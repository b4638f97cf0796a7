package iam

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// What strangers send is kept no longer than this, in bytes: one table for
// every room that stores it or logs it. Bodies as such are bounded by web.Bodies.
const (
	// MaxName is the length of names: of users, clients, credentials. The
	// reference's columns have 255 characters, of four bytes at most.
	MaxName = 4 * 255
	// MaxLabel is the length of a credential's label, and of the other names that
	// the reference has such a column for, as Java counts characters.
	MaxLabel = 255
	// MaxValue is the length of a value of a user's profile where the profile has
	// no validator of lengths. Keycloak: DeclarativeUserProfileProviderFactory.
	MaxValue = 2048
	// MaxValues is how many values a user's attributes may come to by the user's
	// own doing, and MaxProfile the length of all of them, with their names.
	MaxValues  = 1000
	MaxProfile = 100 << 10
	// MaxCredentials is how many credentials a user may come to have by adding some.
	MaxCredentials = 100
	// MaxParam is the length of one parameter of a protocol's request; a longer
	// one is not read. Keycloak: OIDCProviderConfig.DEFAULT_ADDITIONAL_REQ_PARAMS_MAX_SIZE and its kind.
	MaxParam = 4000
	// MaxRequest is the length of all parameters of an authorization request
	// that are kept until its answer: with the login, or pushed.
	MaxRequest = 24_000
	// MaxConditions is how many words and attributes a search for users may look
	// for at once: databases plan each of them, and a thousand take a minute.
	MaxConditions = 64
	// MaxNamed is how many users a search may name one by one.
	MaxNamed = 1000
	// MaxSearched is the length of a parameter that is searched for. A pattern is
	// twice as long at most, and SQLite takes 50,000 bytes.
	MaxSearched = 24_000
	// MaxTabs is how many logins of one browser are kept at once.
	// Keycloak: RootAuthenticationSessionAdapter, auth-sessions-limit.
	MaxTabs = 300
	// MaxObject is the length of a request object, pushed or fetched.
	MaxObject = 100 << 10
	// MaxNote is the length of a note of a login.
	MaxNote = MaxParam
	// MaxDetail is the length of one detail of an event, MaxDetails of all of
	// them together.
	MaxDetail  = 8 << 10
	MaxDetails = 16 << 10
	// MaxLogged is the length of one value in the log, MaxStack of a stack.
	MaxLogged = 1000
	MaxStack  = 16 << 10
	// MaxKey is the length of a key that is remembered so that it is used once;
	// of a longer one its hash is remembered.
	MaxKey = 255
)

// Characters is a text's length as Java's String.length has it, which databases'
// and validators' limits of Keycloak are in.
func Characters(text string) (n int) {
	for _, c := range text {
		n += max(utf16.RuneLen(c), 1)
	}
	return n
}

// Cut returns the beginning of a text, n bytes at most, in whole characters.
func Cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// Storable tells whether every database and every protocol takes a text: it is
// UTF-8 without NUL.
func Storable(text string) bool { return strings.IndexByte(text, 0) < 0 && utf8.ValidString(text) }
