package oidc

// What the reference serves and Latchkey does not yet answers as the reference
// does where the feature is off for the client, never with 404: clients then
// know why. None of it is advertised; see doc/DIVERGENCES.md.

// backchannelAuth: CIBA is not built. Keycloak: BackchannelAuthenticationEndpoint.
func (h *Handler) backchannelAuth(c *call) error {
	b, _, err := c.back()
	if err != nil {
		return err
	}
	if err := b.authenticateClient(); err != nil {
		return err
	}
	b.event.Client = b.client.ClientID
	return backchannelOff
}
