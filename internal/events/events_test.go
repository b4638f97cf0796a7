package events_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

func realm(t *testing.T, db *store.DB, doc string) *realms.Realm {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *store.Tx) error {
		return tx.InsertRealm(t.Context(), store.RealmRow{ID: "r", Name: "shop", Enabled: true, Doc: []byte(doc)})
	})
	r, err2 := realms.NewCache(db).Get(t.Context(), "shop")
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return r
}

// Keycloak: EventType.isSaveByDefault, EventBuilder.send.
func TestRealmsKeepWhatTheySay(t *testing.T) {
	for name, c := range map[string]struct {
		doc  string
		want string
	}{
		"off":           {`{"eventsEnabled":false}`, ""},
		"by default":    {`{"eventsEnabled":true}`, "LOGIN CODE_TO_TOKEN_ERROR"},
		"only some":     {`{"eventsEnabled":true,"enabledEventTypes":["REFRESH_TOKEN"]}`, "REFRESH_TOKEN"},
		"unknown names": {`{"eventsEnabled":true,"enabledEventTypes":["NONSENSE"]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				r := realm(t, db, c.doc)
				w := events.New(db, slog.New(slog.DiscardHandler), nil, nil)
				for _, kind := range []iam.EventKind{"LOGIN", "REFRESH_TOKEN", "CODE_TO_TOKEN_ERROR"} {
					w.Emit(t.Context(), r, &iam.Event{Kind: kind, User: "u", Details: map[string]string{"k": "v"}})
				}
				list, err := w.List(t.Context(), r, events.Filter{Max: -1, Ascending: true})
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, e := range list {
					got = append(got, string(e.Kind))
					if e.Details["k"] != "v" || e.User != "u" {
						t.Errorf("came back as %+v", e)
					}
				}
				if strings.Join(got, " ") != c.want {
					t.Errorf("kept %v, want %q", got, c.want)
				}
			})
		})
	}
}

func TestFiltersAndPages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		r := realm(t, db, `{"eventsEnabled":true,"adminEventsEnabled":true}`)
		w := events.New(db, slog.New(slog.DiscardHandler), nil, nil)
		for i := range 5 {
			w.Emit(ctx, r, &iam.Event{Kind: "LOGIN", User: iam.UserID(rune('a' + i)), Client: "till", IP: "127.0.0.1"})
		}
		w.Emit(ctx, r, &iam.Event{Kind: "LOGOUT", User: "a"})
		count := func(f events.Filter) int {
			t.Helper()
			list, err := w.List(ctx, r, f)
			if err != nil {
				t.Fatal(err)
			}
			return len(list)
		}
		now := db.Now()
		for name, c := range map[string]struct {
			f    events.Filter
			want int
		}{
			"all":        {events.Filter{Max: -1}, 6},
			"kind":       {events.Filter{Max: -1, Kinds: []string{"LOGIN", "X"}}, 5},
			"user":       {events.Filter{Max: -1, User: "a"}, 2},
			"client":     {events.Filter{Max: -1, Client: "till", IP: "127.0.0.1"}, 5},
			"last page":  {events.Filter{First: 4, Max: 10}, 2},
			"the future": {events.Filter{Max: -1, From: now.Add(time.Hour)}, 0},
			"until now":  {events.Filter{Max: -1, To: now.Add(time.Second)}, 6},
		} {
			if got := count(c.f); got != c.want {
				t.Errorf("%s: %d events, want %d", name, got, c.want)
			}
		}
		if list, err := w.List(ctx, r, events.Filter{Max: 1}); err != nil || list[0].Kind != "LOGOUT" {
			t.Errorf("the latest is not first: %v", err)
		}
		w.EmitAdmin(ctx, r, &iam.AdminEvent{Operation: "CREATE", ResourceType: "USER", ResourcePath: "users/1", Representation: "{}"})
		if list, err := w.ListAdmin(ctx, r, events.AdminFilter{Max: -1, ResourcePath: "USERS/*"}); err != nil || len(list) != 0 {
			t.Errorf("paths are compared by letter: %v, %v", list, err)
		}
		list, err := w.ListAdmin(ctx, r, events.AdminFilter{Max: -1, ResourcePath: "users/*", Operations: []string{"CREATE"}})
		if err != nil || len(list) != 1 || list[0].Representation != "" {
			t.Errorf("admin events: %+v, %v; want one, without representation", list, err)
		}
		if err := w.Clear(ctx, r); err != nil || count(events.Filter{Max: -1}) != 0 {
			t.Errorf("clearing: %v", err)
		}
	})
}

func TestErrorsAreLoggedAndSecretsAreNot(t *testing.T) {
	var out bytes.Buffer
	r := realm(t, storetest.SQLite(t), `{"eventsListeners":["jboss-logging"]}`)
	w := events.New(storetest.SQLite(t), slog.New(slog.NewTextHandler(&out, nil)), nil, nil)
	w.Emit(t.Context(), r, &iam.Event{Kind: "LOGIN_ERROR", Error: "user_not_found", Client: "till"})
	w.Emit(t.Context(), r, &iam.Event{Kind: "LOGIN", Client: "till"})
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "error=user_not_found") {
		t.Errorf("log: %s", got)
	}
}

func TestParseTime(t *testing.T) {
	day := time.Date(2026, 2, 3, 0, 0, 0, 0, time.Local)
	for _, c := range []struct {
		in   string
		end  bool
		want time.Time
		ok   bool
	}{
		{"2026-02-03", false, day, true},
		{"2026-02-03", true, day.AddDate(0, 0, 1).Add(-time.Millisecond), true},
		{"1000", false, time.UnixMilli(1000), true},
		{"nonsense", false, time.Time{}, false},
		{"", false, time.Time{}, false},
	} {
		if got, ok := events.ParseTime(c.in, c.end); ok != c.ok || ok && !got.Equal(c.want) {
			t.Errorf("%q: %v %v, want %v %v", c.in, got, ok, c.want, c.ok)
		}
	}
}
