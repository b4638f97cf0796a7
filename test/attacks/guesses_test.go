package attacks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// A guessed is a realm with brute force protection whose user "vic" has a
// password and a one-time code device, at one or more nodes.
type guessed struct {
	context.Context
	t       *testing.T
	admin   *visitor.Admin
	parties []visitor.Party // one for each node
	name    string
	user    string
}

// vicsPassword is what is guessed.
const vicsPassword = "vics-password"

// guess makes the realm with settings of brute force protection, members of a JSON object that end in a comma.
func guess(t *testing.T, name, settings string, nodes ...*harness.Server) *guessed {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	g := &guessed{Context: ctx, t: t, admin: visitor.NewAdmin(nodes[0].URL), name: name}
	_, err := g.admin.Post(g, "",
		json.RawMessage(fmt.Sprintf(`{"realm": %q, "enabled": true, "eventsEnabled": true, "bruteForceProtected": true, "failureFactor": 3, %s
		"clients": [
			{"clientId": "app", "enabled": true, "secret": "app-secret", "redirectUris": ["http://app.example/*"], "directAccessGrantsEnabled": true}],
		"users": [{"username": "vic", "enabled": true, "email": "vic@attacks.example", "emailVerified": true, "firstName": "Vic", "lastName": "Tim",
			"credentials": [{"type": "password", "value": %q}%s]}]}`, name, settings, vicsPassword, device(name))))
	g.must(err)
	g.user, err = g.admin.ID(g, "/"+name+"/users?username=vic", "username", "vic")
	g.must(err)
	for _, n := range nodes {
		g.parties = append(g.parties, visitor.Party{Base: n.URL, Realm: name, ClientID: "app", Secret: "app-secret",
			Redirect: "http://app.example/cb"})
	}
	return g
}

// device is a one-time code device for the realms whose door asks for one.
func device(realm string) string {
	if realm[:3] != "otp" {
		return ""
	}
	return `, {"type": "otp", "secretData": "{\"value\":\"ORHF6ORHF6ORHF6ORHF6\"}", "credentialData": "{\"subType\":\"totp\",\"period\":30,\"digits\":6,\"algorithm\":\"HmacSHA1\"}"}`
}

func (g *guessed) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// party is the client at one of the nodes.
func (g *guessed) party(i int) visitor.Party { return g.parties[i%len(g.parties)] }

// compared is how often a password or code was compared since the last call, and how often it was right.
func (g *guessed) compared() (all, right int) {
	g.t.Helper()
	var events []struct{ Type, Error string }
	for {
		events = nil
		g.must(g.admin.Get(g, "/"+g.name+"/events?max=1000", &events))
		if len(events) > 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, e := range events {
		switch {
		case e.Type == "LOGIN":
			right++
			all++
		case e.Error == "invalid_user_credentials":
			all++
		}
	}
	return all, right
}

// atOnce begins n guesses and, when all are ready, makes them together.
func atOnce(n int, prepare func(i int) (shoot func())) {
	shots := make([]func(), n)
	for i := range n {
		shots[i] = prepare(i)
	}
	var all sync.WaitGroup
	start := make(chan struct{})
	for _, shoot := range shots {
		all.Go(func() { <-start; shoot() })
	}
	close(start)
	all.Wait()
}

// guessDoors are the places at which a password or a one-time code is compared.
var guessDoors = []struct {
	name    string
	prepare func(g *guessed, i int, last bool) (shoot func())
}{
	{"password-grant", func(g *guessed, i int, last bool) func() {
		form := url.Values{"grant_type": {"password"}, "username": {"vic"}, "password": {fmt.Sprint("wrong", i)}}
		if last {
			form.Set("password", vicsPassword)
		}
		return func() { _, _ = g.party(i).Post(g, "token", form) }
	}},
	{"password-form", func(g *guessed, i int, last bool) func() {
		page, err := visitor.NewBrowser().Open(g, g.party(i).AuthURL())
		g.must(err)
		password := fmt.Sprint("wrong", i)
		if last {
			password = vicsPassword
		}
		return func() { _, _ = page.Login(g, "vic", password) }
	}},
	{"otp-grant", func(g *guessed, i int, _ bool) func() {
		form := url.Values{"grant_type": {"password"}, "username": {"vic"}, "password": {vicsPassword}, "otp": {fmt.Sprintf("%06d", i)}}
		return func() { _, _ = g.party(i).Post(g, "token", form) }
	}},
	{"otp-form", func(g *guessed, i int, _ bool) func() {
		page, err := visitor.NewBrowser().Open(g, g.party(i).AuthURL())
		g.must(err)
		page, err = page.Login(g, "vic", vicsPassword)
		g.must(err)
		if !page.Asks("otp") {
			g.t.Fatalf("no page for the one-time code: %s", page.Body)
		}
		return func() { _, _ = page.Submit(g, map[string]string{"otp": fmt.Sprintf("%06d", i)}) }
	}},
}

// guessLimits are settings of brute force protection, and how many of the
// guesses that are made at once may be compared under them.
var guessLimits = []struct {
	name, settings string
	limit          int
}{
	{"factor", `"quickLoginCheckMilliSeconds": 0, "waitIncrementSeconds": 600,`, 3},
	{"linear", `"quickLoginCheckMilliSeconds": 0, "waitIncrementSeconds": 600, "bruteForceStrategy": "LINEAR",`, 3},
	{"quick", `"quickLoginCheckMilliSeconds": 30000,`, 2}, // the second failure within that time locks
	{"permanent", `"quickLoginCheckMilliSeconds": 0, "permanentLockout": true,`, 3},
}

// CVE-2024-4629: guesses that are made at once are judged before any of them counts.
func TestGuessesAtOnce(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		one := harness.Start(t, harness.Options{Engine: e})
		nodes := []*harness.Server{one}
		if e == harness.Postgres {
			nodes = append(nodes, harness.Start(t, harness.Options{Beside: one}))
		}
		for _, door := range guessDoors {
			for _, limit := range guessLimits {
				t.Run(door.name+"/"+limit.name, func(t *testing.T) {
					g := guess(t, door.name+"-"+limit.name, limit.settings, nodes...)
					n := 60
					if door.name != "password-grant" {
						n = 20
					}
					g.shoot(door.prepare, n, limit.limit)
				})
			}
		}
	})
}

// shoot makes n guesses at once, the right one last, and looks at what came of them.
func (g *guessed) shoot(prepare func(g *guessed, i int, last bool) func(), n, limit int) {
	g.t.Helper()
	atOnce(n, func(i int) func() { return prepare(g, i, i == n-1) })
	all, right := g.compared()
	// A login in between forgets the failures before it, as in the reference.
	if all-right > limit*(right+1) || all == 0 {
		g.t.Errorf("%d of %d guesses were compared, %d were right, where %d wrong ones are allowed after each login", all, n, right, limit)
	}
	var state struct {
		Failures int `json:"numFailures"`
	}
	g.must(g.admin.Get(g, "/"+g.name+"/attack-detection/brute-force/users/"+g.user, &state))
	if state.Failures > all-right || right == 0 && state.Failures != all {
		g.t.Errorf("%d failures counted of %d", state.Failures, all)
	}
}

// Who knows the password logs in as often at once as there are failures left,
// and nothing is left of it.
func TestHonestLoginsAtOnce(t *testing.T) {
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		g := guess(t, "honest", `"quickLoginCheckMilliSeconds": 0,`, harness.Start(t, harness.Options{Engine: e}))
		for range 5 {
			var refused sync.Map
			atOnce(3, func(i int) func() {
				form := url.Values{"grant_type": {"password"}, "username": {"vic"}, "password": {vicsPassword}}
				return func() {
					if a, err := g.party(0).Post(g, "token", form); err != nil || !a.OK() {
						refused.Store(i, fmt.Sprint(a, err))
					}
				}
			})
			refused.Range(func(i, a any) bool { t.Errorf("login %v: %v", i, a); return true })
		}
		var state struct {
			Failures int  `json:"numFailures"`
			Disabled bool `json:"disabled"`
		}
		g.must(g.admin.Get(g, "/honest/attack-detection/brute-force/users/"+g.user, &state))
		if state.Failures != 0 || state.Disabled {
			t.Errorf("after logins alone: %+v", state)
		}
	})
}
