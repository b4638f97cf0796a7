package admin

import (
	"net/http"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// providers.json is what Keycloak 26.7.3 says of its kinds of identity providers
// and of their mappers, with the kind apple, which it lacks; for each mapper, for which kinds it is.
type providers struct {
	Kinds []struct {
		ID         string               `json:"id"`
		Name       string               `json:"name"`
		Group      string               `json:"groupName"`
		Properties []rep.ConfigProperty `json:"properties"`
	} `json:"kinds"`
	Mappers []struct {
		ID         string               `json:"id"`
		Name       string               `json:"name"`
		Category   string               `json:"category"`
		HelpText   string               `json:"helpText"`
		Kinds      []string             `json:"kinds"`
		Properties []rep.ConfigProperty `json:"properties"`
	} `json:"mappers"`
}

// providersOf reads the embedded text once; a test holds that it can be read.
var providersOf = sync.OnceValue(func() *providers {
	v := new(providers)
	if text, err := serverInfoFS.ReadFile("providers.json"); err == nil {
		_ = rep.Unmarshal(text, v)
	}
	return v
})

// able reports what the server can do of a kind.
func (h *Handler) able(what realms.Capability, id string) bool {
	return h.Manager.Can(what, id)
}

// kindView is how Keycloak's IdentityProviderFactory looks as JSON.
type kindView struct {
	ID         string               `json:"id"`
	Name       string               `json:"name"`
	HelpText   string               `json:"helpText"`
	Properties []rep.ConfigProperty `json:"configProperties"`
	Metadata   []rep.ConfigProperty `json:"configMetadata"`
}

func (h *Handler) providerKind(c *Call) (any, error) {
	for _, k := range providersOf().Kinds {
		if k.ID == c.Path("provider") && h.able(realms.CanBroker, k.ID) {
			return kindView{ID: k.ID, Name: k.Name, Properties: k.Properties, Metadata: []rep.ConfigProperty{}}, nil
		}
	}
	return nil, plain(http.StatusBadRequest)
}

func (h *Handler) providerMapperTypes(c *Call) (any, error) {
	p, err := provider(c)
	if err != nil {
		return nil, err
	}
	types := map[string]rep.IdentityProviderMapperType{}
	for _, m := range providersOf().Mappers {
		if slices.Contains(m.Kinds, p.Provider) && h.able(realms.CanImport, m.ID) {
			types[m.ID] = rep.IdentityProviderMapperType{ID: m.ID, Name: m.Name, Category: m.Category, HelpText: m.HelpText,
				Properties: m.Properties}
		}
	}
	return types, nil
}

// The types of components that identity providers and their mappers are listed by.
const (
	typeProvider       = "org.keycloak.broker.provider.IdentityProvider"
	typeSocialProvider = "org.keycloak.broker.social.SocialIdentityProvider"
	typeProviderMapper = "org.keycloak.broker.provider.IdentityProviderMapper"
)

// describeProviders adds to a copy of the server's information the kinds of
// identity providers, and their mappers, that the server can do.
func (h *Handler) describeProviders(v *rep.ServerInfo) {
	v.IdentityProviders = []map[string]string{}
	types := map[string][]rep.ComponentType{typeProvider: {}, typeSocialProvider: {}, typeProviderMapper: {}}
	for _, k := range providersOf().Kinds {
		if !h.able(realms.CanBroker, k.ID) {
			continue
		}
		v.IdentityProviders = append(v.IdentityProviders, map[string]string{"id": k.ID, "name": k.Name, "groupName": k.Group})
		of := typeProvider
		if kind := realms.ProviderKindOf(k.ID); kind != nil && kind.Social {
			of = typeSocialProvider
		}
		types[of] = append(types[of], rep.ComponentType{ID: k.ID, HelpText: new(""), Properties: k.Properties,
			Metadata: map[string]jsontext.Value{}})
	}
	for _, m := range providersOf().Mappers {
		if h.able(realms.CanImport, m.ID) && slices.ContainsFunc(m.Kinds, func(id string) bool { return h.able(realms.CanBroker, id) }) {
			types[typeProviderMapper] = append(types[typeProviderMapper], rep.ComponentType{ID: m.ID, HelpText: new(m.HelpText),
				Properties: m.Properties, Metadata: map[string]jsontext.Value{}})
		}
	}
	for kind, spiName := range map[string]string{typeProvider: "identity_provider", typeSocialProvider: "social",
		typeProviderMapper: "identity-provider-mapper"} {
		v.ComponentTypes[kind] = types[kind]
		if len(types[kind]) > 0 {
			v.Providers[spiName] = spi(types[kind], func(t rep.ComponentType) string { return t.ID })
		}
	}
}
