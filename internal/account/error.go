package account

import (
	"errors"
	"net/http"
	"strconv"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/telemetry"
	"latchkey/internal/web"
)

// A refusal is an answer other than success, body and all.
type refusal struct {
	status int
	body   any
}

func (e *refusal) Error() string { return "answered " + strconv.Itoa(e.status) }

// status is a refusal without words of its own.
func status(code int) error {
	return plain(code, "HTTP "+strconv.Itoa(code)+" "+http.StatusText(code))
}

// plain is what Keycloak makes of exceptions of JAX-RS.
func plain(code int, msg string) error {
	return &refusal{code, web.Problem{Error: msg}}
}

// message is Keycloak's ErrorResponse.error.
func message(code int, msg string) error {
	return &refusal{code, messageBody{Message: msg}}
}

// messageBody is Keycloak's ErrorRepresentation.
type messageBody struct {
	Field   string        `json:"field,omitempty"`
	Message string        `json:"errorMessage,omitempty"`
	Params  []any         `json:"params,omitempty"`
	Errors  []messageBody `json:"errors,omitempty"`
}

// listed is what is wrong with a profile; a single mistake stands in both
// places. Keycloak: ErrorResponse.errors without shrinkSingleError.
func listed(status int, list []messageBody) error {
	var b messageBody
	if len(list) == 1 {
		b = list[0]
	}
	b.Errors = list
	return &refusal{status, b}
}

// statuses maps the kinds of iam.Error.
var statuses = map[iam.Kind]int{
	iam.Invalid: http.StatusBadRequest, iam.NotFound: http.StatusNotFound, iam.Conflict: http.StatusConflict,
	iam.Forbidden: http.StatusForbidden, iam.Unauthenticated: http.StatusUnauthorized, iam.TooMany: http.StatusTooManyRequests,
}

// fail is the door's error writer. realm is nil where there is none.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, realm *realms.Realm, err error) {
	var headers map[string]string
	if realm != nil {
		headers = realm.SecurityHeaders
	}
	web.SecurityHeaders(w.Header(), headers, "application/json")
	var refused *refusal
	var ruled *iam.Error
	var undecodable rep.DecodeError
	var unread web.BodyError
	switch {
	case errors.As(err, &refused):
		_ = web.WriteJSON(w, refused.status, refused.body)
	case errors.Is(err, realms.ErrNotFound):
		web.WriteProblem(w, http.StatusNotFound, "Realm does not exist", "")
	case errors.As(err, &ruled) && (ruled.Kind == iam.Invalid || ruled.Kind == iam.Conflict):
		_ = web.WriteJSON(w, statuses[ruled.Kind], messageBody{Field: ruled.Field, Message: ruled.Msg, Params: ruled.Params})
	case errors.As(err, &ruled):
		web.WriteProblem(w, statuses[ruled.Kind], ruled.Msg, "")
	case errors.As(err, &undecodable):
		code, description := undecodable.Answer()
		web.WriteProblem(w, http.StatusBadRequest, code, description)
	case errors.Is(err, rep.ErrNoBody):
		web.WriteProblem(w, http.StatusBadRequest, "invalid_request", "Cannot parse the JSON")
	case errors.As(err, &unread):
		web.WriteStatus(w, int(unread))
	default:
		if r.Context().Err() == nil || realms.Unavailable(err) {
			h.Log.ErrorContext(r.Context(), "account", telemetry.KeyPath, r.URL.Path, telemetry.KeyRequest, web.RequestOf(r).ID,
				telemetry.KeyError, err)
		}
		if realms.Unavailable(err) || r.Context().Err() != nil {
			web.WriteStatus(w, http.StatusServiceUnavailable)
			return
		}
		web.WriteInternal(w, r)
	}
}
