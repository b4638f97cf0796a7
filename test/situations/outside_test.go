package situations

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/internal/watch"
	"latchkey/test/harness"
	"latchkey/test/postbox"
	"latchkey/test/visitor"
)

// kept are the settings of a realm that stores all the events there are.
var kept = settings{"adminEventsEnabled": true, "enabledEventTypes": []string{"LOGIN", "LOGIN_ERROR", "LOGOUT", "LOGOUT_ERROR",
	"CODE_TO_TOKEN", "CODE_TO_TOKEN_ERROR",
	"REFRESH_TOKEN", "REFRESH_TOKEN_ERROR", "REVOKE_GRANT", "REVOKE_GRANT_ERROR", "CLIENT_LOGIN", "CLIENT_LOGIN_ERROR",
	"UPDATE_PASSWORD", "UPDATE_CREDENTIAL",
	"OAUTH2_DEVICE_AUTH", "OAUTH2_DEVICE_AUTH_ERROR", "OAUTH2_DEVICE_CODE_TO_TOKEN", "OAUTH2_DEVICE_CODE_TO_TOKEN_ERROR",
	"REMOVE_CREDENTIAL"}}

func merged(list ...settings) settings {
	all := settings{}
	for _, s := range list {
		for k, v := range s {
			all[k] = v
		}
	}
	return all
}

// fromOutside asks latchkey why about kim by Keycloak's endpoints alone.
func (w *world) fromOutside(q asking, args ...string) watch.Answer {
	w.Helper()
	args = append([]string{"why", w.user, "--server", w.site.base, "--from-outside", "--realm", w.realm, "--json"}, args...)
	if !slices.Contains(args, "--admin-user") {
		args = append(args, "--admin-user", "admin")
	}
	if q.question != "" {
		args = append(args, "--question", string(q.question))
	}
	if q.client != "" {
		args = append(args, "--client", q.client)
	}
	out, errOut, code := w.program(args...)
	var a watch.Answer
	if err := json.Unmarshal([]byte(out), &a); err != nil || code > 1 {
		w.Fatalf("%q: exit code %d, %v\n%s%s", args, code, err, out, errOut)
	}
	return a
}

// program runs latchkey in a directory of its own.
func (w *world) program(args ...string) (out, errOut string, code int) {
	w.Helper()
	cmd := exec.CommandContext(w.ctx, harness.Binary(w), args...)
	cmd.Dir = w.TempDir()
	cmd.Env = append(os.Environ(), "LATCHKEY_ADMIN_PASSWORD=admin")
	var o, e strings.Builder
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); cmd.ProcessState == nil {
		w.Fatal(err)
	}
	if strings.Contains(o.String()+e.String(), "panic") {
		w.Fatalf("%s%s", o.String(), e.String())
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// decided are situations that another server's evidence decides: what it tells of the
// user, its sessions, settings and events is enough to name the reason first.
var decided = []string{
	"logged out at another client", "logged out by a client with a refresh token", "an administrator ended the session",
	"an administrator logged the user out",
	"offline_access inherited from the realm", "offline_access asked for", "the realm's idle time", "the realm's maximum age",
	"a client revoked its token", "consent withdrawn", "a refresh token used twice", "the user was removed", "a wrong password",
	"locked after failed logins", "the user is disabled",
	"the client is disabled", "a redirect URI that is not the client's", "another redirect URI at the token endpoint",
	"no verifier for the challenge", "a code redeemed late",
	"the client refuses older tokens", "an offline token after a logout everywhere", "the user lost the role offline_access",
	"a client that is not there", "another client's token",
	"a required action, and a direct grant", "consent refused",
}

// undecided are what another server's evidence does not decide, with the reason that is to be told.
var undecided = []struct {
	name    string
	because string
	realm   settings
	silent  bool // events are off
	ask     asking
	as      string // who asks, "" for the administrator
	happens func(w *world)
}{
	{name: "events are off", because: "events are off in realm", silent: true, ask: noSession("shop"), happens: loggedOut},
	{name: "events of logouts are not stored", because: "events of type LOGOUT are not stored in realm",
		realm: settings{"enabledEventTypes": []string{"LOGIN", "LOGIN_ERROR"}},
		ask:   refresh("shop"), happens: loggedOut},
	{name: "refused refreshes are not stored by default", because: "events of type REFRESH_TOKEN_ERROR are not stored in realm",
		realm: settings{"enabledEventTypes": []string{}},
		ask:   refresh("desk"), happens: func(w *world) {
			_, err := w.party("desk").Renew(w.ctx, w.login(w.b, "shop", nil).Refresh)
			w.must(err)
		}},
	{name: "admin events are off", because: "admin events are off in realm", realm: settings{"adminEventsEnabled": false},
		ask: noSession(""), happens: func(w *world) {
			w.delete("/sessions/" + w.login(w.b, "shop", nil).Session)
		}},
	{name: "the account may not see events", because: "lacks the role view-events", as: "watcher", ask: noSession("shop"),
		happens: func(w *world) {
			watcher(w)
			loggedOut(w)
		}},
	{name: "the browser lost its cookies", because: "Keycloak writes no event when it shows a login page", ask: asked("shop"),
		happens: func(w *world) {
			w.login(w.b, "shop", nil)
			w.b.Forget()
			w.asked(w.b, "shop", nil)
		}},
	{name: "the password or the one-time code", because: "does not say which of the user's credentials was wrong",
		ask: noSession("shop"), realm: settings{"kim": withOTP},
		happens: func(w *world) { w.wrongPassword(w.b, "shop") }},
}

var withOTP = settings{"credentials": []settings{{"type": "password", "value": password},
	{"type": "otp", "userLabel": "phone", "secretData": `{"value":"` + otpSecret + `"}`,
		"credentialData": `{"subType":"totp","digits":6,"counter":0,"period":30,"algorithm":"HmacSHA1"}`}}}

func loggedOut(w *world) {
	shop := w.login(w.b, "shop", nil)
	_, err := w.party("shop").Logout(w.ctx, shop.Refresh)
	w.must(err)
	w.refreshFails("shop", shop)
}

// watcher makes a user of the realm who may see all but events.
func watcher(w *world) {
	w.Helper()
	id := w.post("/users", settings{"username": "watcher", "enabled": true, "email": "watcher@situations.example",
		"emailVerified": true, "firstName": "W", "lastName": "S",
		"credentials": []settings{{"type": "password", "value": "admin"}}})
	client := w.clientID("realm-management")
	var roles []settings
	for _, name := range []string{"view-realm", "view-users", "view-clients"} {
		roles = append(roles, w.role(client, name))
	}
	w.post("/users/"+id+"/role-mappings/clients/"+client, roles)
}

// atOnce has a test run beside others; the reference takes one after the other sooner.
func (s *site) atOnce(t *testing.T) {
	if s.name == "" {
		t.Parallel()
	}
}

// outside holds what is answered from another server's evidence.
func outside(t *testing.T, at *site) {
	all := map[string]situation{}
	for _, s := range situations() {
		all[s.name] = s
	}
	for _, name := range decided {
		s, ok := all[name]
		if !ok {
			t.Fatalf("there is no situation %q", name)
		}
		t.Run(name, func(t *testing.T) {
			at.atOnce(t)
			w := newWorld(t, at, merged(kept, s.realm), true)
			s.happens(w)
			a := w.fromOutside(s.ask)
			if len(a.Findings) == 0 || a.Findings[0].Reason != s.reason {
				t.Fatalf("want %s first, found%s\ncannot tell %+v", s.reason, told(a.Findings), a.CannotTell)
			}
			if f := a.Findings[0]; f.Sentence == "" || f.Remedy == "" || len(f.Evidence) == 0 {
				t.Errorf("no sentence, no evidence or no remedy: %+v", f)
			}
		})
	}
	for _, s := range undecided {
		t.Run("cannot tell/"+s.name, func(t *testing.T) {
			at.atOnce(t)
			w := newWorld(t, at, merged(kept, s.realm), !s.silent)
			s.happens(w)
			var as []string
			if s.as != "" {
				as = []string{"--admin-user", s.as, "--auth-realm", w.realm}
			}
			a := w.fromOutside(s.ask, as...)
			if len(a.Findings) > 0 || len(a.CannotTell) == 0 || !strings.Contains(a.CannotTell[0].Because, s.because) ||
				a.CannotTell[0].Remedy == "" {
				t.Fatalf("want no answer, because %q; found%s\ncannot tell %+v", s.because, told(a.Findings), a.CannotTell)
			}
		})
	}
}

// A Latchkey that is asked by Keycloak's endpoints alone is told no record.
func TestOutside(t *testing.T) {
	outside(t, newSite(t, harness.SQLite))
}

// Measure: the same on the reference. TestReference in test/doctor, which starts one where Java is, runs this.
func TestOutsideReference(t *testing.T) {
	base := os.Getenv("REFERENCE_URL")
	if base == "" {
		t.Skip("REFERENCE_URL names no running reference; test/doctor starts one and comes here")
	}
	box := postbox.New(t)
	box.Up(t)
	at := &site{box: box, base: base, other: "http://" + forward(t, strings.TrimPrefix(base, "http://")), admin: visitor.NewAdmin(base),
		name: "outside-"}
	at.realms.Store(time.Now().Unix()) // ids of users are taken once in all of its realms
	outside(t, at)
}
