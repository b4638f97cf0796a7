package sessions_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

type world struct {
	*testing.T
	db     *store.DB
	cache  *realms.Cache
	svc    *sessions.Service
	realm  *realms.Realm
	client *iam.Client
}

// each gives every engine a realm with the default lifespans, a client and two users.
func each(t *testing.T, f func(w *world)) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		err := db.Tx(ctx, func(tx *store.Tx) error {
			return errors.Join(
				tx.InsertRealm(ctx, store.RealmRow{ID: "r", Name: "shop", Enabled: true,
					Doc: []byte(`{"realm":"shop","ssoSessionIdleTimeout":1800,"ssoSessionMaxLifespan":36000,"offlineSessionIdleTimeout":2592000}`)}),
				tx.InsertClient(ctx, "r", store.ClientRow{ID: "c1", ClientID: "till", Enabled: true, Doc: []byte(`{"clientId":"till"}`)}),
				tx.InsertClient(ctx, "r", store.ClientRow{ID: "c2", ClientID: "stock", Enabled: true, Doc: []byte(`{"clientId":"stock"}`)}),
				tx.InsertUser(ctx, &iam.User{ID: "u1", Realm: "r", Username: "ann", Enabled: true}, false),
				tx.InsertUser(ctx, &iam.User{ID: "u2", Realm: "r", Username: "ben", Enabled: true}, false),
			)
		})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{T: t, db: db, cache: realms.NewCache(db), svc: sessions.New(db, nil)}
		if w.realm, err = w.cache.Get(ctx, "shop"); err != nil {
			t.Fatal(err)
		}
		c, err := w.realm.Client(ctx, "c1")
		if err != nil {
			t.Fatal(err)
		}
		w.client = &c.Client
		f(w)
	})
}

func (w *world) login(id iam.SessionID, user iam.UserID, started time.Time) (*iam.UserSession, *iam.ClientSession) {
	w.Helper()
	us := &iam.UserSession{ID: id, Realm: "r", User: user, Started: started, LastAccess: started, Notes: map[string]string{"a": "b"}}
	part := &iam.ClientSession{Session: id, Realm: "r", Client: "c1", Started: started, LastAccess: started}
	if err := w.svc.Login(w.Context(), &sessions.Login{Session: us, New: true, ClientSession: part}); err != nil {
		w.Fatal(err)
	}
	return us, part
}

func (w *world) find(id iam.SessionID, offline bool) error {
	_, err := w.svc.Find(w.Context(), w.realm, iam.SessionRef{ID: id, Kind: iam.SessionKind(offline)}, w.client)
	return err
}

func TestFindTellsWhyNot(t *testing.T) {
	each(t, func(w *world) {
		ctx, now := w.Context(), w.db.Now()
		w.login("live", "u1", now)
		w.login("idle", "u1", now.Add(-32*time.Minute))
		for id, want := range map[iam.SessionID]error{"live": nil, "idle": sessions.ErrExpired, "none": sessions.ErrGone, "": sessions.ErrGone} {
			if err := w.find(id, false); !errors.Is(err, want) {
				w.Errorf("%q: %v, want %v", id, err, want)
			}
		}
		other, err := w.realm.Client(ctx, "c2")
		if err != nil {
			w.Fatal(err)
		}
		if _, err := w.svc.Find(ctx, w.realm, iam.SessionRef{ID: "live"}, &other.Client); !errors.Is(err, sessions.ErrNoClientSession) {
			w.Errorf("a client without part: %v", err)
		}
		// Behind the snapshot's back: what must never lag is read from the rows.
		update := func(f func(tx *store.Tx) error) {
			w.Helper()
			if err := w.db.Tx(ctx, f); err != nil {
				w.Fatal(err)
			}
		}
		update(func(tx *store.Tx) error {
			return tx.UpdateClient(ctx, "r", store.ClientRow{ID: "c1", ClientID: "till", Enabled: false, Doc: []byte(`{}`), Version: 1})
		})
		if err := w.find("live", false); !errors.Is(err, sessions.ErrClientDisabled) {
			w.Errorf("a disabled client: %v", err)
		}
		update(func(tx *store.Tx) error {
			return tx.UpdateRealm(ctx, store.RealmRow{ID: "r", Name: "shop", Enabled: false, Doc: []byte(`{}`), Version: 1})
		})
		if err := w.find("live", false); !errors.Is(err, sessions.ErrRealmDisabled) {
			w.Errorf("a disabled realm: %v", err)
		}
	})
}

func TestTwoTabsFinishingAtOnceShareTheSession(t *testing.T) {
	each(t, func(w *world) {
		w.login("s", "u1", w.db.Now())
		again := &iam.UserSession{ID: "s", Realm: "r", User: "u1", Started: w.db.Now(), LastAccess: w.db.Now()}
		if err := w.svc.Login(w.Context(), &sessions.Login{Session: again, New: true}); err != nil {
			w.Errorf("the same user: %v", err)
		}
		again.User = "u2"
		if err := w.svc.Login(w.Context(), &sessions.Login{Session: again, New: true}); !errors.Is(err, sessions.ErrUsed) {
			w.Errorf("another user: %v, want ErrUsed", err)
		}
	})
}

// Keycloak: AuthenticationProcessor.FIRST_OFFLINE_ACCESS. Oracle: sessions/default-offline-login.
func TestGoOfflineReplacesTheOnlineSessionOfAFirstCode(t *testing.T) {
	each(t, func(w *world) {
		us, part := w.login("s", "u1", w.db.Now())
		if _, _, err := w.svc.GoOffline(w.Context(), w.realm, sessions.OfflineGrant{Online: us, ClientSession: part, EndOnline: true,
			Stored: true}); err != nil {
			w.Fatal(err)
		}
		if err := w.find("s", false); !errors.Is(err, sessions.ErrGone) {
			w.Errorf("online: %v, want ErrGone", err)
		}
		if err := w.find("s", true); err != nil {
			w.Errorf("offline: %v", err)
		}
		if was, err := w.svc.EndLastClientSession(w.Context(), w.realm, iam.SessionRef{ID: "s", Kind: iam.Offline}, "c1",
			iam.End{Reason: iam.Revoked}); err != nil || !was {
			w.Errorf("ending the part: %v %v", was, err)
		}
		if err := w.find("s", true); !errors.Is(err, sessions.ErrGone) {
			w.Errorf("an offline session without parts: %v, want ErrGone", err)
		}
	})
}

// Keycloak: AuthenticationManager.backchannelLogout.
func TestLogoutOfAnOfflineSessionTakesTheOnlineOne(t *testing.T) {
	each(t, func(w *world) {
		for _, offline := range []bool{true, false} {
			id := iam.SessionID(strconv.FormatBool(offline))
			us, part := w.login(id, "u1", w.db.Now())
			if _, _, err := w.svc.GoOffline(w.Context(), w.realm, sessions.OfflineGrant{Online: us, ClientSession: part, Stored: true}); err != nil {
				w.Fatal(err)
			}
			told := 0
			count := func(_ context.Context, _ *store.Tx, list []*sessions.Ending) error { told = len(list); return nil }
			parts, err := w.svc.Logout(w.Context(), w.realm, iam.SessionRef{ID: id, Kind: iam.SessionKind(offline)},
				iam.End{Reason: iam.LogoutByUser}, count)
			if err != nil || told != 1 || len(parts) != 1 || parts[0].Offline != offline {
				w.Errorf("offline %v: told of %d, parts %v, %v", offline, told, parts, err)
			}
			if err := w.find(id, false); !errors.Is(err, sessions.ErrGone) {
				w.Errorf("offline %v: the online session: %v", offline, err)
			}
			if err := w.find(id, true); errors.Is(err, sessions.ErrGone) != offline {
				w.Errorf("offline %v: the offline session: %v", offline, err)
			}
			if _, err := w.svc.Logout(w.Context(), w.realm, iam.SessionRef{ID: id, Kind: iam.SessionKind(offline)},
				iam.End{Reason: iam.LogoutByUser}, count); !errors.Is(err, sessions.ErrGone) {
				w.Errorf("offline %v: once more: %v", offline, err)
			}
		}
	})
}

// Keycloak: UserSessionManager.createOrUpdateOfflineSession leaves a client's
// part that is there as it is.
func TestGoingOfflineAgainKeepsTheClientsPart(t *testing.T) {
	each(t, func(w *world) {
		us, part := w.login("s", "u1", w.db.Now())
		_, first, err := w.svc.GoOffline(w.Context(), w.realm, sessions.OfflineGrant{Online: us, ClientSession: part,
			EndOnline: false, Stored: true})
		if err != nil {
			w.Fatal(err)
		}
		v, err := w.svc.Find(w.Context(), w.realm, iam.SessionRef{ID: "s", Kind: iam.Offline}, w.client)
		if err != nil {
			w.Fatal(err)
		}
		if err := w.svc.PutNote(w.Context(), w.realm, v, w.client, "spent", "token"); err != nil {
			w.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
		_, again, err := w.svc.GoOffline(w.Context(), w.realm, sessions.OfflineGrant{Online: us, ClientSession: part,
			EndOnline: true, Stored: true})
		if err != nil || again.Notes["spent"] != "token" || !again.Started.Equal(first.Started) {
			w.Errorf("the second time: %+v, %v; began %v", again, err, first.Started)
		}
		if err := w.find("s", false); !errors.Is(err, sessions.ErrGone) {
			w.Errorf("the online session: %v", err)
		}
	})
}

func TestLogoutAllLeavesOfflineSessions(t *testing.T) {
	each(t, func(w *world) {
		us, part := w.login("s1", "u1", w.db.Now())
		w.login("s2", "u1", w.db.Now())
		w.login("s3", "u2", w.db.Now())
		if _, _, err := w.svc.GoOffline(w.Context(), w.realm, sessions.OfflineGrant{Online: us, ClientSession: part, EndOnline: false,
			Stored: true}); err != nil {
			w.Fatal(err)
		}
		parts, err := w.svc.EndOfUser(w.Context(), w.realm, "u1", iam.End{Reason: iam.LogoutByAdmin}, nil)
		if err != nil || len(parts) != 2 {
			w.Errorf("ended %d parts, %v; want 2", len(parts), err)
		}
		for id, want := range map[iam.SessionID]error{"s1": sessions.ErrGone, "s2": sessions.ErrGone, "s3": nil} {
			if err := w.find(id, false); !errors.Is(err, want) {
				w.Errorf("%s: %v, want %v", id, err, want)
			}
		}
		if err := w.find("s1", true); err != nil {
			w.Errorf("the offline session: %v", err)
		}
	})
}

func TestTouchIsSeenAtOnceAndWrittenBehindForwardOnly(t *testing.T) {
	each(t, func(w *world) {
		ctx, old := w.Context(), w.db.Now().Add(-20*time.Minute)
		w.login("s", "u1", old)
		w.svc.Touch(w.realm, iam.SessionRef{ID: "s"}, "c1")
		list, err := w.svc.OfUser(ctx, w.realm, "u1", iam.Online)
		if err != nil || len(list) != 1 || !list[0].LastAccess.After(old) {
			w.Errorf("before the flush: %+v, %v", list, err)
		}
		w.svc.Flush(ctx)
		v, err := w.db.Session(ctx, "r", iam.SessionRef{ID: "s"}, "c1")
		if err != nil || !v.Session.LastAccess.After(old) || !v.ClientSession.LastAccess.After(old) {
			w.Errorf("after the flush: %+v, %v", v, err)
		}
		if err := w.db.Tx(ctx, func(tx *store.Tx) error {
			return tx.TouchSessions(ctx, []store.Touch{{Realm: "r", Session: "s", Client: "c1", At: old}})
		}); err != nil {
			w.Fatal(err)
		}
		if after, err := w.db.Session(ctx, "r", iam.SessionRef{ID: "s"}, "c1"); err != nil ||
			!after.Session.LastAccess.Equal(v.Session.LastAccess) {
			w.Errorf("a late touch moved the last access back to %v (%v)", after.Session.LastAccess, err)
		}
	})
}

func TestSweepLeavesTheLiving(t *testing.T) {
	each(t, func(w *world) {
		ctx, now := w.Context(), w.db.Now()
		w.login("live", "u1", now)
		w.login("idle", "u1", now.Add(-2*time.Hour))
		us, part := w.login("off", "u1", now)
		if _, _, err := w.svc.GoOffline(ctx, w.realm, sessions.OfflineGrant{Online: us, ClientSession: part, EndOnline: true,
			Stored: true}); err != nil {
			w.Fatal(err)
		}
		w.svc.SweepRealm(ctx, w.realm)
		for _, c := range []struct {
			id      iam.SessionID
			offline bool
			want    error
		}{{"live", false, nil}, {"idle", false, sessions.ErrGone}, {"off", true, nil}} {
			if err := w.find(c.id, c.offline); !errors.Is(err, c.want) {
				w.Errorf("%s: %v, want %v", c.id, err, c.want)
			}
		}
	})
}

// Keycloak: SessionExpirationUtils.
func TestExpiry(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	realm := &iam.Realm{Login: iam.LoginPolicy{RememberMe: true}, Lifespans: iam.Lifespans{SSOIdle: 30 * time.Minute, SSOMax: 10 * time.Hour,
		SSOIdleRememberMe: 24 * time.Hour, SSOMaxRememberMe: 48 * time.Hour,
		OfflineIdle: 720 * time.Hour, OfflineMax: 1440 * time.Hour}}
	limited := *realm
	limited.Lifespans.OfflineMaxEnabled = true
	limited.Lifespans.ClientIdle = 5 * time.Minute
	forgetful := *realm
	forgetful.Login.RememberMe = false
	for _, offline := range []bool{false, true} {
		us := &iam.UserSession{Offline: offline, Remember: true, Started: start.Add(-time.Minute), LastAccess: start}
		if e := sessions.OfUserSession(&forgetful, us); !e.At(start) {
			t.Errorf("remembered by a realm that remembers none any more, offline %v: it lives until %v", offline, e)
		}
	}
	short := *realm
	short.Lifespans.SSOIdleRememberMe, short.Lifespans.SSOMaxRememberMe = time.Minute, time.Hour
	short.Lifespans.ClientOfflineIdle, short.Lifespans.ClientOfflineMax = time.Hour, time.Hour
	long := &iam.Client{Attrs: map[string]string{"client.session.idle.timeout": "3600", "client.session.max.lifespan": "0"}}
	own := &iam.Client{Attrs: map[string]string{"client.session.idle.timeout": "60", "client.session.max.lifespan": "600",
		"client.offline.session.max.lifespan": "900"}}
	for name, c := range map[string]struct {
		realm             *iam.Realm
		client            *iam.Client
		offline, remember bool
		idle, max         time.Duration
	}{
		"online":                   {realm, &iam.Client{}, false, false, 30 * time.Minute, 10 * time.Hour},
		"remembered":               {realm, &iam.Client{}, false, true, 24 * time.Hour, 48 * time.Hour},
		"offline has no maximum":   {realm, &iam.Client{}, true, false, 720 * time.Hour, 0},
		"offline with a maximum":   {&limited, &iam.Client{}, true, false, 720 * time.Hour, 1440 * time.Hour},
		"the realm's for clients":  {&limited, &iam.Client{}, false, false, 5 * time.Minute, 10 * time.Hour},
		"the client's own":         {&limited, own, false, false, time.Minute, 10 * time.Minute},
		"own offline maximum":      {&limited, own, true, false, 720 * time.Hour, 15 * time.Minute},
		"which needs no realm's":   {realm, own, true, false, 720 * time.Hour, 15 * time.Minute},
		"own idle beyond realm's":  {realm, long, false, false, time.Hour, 10 * time.Hour},
		"remembered for longer":    {&short, &iam.Client{}, false, true, 30 * time.Minute, 10 * time.Hour},
		"the realm's offline, off": {&short, &iam.Client{}, true, false, time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			us := &iam.UserSession{Offline: c.offline, Remember: c.remember, Started: start, LastAccess: start}
			e := sessions.OfClientSession(c.realm, c.client, us, &iam.ClientSession{Started: start, LastAccess: start})
			if e.Idle.Sub(start) != c.idle {
				t.Errorf("idle after %v, want %v", e.Idle.Sub(start), c.idle)
			}
			if c.max == 0 != e.Max.IsZero() || c.max != 0 && e.Max.Sub(start) != c.max {
				t.Errorf("at most until %v, want %v after the start", e.Max, c.max)
			}
		})
	}
}

func TestListsHoldTheLivingWithTheirParts(t *testing.T) {
	each(t, func(w *world) {
		now := w.db.Now()
		w.login("late", "u1", now)
		w.login("early", "u1", now.Add(-time.Minute))
		w.login("over", "u1", now.Add(-11*time.Hour))
		w.login("other", "u2", now)
		full, err := w.svc.OfUser(w.Context(), w.realm, "u1", iam.Online)
		if err != nil {
			w.Fatal(err)
		}
		short, err := w.svc.Overview(w.Context(), w.realm, "u1", iam.Online)
		if err != nil {
			w.Fatal(err)
		}
		var ids, outlined []iam.SessionID
		for _, l := range full {
			ids = append(ids, l.ID)
			if l.UserName != "ann" || len(l.ClientSessions) != 1 || l.ClientSessions[0].Client != "c1" || l.ClientSessions[0].Session != l.ID {
				w.Errorf("%+v", l)
			}
		}
		for _, o := range short {
			outlined = append(outlined, o.ID)
			if o.UserName != "ann" || !slices.Equal(o.Clients, []iam.ClientID{"c1"}) {
				w.Errorf("%+v", o)
			}
		}
		if want := []iam.SessionID{"late", "early"}; !slices.Equal(ids, want) || !slices.Equal(outlined, want) {
			w.Errorf("sessions %v, in short %v", ids, outlined)
		}
		if w.Failed() {
			return
		}
		if full[0].Notes["a"] != "b" || len(short[0].Notes) > 0 {
			w.Errorf("notes %v and %v", full[0].Notes, short[0].Notes)
		}
		if gone, err := w.svc.OfUser(w.Context(), w.realm, "nobody", iam.Online); err != nil || len(gone) > 0 {
			w.Errorf("nobody: %+v, %v", gone, err)
		}
	})
}
