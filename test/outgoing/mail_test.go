package outgoing

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/postbox"
	"latchkey/test/visitor"
)

// Mails that nobody waits for are in the outbox: a mail server that is away holds up no login and loses none, a
// recipient that it refuses is given up, and administrators see both, without addresses and links.
func TestMailOutbox(t *testing.T) {
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e})
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		box, admin := postbox.New(t), visitor.NewAdmin(s.URL)
		settings, err := json.Marshal(box.Settings())
		must(err)
		user := func(name, address string) string {
			return `{"username": "` + name + `", "enabled": true, "email": "` + address +
				`", "emailVerified": true, "firstName": "F", "lastName": "L",
				"credentials": [{"type": "password", "value": "` + name + `-pw"}]}`
		}
		_, err = admin.Post(ctx, "",
			json.RawMessage(`{"realm": "post", "enabled": true, "resetPasswordAllowed": true, "eventsListeners": ["email"], "smtpServer": `+
				string(settings)+`,
			"clients": [{"clientId": "app", "secret": "app-secret", "redirectUris": ["http://app.example/cb"]}],
			"users": [`+user("ann", "ann@mail.example")+`,`+user("ned", "nobody@mail.example")+`]}`))
		must(err)
		party := visitor.Party{Base: s.URL, Realm: "post", ClientID: "app", Secret: "app-secret", Redirect: "http://app.example/cb"}
		forgot := func(name string) {
			t.Helper()
			p, err := visitor.NewBrowser().Open(ctx, party.AuthURL())
			must(err)
			p, err = p.Follow(ctx, "reset-credentials")
			must(err)
			begin := time.Now()
			p, err = p.Submit(ctx, map[string]string{"username": name})
			must(err)
			if !strings.Contains(p.Body, "You should receive an email shortly") || time.Since(begin) > 10*time.Second {
				t.Errorf("after %s: %s", time.Since(begin), p.Body)
			}
		}
		type row struct{ Event, State, LastError, UserID string }
		list := func(event string) (out []row) {
			t.Helper()
			var all []row
			must(admin.Get(ctx, "/post/deliveries?kind=mail", &all))
			for _, d := range all {
				if d.Event == event {
					out = append(out, d)
				}
			}
			return out
		}
		until := func(what string, f func() bool) {
			t.Helper()
			for range 600 {
				if f() {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
			t.Fatalf("%s: never; %+v", what, list("reset-credentials"))
		}

		// The server is away.
		forgot("ann")
		until("it is noted that the server is away", func() bool {
			l := list("reset-credentials")
			return len(l) == 1 && l[0].State == "due" && l[0].LastError == "the mail server was not reached"
		})
		box.Up(t)
		m := box.Next(t, "ann@mail.example")
		if m.Subject != "Reset password" || m.Link() == "" {
			t.Errorf("got %+v", m)
		}
		until("it has arrived", func() bool { return list("reset-credentials")[0].State == "delivered" })

		// It refuses the recipient, for good.
		forgot("ned")
		until("it is given up", func() bool {
			l := list("reset-credentials")
			return len(l) == 2 && l[0].State == "given up" && l[0].LastError == "the mail server refused the recipient (550)"
		})

		// Users are told of events.
		p, err := visitor.NewBrowser().Open(ctx, party.AuthURL())
		must(err)
		_, err = p.Login(ctx, "ann", "wrong")
		must(err)
		if m := box.Next(t, "ann@mail.example"); m.Subject != "Login error" {
			t.Errorf("got %+v", m)
		}
		until("the event's mail has arrived", func() bool {
			l := list("LOGIN_ERROR")
			return len(l) == 1 && l[0].State == "delivered" && l[0].UserID != ""
		})
	})
}
