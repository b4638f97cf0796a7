package rep

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Marshal writes v, a representation or a slice or map of them, as Keycloak
// would. Equal values give equal bytes: maps are written in order of their keys.
func Marshal(v any) ([]byte, error) {
	return json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
}

// MarshalIndent is Marshal laid out for people, two spaces a level, as Keycloak
// lays out its realm files.
func MarshalIndent(v any) ([]byte, error) {
	return json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true),
		jsontext.WithIndent("  "))
}

// Unmarshal reads a stored document or a realm file into v, a pointer to a zero
// value. Members without a field are kept in Unknown. Scalars of the wrong kind
// are understood where Jackson understands them ("true" for true, 17 for "17").
// The errors are *SyntaxError and *TypeError, with line and column.
func Unmarshal(data []byte, v any) error {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	err := json.Unmarshal(data, v, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	var semantic *json.SemanticError
	if err == nil {
		return nil
	} else if errors.As(err, &semantic) {
		// Not as Keycloak writes it; perhaps as people do.
		reflect.ValueOf(v).Elem().SetZero()
		return decode(data, v, true)
	}
	return newDecoder(data, true).syntax(err, false)
}

// Decode reads the body of an admin request into v as Keycloak's Jackson does.
// On top of what Unmarshal forgives, text after the value is not looked at. A
// member without a field is an *UnknownFieldError, except in the few
// representations where Keycloak ignores it.
//
// v may hold values already, those of the object that a PUT changes (see
// Clone): members that are absent or null leave their field alone, others
// replace it as a whole, lists and maps included.
//
// The errors are ErrNoBody, *SyntaxError, *TypeError and *UnknownFieldError;
// the last three are DecodeErrors.
func Decode(data []byte, v any) error {
	return decode(data, v, false)
}

// Clone is a deep copy of a representation, for Decode to change.
func Clone[T any](v *T) (*T, error) {
	data, err := Marshal(v)
	if err != nil {
		return nil, err
	}
	c := new(T)
	if err := Unmarshal(data, c); err != nil {
		return nil, err
	}
	return c, nil
}

// Val is what p points to, or the zero value: how to read a member for which
// absent and zero are the same.
func Val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// ErrNoBody says that there was nothing to decode: no text at all, or null.
var ErrNoBody = errors.New("rep: no JSON value")

// A DecodeError knows how Keycloak 26.7 answers it, always with status 400:
// the members error and error_description. Without description there is no
// such member in the answer.
type DecodeError interface {
	error
	Answer() (code, description string)
}

// cannotParse is the one description that Keycloak gives for any JSON it cannot use.
const cannotParse = "Cannot parse the JSON"

// SyntaxError is text that is not JSON.
type SyntaxError struct {
	Msg          string
	Line, Column int  // from 1; columns count bytes, as Jackson's do
	Nested       bool // within the value of a member, which Jackson reports differently
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d column %d: %s", e.Line, e.Column, e.Msg)
}

// Answer implements DecodeError.
func (e *SyntaxError) Answer() (code, description string) {
	if e.Nested {
		return "HTTP 400 Bad Request", cannotParse
	}
	return "invalid_request", cannotParse
}

// UnknownFieldError is a member that its representation lacks.
type UnknownFieldError struct {
	Type         string // the simple name of Keycloak's class
	Field        string
	Line, Column int // where Jackson's parser stands when it notices, from 1
}

func (e *UnknownFieldError) Error() string {
	return fmt.Sprintf("Invalid json representation for %s. Unrecognized field %q at line %d column %d.",
		e.Type, e.Field, e.Line, e.Column)
}

// Answer implements DecodeError.
func (e *UnknownFieldError) Answer() (code, description string) { return e.Error(), "" }

// TypeError is JSON of the wrong type for its place.
type TypeError struct {
	Path         jsontext.Pointer // of the value, RFC 6901
	Msg          string
	Line, Column int
	Overflow     bool // a number too big for its member
}

func (e *TypeError) Error() string {
	return fmt.Sprintf("line %d column %d: %s: %s", e.Line, e.Column, e.Path, e.Msg)
}

// Answer implements DecodeError.
func (e *TypeError) Answer() (code, description string) {
	if e.Overflow {
		return "HTTP 400 Bad Request", cannotParse
	}
	return "unknown_error", cannotParse
}
