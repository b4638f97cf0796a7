package oidc

import "net/http"

// What the reference serves and Latchkey does not yet answers as the reference
// does where the feature is off for the client, never with 404: clients then
// know why. None of it is advertised; see doc/DIVERGENCES.md.

// deviceAuth: RFC 8628 is not built. Keycloak: DeviceEndpoint.
func (h *Handler) deviceAuth(c *call) error {
	return c.unbuilt("unauthorized_client",
		"Client is not allowed to initiate OAuth 2.0 Device Authorization Grant. The flow is disabled for the client.")
}

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
	return b.refuse("not_allowed", &Error{http.StatusUnauthorized, "invalid_grant", "Client not allowed OIDC CIBA Grant"})
}

// unbuilt refuses a client that proved who it is.
func (c *call) unbuilt(code, description string) error {
	b, err := c.back()
	if err != nil {
		return err
	}
	if err := b.authenticateClient(); err != nil {
		return err
	}
	b.event.Client = b.client.ClientID
	return b.bad("not_allowed", code, description)
}
