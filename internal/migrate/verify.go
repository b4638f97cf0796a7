package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// Verify compares realms of the source with those that were copied. It returns a line for each
// thing that was compared, and how many differ.
func Verify(ctx context.Context, s *Source, m *realms.Manager, only string) (lines []string, differ int, err error) {
	list, err := s.selected(ctx, only)
	if err != nil {
		return nil, 0, err
	}
	for _, of := range list {
		v := &verifier{realm: of.Name}
		if err := v.compare(ctx, s, m, of); err != nil {
			return lines, differ, err
		}
		lines, differ = append(lines, v.lines...), differ+v.differ
	}
	return lines, differ, nil
}

type verifier struct {
	realm  string
	lines  []string
	differ int
}

func (v *verifier) same(what string, there, here any) {
	if there == here {
		v.lines = append(v.lines, fmt.Sprintf("%s: %s: %v", v.realm, what, here))
		return
	}
	v.differ++
	v.lines = append(v.lines, fmt.Sprintf("%s: %s differ: %v there, %v here", v.realm, what, there, here))
}

func (v *verifier) compare(ctx context.Context, s *Source, m *realms.Manager, of RealmID) error {
	here, err := m.Export(ctx, of.Name)
	if errors.Is(err, realms.ErrNotFound) {
		v.differ++
		v.lines = append(v.lines, of.Name+": it is not here: run copy")
		return nil
	}
	if err != nil {
		return err
	}
	there, err := s.Realm(ctx, of)
	if err != nil {
		return err
	}
	v.same("id", there.ID, here.ID)
	compareLists(v, "clients", there.Clients, here.Clients, func(c rep.Client) string { return c.ID + " " + c.ClientID })
	compareLists(v, "client scopes", there.ClientScopes, here.ClientScopes, func(c rep.ClientScope) string { return c.ID + " " + c.Name })
	compareLists(v, "realm roles", there.Roles.Realm, here.Roles.Realm, func(r rep.Role) string { return r.ID + " " + r.Name })
	compareLists(v, "keys", there.Components[realms.TypeKeyProvider], here.Components[realms.TypeKeyProvider],
		func(c rep.ComponentExport) string {
			return c.ID + fmt.Sprint(c.Config["kid"], c.Config["privateKey"], c.Config["secret"], c.Config["priority"], c.Config["active"],
				c.Config["enabled"])
		})
	compareLists(v, "identity providers", there.IdentityProviders, here.IdentityProviders,
		func(p rep.IdentityProvider) string { return p.InternalID + " " + p.Alias })
	compareLists(v, "groups", there.Groups, here.Groups, func(g rep.Group) string { return g.ID + " " + g.Path })
	counts, err := s.counts(ctx, of)
	if err != nil {
		return err
	}
	return v.numbers(ctx, m.Cache.DB(), iam.RealmID(here.ID), counts, s)
}

// compareLists compares lists without regard to their order. What differs may be a secret: it is not told.
func compareLists[T any](v *verifier, what string, there, here []T, key func(T) string) {
	keys := func(list []T) []string {
		var out []string
		for _, x := range list {
			out = append(out, key(x))
		}
		slices.Sort(out)
		return out
	}
	a, b := keys(there), keys(here)
	if slices.Equal(a, b) {
		v.lines = append(v.lines, fmt.Sprintf("%s: %s: %d", v.realm, what, len(a)))
		return
	}
	v.differ++
	v.lines = append(v.lines, fmt.Sprintf("%s: %s differ: %d there, %d here", v.realm, what, len(a), len(b)))
}

func (v *verifier) numbers(ctx context.Context, db *store.DB, realm iam.RealmID, there Counts, s *Source) error {
	users, err := db.CountUsers(ctx, realm, &store.UserFilter{})
	if err != nil {
		return err
	}
	v.same("users", there.Users, users)
	for _, kind := range iam.SessionKinds() {
		n, parts, err := db.SessionTotals(ctx, realm, kind)
		if err != nil {
			return err
		}
		switch {
		case kind == iam.Offline:
			v.same("offline sessions", there.OfflineSessions, n)
			v.same("clients' parts in offline sessions", there.OfflineParts, parts)
		case s.onlineSessions():
			v.same("sessions of browsers", there.OnlineSessions, n)
			v.same("clients' parts in sessions of browsers", there.OnlineParts, parts)
		}
	}
	return nil
}

// Standing is how a realm stands between the two.
type Standing struct {
	Realm  string
	Copied bool      // the copy is complete
	Taken  time.Time // when the source was read last, by its clock
	Moved  int64     // sessions that were used there since: another delta is due
	Begun  int64     // sessions that began here since: going back loses them
	Used   int64     // clients' parts that were used here since: going back, rotated refresh tokens of them are refused
}

// Standings says how realms stand, for the switch and for going back.
func (m *Mover) Standings(ctx context.Context, only string) ([]Standing, error) {
	var list []Standing
	err := m.each(ctx, only, func(of RealmID, st *state) error {
		x := Standing{Realm: of.Name}
		if st == nil {
			list = append(list, x)
			return nil
		}
		var err error
		x.Copied, x.Taken = st.Step == stepDone, st.Taken
		if x.Moved, err = m.Source.count(ctx, `select count(*) from OFFLINE_USER_SESSION where REALM_ID = ? and LAST_SESSION_REFRESH > ?`,
			of.ID, st.Taken.Unix()); err != nil {
			return err
		}
		x.Begun, x.Used, err = m.Manager.Cache.DB().UsedSince(ctx, iam.RealmID(of.ID), st.Began)
		list = append(list, x)
		return err
	})
	return list, err
}
