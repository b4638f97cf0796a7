package admin

import (
	"net/http"
	"slices"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
)

// endRoutes end sessions and say what that does. Keycloak has no such thing.
func (h *Handler) endRoutes() []Route {
	return []Route{
		// A preview is for everybody who sees users; endSessions asks for more.
		{"POST " + userPath + "/end-sessions", ViewUsers, Action, "USER", h.withUser(h.endSessions), NoCache},
	}
}

// An endRequest says which sessions of a user are to end.
type endRequest struct {
	Kinds     []string        `json:"kinds"`              // online, offline
	Clients   []string        `json:"clients,omitempty"`  // client_ids or ids; none: whole sessions
	Sessions  []iam.SessionID `json:"sessions,omitempty"` // none: all
	NotBefore bool            `json:"notBefore,omitempty"`
	Preview   bool            `json:"preview,omitempty"`
}

func (q *endRequest) choice(c *Call) (sessions.Choice, error) {
	choice := sessions.Choice{Online: slices.Contains(q.Kinds, "online"), Offline: slices.Contains(q.Kinds, "offline")}
	other := func(kind string) bool { return kind != "online" && kind != "offline" }
	if len(q.Kinds) == 0 || slices.ContainsFunc(q.Kinds, other) {
		return choice, Message(http.StatusBadRequest, "kinds must name online, offline or both")
	}
	if len(q.Sessions) > 0 {
		choice.Sessions = q.Sessions
	}
	for _, name := range iam.Distinct(q.Clients) {
		client, err := c.Realm.ClientByName(c, name)
		if realms.Missing(err) {
			client, err = c.Realm.Client(c, iam.ClientID(name))
		}
		if realms.Missing(err) {
			return choice, Message(http.StatusBadRequest, "There is no client '"+name+"'")
		}
		if err != nil {
			return choice, err
		}
		if !slices.Contains(choice.Clients, client.ID) {
			choice.Clients = append(choice.Clients, client.ID)
		}
	}
	return choice, nil
}

func (h *Handler) endSessions(c *Call, u *iam.User) (any, error) {
	q, err := Body[endRequest](c)
	if err != nil {
		return nil, err
	}
	if !q.Preview {
		if !c.Can(ManageUser, onUser(u.ID)) {
			return nil, errForbidden
		}
		if err := h.demand(c, ManageUser); err != nil {
			return nil, err
		}
	}
	choice, err := q.choice(c)
	if err != nil {
		return nil, err
	}
	if q.Preview {
		c.NoEvent()
		return h.Ender.Preview(c, c.Realm, c.issuer(), u.ID, choice, q.NotBefore)
	}
	if q.NotBefore {
		if err := h.Users.SetNotBefore(c, c.Realm, u.ID); err != nil {
			return nil, err
		}
	}
	report, err := h.Ender.End(c, c.Realm, c.issuer(), u.ID, choice, c.ending("end-sessions"), q.NotBefore)
	if err == nil && len(report.Sessions) == 0 && !q.NotBefore {
		c.NoEvent() // nothing happened
	}
	return report, err
}
