package login_test

import (
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/authn"
	"latchkey/internal/authn/actions"
	"latchkey/internal/authn/authntest"
	"latchkey/internal/authn/steps"
	"latchkey/internal/authn/tabs"
	"latchkey/internal/bearer"
	"latchkey/internal/broker"
	"latchkey/internal/iam"
	"latchkey/internal/login"
	"latchkey/internal/logout"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
	"latchkey/internal/web"
)

// A house is a login door with a realm "shop", a client "till", and the users
// ann (password ann-pw) and otto (the same, and a device with one-time codes).
// Its protocol redirects to http://app.test/cb with "done" or "error".
type house struct {
	*authntest.House
	t      *testing.T
	config login.Config
	h      *login.Handler
	srv    *httptest.Server
	client *realms.Client
	mu     sync.Mutex
	done   []*authn.Done
	begin  authn.Begin // what /start begins
}

func newHouse(t *testing.T, db *store.DB, realmDoc string, more ...authn.Spec) *house {
	t.Helper()
	x := &house{t: t, House: authntest.New(t, db, realmDoc, map[iam.Protocol]logout.Protocol{toyName: toyLogout{}})}
	var err error
	if x.client, err = x.Realm.ClientByName(t.Context(), "till"); err != nil {
		t.Fatal(err)
	}
	set, err := pages.New(pages.Options{ResourcesPath: "/resources"})
	if err != nil {
		t.Fatal(err)
	}
	host, err := web.NewHostname(web.HostnameOptions{})
	if err != nil {
		t.Fatal(err)
	}
	x.config = login.Config{
		Realms: x.Realms, Keys: x.Keys, Sessions: x.Sessions, Issuer: x.Issuer, Events: x.Events, Tabs: tabs.New(db),
		Engine: steps.New(x.Steps(), more...), Actions: actions.New(x.Actions()),
		Pages: set, Hostname: host, Log: slog.New(slog.DiscardHandler), Users: x.Users, Judge: &bearer.Service{Sessions: x.Sessions,
			Users: x.Users, Now: db.Now},
		Broker:    broker.New(broker.Config{Users: x.Users, Roles: x.Roles, Keys: x.Keys, Client: web.NewClient(web.Provider), Now: db.Now}),
		Protocols: map[iam.Protocol]login.Protocol{toyName: toy{x}},
	}
	x.h = login.New(x.config)
	x.begin = authn.Begin{Realm: x.Realm.ID, Client: &x.client.Client, Type: "code",
		Request: iam.LoginRequest{Client: x.client.ID, Protocol: toyName, RedirectURI: "http://app.test/cb", Scope: "openid"}}
	mux := http.NewServeMux()
	x.h.Mount(mux)
	mux.HandleFunc("GET /start", func(w http.ResponseWriter, r *http.Request) {
		b := x.begin
		b.Request.Force = r.URL.Query().Get("prompt") == "login"
		b.Passive = r.URL.Query().Get("prompt") == "none"
		b.Path = r.URL.Query().Get("path")
		x.h.Start(w, r, &b)
	})
	x.srv = httptest.NewServer(mux)
	t.Cleanup(x.srv.Close)
	return x
}

const shop = `{"realm":"shop","enabled":true,"registrationAllowed":true,"resetPasswordAllowed":true,"eventsEnabled":true,` +
	authntest.CheapHash + `,"attributes":{` + authntest.ReusableCodes + `},
	"clients":[{"clientId":"till","publicClient":true,"protocol":"saml","redirectUris":["http://app.test/*"]}],
	"users":[{"username":"ann","enabled":true,"email":"ann@shop.test","firstName":"A","lastName":"B","clientRoles":{"account":["delete-account"]},"credentials":[{"type":"password","value":"ann-pw"}]},
		{"username":"otto","enabled":true,"email":"o@shop.test","firstName":"A","lastName":"B","credentials":[{"type":"password","value":"otto-pw"},` + authntest.Device + `]},
		{"username":"must","enabled":true,"email":"n@shop.test","firstName":"A","lastName":"B","requiredActions":["UPDATE_PASSWORD"],"credentials":[{"type":"password","value":"must-pw"}]},
		{"username":"mail","email":"m@shop.test","firstName":"A","lastName":"B","enabled":true,"requiredActions":["VERIFY_EMAIL"],"credentials":[{"type":"password","value":"mail-pw"}]}]}`

// A browser keeps cookies, secure ones too, and follows redirects within the server.
type browser struct {
	x       *house
	cookies map[string]string
	set     []string // names set or cleared by the last answer
	action  string   // of the page's form
	body    string
	status  int
}

func (x *house) browser() *browser { return &browser{x: x, cookies: map[string]string{}} }

var formAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)

func (b *browser) do(method, at string, form url.Values) string {
	b.x.t.Helper()
	for {
		var body io.Reader
		if method == http.MethodPost {
			body = strings.NewReader(form.Encode())
		}
		req, err := http.NewRequestWithContext(b.x.t.Context(), method, at, body)
		if err != nil {
			b.x.t.Fatal(err)
		}
		if method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for n, v := range b.cookies {
			req.AddCookie(&http.Cookie{Name: n, Value: v})
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			b.x.t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			b.x.t.Fatal(err)
		}
		b.set = nil
		for _, c := range res.Cookies() {
			if b.set = append(b.set, c.Name); c.MaxAge < 0 {
				b.set[len(b.set)-1] = "-" + c.Name
				delete(b.cookies, c.Name)
			} else {
				b.cookies[c.Name] = c.Value
			}
		}
		b.status, b.body, b.action = res.StatusCode, string(text), ""
		if m := formAction.FindStringSubmatch(b.body); m != nil {
			b.action = html.UnescapeString(m[1])
		}
		to := res.Header.Get("Location")
		if !strings.HasPrefix(to, b.x.srv.URL) {
			return to
		}
		method, at = http.MethodGet, to
	}
}

func (b *browser) start(query string) string {
	return b.do(http.MethodGet, b.x.srv.URL+"/start?"+query, nil)
}

func (b *browser) submit(pairs ...string) string {
	b.x.t.Helper()
	if b.action == "" {
		b.x.t.Fatalf("no form to submit on %d %s", b.status, b.body)
	}
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return b.do(http.MethodPost, b.action, form)
}

var tags = regexp.MustCompile(`(?s)<head.*</head>|<[^>]*>|\s+`)

// text is the page without its markup.
func (b *browser) text() string { return tags.ReplaceAllString(b.body, " ") }

func (b *browser) want(got, want string) {
	b.x.t.Helper()
	if got != want {
		b.x.t.Fatalf("got %q (%d), want %q\n%s", got, b.status, want, b.text())
	}
}

func (b *browser) shows(text string) {
	b.x.t.Helper()
	if !strings.Contains(b.body, text) {
		b.x.t.Fatalf("page (%d) does not show %q:\n%s", b.status, text, b.text())
	}
}

func (b *browser) sets(names ...string) {
	b.x.t.Helper()
	slices.Sort(b.set)
	slices.Sort(names)
	if got, want := strings.Join(b.set, " "), strings.Join(names, " "); got != want {
		b.x.t.Fatalf("cookies %q, want %q", got, want)
	}
}

func TestLogin(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		x := newHouse(t, db, shop)
		b := x.browser()
		b.want(b.start(""), "")
		b.sets("AUTH_SESSION_ID", "KC_AUTH_SESSION_HASH", "KC_RESTART")
		b.want(b.submit("username", "ann", "password", "wrong"), "")
		b.shows("Invalid username or password.")
		b.want(b.submit("username", "ann", "password", "ann-pw"), "http://app.test/cb?done=ann")
		b.sets("KEYCLOAK_IDENTITY", "KEYCLOAK_SESSION", "-KC_RESTART")
		if d := x.done[0]; !d.New || d.SSO || d.Level != -1 || d.Session.Notes["AUTH_TIME"] == "" {
			t.Errorf("%+v", d)
		}
		b.want(b.start(""), "http://app.test/cb?done=ann")
		if d := x.done[1]; d.New || !d.SSO || d.Session.ID != x.done[0].Session.ID {
			t.Errorf("%+v", d)
		}
		// Oracle: login/basic, by the SSO cookie
		b.sets("AUTH_SESSION_ID", "KC_AUTH_SESSION_HASH", "KC_RESTART", "KEYCLOAK_IDENTITY", "KEYCLOAK_SESSION")
		b.want(b.start("prompt=login"), "")
		b.shows("Please re-authenticate to continue")
		b.want(b.submit("password", "ann-pw"), "http://app.test/cb?done=ann")
		if d := x.done[2]; d.New || d.SSO {
			t.Errorf("%+v", d)
		}
	})
}

func TestPassive(t *testing.T) {
	x := newHouse(t, storetest.SQLite(t), shop)
	b := x.browser()
	b.want(b.start("prompt=none"), "http://app.test/cb?error=login_required")
	b.sets("AUTH_SESSION_ID", "KC_AUTH_SESSION_HASH")
	b.start("")
	b.sets("AUTH_SESSION_ID", "KC_AUTH_SESSION_HASH", "KC_RESTART") // Oracle: login/prompts
	b.submit("username", "ann", "password", "ann-pw")
	b.want(b.start("prompt=none"), "http://app.test/cb?done=ann")
}

func TestTwoTabsAndAReplay(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		x := newHouse(t, db, shop)
		b := x.browser()
		b.start("")
		first := b.action
		b.start("")
		b.sets("KC_RESTART") // Oracle: login/wrong-users
		second := b.action
		b.action = first
		b.want(b.submit("username", "otto", "password", "otto-pw"), "")
		b.shows("otp")
		code := b.action
		b.action = first // back, and the same form again: the login goes on from there, under another tab id
		b.want(b.submit("username", "otto", "password", "otto-pw"), "")
		b.shows("otp")
		if b.action == code {
			t.Error("two logins go on as one")
		}
		b.action = code
		b.want(b.submit("otp", "wrong"), "")
		b.shows("Invalid authenticator code")
		b.action = code // back
		b.want(b.submit("otp", x.Code(t, authntest.DeviceSecret)), "")
		b.shows("otp")
		code = b.action
		b.action = second
		b.want(b.submit("username", "ann", "password", "ann-pw"), "http://app.test/cb?done=ann")
		b.sets("KEYCLOAK_IDENTITY", "KEYCLOAK_SESSION") // the other tab is open still
		b.action = code
		b.want(b.submit("otp", x.Code(t, authntest.DeviceSecret)), "") // somebody else is logged in now
		b.shows("already authenticated as different user")
	})
}

// A page may be left open for a time that begins anew with each step, and is a
// shorter one for required actions.
// Keycloak: AuthenticationProcessor.generateCode, SessionCodeChecks.isActionActive
func TestPagesLeftOpen(t *testing.T) {
	doc := strings.Replace(shop, `"realm":"shop"`,
		`"realm":"shop","accessCodeLifespanLogin":4,"accessCodeLifespanUserAction":1,"accessCodeLifespan":1`, 1)
	x := newHouse(t, storetest.SQLite(t), doc)
	b := x.browser()
	b.start("")
	b.want(b.submit("username", "otto", "password", "otto-pw"), "")
	b.shows("otp")
	for range 2 { // longer than 4 seconds in all
		time.Sleep(2500 * time.Millisecond)
		b.want(b.submit("otp", "wrong"), "")
		b.shows("otp")
	}
	b.want(b.submit("otp", x.Code(t, authntest.DeviceSecret)), "http://app.test/cb?done=otto")

	other := x.browser()
	other.start("")
	other.want(other.submit("username", "must", "password", "must-pw"), "")
	other.shows("password-new")
	time.Sleep(1200 * time.Millisecond)
	other.want(other.submit("password-new", "long enough", "password-confirm", "long enough"), "")
	other.shows("Your login attempt timed out")
	other.want(other.submit("username", "ann", "password", "ann-pw"), "http://app.test/cb?done=ann")
}

func TestForeignStateIsRefused(t *testing.T) {
	x := newHouse(t, storetest.SQLite(t), shop)
	b, other := x.browser(), x.browser()
	b.start("")
	action := b.action
	other.start("")
	other.action = action
	other.want(other.submit("username", "ann", "password", "ann-pw"), "")
	if len(x.done) > 0 {
		t.Fatal("a browser went on with another's login")
	}
	nobody := x.browser()
	nobody.action = action
	nobody.want(nobody.submit("username", "ann", "password", "ann-pw"), "")
	nobody.shows("Restart login cookie not found.")
	if nobody.status != http.StatusBadRequest {
		t.Fatal(nobody.status)
	}
}

func TestOutOfNowhere(t *testing.T) {
	x := newHouse(t, storetest.SQLite(t), shop)
	b := x.browser()
	b.start("")
	// Oracle: login/bad-requests
	b.want(b.do(http.MethodGet, x.srv.URL+"/realms/shop/login-actions/authenticate?client_id=till&tab_id=x&session_code=y&execution=z", nil),
		"")
	b.shows("Your login attempt timed out. Login will start from the beginning.")
	b.want(b.submit("username", "ann", "password", "ann-pw"), "http://app.test/cb?done=ann")
	// A client that does not exist is no fault of the server's. Keycloak: SessionCodeChecks.
	stranger := x.browser()
	stranger.do(http.MethodGet, x.srv.URL+"/realms/shop/login-actions/authenticate?client_id=nobody", nil)
	stranger.shows("Restart login cookie not found")
	for path, want := range map[string]int{"consent": http.StatusNotFound, "action-token": http.StatusBadRequest} {
		if stranger.do(http.MethodGet, x.srv.URL+"/realms/shop/login-actions/"+path, nil); stranger.status != want {
			t.Errorf("%s: %d", path, stranger.status)
		}
	}
	for _, path := range []string{"authenticate", "restart", "action-token?key=x"} {
		if b.do(http.MethodGet, x.srv.URL+"/realms/nowhere/login-actions/"+path, nil); b.status != http.StatusNotFound {
			t.Fatal(path, b.status)
		}
	}
}

func TestRequiredAction(t *testing.T) {
	x := newHouse(t, storetest.SQLite(t), shop)
	b := x.browser()
	b.start("")
	b.want(b.submit("username", "must", "password", "must-pw"), "")
	b.shows("You need to change your password")
	b.want(b.submit("password-new", "short", "password-confirm", "short"), "")
	b.shows("minimum length 6")
	b.want(b.submit("password-new", "long-enough", "password-confirm", "other"), "")
	b.want(b.submit("password-new", "long-enough", "password-confirm", "long-enough"), "http://app.test/cb?done=must")
	b = x.browser()
	b.start("")
	b.want(b.submit("username", "mail", "password", "mail-pw"), "")
	b.shows("Failed to send email")
	if b.status != http.StatusInternalServerError {
		t.Fatal(b.status)
	}
}

// Keycloak: DefaultLocaleSelectorProvider, UpdateUserLocaleAction.
func TestLanguages(t *testing.T) {
	x := newHouse(t, storetest.SQLite(t), strings.Replace(shop, `"enabled":true,`,
		`"enabled":true,"internationalizationEnabled":true,"supportedLocales":["en","de","fr"],"defaultLocale":"en",
		"localizationTexts":{"de":{"invalidUserMessage":"Falsch!"},"fr":{"invalidUserMessage":"Faux!"}},`, 1))
	b := x.browser()
	x.begin.Request.UILocales = "xx fr"
	b.start("")
	b.want(b.submit("username", "ann", "password", "wrong"), "")
	b.shows("Faux!") // what the client asked for holds for later pages
	at := strings.Replace(b.action, "session_code=", "was=", 1)
	b.want(b.do(http.MethodGet, at+"&kc_locale=de", nil), "")
	b.sets("KEYCLOAK_LOCALE")
	b.want(b.submit("username", "ann", "password", "wrong"), "")
	b.shows("Falsch!") // what the user picked wins
	b.want(b.submit("username", "ann", "password", "ann-pw"), "http://app.test/cb?done=ann")
	if u := x.User(t, "ann"); u.Attr("locale") != "de" {
		t.Errorf("kept %v", u.Attrs)
	}
	b = x.browser()
	x.begin.Request.UILocales, x.begin.Request.Action = "", "UPDATE_PASSWORD"
	b.start("")
	b.want(b.submit("username", "ann", "password", "ann-pw"), "")
	b.shows(`lang="de"`) // what the user has in the profile
	b.sets("KEYCLOAK_LOCALE")
}

// A flow that fails before its first page tells what was asked for. Keycloak: AuthorizationEndpoint.process.
func TestDeniedAtOnce(t *testing.T) {
	x := newHouse(t, storetest.SQLite(t), strings.Replace(shop, `"enabled":true,`,
		`"enabled":true,"browserFlow":"deny","registrationFlow":"deny","directGrantFlow":"deny",
		"authenticationFlows":[{"alias":"deny","providerId":"basic-flow","topLevel":true,"authenticationExecutions":[{"authenticator":"deny-access-authenticator","requirement":"REQUIRED","priority":1}]}],`, 1))
	b := x.browser()
	b.want(b.start(""), "")
	b.shows("Access denied")
	list, err := x.h.Events.List(t.Context(), x.Realm, store.EventFilter{Max: -1})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if e := list[0]; e.Kind != "LOGIN_ERROR" || e.Details["toy"] != "yes" {
		t.Errorf("%+v", e)
	}
}

// Keycloak: UpdateTotp, login-config-totp.ftl.
func TestOneTimeCodeByHand(t *testing.T) {
	x := newHouse(t, storetest.SQLite(t), shop)
	x.begin.Request.Action = "CONFIGURE_TOTP"
	b := x.browser()
	b.start("")
	b.want(b.submit("username", "ann", "password", "ann-pw"), "")
	m := regexp.MustCompile(`id="mode-manual" href="([^"]+mode=manual)"`).FindStringSubmatch(b.body)
	if m == nil {
		t.Fatal(b.body)
	}
	b.want(b.do(http.MethodGet, html.UnescapeString(m[1]), nil), "")
	b.shows("kc-totp-secret-key")
	b.want(b.submit("totp", "1", "mode", "manual"), "")
	b.shows("kc-totp-secret-key")
}

// Keycloak: DeleteAccount.
func TestDeleteAccount(t *testing.T) {
	x := newHouse(t, storetest.SQLite(t), shop)
	for i := range x.Realm.RequiredActions {
		if a := x.Realm.RequiredActions[i]; a.Alias == "delete_account" {
			a.Enabled = true
		}
	}
	x.begin.Request.Action = "delete_account"
	b := x.browser()
	b.start("")
	b.want(b.submit("username", "ann", "password", "ann-pw"), "")
	b.shows("This action is irreversible")
	b.want(b.submit(), "")
	b.shows("User deleted successfully")
	if x.User(t, "ann") != nil {
		t.Error("she is still there")
	}
	if len(x.done) > 0 {
		t.Error("she is logged in")
	}
}

// Neither a second factor nor a required action can be passed by, at any address.
func TestPagesHold(t *testing.T) {
	for _, user := range []string{"otto", "must"} {
		t.Run(user, func(t *testing.T) {
			x := newHouse(t, storetest.SQLite(t), shop)
			b := x.browser()
			b.start("")
			login := b.action
			b.submit("username", user, "password", user+"-pw")
			action, err := url.Parse(b.action)
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{"authenticate", "registration", "reset-credentials", "consent", "required-action"} {
				for _, exec := range []string{"UPDATE_PASSWORD", "OAUTH_GRANT", "TERMS_AND_CONDITIONS", ""} {
					for _, without := range []string{"", "session_code"} {
						at := *action
						at.Path = "/realms/shop/login-actions/" + path
						q := at.Query()
						code := q.Get("session_code")
						q.Set("execution", exec)
						q.Del(without)
						at.RawQuery = q.Encode()
						if to := b.do(http.MethodPost, at.String(), url.Values{"accept": {"Yes"}, "code": {code}}); to != "" {
							t.Fatalf("POST %s: %s", at.String(), to)
						}
						if to := b.do(http.MethodGet, at.String(), nil); to != "" {
							t.Fatalf("GET %s: %s", at.String(), to)
						}
					}
				}
			}
			b.action = login
			if to := b.submit("username", user, "password", user+"-pw"); to != "" {
				t.Fatal(to)
			}
			if to := b.start(""); to != "" {
				t.Fatal(to)
			}
		})
	}
}

func TestConsent(t *testing.T) {
	x := newHouse(t, storetest.SQLite(t), strings.Replace(shop, `"clientId":"till"`, `"clientId":"till","consentRequired":true`, 1))
	b := x.browser()
	b.start("")
	b.want(b.submit("username", "ann", "password", "ann-pw"), "")
	if !strings.Contains(b.action, "/login-actions/consent?") {
		t.Fatal(b.action)
	}
	code := regexp.MustCompile(`name="code" value="([^"]*)"`).FindStringSubmatch(b.body)[1]
	b.want(b.submit("code", code, "cancel", "No"), "http://app.test/cb?error=denied")
	b.start("")
	b.submit("username", "ann", "password", "ann-pw")
	b.want(b.submit("code", "guessed", "accept", "Yes"), "")
	b.start("")
	b.submit("username", "ann", "password", "ann-pw")
	code = regexp.MustCompile(`name="code" value="([^"]*)"`).FindStringSubmatch(b.body)[1]
	b.want(b.submit("code", code, "accept", "Yes"), "http://app.test/cb?done=ann")
	b.want(b.start(""), "http://app.test/cb?done=ann")
}

func TestReset(t *testing.T) {
	x := newHouse(t, storetest.SQLite(t), shop)
	b := x.browser()
	b.start("")
	link := regexp.MustCompile(`href="([^"]*reset-credentials[^"]*)"`).FindStringSubmatch(b.body)
	b.do(http.MethodGet, html.UnescapeString(link[1]), nil)
	b.want(b.submit("username", "nobody"), "")
	b.shows("You should receive an email shortly with further instructions.")
	b.want(b.submit("username", "ann", "password", "ann-pw"), "http://app.test/cb?done=ann")
}

// Opening pages and following their links stores nothing: only a POST does.
// A wrong password first, then the page for those who forgot it, or have no account: the login
// is stored by then, and what is typed there must find that page. Oracle: login-locales/french.
func TestOtherFlowsAfterAWrongPassword(t *testing.T) {
	for path, c := range map[string]struct{ typed, shows string }{
		"reset-credentials": {"nobody", "You should receive an email shortly with further instructions."},
		"registration":      {"ann", "Username already exists."},
	} {
		x := newHouse(t, storetest.SQLite(t), shop)
		b := x.browser()
		b.start("")
		b.want(b.submit("username", "ann", "password", "wrong"), "")
		link := regexp.MustCompile(`href="([^"]*` + path + `[^"]*)"`).FindStringSubmatch(b.body)
		b.want(b.do(http.MethodGet, html.UnescapeString(link[1]), nil), "")
		b.want(b.submit("username", c.typed, "email", "ann@other.test", "firstName", "Ann", "lastName", "Other", "password", "a",
			"password-confirm", "a"), "")
		b.shows(c.shows)
	}
}

func TestVisitorsLeaveNoTrace(t *testing.T) {
	db := storetest.SQLite(t)
	x := newHouse(t, db, shop)
	b := x.browser()
	b.start("")
	page := b.body
	for _, m := range regexp.MustCompile(`href="([^"]*/login-actions/[^"]*)"`).FindAllStringSubmatch(page, -1) {
		b.do(http.MethodGet, html.UnescapeString(m[1]), nil)
		if b.action == "" {
			t.Fatalf("%s shows no form: %s", m[1], b.text())
		}
	}
	b.start("prompt=none")
	if n := swept(t, db); n != 0 {
		t.Fatalf("%d stored logins", n)
	}
	b.start("")
	b.submit("username", "ann", "password", "wrong")
	if n := swept(t, db); n != 1 {
		t.Fatalf("%d stored logins after a POST, want 1", n)
	}
}

// swept counts and removes the stored roots, as a sweep of the far future would.
func swept(t *testing.T, db *store.DB) (n int64) {
	t.Helper()
	for shard := range int64(16) {
		err := db.Tx(t.Context(), func(tx *store.Tx) error {
			tx.Now = tx.Now.Add(24 * time.Hour)
			k, err := tx.SweepAuthSessions(t.Context(), shard, 1000)
			n += k
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// A login begun on one node is finished on the other: nodes share the database
// and its key, nothing else.
func TestTwoNodes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		x := newHouse(t, db, shop)
		config := x.config
		config.Realms = realms.NewCache(db)
		second := login.New(config)
		mux := http.NewServeMux()
		second.Mount(mux)
		one := x.srv.Config.Handler
		n := 0
		x.srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n++; n%2 == 0 {
				mux.ServeHTTP(w, r)
				return
			}
			one.ServeHTTP(w, r)
		})
		b := x.browser()
		b.start("")
		b.want(b.submit("username", "otto", "password", "otto-pw"), "")
		b.want(b.submit("otp", "000000"), "")
		b.shows("Invalid authenticator code.")
		b.want(b.submit("otp", x.Code(t, authntest.DeviceSecret)), "http://app.test/cb?done=otto")
	})
}

// Of many submits of one form at once, each gets an answer, and none slips past the second factor.
func TestRacingSubmits(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		x := newHouse(t, db, shop)
		b := x.browser()
		b.start("")
		var wg sync.WaitGroup
		for range 8 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				c := x.browser()
				for k, v := range b.cookies {
					c.cookies[k] = v
				}
				c.action = b.action
				if to := c.submit("username", "otto", "password", "otto-pw"); to != "" || c.status != http.StatusOK {
					t.Errorf("%d %s", c.status, to)
				}
			}()
		}
		wg.Wait()
		if len(x.done) != 0 {
			t.Error("somebody is logged in")
		}
	})
}
