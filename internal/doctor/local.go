package doctor

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"latchkey/internal/clients"
	"latchkey/internal/iam"
	"latchkey/internal/keys"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// A Service examines the realms of this Latchkey, and mends them. It is safe for
// concurrent use; its fields are set once.
type Service struct {
	Cache   *realms.Cache
	Manager *realms.Manager
	Clients *clients.Service
}

// A View says what whoever asks may see, and at which address they ask.
type View struct {
	Clients, Users, Events bool          // view-clients, view-users, view-events
	Providers              bool          // view-identity-providers
	UnusedAfter            time.Duration // 0: ninety days
	Issuer, Asked          Known[string]
	Follows                Known[bool]
}

// UnusedAfter is for how long a client must not be used to count as unused, unless somebody says otherwise.
const UnusedAfter = 90 * 24 * time.Hour

// The most rows that one examination looks at.
const (
	eventsMost = 100_000 // newest user events
	week       = 7 * 24 * time.Hour
)

// lacks is why a part of the evidence is missing that the account may not see.
func lacks[T any](right string) Known[T] { return Untold[T]("this account lacks " + right) }

// Examine collects a realm's evidence and runs the checks over it.
func (s *Service) Examine(ctx context.Context, r *realms.Realm, v View, f Filter) (*Report, error) {
	e, err := s.Collect(ctx, r, v)
	if err != nil {
		return nil, err
	}
	return Examine(e, f), nil
}

// Collect gathers a realm's evidence, as far as the view goes.
func (s *Service) Collect(ctx context.Context, r *realms.Realm, v View) (*Evidence, error) {
	settings := *r.Rep
	settings.ID, settings.Realm = string(r.ID), r.Name
	e := &Evidence{
		At: s.Cache.DB().Now(), Server: Latchkey, UnusedAfter: v.UnusedAfter, Realm: Told(&settings), Issuer: v.Issuer, Asked: v.Asked,
		Follows: v.Follows,
		Clients: lacks[[]*rep.Client]("view-clients"), Scopes: lacks[[]Scope]("view-clients"),
		Sessions: lacks[map[string]ClientSessions]("view-users"), Uses: lacks[map[string]Use]("view-clients"),
		Providers: lacks[[]Provider]("view-identity-providers"),
	}
	if e.UnusedAfter <= 0 {
		e.UnusedAfter = UnusedAfter
	}
	meta, err := keys.Of(r).Metadata()
	if err != nil {
		return nil, err
	}
	e.Keys = Told(SigningKeys(meta))
	actions := []rep.RequiredAction{}
	for _, a := range r.RequiredActions {
		actions = append(actions, *a.Rep)
	}
	e.Actions = Told(actions)
	if v.Providers {
		if e.Providers, err = s.providers(ctx, r, v); err != nil {
			return nil, err
		}
	}
	var list []*rep.Client
	if v.Clients {
		if list, err = s.clients(ctx, r, e); err != nil {
			return nil, err
		}
	}
	if !v.Users && !v.Clients {
		return e, nil
	}
	numbers, last, err := s.sessions(ctx, r, e)
	if err != nil {
		return nil, err
	}
	if v.Users {
		e.Sessions = Told(numbers)
	}
	if v.Clients {
		if e.Uses, err = s.uses(ctx, r, e, v, list, last); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (s *Service) clients(ctx context.Context, r *realms.Realm, e *Evidence) ([]*rep.Client, error) {
	all, err := r.Clients(ctx, "", 0, -1)
	if err != nil {
		return nil, err
	}
	list := make([]*rep.Client, 0, len(all))
	for _, c := range all {
		list = append(list, clients.View(r, c))
	}
	e.Clients = Told(list)
	scopes := []Scope{}
	for _, c := range r.Scopes {
		x := Scope{ID: string(c.ID), Name: c.Name, Assigned: Unassigned}
		switch {
		case c.DefaultOfRealm:
			x.Assigned = Default
		case c.OptionalOfRealm:
			x.Assigned = Optional
		}
		scopes = append(scopes, x)
	}
	e.Scopes = Told(scopes)
	return list, nil
}

// sessions counts the parts of clients in live sessions, and tells when one was last used.
func (s *Service) sessions(ctx context.Context, r *realms.Realm, e *Evidence) (map[string]ClientSessions, map[string]time.Time, error) {
	db, l := s.Cache.DB(), r.Lifespans
	numbers, last := map[string]ClientSessions{}, map[string]time.Time{}
	left := map[iam.ClientID]int64{}
	for _, reason := range []iam.Reason{iam.LogoutByUser, iam.LogoutByClient, iam.LogoutByAdmin} {
		list, err := db.LeftOffline(ctx, r.ID, reason, eventsMost)
		if err != nil {
			return nil, nil, err
		}
		for _, x := range list {
			left[x.Client] += x.Count
		}
	}
	for _, offline := range []bool{false, true} {
		ids, err := db.ClientsWithSessions(ctx, r.ID, offline)
		if err != nil {
			return nil, nil, err
		}
		idle, most := max(l.SSOIdle, l.SSOIdleRememberMe), max(l.SSOMax, l.SSOMaxRememberMe)
		if offline {
			idle, most = l.OfflineIdle, 0
			if l.OfflineMaxEnabled {
				most = l.OfflineMax
			}
		}
		q := store.ClientSessionQuery{Offline: offline, UsedSince: e.At.Add(-idle), Week: e.At.Add(-week), Refreshed: Refreshed,
			Older: e.At.Add(-OfflineMaximum(r.Rep)), Most: CountMost + 1}
		if most > 0 {
			q.BegunSince = e.At.Add(-most)
		}
		for _, id := range ids {
			if q.Client, q.NotBefore = id, r.NotBefore; e.Clients.known {
				c, err := r.Client(ctx, id)
				if realms.Missing(err) {
					continue // removed meanwhile
				}
				if err != nil {
					return nil, nil, err
				}
				if c.NotBefore.After(q.NotBefore) {
					q.NotBefore = c.NotBefore
				}
			}
			p, err := db.ClientSessionNumbers(ctx, r.ID, q)
			if err != nil {
				return nil, nil, err
			}
			n, ok := numbers[string(id)]
			if !ok {
				zero := Told(Count{})
				n = ClientSessions{Online: zero, Offline: zero, Week: Told(Week{}), Older: zero, Dead: zero, Left: zero}
			}
			count := func(k int64) Known[Count] {
				return Told(Count{N: min(k, CountMost), More: p.Looked > CountMost && k > 0})
			}
			if p.LastAccess.After(last[string(id)]) {
				last[string(id)] = p.LastAccess
			}
			if !offline {
				n.Online = count(p.Looked)
			} else {
				n.Offline, n.Older, n.Dead = count(p.Looked), count(p.Older), count(p.Dead)
				n.Week = Told(Week{Begun: Count{N: p.Begun}, Unrefreshed: Count{N: p.Unrefreshed}, Of: Count{N: p.Looked}})
				n.Left = Told(Count{N: left[id]})
			}
			numbers[string(id)] = n
		}
	}
	return numbers, last, nil
}

// noEvents says why stored events of some types tell nothing, "" when they do.
func (s *Service) noEvents(r *realms.Realm, v View, kinds ...string) string {
	if !v.Events {
		return "this account lacks view-events"
	}
	return EventsKept(r.Rep, kinds...)
}

// EventsKept says why a realm's stored events tell nothing about some types, ""
// when these are stored.
func EventsKept(r *rep.Realm, kinds ...string) string {
	if !rep.Val(r.EventsEnabled) {
		return "events are not stored"
	}
	for _, kind := range kinds {
		if len(r.EnabledEventTypes) > 0 && !slices.Contains(r.EnabledEventTypes, kind) {
			return "events of type " + kind + " are not stored"
		}
	}
	return ""
}

// uses tells how clients were used, by their sessions and by stored events.
func (s *Service) uses(ctx context.Context, r *realms.Realm, e *Evidence, v View, list []*rep.Client,
	last map[string]time.Time) (Known[map[string]Use], error) {
	since := e.At.Add(-e.UnusedAfter)
	events, passwords := map[string]time.Time{}, map[string]int64{}
	gap := s.noEvents(r, v, "LOGIN", "CLIENT_LOGIN")
	if gap == "" {
		var err error
		if gap, err = s.gap(ctx, r, since); err != nil {
			return Known[map[string]Use]{}, err
		}
		db := s.Cache.DB()
		found, err := db.EventUses(ctx, r.ID, since, eventsMost)
		if err != nil {
			return Known[map[string]Use]{}, err
		}
		for _, x := range found {
			events[x.Client] = x.Last
		}
		err = db.LoginDetails(ctx, r.ID, since, eventsMost, func(client string, details map[string]string) {
			if details["grant_type"] == "password" {
				passwords[client]++
			}
		})
		if err != nil {
			return Known[map[string]Use]{}, err
		}
	}
	uses := map[string]Use{}
	for _, c := range list {
		at := last[c.ID]
		if x := events[c.ClientID]; x.After(at) {
			at = x
		}
		if at.Before(since) {
			at = time.Time{}
		}
		u := Use{Last: Told(at), Passwords: Told(Count{N: passwords[c.ClientID]})}
		if at.IsZero() && gap != "" {
			u.Last = Untold[time.Time](gap)
		}
		if passwords[c.ClientID] == 0 && gap != "" {
			u.Passwords = Untold[Count](gap)
		}
		uses[c.ID] = u
	}
	return Told(uses), nil
}

// gap says why the stored events do not tell all since a time, "" when they do.
func (s *Service) gap(ctx context.Context, r *realms.Realm, since time.Time) (string, error) {
	db := s.Cache.DB()
	first, err := db.FirstEvent(ctx, r.ID)
	if err != nil {
		return "", err
	}
	if first.IsZero() || first.After(since) {
		return StoredSince(first), nil
	}
	n, err := db.CountEvents(ctx, r.ID, since, eventsMost+1)
	if err != nil || n <= eventsMost {
		return "", err
	}
	return fmt.Sprintf("only the newest %s events were looked at", grouped(eventsMost)), nil
}

// StoredSince says that events do not reach back far enough.
func StoredSince(first time.Time) string {
	if first.IsZero() {
		return "no event is stored yet"
	}
	return "the oldest stored event is of " + first.UTC().Format(time.DateOnly)
}

// SigningKeys are the keys with which a realm signs or verifies what others can
// verify. Only a certificate says when a key was made.
func SigningKeys(meta *rep.KeysMetadata) []Key {
	list := []Key{}
	for _, k := range meta.Keys {
		if k.Use != "SIG" || k.Type == "OCT" || k.Status == "DISABLED" {
			continue
		}
		x := Key{KID: k.Kid, Algorithm: k.Algorithm, Active: k.Status == "ACTIVE" && meta.Active[k.Algorithm] == k.Kid,
			Made: Untold[time.Time]("the " + k.Algorithm + " key " + k.Kid + " has no certificate that says when it was made")}
		if der, err := base64.StdEncoding.DecodeString(k.Certificate); err == nil && len(der) > 0 {
			if cert, err := x509.ParseCertificate(der); err == nil {
				x.Made = Told(cert.NotBefore)
			}
		}
		list = append(list, x)
	}
	return list
}

// providers are the realm's identity providers.
func (s *Service) providers(ctx context.Context, r *realms.Realm, v View) (Known[[]Provider], error) {
	list := []Provider{}
	for _, p := range r.IDPs {
		found := Provider{Rep: p.Rep, Only: lacks[Count]("view-users")}
		for _, m := range p.Mappers {
			gives, err := sensitiveRoles(ctx, r, m.Config["role"])
			if err != nil {
				return Known[[]Provider]{}, err
			}
			found.Mappers = append(found.Mappers, ProviderMapper{m.Name, gives})
		}
		if v.Users {
			n, err := s.Cache.DB().OnlyLinked(ctx, r.ID, p.Alias, CountMost+1)
			if err != nil {
				return Known[[]Provider]{}, err
			}
			found.Only = Told(Count{min(n, CountMost), n > CountMost})
		}
		list = append(list, found)
	}
	return Told(list), nil
}

// sensitiveRoles are the sensitive ones among a role and those that it is composed of.
func sensitiveRoles(ctx context.Context, r *realms.Realm, name string) ([]string, error) {
	if name == "" {
		return nil, nil
	}
	role, err := r.RoleNamed(ctx, name)
	if err != nil || role == nil {
		return nil, err
	}
	var found []string
	seen := map[iam.RoleID]bool{role.ID: true}
	for next := []iam.RoleID{role.ID}; len(next) > 0; {
		role := r.Role(next[0])
		next = next[1:]
		if role == nil {
			continue
		}
		for _, id := range role.Composites {
			if !seen[id] {
				seen[id] = true
				next = append(next, id)
			}
		}
		name := role.Name
		if role.Client != "" {
			client, err := r.ClientName(ctx, role.Client)
			if err != nil {
				return nil, err
			}
			name = client + "." + name
		}
		if Sensitive(name) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found, nil
}
