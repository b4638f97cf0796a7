package iam

// A Reason says why a session or a client's part in it ended, or why a login or
// a token was refused. Reasons is the closed list of them; none stands in it
// without code that causes it.
type Reason string

// Reasons of ends.
const (
	LogoutByUser       Reason = "logout-by-user"
	LogoutByClient     Reason = "logout-by-client"
	LogoutByAdmin      Reason = "logout-by-admin"
	ReplacedByOffline  Reason = "replaced-by-offline"
	ReplacedByLogin    Reason = "replaced-by-login"
	Idle               Reason = "idle"
	MaxAge             Reason = "max-age"
	Revoked            Reason = "revoked"
	ConsentWithdrawn   Reason = "consent-withdrawn"
	TokenReuse         Reason = "token-reuse"
	CodeReplayed       Reason = "code-replayed"
	CredentialsChanged Reason = "credentials-changed"
	UserRemoved        Reason = "user-removed"
	ClientRemoved      Reason = "client-removed"
	SessionLimit       Reason = "session-limit"
	NotRemembered      Reason = "not-remembered"
	// LogoutByBackChannel: the identity provider told of it.
	LogoutByBackChannel Reason = "logout-by-back-channel"
	// Untold: it was a session of another server, which latchkey watch knows by that server's events alone.
	Untold Reason = "untold"
)

// Reasons of refusals, and of login pages that were shown although somebody
// expected to be signed on.
const (
	NoCookie           Reason = "no-cookie"
	CookieOtherHost    Reason = "cookie-other-host"
	CookieRetiredKey   Reason = "cookie-retired-key"
	CookieExpired      Reason = "cookie-expired"
	SessionEnded       Reason = "session-ended"
	ClientSessionEnded Reason = "part-ended"
	AskedMaxAge        Reason = "asked-max-age"
	AskedPrompt        Reason = "asked-prompt"
	AskedACR           Reason = "asked-acr"
	AskedOtherUser     Reason = "asked-other-user"
	ActionRequired     Reason = "required-action"
	WrongPassword      Reason = "wrong-password"
	WrongOTP           Reason = "wrong-otp"
	WrongRecoveryCode  Reason = "wrong-recovery-code"
	PasskeyUnknown     Reason = "passkey-unknown"
	PasskeyRefused     Reason = "passkey-refused"
	UnknownUser        Reason = "unknown-user"
	BruteForceLock     Reason = "brute-force-lock"
	LoginRefused       Reason = "login-refused"
	LoginExpired       Reason = "login-expired"
	ConsentRefused     Reason = "consent-refused"
	UserDisabled       Reason = "user-disabled"
	ClientDisabled     Reason = "client-disabled"
	RealmDisabled      Reason = "realm-disabled"
	UnknownClient      Reason = "unknown-client"
	ClientCredentials  Reason = "client-credentials"
	ClientNotAllowed   Reason = "client-not-allowed"
	WrongRequest       Reason = "wrong-request"
	WrongScope         Reason = "wrong-scope"
	RedirectMismatch   Reason = "redirect-mismatch"
	CodeLate           Reason = "code-late"
	WrongPKCE          Reason = "wrong-pkce"
	WrongClient        Reason = "wrong-client"
	TokenExpired       Reason = "token-expired"
	TokenInvalid       Reason = "token-invalid"
	TokenOtherHost     Reason = "token-other-host"
	TokenRetiredKey    Reason = "token-retired-key"
	TokenOfPast        Reason = "token-of-past-session"
	NotBeforeRealm     Reason = "not-before-realm"
	NotBeforeClient    Reason = "not-before-client"
	NotBeforeUser      Reason = "not-before-user"
	OfflineNotGranted  Reason = "offline-not-granted"
	ConsentMissing     Reason = "consent-missing"
	DeviceCodeUnknown  Reason = "device-code-unknown"
	DeviceCodeLate     Reason = "device-code-late"
	PolledTooFast      Reason = "polled-too-fast"
	LinkExpired        Reason = "link-expired"
	LinkUsed           Reason = "link-used"
	LinkStale          Reason = "link-stale"
	LinkElsewhere      Reason = "link-elsewhere"
	MailNotSent        Reason = "mail-not-sent"

	// What comes of logins by an identity provider.
	ProviderRefused     Reason = "provider-refused"
	ProviderUnreachable Reason = "provider-unreachable"
	ProviderState       Reason = "provider-state"
	ProviderCookie      Reason = "provider-cookie"
	LinkMissing         Reason = "link-missing"
	EmailTaken          Reason = "email-taken"

	// DirectoryUnavailable is no word on whoever logs in: nobody could look.
	DirectoryUnavailable Reason = "directory-unavailable"
	Overload             Reason = "overload"
)

// A ReasonInfo explains a Reason.
type ReasonInfo struct {
	Reason
	Ends    bool   // sessions and parts end for it
	Refuses bool   // logins or tokens are refused for it
	Text    string // a clause that goes on after "ended " or "refused "
}

// Reasons is the closed list, in the order in which it is documented.
func Reasons() []ReasonInfo { return reasons }

var reasons = []ReasonInfo{
	{LogoutByUser, true, false, "because the user logged out"},
	{LogoutByClient, true, false, "because a client logged the user out with a refresh token"},
	{LogoutByAdmin, true, false, "because an administrator ended it"},
	{ReplacedByOffline, true, false, "because its first code was redeemed with offline_access: an offline session took its place"},
	{ReplacedByLogin, true, false, "because the same browser began another session"},
	{Idle, true, false, "because it was not used for longer than the idle time allows"},
	{MaxAge, true, false, "because it reached its maximum age"},
	{Revoked, true, false, "because a token of it was revoked"},
	{ConsentWithdrawn, true, false, "because the user's consent was withdrawn"},
	{TokenReuse, true, true, "because a refresh token that was spent already was presented again"},
	{CodeReplayed, true, true, "because an authorization code that was used already, or never given out, was presented"},
	{CredentialsChanged, true, false, "because the user changed credentials and chose to end other sessions"},
	{UserRemoved, true, false, "because the user was removed"},
	{ClientRemoved, true, false, "because the client was removed"},
	{SessionLimit, true, true, "because the user had as many sessions as the login flow allows"},
	{LogoutByBackChannel, true, false, "because the identity provider that the user came from told of a logout there"},
	{Untold, true, false, "without a word: the server that held it, not this one, tells nothing of why"},
	{NotRemembered, true, false, "because it began with \"remember me\", which the realm has switched off"},

	{NoCookie, false, true, "because the browser sent no session cookie"},
	{CookieOtherHost, false, true, "because the session cookie was made under another host name of the server"},
	{CookieRetiredKey, false, true, "because the session cookie is signed by a key that the realm no longer accepts"},
	{CookieExpired, false, true, "because the session cookie had expired"},
	{SessionEnded, false, true, "because the session had ended"},
	{ClientSessionEnded, false, true, "because the client's part in the session had ended"},
	{AskedMaxAge, false, true, "because the client asked for a login younger than the session's (max_age)"},
	{AskedPrompt, false, true, "because the client asked for a new login (prompt=login)"},
	{AskedACR, false, true, "because the client asked for a stronger login than the session's (acr)"},
	{AskedOtherUser, false, true, "because the login is another user's than the session's"},
	{ActionRequired, false, true, "because the user has to do something first (required action)"},
	{WrongPassword, false, true, "because the password was wrong"},
	{WrongOTP, false, true, "because the one-time code was wrong"},
	{WrongRecoveryCode, false, true, "because the recovery code was not the next one of the list"},
	{PasskeyUnknown, false, true, "because the passkey is none that the user has registered"},
	{PasskeyRefused, false, true, "because the answer of the passkey did not hold"},
	{UnknownUser, false, true, "because there is no such user"},
	{DirectoryUnavailable, false, true, "because the directory that the user comes from could not be asked"},
	{BruteForceLock, false, true, "because the user is locked out after too many failed logins"},
	{LoginRefused, false, true, "because the login flow refused it"},
	{LoginExpired, false, true, "because the login took too long, or its page was an old one"},
	{ConsentRefused, false, true, "because the user refused consent, or cancelled"},
	{UserDisabled, false, true, "because the user is disabled"},
	{ClientDisabled, false, true, "because the client is disabled"},
	{RealmDisabled, false, true, "because the realm is disabled"},
	{UnknownClient, false, true, "because there is no such client"},
	{ClientCredentials, false, true, "because the client's secret or key was wrong"},
	{ClientNotAllowed, false, true, "because the client may not use this flow"},
	{WrongRequest, false, true, "because the request was not a valid one"},
	{WrongScope, false, true, "because the client asked for a scope that it does not have"},
	{RedirectMismatch, false, true, "because the redirect URI is not one of the client's, or not the one that the login began with"},
	{CodeLate, true, true, "because the authorization code had expired"},
	{WrongPKCE, false, true, "because the PKCE code verifier was missing or wrong"},
	{WrongClient, false, true, "because the code or token belongs to another client"},
	{TokenExpired, false, true, "because the token had expired"},
	{TokenInvalid, false, true, "because it was not a valid token of this realm"},
	{TokenOtherHost, false, true, "because the token was issued under another host name of the server"},
	{TokenRetiredKey, false, true, "because the token is signed by a key that the realm no longer accepts"},
	{TokenOfPast, false, true, "because the token is older than the session, or than the client's part in it"},
	{NotBeforeRealm, false, true, "because the realm refuses all tokens issued before a time (not-before)"},
	{NotBeforeClient, false, true, "because the client refuses all tokens issued before a time (not-before)"},
	{NotBeforeUser, false, true, "because the user was logged out everywhere, which refuses all tokens issued before (not-before)"},
	{OfflineNotGranted, false, true, "because offline access is no longer granted: the role offline_access or the client scope is gone"},
	{ConsentMissing, false, true, "because the user's consent no longer covers what was asked for"},
	{DeviceCodeUnknown, false, true, "because the device code was used already, or never given out"},
	{DeviceCodeLate, false, true, "because nobody typed the device's user code and allowed it in time"},
	{PolledTooFast, false, true, "because the device asked again before its interval was over"},
	{LinkExpired, false, true, "because the link of a mail had expired"},
	{LinkUsed, false, true, "because the link of a mail had been used"},
	{LinkStale, false, true, "because the user's address has changed since the mail with the link was sent"},
	{LinkElsewhere, false, true, "because the link of its mail was followed in another browser"},
	{MailNotSent, false, true, "because the mail that it needs could not be sent"},
	{ProviderRefused, false, true, "because the identity provider said no, or what it said is not good"},
	{ProviderUnreachable, false, true, "because the identity provider could not be asked, or did not answer in its protocol"},
	{ProviderState, false, true, "because the identity provider's answer belongs to another login (state or nonce)"},
	{ProviderCookie, false, true, "because the browser came back from the identity provider without the cookies of its login"},
	{LinkMissing, false, true, "because no user here is linked to the account at the identity provider, and its first login lets nobody in"},
	{EmailTaken, false, true, "because another user here has the e-mail address or the name that the identity provider says"},
	{Overload, false, true, "because the server had more passwords to check at once than it takes on"},
}

// Info returns the line of a reason; ok is false for what is none.
func (r Reason) Info() (info ReasonInfo, ok bool) {
	for _, x := range reasons {
		if x.Reason == r {
			return x, true
		}
	}
	return ReasonInfo{}, false
}
