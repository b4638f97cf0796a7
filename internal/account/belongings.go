package account

import (
	"cmp"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/roles"
	"latchkey/internal/users"
)

// groups shows the groups that the caller is a direct member of.
func (h *Handler) groups(c *call) (any, error) {
	effective, err := h.Roles.Of(c, c.realm, c.caller.User.ID)
	if err != nil {
		return nil, err
	}
	brief := c.flag("briefRepresentation", true)
	whole := map[iam.GroupID]*users.Group{}
	if !brief {
		own, err := h.Users.GroupsOf(c, c.realm, c.caller.User.ID)
		if err != nil {
			return nil, err
		}
		for _, g := range own {
			whole[g.ID] = g
		}
	}
	out := make([]rep.Group, 0, len(effective.Groups))
	for _, g := range effective.Groups {
		v := groupOf(g)
		if !brief {
			if whole[g.ID] == nil {
				continue // left or removed meanwhile
			}
			describe(c, &v, whole[g.ID])
		}
		out = append(out, v)
	}
	return out, nil
}

func groupOf(g *roles.Group) rep.Group {
	out := rep.Group{ID: string(g.ID), Name: g.Name, Path: g.Path(), ParentID: string(g.Parent), SubGroups: []rep.Group{}}
	if g.Description != "" {
		out.Description = &g.Description
	}
	return out
}

// describe adds attributes and roles. Keycloak: ModelToRepresentation.toRepresentation.
func describe(c *call, out *rep.Group, g *users.Group) {
	out.Attributes, out.RealmRoles, out.ClientRoles = g.Attrs, []string{}, map[string][]string{}
	if out.Attributes == nil {
		out.Attributes = map[string][]string{}
	}
	for _, id := range g.Roles {
		switch role := c.realm.Role(id); {
		case role == nil:
		case role.Client == "":
			out.RealmRoles = append(out.RealmRoles, role.Name)
		default:
			if name := c.realm.KnownClientName(role.Client); name != "" {
				out.ClientRoles[name] = append(out.ClientRoles[name], role.Name)
			}
		}
	}
}

// linkedAccounts shows the realm's identity providers and the caller's accounts
// there: all of them in the order of the login page, or a page of those that are
// linked, or are not, by alias. Keycloak: LinkedAccountsResource.linkedAccounts.
func (h *Handler) linkedAccounts(c *call) (any, error) {
	links, err := h.Users.Links(c, c.realm, c.caller.User.ID)
	if err != nil {
		return nil, err
	}
	first, max, err := c.page()
	if err != nil {
		return nil, err
	}
	paged, linked := c.r.URL.Query().Has("linked"), c.flag("linked", false)
	search := ""
	if paged {
		search = strings.ToLower(strings.TrimSpace(c.r.URL.Query().Get("search")))
	}
	list := []*realms.IdentityProvider{}
	name := map[string]string{} // the caller's, there
	for _, p := range c.realm.IDPs {
		i := slices.IndexFunc(links, func(l *iam.FederatedIdentity) bool { return l.Provider == p.Alias })
		show := cmp.Or(p.Get("showInAccountConsole"), "ALWAYS")
		switch {
		case !p.Enabled || show == "NEVER" || show == "WHEN_LINKED" && i < 0, paged && linked != (i >= 0):
		case !realms.NameMatches(search, p.Alias) && !realms.NameMatches(search, p.DisplayName):
		default:
			list = append(list, p)
			if i >= 0 {
				name[p.Alias] = links[i].ExternalUsername
			}
		}
	}
	if paged {
		list = list[min(first, len(list)):]
		list = list[:min(max, len(list))]
	} else {
		slices.SortStableFunc(list, func(a, b *realms.IdentityProvider) int { return cmp.Compare(a.GUIOrder(), b.GUIOrder()) })
	}
	out := []rep.AccountLinkedAccount{}
	for _, p := range list {
		kind := realms.ProviderKindOf(p.Provider)
		username, connected := name[p.Alias]
		out = append(out, rep.AccountLinkedAccount{Connected: connected, Social: kind != nil && kind.Social, ProviderAlias: p.Alias,
			ProviderName: p.Alias,
			DisplayName:  cmp.Or(p.DisplayName, p.Alias), LinkedUsername: username})
	}
	return out, nil
}

// page reads first and max: at most 100 unless more are asked for.
func (c *call) page() (first, max int, err error) {
	max = 100
	for name, to := range map[string]*int{"first": &first, "max": &max} {
		text := c.r.URL.Query().Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return 0, 0, status(http.StatusNotFound)
		}
		*to = int(n)
	}
	if first < 0 {
		first = 0
	}
	if max < 0 {
		max = math.MaxInt32
	}
	return first, max, nil
}

// linkURI is how old consoles began to link an account, which the reference
// has switched off.
func (h *Handler) linkURI(*call) (any, error) {
	return nil, message(http.StatusNotFound, "Legacy client-initiated account linking is disabled. Use AIA with kc_action=idp_link instead.")
}

// unlink takes one of the caller's linked accounts away, but never the last way
// in. Keycloak: LinkedAccountsResource.removeLinkedAccount.
func (h *Handler) unlink(c *call) (any, error) {
	alias := c.r.PathValue("provider")
	provider := c.realm.IDP(alias)
	if provider == nil {
		return nil, message(http.StatusBadRequest, "identityProviderNotFoundMessage")
	}
	links, err := h.Users.Links(c, c.realm, c.caller.User.ID)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(links, func(l *iam.FederatedIdentity) bool { return l.Provider == alias })
	if i < 0 {
		return nil, message(http.StatusBadRequest, h.texts(c).Format("federatedIdentityLinkNotActiveMessage"))
	}
	if len(links) == 1 && c.caller.User.Federation == "" {
		credentials, err := h.Users.Credentials(c, c.realm, c.caller.User.ID)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(credentials, func(k *iam.Credential) bool { return k.Kind == iam.Password }) {
			return nil, message(http.StatusBadRequest, h.texts(c).Format("federatedIdentityRemovingLastProviderMessage"))
		}
	}
	if _, err := h.Users.RemoveLink(c, c.realm, c.caller.User.ID, alias); err != nil {
		return nil, err
	}
	h.emit(c, "REMOVE_FEDERATED_IDENTITY", "", map[string]string{
		"username": c.caller.User.Username, "identity_provider": alias, "identity_provider_identity": links[i].ExternalUsername,
	})
	return nil, nil
}

func (h *Handler) supportedLocales(c *call) (any, error) {
	return append([]string{}, c.realm.Locale.Supported...), nil
}

// resources would be the caller's resources under user-managed access.
func (h *Handler) resources(c *call) (any, error) {
	if !rep.Val(c.realm.Rep.UserManagedAccessAllowed) {
		return nil, message(http.StatusForbidden, "User-managed access not enabled")
	}
	return nil, status(http.StatusNotFound)
}
