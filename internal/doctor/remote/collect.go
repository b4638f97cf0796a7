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

	"latchkey/internal/doctor"
	"latchkey/internal/rep"
)

// How much is looked at.
const (
	clientPage    = 100
	clientsMost   = 2000
	offlineMost   = 20  // clients whose offline sessions are listed, those with the most
	sessionPage   = 100 // and for each of them
	sessionsMost  = 500
	usersMost     = 50   // users who are asked for their not-before
	usedMost      = 60   // clients that are looked up in the events
	loginsMost    = 100  // logins of each of them
	logoutsMost   = 1000 // newest logouts
	providersMost = 100  // identity providers
	mappedMost    = 20   // and those whose mappers are read
	refreshedLate = doctor.Refreshed
)

// strangeHost is a name under which no server is meant to be known (RFC 2606).
const strangeHost = "doctor.invalid"

// A collection gathers the evidence of one realm.
type collection struct {
	*Server
	realm string
	e     *doctor.Evidence

	settings *rep.Realm
	clients  []*rep.Client
	stats    map[string]stat
	sessions map[string]doctor.ClientSessions
	last     map[string]time.Time                    // last use of a client by what was seen of its sessions
	listed   map[string]map[string][]rep.UserSession // by client: offline sessions by id
}

type stat struct {
	ID      string `json:"id"`
	Active  string `json:"active"`
	Offline string `json:"offline"`
}

// Collect gathers a realm's evidence. It reads only. An error says that there is
// no examination; what merely is missing is told by the evidence.
func (s *Server) Collect(ctx context.Context, realm string, unusedAfter time.Duration) (*doctor.Evidence, error) {
	if unusedAfter <= 0 {
		unusedAfter = doctor.UnusedAfter
	}
	s.sent, s.planned = 0, 13 // of any realm
	c := &collection{Server: s, realm: "/" + url.PathEscape(realm), e: &doctor.Evidence{At: s.Now(), Server: doctor.Keycloak,
		UnusedAfter: unusedAfter, Asked: doctor.Told(s.Base)},
		stats: map[string]stat{}, sessions: map[string]doctor.ClientSessions{}, last: map[string]time.Time{},
		listed: map[string]map[string][]rep.UserSession{}}
	err := c.run(ctx)
	if s.Progress != nil {
		s.Progress(s.sent, s.sent)
	}
	return c.e, err
}

func (c *collection) run(ctx context.Context) error {
	if err := c.issuer(ctx); err != nil {
		return err
	}
	c.settings = new(rep.Realm)
	if err := c.get(ctx, c.realm, c.settings); err != nil {
		return err
	}
	if c.settings.AccessTokenLifespan == nil { // what is shown to those who may not look
		c.e.Realm = lacks[*rep.Realm]("view-realm")
	} else {
		c.e.Realm = doctor.Told(c.settings)
	}
	for _, step := range []func(context.Context) error{c.lists, c.providers, c.clientList, c.sessionNumbers, c.uses} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func lacks[T any](right string) doctor.Known[T] {
	return doctor.Untold[T]("this account lacks " + right)
}

// missing says why a part of the evidence is not there, or returns an error
// that ends the examination. right is what a refusal means.
func missing[T any](err error, right string) (doctor.Known[T], error) {
	switch {
	case err == errMost:
		return doctor.Untold[T](err.Error()), nil
	case status(err) == http.StatusForbidden:
		return lacks[T](right), nil
	case status(err) == http.StatusNotFound, status(err) == http.StatusNotImplemented:
		return doctor.Untold[T]("this server does not tell (" + err.Error() + ")"), nil
	}
	return doctor.Known[T]{}, err
}

// part reads what is at a path as a part of the evidence.
func part[T, V any](ctx context.Context, c *collection, path, right string, make func(T) V) (doctor.Known[V], error) {
	var v T
	if err := c.get(ctx, c.realm+path, &v); err != nil {
		return missing[V](err, right)
	}
	return doctor.Told(make(v)), nil
}

// issuer asks for the realm's issuer, under the server's address and under a
// host name that it cannot know.
func (c *collection) issuer(ctx context.Context) error {
	ask := func(host string) (string, error) {
		if err := c.count(); err != nil {
			return "", err
		}
		data, err := c.do(ctx, http.MethodGet, "/realms"+c.realm+"/.well-known/openid-configuration", "", host, nil, "")
		if err != nil {
			return "", err
		}
		var doc struct {
			Issuer string `json:"issuer"`
		}
		err = json.Unmarshal(data, &doc)
		return doc.Issuer, err
	}
	is, err := ask("")
	if status(err) == http.StatusNotFound {
		return fmt.Errorf("there is no realm %s at %s", strings.TrimPrefix(c.realm, "/"), c.Base)
	}
	if err != nil {
		return err
	}
	c.e.Issuer = doctor.Told(is)
	other, err := ask(strangeHost)
	switch {
	case err != nil, other == "":
		c.e.Follows = doctor.Untold[bool]("the server, or a proxy before it, does not answer under a host name that it does not know")
	default:
		u, err := url.Parse(other)
		c.e.Follows = doctor.Told(err == nil && u.Hostname() == strangeHost)
	}
	return nil
}

// lists reads client scopes, keys and required actions.
func (c *collection) lists(ctx context.Context) (err error) {
	type scopes = []rep.ClientScope
	names := func(list scopes) map[string]bool {
		set := map[string]bool{}
		for _, s := range list {
			set[s.ID] = true
		}
		return set
	}
	var by [2]doctor.Known[map[string]bool]
	for i, path := range []string{"/default-default-client-scopes", "/default-optional-client-scopes"} {
		if by[i], err = part(ctx, c, path, "view-clients", names); err != nil {
			return err
		}
	}
	defaults, ok := by[0].Get()
	optional, both := by[1].Get()
	c.e.Scopes, err = part(ctx, c, "/client-scopes", "view-clients", func(list scopes) []doctor.Scope {
		out := []doctor.Scope{}
		for _, s := range list {
			x := doctor.Scope{ID: s.ID, Name: s.Name, Assigned: doctor.Unassigned}
			switch {
			case defaults[s.ID]:
				x.Assigned = doctor.Default
			case optional[s.ID]:
				x.Assigned = doctor.Optional
			}
			out = append(out, x)
		}
		return out
	})
	if err != nil {
		return err
	}
	if !ok || !both {
		c.e.Scopes = doctor.Untold[[]doctor.Scope](cmp.Or(by[0].Why(), by[1].Why()))
	}
	if c.e.Keys, err = part(ctx, c, "/keys", "view-realm", func(m *rep.KeysMetadata) []doctor.Key {
		return doctor.SigningKeys(
			m)
	}); err != nil {
		return err
	}
	c.e.Actions, err = part(ctx, c, "/authentication/required-actions", "view-realm",
		func(l []rep.RequiredAction) []rep.RequiredAction { return l })
	return err
}

// providers reads the identity providers, and the mappers of the first of them. How
// users log in is not told.
func (c *collection) providers(ctx context.Context) (err error) {
	const right = "view-identity-providers"
	c.e.Providers, err = part(ctx, c, "/identity-provider/instances?max="+strconv.Itoa(providersMost), right,
		func(list []*rep.IdentityProvider) []doctor.Provider {
			out := []doctor.Provider{}
			for _, p := range list {
				out = append(out, doctor.Provider{Rep: p,
					Only: doctor.Untold[doctor.Count]("this server does not tell who has no other way to log in")})
			}
			return out
		})
	list, ok := c.e.Providers.Get()
	if err != nil || !ok {
		return err
	}
	for i := range list {
		if i == mappedMost {
			c.e.Notes = append(c.e.Notes, fmt.Sprintf("There are more than %d identity providers; only the mappers of these were looked at.",
				mappedMost))
			break
		}
		var mappers []rep.IdentityProviderMapper
		if err := c.get(ctx, c.realm+"/identity-provider/instances/"+url.PathEscape(list[i].Rep.Alias)+"/mappers", &mappers); err != nil {
			if c.e.Providers, err = missing[[]doctor.Provider](err, right); err != nil {
				return err
			}
			return nil
		}
		for _, m := range mappers {
			x := doctor.ProviderMapper{Name: m.Name}
			if role := m.Config["role"]; doctor.Sensitive(role) {
				x.Gives = append(x.Gives, role)
			}
			list[i].Mappers = append(list[i].Mappers, x)
		}
	}
	return nil
}

// clientList reads all clients, page by page.
func (c *collection) clientList(ctx context.Context) error {
	list := []*rep.Client{}
	for first := 0; ; first += clientPage {
		if first >= clientsMost {
			c.e.Notes = append(c.e.Notes, fmt.Sprintf("There are more than %d clients; only these were looked at.", clientsMost))
			break
		}
		var page []*rep.Client
		if err := c.get(ctx, fmt.Sprintf("%s/clients?first=%d&max=%d", c.realm, first, clientPage), &page); err != nil {
			c.e.Clients, err = missing[[]*rep.Client](err, "view-clients")
			return err
		}
		list = append(list, page...)
		if len(page) < clientPage {
			break
		}
	}
	// Who may only look for clients is shown their names.
	if !slices.ContainsFunc(list, func(x *rep.Client) bool { return x.StandardFlowEnabled != nil }) {
		c.e.Clients = lacks[[]*rep.Client]("view-clients")
		return nil
	}
	c.clients, c.e.Clients = list, doctor.Told(list)
	return nil
}

// sessionNumbers reads how many sessions there are, and looks at offline ones.
func (c *collection) sessionNumbers(ctx context.Context) error {
	list, err := part(ctx, c, "/client-session-stats", "view-realm", func(l []stat) []stat { return l })
	if err != nil {
		return err
	}
	all, ok := list.Get()
	if !ok {
		c.e.Sessions = doctor.Untold[map[string]doctor.ClientSessions](list.Why())
		return nil
	}
	number := func(s string) int64 { n, _ := strconv.ParseInt(s, 10, 64); return n }
	slices.SortStableFunc(all, func(a, b stat) int { return cmp.Compare(number(b.Offline), number(a.Offline)) })
	logouts, err := c.logouts(ctx)
	if err != nil {
		return err
	}
	for i, s := range all {
		if n := number(s.Offline); n > 0 && i < offlineMost {
			c.plan(int(min(n, sessionsMost)+sessionPage-1) / sessionPage)
		}
	}
	asked := map[string]time.Time{} // users' not-before
	for i, s := range all {
		c.stats[s.ID] = s
		zero := doctor.Told(doctor.Count{})
		n := doctor.ClientSessions{Online: doctor.Told(doctor.Count{N: number(s.Active)}),
			Offline: doctor.Told(doctor.Count{N: number(s.Offline)}),
			Week:    doctor.Told(doctor.Week{}), Older: zero, Dead: zero, Left: zero}
		if number(s.Active) > 0 {
			c.last[s.ID] = c.e.At
		}
		if total := number(s.Offline); total > 0 {
			if i >= offlineMost {
				why := fmt.Sprintf("only the %d clients with the most offline sessions were looked at", offlineMost)
				n.Week, n.Older, n.Dead, n.Left = doctor.Untold[doctor.Week](why), doctor.Untold[doctor.Count](why), doctor.Untold[doctor.Count](why),
					doctor.Untold[doctor.Count](why)
			} else if err := c.offline(ctx, s.ID, total, &n, logouts, asked); err != nil {
				return err
			}
		}
		c.sessions[s.ID] = n
	}
	c.e.Sessions = doctor.Told(c.sessions)
	return nil
}

// offline looks at a client's offline sessions.
func (c *collection) offline(ctx context.Context, client string, total int64, n *doctor.ClientSessions,
	logouts doctor.Known[map[string]time.Time], asked map[string]time.Time) error {
	var list []rep.UserSession
	for first := 0; first < sessionsMost && int64(first) < total; first += sessionPage {
		var page []rep.UserSession
		if err := c.get(ctx, fmt.Sprintf("%s/clients/%s/offline-sessions?first=%d&max=%d", c.realm, url.PathEscape(client), first, sessionPage),
			&page); err != nil {
			why, err := missing[doctor.Count](err, "view-users")
			if err != nil {
				return err
			}
			n.Week, n.Older, n.Dead, n.Left = doctor.Untold[doctor.Week](why.Why()), why, why, why
			return nil
		}
		list = append(list, page...)
		if len(page) < sessionPage {
			break
		}
	}
	looked := int64(len(list))
	partly := looked < total
	limited := c.e.At.Add(-doctor.OfflineMaximum(c.settings))
	notBefore := time.Unix(int64(rep.Val(c.settings.NotBefore)), 0)
	for _, x := range c.clients {
		if at := time.Unix(int64(rep.Val(x.NotBefore)), 0); x.ID == client && at.After(notBefore) {
			notBefore = at
		}
	}
	var week doctor.Week
	week.Of.N = looked
	var older, dead, left int64
	unasked := 0
	ended, logoutsKnown := logouts.Get()
	for _, s := range list {
		start, used := time.UnixMilli(s.Start), time.UnixMilli(s.LastAccess)
		if used.After(c.last[client]) {
			c.last[client] = used
		}
		if c.e.At.Sub(start) < 7*24*time.Hour {
			week.Begun.N++
			if used.Sub(start) <= refreshedLate {
				week.Unrefreshed.N++
			}
		}
		if start.Before(limited) {
			older++
		}
		own, err := c.userNotBefore(ctx, s.UserID, asked)
		switch {
		case err == errUnasked:
			unasked++
		case err != nil:
			return err
		}
		if used.Before(notBefore) || used.Before(own) {
			dead++
		}
		if at, ok := ended[s.ID]; ok && !at.Before(start) {
			left++
		}
	}
	count := func(k int64) doctor.Known[doctor.Count] {
		if partly && k == 0 {
			return doctor.Untold[doctor.Count](fmt.Sprintf("only %d of %d offline sessions of a client were looked at", looked, total))
		}
		return doctor.Told(doctor.Count{N: k, More: partly})
	}
	n.Week, n.Older, n.Dead, n.Left = doctor.Told(week), count(older), count(dead), count(left)
	if dead == 0 && unasked > 0 {
		n.Dead = doctor.Untold[doctor.Count](fmt.Sprintf("the not-before of %d users was not to be had (%d are asked at most, with view-users)",
			unasked, usersMost))
	}
	if !logoutsKnown {
		n.Left = doctor.Untold[doctor.Count](logouts.Why())
	}
	return nil
}

// errUnasked says that a user's not-before is not known.
var errUnasked = fmt.Errorf("not asked")

// userNotBefore is the not-before of a user, the zero time for none.
func (c *collection) userNotBefore(ctx context.Context, user string, asked map[string]time.Time) (time.Time, error) {
	if at, ok := asked[user]; ok {
		return at, nil
	}
	if len(asked) >= usersMost {
		return time.Time{}, errUnasked
	}
	var u rep.User
	if err := c.get(ctx, c.realm+"/users/"+url.PathEscape(user), &u); err != nil {
		if _, err := missing[int](err, "view-users"); err != nil {
			return time.Time{}, err
		}
		return time.Time{}, errUnasked
	}
	asked[user] = time.Unix(int64(rep.Val(u.NotBefore)), 0)
	return asked[user], nil
}

// eventsKept says why stored events tell nothing, "" when they may.
func (c *collection) eventsKept(kinds ...string) string {
	if _, ok := c.e.Realm.Get(); !ok {
		return c.e.Realm.Why()
	}
	return doctor.EventsKept(c.settings, kinds...)
}

// from is the time that is looked at, as a filter of events.
func (c *collection) from() string {
	return "dateFrom=" + c.e.At.Add(-c.e.UnusedAfter).UTC().Format(time.DateOnly)
}

// logouts tells when users logged out of sessions, by session.
func (c *collection) logouts(ctx context.Context) (doctor.Known[map[string]time.Time], error) {
	type known = map[string]time.Time
	if why := c.eventsKept("LOGOUT"); why != "" {
		return doctor.Untold[known](why), nil
	}
	return part(ctx, c, fmt.Sprintf("/events?type=LOGOUT&%s&max=%d", c.from(), logoutsMost), "view-events", func(list []rep.Event) known {
		at := known{}
		for _, e := range list {
			if t := time.UnixMilli(e.Time); e.SessionID != "" && t.After(at[e.SessionID]) {
				at[e.SessionID] = t
			}
		}
		return at
	})
}

// uses looks clients up in the stored events.
func (c *collection) uses(ctx context.Context) error {
	if c.clients == nil {
		c.e.Uses = doctor.Untold[map[string]doctor.Use](c.e.Clients.Why())
		return nil
	}
	gap := c.eventsKept("LOGIN", "CLIENT_LOGIN")
	if gap == "" {
		older, err := part(ctx, c, "/events?max=1&dateTo="+c.e.At.Add(-c.e.UnusedAfter).UTC().Format(time.DateOnly), "view-events",
			func(l []rep.Event) bool { return len(l) > 0 })
		if err != nil {
			return err
		}
		switch there, ok := older.Get(); {
		case !ok:
			gap = older.Why()
		case !there:
			gap = "no stored event is older than that: perhaps events were not stored then"
		}
	}
	uses := map[string]doctor.Use{}
	looked := 0
	for _, x := range c.clients {
		if gap == "" && doctor.Application(x) && looked < usedMost {
			looked++
			c.plan(2)
		}
	}
	looked = 0
	for _, x := range c.clients {
		u := doctor.Use{Last: doctor.Told(c.last[x.ID]), Passwords: doctor.Untold[doctor.Count](gap)}
		if c.last[x.ID].IsZero() && gap != "" {
			u.Last = doctor.Untold[time.Time](gap)
		}
		if gap == "" && looked >= usedMost {
			why := fmt.Sprintf("only %d clients were looked up in the events", usedMost)
			u.Passwords = doctor.Untold[doctor.Count](why)
			if c.last[x.ID].IsZero() {
				u.Last = doctor.Untold[time.Time](why)
			}
		} else if gap == "" && doctor.Application(x) {
			looked++
			if err := c.use(ctx, x, &u); err != nil {
				return err
			}
		}
		uses[x.ID] = u
	}
	c.e.Uses = doctor.Told(uses)
	return nil
}

// use looks one client up.
func (c *collection) use(ctx context.Context, x *rep.Client, u *doctor.Use) error {
	at := "/events?client=" + url.QueryEscape(x.ClientID) + "&" + c.from()
	if last, _ := u.Last.Get(); last.IsZero() {
		var err error
		u.Last, err = part(ctx, c, at+"&type=LOGIN&type=CODE_TO_TOKEN&type=CLIENT_LOGIN&type=REFRESH_TOKEN&type=TOKEN_EXCHANGE&max=1",
			"view-events", func(l []rep.Event) time.Time {
				if len(l) == 0 {
					return time.Time{}
				}
				return time.UnixMilli(l[0].Time)
			})
		if err != nil {
			return err
		}
	}
	if !rep.Val(x.DirectAccessGrantsEnabled) {
		u.Passwords = doctor.Told(doctor.Count{})
		return nil
	}
	var list []rep.Event
	if err := c.get(ctx, fmt.Sprintf("%s%s&type=LOGIN&max=%d", c.realm, at, loginsMost), &list); err != nil {
		u.Passwords, err = missing[doctor.Count](err, "view-events")
		return err
	}
	n := doctor.Count{More: len(list) == loginsMost}
	for _, e := range list {
		if e.Details["grant_type"] == "password" || e.Details["auth_method"] == "oauth_credentials" {
			n.N++
		}
	}
	u.Passwords = doctor.Told(n)
	if n.N == 0 && n.More {
		u.Passwords = doctor.Untold[doctor.Count](fmt.Sprintf("only the newest %d logins of a client were looked at", loginsMost))
	}
	return nil
}
