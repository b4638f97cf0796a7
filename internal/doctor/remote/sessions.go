package remote

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/doctor"
	"latchkey/internal/rep"
)

// How much is asked of a realm's sessions.
const (
	usersSessionsMost = 500 // offline sessions of a user at one client
	offlineClients    = 60  // clients at which a user's offline sessions are asked for
	eventPage         = 100
	statsMost         = 30 // clients whose sessions are listed where no user and no client is named
)

// A RightError says which role the account lacks.
type RightError struct{ Role string }

func (e *RightError) Error() string {
	return "this account lacks the role " + e.Role + " (of client realm-management; in realm master of the realm's own client there)"
}

// right makes a RightError of a refusal.
func right(err error, role string) error {
	if status(err) == http.StatusForbidden {
		return &RightError{role}
	}
	return err
}

// Begin begins an examination: its requests are counted from here.
func (s *Server) Begin(planned int) { s.sent, s.planned = 0, planned }

// Done says that the examination is over.
func (s *Server) Done() {
	if s.Progress != nil {
		s.Progress(s.sent, s.sent)
	}
}

func at(realm string, parts ...string) string {
	path := "/" + url.PathEscape(realm)
	for _, p := range parts {
		path += "/" + url.PathEscape(p)
	}
	return path
}

// Configuration returns what of a realm decides about sessions: its settings, its
// clients without their secrets, and its client scopes.
func (s *Server) Configuration(ctx context.Context, realm string) (*rep.Realm, error) {
	r := new(rep.Realm)
	if err := s.get(ctx, at(realm), r); err != nil {
		return nil, right(err, "view-realm")
	}
	if r.AccessTokenLifespan == nil { // what is shown to those who may not look
		return nil, &RightError{"view-realm"}
	}
	r.Clients = []rep.Client{}
	for first := 0; first < clientsMost; first += clientPage {
		var page []rep.Client
		if err := s.get(ctx, fmt.Sprintf("%s?first=%d&max=%d", at(realm, "clients"), first, clientPage), &page); err != nil {
			return nil, right(err, "view-clients")
		}
		r.Clients = append(r.Clients, page...)
		if len(page) < clientPage {
			break
		}
	}
	// Who may only look for clients is shown their names.
	if !slices.ContainsFunc(r.Clients, func(c rep.Client) bool { return c.StandardFlowEnabled != nil }) {
		return nil, &RightError{"view-clients"}
	}
	if err := s.get(ctx, at(realm, "client-scopes"), &r.ClientScopes); err != nil {
		return nil, right(err, "view-clients")
	}
	for path, names := range map[string]*[]string{"default-default-client-scopes": &r.DefaultDefaultClientScopes,
		"default-optional-client-scopes": &r.DefaultOptionalClientScopes} {
		var list []rep.ClientScope
		if err := s.get(ctx, at(realm, path), &list); err != nil {
			return nil, right(err, "view-clients")
		}
		*names = []string{}
		for _, x := range list {
			*names = append(*names, x.Name)
		}
	}
	return r, nil
}

// User finds a user by name, e-mail address or id; nil when there is none.
func (s *Server) User(ctx context.Context, realm, name string) (*rep.User, error) {
	for _, by := range []string{"username", "email"} {
		var list []rep.User
		err := s.get(ctx, at(realm, "users")+"?"+url.Values{by: {name}, "exact": {"true"}, "briefRepresentation": {"true"}}.Encode(), &list)
		if err != nil {
			return nil, right(err, "view-users")
		}
		if len(list) > 0 {
			name = list[0].ID
			break
		}
	}
	return s.UserByID(ctx, realm, name)
}

// UserByID returns a user; nil when there is none.
func (s *Server) UserByID(ctx context.Context, realm, id string) (*rep.User, error) {
	u := new(rep.User)
	switch err := s.get(ctx, at(realm, "users", id), u); {
	case status(err) == http.StatusNotFound:
		return nil, nil
	case err != nil:
		return nil, right(err, "view-users")
	}
	return u, nil
}

// Standing is what a server tells of one user beside the user.
type Standing struct {
	Online, Offline []rep.UserSession
	Partly          string // why Offline is not all, "" when it is
	Consents        []rep.UserConsent
	Failures        Failures
	OfflineRole     bool     // the user has the role offline_access
	Credentials     []string // their types
}

// Failures are a user's failed logins, as brute force protection counts them.
type Failures struct {
	Number    int    `json:"numFailures"`
	Disabled  bool   `json:"disabled"`
	NotBefore int64  `json:"failedLoginNotBefore"` // seconds since 1970; 0 where the server is too old to tell
	Last      int64  `json:"lastFailure"`          // milliseconds since 1970
	IP        string `json:"lastIPFailure"`
}

// Standing asks for a user's sessions online and offline, consents, roles and failed logins.
func (s *Server) Standing(ctx context.Context, realm, user string) (*Standing, error) {
	out := new(Standing)
	if err := s.get(ctx, at(realm, "users", user, "sessions"), &out.Online); err != nil {
		return nil, right(err, "view-users")
	}
	var consents []struct {
		rep.UserConsent
		Additional []struct {
			Client string `json:"client"`
			Key    string `json:"key"`
		} `json:"additionalGrants"`
	}
	if err := s.raw(ctx, at(realm, "users", user, "consents"), &consents); err != nil {
		return nil, right(err, "view-users")
	}
	seen := map[string]bool{}
	var clients []string
	for _, c := range consents {
		out.Consents = append(out.Consents, c.UserConsent)
		for _, more := range c.Additional {
			if more.Client != "" && !seen[more.Client] {
				seen[more.Client] = true
				clients = append(clients, more.Client)
			}
		}
	}
	if len(clients) > offlineClients {
		out.Partly = fmt.Sprintf("only %d of %d clients that hold offline tokens of the user were asked", offlineClients, len(clients))
		clients = clients[:offlineClients]
	}
	s.plan(len(clients))
	parts := map[string]int{}
	for _, client := range clients {
		var list []rep.UserSession
		if err := s.get(ctx, at(realm, "users", user, "offline-sessions", client), &list); err != nil {
			return nil, right(err, "view-users")
		}
		for _, x := range list[:min(len(list), usersSessionsMost)] {
			i, ok := parts[x.ID]
			if !ok {
				parts[x.ID] = len(out.Offline)
				out.Offline = append(out.Offline, x)
				continue
			}
			for id, name := range x.Clients { // the same session, seen from another client
				out.Offline[i].Clients[id] = name
			}
		}
	}
	var roles []struct {
		Name string `json:"name"`
	}
	if err := s.raw(ctx, at(realm, "users", user, "role-mappings", "realm", "composite"), &roles); err != nil {
		return nil, right(err, "view-users")
	}
	for _, x := range roles {
		out.OfflineRole = out.OfflineRole || x.Name == "offline_access"
	}
	var credentials []rep.Credential
	if err := s.get(ctx, at(realm, "users", user, "credentials"), &credentials); err != nil {
		return nil, right(err, "view-users")
	}
	for _, c := range credentials {
		if !slices.Contains(out.Credentials, c.Type) {
			out.Credentials = append(out.Credentials, c.Type)
		}
	}
	err := s.raw(ctx, at(realm, "attack-detection", "brute-force", "users", user), &out.Failures)
	if status(err) == http.StatusForbidden || status(err) == http.StatusNotFound { // of federated users Keycloak does not tell
		err = nil
	}
	return out, err
}

// raw reads what is at a path into v, with members that this server does not have.
func (s *Server) raw(ctx context.Context, path string, v any) error {
	if err := s.count(); err != nil {
		return err
	}
	data, err := s.admin(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v, jsontext.AllowDuplicateNames(true)); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}

// ClientSessions lists a client's sessions of one kind: some, and whether there are more.
func (s *Server) ClientSessions(ctx context.Context, realm, client string, offline bool, most int) (list []rep.UserSession, more bool,
	err error) {
	kind := "user-sessions"
	if offline {
		kind = "offline-sessions"
	}
	for first := 0; first < most; first += sessionPage {
		var page []rep.UserSession
		err := s.get(ctx, fmt.Sprintf("%s?first=%d&max=%d", at(realm, "clients", client, kind), first, min(sessionPage, most-first)), &page)
		if err == errMost {
			return list, true, nil
		}
		if err != nil {
			return nil, false, right(err, "view-users")
		}
		list = append(list, page...)
		if len(page) < min(sessionPage, most-first) {
			return list, false, nil
		}
	}
	return list, true, nil
}

// A Holder is a client that has sessions.
type Holder struct {
	ID              string
	Online, Offline int64
}

// Holders lists the clients that have the most sessions, and says whether there are more.
func (s *Server) Holders(ctx context.Context, realm string) (list []Holder, more bool, err error) {
	var all []stat
	if err := s.raw(ctx, at(realm, "client-session-stats"), &all); err != nil {
		return nil, false, right(err, "view-realm")
	}
	number := func(s string) int64 { n, _ := strconv.ParseInt(s, 10, 64); return n }
	for _, x := range all {
		list = append(list, Holder{x.ID, number(x.Active), number(x.Offline)})
	}
	slices.SortStableFunc(list, func(a, b Holder) int { return cmp.Compare(b.Online+b.Offline, a.Online+a.Offline) })
	return list[:min(len(list), statsMost)], len(list) > statsMost, nil
}

// An EventFilter narrows a question for events; zero members do not.
type EventFilter struct {
	User   string
	Client string // OAuth's client_id
	Types  []string
	Since  time.Time // events before are left out; the server is asked by the day
	Most   int
}

// Events asks for a realm's stored user events, the latest first: some, and
// whether there are more.
func (s *Server) Events(ctx context.Context, realm string, f EventFilter) (list []rep.Event, more bool, err error) {
	q := url.Values{"max": {strconv.Itoa(eventPage)}}
	if f.User != "" {
		q.Set("user", f.User)
	}
	if f.Client != "" {
		q.Set("client", f.Client)
	}
	for _, t := range f.Types {
		q.Add("type", t)
	}
	if !f.Since.IsZero() {
		q.Set("dateFrom", f.Since.UTC().Add(-24*time.Hour).Format(time.DateOnly)) // its zone may be another
	}
	for first := 0; len(list) < f.Most; first += eventPage {
		q.Set("first", strconv.Itoa(first))
		var page []rep.Event
		err := s.get(ctx, at(realm, "events")+"?"+q.Encode(), &page)
		if err == errMost {
			return list, true, nil
		}
		if err != nil {
			return nil, false, right(err, "view-events")
		}
		for i := range page {
			if time.UnixMilli(page[i].Time).Before(f.Since) {
				return list, false, nil
			}
			list = append(list, page[i])
		}
		if len(page) < eventPage {
			return list, false, nil
		}
	}
	return list, true, nil
}

// AdminEvents asks for the newest admin events that may have ended sessions.
func (s *Server) AdminEvents(ctx context.Context, realm string, since time.Time) ([]rep.AdminEvent, error) {
	q := url.Values{"max": {strconv.Itoa(eventPage)}, "operationTypes": {"DELETE", "ACTION"}}
	if !since.IsZero() {
		q.Set("dateFrom", since.UTC().Add(-24*time.Hour).Format(time.DateOnly))
	}
	var list []rep.AdminEvent
	err := s.get(ctx, at(realm, "admin-events")+"?"+q.Encode(), &list)
	return list, right(err, "view-events")
}

// Certificates returns the realm's public keys, as they are published.
func (s *Server) Certificates(ctx context.Context, realm string) ([]byte, error) {
	if err := s.count(); err != nil {
		return nil, err
	}
	return s.do(ctx, http.MethodGet, "/realms/"+url.PathEscape(realm)+"/protocol/openid-connect/certs", "", "", nil, "")
}

// Keys lists all keys of the realm, those included that are no longer used.
func (s *Server) Keys(ctx context.Context, realm string) (*rep.KeysMetadata, error) {
	m := new(rep.KeysMetadata)
	err := s.get(ctx, at(realm, "keys"), m)
	return m, right(err, "view-realm")
}

// Kept says why stored events tell nothing of some kinds, "" when they may.
func Kept(r *rep.Realm, kinds ...string) string { return doctor.EventsKept(r, kinds...) }

// Issuer asks for the realm's issuer as this address shows it.
func (s *Server) Issuer(ctx context.Context, realm string) (string, error) {
	if err := s.count(); err != nil {
		return "", err
	}
	data, err := s.do(ctx, http.MethodGet, "/realms/"+url.PathEscape(realm)+"/.well-known/openid-configuration", "", "", nil, "")
	if err != nil {
		return "", err
	}
	var doc struct {
		Issuer string `json:"issuer"`
	}
	err = json.Unmarshal(data, &doc)
	return strings.TrimRight(doc.Issuer, "/"), err
}
