package steps

import (
	"context"
	"errors"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/users"
)

func (w Rooms) directGrant() []authn.Spec {
	return []authn.Spec{
		{ID: "direct-grant-validate-username", Begin: w.grantUsername},
		{ID: "direct-grant-validate-password", Begin: w.grantPassword, NeedsUser: true},
		{ID: "direct-grant-validate-otp", Begin: w.grantOTP, NeedsUser: true, Configured: w.has(iam.OTP), Credential: iam.OTP},
	}
}

func denial(description string) authn.Denial {
	return authn.Denial{Status: 400, Error: "invalid_grant", Description: description}
}

const wrongCredentials = "Invalid user credentials"

// grantUsername: Keycloak's ValidateUsername.
func (w Rooms) grantUsername(ctx context.Context, r *authn.Run) (authn.Result, error) {
	if !r.Form.Has("username") {
		return authn.Failure{Code: authn.InvalidUser, Event: "user_not_found",
			Page: authn.Denial{Status: 401, Error: "invalid_request", Description: "Missing parameter: username"}}, nil
	}
	name := r.Form.Get("username")
	if name != "" {
		r.Detail("username", name)
	}
	r.SetNote(NoteAttempted, name)
	u, err := w.Users.Find(ctx, r.Realm, name)
	if errors.Is(err, users.ErrUnavailable) {
		return grantUnavailable(r, nil), nil
	}
	if err != nil {
		return nil, err
	}
	if u == nil {
		return authn.Failure{Code: authn.InvalidUser, Event: "user_not_found", Page: denial(wrongCredentials)}, w.dummy(ctx, r)
	}
	if u.ServiceAccount != "" {
		r.Detail("reason", "User is a service account")
		return authn.Failure{Code: authn.InvalidUser, Event: "invalid_user", Page: denial(wrongCredentials)}, w.dummy(ctx, r)
	}
	word, err := w.guess(ctx, r, u)
	if err != nil {
		return nil, err
	}
	if word != "" {
		return w.grantLocked(ctx, r, u, word)
	}
	if !u.Enabled {
		return w.grantDisabled(ctx, r, u)
	}
	if res := r.SetUser(u); res != nil {
		return res, nil
	}
	return authn.Success{}, nil
}

// grantDisabled refuses a disabled user. Only who knows the password is told of the account.
func (w Rooms) grantDisabled(ctx context.Context, r *authn.Run, u *iam.User) (authn.Result, error) {
	r.Event.User = u.ID
	r.Emit("user_disabled")
	out, err := w.Users.CheckPassword(ctx, r.Realm, u, r.Guess, r.Form.Get("password"))
	if err != nil {
		return nil, err
	}
	if out != users.Accepted {
		return authn.Challenge{Page: denial(wrongCredentials)}, nil
	}
	return authn.Challenge{Page: denial("Account disabled")}, nil
}

// grantUnavailable refuses while a directory cannot be asked.
func grantUnavailable(r *authn.Run, u *iam.User) authn.Result {
	unavailable(r, u)
	return authn.Challenge{Page: authn.Denial{Status: 503, Error: "temporarily_unavailable", Description: "User directory not available"}}
}

// grantLocked refuses a user whom brute force protection keeps out.
func (w Rooms) grantLocked(ctx context.Context, r *authn.Run, u *iam.User, word string) (authn.Result, error) {
	r.Event.User = u.ID
	if err := w.dummy(ctx, r); err != nil {
		return nil, err
	}
	r.Emit(word)
	return authn.Challenge{Page: denial(wrongCredentials)}, nil
}

// grantPassword: Keycloak's ValidatePassword.
func (w Rooms) grantPassword(ctx context.Context, r *authn.Run) (authn.Result, error) {
	word, err := w.guess(ctx, r, r.User)
	if err != nil {
		return nil, err
	}
	if word != "" { // a flow may find the user by other steps
		return w.grantLocked(ctx, r, r.User, word)
	}
	out, err := w.Users.CheckPassword(ctx, r.Realm, r.User, r.Guess, r.Form.Get("password"))
	if err != nil {
		r.Event.User = r.User.ID
		return nil, err
	}
	switch out {
	case users.Accepted:
		return used(r, iam.Password), nil
	case users.Unavailable:
		return grantUnavailable(r, r.User), nil
	case users.Disabled: // the directory has not said that the password is right
		r.Event.User = r.User.ID
		r.Emit("user_disabled")
		return authn.Challenge{Page: denial(wrongCredentials)}, nil
	default:
		r.Event.User = r.User.ID
		return authn.Failure{Code: authn.InvalidUser, Event: "invalid_user_credentials", Page: denial(wrongCredentials)}, nil
	}
}

// grantOTP: Keycloak's ValidateOTP.
func (w Rooms) grantOTP(ctx context.Context, r *authn.Run) (authn.Result, error) {
	code := r.Form.Get("otp")
	if !r.Form.Has("otp") {
		code = r.Form.Get("totp")
	}
	ok := false
	if code != "" {
		word, err := w.guess(ctx, r, r.User)
		if err != nil {
			return nil, err
		}
		if word != "" {
			return w.grantLocked(ctx, r, r.User, word)
		}
		_, first, err := w.otpView(ctx, r)
		if err != nil {
			return nil, err
		}
		if ok, err = w.Users.CheckOTP(ctx, r.Realm, r.User.ID, r.Guess, first, code); err != nil {
			return nil, err
		}
	}
	if !ok {
		r.Event.User, r.Event.Cause.Reason = r.User.ID, iam.WrongOTP
		return authn.Failure{Code: authn.InvalidUser, Event: "invalid_user_credentials", Page: denial(wrongCredentials)}, nil
	}
	return used(r, iam.OTP), nil
}
