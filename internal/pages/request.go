package pages

import "latchkey/internal/iam"

// A Request says where, for whom and in which language a page is shown. Everything in it may be left out: a page then shows less.
type Request struct {
	Realm  Realm
	Client Client
	URLs   URLs

	// Locale is the language tag of the page, as the door chose it; English without one.
	Locale string
	// Locales are the languages to choose from, in order; a choice is offered when there are two or more.
	Locales []Locale
	// Texts are the realm's own texts by language tag and message key; they win over the theme's.
	Texts map[string]map[string]string

	// Message is the notice above the form.
	Message *Message
	// Errors are what is wrong with single fields, by the names of the fields.
	Errors []FieldError

	// AttemptedUsername is shown, fixed, above forms that go on with a known user; URLs.Restart leads away from it.
	AttemptedUsername string
	// TryAnotherWay offers the choice of another way to authenticate.
	TryAnotherWay bool
	// AppInitiated says that an application asked for this required action: it can be cancelled, and no warning says that it is needed.
	AppInitiated bool
	// Nonce is that of the response's Content-Security-Policy, if it has one.
	Nonce string
}

// A Realm is what pages show of a realm, and the settings that decide what they offer.
type Realm struct {
	Name        string
	DisplayName string
	// DisplayNameHTML is markup by the realm's administrators; harmless elements are shown.
	DisplayNameHTML string
	// Theme is that of its login pages, EmailTheme that of its mails; names of no theme mean the built-in one.
	Theme, EmailTheme string
	// DefaultLocale is the language of texts that there are none of in the page's language, before English.
	DefaultLocale string

	LoginWithEmail      bool
	EmailAsUsername     bool
	DuplicateEmails     bool
	RegistrationAllowed bool
	ResetPassword       bool
	RememberMe          bool
}

// RealmOf is what pages show of r.
func RealmOf(r *iam.Realm) Realm {
	return Realm{
		Name: r.Name, DisplayName: r.DisplayName, DisplayNameHTML: r.DisplayNameHTML, DefaultLocale: r.Locale.Default,
		Theme: r.LoginTheme, EmailTheme: r.EmailTheme,
		LoginWithEmail: r.Login.LoginWithEmail, EmailAsUsername: r.Login.RegistrationEmailAsUsername, DuplicateEmails: r.Login.DuplicateEmails,
		RegistrationAllowed: r.Login.Registration, ResetPassword: r.Login.ResetPassword, RememberMe: r.Login.RememberMe,
	}
}

// A Client is what pages show of a client. Name may be a text of the bundle in the form ${key}.
type Client struct {
	ID, Name, BaseURL            string
	LogoURI, PolicyURI, TermsURI string
	Theme                        string // of the pages that it leads to, before the realm's
}

// URLs lead on from a page.
type URLs struct {
	Action           string // where the page's form goes
	Restart          string // starts the login over
	Login            string // back to the login page
	Registration     string
	ResetCredentials string
}

// A Locale is a language to choose, by its tag as Keycloak writes it (pt_BR or pt-BR).
// Pages name it in that language.
type Locale struct{ Tag, URL string }

// Kinds of messages, as themes style them.
const (
	Success = "success"
	Warning = "warning"
	Problem = "error"
	Notice  = "info"
)

// A Message is a text of the bundle with its arguments. A key that is in no bundle is shown itself.
type Message struct {
	Type string // one of Success, Warning, Problem, Notice
	Key  string
	Args []any
}

// A FieldError is what is wrong with the field of that name.
type FieldError struct {
	Field string
	Key   string
	Args  []any
}
