package scale

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/seal"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// A realm is one that was filled, on a server of its own.
type realm struct {
	*testing.T
	server *harness.Server
	admin  *visitor.Admin
	fill   *storetest.Fill
	web    visitor.Party // the client with nine parts in ten
	db     *store.DB     // the server's database, for housekeeping, which has no address

	typical int               // the number of a user with exactly ten sessions
	refresh string            // a refresh token of a session among the others
	middle  map[string]string // cursors by list
}

// live is longer than the loaded sessions are old, in seconds: none times out while it is measured.
const live = 100 * 24 * 60 * 60

// open starts a server, makes a realm with its clients and somebody who can log
// in, and loads the rest while the server is down.
func open(t *testing.T, e harness.Engine, n int) *realm {
	t.Helper()
	s := harness.Start(t, harness.Options{Engine: e, Args: []string{"--log-level=warn"}})
	w := &realm{T: t, server: s, admin: visitor.NewAdmin(s.URL), middle: map[string]string{}}
	_, err := w.admin.Post(t.Context(), "", map[string]any{
		"realm": "scale", "enabled": true, "sslRequired": "none", "ssoSessionIdleTimeout": live, "ssoSessionMaxLifespan": live,
		"offlineSessionIdleTimeout": live,
		"passwordPolicy":            "hashAlgorithm(pbkdf2-sha256) and hashIterations(1)", // what is measured is the store, not the hash
		"attributes":                map[string]any{"latchkey.recordRetentionDays": "100"},
	})
	w.must(err)
	var row struct{ ID iam.RealmID }
	w.must(w.admin.Get(t.Context(), "/scale", &row))
	w.fill = &storetest.Fill{Realm: row.ID, Sessions: n, Now: time.Now()}
	for i := range 10 {
		name := fmt.Sprintf("web%d", i)
		id, err := w.admin.Post(t.Context(), "/scale/clients", map[string]any{"clientId": name, "secret": "secret",
			"redirectUris":              []string{"http://web.test/*"},
			"directAccessGrantsEnabled": true, "serviceAccountsEnabled": i == 1, "consentRequired": i == 2, "fullScopeAllowed": i != 3,
			"attributes": map[string]any{"client.session.idle.timeout": fmt.Sprint(live - i)}})
		w.must(err)
		w.fill.Clients = append(w.fill.Clients, iam.ClientID(id))
	}
	offline, err := w.admin.ID(t.Context(), "/scale/client-scopes", "name", "offline_access")
	w.must(err)
	client := "/scale/clients/" + string(w.fill.Clients[4])
	w.must(w.admin.Delete(t.Context(), client+"/optional-client-scopes/"+offline))
	w.must(w.admin.Put(t.Context(), client+"/default-client-scopes/"+offline, nil))
	_, err = w.admin.Post(t.Context(), "/scale/users", map[string]any{"username": "ada", "enabled": true, "email": "ada@scale.test",
		"firstName": "A", "lastName": "L",
		"emailVerified": true, "credentials": []any{map[string]any{"type": "password", "value": "ada-pw"}}})
	w.must(err)
	w.web = visitor.Party{Base: s.URL, Realm: "scale", ClientID: "web0", Secret: "secret", Redirect: "http://web.test/cb", Scope: "openid"}

	s.Stop(t)
	begun := time.Now()
	cfg := store.Config{Engine: store.Engine(e), URL: s.DB, Path: filepath.Join(s.Dir, "latchkey.db")}
	key := s.SealKey
	if e == harness.SQLite {
		key = cfg.Path + ".seal-key"
		w.must(w.fill.SQLite(t.Context(), cfg.Path))
	} else {
		w.must(w.fill.Postgres(t.Context(), s.DB))
	}
	syscall.Sync() // else the disk is busy with it for minutes
	t.Logf("loaded %d sessions on %s in %v", n, e, time.Since(begun).Round(time.Second/10))
	s.Restart(t)
	cfg.Ring, err = seal.Load(key)
	w.must(err)
	w.db, err = store.Open(t.Context(), cfg)
	w.must(err)
	t.Cleanup(func() { w.db.Close() })
	w.refresh = w.login().Refresh
	sessions := make([]int, w.fill.Users())
	for n := range n {
		sessions[w.fill.UserOf(n)]++
	}
	w.typical = slices.Index(sessions, 10)
	return w
}

func (w *realm) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *realm) login() *visitor.Answer {
	w.Helper()
	a, err := w.web.Post(w.Context(), "token", url.Values{"grant_type": {"password"}, "username": {"ada"}, "password": {"ada-pw"},
		"scope": {"openid"}})
	w.must(err)
	if !a.OK() {
		w.Fatalf("login: %+v", a)
	}
	return a
}

type page struct {
	Sessions []struct{ ID string }
	Next     string
}

// list reads a page and returns how many lines it has.
func (w *realm) list(ctx context.Context, query string) (*page, error) {
	p := new(page)
	return p, w.admin.Get(ctx, "/scale/session-explorer?"+query+"&max=20", p)
}

// session finds one of the loaded that fits.
func (w *realm) session(fits func(n int) bool) iam.SessionID {
	w.Helper()
	for n := w.fill.Sessions / 2; n < w.fill.Sessions; n++ {
		if fits(n) {
			return w.fill.Session(n)
		}
	}
	w.Fatal("no session fits")
	return ""
}
