package attacks

import (
	"encoding/json"
	"fmt"
	"net/mail"
	"net/url"
	"strings"
	"sync"
	"testing"

	"latchkey/test/postbox"
	"latchkey/test/visitor"
)

// mailed is a shop that can send mail, whose users have addresses of its own.
func mailed(s *shop, box *postbox.Box, members string) (alice string) {
	s.Helper()
	settings, err := json.Marshal(box.Settings())
	s.must(err)
	s.must(s.admin.Put(s, "/shop",
		json.RawMessage(`{"resetPasswordAllowed": true, "displayName": "Shop\r\nBcc: thief@evil.example", "smtpServer": `+
			string(settings)+members+`}`)))
	alice, err = s.admin.ID(s, "/shop/users?username=alice", "username", "alice")
	s.must(err)
	s.must(s.admin.Put(s, "/shop/users/"+alice,
		json.RawMessage(`{"email": "alice@mail.example", "emailVerified": false, "firstName": "A", "lastName": "L"}`)))
	return alice
}

// forgot has a browser ask for the mail that resets alice's password, and returns its link.
func forgot(s *shop, b *visitor.Browser, box *postbox.Box) string {
	s.Helper()
	p, err := s.open(b, "web", "").Follow(s, "reset-credentials")
	s.must(err)
	_, err = p.Submit(s, map[string]string{"username": "alice"})
	s.must(err)
	return box.Next(s.TB, "alice@mail.example").Link()
}

// Who has a mail may do what it is for, once, and is not thereby logged in anywhere else; and nothing that is
// made of a link is another.
func TestLinks(t *testing.T) {
	t.Parallel()
	eachShop(t, func(t *testing.T, s *shop) {
		box := postbox.New(t)
		box.Up(t)
		alice := mailed(s, box, "")
		open := func(b *visitor.Browser, at string) *visitor.Page {
			t.Helper()
			p, err := b.Open(s, at)
			s.must(err)
			return p
		}
		signedOn := func(b *visitor.Browser) bool { return s.open(b, "web", "").Away }
		changed := map[string]string{"password-new": "next-pw", "password-confirm": "next-pw"}

		t.Run("whoever asks, the mail alone does not log in", func(t *testing.T) {
			asker, reader := visitor.NewBrowser(), visitor.NewBrowser()
			at := forgot(s, asker, box)
			p, err := open(reader, at).Submit(s, changed)
			s.must(err)
			if p.Away || signedOn(reader) || signedOn(asker) {
				t.Errorf("the mail has logged somebody in: %s", p.URL)
			}
		})
		t.Run("two finish at once", func(t *testing.T) {
			at := forgot(s, visitor.NewBrowser(), box)
			var list []*visitor.Page
			for range 4 {
				list = append(list, open(visitor.NewBrowser(), at))
			}
			var done sync.WaitGroup
			var mu sync.Mutex
			good, winner := 0, ""
			for i, p := range list {
				done.Go(func() {
					mine := fmt.Sprintf("pw-of-%d", i)
					p, err := p.Submit(s, map[string]string{"password-new": mine, "password-confirm": mine})
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Error(err)
					} else if p.Status == 200 {
						good++
						winner = mine
					}
				})
			}
			done.Wait()
			if good != 1 {
				t.Errorf("%d of 4 have used the link", good)
			}
			a, err := s.party("web").Post(s, "token", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {winner}})
			s.must(err)
			if !a.OK() {
				t.Errorf("who was told that it is used has changed the password: %d %s", a.Status, a.Description)
			}
		})
		t.Run("changed, foreign or for somebody else", func(t *testing.T) {
			at := forgot(s, visitor.NewBrowser(), box)
			u, err := url.Parse(at)
			s.must(err)
			key := u.Query().Get("key")
			with := func(key string) string {
				q := u.Query()
				q.Set("key", key)
				u.RawQuery = q.Encode()
				return u.String()
			}
			parts := strings.Split(key, ".")
			for what, key := range map[string]string{
				"no signature":      parts[0] + "." + parts[1] + ".",
				"another signature": parts[0] + "." + parts[1] + "." + parts[2][1:] + "A",
				"another body":      parts[0] + "." + parts[1][:len(parts[1])-4] + "AAAA." + parts[2],
				"half of it":        key[:len(key)/2],
				"an access token":   visitorToken(s),
			} {
				if p := open(visitor.NewBrowser(), with(key)); p.Status != 400 || p.Asks("password-new") {
					t.Errorf("%s: status %d at %s", what, p.Status, p.URL)
				}
			}
			if p := open(visitor.NewBrowser(), strings.Replace(at, "/realms/shop/", "/realms/master/", 1)); p.Status != 400 {
				t.Errorf("in another realm: status %d", p.Status)
			}
			bob := visitor.NewBrowser()
			s.submit(s.open(bob, "web", ""), "bob")
			if p := open(bob, at); p.Status != 400 || p.Asks("password-new") {
				t.Errorf("in bob's browser: status %d at %s", p.Status, p.URL)
			}
		})
		t.Run("a scanner opens the link", func(t *testing.T) {
			s.must(s.admin.Put(s, "/shop/users/"+alice+"/send-verify-email", nil))
			at := box.Next(t, "alice@mail.example").Link()
			p := open(visitor.NewBrowser(), at)
			var u struct {
				EmailVerified bool `json:"emailVerified"`
			}
			s.must(s.admin.Get(s, "/shop/users/"+alice, &u))
			if u.EmailVerified || p.Status != 200 {
				t.Errorf("opening it is enough: status %d", p.Status)
			}
		})
		t.Run("line breaks make no headers", func(t *testing.T) {
			s.must(s.admin.Put(s, "/shop/users/"+alice+"/send-verify-email", nil))
			m, err := mail.ReadMessage(strings.NewReader(string(box.Next(t, "alice@mail.example").Raw)))
			s.must(err)
			if m.Header.Get("Bcc") != "" || !box.Empty("thief@evil.example") {
				t.Errorf("headers: %v", m.Header)
			}
			err = s.admin.Put(s, "/shop/users/"+alice, json.RawMessage(`{"email": "alice@mail.example\r\nBcc: thief@evil.example"}`))
			if !status(err, 400) {
				t.Errorf("an address of two lines: %v", err)
			}
		})
		t.Run("a stored password goes to its own server alone", func(t *testing.T) {
			s.must(s.admin.Put(s, "/shop",
				json.RawMessage(`{"smtpServer": {"host": "smtp.example", "port": "25", "from": "a@b.example", "auth": "true", "user": "u", "password": "stored"}}`)))
			thief := postbox.New(t)
			thief.Up(t)
			_, err := s.admin.Post(s, "/shop/testSMTPConnection", json.RawMessage(`{"host": "127.0.0.1", "port": "`+thief.Port+
				`", "from": "a@b.example", "auth": "true", "user": "u", "password": "**********"}`))
			if !status(err, 500) || thief.Told("stored") {
				t.Errorf("told to another server: %v", err)
			}
		})
	})
}

func visitorToken(s *shop) string {
	s.Helper()
	a, err := s.party("web").Post(s, "token", url.Values{"grant_type": {"password"}, "username": {"bob"}, "password": {"bob-pw"}})
	s.must(err)
	return a.Access
}
