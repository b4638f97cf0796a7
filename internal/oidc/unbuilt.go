package oidc

import (
	"net/http"

	"latchkey/internal/jose"
	"latchkey/internal/web"
)

// What the reference serves and Latchkey does not yet answers as the reference
// does where the feature is off for the client, never with 404: clients then
// know why. None of it is advertised; see doc/DIVERGENCES.md.

// backchannelAuth: CIBA is not built. Keycloak: BackchannelAuthenticationEndpoint.
func (h *Handler) backchannelAuth(c *call) error {
	b, err := c.back()
	if err != nil {
		return err
	}
	if err := b.authenticateClient(); err != nil {
		return err
	}
	b.event.Client = b.client.ClientID
	return b.deny(refusal{word: "not_allowed", status: http.StatusUnauthorized, code: "invalid_grant", description: "Client not allowed OIDC CIBA Grant", detail: untold})
}

// logoutFromProvider is where identity providers tell of logouts; brokering is
// not built, so that a realm has none. Keycloak: LogoutEndpoint.backchannelLogout.
func (h *Handler) logoutFromProvider(c *call) error {
	form, err := web.ReadForm(c.r)
	if err != nil {
		return err
	}
	b, err := c.backWith(form)
	if err != nil {
		return err
	}
	reason := "No Identity Provider has been found"
	if !b.form.Has("logout_token") {
		reason = "No logout token"
	} else if t, err := jose.Parse(b.form.Get("logout_token")); err != nil || t.Claims(new(map[string]any)) != nil {
		reason = "The decode of the logoutToken failed"
	}
	return b.deny(refusal{word: "invalid_token", code: "invalid_request", description: reason})
}
