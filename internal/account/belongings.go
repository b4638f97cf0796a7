package account

import (
	"cmp"
	"net/http"
	"slices"

	"latchkey/internal/iam"
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

// linkedAccount is Keycloak's LinkedAccountRepresentation.
type linkedAccount struct {
	rep.AccountLinkedAccount
	GUIOrder string `json:"guiOrder,omitzero"`
}

// socialProviders are Keycloak's providers of well-known sites.
var socialProviders = []string{
	"bitbucket", "facebook", "github", "gitlab", "google", "instagram", "linkedin-openid-connect", "microsoft", "openshift-v4", "paypal", "stackoverflow", "twitter",
}

// linkedAccounts shows the realm's identity providers and the caller's accounts
// there: all of them, or those that are linked or are not.
// Keycloak: LinkedAccountsResource.linkedAccounts.
func (h *Handler) linkedAccounts(c *call) (any, error) {
	links, err := h.Users.Links(c, c.realm, c.caller.User.ID)
	if err != nil {
		return nil, err
	}
	out := []linkedAccount{}
	for _, p := range c.realm.IDPs {
		i := slices.IndexFunc(links, func(l *iam.FederatedIdentity) bool { return l.Provider == p.Alias })
		show := cmp.Or(p.Config["showInAccountConsole"], "ALWAYS")
		if !p.Enabled || show == "NEVER" || show == "WHEN_LINKED" && i < 0 {
			continue
		}
		if c.r.URL.Query().Has("linked") && c.flag("linked", false) != (i >= 0) {
			continue
		}
		a := linkedAccount{GUIOrder: p.Config["guiOrder"]}
		a.Connected, a.Social = i >= 0, slices.Contains(socialProviders, p.Provider)
		a.ProviderAlias, a.ProviderName, a.DisplayName = p.Alias, p.Alias, cmp.Or(p.DisplayName, p.Alias)
		if i >= 0 {
			a.LinkedUsername = links[i].ExternalUsername
		}
		out = append(out, a)
	}
	slices.SortStableFunc(out, func(a, b linkedAccount) int { return cmp.Compare(a.GUIOrder, b.GUIOrder) })
	return out, nil
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
