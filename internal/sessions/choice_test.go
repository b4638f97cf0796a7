package sessions_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
)

// begin stores a session with parts of clients.
func (w *world) begin(id iam.SessionID, user iam.UserID, offline bool, clients ...iam.ClientID) {
	w.Helper()
	now := w.db.Now()
	us := &iam.UserSession{ID: id, Realm: "r", User: user, Offline: offline, Started: now, LastAccess: now}
	for i, c := range clients {
		part := &iam.ClientSession{Session: id, Realm: "r", Client: c, Offline: offline, Started: now, LastAccess: now}
		if err := w.svc.Login(w.Context(), &sessions.Login{Session: us, New: i == 0, ClientSession: part}); err != nil {
			w.Fatal(err)
		}
	}
}

// brief is what was affected: the number of parts by session, negative where
// the session stays. What is behind the id's name does not count.
func brief(list []sessions.Affected) map[iam.SessionID]int {
	m := map[iam.SessionID]int{}
	for _, x := range list {
		n := len(x.ClientSessions)
		if !x.Whole {
			n = -n
		}
		name, _, _ := strings.Cut(string(x.ID), " of ")
		id := iam.SessionID(name)
		if x.Offline {
			id += " offline"
		}
		m[id] = n
	}
	return m
}

func TestWhatIsChosenIsWhatEnds(t *testing.T) {
	each(t, func(w *world) {
		ctx := w.Context()
		end := iam.End{Reason: iam.LogoutByAdmin, By: iam.ActorAdmin, Rule: "end-sessions"}
		for _, c := range []struct {
			name   string
			choice sessions.Choice
			want   map[iam.SessionID]int
		}{
			{"none of a kind", sessions.Choice{}, map[iam.SessionID]int{}},
			{"another's session", sessions.Choice{Online: true, Sessions: []iam.SessionID{"other"}}, map[iam.SessionID]int{}},
			{"a client's parts", sessions.Choice{Online: true, Offline: true, Clients: []iam.ClientID{"c1"}}, map[iam.SessionID]int{"a": -1, "b": -1,
				"a offline": -1, "b offline": 1}},
			{"two clients' parts in one session", sessions.Choice{Online: true, Offline: true, Sessions: []iam.SessionID{"a"},
				Clients: []iam.ClientID{"c1", "c2"}},
				map[iam.SessionID]int{"a": -2, "a offline": 2}},
			{"whole offline sessions", sessions.Choice{Offline: true}, map[iam.SessionID]int{"a offline": 2, "b offline": 1}},
			{"one whole session", sessions.Choice{Online: true, Sessions: []iam.SessionID{"a"}}, map[iam.SessionID]int{"a": 2}},
			{"all", sessions.Choice{Online: true, Offline: true}, map[iam.SessionID]int{"a": 2, "b": 1, "a offline": 2, "b offline": 1}},
		} {
			own := func(id iam.SessionID) iam.SessionID { return id + " of " + iam.SessionID(c.name) } // no id serves twice
			w.begin(own("a"), "u1", false, "c1", "c2")
			w.begin(own("b"), "u1", false, "c1")
			w.begin(own("a"), "u1", true, "c1", "c2")
			w.begin(own("b"), "u1", true, "c1")
			w.begin(own("other"), "u2", false, "c1")
			for i, id := range c.choice.Sessions {
				c.choice.Sessions[i] = own(id)
			}
			chosen, err := w.svc.Chosen(ctx, w.realm, "u1", c.choice)
			if err != nil {
				w.Fatal(err)
			}
			same(w, c.name+", beforehand", brief(chosen), c.want)
			ended, err := w.svc.EndChosen(ctx, w.realm, "u1", c.choice, end, nil)
			if err != nil {
				w.Fatal(err)
			}
			same(w, c.name, brief(ended), c.want)
			if again, err := w.svc.EndChosen(ctx, w.realm, "u1", c.choice, end, nil); err != nil || len(again) != 0 {
				w.Errorf("%s: a second time it ends %v, %v", c.name, brief(again), err)
			}
			for _, user := range []iam.UserID{"u1", "u2"} { // for the next case
				if _, err := w.svc.EndChosen(ctx, w.realm, user, sessions.Choice{Online: true, Offline: true}, end, nil); err != nil {
					w.Fatal(err)
				}
			}
		}
	})
}

func same(w *world, what string, got, want map[iam.SessionID]int) {
	w.Helper()
	ok := len(got) == len(want)
	for id, n := range want {
		ok = ok && got[id] == n
	}
	if !ok {
		w.Errorf("%s: %v, want %v", what, got, want)
	}
}

// Of many who end the same, each session and part is ended by one, and what runs
// within happens for what ended alone.
func TestOfManyWhoEndWhatIsChosenOneDoes(t *testing.T) {
	each(t, func(w *world) {
		for id, choice := range map[iam.SessionID]sessions.Choice{
			"whole": {Online: true, Offline: true}, "parts": {Online: true, Offline: true, Clients: []iam.ClientID{"c1", "c2"}},
		} {
			w.begin(id, "u1", false, "c1", "c2")
			w.begin(id, "u1", true, "c1", "c2")
			var parts, within atomic.Int64
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					var told int
					list, err := w.svc.EndChosen(w.Context(), w.realm, "u1", choice, iam.End{Reason: iam.LogoutByAdmin},
						func(_ context.Context, _ *store.Tx, ended []sessions.Affected) error {
							told = 0 // it may run again
							for _, x := range ended {
								told += len(x.ClientSessions)
							}
							return nil
						})
					if err != nil {
						w.Error(err)
					}
					for _, x := range list {
						parts.Add(int64(len(x.ClientSessions)))
					}
					within.Add(int64(told))
				})
			}
			wg.Wait()
			if parts.Load() != 4 || within.Load() != 4 {
				w.Errorf("clients %v: %d parts ended, %d were told within, want 4", choice.Clients, parts.Load(), within.Load())
			}
			_, err := w.svc.End(w.Context(), w.realm, iam.SessionRef{ID: id}, iam.End{Reason: iam.LogoutByAdmin})
			if err != nil && !errors.Is(err, sessions.ErrGone) {
				w.Fatal(err)
			}
		}
	})
}
