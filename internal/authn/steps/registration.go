package steps

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/authn/actions"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/users"
)

func (w Rooms) registration() []authn.Spec {
	return []authn.Spec{
		{ID: "registration-page-form", Render: registrationPage},
		{ID: "registration-user-creation", Validate: w.checkUser, Accept: w.createUser},
		{ID: "registration-password-action", Validate: w.checkNewPassword, Accept: w.setNewPassword},
		{ID: "registration-terms-and-conditions", Validate: checkTerms, Accept: acceptTerms},
	}
}

// registrationPage: Keycloak's RegistrationPage.
func registrationPage(_ context.Context, r *authn.Run, f authn.FormState) (any, error) {
	p, err := users.ProfileOf(r.Realm)
	if err != nil {
		return nil, err
	}
	return authn.Page{Errors: f.Errors, View: pages.Register{
		Attributes:       actions.Attributes(p.In(users.Registration, nil), f.Values),
		PasswordRequired: slices.Contains(f.Actions, "registration-password-action") && !r.Realm.Login.VerifyEmail,
		TermsRequired:    slices.Contains(f.Actions, "registration-terms-and-conditions"),
	}}, nil
}

func registrationName(r *authn.Run) string {
	if r.Realm.Login.RegistrationEmailAsUsername {
		return strings.TrimSpace(r.Form.Get("email"))
	}
	return strings.TrimSpace(r.Form.Get("username"))
}

// checkUser: Keycloak's RegistrationUserCreation.validate.
func (w Rooms) checkUser(ctx context.Context, r *authn.Run) (authn.Verdict, error) {
	r.Detail("register_method", "form")
	for field, detail := range map[string]string{"email": "email", "firstName": "first_name", "lastName": "last_name"} {
		if v := r.Form.Get(field); v != "" {
			r.Detail(detail, v)
		}
	}
	if name := registrationName(r); name != "" {
		r.Detail("username", name)
	}
	if r.User != nil { // somebody is logged in already
		return authn.Verdict{Event: "invalid_registration", Errors: []authn.FieldError{{Key: "differentUserAuthenticating"}}}, nil
	}
	p, err := users.ProfileOf(r.Realm)
	if err != nil {
		return authn.Verdict{}, err
	}
	errs, err := w.Users.CheckDraft(ctx, p.In(users.Registration, nil), users.Typed(r.Form))
	if err != nil || len(errs) == 0 {
		return authn.Verdict{}, err
	}
	v := authn.Verdict{Errors: actions.FieldErrors(errs), Event: "invalid_registration", Values: withoutPasswords(r.Form)}
	for _, e := range errs {
		switch {
		case e.Msg == "emailExistsMessage":
			v.Event = "email_in_use"
		case e.Msg == "usernameExistsMessage" && v.Event != "email_in_use":
			v.Event = "username_in_use"
		}
	}
	return v, nil
}

func withoutPasswords(form url.Values) url.Values {
	out := url.Values{}
	for k, v := range form {
		if k != "password" && k != "password-confirm" {
			out[k] = v
		}
	}
	return out
}

// createUser: Keycloak's RegistrationUserCreation.success.
func (w Rooms) createUser(ctx context.Context, r *authn.Run) (authn.Result, error) {
	u, err := w.Users.Register(ctx, r.Realm, users.Typed(r.Form))
	var taken *iam.Error
	if errors.As(err, &taken) && taken.Kind == iam.Conflict { // somebody else took the name since the check
		r.Emit("username_in_use")
		return authn.Abort{Err: &authn.FlowError{Code: authn.GenericError, Provider: "registration-user-creation", Message: taken.Msg}}, nil
	}
	if err != nil {
		return nil, err
	}
	if res := r.SetUser(u); res != nil {
		return res, nil
	}
	r.Tab.Request.LoginHint = registrationName(r)
	r.Event.User = u.ID
	r.Emit("") // REGISTER; what follows is a login of its own
	details := map[string]string{}
	for _, keep := range []string{"auth_method", "auth_type", "code_id", "redirect_uri"} {
		if v := r.Event.Details[keep]; v != "" {
			details[keep] = v
		}
	}
	r.Event.Kind, r.Event.Details = "LOGIN", details
	return authn.Success{}, nil
}

// checkNewPassword: Keycloak's RegistrationPassword.validate.
func (w Rooms) checkNewPassword(ctx context.Context, r *authn.Run) (authn.Verdict, error) {
	r.Detail("register_method", "form")
	if r.Realm.Login.VerifyEmail { // the password comes once the address is verified: see setNewPassword
		return authn.Verdict{}, nil
	}
	var errs []authn.FieldError
	password := r.Form.Get("password")
	if strings.TrimSpace(password) == "" {
		errs = append(errs, authn.FieldError{Field: "password", Key: "missingPasswordMessage"})
	} else if password != r.Form.Get("password-confirm") {
		errs = append(errs, authn.FieldError{Field: "password-confirm", Key: "invalidPasswordConfirmMessage"})
	}
	if password != "" {
		newcomer := &iam.User{Username: r.Form.Get("username"), Email: r.Form.Get("email")}
		if r.Realm.Login.RegistrationEmailAsUsername {
			newcomer.Username = newcomer.Email
		}
		err := w.Users.CheckNewPassword(ctx, &r.Realm.Realm, newcomer, password)
		if refused, is := errors.AsType[*iam.Error](err); is {
			errs = append(errs, authn.FieldError{Field: "password", Key: refused.Msg, Params: refused.Params})
		} else if err != nil {
			return authn.Verdict{}, err
		}
	}
	if len(errs) == 0 {
		return authn.Verdict{}, nil
	}
	return authn.Verdict{Errors: errs, Event: "invalid_registration", Values: withoutPasswords(r.Form)}, nil
}

// setNewPassword: Keycloak's RegistrationPassword.success.
func (w Rooms) setNewPassword(ctx context.Context, r *authn.Run) (authn.Result, error) {
	if r.Realm.Login.VerifyEmail {
		u, err := w.Users.Require(ctx, r.Realm, r.User.ID, "UPDATE_PASSWORD")
		if err == nil {
			r.User = u
		}
		return authn.Success{}, err
	}
	if err := w.Users.SetPassword(ctx, r.Realm, r.User, r.Form.Get("password")); err != nil {
		var refused *iam.Error
		if errors.As(err, &refused) {
			r.Require("UPDATE_PASSWORD")
			return authn.Success{}, nil
		}
		return nil, err
	}
	return authn.Success{}, nil
}

// checkTerms: Keycloak's RegistrationTermsAndConditions.
func checkTerms(_ context.Context, r *authn.Run) (authn.Verdict, error) {
	if r.Form.Get("termsAccepted") == "on" {
		return authn.Verdict{}, nil
	}
	return authn.Verdict{Event: "invalid_registration", Values: withoutPasswords(r.Form),
		Errors: []authn.FieldError{{Field: "termsAccepted", Key: "termsAcceptanceRequired"}}}, nil
}

func acceptTerms(context.Context, *authn.Run) (authn.Result, error) { return authn.Success{}, nil }
