package realms

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

// rank is a default flow's place in the order in which Keycloak makes them;
// sub-flows come after, nobody lists them. Keycloak: DefaultAuthenticationFlows.
func rank(alias string) int {
	made := []string{"browser", "direct grant", "registration", "reset credentials", "clients", "first broker login", "docker auth"}
	if i := slices.Index(made, alias); i >= 0 {
		return i
	}
	return len(made)
}

// flows: a realm that brings flows has those, and beside them the default ones
// that it does not bring. Keycloak: DefaultExportImportManager.importAuthenticationFlows.
func (c *completion) flows() error {
	t, err := template("flows.json", c.given.Realm)
	if err != nil {
		return err
	}
	if c.master {
		dropOrganizations(t)
	}
	slices.SortStableFunc(t.AuthenticationFlows, func(a, b rep.Flow) int { return rank(a.Alias) - rank(b.Alias) })
	r := c.r
	r.AuthenticationFlows, r.AuthenticatorConfig = c.given.AuthenticationFlows, c.given.AuthenticatorConfig
	if len(r.AuthenticationFlows) == 0 {
		r.AuthenticationFlows = t.AuthenticationFlows
		for _, config := range t.AuthenticatorConfig {
			if named(r.AuthenticatorConfig, configAlias, config.Alias) < 0 {
				r.AuthenticatorConfig = append(r.AuthenticatorConfig, config)
			}
		}
	}
	for _, usual := range []string{t.BrowserFlow, t.DirectGrantFlow, t.RegistrationFlow, t.ResetCredentialsFlow, t.ClientAuthenticationFlow,
		*t.FirstBrokerLoginFlow, t.DockerAuthenticationFlow} {
		c.addFlow(t, usual)
	}
	for _, b := range []struct {
		name  string
		out   *string
		usual string
	}{
		{"browserFlow", &r.BrowserFlow, t.BrowserFlow},
		{"registrationFlow", &r.RegistrationFlow, t.RegistrationFlow},
		{"directGrantFlow", &r.DirectGrantFlow, t.DirectGrantFlow},
		{"resetCredentialsFlow", &r.ResetCredentialsFlow, t.ResetCredentialsFlow},
		{"clientAuthenticationFlow", &r.ClientAuthenticationFlow, t.ClientAuthenticationFlow},
		{"dockerAuthenticationFlow", &r.DockerAuthenticationFlow, t.DockerAuthenticationFlow},
	} {
		if *b.out == "" {
			*b.out = b.usual
		}
		if named(r.AuthenticationFlows, flowAlias, *b.out) < 0 {
			return at("/"+b.name, iam.Errorf(iam.Invalid, "%s: there is no flow %q in authenticationFlows", b.name, *b.out))
		}
	}
	if r.FirstBrokerLoginFlow == nil {
		r.FirstBrokerLoginFlow = t.FirstBrokerLoginFlow
	}
	if named(r.AuthenticationFlows, flowAlias, *r.FirstBrokerLoginFlow) < 0 {
		return at("/firstBrokerLoginFlow", iam.Errorf(iam.Invalid, "firstBrokerLoginFlow: there is no flow %q in authenticationFlows",
			*r.FirstBrokerLoginFlow))
	}

	c.identityProviderStep()
	r.RequiredActions = c.given.RequiredActions
	for i := range r.RequiredActions {
		a := &r.RequiredActions[i]
		a.Alias, a.ProviderID = actionName(a.Alias), actionName(a.ProviderID)
		if a.ProviderID == "CONFIGURE_TOTP" && a.Name == "Configure Totp" {
			a.Name = "Configure OTP" // Keycloak: MigrationUtils.updateOTPRequiredAction
		}
	}
	if r.RequiredActions == nil {
		r.RequiredActions = t.RequiredActions
	} else if named(r.RequiredActions, actionAlias, "delete_account") < 0 {
		r.RequiredActions = append(r.RequiredActions, t.RequiredActions[named(t.RequiredActions, actionAlias, "delete_account")])
	}
	return nil
}

// identityProviderStep lets the flow "browser" send people to the identity
// provider that is there for everybody. Keycloak:
// DefaultAuthenticationFlows.addIdentityProviderAuthenticator.
func (c *completion) identityProviderStep() {
	r := c.r
	i := named(r.AuthenticationFlows, flowAlias, "browser")
	if i < 0 {
		return
	}
	steps := &r.AuthenticationFlows[i].AuthenticationExecutions
	if slices.ContainsFunc(*steps, func(e rep.ExecutionExport) bool { return e.Authenticator == stepProviders }) {
		return
	}
	step := rep.ExecutionExport{Authenticator: stepProviders, Requirement: string(iam.Alternative), Priority: new(25)}
	for _, p := range r.IdentityProviders {
		if (p.Enabled == nil || *p.Enabled) && rep.Val(p.AuthenticateByDefault) {
			step.AuthenticatorConfig = p.ProviderID
			if named(r.AuthenticatorConfig, configAlias, p.ProviderID) < 0 {
				r.AuthenticatorConfig = append(r.AuthenticatorConfig, rep.AuthenticatorConfig{Alias: p.ProviderID,
					Config: map[string]string{"defaultProvider": p.ProviderID}})
			}
			break
		}
	}
	*steps = append(*steps, step)
	slices.SortStableFunc(*steps, func(a, b rep.ExecutionExport) int { return cmp.Compare(rep.Val(a.Priority), rep.Val(b.Priority)) })
}

// stepProviders is the step that sends people to an identity provider.
const stepProviders = "identity-provider-redirector"

// dropOrganizations leaves out the sub-flows for organizations, which the
// master realm cannot have. Keycloak: DefaultAuthenticationFlows.addOrganizationBrowserFlowStep.
func dropOrganizations(t *rep.Realm) {
	organization := func(alias string) bool { return strings.HasSuffix(alias, "Organization") }
	t.AuthenticationFlows = slices.DeleteFunc(t.AuthenticationFlows, func(f rep.Flow) bool { return organization(f.Alias) })
	for i := range t.AuthenticationFlows {
		f := &t.AuthenticationFlows[i]
		f.AuthenticationExecutions = slices.DeleteFunc(f.AuthenticationExecutions,
			func(e rep.ExecutionExport) bool { return organization(e.FlowAlias) })
	}
}

func flowAlias(f *rep.Flow) string                  { return f.Alias }
func actionAlias(a *rep.RequiredAction) string      { return a.Alias }
func configAlias(a *rep.AuthenticatorConfig) string { return a.Alias }

// addFlow takes a flow over from the default realm with its sub-flows and
// configurations, unless there is one of that alias.
func (c *completion) addFlow(t *rep.Realm, alias string) {
	if named(c.r.AuthenticationFlows, flowAlias, alias) >= 0 {
		return
	}
	flow := t.AuthenticationFlows[named(t.AuthenticationFlows, flowAlias, alias)]
	c.r.AuthenticationFlows = append(c.r.AuthenticationFlows, flow)
	for _, e := range flow.AuthenticationExecutions {
		if e.FlowAlias != "" {
			c.addFlow(t, e.FlowAlias)
		}
		if e.AuthenticatorConfig != "" && named(c.r.AuthenticatorConfig, configAlias, e.AuthenticatorConfig) < 0 {
			config := t.AuthenticatorConfig[named(t.AuthenticatorConfig, configAlias, e.AuthenticatorConfig)]
			c.r.AuthenticatorConfig = append(c.r.AuthenticatorConfig, config)
		}
	}
}

// components: keys and registration policies, unless the realm brings some.
func (c *completion) components() error {
	t, err := template("components.json", c.given.Realm)
	if err != nil {
		return err
	}
	c.r.Components = c.given.Components
	if c.r.Components == nil {
		c.r.Components = map[string][]rep.ComponentExport{}
	}
	maps.Copy(t.Components, c.masterComponents)
	for kind, list := range t.Components {
		if len(c.r.Components[kind]) == 0 {
			c.r.Components[kind] = list
		}
	}
	if key := c.given.PrivateKey; key != nil && len(c.given.Components[TypeKeyProvider]) == 0 {
		// A realm file from before there were key components. Keycloak: DefaultKeyProviders.createProviders.
		list := slices.DeleteFunc(c.r.Components[TypeKeyProvider], func(k rep.ComponentExport) bool { return k.ProviderID == "rsa-generated" })
		config := map[string][]string{"priority": {"100"}, "privateKey": {*key}}
		if cert := c.given.Certificate; cert != nil {
			config["certificate"] = []string{*cert}
		}
		c.r.Components[TypeKeyProvider] = append(list, rep.ComponentExport{Name: "rsa", ProviderID: "rsa", Config: config})
	}
	c.r.PrivateKey, c.r.PublicKey, c.r.Certificate, c.r.CodeSecret = nil, nil, nil, nil
	return nil
}

// ids gives everything an id that has none, and roles their containers.
func (c *completion) ids() error {
	r := c.r
	clients := map[string]string{}
	for i := range r.Clients {
		setID(&r.Clients[i].ID)
		clients[r.Clients[i].ClientID] = r.Clients[i].ID
		mapperIDs(r.Clients[i].ProtocolMappers)
	}
	for i := range r.ClientScopes {
		setID(&r.ClientScopes[i].ID)
		mapperIDs(r.ClientScopes[i].ProtocolMappers)
		if r.ClientScopes[i].Attributes == nil {
			r.ClientScopes[i].Attributes = map[string]string{}
		}
	}
	for i := range r.Roles.Realm {
		completeRole(&r.Roles.Realm[i], r.ID, false)
	}
	for client, roles := range r.Roles.Client {
		if clients[client] == "" {
			return iam.Errorf(iam.Invalid, "roles.client: there is no client %q", client)
		}
		for i := range roles {
			completeRole(&roles[i], clients[client], true)
		}
	}
	def := r.Roles.Realm[named(r.Roles.Realm, roleName, c.defaultRole)]
	r.DefaultRole = &rep.Role{ID: def.ID, Name: def.Name, Description: def.Description, Composite: true, ClientRole: new(false),
		ContainerID: r.ID}
	groupIDs(r.Groups, "")
	for i := range r.AuthenticationFlows {
		setID(&r.AuthenticationFlows[i].ID)
	}
	for i := range r.AuthenticatorConfig {
		setID(&r.AuthenticatorConfig[i].ID)
	}
	for i := range r.IdentityProviders {
		setID(&r.IdentityProviders[i].InternalID)
	}
	for i := range r.IdentityProviderMappers {
		setID(&r.IdentityProviderMappers[i].ID)
	}
	componentIDs(r.Components)
	return nil
}

func setID(id *string) {
	if *id == "" {
		*id = NewID()
	}
}

func mapperIDs(list []rep.ProtocolMapper) {
	for i := range list {
		setID(&list[i].ID)
		if list[i].Config == nil {
			list[i].Config = map[string]string{}
		}
	}
}

func completeRole(role *rep.Role, container string, ofClient bool) {
	setID(&role.ID)
	role.ContainerID = container
	role.ClientRole = &ofClient
	if cs := role.Composites; cs != nil && len(cs.Realm) == 0 && len(cs.Client) == 0 {
		role.Composites = nil
	}
	role.Composite = role.Composites != nil
	if role.Attributes == nil {
		role.Attributes = map[string][]string{}
	}
}

func groupIDs(list []rep.Group, parent string) {
	for i := range list {
		g := &list[i]
		setID(&g.ID)
		g.Path = parent + "/" + g.Name
		groupIDs(g.SubGroups, g.Path)
	}
}

func componentIDs(components map[string][]rep.ComponentExport) {
	for _, list := range components {
		for i := range list {
			setID(&list[i].ID)
			if list[i].SubComponents == nil {
				list[i].SubComponents = map[string][]rep.ComponentExport{}
			}
			if list[i].Config == nil {
				list[i].Config = map[string][]string{}
			}
			componentIDs(list[i].SubComponents)
		}
	}
}
