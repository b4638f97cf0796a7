package authn

import "latchkey/internal/iam"

// ClientAuthenticators lists, in order, the ways in which a "client-flow" lets
// clients authenticate: its required executions when it has any, else its
// alternatives. The one that is a client's own decides; a way that is not
// listed is closed, whatever the client's setting says.
// Keycloak: ClientAuthenticationFlow.findExecutionsToRun.
func ClientAuthenticators(f *iam.Flow) []string {
	var required, alternative []string
	for _, x := range f.Executions {
		switch {
		case x.Sub != nil:
			for _, id := range ClientAuthenticators(x.Sub) {
				if x.Requirement == iam.Required {
					required = append(required, id)
				} else if x.Requirement == iam.Alternative {
					alternative = append(alternative, id)
				}
			}
		case x.Requirement == iam.Required:
			required = append(required, x.Authenticator)
		case x.Requirement == iam.Alternative:
			alternative = append(alternative, x.Authenticator)
		}
	}
	if len(required) > 0 {
		return required
	}
	return alternative
}
