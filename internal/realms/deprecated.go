package realms

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

// legacyNames reads what a realm says under names of older versions, in place.
// These are the members of Keycloak 26.7's representations that are marked as
// deprecated and still read; TestOldWays has each.
// Keycloak: DefaultExportImportManager.convertDeprecatedApplications,
// convertDeprecatedSocialProviders, convertDeprecatedClientTemplates.
func (c *completion) legacyNames() error {
	for _, step := range []func() error{c.socialProviders, c.applications, c.legacyRoles, c.clientTemplates, c.federationProviders,
		c.clientPolicies} {
		if err := step(); err != nil {
			return err
		}
	}
	r := c.given
	for i := range r.Users {
		legacyUser(&r.Users[i])
		c.credentials(i)
	}
	c.leftProviderMappers()
	c.repeatedConfigs()
	if err := settingsFromAttributes(r); err != nil {
		return err
	}
	for i := range r.FederatedUsers {
		legacyUser(&r.FederatedUsers[i])
	}
	for i := range r.IdentityProviders {
		p := &r.IdentityProviders[i]
		legacyProvider(p)
		for _, name := range sorted(p.Config) {
			if p.Config[name] == Masked {
				c.note("identity provider "+p.Alias, "its "+name+" is held back in the file")
			}
		}
	}
	return nil
}

// A moved part of a realm stood elsewhere in its file.
type moved struct{ now, was string }

// placeInFile is where a problem's path is in the file.
func (c *completion) placeInFile(path string) string {
	for _, m := range c.moved {
		if rest, ok := strings.CutPrefix(path, m.now); ok && (rest == "" || rest[0] == '/') {
			return m.was + rest
		}
	}
	return path
}

// note says what of a file is not taken over, as Keycloak does not either.
func (c *completion) note(what, whom string) {
	n := Gap{Realm: c.given.Realm, What: what, Whom: whom}
	if !slices.Contains(c.notes, n) {
		c.notes = append(c.notes, n)
	}
}

// socialProviders are the identity providers of Keycloak 1.0 and 1.1.
func (c *completion) socialProviders() error {
	r := c.given
	if rep.Val(r.Social) && r.IdentityProviders == nil {
		for _, name := range sorted(r.SocialProviders) {
			id, ok := strings.CutSuffix(name, ".key")
			if !ok {
				continue
			}
			r.IdentityProviders = append(r.IdentityProviders, rep.IdentityProvider{
				Alias: id, ProviderID: id, Enabled: new(true), LinkOnly: new(false),
				Config: map[string]string{"clientId": r.SocialProviders[name], "clientSecret": r.SocialProviders[id+".secret"]},
			})
		}
	}
	r.Social, r.SocialProviders, r.UpdateProfileOnInitialSocialLogin = nil, nil, nil
	return nil
}

// applications and oauthClients are the clients of Keycloak 1.0 and 1.1.
func (c *completion) applications() error {
	r := c.given
	for _, list := range []struct {
		member  string
		entries []jsontext.Value
		oauth   bool
	}{{"applications", r.Applications, false}, {"oauthClients", r.OAuthClients, true}} {
		for i := range list.entries {
			place := fmt.Sprintf("/%s/%d", list.member, i)
			var cl rep.Client
			if err := rep.Unmarshal(list.entries[i], &cl); err != nil {
				return &Problem{Path: place, Msg: err.Error()}
			}
			cl.ClientID, cl.Name = rep.Val(cl.Name), nil
			if cl.ClientID == "" {
				return &Problem{Path: place + "/name", Msg: "there is no client"}
			}
			if list.oauth {
				cl.ConsentRequired, cl.FullScopeAllowed = new(true), new(false)
			}
			if claims := cl.Unknown; len(claims) > 0 && cl.ProtocolMappers == nil {
				c.note("claims of the client "+cl.ClientID, "left out: its tokens have the claims of its client scopes")
			}
			cl.Unknown = nil
			c.moved = append(c.moved, moved{fmt.Sprintf("/clients/%d", len(r.Clients)), place})
			r.Clients = append(r.Clients, cl)
		}
	}
	r.Applications, r.OAuthClients = nil, nil
	return nil
}

// legacyRoles reads roles of clients under the word application.
func (c *completion) legacyRoles() error {
	r := c.given
	if r.ClientScopeMappings == nil && r.ApplicationScopeMappings != nil {
		r.ClientScopeMappings = r.ApplicationScopeMappings
		c.moved = append(c.moved, moved{"/clientScopeMappings", "/applicationScopeMappings"})
	}
	r.ApplicationScopeMappings = nil
	if r.Roles == nil {
		return nil
	}
	if r.Roles.Client == nil && r.Roles.Application != nil {
		r.Roles.Client = r.Roles.Application
		c.moved = append(c.moved, moved{"/roles/client", "/roles/application"})
	}
	r.Roles.Application = nil
	legacy := func(list []rep.Role) {
		for i := range list {
			list[i].ScopeParamRequired = nil
			if cs := list[i].Composites; cs != nil {
				if cs.Client == nil {
					cs.Client = cs.Application
				}
				cs.Application = nil
			}
		}
	}
	legacy(r.Roles.Realm)
	for _, list := range r.Roles.Client {
		legacy(list)
	}
	return nil
}

// clientTemplates became client scopes in Keycloak 4. A realm has them beside
// those of every new realm.
func (c *completion) clientTemplates() error {
	r := c.given
	for i, text := range r.ClientTemplates {
		var scope rep.ClientScope
		if err := rep.Unmarshal(text, &scope); err != nil {
			return &Problem{Path: fmt.Sprintf("/clientTemplates/%d", i), Msg: err.Error()}
		}
		if scope.Name == "" {
			return &Problem{Path: fmt.Sprintf("/clientTemplates/%d/name", i), Msg: "there is no client scope"}
		}
		scope.Unknown = nil // what clients took over by useTemplate..., which ended with Keycloak 4
		c.templates = append(c.templates, scope)
	}
	r.ClientTemplates = nil
	scopes := func(list []rep.ClientScope) {
		for i := range list {
			if name := scopeWord(list[i].Name); name != list[i].Name {
				c.note("client scope "+list[i].Name, "its name is "+name+" now; clients that name it by the old one do not have it")
				list[i].Name = name
			}
		}
	}
	scopes(r.ClientScopes)
	scopes(c.templates)
	mappings := func(list []rep.ScopeMapping) {
		for i := range list {
			if m := &list[i]; m.Client == "" && m.ClientScope == "" {
				m.ClientScope = scopeWord(m.ClientTemplate)
			}
			list[i].ClientTemplate = ""
		}
	}
	mappings(r.ScopeMappings)
	for _, list := range r.ClientScopeMappings {
		mappings(list)
	}
	return nil
}

// scopeWord is a client scope's name as it can stand in a scope parameter.
// Keycloak: KeycloakModelUtils.convertClientScopeName.
func scopeWord(name string) string { return strings.ReplaceAll(name, " ", "_") }

// federationProviders became components in Keycloak 2.5; those that came with
// Keycloak are read. Keycloak: importUserFederationProvidersAndMappers.
func (c *completion) federationProviders() error {
	r := c.given
	made := map[string]*rep.ComponentExport{}
	var list []*rep.ComponentExport
	for _, p := range r.UserFederationProviders {
		name := rep.Val(p.DisplayName)
		if id := rep.Val(p.ProviderName); id != "ldap" && id != "kerberos" {
			c.note("user federation provider "+name+" ("+id+")", "left out, and nobody comes from it")
			continue
		}
		config := singles(p.Config)
		for key, n := range map[string]int{"priority": p.Priority, "fullSyncPeriod": p.FullSyncPeriod, "changedSyncPeriod": p.ChangedSyncPeriod} {
			config[key] = []string{strconv.Itoa(n)}
		}
		x := &rep.ComponentExport{ID: p.ID, Name: name, ProviderID: *p.ProviderName, Config: config}
		list, made[name] = append(list, x), x
	}
	const mapperType = "org.keycloak.storage.ldap.mappers.LDAPStorageMapper"
	for _, m := range r.UserFederationMappers {
		parent := made[rep.Val(m.FederationProviderDisplayName)]
		if parent == nil {
			c.note("user federation mapper "+m.Name, "left out with its provider")
			continue
		}
		if parent.SubComponents == nil {
			parent.SubComponents = map[string][]rep.ComponentExport{}
		}
		parent.SubComponents[mapperType] = append(parent.SubComponents[mapperType],
			rep.ComponentExport{ID: m.ID, Name: m.Name, ProviderID: rep.Val(m.FederationMapperType), Config: singles(m.Config)})
	}
	r.UserFederationProviders, r.UserFederationMappers = nil, nil
	for _, x := range list {
		if r.Components == nil {
			r.Components = map[string][]rep.ComponentExport{}
		}
		r.Components[TypeUserStorage] = append(r.Components[TypeUserStorage], *x)
	}
	return nil
}

// clientPolicies drops those of the format that Keycloak 13 had while it tried
// them out, which can be nothing today, and null, which says nothing.
func (c *completion) clientPolicies() error {
	r := c.given
	for _, doc := range []struct {
		what string
		text *jsontext.Value
		into any
	}{{"client policies", &r.ClientPolicies, new(rep.ClientPolicies)}, {"client profiles", &r.ClientProfiles, new(rep.ClientProfiles)}} {
		if string(*doc.text) == "null" {
			*doc.text = nil
		}
		unknown, ok := errors.AsType[*rep.UnknownFieldError](rep.Decode(*doc.text, doc.into))
		if len(*doc.text) > 0 && ok && !c.whole {
			c.note(doc.what, "left out: "+unknown.Field+" is not known")
			*doc.text = nil
		}
	}
	return nil
}

func singles(config map[string]string) map[string][]string {
	out := map[string][]string{}
	for name, value := range config {
		out[name] = []string{value}
	}
	return out
}

func legacyUser(u *rep.User) {
	if u.ClientRoles == nil {
		u.ClientRoles = u.ApplicationRoles
	}
	if u.FederatedIdentities == nil {
		for _, l := range u.SocialLinks {
			u.FederatedIdentities = append(u.FederatedIdentities, rep.FederatedIdentity{IdentityProvider: l.SocialProvider, UserID: l.SocialUserID,
				UserName: l.SocialUsername})
		}
	}
	u.ApplicationRoles, u.SocialLinks = nil, nil
	for i, name := range u.RequiredActions {
		u.RequiredActions[i] = actionName(name)
	}
	for i := range u.ClientConsents {
		consent := &u.ClientConsents[i]
		if slices.Contains(consent.GrantedRealmRoles, roleOffline) {
			addName(&consent.GrantedClientScopes, scopeOffline)
		}
		consent.GrantedRealmRoles = nil
	}
}

// credentialKinds are those that Keycloak has a provider for, beside password.
var credentialKinds = []iam.CredentialKind{iam.Password, "password-history", "totp", "hotp", iam.OTP, "webauthn", "webauthn-passwordless",
	"recovery-authn-codes"}

// credentials of a user: what has a value in clear is the user's password,
// whatever its type says, and the last of them stays; what has no data and a
// type that nobody knows is left out, and that a password is temporary does
// not count. Keycloak: RepresentationToModel.createCredentials.
func (c *completion) credentials(user int) {
	u := &c.given.Users[user]
	var kept []rep.Credential
	clear := -1
	for i := range u.Credentials {
		cred := u.Credentials[i]
		was := fmt.Sprintf("/users/%d/credentials/%d", user, i)
		switch {
		case rep.Val(cred.Value) != "" && (cred.SecretData == "" || cred.CredentialData == ""):
			cred.Type = string(iam.Password)
			if rep.Val(cred.Temporary) {
				c.note("temporary passwords", "nobody is asked to change one that stands in a realm file")
			}
			if clear >= 0 {
				c.note("several passwords of a user", "the last one stays")
				kept[clear].Value, kept[clear].Temporary = cred.Value, cred.Temporary
				continue
			}
			clear = len(kept)
		case !slices.Contains(credentialKinds, iam.CredentialKind(cred.Type)) && cred.SecretData == "" && cred.CredentialData == "":
			c.note("credential "+cred.Type, "left out: there is nothing in it")
			continue
		}
		if len(kept) != i {
			c.moved = append(c.moved, moved{fmt.Sprintf("/users/%d/credentials/%d", user, len(kept)), was})
		}
		kept = append(kept, cred)
	}
	if len(kept) < len(u.Credentials) {
		u.Credentials = kept
	} else {
		copy(u.Credentials, kept)
	}
}

// leftProviderMappers drops the mappers of identity providers that are not there.
func (c *completion) leftProviderMappers() {
	r := c.given
	r.IdentityProviderMappers = slices.DeleteFunc(r.IdentityProviderMappers, func(m rep.IdentityProviderMapper) bool {
		gone := named(r.IdentityProviders, providerAlias, m.IdentityProviderAlias) < 0
		if gone {
			c.note("identity provider mapper "+m.Name, "left out with its provider "+m.IdentityProviderAlias+", which is not there")
		}
		return gone
	})
}

// repeatedConfigs keeps the first of several configurations of one name, as
// exports may have them: the one that steps find by it.
func (c *completion) repeatedConfigs() {
	seen := map[string]bool{}
	c.given.AuthenticatorConfig = slices.DeleteFunc(c.given.AuthenticatorConfig, func(a rep.AuthenticatorConfig) bool {
		again := a.Alias != "" && seen[a.Alias]
		if again {
			c.note("authenticator configuration "+a.Alias, "it is there more than once: the first one stays")
		}
		seen[a.Alias] = true
		return again
	})
}

func legacyProvider(p *rep.IdentityProvider) {
	p.UpdateProfileFirstLoginMode, p.UpdateProfileFirstLogin = "", nil
	if p.Enabled == nil {
		p.Enabled = new(true) // Keycloak: IdentityProviderRepresentation.isEnabled
	}
	if hide, ok := p.Config["hideOnLoginPage"]; ok { // which has the last word
		p.HideOnLogin = new(hide == "true")
		delete(p.Config, "hideOnLoginPage")
	}
}

// actionName is the name of a required action in its usual case.
// Keycloak: DefaultRequiredActions.getDefaultRequiredActionCaseInsensitively.
func actionName(name string) string {
	for _, usual := range []string{"VERIFY_EMAIL", "UPDATE_PROFILE", "CONFIGURE_TOTP", "CONFIGURE_RECOVERY_AUTHN_CODES", "UPDATE_PASSWORD",
		"TERMS_AND_CONDITIONS", "VERIFY_PROFILE", "UPDATE_EMAIL"} {
		if strings.EqualFold(name, usual) {
			return usual
		}
	}
	return name
}

// optionalSteps puts each step that a flow of Keycloak 1 to 7 calls optional
// into a sub-flow that is walked where the user has set it up.
// Keycloak: MigrateTo8_0_0.migrateOptionalAuthenticationExecution.
func (c *completion) optionalSteps() {
	for i := range c.given.AuthenticationFlows {
		flow := &c.given.AuthenticationFlows[i]
		for j := range flow.AuthenticationExecutions {
			e := &flow.AuthenticationExecutions[j]
			if e.Requirement != "OPTIONAL" {
				continue
			}
			sub := rep.Flow{Alias: flow.Alias + " - " + e.Authenticator + " - Conditional", ProviderID: "basic-flow", BuiltIn: flow.BuiltIn,
				Description: new("Flow to determine if the " + e.Authenticator + " authenticator should be used or not.")}
			step := *e
			step.Requirement, step.Priority = string(iam.Required), new(20)
			sub.AuthenticationExecutions = []rep.ExecutionExport{
				{Authenticator: "conditional-user-configured", Requirement: string(iam.Required), Priority: new(10)}, step}
			*e = rep.ExecutionExport{AuthenticatorFlow: true, AutheticatorFlow: true, FlowAlias: sub.Alias, Requirement: string(iam.Conditional),
				Priority: e.Priority}
			c.given.AuthenticationFlows = append(c.given.AuthenticationFlows, sub)
			flow = &c.given.AuthenticationFlows[i]
		}
	}
}
