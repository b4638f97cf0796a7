package steps

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
)

// A World is what steps need to know and may do. All functions must be set.
type World struct {
	// FindUser finds a user by name, or by e-mail address where the realm
	// allows to log in with it; nil when there is none.
	FindUser func(ctx context.Context, r *iam.Realm, login string) (*iam.User, error)
	// Guess takes a place for an attempt at a user's credentials; without one it
	// returns the error word of brute force protection, as Locked does.
	Guess func(ctx context.Context, r *iam.Realm, u *iam.User) (*iam.Guess, string, error)
	// Password checks a user's password, re-hashing it where the policy has
	// changed. For nil it takes as long, so that answers do not tell which users exist.
	Password func(ctx context.Context, r *iam.Realm, u *iam.User, g *iam.Guess, password string) (bool, error)
	// OTP checks a one-time code against the credential with an id; it works once.
	OTP func(ctx context.Context, r *iam.Realm, u *iam.User, g *iam.Guess, credential, code string) (bool, error)
	// Credentials lists a user's credentials in the user's order of preference.
	Credentials func(ctx context.Context, r *iam.Realm, u *iam.User) ([]iam.Credential, error)
	// Locked returns the error word of brute force protection when it locks a
	// user out, "user_temporarily_disabled" or "user_disabled", else "".
	Locked func(ctx context.Context, r *iam.Realm, u *iam.User) (string, error)
	// HasRole tells whether a user effectively has a role: "name" or "clientId.name".
	HasRole func(ctx context.Context, r *iam.Realm, u *iam.User, role string) (bool, error)
	// GroupAttrs returns the values that a user's groups and their parents give an attribute.
	GroupAttrs func(ctx context.Context, r *iam.Realm, u *iam.User, name string) ([]string, error)
	// HasProvider tells whether the realm has an enabled identity provider with an alias.
	HasProvider func(ctx context.Context, r *iam.Realm, alias string) bool
	// Profile lists the attributes that the registration page asks for, with values as typed.
	Profile func(ctx context.Context, r *iam.Realm, typed url.Values) ([]pages.Attribute, error)
	// CheckProfile says what is wrong with a registration's attributes.
	CheckProfile func(ctx context.Context, r *iam.Realm, typed url.Values) ([]authn.FieldError, error)
	// CheckNewPassword says by which message the policy refuses a new user's password, nil when it does not.
	CheckNewPassword func(ctx context.Context, r *iam.Realm, typed url.Values, password string) (*authn.FieldError, error)
	// Register creates a user from checked attributes. A taken name or address is an *iam.Error of kind Conflict.
	Register func(ctx context.Context, r *iam.Realm, typed url.Values) (*iam.User, error)
	// SetPassword gives a user a password.
	SetPassword func(ctx context.Context, r *iam.Realm, u *iam.User, password string) error
	// Sessions lists a user's live online sessions.
	Sessions func(ctx context.Context, r *iam.Realm, u *iam.User) ([]OwnSession, error)
	// EndSession ends one of them, for a limit, and tells its clients. That it is gone already is no error.
	EndSession func(ctx context.Context, r *authn.Run, id iam.SessionID, limit iam.Setting) error
	// SendReset mails a user the link that resets the credentials.
	SendReset func(ctx context.Context, r *authn.Run) error
}

// All returns every step there is.
func All(w World) []authn.Spec {
	return slices.Concat(w.browser(), w.conditions(), w.directGrant(), w.registration(), w.reset(), w.limits(), access())
}

// Notes in the tab, under Keycloak's names.
const (
	NoteAttempted    = "ATTEMPTED_USERNAME" // as typed
	NoteRemember     = "remember_me"        // "true"
	NoteSSO          = "SSO_AUTH"           // "true": the cookie alone sufficed
	NoteFrom         = "identity.session"   // whose word the login takes for who the user is
	NoteAsked        = "asked"              // an iam.Reason: why the browser's session, or what it sent, was not enough
	NoteNamed        = "asked.session"      // the session that the browser's cookie named then
	NoteForced       = "forced-reauthentication"
	NoteInfo         = "fwMessageInfo" // message key for the next page
	noteUserSet      = "USER_SET_BEFORE_USERNAME_PASSWORD_AUTH"
	noteCredentials  = "authn-credentials" // kinds used, comma separated
	noteSessionSpent = "SESSION_INVALID"
)

func errorPage(view pages.View, field, key string) authn.Page {
	if field == "" {
		return authn.Page{View: view, Message: &authn.Message{Tone: pages.Problem, Key: key}}
	}
	return authn.Page{View: view, Errors: []authn.FieldError{{Field: field, Key: key}}}
}

// SecondFactor tells by a tab's notes whether a second factor was part of the login.
func SecondFactor(notes map[string]string) bool {
	return slices.ContainsFunc(strings.Split(notes[noteCredentials], ","), func(k string) bool { return k != "" && k != string(iam.Password) })
}

// used records that a kind of credential was checked, for conditional-credential.
func used(r *authn.Run, kind iam.CredentialKind) authn.Result {
	list := r.Note(noteCredentials)
	if list != "" {
		list += ","
	}
	r.SetNote(noteCredentials, list+string(kind))
	return authn.Success{}
}
