package admin

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/keys"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// componentRoutes: Keycloak's ComponentResource.
func (h *Handler) componentRoutes() []Route {
	return []Route{
		{"GET /admin/realms/{realm}/components", ViewRealm, None, "", h.listComponents, ByMethod},
		{"POST /admin/realms/{realm}/components", ManageRealm, Create, "COMPONENT", h.createComponent, ByMethod},
		{"GET /admin/realms/{realm}/components/{id}", ViewRealm, None, "", h.getComponent, ByMethod},
		{"PUT /admin/realms/{realm}/components/{id}", ManageRealm, Update, "COMPONENT", h.updateComponent, ByMethod},
		{"DELETE /admin/realms/{realm}/components/{id}", ManageRealm, Delete, "COMPONENT", h.deleteComponent, ByMethod},
		{"GET /admin/realms/{realm}/components/{id}/sub-component-types", ViewRealm, None, "", h.subComponentTypes, ByMethod},
	}
}

var errNoComponent = &iam.Error{Kind: iam.NotFound, Msg: "Could not find component"}

// errNoProvider is the answer to a component of a provider that is not there.
var errNoProvider = &Error{Status: http.StatusBadRequest, Body: plainBody{Error: "Invalid provider type or no such provider"}}

func (h *Handler) listComponents(c *Call) (any, error) {
	list := []*rep.Component{}
	for _, comp := range c.Realm.Components {
		if matches(c, "type", comp.Type) && matches(c, "parent", comp.Parent) && matches(c, "name", comp.Name) {
			list = append(list, representComponent(comp.Rep))
		}
	}
	return list, nil
}

// matches reports whether a filter of the query is absent or met.
func matches(c *Call, name, value string) bool { return !c.Has(name) || c.Query(name) == value }

// keySettings are the settings of key components that administrators see: what
// else stands in their configuration is the key. Keycloak: the
// KeyProviderFactory implementations' getConfigProperties.
var keySettings = []string{
	"priority", "enabled", "active", "algorithm", "keySize", "secretSize", "ecdsaEllipticCurveKey", "eddsaEllipticCurveKey",
	"ecdhEllipticCurveKey",
	"keystore", "keystorePassword", "keystoreType", "keyAlias", "keyPassword", "ecGenerateCertificate",
}

// representComponent is a component without its secrets.
// Keycloak: ModelToRepresentation.toRepresentation(session, component, false).
func representComponent(comp *rep.Component) *rep.Component {
	v := *comp
	v.Config = maps.Clone(comp.Config)
	if v.ProviderType != realms.TypeKeyProvider {
		v.Config = maskConfig(v.Config, []string{masked})
		return &v
	}
	given := v.ProviderID == "rsa" || v.ProviderID == "rsa-enc"
	maps.DeleteFunc(v.Config, func(name string, _ []string) bool {
		return !slices.Contains(keySettings, name) && (!given || name != "privateKey" && name != "certificate")
	})
	v.Config = maskConfig(v.Config, []string{masked})
	return &v
}

func (h *Handler) component(c *Call) (*realms.Component, error) {
	comp := c.Realm.Component(c.Path("id"))
	if comp == nil {
		return nil, errNoComponent
	}
	return comp, nil
}

func (h *Handler) getComponent(c *Call) (any, error) {
	comp, err := h.component(c)
	if err != nil {
		return nil, err
	}
	return representComponent(comp.Rep), nil
}

// componentTypes are the kinds of component that may be added; those of key
// providers must be of a provider that is there.
var componentTypes = []string{realms.TypeKeyProvider, realms.TypeRegistrationPolicy, realms.TypeUserProfile, realms.TypeWebhook}

func checkComponent(r *realms.Realm, v *rep.Component) error {
	if v.ProviderType == realms.TypeWebhook {
		if v.ProviderID != realms.WebhookProvider {
			return errNoProvider
		}
		_, err := realms.ParseWebhook(v.ID, v.Config)
		return err
	}
	if !slices.Contains(componentTypes, v.ProviderType) || v.ProviderID == "" {
		return errNoProvider
	}
	if v.ProviderType == realms.TypeKeyProvider && !keys.Supported(v.ProviderID) {
		return errNoProvider
	}
	if v.ProviderType == realms.TypeRegistrationPolicy {
		for name, values := range v.Config {
			v.Config[name] = slices.DeleteFunc(slices.Clone(values), func(text string) bool { return strings.TrimSpace(text) == "" })
		}
		return checkPolicy(r, v)
	}
	return nil
}

// subComponentTypes describes the components of a kind, whatever component they
// are to be put below. Keycloak: ComponentResource.getSubcomponentConfig.
func (h *Handler) subComponentTypes(c *Call) (any, error) {
	if c.Realm.Component(c.Path("id")) == nil {
		return nil, &iam.Error{Kind: iam.NotFound, Msg: "Could not find parent component"}
	}
	switch kind := c.Query("type"); kind {
	case "":
		return nil, Plain(http.StatusBadRequest, "must specify a subtype")
	case realms.TypeRegistrationPolicy:
		return policyTypes(c.Realm), nil
	default:
		return append([]rep.ComponentType{}, serverInfoOf().ComponentTypes[kind]...), nil
	}
}

func (h *Handler) createComponent(c *Call) (any, error) {
	v, err := Body[rep.Component](c)
	if err != nil {
		return nil, err
	}
	var made any
	if secret := fillWebhook(v); secret != "" {
		made = &webhookSecret{secret}
	}
	if err := checkComponent(c.Realm, v); err != nil {
		return nil, err
	}
	given := *v
	err = h.Manager.PutComponent(c, c.Realm, v)
	if errors.Is(err, realms.ErrUnsupportedKey) {
		return nil, errNoProvider
	}
	if err != nil {
		return nil, err
	}
	shown := representComponent(v)
	shown.ID, shown.ParentID = given.ID, given.ParentID // as they were posted
	c.Represent(shown)
	c.Created(v.ID)
	return made, nil
}

// webhookSecret is the answer to who adds a webhook without a secret: the only
// time that the one which was made is shown.
type webhookSecret struct {
	Secret string `json:"secret"`
}

// fillWebhook makes a secret for a webhook that has none and returns it; "" for
// other components.
func fillWebhook(v *rep.Component) string {
	if v.ProviderType != realms.TypeWebhook || len(v.Config["secret"]) > 0 && v.Config["secret"][0] != "" {
		return ""
	}
	if v.Config == nil {
		v.Config = map[string][]string{}
	}
	secret := realms.NewWebhookSecret()
	v.Config["secret"] = []string{secret}
	return secret
}

// updateComponent changes the settings that are posted; an empty one goes, a
// masked secret stays.
// Keycloak: ComponentResource.updateComponent, RepresentationToModel.updateComponent.
func (h *Handler) updateComponent(c *Call) (any, error) {
	comp, err := h.component(c)
	if err != nil {
		return nil, err
	}
	posted, err := Body[rep.Component](c)
	if err != nil {
		return nil, err
	}
	v := *comp.Rep
	for _, f := range []struct{ to, from *string }{
		{&v.Name, &posted.Name}, {&v.ParentID, &posted.ParentID}, {&v.ProviderID, &posted.ProviderID},
		{&v.ProviderType, &posted.ProviderType}, {&v.SubType, &posted.SubType},
	} {
		if *f.from != "" {
			*f.to = *f.from
		}
	}
	if posted.Config != nil {
		v.Config = maps.Clone(comp.Rep.Config)
		if v.Config == nil {
			v.Config = map[string][]string{}
		}
		for name, values := range posted.Config {
			switch {
			case len(values) == 0 || strings.TrimSpace(values[0]) == "":
				delete(v.Config, name)
			case !slices.Equal(values, []string{masked}):
				v.Config[name] = values
			}
		}
		renewKey(&v, comp.Rep)
	}
	if err := checkComponent(c.Realm, &v); err != nil {
		return nil, err
	}
	err = h.Manager.PutComponent(c, c.Realm, &v)
	if errors.Is(err, realms.ErrUnsupportedKey) {
		return nil, errNoProvider
	}
	c.Represent(representComponent(&v))
	return nil, err
}

// renewKey lets a key be made anew when the setting that it was made by has
// changed, as in Keycloak: AbstractGeneratedRsaKeyProviderFactory.validateConfiguration.
func renewKey(v, old *rep.Component) {
	for setting, made := range map[string][]string{
		"keySize": {"privateKey", "certificate"}, "secretSize": {"secret", "kid"},
		"ecdsaEllipticCurveKey": {"ecdsaPrivateKey", "ecdsaPublicKey"}, "eddsaEllipticCurveKey": {"eddsaPrivateKey", "eddsaPublicKey"},
	} {
		now, before := v.Config[setting], old.Config[setting]
		if v.ProviderType == realms.TypeKeyProvider && len(now) > 0 && len(before) > 0 && !slices.Equal(now, before) {
			for _, name := range made {
				delete(v.Config, name)
			}
		}
	}
}

func (h *Handler) deleteComponent(c *Call) (any, error) {
	return nil, h.Manager.DeleteComponent(c, c.Realm, c.Path("id"))
}
