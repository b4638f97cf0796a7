package realms

import (
	"crypto/rand"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

// New returns a new realm as Keycloak 26.7 creates it: Complete of a
// representation that has only a name.
func New(name string, now time.Time) (*rep.Realm, error) {
	return Complete(&rep.Realm{Realm: name, Enabled: new(true)}, now)
}

// Complete returns the whole realm that Keycloak 26.7 would make of a posted
// or imported one: what is missing has its default, everything has an id, and
// clients have secrets. Key components come without keys. What is given is
// kept, unknown members included; given is not changed. The error is an
// *iam.Error for what Keycloak refuses. Keycloak: RealmManager.importRealm,
// DefaultExportImportManager.importRealm.
func Complete(given *rep.Realm, now time.Time) (*rep.Realm, error) {
	c, err := complete(given, now)
	if err != nil {
		return nil, err
	}
	return c.finish()
}

// complete is Complete up to where files of older versions are migrated: what
// a file says is judged against this, since a migration may remove or rename
// what the file still speaks of.
func complete(given *rep.Realm, now time.Time) (*completion, error) {
	if err := checkName(given.Realm); err != nil {
		return nil, at("/realm", err)
	}
	if err := CheckReserved(given.ID); err != nil {
		return nil, at("/id", err)
	}
	given, err := rep.Clone(given)
	if err != nil {
		return nil, err
	}
	c := &completion{given: given, now: now, master: given.Realm == Master, exported: given.KeycloakVersion != "",
		version: olderVersion(given.KeycloakVersion)}
	c.whole = strings.HasPrefix(given.KeycloakVersion, "26.7.") && given.ClientScopes != nil && given.AuthenticationFlows != nil &&
		given.RequiredActions != nil
	if err := c.legacyNames(); err != nil {
		return nil, err
	}
	if c.said, err = withoutUsers(c.given); err != nil {
		return nil, err
	}
	c.optionalSteps()
	for _, step := range []func() error{c.settings, c.roles, c.scopes, c.clients, c.masterRoles, c.impliedRoles, c.flows, c.components,
		func() error { return fillPolicies(c.r) }} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	groupIDs(c.r.Groups, "")
	return c, nil
}

// finish migrates a realm file of an older version, and gives ids.
func (c *completion) finish() (*rep.Realm, error) {
	if err := c.migrate(); err != nil {
		return nil, err
	}
	if err := c.ids(); err != nil {
		return nil, err
	}
	return c.r, nil
}

// withoutUsers is a copy of a realm that has its users in common with it: these
// may be many.
func withoutUsers(r *rep.Realm) (*rep.Realm, error) {
	said := *r
	said.Users, said.FederatedUsers = nil, nil
	out, err := rep.Clone(&said)
	if err != nil {
		return nil, err
	}
	out.Users, out.FederatedUsers = r.Users, r.FederatedUsers
	return out, nil
}

// A completion is a realm being completed: r is what comes out.
type completion struct {
	given  *rep.Realm
	r      *rep.Realm
	now    time.Time
	master bool
	// exported is set for realm files, which are complete: what a client lacks
	// there, it lacked.
	exported bool
	// whole is set for exports of the version that Latchkey follows, its own
	// among them: they list all there is, and come out as they went in.
	whole bool
	// version is set for realm files of versions that are to be migrated from.
	version *version

	said      *rep.Realm // what was given, under today's names, for validate
	moved     []moved    // what stands elsewhere in the file
	templates []rep.ClientScope
	notes     []Gap // what is not taken over, by Keycloak neither

	masterComponents map[string][]rep.ComponentExport // what only the master realm has
	defaultRole      string                           // its name
}

// Collections that are not simply taken over when given.
var composed = map[string]bool{
	"Roles": true, "DefaultRole": true, "ClientScopes": true, "DefaultDefaultClientScopes": true, "DefaultOptionalClientScopes": true,
	"Clients": true, "ScopeMappings": true, "ClientScopeMappings": true, "AuthenticationFlows": true, "AuthenticatorConfig": true,
	"RequiredActions": true, "Components": true, "Attributes": true, "DefaultGroups": true, "KeycloakVersion": true,
}

func (c *completion) settings() error {
	r, err := template("settings.json", c.given.Realm)
	if err != nil {
		return err
	}
	c.r = r
	if c.master {
		// Keycloak: ApplianceBootstrap.createMasterRealm
		t, err := template("master.json", Master)
		if err != nil {
			return err
		}
		r.DisplayName, r.DisplayNameHTML, r.AccessTokenLifespan = t.DisplayName, t.DisplayNameHTML, t.AccessTokenLifespan
		c.masterComponents = t.Components
		delete(r.Attributes, "oauth2DeviceCodeLifespan")
		delete(r.Attributes, "oauth2DevicePollingInterval")
	}
	r.Enabled = new(false)
	c.given.VerifiableCredentialsEnabled = nil // Keycloak: RealmAdapter.setVerifiableCredentialsEnabled, without its feature
	r.ActionTokenGeneratedByUserLifespan = cmpOr(c.given.AccessCodeLifespanUserAction, r.ActionTokenGeneratedByUserLifespan)
	given, out := reflect.ValueOf(c.given).Elem(), reflect.ValueOf(r).Elem()
	for i := range given.NumField() {
		name := given.Type().Field(i).Name
		otp := strings.HasPrefix(name, "OTPPolicy") && c.given.OTPPolicyType == ""
		if f := given.Field(i); !f.IsZero() && !composed[name] && !otp {
			out.Field(i).Set(f)
		}
	}
	if c.exported && c.given.Attributes != nil && c.version == nil {
		r.Attributes = c.given.Attributes
	}
	maps.Copy(r.Attributes, c.given.Attributes)
	if reusable, ok := c.given.Attributes[attrReusable]; ok { // Keycloak: OTPPolicy.isCodeReusable, which is kept there
		r.OTPPolicyCodeReusable = new(strings.EqualFold(reusable, "true"))
	} else if _, shown := r.Attributes[attrReusable]; shown {
		r.Attributes[attrReusable] = strconv.FormatBool(rep.Val(r.OTPPolicyCodeReusable))
	}
	dropMirrored(r.Attributes)
	if !c.whole {
		showAttributes(r, c.given)
	}
	if c.given.BrowserSecurityHeaders != nil {
		// Keycloak sets them one by one over those of a new realm.
		t, err := template("settings.json", c.given.Realm)
		if err != nil {
			return err
		}
		r.BrowserSecurityHeaders = t.BrowserSecurityHeaders
		maps.Copy(r.BrowserSecurityHeaders, c.given.BrowserSecurityHeaders)
	}
	if len(r.SupportedLocales) == 0 {
		r.SupportedLocales = nil
	}
	if rep.Val(r.PasswordPolicy) == "" {
		r.PasswordPolicy = nil
	}
	usualAlgorithms(r)
	for _, name := range mailSecrets {
		if r.SMTPServer[name] == Masked {
			c.note("mail server", "its "+name+" is held back in the file")
			delete(r.SMTPServer, name)
		}
	}
	r.OTPSupportedApplications = otpApplications(r)
	switch iam.SSLRequirement(strings.ToLower(r.SSLRequired)) {
	case iam.SSLNone, iam.SSLExternal, iam.SSLAll:
		r.SSLRequired = strings.ToLower(r.SSLRequired)
	default:
		return at("/sslRequired", iam.Errorf(iam.Invalid, "sslRequired: %q is none of none, external, all", r.SSLRequired))
	}
	if c.given.Groups != nil {
		r.DefaultGroups = nil
		for _, path := range c.given.DefaultGroups {
			addName(&r.DefaultGroups, groupPath(path))
		}
	}
	if r.ID == "" {
		r.ID = NewID()
	}
	return nil
}

func cmpOr[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// hasRealmRole says whether the given realm brings a realm role.
func (c *completion) hasRealmRole(name string) bool {
	return c.given.Roles != nil && named(c.given.Roles.Realm, roleName, name) >= 0
}

func (c *completion) hasClient(id string) bool { return named(c.given.Clients, clientID, id) >= 0 }

func (c *completion) hasScope(name string) bool {
	return named(c.given.ClientScopes, scopeName, name) >= 0
}

func roleName(r *rep.Role) string         { return r.Name }
func clientID(c *rep.Client) string       { return c.ClientID }
func scopeName(s *rep.ClientScope) string { return s.Name }

// named returns the index of the element with that name, or -1.
func named[T any](list []T, name func(*T) string, want string) int {
	for i := range list {
		if name(&list[i]) == want {
			return i
		}
	}
	return -1
}

// roles: the given ones, the default role, and those of the clients that are
// to be made.
func (c *completion) roles() error {
	t, err := template("roles.json", c.given.Realm)
	if err != nil {
		return err
	}
	r := c.r
	r.Roles = &rep.Roles{Client: map[string][]rep.Role{}}
	if c.given.Roles != nil {
		r.Roles = c.given.Roles
		if r.Roles.Client == nil {
			r.Roles.Client = map[string][]rep.Role{}
		}
	}
	def := t.Roles.Realm[named(t.Roles.Realm, roleName, defaultRoleName(c.given.Realm))]
	if d := c.given.DefaultRole; d != nil {
		if i := named(r.Roles.Realm, roleName, d.Name); i >= 0 {
			def = r.Roles.Realm[i]
			def.Description = cmpOr(d.Description, def.Description)
			r.Roles.Realm = slices.Delete(r.Roles.Realm, i, i+1)
		} else {
			def = *d
		}
		def.ID = d.ID
		def.Composites = new(rep.Val(def.Composites))
	} else {
		base := def.Name
		for i := 1; c.hasRealmRole(def.Name); i++ {
			def.Name = base + "-" + strconv.Itoa(i)
		}
		def.Composites = new(rep.Composites)
		for _, name := range c.given.DefaultRoles {
			addName(&def.Composites.Realm, strings.TrimSpace(name))
			if named(r.Roles.Realm, roleName, strings.TrimSpace(name)) < 0 {
				r.Roles.Realm = append(r.Roles.Realm, rep.Role{Name: strings.TrimSpace(name)})
			}
		}
	}
	comp := def.Composites
	if i := named(r.Roles.Realm, roleName, roleOffline); i >= 0 && !c.hasScope(scopeOffline) {
		// Keycloak: RealmManager.setupOfflineTokens, which makes the role anew.
		r.Roles.Realm = slices.Delete(r.Roles.Realm, i, i+1)
	}
	for _, name := range []string{roleOffline, roleUMA} {
		if named(r.Roles.Realm, roleName, name) < 0 && !(name == roleUMA && c.implied(name)) {
			r.Roles.Realm = append(r.Roles.Realm, t.Roles.Realm[named(t.Roles.Realm, roleName, name)])
			addName(&comp.Realm, name)
		}
	}
	if !c.hasClient(ClientAccount) {
		r.Roles.Client[ClientAccount] = t.Roles.Client[ClientAccount]
		addClientName(comp, ClientAccount, "manage-account")
		addClientName(comp, ClientAccount, "view-profile")
	} else if !c.hasRealmRole(roleDeleteAccount) {
		account, defaults := r.Roles.Client[ClientAccount], t.Roles.Client[ClientAccount]
		if named(account, roleName, roleDeleteAccount) < 0 {
			r.Roles.Client[ClientAccount] = append(account, defaults[named(defaults, roleName, roleDeleteAccount)])
		}
	}
	if !c.hasClient(ClientBroker) {
		r.Roles.Client[ClientBroker] = t.Roles.Client[ClientBroker]
	}
	if !c.master {
		completeAdminRoles(r.Roles.Client, t.Roles.Client[ClientAdmin])
	}
	if c.given.DefaultRole == nil {
		for i := range c.given.Clients {
			cl := &c.given.Clients[i]
			for _, name := range cl.DefaultRoles {
				addClientName(comp, cl.ClientID, name)
				if named(r.Roles.Client[cl.ClientID], roleName, name) < 0 {
					r.Roles.Client[cl.ClientID] = append(r.Roles.Client[cl.ClientID], rep.Role{Name: name})
				}
			}
			cl.DefaultRoles = nil
		}
	}
	r.DefaultRoles = nil
	r.Roles.Realm = append(r.Roles.Realm, def)
	c.defaultRole = def.Name
	return nil
}

// implied says whether something makes a realm role by having it. Keycloak does
// so before it looks for the roles that every realm has.
func (c *completion) implied(name string) bool {
	has := func(names []string) bool {
		return slices.ContainsFunc(names, func(have string) bool { return strings.TrimSpace(have) == name })
	}
	var groups func(list []rep.Group) bool
	groups = func(list []rep.Group) bool {
		return slices.ContainsFunc(list, func(g rep.Group) bool { return has(g.RealmRoles) || groups(g.SubGroups) })
	}
	return groups(c.given.Groups) ||
		slices.ContainsFunc(c.given.Users, func(u rep.User) bool { return has(u.RealmRoles) }) ||
		slices.ContainsFunc(c.given.ScopeMappings, func(m rep.ScopeMapping) bool { return has(m.Roles) })
}

// completeAdminRoles adds the roles that a realm-management client lacks, as
// one from an older version may. Keycloak: RealmManager.checkRealmAdminManagementRoles.
func completeAdminRoles(roles map[string][]rep.Role, defaults []rep.Role) {
	have := roles[ClientAdmin]
	var added []string
	for _, role := range defaults {
		if named(have, roleName, role.Name) < 0 {
			have = append(have, role)
			added = append(added, role.Name)
		}
	}
	roles[ClientAdmin] = have
	if i := named(have, roleName, RoleRealmAdmin); len(added) > 0 && len(added) < len(defaults) {
		admin := &have[i]
		admin.Composites = new(rep.Val(admin.Composites))
		for _, name := range added {
			if name != RoleRealmAdmin {
				addClientName(admin.Composites, ClientAdmin, name)
			}
		}
	}
}

// defaultRoleName is the usual name of a realm's default role.
func defaultRoleName(realm string) string { return "default-roles-" + strings.ToLower(realm) }

func addName(list *[]string, name string) {
	if !slices.Contains(*list, name) {
		*list = append(*list, name)
	}
}

func addClientName(cs *rep.Composites, client, name string) {
	if cs.Client == nil {
		cs.Client = map[string][]string{}
	}
	list := cs.Client[client]
	addName(&list, name)
	cs.Client[client] = list
}

// scopes: a realm that brings client scopes has only those, and offline_access.
func (c *completion) scopes() error {
	t, err := template("scopes.json", c.given.Realm)
	if err != nil {
		return err
	}
	r := c.r
	if c.given.ClientScopes == nil {
		r.ClientScopes, r.DefaultDefaultClientScopes, r.DefaultOptionalClientScopes = t.ClientScopes, t.DefaultDefaultClientScopes,
			t.DefaultOptionalClientScopes
		for i := range c.templates {
			c.completeMappers(c.templates[i].ProtocolMappers)
			r.ClientScopes = append(r.ClientScopes, c.templates[i])
		}
		r.ScopeMappings = c.given.ScopeMappings
		addMapping(&r.ScopeMappings, t.ScopeMappings[0])
		return nil
	}
	existing := func(names []string) []string {
		return slices.DeleteFunc(names, func(name string) bool { return !c.hasScope(name) })
	}
	r.ClientScopes = append(c.given.ClientScopes, c.templates...)
	for i := range r.ClientScopes {
		c.completeMappers(r.ClientScopes[i].ProtocolMappers)
	}
	r.DefaultDefaultClientScopes = existing(orEmpty(c.given.DefaultDefaultClientScopes))
	r.DefaultOptionalClientScopes = existing(orEmpty(c.given.DefaultOptionalClientScopes))
	r.ScopeMappings = c.given.ScopeMappings
	if !c.hasScope(scopeOffline) {
		r.ClientScopes = append(r.ClientScopes, t.ClientScopes[named(t.ClientScopes, scopeName, scopeOffline)])
		addName(&r.DefaultOptionalClientScopes, scopeOffline)
		addMapping(&r.ScopeMappings, t.ScopeMappings[0])
	}
	return nil
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// addMapping adds roles to the scope mapping of the same container.
func addMapping(list *[]rep.ScopeMapping, m rep.ScopeMapping) {
	for i := range *list {
		if have := &(*list)[i]; have.Client == m.Client && have.ClientScope == m.ClientScope {
			for _, name := range m.Roles {
				addName(&have.Roles, name)
			}
			return
		}
	}
	*list = append(*list, m)
}

// masterRoles are what only the master realm has: its own realm client, and
// the roles admin and create-realm. Keycloak: RealmManager.setupMasterAdminManagement.
func (c *completion) masterRoles() error {
	if !c.master {
		return nil
	}
	r := c.r
	admin := named(r.Roles.Realm, roleName, RoleAdmin)
	if admin < 0 {
		r.Roles.Realm = append(r.Roles.Realm, rep.Role{Name: RoleAdmin, Description: new("${role_admin}")})
		admin = len(r.Roles.Realm) - 1
	}
	role := &r.Roles.Realm[admin]
	role.Composites = new(rep.Val(role.Composites))
	if named(r.Roles.Realm, roleName, RoleCreateRealm) < 0 {
		addName(&role.Composites.Realm, RoleCreateRealm)
		r.Roles.Realm = append(r.Roles.Realm, rep.Role{Name: RoleCreateRealm, Description: new("${role_create-realm}")})
		role = &r.Roles.Realm[admin]
	}
	name := MasterClient(Master)
	if c.hasClient(name) {
		return nil
	}
	cl, roles, err := masterClient(Master)
	if err != nil {
		return err
	}
	c.bindBuiltIn(&cl)
	r.Clients = append(r.Clients, cl)
	r.Roles.Client[name] = roles
	for _, own := range roles {
		addClientName(role.Composites, name, own.Name)
	}
	return nil
}

// impliedRoles makes the roles that users, groups and scope mappings have but
// the realm does not, as Keycloak does. Keycloak: RepresentationToModel.importGroup,
// createRoleMappings, DefaultExportImportManager.createClientScopeMappings.
func (c *completion) impliedRoles() error {
	roles := c.r.Roles
	realm := func(names []string) {
		for i, name := range names {
			names[i] = strings.TrimSpace(name)
			if named(roles.Realm, roleName, names[i]) < 0 {
				roles.Realm = append(roles.Realm, rep.Role{Name: names[i]})
			}
		}
	}
	client := func(id string, names []string) {
		for i, name := range names {
			names[i] = strings.TrimSpace(name)
			if named(c.r.Clients, clientID, id) >= 0 && named(roles.Client[id], roleName, names[i]) < 0 {
				roles.Client[id] = append(roles.Client[id], rep.Role{Name: names[i]})
			}
		}
	}
	var groups func(list []rep.Group)
	groups = func(list []rep.Group) {
		for i := range list {
			realm(list[i].RealmRoles)
			for id, names := range list[i].ClientRoles {
				client(id, names)
			}
			groups(list[i].SubGroups)
		}
	}
	for _, m := range c.given.ScopeMappings {
		realm(m.Roles)
	}
	for id, list := range c.given.ClientScopeMappings {
		for _, m := range list {
			client(id, m.Roles)
		}
	}
	groups(c.given.Groups)
	for i := range c.r.Users {
		realm(c.r.Users[i].RealmRoles)
		for id, names := range c.r.Users[i].ClientRoles {
			client(id, names)
		}
	}
	return nil
}

// NewID makes an id for whatever is new in a realm.
func NewID() string { return uuid.NewString() }

// NewSecret makes a client secret of Keycloak's length and alphabet, 512 bits.
// Keycloak: SecretGenerator.
func NewSecret() string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	out := make([]byte, 0, 86)
	for buf := make([]byte, 1); len(out) < cap(out); {
		_, _ = rand.Read(buf) // never fails: crypto/rand panics instead
		if buf[0] < 248 {     // a multiple of 62
			out = append(out, alphabet[buf[0]%62])
		}
	}
	return string(out)
}

// AddToMaster adds to the master realm the client and roles that stand for
// another realm. Keycloak: RealmManager.setupMasterAdminManagement.
func AddToMaster(master *rep.Realm, realm string) error {
	cl, roles, err := masterClient(realm)
	if err != nil {
		return err
	}
	cl.DefaultClientScopes, cl.OptionalClientScopes = []string{}, []string{}
	master.Clients = append(master.Clients, cl)
	master.Roles.Client[cl.ClientID] = roles
	admin := &master.Roles.Realm[named(master.Roles.Realm, roleName, RoleAdmin)]
	for _, role := range roles {
		addClientName(admin.Composites, cl.ClientID, role.Name)
	}
	return nil
}
