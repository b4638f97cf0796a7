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
