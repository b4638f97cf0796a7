package oidc

import (
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"latchkey/internal/claims"
	"latchkey/internal/iam"
	"latchkey/internal/oauth"
	"latchkey/internal/sessions"
	"latchkey/internal/web"
)

// requestURIPrefix begins the names of pushed requests.
const requestURIPrefix = "urn:ietf:params:oauth:request_uri:"

// push keeps an authorization request for the browser to come (RFC 9126).
func (h *Handler) push(c *call) error {
	b, form, err := c.back()
	if err != nil {
		return err
	}
	if err := b.admitClient(); err != nil {
		return b.notPushed(err)
	}
	if form.Has("request_uri") {
		return pushedURI
	}
	for _, name := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		delete(form.Values, name)
	}
	if err := b.proveForLogin(form); err != nil {
		return err
	}
	if err := b.checkPushedRequest(form); err != nil {
		return err
	}
	life := int64(60)
	if n, err := strconv.ParseInt(c.realm.Attrs["parRequestUriLifespan"], 10, 64); err == nil && n > 0 {
		life = n
	}
	form.Set("client_id", b.client.ClientID)
	if !keepRead(form) {
		return pushedTooLong
	}
	doc, err := json.Marshal(form.Values)
	if err != nil {
		return err
	}
	id := uuid.NewString()
	if _, err := c.door.Sessions.PutSingleUse(c.ctx(), c.realm, pushedKey(b.client.ID, id), doc,
		c.door.Now().Add(time.Duration(life)*time.Second)); err != nil {
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

// keepRead leaves of a pushed request what will be read of it, and reports
// whether that may be kept: a request object, which is bounded as one that is
// fetched, and parameters of iam.MaxParam bytes, which are iam.MaxRequest together.
func keepRead(form web.Form) bool {
	size := 0
	for name, values := range form.Values {
		if name == "request" {
			if len(values[0]) > iam.MaxObject {
				return false
			}
			continue
		}
		if len(name) > iam.MaxKey || len(values[0]) > iam.MaxParam {
			delete(form.Values, name)
			continue
		}
		for _, v := range values {
			size += len(name) + len(v)
		}
	}
	return size <= iam.MaxRequest
}

// pushedKey names a pushed request of a client: another one's does not find it.
func pushedKey(c iam.ClientID, id string) string { return "pushed " + string(c) + " " + id }

// notPushed answers for a client that did not prove who it is, without a word
// on whether there is one. Keycloak: AbstractParEndpoint.authorizeClient.
func (b *backCall) notPushed(err error) error {
	var refused *oauth.Refusal
	if !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
		return err
	}
	b.record(refused)
	return pushedUnproved
}

// checkPushedRequest answers here what the browser would be shown or sent back
// with. Each refusal is two events, the check's and the endpoint's, as in the reference.
func (b *backCall) checkPushedRequest(sent web.Form) error {
	form := web.Form{Values: maps.Clone(sent.Values)} // what an object says is read again when the browser comes
	a := b.asking(b.client)
	a.from.pushing = true
	err := b.check(a, form, checksOf(check.placeOfPushed))
	no, ok := err.(*browserRefusal) //nolint:errorlint // checks return it bare
	if !ok {
		return err
	}
	b.record(&no.Refusal)
	switch {
	case no.page == "invalidParameterMessage":
		return pushedRedirect
	case no.page != "" && sent.Has("request"):
		return pushedObject.With("$why", no.page)
	case no.page != "":
		return pushedInvalid.With("$why", no.page)
	case no.Code == "unsupported_response_type":
		return pushedType
	case no.Code == "unauthorized_client":
		return pushedUnauthorized.With("$why", no.Description)
	}
	return pushedInvalid.With("$why", no.Description)
}

// takePushed lays a pushed request over the parameters. It can be taken once, by
// the client that pushed it. Keycloak: AuthzEndpointParParser.
func (c *call) takePushed(a *asking, form web.Form) error {
	id, ok := strings.CutPrefix(form.Get("request_uri"), requestURIPrefix)
	if !ok {
		return nil
	}
	doc, err := c.door.Sessions.TakeSingleUse(c.ctx(), c.realm, pushedKey(a.client.ID, id))
	if errors.Is(err, sessions.ErrGone) {
		return authNotPushed
	}
	if err != nil {
		return err
	}
	var pushed web.Form
	if err := json.Unmarshal(doc, &pushed.Values); err != nil {
		return err
	}
	maps.Copy(form.Values, pushed.Values)
	delete(form.Values, "request_uri")
	a.from.pushed = true
	return nil
}
