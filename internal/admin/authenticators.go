package admin

import (
	"embed"
	"slices"
	"strings"
	"sync"

	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// authenticators.json is what Keycloak 26.7.3 says of the providers that flows
// are made of, and of required actions. Those that are not built here are among
// them: a flow that has one is kept, and fails where it comes to it.
//
//go:embed authenticators.json
var authenticatorsFS embed.FS

// Types of flows. Keycloak: AuthenticationFlow.
const (
	basicFlow  = "basic-flow"
	formFlow   = "form-flow"
	clientFlow = "client-flow"
)

// An authProvider is what the console shows of a provider.
type authProvider struct {
	ID             string               `json:"id"`
	DisplayName    string               `json:"displayName"`
	Description    string               `json:"description"`
	Requirements   []string             `json:"requirements"`
	Configurable   bool                 `json:"configurable"`
	SupportsSecret *bool                `json:"supportsSecret"`
	PerClient      []rep.ConfigProperty `json:"perClient"`  // settings of each client that uses it
	Properties     []rep.ConfigProperty `json:"properties"` // nil for forms, which are not described
}

// An actionProvider is a required action that there is.
type actionProvider struct {
	ProviderID string               `json:"providerId"`
	Name       string               `json:"name"`
	Properties []rep.ConfigProperty `json:"properties"` // nil where it cannot be configured
}

type authProviders struct {
	Authenticators       []authProvider   `json:"authenticators"`
	ClientAuthenticators []authProvider   `json:"clientAuthenticators"`
	Forms                []authProvider   `json:"forms"`
	FormActions          []authProvider   `json:"formActions"`
	RequiredActions      []actionProvider `json:"requiredActions"`
}

// authProvidersOf reads the embedded list once; a test holds that it can be read.
var authProvidersOf = sync.OnceValue(func() *authProviders {
	p := new(authProviders)
	if text, err := authenticatorsFS.ReadFile("authenticators.json"); err == nil {
		_ = rep.Unmarshal(text, p)
	}
	return p
})

func byProvider(list []authProvider, id string) *authProvider {
	if i := slices.IndexFunc(list, func(p authProvider) bool { return p.ID == id }); i >= 0 {
		return &list[i]
	}
	return nil
}

// of finds a provider that flows of a type may have, nil when there is none.
func (p *authProviders) of(flow, id string) *authProvider {
	switch flow {
	case clientFlow:
		return byProvider(p.ClientAuthenticators, id)
	case formFlow:
		return byProvider(p.FormActions, id)
	}
	return byProvider(p.Authenticators, id)
}

// any finds a provider of executions of any type.
func (p *authProviders) any(id string) *authProvider {
	for _, list := range [][]authProvider{p.Authenticators, p.FormActions, p.ClientAuthenticators} {
		if found := byProvider(list, id); found != nil {
			return found
		}
	}
	return nil
}

func (p *authProviders) action(provider string) *actionProvider {
	if i := slices.IndexFunc(p.RequiredActions, func(a actionProvider) bool { return a.ProviderID == provider }); i >= 0 {
		return &p.RequiredActions[i]
	}
	return nil
}

// infoOf describes an authenticator; one that nobody knows may be anything.
func infoOf(authenticator string) authProvider {
	if p := authProvidersOf().any(authenticator); p != nil {
		return *p
	}
	v := authProvider{ID: authenticator, DisplayName: authenticator, Requirements: []string{"REQUIRED", "ALTERNATIVE", "DISABLED"},
		Configurable: true}
	if strings.HasPrefix(authenticator, "conditional-") {
		v.Requirements = []string{"REQUIRED", "DISABLED"}
	}
	return v
}

// describe lists providers as they stand in menus.
func describe(of func(*authProviders) []authProvider) func(*Call) (any, error) {
	type line struct {
		ID             string `json:"id"`
		DisplayName    string `json:"displayName"`
		Description    string `json:"description"`
		SupportsSecret *bool  `json:"supportsSecret,omitempty"`
	}
	return func(*Call) (any, error) {
		list := []line{}
		for _, p := range of(authProvidersOf()) {
			list = append(list, line{p.ID, p.DisplayName, p.Description, p.SupportsSecret})
		}
		return list, nil
	}
}

func (h *Handler) describeConfig(c *Call) (any, error) {
	p := authProvidersOf().any(c.Path("provider"))
	if p == nil {
		return nil, errNoAuthenticator
	}
	return &rep.AuthenticatorConfigInfo{Name: p.DisplayName, ProviderID: p.ID, HelpText: p.Description, Properties: p.Properties}, nil
}

func (h *Handler) describePerClient(*Call) (any, error) {
	all := map[string][]rep.ConfigProperty{}
	for _, p := range authProvidersOf().ClientAuthenticators {
		all[p.ID] = p.PerClient
	}
	return all, nil
}

// shownConfig is what may be seen of a configuration: settings that its
// authenticator does not have, or has as secrets, are masked.
// Keycloak: StripSecretsUtils.
func shownConfig(r *realms.Realm, c *rep.AuthenticatorConfig) *rep.AuthenticatorConfig {
	properties := anyProperties()
	for _, f := range r.FlowDocs {
		for _, e := range f.Executions {
			if e.AuthenticatorConfig == c.ID && c.ID != "" {
				properties = infoOf(e.Authenticator).Properties
			}
		}
	}
	return maskedFor(properties, c)
}

// anyProperties are those of all authenticators, by which a configuration is
// shown that none has yet; what is secret for one of them is.
func anyProperties() []rep.ConfigProperty {
	p := authProvidersOf()
	var all []rep.ConfigProperty
	for _, provider := range slices.Concat(p.Authenticators, p.FormActions, p.ClientAuthenticators) {
		all = append(all, provider.Properties...)
	}
	slices.SortStableFunc(all, func(a, b rep.ConfigProperty) int {
		switch {
		case a.Secret == b.Secret:
			return 0
		case a.Secret:
			return -1
		}
		return 1
	})
	return all
}

func maskedFor(properties []rep.ConfigProperty, c *rep.AuthenticatorConfig) *rep.AuthenticatorConfig {
	shown := *c
	if c.Config == nil {
		return &shown
	}
	shown.Config = map[string]string{}
	for name, value := range c.Config {
		i := slices.IndexFunc(properties, func(p rep.ConfigProperty) bool { return p.Name == name })
		if i < 0 || properties[i].Secret {
			value = masked
		}
		shown.Config[name] = value
	}
	return &shown
}
