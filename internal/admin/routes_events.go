package admin

import (
	"net/http"
	"slices"
	"time"

	"latchkey/internal/emails"
	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

func (h *Handler) eventRoutes() []Route {
	const at = "/admin/realms/{realm}"
	return []Route{
		{"GET " + at + "/events", ViewEvents, None, "", h.listEvents, ByMethod},
		{"DELETE " + at + "/events", ManageEvents, None, "", h.clearEvents, ByMethod},
		{"GET " + at + "/admin-events", ViewEvents, None, "", h.listAdminEvents, ByMethod},
		{"DELETE " + at + "/admin-events", ManageEvents, None, "", h.clearAdminEvents, ByMethod},
		{"GET " + at + "/events/config", ViewEvents, None, "", h.getEventsConfig, ByMethod},
		{"PUT " + at + "/events/config", ManageEvents, Update, "REALM", h.updateEventsConfig, ByMethod},
	}
}

// span reads dateFrom, dateTo, first, max and direction.
func span(c *Call) (from, to time.Time, first, max int, ascending bool, err error) {
	for _, p := range []struct {
		name string
		at   *time.Time
		end  bool
	}{{"dateFrom", &from, false}, {"dateTo", &to, true}} {
		text := c.Query(p.name)
		if text == "" {
			continue
		}
		at, ok := events.ParseTime(text, p.end)
		if !ok {
			return from, to, 0, 0, false, Plain(http.StatusBadRequest, "Invalid value for '"+p.name+
				"', expected format is yyyy-MM-dd or an Epoch timestamp")
		}
		*p.at = at
	}
	if first, max, err = c.Page(defaultPage); err != nil {
		return
	}
	switch c.Query("direction") {
	case "", "desc":
	case "asc":
		ascending = true
	default:
		err = Plain(http.StatusBadRequest, "Invalid value for sortDirection, expected value is asc or desc")
	}
	return
}

// given leaves out empty parameters.
func given(list []string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}

// known refuses names that are none; the reference breaks down over them.
func known(given, all []string) error {
	for _, name := range given {
		if !slices.Contains(all, name) {
			return Plain(http.StatusBadRequest, "Unknown type "+name)
		}
	}
	return nil
}

func (h *Handler) listEvents(c *Call) (any, error) {
	q := c.R.URL.Query()
	f := events.Filter{
		Kinds: given(q["type"]), Client: q.Get("client"), User: iam.UserID(q.Get("user")),
		Session: iam.SessionID(q.Get("session")), IP: q.Get("ipAddress"),
	}
	var err error
	if f.From, f.To, f.First, f.Max, f.Ascending, err = span(c); err != nil {
		return nil, err
	}
	if err := known(f.Kinds, events.All()); err != nil {
		return nil, err
	}
	list, err := h.Events.List(c, c.Realm, f)
	if err != nil {
		return nil, err
	}
	out := make([]rep.Event, 0, len(list))
	for _, e := range list {
		out = append(out, rep.Event{
			ID: e.ID, Time: e.Time.UnixMilli(), Type: string(e.Kind), RealmID: string(c.Realm.ID), ClientID: e.Client, UserID: string(e.User),
			SessionID: string(e.Session), IPAddress: e.IP, Error: e.Error, Details: e.Details,
		})
	}
	return out, nil
}

// The operations and resource types of admin events. Keycloak: OperationType, ResourceType.
var (
	operations    = []string{"CREATE", "UPDATE", "DELETE", "ACTION"}
	resourceTypes = []string{
		"REALM", "REALM_ROLE", "REALM_ROLE_MAPPING", "REALM_SCOPE_MAPPING", "AUTH_FLOW", "AUTH_EXECUTION_FLOW", "AUTH_EXECUTION",
		"AUTHENTICATOR_CONFIG", "REQUIRED_ACTION", "REQUIRED_ACTION_CONFIG", "IDENTITY_PROVIDER", "IDENTITY_PROVIDER_MAPPER", "PROTOCOL_MAPPER",
		"USER", "USER_LOGIN_FAILURE", "USER_SESSION", "USER_FEDERATION_PROVIDER", "USER_FEDERATION_MAPPER", "GROUP", "GROUP_MEMBERSHIP",
		"CLIENT", "CLIENT_INITIAL_ACCESS_MODEL", "CLIENT_ROLE", "CLIENT_ROLE_MAPPING", "CLIENT_SCOPE", "CLIENT_SCOPE_MAPPING",
		"CLIENT_SCOPE_CLIENT_MAPPING", "CLUSTER_NODE", "COMPONENT", "AUTHORIZATION_RESOURCE_SERVER", "AUTHORIZATION_RESOURCE",
		"AUTHORIZATION_SCOPE", "AUTHORIZATION_POLICY", "CUSTOM", "USER_PROFILE", "ORGANIZATION", "ORGANIZATION_MEMBERSHIP",
		"ORGANIZATION_GROUP", "ORGANIZATION_GROUP_MEMBERSHIP", "ORGANIZATION_INVITATION",
	}
)

func (h *Handler) listAdminEvents(c *Call) (any, error) {
	q := c.R.URL.Query()
	f := events.AdminFilter{
		Operations: given(q["operationTypes"]), ResourceTypes: given(q["resourceTypes"]), AuthRealm: q.Get("authRealm"),
		AuthClient: q.Get("authClient"),
		AuthUser:   q.Get("authUser"), IP: q.Get("authIpAddress"), ResourcePath: q.Get("resourcePath"),
	}
	var err error
	if f.From, f.To, f.First, f.Max, f.Ascending, err = span(c); err != nil {
		return nil, err
	}
	if err := known(f.Operations, operations); err != nil {
		return nil, err
	}
	if err := known(f.ResourceTypes, resourceTypes); err != nil {
		return nil, err
	}
	list, err := h.Events.ListAdmin(c, c.Realm, f)
	if err != nil {
		return nil, err
	}
	out := make([]rep.AdminEvent, 0, len(list))
	for _, e := range list {
		out = append(out, rep.AdminEvent{
			ID: e.ID, Time: e.Time.UnixMilli(), RealmID: string(c.Realm.ID), OperationType: e.Operation, ResourceType: e.ResourceType,
			ResourcePath: e.ResourcePath, Representation: e.Representation, Error: e.Error, Details: e.Details,
			AuthDetails: &rep.AuthDetails{RealmID: string(e.AuthRealm), ClientID: string(e.AuthClient), UserID: string(e.AuthUser), IPAddress: e.IP},
		})
	}
	return out, nil
}

func (h *Handler) clearEvents(c *Call) (any, error) { return nil, h.Events.Clear(c, c.Realm) }

func (h *Handler) clearAdminEvents(c *Call) (any, error) { return nil, h.Events.ClearAdmin(c, c.Realm) }

// getEventsConfig shows the kinds that a realm keeps, also when it names none.
// Keycloak: ModelToRepresentation.toEventsConfigReprensetation.
func (h *Handler) getEventsConfig(c *Call) (any, error) {
	cfg := c.Realm.Rep
	v := &rep.EventsConfig{
		EventsEnabled: rep.Val(cfg.EventsEnabled), EventsListeners: cfg.EventsListeners, EnabledEventTypes: cfg.EnabledEventTypes,
		AdminEventsEnabled: new(rep.Val(cfg.AdminEventsEnabled)), AdminEventsDetailsEnabled: new(rep.Val(cfg.AdminEventsDetailsEnabled)),
	}
	if n := rep.Val(cfg.EventsExpiration); n != 0 {
		v.EventsExpiration = &n
	}
	if v.EventsListeners == nil {
		v.EventsListeners = []string{}
	}
	if len(v.EnabledEventTypes) == 0 {
		v.EnabledEventTypes = events.SavedByDefault()
	}
	return v, nil
}

// listeners are the event listeners that are there: the log, and mails to users.
var listeners = []string{"jboss-logging", emails.ListenerID}

func (h *Handler) updateEventsConfig(c *Call) (any, error) {
	given, err := Body[rep.EventsConfig](c)
	if err != nil {
		return nil, err
	}
	for _, name := range given.EventsListeners {
		if !slices.Contains(listeners, name) && !slices.Contains(c.Realm.Events.Listeners, name) {
			return nil, Plain(http.StatusBadRequest, "Unknown event listener")
		}
	}
	slices.Sort(given.EventsListeners)
	given.EventsListeners = slices.Compact(given.EventsListeners)
	return nil, h.Manager.Set(c, c.Realm.ID, &rep.Realm{
		EventsEnabled: &given.EventsEnabled, EventsExpiration: new(rep.Val(given.EventsExpiration)), EventsListeners: given.EventsListeners,
		EnabledEventTypes: given.EnabledEventTypes, AdminEventsEnabled: given.AdminEventsEnabled,
		AdminEventsDetailsEnabled: given.AdminEventsDetailsEnabled,
	})
}
