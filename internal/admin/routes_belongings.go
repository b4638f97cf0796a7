package admin

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/roles"
	"latchkey/internal/sessions"
	"latchkey/internal/users"
	"latchkey/internal/web"
)

// userBelongingRoutes: groups, roles, sessions, consents and links of Keycloak's UserResource.
func (h *Handler) userBelongingRoutes() []Route {
	return append([]Route{
		{"GET " + userPath + "/groups", ViewUsers, None, "", h.withUser(h.groupsOfUser), ByMethod},
		{"GET " + userPath + "/groups/count", ViewUsers, None, "", h.withUser(h.countGroupsOfUser), ByMethod},
		{"PUT " + userPath + "/groups/{group}", ManageUser, Create, "GROUP_MEMBERSHIP", h.withUser(h.joinGroup(true)), NoCache},
		{"DELETE " + userPath + "/groups/{group}", ManageUser, Delete, "GROUP_MEMBERSHIP", h.withUser(h.joinGroup(false)), NoCache},

		{"GET " + userPath + "/sessions", ViewUsers, None, "", h.sessionsOfUser, ByMethod},
		{"GET " + userPath + "/offline-sessions/{client}", ViewUsers, None, "", h.withUser(h.offlineSessionsOfUser), ByMethod},
		{"POST " + userPath + "/logout", ManageUser, Action, "USER", h.withUser(h.logoutUser), ByMethod},
		{"POST " + userPath + "/impersonation", Impersonate, None, "", h.withUser(h.impersonate), NoCache},

		{"GET " + userPath + "/consents", ViewUsers, None, "", h.withUser(h.consentsOfUser), ByMethod},
		{"DELETE " + userPath + "/consents/{client}", ManageUser, Action, "USER", h.withUser(h.revokeConsent), NoCache},

		{"GET " + userPath + "/federated-identity", ViewUsers, None, "", h.withUser(h.linksOfUser), ByMethod},
		{"POST " + userPath + "/federated-identity/{provider}", ManageUser, Create, "USER", h.withUser(h.linkUser), NoCache},
		{"DELETE " + userPath + "/federated-identity/{provider}", ManageUser, Delete, "USER", h.withUser(h.unlinkUser), NoCache},
	}, roleMappingRoutes(userPath, ViewUsers, ManageUser, h.userSubject)...)
}

func (h *Handler) groupsOfUser(c *Call, u *iam.User) (any, error) {
	list, err := h.Users.GroupsOf(c, c.Realm, u.ID)
	if err != nil {
		return nil, err
	}
	first, max, err := c.Page(-1)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(g *users.Group) bool { return !containsFold(g.Name, c.Query("search")) })
	out := []*rep.Group{}
	for _, g := range page(list, first, max) {
		out = append(out, viewGroup(c.Realm, g, c.Bool("briefRepresentation", true)))
	}
	return out, nil
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// page cuts a page out of a list; max < 0 means all.
func page[T any](list []T, first, max int) []T {
	list = list[min(first, len(list)):]
	if max >= 0 {
		list = list[:min(max, len(list))]
	}
	return list
}

func (h *Handler) countGroupsOfUser(c *Call, u *iam.User) (any, error) {
	list, err := h.Users.GroupsOf(c, c.Realm, u.ID)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(g *users.Group) bool { return !containsFold(g.Name, c.Query("search")) })
	return map[string]int{"count": len(list)}, nil
}

// joinGroup adds a user to a group, or takes one out. Doing it again is no event.
func (h *Handler) joinGroup(join bool) func(*Call, *iam.User) (any, error) {
	return func(c *Call, u *iam.User) (any, error) {
		g, err := h.Users.Group(c, c.Realm, iam.GroupID(c.Path("group")))
		if errors.Is(err, users.ErrNoGroup) {
			return nil, Plain(http.StatusNotFound, "Group not found")
		}
		if err != nil {
			return nil, err
		}
		if err := c.mayGive(g.Given()...); err != nil {
			return nil, err
		}
		op, change := Create, h.Users.Join
		if !join {
			op, change = Delete, h.Users.Leave
		}
		changed, err := change(c, c.Realm, u.ID, g.ID)
		if err != nil {
			return nil, err
		}
		if !changed {
			c.NoEvent()
			return nil, nil
		}
		who := map[string]string{"username": u.Username}
		if u.Email != "" {
			who["email"] = u.Email
		}
		c.EventDetails(op, "GROUP_MEMBERSHIP", c.resource(), viewGroup(c.Realm, g, false), who)
		return nil, nil
	}
}

func (h *Handler) sessionsOfUser(c *Call) (any, error) {
	var list []sessions.Outline
	err := h.Sessions.Together(
		func() error { _, err := h.user(c); return err },
		func() (err error) {
			list, err = h.Sessions.Overview(c, c.Realm, iam.UserID(c.Path("user")), iam.Online)
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	out := make([]rep.UserSession, 0, len(list))
	for _, s := range list {
		v, err := viewSession(c, s)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (h *Handler) offlineSessionsOfUser(c *Call, u *iam.User) (any, error) {
	client, err := c.Realm.Client(c, iam.ClientID(c.Path("client")))
	if realms.Missing(err) {
		return nil, errNoClient()
	}
	if err != nil {
		return nil, err
	}
	list, err := h.Sessions.OfUser(c, c.Realm, u.ID, iam.Offline)
	if err != nil {
		return nil, err
	}
	for i := len(list) - 1; i >= 0; i-- {
		if !slices.ContainsFunc(list[i].ClientSessions, func(p *iam.ClientSession) bool { return p.Client == client.ID }) {
			list = slices.Delete(list, i, i+1)
		}
	}
	return viewSessions(c, list, client.ID)
}

func errNoClient() error { return Plain(http.StatusNotFound, "Client not found") }

// logoutUser ends the user's online sessions and refuses tokens from before.
// Keycloak: UserResource.logout.
func (h *Handler) logoutUser(c *Call, u *iam.User) (any, error) {
	if err := h.Users.SetNotBefore(c, c.Realm, u.ID); err != nil {
		return nil, err
	}
	return nil, h.Ender.OfUser(c, c.Realm, c.issuer(), u.ID, c.ending("users/{id}/logout"))
}

// impersonate lets an administrator act as a user in their browser.
// Keycloak: UserResource.impersonate.
func (h *Handler) impersonate(c *Call, u *iam.User) (any, error) {
	if !u.Enabled {
		return nil, Message(http.StatusBadRequest, "User is disabled")
	}
	if u.ServiceAccount != "" {
		return nil, Message(http.StatusBadRequest, "Service accounts cannot be impersonated")
	}
	// Of the same realm it is who had a session, which the new one takes the place of.
	sameRealm := c.Caller.Realm.ID == c.Realm.ID && c.Caller.Session != ""
	if sameRealm {
		end := c.ending("impersonation")
		end.Reason = iam.ReplacedByLogin
		if _, err := h.Sessions.End(c, c.Realm, iam.SessionRef{ID: c.Caller.Session, User: c.Caller.User.ID}, end); err != nil &&
			!errors.Is(err, sessions.ErrGone) {
			return nil, err
		}
	}
	session, err := h.Browsers.SignIn(c.W, c.R, c.Realm, u, map[string]string{
		iam.NoteImpersonator: string(c.Caller.User.ID), iam.NoteImpersonatorName: c.Caller.User.Username,
	})
	if err != nil {
		return nil, err
	}
	h.Events.Emit(c, c.Realm, &iam.Event{Kind: "IMPERSONATE", User: u.ID, Session: session, IP: web.RequestOf(c.R).Addr,
		Details: map[string]string{"impersonator_realm": c.Caller.Realm.Name, "impersonator": c.Caller.User.Username}})
	return map[string]any{"sameRealm": sameRealm, "redirect": c.URLs.Frontend + c.Realm.Path() + "/account"}, nil
}

// A consentView is a consent, or offline access without one, as the admin API
// lists it: absent dates are null. Keycloak: UserResource.toConsent.
type consentView struct {
	ClientID         string              `json:"clientId"`
	Scopes           []string            `json:"grantedClientScopes"`
	Created          *int64              `json:"createdDate,omitzero"`
	Updated          *int64              `json:"lastUpdatedDate,omitzero"`
	AdditionalGrants []map[string]string `json:"additionalGrants"`
}

func (h *Handler) consentsOfUser(c *Call, u *iam.User) (any, error) {
	consents, err := h.Users.Consents(c, c.Realm, u.ID)
	if err != nil {
		return nil, err
	}
	live, err := h.Sessions.OfUser(c, c.Realm, u.ID, iam.Offline)
	if err != nil {
		return nil, err
	}
	offline := map[iam.ClientID]bool{}
	order := []iam.ClientID{}
	for _, s := range live {
		for _, p := range s.ClientSessions {
			if !offline[p.Client] {
				offline[p.Client] = true
				order = append(order, p.Client)
			}
		}
	}
	given := map[iam.ClientID]*iam.Consent{}
	for _, consent := range consents {
		given[consent.Client] = consent
		if !offline[consent.Client] {
			order = append(order, consent.Client)
		}
	}
	list := []consentView{}
	for _, id := range order {
		name, err := c.Realm.ClientName(c, id)
		if err != nil {
			return nil, err
		}
		if name == "" {
			continue
		}
		v := consentView{ClientID: name, Scopes: []string{}, AdditionalGrants: []map[string]string{}}
		if consent := given[id]; consent != nil {
			v.Created, v.Updated = new(consent.Created.UnixMilli()), new(consent.Updated.UnixMilli())
			for _, scope := range consent.Scopes {
				if s := c.Realm.Scope(scope); s != nil {
					v.Scopes = append(v.Scopes, s.Name)
				} else if iam.ClientID(scope) == id { // the client itself was on the consent page
					v.Scopes = append(v.Scopes, name)
				}
			}
		}
		if offline[id] {
			v.AdditionalGrants = append(v.AdditionalGrants, map[string]string{"client": string(id), "key": "Offline Token"})
		}
		list = append(list, v)
	}
	return list, nil
}

func (h *Handler) revokeConsent(c *Call, u *iam.User) (any, error) {
	client, err := c.Realm.ClientByName(c, c.Path("client"))
	if realms.Missing(err) {
		return nil, errNoClient()
	}
	if err != nil {
		return nil, err
	}
	consent, err := h.Users.RevokeConsent(c, c.Realm, u.ID, client.ID)
	if err != nil {
		return nil, err
	}
	end := c.ending("DELETE users/{id}/consents/{client}")
	end.Reason, end.Client = iam.ConsentWithdrawn, client.ID
	offline, err := h.Sessions.RevokeClient(c, c.Realm, client.ID, u.ID, iam.Offline, end)
	if err != nil {
		return nil, err
	}
	if consent {
		if _, err := h.Sessions.RevokeClient(c, c.Realm, client.ID, u.ID, iam.Online, end); err != nil {
			return nil, err
		}
	}
	if !consent && !offline {
		return nil, Plain(http.StatusNotFound, "Consent nor offline token not found")
	}
	return nil, nil
}

func (h *Handler) linksOfUser(c *Call, u *iam.User) (any, error) {
	links, err := h.Users.Links(c, c.Realm, u.ID)
	if err != nil {
		return nil, err
	}
	list := []rep.FederatedIdentity{}
	for _, l := range links {
		if c.Realm.IDP(l.Provider) != nil {
			list = append(list, rep.FromFederatedIdentity(l))
		}
	}
	return list, nil
}

func (h *Handler) linkUser(c *Call, u *iam.User) (any, error) {
	v, err := Body[rep.FederatedIdentity](c)
	if err != nil {
		return nil, err
	}
	return nil, h.Users.AddLink(c, c.Realm, &iam.FederatedIdentity{User: u.ID, Provider: c.Path("provider"), ExternalID: v.UserID,
		ExternalUsername: v.UserName})
}

func (h *Handler) unlinkUser(c *Call, u *iam.User) (any, error) {
	was, err := h.Users.RemoveLink(c, c.Realm, u.ID, c.Path("provider"))
	if err == nil && !was {
		return nil, Plain(http.StatusNotFound, "Link not found")
	}
	return nil, err
}

func (h *Handler) userSubject(c *Call) (*subject, error) {
	u, err := h.user(c)
	if err != nil {
		return nil, err
	}
	direct, err := h.Users.Roles(c, c.Realm, u.ID)
	if err != nil {
		return nil, err
	}
	return &subject{direct: direct,
		effective: func() (roles.Set, error) {
			effective, err := h.Roles.Of(c, c.Realm, u.ID)
			if err != nil {
				return nil, err
			}
			return effective.Roles, nil
		},
		change: func(ids []iam.RoleID, add bool) error { return h.Users.MapRoles(c, c.Realm, u.ID, ids, add) },
	}, nil
}
