package records

import (
	"cmp"
	"strings"

	"latchkey/internal/iam"
)

// causes says what the error words of events mean, for refusals whose code does
// not say it better. "KIND word" stands before "word".
var causes = map[string]iam.Reason{
	"already_logged_in":                  "", // nothing was refused: the login had been finished
	"client_disabled":                    iam.ClientDisabled,
	"client_not_found":                   iam.UnknownClient,
	"code_verifier_missing":              iam.WrongPKCE,
	"consent_denied":                     iam.ConsentMissing,
	"cookie_not_found":                   iam.NoCookie,
	"different_user_authenticated":       iam.AskedOtherUser,
	"different_user_authenticating":      iam.AskedOtherUser,
	"expired_code":                       iam.LoginExpired,
	"invalid_client":                     iam.ClientCredentials,
	"invalid_client_credentials":         iam.ClientCredentials,
	"invalid_code":                       iam.LoginExpired,
	"CODE_TO_TOKEN_ERROR invalid_code":   iam.CodeReplayed,
	"CODE_TO_TOKEN_ERROR invalid_client": iam.WrongClient,
	"CODE_TO_TOKEN_ERROR not_allowed":    iam.ClientNotAllowed,
	"invalid_code_verifier":              iam.WrongPKCE,
	"invalid_dpop_proof":                 iam.WrongRequest,
	"invalid_redirect_uri":               iam.RedirectMismatch,
	"invalid_request":                    iam.WrongRequest,
	"invalid_token":                      iam.TokenInvalid,
	"invalid_user_credentials":           iam.WrongPassword,
	"IDENTITY_PROVIDER_FIRST_LOGIN_ERROR federated_identity_exists": iam.EmailTaken,
	"IDENTITY_PROVIDER_FIRST_LOGIN_ERROR access_denied":             iam.LinkMissing,
	"IDENTITY_PROVIDER_LOGIN_ERROR expired_code":                    "", // the door says what was not in order
	"IDENTITY_PROVIDER_FIRST_LOGIN_ERROR user_not_found":            iam.LinkMissing,
	"IDENTITY_PROVIDER_LOGIN_ERROR invalidRequestMessage":           "",
	"identityProviderAlreadyLinkedMessage":                          "", // nobody was kept out
	"invalid_scope":                                                 iam.WrongScope,
	"login_required":                                                iam.NoCookie,
	"not_allowed":                                                   iam.ClientNotAllowed,
	"pkce_verification_failed":                                      iam.WrongPKCE,
	"realm_disabled":                                                iam.RealmDisabled,
	"rejected_by_user":                                              iam.ConsentRefused,
	"resolve_required_actions":                                      iam.ActionRequired,
	"session_expired":                                               iam.SessionEnded,
	"ssl_required":                                                  iam.WrongRequest,
	"user_disabled":                                                 iam.UserDisabled,
	"user_not_found":                                                iam.UnknownUser,
	"user_session_not_found":                                        iam.SessionEnded,
	"user_temporarily_disabled":                                     iam.BruteForceLock,
	"USER_DISABLED_BY_TEMPORARY_LOCKOUT_ERROR ":                     "", // its login is counted
}

// reasonOf is the reason of an error event, "" for what is no refusal of a
// login or a token.
func reasonOf(e *iam.Event) iam.Reason {
	if e.Cause.Reason != "" {
		return e.Cause.Reason
	}
	if !refusing[e.Kind.Tried()] {
		return ""
	}
	if reason, ok := causes[string(e.Kind)+" "+e.Error]; ok {
		return reason
	}
	if reason, ok := causes[e.Error]; ok {
		return reason
	}
	return iam.LoginRefused
}

// refusing are the events of logins and of tokens that are presented.
var refusing = map[iam.EventKind]bool{
	"LOGIN": true, "IDENTITY_PROVIDER_LOGIN": true, "IDENTITY_PROVIDER_FIRST_LOGIN": true, "IDENTITY_PROVIDER_POST_LOGIN": true,
	"OAUTH2_DEVICE_AUTH": true, "OAUTH2_DEVICE_CODE_TO_TOKEN": true, "CODE_TO_TOKEN": true, "REFRESH_TOKEN": true,
	"CLIENT_LOGIN": true, "TOKEN_EXCHANGE": true, "USER_INFO_REQUEST": true,
	"INTROSPECT_TOKEN": true, "PUSHED_AUTHORIZATION_REQUEST": true, "REVOKE_GRANT": true, "LOGOUT": true, "PERMISSION_TOKEN": true,
}

// detailOf is what an event says of the reason in the reference's words. Those
// repeat nothing that was typed or sent but redirect URIs and the words of providers, which are cut.
func detailOf(e *iam.Event) string {
	return bounded(cmp.Or(e.Details["reason"], e.Cause.Told, e.Cause.Redirect))
}

// bounded is as much of a text as is kept.
func bounded(text string) string {
	if len(text) > 300 {
		text = text[:300]
	}
	return strings.ToValidUTF8(text, "")
}
