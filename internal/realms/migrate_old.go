package realms

import (
	"cmp"
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

// What realm files older than Keycloak 8.0.1 lack. Keycloak: MigrateTo1_2_0 to
// MigrateTo8_0_0; what is not brought is in doc/DIVERGENCES.md.

// clientNames names the built-in clients. Keycloak: MigrateTo1_2_0.
func (c *completion) clientNames() error {
	for _, id := range []string{ClientAccount, ClientAdminConsole, ClientAdmin} {
		if cl := c.client(id); cl != nil && cl.Name == nil {
			cl.Name = new("${client_" + id + "}")
		}
	}
	return nil
}

// client is the client of that id, nil when there is none.
func (c *completion) client(id string) *rep.Client {
	if i := named(c.r.Clients, clientID, id); i >= 0 {
		return &c.r.Clients[i]
	}
	return nil
}

// usualFlows binds the built-in flows: the files know no others yet.
// Keycloak: MigrateTo1_5_0.
func (c *completion) usualFlows() error {
	t, err := template("settings.json", c.given.Realm)
	if err != nil {
		return err
	}
	flows, err := template("flows.json", c.given.Realm)
	if err != nil {
		return err
	}
	r := c.r
	r.OTPPolicyType, r.OTPPolicyAlgorithm, r.OTPPolicyInitialCounter = t.OTPPolicyType, t.OTPPolicyAlgorithm, t.OTPPolicyInitialCounter
	r.OTPPolicyDigits, r.OTPPolicyLookAheadWindow, r.OTPPolicyPeriod = t.OTPPolicyDigits, t.OTPPolicyLookAheadWindow, t.OTPPolicyPeriod
	r.BrowserFlow, r.RegistrationFlow, r.DirectGrantFlow = flows.BrowserFlow, flows.RegistrationFlow, flows.DirectGrantFlow
	for i := range r.Clients {
		r.Clients[i].ClientAuthenticatorType = "client-secret"
	}
	return nil
}

// offlineIdle and implicitLifespan set what the files do not know yet.
// Keycloak: MigrateTo1_6_0, MigrateTo1_7_0.
func (c *completion) offlineIdle() error {
	c.r.OfflineSessionIdleTimeout = new(2592000)
	return nil
}

func (c *completion) implicitLifespan() error {
	c.r.AccessTokenLifespanForImplicitFlow = new(900)
	return nil
}

// header sets a security header, whatever the file says.
// Keycloak: MigrateTo1_9_2, MigrateTo3_1_0, MigrateTo3_4_0.
func (c *completion) header(name, value string) func() error {
	return func() error {
		c.r.BrowserSecurityHeaders[name] = value
		return nil
	}
}

// contentPolicy forbids what the old default policy did not think of.
// Keycloak: MigrateTo3_4_1.
func (c *completion) contentPolicy() error {
	for name, value := range c.r.BrowserSecurityHeaders {
		if value == "frame-src 'self'" {
			c.r.BrowserSecurityHeaders[name] = "frame-src 'self'; frame-ancestors 'self'; object-src 'none';"
		}
	}
	return nil
}

// accountLinks lets users manage their links. Keycloak: MigrateTo3_0_0.
func (c *completion) accountLinks() error {
	const links, manage = "manage-account-links", "manage-account"
	account := c.r.Roles.Client[ClientAccount]
	if !c.madeClient(ClientAccount) {
		return nil
	}
	if named(account, roleName, links) < 0 {
		account = append(account, rep.Role{Name: links})
		c.r.Roles.Client[ClientAccount] = account
	}
	if i := named(account, roleName, manage); i >= 0 {
		account[i].Composites = new(rep.Val(account[i].Composites))
		addClientName(account[i].Composites, ClientAccount, links)
	}
	return nil
}

// queryRoles lets those who may view also search, and drops the number of hash
// iterations that was the default once. Keycloak: MigrateTo3_2_0.
func (c *completion) queryRoles() error {
	policy := iam.ParsePasswordPolicy(rep.Val(c.r.PasswordPolicy))
	_, own := policy.Rule("hashAlgorithm")
	if n, _ := policy.Rule("hashIterations"); n == "20000" && !own {
		policy = slices.DeleteFunc(policy, func(r iam.PasswordRule) bool { return r.ID == "hashIterations" })
		c.r.PasswordPolicy = nil
		if text := policy.String(); text != "" {
			c.r.PasswordPolicy = &text
		}
	}
	for _, q := range []struct {
		view    string
		queries []string
	}{{"view-clients", []string{"query-clients"}}, {"view-users", []string{"query-users", "query-groups"}}} {
		list := c.r.Roles.Client[ClientAdmin]
		i := named(list, roleName, q.view)
		if i < 0 {
			continue
		}
		list[i].Composites = new(rep.Val(list[i].Composites))
		for _, name := range q.queries {
			addClientName(list[i].Composites, ClientAdmin, name)
		}
	}
	return nil
}

// aesKey adds the key that cookies and codes are sealed with. Keycloak: MigrateTo3_4_0.
func (c *completion) aesKey() error {
	return c.key(func(k rep.ComponentExport) bool { return k.ProviderID == "aes-generated" })
}

// narrowAdmins takes from the built-in clients of administrators what no token
// of theirs needs. Keycloak: MigrateTo3_4_2.
func (c *completion) narrowAdmins() error {
	for _, id := range []string{ClientAdminCLI, ClientAdminConsole} {
		cl := c.client(id)
		if cl == nil {
			continue
		}
		cl.FullScopeAllowed = new(false)
		mine := func(m rep.ScopeMapping) bool { return m.Client == id }
		c.r.ScopeMappings = slices.DeleteFunc(c.r.ScopeMappings, mine)
		for name, list := range c.r.ClientScopeMappings {
			c.r.ClientScopeMappings[name] = slices.DeleteFunc(list, mine)
		}
	}
	return nil
}

// offlineScope lets clients ask for offline_access that could have its role, and
// asks for consent where no scope did. Keycloak: MigrateTo4_0_0.
func (c *completion) offlineScope() error {
	for _, list := range c.r.Components[TypeRegistrationPolicy] {
		if list.ProviderID != "allowed-client-templates" {
			continue
		}
		if names, ok := list.Config["allowed-client-templates"]; ok {
			list.Config["allowed-client-scopes"] = names
			delete(list.Config, "allowed-client-templates")
		}
		if list.Config != nil {
			list.Config["allow-default-scopes"] = []string{"true"}
		}
	}
	if named(c.r.ClientScopes, scopeName, scopeOffline) >= 0 {
		c.eachOIDC(func(cl *rep.Client) {
			i := slices.IndexFunc(c.r.ScopeMappings, func(m rep.ScopeMapping) bool {
				return m.Client == cl.ClientID &&
					slices.Contains(m.Roles, roleOffline)
			})
			if full := rep.Val(cl.FullScopeAllowed); !full && i < 0 || slices.Contains(cl.OptionalClientScopes, scopeOffline) {
				return
			}
			addName(&cl.OptionalClientScopes, scopeOffline)
			if i >= 0 && !rep.Val(cl.FullScopeAllowed) {
				m := &c.r.ScopeMappings[i]
				m.Roles = slices.DeleteFunc(m.Roles, func(name string) bool { return name == roleOffline })
			}
		})
	}
	for i := range c.r.Clients {
		cl := &c.r.Clients[i]
		if rep.Val(cl.ConsentRequired) && len(cl.DefaultClientScopes) == 0 {
			cl.Attributes["display.on.consent.screen"] = "true"
			cl.Attributes["consent.screen.text"] = cmp.Or(rep.Val(cl.Name), cl.ClientID)
		}
	}
	return nil
}

// eachOIDC does something with the clients that ask for tokens.
// Keycloak: MigrationUtils.isOIDCNonBearerOnlyClient.
func (c *completion) eachOIDC(f func(cl *rep.Client)) {
	for i := range c.r.Clients {
		if cl := &c.r.Clients[i]; cmp.Or(cl.Protocol, string(iam.OIDC)) == string(iam.OIDC) && !rep.Val(cl.BearerOnly) {
			f(cl)
		}
	}
}

// actionOrder gives required actions an order, that of their names.
// Keycloak: MigrateTo4_2_0.
func (c *completion) actionOrder() error {
	order := make([]*rep.RequiredAction, len(c.r.RequiredActions))
	for i := range c.r.RequiredActions {
		order[i] = &c.r.RequiredActions[i]
	}
	slices.SortStableFunc(order, func(a, b *rep.RequiredAction) int { return strings.Compare(a.Name, b.Name) })
	for i, a := range order {
		a.Priority = 10 * (i + 1)
	}
	return nil
}

// rolesScopes adds the client scopes that put roles and origins into tokens.
// Keycloak: MigrateTo4_6_0.
func (c *completion) rolesScopes() error {
	return c.scopesForOIDC(false, "roles", "web-origins")
}

// microprofile adds the client scope of that name. Keycloak: MigrateTo6_0_0.
func (c *completion) microprofile() error {
	return c.scopesForOIDC(true, "microprofile-jwt")
}

// scopesForOIDC gives clients that ask for tokens client scopes that every new
// realm has.
func (c *completion) scopesForOIDC(optional bool, names ...string) error {
	for _, name := range names {
		realm, of := &c.r.DefaultDefaultClientScopes, func(cl *rep.Client) *[]string { return &cl.DefaultClientScopes }
		if optional {
			realm, of = &c.r.DefaultOptionalClientScopes, func(cl *rep.Client) *[]string { return &cl.OptionalClientScopes }
		}
		if named(c.r.ClientScopes, scopeName, name) < 0 {
			if err := c.scope(name); err != nil {
				return err
			}
			addName(realm, name)
		}
		c.eachOIDC(func(cl *rep.Client) {
			if !slices.Contains(cl.DefaultClientScopes, name) && !slices.Contains(cl.OptionalClientScopes, name) {
				addName(of(cl), name)
			}
		})
	}
	return nil
}

// consoleAddresses takes the path /auth, and whole addresses, out of the
// built-in clients. Keycloak: MigrateTo8_0_0.
func (c *completion) consoleAddresses() error {
	t, err := template("clients.json", c.given.Realm)
	if err != nil {
		return err
	}
	for _, id := range []string{ClientAdminConsole, ClientAccount} {
		cl, usual := c.client(id), &t.Clients[named(t.Clients, clientID, id)]
		if cl == nil {
			continue
		}
		cl.RootURL, cl.BaseURL, cl.RedirectURIs = usual.RootURL, usual.BaseURL, usual.RedirectURIs
		if id == ClientAdminConsole {
			cl.WebOrigins = usual.WebOrigins
		}
	}
	return nil
}

// truststore is how LDAP providers say that they check certificates.
// Keycloak: MigrateTo24_0_0.updateLdapProviderConfig.
func (c *completion) truststore() error {
	for _, p := range c.r.Components[TypeUserStorage] {
		if first(p.Config["useTruststoreSpi"]) == "ldapsOnly" {
			p.Config["useTruststoreSpi"] = []string{"always"}
		}
	}
	return nil
}
