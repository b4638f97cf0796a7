package nodes

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"latchkey/internal/seal"
	"latchkey/internal/store/pgtest"
	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// A single is one node on a database that the test may break.
type single struct {
	context.Context
	t *testing.T
	*harness.Server
	party visitor.Party
}

func newSingle(t *testing.T, o harness.Options) *single {
	t.Helper()
	if o.DB != "" {
		o.Engine = harness.Postgres
	}
	s := &single{t: t, Server: harness.Start(t, o)}
	var cancel context.CancelFunc
	s.Context, cancel = context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	s.party = visitor.Party{Base: s.URL, Realm: "master", ClientID: "admin-cli"}
	if got := s.grant(); got != http.StatusOK {
		t.Fatalf("at first a grant is answered %d", got)
	}
	return s
}

// grant asks for tokens, which writes a session, and returns the status; 0 when nothing came.
func (s *single) grant() int {
	got, err := s.party.Post(s, "token", url.Values{"grant_type": {"password"}, "username": {"admin"}, "password": {"admin"}})
	if err != nil {
		return 0
	}
	return got.Status
}

// ready is the status of readiness.
func (s *single) ready() int { return s.get(s.Management + "/health/ready") }

func (s *single) get(at string) int {
	req, err := http.NewRequestWithContext(s, http.MethodGet, at, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// until waits until ask returns want, and fails when it takes longer.
func (s *single) until(what string, within time.Duration, ask func() int, want int) {
	s.t.Helper()
	got := 0
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if got = ask(); got == want {
			return
		}
	}
	s.t.Fatalf("%s: %d and not %d after %s", what, got, want, within)
}

// everywhere asks at each door, with and without a session, many at once, and
// fails for whatever is neither done nor refused with 503, or takes too long.
func (s *single) everywhere(when string, within time.Duration) {
	s.t.Helper()
	realm := s.URL + "/realms/master"
	asks := map[string]func() int{
		"a grant": s.grant,
		"a login page": func() int {
			return s.get(realm + "/protocol/openid-connect/auth?client_id=security-admin-console&response_type=code&redirect_uri=" +
				url.QueryEscape(s.URL+"/admin/master/console/"))
		},
		"a refresh": func() int {
			return s.post(realm+"/protocol/openid-connect/token", "grant_type=refresh_token&client_id=admin-cli&refresh_token=x")
		},
		"a revocation":  func() int { return s.post(realm+"/protocol/openid-connect/revoke", "client_id=admin-cli&token=x") },
		"discovery":     func() int { return s.get(realm + "/.well-known/openid-configuration") },
		"keys":          func() int { return s.get(realm + "/protocol/openid-connect/certs") },
		"the admin API": func() int { return s.get(s.URL + "/admin/realms") },
		"the account":   func() int { return s.get(realm + "/account") },
		"registration":  func() int { return s.get(realm + "/clients-registrations/default/x") },
		"another realm": func() int { return s.get(s.URL + "/realms/nowhere") },
	}
	var all sync.WaitGroup
	for name, ask := range asks {
		for range 3 {
			all.Go(func() {
				begun := time.Now()
				got := ask()
				if got == 0 || got >= 500 && got != http.StatusServiceUnavailable {
					s.t.Errorf("%s, %s is answered %d", when, name, got)
				}
				if took := time.Since(begun); took > within {
					s.t.Errorf("%s, %s takes %s", when, name, took)
				}
			})
		}
	}
	all.Wait()
}

func (s *single) post(at, form string) int {
	req, err := http.NewRequestWithContext(s, http.MethodPost, at, strings.NewReader(form))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// patience is what a request may take while the database does not answer, on a machine that is busy.
const patience = 15 * time.Second

// While the database stands still requests are refused after some seconds, and
// all is well again by itself when it goes on.
func TestDatabaseStandsStill(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t, pgtest.Options{})
	s := newSingle(t, harness.Options{DB: pg.Create(t, "still")})
	freeze := func(sig syscall.Signal) {
		// All of PostgreSQL's processes: those of connections are children of the first one.
		first := pg.PID(t)
		list := []int{first}
		entries, _ := filepath.Glob("/proc/[0-9]*/stat")
		for _, e := range entries {
			stat, _ := os.ReadFile(e)
			if i := bytes.LastIndexByte(stat, ')'); i > 0 {
				var state string
				var parent, pid int
				fmt.Sscan(string(stat[i+1:]), &state, &parent)
				fmt.Sscan(string(stat), &pid)
				if parent == first {
					list = append(list, pid)
				}
			}
		}
		for _, pid := range list {
			syscall.Kill(pid, sig)
		}
	}
	freeze(syscall.SIGSTOP)
	defer freeze(syscall.SIGCONT)
	s.everywhere("at first", patience)
	s.everywhere("after a while", patience)
	if got := s.ready(); got != http.StatusServiceUnavailable {
		t.Errorf("readiness: %d", got)
	}
	freeze(syscall.SIGCONT)
	s.until("after it goes on, a grant", patience, s.grant, http.StatusOK)
	s.until("after it goes on, readiness", patience, s.ready, http.StatusOK)
}

// Connections that end under requests, and a database that is away, are no faults of the server.
func TestDatabaseIsCutOff(t *testing.T) {
	t.Parallel()
	db := pgtest.Database(t)
	line := newRelay(t, db)
	s := newSingle(t, harness.Options{DB: line.URL(db)})
	for range 3 {
		var busy sync.WaitGroup
		busy.Go(func() { s.everywhere("while it is cut", patience) })
		time.Sleep(20 * time.Millisecond)
		line.Cut()
		busy.Wait()
		s.everywhere("while it is away", patience)
		line.Mend()
		s.until("when it is back", patience, s.grant, http.StatusOK)
	}
	s.until("when it is back, readiness", patience, s.ready, http.StatusOK)
}

// After a failover that leaves the old server up, but read-only, a node goes to the new one.
func TestDatabaseFailsOver(t *testing.T) {
	t.Parallel()
	one := pgtest.Start(t, pgtest.Options{})
	db := one.Create(t, "over")
	other := one.Standby(t)
	first, err := url.Parse(db)
	if err != nil {
		t.Fatal(err)
	}
	second, err := url.Parse(other.URL("over"))
	if err != nil {
		t.Fatal(err)
	}
	s := newSingle(t, harness.Options{DB: fmt.Sprintf("postgres://latchkey@%s,%s/over?sslmode=disable&target_session_attrs=read-write",
		first.Host, second.Host)})
	one.Exec(t, "alter system set default_transaction_read_only = on")
	one.Exec(t, "select pg_reload_conf()")
	s.until("with nothing to write to, readiness", patience, s.ready, http.StatusServiceUnavailable)
	s.everywhere("with nothing to write to", patience)
	other.Exec(t, "select pg_promote()")
	s.until("after the failover, a grant", patience, s.grant, http.StatusOK)
	s.until("after the failover, readiness", patience, s.ready, http.StatusOK)
	one.Stop() // nothing is read from it either
	for range 5 {
		s.everywhere("without the old server", patience)
		if got := s.grant(); got != http.StatusOK {
			t.Errorf("without the old server a grant is answered %d", got)
		}
	}
}

// With a full disk there is nothing to be had from a node, and it says so.
func TestDiskIsFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("a small disk cannot be made: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	s := newSingle(t, harness.Options{Dir: dir})
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for chunk := make([]byte, 4096); ; {
		if _, err := f.Write(chunk); err != nil {
			break
		}
	}
	f.Close()
	s.until("with a full disk, a grant", patience, s.grant, http.StatusServiceUnavailable)
	s.until("with a full disk, readiness", patience, s.ready, http.StatusServiceUnavailable)
	s.everywhere("with a full disk", patience)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.until("with room again, a grant", patience, s.grant, http.StatusOK)
	s.until("with room again, readiness", patience, s.ready, http.StatusOK)
}

// A node may be started before its database; what waiting does not mend ends it at once.
func TestStartedBeforeItsDatabase(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t, pgtest.Options{})
	db := pg.Create(t, "late")
	key := filepath.Join(t.TempDir(), "seal-key")
	if _, err := seal.LoadOrCreate(key); err != nil {
		t.Fatal(err)
	}
	env := []string{"LATCHKEY_DB=postgres", "LATCHKEY_DB_URL=" + db, "LATCHKEY_SEAL_KEY_FILE=" + key}
	pg.Stop()
	s := harness.Prepare(t, harness.Options{Env: env})
	s.Run(t)
	for end := time.Now().Add(patience); !strings.Contains(s.Log(), "waiting for the database"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not say that it waits:\n%s", s.Log())
		}
	}
	time.Sleep(2 * time.Second) // it tries more than once
	pg.Restart(t)
	one := &single{t: t, Context: t.Context(), Server: s}
	one.until("when its database is there, readiness", 2*patience, one.ready, http.StatusOK)
	if n := strings.Count(s.Log(), "waiting for the database"); n != 1 {
		t.Errorf("it says %d times that it waits", n)
	}

	impatient := harness.Prepare(t, harness.Options{Env: append(env, "LATCHKEY_DB_WAIT=1s",
		"LATCHKEY_DB_URL=postgres://latchkey@127.0.0.1:1/late?sslmode=disable")})
	if code, log := impatient.Wait(t); code == 0 || !strings.Contains(log, "refused") {
		t.Errorf("after its time it ends with %d:\n%s", code, log)
	}
	wrong := harness.Prepare(t, harness.Options{Env: append(env, "LATCHKEY_DB_URL="+pg.URL("nothing"))})
	begun := time.Now()
	if code, log := wrong.Wait(t); code == 0 || !strings.Contains(log, "does not exist") {
		t.Errorf("without such a database it ends with %d after %s:\n%s", code, time.Since(begun), log)
	}
}
