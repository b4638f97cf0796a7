package oidc

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net/http"

	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/telemetry"
	"latchkey/internal/web"
)

// An Error is a refusal in OAuth's words: a JSON document with a status (RFC
// 6749 5.2, RFC 6750 3.1). Headers of the answer are set before it is returned.
type Error struct {
	Status      int
	Code        string
	Description string
}

func (e *Error) Error() string { return e.Code + ": " + e.Description }

// A refusal is a no to a program that asks: the answer in OAuth's words, and the event's.
type refusal struct {
	word        string     // of the event
	reason      iam.Reason // that is recorded, "" where the word says it
	status      int        // 400 when 0
	code        string     // the word when ""
	description string
	detail      string // of the event, which tells the description: "reason" when "", untold for none
}

// untold is for refusals whose event has its word alone.
const untold = "-"

// deny writes a refusal's event down and returns its answer.
func (c *call) deny(no refusal) error {
	if no.reason != "" {
		c.event.Cause.Reason = no.reason
	}
	if no.detail != untold {
		c.detail(cmp.Or(no.detail, "reason"), no.description)
	}
	return c.refuse(no.word, &Error{cmp.Or(no.status, http.StatusBadRequest), cmp.Or(no.code, no.word), no.description})
}

// A pageError is a refusal that is shown to a person: a message key with its
// arguments.
type pageError struct {
	status int
	key    string
	args   []any
}

func (e *pageError) Error() string { return "page: " + e.key }

// badPage refuses with 400 and a page.
func badPage(key string, args ...any) error {
	return &pageError{http.StatusBadRequest, key, args}
}

// statusError is an answer that consists of its status: {"error":"HTTP 404 Not Found"}.
type statusError int

func (e statusError) Error() string { return http.StatusText(int(e)) }

// statuses are the HTTP statuses of refusals by the rules.
var statuses = map[iam.Kind]int{
	iam.Invalid: http.StatusBadRequest, iam.NotFound: http.StatusNotFound, iam.Conflict: http.StatusConflict,
	iam.Forbidden: http.StatusForbidden, iam.Unauthenticated: http.StatusUnauthorized, iam.TooMany: http.StatusTooManyRequests,
}

// fail is the door's error writer.
func (c *call) fail(err error) {
	var oauth *Error
	var page *pageError
	var status statusError
	var refusal *iam.Error
	var bearer challenge
	var unread web.BodyError
	switch {
	case errors.As(err, &bearer):
		c.bytes(bearer.status, "text/plain;charset=UTF-8", nil)
	case errors.As(err, &oauth):
		_ = c.json(oauth.Status, web.Problem{Error: oauth.Code, Description: oauth.Description})
	case errors.As(err, &page):
		c.page(page.status, pages.Request{Client: c.asks, Message: &pages.Message{Type: pages.Problem, Key: page.key, Args: page.args}},
			pages.Error{})
	case errors.As(err, &status) && status == http.StatusNotFound && web.AcceptsHTML(c.r):
		c.page(int(status), pages.Request{Message: &pages.Message{Type: pages.Problem, Key: "pageNotFound"}}, pages.Error{SkipLink: true})
	case errors.As(err, &status):
		web.SecurityHeaders(c.w.Header(), c.realm.SecurityHeaders, "application/json")
		web.WriteStatus(c.w, int(status))
	case errors.As(err, &unread):
		web.SecurityHeaders(c.w.Header(), c.realm.SecurityHeaders, "application/json")
		web.WriteStatus(c.w, int(unread))
	case errors.Is(err, web.ErrMalformed):
		_ = c.json(http.StatusBadRequest, web.Problem{Error: "invalid_request", Description: "the form cannot be understood"})
	case errors.As(err, &refusal):
		_ = c.json(statuses[refusal.Kind], web.Problem{Error: refusal.Msg})
	default:
		c.broken(c.w, c.r, err)
	}
}

// noRealm answers for a realm that there is not: with a page to whoever asks
// for one, else with JSON. Keycloak: KeycloakErrorHandler.
func (h *Handler) noRealm(w http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	page := pages.Request{Message: &pages.Message{Type: pages.Problem, Key: "pageNotFound"}}
	if web.AcceptsHTML(r) && h.Pages.Render(&b, page, pages.Error{SkipLink: true}) == nil {
		web.SecurityHeaders(w.Header(), nil, "text/html")
		w.Header().Set("Content-Type", "text/html;charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write(b.Bytes())
		return
	}
	web.SecurityHeaders(w.Header(), nil, "application/json")
	web.WriteProblem(w, http.StatusNotFound, "Realm does not exist", "")
}

// broken answers for a fault of ours.
func (h *Handler) broken(w http.ResponseWriter, r *http.Request, err error) {
	web.SecurityHeaders(w.Header(), nil, "application/json")
	if errors.Is(err, context.Canceled) {
		return
	}
	if !web.Left(r) {
		h.Log.Error("request failed", telemetry.KeyRequest, web.RequestOf(r).ID, telemetry.KeyPath, r.URL.Path, telemetry.KeyError, err)
	}
	if realms.Unavailable(err) || errors.Is(err, context.DeadlineExceeded) {
		web.WriteStatus(w, http.StatusServiceUnavailable)
		return
	}
	web.WriteInternal(w, r)
}
