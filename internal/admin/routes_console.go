package admin

import (
	"errors"
	"net/http"
	"slices"

	"latchkey/internal/clients"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
)

// consoleRoutes are what the admin console asks for besides the admin REST: its
// sessions and who asks; see uiExtRoutes. Keycloak: AdminConsole, SessionsResource.
func (h *Handler) consoleRoutes() []Route {
	return []Route{
		{"GET /admin/realms/{realm}/ui-ext/sessions", ViewRealm, None, "", h.listAllSessions, Silent},
		{"GET /admin/realms/{realm}/ui-ext/sessions/client", ViewRealm, None, "", h.listClientSessions, Silent},
		{"GET /admin/{realm}/console/whoami", Checked, None, "", h.whoAmI, Silent},
	}
}

// uiSession is Keycloak's SessionRepresentation of the admin console.
type uiSession struct {
	ID        string            `json:"id"`
	Username  string            `json:"username"`
	UserID    string            `json:"userId"`
	IP        string            `json:"ipAddress"`
	Start     int64             `json:"start"`
	Last      int64             `json:"lastAccess"`
	Type      string            `json:"type"` // REGULAR or OFFLINE
	Clients   map[string]string `json:"clients"`
	Transient bool              `json:"transientUser"`
}

// listAllSessions lists a realm's sessions, the online ones first. Keycloak: SessionsResource.
func (h *Handler) listAllSessions(c *Call) (any, error) {
	return h.listSessions(c, "", func(kind iam.SessionKind) ([]sessions.Listed, error) {
		return h.Sessions.OfRealm(c, c.Realm, kind, 0, -1)
	})
}

// listClientSessions lists those that a client, by its id, has a part in.
func (h *Handler) listClientSessions(c *Call) (any, error) {
	cl, err := clients.Get(c, c.Realm, c.Query("clientId"))
	if errors.Is(err, clients.ErrNoClient) {
		return nil, plain(http.StatusNotFound)
	}
	if err != nil {
		return nil, err
	}
	return h.listSessions(c, cl.ID, func(kind iam.SessionKind) ([]sessions.Listed, error) {
		return h.Sessions.OfClient(c, c.Realm, cl.ID, kind, 0, -1)
	})
}

// listSessions is a page of the sessions that are found of either kind.
func (h *Handler) listSessions(c *Call, used iam.ClientID, find func(kind iam.SessionKind) ([]sessions.Listed, error)) (any, error) {
	first, max, err := c.Page(10)
	if err != nil {
		return nil, err
	}
	if t := c.Query("type"); t != "" && t != "ALL" && t != "REGULAR" && t != "OFFLINE" {
		return nil, plain(http.StatusNotFound)
	}
	out := []uiSession{}
	for _, kind := range iam.SessionKinds() {
		name := map[iam.SessionKind]string{iam.Online: "REGULAR", iam.Offline: "OFFLINE"}[kind]
		if t := c.Query("type"); t != "" && t != "ALL" && t != name {
			continue
		}
		list, err := find(kind)
		if err != nil {
			return nil, err
		}
		list = slices.DeleteFunc(list, func(s sessions.Listed) bool { return !containsFold(s.UserName, c.Query("search")) })
		views, err := viewSessions(c, list, used)
		if err != nil {
			return nil, err
		}
		for _, v := range views {
			out = append(out, uiSession{v.ID, v.Username, v.UserID, v.IPAddress, v.Start, v.LastAccess, name, v.Clients, false})
		}
	}
	return page(out, first, max), nil
}

// whoAmI tells the admin console who its user is and what they may administer.
// Keycloak: AdminConsole.whoAmI.
func (h *Handler) whoAmI(c *Call) (any, error) {
	home := c.Caller.Realm
	if home.Name != c.Path("realm") {
		return nil, ErrUnauthenticated
	}
	if c.Caller.Client.ClientID != realms.ClientAdminConsole {
		return nil, Plain(http.StatusForbidden, "Token issued for an application that is not the admin console: "+c.Caller.Client.ClientID)
	}
	access := map[string][]string{}
	names := []string{home.Name}
	if home.Name == masterRealm {
		var err error
		if names, err = h.Realms.Names(c); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		r, err := h.Realms.Get(c, name)
		if realms.Missing(err) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		var held []string
		for _, role := range append([]string{"impersonation"}, givenBy(AnyAdmin)...) {
			if c.Caller.rights().Has(c, r, role) {
				held = append(held, role)
			}
		}
		if held != nil {
			access[name] = held
		}
	}
	locale := c.Caller.User.Attr("locale")
	if locale == "" {
		locale = "en"
	}
	name := c.Caller.User.FirstName
	if c.Caller.User.LastName != "" {
		name += " " + c.Caller.User.LastName
	}
	if name == "" {
		name = c.Caller.User.Username
	}
	return map[string]any{"userId": c.Caller.User.ID, "realm": home.Name, "displayName": name, "locale": locale,
		"createRealm": c.Can(CreateRealm, onAll), "realm_access": access, "temporary": c.Caller.User.Attr("is_temporary_admin") == "true"}, nil
}
