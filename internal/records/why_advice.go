package records

import "latchkey/internal/iam"

// An Advised says of a reason how people come to notice it and what to do.
type Advised struct {
	Notice string // how one notices it
	Remedy string // what to change, and where
}

// Advice returns what is advised about a reason.
func Advice(r iam.Reason) Advised { return advice[r] }

var advice = map[iam.Reason]Advised{
	iam.LogoutByUser: {"The login page comes, refreshing fails: at all clients of the session.",
		"Log in again. Logging out at one client logs out at all that share the session."},
	iam.LogoutByClient: {"The login page comes, refreshing fails: at all clients of the session.", "Log in again. If the client should " +
		"forget its own tokens alone, let it call the revocation endpoint instead of the logout endpoint."},
	iam.LogoutByAdmin: {"The login page comes, refreshing fails.", "Log in again."},
	iam.ReplacedByOffline: {
		"Right after a login other clients show the login page; the client that logged in goes on with an offline token.",
		"Take offline_access from the client's default scopes (client, tab Client scopes: make it optional), or set the realm attribute " +
			"latchkey.offlineSso to auto or keep; then log in again."},
	iam.ReplacedByLogin: {"The browser is somebody else, or has a younger session.",
		"Log in again, in another browser profile if both sessions are needed."},
	iam.Idle: {"The login page comes, or refreshing fails, after a pause.", "Log in again. For longer pauses raise the idle " +
		"time that the evidence names: in the realm's settings (Sessions) or the client's (Advanced), or let the client refresh its tokens " +
		"more often."},
	iam.MaxAge: {"The login page comes, or refreshing fails, a fixed time after the login.", "Log in again. For a longer life " +
		"raise the maximum that the evidence names, in the realm's settings (Sessions) or the client's (Advanced)."},
	iam.Revoked: {"One client's tokens stop working.",
		"Log in again at the client. Let the client revoke a refresh token only when it is done with it."},
	iam.ConsentWithdrawn: {"One client's tokens stop working, and it asks for consent again.", "Log in again at the client and consent."},
	iam.TokenReuse: {"Refreshing fails after several tabs, threads or retries have used one refresh token.",
		"Log in again. Let the client keep the newest refresh token and use it once, or give lost answers a grace: the realm attribute " +
			"latchkey.refreshGraceSeconds, or refreshTokenMaxReuse."},
	iam.CodeReplayed: {"The client reports an error right after the login, or its tokens stop working at once.",
		"Log in again. Let the client redeem a code once: look for a reload of its callback page, a retry, or a second handler."},
	iam.LogoutByBackChannel: {"A browser is logged out although nobody here did anything: its user has logged out where the login came from.",
		"Log in again. If sessions here shall outlive those there, take the back-channel logout address away from this realm's client at the " +
			"provider."},
	iam.Untold: {"The login page comes, or refreshing fails, at another server that is looked at.", "Log in again. Let that server " +
		"store events and admin events (Realm settings, Events), and have latchkey watch keep what they tell."},
	iam.NotRemembered: {"Those who had ticked \"remember me\" are asked to log in, all at once.", "Log in again. Or switch \"remember " +
		"me\" on again (realm settings, Login): sessions that nobody has come back to since, and that are not cleaned up yet, go on."},
	iam.CredentialsChanged: {"Other browsers and devices show the login page after a change of password.",
		"Log in with the new credentials. Whoever changes them chooses whether others are signed out."},
	iam.UserRemoved:   {"The login is refused; nothing works any more.", "Create the user again (it gets a new id), then log in."},
	iam.ClientRemoved: {"The client's logins and tokens are refused.", "Create the client again, then log in."},
	iam.SessionLimit: {"A browser or device is logged out when another one logs in, or a login ends in a page about too many sessions.",
		"End sessions that are not needed, or raise the limit (Authentication, the flow's step User session count limiter), then log in again."},

	iam.NoCookie: {"The login page comes although a session is live.", "Log in again. Look for what drops the cookie: another " +
		"browser or profile, private windows, cleared or blocked cookies, frames on other sites."},
	iam.CookieOtherHost: {"The login page comes at one address of the server and not at another.", "Use one address: set the server's " +
		"hostname, or the realm's Frontend URL, and let all clients use it."},
	iam.CookieRetiredKey: {"Everybody is asked to log in at once, after the realm's keys were changed.", "Log in again. Next time make " +
		"the old key passive and remove it when the sessions that it signed are over."},
	iam.CookieExpired: {"The login page comes a fixed time after the login although the session is live.",
		"Log in again: the cookie lives as long as the realm's maximum age of sessions was at the login."},
	iam.SessionEnded: {"The login page comes, or refreshing fails.", "Log in again. The record of why that session ended is kept for " +
		"the realm's latchkey.recordRetentionDays."},
	iam.ClientSessionEnded: {"One client's tokens stop working while the others' go on.", "Log in again at the client."},
	iam.AskedMaxAge: {"A client shows the login page although one is signed on.",
		"Log in again, or let the client send a larger max_age."},
	iam.AskedPrompt: {"A client shows the login page although one is signed on.",
		"Log in again, or let the client leave out prompt=login."},
	iam.AskedACR: {"A client asks for a second factor although one is signed on.",
		"Log in as strongly as asked, or let the client ask for a weaker acr."},
	iam.AskedOtherUser: {"The login ends in a page that says that somebody else is logged in.",
		"Log out first, or use another browser profile."},
	iam.ActionRequired: {"The login stops at a page, or a direct grant is refused: the account is not fully set up.",
		"Log in with a browser and do what is asked, or take the required action from the user (Users, Details)."},
	iam.WrongPassword: {"The login page says that name or password is wrong.",
		"Type the right password, or set a new one (Users, Credentials)."},
	iam.WrongOTP: {"The login page says that the code is wrong.", "Type the present code; set the clock of the device right, or " +
		"remove the device (Users, Credentials) and enrol it anew."},
	iam.WrongRecoveryCode: {"The login page says that the recovery code is invalid.", "Type the code whose number the page names; when the " +
		"list is lost, remove the recovery codes (Users, Credentials) and have new ones made."},
	iam.PasskeyUnknown: {"The login page says that the passkey is of an unknown user.", "Choose another passkey or another way; " +
		"register the authenticator anew, and delete what it still keeps of the old one."},
	iam.PasskeyRefused: {"The login page says that the result of the passkey is invalid.", "Try again at the realm's own address; look " +
		"at the relying party id, the extra origins and the user verification of the realm's WebAuthn policy. A counter that falls behind is a " +
		"sign of a copied authenticator."},
	iam.DirectoryUnavailable: {"The login page speaks of an internal error, and a direct grant is answered 503.",
		"Have the directory and the way to it looked after (User federation); the user has done nothing wrong."},
	iam.UnknownUser: {"The login page says that name or password is wrong.",
		"Type the name as it stands in the realm, or create the user."},
	iam.BruteForceLock: {"The login page refuses the right password for a while, or for good.", "Wait until the lock is over, or unlock " +
		"the user (Users, Details); a permanent lockout ends when the user is enabled."},
	iam.LoginRefused: {"The login ends in an error page.",
		"Look at the authentication flow that the realm or the client uses: one of its steps denies access."},
	iam.LoginExpired: {"The login begins anew, with a note that it took too long.", "Begin again at the client and finish in time; " +
		"the times are the realm's (Sessions, Login settings)."},
	iam.ConsentRefused: {"The browser comes back to the client with access_denied.", "Log in again and consent."},
	iam.UserDisabled:   {"Logins and tokens are refused: the account is disabled.", "Enable the user (Users, Details)."},
	iam.ClientDisabled: {"Logins and tokens of one client are refused.", "Enable the client (Clients, Settings)."},
	iam.RealmDisabled:  {"Nothing of the realm works.", "Enable the realm (Realm settings)."},
	iam.UnknownClient: {"The login ends in a page that says that the client was not found.",
		"Use the client's client_id as it stands in the realm, or create the client."},
	iam.ClientCredentials: {"The client reports invalid_client or unauthorized_client.",
		"Give the client the secret or key that the realm has (Clients, Credentials)."},
	iam.ClientNotAllowed: {"The client gets unauthorized_client, or an error page.", "Switch on the flow that the evidence names " +
		"(Clients, Capability config), or let the client use another."},
	iam.WrongRequest: {"The login ends in an error page, or at the client with invalid_request.",
		"Let the client send a valid request: the refusal's text says what is wrong."},
	iam.WrongScope: {"The browser comes back to the client with invalid_scope.",
		"Give the client the scope (Clients, Client scopes), or let it ask for less."},
	iam.RedirectMismatch: {"The login ends in a page about an invalid redirect_uri.",
		"Add the address to the client's valid redirect URIs, or let the client send one of them."},
	iam.CodeLate: {"The client reports an error after the login: the code is not valid.",
		"Log in again. Let the client redeem the code at once, or raise the realm's accessCodeLifespan."},
	iam.WrongPKCE: {"The client reports an error after the login: PKCE verification failed.", "Let the client send the verifier of " +
		"the same login: look where it keeps it between leaving and coming back."},
	iam.WrongClient: {"A client's refresh is refused: token client and authorized client do not match.",
		"Let each client use its own tokens."},
	iam.TokenExpired: {"An old refresh token is refused while the session is live.",
		"Let the client use the newest refresh token, or log in again."},
	iam.TokenInvalid: {"A client's refresh is refused: the token is not valid.", "Let the client send the refresh token of this " +
		"realm, whole, and nothing else; log in again where it is lost."},
	iam.TokenOtherHost: {"Refreshing fails at one address of the server and not at another.", "Use one address: set the server's " +
		"hostname, or the realm's Frontend URL, and let all clients use it; log in again."},
	iam.TokenRetiredKey: {"Refreshing fails for everybody at once, after the realm's keys were changed.", "Log in again. Next time make " +
		"the old key passive and remove it when the tokens that it signed are over."},
	iam.TokenOfPast: {"An old refresh token is refused although its session is live.",
		"Let the client use the tokens of its latest login."},
	iam.NotBeforeRealm: {"Everybody has to log in again.",
		"Log in again: a not-before (Realm settings, Sessions, Revocation) refuses what is older, for good."},
	iam.NotBeforeClient: {"All tokens of one client are refused.", "Log in again at the client: its not-before (Clients, Advanced, " +
		"Revocation) refuses what is older, for good."},
	iam.NotBeforeUser: {"All tokens of one user are refused, offline ones too.",
		"Log in again at the clients: a logout of the user everywhere refuses what is older, for good."},
	iam.OfflineNotGranted: {"Offline tokens are refused, or not given out.",
		"Give the user the role offline_access and the client the scope; then refreshing works again."},
	iam.DeviceCodeUnknown: {"A device reports that its code is not valid.",
		"Let the device begin anew and show a new code; it must ask for its tokens once only."},
	iam.DeviceCodeLate: {"A device reports that its code has expired.", "Begin again at the device and type its code in time, or raise " +
		"the realm's or the client's life of device codes (OAuth 2.0 Device Code Lifespan)."},
	iam.PolledTooFast: {"A device is told to slow down (slow_down).", "Let the device wait for the interval that it was given, and " +
		"five seconds more after each slow_down, or lower the interval (OAuth 2.0 Device Polling Interval)."},
	iam.ConsentMissing: {"A client's refresh is refused, and its next login asks for consent.", "Log in again at the client and " +
		"consent, or take what needs consent from the client (Clients, Settings: Consent required)."},
	iam.LinkExpired: {"The link of a mail ends in a page that says that the action has expired.", "Have the mail sent again and " +
		"follow its link in time, or raise its life (Realm settings, Tokens, Action tokens)."},
	iam.LinkUsed: {"The link of a mail ends in a page that says that it has expired, or that the address is verified.",
		"Nothing is left to do, or have the mail sent again: a link is good once."},
	iam.LinkStale: {"The link of a mail ends in a page that calls it old.",
		"Follow the link of the mail that went to the new address, or have one sent."},
	iam.LinkElsewhere: {"The browser that waits for a mail's link begins the login anew.", "Log in again: the address is verified. A " +
		"link that is followed where the login waits goes on with it."},
	iam.MailNotSent: {"The login ends in a page that says that no mail could be sent.", "Mend the settings of the mail server (Realm " +
		"settings, Email: Test connection), then log in again; the log has what the server said."},

	iam.ProviderRefused: {"Whoever chooses the identity provider sees an error page, or the login page with a note.",
		"Log in again. The refusal's text has what the provider said: where it is not the user's own no, compare client id, secret, redirect " +
			"URI and keys there with the provider's settings here (Identity providers)."},
	iam.ProviderUnreachable: {"Whoever comes back from the identity provider sees an error page, after a while.",
		"Log in again. The refusal's text has what was answered: look whether the provider is up and whether the server " +
			"reaches the addresses in its settings (Identity providers), by its name servers, proxies and certificates."},
	iam.ProviderState: {"Whoever comes back from the identity provider sees an error page, or the login begins anew.",
		"Begin again at the client, and go on with the newest page only: an " +
			"address of an older login, of a bookmark or of a mail is good for nothing."},
	iam.ProviderCookie: {"Whoever comes back from the identity provider sees an error page at once; others do not.",
		"Let the browser keep the cookies of the server's address: look for blocked cookies, private windows, " +
			"frames, and a server that is met by two names or without HTTPS."},
	iam.LinkMissing: {"Whoever comes from the identity provider for the first time sees an error page.",
		"Link the account (Users, Identity provider links), or give the provider a first broker " +
			"login that makes or links users (Identity providers, First login flow)."},
	iam.EmailTaken: {"Whoever comes from the identity provider sees a page that says that the user exists.",
		"Log in here and link the account (Account, Linked accounts), or have an administrator link it; " +
			"or let the first broker login ask whether to link it."},
	iam.Overload: {"A login ends in a page that says that too many people log in (status 503), or a direct grant in " +
		"temporarily_unavailable.", "Log in again in a few seconds. Where it lasts, give the server more processors, look for whoever " +
		"tries passwords, or let more wait (--password-hash-queue)."},
}
