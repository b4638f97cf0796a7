package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/rep"
)

// A RealmID is a realm of the source: its id and its name.
type RealmID struct{ ID, Name string }

// Realms lists the realms, master first: other realms' clients are in it.
func (s *Source) Realms(ctx context.Context) ([]RealmID, error) {
	var list []RealmID
	err := s.each(ctx, func(r row) error {
		list = append(list, RealmID{r.text("id"), r.text("name")})
		return nil
	}, `select ID, NAME from REALM order by NAME`)
	slices.SortStableFunc(list, func(a, b RealmID) int {
		switch {
		case a.Name == "master":
			return -1
		case b.Name == "master":
			return 1
		}
		return 0
	})
	return list, err
}

// A reader reads one realm. The first error stays, and what is read after it is nothing.
type reader struct {
	ctx context.Context
	s   *Source
	of  RealmID
	err error

	out     *rep.Realm
	clients map[string]string // client_id by id
	scopes  map[string]string // names of client scopes by id
	roles   map[string]roleName
	groups  map[string]string // paths by id
	flows   map[string]string // aliases by id
	orgs    map[string]string // names of organizations by the ids of their groups
}

// A roleName is how realm files name a role.
type roleName struct{ client, name string }

// Realm reads a realm as a realm file has it, with the users that stand for clients
// and no others.
func (s *Source) Realm(ctx context.Context, of RealmID) (*rep.Realm, error) {
	r, err := s.reader(ctx, of)
	if err != nil {
		return nil, err
	}
	for _, step := range []func(){r.settings, r.readClients, r.readScopes, r.readMappings, r.readFlows, r.readProviders, r.readComponents,
		r.readAuthorization, r.readOrganizations, r.serviceAccounts} {
		if step(); r.err != nil {
			return nil, fmt.Errorf("realm %s: %w", of.Name, r.err)
		}
	}
	return r.out, nil
}

// reader reads what all else of a realm is named by.
func (s *Source) reader(ctx context.Context, of RealmID) (*reader, error) {
	r := &reader{ctx: ctx, s: s, of: of, out: &rep.Realm{ID: of.ID, Realm: of.Name, KeycloakVersion: s.Version.Text},
		clients: map[string]string{},
		scopes:  map[string]string{}, roles: map[string]roleName{}, groups: map[string]string{}, flows: map[string]string{},
		orgs: map[string]string{}}
	r.each(func(x row) { r.clients[x.text("id")] = x.text("client_id") }, `select ID, CLIENT_ID from CLIENT where REALM_ID = ?`)
	r.each(func(x row) { r.scopes[x.text("id")] = x.text("name") }, `select ID, NAME from CLIENT_SCOPE where REALM_ID = ?`)
	r.each(func(x row) { r.flows[x.text("id")] = x.text("alias") }, `select ID, ALIAS from AUTHENTICATION_FLOW where REALM_ID = ?`)
	if s.has("ORG") {
		r.each(func(x row) { r.orgs[x.text("group_id")] = x.text("name") }, `select GROUP_ID, NAME from ORG where REALM_ID = ?`)
	}
	r.readRoles()
	r.readGroups()
	if r.err != nil {
		return nil, fmt.Errorf("realm %s: %w", of.Name, r.err)
	}
	return r, nil
}

// each calls f for every row of a query, whose first parameter is the realm.
func (r *reader) each(f func(row), q string, args ...any) {
	if r.err == nil {
		r.err = r.s.each(r.ctx, func(x row) error { f(x); return nil }, q, append([]any{r.of.ID}, args...)...)
	}
}

// values reads a table of names and values, by the ids of whom they are of.
func (r *reader) values(owner, q string, args ...any) map[string]map[string]string {
	all := map[string]map[string]string{}
	r.each(func(x row) {
		id := x.text(owner)
		if all[id] == nil {
			all[id] = map[string]string{}
		}
		all[id][x.text("name")] = x.text("value")
	}, q, args...)
	return all
}

// multi is values where a name may have several.
func (r *reader) multi(owner, q string, args ...any) map[string]map[string][]string {
	all := map[string]map[string][]string{}
	r.each(func(x row) {
		id, name := x.text(owner), x.text("name")
		if all[id] == nil {
			all[id] = map[string][]string{}
		}
		all[id][name] = append(all[id][name], x.text("value"))
	}, q, args...)
	return all
}

// lists reads a table of values without names.
func (r *reader) lists(owner, value, q string, args ...any) map[string][]string {
	all := map[string][]string{}
	r.each(func(x row) { all[x.text(owner)] = append(all[x.text(owner)], x.text(value)) }, q, args...)
	return all
}

func (r *reader) list(value, q string) []string {
	list := []string{}
	r.each(func(x row) { list = append(list, x.text(value)) }, q)
	return list
}

const (
	ofClients = ` in (select ID from CLIENT where REALM_ID = ?)`
	ofRoles   = ` in (select ID from KEYCLOAK_ROLE where REALM_ID = ?)`
	ofGroups  = ` in (select ID from KEYCLOAK_GROUP where REALM_ID = ?)`
	ofScopes  = ` in (select ID from CLIENT_SCOPE where REALM_ID = ?)`
)

// settings reads REALM and the tables of its attributes. Settings that Keycloak keeps
// among the attributes are left there: realms reads them out of older files, too.
func (r *reader) settings() {
	out := r.out
	r.each(func(x row) {
		for name, to := range map[string]**bool{
			"enabled": &out.Enabled, "events_enabled": &out.EventsEnabled, "registration_allowed": &out.RegistrationAllowed,
			"remember_me":            &out.RememberMe,
			"reset_password_allowed": &out.ResetPasswordAllowed, "verify_email": &out.VerifyEmail,
			"internationalization_enabled": &out.InternationalizationEnabled,
			"reg_email_as_username":        &out.RegistrationEmailAsUsername, "admin_events_enabled": &out.AdminEventsEnabled,
			"admin_events_details_enabled": &out.AdminEventsDetailsEnabled, "edit_username_allowed": &out.EditUsernameAllowed,
			"revoke_refresh_token": &out.RevokeRefreshToken, "login_with_email_allowed": &out.LoginWithEmailAllowed,
			"duplicate_emails_allowed": &out.DuplicateEmailsAllowed, "allow_user_managed_access": &out.UserManagedAccessAllowed,
		} {
			*to = x.optFlag(name)
		}
		for name, to := range map[string]**int{
			"access_code_lifespan": &out.AccessCodeLifespan, "user_action_lifespan": &out.AccessCodeLifespanUserAction,
			"access_token_lifespan": &out.AccessTokenLifespan, "not_before": &out.NotBefore, "sso_idle_timeout": &out.SSOSessionIdleTimeout,
			"sso_max_lifespan": &out.SSOSessionMaxLifespan, "login_lifespan": &out.AccessCodeLifespanLogin,
			"otp_policy_counter": &out.OTPPolicyInitialCounter,
			"otp_policy_window":  &out.OTPPolicyLookAheadWindow, "otp_policy_period": &out.OTPPolicyPeriod,
			"otp_policy_digits":            &out.OTPPolicyDigits,
			"offline_session_idle_timeout": &out.OfflineSessionIdleTimeout, "access_token_life_implicit": &out.AccessTokenLifespanForImplicitFlow,
			"refresh_token_max_reuse": &out.RefreshTokenMaxReuse, "sso_max_lifespan_remember_me": &out.SSOSessionMaxLifespanRememberMe,
			"sso_idle_timeout_remember_me": &out.SSOSessionIdleTimeoutRememberMe,
		} {
			*to = x.integer(name)
		}
		for name, to := range map[string]**string{
			"account_theme": &out.AccountTheme, "admin_theme": &out.AdminTheme, "email_theme": &out.EmailTheme, "login_theme": &out.LoginTheme,
			"password_policy": &out.PasswordPolicy, "default_locale": &out.DefaultLocale, "display_name": &out.DisplayName,
		} {
			*to = x.opt(name)
		}
		for name, to := range map[string]*string{
			"browser_flow": &out.BrowserFlow, "registration_flow": &out.RegistrationFlow, "direct_grant_flow": &out.DirectGrantFlow,
			"reset_credentials_flow": &out.ResetCredentialsFlow, "client_auth_flow": &out.ClientAuthenticationFlow,
			"docker_auth_flow": &out.DockerAuthenticationFlow,
		} {
			*to = r.flows[x.text(name)]
		}
		out.SSLRequired, out.OTPPolicyAlgorithm, out.OTPPolicyType = strings.ToLower(x.text("ssl_required")), x.text("otp_policy_alg"),
			x.text("otp_policy_type")
		if n := x.num("events_expiration"); n != 0 { // for ever, which realm files leave out
			out.EventsExpiration = &n
		}
		if role, ok := r.roles[x.text("default_role")]; ok {
			out.DefaultRole = &rep.Role{ID: x.text("default_role"), Name: role.name}
		}
	}, `select * from REALM where ID = ?`)
	out.Attributes = r.values("realm_id", `select * from REALM_ATTRIBUTE where REALM_ID = ?`)[r.of.ID]
	if out.Attributes == nil {
		out.Attributes = map[string]string{}
	}
	r.fromAttributes()
	out.SMTPServer = r.values("realm_id", `select * from REALM_SMTP_CONFIG where REALM_ID = ?`)[r.of.ID]
	out.EventsListeners = r.list("value", `select VALUE from REALM_EVENTS_LISTENERS where REALM_ID = ?`)
	out.EnabledEventTypes = r.list("value", `select VALUE from REALM_ENABLED_EVENT_TYPES where REALM_ID = ?`)
	out.SupportedLocales = r.list("value", `select VALUE from REALM_SUPPORTED_LOCALES where REALM_ID = ?`)
	out.RequiredCredentials = r.list("type", `select TYPE from REALM_REQUIRED_CREDENTIAL where REALM_ID = ?`)
	r.each(func(x row) {
		texts := map[string]string{}
		if r.read(x.text("texts"), &texts, "texts of language "+x.text("locale")) {
			if out.LocalizationTexts == nil {
				out.LocalizationTexts = map[string]map[string]string{}
			}
			out.LocalizationTexts[x.text("locale")] = texts
		}
	}, `select * from REALM_LOCALIZATIONS where REALM_ID = ?`)
}

// read decodes a column's JSON; what cannot be read is an error that names it.
func (r *reader) read(text string, into any, what string) bool {
	if err := json.Unmarshal([]byte(text), into); err != nil {
		r.err = fmt.Errorf("%s cannot be read: %w", what, err)
		return false
	}
	return true
}

// fromAttributes takes those settings out of the attributes that realm files never have there.
func (r *reader) fromAttributes() {
	out, a := r.out, r.out.Attributes
	take := func(name string) (string, bool) {
		v, ok := a[name]
		delete(a, name)
		return v, ok
	}
	for name, to := range map[string]**string{
		"displayName": &out.DisplayName, "displayNameHtml": &out.DisplayNameHTML, "defaultSignatureAlgorithm": &out.DefaultSignatureAlgorithm,
	} {
		if v, ok := take(name); ok {
			*to = &v
		}
	}
	for name, to := range map[string]**bool{
		"organizationsEnabled": &out.OrganizationsEnabled, "adminPermissionsEnabled": &out.AdminPermissionsEnabled,
		"scimApiEnabled": &out.SCIMAPIEnabled,
	} {
		if v, ok := take(name); ok {
			*to = new(v == "true")
		}
	}
	if v, ok := take("firstBrokerLoginFlowId"); ok && r.flows[v] != "" {
		out.FirstBrokerLoginFlow = new(r.flows[v])
	}
	for name, to := range map[string]*jsontext.Value{"client-policies.profiles": &out.ClientProfiles,
		"client-policies.policies": &out.ClientPolicies} {
		if v, ok := take(name); ok && v != "" {
			var doc jsontext.Value
			if r.read(v, &doc, name) {
				*to = doc
			}
		}
	}
	for name, v := range a {
		if header, ok := strings.CutPrefix(name, "_browser_header."); ok {
			if out.BrowserSecurityHeaders == nil {
				out.BrowserSecurityHeaders = map[string]string{}
			}
			out.BrowserSecurityHeaders[header] = v
			delete(a, name)
		}
	}
}

func (r *reader) readRoles() {
	attrs := r.multi("role_id", `select * from ROLE_ATTRIBUTE where ROLE_ID`+ofRoles)
	r.out.Roles = &rep.Roles{Client: map[string][]rep.Role{}}
	for _, client := range r.clients {
		r.out.Roles.Client[client] = []rep.Role{}
	}
	r.each(func(x row) {
		id, name := x.text("id"), roleName{name: x.text("name")}
		role := rep.Role{ID: id, Name: name.name, Description: x.opt("description"), ClientRole: new(x.flag("client_role")),
			ContainerID: r.of.ID, Attributes: attrs[id]}
		if !x.flag("client_role") {
			r.out.Roles.Realm = append(r.out.Roles.Realm, role)
			r.roles[id] = name
			return
		}
		client, ok := r.clients[x.text("client")]
		if !ok {
			return // an orphan: its client is gone
		}
		role.ContainerID, name.client = x.text("client"), client
		r.out.Roles.Client[client] = append(r.out.Roles.Client[client], role)
		r.roles[id] = name
	}, `select * from KEYCLOAK_ROLE where REALM_ID = ? order by NAME, ID`)
	children := r.lists("composite", "child_role", `select * from COMPOSITE_ROLE where COMPOSITE`+ofRoles)
	compose := func(list []rep.Role) {
		for i := range list {
			realm, clients := r.names(children[list[i].ID])
			if len(realm)+len(clients) > 0 {
				list[i].Composite, list[i].Composites = true, &rep.Composites{Realm: realm, Client: clients}
			}
		}
	}
	compose(r.out.Roles.Realm)
	for _, list := range r.out.Roles.Client {
		compose(list)
	}
}

// names are those of roles, as realm files have them. Those of roles that are gone are left out.
func (r *reader) names(ids []string) (realm []string, clients map[string][]string) {
	for _, id := range ids {
		name, ok := r.roles[id]
		switch {
		case !ok:
		case name.client == "":
			realm = append(realm, name.name)
		default:
			if clients == nil {
				clients = map[string][]string{}
			}
			clients[name.client] = append(clients[name.client], name.name)
		}
	}
	slices.Sort(realm)
	for _, list := range clients {
		slices.Sort(list)
	}
	return realm, clients
}

func (r *reader) readGroups() {
	attrs := r.multi("group_id", `select * from GROUP_ATTRIBUTE where GROUP_ID`+ofGroups)
	roles := r.lists("group_id", "role_id", `select * from GROUP_ROLE_MAPPING where GROUP_ID`+ofGroups)
	below := map[string][]rep.Group{}
	r.each(func(x row) {
		id := x.text("id")
		if x.num("type") != 0 || r.orgs[id] != "" {
			return // an organization's
		}
		g := rep.Group{ID: id, Name: x.text("name"), Description: x.opt("description"), Attributes: attrs[id]}
		g.RealmRoles, g.ClientRoles = r.names(roles[id])
		parent := strings.TrimSpace(x.text("parent_group")) // a space says that there is none
		below[parent] = append(below[parent], g)
	}, `select * from KEYCLOAK_GROUP where REALM_ID = ? order by NAME, ID`)
	var gather func(parent, path string) []rep.Group
	gather = func(parent, path string) []rep.Group {
		list := below[parent]
		delete(below, parent) // a group that is below itself is not met twice
		for i := range list {
			g := &list[i]
			g.ParentID, g.Path = parent, path+"/"+g.Name
			r.groups[g.ID] = g.Path
			g.SubGroups = gather(g.ID, g.Path)
		}
		return list
	}
	r.out.Groups = gather("", "")
	if r.out.Groups == nil {
		r.out.Groups = []rep.Group{}
	}
	r.each(func(x row) {
		if path := r.groups[x.text("group_id")]; path != "" {
			r.out.DefaultGroups = append(r.out.DefaultGroups, path)
		}
	}, `select * from REALM_DEFAULT_GROUPS where REALM_ID = ?`)
}
