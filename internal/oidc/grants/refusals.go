package grants

import (
	"fmt"
	"net/http"

	"latchkey/internal/bearer"
	"latchkey/internal/iam"
	"latchkey/internal/oauth"
)

// What grants are refused with, in the reference's words.
var (
	wrongScope = &oauth.Refusal{Reason: iam.WrongScope, Word: "invalid_request", Code: "invalid_scope",
		Description: "Invalid scopes: $scope"}

	consentMissing = &oauth.Refusal{Reason: iam.ConsentMissing, Word: "not_allowed", Code: "invalid_scope",
		Description: "Client no longer has requested consent from user"}
	offlineNotAllowed = &oauth.Refusal{Reason: iam.OfflineNotGranted, Word: "not_allowed",
		Description: "Offline tokens not allowed for the user or client"}

	// of codes
	codeMissing  = &oauth.Refusal{Word: "invalid_code", Code: "invalid_request", Description: "Missing parameter: code"}
	codeNotValid = &oauth.Refusal{Word: "invalid_code", Code: "invalid_grant", Description: "Code not valid", Told: oauth.Untold}
	codeReplayed = &oauth.Refusal{Reason: iam.CodeReplayed, Word: "invalid_code", Code: "invalid_grant",
		Description: "Code not valid", Told: oauth.Untold}
	codeLate = &oauth.Refusal{Reason: iam.CodeLate, Word: "invalid_code", Code: "invalid_grant",
		Description: "Code not valid", Told: oauth.Untold}
	codeOfSession = &oauth.Refusal{Reason: iam.SessionEnded, Word: "invalid_code", Code: "invalid_grant",
		Description: "Code not valid", Told: oauth.Untold}
	codeRedirect = &oauth.Refusal{Word: "invalid_redirect_uri", Code: "invalid_grant", Description: "Incorrect redirect_uri",
		Told: "Parameter 'redirect_uri' did not match originally saved redirect URI used in initial OIDC request. " +
			"Saved redirectUri: $saved, redirectUri parameter: $sent"}
	codeOfOther = &oauth.Refusal{Reason: iam.WrongClient, Word: "invalid_client", Code: "invalid_grant",
		Description: "Auth error: Found different client_id in clientSession"}
	codeFlowOff = &oauth.Refusal{Setting: iam.SettingStandardFlow, Word: "not_allowed", Code: "invalid_grant",
		Description: "Client not allowed to exchange code"}
	sessionOver = &oauth.Refusal{Reason: iam.SessionEnded, Word: "user_session_not_found", Code: "invalid_grant",
		Description: "Session not active"}

	// of code verifiers (RFC 7636)
	verifierMissing = &oauth.Refusal{Word: "code_verifier_missing", Code: "invalid_grant", Description: "PKCE code verifier not specified"}
	verifierUnasked = &oauth.Refusal{Word: "invalid_code_verifier", Code: "invalid_grant",
		Description: "PKCE code verifier specified but challenge not present in authorization"}
	verifierInvalid = &oauth.Refusal{Word: "invalid_code_verifier", Code: "invalid_grant",
		Description: "PKCE verification failed: Invalid code verifier", Told: "Invalid code verifier"}
	verifierWrong = &oauth.Refusal{Word: "pkce_verification_failed", Code: "invalid_grant",
		Description: "PKCE verification failed: Code mismatch", Told: "Code mismatch"}

	// of proofs of keys (RFC 9449)
	proofInvalid = &oauth.Refusal{Word: "invalid_dpop_proof", Code: "invalid_request", Description: "$proof"}
	proofMissing = &oauth.Refusal{Word: "invalid_request", Description: "DPoP Proof missing"}
	proofOfOther = &oauth.Refusal{Word: "invalid_request", Description: "DPoP Proof public key thumbprint does not match dpop_jkt"}

	// of device codes (RFC 8628)
	deviceOff = &oauth.Refusal{Setting: iam.AttrDeviceGrant, Word: "not_allowed", Code: "invalid_grant",
		Description: "Client not allowed OAuth 2.0 Device Authorization Grant"}
	deviceMissing = &oauth.Refusal{Word: "invalid_oauth2_device_code", Code: "invalid_request",
		Description: "Missing parameter: device_code"}
	deviceUnknown = &oauth.Refusal{Reason: iam.DeviceCodeUnknown, Word: "invalid_oauth2_device_code", Code: "invalid_grant",
		Description: "Device code not valid", Told: oauth.Untold}
	deviceOfOther = &oauth.Refusal{Reason: iam.WrongClient, Word: "invalid_oauth2_device_code", Code: "invalid_grant",
		Description: "unauthorized client"}
	deviceLate = &oauth.Refusal{Reason: iam.DeviceCodeLate, Word: "expired_oauth2_device_code", Code: "expired_token",
		Description: "Device code is expired", Told: oauth.Untold}
	deviceTooFast = &oauth.Refusal{Reason: iam.PolledTooFast, Word: "slow_down", Description: "Slow down", Told: oauth.Untold}
	deviceDenied  = &oauth.Refusal{Reason: iam.ConsentRefused, Word: "access_denied",
		Description: "The end user denied the authorization request"}
	// Nothing is refused yet, and no event tells of it.
	devicePending   = &oauth.Refusal{Code: "authorization_pending", Description: "The authorization request is still pending"}
	deviceNoSession = &oauth.Refusal{Code: "authorization_pending",
		Description: "The authorization request is verified but can not lookup the user session yet"}

	// of refresh tokens
	refreshMissing = &oauth.Refusal{Code: "invalid_request", Description: "No refresh token"}
	refreshConsent = &oauth.Refusal{Reason: iam.ConsentMissing, Word: "invalid_token", Code: "invalid_scope",
		Description: "Client no longer has requested consent from user"}
	refreshReused = &oauth.Refusal{Reason: iam.TokenReuse, Word: "invalid_token", Code: "invalid_grant",
		Description: "Maximum allowed refresh token reuse exceeded"}
	refreshStale    = &oauth.Refusal{Reason: iam.TokenReuse, Word: "invalid_token", Code: "invalid_grant", Description: "Stale token"}
	refreshDetached = &oauth.Refusal{Reason: iam.ClientSessionEnded, Word: "invalid_token", Code: "invalid_grant",
		Description: "Session doesn't have required client"}

	// of a user's own credentials
	directOff = &oauth.Refusal{Setting: iam.SettingDirectGrants, Word: "not_allowed", Code: "unauthorized_client",
		Description: "Client not allowed for direct access grants"}
	directConsent = &oauth.Refusal{Word: "consent_denied", Code: "invalid_client", Description: "Client requires user consent"}
	overloaded    = &oauth.Refusal{Reason: iam.Overload, Word: "temporarily_unavailable", Status: http.StatusServiceUnavailable,
		Description: "Too many passwords to check at once"}
	flowMissing = &oauth.Refusal{Word: "invalid_user_credentials", Code: "invalid_grant",
		Description: "The flow $flow is missing", Told: oauth.Untold}
	notLoggedIn = &oauth.Refusal{Word: "invalid_user_credentials", Code: "invalid_grant",
		Description: "Invalid user credentials", Told: oauth.Untold}
	notReady = &oauth.Refusal{Word: "resolve_required_actions", Code: "invalid_grant", Description: "Account is not fully set up"}

	// of service accounts
	servicePublic = &oauth.Refusal{Word: "invalid_client", Status: 401, Code: "unauthorized_client",
		Description: "Public client not allowed to retrieve service account"}
	serviceOff = &oauth.Refusal{Word: "invalid_client", Status: 401, Code: "unauthorized_client",
		Description: "Client not enabled to retrieve service account"}
	serviceMissing = &oauth.Refusal{Word: "user_not_found", Status: 401, Code: "invalid_request",
		Description: "The associated service account for the client does not exist"}
	serviceUserOff = &oauth.Refusal{Word: "user_disabled", Status: 401, Code: "invalid_request", Description: "User '$user' disabled"}

	// of token exchange (RFC 8693)
	exchangeUnsupported = &oauth.Refusal{Word: "invalid_request", Description: "$why"}
	exchangeSubject     = &oauth.Refusal{Word: "invalid_token", Code: "invalid_request",
		Description: "Invalid token", Told: "subject_token validation failure"}
	exchangeBound = &oauth.Refusal{Word: "invalid_request",
		Description: "Sender-constrained token exchange rejected as the token was not issued for the requesting client"}
	exchangeType    = &oauth.Refusal{Word: "invalid_request", Description: "requested_token_type unsupported"}
	audienceUnknown = &oauth.Refusal{Word: "client_not_found", Code: "invalid_client",
		Description: "Audience not found", Told: "audience not found"}
	audienceOff = &oauth.Refusal{Word: "client_disabled", Code: "invalid_client",
		Description: "Client disabled", Told: "audience client disabled"}
	audienceLacking = &oauth.Refusal{Word: "invalid_request", Description: "Requested audience not available: $audience"}
	exchangePublic  = &oauth.Refusal{Word: "invalid_client", Description: "Public client is not allowed to exchange token"}
	exchangeOutside = &oauth.Refusal{Word: "not_allowed", Status: 403, Code: "access_denied",
		Description: "Client is not within the token audience", Told: "client is not within the token audience"}
	exchangeConsent = &oauth.Refusal{Word: "consent_denied", Code: "invalid_scope",
		Description: "Missing consents for Token Exchange in client $client"}
	exchangeSession = &oauth.Refusal{Word: "invalid_request",
		Description: "Refresh token not valid as requested_token_type because creating a new session is needed"}
	exchangeOffline = &oauth.Refusal{Word: "invalid_request", Description: "Scope offline_access not allowed for token exchange"}

	// of permissions (UMA), whose bearer token stands for the client
	permissionToken = &oauth.Refusal{Word: "invalid_token", Code: "invalid_grant",
		Description: "Invalid bearer token", Told: oauth.Untold}
	permissionAudience = &oauth.Refusal{Word: "invalid_request", Description: "You must provide the issuedFor"}
	permissionUnknown  = &oauth.Refusal{Word: "invalid_request", Description: "Unknown resource server id: [$audience]"}
	permissionsOff     = &oauth.Refusal{Word: "invalid_request", Description: "Client does not support permissions"}

	// of what is not built: as the reference refuses where a realm has not set it up
	cibaOff          = &oauth.Refusal{Word: "not_allowed", Code: "invalid_grant", Description: "Client not allowed OIDC CIBA Grant"}
	assertionMissing = &oauth.Refusal{Word: "invalid_request", Code: "invalid_grant", Description: "Missing parameter:assertion"}
	assertionInvalid = &oauth.Refusal{Code: "invalid_grant", Description: "The provided assertion is not a valid JWT"}
	assertionUnknown = &oauth.Refusal{Word: "invalid_request", Code: "invalid_grant",
		Description: "No Identity Provider for provided issuer"}
)

// Worthless refuses a refresh token, or what came of it.
func Worthless(reason iam.Reason, text string) *oauth.Refusal {
	return &oauth.Refusal{Reason: reason, Word: "invalid_token", Code: "invalid_grant", Description: text}
}

// sessionRefusals are of the session behind a code or device code, as the judge finds it.
var sessionRefusals = map[bearer.Refusal]*oauth.Refusal{
	bearer.SessionGone:           codeOfSession,
	bearer.SessionTimedOut:       sessionOver,
	bearer.SessionForgotten:      sessionOver,
	bearer.ClientSessionTimedOut: sessionOver,
	bearer.ClientSessionGone:     sessionOver,
	bearer.RealmOff:              oauth.RealmOff,
	bearer.ClientOff:             oauth.ClientOff,
	bearer.UserGone:              {Word: "user_not_found", Code: "invalid_grant", Description: "User not found", Told: oauth.Untold},
	bearer.UserOff:               {Word: "user_disabled", Code: "invalid_grant", Description: "User disabled", Told: oauth.Untold},
}

// refusedSession refuses what the judge says of the session behind a code.
func refusedSession(no bearer.Refusal) error {
	if line, ok := sessionRefusals[no]; ok {
		return line
	}
	return fmt.Errorf("grants: no words for a session that is %s", no)
}

// refreshRefusals are of refresh tokens, those for offline tokens where they are others.
var refreshRefusals = map[bearer.Refusal]struct{ text, offline string }{
	bearer.Unsigned:               {text: "Invalid refresh token"},
	bearer.RetiredKey:             {text: "Invalid refresh token"},
	bearer.WrongType:              {text: "Invalid refresh token"},
	bearer.OtherHost:              {text: "Invalid token issuer. Expected '$issuer'"},
	bearer.Expired:                {text: "Token is not active"},
	bearer.OtherClient:            {text: "Invalid refresh token. Token client and authorized client don't match"},
	bearer.WrongProof:             {text: "$proof"},
	bearer.SessionGone:            {text: "Session not active", offline: "Offline user session not found"},
	bearer.SessionTimedOut:        {text: "Session not active", offline: "Offline user session not found"},
	bearer.SessionForgotten:       {text: "Session not active", offline: "Offline session not active"},
	bearer.UserGone:               {text: "Unknown user"},
	bearer.UserOff:                {text: "User disabled"},
	bearer.OlderThanSession:       {text: "Refresh token issued before the user session started"},
	bearer.ClientSessionGone:      {text: "Session doesn't have required client"},
	bearer.ClientSessionTimedOut:  {text: "Client session not active"},
	bearer.OlderThanClientSession: {text: "refresh token issued before the client session started"},
	bearer.BeforeRealm:            {text: "Stale token"},
	bearer.BeforeClient:           {text: "Stale token"},
	bearer.BeforeUser:             {text: "Stale token"},
	bearer.NotGranted:             {text: "Offline session invalid because offline access not granted anymore"},
}
