package iam

import (
	"errors"
	"fmt"
	"strings"
)

// A Kind says what sort of mistake an Error is; each door maps kinds to its
// own dialect and status codes.
type Kind int

// The kinds of error that rules return. Anything that is not an *Error is a
// fault of the server: doors answer 500 (or 503 for store.ErrUnavailable).
const (
	Invalid         Kind = iota + 1 // the request is wrong: 400
	NotFound                        // 404
	Conflict                        // 409
	Forbidden                       // 403
	Unauthenticated                 // 401
	TooMany                         // 429
)

// ErrBusy says that the server has too much to do: the same request may succeed
// later. Doors answer 503.
var ErrBusy = errors.New("too much to do")

// An Error is a refusal that the caller is told about. Msg is for people or is
// a message key, exactly as Keycloak words it; Err, for the log, is never shown.
type Error struct {
	Kind   Kind
	Msg    string // Keycloak's errorMessage or error
	Field  string // the field at fault, "" when there is none
	Params []any  // parameters of a message key
	Err    error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Msg, e.Err)
	}
	return e.Msg
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of the given kind; a %w in format becomes its cause's
// text and is not kept apart, since Msg is shown to callers.
func Errorf(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, args...)}
}

// Errors is several refusals at once, one for each mistake: what a user profile
// finds wrong.
type Errors []*Error

func (e Errors) Error() string {
	text := make([]string, len(e))
	for i, one := range e {
		text[i] = one.Field + ": " + one.Error()
	}
	return strings.Join(text, "; ")
}
