package realms

import (
	"context"
	"errors"
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// KeycloakVersion is what realm files say they are from: the version whose
// format they have.
const KeycloakVersion = "26.7.3"

// Export is a realm as a realm file has it, with secrets and keys, without its
// users; see ExportUsers. What Import has read comes out equal up to the order
// of lists. Keycloak: ExportUtils.exportRealm.
func (m *Manager) Export(ctx context.Context, name string) (*rep.Realm, error) {
	r, err := m.Cache.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	x := &exporter{db: m.Cache.db, r: r, out: settingsOf(r.Rep)}
	x.out.ID, x.out.Realm, x.out.KeycloakVersion = string(r.ID), r.Name, KeycloakVersion
	x.out.LocalizationTexts = r.Rep.LocalizationTexts
	if x.names, err = x.db.ClientNames(ctx, r.ID); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{x.clients, x.roles, x.scopes, x.groups, x.flows, x.objects} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return x.out, nil
}

// An exporter gathers a realm from its documents.
type exporter struct {
	db    *store.DB
	r     *Realm
	out   *rep.Realm
	names map[iam.ClientID]string
}

func (x *exporter) clients(ctx context.Context) error {
	list, err := x.r.Clients(ctx, "", 0, -1)
	if err != nil {
		return err
	}
	x.out.Clients = []rep.Client{}
	for _, c := range list {
		doc := *c.Rep
		if !rep.Val(doc.AuthorizationServicesEnabled) {
			doc.AuthorizationServicesEnabled = nil // Keycloak: ModelToRepresentation.toRepresentation
		}
		x.out.Clients = append(x.out.Clients, doc)
	}
	return nil
}

// roleNames splits roles into the realm's and the clients'.
func (x *exporter) roleNames(ids []iam.RoleID) (realm []string, clients map[string][]string) {
	clients = map[string][]string{}
	for _, id := range ids {
		role := x.r.Role(id)
		switch {
		case role == nil:
		case role.Client == "":
			realm = append(realm, role.Name)
		default:
			client := x.names[role.Client]
			clients[client] = append(clients[client], role.Name)
		}
	}
	slices.Sort(realm)
	for _, list := range clients {
		slices.Sort(list)
	}
	return realm, clients
}

func (x *exporter) roles(context.Context) error {
	out := &rep.Roles{Realm: []rep.Role{}, Client: map[string][]rep.Role{}, Unknown: nil}
	for _, name := range x.names {
		out.Client[name] = []rep.Role{}
	}
	for role := range x.r.AllRoles {
		doc := *role.Rep
		doc.ID, doc.Name, doc.ClientRole, doc.ContainerID = string(role.ID), role.Name, new(role.Client != ""), string(x.r.ID)
		if role.Client != "" {
			doc.ContainerID = string(role.Client)
		}
		if doc.Attributes == nil {
			doc.Attributes = map[string][]string{}
		}
		doc.Composite, doc.Composites = len(role.Composites) > 0, nil
		if doc.Composite {
			realm, clients := x.roleNames(role.Composites)
			doc.Composites = &rep.Composites{Realm: realm}
			if len(clients) > 0 {
				doc.Composites.Client = clients
			}
		}
		if role.Client == "" {
			out.Realm = append(out.Realm, doc)
			if role.ID == x.r.DefaultRole {
				x.out.DefaultRole = &rep.Role{ID: doc.ID, Name: doc.Name, Description: doc.Description, Composite: doc.Composite,
					ClientRole: doc.ClientRole, ContainerID: doc.ContainerID}
			}
			continue
		}
		client := x.names[role.Client]
		out.Client[client] = append(out.Client[client], doc)
	}
	byName := func(a, b rep.Role) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(out.Realm, byName)
	for _, list := range out.Client {
		slices.SortFunc(list, byName)
	}
	x.out.Roles = out
	return nil
}

func (x *exporter) scopes(context.Context) error {
	out := x.out
	out.ClientScopes, out.DefaultDefaultClientScopes, out.DefaultOptionalClientScopes = []rep.ClientScope{}, []string{}, []string{}
	for _, s := range x.r.Scopes {
		out.ClientScopes = append(out.ClientScopes, *s.Rep)
		switch {
		case s.DefaultOfRealm:
			out.DefaultDefaultClientScopes = append(out.DefaultDefaultClientScopes, s.Name)
		case s.OptionalOfRealm:
			out.DefaultOptionalClientScopes = append(out.DefaultOptionalClientScopes, s.Name)
		}
	}
	mapping := func(owner string, m rep.ScopeMapping) {
		realm, clients := x.roleNames(x.r.ScopeRoles(owner))
		if m.Roles = realm; len(realm) > 0 {
			out.ScopeMappings = append(out.ScopeMappings, m)
		}
		for client, names := range clients {
			if out.ClientScopeMappings == nil {
				out.ClientScopeMappings = map[string][]rep.ScopeMapping{}
			}
			m.Roles = names
			out.ClientScopeMappings[client] = append(out.ClientScopeMappings[client], m)
		}
	}
	for _, s := range x.r.Scopes {
		mapping(string(s.ID), rep.ScopeMapping{ClientScope: s.Name})
	}
	for _, c := range out.Clients {
		mapping(c.ID, rep.ScopeMapping{Client: c.ClientID})
	}
	return nil
}

func (x *exporter) groups(ctx context.Context) error {
	rows, err := x.db.Groups(ctx, x.r.ID)
	if err != nil {
		return err
	}
	pairs, err := x.db.GroupRoles(ctx, x.r.ID)
	if err != nil {
		return err
	}
	roles := map[iam.GroupID][]iam.RoleID{}
	for _, p := range pairs {
		roles[iam.GroupID(p.Owner)] = append(roles[iam.GroupID(p.Owner)], p.Role)
	}
	paths := pathsOf(rows)
	var below func(parent iam.GroupID) ([]rep.Group, error)
	below = func(parent iam.GroupID) ([]rep.Group, error) {
		list := []rep.Group{}
		for _, row := range rows {
			if row.Parent != parent {
				continue
			}
			g := rep.Group{}
			if err := rep.Unmarshal(row.Doc, &g); err != nil {
				return nil, err
			}
			g.ID, g.Name, g.Path, g.ParentID = string(row.ID), row.Name, paths[row.ID], string(parent)
			g.RealmRoles, g.ClientRoles = x.roleNames(roles[row.ID])
			g.RealmRoles = orEmpty(g.RealmRoles)
			if g.Attributes == nil {
				g.Attributes = map[string][]string{}
			}
			if row.Default {
				x.out.DefaultGroups = append(x.out.DefaultGroups, g.Path)
			}
			if g.SubGroups, err = below(row.ID); err != nil {
				return nil, err
			}
			list = append(list, g)
		}
		return list, nil
	}
	x.out.Groups, err = below("")
	return err
}

func (x *exporter) flows(context.Context) error {
	aliases, configs := map[string]string{}, map[string]string{}
	for _, f := range x.r.FlowDocs {
		aliases[f.ID] = f.Alias
	}
	x.out.AuthenticatorConfig = []rep.AuthenticatorConfig{}
	for _, c := range x.r.AuthConfigs {
		configs[c.ID] = c.Alias
		x.out.AuthenticatorConfig = append(x.out.AuthenticatorConfig, *c)
	}
	x.out.AuthenticationFlows = []rep.Flow{}
	byAlias := slices.SortedFunc(slices.Values(x.r.FlowDocs), func(a, b *FlowDoc) int { return strings.Compare(a.Alias, b.Alias) })
	for _, f := range byAlias {
		doc := *f.Flow
		doc.AuthenticationExecutions = []rep.ExecutionExport{}
		for _, e := range f.Executions {
			v := rep.ExecutionExport{
				Authenticator: e.Authenticator, AuthenticatorConfig: configs[e.AuthenticatorConfig], AuthenticatorFlow: e.AuthenticatorFlow,
				AutheticatorFlow: e.AuthenticatorFlow, Requirement: e.Requirement, Priority: e.Priority, Unknown: e.Unknown,
			}
			if e.FlowID != nil {
				v.FlowAlias = aliases[*e.FlowID]
			}
			doc.AuthenticationExecutions = append(doc.AuthenticationExecutions, v)
		}
		x.out.AuthenticationFlows = append(x.out.AuthenticationFlows, doc)
	}
	x.out.RequiredActions = []rep.RequiredAction{}
	for _, a := range x.r.RequiredActions {
		x.out.RequiredActions = append(x.out.RequiredActions, *a.Rep)
	}
	return nil
}

func (x *exporter) objects(context.Context) error {
	var list []rep.Component
	for _, c := range x.r.Components {
		list = append(list, *c.Rep)
	}
	x.out.Components = rep.ExportComponents(list, string(x.r.ID))
	x.out.IdentityProviders, x.out.IdentityProviderMappers = []rep.IdentityProvider{}, []rep.IdentityProviderMapper{}
	for _, p := range x.r.IDPs {
		x.out.IdentityProviders = append(x.out.IdentityProviders, *p.Rep)
		for _, mapper := range p.Mappers {
			x.out.IdentityProviderMappers = append(x.out.IdentityProviderMappers, *mapper.Rep)
		}
	}
	return nil
}

// ExportUsers calls yield with pages of at most size users, with credentials,
// roles, groups, links and consents, in order of their user names.
// Keycloak: ExportUtils.exportUser.
func (m *Manager) ExportUsers(ctx context.Context, name string, size int, yield func([]rep.User) error) error {
	r, err := m.Cache.Get(ctx, name)
	if err != nil {
		return err
	}
	x := &exporter{db: m.Cache.db, r: r}
	if x.names, err = x.db.ClientNames(ctx, r.ID); err != nil {
		return err
	}
	groups, err := x.db.Groups(ctx, r.ID)
	if err != nil {
		return err
	}
	paths := pathsOf(groups)
	for after := ""; ; {
		page, err := x.db.UsersAfter(ctx, r.ID, after, size)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		out := make([]rep.User, 0, len(page))
		for _, u := range page {
			v, err := x.user(ctx, u, paths)
			if err != nil {
				return err
			}
			out = append(out, *v)
			after = u.Username
		}
		if err := yield(out); err != nil {
			return err
		}
	}
}

// ExportServiceAccounts lists the users that stand for clients, by name and
// without credentials, as Keycloak's partial exports have them.
// Keycloak: ExportUtils.exportUser.
func (m *Manager) ExportServiceAccounts(ctx context.Context, r *Realm) ([]rep.User, error) {
	x := &exporter{db: m.Cache.db, r: r}
	var err error
	if x.names, err = x.db.ClientNames(ctx, r.ID); err != nil {
		return nil, err
	}
	groups, err := x.db.Groups(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	clients, err := r.Clients(ctx, "", 0, -1)
	if err != nil {
		return nil, err
	}
	var list []rep.User
	paths := pathsOf(groups)
	for _, c := range clients {
		if !rep.Val(c.Rep.ServiceAccountsEnabled) {
			continue
		}
		u, err := x.db.ServiceAccount(ctx, r.ID, c.ID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		v, err := x.user(ctx, u, paths)
		if err != nil {
			return nil, err
		}
		v.Credentials = nil
		list = append(list, *v)
	}
	slices.SortFunc(list, func(a, b rep.User) int { return strings.Compare(a.Username, b.Username) })
	return list, nil
}

func (x *exporter) user(ctx context.Context, u *iam.User, paths map[iam.GroupID]string) (*rep.User, error) {
	v := rep.FromUser(u)
	extra, err := x.extra(ctx, u)
	if err != nil {
		return nil, err
	}
	v.VerifiableCredentials, v.IssuedVerifiableCredentials, v.Unknown = extra.VerifiableCredentials, extra.IssuedVerifiableCredentials,
		extra.Unknown
	if u.ServiceAccount != "" {
		v.ServiceAccountClientID = x.names[u.ServiceAccount]
	}
	credentials, err := x.db.Credentials(ctx, x.r.ID, u.ID)
	if err != nil {
		return nil, err
	}
	v.Credentials = []rep.Credential{}
	for _, c := range credentials {
		out := rep.FromCredential(c)
		out.Priority = nil // as in the reference's exports, the order of the list tells it
		if i := slices.IndexFunc(extra.Credentials, func(e rep.Credential) bool { return e.ID == c.ID }); i >= 0 {
			out.Unknown = extra.Credentials[i].Unknown
		}
		v.Credentials = append(v.Credentials, out)
		if c.Kind == iam.OTP {
			v.TOTP = new(true)
		}
	}
	roles, err := x.db.UserRoles(ctx, x.r.ID, u.ID)
	if err != nil {
		return nil, err
	}
	v.RealmRoles, v.ClientRoles = x.roleNames(roles)
	if len(v.ClientRoles) == 0 {
		v.ClientRoles = nil
	}
	groups, err := x.db.UserGroups(ctx, x.r.ID, u.ID)
	if err != nil {
		return nil, err
	}
	v.Groups = []string{}
	for _, g := range groups {
		v.Groups = append(v.Groups, paths[g])
	}
	links, err := x.db.Links(ctx, x.r.ID, u.ID)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		out := rep.FromFederatedIdentity(l)
		if i := slices.IndexFunc(extra.FederatedIdentities,
			func(e rep.FederatedIdentity) bool { return e.IdentityProvider == l.Provider }); i >= 0 {
			out.Unknown = extra.FederatedIdentities[i].Unknown
		}
		v.FederatedIdentities = append(v.FederatedIdentities, out)
	}
	consents, err := x.db.Consents(ctx, x.r.ID, u.ID)
	if err != nil {
		return nil, err
	}
	for _, c := range consents {
		consent := rep.UserConsent{ClientID: x.names[c.Client], CreatedDate: new(c.Created.UnixMilli()),
			LastUpdatedDate:     new(c.Updated.UnixMilli()),
			GrantedClientScopes: []string{}}
		if i := slices.IndexFunc(extra.ClientConsents, func(e rep.UserConsent) bool { return e.ClientID == string(c.Client) }); i >= 0 {
			consent.Unknown = extra.ClientConsents[i].Unknown
		}
		for _, id := range c.Scopes {
			if s := x.r.Scope(id); s != nil {
				consent.GrantedClientScopes = append(consent.GrantedClientScopes, s.Name)
			} else if name := x.names[iam.ClientID(id)]; name != "" {
				consent.GrantedClientScopes = append(consent.GrantedClientScopes, name)
			}
		}
		v.ClientConsents = append(v.ClientConsents, consent)
	}
	return v, nil
}

// extra is what extraOf kept of a user.
func (x *exporter) extra(ctx context.Context, u *iam.User) (*rep.User, error) {
	v, text := new(rep.User), u.Extra
	switch o, err := x.db.Object(ctx, x.r.ID, store.KindUserExtra, string(u.ID)); {
	case err == nil:
		text = o.Doc
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	if len(text) == 0 {
		return v, nil
	}
	return v, rep.Unmarshal(text, v)
}
