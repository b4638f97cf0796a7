package steps

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/internal/authn"
	"latchkey/internal/authn/actions"
	"latchkey/internal/emails"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
	"latchkey/internal/users"
)

// brokered are the steps of the first broker login: whose account it is that somebody
// comes to through an identity provider. They stop flows that no provider's answer began.
func (w Rooms) brokered() []authn.Spec {
	return []authn.Spec{
		{ID: "idp-review-profile", Begin: within(w.reviewProfile), Submit: within(w.reviewed)},
		{ID: "idp-create-user-if-unique", Begin: within(w.createUnique)},
		{ID: "idp-detect-existing-broker-user", Begin: within(w.detectExisting)},
		{ID: "idp-auto-link", Begin: within(w.autoLink)},
		{ID: "idp-confirm-link", Begin: within(w.askLink), Submit: within(w.confirmLink)},
		{ID: "idp-email-verification", Begin: within(w.proveByMail), Submit: within(w.proveByMail)},
		{ID: "idp-username-password-form", Begin: within(w.askPassword), Submit: within(w.provePassword)},
		{ID: "idp-add-organization-member", Begin: organization, NeedsUser: true, Configured: func(context.Context, *authn.Run) (bool,
			error) {
			return false, nil
		}},
	}
}

type brokeredStep = func(context.Context, *authn.Run, *iam.Brokered) (authn.Result, error)

func within(f brokeredStep) func(context.Context, *authn.Run) (authn.Result, error) {
	return func(ctx context.Context, r *authn.Run) (authn.Result, error) {
		if r.Tab.Brokered == nil {
			return authn.Abort{Err: &authn.FlowError{Code: authn.InternalError, Provider: r.Execution().Authenticator,
				Message: "identityProviderUnexpectedErrorMessage"}}, nil
		}
		return f(ctx, r, r.Tab.Brokered)
	}
}

// nameOf is the user name that a newcomer gets. Keycloak: IdpCreateUserIfUniqueAuthenticator.getUsername.
func nameOf(r *authn.Run, said *iam.Brokered) string {
	if r.Realm.Login.RegistrationEmailAsUsername {
		return said.Email
	}
	if said.Local != "" {
		return said.Local
	}
	return strings.TrimSpace(said.Username)
}

func draftOf(r *authn.Run, said *iam.Brokered) users.Draft {
	d := users.Draft{}
	for name, values := range said.Attrs {
		d[name] = values
	}
	for name, value := range map[string]string{"username": strings.ToLower(nameOf(r, said)), "email": strings.ToLower(said.Email),
		"firstName": said.FirstName, "lastName": said.LastName} {
		d[name] = nil
		if value != "" {
			d[name] = []string{value}
		}
	}
	return d
}

// reviewProfile, reviewed: Keycloak's IdpReviewProfileAuthenticator.
func (w Rooms) reviewProfile(_ context.Context, r *authn.Run, said *iam.Brokered) (authn.Result, error) {
	p, err := users.ProfileOf(r.Realm)
	if err != nil {
		return nil, err
	}
	v, draft := p.In(users.BrokerReview, nil), draftOf(r, said)
	mode := r.Config("update.profile.on.first.login")
	if !said.Review && mode != "on" && (mode == "off" || len(v.Check(draft)) == 0) {
		return authn.Success{}, nil
	}
	return authn.Challenge{Page: authn.Page{View: pages.UpdateProfile{Attributes: actions.Attributes(v, url.Values(draft)), Review: true}}},
		nil
}

func (w Rooms) reviewed(_ context.Context, r *authn.Run, said *iam.Brokered) (authn.Result, error) {
	r.Event.Kind = "UPDATE_PROFILE"
	r.Detail("context", "IDP_REVIEW")
	p, err := users.ProfileOf(r.Realm)
	if err != nil {
		return nil, err
	}
	v, draft := p.In(users.BrokerReview, nil), users.Typed(r.Form)
	if errs := v.Check(draft); len(errs) > 0 {
		return authn.Challenge{Page: authn.Page{View: pages.UpdateProfile{Attributes: actions.Attributes(v, r.Form), Review: true},
			Errors: actions.FieldErrors(errs)}}, nil
	}
	u := &iam.User{Attrs: map[string][]string{}}
	v.Apply(u, draft, true)
	if before := strings.ToLower(nameOf(r, said)); u.Username != "" && u.Username != before {
		r.Detail("previous_username", before)
		r.Detail("updated_username", u.Username)
		r.Emit("")
		delete(r.Event.Details, "previous_username")
		delete(r.Event.Details, "updated_username")
		said.Local = u.Username
	}
	if before := strings.ToLower(said.Email); u.Email != before {
		if said.Changed = true; before != "" {
			r.Detail("previous_email", before)
		}
		r.Detail("updated_email", u.Email)
		r.EmitAs("UPDATE_EMAIL", "")
		delete(r.Event.Details, "previous_email")
		said.Email = u.Email
	}
	said.FirstName, said.LastName = u.FirstName, u.LastName
	for name, values := range u.Attrs {
		if said.Attrs == nil {
			said.Attrs = map[string][]string{}
		}
		said.Attrs[name] = values
	}
	r.Detail("updated_email", u.Email)
	said.Review = true // for who comes back to it
	return authn.Success{}, nil
}

// existing finds whose account it may be: by the address, then by the name.
// Keycloak: IdpCreateUserIfUniqueAuthenticator.checkExistingUser.
func (w Rooms) existing(ctx context.Context, r *authn.Run, said *iam.Brokered) (u *iam.User, same, value string, err error) {
	if said.Email != "" && !r.Realm.Login.DuplicateEmails {
		if u, err = w.Users.ByEmail(ctx, r.Realm, said.Email); u != nil || err != nil {
			return u, "email", said.Email, err
		}
	}
	name := nameOf(r, said)
	u, err = w.Users.ByName(ctx, r.Realm, name)
	return u, "username", name, err
}

func keep(said *iam.Brokered, u *iam.User, same, value string) {
	said.Existing, said.Same, said.SameAs = u.ID, same, value
}

// createUnique: Keycloak's IdpCreateUserIfUniqueAuthenticator.
func (w Rooms) createUnique(ctx context.Context, r *authn.Run, said *iam.Brokered) (authn.Result, error) {
	if said.Existing != "" {
		return authn.Attempted{}, nil
	}
	name := nameOf(r, said)
	if name == "" { // nothing can be made of what the provider says
		said.Review = true
		return authn.Restart{Within: true}, nil
	}
	u, same, value, err := w.existing(ctx, r, said)
	if err != nil {
		return nil, err
	}
	if u == nil {
		u, err = w.Users.CreateBrokered(ctx, r.Realm, name, said)
		var taken *iam.Error
		if errors.As(err, &taken) && taken.Kind == iam.Conflict { // somebody else was faster
			if u, same, value, err = w.existing(ctx, r, said); u == nil && err == nil {
				return authn.Abort{Err: &authn.FlowError{Code: authn.GenericError, Provider: "idp-create-user-if-unique", Message: taken.Msg}}, nil
			}
		} else if err == nil {
			if r.Config("require.password.update.after.registration") == "true" {
				if u, err = w.Users.Require(ctx, r.Realm, u.ID, "UPDATE_PASSWORD"); err != nil {
					return nil, err
				}
			}
			said.New = true
			if res := r.SetUser(u); res != nil {
				return res, nil
			}
			return authn.Success{}, nil
		}
	}
	if err != nil {
		return nil, err
	}
	keep(said, u, same, value)
	if r.Execution().Requirement == iam.Required {
		r.Event.Cause.User = u.ID
		return failed(r, "federated_identity_exists", authn.UserConflict, 409, "federatedIdentityExistsMessage", same, value), nil
	}
	return authn.Attempted{}, nil
}

// failed ends the login with a page. Keycloak: AbstractIdpAuthenticator.sendFailureChallenge.
func failed(_ *authn.Run, event string, code authn.Code, status int, key string, params ...any) authn.Result {
	return authn.Failure{Code: code, Event: event, Page: authn.Page{View: pages.Error{}, Status: status,
		Message: &authn.Message{Tone: pages.Problem, Key: key, Params: params}}}
}

// detectExisting: Keycloak's IdpDetectExistingBrokerUserAuthenticator.
func (w Rooms) detectExisting(ctx context.Context, r *authn.Run, said *iam.Brokered) (authn.Result, error) {
	u, same, value, err := w.existing(ctx, r, said)
	if err != nil {
		return nil, err
	}
	if u == nil {
		return failed(r, "user_not_found", authn.UnknownUser, 401, "federatedIdentityUnavailableMessage", nameOf(r, said), said.Provider), nil
	}
	keep(said, u, same, value)
	if res := r.SetUser(u); res != nil {
		return res, nil
	}
	return authn.Success{}, nil
}

// theirs is the user that a step before has found. Keycloak: AbstractIdpAuthenticator.getExistingUser.
func (w Rooms) theirs(ctx context.Context, r *authn.Run, said *iam.Brokered) (*iam.User, authn.Result, error) {
	u, err := w.Users.ByID(ctx, r.Realm, said.Existing)
	if err != nil {
		return nil, nil, err
	}
	if said.Existing == "" || u == nil || !u.Enabled {
		return nil, authn.Abort{Err: &authn.FlowError{Code: authn.GenericError, Provider: r.Execution().Authenticator,
			Message: "identityProviderUnexpectedErrorMessage"}}, nil
	}
	return u, nil, nil
}

// autoLink: Keycloak's IdpAutoLinkAuthenticator.
func (w Rooms) autoLink(ctx context.Context, r *authn.Run, said *iam.Brokered) (authn.Result, error) {
	u, res, err := w.theirs(ctx, r, said)
	if u == nil {
		return res, err
	}
	if res := r.SetUser(u); res != nil {
		return res, nil
	}
	return authn.Success{}, nil
}

// askLink, confirmLink: Keycloak's IdpConfirmLinkAuthenticator.
func (w Rooms) askLink(ctx context.Context, r *authn.Run, said *iam.Brokered) (authn.Result, error) {
	if said.Existing == "" {
		return authn.Attempted{}, nil
	}
	// by the link of a mail
	if allowed, err := w.Sessions.HasSingleUse(ctx, r.Realm, tokens.LinkedKey(said.Existing, said.Provider, said.ID)); allowed || err != nil {
		return authn.Success{}, err
	}
	return authn.Challenge{Page: authn.Page{View: pages.ConfirmLink{Provider: said.Provider},
		Message: &authn.Message{Tone: pages.Problem, Key: "federatedIdentityConfirmLinkMessage", Params: []any{said.Same, said.SameAs}}}}, nil
}

func (w Rooms) confirmLink(ctx context.Context, r *authn.Run, said *iam.Brokered) (authn.Result, error) {
	switch r.Form.Get("submitAction") {
	case "updateProfile":
		said.Existing, said.Same, said.SameAs = "", "", ""
		said.Review = true
		return authn.Restart{Within: true}, nil
	case "linkAccount":
		return authn.Success{}, nil
	}
	return w.askLink(ctx, r, said)
}

// proveByMail: Keycloak's IdpEmailVerificationAuthenticator. Without a mail server, another way has to do.
// Who follows the link in this browser goes on here, who does in another one has it kept for whoever comes with
// the same account of the provider.
func (w Rooms) proveByMail(ctx context.Context, r *authn.Run, said *iam.Brokered) (authn.Result, error) {
	if len(r.Realm.Rep.SMTPServer) == 0 {
		return authn.Attempted{}, nil
	}
	u, res, err := w.theirs(ctx, r, said)
	if u == nil {
		return res, err
	}
	if u.Email == "" {
		return authn.Attempted{}, nil
	}
	proved := said.Proved == u.ID
	if !proved {
		_, err := w.Sessions.TakeSingleUse(ctx, r.Realm, tokens.LinkedKey(u.ID, said.Provider, said.ID))
		if err != nil && !errors.Is(err, sessions.ErrGone) {
			return nil, err
		}
		proved = err == nil
	}
	if proved {
		if res := r.SetUser(u); res != nil {
			return res, nil
		}
		return authn.Success{}, nil
	}
	name := providerName(r, said.Provider)
	page := authn.Page{View: pages.LinkEmail{Provider: name, Username: said.Username}, Message: &authn.Message{Tone: pages.Warning,
		Key: "linkIdpMessage", Params: []any{name}}}
	left, err := w.Emails.Pause(ctx, r.Realm, u.ID, "IDENTITY_PROVIDER_LINK", linkPause)
	if err != nil || left > 0 {
		return authn.Challenge{Page: page}, err
	}
	auth := r.Event.Details["auth_method"]
	r.Event.User = u.ID
	r.Detail("username", u.Username)
	r.Detail("email", u.Email)
	delete(r.Event.Details, "auth_method")
	id := r.Event.Details["code_id"]
	r.Detail("code_id", string(r.Tab.Root))
	err = w.Emails.SendLinking(ctx, r, u, said, name)
	words := emails.Words(err)
	if err != nil && words == "" {
		return nil, err
	}
	if words != "" {
		r.Warnings = append(r.Warnings, err.Error())
		r.Detail("reason", words)
		r.EmitAs("SEND_IDENTITY_PROVIDER_LINK", "email_send_failed")
		return failed(r, "", authn.InternalError, 500, "emailSendErrorMessage"), nil
	}
	r.EmitAs("SEND_IDENTITY_PROVIDER_LINK", "")
	r.Event.User = ""
	delete(r.Event.Details, "email")
	delete(r.Event.Details, "username")
	r.Detail("auth_method", auth)
	r.Detail("code_id", id)
	return authn.Challenge{Page: page}, nil
}

// linkPause is between mails that ask a user to link accounts.
const linkPause = 30 * time.Second

// providerName is what people read of a provider. Keycloak: ObjectUtil.capitalize of name or alias.
func providerName(r *authn.Run, alias string) string {
	name := alias
	if p := r.Realm.IDP(alias); p != nil && p.DisplayName != "" {
		name = p.DisplayName
	}
	if name == "" {
		return ""
	}
	_, first := utf8.DecodeRuneInString(name)
	return strings.ToUpper(name[:first]) + name[first:]
}

// linkForm shows the login form of one user.
func linkForm(u *iam.User) form {
	return form{view: func(*authn.Run) pages.View { return pages.Login{Username: u.Username, RegistrationDisabled: true} },
		wrong: "invalidUserMessage", lockField: "username"}
}

// askPassword, provePassword: Keycloak's IdpUsernamePasswordForm.
func (w Rooms) askPassword(ctx context.Context, r *authn.Run, said *iam.Brokered) (authn.Result, error) {
	u, res, err := w.theirs(ctx, r, said)
	if u == nil {
		return res, err
	}
	return authn.Challenge{Page: authn.Page{View: linkForm(u).view(r),
		Message: &authn.Message{Tone: pages.Notice, Key: "federatedIdentityConfirmReauthenticateMessage", Params: []any{said.Provider}}}}, nil
}

func (w Rooms) provePassword(ctx context.Context, r *authn.Run, said *iam.Brokered) (authn.Result, error) {
	u, res, err := w.theirs(ctx, r, said)
	if u == nil {
		return res, err
	}
	f := linkForm(u)
	r.Detail("username", u.Username)
	if res, err := w.checkPassword(ctx, r, f, u); res != nil || err != nil {
		return res, err
	}
	if res, err := w.accept(ctx, r, f, u); res != nil || err != nil {
		return res, err
	}
	return used(r, iam.Password), nil
}
