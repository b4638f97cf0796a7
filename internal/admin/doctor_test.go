package admin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/doctor"
	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// patient is a shop with trouble: web has offline_access as a default scope and
// three live offline sessions of a week, one of them refreshed.
func patient(t *testing.T, db *store.DB) (s *shop, web string) {
	s = newShopOn(t, db)
	web = s.want("POST", "/clients",
		`{"clientId":"web","publicClient":true,"directAccessGrantsEnabled":true,"redirectUris":["https://app.test/cb"],"webOrigins":["*"],
		"attributes":{"custom":"kept"},"defaultClientScopes":["profile","offline_access"],"optionalClientScopes":["phone"]}`, 201, "")
	realm, err := s.h.Realms.Get(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		id := iam.SessionID(fmt.Sprint("offline", i))
		at := db.Now().Add(-time.Hour)
		used := at
		if i == 0 {
			used = db.Now().Add(-time.Minute)
		}
		err := s.h.Sessions.Login(t.Context(), &sessions.Login{New: true,
			Session: &iam.UserSession{ID: id, Realm: realm.ID, User: "u", Offline: true, Started: at, LastAccess: used},
			ClientSession: &iam.ClientSession{Session: id, Realm: realm.ID, Client: iam.ClientID(web), Offline: true,
				Started: at, LastAccess: used}})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s, web
}

func (s *shop) decode(text string, v any) {
	s.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		s.Fatalf("%v in %s", err, text)
	}
}

// scopes demands a client's default and optional scopes, in no order.
func (s *shop) scopes(client, want string) {
	s.Helper()
	var c rep.Client
	s.decode(s.want("GET", "/clients/"+client, "", 200, ""), &c)
	slices.Sort(c.DefaultClientScopes)
	slices.Sort(c.OptionalClientScopes)
	if got := strings.Join(c.DefaultClientScopes, " ") + "; " + strings.Join(c.OptionalClientScopes, " "); got != want {
		s.Errorf("scopes %s, want %s", got, want)
	}
}

// From finding to preview, fix, and undo, through the endpoints alone.
func TestDoctor(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, web := patient(t, db)
		var report doctor.Report
		s.decode(s.want("GET", "/doctor", "", 200, `"server":"Latchkey"`), &report)
		id := "offline-access-client-default." + web
		f := report.Finding(id)
		if f == nil {
			t.Fatalf("not found: %+v", report)
		}
		if f.Severity != doctor.Error || f.Subject.Name != "web" || !strings.Contains(f.Consequence,
			"3 offline sessions begun this week, 1 refreshed; 3 live in all.") {
			t.Errorf("%+v", f)
		}
		s.want("GET", "/doctor", "", 200,
			`{"check":"direct-grants-unused","title":"direct access grants are enabled and not used","because":"events are not stored"}`)
		s.want("GET", "/doctor?check=web-origins-any&client=web&severity=warning", "", 200, `"id":"web-origins-any.`+web)
		s.want("GET", "/doctor?check=nonsense", "", 400, "Unknown check")
		s.want("GET", "/doctor?severity=bad", "", 400, "severity must be")
		s.want("GET", "/doctor?days=0", "", 400, "days must be")

		at := "/doctor/" + id + "/fix"
		text := s.want("POST", at+"?dry-run=true", "", 200, `"before":"default","after":"optional"`)
		var p doctor.Preview
		s.decode(text, &p)
		if !strings.Contains(text, "3 live offline tokens keep working.") || p.Expect == "" {
			t.Error(text)
		}
		s.want("POST", at+"?dry-run=true", `{"fix":"remove"}`, 200, "3 live offline tokens fail at their next refresh.")
		s.want("POST", at, `{"fix":"nonsense"}`, 404, "no such fix")
		s.want("POST", "/doctor/implicit-flow."+web+"/fix", "", 404, "no such finding")
		s.want("POST", "/doctor/nonsense/fix", "", 404, "no such finding")
		s.want("POST", at, `{"expect":"0123"}`, 409, `"preview":{"finding":"`+id)
		s.scopes(web, "offline_access profile; phone")

		var rec doctor.Record
		s.decode(s.want("POST", at, `{"fix":"optional","expect":"`+p.Expect+`"}`, 200, `"madeBy":"root"`), &rec)
		s.scopes(web, "profile; offline_access phone")
		s.want("POST", at, "", 404, "no such finding")
		scope := rec.Changes[0].Scope.ID
		for _, path := range []string{"clients/" + web + "/default-client-scopes/" + scope, "clients/" + web +
			"/optional-client-scopes/" + scope} {
			s.want("GET", "/admin-events?resourcePath="+path, "", 200, `"resourceType":"CLIENT_SCOPE_CLIENT_MAPPING"`)
		}
		s.want("GET", "/doctor/fixes", "", 200, `"id":"`+rec.ID+`","finding":"`+id+`","fix":"optional"`)
		s.want("GET", "/doctor/fixes?max=0", "", 400, "max must be")
		s.want("POST", "/doctor/fixes/nonsense/undo", "", 404, "no such record")
		s.want("POST", "/doctor/fixes/"+rec.ID+"/undo", "", 200, `"undoneBy":"root"`)
		s.scopes(web, "offline_access profile; phone")
		s.want("POST", "/doctor/fixes/"+rec.ID+"/undo", "", 409, "undone before")
		s.want("GET", "/doctor?check=offline-access-client-default", "", 200, id)
	})
}

// Members of realms and clients are changed alone, and undone unless somebody
// else has changed them meanwhile.
func TestDoctorChangesOneMember(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, web := patient(t, db)
		before := s.want("GET", "/clients/"+web, "", 200, "")
		var rec doctor.Record
		s.decode(s.want("POST", "/doctor/web-origins-any."+web+"/fix", "", 200, ""), &rec)
		if got := s.want("GET", "/clients/"+web, "", 200, ""); got != strings.Replace(before, `"webOrigins":["*"]`, `"webOrigins":["+"]`, 1) {
			t.Errorf("%s\n%s", before, got)
		}
		s.want("GET", "/admin-events?resourcePath=clients/"+web, "", 200, `"representation":"{\"webOrigins\":[\"+\"]}"`)
		s.want("PUT", "/clients/"+web, `{"webOrigins":["https://app.test"]}`, 204, "")
		s.want("POST", "/doctor/fixes/"+rec.ID+"/undo", "", 409, `"before":["+"],"after":["*"],"now":["https://app.test"]`)
		s.want("GET", "/clients/"+web, "", 200, `"webOrigins":["https://app.test"]`)
		s.want("PUT", "/clients/"+web, `{"webOrigins":["+"]}`, 204, "")
		s.want("POST", "/doctor/fixes/"+rec.ID+"/undo", "", 200, "")
		if got := s.want("GET", "/clients/"+web, "", 200, ""); got != before {
			t.Errorf("undone:\n%s\n%s", before, got)
		}

		s.want("PUT", "", `{"revokeRefreshToken":true,"attributes":{"other":"stays"}}`, 204, "")
		settings := s.want("GET", "", "", 200, "")
		s.decode(s.want("POST", "/doctor/rotation-without-grace.realm/fix", "", 200, ""), &rec)
		s.want("GET", "", "", 200, `"latchkey.refreshGraceSeconds":"10"`)
		s.want("GET", "", "", 200, `"other":"stays"`)
		s.want("POST", "/doctor/fixes/"+rec.ID+"/undo", "", 200, "")
		s.decode(s.want("POST", "/doctor/brute-force-off.realm/fix", "", 200, ""), &rec)
		s.want("GET", "", "", 200, `"bruteForceProtected":true`)
		s.want("POST", "/doctor/fixes/"+rec.ID+"/undo", "", 200, "")
		if got := s.want("GET", "", "", 200, ""); got != settings {
			t.Errorf("undone:\n%s\n%s", settings, got)
		}

		scopes := s.want("GET", "/default-default-client-scopes", "", 200, "")
		var list []struct{ ID, Name string }
		s.decode(s.want("GET", "/default-optional-client-scopes", "", 200, ""), &list)
		i := slices.IndexFunc(list, func(x struct{ ID, Name string }) bool { return x.Name == "offline_access" })
		offline := list[i].ID
		s.want("DELETE", "/default-optional-client-scopes/"+offline, "", 204, "")
		s.want("PUT", "/default-default-client-scopes/"+offline, "", 204, "")
		s.decode(s.want("POST", "/doctor/offline-access-realm-default.realm/fix", `{"fix":"remove"}`, 200, ""), &rec)
		if got := s.want("GET", "/default-default-client-scopes", "", 200, ""); got != scopes {
			t.Errorf("%s, want %s", got, scopes)
		}
		s.want("POST", "/doctor/fixes/"+rec.ID+"/undo", "", 200, "")
		s.want("GET", "/default-default-client-scopes", "", 200, offline)
	})
}

// Many that undo one fix at once: one does.
func TestDoctorUndoesOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, _ := patient(t, db)
		var rec doctor.Record
		s.decode(s.want("POST", "/doctor/brute-force-off.realm/fix", "", 200, ""), &rec)
		var mu sync.Mutex
		codes := map[int]int{}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				code, _ := s.call("all", "POST", "/doctor/fixes/"+rec.ID+"/undo", "")
				mu.Lock()
				defer mu.Unlock()
				codes[code]++
			})
		}
		all.Wait()
		if codes[200] != 1 || codes[409] != 7 {
			t.Error(codes)
		}
	})
}

// Who may not see a part is told so and learns nothing of it; who may see all
// but change nothing can preview, and no more.
func TestDoctorRights(t *testing.T) {
	s, web := patient(t, storetest.SQLite(t))
	for _, c := range []struct {
		who, method, path, body string
		status                  int
		part, not               string
	}{
		{"view-users", "GET", "/doctor", "", 403, "", ""},
		{"view-clients,view-events", "GET", "/doctor", "", 403, "", ""},
		{"view-realm", "GET", "/doctor", "", 200, `"because":"this account lacks view-clients"`, web},
		{"view-realm", "GET", "/doctor", "", 200, `"because":"this account lacks view-users"`, "begun this week"},
		{"view-realm,view-users", "GET", "/doctor", "", 200, `"because":"this account lacks view-clients"`, web},
		{"view-realm,view-clients", "GET", "/doctor?check=offline-access-client-default", "", 200,
			"cannot be told, because this account lacks view-users", "3 offline"},
		{"view-realm,view-clients,view-users", "GET", "/doctor?check=direct-grants-unused", "", 200,
			`"because":"this account lacks view-events"`, ""},
		{"view-realm,manage-realm", "POST", "/doctor/web-origins-any." + web + "/fix", "", 404, "no such finding", ""},
		{"view-realm,view-clients,manage-realm", "POST", "/doctor/web-origins-any." + web + "/fix?dry-run=true", "", 200, `"after":["+"]`, ""},
		{"view-realm,view-clients,manage-realm", "POST", "/doctor/web-origins-any." + web + "/fix", "", 403, "", ""},
		{"view-realm,view-clients,manage-clients", "POST", "/doctor/brute-force-off.realm/fix", "", 403, "", ""},
		{"manage-clients", "POST", "/doctor/web-origins-any." + web + "/fix", "", 403, "", ""},
		{"view-realm,manage-clients", "POST", "/doctor/web-origins-any." + web + "/fix", "", 200, `"fix":"redirects"`, ""},
		{"view-realm", "GET", "/doctor/fixes", "", 200, "[]", web},
		{"view-realm,view-clients", "GET", "/doctor/fixes", "", 200, web, ""},
	} {
		code, got := s.call(c.who, c.method, c.path, c.body)
		if code != c.status || !strings.Contains(got, c.part) || c.not != "" && strings.Contains(got, c.not) {
			t.Errorf("%s: %s %s: %d %s, want %d with %q without %q", c.who, c.method, c.path, code, got, c.status, c.part, c.not)
		}
	}
	var list []doctor.Record
	s.decode(s.want("GET", "/doctor/fixes", "", 200, ""), &list)
	if code, got := s.call("view-realm,view-clients,manage-realm", "POST", "/doctor/fixes/"+list[0].ID+"/undo", ""); code != 403 {
		t.Errorf("undone by who may not manage clients: %d %s", code, got)
	}
	// Another realm's administrator: see also TestMachinery.
	if _, err := s.h.Manager.Create(t.Context(), otherRealm()); err != nil {
		t.Fatal(err)
	}
	for _, x := range []string{"GET /doctor", "GET /doctor/fixes", "POST /doctor/brute-force-off.realm/fix", "POST /doctor/fixes/" +
		list[0].ID + "/undo"} {
		method, path, _ := strings.Cut(x, " ")
		if code, got := s.callIn("other", "all", method, path, ""); code != 403 {
			t.Errorf("%s of another realm: %d %s", x, code, got)
		}
	}
}

// A right to view the realm's clients that are made for administration is none
// to change them.
func TestDoctorLeavesAdministrationAlone(t *testing.T) {
	s := newShop(t)
	realm, err := s.h.Realms.Get(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	admin, err := realm.ClientByName(t.Context(), "realm-management")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.h.Clients.Update(t.Context(), realm, admin.ID, &rep.Client{BearerOnly: new(false),
		ImplicitFlowEnabled: new(true)}); err != nil {
		t.Fatal(err)
	}
	id := "implicit-flow." + string(admin.ID)
	s.want("GET", "/doctor?check=implicit-flow", "", 200, id)
	s.want("POST", "/doctor/"+id+"/fix?dry-run=true", "", 200, "")
	s.want("POST", "/doctor/"+id+"/fix", "", 403, "")
}

func otherRealm() *rep.Realm { return &rep.Realm{Realm: "other", Enabled: new(true)} }

// What events and sessions tell: who is used, who is not, and what a logout left.
func TestDoctorEvidence(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, web := patient(t, db)
		ctx := t.Context()
		realm, err := s.h.Realms.Get(ctx, "shop")
		if err != nil {
			t.Fatal(err)
		}
		idle := s.want("POST", "/clients", `{"clientId":"idle","directAccessGrantsEnabled":true,"redirectUris":["https://idle.test/cb"]}`,
			201, "")
		event := func(id string, kind iam.EventKind, client string, ago time.Duration, details map[string]string) {
			t.Helper()
			err := db.Tx(ctx, func(tx *store.Tx) error {
				return tx.InsertEvent(ctx, &iam.Event{Realm: realm.ID, ID: id, Kind: kind, Client: client, Time: tx.Now.Add(-ago), Details: details})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		const day = 24 * time.Hour
		s.want("PUT", "", `{"eventsEnabled":true,"enabledEventTypes":["LOGOUT","LOGIN"]}`, 204, "")
		s.want("GET", "/doctor?check=client-unused", "", 200, "because\":\"events of type CLIENT_LOGIN are not stored")
		s.want("PUT", "", `{"enabledEventTypes":[]}`, 204, "")
		event("a", "LOGIN", "web", day, map[string]string{"grant_type": "authorization_code"})
		s.want("GET", "/doctor?check=client-unused", "", 200, "the oldest stored event is of ")
		event("b", "LOGIN", "idle", 100*day, nil)
		s.want("GET", "/doctor?check=client-unused", "", 200, `"id":"client-unused.`+idle)
		s.want("GET", "/doctor?check=client-unused&days=99", "", 200, `"client-unused.`+idle)
		if got := s.want("GET", "/doctor?check=client-unused", "", 200, `"cannotTell":[]`); strings.Contains(got, web) {
			t.Errorf("web has sessions: %s", got)
		}
		s.want("GET", "/doctor?check=direct-grants-unused", "", 200, `"id":"direct-grants-unused.`+web)
		event("c", "LOGIN", "web", day, map[string]string{"grant_type": "password"})
		if got := s.want("GET", "/doctor?check=direct-grants-unused", "", 200, idle); strings.Contains(got, web) {
			t.Errorf("web uses direct grants: %s", got)
		}

		s.want("GET", "/doctor?check=zombie-offline-sessions", "", 200, `"healthy":["zombie-offline-sessions"]`)
		for _, offline := range []bool{false, true} {
			err = s.h.Sessions.Login(ctx, &sessions.Login{New: true,
				Session: &iam.UserSession{ID: "left", Realm: realm.ID, User: "u", Offline: offline, Started: db.Now(), LastAccess: db.Now()},
				ClientSession: &iam.ClientSession{Session: "left", Realm: realm.ID, Client: iam.ClientID(web), Offline: offline, Started: db.Now(),
					LastAccess: db.Now()}})
			if err != nil {
				t.Fatal(err)
			}
		}
		s.want("DELETE", "/sessions/left", "", 204, "")
		s.want("GET", "/doctor?check=zombie-offline-sessions", "", 200, "1 offline session of client web outlived the logout")
		if err := s.h.Manager.Update(ctx, realm.ID, &rep.Realm{NotBefore: new(int(db.Now().Add(-30 * time.Minute).Unix()))}); err != nil {
			t.Fatal(err)
		}
		s.want("GET", "/doctor?check=zombie-offline-sessions", "", 200, "2 offline sessions of client web have no token that works")

		got := s.want("GET", "/doctor?check=offline-sessions-without-maximum", "", 200, "4 live offline sessions")
		if !strings.Contains(got, "end at once: 0 sessions") {
			t.Error(got)
		}
	})
}
