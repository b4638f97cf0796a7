package oidc

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net/http"

	"latchkey/internal/iam"
	"latchkey/internal/oauth"
	"latchkey/internal/oidc/grants"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/telemetry"
	"latchkey/internal/web"
)

// record writes down the event of a refusal that has one, and says which scripts may read it.
func (c *call) record(no *oauth.Refusal) {
	if no.Open {
		c.anyOrigin()
	}
	if no.Word != "" {
		no.Record(&c.event)
		c.failed(no.Word)
	}
}

// A browserRefusal is a no to a browser: with a page, or with an error that the browser
// takes to the client. They are lines of a table, too.
type browserRefusal struct {
	oauth.Refusal
	page   string // the key of its message, "" where the client is told
	args   []any
	status int // of the page, 400 when 0
}

// with is the refusal with texts put into its words; see oauth.Refusal.With.
func (no *browserRefusal) with(pairs ...string) *browserRefusal {
	out := *no
	out.Refusal = *no.With(pairs...)
	return &out
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

// headerSupport carries the support code of a refusal to a program. It is a header, since the members of the answer are Keycloak's.
const headerSupport = "Support-Code"

// fail is the door's error writer.
func (c *call) fail(err error) {
	var no *oauth.Refusal
	var page *pageError
	var shown grants.Shown
	var browser *browserRefusal
	var status statusError
	var refusal *iam.Error
	var bearer challenge
	var unread web.BodyError
	if errors.As(err, &no) {
		c.record(no)
	}
	if c.event.Support != "" && !errors.As(err, &page) && !errors.As(err, &shown) {
		c.w.Header().Set(headerSupport, c.event.Support)
	}
	switch {
	case errors.As(err, &bearer):
		c.bytes(bearer.status, "text/plain;charset=UTF-8", nil)
	case no != nil:
		if no.Status == http.StatusServiceUnavailable {
			c.w.Header().Set("Retry-After", "5")
		}
		_ = c.json(cmp.Or(no.Status, http.StatusBadRequest), web.Problem{Error: no.Answer(), Description: no.Description})
	case errors.As(err, &shown):
		c.page(shown.Page.Status, pages.Request{
			Client: c.asks, Message: &pages.Message{Type: pages.Problem, Key: shown.Page.Message.Key, Args: shown.Page.Message.Params},
		}, pages.Error{Support: c.event.Support})
	case errors.As(err, &browser):
		c.record(&browser.Refusal)
		c.fail(&pageError{cmp.Or(browser.status, http.StatusBadRequest), browser.page, browser.args})
	case errors.As(err, &page):
		c.page(page.status, pages.Request{Client: c.asks, Message: &pages.Message{Type: pages.Problem, Key: page.key, Args: page.args}},
			pages.Error{Support: c.event.Support})
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
		c.door.broken(c.w, c.r, err)
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
