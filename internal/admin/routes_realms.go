package admin

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"latchkey/internal/clients"
	"latchkey/internal/iam"
	"latchkey/internal/keys"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/users"
)

// realmRoutes are realms and what belongs to a realm as a whole.
// Keycloak: RealmsAdminResource, RealmAdminResource.
func (h *Handler) realmRoutes() []Route {
	return []Route{
		{"GET /admin/realms", Checked, None, "", h.listRealms, ByMethod},
		{"POST /admin/realms", CreateRealm, Create, "REALM", h.createRealm, ByMethod},
		{"GET /admin/realms/{realm}", AnyAdmin, None, "", h.getRealm, ByMethod},
		{"PUT /admin/realms/{realm}", ManageRealm, Update, "REALM", h.updateRealm, ByMethod},
		{"DELETE /admin/realms/{realm}", ManageRealm, Delete, "REALM", h.deleteRealm, ByMethod},
		{"POST /admin/realms/{realm}/clear-realm-cache", ManageRealm, Action, "REALM", h.clearCache, ByMethod},
		{"POST /admin/realms/{realm}/clear-user-cache", ManageRealm, Action, "REALM", h.clearCache, ByMethod},
		{"POST /admin/realms/{realm}/clear-keys-cache", ManageRealm, Action, "REALM", h.clearCache, ByMethod},
		{"POST /admin/realms/{realm}/clear-crl-cache", ManageRealm, Action, "REALM", h.clearCache, ByMethod},
		{"GET /admin/realms/{realm}/keys", ViewRealm, None, "", h.getKeys, ByMethod},

		{"GET /admin/realms/{realm}/default-default-client-scopes", ViewScopes, None, "", h.defaultScopes(false), ByMethod},
		{"PUT /admin/realms/{realm}/default-default-client-scopes/{scope}", ManageScopes, Create, "CLIENT_SCOPE", h.bindDefault(false), NoCache},
		{"DELETE /admin/realms/{realm}/default-default-client-scopes/{scope}", ManageScopes, Delete, "CLIENT_SCOPE", h.unbindDefault, NoCache},
		{"GET /admin/realms/{realm}/default-optional-client-scopes", ViewScopes, None, "", h.defaultScopes(true), ByMethod},
		{"PUT /admin/realms/{realm}/default-optional-client-scopes/{scope}", ManageScopes, Create, "CLIENT_SCOPE", h.bindDefault(true), NoCache},
		{"DELETE /admin/realms/{realm}/default-optional-client-scopes/{scope}", ManageScopes, Delete, "CLIENT_SCOPE", h.unbindDefault, NoCache},

		{"GET /admin/realms/{realm}/default-groups", ViewRealm, None, "", h.defaultGroups, ByMethod},
		{"PUT /admin/realms/{realm}/default-groups/{group}", ManageRealm, Create, "GROUP", h.setDefaultGroup(true), NoCache},
		{"DELETE /admin/realms/{realm}/default-groups/{group}", ManageRealm, Delete, "GROUP", h.setDefaultGroup(false), NoCache},

		{"POST /admin/realms/{realm}/partial-export", ViewRealm, None, "", h.partialExport, ByMethod},
		{"POST /admin/realms/{realm}/partialImport", ManageRealm, None, "", h.partialImport, ByMethod},

		{"GET /admin/realms/{realm}/users-management-permissions", ViewRealm, None, "", featureOff, ByMethod},
		{"PUT /admin/realms/{realm}/users-management-permissions", ManageRealm, None, "", featureOff, ByMethod},

		{"GET /admin/realms/{realm}/localization", AnyAdmin, None, "", h.locales, Silent},
		{"GET /admin/realms/{realm}/localization/{locale}", AnyAdmin, None, "", h.localeTexts, Silent},
		{"POST /admin/realms/{realm}/localization/{locale}", ManageRealm, None, "", h.addTexts, ByMethod},
		{"DELETE /admin/realms/{realm}/localization/{locale}", ManageRealm, None, "", h.deleteTexts, ByMethod},
		{"GET /admin/realms/{realm}/localization/{locale}/{key}", AnyAdmin, None, "", h.localeText, Silent},
		{"PUT /admin/realms/{realm}/localization/{locale}/{key}", ManageRealm, None, "", h.putText, ByMethod},
		{"DELETE /admin/realms/{realm}/localization/{locale}/{key}", ManageRealm, None, "", h.deleteText, ByMethod},
	}
}

// listRealms shows the realms that the caller administers, and of those that
// they may not look into only the name.
func (h *Handler) listRealms(c *Call) (any, error) {
	names, err := h.Realms.Names(c)
	if err != nil {
		return nil, err
	}
	brief := c.Bool("briefRepresentation", false)
	list := []*rep.Realm{}
	for _, name := range names {
		r, err := h.Realms.Get(c, name)
		if errors.Is(err, realms.ErrNotFound) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		switch {
		case c.Can(ViewRealm, onRealm(r)) && brief:
			list = append(list, &rep.Realm{ID: string(r.ID), Realm: r.Name, DisplayName: r.Rep.DisplayName,
				DisplayNameHTML: r.Rep.DisplayNameHTML, Enabled: &r.Enabled})
		case c.Can(ViewRealm, onRealm(r)):
			v, err := h.representRealm(c, r)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		case c.Can(AnyAdmin, onRealm(r)):
			list = append(list, &rep.Realm{Realm: r.Name})
		}
	}
	if len(list) == 0 {
		return nil, errForbidden
	}
	return list, nil
}

// representRealm is a realm's settings as administrators see them.
// Keycloak: ModelToRepresentation.toRepresentation(session, realm, false).
func (h *Handler) representRealm(c *Call, r *realms.Realm) (*rep.Realm, error) {
	v := *r.Rep
	v.ID, v.Realm, v.LocalizationTexts, v.Organizations = string(r.ID), r.Name, nil, nil
	if rep.Val(v.EventsExpiration) == 0 {
		v.EventsExpiration = nil
	}
	v.SMTPServer = realms.MaskedMail(v.SMTPServer)
	groups, err := h.seenDefaultGroups(c, r)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		v.DefaultGroups = append(v.DefaultGroups, g.Path)
	}
	if d := v.DefaultRole; d != nil {
		if role := r.Role(r.DefaultRole); role != nil {
			v.DefaultRole = &rep.Role{ID: string(role.ID), Name: role.Name, Description: role.Rep.Description, Composite: len(role.Composites) > 0,
				ClientRole: new(false), ContainerID: string(r.ID)}
		}
	}
	return &v, nil
}

// clearCache makes every node read the realm again, and the keys that its
// clients publish. Users are not kept in memory, nor are lists of revoked
// certificates.
// Keycloak: ClearCacheRealmAdminProvider.
func (h *Handler) clearCache(c *Call) (any, error) {
	return nil, h.Realms.Refresh(c, c.Realm.ID)
}

func (h *Handler) createRealm(c *Call) (any, error) {
	data, err := c.json()
	if err != nil {
		return nil, err
	}
	given := new(rep.Realm)
	if err := rep.Decode(data, given); err != nil {
		return nil, Message(http.StatusBadRequest, "unable to read contents from stream")
	}
	made, err := h.Manager.Create(c, given)
	if errors.Is(err, realms.ErrBadRequest) {
		refused, _ := errors.AsType[*iam.Error](err)
		return nil, Plain(http.StatusBadRequest, refused.Msg)
	}
	if err != nil {
		return nil, err
	}
	if !c.Caller.HoldsRealmRole("admin") {
		if err := h.Manager.GrantCreator(c, c.Caller.User.ID, made.Realm); err != nil {
			return nil, err
		}
	}
	c.Realm = c.Caller.Realm // whose event it is
	shown := *given
	shown.Users, shown.Clients, shown.SMTPServer, shown.Components, shown.IdentityProviders = nil, nil, nil, nil, nil
	c.Event(Create, "REALM", made.Realm, &shown)
	c.CreatedRealm(made.Realm)
	return nil, nil
}

func (h *Handler) getRealm(c *Call) (any, error) {
	if !c.Can(ViewRealm, onAll) {
		return partOfRealm(c), nil
	}
	return h.representRealm(c, c.Realm)
}

// partOfRealm is what administrators see who may not look at the realm's
// settings; those who look at users need some of them for their forms.
// Keycloak: RealmAdminResource.getRealm.
func partOfRealm(c *Call) *rep.Realm {
	v := &rep.Realm{Realm: c.Realm.Name, DisplayName: c.Realm.Rep.DisplayName, DisplayNameHTML: c.Realm.Rep.DisplayNameHTML,
		BruteForceProtected:  new(c.Realm.Brute.Enabled),
		OrganizationsEnabled: new(rep.Val(c.Realm.Rep.OrganizationsEnabled)), SupportedLocales: []string{}}
	if c.Can(ViewUsers, onAll) {
		v.RegistrationEmailAsUsername = new(c.Realm.Login.RegistrationEmailAsUsername)
	}
	if c.Realm.Locale.Enabled {
		v.InternationalizationEnabled = new(true)
		v.SupportedLocales = append(v.SupportedLocales, c.Realm.Locale.Supported...)
	}
	return v
}

func (h *Handler) updateRealm(c *Call) (any, error) {
	data, err := c.json()
	if err != nil {
		return nil, err
	}
	shown, err := h.setRealm(c, data)
	if err != nil {
		return nil, err
	}
	c.Represent(shown)
	return nil, nil
}

// setRealm changes a realm as posted, and returns what its event shows of that.
func (h *Handler) setRealm(c *Call, data []byte) (*rep.Realm, error) {
	posted := new(rep.Realm)
	if err := rep.Decode(data, posted); err != nil {
		return nil, err
	}
	// An empty name is one that is given, and refused.
	var name struct{ Realm *string }
	if posted.Realm == "" && json.Unmarshal(data, &name) == nil && name.Realm != nil {
		return nil, iam.Errorf(iam.Invalid, "Realm name cannot be empty")
	}
	if len(posted.DefaultGroups) > 0 {
		if err := h.mayFill(c, func(g *users.Group) bool {
			return slices.ContainsFunc(posted.DefaultGroups, g.At)
		}); err != nil {
			return nil, err
		}
	}
	shown := *posted
	shown.SMTPServer = nil
	return &shown, h.Manager.Update(c, c.Realm.ID, posted)
}

func (h *Handler) deleteRealm(c *Call) (any, error) {
	name := c.Realm.Name
	if err := h.Manager.Delete(c, name); err != nil {
		return nil, err
	}
	if c.Realm.ID == c.Caller.Realm.ID {
		c.NoEvent() // nowhere to write it
		return nil, nil
	}
	// The event belongs to the realm of who did it.
	c.Realm = c.Caller.Realm
	c.Event(Delete, "REALM", name, nil)
	return nil, nil
}

func (h *Handler) getKeys(c *Call) (any, error) { return keys.Of(c.Realm).Metadata() }

func (h *Handler) defaultScopes(optional bool) func(*Call) (any, error) {
	return func(c *Call) (any, error) {
		list := []rep.ClientScope{}
		for _, s := range c.Realm.Scopes {
			if optional && s.OptionalOfRealm || !optional && s.DefaultOfRealm {
				list = append(list, rep.ClientScope{ID: string(s.ID), Name: s.Name, Protocol: string(s.Protocol)})
			}
		}
		return list, nil
	}
}

func scopeOf(c *Call) (*realms.Scope, error) {
	s := c.Realm.Scope(iam.ScopeID(c.Path("scope")))
	if s == nil {
		return nil, iam.Errorf(iam.NotFound, "Client scope not found")
	}
	return s, nil
}

func (h *Handler) bindDefault(optional bool) func(*Call) (any, error) {
	return func(c *Call) (any, error) {
		s, err := scopeOf(c)
		if err != nil {
			return nil, err
		}
		err = h.Manager.BindDefaultScope(c, c.Realm, s.ID, optional)
		if refused, ok := errors.AsType[*iam.Error](err); ok && refused.Kind == iam.Conflict {
			return nil, &Error{Status: http.StatusConflict, Body: plainBody{"conflict", refused.Msg}}
		}
		return nil, err
	}
}

func (h *Handler) unbindDefault(c *Call) (any, error) {
	s, err := scopeOf(c)
	if err != nil {
		return nil, err
	}
	return nil, h.Manager.UnbindDefaultScope(c, c.Realm, s.ID)
}

func (h *Handler) defaultGroups(c *Call) (any, error) { return h.seenDefaultGroups(c, c.Realm) }

// seenDefaultGroups are the groups that new users join, for those who may look
// at groups. Keycloak: RealmAdminResource.getDefaultGroups.
func (h *Handler) seenDefaultGroups(c *Call, r *realms.Realm) ([]rep.Group, error) {
	if !c.Can(ViewGroups, onRealm(r)) {
		return []rep.Group{}, nil
	}
	return h.Manager.DefaultGroups(c, r)
}

func (h *Handler) setDefaultGroup(is bool) func(*Call) (any, error) {
	return func(c *Call) (any, error) {
		id := iam.GroupID(c.Path("group"))
		if err := h.mayFill(c, func(g *users.Group) bool { return g.ID == id }); err != nil {
			return nil, err
		}
		return nil, h.Manager.SetDefaultGroup(c, c.Realm, iam.GroupID(c.Path("group")), is)
	}
}

// partialExport is a realm file without users and secrets.
// Keycloak: RealmAdminResource.partialExport, StripSecretsUtils.
func (h *Handler) partialExport(c *Call) (any, error) {
	if !c.Can(ManageRealm, onAll) {
		return nil, errForbidden
	}
	withClients, groups := c.Bool("exportClients", false), c.Bool("exportGroupsAndRoles", false)
	if withClients && !c.Can(ManageClients, onAll) || groups && !c.Can(ManageUsers, onAll) {
		return nil, errForbidden
	}
	r, err := h.Manager.Export(c, c.Realm.Name)
	if err != nil {
		return nil, err
	}
	r.SMTPServer = realms.MaskedMail(r.SMTPServer)
	for i := range r.Clients {
		r.Clients[i] = *clients.WithoutSecrets(&r.Clients[i])
		r.Clients[i].RegistrationAccessToken = nil // which Keycloak does not export
	}
	for i := range r.AuthenticatorConfig {
		r.AuthenticatorConfig[i] = *shownConfig(c.Realm, &r.AuthenticatorConfig[i])
	}
	for i := range r.IdentityProviders {
		r.IdentityProviders[i] = *representProvider(&r.IdentityProviders[i])
	}
	for kind, list := range r.Components {
		for i := range list {
			list[i].Config = representComponent(&rep.Component{ProviderType: kind, ProviderID: list[i].ProviderID, Config: list[i].Config}).Config
		}
	}
	if !withClients {
		r.Clients, r.ClientScopeMappings = nil, nil
		if r.Roles != nil {
			r.Roles = &rep.Roles{Realm: r.Roles.Realm}
		}
		r.ScopeMappings = slices.DeleteFunc(r.ScopeMappings, func(m rep.ScopeMapping) bool { return m.ClientScope == "" })
	}
	if withClients {
		if r.Users, err = h.Manager.ExportServiceAccounts(c, c.Realm); err != nil {
			return nil, err
		}
	}
	if !groups {
		r.Roles, r.Groups, r.DefaultGroups = nil, nil, nil
		for i := range r.Users {
			r.Users[i].RealmRoles, r.Users[i].ClientRoles, r.Users[i].Groups = nil, nil, nil
		}
	}
	return r, nil
}

// importedAt are the paths of admin events about what a partial import adds;
// all are of the kind REALM. Keycloak: PartialImportManager, ResourceType.
var importedAt = map[string]string{
	"CLIENT": "clients/", "REALM_ROLE": "realms/", "CLIENT_ROLE": "clients/", "GROUP": "groups/", "IDP": "identity-provider-settings/",
	"USER": "users/",
}

func (h *Handler) partialImport(c *Call) (any, error) {
	p, err := Body[rep.PartialImport](c)
	if err != nil {
		return nil, err
	}
	for _, policy := range []string{p.Policy, p.IfResourceExists} {
		if policy != "" && !slices.Contains([]string{"SKIP", "OVERWRITE", "FAIL"}, policy) {
			return nil, &Error{Status: http.StatusBadRequest, Body: plainBody{"unknown_error", "Cannot parse the JSON"}}
		}
	}
	if err := h.mayImport(c, p); err != nil {
		return nil, err
	}
	done, err := h.Manager.PartialImport(c, c.Realm, p, c.ending("POST partialImport"))
	if errors.Is(err, realms.ErrPrecondition) {
		refused, _ := errors.AsType[*iam.Error](err)
		return nil, Message(http.StatusPreconditionFailed, refused.Msg)
	}
	if err != nil {
		return nil, err
	}
	answer := struct {
		Overwritten int                    `json:"overwritten"`
		Added       int                    `json:"added"`
		Skipped     int                    `json:"skipped"`
		Results     []realms.PartialResult `json:"results"`
	}{Results: []realms.PartialResult{}}
	for _, d := range done {
		answer.Results = append(answer.Results, d)
		switch d.Action {
		case "ADDED":
			answer.Added++
			c.Event(Create, "REALM", importedAt[d.ResourceType]+d.ID, imported(p, d))
		case "OVERWRITTEN":
			answer.Overwritten++
			c.Event(Update, "REALM", importedAt[d.ResourceType]+d.ID, imported(p, d))
		case "SKIPPED":
			answer.Skipped++
		}
	}
	return answer, nil
}

// imported is what a partial import says of a thing that it made, without
// secrets; nil for kinds whose events tell no more than the path.
func imported(p *rep.PartialImport, d realms.PartialResult) any {
	role := func(list []rep.Role) any {
		if i := slices.IndexFunc(list, func(r rep.Role) bool { return r.Name == d.ResourceName }); i >= 0 {
			v := list[i]
			v.ID, v.Composite = d.ID, v.Composites != nil
			return &v
		}
		return nil
	}
	switch d.ResourceType {
	case "USER":
		if i := slices.IndexFunc(p.Users, func(u rep.User) bool { return strings.EqualFold(u.Username, d.ResourceName) }); i >= 0 {
			v := p.Users[i]
			v.ID, v.Credentials = d.ID, nil
			return &v
		}
	case "GROUP":
		if i := slices.IndexFunc(p.Groups, func(g rep.Group) bool { return g.Name == d.ResourceName || "/"+g.Name == d.ResourceName }); i >= 0 {
			v := p.Groups[i]
			v.ID = d.ID
			return &v
		}
	case "CLIENT":
		if i := slices.IndexFunc(p.Clients, func(cl rep.Client) bool { return cl.ClientID == d.ResourceName }); i >= 0 {
			v := p.Clients[i]
			v.ID = d.ID
			return withoutSecrets(&v)
		}
	case "REALM_ROLE":
		if p.Roles != nil {
			return role(p.Roles.Realm)
		}
	case "CLIENT_ROLE":
		client, name, _ := strings.Cut(d.ResourceName, "-->")
		if p.Roles != nil {
			d.ID, d.ResourceName = "", name
			return role(p.Roles.Client[client])
		}
	case "IDP":
		if i := slices.IndexFunc(p.IdentityProviders, func(idp rep.IdentityProvider) bool { return idp.Alias == d.ResourceName }); i >= 0 {
			v := p.IdentityProviders[i]
			v.InternalID, v.Config = d.ID, maskConfig(v.Config, masked)
			return &v
		}
	}
	return nil
}

func (h *Handler) locales(c *Call) (any, error) {
	list := slices.Sorted(maps.Keys(c.Realm.Rep.LocalizationTexts))
	if list == nil {
		list = []string{}
	}
	return list, nil
}

func (h *Handler) localeTexts(c *Call) (any, error) {
	texts := c.Realm.Rep.LocalizationTexts[c.Path("locale")]
	if texts == nil {
		texts = map[string]string{}
	}
	return texts, nil
}

func (h *Handler) localeText(c *Call) (any, error) {
	text, ok := c.Realm.Rep.LocalizationTexts[c.Path("locale")][c.Path("key")]
	if !ok {
		return nil, iam.Errorf(iam.NotFound, "Localization text not found")
	}
	return Raw{Type: "text/plain", Data: []byte(text)}, nil
}

// editTexts changes the realm's texts of the path's locale.
func (h *Handler) editTexts(c *Call, edit func(texts map[string]string) error) (any, error) {
	locale := c.Path("locale")
	return nil, h.Manager.Edit(c, c.Realm.ID, func(r *rep.Realm) error {
		if r.LocalizationTexts == nil {
			r.LocalizationTexts = map[string]map[string]string{}
		}
		texts := r.LocalizationTexts[locale]
		if texts == nil {
			texts = map[string]string{}
		}
		r.LocalizationTexts[locale] = texts
		return edit(texts)
	})
}

func (h *Handler) addTexts(c *Call) (any, error) {
	added, err := Body[map[string]string](c)
	if err != nil {
		return nil, err
	}
	return h.editTexts(c, func(texts map[string]string) error {
		maps.Copy(texts, *added)
		return nil
	})
}

func (h *Handler) putText(c *Call) (any, error) {
	text, err := c.Text()
	if err != nil {
		return nil, err
	}
	return h.editTexts(c, func(texts map[string]string) error {
		texts[c.Path("key")] = text
		return nil
	})
}

func (h *Handler) deleteText(c *Call) (any, error) {
	return h.editTexts(c, func(texts map[string]string) error {
		if _, ok := texts[c.Path("key")]; !ok {
			return iam.Errorf(iam.NotFound, "Localization text not found")
		}
		delete(texts, c.Path("key"))
		return nil
	})
}

func (h *Handler) deleteTexts(c *Call) (any, error) {
	return nil, h.Manager.Edit(c, c.Realm.ID, func(r *rep.Realm) error {
		if _, ok := r.LocalizationTexts[c.Path("locale")]; !ok {
			return iam.Errorf(iam.NotFound, "No localization texts for locale %s found.", c.Path("locale"))
		}
		delete(r.LocalizationTexts, c.Path("locale"))
		return nil
	})
}
