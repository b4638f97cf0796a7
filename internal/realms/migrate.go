package realms

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

// A version of Keycloak. A qualifier, as in 4.8.3.Final, makes it older than
// all of the same major and minor number. Keycloak: ModelVersion.lessThan.
type version struct {
	numbers   [3]int
	qualified bool
}

// products are the versions of Keycloak in Red Hat's product of that version.
// Keycloak: DefaultMigrationManager.convertRHSSOVersionToKeycloakVersion.
var products = map[string][3]int{"7.0": {1, 9, 8}, "7.1": {2, 5, 5}, "7.2": {3, 4, 3}, "7.3": {4, 8, 3}, "7.4": {9, 0, 3}}

// olderVersion reads what a realm file says it is from. It is nil for files
// of the version that Latchkey follows and of newer ones, and for those that
// say nothing: nothing is migrated then.
func olderVersion(text string) *version {
	if text == "" {
		return nil
	}
	var v version
	parts := strings.Split(text, ".")
	if len(parts) == 4 && parts[3] == "GA" {
		if numbers, ok := products[parts[0]+"."+parts[1]]; ok {
			return &version{numbers: numbers}
		}
	}
	for i, part := range parts {
		if i == len(v.numbers) {
			v.qualified = true
			break
		}
		n, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		v.numbers[i] = n
	}
	if !v.before(26, 7, 0) {
		return nil
	}
	return &v
}

func (v *version) before(major, minor, micro int) bool {
	to := [3]int{major, minor, micro}
	if v.qualified {
		return slices.Compare(v.numbers[:2], to[:2]) <= 0
	}
	return slices.Compare(v.numbers[:], to[:]) < 0
}

// migrate brings a realm file of an older version to what Keycloak makes of it
// today. TestEveryMigration lists all of Keycloak's, with what becomes of each.
// Keycloak: DefaultMigrationManager, MigrateTo1_2_0 to MigrateTo26_7_0.
func (c *completion) migrate() error {
	if c.version == nil {
		return nil
	}
	for _, step := range []struct {
		to      [3]int
		migrate func() error
	}{
		{[3]int{1, 2, 0}, c.clientNames},
		{[3]int{1, 5, 0}, c.usualFlows},
		{[3]int{1, 6, 0}, c.offlineIdle},
		{[3]int{1, 7, 0}, c.implicitLifespan},
		{[3]int{1, 9, 2}, c.header("xContentTypeOptions", "nosniff")},
		{[3]int{2, 5, 0}, c.strongerSecret},
		{[3]int{3, 0, 0}, c.accountLinks},
		{[3]int{3, 1, 0}, c.header("xRobotsTag", "none")},
		{[3]int{3, 1, 0}, c.header("xXSSProtection", "1; mode=block")},
		{[3]int{3, 2, 0}, c.queryRoles},
		{[3]int{3, 4, 0}, c.aesKey},
		{[3]int{3, 4, 0}, c.header("strictTransportSecurity", "max-age=31536000; includeSubDomains")},
		{[3]int{3, 4, 1}, c.contentPolicy},
		{[3]int{3, 4, 2}, c.narrowAdmins},
		{[3]int{4, 0, 0}, c.offlineScope},
		{[3]int{4, 2, 0}, c.actionOrder},
		{[3]int{4, 6, 0}, c.rolesScopes},
		{[3]int{6, 0, 0}, c.microprofile},
		{[3]int{8, 0, 0}, c.consoleAddresses},
		{[3]int{8, 0, 2}, c.alternativesToSubflows},
		{[3]int{9, 0, 0}, c.accountConsole},
		{[3]int{18, 0, 0}, func() error { return c.scopeForAll("acr", iam.OIDC) }},
		{[3]int{20, 0, 0}, func() error { return c.accountRole("view-groups", ClientAccountConsole) }},
		{[3]int{22, 0, 0}, c.themes},
		{[3]int{22, 0, 0}, func() error { c.removeFlow("http challenge"); return nil }},
		{[3]int{23, 0, 0}, c.registrationProfile},
		{[3]int{24, 0, 0}, c.unmanagedAttributes},
		{[3]int{24, 0, 0}, c.truststore},
		{[3]int{24, 0, 0}, c.strongerSecret},
		{[3]int{24, 0, 3}, func() error { return c.requiredAction("delete_credential") }},
		{[3]int{25, 0, 0}, func() error { return c.scopeForAll("basic", iam.OIDC) }},
		{[3]int{26, 0, 0}, c.lightweightAdmins},
		{[3]int{26, 1, 0}, func() error { return c.scope(scopeService) }},
		{[3]int{26, 3, 0}, func() error { return c.requiredAction("idp_link") }},
		{[3]int{26, 6, 1}, c.organizationStep},
		{[3]int{26, 7, 0}, c.passwordAfterEmail},
		{[3]int{26, 7, 0}, func() error { return c.scopeForAll("AuthnContextClassRef", iam.SAML) }},
	} {
		if !c.version.before(step.to[0], step.to[1], step.to[2]) {
			continue
		}
		if err := step.migrate(); err != nil {
			return err
		}
	}
	return nil
}

// alternativesToSubflows puts alternatives that stand beside required steps
// into flows of their own. Keycloak: MigrateTo8_0_2.
func (c *completion) alternativesToSubflows() error {
	for i := range len(c.r.AuthenticationFlows) {
		flow := &c.r.AuthenticationFlows[i]
		steps := slices.Clone(flow.AuthenticationExecutions)
		slices.SortStableFunc(steps, func(a, b rep.ExecutionExport) int { return cmp.Compare(rep.Val(a.Priority), rep.Val(b.Priority)) })
		firm := func(e rep.ExecutionExport) bool { return e.Requirement == "REQUIRED" || e.Requirement == "CONDITIONAL" }
		if !slices.ContainsFunc(steps, firm) {
			continue
		}
		var kept, pending []rep.ExecutionExport
		var made []rep.Flow
		gather := func() {
			if len(pending) == 0 {
				return
			}
			sub := rep.Flow{Alias: flow.Alias + " - Alternatives - " + strconv.Itoa(len(made)), ProviderID: "basic-flow",
				Description: new("Subflow of " + flow.Alias + " with alternative executions"), BuiltIn: flow.BuiltIn}
			kept = append(kept, rep.ExecutionExport{AuthenticatorFlow: true, AutheticatorFlow: true, Requirement: "REQUIRED",
				FlowAlias: sub.Alias, Priority: pending[0].Priority})
			for n := range pending {
				pending[n].Priority = new((n + 1) * 10)
			}
			sub.AuthenticationExecutions = pending
			made, pending = append(made, sub), nil
		}
		for _, e := range steps {
			switch {
			case e.Requirement == "ALTERNATIVE":
				pending = append(pending, e)
				continue
			case firm(e):
				gather()
			}
			kept = append(kept, e)
		}
		gather()
		flow.AuthenticationExecutions = kept
		c.r.AuthenticationFlows = append(c.r.AuthenticationFlows, made...)
	}
	return nil
}

// accountConsole brings what the new account console needed.
// Keycloak: MigrateTo9_0_0.
func (c *completion) accountConsole() error {
	t, err := template("clients.json", c.given.Realm)
	if err != nil {
		return err
	}
	if !c.madeClient(ClientAccountConsole) && c.madeClient(ClientAccount) {
		cl := t.Clients[named(t.Clients, clientID, ClientAccountConsole)]
		cl.DefaultClientScopes, cl.OptionalClientScopes = DefaultScopes(c.r, string(iam.OIDC))
		cl.InheritsScopes = true
		delete(cl.Attributes, "post.logout.redirect.uris")
		c.r.Clients = append(c.r.Clients, cl)
		c.r.Roles.Client[cl.ClientID] = []rep.Role{}
		have := c.r.ClientScopeMappings[ClientAccount]
		addMapping(&have, rep.ScopeMapping{Client: cl.ClientID, Roles: []string{"manage-account"}})
		c.r.ClientScopeMappings[ClientAccount] = have
	}
	for _, name := range []string{"view-applications", "view-consent", "manage-consent"} {
		if err := c.accountRole(name, ""); err != nil {
			return err
		}
	}
	for _, id := range []string{ClientAdminConsole, ClientAccountConsole} {
		if i := named(c.r.Clients, clientID, id); i >= 0 {
			c.r.Clients[i].Attributes["pkce.code.challenge.method"] = "S256"
		}
	}
	return c.requiredAction("update_user_locale")
}

func (c *completion) madeClient(id string) bool { return named(c.r.Clients, clientID, id) >= 0 }

// accountRole adds a role to the client account, and to what another client
// may ask for.
func (c *completion) accountRole(name, mappedTo string) error {
	t, err := template("roles.json", c.given.Realm)
	if err != nil {
		return err
	}
	have, all := c.r.Roles.Client[ClientAccount], t.Roles.Client[ClientAccount]
	if !c.madeClient(ClientAccount) || named(have, roleName, name) >= 0 {
		return nil
	}
	c.r.Roles.Client[ClientAccount] = append(have, all[named(all, roleName, name)])
	if c.madeClient(mappedTo) {
		list := c.r.ClientScopeMappings[ClientAccount]
		addMapping(&list, rep.ScopeMapping{Client: mappedTo, Roles: []string{name}})
		c.r.ClientScopeMappings[ClientAccount] = list
	}
	return nil
}

// requiredAction adds a required action that every new realm has.
// Keycloak: DefaultRequiredActions.
func (c *completion) requiredAction(alias string) error {
	t, err := template("flows.json", c.given.Realm)
	if err != nil {
		return err
	}
	if named(c.r.RequiredActions, actionAlias, alias) < 0 {
		c.r.RequiredActions = append(c.r.RequiredActions, t.RequiredActions[named(t.RequiredActions, actionAlias, alias)])
	}
	return nil
}

// scope adds a client scope that every new realm has.
func (c *completion) scope(name string) error {
	t, err := template("scopes.json", c.given.Realm)
	if err != nil {
		return err
	}
	if named(c.r.ClientScopes, scopeName, name) < 0 {
		c.r.ClientScopes = append(c.r.ClientScopes, t.ClientScopes[named(t.ClientScopes, scopeName, name)])
	}
	return nil
}

// scopeForAll adds a client scope that every new realm has, by default for new
// clients, and to the clients of its protocol. Keycloak: MigrateTo18_0_0,
// MigrateTo25_0_0, ClientProvider.addClientScopeToAllClients.
func (c *completion) scopeForAll(name string, protocol iam.Protocol) error {
	if named(c.r.ClientScopes, scopeName, name) >= 0 {
		return nil
	}
	if err := c.scope(name); err != nil {
		return err
	}
	addName(&c.r.DefaultDefaultClientScopes, name)
	for i := range c.r.Clients {
		if cl := &c.r.Clients[i]; cmp.Or(cl.Protocol, string(iam.OIDC)) == string(protocol) && !rep.Val(cl.BearerOnly) {
			addName(&cl.DefaultClientScopes, name)
		}
	}
	return nil
}

// themes replaces those that are gone. Keycloak: MigrateTo21_0_0, MigrateTo22_0_0.
func (c *completion) themes() error {
	r := c.r
	if t := rep.Val(r.AdminTheme); c.version.before(21, 0, 0) && (t == "keycloak" || t == "rh-sso") {
		r.AdminTheme = new("keycloak.v2")
	}
	if t := rep.Val(r.AccountTheme); t == "keycloak" || t == "rh-sso" || t == "rh-sso.v2" {
		r.AccountTheme = new("keycloak.v2")
	}
	for _, theme := range []**string{&r.LoginTheme, &r.EmailTheme} {
		if rep.Val(*theme) == "rh-sso" {
			*theme = nil
		}
	}
	for i := range r.Clients {
		if r.Clients[i].Attributes["login_theme"] == "rh-sso" {
			delete(r.Clients[i].Attributes, "login_theme")
		}
	}
	return nil
}

// removeFlow removes a flow that nothing uses, with its own subflows.
// Keycloak: KeycloakModelUtils.deepDeleteAuthenticationFlow.
func (c *completion) removeFlow(alias string) {
	r := c.r
	i := named(r.AuthenticationFlows, flowAlias, alias)
	bound := []string{r.BrowserFlow, r.RegistrationFlow, r.DirectGrantFlow, r.ResetCredentialsFlow, r.ClientAuthenticationFlow,
		r.DockerAuthenticationFlow, rep.Val(r.FirstBrokerLoginFlow)}
	if i < 0 || slices.Contains(bound, alias) {
		return
	}
	id := r.AuthenticationFlows[i].ID
	for _, cl := range r.Clients {
		for _, override := range cl.AuthenticationFlowBindingOverrides {
			if override == id {
				return
			}
		}
	}
	steps := r.AuthenticationFlows[i].AuthenticationExecutions
	r.AuthenticationFlows = slices.Delete(r.AuthenticationFlows, i, i+1)
	for _, e := range steps {
		if e.FlowAlias != "" {
			c.removeFlow(e.FlowAlias)
		}
	}
}

// registrationProfile removes a step of registration that is part of another
// one now. Keycloak: MigrateTo23_0_0.
func (c *completion) registrationProfile() error {
	for i := range c.r.AuthenticationFlows {
		if flow := &c.r.AuthenticationFlows[i]; flow.ProviderID == "form-flow" {
			flow.AuthenticationExecutions = slices.DeleteFunc(flow.AuthenticationExecutions, func(e rep.ExecutionExport) bool {
				return e.Authenticator == "registration-profile-action"
			})
		}
	}
	return nil
}

// unmanagedAttributes lets users keep attributes that no profile describes,
// where there were no profiles. Keycloak: MigrateTo23_0_0, MigrateTo24_0_0.
func (c *completion) unmanagedAttributes() error {
	const enabled, config = "userProfileEnabled", "kc.user.profile.config"
	declared := c.r.Attributes[enabled] == "true"
	delete(c.r.Attributes, enabled)
	list := c.r.Components[TypeUserProfile]
	var text string
	if len(list) > 0 {
		own := list[0].Config
		text = first(own[config])
		if c.version.before(23, 0, 0) {
			n, _ := strconv.Atoi(first(own["config-pieces-count"]))
			for i := range n {
				text += first(own["config-piece-"+strconv.Itoa(i)])
				delete(own, "config-piece-"+strconv.Itoa(i))
			}
			delete(own, "config-pieces-count")
			if text != "" {
				own[config] = []string{text}
			}
		}
	}
	if declared {
		return nil
	}
	if text == "" {
		usual, err := DefaultProfile()
		if err != nil {
			return err
		}
		text = string(usual)
	}
	profile := new(rep.UPConfig)
	if err := rep.Unmarshal([]byte(text), profile); err != nil {
		return iam.Errorf(iam.Invalid, "components: the user profile cannot be read: %v", err)
	}
	profile.UnmanagedAttributePolicy = "ENABLED"
	out, err := rep.Marshal(profile)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		list = []rep.ComponentExport{{ProviderID: "declarative-user-profile"}}
	}
	if list[0].Config == nil {
		list[0].Config = map[string][]string{}
	}
	list[0].Config[config] = []string{string(out)}
	c.r.Components[TypeUserProfile] = list
	return nil
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// strongerSecret adds the key that refresh tokens are signed with.
// Keycloak: MigrateTo24_0_0, DefaultKeyProviders.createSecretProvider.
func (c *completion) strongerSecret() error {
	return c.key(func(k rep.ComponentExport) bool {
		return k.ProviderID == "hmac-generated" && first(k.Config["algorithm"]) == "HS512"
	})
}

// key adds a key that every new realm has, unless there is one like it.
func (c *completion) key(alike func(rep.ComponentExport) bool) error {
	t, err := template("components.json", c.given.Realm)
	if err != nil {
		return err
	}
	if have := c.r.Components[TypeKeyProvider]; !slices.ContainsFunc(have, alike) {
		usual := t.Components[TypeKeyProvider]
		c.r.Components[TypeKeyProvider] = append(have, usual[slices.IndexFunc(usual, alike)])
	}
	return nil
}

// lightweightAdmins gives the built-in clients of administrators small access
// tokens. Keycloak: MigrateTo26_0_0.
func (c *completion) lightweightAdmins() error {
	for _, id := range []string{ClientAdminConsole, ClientAdminCLI} {
		if i := named(c.r.Clients, clientID, id); i >= 0 {
			c.r.Clients[i].FullScopeAllowed = new(true)
			c.r.Clients[i].Attributes["client.use.lightweight.access.token.enabled"] = "true"
		}
	}
	return nil
}

// organizationStep lets the built-in browser flow ask for organizations.
// Keycloak: MigrateTo26_6_1, DefaultAuthenticationFlows.addOrganizationBrowserFlowStep.
func (c *completion) organizationStep() error {
	const browser, organization = "browser", "Organization"
	i := named(c.r.AuthenticationFlows, flowAlias, browser)
	if c.master || i < 0 || named(c.r.AuthenticationFlows, flowAlias, organization) >= 0 {
		return nil
	}
	t, err := template("flows.json", c.given.Realm)
	if err != nil {
		return err
	}
	c.addFlow(t, organization)
	for _, e := range t.AuthenticationFlows[named(t.AuthenticationFlows, flowAlias, browser)].AuthenticationExecutions {
		if e.FlowAlias != organization {
			continue
		}
		steps := &c.r.AuthenticationFlows[i].AuthenticationExecutions
		at := slices.IndexFunc(*steps, func(s rep.ExecutionExport) bool { return rep.Val(s.Priority) > rep.Val(e.Priority) })
		if at < 0 {
			at = len(*steps)
		}
		*steps = slices.Insert(*steps, at, e)
	}
	return nil
}

// passwordAfterEmail lets users verify their mail address before they set up
// their credentials. Keycloak: MigrateTo26_7_0.
func (c *completion) passwordAfterEmail() error {
	actions := c.r.RequiredActions
	priority := func(alias string) *int {
		if i := named(actions, actionAlias, alias); i >= 0 {
			return &actions[i].Priority
		}
		return nil
	}
	verify, otp, password := priority("VERIFY_EMAIL"), priority("CONFIGURE_TOTP"), priority("UPDATE_PASSWORD")
	if verify == nil {
		return nil
	}
	if otp != nil && password != nil && *verify == 50 && *otp == 10 && *password == 30 {
		*otp, *password = 54, 57
		return nil
	}
	var taken []int
	for _, a := range actions {
		taken = append(taken, a.Priority)
	}
	free := *verify
	for _, p := range []*int{otp, password} {
		if p == nil {
			continue
		}
		for free++; slices.Contains(taken, free); free++ {
		}
		*p = free
	}
	return nil
}

// settingsFromAttributes reads the settings that a file names only where
// Keycloak stores them, among the attributes: what a member says counts more.
// Keycloak: DefaultExportImportManager.importRealm, RealmAdapter.
func settingsFromAttributes(r *rep.Realm) error {
	for attr, value := range r.Attributes {
		member := attr
		if name, ok := strings.CutSuffix(attr, "Passwordless"); ok && strings.HasPrefix(attr, "webAuthnPolicy") {
			member = "webAuthnPolicyPasswordless" + strings.TrimPrefix(name, "webAuthnPolicy")
		}
		if !slices.Contains(settingAttributes, member) && !strings.HasPrefix(member, "webAuthnPolicy") {
			continue
		}
		var text any = value
		if strings.HasSuffix(member, "SignatureAlgorithms") || strings.HasSuffix(member, "Aaguids") || strings.HasSuffix(member, "ExtraOrigins") {
			text = strings.Split(value, ",")
		}
		object, err := rep.Marshal(map[string]any{member: text})
		if err != nil {
			return err
		}
		var said rep.Realm
		if rep.Unmarshal(object, &said) != nil || value == "" {
			continue // what is no number or boolean sets nothing
		}
		given, from := reflect.ValueOf(r).Elem(), reflect.ValueOf(said)
		for i := range from.NumField() {
			if f := from.Field(i); !f.IsZero() && given.Field(i).IsZero() && given.Type().Field(i).Name != "Unknown" {
				given.Field(i).Set(f)
			}
		}
	}
	return nil
}

// settingAttributes are the settings that Keycloak reads out of attributes,
// beside the policies of WebAuthn.
var settingAttributes = []string{
	"bruteForceProtected", "permanentLockout", "maxTemporaryLockouts", "bruteForceStrategy", "maxFailureWaitSeconds", "waitIncrementSeconds",
	"quickLoginCheckMilliSeconds", "minimumQuickLoginWaitSeconds", "maxDeltaTimeSeconds", "failureFactor", "maxSecondaryAuthFailures",
	"actionTokenGeneratedByAdminLifespan", "actionTokenGeneratedByUserLifespan", "offlineSessionMaxLifespanEnabled",
	"offlineSessionMaxLifespan",
	"clientSessionIdleTimeout", "clientSessionMaxLifespan", "clientOfflineSessionIdleTimeout", "clientOfflineSessionMaxLifespan",
	"oauth2DeviceCodeLifespan", "oauth2DevicePollingInterval",
}

// dropMirrored removes attributes of older realm files that are settings of
// the realm, which are read from there. Keycloak:
// ModelToRepresentation.stripRealmAttributesIncludedAsFields.
func dropMirrored(attributes map[string]string) {
	for name := range attributes {
		if slices.Contains(mirrored, name) || strings.HasPrefix(name, "_browser_header.") || strings.HasPrefix(name, "webAuthnPolicy") {
			delete(attributes, name)
		}
	}
}

var mirrored = []string{
	"displayName", "displayNameHtml", "defaultSignatureAlgorithm", "organizationsEnabled",
	"bruteForceProtected", "permanentLockout", "maxTemporaryLockouts", "bruteForceStrategy", "maxFailureWaitSeconds", "waitIncrementSeconds",
	"quickLoginCheckMilliSeconds", "minimumQuickLoginWaitSeconds", "maxDeltaTimeSeconds", "failureFactor", "maxSecondaryAuthFailures",
	"actionTokenGeneratedByAdminLifespan", "actionTokenGeneratedByUserLifespan", "offlineSessionMaxLifespanEnabled",
	"offlineSessionMaxLifespan",
}
