package settings

import (
	"testing"
	"time"

	"latchkey/test/visitor"
)

// A change of a setting on which the right to exist of a live session depends holds
// for sessions that are there, whatever it was when they began, and at every use.
func TestSettingsEndLiveSessions(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		type doc = map[string]any
		client := func(attr, value string) func(r *realm) {
			return func(r *realm) {
				id, err := r.admin.ID(r, r.at("/clients?clientId=app"), "clientId", "app")
				r.must(err)
				r.must(r.admin.Put(r, r.at("/clients/"+id), doc{"clientId": "app", "attributes": doc{attr: value}}))
			}
		}
		realmSet := func(d doc) func(r *realm) {
			return func(r *realm) { r.must(r.admin.Put(r, "/"+r.name, d)) }
		}
		const online, offline = "openid", "openid offline_access"
		for _, c := range []struct {
			name, scope string
			remembered  bool
			change      func(r *realm)
			ends        bool
		}{
			{"remember-off", online, true, realmSet(doc{"rememberMe": false}), true},
			{"remember-off-offline", offline, true, realmSet(doc{"rememberMe": false}), true},
			{"remember-off-plain", online, false, realmSet(doc{"rememberMe": false}), false},
			{"remember-off-plain-offline", offline, false, realmSet(doc{"rememberMe": false}), false},
			{"max", online, false, realmSet(doc{"ssoSessionMaxLifespan": 1}), true},
			{"max-remembered", online, true, realmSet(doc{"ssoSessionMaxLifespan": 1, "ssoSessionMaxLifespanRememberMe": 1}), true},
			{"max-of-others", online, true, realmSet(doc{"ssoSessionMaxLifespan": 1, "ssoSessionMaxLifespanRememberMe": 3600}), false},
			{"max-offline", offline, false, realmSet(doc{"offlineSessionMaxLifespanEnabled": true, "offlineSessionMaxLifespan": 1}), true},
			{"max-offline-not-enabled", offline, false, realmSet(doc{"offlineSessionMaxLifespanEnabled": false, "offlineSessionMaxLifespan": 1}),
				false},
			{"client-max", online, false, client("client.session.max.lifespan", "1"), true},
			{"client-max-offline", offline, false, client("client.offline.session.max.lifespan", "1"), true},
			{"client-max-of-the-other-kind", offline, false, client("client.session.max.lifespan", "1"), false},
		} {
			r := w.realm(c.name, `"rememberMe": true,`)
			party := r.party
			party.Scope = c.scope
			fields := map[string]string{"username": username, "password": password}
			if c.remembered {
				fields["rememberMe"] = "on"
			}
			page, err := visitor.NewBrowser().Open(r, party.AuthURL())
			r.must(err)
			page, err = page.Submit(r, fields)
			r.must(err)
			code, err := page.Code()
			r.must(err)
			tok, err := party.Redeem(r, code)
			r.must(err)
			c.change(r)
			time.Sleep(1100 * time.Millisecond) // a maximum of one second is over
			info, err := party.UserInfo(r, tok.Access)
			r.must(err)
			if info.OK() == c.ends && c.name != "client-max" && c.name != "client-max-offline" {
				t.Errorf("%s: userinfo answers %d", c.name, info.Status)
			}
			if again, err := party.Renew(r, tok.Refresh); err != nil || again.OK() == c.ends {
				t.Errorf("%s: refresh answers %d %s (%v)", c.name, again.Status, again.Description, err)
			}
		}
	})
}
