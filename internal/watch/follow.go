package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"latchkey/internal/doctor/remote"
	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// What one look at a realm takes at most.
const (
	eventsOfLook = 5000
	usersOfLook  = 40 // who are asked for their sessions
	readEvery    = 5 * time.Minute
	sweepEvery   = time.Hour
	sweepChunk   = 500
	overlap      = time.Minute // that is read again: clocks differ, and transactions wait
)

// A Follower follows one realm of a server, look by look.
type Follower struct {
	Watch  *Watch
	Server *remote.Server
	Realm  string

	x     *Subject
	read  time.Time // when the realm was read last
	swept time.Time
	due   []iam.UserID // to be asked for their sessions
}

// A Look is what came of one look.
type Look struct {
	Events int
	Users  int
	Notes  []string // what was missed
}

// Look reads what is new since the last look, of whichever process: what was seen
// before is known by its id. It writes nothing to the server.
func (f *Follower) Look(ctx context.Context) (*Look, error) {
	w := f.Watch
	out := new(Look)
	f.Server.Begin(4)
	defer f.Server.Done()
	now := w.DB.Now()
	first := f.x == nil
	if first || now.Sub(f.read) >= readEvery {
		x, err := w.Read(ctx, f.Server, f.Realm)
		if err != nil {
			return nil, err
		}
		f.x, f.read = x, now
		if err := f.recheck(ctx); err != nil {
			return nil, err
		}
	}
	if err := f.events(ctx, out); err != nil {
		return nil, err
	}
	if first {
		notes, err := w.readClients(ctx, f.x, "")
		if err != nil {
			return nil, err
		}
		out.Notes = append(out.Notes, notes...)
	}
	n := min(len(f.due), usersOfLook)
	for _, id := range f.due[:n] {
		if err := f.user(ctx, id); err != nil {
			return nil, err
		}
		out.Users++
	}
	f.due = slices.Delete(f.due, 0, n)
	if now.Sub(f.swept) >= sweepEvery {
		f.swept = now
		return out, f.sweep(ctx)
	}
	return out, nil
}

// events takes what events are new, and notes whom they are about.
func (f *Follower) events(ctx context.Context, out *Look) error {
	w, x := f.Watch, f.x
	newest, err := w.DB.Events(ctx, x.ID, store.EventFilter{Max: 1})
	if err != nil {
		return err
	}
	since := w.DB.Now().Add(-x.RecordRetention())
	if len(newest) > 0 {
		since = newest[0].Time.Add(-overlap)
	}
	list, more, err := f.Server.Events(ctx, f.Realm, remote.EventFilter{Since: since, Most: eventsOfLook})
	if err != nil {
		return err
	}
	if more {
		out.Notes = append(out.Notes, fmt.Sprintf("There were more than %d events since the last look; the older ones were not read.",
			len(list)))
	}
	known := map[string]bool{}
	if len(newest) > 0 {
		before, err := w.DB.Events(ctx, x.ID, store.EventFilter{From: since, Max: -1})
		if err != nil {
			return err
		}
		for _, e := range before {
			known[e.ID] = true
		}
	}
	list = slices.DeleteFunc(list, func(e rep.Event) bool { return known[eventOf(x.ID, &e).ID] })
	out.Events = len(list)
	users := map[string]bool{}
	for i := range list {
		if id := list[i].UserID; id != "" && !users[id] {
			users[id] = true
			f.ask(iam.UserID(id))
			// The user's row comes first: a refusal keeps no address of somebody who is not there.
			if err := f.person(ctx, &list[i]); err != nil {
				return err
			}
		}
	}
	if err := w.take(ctx, x, nil, list); err != nil {
		return err
	}
	if !rep.Val(x.rep.AdminEventsEnabled) {
		return nil
	}
	admin, err := f.Server.AdminEvents(ctx, f.Realm, since)
	if err != nil {
		return err
	}
	return w.takeAdmin(ctx, x, admin)
}

// person makes a row of whom an event is about, until they are asked for.
func (f *Follower) person(ctx context.Context, e *rep.Event) error {
	_, err := f.Watch.DB.User(ctx, f.x.ID, iam.UserID(e.UserID))
	name := e.Details["username"]
	if !errors.Is(err, store.ErrNotFound) || name == "" {
		return nil
	}
	return f.Watch.putUser(ctx, f.x, &rep.User{ID: e.UserID, Username: name, Enabled: new(true)}, nil)
}

func (f *Follower) ask(id iam.UserID) {
	if !slices.Contains(f.due, id) {
		f.due = append(f.due, id)
	}
}

// recheck has the users asked for who are known to have sessions: what ends one may
// write no event.
func (f *Follower) recheck(ctx context.Context) error {
	for _, kind := range iam.SessionKinds() {
		list, err := f.Watch.DB.SessionsOfRealm(ctx, f.x.ID, kind, 0, usersOfLook)
		if err != nil {
			return err
		}
		for _, s := range list {
			f.ask(s.User)
		}
	}
	return nil
}

// user brings the sessions of one user to what the server has.
func (f *Follower) user(ctx context.Context, id iam.UserID) error {
	w, x := f.Watch, f.x
	u, err := f.Server.UserByID(ctx, f.Realm, string(id))
	if err != nil {
		return err
	}
	if u == nil {
		return w.removed(ctx, x, id)
	}
	now, err := f.Server.Standing(ctx, f.Realm, u.ID)
	if err != nil {
		return err
	}
	if err := w.putUser(ctx, x, u, now); err != nil {
		return err
	}
	if err := w.putFailures(ctx, x, id, now.Failures); err != nil {
		return err
	}
	return w.putSessions(ctx, x, id, u, now)
}

// sweep forgets what the realm would no longer keep.
func (f *Follower) sweep(ctx context.Context) error {
	w, x := f.Watch, f.x
	if err := w.Sessions.SweepRealm(ctx, x.Realm); err != nil {
		return err
	}
	kept := x.RecordRetention()
	if x.Realm.Events.Expiration > 0 {
		kept = min(kept, x.Realm.Events.Expiration)
	}
	before := w.DB.Now().Add(-kept)
	for _, sweep := range []func(tx *store.Tx) (int64, error){
		func(tx *store.Tx) (int64, error) { return tx.SweepEvents(ctx, x.ID, before, sweepChunk) },
		func(tx *store.Tx) (int64, error) { return tx.SweepAdminEvents(ctx, x.ID, before, sweepChunk) },
	} {
		if err := w.DB.InChunks(ctx, sweepChunk, sweep); err != nil {
			return err
		}
	}
	return nil
}
