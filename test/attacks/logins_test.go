package attacks

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// A shop is a realm with the users alice and bob, whose passwords are their names
// and "-pw", and three clients: "web", "other", and "off", whose tokens are offline
// ones without being asked for.
type shop struct {
	context.Context
	testing.TB
	base  string
	realm string
	admin *visitor.Admin

	restart func() // of the server
}

const shopDoc = `{"realm": "shop", "enabled": true, "rememberMe": true, "eventsEnabled": true,
	"clients": [
		{"clientId": "web", "secret": "web-secret", "redirectUris": ["http://web.example/*"], "directAccessGrantsEnabled": true},
		{"clientId": "other", "secret": "other-secret", "redirectUris": ["http://other.example/*"]},
		{"clientId": "off", "secret": "off-secret", "redirectUris": ["http://off.example/*"],
			"defaultClientScopes": ["basic", "profile", "email", "roles", "web-origins", "acr", "offline_access"]}],
	"users": [
		{"username": "alice", "enabled": true, "email": "alice@shop.example", "emailVerified": true, "firstName": "A", "lastName": "L",
			"realmRoles": ["default-roles-shop"], "credentials": [{"type": "password", "value": "alice-pw"}]},
		{"username": "bob", "enabled": true, "email": "bob@shop.example", "emailVerified": true, "firstName": "B", "lastName": "O",
			"realmRoles": ["default-roles-shop"], "credentials": [{"type": "password", "value": "bob-pw"}]}]}`

// eachShop runs a test in a shop on each engine.
func eachShop(t *testing.T, f func(t *testing.T, s *shop)) {
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		server := harness.Start(t, harness.Options{Engine: e})
		f(t, openShop(t, server))
	})
}

func openShop(t testing.TB, server *harness.Server) *shop {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	s := &shop{Context: ctx, TB: t, base: server.URL, realm: "shop", admin: visitor.NewAdmin(server.URL),
		restart: func() { server.Stop(t); server.Restart(t) }}
	_, err := s.admin.Post(s, "", json.RawMessage(shopDoc))
	s.must(err)
	return s
}

func (s *shop) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// party is a client of the shop.
func (s *shop) party(client string) visitor.Party {
	return visitor.Party{Base: s.base, Realm: s.realm, ClientID: client, Secret: client + "-secret", Redirect: "http://" +
		client + ".example/cb"}
}

// open opens a client's login page; more goes behind the address.
func (s *shop) open(b *visitor.Browser, client, more string) *visitor.Page {
	s.Helper()
	page, err := b.Open(s, s.party(client).AuthURL()+more)
	s.must(err)
	return page
}

// submit logs somebody in at a page. What it comes to is for the caller to judge.
func (s *shop) submit(page *visitor.Page, user string) *visitor.Page {
	s.Helper()
	next, err := page.Login(s, user, user+"-pw")
	s.must(err)
	return next
}

// redeem redeems the code that a page carries.
func (s *shop) redeem(page *visitor.Page, client string) *visitor.Answer {
	s.Helper()
	code, err := page.Code()
	s.must(err)
	a, err := s.party(client).Redeem(s, code)
	s.must(err)
	return a
}

// names checks that tokens name a user wherever they are shown, now and after a
// refresh, and nobody else; that they are refused is as good, unless they have to be
// alive.
func (s *shop) names(what string, a *visitor.Answer, client, user string, alive bool) {
	s.Helper()
	p := s.party(client)
	if !a.OK() {
		s.Errorf("%s: no tokens: %d %s %s", what, a.Status, a.Error, a.Description)
		return
	}
	who := func(door string, b *visitor.Answer, err error, member string, alive bool) {
		s.Helper()
		s.must(err)
		got, _ := b.Members[member].(string)
		switch {
		case got != "" && got != user:
			s.Errorf("%s: %s names %s, want %s", what, door, got, user)
		case got == "" && alive:
			s.Errorf("%s: %s names nobody: %d %v", what, door, b.Status, b.Members)
		}
	}
	info, err := p.UserInfo(s, a.Access)
	who("userinfo", info, err, "preferred_username", alive)
	told, err := p.Introspect(s, a.Access)
	who("introspection", told, err, "username", false) // the client is not in the audience
	account, err := s.account(a.Access)
	who("account", account, err, "username", alive)
	again, err := p.Renew(s, a.Refresh)
	s.must(err)
	if alive && !again.OK() {
		s.Errorf("%s: refresh: %d %s", what, again.Status, again.Description)
	}
	if again.OK() {
		info, err := p.UserInfo(s, again.Access)
		who("userinfo after a refresh", info, err, "preferred_username", alive)
	}
}

// account asks the account API who an access token is about.
func (s *shop) account(token string) (*visitor.Answer, error) {
	req, err := http.NewRequestWithContext(s, http.MethodGet, s.base+"/realms/"+s.realm+"/account", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	a := &visitor.Answer{Status: resp.StatusCode}
	if resp.StatusCode == http.StatusOK {
		err = json.NewDecoder(resp.Body).Decode(&a.Members)
	}
	return a, err
}

// Two people log in in one browser, or under one browser's cookies, and the first of
// them has an offline session: CVE-2025-12390, CVE-2022-3916.
func TestOfflineSessionsAreTheirUsersAlone(t *testing.T) {
	t.Parallel()
	eachShop(t, func(t *testing.T, s *shop) {
		for _, second := range []string{"off", "web", "other"} {
			t.Run("another page, of "+second, func(t *testing.T) {
				s := *s
				s.TB = t
				b := visitor.NewBrowser()
				first, next := s.open(b, "off", ""), s.open(b, second, "")
				alice := s.redeem(s.submit(first, "alice"), "off")
				page := s.submit(next, "bob")
				if !page.Away {
					t.Skipf("bob is shown a page: status %d", page.Status)
				}
				bob := s.redeem(page, second)
				s.names("bob's", bob, second, "bob", true)
				s.names("alice's", alice, "off", "alice", true)
			})
			t.Run("planted cookies, at "+second, func(t *testing.T) {
				s := *s
				s.TB = t
				at := s.base + "/realms/shop/"
				mallory, victim := visitor.NewBrowser(), visitor.NewBrowser()
				mine := s.open(mallory, "off", "")
				var planted []*http.Cookie
				for _, c := range mallory.Cookies(at) {
					if strings.HasPrefix(c.Name, "AUTH_SESSION_ID") || c.Name == "KC_RESTART" {
						planted = append(planted, &http.Cookie{Name: c.Name, Value: c.Value, Path: "/realms/shop/"})
					}
				}
				s.must(victim.Plant(at, planted...))
				alice := s.redeem(s.submit(s.open(victim, "off", ""), "alice"), "off")
				bob := s.redeem(s.submit(mine, "bob"), "off")
				s.names("the attacker's", bob, "off", "bob", true)
				s.names("the victim's", alice, "off", "alice", true)
				again := s.redeem(s.submit(s.open(victim, second, "&prompt=login"), "alice"), second)
				s.names("the victim's second login", again, second, "alice", true)
			})
		}
	})
}
