package admin

import (
	"net/http"

	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/records"
)

func (h *Handler) whyRoutes() []Route {
	return []Route{
		{"GET /admin/realms/{realm}/users/{user}/why", ViewUsers, None, "", h.why, ByMethod},
	}
}

// why explains what became of a user's sessions. A user who was removed is
// explained, too, as long as there are records.
func (h *Handler) why(c *Call) (any, error) {
	q := records.WhyQuery{
		Client: c.Query("client"), Question: records.Question(c.Query("question")),
		HideEvents: !c.Can(ViewEvents, onAll), HideClients: !c.Can(ViewClients, onAll),
	}
	if text := c.Query("at"); text != "" {
		at, ok := events.ParseTime(text, true)
		if !ok {
			return nil, Plain(http.StatusBadRequest, "Invalid value for 'at', expected format is yyyy-MM-dd or an Epoch timestamp")
		}
		q.At = at
	}
	return h.Why.Why(c, c.Realm, iam.UserID(c.Path("user")), q)
}
