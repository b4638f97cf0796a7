package explorer

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/test/visitor"
)

// status asks for a path and returns what was answered; body is of an error.
func (w *shop) status(path string) (status int, body string) {
	w.Helper()
	var refused *visitor.StatusError
	err := w.admin.Get(w.ctx, path, new(any))
	if errors.As(err, &refused) {
		return refused.Status, refused.Body
	}
	w.must(err)
	return 200, ""
}

func TestOddIDsAndFiltersAreNoErrors(t *testing.T) {
	each(t, false, func(w *shop) {
		for _, id := range []string{"x", "ü", "日本", "a/b", "online.", "offline.x", "online.x.y", "online.x.-1", "transient.", "refused.x", "%2f",
			"a b", "'; --", strings.Repeat("x", 4000)} {
			if status, body := w.status("/shop/session-explorer/" + url.PathEscape(id)); status != 404 {
				w.Errorf("%.20q: %d %s", id, status, body)
			}
		}
		for _, id := range []string{"%2E", "%2E%2E"} { // as at every address of the server
			if status, body := w.status("/shop/session-explorer/" + id); status != 400 || !strings.Contains(body, "missingNormalization") {
				w.Errorf("%s: %d %s", id, status, body)
			}
		}
		for _, id := range []string{"a\x00b", "\xff", "online.\x00.1", "transient.\x00"} { // likewise
			if status, body := w.status("/shop/session-explorer/" + url.PathEscape(id)); status != 400 ||
				!strings.Contains(body, "invalidCharacter") {
				w.Errorf("%q: %d %s", id, status, body)
			}
		}
		for _, query := range []string{"user=%00", "client=%00", "client=%ff", "address=%ff", "address=a%00", "after=" + "MSAwIAA",
			"kind=refused&state=live", "kind=refused,online&state=ended"} {
			if status, body := w.status("/shop/session-explorer?" + query); status != 400 {
				w.Errorf("%s: %d %s", query, status, body)
			}
		}
		for _, query := range []string{"user=%C3%BC", "client=%C3%BC", "max=-1", "max=100000", "reason=wrong-password&state=ended",
			"user=", "kind="} {
			if status, body := w.status("/shop/session-explorer?" + query); status != 200 {
				w.Errorf("%s: %d %s", query, status, body)
			}
		}
	})
}

// A session that has timed out has ended, although it is stored as live until
// it is swept; and so have the clients' parts in it.
func TestWhatHasTimedOutHasEnded(t *testing.T) {
	each(t, false, func(w *shop) {
		w.plain("web")
		a := w.login(w.web, visitor.NewBrowser())
		w.login(w.web, visitor.NewBrowser())
		counts := func(state string, list, count int) {
			w.Helper()
			for _, more := range []string{"", "&user=" + w.ada, "&client=web", "&sort=lastAccess", "&client=web&sort=lastAccess", "&kind=online"} {
				p := w.list("count=exact&state=" + state + more)
				if len(p.Sessions) != list || p.Count.Number != int64(count) {
					w.Errorf("%s%s: %d listed, %d counted, want %d", state, more, len(p.Sessions), p.Count.Number, list)
				}
			}
		}
		counts("live", 2, 2)
		counts("ended", 0, 0)
		w.must(w.admin.Put(w.ctx, "/shop", map[string]any{"ssoSessionMaxLifespan": 1}))
		time.Sleep(1500 * time.Millisecond)
		counts("live", 0, 0)
		counts("ended", 2, 2)
		s := w.story(a.Session)
		if s.State != "ended" || s.End == nil || s.End.Reason != "max-age" || len(s.Clients) != 1 || s.Clients[0].State != "ended" ||
			s.Clients[0].End == nil || s.Clients[0].End.Reason != "max-age" {
			w.Errorf("timed out: %+v", s)
		}
		in, err := w.inspect("shop", a.Refresh)
		if err != nil || in.Works || in.Why[0].Reason != "max-age" {
			w.Errorf("its token: %+v %v", in, err)
		}
	})
}

// A client whose own time is shorter is out before the session ends.
func TestAPartTimesOutBeforeItsSession(t *testing.T) {
	each(t, false, func(w *shop) {
		w.plain("web")
		a := w.login(w.web, visitor.NewBrowser())
		w.must(w.admin.Put(w.ctx, "/shop", map[string]any{"clientSessionIdleTimeout": 1}))
		time.Sleep(2 * time.Second)
		s := w.story(a.Session)
		if s.State != "live" || len(s.Clients) != 1 || s.Clients[0].State != "ended" || s.Clients[0].End == nil ||
			s.Clients[0].End.Rule != "clientSessionIdleTimeout" {
			w.Errorf("%+v", s)
		}
		if r, err := w.web.Renew(w.ctx, a.Refresh); err != nil || r.OK() {
			w.Errorf("its token works: %+v %v", r, err)
		}
	})
}

// A client that leaves a session and comes back is listed once.
func TestAClientThatComesAndGoesIsListedOnce(t *testing.T) {
	each(t, false, func(w *shop) {
		w.client("other", false)
		other := w.party("other")
		w.plain("web")
		w.plain("other")
		b := visitor.NewBrowser()
		w.login(w.web, b)
		var last *visitor.Answer
		revoke := func() {
			w.Helper()
			if r, err := other.Post(w.ctx, "revoke", url.Values{"token": {last.Refresh}, "token_type_hint": {"refresh_token"}}); err != nil ||
				r.Status != 200 {
				w.Fatal(r, err)
			}
		}
		once := func(state string) {
			w.Helper()
			p := w.list("client=other&kind=online&count=exact")
			if len(p.Sessions) != 1 || p.Count.Number != 1 || p.Sessions[0].State != state {
				w.Errorf("%d listed, %d counted: %+v", len(p.Sessions), p.Count.Number, p.Sessions)
			}
		}
		for range 3 {
			last = w.login(other, b)
			once("live")
			revoke()
			once("live")
		}
		last = w.login(other, b)
		w.must(w.admin.Delete(w.ctx, "/shop/sessions/"+last.Session))
		once("ended")
	})
}

// What a realm does not show of addresses is not to be found out by searching.
func TestAddressesThatAreNotKeptAreNotFound(t *testing.T) {
	each(t, false, func(w *shop) {
		w.plain("web")
		w.login(w.web, visitor.NewBrowser())
		gone := w.login(w.web, visitor.NewBrowser())
		w.must(w.admin.Delete(w.ctx, "/shop/sessions/"+gone.Session))
		finds := func(address string, want int, shown string) {
			w.Helper()
			p := w.list("address=" + url.QueryEscape(address))
			if len(p.Sessions) != want {
				w.Errorf("by %s: %d, want %d", address, len(p.Sessions), want)
			}
			for _, e := range p.Sessions {
				if e.IPAddress != shown {
					w.Errorf("by %s: shown as %q", address, e.IPAddress)
				}
			}
		}
		finds("127.0.0.1", 2, "127.0.0.1")
		// What was stored in full is not found by what is not shown of it any more.
		w.must(w.admin.Put(w.ctx, "/shop", map[string]any{"attributes": map[string]any{"latchkey.addresses": "short"}}))
		finds("127.0.0.99", 0, "")
		finds("127.0.0.1", 1, "127.0.0.0/24") // the live one
		a := w.login(w.web, visitor.NewBrowser())
		w.must(w.admin.Delete(w.ctx, "/shop/sessions/"+a.Session))
		finds("127.0.0.0/24", 1, "127.0.0.0/24")
		finds("127.0.0.7", 1, "127.0.0.0/24")
		finds("127.0.0.1", 2, "127.0.0.0/24")
		w.must(w.admin.Put(w.ctx, "/shop", map[string]any{"attributes": map[string]any{"latchkey.addresses": "off"}}))
		finds("127.0.0.1", 1, "")
		finds("127.0.0.0/24", 0, "")
	})
}

// A reason and a way to begin may have the same name: tokens without a session
// have no reason.
func TestAReasonFindsNoTokens(t *testing.T) {
	each(t, false, func(w *shop) {
		if a, err := w.web.Post(w.ctx, "token", url.Values{"grant_type": {"client_credentials"}}); err != nil || !a.OK() {
			w.Fatal(a, err)
		}
		bad := w.web
		bad.Secret = "wrong"
		if a, err := bad.Post(w.ctx, "token", url.Values{"grant_type": {"client_credentials"}}); err != nil || a.OK() {
			w.Fatal(a, err)
		}
		p := w.list("reason=client-credentials")
		if len(p.Sessions) != 1 || p.Sessions[0].Kind != "refused" || p.Sessions[0].Clients[0].State != "" {
			w.Errorf("%+v", p.Sessions)
		}
		if p = w.list("kind=transient&state=live&count=true"); len(p.Sessions) != 1 || p.Sessions[0].Clients[0].State != "live" ||
			p.Count.Exact || p.Count.Text != "at most 1" {
			w.Errorf("%+v %+v", p.Sessions, p.Count)
		}
	})
}

// The server answers under any name: a token works under its own, and the
// inspector says so wherever it is asked.
func TestATokenOfAnotherHostNameWorksThere(t *testing.T) {
	each(t, false, func(w *shop) {
		w.plain("web")
		away := strings.Replace(w.s.URL, "127.0.0.1", "localhost", 1)
		p := w.web.At(away)
		a := w.login(p, visitor.NewBrowser())
		in, err := w.inspect("shop", a.Access)
		if err != nil || !in.Works || !strings.Contains(in.Sentence, "at "+away+" alone") {
			w.Errorf("%+v %v", in, err)
		}
		if r, err := p.UserInfo(w.ctx, a.Access); err != nil || !r.OK() {
			w.Errorf("at its own host name: %+v %v", r, err)
		}
		if r, err := w.web.UserInfo(w.ctx, a.Access); err != nil || r.OK() {
			w.Errorf("at another: %+v %v", r, err)
		}
		// A fixed address of the realm ends that.
		w.must(w.admin.Put(w.ctx, "/shop", map[string]any{"attributes": map[string]any{"frontendUrl": w.s.URL}}))
		if in, err = w.inspect("shop", a.Access); err != nil || in.Works || in.Why[0].Reason != "token-other-host" {
			w.Errorf("%+v %v", in, err)
		}
	})
}

// Tokens that no user logs in with are told of, too.
func TestOtherTokensAreInspected(t *testing.T) {
	each(t, false, func(w *shop) {
		w.plain("web")
		var made struct{ Token string }
		_, err := w.admin.Do(w.ctx, "POST", "/shop/clients-initial-access", map[string]any{"count": 1, "expiration": 60}, &made)
		w.must(err)
		in, err := w.inspect("shop", made.Token)
		if err != nil || !in.Works || in.Kind != "initial access token" || len(in.Where) != 1 {
			w.Errorf("%+v %v", in, err)
		}
		b := visitor.NewBrowser()
		a := w.login(w.web, b)
		cookie := ""
		for _, c := range b.Cookies(w.s.URL + "/realms/shop/") {
			if c.Name == "KEYCLOAK_IDENTITY" {
				cookie = c.Value
			}
		}
		if in, err = w.inspect("shop", cookie); err != nil || !in.Works || in.Kind != "identity cookie" || len(in.Where) != 1 ||
			in.Username != "ada" {
			w.Errorf("%+v %v", in, err)
		}
		w.must(w.admin.Delete(w.ctx, "/shop/sessions/"+a.Session))
		if in, err = w.inspect("shop", cookie); err != nil || in.Works || in.Why[0].Reason != "logout-by-admin" {
			w.Errorf("%+v %v", in, err)
		}
		if slices.ContainsFunc(in.Where, func(p struct {
			At    string
			Works bool
		}) bool {
			return p.Works
		}) {
			w.Errorf("the cookie of an ended session works: %+v", in.Where)
		}
	})
}

// bearer asks for a path with a token, and returns how that is answered.
func (w *shop) bearer(path, token string) int {
	w.Helper()
	req, err := http.NewRequestWithContext(w.ctx, http.MethodGet, w.s.URL+path, nil)
	w.must(err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	resp.Body.Close()
	return resp.StatusCode
}

// The administration and the account write no event when they refuse a token; its
// record is there all the same, with whose it was.
func TestBearersThatAreRefused(t *testing.T) {
	each(t, false, func(w *shop) {
		w.plain("web")
		knock := func(path, token string) {
			w.Helper()
			if status := w.bearer(path, token); status != http.StatusUnauthorized {
				w.Fatalf("%s is answered %d", path, status)
			}
		}
		const admin, account = "/admin/realms/shop/users", "/realms/shop/account/sessions"
		reasons := func(query string) (list []string) {
			for _, e := range w.list("kind=refused&" + query).Sessions {
				list = append(list, fmt.Sprint(e.Reason, " ", e.Count))
			}
			slices.Sort(list)
			return list
		}
		ended, revoked, off := w.login(w.web, visitor.NewBrowser()), w.login(w.web, visitor.NewBrowser()), w.login(w.web, visitor.NewBrowser())
		_, err := w.web.Logout(w.ctx, ended.Refresh)
		w.must(err)
		_, err = w.web.Post(w.ctx, "revoke", url.Values{"token": {revoked.Access}})
		w.must(err)
		knock(admin, ended.Access)
		knock(account, ended.Access)
		knock(admin, revoked.Access)
		knock(admin, off.Access[:len(off.Access)-6]+"AAAAAA")
		knock(admin, "nonsense")
		w.must(w.admin.Put(w.ctx, "/shop/users/"+w.ada, map[string]any{"enabled": false}))
		knock(account, off.Access)
		if got, want := reasons("user="+w.ada), []string{"revoked 1", "session-ended 2", "user-disabled 1"}; !slices.Equal(got, want) {
			w.Errorf("ada's refusals are %v, want %v", got, want)
		}
		if got, want := reasons(""), []string{"revoked 1", "session-ended 2", "token-invalid 1", "user-disabled 1"}; !slices.Equal(got, want) {
			w.Errorf("the realm's are %v, want %v", got, want)
		}
		for _, e := range w.list("kind=refused&reason=user-disabled").Sessions {
			if e.SessionID != off.Session || e.TokenID == "" || len(e.Clients) != 1 || e.Clients[0].ClientID != "web" {
				w.Errorf("the record says %+v", e)
			}
		}
	})
}

// What the inspector says of the admin and the account REST is so.
func TestWhereTokensWork(t *testing.T) {
	each(t, false, func(w *shop) {
		w.plain("web")
		own, err := w.admin.ID(w.ctx, "/shop/clients", "clientId", "account")
		w.must(err)
		var role map[string]any
		w.must(w.admin.Get(w.ctx, "/shop/clients/"+own+"/roles/manage-account", &role))
		_, err = w.admin.Post(w.ctx, "/shop/users/"+w.ada+"/role-mappings/clients/"+own, []any{role})
		w.must(err)
		live, revoked := w.login(w.web, visitor.NewBrowser()), w.login(w.web, visitor.NewBrowser())
		_, err = w.web.Post(w.ctx, "revoke", url.Values{"token": {revoked.Access}})
		w.must(err)
		service, err := w.web.Post(w.ctx, "token", url.Values{"grant_type": {"client_credentials"}})
		w.must(err)
		works := 0
		for what, token := range map[string]string{"ada's": live.Access, "a revoked one": revoked.Access, "a service's": service.Access} {
			in, err := w.inspect("shop", token)
			w.must(err)
			for at, path := range map[string]string{"admin REST": "/admin/realms/shop/users", "account REST": "/realms/shop/account/"} {
				status, said := w.bearer(path, token), false
				for _, p := range in.Where {
					said = said || p.At == at && p.Works
				}
				if taken := status != http.StatusUnauthorized; said != taken {
					w.Errorf("%s token at the %s: said to work: %v, answered %d", what, at, said, status)
				} else if taken {
					works++
				}
			}
		}
		if works < 3 {
			w.Errorf("of all these %d are taken", works)
		}
	})
}
