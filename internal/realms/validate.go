package realms

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

// A Problem is a mistake in a realm's representation. Path is a JSON pointer
// (RFC 6901) to it; Line and Column, from 1, are known when the realm came
// from a file. It is an *iam.Error to errors.As.
type Problem struct {
	File         string
	Path         string
	Line, Column int
	Msg          string
	twice        bool
}

func (p *Problem) Error() string {
	place := p.Path
	if p.Line > 0 {
		place = fmt.Sprintf("line %d column %d: %s", p.Line, p.Column, p.Path)
	}
	if p.File != "" {
		place = p.File + ": " + place
	}
	return strings.TrimSuffix(place, ": ") + ": " + p.Msg
}

// Unwrap makes it an *iam.Error.
func (p *Problem) Unwrap() error {
	if p.twice {
		return errExists("Duplicate resource error")
	}
	return &iam.Error{Kind: iam.Invalid, Msg: p.Path + ": " + p.Msg}
}

// validate looks for what cannot be stored: names that stand for nothing, or
// for two things. given is where places are counted, whole what it became.
func validate(given, whole *rep.Realm) []Problem {
	v := validation{given: given, whole: whole}
	for _, check := range []func(){v.scopes, v.clients, v.roles, v.mappings, v.groups, v.flows, v.components, v.providers,
		v.users, v.federated} {
		check()
	}
	return v.problems
}

type validation struct {
	given, whole *rep.Realm
	problems     []Problem
}

func (v *validation) report(path, format string, args ...any) {
	v.problems = append(v.problems, Problem{Path: path, Msg: fmt.Sprintf(format, args...)})
}

// A once notices names and ids that are there twice, or empty.
type once struct {
	v    *validation
	seen map[string]bool
}

func (v *validation) once() once { return once{v, map[string]bool{}} }

func (o once) name(path, what, name string) {
	switch {
	case name == "":
		o.v.report(path, "there is no %s", what)
	case o.seen[what+" "+name]:
		o.v.report(path, "%s %q is there twice", what, name)
		o.v.problems[len(o.v.problems)-1].twice = true
	}
	o.seen[what+" "+name] = true
}

// id is like name, but may be absent.
func (o once) id(path, id string) {
	if id != "" {
		o.name(path, "id", id)
	}
}

func (v *validation) hasClient(id string) bool { return named(v.whole.Clients, clientID, id) >= 0 }

func (v *validation) hasScope(name string) bool {
	return named(v.whole.ClientScopes, scopeName, name) >= 0
}

func (v *validation) hasFlow(alias string) bool {
	return named(v.whole.AuthenticationFlows, flowAlias, alias) >= 0
}

func (v *validation) scopes() {
	seen := v.once()
	for i := range v.given.ClientScopes {
		s, at := &v.given.ClientScopes[i], fmt.Sprintf("/clientScopes/%d", i)
		seen.name(at+"/name", "client scope", s.Name)
		seen.id(at+"/id", s.ID)
		v.protocolMappers(at, s.ProtocolMappers)
		if _, err := s.IAM(); err != nil {
			v.report(at, "%v", err)
		}
	}
}

func (v *validation) protocolMappers(at string, list []rep.ProtocolMapper) {
	seen := v.once()
	for i := range list {
		// One name may serve two protocols.
		seen.name(fmt.Sprintf("%s/protocolMappers/%d/name", at, i), "protocol mapper of "+list[i].Protocol, list[i].Name)
		if list[i].ProtocolMapper == "" {
			v.report(fmt.Sprintf("%s/protocolMappers/%d/protocolMapper", at, i), "there is no protocolMapper")
		}
	}
}

func (v *validation) clients() {
	seen := v.once()
	levels := browserLevels(v.whole)
	for i := range v.given.Clients {
		c, at := &v.given.Clients[i], fmt.Sprintf("/clients/%d", i)
		if name := or(c.ClientID, c.ID); name != "" {
			seen.name(at+"/clientId", "client", name)
		}
		seen.id(at+"/id", c.ID)
		v.protocolMappers(at, c.ProtocolMappers)
		if _, err := c.IAM(); err != nil {
			v.report(at, "%v", err)
		} else if j := named(v.whole.Clients, clientID, or(c.ClientID, c.ID)); j >= 0 {
			for _, p := range ClientProblems(v.whole, levels, &v.whole.Clients[j]) {
				v.report(at+"/"+p.Member, "%s", p.Msg)
			}
		}
		for purpose, flow := range c.AuthenticationFlowBindingOverrides {
			if flow != "" && !slices.ContainsFunc(v.whole.AuthenticationFlows, func(f rep.Flow) bool { return f.ID == flow }) {
				v.report(at+"/authenticationFlowBindingOverrides/"+purpose, "there is no flow with id %q", flow)
			}
		}
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (v *validation) roles() {
	if v.given.Roles == nil {
		return
	}
	ids := v.once()
	list := func(at string, roles []rep.Role) {
		names := v.once()
		for i := range roles {
			role, at := &roles[i], fmt.Sprintf("%s/%d", at, i)
			names.name(at+"/name", "role", role.Name)
			ids.id(at+"/id", role.ID)
			if cs := role.Composites; cs != nil {
				v.roleNames(at+"/composites/realm", at+"/composites/client", cs.Realm, cs.Client)
			}
		}
	}
	list("/roles/realm", v.given.Roles.Realm)
	for _, client := range sorted(v.given.Roles.Client) {
		at := "/roles/client/" + escape(client)
		if !v.hasClient(client) {
			v.report(at, "there is no client %q", client)
		}
		list(at, v.given.Roles.Client[client])
	}
}

// escape makes a reference token of a JSON pointer.
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

func (v *validation) roleNames(atRealm, atClient string, realm []string, clients map[string][]string) {
	for i, name := range realm {
		if named(v.whole.Roles.Realm, roleName, name) < 0 {
			v.report(fmt.Sprintf("%s/%d", atRealm, i), "there is no realm role %q", name)
		}
	}
	for _, client := range sorted(clients) {
		at := atClient + "/" + escape(client)
		if !v.hasClient(client) {
			v.report(at, "there is no client %q", client)
			continue
		}
		for i, name := range clients[client] {
			if named(v.whole.Roles.Client[client], roleName, name) < 0 {
				v.report(fmt.Sprintf("%s/%d", at, i), "client %q has no role %q", client, name)
			}
		}
	}
}

func (v *validation) mappings() {
	owner := func(at string, m rep.ScopeMapping) {
		switch {
		case m.Client != "":
			if !v.hasClient(m.Client) {
				v.report(at+"/client", "there is no client %q", m.Client)
			}
		case m.ClientScope == "":
			v.report(at, "a scope mapping needs client or clientScope")
		case !v.hasScope(m.ClientScope):
			v.report(at+"/clientScope", "there is no client scope %q", m.ClientScope)
		}
	}
	for i, m := range v.given.ScopeMappings {
		at := fmt.Sprintf("/scopeMappings/%d", i)
		owner(at, m)
		v.roleNames(at+"/roles", "", m.Roles, nil)
	}
	for _, client := range sorted(v.given.ClientScopeMappings) {
		for i, m := range v.given.ClientScopeMappings[client] {
			at := fmt.Sprintf("/clientScopeMappings/%s/%d", escape(client), i)
			owner(at, m)
			v.roleNames("", at+"/roles", nil, map[string][]string{client: m.Roles})
		}
	}
}

func (v *validation) groups() {
	ids := v.once()
	var below func(at string, list []rep.Group)
	below = func(at string, list []rep.Group) {
		names := v.once()
		for i := range list {
			g, at := &list[i], fmt.Sprintf("%s/%d", at, i)
			names.name(at+"/name", "group", g.Name)
			ids.id(at+"/id", g.ID)
			v.roleNames(at+"/realmRoles", at+"/clientRoles", g.RealmRoles, g.ClientRoles)
			below(at+"/subGroups", g.SubGroups)
		}
	}
	below("/groups", v.given.Groups)
	paths := groupPaths(v.whole.Groups)
	for i, path := range v.given.DefaultGroups {
		if v.given.Groups != nil && !paths[groupPath(path)] {
			v.report(fmt.Sprintf("/defaultGroups/%d", i), "there is no group %q", path)
		}
	}
}

func groupPaths(list []rep.Group) map[string]bool {
	paths := map[string]bool{}
	var below func(list []rep.Group)
	below = func(list []rep.Group) {
		for i := range list {
			paths[list[i].Path] = true
			below(list[i].SubGroups)
		}
	}
	below(list)
	return paths
}

func (v *validation) flows() {
	seen := v.once()
	for i := range v.given.AuthenticationFlows {
		f, at := &v.given.AuthenticationFlows[i], fmt.Sprintf("/authenticationFlows/%d", i)
		seen.name(at+"/alias", "flow", f.Alias)
		seen.id(at+"/id", f.ID)
		for j, e := range f.AuthenticationExecutions {
			at := fmt.Sprintf("%s/authenticationExecutions/%d", at, j)
			switch iam.Requirement(e.Requirement) {
			case iam.Required, iam.Alternative, iam.Conditional, iam.Disabled, "OPTIONAL":
			default:
				v.report(at+"/requirement", "%q is none of REQUIRED, OPTIONAL, ALTERNATIVE, CONDITIONAL, DISABLED", e.Requirement)
			}
			switch {
			case e.FlowAlias != "" && !v.hasFlow(e.FlowAlias):
				v.report(at+"/flowAlias", "there is no flow %q", e.FlowAlias)
			case e.FlowAlias == "" && e.Authenticator == "":
				v.report(at, "an execution needs authenticator or flowAlias")
			}
			if e.AuthenticatorConfig != "" && named(v.whole.AuthenticatorConfig, configAlias, e.AuthenticatorConfig) < 0 {
				v.report(at+"/authenticatorConfig", "there is no authenticator configuration %q", e.AuthenticatorConfig)
			}
		}
	}
	configs := v.once()
	for i := range v.given.AuthenticatorConfig {
		c, at := &v.given.AuthenticatorConfig[i], fmt.Sprintf("/authenticatorConfig/%d", i)
		configs.name(at+"/alias", "authenticator configuration", c.Alias)
		configs.id(at+"/id", c.ID)
	}
	actions := v.once()
	for i := range v.given.RequiredActions {
		actions.name(fmt.Sprintf("/requiredActions/%d/alias", i), "required action", v.given.RequiredActions[i].Alias)
	}
}

func (v *validation) components() {
	ids := v.once()
	var below func(at string, tree map[string][]rep.ComponentExport)
	below = func(at string, tree map[string][]rep.ComponentExport) {
		for _, kind := range sorted(tree) {
			for i := range tree[kind] {
				c, at := &tree[kind][i], fmt.Sprintf("%s/%s/%d", at, escape(kind), i)
				ids.id(at+"/id", c.ID)
				if c.ProviderID == "" {
					v.report(at+"/providerId", "there is no providerId")
				}
				if kind == TypeWebhook {
					if _, err := ParseWebhook(c.ID, c.Config); err != nil {
						v.report(at+"/config", "%s", err)
					}
				}
				below(at+"/subComponents", c.SubComponents)
			}
		}
	}
	below("/components", v.given.Components)
}

func (v *validation) providers() {
	seen := v.once()
	for i := range v.given.IdentityProviders {
		p, at := &v.given.IdentityProviders[i], fmt.Sprintf("/identityProviders/%d", i)
		seen.name(at+"/alias", "identity provider", p.Alias)
		seen.id(at+"/internalId", p.InternalID)
		for _, flow := range []*string{p.FirstBrokerLoginFlowAlias, p.PostBrokerLoginFlowAlias} {
			if alias := rep.Val(flow); alias != "" && !v.hasFlow(alias) { // Keycloak: RepresentationToModel.toModel
				v.report(at, "No available authentication flow with alias: %s", alias)
			}
		}
	}
	mappers := v.once()
	for i := range v.given.IdentityProviderMappers {
		m, at := &v.given.IdentityProviderMappers[i], fmt.Sprintf("/identityProviderMappers/%d", i)
		mappers.id(at+"/id", m.ID)
		if m.Name != "" {
			mappers.name(at+"/name", "mapper of identity provider "+m.IdentityProviderAlias, m.Name)
		}
		if named(v.whole.IdentityProviders, providerAlias, m.IdentityProviderAlias) < 0 {
			v.report(at+"/identityProviderAlias", "there is no identity provider %q", m.IdentityProviderAlias)
		}
	}
}

func providerAlias(p *rep.IdentityProvider) string { return p.Alias }

func (v *validation) users() {
	seen, emails, services := v.once(), v.once(), v.once()
	paths := groupPaths(v.whole.Groups)
	for i := range v.given.Users {
		u, at := &v.given.Users[i], fmt.Sprintf("/users/%d", i)
		seen.name(at+"/username", "user", strings.ToLower(u.Username))
		seen.id(at+"/id", u.ID)
		if email := strings.ToLower(rep.Val(u.Email)); email != "" && !rep.Val(v.whole.DuplicateEmailsAllowed) {
			emails.name(at+"/email", "e-mail address", email)
		}
		v.roleNames(at+"/realmRoles", at+"/clientRoles", u.RealmRoles, u.ClientRoles)
		for j, path := range u.Groups {
			if !paths[groupPath(path)] {
				v.report(fmt.Sprintf("%s/groups/%d", at, j), "there is no group %q", path)
			}
		}
		if c := u.ServiceAccountClientID; c != "" {
			services.name(at+"/serviceAccountClientId", "service account of client", c)
			if !v.hasClient(c) {
				v.report(at+"/serviceAccountClientId", "there is no client %q", c)
			}
		}
		for j := range u.ClientConsents {
			v.consent(fmt.Sprintf("%s/clientConsents/%d", at, j), &u.ClientConsents[j])
		}
		links := v.once()
		for j := range u.FederatedIdentities {
			links.name(fmt.Sprintf("%s/federatedIdentities/%d/identityProvider", at, j), "federated identity of",
				u.FederatedIdentities[j].IdentityProvider)
		}
		credentials := v.once()
		for j := range u.Credentials {
			c, at := &u.Credentials[j], fmt.Sprintf("%s/credentials/%d", at, j)
			credentials.id(at+"/id", c.ID)
			v.jsonObject(at+"/secretData", c.SecretData)
			v.jsonObject(at+"/credentialData", c.CredentialData)
		}
	}
}

// federated looks only at what a federated user is found by: the names in its
// document stand for what was there when it was written.
func (v *validation) federated() {
	ids := v.once()
	for i := range v.given.FederatedUsers {
		ids.name(fmt.Sprintf("/federatedUsers/%d/id", i), "id of a federated user", v.given.FederatedUsers[i].ID)
	}
}

func (v *validation) jsonObject(at, text string) {
	var object map[string]any
	if text != "" && json.Unmarshal([]byte(text), &object) != nil {
		v.report(at, "not a JSON object")
	}
}

func (v *validation) consent(at string, c *rep.UserConsent) {
	if !v.hasClient(c.ClientID) {
		v.report(at+"/clientId", "there is no client %q", c.ClientID)
	}
	for i, name := range c.GrantedClientScopes {
		if !v.hasScope(name) && !v.hasClient(name) {
			v.report(fmt.Sprintf("%s/grantedClientScopes/%d", at, i), "there is no client scope %q", name)
		}
	}
}
