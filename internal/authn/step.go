package authn

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/url"
	"strings"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
)

// A Spec is what the engine knows of a provider: an authenticator (Begin), a
// condition (Holds), a form (Render) or one of a form's actions (Validate).
// Its functions are stateless; what they must remember goes into the tab.
type Spec struct {
	ID string // Keycloak's provider id: "auth-otp-form"

	// Begin is called when the flow reaches the step, Submit when the browser
	// posts its form.
	Begin  func(context.Context, *Run) (Result, error)
	Submit func(context.Context, *Run) (Result, error)

	// Return is called when the browser comes back from where Leave sent it: what came
	// with it is in Query and Form.
	Return func(context.Context, *Run) (Result, error)
	// Entered is called when the flow that Enter began has succeeded.
	Entered func(context.Context, *Run) (Result, error)

	// NeedsUser: an earlier step must have said who is logging in.
	NeedsUser bool
	// Configured tells whether the user can do the step; nil: always.
	Configured func(context.Context, *Run) (bool, error)
	// Setup is the required action that sets the step up, "" when the user may
	// not do so in the middle of a login.
	Setup string
	// Credential is the kind of credential that the step checks, if any.
	Credential iam.CredentialKind

	// Holds makes the spec a condition of the sub-flow it stands in.
	Holds func(context.Context, *Run) (bool, error)
	// Finished is called when the flow around the step has succeeded, and once
	// more, with top set, when the whole flow has. A *FlowError refuses.
	Finished func(ctx context.Context, r *Run, top bool) error

	// Render makes the spec a form: a form-flow's page. Actions of the form
	// have Validate, which lists what is wrong, and Accept, which is called
	// when nothing is wrong with any action.
	Render   func(context.Context, *Run, FormState) (any, error)
	Validate func(context.Context, *Run) (Verdict, error)
	Accept   func(context.Context, *Run) (Result, error)
}

// A FormState is what a form shows: its enabled actions in order, and after a
// failed submit what was wrong and what had been typed.
type FormState struct {
	Actions []string
	Errors  []FieldError
	Values  url.Values
}

// A Field is one of a form that a page posts by itself.
type Field struct{ Name, Value string }

// A FieldError is a message key about a field; Field is "" when it is about the whole form.
type FieldError struct {
	Field, Key string
	Params     []any
}

// A Verdict is what a form action thinks of a submit. No errors: all is well.
type Verdict struct {
	Errors []FieldError
	Event  string     // Keycloak's error word for the event
	Alone  bool       // these errors hide those of other actions
	Values url.Values // what to show again; nil: as typed
}

// A Run is one request's walk through a flow. The engine and the steps write
// into Tab; the caller stores it, or throws it away.
type Run struct {
	Realm   *realms.Realm
	Client  *iam.Client
	Actions []iam.RequiredAction // the realm's
	Tab     *iam.AuthTab
	User    *iam.User        // who is logging in, nil while that is unknown; set by SetUser
	Session *iam.UserSession // a session that a step found and the login joins, nil for a new one

	Now      time.Time
	IP       string
	Form     url.Values // what was posted; nil when the page is only opened
	Query    url.Values
	Identity *Identity // what the identity cookie says, nil without a valid one
	Wishes   []string  // languages that client and browser ask for, where the realm has more than one
	Remember string    // the remember-me cookie's user name

	Event    iam.Event   // the event of this request, filled in as things become known
	Events   []iam.Event // what happened on the way, to be written whatever comes
	Failures []string    // the authenticators at which somebody failed, for brute force protection
	Browser  *iam.Flow   // the realm's flow of browser logins, by which credentials stand for levels
	Guess    *iam.Guess  // what brute force protection allowed to be compared, until it is settled
	Clean    bool        // it knows of no failures that a login would have it forget
	Warnings []string    // for the log: what is odd about the flow

	e     *Engine
	state string
	top   *iam.Flow
	at    *iam.Execution
	flow  *iam.Flow // the flow around at
}

// An Identity is a live single sign-on session that the browser has proved.
type Identity struct {
	Session *iam.UserSession
	User    *iam.User
	Token   *IdentityToken // the cookie's claims
}

// Execution returns the line of the flow that is being executed.
func (r *Run) Execution() *iam.Execution { return r.at }

// Siblings returns the executions of the flow that the current one stands in.
func (r *Run) Siblings() []iam.Execution { return r.flow.Executions }

// Top returns the flow that the walk began at.
func (r *Run) Top() *iam.Flow { return r.top }

// Config returns a setting of the current execution, "" when absent.
func (r *Run) Config(name string) string { return r.at.Config[name] }

// Note returns a note of the tab, "" when absent.
func (r *Run) Note(name string) string { return r.Tab.Notes[name] }

// SetNote keeps a note in the tab, iam.MaxNote bytes of it; "" removes it.
func (r *Run) SetNote(name, value string) {
	if value == "" {
		delete(r.Tab.Notes, name)
		return
	}
	if r.Tab.Notes == nil {
		r.Tab.Notes = map[string]string{}
	}
	r.Tab.Notes[name] = iam.Cut(value, iam.MaxNote)
}

// SetUserNote keeps a note that the user session will have.
func (r *Run) SetUserNote(name, value string) {
	if r.Tab.UserNotes == nil {
		r.Tab.UserNotes = map[string]string{}
	}
	r.Tab.UserNotes[name] = iam.Cut(value, iam.MaxNote)
}

// noteCompleted is the session's note of which steps with an authentication
// method reference (RFC 8176) were done, and when (seconds): JSON by execution.
const noteCompleted = "authenticators-completed"

// completed notes a step that an administrator gave a reference.
// Keycloak: AuthenticatorUtils.updateCompletedExecutions.
func (r *Run) completed(x *iam.Execution) {
	if x.Config["default.reference.value"] == "" {
		return
	}
	text := r.Tab.UserNotes[noteCompleted]
	if text == "" && r.Identity != nil {
		text = r.Identity.Session.Notes[noteCompleted]
	}
	done := map[iam.ExecID]int64{}
	_ = json.Unmarshal([]byte(text), &done) // what cannot be read counts for nothing
	done[x.ID] = r.Now.Unix()
	if doc, err := json.Marshal(done); err == nil {
		r.SetUserNote(noteCompleted, string(doc))
	}
}

// Detail adds a detail to the request's event.
func (r *Run) Detail(name, value string) {
	if r.Event.Details == nil {
		r.Event.Details = map[string]string{}
	}
	r.Event.Details[name] = value
}

// Emit writes the request's event as it is now: as an error when there is an
// error word, else as a success.
func (r *Run) Emit(word string) { r.EmitAs(r.Event.Kind, word) }

// EmitAs writes the request's event under another kind, "UPDATE_PASSWORD" say.
func (r *Run) EmitAs(kind iam.EventKind, word string) {
	ev := r.Event
	ev.Kind, ev.Error, ev.Details = kind, word, maps.Clone(r.Event.Details)
	if word != "" && !strings.HasSuffix(string(kind), "_ERROR") {
		ev.Kind += "_ERROR"
	}
	r.Events = append(r.Events, ev)
}

// SetUser says who is logging in. The result is nil when that may be: it may
// not be somebody else than before, nor a disabled user or a service account.
func (r *Run) SetUser(u *iam.User) Result {
	if r.User != nil && r.User.ID != u.ID {
		return Abort{&FlowError{Code: UserConflict}}
	}
	if err := r.validate(u); err != nil {
		return Abort{err}
	}
	r.User = u
	r.Tab.User, r.Tab.Named = u.ID, r.Now
	return nil
}

// Keycloak: AuthenticationProcessor.validateUser.
func (r *Run) validate(u *iam.User) *FlowError {
	switch {
	case u == nil:
		return nil
	case !u.Enabled:
		r.Event.User = u.ID
		r.Detail("username", u.Username)
		return &FlowError{Code: UserDisabled}
	case u.ServiceAccount != "":
		return &FlowError{Code: UnknownUser}
	}
	return nil
}

// State is what another site must give back, at Issuer + "/login-actions/" + PathReturn, for
// the login to go on there: short enough for a RelayState, of one use, and good for
// nothing in another browser.
func (r *Run) State() string {
	if r.state == "" {
		r.state = rand.Text()[:16] + "." + rand.Text()
	}
	return r.state
}

// ActionEnabled tells whether the realm has a required action and allows it.
func (r *Run) ActionEnabled(alias string) bool {
	for i := range r.Actions {
		if r.Actions[i].Alias == alias {
			return r.Actions[i].Enabled
		}
	}
	return false
}

// Require adds a required action to this login alone.
func (r *Run) Require(alias string) {
	for _, a := range r.Tab.Required {
		if a == alias {
			return
		}
	}
	r.Tab.Required = append(r.Tab.Required, alias)
}

// A Result is what a step says. A nil Result is a bug and fails the flow.
type Result interface{ result() }

type (
	// Success: this step is done.
	Success struct{}
	// Attempted: not for me; the next alternative may try.
	Attempted struct{}
	// Challenge shows a page and waits for its submit.
	Challenge struct{ Page any }
	// Refusal counts as a failed attempt and shows the page again
	// (Keycloak's failureChallenge). Event is the error word, "" for none.
	Refusal struct {
		Code  Code
		Event string
		Page  any
	}
	// Failure ends the step in failure; with a Page that is shown, without one
	// the flow fails unless there is an alternative.
	Failure struct {
		Code    Code
		Event   string
		Page    any
		Detail  string // of the event, for GenericError
		Message string // message key for the user, for GenericError
	}
	// Restart begins the flow anew, forgetting everything; Within, the flow that an identity
	// provider's answer began, and what the provider said stays.
	Restart struct{ Within bool }
	// Visit sends the browser to an identity provider. Whoever comes back from there is
	// logged in by the provider's word, and by the flows of brokering, not by this one.
	Visit struct{ Provider string }
	// Leave sends the browser to another site, by a redirect or, with a Form, by a page that
	// posts itself. The step goes on with Return when the browser comes back with State.
	Leave struct {
		To   string
		Form []Field
	}
	// Enter walks another flow first, under a path of its own below /login-actions.
	// The step goes on with Entered when that has succeeded.
	Enter struct{ Flow, Path string }
	// Fork leaves this flow and begins the browser flow in a tab of its own,
	// with a message (reset credentials: "you should receive an email").
	Fork struct{ Success, Error *FieldError }
	// Abort fails at once, without counting as the step's failure.
	Abort struct{ Err *FlowError }
)

func (Success) result()   {}
func (Attempted) result() {}
func (Challenge) result() {}
func (Refusal) result()   {}
func (Failure) result()   {}
func (Restart) result()   {}
func (Leave) result()     {}
func (Visit) result()     {}
func (Enter) result()     {}
func (Fork) result()      {}
func (Abort) result()     {}
