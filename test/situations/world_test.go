package situations

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/internal/records"
	"latchkey/test/harness"
	"latchkey/test/postbox"
	"latchkey/test/visitor"
)

const (
	password = "kim-password"
	secret   = "client-secret-0123456789"
	callback = "https://app.example/callback"
	otherOS  = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 " +
		"Safari/604.1"
	otpSecret = "0123456789abcdefghij"
)

// A site is a running server.
type site struct {
	base, other string // its address, and a second one with another host
	admin       *visitor.Admin
	box         *postbox.Box // mail to realms that name it
	realms      atomic.Int64
	peer        *site  // another Latchkey, whose realms are identity providers of this one's
	name        string // that the names of its realms begin with
}

func newSite(t *testing.T, e harness.Engine, args ...string) *site {
	o := harness.Options{Engine: e, Args: args}
	if len(args) > 0 {
		o.Env = []string{"GOMAXPROCS=1"}
	}
	s := harness.Start(t, o)
	box := postbox.New(t)
	box.Up(t)
	return &site{box: box, base: s.URL, other: "http://" + forward(t, s.Addr), admin: visitor.NewAdmin(s.URL)}
}

// forward listens on another port and passes bytes on: the server is met under
// a name that it does not have otherwise.
func forward(t *testing.T, to string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer in.Close()
				out, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer out.Close()
				go io.Copy(out, in)
				io.Copy(in, out)
			}()
		}
	}()
	return l.Addr().String()
}

// A world is a realm of its own, with clients shop, desk and mobile and a user
// kim, for one situation.
type world struct {
	*testing.T
	ctx    context.Context
	site   *site
	base   string // the address that it is met at
	realm  string
	user   string           // kim's id
	b      *visitor.Browser // kim's
	tokens *visitor.Answer  // what a situation hands on from its cause to its remedy
	page   *visitor.Page    // likewise
}

// settings are members of a representation; of a realm's, "kim" are more of the user's.
type settings map[string]any

func newWorld(t *testing.T, s *site, more settings, events bool) *world {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	t.Cleanup(cancel)
	w := &world{T: t, ctx: ctx, site: s, base: s.base, realm: fmt.Sprintf("%ss%d", s.name, s.realms.Add(1)), b: visitor.NewBrowser()}
	client := func(id string, more settings) settings {
		c := settings{"clientId": id, "enabled": true, "secret": secret, "redirectUris": []string{callback}, "directAccessGrantsEnabled": true,
			"attributes": settings{"post.logout.redirect.uris": "+"}}
		maps.Copy(c, more)
		return c
	}
	user := func(id, name string) settings {
		return settings{"id": id, "username": name, "enabled": true, "email": name + "@situations.example", "emailVerified": true,
			"firstName": name, "lastName": "S",
			"credentials": []settings{{"type": "password", "value": password}}, "realmRoles": []string{"default-roles-" + w.realm}}
	}
	w.user = fmt.Sprintf("00000000-0000-4000-8000-%012d", s.realms.Add(1))
	doc := settings{
		"realm": w.realm, "enabled": true, "eventsEnabled": events, "passwordPolicy": "hashAlgorithm(pbkdf2-sha256) and hashIterations(1)",
		"defaultSignatureAlgorithm": "ES256",
		"components": settings{"org.keycloak.keys.KeyProvider": []settings{
			{"name": "ec", "providerId": "ecdsa-generated", "config": settings{"priority": []string{"100"},
				"ecdsaEllipticCurveKey": []string{"P-256"}}},
			{"name": "hmac", "providerId": "hmac-generated", "config": settings{"priority": []string{"100"}, "algorithm": []string{"HS512"}}},
		}},
		"clients": []settings{client("shop", nil), client("desk", nil), client("mobile", nil)},
		"users":   []settings{user(w.user, "kim"), user(w.user[:1]+"1"+w.user[2:], "lee")},
	}
	maps.Copy(doc, more)
	if extra, ok := doc["kim"].(settings); ok {
		maps.Copy(doc["users"].([]settings)[0], extra)
		delete(doc, "kim")
	}
	_, err := s.admin.Post(ctx, "", doc)
	w.must(err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.admin.Delete(ctx, "/"+w.realm); err != nil {
			t.Errorf("the realm could not be removed: %v", err)
		}
	})
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// party is one of the realm's clients.
func (w *world) party(client string) visitor.Party {
	return visitor.Party{Base: w.base, Realm: w.realm, ClientID: client, Secret: secret, Redirect: callback}
}

// With members of requests: "scope", "prompt" and so on.
type with map[string]string

// authURL is where a client sends a browser.
func (w *world) authURL(client string, more with) string {
	q := url.Values{"client_id": {client}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid"}, "state": {"x"}}
	for k, v := range more {
		if q.Set(k, v); v == "" {
			q.Del(k)
		}
	}
	return w.party(client).Endpoint("auth") + "?" + q.Encode()
}

func (w *world) open(b *visitor.Browser, at string) *visitor.Page {
	w.Helper()
	p, err := b.Open(w.ctx, at)
	w.must(err)
	return p
}

func (w *world) submit(p *visitor.Page, fields map[string]string) *visitor.Page {
	w.Helper()
	p, err := p.Submit(w.ctx, fields)
	w.must(err)
	return p
}

// asked opens a client and holds that the login page comes.
func (w *world) asked(b *visitor.Browser, client string, more with) *visitor.Page {
	w.Helper()
	p := w.open(b, w.authURL(client, more))
	if !p.Asks("password") {
		w.Fatalf("no login page but %s, status %d:\n%.600s", p.URL, p.Status, p.Body)
	}
	return p
}

// redeem takes the code that a page's browser carries to its client.
func (w *world) redeem(p *visitor.Page, client string) *visitor.Answer {
	w.Helper()
	code, err := p.Code()
	if err != nil {
		w.Fatalf("%v: %.600s", err, p.Body)
	}
	a, err := w.party(client).Redeem(w.ctx, code)
	w.must(err)
	if !a.OK() {
		w.Fatalf("the code is refused: %d %s %s", a.Status, a.Error, a.Description)
	}
	return a
}

func (w *world) redeemFails(p *visitor.Page, client string) {
	w.Helper()
	code, err := p.Code()
	w.must(err)
	a, err := w.party(client).Redeem(w.ctx, code)
	w.must(err)
	if a.OK() {
		w.Fatal("the code is taken")
	}
}

// login logs kim in with the login page and returns tokens.
func (w *world) login(b *visitor.Browser, client string, more with) *visitor.Answer {
	w.Helper()
	p := w.asked(b, client, more)
	return w.redeem(w.submit(p, map[string]string{"username": "kim", "password": password}), client)
}

// wrongPassword types a wrong one at a client's login page.
func (w *world) wrongPassword(b *visitor.Browser, client string) {
	w.Helper()
	p := w.submit(w.asked(b, client, nil), map[string]string{"username": "kim", "password": "not-" + password})
	if !p.Asks("password") {
		w.Fatalf("a wrong password leads to %s", p.URL)
	}
}

// signsOn opens a client and holds that nothing is asked.
func (w *world) signsOn(b *visitor.Browser, client string, more with) *visitor.Answer {
	w.Helper()
	return w.redeem(w.open(b, w.authURL(client, more)), client)
}

func (w *world) refresh(client string, a *visitor.Answer) *visitor.Answer {
	w.Helper()
	r, err := w.party(client).Renew(w.ctx, a.Refresh)
	w.must(err)
	return r
}

func (w *world) refreshes(client string, a *visitor.Answer) *visitor.Answer {
	w.Helper()
	r := w.refresh(client, a)
	if !r.OK() {
		w.Fatalf("the refresh fails: %d %s %s", r.Status, r.Error, r.Description)
	}
	return r
}

func (w *world) refreshFails(client string, a *visitor.Answer) {
	w.Helper()
	if r := w.refresh(client, a); r.OK() {
		w.Fatal("the refresh works")
	}
}

// again is the remedy of most: a login, and tokens that can be refreshed.
func (w *world) again(client string) {
	w.Helper()
	w.refreshes(client, w.login(w.b, client, nil))
}

// direct logs in by the password grant.
func (w *world) direct(client, scope string) *visitor.Answer {
	w.Helper()
	a, err := w.party(client).Post(w.ctx, "token", url.Values{"grant_type": {"password"}, "username": {"kim"}, "password": {password},
		"scope": {cmp.Or(scope, "openid")}})
	w.must(err)
	return a
}

func (w *world) directWorks(client, scope string) *visitor.Answer {
	w.Helper()
	a := w.direct(client, scope)
	if !a.OK() {
		w.Fatalf("the direct grant fails: %d %s %s", a.Status, a.Error, a.Description)
	}
	return a
}

func (w *world) at(path string) string { return "/" + w.realm + path }

func (w *world) put(path string, in any) {
	w.Helper()
	w.must(w.site.admin.Put(w.ctx, w.at(path), in))
}

func (w *world) post(path string, in any) string {
	w.Helper()
	id, err := w.site.admin.Post(w.ctx, w.at(path), in)
	w.must(err)
	return id
}

func (w *world) delete(path string) {
	w.Helper()
	w.must(w.site.admin.Delete(w.ctx, w.at(path)))
}

// set changes members of the realm.
func (w *world) set(s settings) { w.Helper(); w.put("", s) }

// setUser changes members of kim.
func (w *world) setUser(s settings) { w.Helper(); w.put("/users/"+w.user, s) }

// clientID is the database id of a client.
func (w *world) clientID(name string) string {
	w.Helper()
	id, err := w.site.admin.ID(w.ctx, w.at("/clients?clientId="+name), "clientId", name)
	w.must(err)
	return id
}

// setClient changes members of a client; of attributes those that are given.
func (w *world) setClient(name string, s settings) {
	w.Helper()
	id := w.clientID(name)
	var c settings
	w.must(w.site.admin.Get(w.ctx, w.at("/clients/"+id), &c))
	if more, ok := s["attributes"].(settings); ok {
		attributes, _ := c["attributes"].(map[string]any)
		if attributes == nil {
			attributes = map[string]any{}
		}
		maps.Copy(attributes, more)
		s["attributes"] = attributes
	}
	maps.Copy(c, s)
	w.put("/clients/"+id, c)
}

// role is a client's role, or of the realm for "".
func (w *world) role(client, name string) settings {
	w.Helper()
	at := "/roles/"
	if client != "" {
		at = "/clients/" + client + "/roles/"
	}
	var role settings
	w.must(w.site.admin.Get(w.ctx, w.at(at+name), &role))
	return role
}

// wait lets time pass.
func (w *world) wait(d time.Duration) { time.Sleep(d) }

// Asking is how a situation is asked about.
type asking struct {
	question records.Question
	client   string
}

func (w *world) why(q asking) []records.Finding {
	w.Helper()
	query := url.Values{"question": {string(q.question)}, "client": {q.client}}
	for k, v := range query {
		if v[0] == "" {
			delete(query, k)
		}
	}
	var list []records.Finding
	w.must(w.site.admin.Get(w.ctx, w.at("/users/"+w.user+"/why?"+query.Encode()), &list))
	return list
}

func told(list []records.Finding) string {
	var b strings.Builder
	for _, f := range list {
		text, _ := json.Marshal(f)
		fmt.Fprintf(&b, "\n%s", text)
	}
	return b.String()
}

// bearer sends a request with a token, and a browser's cookies.
func (w *world) bearer(method, at, token string) *http.Response {
	w.Helper()
	req, err := http.NewRequestWithContext(w.ctx, method, w.site.base+at, nil)
	w.must(err)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	resp.Body.Close()
	return resp
}
