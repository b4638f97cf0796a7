package admin

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// The policies of client registration that may be configured, as Keycloak's
// ClientRegistrationPolicyResource lists them.
var registrationPolicies = []policyInfo{
	{ID: "allowed-client-templates", Help: "When present, it allows to specify whitelist of client scopes, which will be allowed in representation of registered (or updated) client",
		Properties: []policyProperty{
			{Name: "allowed-client-scopes", Label: "allowed-client-scopes.label", Help: "allowed-client-scopes.tooltip", Type: "MultivaluedList"},
			{Name: "allow-default-scopes", Label: "allow-default-scopes.label", Help: "allow-default-scopes.tooltip", Type: "boolean", Default: true},
		}},
	{ID: "registration-web-origins", Help: "Allowed web origins for client registration requests",
		Properties: []policyProperty{{Name: "web-origins", Label: "registration-web-origins.label", Help: "registration-web-origins.tooltip", Type: "MultivaluedString"}}},
	{ID: "client-disabled", Help: "When present, then newly registered client will be disabled and admin needs to manually enable them"},
	{ID: "scope", Help: "When present, then newly registered client won't have full scope allowed"},
	{ID: "max-clients", Help: "When present, then it won't be allowed to register new client if count of existing clients in realm is same or bigger than configured limit",
		Properties: []policyProperty{{Name: "max-clients", Label: "max-clients.label", Help: "max-clients.tooltip", Type: "String", Default: "200"}}},
	{ID: "allowed-protocol-mappers", Help: "When present, it allows to specify whitelist of protocol mapper types, which will be allowed in representation of registered (or updated) client",
		Properties: []policyProperty{{Name: "allowed-protocol-mapper-types", Label: "allowed-protocol-mappers.label", Help: "allowed-protocol-mappers.tooltip", Type: "MultivaluedList"}}},
	{ID: "trusted-hosts", Help: "Allows to specify from which hosts is user able to register and which redirect URIs can client use in it's configuration",
		Properties: []policyProperty{
			{Name: "trusted-hosts", Label: "trusted-hosts.label", Help: "trusted-hosts.tooltip", Type: "MultivaluedString"},
			{Name: "host-sending-registration-request-must-match", Label: "host-sending-registration-request-must-match.label",
				Help: "host-sending-registration-request-must-match.tooltip", Type: "boolean", Default: "true"},
			{Name: "client-uris-must-match", Label: "client-uris-must-match.label", Help: "client-uris-must-match.tooltip", Type: "boolean", Default: "true"},
		}},
	{ID: "consent-required", Help: "When present, then newly registered client will always have 'consentRequired' switch enabled"},
}

// A policyInfo is Keycloak's ComponentTypeRepresentation.
type policyInfo struct {
	ID         string           `json:"id"`
	Help       string           `json:"helpText"`
	Properties []policyProperty `json:"properties"`
	Metadata   struct{}         `json:"metadata"`
}

// A policyProperty is Keycloak's ConfigPropertyRepresentation.
type policyProperty struct {
	Name     string   `json:"name"`
	Label    string   `json:"label"`
	Help     string   `json:"helpText"`
	Type     string   `json:"type"`
	Default  any      `json:"defaultValue,omitzero"`
	Options  []string `json:"options,omitzero"`
	Secret   bool     `json:"secret"`
	Required bool     `json:"required"`
	ReadOnly bool     `json:"readOnly"`
}

// registrationPolicyProviders lists the policies, with the realm's scopes and the
// mappers there are to choose from.
func (h *Handler) registrationPolicyProviders(c *Call) (any, error) {
	info, err := storedServerInfo()
	if err != nil {
		return nil, err
	}
	var mappers []string
	for _, types := range info.ProtocolMapperTypes {
		for _, t := range types {
			mappers = append(mappers, t.ID)
		}
	}
	slices.Sort(mappers)
	list := slices.Clone(registrationPolicies)
	for i := range list {
		list[i].Properties = append([]policyProperty{}, list[i].Properties...)
		for j := range list[i].Properties {
			switch p := &list[i].Properties[j]; p.Name {
			case "allowed-client-scopes":
				p.Options = registrableScopes(c.Realm)
			case "allowed-protocol-mapper-types":
				p.Options = mappers
			}
		}
	}
	return list, nil
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
	if !slices.ContainsFunc(registrationPolicies, func(p policyInfo) bool { return p.ID == v.ProviderID }) {
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
		known := registrableScopes(r)
		wrong := slices.DeleteFunc(slices.Clone(v.Config["allowed-client-scopes"]), func(name string) bool { return slices.Contains(known, name) })
		if len(wrong) > 0 {
			return refuse("Client scopes not allowed: [" + strings.Join(wrong, ", ") + "]")
		}
	}
	return nil
}
