package sessions_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
)

func (w *world) records(id iam.SessionID) []*store.Record {
	w.Helper()
	list, err := w.db.RecordsOfSession(w.Context(), w.realm.ID, id)
	if err != nil {
		w.Fatal(err)
	}
	return list
}

func TestOfManyWhoEndASessionOneDoesAndOneRecordIsKept(t *testing.T) {
	each(t, func(w *world) {
		w.login("s", "u1", w.db.Now())
		var ended atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				parts, err := w.svc.End(w.Context(), w.realm, iam.SessionRef{ID: "s"}, iam.End{Reason: iam.LogoutByUser,
					By: iam.ActorUser, Actor: "u1"})
				switch {
				case err == nil && len(parts) == 1:
					ended.Add(1)
				case !errors.Is(err, sessions.ErrGone):
					w.Errorf("%d parts, %v", len(parts), err)
				}
			})
		}
		wg.Wait()
		list := w.records("s")
		if ended.Load() != 1 || len(list) != 1 || list[0].End.Reason != iam.LogoutByUser || list[0].End.Actor != "u1" || list[0].Ended.IsZero() {
			w.Errorf("%d ended it; records %+v", ended.Load(), list)
		}
		parts, err := w.db.EndedClientSessions(w.Context(), "r", "s")
		if err != nil || len(parts) != 1 || parts[0].Client != "c1" || parts[0].User != "u1" || parts[0].End.Reason != iam.LogoutByUser {
			w.Errorf("parts %+v, %v", parts, err)
		}
	})
}

func TestRecordsTellWhySessionsEnd(t *testing.T) {
	each(t, func(w *world) {
		ctx, now := w.Context(), w.db.Now()
		w.login("idle", "u1", now.Add(-2*time.Hour))
		w.login("old", "u1", now.Add(-11*time.Hour))
		w.svc.Touch(w.realm, iam.SessionRef{ID: "old"}, "c1") // used now, so too old only
		w.svc.Flush(ctx)
		w.svc.SweepRealm(ctx, w.realm)
		us, part := w.login("first", "u1", now)
		part.Origin.Scopes = "openid:r offline_access:i"
		if _, _, err := w.svc.GoOffline(ctx, w.realm, sessions.OfflineGrant{Online: us, ClientSession: part, EndOnline: true,
			Stored: true}); err != nil {
			w.Fatal(err)
		}
		w.login("reused", "u1", now)
		if err := w.svc.Detach(ctx, w.realm, iam.SessionRef{ID: "reused"}, "c1", iam.End{Reason: iam.TokenReuse,
			By: iam.ActorServer}); err != nil {
			w.Fatal(err)
		}
		w.login("gone", "u2", now.Add(-10*time.Minute))
		w.svc.Touch(w.realm, iam.SessionRef{ID: "gone"}, "c1") // what is not written yet is not lost
		if err := w.db.Tx(ctx, func(tx *store.Tx) error {
			return w.svc.DeleteUser(ctx, tx, w.realm, "u2", iam.End{By: iam.ActorUser, Actor: "u2", Rule: "delete_account"})
		}); err != nil {
			w.Fatal(err)
		}
		w.login("clientless", "u1", now)
		if err := w.db.Tx(ctx, func(tx *store.Tx) error { return tx.DeleteClient(ctx, "r", "c1") }); err != nil {
			w.Fatal(err)
		}
		for id, want := range map[iam.SessionID]iam.End{
			"idle": {Reason: iam.Idle, By: iam.ActorSweep, Rule: "ssoSessionIdleTimeout", Setting: iam.Setting{Of: iam.OfRealm,
				Name: "ssoSessionIdleTimeout"}},
			"old": {Reason: iam.MaxAge, By: iam.ActorSweep, Rule: "ssoSessionMaxLifespan", Setting: iam.Setting{Of: iam.OfRealm,
				Name: "ssoSessionMaxLifespan"}},
			"first": {Reason: iam.ReplacedByOffline, By: iam.ActorClient, Client: "c1", Rule: "offline_access:i", Scopes: "offline_access:i"},
			"gone":  {Reason: iam.UserRemoved, By: iam.ActorUser, Actor: "u2", Rule: "delete_account"},
		} {
			found := false
			for _, x := range w.records(id) {
				if x.Source.Table != store.EndedRecords {
					continue
				}
				found = true
				if x.End != want {
					w.Errorf("%s ended %+v, want %+v", id, x.End, want)
				}
			}
			if !found {
				w.Errorf("%s left no record", id)
			}
		}
		for id, want := range map[iam.SessionID]iam.Reason{"reused": iam.TokenReuse, "clientless": iam.ClientRemoved} {
			parts, err := w.db.EndedClientSessions(ctx, "r", id)
			if err != nil || len(parts) != 1 || parts[0].End.Reason != want {
				w.Errorf("%s: parts %+v, %v; want one ended for %s", id, parts, err, want)
			}
		}
		if gone := w.records("gone")[0]; gone.LastAccess.Before(now) {
			w.Errorf("a removed user's session was last used %v, want %v or later", gone.LastAccess, now)
		}
		if gone := w.records("gone")[0]; gone.IP != "" || gone.Username != "" {
			w.Errorf("a removed user's address and name are still there: %q %q", gone.IP, gone.Username)
		}
		if names, err := w.db.RemovedClients(ctx, "r", []iam.ClientID{"c1", "c2"}); err != nil || len(names) != 1 || names["c1"] == "" {
			w.Errorf("removed clients: %v, %v", names, err)
		}
	})
}

func TestWhatWasIssuedIsWrittenBehindAndSurvivesTheEnd(t *testing.T) {
	each(t, func(w *world) {
		ctx := w.Context()
		w.login("s", "u1", w.db.Now())
		w.svc.Issued(w.realm, iam.SessionRef{ID: "s"}, "c1", iam.Issuance{Grant: "ac", Access: "onrtac:1", RefreshType: "Refresh",
			Refresh: "r1"}, false)
		w.svc.Flush(ctx)
		w.svc.Issued(w.realm, iam.SessionRef{ID: "s"}, "c1", iam.Issuance{Grant: "rt", Access: "onrtrt:2", RefreshType: "Refresh",
			Refresh: "r2"}, true)
		if _, err := w.svc.End(ctx, w.realm, iam.SessionRef{ID: "s"}, iam.End{Reason: iam.LogoutByAdmin}); err != nil {
			w.Fatal(err)
		}
		w.svc.Flush(ctx)
		parts, err := w.db.EndedClientSessions(ctx, "r", "s")
		if err != nil || len(parts) != 1 {
			w.Fatal(parts, err)
		}
		list := iam.Issuances(parts[0].Issued)
		if parts[0].Refreshes != 1 || len(list) != 2 || list[0].Access != "onrtrt:2" || list[1].Refresh != "r1" || list[1].Grant != "ac" {
			w.Errorf("%d refreshes, issued %+v", parts[0].Refreshes, list)
		}
	})
}

func TestEndedRecordsGoAfterTheirRetention(t *testing.T) {
	each(t, func(w *world) {
		ctx := w.Context()
		for _, id := range []iam.SessionID{"a", "b"} {
			w.login(id, "u1", w.db.Now())
			if _, err := w.svc.End(ctx, w.realm, iam.SessionRef{ID: id}, iam.End{Reason: iam.LogoutByUser}); err != nil {
				w.Fatal(err)
			}
		}
		sweep := func(before time.Time) {
			if err := w.db.Tx(ctx, func(tx *store.Tx) error { _, err := tx.SweepEnded(ctx, "r", before, 10); return err }); err != nil {
				w.Fatal(err)
			}
		}
		sweep(w.db.Now().Add(-time.Hour))
		if len(w.records("a")) != 1 {
			w.Error("a record went before its time")
		}
		sweep(w.db.Now().Add(time.Second))
		if n := len(w.records("a")) + len(w.records("b")); n != 0 {
			w.Errorf("%d records are left", n)
		}
		if parts, err := w.db.EndedClientSessions(ctx, "r", "a"); err != nil || len(parts) != 0 {
			w.Errorf("parts are left: %v, %v", parts, err)
		}
	})
}

// What a realm does not want to keep of addresses is not kept of sessions that
// end, in whichever way.
func TestRecordsKeepOfAddressesWhatTheRealmSays(t *testing.T) {
	each(t, func(w *world) {
		ctx, now := w.Context(), w.db.Now()
		for setting, want := range map[string]string{"": "192.0.2.77", "short": "192.0.2.0/24", "off": ""} {
			r := w.realm // a snapshot of this test's own
			r.Attrs = map[string]string{iam.SettingAddresses: setting}
			begin := func(how string, started time.Time) iam.SessionID {
				id := iam.SessionID(how + setting)
				us := &iam.UserSession{ID: id, Realm: "r", User: "u1", IP: "192.0.2.77", Started: started, LastAccess: started}
				part := &iam.ClientSession{Session: id, Realm: "r", Client: "c1", Started: started, LastAccess: started}
				if err := w.svc.Login(ctx, &sessions.Login{Session: us, New: true, ClientSession: part}); err != nil {
					w.Fatal(err)
				}
				return id
			}
			ended, emptied, swept := begin("ended", now), begin("emptied", now), begin("swept", now.Add(-2*time.Hour))
			if _, err := w.svc.End(ctx, r, iam.SessionRef{ID: ended}, iam.End{Reason: iam.LogoutByUser}); err != nil {
				w.Fatal(err)
			}
			if _, err := w.svc.EndLastClientSession(ctx, r, iam.SessionRef{ID: emptied}, "c1", iam.End{Reason: iam.Revoked}); err != nil {
				w.Fatal(err)
			}
			w.svc.SweepRealm(ctx, r)
			for _, id := range []iam.SessionID{ended, emptied, swept} {
				if list := w.records(id); len(list) != 1 || list[0].IP != want {
					w.Errorf("%s: %d records, of which the first keeps %q; want one with %q", id, len(list), list[0].IP, want)
				}
			}
		}
	})
}
