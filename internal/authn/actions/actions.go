package actions

import (
	"cmp"
	"context"
	"slices"

	"latchkey/internal/authn"
	"latchkey/internal/emails"
	"latchkey/internal/iam"
	"latchkey/internal/logout"
	"latchkey/internal/pages"
	"latchkey/internal/roles"
	"latchkey/internal/users"
)

// Rooms are what required actions ask. None may be nil.
type Rooms struct {
	Users  *users.Service
	Roles  *roles.Service
	Ender  *logout.Ender
	Emails *emails.Service
}

// A spec is one required action.
type spec struct {
	id        string // Keycloak's provider id
	initiable bool   // may be asked for by kc_action
	oneTime   bool   // a link to it is good once
	// due tells whether the user must do it although nobody said so; nil: never.
	due func(context.Context, *authn.Run) (bool, error)
	// kept: what is due once stays on the user's list until it is done.
	kept bool
	// show begins the action: Challenge with its page, Success when there is
	// nothing to do, Attempted to leave it for another time.
	show   func(context.Context, *authn.Run) (authn.Result, error)
	submit func(context.Context, *authn.Run) (authn.Result, error)
}

// A Set is the required actions that are built.
type Set struct {
	w     Rooms
	specs map[string]spec
}

// New makes the set. A room that is missing is a mistake of the assembly: it panics.
func New(w Rooms) *Set {
	iam.Complete(w)
	s := &Set{w: w, specs: map[string]spec{}}
	for _, a := range w.all() {
		s.specs[a.id] = a
	}
	return s
}

func (w Rooms) all() []spec {
	return []spec{
		{id: "UPDATE_PASSWORD", initiable: true, oneTime: true, due: w.passwordDue, kept: true, show: showPassword, submit: w.updatePassword},
		{id: "UPDATE_PROFILE", initiable: true, show: showProfile, submit: w.updateProfile},
		{id: "VERIFY_PROFILE", due: profileDue, show: showVerify, submit: w.updateProfile},
		{id: "VERIFY_EMAIL", initiable: true, oneTime: true, due: emailDue, kept: true, show: w.showVerifyEmail, submit: w.sendVerifyEmail},
		{id: updateEmail, initiable: true, oneTime: true, due: updateDue, show: showUpdateEmail, submit: w.updateEmail},
		{id: "CONFIGURE_TOTP", initiable: true, oneTime: true, show: w.showTOTP, submit: w.configureTOTP},
		w.registration("webauthn-register", iam.WebAuthn),
		w.registration("webauthn-register-passwordless", iam.WebAuthnPasswordless),
		{id: configureRecovery, initiable: true, show: w.showRecovery, submit: w.configureRecovery},
		{id: "TERMS_AND_CONDITIONS", show: showTerms, submit: w.acceptTerms},
		{id: UpdateUserLocale, due: w.localeDue, show: passOver, submit: passOver},
		{id: "delete_credential", initiable: true, show: w.showDeleteCredential, submit: w.deleteCredential},
		{id: LinkProvider, initiable: true, show: w.showLink, submit: w.linkProvider},
		{id: "delete_account", initiable: true, show: w.showDeleteAccount, submit: w.deleteAccount},
	}
}

// Built tells whether there is a required action, by its provider id.
func Built(id string) bool {
	return slices.ContainsFunc(Rooms{}.all(), func(a spec) bool { return a.id == id })
}

// OneTime tells whether the link of a mail to a required action is good once, by its provider id.
func (s *Set) OneTime(id string) bool { return s.specs[id].oneTime }

// ByLink tells whether the page of a required action submits by a link, as that which sends the
// verification mail again does.
func (s *Set) ByLink(alias string) bool { return alias == verifyEmail }

// LogoutOthers ends the user's sessions but for that of the login.
func (s *Set) LogoutOthers(ctx context.Context, r *authn.Run) error { return s.w.logoutOthers(ctx, r) }

// Notes in the tab.
const (
	NoteStatus = "kc_action_status" // how the application's action ended: "success", "cancelled", "error"
	// what the login showed last, when an application's action ended: its alias, or an execution of the flow
	NoteRunning = "kc_action_executing"
	noteMailed  = "VERIFY_EMAIL_KEY" // the address that the link went to
)

func (s *Set) find(r *authn.Run, alias string) (iam.RequiredAction, bool) {
	for _, a := range r.Actions {
		if a.Alias == alias {
			return a, true
		}
	}
	return iam.RequiredAction{}, false
}

// Evaluate adds to the login the actions that the realm's own rules make due:
// an expired password, an unverified address, an incomplete profile.
// Keycloak: AuthenticationManager.evaluateRequiredActionTriggers.
func (s *Set) Evaluate(ctx context.Context, r *authn.Run) error {
	for _, a := range r.Actions {
		spec, ok := s.specs[a.Provider]
		if !a.Enabled || !ok || spec.due == nil {
			continue
		}
		due, err := spec.due(ctx, r)
		if err != nil {
			return err
		}
		if due && spec.kept {
			if err := s.keep(ctx, r, a.Alias); err != nil {
				return err
			}
		} else if due {
			r.Require(a.Alias)
		} else if a.Provider == "VERIFY_PROFILE" { // a profile that is complete by now needs no more looking at
			if err := s.remove(ctx, r, a.Alias); err != nil {
				return err
			}
		}
	}
	return nil
}

// keep puts an action on the user's list.
func (s *Set) keep(ctx context.Context, r *authn.Run, alias string) error {
	if slices.Contains(r.User.Required, alias) {
		return nil
	}
	u, err := s.w.Users.Require(ctx, r.Realm, r.User.ID, alias)
	if err == nil {
		r.User = u
	}
	return err
}

// Pending lists the enabled actions that the login cannot end without, by
// priority, after Evaluate. The application's own action is not among them.
func (s *Set) Pending(r *authn.Run) []iam.RequiredAction {
	var out []iam.RequiredAction
	for _, a := range r.Actions {
		if a.Enabled && (slices.Contains(r.User.Required, a.Alias) || slices.Contains(r.Tab.Required, a.Alias)) {
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b iam.RequiredAction) int { return cmp.Compare(a.Priority, b.Priority) })
	return out
}

// Next returns the alias of the action that is due next, the application's
// own coming last; "" when there is none. passed are those that cannot be done now.
// Keycloak: AuthenticationManager.getFirstApplicableRequiredAction.
func (s *Set) Next(ctx context.Context, r *authn.Run, passed []string) (string, error) {
	if err := s.Evaluate(ctx, r); err != nil {
		return "", err
	}
	for _, a := range s.Pending(r) {
		if !slices.Contains(passed, a.Alias) {
			return a.Alias, nil
		}
	}
	asked := r.Tab.Request.Action
	if asked == "" || r.Note(NoteStatus) != "" || slices.Contains(passed, asked) {
		return "", nil
	}
	if a, ok := s.find(r, asked); !ok || !a.Enabled {
		r.SetNote(NoteStatus, "error")
		return "", nil
	}
	return asked, nil
}

// Show begins an action. Success means that there is nothing left to do,
// Attempted that the action cannot be done now and is passed over.
func (s *Set) Show(ctx context.Context, r *authn.Run, alias string) (authn.Result, error) {
	spec, err := s.spec(r, alias)
	if err != nil {
		return authn.Abort{Err: err}, nil
	}
	if s.Initiated(r, alias) {
		if a, _ := s.find(r, alias); !a.Enabled || !spec.initiable {
			r.SetNote(NoteStatus, "error")
			return authn.Attempted{}, nil
		}
	}
	res, fault := spec.show(ctx, r)
	if _, shown := res.(authn.Challenge); shown && r.Tab.Request.Action == alias {
		r.SetNote(NoteRunning, alias)
	}
	return s.settle(ctx, r, alias, res, fault)
}

// Submit gives the posted form to an action.
func (s *Set) Submit(ctx context.Context, r *authn.Run, alias string) (authn.Result, error) {
	spec, err := s.spec(r, alias)
	if err != nil {
		return authn.Abort{Err: err}, nil
	}
	res, fault := spec.submit(ctx, r)
	return s.settle(ctx, r, alias, res, fault)
}

// Cancel ends the application's action at the user's wish.
func (s *Set) Cancel(r *authn.Run) { r.SetNote(NoteStatus, "cancelled") }

// Initiated tells whether an action is the application's and nobody else's, so that it may be cancelled.
func (s *Set) Initiated(r *authn.Run, alias string) bool {
	return r.Tab.Request.Action == alias && !slices.Contains(r.User.Required, alias) && !slices.Contains(r.Tab.Required, alias)
}

func (s *Set) spec(r *authn.Run, alias string) (spec, *authn.FlowError) {
	a, ok := s.find(r, alias)
	if ok {
		if found, built := s.specs[a.Provider]; built {
			return found, nil
		}
	}
	return spec{}, &authn.FlowError{Code: authn.NotBuilt, Provider: "required action " + alias}
}

func (s *Set) settle(ctx context.Context, r *authn.Run, alias string, res authn.Result, err error) (authn.Result, error) {
	if err != nil {
		return nil, err
	}
	switch res.(type) {
	case authn.Success:
		if err := s.remove(ctx, r, alias); err != nil {
			return nil, err
		}
		if r.Tab.Request.Action == alias {
			r.SetNote(NoteStatus, "success")
		}
	case authn.Attempted:
		if r.Tab.Request.Action == alias {
			r.SetNote(NoteStatus, "error")
		}
	}
	return res, nil
}

// remove takes an action off both lists, the user's and the login's.
func (s *Set) remove(ctx context.Context, r *authn.Run, alias string) error {
	r.Tab.Required = slices.DeleteFunc(slices.Clone(r.Tab.Required), func(a string) bool { return a == alias })
	if !slices.Contains(r.User.Required, alias) {
		return nil
	}
	if _, err := s.w.Users.Done(ctx, r.Realm, r.User.ID, alias); err != nil {
		return err
	}
	u := *r.User
	u.Required = slices.DeleteFunc(slices.Clone(u.Required), func(a string) bool { return a == alias })
	r.User = &u
	return nil
}

// page shows an action's form, with the reason why it is shown unless something is wrong with what was typed.
func page(view pages.View, reason string, errs ...authn.FieldError) authn.Page {
	p := authn.Page{View: view, Errors: errs}
	if len(errs) == 0 && reason != "" {
		p.Message = &authn.Message{Tone: pages.Warning, Key: reason}
	}
	return p
}
