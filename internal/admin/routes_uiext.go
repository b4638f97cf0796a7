package admin

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/users"
)

const uiExtPath = "/admin/realms/{realm}/ui-ext"

// uiExtRoutes are what the admin console asks for beside the admin REST, of a realm.
// Keycloak: org.keycloak.admin.ui.rest. Those about roles are uiRoleRoutes.
func (h *Handler) uiExtRoutes() []Route {
	return []Route{
		{"PUT " + uiExtPath, ManageRealm, Update, "REALM", h.saveRealm, ByMethod},
		{"GET " + uiExtPath + "/info", AnyAdmin, None, "", realmInfo, Silent},
		{"GET " + uiExtPath + "/realms/names", Checked, None, "", h.realmNames, ByMethod},
		{"GET " + uiExtPath + "/available-event-listeners", ViewEvents, None, "", availableListeners, Silent},
		{"GET " + uiExtPath + "/authentication-management/flows", ViewFlows, None, "", usedFlows, Silent},
		{"GET " + uiExtPath + "/authentication-management/required-actions", ViewActions, None, "", configurableActions, ByMethod},
		{"GET " + uiExtPath + "/authentication-management/{type}/{flow}", ViewFlows, None, "", flowUsers, Silent},
		{"GET " + uiExtPath + "/brute-force-user", QueryUsers, None, "", h.usersWithAttacks, Silent},
	}
}

// realmInfo says whether there are providers of users.
func realmInfo(*Call) (any, error) {
	return map[string]bool{"userProfileProvidersEnabled": false}, nil
}

// saveRealm changes a realm and its user profile in one go. A profile that is wrong changes nothing.
// Keycloak: UIRealmResource.updateRealm.
func (h *Handler) saveRealm(c *Call) (any, error) {
	data, err := c.json()
	if err != nil {
		return nil, err
	}
	rest, text := cutMember(data, "upConfig")
	profile := new(rep.UPConfig)
	if text == nil {
		profile = nil
	} else if err := rep.Decode(text, profile); errors.Is(err, rep.ErrNoBody) {
		profile = nil
	} else if err != nil {
		return nil, err
	}
	if profile != nil {
		if err := users.CheckProfile(c.Realm, profile); err != nil {
			return nil, err
		}
	}
	shown, err := h.setRealm(c, rest)
	if unknown, ok := errors.AsType[*rep.UnknownFieldError](err); ok && unknown.Type == "RealmRepresentation" {
		unknown.Type = "UIRealmRepresentation"
	}
	if err != nil {
		return nil, err
	}
	if profile != nil {
		if _, err := h.Users.SetProfile(c, h.Realms, c.Realm, profile); err != nil {
			return nil, err
		}
		if text, err = rep.Marshal(profile); err != nil {
			return nil, err
		}
		shown.Unknown = slices.Concat([]byte(`{"upConfig":`), text, []byte("}"))
	}
	c.Event(Update, "REALM", "", shown)
	if profile != nil {
		c.Event(Update, "USER_PROFILE", "ui-ext", profile)
	}
	return nil, nil
}

// cutMember takes a member out of an object and returns its value, nil when it is not
// there. What is left keeps its places, for messages that name them. What is no object is left as it is.
func cutMember(data []byte, name string) (rest []byte, value jsontext.Value) {
	d := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return data, nil
	}
	for from := int(d.InputOffset()); d.PeekKind() == '"'; from = int(d.InputOffset()) {
		first := data[from-1] == '{'
		key, err := d.ReadToken()
		if err != nil {
			return data, nil
		}
		found := key.String() == name
		v, err := d.ReadValue()
		if err != nil && !errors.Is(err, io.EOF) {
			return data, nil
		}
		if !found {
			continue
		}
		value, rest = slices.Clone(v), slices.Clone(data)
		end := int(d.InputOffset())
		if next := bytes.IndexByte(rest[end:], ','); first && d.PeekKind() == '"' && next >= 0 {
			end += next + 1 // of a first member the comma behind it
		}
		for i := from; i < end; i++ {
			if rest[i] != '\n' {
				rest[i] = ' '
			}
		}
		return rest, value
	}
	return data, nil
}

// A realmName is a realm as lists of realms show it.
type realmName struct {
	Name        string  `json:"name"`
	DisplayName *string `json:"displayName,omitempty"`
}

// realmNames is a page of the realms that the caller administers. Keycloak: UIRealmsResource.
func (h *Handler) realmNames(c *Call) (any, error) {
	first, max, err := c.Page(10)
	if err != nil {
		return nil, err
	}
	names, err := h.Realms.Names(c)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(strings.ToLower(a), strings.ToLower(b)) })
	list := []realmName{}
	for _, name := range names {
		if max >= 0 && len(list) >= first+max {
			break
		}
		if !containsFold(name, c.Query("search")) {
			continue
		}
		r, err := h.Realms.Get(c, name)
		if realms.Missing(err) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		if c.Can(AnyAdmin, onRealm(r)) {
			list = append(list, realmName{r.Name, r.Rep.DisplayName})
		}
	}
	return page(list, first, max), nil
}

func availableListeners(*Call) (any, error) {
	list := make([]map[string]string, len(listeners))
	for i, id := range listeners {
		list[i] = map[string]string{"id": id}
	}
	return list, nil
}

// A usedFlow is a flow and what uses it.
type usedFlow struct {
	ID          string  `json:"id"`
	Alias       string  `json:"alias"`
	BuiltIn     bool    `json:"builtIn"`
	UsedBy      *usedBy `json:"usedBy,omitempty"`
	Description *string `json:"description,omitempty"`
}

type usedBy struct {
	Type   string   `json:"type"` // DEFAULT, SPECIFIC_CLIENTS, SPECIFIC_PROVIDERS
	Values []string `json:"values"`
}

// mostUsers is how many names of clients or providers a flow is listed with. Keycloak: AuthenticationMapper.
const mostUsers = 9

// usedFlows lists the flows at the top, each with what uses it: the realm, else clients, else
// identity providers. Keycloak: AuthenticationManagementResource of the console.
func usedFlows(c *Call) (any, error) {
	all, err := c.Realm.Clients(c, "", 0, -1)
	if err != nil {
		return nil, err
	}
	bound := c.Realm.Flows
	list := []usedFlow{}
	for _, f := range c.Realm.FlowDocs {
		if !f.TopLevel || f.Alias == "saml ecp" { // which Keycloak does not list
			continue
		}
		v := usedFlow{ID: f.ID, Alias: f.Alias, BuiltIn: f.BuiltIn, Description: f.Description}
		by := append(clientsWith(all, f.ID, "browser"), clientsWith(all, f.ID, "direct_grant")...)
		switch providers := providersWith(c.Realm, f.Alias); {
		case slices.Contains([]string{bound.Browser, bound.Registration, bound.DirectGrant, bound.ResetCredentials, bound.ClientAuthentication,
			bound.Docker, bound.FirstBrokerLogin}, f.Alias):
			v.UsedBy = &usedBy{"DEFAULT", []string{f.Alias}}
		case len(by) > 0 && c.Can(ViewClients, onAll):
			v.UsedBy = &usedBy{"SPECIFIC_CLIENTS", page(by, 0, mostUsers)}
		case len(providers) > 0 && c.Can(ViewIDPs, onAll):
			v.UsedBy = &usedBy{"SPECIFIC_PROVIDERS", page(providers, 0, mostUsers)}
		}
		list = append(list, v)
	}
	return list, nil
}

// clientsWith names the clients that have a flow of their own for one of the purposes.
func clientsWith(all []*realms.Client, flow string, purposes ...string) []string {
	names := []string{}
	for _, cl := range all {
		if slices.ContainsFunc(purposes, func(p string) bool { return string(cl.FlowOverrides[p]) == flow }) {
			names = append(names, cl.ClientID)
		}
	}
	return names
}

// providersWith names the identity providers that use a flow.
func providersWith(r *realms.Realm, alias string) []string {
	names := []string{}
	for _, p := range r.IDPs {
		if rep.Val(p.Rep.FirstBrokerLoginFlowAlias) == alias || rep.Val(p.Rep.PostBrokerLoginFlowAlias) == alias {
			names = append(names, p.Rep.Alias)
		}
	}
	return names
}

// flowUsers is a page of the clients, or identity providers, that use a flow. For a flow or
// type that is not there the reference breaks down.
func flowUsers(c *Call) (any, error) {
	first, max, err := c.Page(10)
	if err != nil {
		return nil, err
	}
	id := c.Path("flow")
	f := flowByID(c.Realm, &id)
	if f == nil {
		return nil, errNoFlow
	}
	var names []string
	switch c.Path("type") {
	case "clients":
		if !c.Can(ViewClients, onAll) {
			break
		}
		all, err := c.Realm.Clients(c, "", 0, -1)
		if err != nil {
			return nil, err
		}
		names = clientsWith(all, id, "browser", "direct_grant")
	case "idp":
		if !c.Can(ViewIDPs, onAll) {
			return nil, errForbidden
		}
		names = providersWith(c.Realm, f.Alias)
	default:
		return nil, plain(http.StatusNotFound)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.Contains(n, c.Query("search")) })
	return append([]string{}, page(names, first, max)...), nil
}

// A configurableAction is a required action and whether it has a configuration.
type configurableAction struct {
	rep.RequiredAction
	Configurable bool `json:"configurable"`
}

func configurableActions(c *Call) (any, error) {
	list := []configurableAction{}
	for _, a := range c.Realm.RequiredActions {
		p := authProvidersOf().action(a.Provider)
		list = append(list, configurableAction{*a.Rep, p != nil && p.Properties != nil})
	}
	return list, nil
}

// An attackedUser is a user with what is known of failed logins.
type attackedUser struct {
	*rep.User
	Status attackStatus `json:"bruteForceStatus"`
}

// An attackStatus is attackView as far as the list of users shows it.
type attackStatus struct {
	Failures int    `json:"numFailures"`
	Disabled bool   `json:"disabled"`
	LastIP   string `json:"lastIPFailure"`
	Last     int64  `json:"lastFailure"`
}

// usersWithAttacks is the search for users, each with what is known of failed logins.
// Keycloak: BruteForceUsersResource.
func (h *Handler) usersWithAttacks(c *Call) (any, error) {
	found, err := h.listUsers(c)
	if err != nil {
		return nil, err
	}
	list, _ := found.([]*rep.User) // none for who may not look at users
	out := make([]attackedUser, 0, len(list))
	for _, u := range list {
		s, err := h.attackStatus(c, c.Realm, iam.UserID(u.ID))
		if err != nil {
			return nil, err
		}
		out = append(out, attackedUser{u, s})
	}
	return out, nil
}

func (h *Handler) attackStatus(ctx context.Context, r *realms.Realm, user iam.UserID) (attackStatus, error) {
	s := attackStatus{LastIP: "n/a"}
	if !r.Brute.Enabled {
		return s, nil
	}
	f, err := h.Users.Failures(ctx, r, user)
	if err != nil || f == nil {
		return s, err
	}
	u, err := h.Users.Get(ctx, r, user)
	if errors.Is(err, users.ErrNotFound) {
		return s, nil // removed meanwhile
	}
	if err != nil {
		return s, err
	}
	locked, err := h.Users.Locked(ctx, r, u)
	if err != nil {
		return s, err
	}
	s.Failures, s.Disabled, s.Last = f.Failures, locked != "", stamp(f.LastFailure, time.Time.UnixMilli)
	if f.LastIP != "" {
		s.LastIP = f.LastIP
	}
	return s, nil
}
