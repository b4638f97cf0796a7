package authn

import (
	"fmt"
	"strings"

	"latchkey/internal/iam"
)

// A Code is one of Keycloak's reasons for a flow to fail.
type Code string

// Keycloak's AuthenticationFlowError, as far as flows can fail so.
const (
	UserDisabled       Code = "USER_DISABLED"
	UserTempDisabled   Code = "USER_TEMPORARILY_DISABLED"
	UserConflict       Code = "USER_CONFLICT"
	UnknownUser        Code = "UNKNOWN_USER"
	InvalidUser        Code = "INVALID_USER"
	InvalidCredentials Code = "INVALID_CREDENTIALS"
	SetupRequired      Code = "CREDENTIAL_SETUP_REQUIRED"
	InvalidSession     Code = "INVALID_CLIENT_SESSION"
	ExpiredCode        Code = "EXPIRED_CODE"
	AccessDenied       Code = "ACCESS_DENIED"
	GenericError       Code = "GENERIC_AUTHENTICATION_ERROR"
	ForkFlow           Code = "FORK_FLOW"
	InternalError      Code = "INTERNAL_ERROR"
	NotBuilt           Code = "PROVIDER_NOT_BUILT" // Latchkey's own: FlowError.Provider is not there
)

// A FlowError says why a flow failed.
type FlowError struct {
	Code     Code
	Provider string       // the authenticator at fault, if one is
	Detail   string       // for the event (GenericError)
	Message  string       // message key for the user (GenericError)
	Causes   []*FlowError // when all alternatives failed: how each did
	fork     Fork
}

func (e *FlowError) Error() string {
	switch {
	case e.Code == NotBuilt:
		return fmt.Sprintf("authenticator %q is not available", e.Provider)
	case e.Provider != "":
		return fmt.Sprintf("%s at %s", e.Code, e.Provider)
	case len(e.Causes) > 0:
		causes := make([]string, len(e.Causes))
		for i, c := range e.Causes {
			causes[i] = c.Error()
		}
		return "no alternative succeeded: " + strings.Join(causes, ", ")
	}
	return string(e.Code)
}

// wording says, for each code, the error word of the event and the message of
// the page. Keycloak: AuthenticationProcessor.handleBrowserException; codes
// without a line of their own read as the default there.
var wording = map[Code][2]string{
	InvalidUser:      {"user_not_found", "invalidUserMessage"},
	UserDisabled:     {"user_disabled", "accountDisabledMessage"},
	UserTempDisabled: {"user_temporarily_disabled", "accountTemporarilyDisabledMessage"},
	InvalidSession:   {"invalid_code", "invalidCodeMessage"},
	ExpiredCode:      {"expired_code", "expiredCodeMessage"},
	SetupRequired:    {"invalid_user_credentials", "credentialSetupRequired"},
	NotBuilt:         {"invalid_user_credentials", "unexpectedErrorHandlingRequestMessage"},
	GenericError:     {"generic_authentication_error", "unexpectedErrorHandlingRequestMessage"},
}

// Event returns the error word for the event that the failure causes.
func (e *FlowError) Event() string {
	for _, c := range e.Causes {
		return c.Event()
	}
	if w, ok := wording[e.Code]; ok {
		return w[0]
	}
	return "invalid_user_credentials"
}

// Cause returns the reason of the failure where the word of its event says
// another: many words are "invalid_user_credentials" for want of a better one.
func (e *FlowError) Cause() iam.Reason {
	for _, c := range e.Causes {
		return c.Cause()
	}
	switch {
	case e.Code == UserConflict:
		return iam.AskedOtherUser
	case e.Code != InvalidCredentials && e.Event() == "invalid_user_credentials":
		return iam.LoginRefused
	}
	return ""
}

// Key returns the message key for the page that the failure shows.
func (e *FlowError) Key() string {
	if e.Message != "" {
		return e.Message
	}
	if len(e.Causes) > 0 {
		return "unexpectedErrorHandlingRequestMessage"
	}
	if w, ok := wording[e.Code]; ok {
		return w[1]
	}
	return "invalidUserMessage"
}
