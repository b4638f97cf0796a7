package pages

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"time"
)

// A Sample is a page with made-up content, for tests of themes and for those who write them.
type Sample struct {
	Name    string
	Request Request
	View    View
}

// Samples are all pages in all the states that look different.
func Samples() []Sample {
	const at = "https://id.example.test/realms/library/login-actions/"
	realm := Realm{Name: "library", DisplayName: "City Library", LoginWithEmail: true, RegistrationAllowed: true,
		ResetPassword: true, RememberMe: true}
	urls := URLs{Action: at + "authenticate?session_code=c&tab_id=t", Restart: at + "restart?tab_id=t", Login: at + "authenticate?tab_id=t",
		Registration: at + "registration?tab_id=t", ResetCredentials: at + "reset-credentials?tab_id=t"}
	plain := Request{Realm: realm, URLs: urls, Client: Client{ID: "catalogue", Name: "Catalogue", BaseURL: "https://catalogue.example.test/"}}
	with := func(change func(*Request)) Request { r := plain; change(&r); return r }
	known := with(func(r *Request) { r.AttemptedUsername = "grace" })
	message := func(kind, key string, args ...any) Request {
		return with(func(r *Request) { r.Message = &Message{Type: kind, Key: key, Args: args} })
	}
	wrong := func(field, key string, args ...any) Request {
		return with(func(r *Request) { r.Errors = []FieldError{{Field: field, Key: key, Args: args}} })
	}
	attributes := []Attribute{
		{Name: "username", DisplayName: "${username}", Required: true, Values: []string{"grace"}},
		{Name: "email", DisplayName: "${email}", Required: true, Values: []string{"grace@example.test"}},
		{Name: "firstName", DisplayName: "${firstName}", Required: true},
		{Name: "lastName", DisplayName: "${lastName}", Required: true},
		{Name: "branch", DisplayName: "Branch", Group: &Group{Name: "card", DisplayHeader: "Library card",
			DisplayDescription: "What is printed on the card"},
			Annotations: map[string]any{"inputType": "select", "inputOptionLabels": map[string]any{"north": "North End"}},
			Validators:  map[string]map[string]any{"options": {"options": []any{"north", "harbour"}}}, Default: "harbour"},
		{Name: "interests", DisplayName: "Interests", Multivalued: true, Values: []string{"maps"}, Group: &Group{Name: "card"},
			Annotations: map[string]any{"inputType": "multiselect-checkboxes"},
			Validators:  map[string]map[string]any{"options": {"options": []any{"maps", "music"}}}},
		{Name: "notices", DisplayName: "Notices", Group: &Group{Name: "card"},
			Annotations: map[string]any{"inputType": "select-radiobuttons", "inputOptionsFromValidation": "ways"},
			Validators:  map[string]map[string]any{"ways": {"options": []any{"mail", "letter"}}}},
		{Name: "address", DisplayName: "${address}", Group: &Group{Name: "card"}, Annotations: map[string]any{"inputType": "textarea",
			"inputTypeRows": 3}},
		{Name: "phones", DisplayName: "${phoneNumber}", Multivalued: true, Values: []string{"555 0100", "555 0101"}, Group: &Group{Name: "card"},
			Annotations: map[string]any{"inputType": "html5-tel", "inputTypePlaceholder": "555 0199",
				"inputHelperTextAfter": "With the <b>area code</b>."}},
		{Name: "member", DisplayName: "Member since", ReadOnly: true, Values: []string{"1952"}, Group: &Group{Name: "card"}},
	}
	totp := ConfigTOTP{Secret: "JBSWY3DPEHPK3PXP", SecretEncoded: "JBSW Y3DP EHPK 3PXP", QRCode: sampleCode(),
		ManualURL: at + "required-action?mode=manual", BarcodeURL: at + "required-action?mode=qr",
		Apps: []string{"totpAppFreeOTPName", "totpAppGoogleName", "totpAppMicrosoftAuthenticatorName"}, Type: "totp", Algorithm: "SHA1",
		Digits: 6, Period: 30}
	manual := totp
	manual.Manual, manual.ShowMode, manual.HasOther = true, true, true
	counted := manual
	counted.Type = "hotp"
	devices := []Device{{"d1", "Phone"}, {"d2", "Tablet"}}
	passkey := Assertion{Challenge: "c", UserVerification: "preferred", RPID: "id.example.test", Timeout: 60, Known: true,
		Authenticators: []Authenticator{{ID: "a2V5", Label: "Key ring", Transports: []string{"usb", "nfc"}, Created: time.UnixMilli(0).UTC()}}}
	scopes := []ConsentScope{{Text: "${profileScopeConsentText}"}, {Text: "${emailScopeConsentText}"},
		{Text: "Borrow at {0}", Parameter: "harbour"}}

	return []Sample{
		{"login", plain, Login{}},
		{"login-wrong", wrong("username", "invalidUserMessage"), Login{Username: "grace", RememberMe: true}},
		{"login-again", with(func(r *Request) {
			r.AttemptedUsername = "grace"
			r.Message = &Message{Type: Notice, Key: "reauthenticate"}
		}), Login{UsernameHidden: true, RegistrationDisabled: true}},
		{"login-languages", with(func(r *Request) {
			r.Locale = "en"
			r.Locales = []Locale{{"de", "?kc_locale=de"}, {"en", "?kc_locale=en"}}
		}), Login{Providers: []Provider{{"university", "University", at + "../broker/university/login"}}}},
		{"login-username", plain, LoginUsername{}},
		{"login-password", with(func(r *Request) { r.AttemptedUsername = "grace"; r.TryAnotherWay = true }), LoginPassword{}},
		{"login-otp", known, LoginOTP{Devices: devices[:1], Selected: "d1"}},
		{"login-otp-devices", with(func(r *Request) {
			r.AttemptedUsername = "grace"
			r.Errors = []FieldError{{Field: "totp", Key: "invalidTotpMessage"}}
		}), LoginOTP{Devices: devices, Selected: "d2"}},
		{"register", plain, Register{Attributes: attributes, PasswordRequired: true, TermsRequired: true}},
		{"register-wrong", wrong("username", "usernameExistsMessage"), Register{Attributes: attributes[:4], PasswordRequired: true}},
		{"login-update-profile", message(Warning, "updateProfileMessage"), UpdateProfile{Attributes: attributes}},
		{"login-update-profile-app", with(func(r *Request) { r.AppInitiated = true }), UpdateProfile{Attributes: attributes[:4]}},
		{"update-email", with(func(r *Request) { r.AppInitiated = true }), UpdateEmail{attributes[1:2]}},
		{"login-update-profile-review", with(func(r *Request) {}), UpdateProfile{Attributes: attributes[:4], Review: true}},
		{"login-idp-link-confirm", message(Problem, "federatedIdentityConfirmLinkMessage", "email", "grace@example.test"),
			ConfirmLink{Provider: "university"}},
		{"login-idp-link-email", message(Warning, "linkIdpMessage", "University"), LinkEmail{Provider: "University", Username: "grace"}},
		{"link-idp-action", plain, LinkProvider{Provider: "university"}},
		{"login-update-password", message(Warning, "updatePasswordMessage"), UpdatePassword{}},
		{"login-update-password-wrong", wrong("password", "invalidPasswordMinLengthMessage", 8), UpdatePassword{}},
		{"login-config-totp", message(Warning, "configureTotpMessage"), totp},
		{"login-config-totp-manual", with(func(r *Request) { r.AppInitiated = true }), manual},
		{"login-config-hotp", plain, counted},
		{"login-recovery-authn-code-config", with(func(r *Request) { r.AppInitiated = true }),
			ConfigRecoveryCodes{Codes: []string{"ABCDEFGH1234", "IJKLMNOP5678"}, Made: "1000"}},
		{"login-recovery-authn-code-input", with(func(r *Request) {
			r.AttemptedUsername = "grace"
			r.Errors = []FieldError{{Field: "recoveryCodeInput", Key: "recovery-codes-error-invalid"}}
		}), LoginRecoveryCode{Number: 3}},
		{"webauthn-authenticate", known, LoginWebAuthn{passkey, true}},
		{"webauthn-register", with(func(r *Request) { r.AppInitiated = true }), WebAuthnRegister{Challenge: "c", UserID: "dQ", Username: "grace",
			Algorithms: []int{-7, -257},
			RPName:     "City Library", RPID: "id.example.test", Attestation: "none", Attachment: "platform", RequireResidentKey: "No",
			ResidentKey: "required", UserVerification: "required"}},
		{"webauthn-error", message(Problem, "webauthn-error-auth-verification", ""), WebAuthnError{"e1"}},
		{"login-passkey", plain, Login{Passkey: &Assertion{Challenge: "c", UserVerification: "required", RPID: "id.example.test",
			Mediation: "conditional", Attachment: "platform"}}},
		{"terms", plain, Terms{}},
		{"login-oauth2-device-verify-user-code", plain, DeviceCode{}},
		{"login-verify-email", message(Warning, "verifyEmailMessage"), VerifyEmail{Email: "grace@example.test", Sent: true}},
		{"login-verify-email-app", with(func(r *Request) { r.AppInitiated = true }), VerifyEmail{Email: "grace@example.test"}},
		{"login-reset-password", plain, ResetPassword{}},
		{"setup", wrong("password-confirm", "invalidPasswordConfirmMessage"), Setup{Username: "grace"}},
		{"select-authenticator", known, SelectAuthenticator{[]Choice{
			{"e1", "auth-username-password-form-display-name", "auth-username-password-form-help-text"},
			{"e2", "otp-display-name", "otp-help-text"}}}},
		{"login-oauth-grant", with(func(r *Request) { r.Client.TermsURI = "https://catalogue.example.test/terms" }),
			Consent{Code: "c", Scopes: scopes}},
		{"login-oauth-grant-offline", plain, Consent{Code: "c", Scopes: scopes, Offline: &OfflineAccess{
			Unused: time.Date(2030, 3, 1, 12, 0, 0, 0, time.UTC), Latest: time.Date(2031, 1, 1, 12, 0, 0, 0, time.UTC)}}},
		{"info", message(Success, "successLogout"), Info{}},
		{"info-actions", message(Notice, "confirmExecutionOfActions"), Info{RequiredActions: []string{"UPDATE_PASSWORD", "VERIFY_EMAIL"},
			ActionURL: at + "action-token?key=k"}},
		{"error", message(Problem, "invalidParameterMessage", "redirect_uri"), Error{}},
		{"error-id", message(Problem, "internalServerError"), Error{SkipLink: true, ID: "4bf92f3577b34da6"}},
		{"login-page-expired", plain, PageExpired{}},
		{"logout-confirm", plain, LogoutConfirm{Code: "c"}},
		{"frontchannel-logout", plain, FrontchannelLogout{Clients: []LogoutClient{{"Catalogue", "https://catalogue.example.test/out?sid=s"}},
			RedirectURL: "https://catalogue.example.test/"}},
		{"form-post", plain, FormPost{URL: "https://catalogue.example.test/cb", Parameters: []Parameter{{"code", "c"}, {"state", "s"}}}},
		{"code", plain, Code{Code: "c.s.t"}},
		{"code-error", plain, Code{Error: "access_denied"}},
		{"delete-credential", plain, DeleteCredential{"Phone"}},
		{"delete-account-confirm", plain, DeleteAccount{}},
		{"delete-account-confirm-app", with(func(r *Request) { r.AppInitiated = true }), DeleteAccount{}},
		{"welcome", Request{}, Welcome{AdminURL: "/admin/", Version: "1.0"}},
		{"login-status-iframe", Request{}, LoginStatusIframe{}},
		{"3p-cookies-step1", Request{}, ThirdPartyCookies1{}},
		{"3p-cookies-step2", Request{}, ThirdPartyCookies2{}},
	}
}

// sampleCode is a picture where a QR code would be.
func sampleCode() []byte {
	img := image.NewPaletted(image.Rect(0, 0, 33, 33), color.Palette{color.White, color.Black})
	for i := range img.Pix {
		img.Pix[i] = uint8(i % 2)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		panic(err) // a buffer takes everything and the picture has a size
	}
	return out.Bytes()
}
