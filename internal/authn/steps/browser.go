package steps

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/authn/tabs"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/policy"
	"latchkey/internal/realms"
	"latchkey/internal/users"
)

func (w Rooms) browser() []authn.Spec {
	return []authn.Spec{
		{ID: "auth-cookie", Begin: w.cookie},
		{ID: "identity-provider-redirector", Begin: redirector},
		{ID: "auth-username-password-form", Begin: w.showLogin, Submit: w.login},
		{ID: "auth-username-form", Begin: w.showUsername, Submit: w.username},
		{ID: "auth-password-form", Begin: w.showPassword, Submit: w.password, NeedsUser: true, Configured: w.hasPassword,
			Credential: iam.Password},
		{ID: "auth-otp-form", Begin: w.showOTP, Submit: w.otp, NeedsUser: true, Configured: w.has(iam.OTP), Credential: iam.OTP,
			Setup: "CONFIGURE_TOTP"},
		{ID: "organization", Begin: organization},
	}
}

func (w Rooms) has(kind iam.CredentialKind) func(context.Context, *authn.Run) (bool, error) {
	return func(ctx context.Context, r *authn.Run) (bool, error) {
		if r.User == nil { // asked by a condition that stands before anybody is known
			return false, &authn.FlowError{Code: authn.UnknownUser}
		}
		creds, err := w.Users.Credentials(ctx, r.Realm, r.User.ID)
		for _, c := range creds {
			if c.Kind == kind {
				return true, err
			}
		}
		return false, err
	}
}

// cookie is single sign-on. Keycloak: CookieAuthenticator.
func (w Rooms) cookie(ctx context.Context, r *authn.Run) (authn.Result, error) {
	if r.Identity == nil {
		return authn.Attempted{}, nil
	}
	session := r.Identity.Session
	r.SetNote(noteLevels, session.Notes[noteLevels])
	r.SetNote(NoteFrom, string(session.ID))
	if res := r.SetUser(r.Identity.User); res != nil {
		return res, nil
	}
	if why := reauthenticate(r, session); why != "" {
		r.SetNote(tabs.NoteAsked, string(why))
		r.SetLevel(-1)
		r.SetNote(NoteForced, "true")
		r.SetNote(NoteInfo, "reauthenticate")
		return authn.Attempted{}, nil
	}
	if r.Note(NoteForked) != "" {
		return authn.Attempted{}, nil
	}
	reached := highestLevel(r)
	r.SetLevel(reached)
	requested, err := w.requestedLevel(ctx, r)
	if err != nil {
		return nil, err
	}
	if requested > reached {
		r.SetNote(tabs.NoteAsked, string(iam.AskedACR))
		if r.Tab.Request.Action != "" {
			r.SetNote(NoteInfo, "authenticateStrong")
		}
		return authn.Attempted{}, nil
	}
	r.SetNote(NoteSSO, "true")
	r.Session = session
	return authn.Success{}, nil
}

// NoteForked marks a tab that came out of another one (reset credentials).
const NoteForked = "forked.from"

// reauthenticate tells why the client wants a fresh login, "" when it does not.
// Keycloak: OIDCLoginProtocol.requireReauthentication.
func reauthenticate(r *authn.Run, s *iam.UserSession) iam.Reason {
	if r.Tab.Request.Force {
		return iam.AskedPrompt
	}
	at, err := strconv.ParseInt(s.Notes["AUTH_TIME"], 10, 64)
	// whole seconds: a login of this very second is young enough
	older := func(seconds int64) bool { return err != nil || at+seconds < r.Now.Unix() }
	if age, err := strconv.ParseInt(r.Tab.Request.MaxAge, 10, 32); err == nil && older(age) {
		return iam.AskedMaxAge
	}
	for _, a := range r.Actions {
		if a.Alias == r.Tab.Request.Action && older(actionAge(r.Realm, a)) {
			return iam.AskedMaxAge
		}
	}
	return ""
}

// actionAge is how many seconds old a login may be for an application's action.
// Keycloak: RequiredActionProvider.getMaxAuthAge, DeleteAccount.getMaxAuthAge.
func actionAge(r *realms.Realm, a iam.RequiredAction) int64 {
	if a.Provider == "delete_account" {
		return 0
	}
	if age, err := strconv.ParseInt(a.Config["max_auth_age"], 10, 32); err == nil && age >= 0 {
		return age
	}
	if a.Provider == "UPDATE_PASSWORD" {
		return int64(policy.MaxAuthAge(r.Password).Seconds())
	}
	return 300
}

// redirector sends the browser to the identity provider that the client names, or the flow.
// Keycloak: IdentityProviderAuthenticator.
func redirector(_ context.Context, r *authn.Run) (authn.Result, error) {
	alias, hinted := r.Tab.Request.IDPHint, r.Tab.Request.HasIDPHint
	if alias == "" && !hinted {
		alias = r.Config("defaultProvider")
	}
	if idp := r.Realm.IDP(alias); alias == "" || idp == nil || !idp.Enabled || r.Note(NoteForked) != "" || r.Note(NoteVisited) == alias {
		return authn.Attempted{}, nil
	}
	return authn.Visit{Provider: alias}, nil
}

// NoteVisited is the alias of a provider that the browser has come back from with nothing.
const NoteVisited = "identity_provider.visited"

// organization leads members to their organization. There are none, whatever
// the realm's switch says, and the step passes as it does where nobody has made one.
// Keycloak: OrganizationAuthenticator.
func organization(context.Context, *authn.Run) (authn.Result, error) { return authn.Attempted{}, nil }

// A form is one of the pages that ask who logs in: username and password, or one of both.
type form struct {
	view      func(r *authn.Run) pages.View
	wrong     string // message key when name or password is wrong
	lock      string // what "accountTemporarilyDisabledMessage" and its like end in
	lockField string
}

func (w Rooms) loginForm(ctx context.Context, r *authn.Run) (form, error) {
	offer, err := w.offer(ctx, r)
	return form{view: func(r *authn.Run) pages.View { return loginView(r, offer) }, wrong: "invalidUserMessage", lockField: "username"}, err
}

func (w Rooms) usernameForm(ctx context.Context, r *authn.Run) (form, error) {
	offer, err := w.offer(ctx, r)
	wrong := "invalidUsernameMessage"
	if r.Realm.Login.LoginWithEmail {
		wrong = "invalidUsernameOrEmailMessage"
	}
	return form{view: func(r *authn.Run) pages.View { return usernameView(r, offer) }, wrong: wrong, lockField: "username"}, err
}

func (w Rooms) passwordForm(ctx context.Context, r *authn.Run) (form, error) {
	offer, err := w.offer(ctx, r)
	return form{view: func(r *authn.Run) pages.View { return passwordView(r, offer) }, wrong: "invalidPasswordMessage",
		lockField: "username"}, err
}

// typed is the user name to show: as just typed, else what the client or the cookie suggests.
func typed(r *authn.Run) (name string, remember bool) {
	if r.Form.Has("username") {
		return r.Form.Get("username"), r.Form.Get("rememberMe") != ""
	}
	if r.Tab.Request.LoginHint != "" {
		return r.Tab.Request.LoginHint, false
	}
	if r.Realm.Login.RememberMe && r.Remember != "" {
		return r.Remember, true
	}
	return "", false
}

func loginView(r *authn.Run, offer *pages.Assertion) pages.View {
	if r.Note(noteUserSet) != "" {
		return pages.Login{UsernameHidden: true, RegistrationDisabled: true, Passkey: offer}
	}
	name, remember := typed(r)
	return pages.Login{Username: name, RememberMe: remember, Passkey: offer}
}

func usernameView(r *authn.Run, offer *pages.Assertion) pages.View {
	if r.Note(noteUserSet) != "" {
		return pages.LoginUsername{UsernameHidden: true, RegistrationDisabled: true, Passkey: offer}
	}
	name, remember := typed(r)
	return pages.LoginUsername{Username: name, RememberMe: remember, Passkey: offer}
}

func passwordView(_ *authn.Run, offer *pages.Assertion) pages.View {
	return pages.LoginPassword{Passkey: offer}
}

// showLogin, login: Keycloak's UsernamePasswordForm.
func (w Rooms) showLogin(ctx context.Context, r *authn.Run) (authn.Result, error) {
	r.SetNote(noteUserSet, "")
	if r.User != nil {
		if knownByPasskey(r) {
			return authn.Success{}, nil
		}
		r.SetNote(noteUserSet, "true")
	}
	offer, err := w.offer(ctx, r)
	return authn.Challenge{Page: authn.Page{View: loginView(r, offer)}}, err
}

func (w Rooms) login(ctx context.Context, r *authn.Run) (authn.Result, error) {
	if byPasskey(r) {
		return w.passkey(ctx, r, loginView)
	}
	f, err := w.loginForm(ctx, r)
	if err != nil {
		return nil, err
	}
	u, res, err := w.who(ctx, r, f)
	if u == nil {
		return res, err
	}
	if res, err := w.checkPassword(ctx, r, f, u); res != nil || err != nil {
		if r.Note(noteUserSet) == "" {
			clearUser(r)
		}
		return res, err
	}
	if res, err := w.accept(ctx, r, f, u); res != nil || err != nil {
		return res, err
	}
	return used(r, iam.Password), nil
}

// showUsername, username: Keycloak's UsernameForm.
func (w Rooms) showUsername(ctx context.Context, r *authn.Run) (authn.Result, error) {
	if r.User != nil {
		return authn.Success{}, nil
	}
	r.SetNote(noteUserSet, "")
	offer, err := w.offer(ctx, r)
	return authn.Challenge{Page: authn.Page{View: usernameView(r, offer)}}, err
}

func (w Rooms) username(ctx context.Context, r *authn.Run) (authn.Result, error) {
	if byPasskey(r) {
		return w.passkey(ctx, r, usernameView)
	}
	f, err := w.usernameForm(ctx, r)
	if err != nil {
		return nil, err
	}
	u, res, err := w.who(ctx, r, f)
	if u == nil {
		return res, err
	}
	if res, err := w.accept(ctx, r, f, u); res != nil || err != nil {
		return res, err
	}
	return authn.Success{}, nil
}

// showPassword, password: Keycloak's PasswordForm.
func (w Rooms) showPassword(ctx context.Context, r *authn.Run) (authn.Result, error) {
	if knownByPasskey(r) {
		return authn.Success{}, nil
	}
	offer, err := w.offer(ctx, r)
	return authn.Challenge{Page: authn.Page{View: passwordView(r, offer)}}, err
}

func (w Rooms) password(ctx context.Context, r *authn.Run) (authn.Result, error) {
	if byPasskey(r) {
		return w.passkey(ctx, r, passwordView)
	}
	f, err := w.passwordForm(ctx, r)
	if err != nil {
		return nil, err
	}
	if res, err := w.checkPassword(ctx, r, f, r.User); res != nil || err != nil {
		return res, err
	}
	return used(r, iam.Password), nil
}

func clearUser(r *authn.Run) {
	r.User = nil
	r.Tab.User = ""
}

// who finds the user whose name was typed. A nil user comes with the result to
// give. Keycloak: AbstractUsernameFormAuthenticator.getUserFromForm.
func (w Rooms) who(ctx context.Context, r *authn.Run, f form) (*iam.User, authn.Result, error) {
	if r.Note(noteUserSet) != "" && r.User != nil {
		return r.User, nil, nil
	}
	clearUser(r)
	name := strings.TrimSpace(r.Form.Get("username"))
	if r.Form.Get("username") == "" {
		return nil, authn.Refusal{Code: authn.InvalidUser, Event: "user_not_found", Page: errorPage(f.view(r), "username", f.wrong)}, nil
	}
	r.Detail("username", name)
	r.SetNote(NoteAttempted, name)
	u, err := w.Users.Find(ctx, r.Realm, name)
	if errors.Is(err, users.ErrUnavailable) {
		return nil, f.unavailable(r, nil), nil
	}
	if err != nil {
		return nil, nil, err
	}
	if u == nil || u.ServiceAccount != "" {
		if r.Form.Get("password") != "" { // an empty one is compared with nobody's
			if err := w.dummy(ctx, r); err != nil {
				return nil, nil, err
			}
		}
		return nil, authn.Refusal{Code: authn.InvalidUser, Event: "user_not_found", Page: errorPage(f.view(r), "username", f.wrong)}, nil
	}
	return u, nil, nil
}

// checkPassword returns nil when the typed password is the user's.
// Keycloak: AbstractUsernameFormAuthenticator.validatePassword.
func (w Rooms) checkPassword(ctx context.Context, r *authn.Run, f form, u *iam.User) (authn.Result, error) {
	password := r.Form.Get("password")
	wrong := errorPage(f.view(r), "password", f.wrong)
	if password == "" {
		r.Event.User = u.ID
		r.Emit("invalid_user_credentials")
		return authn.Challenge{Page: wrong}, nil // an empty field is no guess
	}
	if res, err := w.locked(ctx, r, f, u, w.guess); res != nil || err != nil {
		return res, errors.Join(err, w.dummy(ctx, r))
	}
	out, err := w.Users.CheckPassword(ctx, r.Realm, u, r.Guess, password)
	if err == nil && out == users.Accepted {
		return nil, nil
	}
	if err != nil {
		r.Event.User = u.ID
		return nil, err
	}
	switch out {
	case users.Disabled:
		return f.disabled(r, u), nil
	case users.Unavailable:
		return f.unavailable(r, u), nil
	}
	r.Event.User = u.ID
	return authn.Refusal{Code: authn.InvalidCredentials, Event: "invalid_user_credentials", Page: wrong}, nil
}

// guess takes the place for a guess that brute force protection gives a walk,
// or returns the error word.
func (w Rooms) guess(ctx context.Context, r *authn.Run, u *iam.User) (string, error) {
	if r.Guess != nil && r.Guess.User == u.ID {
		return "", nil
	}
	g, word, err := w.Users.Guess(ctx, r.Realm, u)
	r.Guess = g
	return word, err
}

// look asks for the error word alone, where nothing is compared.
func (w Rooms) look(ctx context.Context, r *authn.Run, u *iam.User) (string, error) {
	return w.Users.Locked(ctx, r.Realm, u)
}

// dummy spends as long as checking a password, and is refused when that would be.
func (w Rooms) dummy(ctx context.Context, r *authn.Run) error {
	return w.Users.Dummy(ctx, r.Realm)
}

// locked shows the page again while brute force protection locks a user out, which ask finds out.
func (w Rooms) locked(ctx context.Context, r *authn.Run, f form, u *iam.User, ask func(context.Context, *authn.Run, *iam.User) (string,
	error)) (authn.Result, error) {
	word, err := ask(ctx, r, u)
	if word == "" || err != nil {
		return nil, err
	}
	key := "accountPermanentlyDisabledMessage"
	if word == "user_temporarily_disabled" {
		key = "accountTemporarilyDisabledMessage"
	}
	r.Event.User = u.ID
	r.Emit(word)
	return authn.Challenge{Page: errorPage(f.view(r), f.lockField, key+f.lock)}, nil
}

// enabled shows the page again when a user may not log in.
func (w Rooms) enabled(ctx context.Context, r *authn.Run, f form, u *iam.User, ask func(context.Context, *authn.Run, *iam.User) (string,
	error)) (authn.Result, error) {
	if res, err := w.locked(ctx, r, f, u, ask); res != nil || err != nil {
		return res, err
	}
	if u.Enabled {
		return nil, nil
	}
	return f.disabled(r, u), nil
}

// disabled shows the page again to a user who may not log in.
func (f form) disabled(r *authn.Run, u *iam.User) authn.Result {
	r.Event.User = u.ID
	r.Emit("user_disabled")
	return authn.Challenge{Page: errorPage(f.view(r), "", "accountDisabledMessage")}
}

// unavailable shows the page again while the directory of a user, nil for one that was not found, cannot be asked.
func (f form) unavailable(r *authn.Run, u *iam.User) authn.Result {
	unavailable(r, u)
	return authn.Challenge{Page: errorPage(f.view(r), "", "internalServerError")}
}

// unavailable writes the event of a login that found a directory away. Nothing was
// refused that somebody typed, so no failure is counted.
func unavailable(r *authn.Run, u *iam.User) {
	if u != nil {
		r.Event.User = u.ID
	}
	r.Event.Cause.Reason = iam.DirectoryUnavailable
	r.Emit("directory_unavailable")
	r.Event.Cause.Reason = ""
}

// accept makes u the one who logs in; nil when that may be.
func (w Rooms) accept(ctx context.Context, r *authn.Run, f form, u *iam.User) (authn.Result, error) {
	if res, err := w.enabled(ctx, r, f, u, w.look); res != nil || err != nil {
		return res, err
	}
	if r.Note(noteUserSet) == "" {
		r.SetNote(NoteRemember, "")
		if r.Realm.Login.RememberMe && strings.EqualFold(r.Form.Get("rememberMe"), "on") {
			r.SetNote(NoteRemember, "true")
			r.Detail("remember_me", "true")
		}
	}
	return r.SetUser(u), nil
}

// showOTP, otp: Keycloak's OTPFormAuthenticator.
func (w Rooms) showOTP(ctx context.Context, r *authn.Run) (authn.Result, error) {
	view, _, err := w.otpView(ctx, r)
	return authn.Challenge{Page: authn.Page{View: view}}, err
}

// otpView lists the user's devices; selected is the one that was chosen, else the first.
func (w Rooms) otpView(ctx context.Context, r *authn.Run) (view pages.LoginOTP, selected string, err error) {
	creds, err := w.Users.Credentials(ctx, r.Realm, r.User.ID)
	for _, c := range creds {
		if c.Kind == iam.OTP {
			label := c.Label
			if label == "" {
				label = "unnamed"
			}
			view.Devices = append(view.Devices, pages.Device{ID: c.ID, Label: label})
		}
	}
	if selected = r.Form.Get("selectedCredentialId"); selected == "" && len(view.Devices) > 0 {
		selected = view.Devices[0].ID
	}
	view.Selected = selected
	return view, selected, err
}

func (w Rooms) otp(ctx context.Context, r *authn.Run) (authn.Result, error) {
	view, selected, err := w.otpView(ctx, r)
	if err != nil {
		return nil, err
	}
	r.Detail("selected_credential_id", selected)
	f := form{view: func(*authn.Run) pages.View { return view }, lock: "Totp", lockField: "totp"}
	ask := w.look
	if r.Form.Has("otp") {
		ask = w.guess
	}
	if res, err := w.enabled(ctx, r, f, r.User, ask); res != nil || err != nil {
		r.SetNote(noteSessionSpent, "true")
		return res, err
	}
	r.SetNote(noteSessionSpent, "")
	if !r.Form.Has("otp") {
		return authn.Challenge{Page: authn.Page{View: view}}, nil
	}
	ok, err := w.Users.CheckOTP(ctx, r.Realm, r.User.ID, r.Guess, selected, r.Form.Get("otp"))
	if err != nil {
		return nil, err
	}
	if !ok {
		r.Event.User, r.Event.Cause.Reason = r.User.ID, iam.WrongOTP
		return authn.Refusal{Code: authn.InvalidCredentials, Event: "invalid_user_credentials",
			Page: errorPage(view, "totp", "invalidTotpMessage")}, nil
	}
	return used(r, iam.OTP), nil
}
