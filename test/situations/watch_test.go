package situations

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/watch"
	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// watching is a running latchkey watch.
type watching struct {
	cmd *exec.Cmd
	mu  sync.Mutex
	out strings.Builder
}

func (x *watching) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.out.Write(p)
}

// says waits for it to have said something so often.
func (x *watching) says(w *world, text string, times int) {
	w.Helper()
	for end := time.Now().Add(40 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		x.mu.Lock()
		said := x.out.String()
		x.mu.Unlock()
		if strings.Count(said, text) >= times {
			return
		}
		if time.Now().After(end) {
			w.Fatalf("it does not say %q %d times but\n%s", text, times, said)
		}
	}
}

// kill ends it without a word.
func (x *watching) kill() {
	_ = x.cmd.Process.Kill()
	_ = x.cmd.Wait()
}

func (w *world) watch(file string, args ...string) *watching {
	w.Helper()
	x := new(watching)
	x.cmd = exec.CommandContext(w.ctx, harness.Binary(w), append([]string{"watch", "--server", w.site.base, "--realm", w.realm,
		"--admin-user", "admin",
		"--watch-db", file}, args...)...)
	x.cmd.Dir, x.cmd.Env, x.cmd.Stderr, x.cmd.Stdout = w.TempDir(), append(os.Environ(), "LATCHKEY_ADMIN_PASSWORD=admin"), x, io.Discard
	w.must(x.cmd.Start())
	return x
}

// What is forgotten at the server, latchkey watch has kept: once, also when it was
// killed, and across the server's being away.
func TestWatch(t *testing.T) {
	s := harness.Start(t, harness.Options{})
	w := newWorld(t, &site{base: s.URL, admin: visitor.NewAdmin(s.URL)}, merged(kept, settings{"eventsExpiration": 86400}), true)
	file := filepath.Join(t.TempDir(), "kept.db")
	look := func() {
		t.Helper()
		x := w.watch(file, "--once")
		if err := x.cmd.Wait(); err != nil {
			t.Fatalf("%v\n%s", err, x.out.String())
		}
	}

	running := w.watch(file, "--every", "100ms")
	running.says(w, "following realm", 1)
	for _, name := range []string{file, file + "-wal", file + ".seal-key"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	w.wrongPassword(w.b, "desk")
	shop := w.login(w.b, "shop", nil)
	mobile := w.login(visitor.NewBrowser(), "mobile", with{"scope": "openid offline_access"})
	w.delete("/sessions/" + shop.Session)
	w.refreshFails("shop", shop)
	time.Sleep(time.Second)
	running.kill() // wherever it is
	look()
	look()

	w.delete("/events")
	w.delete("/admin-events")
	s.Stop(t)
	s.Restart(t)
	running = w.watch(file, "--every", "100ms")
	running.says(w, "following realm", 1)
	s.Stop(t)
	running.says(w, "cannot be reached", 1)
	s.Restart(t)
	running.says(w, "answers again", 1)
	running.kill()

	a := w.fromOutside(refresh("shop"), "--watch-db", file)
	if len(a.Findings) == 0 || a.Findings[0].Reason != iam.LogoutByAdmin {
		t.Errorf("the end by an administrator is forgotten: found%s\ncannot tell %+v", told(a.Findings), a.CannotTell)
	}
	if a = w.fromOutside(refresh("shop")); len(a.Findings) > 0 {
		t.Errorf("without what was kept, found%s", told(a.Findings))
	}
	list := func(args ...string) (l watch.List) {
		t.Helper()
		args = append([]string{"sessions", "--server", w.site.base, "--from-outside", "--realm", w.realm, "--admin-user", "admin",
			"--json", "--watch-db", file}, args...)
		out, errOut, code := w.program(args...)
		if err := json.Unmarshal([]byte(out), &l); err != nil || code > 1 {
			t.Fatalf("%q: %d %v %s%s", args, code, err, out, errOut)
		}
		return l
	}
	kinds := map[string]int{}
	for _, e := range list("--user", "kim").Sessions {
		state := e.State
		if e.End != nil {
			state = string(e.End.Reason)
		}
		kinds[e.Kind+" "+state]++
		if e.Kind == "offline" && string(e.Session) != mobile.Session {
			t.Errorf("%+v", e)
		}
	}
	if len(kinds) != 3 || kinds["online logout-by-admin"] != 1 || kinds["online replaced-by-offline"] != 1 || kinds["offline live"] != 1 {
		t.Errorf("sessions: %v", kinds)
	}
	var passwords int64
	for _, e := range list("--user", "kim", "--kind", "refused", "--reason", "wrong-password").Sessions {
		passwords += e.Count
	}
	if passwords != 1 {
		t.Errorf("one wrong password was counted %d times", passwords)
	}
	if n := len(list("--client", "mobile").Sessions); n != 2 {
		t.Errorf("%d sessions of client mobile", n)
	}
}

// What is wrong is said in one sentence, with exit code 2.
func TestOutsideRefuses(t *testing.T) {
	at := newSite(t, harness.SQLite)
	w := newWorld(t, at, nil, true)
	watcher(w)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no such user":  {[]string{"why", "nobody", "--realm", w.realm, "--from-outside"}, "there is no user nobody in realm " + w.realm},
		"no such realm": {[]string{"why", "kim", "--realm", "nowhere", "--from-outside"}, "there is no realm nowhere at"},
		"no such client": {[]string{"sessions", "--client", "nobody", "--realm", w.realm, "--from-outside"},
			"there is no client nobody in realm"},
		"no rights": {[]string{"why", "kim", "--realm", w.realm, "--from-outside", "--admin-user", "lee", "--auth-realm", w.realm},
			"could not log in"},
		"no events": {[]string{"watch", "--once", "--realm", w.realm, "--admin-user", "watcher", "--auth-realm", w.realm},
			"it takes the role view-events"},
		"whom to watch": {[]string{"watch", "--server="}, "which Keycloak? --server names it"},
		"no Keycloak": {[]string{"why", "kim", "--realm", w.realm, "--from-outside", "--server", at.base + "/elsewhere"},
			"neither a Latchkey nor a Keycloak"},
		"away": {[]string{"watch", "--once", "--realm", w.realm, "--server", "http://127.0.0.1:1"}, "cannot be reached"},
	} {
		for option, value := range map[string]string{"--server": at.base, "--admin-user": "admin"} {
			if !strings.Contains(strings.Join(c.args, " "), option) {
				c.args = append(c.args, option, value)
			}
		}
		out, errOut, code := w.program(c.args...)
		if code != 2 || !strings.Contains(errOut, c.want) || strings.Count(strings.TrimSpace(errOut), "\n") > 0 || out != "" {
			t.Errorf("%s: exit code %d, %s%s", name, code, out, errOut)
		}
	}
}

// A token is told of by what the server publishes; one that only the server can check says so.
func TestInspectOutside(t *testing.T) {
	at := newSite(t, harness.SQLite)
	w := newWorld(t, at, kept, true)
	shop := w.login(w.b, "shop", nil)
	inspect := func(token string) (in watch.Inspection) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "token")
		w.must(os.WriteFile(file, []byte(token), 0o600))
		out, errOut, code := w.program("inspect-token", "--file", file, "--server", at.base, "--from-outside", "--realm", w.realm,
			"--admin-user", "admin", "--json")
		if err := json.Unmarshal([]byte(out), &in); err != nil || code > 1 || strings.Contains(out+errOut, token) {
			t.Fatalf("%d %v %s%s", code, err, out, errOut)
		}
		return in
	}
	if in := inspect(shop.Access); !in.Works || in.Unverified != "" || in.Kind != "access token" {
		t.Errorf("an access token: %+v", in)
	}
	if in := inspect(shop.Refresh); !in.Works || !strings.Contains(in.Unverified, "only the server has the key") {
		t.Errorf("a refresh token: %+v", in)
	}
	file := filepath.Join(t.TempDir(), "token")
	w.must(os.WriteFile(file, []byte(shop.Access), 0o600))
	out, _, _ := w.program("inspect-token", "--file", file, "--server", at.base, "--from-outside", "--realm", w.realm, "--admin-user",
		"admin")
	_, story, _ := strings.Cut(out, "Its session's story: latchkey ")
	story, _, _ = strings.Cut(story, "\n")
	if told, errOut, code := w.program(append(strings.Fields(story), "--from-outside", "--admin-user", "admin")...); code != 0 ||
		!strings.Contains(told, "TIMELINE") {
		t.Errorf("latchkey %s: exit code %d, %s%s", story, code, told, errOut)
	}
	w.delete("/sessions/" + shop.Session)
	for _, token := range []string{shop.Access, shop.Refresh} {
		if in := inspect(token); in.Works || len(in.Why) == 0 || in.Why[0].Reason != iam.LogoutByAdmin {
			t.Errorf("after an administrator ended its session: %+v", in)
		}
	}
}
