package admin

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"

	"latchkey/internal/clients"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/users"
	"latchkey/internal/web"
)

// providerRoutes are identity providers and their mappers.
// Keycloak: IdentityProvidersResource, IdentityProviderResource.
func (h *Handler) providerRoutes() []Route {
	const at = "/admin/realms/{realm}/identity-provider"
	const one, mapper = at + "/instances/{alias}", at + "/instances/{alias}/mappers/{mapper}"
	const provider, mapping = "IDENTITY_PROVIDER", "IDENTITY_PROVIDER_MAPPER"
	return []Route{
		{"GET " + at + "/providers/{provider}", ViewIDPs, None, "", h.providerKind, ByMethod},
		{"POST " + at + "/import-config", ManageIDPs, None, "", h.importProvider, ByMethod},
		{"POST " + at + "/upload-certificate", ManageIDPs, None, "", h.readCertificate, ByMethod},
		{"GET " + at + "/instances", ViewIDPs, None, "", h.listProviders, ByMethod},
		{"POST " + at + "/instances", ManageIDPs, Create, provider, h.createProvider, ByMethod},
		{"GET " + one, ViewIDPs, None, "", h.getProvider, ByMethod},
		{"PUT " + one, ManageIDPs, Update, provider, h.updateProvider, NoCache},
		{"DELETE " + one, ManageIDPs, Delete, provider, h.deleteProvider, NoCache},
		{"GET " + one + "/export", ViewIDPs, None, "", h.exportProvider, ByMethod},
		{"GET " + one + "/reload-keys", ManageIDPs, None, "", h.reloadProviderKeys, ByMethod},
		{"GET " + one + "/management/permissions", ViewIDPs, None, "", featureOff, ByMethod},
		{"PUT " + one + "/management/permissions", ManageIDPs, None, "", featureOff, ByMethod},
		{"GET " + one + "/mapper-types", ViewIDPs, None, "", h.providerMapperTypes, ByMethod},
		{"GET " + one + "/mappers", ViewIDPs, None, "", h.listProviderMappers, ByMethod},
		{"POST " + one + "/mappers", ManageIDPs, Create, mapping, h.createProviderMapper, ByMethod},
		{"GET " + mapper, ViewIDPs, None, "", h.getProviderMapper, ByMethod},
		{"PUT " + mapper, ManageIDPs, Update, mapping, h.updateProviderMapper, NoCache},
		{"DELETE " + mapper, ManageIDPs, Delete, mapping, h.deleteProviderMapper, NoCache},
	}
}

// provider finds the identity provider of the path, by its alias or its id.
func provider(c *Call) (*realms.IdentityProvider, error) {
	name := c.Path("alias")
	if p := c.Realm.IDP(name); p != nil {
		return p, nil
	}
	for _, p := range c.Realm.IDPs {
		if p.ID == name {
			return p, nil
		}
	}
	return nil, plain(http.StatusNotFound)
}

// representProvider is a provider without its secrets.
// Keycloak: ModelToRepresentation.toRepresentation, StripSecretsUtils.
func representProvider(p *rep.IdentityProvider) *rep.IdentityProvider {
	v := withoutSecrets(p).(*rep.IdentityProvider)
	v.Types = []string{}
	if kind := realms.ProviderKindOf(v.ProviderID); kind != nil {
		for _, t := range kind.Shown() {
			v.Types = append(v.Types, string(t))
		}
	}
	return v
}

// listProviders filters by a part of alias or display name, and by what a
// provider may be used for.
func (h *Handler) listProviders(c *Call) (any, error) {
	first, max, err := c.Page(defaultPage)
	if err != nil {
		return nil, err
	}
	of := realms.ProviderType(c.Query("type"))
	linking := c.Query("capability")
	if !slices.Contains([]realms.ProviderType{"", realms.AnyProvider, realms.LogsIn, realms.AssertsClients, realms.HoldsKeys,
		realms.ExchangesTokens, realms.GrantsByAssertion}, of) ||
		linking != "" && linking != "USER_LINKING" {
		return nil, plain(http.StatusBadRequest) // the reference breaks down
	}
	brief, realmOnly := c.Bool("briefRepresentation", false), c.Bool("realmOnly", false)
	search := c.Query("search")
	list := []*rep.IdentityProvider{}
	for _, p := range c.Realm.IDPs {
		kind := realms.ProviderKindOf(p.Provider)
		switch {
		case !realms.NameMatches(search, p.Alias) && !realms.NameMatches(search, p.DisplayName), realmOnly && rep.Val(p.Rep.OrganizationID) != "":
		case of != "" && of != realms.AnyProvider && (kind == nil || !slices.Contains(kind.Types, of)):
		case linking != "" && (kind == nil || !slices.Contains(kind.Types, realms.LogsIn) && !slices.Contains(kind.Types,
			realms.GrantsByAssertion)):
		case brief:
			list = append(list, &rep.IdentityProvider{Alias: p.Alias, DisplayName: p.Rep.DisplayName, InternalID: p.ID, ProviderID: p.Provider,
				Enabled: new(p.Enabled), OrganizationID: p.Rep.OrganizationID, Config: map[string]string{}})
		default:
			list = append(list, representProvider(p.Rep))
		}
	}
	return page(list, first, max), nil
}

func (h *Handler) createProvider(c *Call) (any, error) {
	v, err := Body[rep.IdentityProvider](c)
	if err != nil {
		return nil, err
	}
	if err := c.mayTrust(v); err != nil {
		return nil, err
	}
	posted := *v
	if err := badAlias(h.Manager.CreateProvider(c, c.Realm, v)); err != nil {
		return nil, err
	}
	c.Represent(postedProvider(posted, v))
	c.Created(v.Alias)
	return nil, nil
}

// postedProvider is what an admin event shows of a provider that was posted and
// stored: what was posted, in the form in which Keycloak reads it.
func postedProvider(posted rep.IdentityProvider, stored *rep.IdentityProvider) *rep.IdentityProvider {
	posted.InternalID, posted.HideOnLogin, posted.Enabled = stored.InternalID, stored.HideOnLogin, stored.Enabled
	posted.Config = settings(posted.Config)
	delete(posted.Config, "hideOnLoginPage")
	if first := posted.UpdateProfileFirstLogin; first != nil {
		posted.UpdateProfileFirstLoginMode, posted.UpdateProfileFirstLogin = "off", nil
		if *first {
			posted.UpdateProfileFirstLoginMode = "on"
		}
	}
	return &posted
}

func settings(config map[string]string) map[string]string {
	if config == nil {
		return map[string]string{}
	}
	return maps.Clone(config)
}

// badAlias answers for an alias with characters that it may not have.
func badAlias(err error) error {
	if refused, ok := errors.AsType[*iam.Error](err); ok && errors.Is(err, realms.ErrBadRequest) {
		return Plain(http.StatusBadRequest, refused.Msg)
	}
	return err
}

func (h *Handler) getProvider(c *Call) (any, error) {
	p, err := provider(c)
	if err != nil {
		return nil, err
	}
	return representProvider(p.Rep), nil
}

// updateProvider asks for the rights that the provider's mappers give: who
// says where it is decides who comes from there.
func (h *Handler) updateProvider(c *Call) (any, error) {
	p, err := provider(c)
	if err != nil {
		return nil, err
	}
	v, err := Body[rep.IdentityProvider](c)
	if err != nil {
		return nil, err
	}
	if err := h.overProvider(c, p); err != nil {
		return nil, err
	}
	if err := c.mayTrust(v); err != nil {
		return nil, err
	}
	posted := *v
	if err := h.Manager.UpdateProvider(c, c.Realm, p, v); err != nil {
		return nil, err
	}
	c.Represent(postedProvider(posted, v))
	return nil, nil
}

func (h *Handler) deleteProvider(c *Call) (any, error) {
	p, err := provider(c)
	if err != nil {
		return nil, err
	}
	return nil, h.Manager.DeleteProvider(c, c.Realm, p)
}

// mayTrust keeps for those with all rights to say that a provider's mappers may
// give roles that administer realms. Keycloak 26.8: allowAdminRoleMapping.
func (c *Call) mayTrust(v *rep.IdentityProvider) error {
	if v.Config["allowAdminRoleMapping"] == "true" && !c.Caller.rights().All(c, c.Realm) {
		return errForbidden
	}
	return nil
}

// overProvider refuses callers who lack a right that a mapper of the provider gives.
func (h *Handler) overProvider(c *Call, p *realms.IdentityProvider) error {
	if p.Config["allowAdminRoleMapping"] == "true" && !c.Caller.rights().All(c, c.Realm) {
		return errForbidden
	}
	for _, m := range p.Mappers {
		if err := h.mayImportBy(c, m.Config); err != nil {
			return err
		}
	}
	return nil
}

// mayImportBy refuses a mapper that would give somebody a right that the caller
// lacks, by a role or by a group.
func (h *Handler) mayImportBy(c *Call, config map[string]string) error {
	if name := config["role"]; name != "" {
		role, err := c.Realm.RoleNamed(c, name)
		if err != nil {
			return err
		}
		if role != nil {
			if err := c.mayGive(role.ID); err != nil {
				return err
			}
		}
	}
	if path := config["group"]; path != "" {
		return h.mayFill(c, func(g *users.Group) bool { return g.At(path) })
	}
	return nil
}

// exportProvider is the metadata that the provider is to be given; only SAML has one.
func (h *Handler) exportProvider(c *Call) (any, error) {
	_, err := provider(c)
	return nil, err
}

// reloadProviderKeys makes every node read the keys of the provider again, and
// says whether it has any that are read.
func (h *Handler) reloadProviderKeys(c *Call) (any, error) {
	p, err := provider(c)
	if err != nil {
		return nil, err
	}
	kind := realms.ProviderKindOf(p.Provider)
	if kind == nil || kind.Social || !p.Enabled || !p.Flag("useJwksUrl") {
		return false, nil
	}
	return true, h.Realms.Refresh(c, c.Realm.ID)
}

// importProvider makes settings of a provider's metadata, which is uploaded or
// lies at an address. Keycloak: IdentityProvidersResource.importFrom.
func (h *Handler) importProvider(c *Call) (any, error) {
	switch web.MediaType(c.R) {
	case "multipart/form-data":
		kind, text, err := c.uploaded("providerId")
		if err != nil {
			return nil, err
		}
		if kind == "" || text == nil {
			return nil, plain(http.StatusBadRequest)
		}
		config, err := h.readMetadata(kind, text)
		if err == nil && config["syncMode"] == "" {
			config["syncMode"] = string(iam.SyncLegacy)
		}
		return config, err
	case "application/json", "":
	default:
		return nil, errMediaType()
	}
	data, err := c.json()
	if err != nil {
		return nil, err
	}
	var asked struct{ ProviderID, FromURL, Alias *string }
	if json.Unmarshal(data, &asked) != nil || asked.ProviderID == nil || asked.FromURL == nil {
		return nil, plain(http.StatusBadRequest)
	}
	if err := badAlias(realms.CheckProviderAlias(rep.Val(asked.Alias))); err != nil {
		return nil, err
	}
	text, err := h.Metadata.Get(c, *asked.FromURL, iam.ReachAll)
	if err != nil {
		// What the server was answered stays in the log: it may come from inside the network.
		return nil, &Error{Status: http.StatusInternalServerError, Body: plainBody{"unknown_error",
			"For more on this error consult the server log."}, Err: err}
	}
	config, err := h.readMetadata(*asked.ProviderID, text)
	if err == nil {
		config["metadataDescriptorUrl"] = *asked.FromURL
	}
	return config, err
}

// metadata are the members of OpenID Connect discovery that become settings.
var metadata = map[string]string{
	"issuer": "issuer", "authorization_endpoint": "authorizationUrl", "token_endpoint": "tokenUrl", "userinfo_endpoint": "userInfoUrl",
	"end_session_endpoint": "logoutUrl", "introspection_endpoint": "tokenIntrospectionUrl", "jwks_uri": "jwksUrl",
}

// readMetadata reads a provider's metadata. Social kinds have none to read.
// Keycloak: OIDCIdentityProviderFactory.parseConfig.
func (h *Handler) readMetadata(kind string, text []byte) (map[string]string, error) {
	k := realms.ProviderKindOf(kind)
	if k == nil || !h.able(realms.CanBroker, kind) {
		return nil, iam.Errorf(iam.Invalid, "Invalid identity provider id [%s]", kind)
	}
	config := map[string]string{}
	if k.Social {
		return config, nil
	}
	var members map[string]any
	if json.Unmarshal(text, &members) != nil {
		return nil, &Error{Status: http.StatusInternalServerError, Body: plainBody{"invalid_request", "Cannot parse the JSON"}}
	}
	for member, setting := range metadata {
		if v, ok := members[member].(string); ok && v != "" {
			config[setting] = v
		}
	}
	if config["jwksUrl"] != "" {
		config["useJwksUrl"], config["validateSignature"] = "true", "true"
	}
	return config, nil
}

// uploaded reads a form with a file: a field of it, and the file, nil when there is none.
func (c *Call) uploaded(field string) (value string, text []byte, err error) {
	if err := c.R.ParseMultipartForm(maxKeyFile); err != nil {
		return "", nil, Plain(http.StatusBadRequest, "The form cannot be read")
	}
	value = c.R.FormValue(field)
	file, _, err := c.R.FormFile("file")
	if err != nil {
		if c.R.MultipartForm.Value["file"] != nil {
			text = []byte(c.R.FormValue("file"))
		}
		return value, text, nil
	}
	text, err = io.ReadAll(io.LimitReader(file, maxKeyFile))
	return value, text, err
}

// readCertificate reads a key or certificate of a file, for a form to fill in.
// Keycloak: IdentityProvidersResource.uploadCertificate.
func (h *Handler) readCertificate(c *Call) (any, error) {
	if web.MediaType(c.R) != "multipart/form-data" {
		return nil, Plain(http.StatusBadRequest, "keystoreFormat cannot be null")
	}
	format, text, err := c.uploaded("keystoreFormat")
	if err != nil {
		return nil, err
	}
	if format == "" {
		return nil, Plain(http.StatusBadRequest, "keystoreFormat cannot be null")
	}
	v, err := clients.ReadCertificate(format, string(text))
	if err != nil {
		return nil, refusal(err)
	}
	return v, nil
}

func (h *Handler) listProviderMappers(c *Call) (any, error) {
	p, err := provider(c)
	if err != nil {
		return nil, err
	}
	list := []*rep.IdentityProviderMapper{}
	for _, m := range p.Mappers {
		list = append(list, m.Rep)
	}
	return list, nil
}

// createProviderMapper takes the provider that the body names, as the reference does.
func (h *Handler) createProviderMapper(c *Call) (any, error) {
	p, err := provider(c)
	if err != nil {
		return nil, err
	}
	v, err := Body[rep.IdentityProviderMapper](c)
	if err != nil {
		return nil, err
	}
	if err := h.mayImportBy(c, v.Config); err != nil {
		return nil, err
	}
	posted := *v
	posted.Config = settings(v.Config)
	complete := v.Name != "" && v.IdentityProviderAlias != "" && v.IdentityProviderMapper != ""
	err = h.Manager.PutProviderMapper(c, c.Realm, v, true)
	if refused, ok := errors.AsType[*iam.Error](err); ok && refused.Kind == iam.Conflict {
		if complete {
			return nil, Message(http.StatusBadRequest, "Failed to add mapper '"+v.Name+"' to identity provider ["+p.Provider+"].")
		}
		return nil, &Error{Status: http.StatusConflict, Body: plainBody{"conflict", refused.Msg}}
	}
	if err != nil {
		return nil, err
	}
	c.Represent(&posted)
	c.Created(v.ID)
	return nil, nil
}

// providerMapper finds the mapper of the path, whichever provider it belongs to,
// as the reference does.
func providerMapper(c *Call) (*realms.IdentityProviderMapper, error) {
	if _, err := provider(c); err != nil {
		return nil, err
	}
	m := c.Realm.ProviderMapper(c.Path("mapper"))
	if m == nil {
		return nil, Plain(http.StatusNotFound, "Model not found")
	}
	return m, nil
}

func (h *Handler) getProviderMapper(c *Call) (any, error) {
	m, err := providerMapper(c)
	if err != nil {
		return nil, err
	}
	return m.Rep, nil
}

func (h *Handler) updateProviderMapper(c *Call) (any, error) {
	m, err := providerMapper(c)
	if err != nil {
		return nil, err
	}
	v, err := Body[rep.IdentityProviderMapper](c)
	if err != nil {
		return nil, err
	}
	posted := *v
	posted.Config = settings(v.Config)
	c.Represent(&posted)
	v.ID = m.ID
	for _, config := range []map[string]string{m.Config, v.Config} {
		if err := h.mayImportBy(c, config); err != nil {
			return nil, err
		}
	}
	err = h.Manager.PutProviderMapper(c, c.Realm, v, false)
	if refused, ok := errors.AsType[*iam.Error](err); ok && refused.Kind == iam.Conflict {
		return nil, &Error{Status: http.StatusConflict, Body: plainBody{"conflict", refused.Msg}}
	}
	return nil, err
}

func (h *Handler) deleteProviderMapper(c *Call) (any, error) {
	m, err := providerMapper(c)
	if err != nil {
		return nil, err
	}
	err = h.Manager.DeleteProviderMapper(c, c.Realm, m.ID)
	if realms.Missing(err) {
		return nil, Plain(http.StatusNotFound, "Model not found")
	}
	return nil, err
}
