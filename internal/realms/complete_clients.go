package realms

import (
	"cmp"
	"crypto/sha1"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

// clients: the given ones with what they lack, and the built-in ones.
func (c *completion) clients() error {
	t, err := template("clients.json", c.given.Realm)
	if err != nil {
		return err
	}
	r := c.r
	r.Clients = c.given.Clients
	for i := range r.Clients {
		cl := &r.Clients[i]
		if err := c.completeClient(cl); err != nil {
			return err
		}
		if !c.whole {
			setAttribute(cl.Attributes, "post.logout.redirect.uris", "+")
		}
		if r.Roles.Client[cl.ClientID] == nil {
			r.Roles.Client[cl.ClientID] = []rep.Role{}
		}
	}
	r.ClientScopeMappings = c.given.ClientScopeMappings
	if r.ClientScopeMappings == nil {
		r.ClientScopeMappings = map[string][]rep.ScopeMapping{}
	}
	for _, cl := range t.Clients {
		switch {
		case c.hasClient(cl.ClientID):
			continue
		case cl.ClientID == ClientAccountConsole && c.hasClient(ClientAccount):
			continue // made along with account only
		case cl.ClientID == ClientAdmin && c.master:
			continue // its roles are those of master-realm
		case cl.ClientID == ClientAccountConsole:
			for name, list := range t.ClientScopeMappings {
				have := r.ClientScopeMappings[name]
				addMapping(&have, list[0])
				r.ClientScopeMappings[name] = have
			}
		}
		c.bindBuiltIn(&cl)
		r.Clients = append(r.Clients, cl)
		if r.Roles.Client[cl.ClientID] == nil {
			r.Roles.Client[cl.ClientID] = []rep.Role{}
		}
	}
	if i := named(r.Clients, clientID, ClientAdminConsole); named(r.Clients[i].ProtocolMappers, mapperName, "locale") < 0 {
		console := t.Clients[named(t.Clients, clientID, ClientAdminConsole)]
		r.Clients[i].ProtocolMappers = append(r.Clients[i].ProtocolMappers, console.ProtocolMappers...)
	}
	return nil
}

func mapperName(m *rep.ProtocolMapper) string { return m.Name }

// bindBuiltIn gives a built-in client the realm's default scopes, unless the
// realm brought its own scopes: those come too late for it in Keycloak.
func (c *completion) bindBuiltIn(cl *rep.Client) {
	cl.DefaultClientScopes, cl.OptionalClientScopes = []string{}, []string{}
	if c.given.ClientScopes == nil {
		cl.DefaultClientScopes, cl.OptionalClientScopes = DefaultScopes(c.r, string(iam.OIDC))
		cl.InheritsScopes = true
	}
}

// DefaultScopes returns the names of the client scopes that new clients of a
// protocol get in a realm.
func DefaultScopes(r *rep.Realm, protocol string) (defaults, optional []string) {
	pick := func(names []string) []string {
		list := []string{}
		for _, name := range names {
			if i := named(r.ClientScopes, scopeName, name); i >= 0 && r.ClientScopes[i].Protocol == protocol {
				list = append(list, name)
			}
		}
		return list
	}
	return pick(r.DefaultDefaultClientScopes), pick(r.DefaultOptionalClientScopes)
}

func (c *completion) completeClient(cl *rep.Client) error {
	if cl.ClientID == "" {
		setID(&cl.ID)
		cl.ClientID = cl.ID
	}
	if rep.Val(cl.Secret) == Masked {
		cl.Secret = nil // not a secret, but the mark of one that was held back
	}
	noProtocol := c.whole && cl.Protocol == "" // as the master realm's clients for realms
	noSecret := c.exported && cl.Secret == nil && rep.Val(cl.BearerOnly)
	defaults, optional := DefaultScopes(c.r, CompleteClient(cl, c.now))
	if noProtocol {
		cl.Protocol = ""
	}
	if rep.Val(cl.AuthorizationServicesEnabled) || cl.AuthorizationSettings != nil {
		cl.AuthorizationServicesEnabled = new(true) // whatever the flag says beside settings
		// Keycloak: RepresentationToModel.importAuthorizationSettings, createResourceServer
		cl.ServiceAccountsEnabled, cl.BearerOnly, cl.PublicClient = new(true), new(false), new(false)
		if list := c.r.Roles.Client[cl.ClientID]; named(list, roleName, roleProtection) < 0 {
			c.r.Roles.Client[cl.ClientID] = append(list, rep.Role{Name: roleProtection})
		}
	}
	if noSecret {
		cl.Secret = nil
		delete(cl.Attributes, "client.secret.creation.time")
	}
	if cl.DefaultClientScopes == nil && cl.OptionalClientScopes == nil {
		cl.DefaultClientScopes, cl.OptionalClientScopes, cl.InheritsScopes = defaults, optional, true
		if t := scopeWord(cl.ClientTemplate); t != "" && !slices.Contains(defaults, t) {
			cl.DefaultClientScopes, cl.InheritsScopes = append(cl.DefaultClientScopes, t), false
		}
	}
	cl.ClientTemplate, cl.UseTemplateConfig, cl.UseTemplateScope, cl.UseTemplateMappers = "", nil, nil, nil
	cl.DefaultClientScopes, cl.OptionalClientScopes = c.scopesFor(cl, cl.DefaultClientScopes), c.scopesFor(cl, cl.OptionalClientScopes)
	if rep.Val(cl.ServiceAccountsEnabled) && !c.hasServiceAccount(cl.ClientID) && named(c.r.ClientScopes, scopeName, scopeService) >= 0 {
		// Along with its user only. Keycloak: ClientManager.enableServiceAccount
		addName(&cl.DefaultClientScopes, scopeService)
	}
	c.completeMappers(cl.ProtocolMappers)
	if _, ok := cl.Attributes["realm_client"]; !ok {
		builtin := cl.ClientID == ClientAdmin || cl.ClientID == ClientBroker || c.master && Administrative(Master, cl.ClientID)
		cl.Attributes["realm_client"] = strconv.FormatBool(builtin)
	}
	return nil
}

// scopesFor are those of a client's scopes that are there and of its protocol.
func (c *completion) scopesFor(cl *rep.Client, names []string) []string {
	list := []string{}
	for _, name := range names {
		i := named(c.r.ClientScopes, scopeName, name)
		if i < 0 {
			c.note("client scope "+name, "client "+cl.ClientID+" names it, and it is not there")
			continue
		}
		if c.r.ClientScopes[i].Protocol == cmp.Or(cl.Protocol, string(iam.OIDC)) || c.r.ClientScopes[i].Protocol == "" {
			addName(&list, name)
		}
	}
	return list
}

// hasServiceAccount says whether the realm brings the user of a client's service account.
func (c *completion) hasServiceAccount(client string) bool {
	return slices.ContainsFunc(c.given.Users, func(u rep.User) bool { return u.ServiceAccountClientID == client })
}

// completeMappers completes mappers as Keycloak does since 2.3, and drops what
// asked for consent until Keycloak 4. Keycloak: MigrationUtils.updateProtocolMappers.
func (c *completion) completeMappers(list []rep.ProtocolMapper) {
	for i := range list {
		m := &list[i]
		m.ConsentRequired, m.ConsentText = false, nil
		for name, value := range m.Config {
			if value == "" {
				delete(m.Config, name)
			}
		}
		if id, ok := m.Config["id.token.claim"]; ok && !c.whole {
			setAttribute(m.Config, "userinfo.token.claim", id)
		}
	}
}

func setAttribute(attributes map[string]string, name, value string) {
	if _, ok := attributes[name]; !ok {
		attributes[name] = value
	}
}

// CompleteClient gives a new client what Keycloak gives it, but for its
// scopes, and returns its protocol. Keycloak: RepresentationToModel.createClient.
func CompleteClient(cl *rep.Client, now time.Time) (protocol string) {
	if rep.Val(cl.DirectGrantsOnly) {
		setDefault(&cl.StandardFlowEnabled, false)
		setDefault(&cl.DirectAccessGrantsEnabled, true)
	}
	cl.DirectGrantsOnly = nil
	if cl.WebOrigins == nil {
		for _, uri := range cl.RedirectURIs {
			if u, err := url.Parse(uri); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
				addName(&cl.WebOrigins, u.Scheme+"://"+u.Host)
			}
		}
	}
	cl.RedirectURIs, cl.WebOrigins = distinct(cl.RedirectURIs), distinct(cl.WebOrigins)
	if cl.Protocol == "" {
		cl.Protocol = string(iam.OIDC)
	}
	for flag, value := range map[**bool]bool{
		&cl.SurrogateAuthRequired: false, &cl.Enabled: true, &cl.AlwaysDisplayInConsole: false, &cl.BearerOnly: false,
		&cl.ConsentRequired: false, &cl.StandardFlowEnabled: true, &cl.ImplicitFlowEnabled: false, &cl.DirectAccessGrantsEnabled: false,
		&cl.ServiceAccountsEnabled: false, &cl.PublicClient: false, &cl.FrontchannelLogout: false,
	} {
		setDefault(flag, value)
	}
	setDefault(&cl.FullScopeAllowed, !*cl.ConsentRequired) // Keycloak: RepresentationToModel.createClient
	setDefault(&cl.NotBefore, 0)
	setDefault(&cl.NodeReRegistrationTimeout, -1)
	if cl.ClientAuthenticatorType == "" {
		cl.ClientAuthenticatorType = "client-secret"
	}
	if cl.Attributes == nil {
		cl.Attributes = map[string]string{}
	}
	for name, value := range cl.Attributes {
		if strings.TrimSpace(value) == "" {
			delete(cl.Attributes, name) // null is read as an empty text; Keycloak: ClientAdapter.setAttribute keeps neither
		}
	}
	if cl.AuthenticationFlowBindingOverrides == nil {
		cl.AuthenticationFlowBindingOverrides = map[string]string{}
	}
	if cl.Secret == nil && !*cl.PublicClient {
		cl.Secret = new(NewSecret())
		cl.Attributes["client.secret.creation.time"] = strconv.FormatInt(now.Unix(), 10)
	}
	if cl.Protocol == string(iam.SAML) {
		// Keycloak: SamlProtocol's artifact binding finds a client by this.
		sum := sha1.Sum([]byte(cl.ClientID))
		cl.Attributes["saml.artifact.binding.identifier"] = base64.StdEncoding.EncodeToString(sum[:])
	}
	if cl.ID == "" {
		cl.ID = NewID()
	}
	return cl.Protocol
}

// distinct is a list without what is there twice, and without empty texts.
func distinct(list []string) []string {
	return append([]string{}, slices.DeleteFunc(iam.Distinct(list), func(v string) bool { return v == "" })...)
}

func setDefault[T any](p **T, v T) {
	if *p == nil {
		*p = &v
	}
}
