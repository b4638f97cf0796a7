package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// rows is a realm as Keycloak's tables have it: two clients, and so many users with a
// session each. Keycloak deletes by application, so rows of what is gone stay behind.
func rows(users int) []string {
	list := []string{version,
		`insert into realm (id, name, enabled, ssl_required, sso_idle_timeout, sso_max_lifespan, access_token_lifespan, not_before, default_role)
			values ('R', 'shop', true, 'EXTERNAL', 1800, 36000, 300, 0, 'role-default')`,
		`insert into keycloak_role (id, name, realm_id, client_role) values ('role-default', 'default-roles-shop', 'R', false),
			('role-boss', 'boss', 'R', false)`,
		`insert into client (id, client_id, realm_id, enabled, protocol, secret, public_client, standard_flow_enabled)
			values ('C1', 'web', 'R', true, 'openid-connect', 's', false, true), ('C2', 'app', 'R', true, 'openid-connect', 't', false, true)`,
	}
	for i := range users {
		list = append(list,
			fmt.Sprintf(`insert into user_entity (id, username, email, realm_id, enabled, email_verified, created_timestamp, not_before)
				values ('u%04d', 'user%d', 'user%d@example.org', 'R', true, true, 1700000000000, 0)`, i, i, i),
			fmt.Sprintf(`insert into user_role_mapping (user_id, role_id) values ('u%04d', 'role-boss')`, i),
			fmt.Sprintf(`insert into offline_user_session (user_session_id, user_id, realm_id, created_on, last_session_refresh, offline_flag, data)
				values ('s%04d', 'u%04d', 'R', 1700000000, 1700000060, '0', '{"authMethod":"openid-connect","started":0,"notes":{
					"AUTH_TIME":"1700000000"}}')`, i, i),
			fmt.Sprintf(`insert into offline_client_session (user_session_id, client_id, offline_flag, timestamp, data, client_storage_provider,
				external_client_id) values ('s%04d', 'C1', '0', 1700000060, '{"notes":{"startedAt":"1700000001"}}', 'local', 'local')`, i))
	}
	return list
}

func open(t *testing.T, url string) *Source {
	t.Helper()
	s, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func manager(db *store.DB) *realms.Manager {
	return realms.NewManager(realms.NewCache(db), db.Now, realms.Rules{NewKey: func(context.Context, string, string,
		map[string][]string) error {
		return nil
	}})
}

// What a session's rows say, and what is made of it.
func TestSessionsOfRows(t *testing.T) {
	insert := func(id, offline, user, data, client, part string) []string {
		return []string{
			fmt.Sprintf(`insert into offline_user_session (user_session_id, user_id, realm_id, created_on,
				last_session_refresh, offline_flag, data, remember_me)
				values ('%s', '%s', 'R', 1700000000, 1700000060, '%s', '%s', true)`, id, user, offline, data),
			fmt.Sprintf(`insert into offline_client_session (user_session_id, client_id, offline_flag, timestamp, data,
				client_storage_provider, external_client_id)
				values ('%s', '%s', '%s', 1700000070, '%s', 'local', 'local')`, id, client, offline, part),
		}
	}
	for _, c := range []struct {
		name  string
		rows  []string
		kind  iam.SessionKind
		want  string // of the only session, "" for none
		fails string
	}{
		{"plain", insert("sid", "0", "u0000", `{"ipAddress":"1.2.3.4","started":0,"loginUsername":"Typed"}`, "C1",
			`{"notes":{"startedAt":"1700000001"}}`), iam.Online,
			"Typed 1.2.3.4 remember:true 1700000000-1700000060 C1 1700000001-1700000070 []", ""},
		{"an offline one without startedAt", insert("sid", "1", "u0000", `{}`, "C1", `{"notes":{}}`), iam.Offline,
			"user0  remember:true 1700000000-1700000060 C1 1700000000-1700000070 []", ""},
		{"a token that rotated", insert("sid", "0", "u0000", `{}`, "C1",
			`{"notes":{"refreshTokenPrefixfam":"jti","refreshTokenUsePrefixfam":"2","refreshTokenLastRefreshPrefixfam":"1700000050"}}`), iam.Online,
			"user0  remember:true 1700000000-1700000060 C1 1700000000-1700000070 [fam jti 2 \"\" 1700000050]", ""},
		{"of the other kind", insert("sid", "1", "u0000", `{}`, "C1", `{}`), iam.Online, "", ""},
		{"of a user who is gone", insert("sid", "0", "gone", `{}`, "C1", `{}`), iam.Online, "", ""},
		{"a part of a client that is gone", insert("sid", "0", "u0000", `{}`, "gone", `{}`), iam.Online,
			"user0  remember:true 1700000000-1700000060", ""},
		{"that is being logged out", insert("sid", "0", "u0000", `{"state":"LOGGING_OUT"}`, "C1", `{}`), iam.Online, "", ""},
		{"unreadable", insert("sid", "0", "u0000", `{"notes":`, "C1", `{}`), iam.Online, "", "session sid: its DATA cannot be read"},
		{"an unreadable part", insert("sid", "0", "u0000", `{}`, "C1", `nothing`), iam.Online, "",
			"session sid: the DATA of client C1 cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			setup := append(rows(1), `delete from offline_user_session`, `delete from offline_client_session`)
			s := open(t, keycloak(t, append(setup, c.rows...)...))
			var got []string
			for page, err := range s.Sessions(t.Context(), RealmID{"R", "shop"}, c.kind, "") {
				if err != nil {
					if c.fails == "" || !strings.Contains(err.Error(), c.fails) {
						t.Fatal(err)
					}
					return
				}
				for _, m := range page.List {
					got = append(got, told(m))
				}
			}
			if c.fails != "" {
				t.Fatalf("it was read; want %q", c.fails)
			}
			if all := strings.Join(got, "; "); all != c.want {
				t.Errorf("got  %s\nwant %s", all, c.want)
			}
		})
	}
}

func told(m store.MovedSession) string {
	s := m.Session
	text := fmt.Sprintf("%s %s remember:%v %d-%d", s.Username, s.IP, s.Remember, s.Started.Unix(), s.LastAccess.Unix())
	for _, p := range m.Parts {
		var chains []string
		for _, c := range p.Chains {
			chains = append(chains, fmt.Sprintf("%s %s %d %q %d", c.ReuseID, c.Used, c.Uses, c.Newest, c.Issued.Unix()))
		}
		text += fmt.Sprintf(" %s %d-%d %v", p.Client, p.Started.Unix(), p.LastAccess.Unix(), chains)
	}
	if s.Origin.How != iam.HowMigrated || s.Origin.From != "Keycloak 26.7.3" {
		text += fmt.Sprintf(" origin %+v", s.Origin)
	}
	return text
}

// A copy that is broken off after any of its pages goes on, and nothing is there twice or missing.
func TestBrokenOff(t *testing.T) {
	const users = 1100 // three pages of each
	url := keycloak(t, rows(users)...)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		m, left := manager(db), 100
		for pages := 1; ; pages++ {
			if left--; left == 0 {
				t.Fatal("the copy does not come to an end")
			}
			ctx, cancel := context.WithCancel(t.Context())
			s, err := Open(ctx, url)
			if err != nil {
				t.Fatal(err)
			}
			told := 0
			err = (&Mover{Source: s, Manager: m, Days: 30, Progress: func(string, string, int64) {
				if told++; told >= 2 { // what is told of has been stored
					cancel()
				}
			}}).Copy(ctx, "", false)
			cancel()
			_ = s.Close() // the connection may have gone with the context
			if err == nil {
				if pages < 3 {
					t.Errorf("it was broken off %d times only", pages-1)
				}
				break
			}
			if !errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), "context canceled") && !strings.Contains(err.Error(),
				"already been") {
				t.Fatal(err)
			}
		}
		lines, differ, err := Verify(t.Context(), open(t, url), m, "")
		if err != nil {
			t.Fatal(err)
		}
		if n, err := db.CountUsers(t.Context(), "R", &store.UserFilter{}); err != nil || n != users {
			t.Errorf("%d users, %v", n, err)
		}
		for _, line := range lines {
			if strings.Contains(line, "users differ") || strings.Contains(line, "sessions differ") || strings.Contains(line,
				"parts in") && strings.Contains(line, "differ") {
				t.Errorf("%d: %s", differ, line)
			}
		}
	})
}

// What is not a copy is not written over, and one that is whole is not done twice.
func TestWhatIsThere(t *testing.T) {
	url := keycloak(t, rows(3)...)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		m := manager(db)
		mover := func() *Mover { return &Mover{Source: open(t, url), Manager: m, Days: 30} }
		own, err := realms.New("shop", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Create(t.Context(), own); err != nil {
			t.Fatal(err)
		}
		for _, f := range []func() error{
			func() error { return mover().Copy(t.Context(), "", false) },
			func() error { return mover().Copy(t.Context(), "", true) },
			func() error { return mover().Delta(t.Context(), "") },
		} {
			if err := f(); !errors.Is(err, ErrNotMoved) {
				t.Fatalf("%v; want ErrNotMoved", err)
			}
		}
		if err := m.Delete(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		for _, f := range []func() error{
			func() error { return mover().Copy(t.Context(), "", false) },
			func() error { return mover().Copy(t.Context(), "", false) },
			func() error { return mover().Delta(t.Context(), "shop") },
			func() error { return mover().Copy(t.Context(), "", true) },
		} {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		}
		if err := mover().Copy(t.Context(), "nowhere", false); err == nil || !strings.Contains(err.Error(), `no realm "nowhere"`) {
			t.Errorf("%v; want that there is no such realm", err)
		}
		n, parts, err := db.SessionTotals(t.Context(), "R", iam.Online)
		if err != nil || n != 3 || parts != 3 {
			t.Errorf("%d sessions with %d parts, %v; want 3 with 3", n, parts, err)
		}
	})
}

// Delta brings new and changed users, and takes away the sessions that ended there.
func TestDelta(t *testing.T) {
	url := keycloak(t, rows(3)...)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		m := manager(db)
		if err := (&Mover{Source: open(t, url), Manager: m}).Copy(t.Context(), "", false); err != nil {
			t.Fatal(err)
		}
		run(t, url, `update user_entity set first_name = 'New' where id = 'u0001'`, `delete from offline_user_session
			where user_session_id = 's0002'`,
			`update offline_user_session set last_session_refresh = 1700009999 where user_session_id = 's0000'`)
		if err := (&Mover{Source: open(t, url), Manager: m}).Delta(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		u, err := db.UserByName(t.Context(), "R", "user1")
		if err != nil || u.FirstName != "New" {
			t.Errorf("%+v, %v; want the new name", u, err)
		}
		v, err := db.Session(t.Context(), "R", iam.SessionRef{ID: "s0000"}, "C1")
		if err != nil || v.Session.LastAccess.Unix() != 1700009999 || v.ClientSession == nil {
			t.Errorf("%+v, %v; want the newer access", v, err)
		}
		if _, err := db.Session(t.Context(), "R", iam.SessionRef{ID: "s0002"}, ""); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%v; want that the session that ended is gone", err)
		}
		run(t, url, `update user_entity set first_name = null where id = 'u0001'`,
			`insert into offline_user_session (user_session_id, user_id, realm_id,
			created_on, last_session_refresh, offline_flag, data) values ('s0002', 'u0002', 'R', 1700000000, 1700000060, '0', '{}')`)
	})
}
