package sessions_test

import (
	"errors"
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
)

// A session is there for whom it belongs to, and for who has its id alone.
func TestSessionsOfOthersAreNotThere(t *testing.T) {
	each(t, func(w *world) {
		ctx := w.Context()
		us, part := w.login("s", "u1", w.db.Now())
		if _, _, err := w.svc.GoOffline(ctx, w.realm, sessions.OfflineGrant{Online: us, ClientSession: part, Stored: true}); err != nil {
			w.Fatal(err)
		}
		for _, offline := range []bool{false, true} {
			for user, want := range map[iam.UserID]error{"u1": nil, "u2": sessions.ErrGone, "": nil, "pairwise": nil} {
				ref := iam.SessionRef{ID: "s", Kind: iam.SessionKind(offline), User: user}
				if _, err := w.svc.Find(ctx, w.realm, ref, w.client); !errors.Is(err, want) {
					w.Errorf("%+v: %v, want %v", ref, err, want)
				}
			}
			ref := iam.SessionRef{ID: "s", Kind: iam.SessionKind(offline), User: "u2"}
			if err := w.svc.Detach(ctx, w.realm, ref, "c1", iam.End{Reason: iam.Revoked}); err != nil {
				w.Error(err)
			}
			if was, err := w.svc.EndLastClientSession(ctx, w.realm, ref, "c1", iam.End{Reason: iam.Revoked}); err != nil || was {
				w.Errorf("%+v: its part has ended: %v %v", ref, was, err)
			}
			if _, err := w.svc.End(ctx, w.realm, ref, iam.End{Reason: iam.LogoutByUser}); !errors.Is(err, sessions.ErrGone) {
				w.Errorf("%+v ends: %v", ref, err)
			}
			if _, err := w.svc.Logout(ctx, w.realm, ref, iam.End{Reason: iam.LogoutByUser}, nil); !errors.Is(err, sessions.ErrGone) {
				w.Errorf("%+v is logged out: %v", ref, err)
			}
			if parts, err := w.svc.ClientSessions(ctx, w.realm, ref.Only()); err != nil || len(parts) != 0 {
				w.Errorf("%+v: its parts are %v, %v", ref, parts, err)
			}
			if _, _, err := w.svc.Redeem(ctx, w.realm, "code", ref, w.client); !errors.Is(err, sessions.ErrGone) {
				w.Errorf("%+v: a code is redeemed: %v", ref, err)
			}
			theirs := &iam.UserSession{ID: "s", Realm: "r", User: "u2", Offline: offline, Notes: map[string]string{"planted": "note"}}
			if err := w.svc.Login(ctx, &sessions.Login{Session: theirs, Notes: true}); !errors.Is(err, sessions.ErrGone) {
				w.Errorf("%+v: its notes are replaced: %v", ref, err)
			}
			if err := w.find("s", offline); err != nil {
				w.Errorf("%+v: the session after all that: %v", ref, err)
			}
		}
		other := *us
		other.User = "u2"
		if _, _, err := w.svc.GoOffline(ctx, w.realm, sessions.OfflineGrant{Online: &other, ClientSession: part, Stored: true}); !errors.Is(err,
			sessions.ErrGone) {
			w.Errorf("another user's offline session under the id: %v, want ErrGone", err)
		}
	})
}

// An id that a session had is no other's, whatever became of the session.
func TestIDsAreUsedOnce(t *testing.T) {
	each(t, func(w *world) {
		ctx := w.Context()
		for id, end := range map[iam.SessionID]func(us *iam.UserSession, part *iam.ClientSession) error{
			"live": func(*iam.UserSession, *iam.ClientSession) error { return nil },
			"ended": func(us *iam.UserSession, _ *iam.ClientSession) error {
				_, err := w.svc.End(ctx, w.realm, iam.SessionRef{ID: us.ID}, iam.End{Reason: iam.LogoutByUser})
				return err
			},
			"went offline": func(us *iam.UserSession, part *iam.ClientSession) error {
				_, _, err := w.svc.GoOffline(ctx, w.realm, sessions.OfflineGrant{Online: us, ClientSession: part, Stored: true, EndOnline: true})
				return err
			},
			"offline and ended": func(us *iam.UserSession, part *iam.ClientSession) error {
				_, _, err := w.svc.GoOffline(ctx, w.realm, sessions.OfflineGrant{Online: us, ClientSession: part, Stored: true, EndOnline: true})
				if err == nil {
					_, err = w.svc.End(ctx, w.realm, iam.SessionRef{ID: us.ID, Kind: iam.Offline}, iam.End{Reason: iam.LogoutByUser})
				}
				return err
			},
		} {
			us, part := w.login(id, "u1", w.db.Now())
			if err := end(us, part); err != nil {
				w.Fatal(id, err)
			}
			for _, user := range []iam.UserID{"u2", "u1"} {
				again := &iam.UserSession{ID: id, Realm: "r", User: user, Started: w.db.Now(), LastAccess: w.db.Now()}
				var want error = sessions.ErrUsed
				if id == "live" && user == "u1" {
					want = nil // it is joined
				}
				if err := w.svc.Login(ctx, &sessions.Login{Session: again, New: true}); !errors.Is(err, want) {
					w.Errorf("%s, begun again by %s: %v, want %v", id, user, err, want)
				}
			}
			again := &iam.UserSession{ID: id, Realm: "r", User: "u2", Offline: true, Started: w.db.Now(), LastAccess: w.db.Now()}
			err := w.db.Tx(ctx, func(tx *store.Tx) error {
				begun, err := tx.BeginSession(ctx, again)
				if begun {
					w.Errorf("%s: another user has an offline session of that id", id)
				}
				return err
			})
			if err != nil {
				w.Fatal(err)
			}
		}
	})
}
