package account

import (
	"net/http"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
)

// Latchkey's own: what clients may do for the caller in the caller's absence.
// Keycloak shows such clients among the applications, and ends the grants of all
// sessions of a client together.

func (h *Handler) offlineGrants(c *call) (any, error) {
	return h.Explorer.OfflineGrants(c, c.realm, c.caller.User.ID)
}

// endOfflineGrant ends one. Whether one that is not the caller's is there is not told.
func (h *Handler) endOfflineGrant(c *call) (any, error) {
	client, err := c.realm.ClientByName(c, c.r.PathValue("client"))
	if realms.Missing(err) {
		return nil, errNoGrant()
	}
	if err != nil {
		return nil, err
	}
	id := iam.SessionID(c.r.PathValue("session"))
	choice := sessions.Choice{Offline: true, Sessions: []iam.SessionID{id}, Clients: []iam.ClientID{client.ID}}
	ended, err := h.Sessions.EndChosen(c, c.realm, c.caller.User.ID, choice, c.ending("account: offline grants"), nil)
	if err != nil {
		return nil, err
	}
	if len(ended) == 0 {
		return nil, errNoGrant()
	}
	h.tell(c, ended[0].ClientSessions)
	h.emit(c, "LOGOUT", id, nil)
	return nil, nil
}

func errNoGrant() error { return message(http.StatusNotFound, "Offline grant not found") }
