package server_test

import (
	"context"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/server"
	"latchkey/internal/server/servertest"
	"latchkey/internal/users"
	"latchkey/test/visitor"
)

// toyDirectory knows two people. It can be away, and keeps out whom it has closed.
type toyDirectory struct{ away atomic.Bool }

var toyPeople = map[string]string{"dora": "dora-pw", "dirk": "dirk-pw"}

func (d *toyDirectory) Find(_ context.Context, _ *realms.Realm, from *realms.Component, login string) (*iam.User, error) {
	if d.away.Load() {
		return nil, users.ErrUnavailable
	}
	if toyPeople[login] == "" || from.Get("branch") != "people" {
		return nil, nil
	}
	return &iam.User{Username: login, Email: login + "@directory.test", FirstName: "D", LastName: "X", Enabled: true, EmailVerified: true}, nil
}

func (d *toyDirectory) Validate(_ context.Context, _ *realms.Realm, _ *realms.Component, u *iam.User,
	password string) (users.Outcome, error) {
	switch {
	case d.away.Load():
		return users.Unavailable, nil
	case u.Username == "dirk":
		return users.Disabled, nil
	case toyPeople[u.Username] == password:
		return users.Accepted, nil
	}
	return users.Wrong, nil
}

const storage = `{"realm":"staff","enabled":true,"eventsEnabled":true,"bruteForceProtected":true,"failureFactor":4,"quickLoginCheckMilliSeconds":0,
	"clients":[{"clientId":"app","publicClient":true,"directAccessGrantsEnabled":true,"redirectUris":["http://app.test/*"]}],
	"users":[{"username":"local","enabled":true,"email":"local@staff.test","firstName":"L","lastName":"L",
		"credentials":[{"type":"password","value":"local-pw"}]}],
	"components":{"org.keycloak.storage.UserStorageProvider":[
		{"name":"off","providerId":"toy","config":{"enabled":["false"],"branch":["people"],"priority":["0"]}},
		{"name":"empty","providerId":"toy","config":{"branch":["none"],"priority":["1"]}},
		{"name":"staff","providerId":"toy","config":{"branch":["people"],"priority":["2"]}},
		{"name":"foreign","providerId":"unheard-of","config":{}}]}}`

// Users of a directory log in by its word, at the login page and the password
// grant. Where it is away nobody is called wrong, and no failure is counted.
func TestUsersOfADirectory(t *testing.T) {
	servertest.Each(t, testDirectories)
}

func testDirectories(t *testing.T, cfg server.Config) {
	d := new(toyDirectory)
	cfg.Directories = users.Directories{"toy": d}
	s := servertest.Start(t, cfg, storage)
	app := visitor.Party{Base: s.URL, Realm: "staff", ClientID: "app", Redirect: "http://app.test/cb"}
	admin := visitor.NewAdmin(s.URL)
	const code = "code" // the browser comes back to the client with one
	for _, c := range []struct {
		name, user, password string
		away                 bool
		status               int
		word, code           string // of the password grant
		page                 string // what the login page says, or code
	}{
		{"a user of the table, with the directory away", "local", "local-pw", true, 200, "", "", code},
		{"whom nobody has met, with the directory away", "dora", "dora-pw", true, 503, "directory_unavailable", "temporarily_unavailable",
			"An internal server error has occurred"},
		{"a user of the directory, with a wrong password at the first login", "dora", "wrong", false, 400, "invalid_user_credentials",
			"invalid_grant", "Invalid username or password."},
		{"a user of the directory", "dora", "dora-pw", false, 200, "", "", code},
		{"again, by the address", "dora@directory.test", "dora-pw", false, 200, "", "", code},
		{"without a password", "dora", "", false, 400, "invalid_user_credentials", "invalid_grant", "Invalid username or password."},
		{"the directory away", "dora", "dora-pw", true, 503, "directory_unavailable", "temporarily_unavailable",
			"An internal server error has occurred"},
		{"a wrong password, with the directory away", "dora", "wrong", true, 503, "directory_unavailable", "temporarily_unavailable",
			"An internal server error has occurred"},
		{"the directory there again", "dora", "dora-pw", false, 200, "", "", code},
		{"whom the directory keeps out", "dirk", "dirk-pw", false, 400, "user_disabled", "invalid_grant",
			"Account is disabled, contact your administrator."},
		{"whom nobody knows", "nobody", "pw", false, 400, "user_not_found", "invalid_grant", "Invalid username or password."},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.away.Store(c.away)
			times := 1
			if c.away {
				times = 5 // more often than brute force protection lets a user fail
			}
			for range times {
				got, err := app.Post(t.Context(), "token", url.Values{"grant_type": {"password"}, "username": {c.user}, "password": {c.password}})
				if err != nil || got.Status != c.status || got.Error != c.code {
					t.Fatalf("the password grant: %v %+v", err, got)
				}
			}
			var events []struct{ Error string }
			if err := admin.Get(t.Context(), "/staff/events?max=1", &events); err != nil || len(events) != 1 || events[0].Error != c.word {
				t.Errorf("the event: %v %+v", err, events)
			}
			p, err := visitor.NewBrowser().Open(t.Context(), app.AuthURL())
			if err == nil {
				p, err = p.Submit(t.Context(), map[string]string{"username": c.user, "password": c.password})
			}
			if err != nil || c.page == code && p.Param("code") == "" || c.page != code && (p.Away || !strings.Contains(p.Body, c.page)) {
				t.Errorf("the login page: %v %+v", err, p)
			}
		})
	}
}
