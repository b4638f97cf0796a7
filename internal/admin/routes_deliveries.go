package admin

import (
	"net/http"
	"slices"

	"latchkey/internal/deliveries"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
)

// deliveryRoutes show what other servers and users were told, or are still to be told:
// back-channel logouts, webhooks and mails. Keycloak has no such thing.
func (h *Handler) deliveryRoutes() []Route {
	const at = "/admin/realms/{realm}/deliveries"
	return []Route{
		{"GET " + at, ViewEvents, None, "", h.listDeliveries, ByMethod},
		{"POST " + at + "/{id}/retry", ManageEvents, Action, "CUSTOM", h.retryDelivery, ByMethod},
	}
}

// A delivery is one as administrators see it. Times are milliseconds since 1970,
// as in events.
type delivery struct {
	ID          string           `json:"id"`
	Kind        string           `json:"kind"`
	Event       string           `json:"event"`
	Webhook     string           `json:"webhook,omitempty"`  // id of the component
	ClientID    string           `json:"clientId,omitempty"` // as in OAuth; the database id of a client that is gone
	User        iam.UserID       `json:"userId,omitempty"`   // for those who may see users
	Session     iam.SessionID    `json:"sessionId,omitempty"`
	State       deliveries.State `json:"state"`
	Attempts    int              `json:"attempts"`
	Created     int64            `json:"createdAt"`
	Due         int64            `json:"dueAt,omitempty"`       // of the next attempt
	Delivered   int64            `json:"deliveredAt,omitempty"` // only once delivered
	GivenUp     int64            `json:"givenUpAt,omitempty"`
	LastFailure string           `json:"lastError,omitempty"`
}

// maxDeliveries is how many are listed at most.
const maxDeliveries = 1000

func (h *Handler) listDeliveries(c *Call) (any, error) {
	seesUsers := c.Can(ViewUsers, onAll)
	if c.Query("user") != "" && !seesUsers {
		return nil, errForbidden
	}
	f := deliveries.Filter{
		Kind: c.Query("kind"), State: deliveries.State(c.Query("state")), Hook: c.Query("webhook"), User: iam.UserID(c.Query("user")),
		Session: iam.SessionID(c.Query("session")), Before: c.Query("before"),
	}
	if f.State != "" && !slices.Contains([]deliveries.State{deliveries.Due, deliveries.Delivered, deliveries.GivenUp}, f.State) {
		return nil, Message(http.StatusBadRequest, "Unknown state; the states are due, delivered and given up")
	}
	if f.Kind != "" && !slices.Contains([]string{deliveries.KindLogout, deliveries.KindWebhook, deliveries.KindMail}, f.Kind) {
		return nil, Message(http.StatusBadRequest, "Unknown kind; the kinds are "+deliveries.KindLogout+", "+deliveries.KindWebhook+
			" and "+deliveries.KindMail)
	}
	var err error
	if f.Max, err = c.Int("max", defaultPage); err != nil {
		return nil, err
	}
	if f.Max < 0 || f.Max > maxDeliveries {
		f.Max = maxDeliveries
	}
	if name := c.Query("client"); name != "" {
		f.Client = iam.ClientID(name) // of one that is gone
		client, err := c.Realm.ClientByName(c, name)
		if err == nil {
			f.Client = client.ID
		} else if !realms.Missing(err) {
			return nil, err
		}
	}
	found, err := h.Deliveries.List(c, c.Realm, f)
	if err != nil {
		return nil, err
	}
	list := make([]delivery, 0, len(found))
	for _, d := range found {
		v := delivery{ID: d.ID, Kind: d.Kind, Event: d.Event, Webhook: d.Hook, ClientID: c.Realm.KnownClientName(d.Client), Session: d.Session,
			State: d.State, Attempts: d.Attempts, Created: d.Created.UnixMilli(), LastFailure: d.LastError}
		if v.ClientID == "" {
			v.ClientID = string(d.Client)
		}
		if seesUsers {
			v.User = d.User
		}
		switch d.State {
		case deliveries.Due:
			v.Due = d.DueAt.UnixMilli()
		case deliveries.Delivered:
			v.Delivered = d.DeliveredAt.UnixMilli()
		case deliveries.GivenUp:
			v.GivenUp = d.DueAt.UnixMilli()
		}
		list = append(list, v)
	}
	return list, nil
}

func (h *Handler) retryDelivery(c *Call) (any, error) {
	return nil, h.Deliveries.Retry(c, c.Realm, c.Path("id"))
}
