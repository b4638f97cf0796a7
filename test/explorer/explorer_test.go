package explorer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

const realmFile = `{"realm":"shop","enabled":true,"sslRequired":"none",
	"roles":{"realm":[{"name":"offline_access"}]},
	"users":[{"username":"ada","enabled":true,"realmRoles":["offline_access"],"credentials":[{"type":"password","value":"ada-pw"}],"email":"ada@shop.test","firstName":"A","lastName":"L"},
		{"username":"bob","enabled":true,"realmRoles":["offline_access"],"credentials":[{"type":"password","value":"bob-pw"}],"email":"bob@shop.test","firstName":"B","lastName":"B"}]}`

type shop struct {
	*testing.T
	ctx   context.Context
	s     *harness.Server
	admin *visitor.Admin
	web   visitor.Party
	ada   string
}

type end struct {
	At                                   int64
	Reason, Text, Rule, By, Actor, Realm string
}

type entry struct {
	ID, Kind, State, SessionID, Username, Reason, Text, IPAddress, TokenID string
	Count                                                                  int64
	Clients                                                                []struct {
		ClientID, State, How string
		Refreshes            int64
		Scopes               []struct{ Name, Why string }
		Issued               []struct{ AccessTokenID, RefreshTokenID, RefreshTokenType string }
		End                  *end
	}
	Began struct{ How, Flow, ClientID, Asked, Named, OutOf string }
	End   *end
	// of stories
	Sentence, Events string
	Timeline         []struct{ What, Text, ID string }
	Relations        []struct{ ID, Kind, State, Text string }
}

type page struct {
	Sessions []entry
	Next     string
	Count    *struct {
		Number int64
		Exact  bool
		Text   string
	}
}

// open starts a server with a realm whose scope offline_access is a default one.
func open(t *testing.T, e harness.Engine, events bool) *shop {
	s := harness.Start(t, harness.Options{Engine: e})
	w := &shop{T: t, ctx: t.Context(), s: s, admin: visitor.NewAdmin(s.URL)}
	var realm map[string]any
	if err := json.Unmarshal([]byte(realmFile), &realm); err != nil {
		t.Fatal(err)
	}
	realm["eventsEnabled"] = events
	_, err := w.admin.Post(w.ctx, "", realm)
	w.must(err)
	scope, err := w.admin.ID(w.ctx, "/shop/client-scopes", "name", "offline_access")
	w.must(err)
	w.must(w.admin.Delete(w.ctx, "/shop/default-optional-client-scopes/"+scope))
	w.must(w.admin.Put(w.ctx, "/shop/default-default-client-scopes/"+scope, nil))
	w.client("web", true)
	w.ada, err = w.admin.ID(w.ctx, "/shop/users", "username", "ada")
	w.must(err)
	w.web = w.party("web")
	return w
}

func (w *shop) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *shop) client(id string, service bool) {
	w.Helper()
	_, err := w.admin.Post(w.ctx, "/shop/clients", map[string]any{"clientId": id, "secret": id + "-secret",
		"redirectUris":           []string{"http://" + id + ".test/*"},
		"serviceAccountsEnabled": service, "directAccessGrantsEnabled": true})
	w.must(err)
}

func (w *shop) party(id string) visitor.Party {
	return visitor.Party{Base: w.s.URL, Realm: "shop", ClientID: id, Secret: id + "-secret", Redirect: "http://" + id +
		".test/cb", Scope: "openid"}
}

func (w *shop) login(p visitor.Party, b *visitor.Browser) *visitor.Answer {
	w.Helper()
	code, err := p.Code(w.ctx, b, "ada", "ada-pw")
	w.must(err)
	a, err := p.Redeem(w.ctx, code)
	w.must(err)
	if !a.OK() {
		w.Fatalf("code: %+v", a)
	}
	return a
}

func (w *shop) list(query string) *page {
	w.Helper()
	p := new(page)
	w.must(w.admin.Get(w.ctx, "/shop/session-explorer?"+query, p))
	return p
}

func (w *shop) story(id string) *entry {
	w.Helper()
	e := new(entry)
	w.must(w.admin.Get(w.ctx, "/shop/session-explorer/"+url.PathEscape(id), e))
	return e
}

func each(t *testing.T, events bool, f func(w *shop)) {
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		t.Parallel()
		f(open(t, e, events))
	})
}

// The story that Latchkey exists for: an empty list of sessions, explained.
func TestTheOnlineSessionThatAnOfflineOneReplacedIsExplained(t *testing.T) {
	each(t, false, func(w *shop) {
		a := w.login(w.web, visitor.NewBrowser())
		var sessions []any
		w.must(w.admin.Get(w.ctx, "/shop/users/"+w.ada+"/sessions", &sessions))
		if len(sessions) != 0 {
			w.Fatalf("Keycloak lists no session here, got %v", sessions)
		}
		p := w.list("user=" + w.ada + "&count=true")
		if len(p.Sessions) != 2 || p.Count == nil || p.Count.Text != "2" || !p.Count.Exact {
			w.Fatalf("the list: %+v", p)
		}
		i := slices.IndexFunc(p.Sessions, func(e entry) bool { return e.Kind == "online" })
		online, offline := p.Sessions[i], p.Sessions[1-i]
		if online.State != "ended" || online.End == nil || online.End.Reason != "replaced-by-offline" || online.Username != "ada" ||
			online.Began.How != "browser" || online.Began.Asked != "no-cookie" {
			w.Errorf("online: %+v", online)
		}
		if offline.Kind != "offline" || offline.State != "live" || offline.SessionID != online.SessionID || offline.Began.How != "offline-grant" {
			w.Errorf("offline: %+v", offline)
		}
		why := ""
		for _, s := range offline.Clients[0].Scopes {
			if s.Name == "offline_access" {
				why = s.Why
			}
		}
		if why != "default of the realm when the client was made" {
			w.Errorf("offline_access was granted because: %q", why)
		}
		s := w.story(online.ID)
		for _, part := range []string{"when its first code was redeemed with offline_access, which client web has as a default scope " +
			"(inherited from the realm when the client was made).",
			"The offline session of the same id is live; single sign-on does not work with it."} {
			if !strings.Contains(s.Sentence, part) {
				w.Errorf("the sentence lacks %q: %s", part, s.Sentence)
			}
		}
		if s = w.story(offline.ID); len(s.Clients[0].Issued) != 1 || s.Clients[0].Issued[0].RefreshTokenType != "Offline" ||
			!strings.Contains(s.Events, "stores no user events") {
			w.Errorf("the offline session's story: %+v", s)
		}
		if text, _ := json.Marshal(s); strings.Contains(string(text), a.Refresh) || strings.Contains(string(text), a.Access) {
			w.Error("a story holds a token")
		}
		if w.story(online.SessionID).ID != offline.ID {
			w.Error("a bare session id names the live session")
		}
	})
}

func TestFiltersAndPages(t *testing.T) {
	each(t, false, func(w *shop) {
		w.client("other", false)
		web, other := w.web, w.party("other")
		for _, id := range []string{"web", "other"} {
			w.plain(id)
		}
		var ended string
		for range 5 {
			b := visitor.NewBrowser()
			a := w.login(web, b)
			w.login(other, b) // single sign-on
			ended = a.Session
		}
		w.must(w.admin.Delete(w.ctx, "/shop/sessions/"+ended))
		if _, err := web.Post(w.ctx, "token", url.Values{"grant_type": {"client_credentials"}}); err != nil {
			w.Fatal(err)
		}
		if a, err := web.Post(w.ctx, "token", url.Values{"grant_type": {"password"}, "username": {"ada"}, "password": {"wrong"}}); err != nil ||
			a.OK() {
			w.Fatal(a, err)
		}
		for query, want := range map[string]int{
			"kind=online": 5, "state=live": 4, "state=ended": 1, "kind=offline": 0, "kind=transient": 1, "kind=refused": 1, "": 6, "client=other": 5,
			"client=web&kind=online": 5,
			"reason=logout-by-admin": 1, "reason=wrong-password": 1, "reason=idle": 0, "address=127.0.0.1&kind=online": 5, "address=10.0.0.1": 0,
			"user=" + w.ada + "&state=live": 4,
			"from=2999-01-01":               0, "to=2001-01-01": 0, "kind=online,transient&sort=lastAccess": 6,
		} {
			if got := w.list(query); len(got.Sessions) != want {
				w.Errorf("%q lists %d, want %d: %+v", query, len(got.Sessions), want, got.Sessions)
			}
		}
		var seen []string
		next := ""
		for range 10 {
			p := w.list("kind=online&max=2&count=exact&after=" + next)
			if len(p.Sessions) > 2 || p.Count.Number != 5 {
				w.Fatalf("a page of %d of %+v", len(p.Sessions), p.Count)
			}
			for _, e := range p.Sessions {
				seen = append(seen, e.ID)
			}
			if next = p.Next; next == "" {
				break
			}
		}
		slices.Sort(seen)
		if len(seen) != 5 || len(slices.Compact(seen)) != 5 {
			w.Errorf("pages show %v", seen)
		}
		for _, query := range []string{"kind=x", "state=x", "reason=x", "sort=x", "count=x", "from=x", "after=x", "max=x"} {
			var status *visitor.StatusError
			if err := w.admin.Get(w.ctx, "/shop/session-explorer?"+query, new(page)); !errors.As(err, &status) || status.Status != 400 &&
				status.Status != 404 {
				w.Errorf("%s: %v", query, err)
			}
		}
		own := new(page)
		w.must(w.admin.Get(w.ctx, "/shop/users/"+w.ada+"/session-explorer?kind=online", own))
		if len(own.Sessions) != 5 {
			w.Errorf("the user's list shows %d", len(own.Sessions))
		}
		id, err := w.admin.ID(w.ctx, "/shop/clients", "clientId", "other")
		w.must(err)
		ofClient := new(page)
		w.must(w.admin.Get(w.ctx, "/shop/clients/"+id+"/session-explorer", ofClient))
		if len(ofClient.Sessions) != 5 {
			w.Errorf("the client's list shows %d", len(ofClient.Sessions))
		}
		if how := ofClient.Sessions[0].Clients; !slices.ContainsFunc(how, func(c struct {
			ClientID, State, How string
			Refreshes            int64
			Scopes               []struct{ Name, Why string }
			Issued               []struct{ AccessTokenID, RefreshTokenID, RefreshTokenType string }
			End                  *end
		}) bool {
			return c.ClientID == "other" && c.How == "single-sign-on"
		}) {
			w.Errorf("the second client came %+v", how)
		}
		// A client that is gone is still named in what it left.
		w.must(w.admin.Delete(w.ctx, "/shop/clients/"+id))
		p := w.list("client=" + id)
		if len(p.Sessions) != 5 {
			w.Errorf("a removed client's list shows %d", len(p.Sessions))
		}
		for _, c := range p.Sessions[0].Clients {
			if c.ClientID == "other" && (c.End == nil || c.End.Reason != "client-removed" && c.End.Reason != "logout-by-admin") {
				w.Errorf("the removed client's part ended %+v", c.End)
			}
		}
	})
}

// plain takes offline_access from a client's default scopes.
func (w *shop) plain(id string) {
	w.Helper()
	client, err := w.admin.ID(w.ctx, "/shop/clients", "clientId", id)
	w.must(err)
	scope, err := w.admin.ID(w.ctx, "/shop/client-scopes", "name", "offline_access")
	w.must(err)
	w.must(w.admin.Delete(w.ctx, "/shop/clients/"+client+"/default-client-scopes/"+scope))
}

func (w *shop) inspect(realm, token string) (*inspection, error) {
	out := new(inspection)
	_, err := w.admin.Do(w.ctx, http.MethodPost, "/"+realm+"/inspect-token", map[string]string{"token": token}, out)
	return out, err
}

type inspection struct {
	Kind, ClientID, Username, Story, Sentence string
	Works                                     bool
	Where                                     []struct {
		At    string
		Works bool
	}
	Why      []struct{ Reason, Text string }
	WouldEnd []string
}

func TestTokensAreInspected(t *testing.T) {
	each(t, true, func(w *shop) {
		w.plain("web")
		a := w.login(w.web, visitor.NewBrowser())
		b := w.login(w.web, visitor.NewBrowser())
		check := func(what, token, kind string, works bool, reason string) {
			w.Helper()
			in, err := w.inspect("shop", token)
			if err != nil {
				w.Errorf("%s: %v", what, err)
				return
			}
			got := ""
			if len(in.Why) > 0 {
				got = in.Why[0].Reason
			}
			if in.Kind != kind || in.Works != works || got != reason || in.Username != "ada" || in.ClientID != "web" ||
				works && len(in.WouldEnd) < 3 {
				w.Errorf("%s: %+v", what, in)
			}
		}
		check("fresh", a.Access, "access token", true, "")
		check("fresh", a.Refresh, "refresh token", true, "")
		check("fresh", a.ID, "ID token", true, "")
		if r, err := w.web.Post(w.ctx, "revoke", url.Values{"token": {a.Access}}); err != nil || r.Status != 200 {
			w.Fatal(r, err)
		}
		check("revoked", a.Access, "access token", false, "revoked")
		check("its refresh token", a.Refresh, "refresh token", true, "")
		w.must(w.admin.Delete(w.ctx, "/shop/sessions/"+a.Session))
		check("of an ended session", a.Refresh, "refresh token", false, "logout-by-admin")
		check("another session's", b.Refresh, "refresh token", true, "")
		w.must(w.admin.Put(w.ctx, "/shop/users/"+w.ada, map[string]any{"enabled": false}))
		check("of a disabled user", b.Refresh, "refresh token", false, "user-disabled")
		if r, err := w.web.Renew(w.ctx, b.Refresh); err != nil || r.OK() {
			w.Errorf("it works all the same: %+v %v", r, err)
		}

		// Another realm's tokens, and what is none, are refused in the same words.
		_, err := w.admin.Post(w.ctx, "", map[string]any{"realm": "other", "enabled": true})
		w.must(err)
		for _, c := range []struct{ realm, token string }{{"other", b.Access}, {"shop", "x.y.z"}, {"shop", "nothing"},
			{"shop", b.Access[:len(b.Access)-6] + "AAAAAA"}} {
			var status *visitor.StatusError
			if in, err := w.inspect(c.realm, c.token); !errors.As(err, &status) || status.Status != 400 || strings.Contains(status.Body, "ada") ||
				!strings.Contains(status.Body, "not a token of this realm") {
				w.Errorf("%.10s in %s: %+v %v", c.token, c.realm, in, err)
			}
		}
		// Nothing of it is kept.
		var adminEvents []any
		w.must(w.admin.Get(w.ctx, "/shop/admin-events", &adminEvents))
		if text, _ := json.Marshal(adminEvents); strings.Contains(string(text), b.Refresh) {
			w.Error("an admin event holds the token")
		}
	})
}

func TestRights(t *testing.T) {
	each(t, true, func(w *shop) {
		w.plain("web")
		a := w.login(w.web, visitor.NewBrowser())
		roles := func(user string, names ...string) *visitor.Admin {
			w.Helper()
			id, err := w.admin.Post(w.ctx, "/shop/users", map[string]any{"username": user, "enabled": true, "email": user + "@shop.test",
				"firstName": "F", "lastName": "L",
				"credentials": []any{map[string]any{"type": "password", "value": "pw"}}})
			w.must(err)
			client, err := w.admin.ID(w.ctx, "/shop/clients", "clientId", "realm-management")
			w.must(err)
			var list []map[string]any
			for _, name := range names {
				var role map[string]any
				w.must(w.admin.Get(w.ctx, "/shop/clients/"+client+"/roles/"+name, &role))
				list = append(list, role)
			}
			if len(list) > 0 {
				_, err = w.admin.Post(w.ctx, "/shop/users/"+id+"/role-mappings/clients/"+client, list)
				w.must(err)
			}
			return &visitor.Admin{Base: w.s.URL, Username: user, Password: "pw", Realm: "shop"}
		}
		_, err := w.admin.Post(w.ctx, "", map[string]any{"realm": "other", "enabled": true})
		w.must(err)
		client, err := w.admin.ID(w.ctx, "/shop/clients", "clientId", "web")
		w.must(err)
		viewer, clientViewer, nobody := roles("viewer", "view-users"), roles("clerk", "view-clients"), roles("nobody")
		for _, c := range []struct {
			who  *visitor.Admin
			path string
			want int
		}{
			{viewer, "/shop/session-explorer", 200}, {viewer, "/shop/session-explorer/" + a.Session, 200},
			{viewer, "/shop/users/" + w.ada + "/session-explorer", 200},
			{viewer, "/shop/clients/" + client + "/session-explorer", 403}, {clientViewer, "/shop/clients/" + client + "/session-explorer", 200},
			{clientViewer, "/shop/session-explorer", 403}, {nobody, "/shop/session-explorer", 403},
			{nobody, "/shop/session-explorer/" + a.Session, 403},
			{viewer, "/other/session-explorer", 403}, {viewer, "/master/session-explorer", 403},
			{w.admin, "/other/session-explorer/" + a.Session, 404},
			{w.admin, "/other/users/" + w.ada + "/session-explorer", 404},
		} {
			status := 200
			var refused *visitor.StatusError
			if err := c.who.Get(w.ctx, c.path, new(json.RawMessage)); errors.As(err, &refused) {
				status = refused.Status
			} else if err != nil {
				w.Fatal(err)
			}
			if status != c.want {
				w.Errorf("%s at %s: %d, want %d", c.who.Username, c.path, status, c.want)
			}
		}
		s := new(entry)
		w.must(viewer.Get(w.ctx, "/shop/session-explorer/"+a.Session, s))
		if !strings.Contains(s.Events, "view-events") || slices.ContainsFunc(s.Timeline,
			func(x struct{ What, Text, ID string }) bool { return x.What == "event" }) {
			w.Errorf("without view-events the story tells events: %+v", s.Timeline)
		}
		if s = w.story(a.Session); !slices.ContainsFunc(s.Timeline, func(x struct{ What, Text, ID string }) bool { return x.What == "event" }) {
			w.Errorf("the story tells no events: %+v", s.Timeline)
		}
		// A removed user's name and addresses are erased; what happened is not.
		w.must(w.admin.Delete(w.ctx, "/shop/users/"+w.ada))
		time.Sleep(10 * time.Millisecond)
		s = w.story(a.Session)
		if s.End == nil || s.End.Reason != "user-removed" || s.IPAddress != "" || s.Username != "" {
			w.Errorf("after the user's removal: %+v", s)
		}
	})
}
