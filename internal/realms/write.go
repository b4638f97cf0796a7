package realms

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// A writer stores one complete realm, of which validate found nothing wrong.
type writer struct {
	tx *store.Tx
	id iam.RealmID
	r  *rep.Realm

	roles   map[string]iam.RoleID            // realm roles by name
	ofCl    map[string]map[string]iam.RoleID // client roles by client id and name
	scopes  map[string]iam.ScopeID           // client scopes by name
	clients map[string]iam.ClientID          // by client id
	groups  map[string]iam.GroupID           // by path

	providers map[string]string // identity providers by alias; what is there already, for a partial import
}

// writeRealm stores a realm without its users, which writeUser adds.
func writeRealm(ctx context.Context, tx *store.Tx, r *rep.Realm) (*writer, error) {
	row, err := rowOf(r)
	if err != nil {
		return nil, err
	}
	if err := tx.InsertRealm(ctx, row); err != nil {
		return nil, err
	}
	return writeParts(ctx, tx, r)
}

// rowOf is the row of a realm's own document.
func rowOf(r *rep.Realm) (store.RealmRow, error) {
	doc, err := rep.Marshal(settingsOf(r))
	if err != nil {
		return store.RealmRow{}, err
	}
	compiled, err := r.IAM()
	if err != nil {
		return store.RealmRow{}, iam.Errorf(iam.Invalid, "%v", err)
	}
	return store.RealmRow{ID: iam.RealmID(r.ID), Name: r.Realm, Enabled: compiled.Enabled, NotBefore: compiled.NotBefore, Doc: doc}, nil
}

// writeParts stores what has rows of its own of a realm that is there.
func writeParts(ctx context.Context, tx *store.Tx, r *rep.Realm) (*writer, error) {
	w := &writer{
		tx: tx, id: iam.RealmID(r.ID), r: r,
		roles: map[string]iam.RoleID{}, ofCl: map[string]map[string]iam.RoleID{}, scopes: map[string]iam.ScopeID{},
		clients: map[string]iam.ClientID{}, groups: map[string]iam.GroupID{},
	}
	for _, step := range []func(context.Context) error{w.writeScopes, w.writeClients, w.writeRoles, w.writeMappings, w.writeFlows,
		w.writeObjects, w.writeGroups} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("realm %s: %w", r.Realm, err)
		}
	}
	return w, nil
}

// settingsOf is the realm's own document: a realm without what has documents
// of its own.
func settingsOf(r *rep.Realm) *rep.Realm {
	s := *r
	s.Roles, s.Groups, s.DefaultRoles, s.DefaultGroups = nil, nil, nil, nil
	s.Users, s.FederatedUsers, s.ScopeMappings, s.ClientScopeMappings, s.ApplicationScopeMappings = nil, nil, nil, nil, nil
	s.Clients, s.ClientScopes, s.DefaultDefaultClientScopes, s.DefaultOptionalClientScopes = nil, nil, nil, nil
	s.IdentityProviders, s.IdentityProviderMappers, s.Components = nil, nil, nil
	s.AuthenticationFlows, s.AuthenticatorConfig, s.RequiredActions = nil, nil, nil
	s.KeycloakVersion = ""
	return &s
}

func (w *writer) object(ctx context.Context, o store.Object, doc any) (err error) {
	if o.Doc, err = rep.Marshal(doc); err != nil {
		return err
	}
	if err = w.tx.InsertObject(ctx, w.id, o); err != nil {
		return fmt.Errorf("%s %s: %w", o.Kind, o.Name, err)
	}
	return nil
}

func (w *writer) writeScopes(ctx context.Context) error {
	for i := range w.r.ClientScopes {
		s := &w.r.ClientScopes[i]
		w.scopes[s.Name] = iam.ScopeID(s.ID)
		if err := w.object(ctx, store.Object{Kind: store.KindClientScope, ID: s.ID, Name: s.Name, UniqueName: s.Name}, s); err != nil {
			return err
		}
	}
	return w.bind(ctx, "", w.r.DefaultDefaultClientScopes, w.r.DefaultOptionalClientScopes, false)
}

// bind assigns scopes. Inherited ones a client has because the realm has them.
func (w *writer) bind(ctx context.Context, client iam.ClientID, defaults, optional []string, inherited bool) error {
	for i, names := range [][]string{defaults, optional} {
		for _, name := range names {
			if id, ok := w.scopes[name]; ok {
				if _, err := w.tx.BindScope(ctx, w.id, store.ScopeBinding{Client: client, Scope: id, Optional: i == 1,
					Inherited: inherited}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (w *writer) writeClients(ctx context.Context) error {
	for i := range w.r.Clients {
		if err := w.writeClient(ctx, &w.r.Clients[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) writeClient(ctx context.Context, c *rep.Client) error {
	compiled, err := c.IAM()
	if err != nil {
		return iam.Errorf(iam.Invalid, "client %s: %v", c.ClientID, err)
	}
	doc := *c
	doc.DefaultClientScopes, doc.OptionalClientScopes, doc.DefaultRoles, doc.Access, doc.Origin = nil, nil, nil, nil, ""
	text, err := rep.Marshal(&doc)
	if err != nil {
		return err
	}
	w.clients[c.ClientID] = compiled.ID
	row := store.ClientRow{ID: compiled.ID, ClientID: c.ClientID, Enabled: compiled.Enabled, NotBefore: compiled.NotBefore, Doc: text}
	if err := w.tx.InsertClient(ctx, w.id, row); err != nil {
		return fmt.Errorf("client %s: %w", c.ClientID, err)
	}
	return w.bind(ctx, compiled.ID, c.DefaultClientScopes, c.OptionalClientScopes, c.InheritsScopes)
}

func (w *writer) writeRoles(ctx context.Context) error {
	if err := w.rolesOf(ctx, "", w.r.Roles.Realm); err != nil {
		return err
	}
	for _, client := range sorted(w.r.Roles.Client) {
		if err := w.rolesOf(ctx, client, w.r.Roles.Client[client]); err != nil {
			return err
		}
	}
	if err := w.composites(ctx, w.r.Roles.Realm); err != nil {
		return err
	}
	for _, client := range sorted(w.r.Roles.Client) {
		if err := w.composites(ctx, w.r.Roles.Client[client]); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) rolesOf(ctx context.Context, client string, list []rep.Role) error {
	ids := w.roles
	if client != "" {
		if w.ofCl[client] == nil {
			w.ofCl[client] = map[string]iam.RoleID{}
		}
		ids = w.ofCl[client]
	}
	for i := range list {
		doc := list[i]
		doc.Composites, doc.Composite = nil, false
		text, err := rep.Marshal(&doc)
		if err != nil {
			return err
		}
		ids[doc.Name] = iam.RoleID(doc.ID)
		if err := w.tx.InsertRole(ctx, w.id, store.RoleRow{ID: iam.RoleID(doc.ID), Client: w.clients[client], Name: doc.Name,
			Doc: text}); err != nil {
			return fmt.Errorf("role %s: %w", doc.Name, err)
		}
	}
	return nil
}

func (w *writer) composites(ctx context.Context, list []rep.Role) error {
	for _, role := range list {
		if role.Composites == nil {
			continue
		}
		for _, child := range w.roleIDs(role.Composites.Realm, role.Composites.Client) {
			if err := w.tx.AddComposite(ctx, w.id, iam.RoleID(role.ID), child); err != nil {
				return err
			}
		}
	}
	return nil
}

// roleIDs finds roles by their names; those that are not there are left out.
func (w *writer) roleIDs(realm []string, clients map[string][]string) []iam.RoleID {
	var ids []iam.RoleID
	add := func(id iam.RoleID) {
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, name := range realm {
		add(w.roles[name])
	}
	for _, client := range sorted(clients) {
		for _, name := range clients[client] {
			add(w.ofCl[client][name])
		}
	}
	return ids
}

func (w *writer) writeMappings(ctx context.Context) error {
	put := func(m rep.ScopeMapping, ids []iam.RoleID) error {
		owner := string(w.clients[m.Client])
		if m.Client == "" {
			owner = string(w.scopes[m.ClientScope])
		}
		for _, id := range ids {
			if err := w.tx.AddScopeRole(ctx, w.id, owner, id); err != nil {
				return err
			}
		}
		return nil
	}
	for _, m := range w.r.ScopeMappings {
		if err := put(m, w.roleIDs(m.Roles, nil)); err != nil {
			return err
		}
	}
	for _, client := range sorted(w.r.ClientScopeMappings) {
		for _, m := range w.r.ClientScopeMappings[client] {
			if err := put(m, w.roleIDs(nil, map[string][]string{client: m.Roles})); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *writer) writeFlows(ctx context.Context) error {
	configs := map[string]string{}
	for i := range w.r.AuthenticatorConfig {
		c := &w.r.AuthenticatorConfig[i]
		configs[c.Alias] = c.ID
		if err := w.object(ctx, store.Object{Kind: store.KindAuthConfig, ID: c.ID, Name: c.Alias}, c); err != nil {
			return err
		}
	}
	flows := map[string]string{}
	for i := range w.r.AuthenticationFlows {
		f := w.r.AuthenticationFlows[i]
		flows[f.Alias] = f.ID
		f.AuthenticationExecutions = nil
		if err := w.object(ctx, store.Object{Kind: store.KindFlow, ID: f.ID, Name: f.Alias, UniqueName: f.Alias, Position: int64(i) + 1},
			&f); err != nil {
			return err
		}
	}
	for _, f := range w.r.AuthenticationFlows {
		for i := range f.AuthenticationExecutions {
			e := executionOf(&f.AuthenticationExecutions[i], f.ID, flows, configs)
			position := int64(rep.Val(e.Priority))
			if err := w.object(ctx, store.Object{Kind: store.KindExecution, ID: e.ID, Parent: f.ID, Name: f.Alias, Position: position},
				e); err != nil {
				return err
			}
		}
	}
	for i := range w.r.RequiredActions {
		a := &w.r.RequiredActions[i]
		o := store.Object{Kind: store.KindRequiredAction, ID: a.Alias, Name: a.Alias, UniqueName: a.Alias, Position: int64(a.Priority)}
		if err := w.object(ctx, o, a); err != nil {
			return err
		}
	}
	return nil
}

// executionOf turns an execution of a realm file, which names sub-flow and
// configuration, into a stored one, which has their ids.
func executionOf(x *rep.ExecutionExport, flow string, flows, configs map[string]string) *rep.Execution {
	e := &rep.Execution{
		ID: NewID(), ParentFlow: &flow, Authenticator: x.Authenticator, AuthenticatorConfig: configs[x.AuthenticatorConfig],
		AuthenticatorFlow: x.AuthenticatorFlow || x.AutheticatorFlow, Requirement: x.Requirement, Priority: x.Priority, Unknown: x.Unknown,
	}
	e.AutheticatorFlow = e.AuthenticatorFlow
	if x.FlowAlias != "" {
		e.FlowID = new(flows[x.FlowAlias])
	}
	return e
}

func (w *writer) writeObjects(ctx context.Context) error {
	for _, c := range rep.ComponentsOf(w.r.Components, w.r.ID, NewID) {
		if err := w.object(ctx, store.Object{Kind: store.KindComponent, ID: c.ID, Parent: c.ParentID, Name: c.Name}, &c); err != nil {
			return err
		}
	}
	ids := map[string]string{}
	maps.Copy(ids, w.providers)
	for i := range w.r.IdentityProviders {
		p := &w.r.IdentityProviders[i]
		ids[p.Alias] = p.InternalID
		if err := w.object(ctx, providerObject(p), p); err != nil {
			return err
		}
	}
	for i := range w.r.IdentityProviderMappers {
		m := &w.r.IdentityProviderMappers[i]
		if err := w.object(ctx, mapperObject(ids, m), m); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) writeGroups(ctx context.Context) error {
	return w.groupsBelow(ctx, "", w.r.Groups)
}

func (w *writer) groupsBelow(ctx context.Context, parent iam.GroupID, list []rep.Group) error {
	for i := range list {
		g := &list[i]
		id := iam.GroupID(g.ID)
		w.groups[g.Path] = id
		doc := *g
		doc.Path, doc.ParentID, doc.SubGroups, doc.SubGroupCount, doc.RealmRoles, doc.ClientRoles, doc.Access = "", "", nil, nil, nil, nil, nil
		text, err := rep.Marshal(&doc)
		if err != nil {
			return err
		}
		row := store.GroupRow{ID: id, Parent: parent, Name: g.Name, Default: slices.Contains(w.r.DefaultGroups, g.Path), Doc: text}
		if err := w.tx.InsertGroup(ctx, w.id, row); err != nil {
			return fmt.Errorf("group %s: %w", g.Path, err)
		}
		for _, role := range w.roleIDs(g.RealmRoles, g.ClientRoles) {
			if err := w.tx.AddGroupRole(ctx, w.id, id, role); err != nil {
				return err
			}
		}
		if err := w.groupsBelow(ctx, id, g.SubGroups); err != nil {
			return err
		}
	}
	return nil
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
