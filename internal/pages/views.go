package pages

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// A View is the content of one page; every page has its own type.
type View interface {
	page() page
}

// A page is what the package knows of a view.
type page struct {
	template string
	// fields are those whose errors the page shows beside them, instead of in the notice above the form.
	fields []string
	// attributes says that the page is made of attributes and shows the errors of all fields.
	attributes bool
	// quiet says that there is no notice above the content.
	quiet bool
}

// Login asks for username and password; for the password alone when the user is known (Request.AttemptedUsername) and asked again.
// Keycloak: login.ftl.
type Login struct {
	Username       string
	UsernameHidden bool
	RememberMe     bool // ticked
	// RegistrationDisabled hides the link to the registration, as when a known user is asked again.
	RegistrationDisabled bool
	CredentialID         string
	Providers            []Provider
	Passkey              *Assertion // offered beside the fields, nil for none
}

// A Provider is an identity provider to log in with.
type Provider struct{ Alias, Name, URL string }

// LoginUsername asks for the username alone. Keycloak: login-username.ftl.
type LoginUsername struct {
	Username             string
	UsernameHidden       bool
	RememberMe           bool
	RegistrationDisabled bool
	Providers            []Provider
	Passkey              *Assertion
}

// LoginPassword asks a known user for the password. Keycloak: login-password.ftl.
type LoginPassword struct{ Passkey *Assertion }

// LoginOTP asks for a one-time code, of one of the user's devices. Keycloak: login-otp.ftl.
type LoginOTP struct {
	Devices  []Device
	Selected string // credential id
}

// A Device is an OTP credential.
type Device struct{ ID, Label string }

// Register asks a new user for attributes and a password. Keycloak: register.ftl.
type Register struct {
	Attributes       []Attribute
	PasswordRequired bool
	TermsRequired    bool
}

// UpdateProfile asks for attributes: the required actions UPDATE_PROFILE and VERIFY_PROFILE. Keycloak: login-update-profile.ftl.
type UpdateProfile struct {
	Attributes []Attribute
	Review     bool // of a newcomer, who comes from an identity provider. Keycloak: idp-review-user-profile.ftl
}

// ConfirmLink asks whether an account is to be linked to an identity provider. Keycloak: login-idp-link-confirm.ftl.
type ConfirmLink struct{ Provider string }

// LinkEmail says that a mail was sent by which an account is linked. Keycloak: login-idp-link-email.ftl.
type LinkEmail struct{ Provider, Username string }

// LinkProvider asks whether to link an identity provider, an application's action. Keycloak: link-idp-action.ftl.
type LinkProvider struct{ Provider string }

// UpdateEmail asks for a new address, which is the one attribute: the required action UPDATE_EMAIL. Keycloak: update-email.ftl.
type UpdateEmail struct{ Attributes []Attribute }

// UpdatePassword asks for a new password. Keycloak: login-update-password.ftl.
type UpdatePassword struct{}

// ConfigTOTP sets up a one-time code device. Keycloak: login-config-totp.ftl.
type ConfigTOTP struct {
	Secret        string // as the form sends it back
	SecretEncoded string // base32 in groups, to type in
	QRCode        []byte // PNG of the otpauth:// URI
	Manual        bool
	// ShowMode sends the mode back with the form; the reference does when the page's address says one.
	ShowMode                bool
	ManualURL, BarcodeURL   string
	Apps                    []string // message keys
	Type                    string   // totp or hotp
	Algorithm               string   // SHA1
	Digits, Period, Counter int
	// HasOther says that the user has a device already, so that this one needs a name.
	HasOther bool
}

// ConfigRecoveryCodes shows new recovery codes, to be kept by the user. Keycloak: login-recovery-authn-code-config.ftl.
type ConfigRecoveryCodes struct {
	Codes []string
	Made  string // when, in milliseconds, as the form sends it back
}

// Joined is what the form sends back.
func (v ConfigRecoveryCodes) Joined() string { return strings.Join(v.Codes, ",") }

// Grouped are the codes as people read them.
func (v ConfigRecoveryCodes) Grouped() []string {
	out := make([]string, len(v.Codes))
	for i, code := range v.Codes {
		out[i] = code
		if len(code) > 8 {
			out[i] = code[:4] + "-" + code[4:8] + "-" + code[8:]
		}
	}
	return out
}

// LoginRecoveryCode asks for the recovery code of a number. Keycloak: login-recovery-authn-code-input.ftl.
type LoginRecoveryCode struct{ Number int }

// Terms asks to accept the realm's terms and conditions, message termsText. Keycloak: terms.ftl.
type Terms struct{}

// VerifyEmail says that a mail was sent, or (in an application's action) will be. Keycloak: login-verify-email.ftl.
type VerifyEmail struct {
	Email string
	Sent  bool
}

// Setup makes the first administrator of a new server; Keycloak has its welcome page for it.
type Setup struct{ Username string }

// ResetPassword asks who forgot the password. Keycloak: login-reset-password.ftl.
type ResetPassword struct{ Username string }

// SelectAuthenticator offers other ways to authenticate. Keycloak: select-authenticator.ftl.
type SelectAuthenticator struct{ Choices []Choice }

// A Choice is an execution of the flow, with message keys of its name and help text.
type Choice struct{ Execution, NameKey, HelpKey string }

// Consent asks whether Request.Client may have what it asks for. Keycloak: login-oauth-grant.ftl.
type Consent struct {
	Code    string
	Scopes  []ConsentScope
	Offline *OfflineAccess // nil: not asked for
}

// OfflineAccess is what is said of a session that goes on without the user.
type OfflineAccess struct {
	Unused time.Time // when it ends if nobody uses it
	Latest time.Time // when it ends in any case, zero: it does not
}

// A ConsentScope is the consent text of a client scope, which may be a ${key}, and the value of a dynamic scope's parameter.
type ConsentScope struct{ Text, Parameter string }

// DeviceCode asks for the code that a device shows. Keycloak: login-oauth2-device-verify-user-code.ftl.
type DeviceCode struct{}

// Info is a notice (Request.Message) with a way on. Keycloak: info.ftl.
type Info struct {
	HeaderKey       string   // message key; the message itself without one
	RequiredActions []string // aliases
	SkipLink        bool
	RedirectURL     string // back to the application
	ActionURL       string // to go on with the action; RedirectURL wins
}

// Error tells why the server does not go on (Request.Message). Keycloak: error.ftl.
type Error struct {
	SkipLink bool
	// ID is that of the log line that says more, or empty.
	ID string
	// Support is a code by which administrators find out why, or empty.
	Support string
}

// PageExpired offers to start over (URLs.Restart) or to go on (URLs.Action). Keycloak: login-page-expired.ftl.
type PageExpired struct{}

// LogoutConfirm asks whether to log out. Keycloak: logout-confirm.ftl.
type LogoutConfirm struct {
	Code     string
	SkipLink bool
}

// FrontchannelLogout loads the logout addresses of clients in frames and goes on. Keycloak: frontchannel-logout.ftl.
type FrontchannelLogout struct {
	Clients     []LogoutClient
	RedirectURL string
}

// A LogoutClient has a front-channel logout address.
type LogoutClient struct{ Name, URL string }

// FrameSources are the origins that the frame-src directive of the response must name besides the realm's own.
func (v FrontchannelLogout) FrameSources() []string {
	var out []string
	for _, c := range v.Clients {
		if u, err := url.Parse(c.URL); err == nil && u.Host != "" {
			if origin := u.Scheme + "://" + u.Host; !slices.Contains(out, origin) {
				out = append(out, origin)
			}
		}
	}
	return out
}

// FormPost sends parameters to an address by a form that submits itself: OAuth 2.0 Form Post Response Mode.
type FormPost struct {
	URL        string
	Parameters []Parameter
}

// A Parameter is a name and its value.
type Parameter struct{ Name, Value string }

// Code shows the authorization code, or the error, of a request for urn:ietf:wg:oauth:2.0:oob. Keycloak: code.ftl.
type Code struct{ Code, Error string }

// DeleteCredential asks whether to delete a credential. Keycloak: delete-credential.ftl.
type DeleteCredential struct{ Label string }

// DeleteAccount asks whether to delete the own account. Keycloak: delete-account-confirm.ftl.
type DeleteAccount struct{}

// Welcome is what a browser sees at the server's root.
type Welcome struct {
	// AdminURL leads to the administration, where there is one.
	AdminURL string
	Version  string
}

// LoginStatusIframe watches the session cookie for keycloak-js. Keycloak: login-status-iframe.ftl.
type LoginStatusIframe struct{}

// ThirdPartyCookies1 tries to set cookies in a frame, for keycloak-js, and goes on to step2.html. Keycloak: 3p-cookies-step1.html.
type ThirdPartyCookies1 struct{}

// ThirdPartyCookies2 tells keycloak-js whether the cookies came back. Keycloak: 3p-cookies-step2.html.
type ThirdPartyCookies2 struct{}

// templateNames are those of all pages.
var templateNames = []string{
	"login", "login-username", "login-password", "login-otp", "register", "login-update-profile", "update-email", "login-idp-link-confirm",
	"login-idp-link-email", "link-idp-action", "login-update-password", "login-config-totp", "login-recovery-authn-code-config",
	"login-recovery-authn-code-input", "webauthn-authenticate", "webauthn-register", "webauthn-error",
	"terms", "login-verify-email", "login-reset-password", "select-authenticator", "login-oauth-grant", "login-oauth2-device-verify-user-code",
	"info", "error", "login-page-expired",
	"logout-confirm", "frontchannel-logout", "form-post", "code", "delete-credential", "delete-account-confirm", "welcome", "setup",
	"login-status-iframe", "3p-cookies-step1",
	"3p-cookies-step2",
}

func (Login) page() page { return page{template: "login", fields: []string{"username", "password"}} }
func (LoginUsername) page() page {
	return page{template: "login-username", fields: []string{"username"}}
}
func (LoginPassword) page() page {
	return page{template: "login-password", fields: []string{"password"}}
}
func (ConfirmLink) page() page   { return page{template: "login-idp-link-confirm"} }
func (LinkEmail) page() page     { return page{template: "login-idp-link-email"} }
func (LinkProvider) page() page  { return page{template: "link-idp-action"} }
func (LoginOTP) page() page      { return page{template: "login-otp", fields: []string{"totp"}} }
func (Register) page() page      { return page{template: "register", attributes: true} }
func (UpdateProfile) page() page { return page{template: "login-update-profile", attributes: true} }
func (UpdateEmail) page() page   { return page{template: "update-email", attributes: true} }
func (UpdatePassword) page() page {
	return page{template: "login-update-password", fields: []string{"password", "password-confirm"}}
}
func (ConfigTOTP) page() page {
	return page{template: "login-config-totp", fields: []string{"totp", "userLabel"}}
}
func (LoginWebAuthn) page() page    { return page{template: "webauthn-authenticate"} }
func (WebAuthnRegister) page() page { return page{template: "webauthn-register"} }
func (WebAuthnError) page() page    { return page{template: "webauthn-error"} }
func (ConfigRecoveryCodes) page() page {
	return page{template: "login-recovery-authn-code-config"}
}
func (LoginRecoveryCode) page() page {
	return page{template: "login-recovery-authn-code-input", fields: []string{"recoveryCodeInput"}}
}
func (Terms) page() page       { return page{template: "terms", quiet: true} }
func (DeviceCode) page() page  { return page{template: "login-oauth2-device-verify-user-code"} }
func (VerifyEmail) page() page { return page{template: "login-verify-email"} }
func (Setup) page() page {
	return page{template: "setup", fields: []string{"username", "password", "password-confirm"}}
}
func (ResetPassword) page() page {
	return page{template: "login-reset-password", fields: []string{"username"}}
}
func (SelectAuthenticator) page() page { return page{template: "select-authenticator"} }
func (Consent) page() page             { return page{template: "login-oauth-grant"} }
func (Info) page() page                { return page{template: "info", quiet: true} }
func (Error) page() page               { return page{template: "error", quiet: true} }
func (PageExpired) page() page         { return page{template: "login-page-expired"} }
func (LogoutConfirm) page() page       { return page{template: "logout-confirm"} }
func (FrontchannelLogout) page() page  { return page{template: "frontchannel-logout"} }
func (FormPost) page() page            { return page{template: "form-post"} }
func (Code) page() page                { return page{template: "code"} }
func (DeleteCredential) page() page    { return page{template: "delete-credential", quiet: true} }
func (DeleteAccount) page() page       { return page{template: "delete-account-confirm"} }
func (Welcome) page() page             { return page{template: "welcome"} }
func (LoginStatusIframe) page() page   { return page{template: "login-status-iframe"} }
func (ThirdPartyCookies1) page() page  { return page{template: "3p-cookies-step1"} }
func (ThirdPartyCookies2) page() page  { return page{template: "3p-cookies-step2"} }
