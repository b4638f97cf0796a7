package actions

import (
	"context"
	"errors"
	"slices"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
)

// logoutOthers ends the user's sessions but for the one that is logging in.
func (w Rooms) logoutOthers(ctx context.Context, r *authn.Run) error {
	return w.Ender.Others(ctx, r.Realm, r.Tab.Request.Issuer, r.User.ID, r.Tab.Root, iam.End{Reason: iam.CredentialsChanged,
		By: iam.ActorUser, Actor: r.User.ID,
		Client: r.Client.ID, Rule: "sign out from other devices"})
}

// Keycloak: UpdatePassword.

// reasonPassword says why a new password is asked for: whether it is the user's list that says so,
// or a link or an application. Keycloak: FreeMarkerLoginFormsProvider.createResponse.
func reasonPassword(r *authn.Run) string {
	if slices.Contains(r.User.Required, "UPDATE_PASSWORD") {
		return "updatePasswordMessage"
	}
	return "resetPasswordMessage"
}

func (w Rooms) passwordDue(ctx context.Context, r *authn.Run) (bool, error) {
	return w.Users.PasswordExpired(ctx, r.Realm, r.User)
}

func showPassword(_ context.Context, r *authn.Run) (authn.Result, error) {
	return authn.Challenge{Page: page(pages.UpdatePassword{}, reasonPassword(r))}, nil
}

func (w Rooms) updatePassword(ctx context.Context, r *authn.Run) (authn.Result, error) {
	r.Event.Kind = "UPDATE_CREDENTIAL"
	r.Detail("credential_type", "password")
	both := func(word string) {
		r.EmitAs("UPDATE_PASSWORD", word) // the older of two names, still written beside the newer
		r.Emit(word)
	}
	refuse := func(word string, e authn.FieldError) (authn.Result, error) {
		both(word)
		return authn.Challenge{Page: page(pages.UpdatePassword{}, reasonPassword(r), e)}, nil
	}
	password := r.Form.Get("password-new")
	if strings.TrimSpace(password) == "" {
		return refuse("password_missing", authn.FieldError{Field: "password", Key: "missingPasswordMessage"})
	}
	if password != r.Form.Get("password-confirm") {
		return refuse("password_confirm_error", authn.FieldError{Field: "password-confirm", Key: "notMatchPasswordMessage"})
	}
	var refused *iam.Error
	err := w.Users.SetPassword(ctx, r.Realm, r.User, password)
	if errors.As(err, &refused) {
		r.Detail("reason", refused.Msg)
		both("password_rejected")
		delete(r.Event.Details, "reason")
		return authn.Challenge{Page: authn.Page{View: pages.UpdatePassword{}, Message: &authn.Message{Tone: pages.Problem, Key: refused.Msg,
			Params: refused.Params}}}, nil
	}
	if err != nil {
		return nil, err
	}
	if r.Form.Get("logout-sessions") == "on" {
		if err := w.logoutOthers(ctx, r); err != nil {
			return nil, err
		}
	}
	both("")
	return authn.Success{}, nil
}
