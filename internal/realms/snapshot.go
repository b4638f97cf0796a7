package realms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// A Realm is one realm's configuration at one moment. It is immutable and
// shared by many requests: never change what it hands out. Clients are loaded
// when first asked for, since a realm may have many thousands.
type Realm struct {
	iam.Realm
	Rep     *rep.Realm // the realm's own settings, without collections
	Row     int64      // the row's version, for a compare-and-swap on the settings
	Version int64      // of the whole configuration

	Scopes          []*Scope // client scopes by name
	Components      []*Component
	Webhooks        []*Webhook          // of Components
	RequiredActions []*RequiredAction   // by priority
	IDPs            []*IdentityProvider // by alias
	FlowDocs        []*FlowDoc          // all flows, sub-flows included, in the order in which they were made
	AuthConfigs     []*rep.AuthenticatorConfig

	scopes     map[iam.ScopeID]*Scope
	roles      map[iam.RoleID]*Role
	roleNames  map[roleKey]*Role
	flows      map[iam.FlowID]*iam.Flow
	scopeRoles map[string][]iam.RoleID              // by id of client or client scope
	names      map[iam.ClientID]string              // of all clients, as loaded with the snapshot
	mappers    map[string][]*IdentityProviderMapper // by the provider's alias

	db      *store.DB
	cache   *Cache // that holds it
	clients *lru.Cache[iam.ClientID, *Client]
	byName  *lru.Cache[string, *Client]

	derived sync.Map // any -> *derivation
}

type roleKey struct {
	client iam.ClientID
	name   string
}

// A Scope is a client scope and its representation.
type Scope struct {
	iam.ClientScope
	Rep *rep.ClientScope
}

// A Client is a client and its representation; the lists of scope names in the
// representation are those of the snapshot.
type Client struct {
	iam.Client
	Rep *rep.Client
	Row int64 // the row's version
}

// A Role is a role and its representation.
type Role struct {
	iam.Role
	Rep *rep.Role
	Row int64 // the row's version
}

// A Component is a component and its representation.
type Component struct {
	iam.Component
	Rep *rep.Component
	Row int64 // the row's version
}

// A RequiredAction is a required action and its representation.
type RequiredAction struct {
	iam.RequiredAction
	Rep *rep.RequiredAction
	ID  string // of the stored object
}

// An IdentityProvider is an identity provider with its mappers, and its representation.
type IdentityProvider struct {
	iam.IdentityProvider
	Rep     *rep.IdentityProvider
	Mappers []*IdentityProviderMapper // by name
}

// An IdentityProviderMapper is a mapper of an identity provider and its representation.
type IdentityProviderMapper struct {
	iam.IdentityProviderMapper
	Rep *rep.IdentityProviderMapper
}

// Mapper returns a mapper by its id, nil when there is none.
func (p *IdentityProvider) Mapper(id string) *IdentityProviderMapper {
	for _, m := range p.Mappers {
		if m.ID == id {
			return m
		}
	}
	return nil
}

// A FlowDoc is a flow as stored: its representation and its executions'.
type FlowDoc struct {
	*rep.Flow
	Executions []*rep.Execution // by priority
}

// clientsPerRealm bounds how many compiled clients a snapshot keeps.
const clientsPerRealm = 10_000

func load(ctx context.Context, c *Cache, row store.RealmRow) (*Realm, error) {
	r := &Realm{
		Row: row.Version, Version: row.Whole, db: c.db, cache: c,
		scopes: map[iam.ScopeID]*Scope{}, roles: map[iam.RoleID]*Role{}, roleNames: map[roleKey]*Role{},
		flows: map[iam.FlowID]*iam.Flow{}, scopeRoles: map[string][]iam.RoleID{},
		mappers: map[string][]*IdentityProviderMapper{},
	}
	r.clients, _ = lru.New[iam.ClientID, *Client](clientsPerRealm)
	r.byName, _ = lru.New[string, *Client](clientsPerRealm)
	r.Rep = new(rep.Realm)
	if err := rep.Unmarshal(row.Doc, r.Rep); err != nil {
		return nil, fmt.Errorf("realm %s: %w", row.Name, err)
	}
	compiled, err := r.Rep.IAM()
	if err != nil {
		return nil, fmt.Errorf("realm %s: %w", row.Name, err)
	}
	r.Realm = *compiled
	r.ID, r.Name, r.Enabled, r.NotBefore = row.ID, row.Name, row.Enabled, row.NotBefore
	for _, step := range []func(context.Context) error{r.loadRoles, r.loadObjects, r.loadNames} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("realm %s: %w", row.Name, err)
		}
	}
	return r, nil
}

func (r *Realm) loadRoles(ctx context.Context) error {
	rows, err := r.db.Roles(ctx, r.ID)
	if err != nil {
		return err
	}
	for _, row := range rows {
		doc := new(rep.Role)
		if err := rep.Unmarshal(row.Doc, doc); err != nil {
			return fmt.Errorf("role %s: %w", row.Name, err)
		}
		desc := ""
		if doc.Description != nil {
			desc = *doc.Description
		}
		role := &Role{Role: iam.Role{ID: row.ID, Client: row.Client, Name: row.Name, Description: desc, Attrs: doc.Attributes},
			Rep: doc, Row: row.Version}
		r.roles[role.ID] = role
		r.roleNames[roleKey{role.Client, role.Name}] = role
	}
	pairs, err := r.db.Composites(ctx, r.ID)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if role := r.roles[iam.RoleID(p.Owner)]; role != nil && r.roles[p.Role] != nil {
			role.Composites = append(role.Composites, p.Role)
		}
	}
	if pairs, err = r.db.ScopeRoles(ctx, r.ID); err != nil {
		return err
	}
	for _, p := range pairs {
		r.scopeRoles[p.Owner] = append(r.scopeRoles[p.Owner], p.Role)
	}
	return nil
}

func (r *Realm) loadNames(ctx context.Context) (err error) {
	r.names, err = r.db.ClientNames(ctx, r.ID)
	return err
}

func (r *Realm) loadObjects(ctx context.Context) error {
	objects, err := r.db.Objects(ctx, r.ID)
	if err != nil {
		return err
	}
	flows := map[iam.FlowID]*FlowDoc{}
	var executions []*rep.Execution
	parents := map[*rep.Execution]iam.FlowID{}
	for _, o := range objects {
		var err error
		switch o.Kind {
		case store.KindClientScope:
			doc := new(rep.ClientScope)
			if err = rep.Unmarshal(o.Doc, doc); err == nil {
				err = r.addScope(doc)
			}
		case store.KindComponent:
			doc := new(rep.Component)
			if err = rep.Unmarshal(o.Doc, doc); err == nil {
				r.Components = append(r.Components, &Component{Component: *doc.IAM(), Rep: doc, Row: o.Version})
				if doc.ProviderType == TypeWebhook {
					if w, err := ParseWebhook(doc.ID, doc.Config); err == nil { // refused wherever one is written
						r.Webhooks = append(r.Webhooks, w)
					}
				}
			}
		case store.KindRequiredAction:
			doc := new(rep.RequiredAction)
			if err = rep.Unmarshal(o.Doc, doc); err == nil {
				r.RequiredActions = append(r.RequiredActions, &RequiredAction{RequiredAction: *doc.IAM(), Rep: doc, ID: o.ID})
			}
		case store.KindIdentityProvider:
			doc := new(rep.IdentityProvider)
			if err = rep.Unmarshal(o.Doc, doc); err == nil {
				r.IDPs = append(r.IDPs, &IdentityProvider{IdentityProvider: *doc.IAM(), Rep: doc})
			}
		case store.KindIDPMapper:
			doc := new(rep.IdentityProviderMapper)
			if err = rep.Unmarshal(o.Doc, doc); err == nil {
				r.mappers[doc.IdentityProviderAlias] = append(r.mappers[doc.IdentityProviderAlias],
					&IdentityProviderMapper{IdentityProviderMapper: *doc.IAM(), Rep: doc})
			}
		case store.KindFlow:
			doc := &FlowDoc{Flow: new(rep.Flow)}
			if err = rep.Unmarshal(o.Doc, doc.Flow); err == nil {
				flows[iam.FlowID(o.ID)] = doc
				r.FlowDocs = append(r.FlowDocs, doc)
			}
		case store.KindExecution:
			doc := new(rep.Execution)
			if err = rep.Unmarshal(o.Doc, doc); err == nil {
				executions = append(executions, doc)
				parents[doc] = iam.FlowID(o.Parent)
			}
		case store.KindAuthConfig:
			doc := new(rep.AuthenticatorConfig)
			if err = rep.Unmarshal(o.Doc, doc); err == nil {
				r.AuthConfigs = append(r.AuthConfigs, doc)
			}
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", o.Kind, o.Name, err)
		}
	}
	for _, e := range executions {
		if flow := flows[parents[e]]; flow != nil {
			flow.Executions = append(flow.Executions, e)
		}
	}
	r.compileFlows(flows)
	slices.SortFunc(r.IDPs, func(a, b *IdentityProvider) int { return strings.Compare(a.Alias, b.Alias) })
	for _, p := range r.IDPs {
		p.Mappers = r.mappers[p.Alias]
		p.FirstLogin = r.flowOf(p, p.Rep.FirstBrokerLoginFlowAlias)
		p.PostLogin = r.flowOf(p, p.Rep.PostBrokerLoginFlowAlias)
	}
	return r.bindScopes(ctx)
}

// flowOf finds the flow that a provider is set to, "" when it is set to none.
func (r *Realm) flowOf(p *IdentityProvider, alias *string) iam.FlowID {
	if rep.Val(alias) == "" {
		return ""
	}
	if f := r.Flow(*alias); f != nil {
		return f.ID
	}
	p.Missing = append(p.Missing, *alias)
	return ""
}

func (r *Realm) addScope(doc *rep.ClientScope) error {
	compiled, err := doc.IAM()
	if err != nil {
		return err
	}
	s := &Scope{ClientScope: *compiled, Rep: doc}
	s.Roles = r.scopeRoles[string(s.ID)]
	r.Scopes = append(r.Scopes, s)
	r.scopes[s.ID] = s
	return nil
}

func (r *Realm) bindScopes(ctx context.Context) error {
	bindings, err := r.db.ScopeBindings(ctx, r.ID, "")
	if err != nil {
		return err
	}
	for _, b := range bindings {
		if s := r.scopes[b.Scope]; s != nil {
			s.DefaultOfRealm, s.OptionalOfRealm = !b.Optional, b.Optional
		}
	}
	return nil
}

// compileFlows resolves sub-flows and authenticator configurations. A flow that
// contains itself keeps the execution but without the sub-flow, which the
// engine then refuses.
func (r *Realm) compileFlows(docs map[iam.FlowID]*FlowDoc) {
	configs := map[string]*rep.AuthenticatorConfig{}
	for _, c := range r.AuthConfigs {
		configs[c.ID] = c
	}
	var compile func(id iam.FlowID, path map[iam.FlowID]bool) *iam.Flow
	compile = func(id iam.FlowID, path map[iam.FlowID]bool) *iam.Flow {
		doc := docs[id]
		if doc == nil || path[id] {
			return nil
		}
		path[id] = true
		defer delete(path, id)
		flow := &iam.Flow{ID: id, Alias: doc.Alias, Provider: doc.ProviderID, TopLevel: doc.TopLevel, BuiltIn: doc.BuiltIn}
		for _, e := range doc.Executions {
			x := iam.Execution{ID: iam.ExecID(e.ID), Requirement: iam.Requirement(e.Requirement), Authenticator: e.Authenticator}
			if c := configs[e.AuthenticatorConfig]; c != nil {
				x.Config, x.ConfigAlias = c.Config, c.Alias
			}
			if e.FlowID != nil {
				x.Sub = compile(iam.FlowID(*e.FlowID), path)
			}
			flow.Executions = append(flow.Executions, x)
		}
		return flow
	}
	for id := range docs {
		r.flows[id] = compile(id, map[iam.FlowID]bool{})
	}
}

// Flow returns a compiled top-level flow by its alias, nil when there is none.
func (r *Realm) Flow(alias string) *iam.Flow {
	for _, f := range r.flows {
		if f.Alias == alias && f.TopLevel {
			return f
		}
	}
	return nil
}

// FlowByID returns a compiled flow by its id, nil when there is none.
func (r *Realm) FlowByID(id iam.FlowID) *iam.Flow { return r.flows[id] }

// Scope returns a client scope by its id, nil when there is none.
func (r *Realm) Scope(id iam.ScopeID) *Scope { return r.scopes[id] }

// ScopeByName returns a client scope by its name, nil when there is none.
func (r *Realm) ScopeByName(name string) *Scope {
	for _, s := range r.Scopes {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Role returns a role by its id, nil when there is none.
func (r *Realm) Role(id iam.RoleID) *Role { return r.roles[id] }

// RoleByName returns a realm role (client "") or a client's role by its name,
// nil when there is none.
func (r *Realm) RoleByName(client iam.ClientID, name string) *Role {
	return r.roleNames[roleKey{client, name}]
}

// RolesOf returns the roles of the realm (client "") or of a client, unsorted.
func (r *Realm) RolesOf(client iam.ClientID) []*Role {
	var list []*Role
	for k, role := range r.roleNames {
		if k.client == client {
			list = append(list, role)
		}
	}
	return list
}

// AllRoles calls yield for every role of the realm and its clients, unsorted.
func (r *Realm) AllRoles(yield func(*Role) bool) {
	for _, role := range r.roles {
		if !yield(role) {
			return
		}
	}
}

// ScopeRoles returns the role scope mappings of a client or client scope.
func (r *Realm) ScopeRoles(owner string) []iam.RoleID { return r.scopeRoles[owner] }

// Component returns a component by its id, nil when there is none.
func (r *Realm) Component(id string) *Component {
	for _, c := range r.Components {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// RequiredAction returns a required action by its alias, nil when there is none.
func (r *Realm) RequiredAction(alias string) *RequiredAction {
	for _, a := range r.RequiredActions {
		if a.Alias == alias {
			return a
		}
	}
	return nil
}

// IDP returns an identity provider by its alias, nil when there is none.
func (r *Realm) IDP(alias string) *IdentityProvider {
	for _, p := range r.IDPs {
		if p.Alias == alias {
			return p
		}
	}
	return nil
}

// Client returns a client by its database id, or store.ErrNotFound. Misses are
// never cached: what another node creates is there at once.
func (r *Realm) Client(ctx context.Context, id iam.ClientID) (*Client, error) {
	if c, ok := r.clients.Get(id); ok {
		return c, nil
	}
	row, err := r.db.Client(ctx, r.ID, id)
	if err != nil {
		return nil, err
	}
	return r.keep(ctx, row)
}

// ClientIn is Client for use in a transaction: it never waits for a connection
// of its own.
func (r *Realm) ClientIn(ctx context.Context, tx *store.Tx, id iam.ClientID) (*Client, error) {
	if c, ok := r.clients.Get(id); ok {
		return c, nil
	}
	row, err := tx.Client(ctx, r.ID, id)
	if err != nil {
		return nil, err
	}
	bindings, err := tx.ScopeBindings(ctx, r.ID, id)
	if err != nil {
		return nil, err
	}
	return r.compileClient(row, bindings) // not kept: the transaction may fail
}

// ClientByName returns a client by OAuth's client_id, or store.ErrNotFound.
func (r *Realm) ClientByName(ctx context.Context, clientID string) (*Client, error) {
	if c, ok := r.byName.Get(clientID); ok {
		return c, nil
	}
	if len(clientID) > iam.MaxName || !iam.Storable(clientID) {
		return nil, store.ErrNotFound // out of a token or a header
	}
	row, err := r.db.ClientByName(ctx, r.ID, clientID)
	if err != nil {
		return nil, err
	}
	return r.keep(ctx, row)
}

// ClientName returns the client_id of a client, "" when there is none. It is
// quick: it does not compile the client.
func (r *Realm) ClientName(ctx context.Context, id iam.ClientID) (string, error) {
	if name, ok := r.names[id]; ok {
		return name, nil
	}
	c, err := r.Client(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return c.ClientID, nil
}

// KnownClientName is ClientName as far as the snapshot goes: "" for a client
// that was made since.
func (r *Realm) KnownClientName(id iam.ClientID) string { return r.names[id] }

// Clients returns a page of clients ordered by client_id; search must be part
// of the client_id, max < 0 means all.
func (r *Realm) Clients(ctx context.Context, search string, first, max int) ([]*Client, error) {
	rows, err := r.db.Clients(ctx, r.ID, search, first, max)
	if err != nil {
		return nil, err
	}
	list := make([]*Client, 0, len(rows))
	for _, row := range rows {
		c, ok := r.clients.Get(row.ID)
		if !ok || c.Row != row.Version {
			if c, err = r.keep(ctx, row); err != nil {
				return nil, err
			}
		}
		list = append(list, c)
	}
	return list, nil
}

func (r *Realm) keep(ctx context.Context, row store.ClientRow) (*Client, error) {
	bindings, err := r.db.ScopeBindings(ctx, r.ID, row.ID)
	if err != nil {
		return nil, err
	}
	c, err := r.compileClient(row, bindings)
	if err != nil {
		return nil, fmt.Errorf("client %s: %w", row.ClientID, err)
	}
	r.clients.Add(c.ID, c)
	r.byName.Add(c.ClientID, c)
	return c, nil
}

func (r *Realm) compileClient(row store.ClientRow, bindings []store.ScopeBinding) (*Client, error) {
	doc := new(rep.Client)
	if err := rep.Unmarshal(row.Doc, doc); err != nil {
		return nil, err
	}
	compiled, err := doc.IAM()
	if err != nil {
		return nil, err
	}
	c := &Client{Client: *compiled, Rep: doc, Row: row.Version}
	c.ID, c.Realm, c.ClientID, c.Enabled, c.NotBefore = row.ID, r.ID, row.ClientID, row.Enabled, row.NotBefore
	c.ScopeRoles = r.scopeRoles[string(row.ID)]
	if c.ClientID == clientAdminPermissions && rep.Val(r.Rep.AdminPermissionsEnabled) {
		// It holds the policies of fine-grained administration: nobody logs in by it.
		// Keycloak: AdminPermissionsSchema.init makes it without flows, whatever a realm file says.
		c.StandardFlow, c.ImplicitFlow, c.DirectGrants, c.ServiceAccounts, c.Secret = false, false, false, false, nil
	}
	doc.DefaultClientScopes, doc.OptionalClientScopes = []string{}, []string{}
	for _, b := range bindings {
		s := r.scopes[b.Scope]
		if s == nil {
			continue
		}
		if b.Optional {
			c.OptionalScopes = append(c.OptionalScopes, b.Scope)
			doc.OptionalClientScopes = append(doc.OptionalClientScopes, s.Name)
		} else {
			c.DefaultScopes = append(c.DefaultScopes, b.Scope)
			if b.Inherited {
				c.InheritedScopes = append(c.InheritedScopes, b.Scope)
			}
			doc.DefaultClientScopes = append(doc.DefaultClientScopes, s.Name)
		}
	}
	return c, nil
}

type derivation struct {
	once sync.Once
	v    any
	err  error
}

// Derive returns what build makes of this snapshot, building it once: parsed
// keys, a compiled user profile. key is a value of a type of the caller's own.
func (r *Realm) Derive(key any, build func() (any, error)) (any, error) {
	d, ok := r.derived.Load(key)
	if !ok {
		d, _ = r.derived.LoadOrStore(key, new(derivation))
	}
	dd := d.(*derivation)
	dd.once.Do(func() { dd.v, dd.err = build() })
	return dd.v, dd.err
}

// Recall returns what build makes of a key and this snapshot, building it again
// only when it is not among the last few hundred: what many requests ask for in
// turn. key is a value of a type of the caller's own. Nothing is kept of an error.
func Recall[K comparable, V any](r *Realm, key K, build func() (V, error)) (V, error) {
	kept, _ := r.Derive(recentKey[K]{}, func() (any, error) { return new(recent[K, V]), nil })
	return kept.(*recent[K, V]).recall(key, build)
}

type recentKey[K comparable] struct{}

type recent[K comparable, V any] struct {
	mu   sync.Mutex
	kept map[K]V
}

const maxRecent = 512 // the largest, tokens, take some four kilobytes

func (m *recent[K, V]) recall(key K, build func() (V, error)) (V, error) {
	m.mu.Lock()
	v, ok := m.kept[key]
	m.mu.Unlock()
	if ok {
		return v, nil
	}
	v, err := build()
	if err != nil {
		return v, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil || len(m.kept) >= maxRecent {
		m.kept = map[K]V{}
	}
	m.kept[key] = v
	return v, nil
}
