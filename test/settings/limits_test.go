package settings

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/test/visitor"
)

// What the step that limits a user's sessions does to five direct grants in turn,
// as the reference answers them. Keycloak: UserSessionLimitsAuthenticator.
func TestSessionLimits(t *testing.T) {
	const deny, end = "Deny new session", "Terminate oldest session"
	each(t, func(t *testing.T, w *world) {
		for i, c := range []struct {
			name            string
			behavior        string
			realm, client   int
			statuses, lists string // after each grant: its status, and whose sessions there are
			heard           int    // logouts that the client good is told of
		}{
			{"a new one is denied in the realm", deny, 2, 0, "200 200 403 403 403", "good|good good|good good|good good|good good", 0},
			{"a new one is denied for the client", deny, 0, 1, "200 403 200 403 403", "good|good|good mute|good mute|good mute", 0},
			{"the oldest ends in the realm", end, 2, 0, "200 200 200 200 200", "good|good good|good mute|good mute|good mute", 2},
			{"the oldest ends for the client", end, 3, 1, "200 200 200 200 200", "good|good|good mute|good mute|good mute", 2},
			{"no limit", end, 0, -1, "200 200 200 200 200", "good|good good|good good mute|good good good mute|good good good mute mute", 0},
		} {
			r := w.realm(fmt.Sprint("limits", i), fmt.Sprintf(`"directGrantFlow": "limited", "eventsEnabled": true,
				"authenticationFlows": [{"alias": "limited", "providerId": "basic-flow", "topLevel": true, "authenticationExecutions": [
					{"authenticator": "direct-grant-validate-username", "requirement": "REQUIRED", "priority": 10},
					{"authenticator": "direct-grant-validate-password", "requirement": "REQUIRED", "priority": 20},
					{"authenticator": "user-session-limits", "requirement": "REQUIRED", "priority": 30, "authenticatorConfig": "limits"}]}],
				"authenticatorConfig": [{"alias": "limits", "config": {"userRealmLimit": "%d", "userClientLimit": "%d", "behavior": %q}}],`, c.realm, c.client, c.behavior))
			heard := r.withHearers()
			kim := r.userID()
			var statuses, lists []string
			for _, client := range []string{"good", "good", "mute", "good", "mute"} {
				a, err := r.as(client).Post(r, "token", url.Values{"grant_type": {"password"}, "username": {username}, "password": {password}})
				w.must(err)
				statuses = append(statuses, fmt.Sprint(a.Status))
				var sessions []struct{ Clients map[string]string }
				w.must(r.admin.Get(r, r.at("/users/"+kim+"/sessions"), &sessions))
				var whose []string
				for _, s := range sessions {
					for _, client := range s.Clients {
						whose = append(whose, client)
					}
				}
				slices.Sort(whose)
				lists = append(lists, strings.Join(whose, " "))
				time.Sleep(2 * time.Millisecond) // last uses tell which is the oldest
			}
			if got := strings.Join(statuses, " "); got != c.statuses {
				t.Errorf("%s: answered %s, want %s", c.name, got, c.statuses)
			}
			if got := strings.Join(lists, "|"); got != c.lists {
				t.Errorf("%s: there are %s, want %s", c.name, got, c.lists)
			}
			eventually(w, func() bool { return heard("good") == c.heard }, func() {
				t.Errorf("%s: the client hears of %d logouts, want %d", c.name, heard("good"), c.heard)
			})
			var events []struct{ Type, Error, SessionID string }
			w.must(r.admin.Get(r, r.at("/events?type=LOGIN_ERROR&type=LOGOUT"), &events))
			for _, e := range events {
				if e.Type == "LOGOUT" && e.SessionID == "" || e.Type == "LOGIN_ERROR" && e.Error != "generic_authentication_error" {
					t.Errorf("%s: event %+v", c.name, e)
				}
			}
			if gone := 5 - len(strings.Fields(lists[4])); len(events) != gone {
				t.Errorf("%s: %d events of refusals and ends, want %d", c.name, len(events), gone)
			}
		}
	})
}

// Who signs out other devices with a new password has their clients told.
// Keycloak: AuthenticatorUtil.logoutOtherSessions.
func TestOtherDevicesHearOfTheirLogout(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := w.realm("devices", "")
		heard := r.withHearers()
		there := r.signOn(visitor.NewBrowser(), "good", "openid")
		w.must(r.admin.Put(r, r.at("/users/"+r.userID()), map[string]any{"requiredActions": []string{"UPDATE_PASSWORD"}}))
		here := visitor.NewBrowser()
		p, err := here.Open(r, r.as("mute").AuthURL())
		w.must(err)
		p, err = p.Submit(r, map[string]string{"username": username, "password": password})
		w.must(err)
		p, err = p.Submit(r, map[string]string{"password-new": "another-password", "password-confirm": "another-password",
			"logout-sessions": "on"})
		w.must(err)
		if _, err := p.Code(); err != nil {
			t.Fatalf("%v: %.300s", err, p.Body)
		}
		if r.alive("good", there) {
			t.Error("the other device goes on")
		}
		eventually(w, func() bool { return heard("good") == 1 }, func() { t.Errorf("its client hears of %d logouts", heard("good")) })
	})
}
