package realms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// A PartialResult says what became of one thing of a partial import.
// Keycloak: PartialImportResult.
type PartialResult struct {
	Action       string `json:"action"` // ADDED, SKIPPED, OVERWRITTEN
	ResourceType string `json:"resourceType"`
	ResourceName string `json:"resourceName"`
	ID           string `json:"id"`
}

// Importable reports whether a partial import takes a client of that name; it
// passes over those that every realm has, and those that carry rights to
// administer one. Keycloak: ClientsPartialImport.isInternalClient.
func Importable(clientID string) bool {
	return !BuiltIn(clientID) && !strings.HasSuffix(clientID, masterSuffix)
}

// PartialImport adds clients, roles, groups, identity providers and users to a
// realm, all or none. What is there already decides by p's policy: SKIP,
// OVERWRITE, or else the import fails with an *iam.Error of kind Conflict.
// by says who ends the sessions of users who are overwritten. Keycloak: PartialImportManager.
func (m *Manager) PartialImport(ctx context.Context, r *Realm, p *rep.PartialImport, by iam.End) ([]PartialResult, error) {
	whole, err := m.Export(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	x := &partial{m: m, r: r, by: by, whole: whole, given: &rep.Realm{Realm: r.Name}, policy: or(p.Policy, or(p.IfResourceExists, "FAIL"))}
	for _, step := range []func(context.Context, *rep.PartialImport) error{x.clients, x.roles, x.providers, x.groups, x.users} {
		if err := step(ctx, p); err != nil {
			return nil, err
		}
	}
	c := &completion{given: x.given, r: x.whole}
	c.r.Users, c.given.Roles, c.defaultRole = x.given.Users, x.newRoles, x.whole.DefaultRole.Name
	if err := c.impliedRoles(); err != nil {
		return nil, err
	}
	if err := c.ids(); err != nil {
		return nil, err
	}
	if problems := validate(x.given, x.whole); len(problems) > 0 {
		return nil, &problems[0]
	}
	users := *x.whole
	users.Clients, users.Users = x.given.Clients, x.given.Users
	ready, err := m.prepareUsers(ctx, &users, m.Clock())
	if err != nil {
		return nil, err
	}
	err = m.Cache.Change(ctx, r.ID, func(tx *store.Tx) error { return x.write(ctx, tx, ready) })
	if _, exists := store.Exists(err); exists {
		return nil, errExists("Duplicate resource error")
	}
	if err != nil {
		return nil, err
	}
	for i := range x.done {
		x.done[i].ID = x.idOf(&x.done[i], ready)
	}
	return x.done, nil
}

// A partial import being prepared: given is what will be written, whole the
// realm as it will be.
type partial struct {
	m        *Manager
	r        *Realm
	whole    *rep.Realm
	given    *rep.Realm
	newRoles *rep.Roles
	policy   string
	done     []PartialResult
	remove   []func(ctx context.Context, tx *store.Tx) error
	by       iam.End
}

// take decides about one thing: whether it is to be written.
func (x *partial) take(exists bool, kind, name, id, refusal string, remove func(context.Context, *store.Tx) error) (bool, error) {
	action := "ADDED"
	switch {
	case !exists:
	case x.policy == "SKIP":
		x.done = append(x.done, PartialResult{"SKIPPED", kind, name, id})
		return false, nil
	case x.policy == "OVERWRITE":
		action = "OVERWRITTEN"
		x.remove = append(x.remove, remove)
	default:
		return false, errExists(refusal)
	}
	x.done = append(x.done, PartialResult{Action: action, ResourceType: kind, ResourceName: name})
	return true, nil
}

func (x *partial) clients(_ context.Context, p *rep.PartialImport) error {
	c := &completion{r: x.whole, given: x.given, now: x.m.Clock(), master: x.r.Name == Master}
	for _, cl := range p.Clients {
		if !Importable(cl.ClientID) {
			continue
		}
		i := named(x.whole.Clients, clientID, cl.ClientID)
		id := ""
		if i >= 0 {
			id = x.whole.Clients[i].ID
		}
		ok, err := x.take(i >= 0, "CLIENT", cl.ClientID, id, "Client id '"+cl.ClientID+"' already exists",
			func(ctx context.Context, tx *store.Tx) error {
				switch account, err := tx.ServiceAccount(ctx, x.r.ID, iam.ClientID(id)); {
				case err == nil:
					if err := x.m.DeleteUser(ctx, tx, x.r, account.ID, x.by); err != nil {
						return err
					}
				case !errors.Is(err, store.ErrNotFound):
					return err
				}
				return tx.DeleteClient(ctx, x.r.ID, iam.ClientID(id))
			})
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if i >= 0 {
			x.whole.Clients = slices.Delete(x.whole.Clients, i, i+1)
			cl.ID = ""
		}
		x.whole.Roles.Client[cl.ClientID] = []rep.Role{}
		if err := c.completeClient(&cl); err != nil {
			return err
		}
		x.given.Clients = append(x.given.Clients, cl)
		x.whole.Clients = append(x.whole.Clients, cl)
	}
	return nil
}

func (x *partial) roles(_ context.Context, p *rep.PartialImport) error {
	x.newRoles = &rep.Roles{Client: map[string][]rep.Role{}}
	if p.Roles == nil {
		return nil
	}
	// Rights are found by these roles' names, and held by their ids.
	fixed := func(client, name string) bool {
		return client != "" && Administrative(x.r.Name, client) || client == "" && x.r.Name == Master && (name == RoleAdmin ||
			name == RoleCreateRealm)
	}
	take := func(have, added []rep.Role, role rep.Role, client, kind, name, refusal string) ([]rep.Role, []rep.Role, error) {
		i := named(have, roleName, role.Name)
		id := ""
		if i >= 0 {
			id = have[i].ID
		}
		if i >= 0 && x.policy == "OVERWRITE" && fixed(client, role.Name) {
			x.done = append(x.done, PartialResult{"SKIPPED", kind, name, id})
			return have, added, nil
		}
		if i >= 0 && x.policy == "OVERWRITE" && id == x.whole.DefaultRole.ID {
			return have, added, iam.Errorf(iam.Invalid, "the default role cannot be overwritten")
		}
		ok, err := x.take(i >= 0, kind, name, id, refusal, func(ctx context.Context, tx *store.Tx) error {
			return tx.DeleteRole(ctx, x.r.ID, iam.RoleID(id))
		})
		if err != nil || !ok {
			return have, added, err
		}
		if i >= 0 {
			have = slices.Delete(have, i, i+1)
			role.ID = ""
			// Keycloak: RolesPartialImport.doImport tells of what it overwrites as added, too.
			x.done = append(x.done, PartialResult{Action: "ADDED", ResourceType: kind, ResourceName: name})
		}
		// The id of another role would stand for that one wherever this is named.
		if x.r.Role(iam.RoleID(role.ID)) != nil {
			return have, added, errExists("Duplicate resource error")
		}
		setID(&role.ID)
		return append(have, role), append(added, role), nil
	}
	var err error
	for _, role := range p.Roles.Realm {
		x.whole.Roles.Realm, x.newRoles.Realm, err = take(x.whole.Roles.Realm, x.newRoles.Realm, role, "", "REALM_ROLE", role.Name,
			"Realm role '"+role.Name+"' already exists.")
		if err != nil {
			return err
		}
	}
	for _, client := range sorted(p.Roles.Client) {
		if named(x.whole.Clients, clientID, client) < 0 {
			return &iam.Error{Kind: iam.Invalid, Err: ErrPrecondition, Msg: "Can not import client roles for nonexistent client named " + client}
		}
		for _, role := range p.Roles.Client[client] {
			x.whole.Roles.Client[client], x.newRoles.Client[client], err = take(x.whole.Roles.Client[client], x.newRoles.Client[client],
				role, client, "CLIENT_ROLE",
				client+"-->"+role.Name, "Client role '"+role.Name+"' for client '"+client+"' already exists.")
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *partial) groups(_ context.Context, p *rep.PartialImport) error {
	for _, g := range p.Groups {
		i := slices.IndexFunc(x.whole.Groups, func(have rep.Group) bool { return have.Name == g.Name })
		id := ""
		if i >= 0 {
			id = x.whole.Groups[i].ID
		}
		ok, err := x.take(i >= 0, "GROUP", g.Name, id, "Group '/"+g.Name+"' already exists", func(ctx context.Context, tx *store.Tx) error {
			return tx.DeleteGroup(ctx, x.r.ID, iam.GroupID(id))
		})
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if i >= 0 {
			x.whole.Groups = slices.Delete(x.whole.Groups, i, i+1)
		}
		list := []rep.Group{g}
		if i >= 0 {
			withoutIDs(list)
		}
		groupIDs(list, "")
		x.given.Groups = append(x.given.Groups, list[0])
		x.whole.Groups = append(x.whole.Groups, list[0])
	}
	return nil
}

func withoutIDs(list []rep.Group) {
	for i := range list {
		list[i].ID = ""
		withoutIDs(list[i].SubGroups)
	}
}

func (x *partial) providers(_ context.Context, p *rep.PartialImport) error {
	for _, idp := range p.IdentityProviders {
		i := named(x.whole.IdentityProviders, providerAlias, idp.Alias)
		id := ""
		if i >= 0 {
			id = x.whole.IdentityProviders[i].InternalID
		}
		ok, err := x.take(i >= 0, "IDP", idp.Alias, id, "Identity Provider '"+idp.Alias+"' already exists.",
			func(ctx context.Context, tx *store.Tx) error {
				return removeProvider(ctx, tx, x.r, x.r.IDP(idp.Alias))
			})
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if i >= 0 {
			x.whole.IdentityProviders = slices.Delete(x.whole.IdentityProviders, i, i+1)
			idp.InternalID = ""
		}
		setID(&idp.InternalID)
		tidyProvider(&idp)
		x.given.IdentityProviders = append(x.given.IdentityProviders, idp)
		x.whole.IdentityProviders = append(x.whole.IdentityProviders, idp)
	}
	for _, mapper := range p.IdentityProviderMappers {
		i := slices.IndexFunc(x.whole.IdentityProviderMappers, func(m rep.IdentityProviderMapper) bool {
			return m.IdentityProviderAlias == mapper.IdentityProviderAlias && m.Name == mapper.Name
		})
		id := ""
		if i >= 0 {
			id = x.whole.IdentityProviderMappers[i].ID
		}
		// The words lack a space there, too. Keycloak: IdentityProviderMappersPartialImport.
		ok, err := x.take(i >= 0, "IDP_MAPPER", mapper.Name, id, "Identity Provider Mapper'"+mapper.Name+"' already exists.",
			func(ctx context.Context, tx *store.Tx) error {
				if err := tx.DeleteObject(ctx, x.r.ID, store.KindIDPMapper, id); !errors.Is(err, store.ErrNotFound) {
					return err
				}
				return nil // it went with its provider
			})
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		mapper.ID = NewID()
		x.done[len(x.done)-1].ID = mapper.ID
		if i >= 0 {
			x.whole.IdentityProviderMappers = slices.Delete(x.whole.IdentityProviderMappers, i, i+1)
		}
		x.given.IdentityProviderMappers = append(x.given.IdentityProviderMappers, mapper)
		x.whole.IdentityProviderMappers = append(x.whole.IdentityProviderMappers, mapper)
	}
	return nil
}

func (x *partial) users(ctx context.Context, p *rep.PartialImport) error {
	for _, u := range p.Users {
		have, err := x.m.Cache.db.UserByName(ctx, x.r.ID, u.Username)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		exists, id := err == nil, ""
		if exists {
			id = string(have.ID)
		}
		ok, err := x.take(exists, "USER", u.Username, id, "User with user name "+u.Username+" already exists.",
			func(ctx context.Context, tx *store.Tx) error {
				return x.m.DeleteUser(ctx, tx, x.r, iam.UserID(id), x.by)
			})
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if exists {
			u.ID = ""
		}
		x.given.Users = append(x.given.Users, u)
	}
	return nil
}

// write makes the changes in one transaction.
func (x *partial) write(ctx context.Context, tx *store.Tx, users []preparedUser) error {
	for _, remove := range x.remove {
		if err := remove(ctx, tx); err != nil {
			return err
		}
	}
	w := writerOf(x.r, x.whole)
	w.tx, w.r.IdentityProviders, w.r.IdentityProviderMappers = tx, x.given.IdentityProviders, x.given.IdentityProviderMappers
	for i := range x.given.Clients {
		if err := w.writeClient(ctx, &x.given.Clients[i]); err != nil {
			return err
		}
	}
	stored := map[iam.RoleID]bool{}
	for role := range x.r.AllRoles {
		stored[role.ID] = true
	}
	added := func(list []rep.Role) []rep.Role {
		return slices.DeleteFunc(slices.Clone(list), func(role rep.Role) bool { return stored[iam.RoleID(role.ID)] })
	}
	if err := w.rolesOf(ctx, "", added(x.whole.Roles.Realm)); err != nil {
		return err
	}
	for _, client := range sorted(x.whole.Roles.Client) {
		if err := w.rolesOf(ctx, client, added(x.whole.Roles.Client[client])); err != nil {
			return err
		}
	}
	if err := w.composites(ctx, added(x.whole.Roles.Realm)); err != nil {
		return err
	}
	for _, client := range sorted(x.whole.Roles.Client) {
		if err := w.composites(ctx, added(x.whole.Roles.Client[client])); err != nil {
			return err
		}
	}
	if err := w.groupsBelow(ctx, "", x.given.Groups); err != nil {
		return err
	}
	if err := w.writeObjects(ctx); err != nil {
		return err
	}
	for i := range users {
		if err := x.r.FillDefaults(users[i].user); err != nil {
			return err
		}
		if err := w.writeUser(ctx, &users[i]); err != nil {
			return err
		}
	}
	return nil
}

// writerOf knows a realm by the names of what is in it, for adding to it.
func writerOf(r *Realm, whole *rep.Realm) *writer {
	w := &writer{
		id: r.ID, r: &rep.Realm{ID: whole.ID, DuplicateEmailsAllowed: whole.DuplicateEmailsAllowed, DefaultGroups: whole.DefaultGroups},
		roles: map[string]iam.RoleID{}, ofCl: map[string]map[string]iam.RoleID{}, scopes: map[string]iam.ScopeID{},
		clients: map[string]iam.ClientID{}, groups: map[string]iam.GroupID{}, providers: map[string]string{},
	}
	for _, p := range whole.IdentityProviders {
		w.providers[p.Alias] = p.InternalID
	}
	for _, s := range whole.ClientScopes {
		w.scopes[s.Name] = iam.ScopeID(s.ID)
	}
	for _, c := range whole.Clients {
		w.clients[c.ClientID] = iam.ClientID(c.ID)
		w.ofCl[c.ClientID] = map[string]iam.RoleID{}
		for _, role := range whole.Roles.Client[c.ClientID] {
			w.ofCl[c.ClientID][role.Name] = iam.RoleID(role.ID)
		}
	}
	for _, role := range whole.Roles.Realm {
		w.roles[role.Name] = iam.RoleID(role.ID)
	}
	groupsByPath(w.groups, whole.Groups)
	return w
}

func groupsByPath(paths map[string]iam.GroupID, list []rep.Group) {
	for i := range list {
		paths[list[i].Path] = iam.GroupID(list[i].ID)
		groupsByPath(paths, list[i].SubGroups)
	}
}

// idOf finds the id of what was written. Keycloak gives the client's id for a
// client role.
func (x *partial) idOf(d *PartialResult, users []preparedUser) string {
	if d.ID != "" {
		return d.ID
	}
	switch d.ResourceType {
	case "CLIENT", "CLIENT_ROLE":
		client, _, _ := strings.Cut(d.ResourceName, "-->")
		return x.whole.Clients[named(x.whole.Clients, clientID, client)].ID
	case "REALM_ROLE":
		return x.whole.Roles.Realm[named(x.whole.Roles.Realm, roleName, d.ResourceName)].ID
	case "IDP":
		return x.whole.IdentityProviders[named(x.whole.IdentityProviders, providerAlias, d.ResourceName)].InternalID
	case "GROUP":
		i := slices.IndexFunc(x.whole.Groups, func(g rep.Group) bool { return g.Name == d.ResourceName })
		return x.whole.Groups[i].ID
	case "USER":
		i := slices.IndexFunc(users, func(u preparedUser) bool { return u.user.Username == strings.ToLower(d.ResourceName) })
		return string(users[i].user.ID)
	}
	panic(fmt.Sprintf("realms: no resource type %q", d.ResourceType))
}
