package steps

import (
	"context"
	"errors"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/emails"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/users"
)

func (w Rooms) reset() []authn.Spec {
	return []authn.Spec{
		{ID: "reset-credentials-choose-user", Begin: showChooseUser, Submit: w.chooseUser},
		{ID: "reset-credential-email", Begin: w.sendReset},
		{ID: "reset-password", Begin: w.requireOn(iam.Password, "UPDATE_PASSWORD")},
		{ID: "reset-otp", Begin: w.requireOn(iam.OTP, "CONFIGURE_TOTP"), NeedsUser: true, Configured: w.has(iam.OTP)},
	}
}

// NoteTokenUser is the user whose reset link was followed: mail has proved who that is.
const NoteTokenUser = "ACTION_TOKEN_USER"

// showChooseUser, chooseUser: Keycloak's ResetCredentialChooseUser.
func showChooseUser(_ context.Context, r *authn.Run) (authn.Result, error) {
	if r.User != nil && r.Note(NoteTokenUser) == string(r.User.ID) {
		return authn.Success{}, nil
	}
	return authn.Challenge{Page: authn.Page{View: pages.ResetPassword{Username: r.Tab.Request.LoginHint}}}, nil
}

func (w Rooms) chooseUser(ctx context.Context, r *authn.Run) (authn.Result, error) {
	name := strings.TrimSpace(r.Form.Get("username"))
	if name == "" {
		return authn.Refusal{Code: authn.InvalidUser, Event: "username_missing",
			Page: errorPage(pages.ResetPassword{Username: r.Tab.Request.LoginHint}, "username", "missingUsernameMessage")}, nil
	}
	r.SetNote(NoteAttempted, name)
	r.Detail("username", name)
	clearUser(r)
	u, err := w.Users.Find(ctx, r.Realm, name)
	unknown := errors.Is(err, users.ErrUnavailable)
	if err != nil && !unknown {
		return nil, err
	}
	// Nobody shall learn here which users exist: the flow goes on either way,
	// and the next step notices that nobody is known.
	switch {
	case unknown:
		unavailable(r, nil)
	case u == nil || u.ServiceAccount != "":
		r.Emit("user_not_found")
	case !u.Enabled:
		r.Event.User = u.ID
		r.Emit("user_disabled")
		r.Event.User = ""
	default:
		if res := r.SetUser(u); res != nil {
			return res, nil
		}
	}
	return authn.Success{}, nil
}

// sendReset: Keycloak's ResetCredentialEmail.
func (w Rooms) sendReset(ctx context.Context, r *authn.Run) (authn.Result, error) {
	sent := authn.Fork{Success: &authn.FieldError{Key: "emailSentMessage"}}
	if r.User == nil {
		return sent, nil
	}
	if r.Note(NoteTokenUser) == string(r.User.ID) {
		return authn.Success{}, nil
	}
	r.Event.User = r.User.ID
	r.Detail("username", r.Note(NoteAttempted))
	if strings.TrimSpace(r.User.Email) == "" {
		r.Emit("invalid_email")
		return sent, nil
	}
	// Whether the mail could be sent is no news for who typed the name, either.
	if err := w.Emails.PostReset(ctx, r); err != nil {
		if emails.Words(err) == "" {
			return nil, err
		}
		r.Detail("reason", emails.Words(err))
		r.EmitAs("SEND_RESET_PASSWORD", "email_send_failed")
		return sent, nil
	}
	r.Detail("email", r.User.Email)
	r.EmitAs("SEND_RESET_PASSWORD", "")
	return sent, nil
}

// requireOn: Keycloak's ResetPassword and ResetOTP, which leave the setting to a required action.
func (w Rooms) requireOn(kind iam.CredentialKind, action string) func(context.Context, *authn.Run) (authn.Result, error) {
	return func(ctx context.Context, r *authn.Run) (authn.Result, error) {
		if r.User == nil {
			return authn.Failure{Code: authn.UnknownUser}, nil
		}
		due := r.Execution().Requirement == iam.Required
		if r.Execution().Requirement == iam.Conditional {
			var err error
			if due, err = w.has(kind)(ctx, r); err != nil {
				return nil, err
			}
		}
		if due {
			r.Require(action)
		}
		return authn.Success{}, nil
	}
}
