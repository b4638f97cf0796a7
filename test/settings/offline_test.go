package settings

import (
	"fmt"
	"testing"

	"latchkey/test/visitor"
)

// What becomes of the online session when its first code is redeemed with
// offline_access is the realm's decision; the offline session is the same each time.
func TestOfflineSSO(t *testing.T) {
	const asked, inherited = "openid offline_access", "openid"
	each(t, func(t *testing.T, w *world) {
		for i, c := range []struct {
			setting string // "" is a realm that says nothing
			scope   string
			kept    bool // the online session, and with it single sign-on
		}{
			{"", asked, false},
			{"", inherited, false},
			{"keycloak", asked, false},
			{"keycloak", inherited, false},
			{"keep", asked, true},
			{"keep", inherited, true},
			{"auto", asked, false},
			{"auto", inherited, true},
		} {
			attributes := ""
			if c.setting != "" {
				attributes = fmt.Sprintf(`"attributes": {"latchkey.offlineSso": %q},`, c.setting)
			}
			r := w.realm(fmt.Sprintf("sso%d", i), attributes)
			if c.scope == inherited {
				r.offlineByDefault()
			}
			name := fmt.Sprintf("%q with scope %q", c.setting, c.scope)
			browser := visitor.NewBrowser()
			tok := r.logIn(browser, c.scope)
			if typ := claims(t, tok.RefreshToken)["typ"]; typ != "Offline" {
				t.Fatalf("%s: the refresh token is of type %v", name, typ)
			}
			page, err := browser.Open(r, r.party.AuthURL())
			w.must(err)
			if page.Away != c.kept {
				t.Errorf("%s: single sign-on afterwards is %v, want %v", name, page.Away, c.kept)
			}
			fresh, refused := r.refresh(tok.RefreshToken)
			if refused != "" {
				t.Fatalf("%s: the offline token is refused: %s", name, refused)
			}
			info, err := r.party.UserInfo(r, fresh.AccessToken)
			w.must(err)
			if !info.OK() {
				t.Errorf("%s: the refreshed access token is answered %d", name, info.Status)
			}
			var online, offline []any
			user, err := w.admin.ID(w, r.at("/users"), "username", username)
			w.must(err)
			client, err := w.admin.ID(w, r.at("/clients?clientId=app"), "clientId", "app")
			w.must(err)
			w.must(w.admin.Get(w, r.at("/users/"+user+"/sessions"), &online))
			w.must(w.admin.Get(w, r.at("/users/"+user+"/offline-sessions/"+client), &offline))
			if want := map[bool]int{true: 1, false: 0}[c.kept]; len(online) != want || len(offline) != 1 {
				t.Errorf("%s: %d online and %d offline sessions, want %d and 1", name, len(online), len(offline), want)
			}
		}
	})
}

// A session that was never used and that its only client has left counts as new
// for a login with offline access. Keycloak: AuthenticationProcessor.attachSession.
func TestAnEmptyUnusedSessionCountsAsNew(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := w.realm("empty", "")
		r.party.Scope = "openid"
		var sessions []struct {
			Start, LastAccess int64
			Clients           map[string]string
		}
		list := func() {
			t.Helper()
			sessions = nil
			w.must(r.admin.Get(r, r.at("/users/"+r.userID()+"/sessions"), &sessions))
		}
		for range 20 { // until all happens within one second, as the reference counts
			b := visitor.NewBrowser()
			code, err := r.party.Code(r, b, username, password)
			w.must(err)
			a, err := r.party.Redeem(r, code)
			if err != nil || !a.OK() {
				t.Fatalf("the code: %+v %v", a, err)
			}
			if again, err := r.party.Redeem(r, code); err != nil || again.OK() {
				t.Fatalf("a code works twice: %+v %v", again, err)
			}
			if list(); len(sessions) != 1 || len(sessions[0].Clients) != 0 {
				t.Fatalf("after a reused code there are %+v", sessions)
			}
			unused := sessions[0].Start/1000 == sessions[0].LastAccess/1000
			p := r.party
			p.Scope = "openid offline_access"
			code, err = p.Code(r, b, username, password)
			w.must(err)
			if a, err = p.Redeem(r, code); err != nil || !a.OK() {
				t.Fatalf("the offline code: %+v %v", a, err)
			}
			if list(); len(sessions) == 0 != unused {
				t.Fatalf("unused: %v; after the offline login there are %+v", unused, sessions)
			}
			if unused {
				return
			}
			w.must(r.admin.Delete(r, r.at("/sessions/"+a.Session)))
		}
		t.Fatal("it never happened within a second")
	})
}
