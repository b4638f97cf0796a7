package authn_test

import (
	"context"
	"testing"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
)

// levelFlow has a password at level 1, what else there is at level 2, and an
// authenticator outside of all levels at the end.
func levelFlow() *iam.Flow {
	at := func(level string, authenticators ...string) iam.Execution {
		sub := &iam.Flow{Alias: level, Executions: []iam.Execution{{Authenticator: authn.LevelCondition,
			Config: map[string]string{"loa-condition-level": level}}}}
		for _, a := range authenticators {
			sub.Executions = append(sub.Executions, iam.Execution{Authenticator: a})
		}
		return iam.Execution{Sub: sub}
	}
	return &iam.Flow{Executions: []iam.Execution{
		{Authenticator: "auth-cookie"},
		at("1", "auth-username-password-form"),
		at("2", "auth-otp-form", "webauthn-authenticator", "auth-recovery-authn-code-form"),
		{Authenticator: "webauthn-authenticator-passwordless"},
	}}
}

// Every door at which users change what proves them, with every kind of
// credential: also those that are not built yet come under it when they are.
// Keycloak: AcrStore, CredentialDeleteHelper. Oracle: credentials/levels.
func TestActionsAskForTheirCredentialsLevel(t *testing.T) {
	const password, otp, key, codes, passkey = iam.Password, iam.OTP, iam.CredentialKind("webauthn"),
		iam.CredentialKind("recovery-authn-codes"), iam.CredentialKind("webauthn-passwordless")
	owns := func(kinds ...iam.CredentialKind) (own []*iam.Credential) {
		for _, k := range kinds {
			own = append(own, &iam.Credential{ID: string(k), Kind: k})
		}
		return own
	}
	for _, c := range []struct {
		action, param string
		own           []*iam.Credential
		want          int
	}{
		{"", "", owns(password, otp), -1},
		{"UPDATE_PROFILE", "", owns(password, otp), -1},
		{"UPDATE_PASSWORD", "", owns(password, otp), 1},
		{"UPDATE_PASSWORD", "", owns(otp), 0}, // without a password nothing can be asked for
		{"CONFIGURE_TOTP", "", owns(password), 1},
		{"CONFIGURE_TOTP", "", owns(password, otp), 2},
		{"CONFIGURE_TOTP", "", owns(password, codes), 2},
		{"webauthn-register", "", owns(password, otp), 2},
		{"webauthn-register", "", owns(password), 1},
		{"webauthn-register-passwordless", "", owns(password, passkey), -1},
		{"CONFIGURE_RECOVERY_AUTHN_CODES", "", owns(password, key), 2},
		{"delete_credential", "otp", owns(password, otp), 2},
		{"delete_credential", "webauthn", owns(password, key), 2},
		{"delete_credential", "recovery-authn-codes", owns(password, codes), 2},
		{"delete_credential", "password", owns(password, otp), 1},
		{"delete_credential", "somebody else's", owns(password, otp), -1},
	} {
		var got int
		e := authn.New([]authn.Spec{{ID: "ask", Begin: func(_ context.Context, r *authn.Run) (authn.Result, error) {
			got = r.ActionLevel(c.own)
			return authn.Success{}, nil
		}}}, nil)
		f := levelFlow()
		f.Executions = append([]iam.Execution{{ID: "ask", Authenticator: "ask", Requirement: iam.Alternative}}, f.Executions...)
		for i := range f.Executions[1:] {
			f.Executions[i+1].Requirement = iam.Disabled
		}
		r := &authn.Run{Realm: &realms.Realm{}, Tab: &iam.AuthTab{Request: iam.LoginRequest{Action: c.action, ActionParam: c.param}},
			User: &iam.User{Enabled: true}}
		for _, a := range []string{"UPDATE_PROFILE", "UPDATE_PASSWORD", "CONFIGURE_TOTP", "webauthn-register", "webauthn-register-passwordless",
			"CONFIGURE_RECOVERY_AUTHN_CODES", "delete_credential"} {
			r.Actions = append(r.Actions, iam.RequiredAction{Alias: a, Provider: a})
		}
		if _, err := e.Start(t.Context(), r, f); err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("%s %s of %v asks for level %d, want %d", c.action, c.param, c.own, got, c.want)
		}
	}
	for kind, least := range map[iam.CredentialKind]int{password: 1, otp: 2, key: 2, codes: 2, passkey: -1, "unheard of": -1} {
		for level := -1; level < 3; level++ {
			if got := authn.MayRemove(levelFlow(), kind, level); got != (level >= least) {
				t.Errorf("level %d may remove %s: %v", level, kind, got)
			}
		}
	}
}
