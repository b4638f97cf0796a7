package settings

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"latchkey/test/visitor"
)

// What POST users/{id}/end-sessions answers.
type endReport struct {
	Preview  bool   `json:"preview"`
	Text     string `json:"text"`
	Sessions []struct {
		ID      string `json:"id"`
		Kind    string `json:"kind"`
		Whole   bool   `json:"whole"`
		Clients []struct {
			ClientID string `json:"clientId"`
			Until    int64  `json:"accessTokenUntil"`
		} `json:"clients"`
	} `json:"sessions"`
	Calls []struct {
		ClientID string `json:"clientId"`
		Session  string `json:"sessionId"`
		How      string `json:"how"`
		URL      string `json:"url"`
		State    string `json:"state"`
		Delivery string `json:"delivery"`
		Due      int64  `json:"dueAt"`
	} `json:"logoutCalls"`
	NotBefore struct {
		Set bool `json:"set"`
	} `json:"notBefore"`
}

// lines is a report in short, to compare: "online whole: app(x) web".
func (e *endReport) lines() (list []string) {
	for _, s := range e.Sessions {
		line := s.Kind + " part:"
		if s.Whole {
			line = s.Kind + " whole:"
		}
		var names []string
		for _, c := range s.Clients {
			names = append(names, " "+c.ClientID)
		}
		slices.Sort(names)
		for _, n := range names {
			line += n
		}
		list = append(list, line)
	}
	slices.Sort(list)
	return list
}

func (e *endReport) calls() map[string]string {
	m := map[string]string{}
	for _, c := range e.Calls {
		m[c.ClientID] += c.How + " " + c.State + ";"
	}
	return m
}

// A hearing client is told of logouts at an address for each way to answer.
func hearing(t *testing.T) (base string, heard func(client string) int) {
	var mu sync.Mutex
	count := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.PostFormValue("logout_token") == "" {
			t.Error("a logout call without a token")
		}
		count[r.URL.Path[1:]]++
		switch r.URL.Path {
		case "/busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/no":
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, func(client string) int {
		mu.Lock()
		defer mu.Unlock()
		return count[client]
	}
}

// withHearers adds clients to a realm: "good", "busy" and "no" are called at
// their back channel, "front" is told through the browser, "mute" not at all.
func (r *realm) withHearers() (heard func(client string) int) {
	r.t.Helper()
	base, heard := hearing(r.t)
	for _, name := range []string{"good", "busy", "no", "front", "mute"} {
		attrs := map[string]string{}
		switch name {
		case "front":
			attrs["frontchannel.logout.url"] = "http://front.example/out"
		case "mute":
		default:
			attrs["backchannel.logout.url"] = base + "/" + name
		}
		_, err := r.admin.Post(r, r.at("/clients"), map[string]any{"clientId": name, "secret": "app-secret",
			"redirectUris":       []string{"http://app.example/*"},
			"frontchannelLogout": name == "front", "attributes": attrs, "directAccessGrantsEnabled": true})
		r.must(err)
	}
	return heard
}

func (r *realm) as(client string) visitor.Party {
	p := r.party
	p.ClientID = client
	return p
}

// signOn takes a browser to a client and redeems what it brings.
func (r *realm) signOn(b *visitor.Browser, client, scope string) *visitor.Answer {
	r.t.Helper()
	p := r.as(client)
	p.Scope = scope
	code, err := p.Code(r, b, username, password)
	r.must(err)
	a, err := p.Redeem(r, code)
	r.must(err)
	if !a.OK() {
		r.t.Fatalf("%s: the code is answered %d %s", client, a.Status, a.Description)
	}
	return a
}

// alive tells whether a client's refresh token and access token work.
func (r *realm) alive(client string, a *visitor.Answer) bool {
	r.t.Helper()
	info, err := r.party.UserInfo(r, a.Access)
	r.must(err)
	fresh, err := r.as(client).Renew(r, a.Refresh)
	r.must(err)
	if info.OK() != fresh.OK() {
		r.t.Errorf("%s: userinfo is answered %d, a refresh %d", client, info.Status, fresh.Status)
	}
	return fresh.OK()
}

func (r *realm) end(user string, request map[string]any) *endReport {
	r.t.Helper()
	report := new(endReport)
	_, err := r.admin.Do(r, http.MethodPost, r.at("/users/"+user+"/end-sessions"), request, report)
	r.must(err)
	return report
}

func (r *realm) userID() string {
	r.t.Helper()
	id, err := r.admin.ID(r, r.at("/users"), "username", username)
	r.must(err)
	return id
}

func TestEndSessions(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := w.realm("ends", `"adminEventsEnabled": true, "accessTokenLifespan": 300,`)
		heard := r.withHearers()
		user := r.userID()
		browser := visitor.NewBrowser()
		tokens := map[string]*visitor.Answer{}
		offline := r.signOn(browser, "good", "openid offline_access") // takes the browser's session along, as in Keycloak
		for _, client := range []string{"good", "busy", "no", "front", "mute"} {
			tokens[client] = r.signOn(browser, client, "openid")
		}
		other := r.passwordGrant() // a session of its own, at app

		all := map[string]any{"kinds": []string{"online", "offline"}}
		preview := r.end(user, map[string]any{"kinds": all["kinds"], "preview": true})
		want := []string{"offline whole: good", "online whole: app", "online whole: busy front good mute no"}
		if got := preview.lines(); !preview.Preview || !slices.Equal(got, want) || preview.NotBefore.Set {
			t.Errorf("the preview says %q, want %q", got, want)
		}
		now := time.Now().UnixMilli()
		for _, s := range preview.Sessions {
			for _, c := range s.Clients {
				if c.Until < now+290_000 || c.Until > now+301_000 {
					t.Errorf("access tokens of %s are said to be good for %d ms at most", c.ClientID, c.Until-now)
				}
			}
		}
		if got := preview.calls(); got["good"] != "back-channel ;back-channel ;" || got["front"] != "front-channel ;" ||
			got["mute"] != "none ;" || got["app"] != "none ;" {
			t.Errorf("the preview announces the calls %v", got)
		}
		for client, a := range tokens {
			if !r.alive(client, a) || heard(client) != 0 {
				t.Errorf("the preview did something to %s", client)
			}
		}
		var events []map[string]any
		w.must(w.admin.Get(w, r.at("/admin-events?resourcePath=users/"+user+"/end-sessions"), &events))
		if len(events) != 0 {
			t.Errorf("the preview left %d admin events", len(events))
		}

		// One client's part: the session stays.
		part := r.end(user, map[string]any{"kinds": []string{"online"}, "clients": []string{"mute"}})
		if got := part.lines(); !slices.Equal(got, []string{"online part: mute"}) {
			t.Errorf("ending one client's part says %q", got)
		}
		if r.alive("mute", tokens["mute"]) || !r.alive("good", tokens["good"]) || !r.alive("good", offline) {
			t.Error("ending one client's part ended something else")
		}
		page, err := browser.Open(r, r.as("mute").AuthURL())
		w.must(err)
		if !page.Away {
			t.Error("the session did not stay for single sign-on")
		}

		// One session, by its id; and one that is not there.
		one := r.end(user, map[string]any{"kinds": all["kinds"], "sessions": []string{claims(t, other.AccessToken)["sid"].(string), "nonsense"}})
		if got := one.lines(); !slices.Equal(got, []string{"online whole: app"}) {
			t.Errorf("ending one session says %q", got)
		}

		done := r.end(user, all)
		want = []string{"offline whole: good", "online whole: busy front good mute no"}
		if got := done.lines(); done.Preview || !slices.Equal(got, want) {
			t.Errorf("the end says %q, want %q", got, want)
		}
		if got := done.calls(); got["good"] != "back-channel delivered;back-channel delivered;" || got["busy"] != "back-channel due;" ||
			got["no"] != "back-channel given up;" || got["front"] != "front-channel ;" {
			t.Errorf("the end says of the calls %v", got)
		}
		if heard("good") != 2 || heard("busy") == 0 || heard("no") != 1 {
			t.Errorf("good was told %d times, busy %d, no %d", heard("good"), heard("busy"), heard("no"))
		}
		for _, c := range done.Calls {
			if (c.State == "due") != (c.Due > 0) || (c.How == "back-channel") != (c.Delivery != "") {
				t.Errorf("a call is said to stand like this: %+v", c)
			}
			if c.State != "due" {
				continue
			}
			var list []map[string]any
			w.must(w.admin.Get(w, r.at("/deliveries?state=due&session="+c.Session), &list))
			if !slices.ContainsFunc(list, func(d map[string]any) bool { return d["id"] == c.Delivery }) {
				t.Errorf("the delivery %s is not among those that are due: %v", c.Delivery, list)
			}
		}
		tokens["offline"] = offline
		for client, a := range tokens {
			if client == "offline" {
				client = "good"
			}
			if r.alive(client, a) {
				t.Errorf("%s still has tokens that work", client)
			}
		}
		page, err = browser.Open(r, r.party.AuthURL())
		w.must(err)
		if !page.Asks("password") {
			t.Error("the browser is still signed on")
		}
		if again := r.end(user, all); len(again.Sessions) != 0 || len(again.Calls) != 0 {
			t.Errorf("ending what is gone answers %+v", again)
		}
		w.must(w.admin.Get(w, r.at("/admin-events?resourcePath=users/"+user+"/end-sessions"), &events))
		if len(events) != 3 {
			t.Errorf("three ends that did something left %d admin events", len(events))
		}
		var list struct {
			Sessions []struct {
				Kind string `json:"kind"`
				End  struct {
					Reason string `json:"reason"`
					Rule   string `json:"rule"`
				} `json:"end"`
			} `json:"sessions"`
		}
		w.must(w.admin.Get(w, r.at("/users/"+user+"/session-explorer?state=ended&reason=logout-by-admin"), &list))
		kinds := map[string]int{}
		for _, s := range list.Sessions {
			if s.End.Rule == "end-sessions" {
				kinds[s.Kind]++
			}
		}
		if kinds["online"] != 2 || kinds["offline"] != 1 {
			t.Errorf("records of ends by end-sessions: %v of %+v", kinds, list)
		}
	})
}

func TestEndSessionsMayBeAskedByWhomItConcerns(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := w.realm("rights", "")
		user := r.userID()
		staff := func(name string, roles ...string) *visitor.Admin {
			id, err := w.admin.Post(w, r.at("/users"), map[string]any{"username": name, "enabled": true, "email": name + "@settings.example",
				"emailVerified": true,
				"firstName":     name, "lastName": "Staff", "credentials": []map[string]any{{"type": "password", "value": name}}})
			w.must(err)
			client, err := w.admin.ID(w, r.at("/clients?clientId=realm-management"), "clientId", "realm-management")
			w.must(err)
			var give []map[string]any
			for _, role := range roles {
				var one map[string]any
				w.must(w.admin.Get(w, r.at("/clients/"+client+"/roles/"+role), &one))
				give = append(give, one)
			}
			_, err = w.admin.Post(w, r.at("/users/"+id+"/role-mappings/clients/"+client), give)
			w.must(err)
			a := visitor.NewAdmin(w.base)
			a.Realm, a.Username, a.Password = r.name, name, name
			return a
		}
		viewer, manager, clerk := staff("viewer", "view-users"), staff("manager", "manage-users"), staff("clerk", "view-clients")
		w.realm("elsewhere", "")
		tok := r.passwordGrant()
		request := func(preview bool) map[string]any {
			return map[string]any{"kinds": []string{"online"}, "preview": preview}
		}
		for _, c := range []struct {
			name    string
			who     *visitor.Admin
			at      string
			request map[string]any
			want    int
		}{
			{"a viewer's preview", viewer, r.at("/users/" + user), request(true), 0},
			{"a viewer's end", viewer, r.at("/users/" + user), request(false), 403},
			{"a clerk's preview", clerk, r.at("/users/" + user), request(true), 403},
			{"another realm's user", manager, "/elsewhere/users/" + user, request(false), 403},
			{"a user of another realm", w.admin, "/elsewhere/users/" + user, request(false), 404},
			{"no kinds", manager, r.at("/users/" + user), map[string]any{}, 400},
			{"an unknown kind", manager, r.at("/users/" + user), map[string]any{"kinds": []string{"all"}}, 400},
			{"an unknown client", manager, r.at("/users/" + user), map[string]any{"kinds": []string{"online"}, "clients": []string{"nobody"}}, 400},
			{"another user's session", manager, r.at("/users/" + r.staffID("viewer")), map[string]any{"kinds": []string{"online"},
				"sessions": []any{claims(t, tok.AccessToken)["sid"]}}, 0},
		} {
			_, err := c.who.Do(w, http.MethodPost, c.at+"/end-sessions", c.request, new(endReport))
			status := 0
			if e, ok := errors.AsType[*visitor.StatusError](err); ok {
				status = e.Status
			} else {
				w.must(err)
			}
			if status != c.want {
				t.Errorf("%s is answered %d, want %d (0 for success)", c.name, status, c.want)
			}
		}
		if _, refused := r.refresh(tok.RefreshToken); refused != "" {
			t.Fatalf("the session ended by one of these: %s", refused)
		}
		_, err := manager.Do(w, http.MethodPost, r.at("/users/"+user+"/end-sessions"), request(false), new(endReport))
		w.must(err)
		if _, refused := r.refresh(tok.RefreshToken); refused == "" {
			t.Error("the manager's end did nothing")
		}
	})
}

// With notBefore the tokens of sessions that are not chosen are refused, too.
func TestEndSessionsWithNotBefore(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := w.realm("before", "")
		user := r.userID()
		kept := r.passwordGrant()
		chosen := r.passwordGrant()
		for i, set := range []bool{false, true} {
			time.Sleep(1100 * time.Millisecond) // tokens know whole seconds
			report := r.end(user, map[string]any{"kinds": []string{"online"}, "sessions": []any{claims(t, chosen.AccessToken)["sid"]},
				"notBefore": set})
			if report.NotBefore.Set != set || len(report.Sessions) != 1-i {
				t.Errorf("notBefore %v: %+v", set, report)
			}
			info, err := r.party.UserInfo(r, kept.AccessToken)
			w.must(err)
			if info.OK() == set {
				t.Errorf("with notBefore %v the other session's token is answered %d", set, info.Status)
			}
		}
	})
}

func (r *realm) staffID(name string) string {
	r.t.Helper()
	id, err := r.admin.ID(r, r.at(fmt.Sprintf("/users?exact=true&username=%s", name)), "username", name)
	r.must(err)
	return id
}
