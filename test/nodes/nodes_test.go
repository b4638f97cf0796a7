package nodes

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// A pair is two nodes, a and b, and the public address in front of them.
type pair struct {
	context.Context
	t      *testing.T
	front  string // the public address
	to     atomic.Pointer[url.URL]
	a, b   string          // addresses of the nodes themselves
	other  *harness.Server // b
	admin  *visitor.Admin
	party  visitor.Party
	client string // the database id of the party's client
}

const (
	realm    = "/pair"
	userID   = "5a6d0f3e-7c1b-4d2a-9e8f-0a1b2c3d4e5f"
	username = "sam"
	password = "sam-password"
)

func newPair(t *testing.T) *pair {
	t.Helper()
	return newPairBy(t, func(url string) string { return url })
}

// newPairBy is newPair with a way of b's own to the database.
func newPairBy(t *testing.T, way func(url string) string) *pair {
	t.Helper()
	p := &pair{t: t}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(p.to.Load())
		r.Out.Host = r.In.Host
	}}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	p.front = front.URL
	env := []string{"LATCHKEY_HOSTNAME=" + p.front}
	one := harness.Start(t, harness.Options{Engine: harness.Postgres, Env: env})
	p.other = harness.Start(t, harness.Options{Beside: one, Env: append(env, "LATCHKEY_DB_URL="+way(one.DB))})
	p.a, p.b = one.URL, p.other.URL
	p.use(p.a)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	p.Context = ctx
	p.admin = visitor.NewAdmin(p.a)
	p.party = visitor.Party{Base: p.front, Realm: "pair", ClientID: "desk", Secret: "desk-secret", Redirect: "http://app.example/callback"}
	p.post("", fmt.Sprintf(`{"realm": "pair", "enabled": true, "revokeRefreshToken": true,
		"clients": [{"clientId": "desk", "enabled": true, "secret": "desk-secret", "redirectUris": ["http://app.example/*"], "directAccessGrantsEnabled": true, "serviceAccountsEnabled": true}],
		"users": [{"id": %q, "username": %q, "enabled": true, "email": "sam@nodes.example", "emailVerified": true, "firstName": "Sam", "lastName": "Nodes",
			"credentials": [{"type": "password", "value": %q}]}]}`, userID, username, password))
	id, err := p.admin.ID(ctx, realm+"/clients?clientId=desk", "clientId", "desk")
	p.must(err)
	p.client = id
	return p
}

// use says which node the public address leads to.
func (p *pair) use(node string) {
	u, err := url.Parse(node)
	p.must(err)
	p.to.Store(u)
}

func (p *pair) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) post(at, doc string) {
	p.t.Helper()
	_, err := p.admin.Post(p, at, json.RawMessage(doc))
	p.must(err)
}

// put changes members of what is at a path.
func (p *pair) put(at string, changes map[string]any) {
	p.t.Helper()
	var doc map[string]any
	p.must(p.admin.Get(p, at, &doc))
	for k, v := range changes {
		doc[k] = v
	}
	p.must(p.admin.Put(p, at, doc))
}

// logIn makes a session at whichever node the front leads to and returns its tokens.
func (p *pair) logIn() *visitor.Answer {
	p.t.Helper()
	code, err := p.party.Code(p, visitor.NewBrowser(), username, password)
	p.must(err)
	return p.granted(p.party.Redeem(p, code))
}

func (p *pair) granted(a *visitor.Answer, err error) *visitor.Answer {
	p.t.Helper()
	p.must(err)
	if !a.OK() {
		p.t.Fatalf("refused: %d %s %s", a.Status, a.Error, a.Description)
	}
	return a
}

// A login begun on one node is finished on the other, and the session is there on both.
func TestLoginAcrossNodes(t *testing.T) {
	p := newPair(t)
	for _, order := range [][2]string{{p.a, p.b}, {p.b, p.a}} {
		first, second := order[0], order[1]
		p.use(first)
		browser := visitor.NewBrowser()
		page, err := browser.Open(p, p.party.AuthURL())
		p.must(err)
		p.use(second)
		page, err = page.Login(p, username, "wrong")
		p.must(err)
		p.use(first)
		page, err = page.Login(p, username, password)
		p.must(err)
		code, err := page.Code()
		p.must(err)
		tokens := p.granted(p.party.At(second).Redeem(p, code))
		p.granted(p.party.At(first).UserInfo(p, tokens.Access))
		fresh := p.granted(p.party.At(first).Renew(p, tokens.Refresh))
		p.granted(p.party.At(second).UserInfo(p, fresh.Access))
		p.use(second)
		again, err := browser.Open(p, p.party.AuthURL())
		p.must(err)
		if !again.Away {
			t.Error("no single sign-on at the other node")
		}
	}
}

// Of many who redeem a code or a rotating refresh token at both nodes, one succeeds.
func TestOnce(t *testing.T) {
	p := newPair(t)
	race := func(what string, ask func(node visitor.Party) (*visitor.Answer, error)) *visitor.Answer {
		t.Helper()
		var won atomic.Pointer[visitor.Answer]
		var wins, failures atomic.Int32
		var all sync.WaitGroup
		start := make(chan struct{})
		for i := range 12 {
			node := p.party.At([]string{p.a, p.b}[i%2])
			all.Go(func() {
				<-start
				switch got, err := ask(node); {
				case err != nil || got.Status >= 500:
					failures.Add(1)
				case got.OK():
					wins.Add(1)
					won.Store(got)
				}
			})
		}
		close(start)
		all.Wait()
		if wins.Load() != 1 || failures.Load() != 0 {
			t.Fatalf("%s: %d of 12 succeeded, %d broke down", what, wins.Load(), failures.Load())
		}
		return won.Load()
	}
	for range 5 {
		code, err := p.party.Code(p, visitor.NewBrowser(), username, password)
		p.must(err)
		race("a code", func(node visitor.Party) (*visitor.Answer, error) { return node.Redeem(p, code) })
		tokens := p.logIn()
		race("a rotating refresh token", func(node visitor.Party) (*visitor.Answer, error) { return node.Renew(p, tokens.Refresh) })
	}
}

// With grace, of many who present one refresh token at both nodes all succeed,
// and get one successor.
func TestGraceAcrossNodes(t *testing.T) {
	p := newPair(t)
	p.put(realm, map[string]any{"attributes": map[string]string{"latchkey.refreshGraceSeconds": "600"}})
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		tokens := p.logIn()
		p.granted(p.party.At(p.a).Renew(p, tokens.Refresh))
		again, err := p.party.At(p.b).Renew(p, tokens.Refresh)
		p.must(err)
		if again.OK() {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the other node grants no grace: %s", again.Description)
		}
	}
	id := func(token string) string {
		body, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		p.must(err)
		var claims struct {
			ID string `json:"jti"`
		}
		p.must(json.Unmarshal(body, &claims))
		return claims.ID
	}
	for range 5 {
		old := p.logIn().Refresh
		for range 3 { // each time with the successor of the time before
			const n = 16
			var answers [n]*visitor.Answer
			var all sync.WaitGroup
			start := make(chan struct{})
			for i := range n {
				node := p.party.At([]string{p.a, p.b}[i%2])
				all.Go(func() {
					<-start
					answers[i], _ = node.Renew(p, old)
				})
			}
			close(start)
			all.Wait()
			successors := map[string]int{}
			for _, got := range answers {
				if got == nil || !got.OK() {
					t.Fatalf("one of %d is refused: %+v", n, got)
				}
				successors[id(got.Refresh)]++
			}
			if len(successors) != 1 {
				t.Fatalf("%d requests got %d successors: %v", n, len(successors), successors)
			}
			old = answers[n-1].Refresh
		}
	}
}

// What is changed at one node is seen by the other within two seconds.
func TestChangesAreSeen(t *testing.T) {
	p := newPair(t)
	there := p.party.At(p.b)
	form := url.Values{"grant_type": {"password"}, "username": {username}, "password": {password}}
	p.granted(there.Post(p, "token", form)) // the other node knows the client by now
	p.put(realm+"/clients/"+p.client, map[string]any{"secret": "changed"})
	changed := there
	changed.Secret = "changed"
	for end := time.Now().Add(2 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		old, err := there.Post(p, "token", form)
		p.must(err)
		fresh, err := changed.Post(p, "token", form)
		p.must(err)
		if !old.OK() && fresh.OK() {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("after two seconds the old secret is answered %d, the new one %d", old.Status, fresh.Status)
		}
	}
	page, err := visitor.NewBrowser().Open(p,
		p.b+"/realms/pair/protocol/openid-connect/auth?client_id=late&response_type=code&redirect_uri=http%3A%2F%2Flate.example%2F")
	p.must(err)
	if page.Asks("password") {
		t.Fatal("a client that is not there yet can be used")
	}
	p.post(realm+"/clients", `{"clientId": "late", "publicClient": true, "redirectUris": ["http://late.example/*"]}`)
	page, err = visitor.NewBrowser().Open(p,
		p.b+"/realms/pair/protocol/openid-connect/auth?client_id=late&response_type=code&redirect_uri=http%3A%2F%2Flate.example%2F")
	p.must(err)
	if !page.Asks("password") {
		t.Errorf("a new client is not known to the other node: %d", page.Status)
	}
}

// What must never lag does not: what is switched off or ended at one node is
// refused by both with the next request.
func TestRefusedByBothAtOnce(t *testing.T) {
	p := newPair(t)
	for _, c := range []struct {
		name string
		off  func(tokens *visitor.Answer)
		on   func()
	}{
		{"a disabled user", func(*visitor.Answer) { p.put(realm+"/users/"+userID, map[string]any{"enabled": false}) },
			func() { p.put(realm+"/users/"+userID, map[string]any{"enabled": true}) }},
		{"a disabled client", func(*visitor.Answer) { p.put(realm+"/clients/"+p.client, map[string]any{"enabled": false}) },
			func() { p.put(realm+"/clients/"+p.client, map[string]any{"enabled": true}) }},
		{"a disabled realm", func(*visitor.Answer) { p.put(realm, map[string]any{"enabled": false}) },
			func() { p.put(realm, map[string]any{"enabled": true}) }},
		{"a revoked session", func(tokens *visitor.Answer) { p.must(p.admin.Delete(p, realm+"/sessions/"+tokens.Session)) }, nil},
		{"a logout of the user", func(*visitor.Answer) { p.post(realm+"/users/"+userID+"/logout", `null`) }, nil},
		{"a not-before of the realm", func(*visitor.Answer) { p.put(realm, map[string]any{"notBefore": time.Now().Unix() + 1}) },
			func() { p.put(realm, map[string]any{"notBefore": 0}) }},
		{"a not-before of the client", func(*visitor.Answer) {
			p.put(realm+"/clients/"+p.client, map[string]any{"notBefore": time.Now().Unix() + 1})
		},
			func() { p.put(realm+"/clients/"+p.client, map[string]any{"notBefore": 0}) }},
	} {
		for _, node := range []string{p.b, p.a} {
			tokens := p.logIn()
			there := p.party.At(node)
			p.granted(there.UserInfo(p, tokens.Access)) // the node has seen all there is to see
			c.off(tokens)
			info, err := there.UserInfo(p, tokens.Access)
			p.must(err)
			fresh, err := there.Renew(p, tokens.Refresh)
			p.must(err)
			if info.OK() || fresh.OK() || info.Status >= 500 || fresh.Status >= 500 {
				t.Errorf("%s: %s answers userinfo with %d and a refresh with %d", c.name, map[string]string{p.a: "the node itself",
					p.b: "the other node"}[node], info.Status, fresh.Status)
			}
			if c.on != nil {
				p.grantless(there, c.name)
				c.on()
				p.settle()
			}
		}
	}
}

// grantless checks that what is switched off gets no tokens without a session either.
func (p *pair) grantless(there visitor.Party, name string) {
	p.t.Helper()
	if !strings.HasPrefix(name, "a disabled") {
		return // a not-before is about tokens of before
	}
	got, err := there.Post(p, "token", url.Values{"grant_type": {"password"}, "username": {username}, "password": {password}})
	p.must(err)
	if got.OK() || got.Status >= 500 {
		p.t.Errorf("%s: a password is answered %d", name, got.Status)
	}
	got, err = there.Post(p, "token", url.Values{"grant_type": {"client_credentials"}})
	p.must(err)
	if name != "a disabled user" && (got.OK() || got.Status >= 500) {
		p.t.Errorf("%s: the client's own request is answered %d", name, got.Status)
	}
}

// settle waits until both nodes log people in again.
func (p *pair) settle() {
	p.t.Helper()
	form := url.Values{"grant_type": {"password"}, "username": {username}, "password": {password}}
	for _, node := range []string{p.a, p.b} {
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			got, err := p.party.At(node).Post(p, "token", form)
			p.must(err)
			if got.Status == http.StatusOK {
				break
			}
			if time.Now().After(end) {
				p.t.Fatalf("a node does not recover: %d %s", got.Status, got.Description)
			}
		}
	}
}
