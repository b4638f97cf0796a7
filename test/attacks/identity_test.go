package attacks

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/test/visitor"
)

// claimsOf reads a token, which is not checked.
func claimsOf(token string) (m struct {
	Session string `json:"sid"`
	Subject string `json:"sub"`
}) {
	_, rest, _ := strings.Cut(token, ".")
	body, _, _ := strings.Cut(rest, ".")
	if b, err := base64.RawURLEncoding.DecodeString(body); err == nil {
		_ = json.Unmarshal(b, &m)
	}
	return m
}

// action is the address of a page that its login would go on at, under another path.
func action(page *visitor.Page, path string) string {
	u := *page.URL
	if !strings.Contains(u.Path, "/login-actions/") {
		if to, err := page.Action(); err == nil {
			u = *to
		}
	}
	if i := strings.Index(u.Path, "/login-actions/"); i >= 0 {
		u.Path = u.Path[:i] + "/login-actions/" + path
	}
	q := u.Query()
	q.Del("session_code")
	q.Del("execution")
	u.RawQuery = q.Encode()
	return u.String()
}

// A session ends, and somebody else logs in in the same browser within the second
// in which tokens of that session would still count: CVE-2023-6787.
func TestTokensOfADeadSession(t *testing.T) {
	t.Parallel()
	eachShop(t, func(t *testing.T, s *shop) {
		ends := map[string]func(b *visitor.Browser, alice *visitor.Answer){
			"restart login": func(b *visitor.Browser, _ *visitor.Answer) {
				page := s.open(b, "web", "&prompt=login")
				_, err := b.Open(s, action(page, "restart"))
				s.must(err)
			},
			"logout": func(b *visitor.Browser, alice *visitor.Answer) {
				_, err := b.Open(s, s.party("web").Endpoint("logout")+"?id_token_hint="+url.QueryEscape(alice.ID))
				s.must(err)
			},
			"logout by refresh token": func(_ *visitor.Browser, alice *visitor.Answer) {
				_, err := s.party("web").Logout(s, alice.Refresh)
				s.must(err)
			},
			"an administrator": func(_ *visitor.Browser, alice *visitor.Answer) {
				s.must(s.admin.Delete(s, "/shop/sessions/"+alice.Session))
			},
		}
		for how, end := range ends {
			b := visitor.NewBrowser()
			first, left := s.open(b, "web", ""), s.open(b, "web", "")
			alice := s.redeem(s.submit(first, "alice"), "web")
			stale := s.open(b, "web", "&prompt=login")
			end(b, alice)
			for i, page := range []*visitor.Page{s.open(b, "web", ""), left, stale} {
				next := page
				if page.Asks("password") {
					next = s.submit(page, "bob")
				}
				for range 2 { // a page that lay open leads to a new one
					if !next.Away && next.Asks("password") {
						next = s.submit(next, "bob")
					}
				}
				what := fmt.Sprintf("%s, page %d", how, i)
				s.names(what+": alice's", alice, "web", "alice", false)
				if _, err := next.Code(); err != nil {
					continue
				}
				bob := s.redeem(next, "web")
				s.names(what+": bob's", bob, "web", "bob", true)
				if bob.Session == alice.Session {
					s.Errorf("%s: bob's session has the id of alice's", what)
				}
			}
		}
	})
}

// Session ids are in addresses. Who knows one, and the client's id, cannot end the
// client's part in the session by a code that nobody was given.
func TestInventedCodesEndNothing(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		alice := s.redeem(s.submit(s.open(visitor.NewBrowser(), "web", ""), "alice"), "web")
		id, err := s.admin.ID(s, "/shop/clients?clientId=web", "clientId", "web")
		s.must(err)
		for _, secret := range []string{"x", strings.Repeat("A", 80)} {
			a, err := s.party("web").Redeem(s, secret+"."+alice.Session+"."+id)
			s.must(err)
			if a.OK() {
				t.Fatal("an invented code is redeemed")
			}
		}
		s.names("alice's", alice, "web", "alice", true)

		b := visitor.NewBrowser()
		page := s.submit(s.open(b, "web", ""), "bob")
		bob := s.redeem(page, "web")
		code, err := page.Code()
		s.must(err)
		if a, err := s.party("web").Redeem(s, code); err != nil || a.OK() {
			t.Fatalf("a code is redeemed twice: %v", err)
		}
		if a, err := s.party("web").Renew(s, bob.Refresh); err != nil || a.OK() {
			t.Errorf("a code that was used twice leaves the client in the session: %v", err)
		}
	})
}

// A grantee is what the model knows of tokens: to whom they were given.
type grantee struct {
	client, user string
	tokens       *visitor.Answer
}

// A tabbed browser is a browser with pages that lie open, and who is logged in.
type tabbed struct {
	*visitor.Browser
	user  string
	pages []tab
}

type tab struct {
	client string
	page   *visitor.Page
}

// An interleaving is a random walk of alice and bob over browsers and tabs.
type interleaving struct {
	*shop
	*rand.Rand
	browsers []*tabbed
	codes    []struct{ client, user, code string }
	grants   []grantee
	owners   map[string]string // users by session id
	log      []string
}

func (x *interleaving) note(format string, args ...any) {
	x.log = append(x.log, fmt.Sprintf(format, args...))
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// came is what becomes of a page: a code for somebody, or a page that lies open.
func (x *interleaving) came(b *tabbed, client, user string, page *visitor.Page) {
	if code, err := page.Code(); err == nil {
		x.codes = append(x.codes, struct{ client, user, code string }{client, user, code})
		b.user = user
		return
	}
	if page.Asks("password") {
		b.pages = append(b.pages, tab{client, page})
	}
}

// steps are what people and attackers do; each leaves alone what it cannot do now.
var steps = []struct {
	name string
	do   func(x *interleaving, b *tabbed)
}{
	{"open", func(x *interleaving, b *tabbed) {
		client := pick(x.Rand, []string{"web", "off", "other"})
		x.came(b, client, b.user, x.open(b.Browser, client, pick(x.Rand, []string{"", "", "&prompt=login", "&scope=openid+offline_access"})))
	}},
	{"submit", func(x *interleaving, b *tabbed) {
		if len(b.pages) == 0 {
			return
		}
		i, user := x.IntN(len(b.pages)), pick(x.Rand, []string{"alice", "bob"})
		t := b.pages[i]
		if x.IntN(3) > 0 { // else the page is still there, as "back" shows it
			b.pages = append(b.pages[:i:i], b.pages[i+1:]...)
		}
		x.note("  as %s at %s", user, t.client)
		x.came(b, t.client, user, x.submit(t.page, user))
	}},
	{"redeem", func(x *interleaving, _ *tabbed) {
		if len(x.codes) == 0 {
			return
		}
		i := x.IntN(len(x.codes))
		c := x.codes[i]
		x.codes = append(x.codes[:i:i], x.codes[i+1:]...)
		a, err := x.party(c.client).Redeem(x, c.code)
		x.must(err)
		if a.OK() {
			x.grants = append(x.grants, grantee{c.client, c.user, a})
		}
	}},
	{"refresh", func(x *interleaving, _ *tabbed) {
		if len(x.grants) == 0 {
			return
		}
		g := pick(x.Rand, x.grants)
		a, err := x.party(g.client).Renew(x, g.tokens.Refresh)
		x.must(err)
		if a.OK() {
			x.grants = append(x.grants, grantee{g.client, g.user, a})
		}
	}},
	{"log out", func(x *interleaving, b *tabbed) {
		at := x.party("web").Endpoint("logout")
		if len(x.grants) > 0 {
			if g := pick(x.Rand, x.grants); g.tokens.ID != "" {
				at += "?id_token_hint=" + url.QueryEscape(g.tokens.ID)
			}
		}
		page, err := b.Open(x, at)
		x.must(err)
		if _, err := page.Action(); err == nil && !page.Asks("password") {
			_, err = page.Submit(x, map[string]string{"confirmLogout": "Logout"})
			x.must(err)
		}
		x.settle(b)
	}},
	{"log out by a refresh token", func(x *interleaving, _ *tabbed) {
		if len(x.grants) > 0 {
			g := pick(x.Rand, x.grants)
			_, err := x.party(g.client).Logout(x, g.tokens.Refresh)
			x.must(err)
		}
	}},
	{"end by the administrator", func(x *interleaving, _ *tabbed) {
		if len(x.grants) > 0 {
			_ = x.admin.Delete(x, "/shop/sessions/"+pick(x.Rand, x.grants).tokens.Session) // 404 when it is over
		}
	}},
	{"restart login", func(x *interleaving, b *tabbed) {
		if len(b.pages) > 0 {
			t := pick(x.Rand, b.pages)
			page, err := b.Open(x, action(t.page, "restart"))
			x.must(err)
			x.settle(b)
			x.came(b, t.client, b.user, page)
		}
	}},
	{"plant cookies", func(x *interleaving, b *tabbed) {
		from := pick(x.Rand, x.browsers)
		for _, c := range from.Cookies(x.base + "/realms/shop/") {
			if strings.HasPrefix(c.Name, "AUTH_SESSION_ID") || c.Name == "KC_RESTART" {
				x.must(b.Plant(x.base+"/realms/shop/", &http.Cookie{Name: c.Name, Value: c.Value, Path: "/realms/shop/"}))
			}
		}
	}},
	{"follow somebody else's page", func(x *interleaving, b *tabbed) {
		if from := pick(x.Rand, x.browsers); len(from.pages) > 0 {
			t := pick(x.Rand, from.pages)
			page, err := b.Open(x, action(t.page, "authenticate"))
			x.must(err)
			x.came(b, t.client, b.user, page)
		}
	}},
	{"present", func(x *interleaving, _ *tabbed) {
		if len(x.grants) > 0 {
			g := pick(x.Rand, x.grants)
			x.names("tokens of "+g.client, g.tokens, g.client, g.user, false)
		}
	}},
}

// settle asks the server whether the browser is still signed on, which a logout or
// restart may have changed.
func (x *interleaving) settle(b *tabbed) {
	page := x.open(b.Browser, "web", "&prompt=none")
	if _, err := page.Code(); err != nil {
		b.user = ""
		return
	}
	x.codes = append(x.codes, struct{ client, user, code string }{"web", b.user, page.Param("code")})
}

// check holds the invariant: a token that was given to a login of somebody names
// them, and a session's id is nobody else's.
func (x *interleaving) check() {
	for _, g := range x.grants {
		c := claimsOf(g.tokens.Access)
		if owner, ok := x.owners[c.Session]; ok && owner != g.user {
			x.Errorf("the session %s is %s's and %s's", c.Session, owner, g.user)
		}
		x.owners[c.Session] = g.user
	}
}

// However two people's logins in several browsers and tabs fall together, nobody is
// given somebody else's tokens. ATTACKS_SEED repeats a run.
func TestNobodyGetsAnothersTokens(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("ATTACKS_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("ATTACKS_SEED=%d", seed)
	eachShop(t, func(t *testing.T, s *shop) {
		began := time.Now()
		walks := 0
		for ; time.Since(began) < 5*time.Second && !t.Failed(); walks++ {
			x := &interleaving{shop: s, Rand: rand.New(rand.NewPCG(seed, uint64(walks))), owners: map[string]string{}}
			for range 3 {
				x.browsers = append(x.browsers, &tabbed{Browser: visitor.NewBrowser()})
			}
			for n := range 60 {
				if n == 30 { // nothing of this hangs on what a server remembers
					x.note("restart the server")
					x.restart()
				}
				step, i := pick(x.Rand, steps), x.IntN(len(x.browsers))
				x.note("browser %d: %s", i, step.name)
				step.do(x, x.browsers[i])
			}
			for len(x.codes) > 0 {
				steps[2].do(x, nil)
			}
			for _, g := range x.grants {
				x.names("in the end, tokens of "+g.client, g.tokens, g.client, g.user, false)
			}
			x.check()
			if t.Failed() {
				t.Logf("walk %d:\n%s", walks, strings.Join(x.log, "\n"))
			}
		}
		t.Logf("%d walks", walks)
	})
}
