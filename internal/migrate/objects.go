package migrate

import (
	"maps"
	"slices"

	"latchkey/internal/rep"
)

func (r *reader) readClients() {
	attrs := r.values("client_id", `select * from CLIENT_ATTRIBUTES where CLIENT_ID`+ofClients)
	redirects := r.lists("client_id", "value", `select * from REDIRECT_URIS where CLIENT_ID`+ofClients)
	origins := r.lists("client_id", "value", `select * from WEB_ORIGINS where CLIENT_ID`+ofClients)
	mappers := r.mappers("client_id", `select * from PROTOCOL_MAPPER where CLIENT_ID`+ofClients,
		`select * from PROTOCOL_MAPPER_CONFIG where PROTOCOL_MAPPER_ID in (select ID from PROTOCOL_MAPPER where CLIENT_ID`+ofClients+`)`)
	bindings, nodes, defaults, optional := map[string]map[string]string{}, map[string]map[string]int{}, map[string][]string{},
		map[string][]string{}
	r.each(func(x row) {
		put(bindings, x.text("client_id"), x.text("binding_name"), x.text("flow_id"))
	}, `select * from CLIENT_AUTH_FLOW_BINDINGS where CLIENT_ID`+ofClients)
	r.each(func(x row) {
		put(nodes, x.text("client_id"), x.text("name"), int(x.num("value")))
	}, `select * from CLIENT_NODE_REGISTRATIONS where CLIENT_ID`+ofClients)
	r.each(func(x row) {
		to := optional
		if x.flag("default_scope") {
			to = defaults
		}
		if name, ok := r.scopes[x.text("scope_id")]; ok {
			to[x.text("client_id")] = append(to[x.text("client_id")], name)
		}
	}, `select * from CLIENT_SCOPE_CLIENT where CLIENT_ID`+ofClients)
	r.out.Clients = []rep.Client{}
	r.each(func(x row) {
		id := x.text("id")
		c := rep.Client{
			ID: id, ClientID: x.text("client_id"), Name: x.opt("name"), Description: x.opt("description"), RootURL: x.opt("root_url"),
			AdminURL: x.opt("management_url"), BaseURL: x.opt("base_url"), ClientAuthenticatorType: x.text("client_authenticator_type"),
			Secret: x.opt("secret"), RegistrationAccessToken: x.opt("registration_token"), Protocol: x.text("protocol"),
			NotBefore:                 x.integer("not_before"),
			NodeReRegistrationTimeout: x.integer("node_rereg_timeout"), RedirectURIs: orEmpty(redirects[id]), WebOrigins: orEmpty(origins[id]),
			Attributes: attrs[id], AuthenticationFlowBindingOverrides: bindings[id], RegisteredNodes: nodes[id], ProtocolMappers: mappers[id],
			DefaultClientScopes: orEmpty(defaults[id]), OptionalClientScopes: orEmpty(optional[id]),
		}
		for name, to := range map[string]**bool{
			"surrogate_auth_required": &c.SurrogateAuthRequired, "enabled": &c.Enabled, "always_display_in_console": &c.AlwaysDisplayInConsole,
			"bearer_only": &c.BearerOnly, "consent_required": &c.ConsentRequired, "standard_flow_enabled": &c.StandardFlowEnabled,
			"implicit_flow_enabled": &c.ImplicitFlowEnabled, "direct_access_grants_enabled": &c.DirectAccessGrantsEnabled,
			"service_accounts_enabled": &c.ServiceAccountsEnabled, "public_client": &c.PublicClient, "frontchannel_logout": &c.FrontchannelLogout,
			"full_scope_allowed": &c.FullScopeAllowed,
		} {
			*to = new(x.flag(name))
		}
		r.out.Clients = append(r.out.Clients, c)
	}, `select * from CLIENT where REALM_ID = ? order by CLIENT_ID`)
}

// put sets a value in a map of maps.
func put[V any](all map[string]map[string]V, owner, name string, v V) {
	if all[owner] == nil {
		all[owner] = map[string]V{}
	}
	all[owner][name] = v
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func (r *reader) mappers(owner, q, config string) map[string][]rep.ProtocolMapper {
	configs := r.values("protocol_mapper_id", config)
	all := map[string][]rep.ProtocolMapper{}
	r.each(func(x row) {
		m := rep.ProtocolMapper{ID: x.text("id"), Name: x.text("name"), Protocol: x.text("protocol"),
			ProtocolMapper: x.text("protocol_mapper_name"),
			Config:         configs[x.text("id")]}
		if m.Config == nil {
			m.Config = map[string]string{}
		}
		all[x.text(owner)] = append(all[x.text(owner)], m)
	}, q+` order by NAME, ID`)
	return all
}

func (r *reader) readScopes() {
	attrs := r.values("scope_id", `select * from CLIENT_SCOPE_ATTRIBUTES where SCOPE_ID`+ofScopes)
	mappers := r.mappers("client_scope_id", `select * from PROTOCOL_MAPPER where CLIENT_SCOPE_ID`+ofScopes,
		`select * from PROTOCOL_MAPPER_CONFIG where PROTOCOL_MAPPER_ID in (select ID from PROTOCOL_MAPPER where CLIENT_SCOPE_ID`+ofScopes+`)`)
	r.out.ClientScopes, r.out.DefaultDefaultClientScopes, r.out.DefaultOptionalClientScopes = []rep.ClientScope{}, []string{}, []string{}
	r.each(func(x row) {
		id := x.text("id")
		r.out.ClientScopes = append(r.out.ClientScopes, rep.ClientScope{ID: id, Name: x.text("name"), Description: x.opt("description"),
			Protocol: x.text("protocol"), Attributes: attrs[id], ProtocolMappers: mappers[id]})
	}, `select * from CLIENT_SCOPE where REALM_ID = ? order by NAME`)
	r.each(func(x row) {
		to := &r.out.DefaultOptionalClientScopes
		if x.flag("default_scope") {
			to = &r.out.DefaultDefaultClientScopes
		}
		if name, ok := r.scopes[x.text("scope_id")]; ok {
			*to = append(*to, name)
		}
	}, `select * from DEFAULT_CLIENT_SCOPE where REALM_ID = ?`)
}

// readMappings reads the roles that tokens of clients, and of scopes, may have.
func (r *reader) readMappings() {
	r.out.ClientScopeMappings = map[string][]rep.ScopeMapping{}
	add := func(m rep.ScopeMapping, ids []string) {
		realm, clients := r.names(ids)
		if m.Roles = realm; len(realm) > 0 {
			r.out.ScopeMappings = append(r.out.ScopeMappings, m)
		}
		for client, names := range clients {
			m.Roles = names
			r.out.ClientScopeMappings[client] = append(r.out.ClientScopeMappings[client], m)
		}
	}
	byOwner := func(all map[string][]string, f func(id string, roles []string)) {
		for _, id := range slices.Sorted(maps.Keys(all)) { // read twice, a realm is the same twice
			f(id, all[id])
		}
	}
	byOwner(r.lists("client_id", "role_id", `select * from SCOPE_MAPPING where CLIENT_ID`+ofClients), func(id string, roles []string) {
		add(rep.ScopeMapping{Client: r.clients[id]}, roles)
	})
	byOwner(r.lists("scope_id", "role_id", `select * from CLIENT_SCOPE_ROLE_MAPPING where SCOPE_ID`+ofScopes), func(id string,
		roles []string) {
		add(rep.ScopeMapping{ClientScope: r.scopes[id]}, roles)
	})
}

// requirements are those of executions, in the order of Keycloak's numbers for them.
var requirements = []string{"REQUIRED", "CONDITIONAL", "ALTERNATIVE", "DISABLED"}

func (r *reader) readFlows() {
	out, configs := r.out, map[string]string{}
	entries := r.values("authenticator_id", `select * from AUTHENTICATOR_CONFIG_ENTRY where AUTHENTICATOR_ID in (select ID
		from AUTHENTICATOR_CONFIG where REALM_ID = ?)`)
	out.AuthenticatorConfig, out.AuthenticationFlows, out.RequiredActions = []rep.AuthenticatorConfig{}, []rep.Flow{}, []rep.RequiredAction{}
	r.each(func(x row) {
		configs[x.text("id")] = x.text("alias")
		out.AuthenticatorConfig = append(out.AuthenticatorConfig, rep.AuthenticatorConfig{ID: x.text("id"), Alias: x.text("alias"),
			Config: entries[x.text("id")]})
	}, `select * from AUTHENTICATOR_CONFIG where REALM_ID = ? order by ALIAS`)
	executions := map[string][]rep.ExecutionExport{}
	r.each(func(x row) {
		e := rep.ExecutionExport{Authenticator: x.text("authenticator"), AuthenticatorConfig: configs[x.text("auth_config")],
			AuthenticatorFlow: x.flag("authenticator_flow"), Priority: x.integer("priority"), FlowAlias: r.flows[x.text("auth_flow_id")]}
		e.AutheticatorFlow = e.AuthenticatorFlow
		if n := x.num("requirement"); n >= 0 && int(n) < len(requirements) {
			e.Requirement = requirements[n]
		}
		executions[x.text("flow_id")] = append(executions[x.text("flow_id")], e)
	}, `select * from AUTHENTICATION_EXECUTION where REALM_ID = ? order by PRIORITY, ID`)
	r.each(func(x row) {
		f := rep.Flow{ID: x.text("id"), Alias: x.text("alias"), Description: x.opt("description"), ProviderID: x.text("provider_id"),
			TopLevel: x.flag("top_level"), BuiltIn: x.flag("built_in"), AuthenticationExecutions: executions[x.text("id")]}
		if f.AuthenticationExecutions == nil {
			f.AuthenticationExecutions = []rep.ExecutionExport{}
		}
		out.AuthenticationFlows = append(out.AuthenticationFlows, f)
	}, `select * from AUTHENTICATION_FLOW where REALM_ID = ? order by ALIAS`)
	actions := map[string]map[string]string{}
	if r.s.has("REQUIRED_ACTION_CONFIG") {
		actions = r.values("required_action_id", `select * from REQUIRED_ACTION_CONFIG where REQUIRED_ACTION_ID in (select ID
			from REQUIRED_ACTION_PROVIDER where REALM_ID = ?)`)
	}
	r.each(func(x row) {
		a := rep.RequiredAction{Alias: x.text("alias"), Name: x.text("name"), ProviderID: x.text("provider_id"), Enabled: x.flag("enabled"),
			DefaultAction: x.flag("default_action"), Priority: int(x.num("priority")), Config: actions[x.text("id")]}
		if a.Config == nil {
			a.Config = map[string]string{}
		}
		out.RequiredActions = append(out.RequiredActions, a)
	}, `select * from REQUIRED_ACTION_PROVIDER where REALM_ID = ? order by PRIORITY, ALIAS`)
}

func (r *reader) readProviders() {
	configs := r.values("identity_provider_id", `select * from IDENTITY_PROVIDER_CONFIG where IDENTITY_PROVIDER_ID in (select INTERNAL_ID
		from IDENTITY_PROVIDER where REALM_ID = ?)`)
	r.out.IdentityProviders, r.out.IdentityProviderMappers = []rep.IdentityProvider{}, []rep.IdentityProviderMapper{}
	flow := func(id string) *string {
		if alias, ok := r.flows[id]; ok {
			return &alias
		}
		return nil
	}
	r.each(func(x row) {
		p := rep.IdentityProvider{
			Alias: x.text("provider_alias"), DisplayName: x.opt("provider_display_name"), InternalID: x.text("internal_id"),
			ProviderID: x.text("provider_id"),
			Enabled:    new(x.flag("enabled")), TrustEmail: x.optFlag("trust_email"), StoreToken: x.optFlag("store_token"),
			AddReadTokenRoleOnCreate: x.optFlag("add_token_role"), AuthenticateByDefault: x.optFlag("authenticate_by_default"),
			LinkOnly:                  x.optFlag("link_only"),
			FirstBrokerLoginFlowAlias: flow(x.text("first_broker_login_flow_id")),
			PostBrokerLoginFlowAlias:  flow(x.text("post_broker_login_flow_id")),
			OrganizationID:            x.opt("organization_id"), Config: configs[x.text("internal_id")], HideOnLogin: x.optFlag("hide_on_login"),
		}
		r.out.IdentityProviders = append(r.out.IdentityProviders, p)
	}, `select * from IDENTITY_PROVIDER where REALM_ID = ? order by PROVIDER_ALIAS`)
	mappers := r.values("idp_mapper_id", `select * from IDP_MAPPER_CONFIG where IDP_MAPPER_ID in (select ID from IDENTITY_PROVIDER_MAPPER
		where REALM_ID = ?)`)
	r.each(func(x row) {
		r.out.IdentityProviderMappers = append(r.out.IdentityProviderMappers, rep.IdentityProviderMapper{ID: x.text("id"), Name: x.text("name"),
			IdentityProviderAlias: x.text("idp_alias"), IdentityProviderMapper: x.text("idp_mapper_name"), Config: mappers[x.text("id")]})
	}, `select * from IDENTITY_PROVIDER_MAPPER where REALM_ID = ? order by IDP_ALIAS, NAME`)
}

// readComponents reads keys with their secrets, directories, the user profile and registration policies.
func (r *reader) readComponents() {
	configs := r.multi("component_id", `select * from COMPONENT_CONFIG where COMPONENT_ID in (select ID from COMPONENT where REALM_ID = ?)
		order by ID`)
	var list []rep.Component
	r.each(func(x row) {
		c := rep.Component{ID: x.text("id"), Name: x.text("name"), ProviderID: x.text("provider_id"), ProviderType: x.text("provider_type"),
			ParentID: x.text("parent_id"), SubType: x.text("sub_type"), Config: configs[x.text("id")]}
		if c.ParentID == "" {
			c.ParentID = r.of.ID
		}
		if c.Config == nil {
			c.Config = map[string][]string{}
		}
		list = append(list, c)
	}, `select * from COMPONENT where REALM_ID = ? order by NAME, ID`)
	r.out.Components = rep.ExportComponents(list, r.of.ID)
}
