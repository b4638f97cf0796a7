package login_test

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"latchkey/internal/authn"
	"latchkey/internal/deliveries"
	"latchkey/internal/iam"
	"latchkey/internal/login"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// toyName is the protocol of the realm's client: another than OpenID Connect.
const toyName = iam.SAML

// toy is a protocol that redirects to the client with "done" or "error". Its own part of
// a request is a colour, which comes back.
type toy struct{ *house }

func (x toy) Finish(w http.ResponseWriter, r *http.Request, d *authn.Done) {
	part := &iam.ClientSession{Session: d.Session.ID, Realm: d.Realm, Client: d.Client.ID, Started: d.Session.Started,
		LastAccess: d.Session.LastAccess}
	if v, err := x.Sessions.Find(r.Context(), x.Realm, d.Session.Ref(), d.Client); err == nil {
		part.Version = v.ClientSession.Version
	}
	err := x.Sessions.Login(r.Context(), &sessions.Login{Session: d.Session, New: d.New, Notes: true, Root: d.Root, Tab: d.Tab,
		ClientSession: part})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	d.Stored(nil)
	x.mu.Lock()
	x.done = append(x.done, d)
	x.mu.Unlock()
	x.answer(w, &d.Request, "done="+d.User.Username)
}

func (x toy) Refuse(w http.ResponseWriter, _ *http.Request, e *authn.Refused) {
	x.answer(w, &e.Request, "error="+map[authn.Why]string{authn.Denied: "denied", authn.LoginRequired: "login_required",
		authn.InteractionRequired: "interaction_required", authn.AlreadyLoggedIn: "already"}[e.Why])
}

func (x toy) answer(w http.ResponseWriter, q *iam.LoginRequest, text string) {
	if own := string(q.Own); own != "" {
		text += "&own=" + url.QueryEscape(own)
	}
	w.Header().Set("Location", q.RedirectURI+"?"+text)
	w.WriteHeader(http.StatusFound)
}

func (toy) Judge(_ *http.Request, _ *realms.Realm, c *realms.Client, _ *iam.LoginRequest) *authn.Unfit {
	if c.Attr("toy.off") == "true" {
		return &authn.Unfit{Status: http.StatusForbidden, Event: "not_allowed", Message: "invalidRequestMessage"}
	}
	return nil
}

func (toy) Details(*iam.LoginRequest) map[string]string { return map[string]string{"toy": "yes"} }

func (toy) Parameters(*iam.LoginRequest) map[string]string { return map[string]string{} }

func (toy) Unasked(c *iam.Client, issuer string) iam.LoginRequest {
	return iam.LoginRequest{Client: c.ID, Protocol: toyName, Issuer: issuer, RedirectURI: "http://app.test/cb"}
}

// toyLogout tells each client of the toy protocol at one address.
type toyLogout struct{}

func (toyLogout) Note(*iam.Client, *iam.ClientSession, string) []byte { return []byte(`{}`) }

func (toyLogout) Call(_ context.Context, _ *realms.Realm, c *iam.Client, d *deliveries.Delivery) (*deliveries.Call, error) {
	return &deliveries.Call{To: "http://app.test/bye", Body: c.ClientID + " " + string(d.Session)}, nil
}

// A protocol that login has never heard of logs in, is refused, and its client hears
// of the logout; what is its own in a request comes back whatever comes between.
func TestToyProtocol(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		x := newHouse(t, db, strings.Replace(shop, `"clientId":"till"`, `"clientId":"till","consentRequired":true`, 1))
		x.begin.Request.Own = []byte(`{"colour":"blue"}`)
		const own = "&own=%7B%22colour%22%3A%22blue%22%7D"
		b := x.browser()
		b.want(b.start("prompt=none"), "http://app.test/cb?error=login_required"+own)
		b.start("")
		b.want(b.submit("username", "ann", "password", "ann-pw"), "")
		b.want(b.submit("code", b.code(), "cancel", "No"), "http://app.test/cb?error=denied"+own)
		b.start("")
		b.submit("username", "ann", "password", "ann-pw")
		b.want(b.submit("code", b.code(), "accept", "Yes"), "http://app.test/cb?done=ann"+own)
		d := x.done[0]
		if d.Session.AuthMethod != string(toyName) {
			t.Errorf("logged in by %q", d.Session.AuthMethod)
		}
		end := iam.End{Reason: iam.LogoutByUser, By: iam.ActorUser, Actor: d.User.ID}
		if _, err := x.Ender.Session(t.Context(), x.Realm, x.srv.URL+"/realms/shop", d.Session.Ref(), end); err != nil {
			t.Fatal(err)
		}
		if told := x.Told(); !slices.Equal(told, []string{"http://app.test/bye till " + string(d.Session.ID)}) {
			t.Errorf("told %q", told)
		}
	})
}

// toyProvider is another site that says who somebody is. Who is not known yet walks a
// flow first, where a name is typed.
func toyProvider(x **house, returns *atomic.Int32) authn.Spec {
	meet := func(ctx context.Context, r *authn.Run, name string) (authn.Result, error) {
		u, err := (*x).Users.Find(ctx, r.Realm, name)
		if err != nil {
			return nil, err
		}
		if u == nil {
			return authn.Enter{Flow: "first", Path: "first-broker-login"}, nil
		}
		if res := r.SetUser(u); res != nil {
			return res, nil
		}
		return authn.Success{}, nil
	}
	return authn.Spec{ID: "toy-provider",
		Begin: func(_ context.Context, r *authn.Run) (authn.Result, error) {
			if r.Client.Attr("toy.post") == "true" {
				return authn.Leave{To: "http://idp.test/in", Form: []authn.Field{{Name: "RelayState", Value: r.State()},
					{Name: "ask", Value: "<who>"}}}, nil
			}
			return authn.Leave{To: "http://idp.test/in?state=" + url.QueryEscape(r.State())}, nil
		},
		Return: func(ctx context.Context, r *authn.Run) (authn.Result, error) {
			returns.Add(1)
			switch came := r.Form.Get("who") + r.Query.Get("who"); came {
			case "":
				return authn.Attempted{}, nil // cancelled there: another way is tried
			case "nobody":
				return authn.Failure{Code: authn.AccessDenied, Event: "identity_provider_error", Page: authn.Page{View: pages.Error{}, Status: 502,
					Message: &authn.Message{Tone: pages.Problem, Key: "unexpectedErrorHandlingResponseMessage"}}}, nil
			default:
				return meet(ctx, r, came)
			}
		},
		Entered: func(context.Context, *authn.Run) (authn.Result, error) { return authn.Success{}, nil },
	}
}

const brokered = `"browserFlow":"away","authenticationFlows":[
	{"alias":"away","providerId":"basic-flow","topLevel":true,"authenticationExecutions":[
		{"authenticator":"auth-cookie","requirement":"ALTERNATIVE","priority":1},{"authenticator":"toy-provider","requirement":"ALTERNATIVE","priority":2},
		{"authenticator":"auth-username-password-form","requirement":"ALTERNATIVE","priority":3}]},
	{"alias":"first","providerId":"basic-flow","topLevel":true,"authenticationExecutions":[{"authenticator":"auth-username-password-form","requirement":"REQUIRED","priority":1}]}],`

// twoNodes sends each request to the other of two nodes.
func (x *house) twoNodes() {
	config := x.config
	config.Realms = realms.NewCache(x.DB)
	mux, one, n := http.NewServeMux(), x.srv.Config.Handler, 0
	login.New(config).Mount(mux)
	x.srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n++; n%2 == 0 && r.URL.Path != "/start" {
			mux.ServeHTTP(w, r)
			return
		}
		one.ServeHTTP(w, r)
	})
}

// A step is left for another site and come back from, on another node: by redirect
// or form, with somebody, somebody new, nobody, or an error; once, and in its browser alone.
func TestToyProvider(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var x *house
		x = newHouse(t, db, strings.Replace(shop, `"enabled":true,`, `"enabled":true,`+brokered, 1), toyProvider(&x, new(atomic.Int32)))
		x.twoNodes()
		back := func(b *browser, to, more string) string {
			t.Helper()
			u, err := url.Parse(to)
			if err != nil || u.Host != "idp.test" || len(u.Query().Get("state")) > 80 {
				t.Fatalf("went to %q\n%s", to, b.text())
			}
			return b.do(http.MethodGet, x.srv.URL+"/realms/shop/login-actions/return?state="+url.QueryEscape(u.Query().Get("state"))+more, nil)
		}
		b := x.browser()
		to := b.start("")
		b.want(back(b, to, "&who=ann"), "http://app.test/cb?done=ann")
		b.want(b.start(""), "http://app.test/cb?done=ann")              // by the session that came of it
		b.want(back(b, to, "&who=otto"), "http://app.test/cb?done=ann") // once: it is the session again
		if d := x.done[2]; !d.SSO {
			t.Errorf("the same answer again: %+v", d)
		}

		b = x.browser()
		to = b.start("")
		other := x.browser()
		if got := back(other, to, "&who=ann"); got != "" || len(x.done) != 3 {
			t.Errorf("in another browser: %s", got)
		}
		b.want(back(b, to, ""), "") // cancelled
		b.shows("password")
		if got := back(b, to, "&who=ann"); got != "" {
			t.Errorf("after it was cancelled: %s", got)
		}
		b.want(b.submit("username", "ann", "password", "ann-pw"), "http://app.test/cb?done=ann")

		b = x.browser()
		b.want(back(b, b.start(""), "&who=nobody"), "")
		if b.status != http.StatusBadGateway {
			t.Errorf("a failure there: %d %s", b.status, b.text())
		}

		b = x.browser()
		b.want(back(b, b.start(""), "&who=stranger"), "")
		if !strings.Contains(b.action, "/login-actions/first-broker-login?") {
			t.Fatalf("a stranger's form goes to %q", b.action)
		}
		b.want(b.submit("username", "ann", "password", "wrong"), "")
		b.want(b.submit("username", "ann", "password", "ann-pw"), "http://app.test/cb?done=ann")
	})
}

// Of many requests that bring one state at once, to two nodes, the step hears of one.
func TestToyProviderIsHeardOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var x *house
		var returns atomic.Int32
		x = newHouse(t, db, strings.Replace(shop, `"enabled":true,`, `"enabled":true,`+brokered, 1), toyProvider(&x, &returns))
		b := x.browser()
		u, err := url.Parse(b.start(""))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				c := x.browser()
				c.cookies = maps.Clone(b.cookies)
				c.do(http.MethodGet, x.srv.URL+"/realms/shop/login-actions/return?who=ann&state="+url.QueryEscape(u.Query().Get("state")), nil)
				if c.status >= 500 {
					t.Errorf("%d %s", c.status, c.text())
				}
			})
		}
		wg.Wait()
		if n := returns.Load(); n != 1 {
			t.Errorf("heard %d times", n)
		}
	})
}

// By a form that the page posts itself, and back by another.
func TestToyProviderByPost(t *testing.T) {
	var x *house
	doc := strings.Replace(strings.Replace(shop, `"enabled":true,`, `"enabled":true,`+brokered, 1), `"clientId":"till"`,
		`"clientId":"till","attributes":{"toy.post":"true"}`, 1)
	x = newHouse(t, storetest.SQLite(t), doc, toyProvider(&x, new(atomic.Int32)))
	x.twoNodes()
	b := x.browser()
	b.want(b.start(""), "")
	b.shows(`action="http://idp.test/in"`)
	b.shows(`value="&lt;who&gt;"`)
	state := between(b.body, `name="RelayState" value="`, `"`)
	b.want(b.do(http.MethodPost, x.srv.URL+"/realms/shop/login-actions/return", url.Values{"RelayState": {state}, "who": {"ann"}}),
		"http://app.test/cb?done=ann")
}

func between(s, before, after string) string {
	_, s, _ = strings.Cut(s, before)
	s, _, _ = strings.Cut(s, after)
	return s
}

// code is what the consent page's form carries.
func (b *browser) code() string { return between(b.body, `name="code" value="`, `"`) }
