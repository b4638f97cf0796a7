package iam

import (
	"cmp"
	"slices"
)

// CredentialKind is Keycloak's credential type.
type CredentialKind string

// The kinds of credential. PasswordHistory is what earlier passwords are kept as:
// it proves nothing.
const (
	Password             CredentialKind = "password"
	PasswordHistory      CredentialKind = "password-history"
	OTP                  CredentialKind = "otp"
	RecoveryCodes        CredentialKind = "recovery-authn-codes"
	WebAuthn             CredentialKind = "webauthn"
	WebAuthnPasswordless CredentialKind = "webauthn-passwordless"
)

// A CredentialType is what holds of every credential of a kind that proves who
// somebody is. What compares it with what was presented is in package users.
type CredentialType struct {
	Kind CredentialKind
	// Authenticators check it in flows of browsers: the level that such a flow
	// asks for where one of them stands is the level of the kind. Others are the
	// authenticators of other flows that check it or ask to set it up.
	// Keycloak: AuthenticatorFactory.getReferenceCategory.
	Authenticators, Others []string
	// Create and Update are the required actions that set one up and change it.
	// Keycloak: CredentialRegistrator, CredentialAction.
	Create, Update string
	// Removable: users may take theirs away.
	Removable bool

	// What the account console shows: message keys and a class of CSS.
	Category, DisplayName, HelpText, Icon string
}

// Action is the required action by which users come by a credential of the kind.
func (t *CredentialType) Action() string { return cmp.Or(t.Create, t.Update) }

// Uses reports whether an authenticator checks credentials of the kind or asks to set them up.
func (t *CredentialType) Uses(authenticator string) bool {
	return slices.Contains(t.Authenticators, authenticator) || slices.Contains(t.Others, authenticator)
}

// CredentialTypes are all kinds that prove something, in the order in which
// accounts show them, also those that nothing checks yet: a realm's flows and
// its levels of authentication may speak of them.
// Keycloak: CredentialProvider.getCredentialTypeMetadata of each provider.
var CredentialTypes = []CredentialType{
	{
		Kind: Password, Update: "UPDATE_PASSWORD",
		Authenticators: []string{"auth-username-password-form", "auth-password-form"},
		Others:         []string{"direct-grant-validate-password", "reset-password"},
		Category:       "basic-authentication", DisplayName: "password-display-name", HelpText: "password-help-text",
		Icon: "kcAuthenticatorPasswordClass",
	},
	{
		Kind: OTP, Create: "CONFIGURE_TOTP", Removable: true,
		Authenticators: []string{"auth-otp-form", "auth-conditional-otp-form"},
		Others:         []string{"direct-grant-validate-otp", "reset-otp"},
		Category:       "two-factor", DisplayName: "otp-display-name", HelpText: "otp-help-text", Icon: "kcAuthenticatorOTPClass",
	},
	{
		Kind: RecoveryCodes, Create: "CONFIGURE_RECOVERY_AUTHN_CODES", Removable: true,
		Authenticators: []string{"auth-recovery-authn-code-form"},
		Category:       "two-factor", DisplayName: "recovery-authn-codes-display-name", HelpText: "recovery-authn-codes-help-text",
		Icon: "kcAuthenticatorRecoveryAuthnCodesClass",
	},
	{
		Kind: WebAuthn, Create: "webauthn-register", Removable: true,
		Authenticators: []string{"webauthn-authenticator"},
		Category:       "two-factor", DisplayName: "webauthn-display-name", HelpText: "webauthn-help-text", Icon: "kcAuthenticatorWebAuthnClass",
	},
	{
		Kind: WebAuthnPasswordless, Create: "webauthn-register-passwordless", Removable: true,
		Authenticators: []string{"webauthn-authenticator-passwordless"},
		Category:       "passwordless", DisplayName: "webauthn-passwordless-display-name", HelpText: "webauthn-passwordless-help-text",
		Icon: "kcAuthenticatorWebAuthnPasswordlessClass",
	},
}
