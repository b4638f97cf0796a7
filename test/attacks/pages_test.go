package attacks

import (
	"net/url"
	"strings"
	"testing"

	"latchkey/test/visitor"
)

// A foreign page has the victim's browser load an authorization URL that asks for a
// new login, and then an address of the attacker's own login page that restarts it:
// the victim stays signed on. CVE-2026-7507.
func TestForeignPagesSignNobodyOff(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		for _, path := range []string{"restart", "authenticate", "required-action", "registration", "reset-credentials"} {
			victim := visitor.NewBrowser()
			alice := s.redeem(s.submit(s.open(victim, "web", ""), "alice"), "web")
			theirs := action(s.open(visitor.NewBrowser(), "web", ""), path)
			s.open(victim, "web", "&prompt=login")
			_, err := victim.Open(s, theirs)
			s.must(err)
			s.names(path, alice, "web", "alice", true)
			if _, err := s.open(victim, "web", "&prompt=none").Code(); err != nil {
				t.Errorf("%s: the victim is signed off: %v", path, err)
			}
		}
		own := visitor.NewBrowser()
		alice := s.redeem(s.submit(s.open(own, "web", ""), "alice"), "web")
		_, err := own.Open(s, action(s.open(own, "web", "&prompt=login"), "restart"))
		s.must(err)
		if a, err := s.party("web").Renew(s, alice.Refresh); err != nil || a.OK() {
			t.Errorf("a restart of one's own leaves one signed on: %v", err)
		}
	})
}

// A page that lies open, and KC_RESTART, are judged by the client's rules of now:
// neither leads to an address that was removed, nor past what is demanded since.
// CVE-2026-7571.
func TestStalePagesAreJudgedAgain(t *testing.T) {
	t.Parallel()
	type doc = map[string]any
	eachShop(t, func(t *testing.T, s *shop) {
		id, err := s.admin.ID(s, "/shop/clients?clientId=web", "clientId", "web")
		s.must(err)
		set := func(d doc) { s.Helper(); s.must(s.admin.Put(s, "/shop/clients/"+id, d)) }
		before := doc{"clientId": "web", "redirectUris": []string{"http://web.example/*"}, "standardFlowEnabled": true, "bearerOnly": false,
			"protocol":   "openid-connect",
			"attributes": doc{"request.object.required": "", "pkce.code.challenge.method": "", "require.pushed.authorization.requests": "false"}}
		wrongTab := func(p *visitor.Page) string {
			at, err := p.Action()
			s.must(err)
			q := at.Query()
			q.Set("tab_id", "wrong")
			at.RawQuery = q.Encode()
			return at.String()
		}
		for name, change := range map[string]doc{
			"the address was removed": {"clientId": "web", "redirectUris": []string{"http://elsewhere.example/*"}},
			"PKCE is demanded":        {"clientId": "web", "attributes": doc{"pkce.code.challenge.method": "S256"}},
			"PAR is demanded":         {"clientId": "web", "attributes": doc{"require.pushed.authorization.requests": "true"}},
			"the flow is off":         {"clientId": "web", "standardFlowEnabled": false},
			"it logs nobody in":       {"clientId": "web", "bearerOnly": true},
			"it speaks SAML":          {"clientId": "web", "protocol": "saml"},
			"an object is demanded":   {"clientId": "web", "attributes": doc{"request.object.required": "request or request_uri"}},
			"an address is demanded":  {"clientId": "web", "attributes": doc{"request.object.required": "request_uri only"}},
		} {
			for how, use := range map[string]func(b *visitor.Browser, p, other *visitor.Page) *visitor.Page{
				"submitted": func(_ *visitor.Browser, p, _ *visitor.Page) *visitor.Page { return s.submit(p, "alice") },
				"with a wrong tab": func(b *visitor.Browser, p, _ *visitor.Page) *visitor.Page {
					next, err := b.Open(s, wrongTab(p))
					s.must(err)
					if next.Asks("password") {
						next = s.submit(next, "alice")
					}
					return next
				},
				"when somebody is logged in": func(b *visitor.Browser, p, other *visitor.Page) *visitor.Page {
					s.submit(other, "alice")
					next, err := b.Open(s, wrongTab(p))
					s.must(err)
					return next
				},
				"restarted": func(b *visitor.Browser, p, _ *visitor.Page) *visitor.Page {
					next, err := b.Open(s, action(p, "restart"))
					s.must(err)
					if next.Asks("password") {
						next = s.submit(next, "alice")
					}
					return next
				},
				"begun already": func(_ *visitor.Browser, p, _ *visitor.Page) *visitor.Page { return s.submit(p, "alice") },
			} {
				set(before)
				b := visitor.NewBrowser()
				page := s.open(b, "web", "")
				other := s.open(b, "other", "")
				if how == "begun already" {
					page, err = page.Login(s, "alice", "wrong")
					s.must(err)
				}
				set(change)
				end := use(b, page, other)
				if to, _ := url.Parse("http://web.example/cb"); end.Away && end.URL.Host == to.Host {
					t.Errorf("%s, %s: the browser is sent to %s", name, how, end.URL)
				}
			}
		}
		set(before)
		s.names("in the end", s.redeem(s.submit(s.open(visitor.NewBrowser(), "web", ""), "alice"), "web"), "web", "alice", true)
	})
}

// Who is asked for offline access reads what it means, until when it lasts by the settings of then, and where it ends.
func TestConsentToOfflineAccessIsInformed(t *testing.T) {
	type doc = map[string]any
	eachShop(t, func(t *testing.T, s *shop) {
		for client, name := range map[string]string{"off": "off", "web": "web"} {
			id, err := s.admin.ID(s, "/shop/clients?clientId="+client, "clientId", name)
			s.must(err)
			s.must(s.admin.Put(s, "/shop/clients/"+id, doc{"clientId": name, "consentRequired": true}))
		}
		for _, c := range []struct {
			client   string
			settings doc
			yes, no  string
		}{
			{"web", doc{}, "Do you grant", "while you are not signed in"},
			{"off", doc{}, "uses it before", "in any case"},
			{"off", doc{"offlineSessionMaxLifespanEnabled": true, "offlineSessionMaxLifespan": 5184000}, "in any case", "nonsense"},
			{"off", doc{"offlineSessionMaxLifespanEnabled": true, "offlineSessionMaxLifespan": 60}, "in any case", "uses it before"},
		} {
			s.must(s.admin.Put(s, "/shop", c.settings))
			page := s.submit(s.open(visitor.NewBrowser(), c.client, ""), "alice")
			offline := strings.Contains(page.Body, "while you are not signed in") && strings.Contains(page.Body,
				"in your account, under Applications")
			if !strings.Contains(page.Body, c.yes) || strings.Contains(page.Body, c.no) || offline != (c.client == "off") {
				t.Errorf("%s %v: %s", c.client, c.settings, page.Body)
			}
		}
	})
}
