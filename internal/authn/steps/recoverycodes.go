package steps

import (
	"context"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/users"
)

const configureRecovery = "CONFIGURE_RECOVERY_AUTHN_CODES"

// recoveryCodes: Keycloak's RecoveryAuthnCodesFormAuthenticator.
func (w Rooms) recoveryCodes() []authn.Spec {
	return []authn.Spec{{ID: "auth-recovery-authn-code-form", Begin: w.showRecovery, Submit: w.recovery, NeedsUser: true,
		Configured: w.has(iam.RecoveryCodes), Credential: iam.RecoveryCodes, Setup: configureRecovery}}
}

func (w Rooms) recoveryView(ctx context.Context, r *authn.Run) (view pages.LoginRecoveryCode, err error) {
	list, err := w.Users.Credentials(ctx, r.Realm, r.User.ID)
	for _, c := range list {
		if state, ok := users.RecoveryStateOf(c); ok && c.Kind == iam.RecoveryCodes {
			view.Number = state.Next
			break
		}
	}
	return view, err
}

func (w Rooms) showRecovery(ctx context.Context, r *authn.Run) (authn.Result, error) {
	view, err := w.recoveryView(ctx, r)
	return authn.Challenge{Page: authn.Page{View: view}}, err
}

func (w Rooms) recovery(ctx context.Context, r *authn.Run) (authn.Result, error) {
	view, err := w.recoveryView(ctx, r)
	if err != nil {
		return nil, err
	}
	r.Detail("credential_type", string(iam.RecoveryCodes))
	f := form{view: func(*authn.Run) pages.View { return view }, lock: "Totp", lockField: "recoveryCodeInput"}
	code := strings.TrimSpace(r.Form.Get("recoveryCodeInput"))
	ask := w.look
	if code != "" {
		ask = w.guess
	}
	if res, err := w.enabled(ctx, r, f, r.User, ask); res != nil || err != nil {
		return res, err
	}
	r.Event.User = r.User.ID
	wrong := errorPage(view, "recoveryCodeInput", "recovery-codes-error-invalid")
	if code == "" {
		r.Event.Cause.Reason = iam.WrongRecoveryCode
		r.Emit("invalid_user_credentials")
		return authn.Challenge{Page: wrong}, nil // an empty field is no guess
	}
	ok, err := w.Users.CheckRecoveryCode(ctx, r.Realm, r.User.ID, r.Guess, code)
	if err != nil {
		return nil, err
	}
	if !ok {
		r.Event.Cause.Reason = iam.WrongRecoveryCode
		return authn.Refusal{Code: authn.InvalidCredentials, Event: "invalid_user_credentials", Page: wrong}, nil
	}
	if left, err := w.has(iam.RecoveryCodes)(ctx, r); err != nil || left {
		return used(r, iam.RecoveryCodes), err
	}
	if r.User, err = w.Users.Require(ctx, r.Realm, r.User.ID, configureRecovery); err != nil {
		return nil, err
	}
	return used(r, iam.RecoveryCodes), nil
}
