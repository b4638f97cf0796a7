package admin

import (
	"errors"
	"net/http"
	"strconv"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/web"
)

// An Error is an answer other than success, body and all.
type Error struct {
	Status int
	Body   any
	Err    error // what led to it, nil when there is nothing more to say
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Err.Error()
	}
	return "answered " + strconv.Itoa(e.Status)
}

// Unwrap returns what led to the error.
func (e *Error) Unwrap() error { return e.Err }

// plainBody is Keycloak's OAuth2ErrorRepresentation, which the admin API uses
// for exceptions of JAX-RS.
type plainBody struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// messageBody is Keycloak's ErrorRepresentation.
type messageBody struct {
	Field   string        `json:"field,omitempty"`
	Message string        `json:"errorMessage,omitempty"`
	Params  []any         `json:"params,omitempty"`
	Errors  []messageBody `json:"errors,omitempty"`
}

// Plain makes an error that is answered {"error": msg}: where Keycloak throws
// an exception of JAX-RS with a message.
func Plain(status int, msg string) *Error {
	return &Error{Status: status, Body: plainBody{Error: msg}}
}

// Message makes an error that is answered {"errorMessage": msg}: where Keycloak
// uses ErrorResponse.
func Message(status int, msg string) *Error {
	return &Error{Status: status, Body: messageBody{Message: msg}}
}

// plain is an error without words of its own.
func plain(status int) *Error {
	return Plain(status, "HTTP "+strconv.Itoa(status)+" "+http.StatusText(status))
}

// errMediaType is RESTEasy's answer to a body that is not JSON.
func errMediaType() error {
	return Plain(http.StatusUnsupportedMediaType, "The content-type header value did not match the value in @Consumes")
}

// statusOf maps the kinds of iam.Error.
var statusOf = map[iam.Kind]int{
	iam.Invalid: http.StatusBadRequest, iam.NotFound: http.StatusNotFound, iam.Conflict: http.StatusConflict,
	iam.Forbidden: http.StatusForbidden, iam.Unauthenticated: http.StatusUnauthorized, iam.TooMany: http.StatusTooManyRequests,
}

// answerTo turns an error into what the caller is told; nil for a fault of the
// server. An iam.Error becomes an errorMessage when it is about the request's
// content, and an error when it is about what is not there or not allowed.
func answerTo(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if list, ok := errors.AsType[iam.Errors](err); ok {
		return &Error{Status: http.StatusBadRequest, Body: listed(list)}
	}
	if e, ok := errors.AsType[*iam.Error](err); ok {
		status := statusOf[e.Kind]
		switch e.Kind {
		case iam.NotFound, iam.Forbidden, iam.Unauthenticated, iam.TooMany:
			return &Error{Status: status, Body: plainBody{Error: e.Msg}, Err: err}
		}
		return &Error{Status: status, Body: messageOf(e), Err: err}
	}
	if e, ok := errors.AsType[web.BodyError](err); ok {
		return &Error{Status: int(e), Body: plain(int(e)).Body, Err: err}
	}
	if e, ok := errors.AsType[rep.DecodeError](err); ok {
		code, description := e.Answer()
		return &Error{Status: http.StatusBadRequest, Body: plainBody{code, description}, Err: err}
	}
	switch {
	case errors.Is(err, rep.ErrNoBody):
		// The reference breaks down here.
		return &Error{Status: http.StatusBadRequest, Body: plainBody{"invalid_request", "Cannot parse the JSON"}, Err: err}
	case realms.Missing(err):
		return &Error{Status: http.StatusNotFound, Body: plain(http.StatusNotFound).Body, Err: err}
	}
	return nil
}

func messageOf(e *iam.Error) messageBody {
	return messageBody{Field: e.Field, Message: e.Msg, Params: e.Params}
}

// listed is several mistakes at once, or the only one.
// Keycloak: UserResource.validateUserProfile.
func listed(list iam.Errors) messageBody {
	if len(list) == 1 {
		return messageOf(list[0])
	}
	var b messageBody
	for _, e := range list {
		b.Errors = append(b.Errors, messageOf(e))
	}
	return b
}
