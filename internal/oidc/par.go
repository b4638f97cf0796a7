package oidc

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"latchkey/internal/claims"
	"latchkey/internal/sessions"
	"latchkey/internal/web"
)

// requestURIPrefix begins the names of pushed requests.
const requestURIPrefix = "urn:ietf:params:oauth:request_uri:"

// pushedChecks is what a pushed request must pass, as the authorization
// endpoint checks it. Keycloak: ParEndpoint.request.
var pushedChecks = []func(*authCall) error{
	(*authCall).parse, (*authCall).checkRequestObject, (*authCall).checkRedirectURI, (*authCall).checkResponse, (*authCall).refuseRequestObject,
	(*authCall).checkDuplicates, (*authCall).checkScope, (*authCall).checkNonce, (*authCall).checkPKCE,
}

// push keeps an authorization request for the browser to come (RFC 9126).
func (h *Handler) push(c *call) error {
	b, err := c.back()
	if err != nil {
		return err
	}
	if err := b.admitClient(); err != nil {
		return err
	}
	if b.form.Has("request_uri") {
		return b.told(http.StatusBadRequest, "invalid_request", "It is not allowed to include request_uri to PAR.")
	}
	for _, name := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		delete(b.form.Values, name)
	}
	if err := b.checkPushedRequest(); err != nil {
		return err
	}
	life := int64(60)
	if n, err := strconv.ParseInt(c.realm.Attrs["parRequestUriLifespan"], 10, 64); err == nil && n > 0 {
		life = n
	}
	b.form.Set("client_id", b.client.ClientID)
	doc, err := json.Marshal(b.form.Values)
	if err != nil {
		return err
	}
	id := uuid.NewString()
	if _, err := c.Sessions.PutOnce(c.ctx(), c.realm, pushedKey(id), doc, c.Now().Add(time.Duration(life)*time.Second)); err != nil {
		return err
	}
	out := new(claims.Set)
	out.Put("request_uri", requestURIPrefix+id)
	out.Put("expires_in", life)
	body, err := out.Plain()
	if err != nil {
		return err
	}
	c.bytes(http.StatusCreated, "application/json", body)
	return nil
}

func pushedKey(id string) string { return "pushed " + id }

// checkPushedRequest answers here what the browser would be shown or sent back
// with.
func (b *backCall) checkPushedRequest() error {
	a := &authCall{call: b.call, form: b.form, client: b.client}
	for _, check := range pushedChecks {
		err := check(a)
		var page *pageError
		var refused *clientError
		switch {
		case err == nil:
		case errors.As(err, &page) && page.key == "invalidParameterMessage":
			return &Error{http.StatusBadRequest, "invalid_request", "Invalid parameter: redirect_uri"}
		case errors.As(err, &page):
			return &Error{http.StatusBadRequest, "invalid_request", "Invalid request"}
		case errors.As(err, &refused) && refused.code == "unsupported_response_type":
			return &Error{http.StatusBadRequest, "invalid_request", "Unsupported response type"}
		case errors.As(err, &refused):
			return &Error{http.StatusBadRequest, refused.code, refused.description}
		default:
			return err
		}
	}
	return nil
}

// takePushed puts a pushed request in place of the parameters. It can be taken
// once, by the client that pushed it.
func (a *authCall) takePushed() error {
	id, ok := strings.CutPrefix(a.form.Get("request_uri"), requestURIPrefix)
	if !ok {
		return nil
	}
	gone := func() error {
		a.detail("reason", "PAR not found. not issued or used multiple times.")
		return a.refuse("invalid_request", badPage("invalidRequestMessage"))
	}
	doc, err := a.Sessions.TakeOnce(a.ctx(), a.realm, pushedKey(id))
	if errors.Is(err, sessions.ErrGone) {
		return gone()
	}
	if err != nil {
		return err
	}
	form := web.Form{}
	if err := json.Unmarshal(doc, &form.Values); err != nil {
		return err
	}
	if form.Get("client_id") != a.client.ClientID {
		return gone()
	}
	a.form, a.pushed = form, true
	return nil
}
