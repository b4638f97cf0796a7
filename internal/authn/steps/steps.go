package steps

import (
	"context"
	"slices"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/emails"
	"latchkey/internal/iam"
	"latchkey/internal/logout"
	"latchkey/internal/pages"
	"latchkey/internal/roles"
	"latchkey/internal/sessions"
	"latchkey/internal/users"
)

// Rooms are what steps ask. None may be nil.
type Rooms struct {
	Users    *users.Service
	Roles    *roles.Service
	Sessions *sessions.Service
	Ender    *logout.Ender
	Emails   *emails.Service
}

// New makes the engine of all steps, and of more that other rooms bring.
func New(w Rooms, more ...authn.Spec) *authn.Engine {
	return authn.New(append(All(w), more...), w.kinds)
}

// All returns every step there is. A room that is missing is a mistake of the
// assembly: it panics.
func All(w Rooms) []authn.Spec {
	iam.Complete(w)
	return w.all()
}

func (w Rooms) all() []authn.Spec {
	return slices.Concat(w.browser(), w.conditions(), w.directGrant(), w.registration(), w.reset(), w.limits(), w.brokered(), access(),
		w.recoveryCodes(), w.webAuthn())
}

// Built tells whether there is a step, by its provider id.
func Built(id string) bool {
	return slices.ContainsFunc(Rooms{}.all(), func(s authn.Spec) bool { return s.ID == id })
}

// kinds lists the kinds of a user's credentials, for the engine.
func (w Rooms) kinds(ctx context.Context, r *authn.Run) (kinds []iam.CredentialKind, err error) {
	list, err := w.Users.Credentials(ctx, r.Realm, r.User.ID)
	for _, c := range list {
		kinds = append(kinds, c.Kind)
	}
	return kinds, err
}

// Notes in the tab, under Keycloak's names.
const (
	NoteAttempted    = "ATTEMPTED_USERNAME" // as typed
	NoteRemember     = "remember_me"        // "true"
	NoteSSO          = "SSO_AUTH"           // "true": the cookie alone sufficed
	NoteFrom         = "identity.session"   // whose word the login takes for who the user is
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
