package admin

import (
	"net/http"
	"strings"
	"time"

	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/records"
)

// Latchkey's own: every session of a realm, online, offline and transient, live
// and ended, and why. Keycloak has no such routes; its own stay as they are.
func (h *Handler) explorerRoutes() []Route {
	const realm = "/admin/realms/{realm}"
	const explorer = "/session-explorer"
	return []Route{
		{"GET " + realm + explorer, ViewUsers, None, "", h.explore, ByMethod},
		{"GET " + realm + explorer + "/{session}", ViewUsers, None, "", h.sessionStory, ByMethod},
		{"GET " + realm + "/users/{user}" + explorer, ViewUsers, None, "", h.withUser(h.exploreUser), ByMethod},
		{"GET " + realm + "/clients/{client}" + explorer, ViewClients, None, "", h.exploreClient, ByMethod},
		{"GET " + realm + "/support-codes/{code}", ViewUsers, None, "", h.supportCode, ByMethod},
		{"POST " + realm + "/inspect-token", ViewUsers, None, "", h.inspectToken, NoCache},
	}
}

// explore lists the realm's sessions. Its parameters are documented in doc/session-explorer.md.
func (h *Handler) explore(c *Call) (any, error) {
	q, err := explorerQuery(c)
	if err != nil {
		return nil, err
	}
	q.User = iam.UserID(c.Query("user"))
	if name := c.Query("client"); name != "" {
		client, err := c.Realm.ClientByName(c, name)
		if realms.Missing(err) {
			client, err = c.Realm.Client(c, iam.ClientID(name))
		}
		switch {
		case err == nil:
			q.Client = client.ID
		case realms.Missing(err):
			q.Client = iam.ClientID(name) // one that is gone may have left records
		default:
			return nil, err
		}
	}
	return h.Explorer.List(c, c.Realm, q)
}

func (h *Handler) exploreUser(c *Call, u *iam.User) (any, error) {
	q, err := explorerQuery(c)
	if err != nil {
		return nil, err
	}
	q.User = u.ID
	return h.Explorer.List(c, c.Realm, q)
}

func (h *Handler) exploreClient(c *Call) (any, error) {
	q, err := explorerQuery(c)
	if err != nil {
		return nil, err
	}
	cl, err := clientOf(c)
	if err != nil {
		return nil, err
	}
	q.Client = cl.ID
	return h.Explorer.List(c, c.Realm, q)
}

// explorerQuery reads what all lists have in common.
func explorerQuery(c *Call) (records.Query, error) {
	q := records.Query{State: c.Query("state"), Reason: iam.Reason(c.Query("reason")), Address: c.Query("address"), After: c.Query("after"),
		Count: c.Query("count")}
	for name, values := range c.R.URL.Query() {
		for _, v := range values {
			if !records.Storable(v) {
				return q, Plain(http.StatusBadRequest, "Invalid value for '"+name+"'")
			}
		}
	}
	for _, list := range c.R.URL.Query()["kind"] {
		q.Kinds = append(q.Kinds, given(strings.Split(list, ","))...)
	}
	for name, at := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		text := c.Query(name)
		if text == "" {
			continue
		}
		when, ok := events.ParseTime(text, name == "to")
		if !ok {
			return q, Plain(http.StatusBadRequest, "Invalid value for '"+name+
				"', expected format is yyyy-MM-dd or an Epoch timestamp in milliseconds")
		}
		*at = when
	}
	switch sort := c.Query("sort"); sort {
	case "", "start":
	case "lastAccess":
		q.ByAccess = true
	default:
		return q, Plain(http.StatusBadRequest, "Invalid value for 'sort', expected start or lastAccess")
	}
	switch q.Count {
	case "", "true", "exact":
	case "false":
		q.Count = ""
	default:
		return q, Plain(http.StatusBadRequest, "Invalid value for 'count', expected true, false or exact")
	}
	var err error
	q.Max, err = c.Int("max", 0)
	return q, err
}

func (h *Handler) sessionStory(c *Call) (any, error) {
	return h.Explorer.Story(c, c.Realm, c.Path("session"), c.Can(ViewEvents, onAll))
}

// supportCode explains the refusal whose page or answer carried a code.
func (h *Handler) supportCode(c *Call) (any, error) {
	return h.Explorer.Support(c, c.Realm, c.Path("code"))
}

// A tokenToInspect is the body of inspect-token. No part of it is kept, logged,
// or put into an admin event.
type tokenToInspect struct {
	Token string `json:"token"`
}

func (h *Handler) inspectToken(c *Call) (any, error) {
	given, err := Body[tokenToInspect](c)
	if err != nil {
		return nil, err
	}
	if given.Token == "" {
		return nil, Plain(http.StatusBadRequest, "The token is missing")
	}
	seen := records.Seen{Issuer: c.issuer(), Follows: h.Hostname.Follows(c.Realm.Attrs["frontendUrl"])}
	return h.Explorer.Inspect(c, c.Realm, seen, given.Token)
}
