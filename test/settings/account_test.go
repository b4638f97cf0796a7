package settings

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/test/visitor"
)

// account asks the account API with an access token; out, unless nil, is read
// from an answer of 200.
func (r *realm) account(method, path, token string, out any) (status int, body string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r, method, r.base+"/realms/"+r.name+"/account"+path, nil)
	r.must(err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	r.must(err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	r.must(err)
	if out != nil && resp.StatusCode == http.StatusOK {
		r.must(json.Unmarshal(data, out))
	}
	return resp.StatusCode, string(data)
}

type grant struct {
	Client      string `json:"clientId"`
	Name        string `json:"clientName"`
	Session     string `json:"session"`
	Started     int64  `json:"started"`
	LastAccess  int64  `json:"lastAccess"`
	ExpiresIdle int64  `json:"expiresIdle"`
	ExpiresMax  int64  `json:"expiresMax"`
	Scopes      []struct {
		Name string `json:"name"`
		Why  string `json:"why"`
	} `json:"scopes"`
	May       string `json:"may"`
	Browser   string `json:"browser"`
	Refreshes int64  `json:"refreshes"`
}

func (g *grant) why(scope string) string {
	for _, s := range g.Scopes {
		if s.Name == scope {
			return s.Why
		}
	}
	return ""
}

// addUser makes another user with the realm's default roles.
func (r *realm) addUser(name string) (id string) {
	r.t.Helper()
	id, err := r.admin.Post(r, r.at("/users"), map[string]any{"username": name, "enabled": true, "email": name + "@settings.example",
		"emailVerified": true,
		"firstName":     name, "lastName": "Set", "credentials": []map[string]any{{"type": "password", "value": password}}})
	r.must(err)
	return id
}

func TestOfflineGrantsOfTheAccount(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := w.realm("grants",
			`"offlineSessionIdleTimeout": 2592000, "offlineSessionMaxLifespanEnabled": true, "offlineSessionMaxLifespan": 5184000,
			"attributes": {"latchkey.offlineSso": "keep"},`)
		heard := r.withHearers()
		r.addUser("lee")
		browser := visitor.NewBrowser()
		app := r.signOn(browser, "app", "openid offline_access")
		good := r.signOn(browser, "good", "openid offline_access")
		lee, err := r.oauth.PasswordCredentialsToken(r, "lee", password)
		w.must(err)
		fresh, refused := r.refresh(app.Refresh)
		if refused != "" {
			t.Fatal(refused)
		}
		token := fresh.AccessToken

		var list []grant
		if status, body := r.account("GET", "/offline-grants", token, &list); status != http.StatusOK || len(list) != 2 {
			t.Fatalf("the offline grants are answered %d %s", status, body)
		}
		find := func(client string) *grant {
			for i := range list {
				if list[i].Client == client {
					return &list[i]
				}
			}
			t.Fatalf("%s is not among %+v", client, list)
			return nil
		}
		g, now := find("app"), time.Now().Unix()
		const month = 30 * 24 * 3600
		if g.Name != "The app" || g.Session != claims(t, app.Refresh)["sid"] || g.Refreshes != 1 || g.why("offline_access") != "requested" ||
			g.why("email") == "" ||
			now-g.Started > 60 || now-g.LastAccess > 60 || g.ExpiresIdle != g.LastAccess+month || g.ExpiresMax != g.Started+2*month ||
			g.Browser == "" {
			t.Errorf("the app's grant: %+v", g)
		}
		want := "The app can get new tokens for you without asking, until 30 days after it last did so, and no longer than until "
		if !strings.HasPrefix(g.May, want) {
			t.Errorf("what the app may do: %q", g.May)
		}
		if !strings.HasPrefix(find("good").May, "good can get new tokens") || find("good").Refreshes != 0 {
			t.Errorf("the other grant: %+v", find("good"))
		}
		var others []grant
		if status, _ := r.account("GET", "/offline-grants", lee.AccessToken, &others); status != http.StatusOK || len(others) != 0 {
			t.Errorf("another user sees %d %+v", status, others)
		}

		// Nobody else's, and without telling.
		path := "/offline-grants/" + g.Session + "/app"
		status, body := r.account("DELETE", path, lee.AccessToken, nil)
		nowhere, same := r.account("DELETE", "/offline-grants/nonsense/app", lee.AccessToken, nil)
		if status != http.StatusNotFound || nowhere != status || body != same {
			t.Errorf("another user's grant is answered %d %s, one that is not there %d %s", status, body, nowhere, same)
		}
		foreign := w.realm("foreign", "")
		if status, _ := foreign.account("DELETE", path, token, nil); status != http.StatusUnauthorized {
			t.Errorf("another realm answers %d", status)
		}
		if status, _ := r.account("DELETE", path, foreign.passwordGrant().AccessToken, nil); status != http.StatusUnauthorized {
			t.Errorf("another realm's token is answered %d", status)
		}
		if !r.alive("app", &visitor.Answer{Access: token, Refresh: fresh.RefreshToken}) || !r.alive("good", good) {
			t.Fatal("one of these ended something")
		}

		// One's own: this grant, and nothing else.
		if status, body := r.account("DELETE", "/offline-grants/"+find("good").Session+"/good", token, nil); status != http.StatusNoContent {
			t.Fatalf("ending a grant is answered %d %s", status, body)
		}
		if r.alive("good", good) || !r.alive("app", &visitor.Answer{Access: token, Refresh: fresh.RefreshToken}) {
			t.Error("not this grant ended, or not alone")
		}
		if heard("good") != 1 {
			t.Errorf("the client was told %d times", heard("good"))
		}
		if page, err := browser.Open(r, r.as("good").AuthURL()); err != nil || !page.Away {
			t.Errorf("the browser is not signed on any more: %v", err)
		}
		if status, _ := r.account("DELETE", "/offline-grants/"+find("good").Session+"/good", token, nil); status != http.StatusNotFound {
			t.Errorf("a second time it is answered %d", status)
		}
		if status, _ := r.account("GET", "/offline-grants", token, &list); status != http.StatusOK || len(list) != 1 || list[0].Client != "app" {
			t.Errorf("afterwards there are %d %+v", status, list)
		}
		if status, _ := r.account("DELETE", path, token, nil); status != http.StatusNoContent {
			t.Errorf("ending the grant of one's own token is answered %d", status)
		}
		var ended struct {
			Sessions []struct {
				Kind string `json:"kind"`
				End  struct {
					Reason string `json:"reason"`
					Rule   string `json:"rule"`
				} `json:"end"`
			} `json:"sessions"`
		}
		w.must(w.admin.Get(w, r.at("/users/"+r.userID()+"/session-explorer?state=ended&kind=offline"), &ended))
		if len(ended.Sessions) != 1 || ended.Sessions[0].End.Reason != "logout-by-user" ||
			ended.Sessions[0].End.Rule != "account: offline grants" {
			t.Errorf("the records say %+v", ended)
		}
	})
}

// What is kept of a removed user's sessions and refusals names neither them nor
// where they were.
func TestRemovedUsersLeaveNoAddresses(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := w.realm("removed", "")
		user := r.addUser("max")
		browser := visitor.NewBrowser()
		page, err := browser.Open(r, r.party.AuthURL())
		w.must(err)
		page, err = page.Login(r, "max", "wrong")
		w.must(err)
		page, err = page.Login(r, "max", password)
		w.must(err)
		_, err = page.Code()
		w.must(err)
		_, err = r.oauth.PasswordCredentialsToken(r, "max", password)
		w.must(err)
		w.must(w.second(w.admin.Post(w, r.at("/users/"+user+"/logout"), nil)))
		_, err = r.oauth.PasswordCredentialsToken(r, "max", password) // live when the user is removed
		w.must(err)

		type entry struct {
			Kind     string `json:"kind"`
			Username string `json:"username"`
			Address  string `json:"ipAddress"`
			Device   *struct {
				Browser string `json:"browser"`
			} `json:"device"`
		}
		records := func() (list []entry) {
			var page struct {
				Sessions []entry `json:"sessions"`
			}
			w.must(w.admin.Get(w, r.at("/session-explorer?kind=online,refused&user="+user), &page))
			return page.Sessions
		}
		before := records()
		named, placed := 0, 0
		for _, e := range before {
			if e.Username == "max" {
				named++
			}
			if e.Address != "" {
				placed++
			}
		}
		if len(before) != 4 || named < 3 || placed != 4 {
			t.Fatalf("beforehand there are 3 sessions and a refusal, with names and addresses; got %+v", before)
		}
		w.must(w.admin.Delete(w, r.at("/users/"+user)))
		after := records()
		if len(after) != 4 {
			t.Errorf("%d records are left of 4", len(after))
		}
		for _, e := range after {
			if e.Username != "" || e.Address != "" || e.Device != nil && e.Device.Browser != "" {
				t.Errorf("a record still tells of the user: %+v %+v", e, e.Device)
			}
		}
	})
}

// What a realm does not keep of addresses is not in records of sessions that ended.
func TestAddressesInRecords(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for setting, want := range map[string]string{"full": "127.0.0.1", "short": "127.0.0.0/24", "off": ""} {
			r := w.realm("addresses"+setting, `"attributes": {"latchkey.addresses": "`+setting+`"},`)
			r.passwordGrant()
			user := r.userID()
			w.must(w.second(w.admin.Post(w, r.at("/users/"+user+"/logout"), nil)))
			w.must(w.admin.Put(w, r.at(""), map[string]any{"attributes": map[string]string{"latchkey.addresses": "full"}})) // shows what is kept
			var page struct {
				Sessions []struct {
					Address string `json:"ipAddress"`
				} `json:"sessions"`
			}
			eventually(w, func() bool {
				w.must(w.admin.Get(w, r.at("/session-explorer?state=ended&user="+user), &page))
				return len(page.Sessions) == 1 && page.Sessions[0].Address == want
			}, func() { t.Errorf("%s keeps %+v, want one with %q", setting, page.Sessions, want) })
		}
	})
}

// eventually waits for a change of settings to be seen, two seconds at most.
func eventually(w *world, ok func() bool, late func()) {
	w.t.Helper()
	for end := time.Now().Add(2 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			late()
			return
		}
	}
}
