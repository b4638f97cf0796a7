package clientauth

import (
	"latchkey/internal/iam"
	"latchkey/internal/oauth"
)

// What clients are refused with, in the reference's words. Nobody has proved to be a client
// then: scripts of every origin may read it.
var (
	notFound = &oauth.Refusal{Word: "client_not_found", Status: 401, Code: "invalid_client",
		Description: oauth.InvalidClient, Told: oauth.Untold, Open: true}
	noID = &oauth.Refusal{Word: "client_not_found", Status: 400, Code: "invalid_client",
		Description: "Missing client_id parameter", Told: oauth.Untold, Open: true}
	otherMethod = &oauth.Refusal{Word: "invalid_client_credentials", Status: 401, Code: "invalid_client",
		Description: oauth.InvalidClient, Told: oauth.Untold, Open: true}
	otherProtocol = &oauth.Refusal{Word: "invalid_client", Description: "Wrong client protocol.", Told: oauth.Untold}

	// of secrets
	wrongSecret = &oauth.Refusal{Word: "invalid_client_credentials", Status: 401, Code: "unauthorized_client",
		Description: oauth.InvalidClient, Told: oauth.Untold, Open: true}
	otherWay = &oauth.Refusal{Word: "invalid_client_credentials", Status: 401, Code: "unauthorized_client",
		Description: "Invalid method used to get client secret. " +
			"Client requires method '$method' to obtain client secret from the request", Told: oauth.Untold, Open: true}
	// Keycloak: ClientAuthenticationFlow ends where an authenticator breaks down.
	unreadable = &oauth.Refusal{Word: "invalid_client_credentials", Status: 400, Code: "unauthorized_client",
		Description: "Unexpected error when authenticating client", Told: oauth.Untold, Open: true}

	// of assertions; Keycloak: AbstractJWTClientValidator
	badAssertion = &oauth.Refusal{Word: "invalid_client_credentials", Status: 400, Code: "invalid_client",
		Description: "$why", Told: oauth.Untold, Open: true}
	noKey = &oauth.Refusal{Word: "client_credentials_setup_required", Status: 400, Code: "invalid_client",
		Description: "Unable to load public key", Told: oauth.Untold, Open: true}
	badHMAC = &oauth.Refusal{Word: "invalid_client_credentials", Status: 400, Code: "unauthorized_client",
		Description: "Client authentication with client secret signed JWT failed: $why", Told: oauth.Untold, Open: true}
)

// Admit refuses a client that has proved who it is, and may not use OpenID Connect.
func Admit(c *iam.Client) error {
	switch {
	case !c.Enabled:
		return oauth.ClientOff
	case c.Protocol != "" && c.Protocol != iam.OIDC:
		return otherProtocol
	}
	return nil
}
