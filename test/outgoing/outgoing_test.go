package outgoing

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"latchkey/test/harness"
	"latchkey/test/ports"
	"latchkey/test/visitor"
)

// A receiver is another server, which can be down and come up at its address.
type receiver struct {
	addr   string
	mu     sync.Mutex
	answer func(n int) int
	seen   []*http.Request // with bodies read into forms, or kept
	bodies []string
}

// newReceiver reserves an address at which nobody listens yet.
func newReceiver(t *testing.T) *receiver {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(ports.Free(t, 1)))
	return &receiver{addr: addr, answer: func(int) int { return 200 }}
}

func (r *receiver) url() string { return "http://" + r.addr }

// up lets it listen until the test ends.
func (r *receiver) up(t *testing.T) {
	l, err := net.Listen("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: r}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen, r.bodies = append(r.seen, q), append(r.bodies, string(body))
	w.WriteHeader(r.answer(len(r.seen)))
}

func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.bodies...)
}

// A world is a realm with a client that wants to hear of logouts, and a user.
type world struct {
	context.Context
	t      *testing.T
	admin  *visitor.Admin
	party  visitor.Party
	client *receiver
}

const (
	username = "sam"
	password = "sam-password"
)

func newWorld(t *testing.T, base string) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	w := &world{Context: ctx, t: t, admin: visitor.NewAdmin(base), client: newReceiver(t)}
	w.party = visitor.Party{Base: base, Realm: "out", ClientID: "desk", Secret: "desk-secret", Redirect: "http://app.example/callback"}
	_, err := w.admin.Post(w, "", json.RawMessage(fmt.Sprintf(`{"realm": "out", "enabled": true,
		"clients": [{"clientId": "desk", "enabled": true, "secret": "desk-secret", "redirectUris": ["http://app.example/*"],
			"attributes": {"backchannel.logout.url": "%s/logout", "backchannel.logout.session.required": "true"}}],
		"users": [{"username": %q, "enabled": true, "email": "sam@out.example", "emailVerified": true, "firstName": "Sam", "lastName": "Out",
			"credentials": [{"type": "password", "value": %q}]}]}`, w.client.url(), username, password)))
	w.must(err)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// logIn begins a session.
func (w *world) logIn() *visitor.Answer {
	w.t.Helper()
	code, err := w.party.Code(w, visitor.NewBrowser(), username, password)
	w.must(err)
	tokens, err := w.party.Redeem(w, code)
	w.must(err)
	if !tokens.OK() {
		w.t.Fatalf("no tokens: %+v", tokens)
	}
	return tokens
}

// tellsOfRemovedUsers ends sessions with their user, by each way that a user goes: the webhook is told of all of them.
func (w *world) tellsOfRemovedUsers(hook *receiver) {
	w.t.Helper()
	user := map[string]any{"username": "leaver", "enabled": true, "email": "l@out.test", "firstName": "L", "lastName": "L",
		"credentials": []any{map[string]any{"type": "password", "value": "leaver-pw"}}}
	robot := map[string]any{"clientId": "robot", "enabled": true, "secret": "robot-secret", "serviceAccountsEnabled": true,
		"attributes": map[string]any{"client_credentials.use_refresh_token": "true"}}
	overwrite := func(kind string, what any) {
		w.must(w.second(w.admin.Post(w, "/out/partialImport", map[string]any{"ifResourceExists": "OVERWRITE", kind: []any{what}})))
	}
	for _, c := range []struct {
		name   string
		client bool // the user is a client's service account
		goes   func(id string)
	}{
		{"the user is removed", false, func(id string) { w.must(w.admin.Delete(w, "/out/users/"+id)) }},
		{"the user is overwritten", false, func(string) { overwrite("users", user) }},
		{"the client is removed", true, func(id string) { w.must(w.admin.Delete(w, "/out/clients/"+id)) }},
		{"the client is overwritten", true, func(string) { overwrite("clients", robot) }},
		{"the client loses its service account", true, func(id string) {
			w.must(w.admin.Put(w, "/out/clients/"+id, map[string]any{"clientId": "robot", "serviceAccountsEnabled": false}))
		}},
	} {
		what, kind := user, "/out/users"
		if c.client {
			what, kind = robot, "/out/clients"
		}
		id, err := w.admin.Post(w, kind, what)
		w.must(err)
		leaver, code := id, ""
		if c.client {
			var account struct{ ID string }
			w.must(w.admin.Get(w, "/out/clients/"+id+"/service-account-user", &account))
			leaver = account.ID
			party := w.party
			party.ClientID, party.Secret = "robot", "robot-secret"
			a, err := party.Post(w, "token", url.Values{"grant_type": {"client_credentials"}})
			w.must(err)
			if !a.OK() || a.Refresh == "" {
				w.t.Fatalf("%s: no session: %+v", c.name, a)
			}
		} else {
			code, err = w.party.Code(w, visitor.NewBrowser(), "leaver", "leaver-pw")
			w.must(err)
		}
		c.goes(id)
		w.until("the webhook is told: "+c.name, func() bool {
			return slices.ContainsFunc(hook.got(), func(body string) bool {
				return strings.Contains(body, `"session.ended"`) && strings.Contains(body, `"user-removed"`) && strings.Contains(body, leaver)
			})
		})
		if a, err := w.party.Redeem(w, code); err != nil || a.OK() {
			w.t.Errorf("%s: a code of theirs: %+v, %v", c.name, a, err)
		}
		again := "/out/users?exact=true&username=leaver"
		if c.client {
			again = "/out/clients?clientId=robot"
		}
		var left []struct{ ID string }
		w.must(w.admin.Get(w, again, &left))
		for _, x := range left {
			path, _, _ := strings.Cut(again, "?")
			w.must(w.admin.Delete(w, path+"/"+x.ID))
		}
	}
}

func (w *world) logOut(tokens *visitor.Answer) {
	w.t.Helper()
	out, err := w.party.Logout(w, tokens.Refresh)
	w.must(err)
	if !out.OK() {
		w.t.Fatalf("no logout: %+v", out)
	}
}

// A delivery is one as the admin REST shows it.
type delivery struct {
	ID, Kind, Event, State, ClientID, UserID, SessionID, LastError, Webhook string
	Attempts                                                                int
	DeliveredAt, DueAt                                                      int64
}

func (w *world) deliveries(query string) []delivery {
	w.t.Helper()
	var list []delivery
	w.must(w.admin.Get(w, "/out/deliveries?"+query, &list))
	return list
}

// until waits until a condition holds.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(60 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("it never comes to pass: %s", what)
		}
	}
}

// checkToken verifies a logout token as a client does. OpenID Connect
// Back-Channel Logout 1.0 section 2.6.
func (w *world) checkToken(body, session string) {
	w.t.Helper()
	form, err := url.ParseQuery(body)
	w.must(err)
	provider, err := oidc.NewProvider(w, w.party.Base+"/realms/out")
	w.must(err)
	token, err := provider.Verifier(&oidc.Config{ClientID: "desk"}).Verify(w, form.Get("logout_token"))
	w.must(err)
	var claims struct {
		SID    string         `json:"sid"`
		Nonce  string         `json:"nonce"`
		Events map[string]any `json:"events"`
	}
	w.must(token.Claims(&claims))
	if _, ok := claims.Events["http://schemas.openid.net/event/backchannel-logout"]; !ok || claims.SID != session || claims.Nonce != "" ||
		token.Subject == "" {
		w.t.Errorf("the logout token says %+v", claims)
	}
	if age := time.Since(token.IssuedAt); age > 30*time.Second {
		w.t.Errorf("the token is %s old", age)
	}
}

// The client is down when the user logs out, and the server is killed: when
// both are back the client hears of it, once.
func TestLogoutArrivesAfterAKill(t *testing.T) {
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		server := harness.Start(t, harness.Options{Engine: e})
		w := newWorld(t, server.URL)
		tokens := w.logIn()
		w.logOut(tokens)
		server.Kill9()
		server.Restart(t)
		list := w.deliveries("session=" + tokens.Session)
		if len(list) != 1 || list[0].State != "due" || list[0].ClientID != "desk" || list[0].Kind != "backchannel-logout" ||
			!strings.Contains(list[0].LastError, "refused") {
			t.Fatalf("after the restart: %+v", list)
		}
		w.client.up(t)
		w.until("the client is told", func() bool { return len(w.client.got()) > 0 })
		w.checkToken(w.client.got()[0], tokens.Session)
		w.until("that is shown", func() bool { return w.deliveries("session=" + tokens.Session)[0].State == "delivered" })
		if d := w.deliveries("session=" + tokens.Session)[0]; d.Attempts < 2 || d.DeliveredAt == 0 || d.UserID == "" {
			t.Errorf("delivered: %+v", d)
		}
		time.Sleep(3 * time.Second)
		if got := w.client.got(); len(got) != 1 {
			t.Errorf("the client was told %d times", len(got))
		}
	})
}

// Of two nodes one tells the client, also when the one that ended the session is gone.
func TestAnotherNodeDelivers(t *testing.T) {
	one := harness.Start(t, harness.Options{Engine: harness.Postgres})
	other := harness.Start(t, harness.Options{Beside: one})
	w := newWorld(t, one.URL)
	w.client.answer = func(n int) int { return map[bool]int{true: 503, false: 200}[n == 1] }
	w.client.up(t)
	w.logOut(w.logIn())
	if list := w.deliveries("state=due"); len(list) != 1 || list[0].LastError != "answered 503" {
		t.Fatalf("after the first attempt: %+v", list)
	}
	one.Kill9()
	w.admin = visitor.NewAdmin(other.URL)
	w.until("the other node knows the realm", func() bool { return w.admin.Get(w, "/out/deliveries", nil) == nil })
	w.until("the other node tells it", func() bool { return len(w.deliveries("state=delivered")) == 1 })
	one.Restart(t)
	time.Sleep(3 * time.Second)
	if got := w.client.got(); len(got) != 2 {
		t.Errorf("the client was called %d times", len(got))
	}
}

// 400 is a client's last word; an administrator may have it asked again.
func TestRetryByAdministrator(t *testing.T) {
	w := newWorld(t, harness.Start(t, harness.Options{}).URL)
	w.client.answer = func(n int) int { return map[bool]int{true: 400, false: 200}[n == 1] }
	w.client.up(t)
	tokens := w.logIn()
	w.logOut(tokens)
	list := w.deliveries("client=desk&state=given+up")
	if len(list) != 1 || list[0].LastError != "answered 400" {
		t.Fatalf("after 400: %+v", list)
	}
	retry := "/out/deliveries/" + list[0].ID + "/retry"
	w.must(w.second(w.admin.Post(w, retry, nil)))
	w.until("it arrives", func() bool { return len(w.deliveries("state=delivered")) == 1 })
	w.checkToken(w.client.got()[1], tokens.Session)
	for at, want := range map[string]int{retry: 409, "/out/deliveries/none/retry": 404} {
		var refused *visitor.StatusError
		if _, err := w.admin.Post(w, at, nil); !errors.As(err, &refused) || refused.Status != want {
			t.Errorf("POST %s: %v, want %d", at, err, want)
		}
	}
	for _, query := range []string{"state=lost", "kind=pigeon"} {
		var refused *visitor.StatusError
		if err := w.admin.Get(w, "/out/deliveries?"+query, nil); !errors.As(err, &refused) || refused.Status != 400 {
			t.Errorf("%s: %v", query, err)
		}
	}
	if list := w.deliveries("session=none"); len(list) != 0 {
		t.Errorf("of no session: %+v", list)
	}
	var master []delivery
	w.must(w.admin.Get(w, "/master/deliveries?session="+tokens.Session, &master))
	if len(master) != 0 {
		t.Errorf("another realm shows them: %+v", master)
	}

	// Who may see events and not users is not told whose sessions they were.
	w.must(w.second(w.admin.Post(w, "/out/clients",
		json.RawMessage(`{"clientId": "watch", "enabled": true, "secret": "watch-secret", "serviceAccountsEnabled": true}`))))
	watch := visitor.Party{Base: w.party.Base, Realm: "out", ClientID: "watch", Secret: "watch-secret"}
	if status, _ := w.see(watch, ""); status != 403 {
		t.Errorf("without a role: %d", status)
	}
	w.grant("watch", "view-events")
	if status, body := w.see(watch, ""); status != 200 || strings.Contains(body, "userId") || !strings.Contains(body, `"sessionId"`) {
		t.Errorf("with view-events: %d %s", status, body)
	}
	if status, _ := w.see(watch, "?user=x"); status != 403 {
		t.Errorf("by user with view-events: %d", status)
	}
}

func (w *world) second(_ string, err error) error { return err }

// grant gives a client's own account a role that administers the realm.
func (w *world) grant(client, role string) {
	w.t.Helper()
	id, err := w.admin.ID(w, "/out/clients?clientId="+client, "clientId", client)
	w.must(err)
	var account struct{ ID string }
	w.must(w.admin.Get(w, "/out/clients/"+id+"/service-account-user", &account))
	management, err := w.admin.ID(w, "/out/clients?clientId=realm-management", "clientId", "realm-management")
	w.must(err)
	var given map[string]any
	w.must(w.admin.Get(w, "/out/clients/"+management+"/roles/"+role, &given))
	w.must(w.second(w.admin.Post(w, "/out/users/"+account.ID+"/role-mappings/clients/"+management, []any{given})))
}

// see lists deliveries as a client's own account.
func (w *world) see(p visitor.Party, query string) (status int, body string) {
	w.t.Helper()
	tokens, err := p.Post(w, "token", url.Values{"grant_type": {"client_credentials"}})
	w.must(err)
	req, err := http.NewRequestWithContext(w, http.MethodGet, p.Base+"/admin/realms/out/deliveries"+query, nil)
	w.must(err)
	req.Header.Set("Authorization", "Bearer "+tokens.Access)
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	w.must(err)
	return resp.StatusCode, string(b)
}

// signed reports whether a message is signed with a key, as Standard Webhooks wants it.
func signed(q *http.Request, body string, key []byte) bool {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(q.Header.Get("webhook-id") + "." + q.Header.Get("webhook-timestamp") + "." + body))
	return q.Header.Get("webhook-signature") == "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// A webhook is added, changed and removed through the components of the admin
// REST; its secret is never shown again, and what it is told is signed with it.
func TestWebhook(t *testing.T) {
	server := harness.Start(t, harness.Options{Args: []string{"--log-sessions"}})
	w := newWorld(t, server.URL)
	hook := newReceiver(t)
	hook.up(t)
	for config, want := range map[string]string{
		`{}`:                             "needs a url",
		`{"url":["ftp://x.test/"]}`:      "absolute http or https",
		`{"url":["/x"]}`:                 "absolute http or https",
		`{"url":["https://u:p@x.test"]}`: "neither credentials",
		`{"url":["https://x.test"],"secret":["short"]}`:                 "at least 16",
		`{"url":["https://x.test"],"secret":["**********"]}`:            "masked",
		`{"url":["https://x.test"],"secret":["whsec_no base64 it is"]}`: "base64",
		`{"url":["https://x.test"],"kinds":["refused"]}`:                "no kind",
		`{"url":["https://x.test"],"enabled":["perhaps"]}`:              "true or false",
	} {
		var refused *visitor.StatusError
		_, err := w.admin.Post(w, "/out/components",
			json.RawMessage(`{"name":"x","providerType":"latchkey.sessions.Webhook","providerId":"webhook","config":`+config+`}`))
		if !errors.As(err, &refused) || refused.Status != 400 || !strings.Contains(refused.Body, "errorMessage") ||
			!strings.Contains(refused.Body, want) {
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
	var made struct{ Secret string }
	id, err := w.admin.Do(w, "POST", "/out/components", json.RawMessage(fmt.Sprintf(
		`{"name":"siem","providerType":"latchkey.sessions.Webhook","providerId":"webhook","config":{"url":["%s/hook"]}}`, hook.url())), &made)
	w.must(err)
	encoded, ok := strings.CutPrefix(made.Secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) != 32 {
		t.Fatalf("the secret that was made is %q", made.Secret)
	}
	masked := func() {
		t.Helper()
		var shown, list, export json.RawMessage
		w.must(w.admin.Get(w, "/out/components/"+id, &shown))
		w.must(w.admin.Get(w, "/out/components?type=latchkey.sessions.Webhook", &list))
		w.must(w.second(w.admin.Do(w, "POST", "/out/partial-export", nil, &export)))
		for _, doc := range []json.RawMessage{shown, list, export} {
			if !strings.Contains(string(doc), `"secret":["**********"]`) || strings.Contains(string(doc), encoded) {
				t.Errorf("shown is %s", doc)
			}
		}
	}
	masked()

	// A change that posts the masked secret back keeps it.
	var doc map[string]any
	w.must(w.admin.Get(w, "/out/components/"+id, &doc))
	doc["config"].(map[string]any)["kinds"] = []string{"began", "ended"}
	w.must(w.admin.Put(w, "/out/components/"+id, doc))
	masked()
	doc["config"].(map[string]any)["url"] = []string{"nowhere"}
	if err := w.admin.Put(w, "/out/components/"+id, doc); err == nil {
		t.Error("a bad url was taken")
	}

	w.client.up(t)
	tokens := w.logIn()
	w.logOut(tokens)
	w.until("the webhook is told", func() bool { return len(hook.got()) >= 2 })
	types := map[string]map[string]any{}
	for i, body := range hook.got() {
		if !signed(hook.seen[i], body, key) || signed(hook.seen[i], body, key[1:]) {
			t.Errorf("the signature of %s is wrong", body)
		}
		var m struct {
			ID, Type, Realm string
			Session         map[string]any
		}
		w.must(json.Unmarshal([]byte(body), &m))
		if m.Realm != "out" || m.ID != hook.seen[i].Header.Get("Webhook-Id") || m.Session["id"] != tokens.Session {
			t.Errorf("the message is %s", body)
		}
		types[m.Type] = m.Session
	}
	ended, _ := types["session.ended"]["end"].(map[string]any)
	if types["session.began"]["how"] != "browser" || ended["reason"] != "logout-by-client" {
		t.Errorf("told %v", types)
	}
	w.until("it is shown", func() bool { return len(w.deliveries("kind=webhook&state=delivered&webhook="+id)) == 2 })
	if list := w.deliveries("session=" + tokens.Session + "&max=2"); len(list) != 2 {
		t.Errorf("a page of two: %+v", list)
	} else if rest := w.deliveries("session=" + tokens.Session + "&before=" + list[1].ID); len(rest) != 1 {
		t.Errorf("the rest: %+v", rest)
	}

	w.tellsOfRemovedUsers(hook)

	log := server.Log()
	for _, want := range []string{"session began", "session ended", "reason=logout-by-client", "session=" + tokens.Session} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	if strings.Contains(log, encoded) {
		t.Error("the secret is in the log")
	}

	// An export of the whole realm keeps it, secret and all, and brings it back.
	file := filepath.Join(t.TempDir(), "realm.json")
	if out, err := server.Command("export", "--realm", "out", "--file", file); err != nil {
		t.Fatal(err, out)
	}
	export, err := os.ReadFile(file)
	w.must(err)
	if !strings.Contains(string(export), made.Secret) {
		t.Error("the export lacks the webhook, or its secret")
	}
	w.must(w.admin.Delete(w, "/out/components/"+id))
	w.must(w.admin.Delete(w, "/out"))
	var realm map[string]any
	w.must(json.Unmarshal(export, &realm))
	w.must(w.second(w.admin.Post(w, "", realm)))
	masked()
}
