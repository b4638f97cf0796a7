package realms

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

// A Gap is something of a realm that will not work yet, and whom it affects.
type Gap struct {
	Realm string
	What  string // "identity provider google (google)"
	Whom  string // "212 users have no other way to log in"
}

func (g Gap) String() string {
	if g.Whom == "" {
		return g.Realm + ": " + g.What
	}
	return g.Realm + ": " + g.What + ": " + g.Whom
}

// A Capability is a kind of thing that a realm may need. What the server has of
// it is known where it is put together.
type Capability string

// Capabilities; Manager.Can is asked for one by Keycloak's provider id.
const (
	CanAuthenticate Capability = "authenticator"
	CanRequire      Capability = "required action"
	CanMap          Capability = "protocol mapper"
	CanAuthClient   Capability = "client authenticator"
	CanBroker       Capability = "identity provider"
	CanImport       Capability = "identity provider mapper"
	CanStoreUsers   Capability = "user storage"
	CanMakeKeys     Capability = "key provider"
	CanVerify       Capability = "credential" // by credential type
	CanListen       Capability = "event listener"
	CanSpeak        Capability = "protocol"
	// "authorization", "client-policies", "organizations", "admin-permissions", "email", "scim", "user-federation"
	CanDo Capability = "feature"
)

// gaps lists what of a prepared realm the server cannot do.
func (m *Manager) gaps(p *prepared) []Gap {
	g := &gapFinder{can: m.Can, stored: m.CheckCredential, p: p, r: p.realm}
	for _, look := range []func(){g.flows, g.users, g.providers, g.storage, g.clients, g.components, g.features, g.elsewhere} {
		look()
	}
	slices.SortStableFunc(g.found, func(a, b Gap) int { return cmp.Or(strings.Compare(a.What, b.What), strings.Compare(a.Whom, b.Whom)) })
	return g.found
}

type gapFinder struct {
	can    func(Capability, string) bool
	stored func(*iam.Credential) error
	p      *prepared
	r      *rep.Realm
	found  []Gap
}

func (g *gapFinder) add(what, whom string) {
	gap := Gap{Realm: g.r.Realm, What: what, Whom: whom}
	if !slices.Contains(g.found, gap) {
		g.found = append(g.found, gap)
	}
}

// flows looks at the executions of the flows that something can lead to.
func (g *gapFinder) flows() {
	r := g.r
	broker := slices.ContainsFunc(r.IdentityProviders, func(p rep.IdentityProvider) bool { return p.Enabled == nil || *p.Enabled })
	g.flow(r.BrowserFlow, "everybody who logs in by browser", nil)
	g.flow(r.DirectGrantFlow, "everybody who logs in by direct grant", nil)
	if rep.Val(r.RegistrationAllowed) {
		g.flow(r.RegistrationFlow, "everybody who registers", nil)
	}
	if rep.Val(r.ResetPasswordAllowed) {
		g.flow(r.ResetCredentialsFlow, "everybody who has forgotten a password", nil)
	}
	if broker {
		g.flow(*r.FirstBrokerLoginFlow, "everybody who first comes from an identity provider", nil)
	}
	for i := range r.Clients {
		c := &r.Clients[i]
		for _, purpose := range sorted(c.AuthenticationFlowBindingOverrides) {
			j := slices.IndexFunc(r.AuthenticationFlows, func(f rep.Flow) bool { return f.ID == c.AuthenticationFlowBindingOverrides[purpose] })
			if j >= 0 {
				g.flow(r.AuthenticationFlows[j].Alias, "everybody who logs in to client "+c.ClientID, nil)
			}
		}
	}
}

func (g *gapFinder) flow(alias, whom string, path []string) {
	i := named(g.r.AuthenticationFlows, flowAlias, alias)
	if i < 0 || slices.Contains(path, alias) {
		return
	}
	for _, e := range g.r.AuthenticationFlows[i].AuthenticationExecutions {
		switch {
		case e.Requirement == string(iam.Disabled), g.idle(e.Authenticator):
		case e.Authenticator == "organization" && !g.can(CanDo, "organizations"):
			g.add("authenticator organization in flow "+alias, whom+" is not asked for an organization")
		case e.Authenticator == redirector && g.can(CanAuthenticate, redirector):
			g.redirects(e.AuthenticatorConfig, alias, whom)
		case e.FlowAlias != "":
			g.flow(e.FlowAlias, whom, append(path, alias))
			if e.Authenticator != "" && !g.can(CanAuthenticate, e.Authenticator) {
				g.add("authenticator "+e.Authenticator+" in flow "+alias, whom)
			}
		case !g.can(CanAuthenticate, e.Authenticator):
			g.add("authenticator "+e.Authenticator+" in flow "+alias, whom)
		}
	}
}

const redirector = "identity-provider-redirector"

// redirects looks at where the step leads that sends everybody to one identity provider.
func (g *gapFinder) redirects(config, flow, whom string) {
	i := named(g.r.AuthenticatorConfig, configAlias, config)
	if config == "" || i < 0 {
		return
	}
	j := named(g.r.IdentityProviders, providerAlias, g.r.AuthenticatorConfig[i].Config["defaultProvider"])
	if j < 0 {
		return
	}
	if p := &g.r.IdentityProviders[j]; (p.Enabled == nil || *p.Enabled) && !g.can(CanBroker, p.ProviderID) {
		g.add("authenticator "+redirector+" in flow "+flow, whom+" is sent to identity provider "+p.Alias+", which fails")
	}
}

// idle names providers that do nothing as the realm is: their subject is not
// there.
func (g *gapFinder) idle(provider string) bool {
	switch provider {
	case redirector:
		return len(g.r.IdentityProviders) == 0
	case "organization", "idp-add-organization-member", "oidc-organization-membership-mapper":
		return !rep.Val(g.r.OrganizationsEnabled)
	}
	return false
}

// count says "1 user has" or "12 users have".
func count(n int, thing, has, have string) string {
	if n == 1 {
		return "1 " + thing + " " + has
	}
	if strings.HasSuffix(thing, "y") {
		return fmt.Sprintf("%d %sies %s", n, strings.TrimSuffix(thing, "y"), have)
	}
	return fmt.Sprintf("%d %ss %s", n, thing, have)
}

// usable reports whether a user has a password or another first factor that works here.
func (g *gapFinder) usable(u *preparedUser) bool {
	return slices.ContainsFunc(u.credentials, func(c *iam.Credential) bool { return c.Kind == iam.Password && g.stored(c) == nil })
}

// A brokenCredential is what users have in common whose credentials nothing fits.
type brokenCredential struct {
	kind iam.CredentialKind
	why  string
}

func (g *gapFinder) users() {
	kinds, only, actions, unfit := map[string]int{}, map[string]int{}, map[string]int{}, map[brokenCredential]int{}
	for i := range g.p.users {
		u := &g.p.users[i]
		seen := map[string]bool{}
		for _, c := range u.credentials {
			if err := g.stored(c); err != nil {
				unfit[brokenCredential{c.Kind, err.Error()}]++
				continue
			}
			if c.Kind == iam.Password {
				continue
			}
			if kind := string(c.Kind); !seen[kind] && !g.can(CanVerify, kind) {
				seen[kind] = true
				kinds[kind]++
				if !g.usable(u) {
					only[kind]++
				}
			}
		}
		for _, a := range u.user.Required {
			if !g.can(CanRequire, a) {
				actions[a]++
			}
		}
	}
	for c, n := range unfit {
		g.add("credential "+string(c.kind)+" that cannot be checked ("+c.why+")", count(n, "user", "has one", "have one"))
	}
	for _, kind := range sorted(kinds) {
		g.add("credential "+kind, count(kinds[kind], "user", "has one", "have one"))
		if only[kind] > 0 {
			g.add("credential "+kind, count(only[kind], "user", "has", "have")+" no password and no other way to log in")
		}
	}
	for _, a := range sorted(actions) {
		g.add("required action "+a, count(actions[a], "user", "has", "have")+" to do it before they can log in")
	}
}

func (g *gapFinder) providers() {
	for i := range g.r.IdentityProviders {
		p := &g.r.IdentityProviders[i]
		if p.Enabled != nil && !*p.Enabled || g.can(CanBroker, p.ProviderID) {
			continue
		}
		linked, only := 0, 0
		for j := range g.p.users {
			u := &g.p.users[j]
			if slices.ContainsFunc(u.rep.FederatedIdentities, func(f rep.FederatedIdentity) bool { return f.IdentityProvider == p.Alias }) {
				linked++
				if !g.usable(u) {
					only++
				}
			}
		}
		what := "identity provider " + p.Alias + " (" + p.ProviderID + ")"
		g.add(what, count(linked, "user", "is", "are")+" linked to it")
		if only > 0 {
			g.add(what, count(only, "user", "has", "have")+" only this link")
		}
	}
}

func (g *gapFinder) storage() {
	for _, c := range g.r.Components[TypeUserStorage] {
		if g.can(CanStoreUsers, c.ProviderID) {
			continue
		}
		n := 0
		for i := range g.p.users {
			if g.p.users[i].user.Federation == c.ID {
				n++
			}
		}
		g.add("user storage "+c.Name+" ("+c.ProviderID+")", count(n, "user", "comes", "come")+" from it, and nobody new will")
	}
	if n := len(g.p.federated); n > 0 && !g.can(CanDo, "user-federation") {
		g.add("federated users", count(n, "user", "is", "are")+" kept but cannot log in")
	}
	for _, c := range g.r.Components[TypeKeyProvider] {
		if !g.can(CanMakeKeys, c.ProviderID) {
			g.add("key provider "+c.Name+" ("+c.ProviderID+")", "what its keys have signed is refused")
		}
	}
}

func (g *gapFinder) clients() {
	var masked []string
	for _, c := range g.p.given.Clients {
		if rep.Val(c.Secret) == Masked {
			masked = append(masked, c.ClientID)
		}
	}
	if len(masked) > 0 {
		g.add("secrets that the file holds back", "new ones are made for the clients "+strings.Join(masked, ", "))
	}
	mappers := map[string][]string{}
	note := func(list []rep.ProtocolMapper, owner string) {
		for _, m := range list {
			if !g.idle(m.ProtocolMapper) && !g.can(CanMap, m.ProtocolMapper) && !slices.Contains(mappers[m.ProtocolMapper], owner) {
				mappers[m.ProtocolMapper] = append(mappers[m.ProtocolMapper], owner)
			}
		}
	}
	spoken := map[string]bool{}
	for i := range g.r.Clients {
		c := &g.r.Clients[i]
		protocol := cmp.Or(c.Protocol, string(iam.OIDC))
		if !rep.Val(c.Enabled) {
			continue
		}
		if !g.can(CanSpeak, protocol) {
			g.add("protocol "+protocol, "client "+c.ClientID)
			continue
		}
		spoken[protocol] = true
		if method := c.ClientAuthenticatorType; !rep.Val(c.PublicClient) && !rep.Val(c.BearerOnly) && !g.can(CanAuthClient, method) {
			g.add("client authentication "+method, "client "+c.ClientID)
		}
		if rep.Val(c.AuthorizationServicesEnabled) && !g.can(CanDo, "authorization") {
			g.add("authorization services", "client "+c.ClientID)
		}
		note(c.ProtocolMappers, "client "+c.ClientID)
	}
	for i := range g.r.ClientScopes {
		if s := &g.r.ClientScopes[i]; spoken[s.Protocol] {
			note(s.ProtocolMappers, "client scope "+s.Name)
		}
	}
	for _, id := range sorted(mappers) {
		g.add("protocol mapper "+id, strings.Join(mappers[id], ", "))
	}
}

func (g *gapFinder) features() {
	feature := func(on bool, id, what, whom string) {
		if on && !g.can(CanDo, id) {
			g.add(what, whom)
		}
	}
	r := g.r
	for _, s := range realmSwitches() {
		feature(len(s.on(r)) > 0, s.feature, s.name, s.whom(r))
	}
	for _, l := range r.EventsListeners {
		if !g.can(CanListen, l) {
			g.add("event listener "+l, "")
		}
	}
	unknown := map[string]bool{}
	unknownMembers(reflect.ValueOf(g.p.given).Elem(), "", unknown)
	for _, name := range sorted(unknown) {
		g.add("member "+name, "not known to this version: kept but not used")
	}
}

// unknownMembers finds the members, at every depth, that no representation
// has, but for those that Keycloak passes over as well.
func unknownMembers(v reflect.Value, in string, found map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			unknownMembers(v.Elem(), in, found)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Struct {
			for i := range v.Len() {
				unknownMembers(v.Index(i), in, found)
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			unknownMembers(v.MapIndex(key), in, found)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case f.Name != "Unknown":
				unknownMembers(v.Field(i), in+"/"+name, found)
			case !strings.HasSuffix(f.Tag.Get("rep"), ",ignore"):
				for _, name := range memberNames(v.Field(i).Bytes()) {
					if in != "" {
						name += " in " + in[1:]
					}
					found[name] = true
				}
			}
		}
	}
}

// memberNames are the names of a JSON object's members.
func memberNames(object []byte) []string {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return nil
	}
	return sorted(members)
}

// Types of components that are used here, or are gaps of another kind.
var usedComponents = []string{TypeKeyProvider, TypeRegistrationPolicy, TypeUserProfile, TypeUserStorage, TypeWebhook}

// typeWorkflow is the type of components that are workflows. Keycloak: WorkflowProvider.
const typeWorkflow = "org.keycloak.models.workflow.WorkflowProvider"

func (g *gapFinder) components() {
	for _, kind := range sorted(g.r.Components) {
		for _, c := range g.r.Components[kind] {
			name := cmp.Or(c.Name, first(c.Config["name"]), c.ID)
			switch {
			case slices.Contains(usedComponents, kind):
			case kind == typeWorkflow:
				if !g.can(CanDo, "workflows") {
					g.add("workflow "+name, "its steps are not run for anybody")
				}
			default:
				g.add("component "+name+" ("+kind+")", "kept but not used")
			}
		}
	}
}

// enabledPolicies names the client policies that are on.
func enabledPolicies(r *rep.Realm) []string {
	var doc struct {
		Policies []struct {
			Name    string `json:"name"`
			Enabled *bool  `json:"enabled"`
		} `json:"policies"`
	}
	if len(r.ClientPolicies) == 0 || json.Unmarshal(r.ClientPolicies, &doc) != nil {
		return nil
	}
	var names []string
	for _, p := range doc.Policies {
		if rep.Val(p.Enabled) {
			names = append(names, p.Name)
		}
	}
	return names
}
