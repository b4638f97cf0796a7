package attacks

import (
	"testing"
	"time"

	"latchkey/test/visitor"
)

// Who logs a user out everywhere ends the logins that wait for something, too:
// with a password that has been changed since, somebody might keep a page open and
// choose the next one.
func TestLogoutEndsLoginsThatWait(t *testing.T) {
	t.Parallel()
	type doc = map[string]any
	eachShop(t, func(t *testing.T, s *shop) {
		user, err := s.admin.ID(s, "/shop/users?username=alice", "username", "alice")
		s.must(err)
		client, err := s.admin.ID(s, "/shop/clients?clientId=web", "clientId", "web")
		s.must(err)
		post := func(path string) { s.Helper(); _, err := s.admin.Post(s, "/shop"+path, nil); s.must(err) }
		ends := map[string]func(){
			"the user":  func() { post("/users/" + user + "/logout") },
			"the realm": func() { post("/logout-all") },
		}
		for wait, w := range map[string]struct {
			set   func(on bool)
			field map[string]string
		}{
			"a new password": {func(on bool) {
				list := []string{}
				if on {
					list = []string{"UPDATE_PASSWORD"}
				}
				s.must(s.admin.Put(s, "/shop/users/"+user, doc{"requiredActions": list}))
			}, map[string]string{"password-new": "stolen", "password-confirm": "stolen"}},
			"consent": {func(on bool) {
				s.must(s.admin.Put(s, "/shop/clients/"+client, doc{"clientId": "web", "consentRequired": on}))
			}, map[string]string{"accept": "Yes"}},
		} {
			for who, end := range ends {
				w.set(true)
				page := s.submit(s.open(visitor.NewBrowser(), "web", ""), "alice")
				if page.Away {
					t.Fatalf("%s: nothing waits", wait)
				}
				time.Sleep(1100 * time.Millisecond) // not-befores count seconds
				end()
				next, err := page.Submit(s, w.field)
				s.must(err)
				if next.Away || !next.Asks("password") {
					t.Errorf("%s, %s logged out: the login goes on to %s", wait, who, next.URL)
				}
				w.set(false)
				next = s.submit(next, "alice")
				if _, err := next.Code(); err != nil {
					t.Errorf("%s, %s logged out: the old password, or a new login in its place: %v", wait, who, err)
				}
			}
		}
	})
}
