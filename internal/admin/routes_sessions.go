package admin

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/logout"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/sessions"
)

func (h *Handler) sessionRoutes() []Route {
	const realm = "/admin/realms/{realm}"
	const client = realm + "/clients/{client}"
	return []Route{
		{"GET " + realm + "/client-session-stats", ViewRealm, None, "", h.sessionStats, ByMethod},
		{"DELETE " + realm + "/sessions/{session}", ManageUsers, Delete, "USER_SESSION", h.deleteSession, ByMethod},
		{"POST " + realm + "/logout-all", ManageUsers, Action, "REALM", h.logoutAll, ByMethod},
		{"POST " + realm + "/push-revocation", ManageRealm, Action, "REALM", h.pushRevocation, ByMethod},
		{"GET " + client + "/user-sessions", ViewClients, None, "", h.clientSessions(iam.Online), ByMethod},
		{"GET " + client + "/offline-sessions", ViewClients, None, "", h.clientSessions(iam.Offline), ByMethod},
		{"GET " + client + "/session-count", ViewClients, None, "", h.clientSessionCount(iam.Online), ByMethod},
		{"GET " + client + "/offline-session-count", ViewClients, None, "", h.clientSessionCount(iam.Offline), ByMethod},
	}
}

// viewSessions renders sessions; those of users who are gone are left out.
// With used, the last access is that client's. Keycloak:
// ModelToRepresentation.toRepresentation(UserSessionModel), ClientResource.toUserSessionRepresentation.
func viewSessions(c *Call, list []sessions.Listed, used iam.ClientID) ([]rep.UserSession, error) {
	out := make([]rep.UserSession, 0, len(list))
	for _, s := range list {
		if s.UserName == "" {
			continue
		}
		outline := sessions.Outline{UserSession: s.UserSession, UserName: s.UserName}
		for _, p := range s.ClientSessions {
			outline.Clients = append(outline.Clients, p.Client)
		}
		v, err := viewSession(c, outline)
		if err != nil {
			return nil, err
		}
		for _, p := range s.ClientSessions {
			if p.Client == used {
				v.LastAccess = p.LastAccess.Unix() * 1000
			}
		}
		out = append(out, v)
	}
	return out, nil
}

func viewSession(c *Call, s sessions.Outline) (rep.UserSession, error) {
	v := rep.UserSession{
		ID: string(s.ID), Username: s.UserName, UserID: string(s.User), IPAddress: s.IP,
		Start: s.Started.Unix() * 1000, LastAccess: s.LastAccess.Unix() * 1000, RememberMe: s.Remember, Clients: map[string]string{},
	}
	for _, id := range s.Clients {
		name, err := c.Realm.ClientName(c, id)
		if err != nil {
			return v, err
		}
		if name != "" {
			v.Clients[string(id)] = name
		}
	}
	return v, nil
}

func (h *Handler) clientSessions(kind iam.SessionKind) func(*Call) (any, error) {
	return func(c *Call) (any, error) {
		first, max, err := c.Page(defaultPage)
		if err != nil {
			return nil, err
		}
		cl, err := clientOf(c)
		if err != nil {
			return nil, err
		}
		list, err := h.Sessions.OfClient(c, c.Realm, cl.ID, kind, first, max)
		if err != nil {
			return nil, err
		}
		if kind == iam.Online {
			return viewSessions(c, list, "")
		}
		return viewSessions(c, list, cl.ID)
	}
}

func (h *Handler) clientSessionCount(kind iam.SessionKind) func(*Call) (any, error) {
	return func(c *Call) (any, error) {
		cl, err := clientOf(c)
		if err != nil {
			return nil, err
		}
		counts, err := h.Sessions.Counts(c, c.Realm, kind)
		if err != nil {
			return nil, err
		}
		return map[string]int64{"count": counts[cl.ID]}, nil
	}
}

// sessionStats counts the sessions of each client that has any.
// Keycloak: RealmAdminResource.getClientSessionStats.
func (h *Handler) sessionStats(c *Call) (any, error) {
	stats := map[iam.ClientID]map[string]string{}
	for name, kind := range map[string]iam.SessionKind{"active": iam.Online, "offline": iam.Offline} {
		counts, err := h.Sessions.Counts(c, c.Realm, kind)
		if err != nil {
			return nil, err
		}
		for id, n := range counts {
			clientID, err := c.Realm.ClientName(c, id)
			if err != nil {
				return nil, err
			}
			if clientID == "" || n == 0 {
				continue
			}
			if stats[id] == nil {
				stats[id] = map[string]string{"id": string(id), "clientId": clientID, "active": "0", "offline": "0"}
			}
			stats[id][name] = strconv.FormatInt(n, 10)
		}
	}
	list := make([]map[string]string, 0, len(stats))
	for _, s := range stats {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b map[string]string) int { return strings.Compare(a["clientId"], b["clientId"]) })
	return list, nil
}

func (h *Handler) deleteSession(c *Call) (any, error) {
	ref := iam.SessionRef{ID: iam.SessionID(c.Path("session")), Kind: iam.SessionKind(c.Bool("isOffline", false))}
	view, err := h.Sessions.Find(c, c.Realm, ref, nil)
	if view != nil {
		ref = view.Session.Ref()
		if err := h.overUser(c, view.Session.User, false); err != nil {
			return nil, err
		}
	}
	over := errors.Is(err, sessions.ErrExpired)
	if !over {
		_, err = h.Ender.Session(c, c.Realm, c.issuer(), ref, c.ending("DELETE sessions/{id}"))
	}
	if over || errors.Is(err, sessions.ErrGone) {
		return nil, Plain(http.StatusNotFound, "Sesssion not found") // spelt as the reference spells it
	}
	return nil, err
}

// ending is the end of what the caller ends.
func (c *Call) ending(rule string) iam.End {
	e := iam.End{Reason: iam.LogoutByAdmin, By: iam.ActorAdmin, Actor: c.Caller.User.ID, Rule: rule}
	if c.Caller.Realm.ID != c.Realm.ID {
		e.Realm = c.Caller.Realm.ID
	}
	return e
}

// logoutAll ends all sessions of the realm, refuses what was issued before, and
// tells admin URLs. Back-channel logout is for the logout of a user or session:
// no logout tokens are sent, as in Keycloak, where the sessions are gone before
// clients are told. Keycloak: RealmAdminResource.logoutAll,
// ResourceAdminManager.logoutAll.
func (h *Handler) logoutAll(c *Call) (any, error) {
	now := h.Manager.Clock()
	if err := h.Manager.Set(c, c.Realm.ID, &rep.Realm{NotBefore: new(int(now.Unix()))}); err != nil {
		return nil, err
	}
	if err := h.Sessions.EndOfRealm(c, c.Realm, c.ending("logout-all")); err != nil {
		return nil, err
	}
	return h.pushAll(c, logout.LogoutAll(), now)
}

// pushAll tells all clients of the realm; the admin event says how that went.
func (h *Handler) pushAll(c *Call, what logout.Action, notBefore time.Time) (any, error) {
	result, err := h.push(c, what, nil, notBefore)
	if err != nil {
		return nil, err
	}
	c.Represent(result)
	return result, nil
}

// push tells clients' admin URLs, those of the whole realm for nil, and
// answers with who took the news.
func (h *Handler) push(c *Call, what logout.Action, list []*realms.Client, notBefore time.Time) (*rep.GlobalRequestResult, error) {
	took, failed, err := h.Ender.Notifier.Push(c, c.Realm, c.issuer(), what, list, notBefore)
	if err != nil {
		return nil, err
	}
	return &rep.GlobalRequestResult{SuccessRequests: took, FailedRequests: failed}, nil
}

// pushRevocation tells clients of the realm's not-before.
func (h *Handler) pushRevocation(c *Call) (any, error) {
	return h.pushAll(c, logout.PushNotBefore(), c.Realm.NotBefore)
}
