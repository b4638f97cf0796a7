package admin

import (
	"errors"
	"maps"
	"slices"

	"latchkey/internal/clients"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/roles"
	"latchkey/internal/users"
)

// mentioned are the roles that things of a partial import would have, by name,
// and the paths of the groups that users of it would join.
type mentioned struct {
	realm   []string
	clients map[string][]string
	groups  []string
	made    map[string][]string // roles of clients that are to be there
}

func (m *mentioned) add(ofRealm []string, ofClients ...map[string][]string) {
	m.realm = append(m.realm, ofRealm...)
	for _, list := range ofClients {
		for client, names := range list {
			m.clients[client] = append(m.clients[client], names...)
			m.made[client] = append(m.made[client], names...)
		}
	}
}

func (m *mentioned) addGroups(list []rep.Group) {
	for _, g := range list {
		m.add(g.RealmRoles, g.ClientRoles)
		m.addGroups(g.SubGroups)
	}
}

// addRoles is about roles of the realm, or of a client: what they would be made
// of, and that they would be there.
func (m *mentioned) addRoles(client string, list []rep.Role) {
	for _, role := range list {
		if client != "" {
			m.made[client] = append(m.made[client], role.Name)
		}
		if c := role.Composites; c != nil {
			m.add(c.Realm, c.Client, c.Application)
		}
	}
}

func mentionedBy(p *rep.PartialImport) *mentioned {
	m := &mentioned{clients: map[string][]string{}, made: map[string][]string{}}
	for _, u := range p.Users {
		m.add(u.RealmRoles, u.ClientRoles, u.ApplicationRoles)
		m.groups = append(m.groups, u.Groups...)
	}
	m.addGroups(p.Groups)
	if p.Roles != nil {
		m.addRoles("", p.Roles.Realm)
		for client, list := range p.Roles.Client {
			m.addRoles(client, list)
		}
	}
	return m
}

// mayImport asks for a partial import what the routes ask that make one thing:
// for its kind, for the rights that it gives, and for those of what it
// overwrites.
func (h *Handler) mayImport(c *Call, p *rep.PartialImport) error {
	ofClients := p.Roles != nil && len(p.Roles.Client) > 0
	for _, kind := range []struct {
		any  bool
		perm Perm
	}{
		{len(p.Clients) > 0 || ofClients, ManageClients}, {len(p.Users) > 0 || len(p.Groups) > 0, ManageUsers},
		{len(p.IdentityProviders) > 0 || len(p.IdentityProviderMappers) > 0, ManageIDPs},
	} {
		if kind.any && !c.Can(kind.perm, onAll) {
			return errForbidden
		}
	}
	if c.Caller.rights().All(c, c.Realm) {
		return nil
	}
	if err := h.mayMention(c, mentionedBy(p)); err != nil {
		return err
	}
	for _, cl := range p.Clients {
		if !realms.Importable(cl.ClientID) {
			continue
		}
		if err := c.mayPost(cl.ClientID, cl.ProtocolMappers, nil); err != nil {
			return err
		}
	}
	if err := h.mayImportProviders(c, p); err != nil {
		return err
	}
	if p.Policy == "OVERWRITE" || p.Policy == "" && p.IfResourceExists == "OVERWRITE" {
		return h.mayOverwrite(c, p)
	}
	return nil
}

// mayImportProviders is about the rights that identity providers give by their
// mappers: those of the import, and those that are there.
func (h *Handler) mayImportProviders(c *Call, p *rep.PartialImport) error {
	for i := range p.IdentityProviders {
		if err := c.mayTrust(&p.IdentityProviders[i]); err != nil {
			return err
		}
		if have := c.Realm.IDP(p.IdentityProviders[i].Alias); have != nil {
			if err := h.overProvider(c, have); err != nil {
				return err
			}
		}
	}
	for _, m := range p.IdentityProviderMappers {
		if err := h.mayImportBy(c, m.Config); err != nil {
			return err
		}
		if have := c.Realm.IDP(m.IdentityProviderAlias); have != nil {
			if err := h.overProvider(c, have); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *Handler) mayMention(c *Call, m *mentioned) error {
	ids, err := roles.Named(c, c.Realm, m.realm, m.clients)
	if err != nil {
		return err
	}
	// A role that is not there is made: none by which rights are found.
	for client, names := range m.made {
		if !realms.Administrative(c.Realm.Name, client) {
			continue
		}
		there, err := roles.Named(c, c.Realm, nil, map[string][]string{client: names})
		if err != nil {
			return err
		}
		if len(there) < len(names) {
			return errForbidden
		}
	}
	if err := c.mayGive(ids...); err != nil {
		return err
	}
	return h.mayFill(c, func(g *users.Group) bool {
		return slices.ContainsFunc(m.groups, g.At)
	})
}

// mayOverwrite is about what is there under the names of a partial import.
func (h *Handler) mayOverwrite(c *Call, p *rep.PartialImport) error {
	for _, u := range p.Users {
		have, err := h.Users.ByName(c, c.Realm, u.Username)
		if err != nil {
			return err
		}
		if have != nil {
			if err := h.overUser(c, have.ID, false); err != nil {
				return err
			}
		}
	}
	for _, cl := range p.Clients {
		have, err := clients.ByClientID(c, c.Realm, cl.ClientID)
		if err != nil {
			return err
		}
		if have != nil && realms.Importable(cl.ClientID) {
			if err := h.overClient(c, have, true); err != nil {
				return err
			}
		}
	}
	if len(p.Groups) > 0 {
		for _, g := range p.Groups {
			have, err := h.Users.GroupAt(c, c.Realm, g.Name)
			if err != nil {
				return err
			}
			if have != nil {
				if err := h.overGroup(c, have); err != nil {
					return err
				}
			}
		}
	}
	if p.Roles == nil {
		return nil
	}
	over := func(client iam.ClientID, list []rep.Role) error {
		for _, role := range list {
			have := c.Realm.RoleByName(client, role.Name)
			if have != nil && !roles.Administrative(c, c.Realm, have) { // those are passed over
				if err := c.overRole(have); err != nil {
					return err
				}
			}
		}
		return nil
	}
	errs := []error{over("", p.Roles.Realm)}
	for _, name := range slices.Sorted(maps.Keys(p.Roles.Client)) {
		have, err := clients.ByClientID(c, c.Realm, name)
		if err != nil {
			return err
		}
		if have != nil {
			errs = append(errs, over(have.ID, p.Roles.Client[name]))
		}
	}
	return errors.Join(errs...)
}
