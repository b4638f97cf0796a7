package clients

import (
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// validate refuses a client in Keycloak's words.
// Keycloak: DefaultClientValidationProvider.validate.
func validate(r *realms.Realm, c *rep.Client) error {
	var wrong []string
	about := ""
	add := func(msg string) {
		if msg != "" && !slices.Contains(wrong, msg) {
			wrong = append(wrong, msg)
		}
	}
	if strings.TrimSpace(c.ClientID) == "" {
		add("Client ID cannot be blank")
	}
	if len(c.ClientID) > 255 {
		add("Client ID must not be longer than 255 characters") // the reference's database breaks down
	}
	if p := iam.Protocol(c.Protocol); p != iam.OIDC && p != iam.SAML {
		add("Invalid protocol: " + c.Protocol)
	}
	for _, p := range realms.ClientProblems(r.Rep, flowLevels(r.Flow(r.Flows.Browser)), c) {
		add(p.Msg)
		if strings.HasPrefix(p.Member, "redirectUris/") {
			about = "redirectUris"
		}
	}
	for i := range c.ProtocolMappers {
		if e := checkPairwise(c, &c.ProtocolMappers[i]); e != nil {
			add(e.text)
		}
	}
	if len(wrong) > 0 {
		return &InputError{Code: "invalid_input", Description: strings.Join(wrong, "; "), About: about}
	}
	return nil
}

// flowLevels are the levels that conditions of a flow ask for.
// Keycloak: LoAUtil.getLoAConfiguredInRealmBrowserFlow.
func flowLevels(f *iam.Flow) []string {
	if f == nil {
		return nil
	}
	var list []string
	for _, e := range f.Executions {
		if level := e.Config["loa-condition-level"]; level != "" {
			list = append(list, level)
		}
		list = append(list, flowLevels(e.Sub)...)
	}
	return list
}
