package admin

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// registrationPolicyProviders lists the policies. Keycloak: ClientRegistrationPolicyResource.
func (h *Handler) registrationPolicyProviders(c *Call) (any, error) { return policyTypes(c.Realm), nil }

// policyTypes are the client registration policies, with the realm's scopes and
// the mappers there are to choose from.
// Keycloak: ClientScopesClientRegistrationPolicyFactory, ProtocolMappersClientRegistrationPolicyFactory.
func policyTypes(r *realms.Realm) []rep.ComponentType {
	options := map[string][]string{"allowed-client-scopes": registrableScopes(r), "allowed-protocol-mapper-types": {}}
	for _, m := range serverInfoOf().ProtocolMapperTypes[string(iam.OIDC)] {
		options["allowed-protocol-mapper-types"] = append(options["allowed-protocol-mapper-types"], m.ID)
	}
	list := slices.Clone(serverInfoOf().ComponentTypes[realms.TypeRegistrationPolicy])
	for i, t := range list {
		list[i].Properties = slices.Clone(t.Properties)
		for j, p := range t.Properties {
			if o, ok := options[p.Name]; ok {
				list[i].Properties[j].Options = o
			}
		}
	}
	return list
}

// registrableScopes are the scopes that the policy of scopes may allow.
func registrableScopes(r *realms.Realm) []string {
	var names []string
	for _, s := range r.Scopes {
		names = append(names, s.Name)
	}
	return append(names, "openid")
}

// checkPolicy refuses a policy of client registration that is not known, or
// without what it needs. Keycloak: the ClientRegistrationPolicyFactory
// implementations' validateConfiguration, ConfigurationValidationHelper.
func checkPolicy(r *realms.Realm, v *rep.Component) error {
	known := serverInfoOf().ComponentTypes[realms.TypeRegistrationPolicy]
	if !slices.ContainsFunc(known, func(t rep.ComponentType) bool { return t.ID == v.ProviderID }) {
		return errNoProvider
	}
	setting := func(name string) string {
		if list := v.Config[name]; len(list) > 0 {
			return strings.TrimSpace(list[0])
		}
		return ""
	}
	refuse := func(text string) error { return Message(http.StatusBadRequest, text) }
	switch v.ProviderID {
	case "max-clients":
		limit := setting("max-clients")
		if limit == "" {
			return refuse("'Max Clients Per Realm' is required")
		}
		if _, err := strconv.ParseInt(limit, 10, 32); err != nil {
			return refuse("'Max Clients Per Realm' should be a number")
		}
	case "trusted-hosts":
		on := false
		for _, s := range []struct{ name, label string }{
			{"host-sending-registration-request-must-match", "Host Sending Client Registration Request Must Match"},
			{"client-uris-must-match", "Client URIs Must Match"},
		} {
			switch setting(s.name) {
			case "true":
				on = true
			case "false":
			case "":
				return refuse("'" + s.label + "' is required")
			default:
				return refuse("'" + s.label + "' should be 'true' or 'false'")
			}
		}
		if !on {
			return refuse("At least one of hosts verification or client URIs validation must be enabled")
		}
	case "allowed-client-templates":
		known, given := registrableScopes(r), v.Config["allowed-client-scopes"]
		if slices.ContainsFunc(given, func(name string) bool { return !slices.Contains(known, name) }) {
			return refuse("Client scopes not allowed: [" + strings.Join(given, ", ") + "]")
		}
	}
	return nil
}
