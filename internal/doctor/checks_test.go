package doctor

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/internal/rep"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// web is a browser client with nothing wrong about it.
func web() *rep.Client {
	return &rep.Client{ID: "web-id", ClientID: "web", Protocol: "openid-connect", Enabled: new(true), StandardFlowEnabled: new(true),
		PublicClient:              new(true),
		DirectAccessGrantsEnabled: new(true), RedirectURIs: []string{"https://app.example.org/callback", "http://127.0.0.1/cb"},
		WebOrigins:          []string{"+"},
		DefaultClientScopes: []string{"profile"}, OptionalClientScopes: []string{"offline_access"}}
}

// sound is the evidence of a realm in which every check can tell, and finds nothing.
func sound() *Evidence {
	n := Told(Count{N: 3})
	return &Evidence{
		At: noon, Server: Keycloak, UnusedAfter: 90 * 24 * time.Hour,
		Realm: Told(&rep.Realm{ID: "r1", Realm: "shop", SSOSessionIdleTimeout: new(1800), SSOSessionMaxLifespan: new(36000),
			AccessTokenLifespan:       new(300),
			OfflineSessionIdleTimeout: new(2592000), OfflineSessionMaxLifespanEnabled: new(true), OfflineSessionMaxLifespan: new(5184000),
			BruteForceProtected: new(true), DefaultSignatureAlgorithm: new("RS256"), SSLRequired: "external"}),
		Clients: Told([]*rep.Client{web()}),
		Scopes:  Told([]Scope{{"s1", "profile", Default}, {"s2", "offline_access", Optional}}),
		Keys:    Told([]Key{{"k1", "RS256", true, Told(noon.AddDate(0, -1, 0))}, {"k2", "RS256", false, Told(noon.AddDate(-3, 0, 0))}}),
		Actions: Told([]rep.RequiredAction{{Alias: "VERIFY_EMAIL", Enabled: true}}),
		Sessions: Told(map[string]ClientSessions{"web-id": {Online: n, Offline: n,
			Week:  Told(Week{Begun: Count{N: 3}, Unrefreshed: Count{N: 1}, Of: Count{N: 3}}),
			Older: Told(Count{}), Dead: Told(Count{}), Left: Told(Count{})}}),
		Uses: Told(map[string]Use{"web-id": {Last: Told(noon.AddDate(0, 0, -1)), Passwords: n}}),
		Providers: Told([]Provider{{Rep: &rep.IdentityProvider{InternalID: "p1", Alias: "town", ProviderID: "oidc",
			Config: map[string]string{"validateSignature": "true"}},
			Mappers: []ProviderMapper{{Name: "grade"}}, Only: Told(Count{})}}),
		Issuer: Told("https://id.example.org/realms/shop"), Asked: Told("https://id.example.org"), Follows: Told(false),
	}
}

func (e *Evidence) realm() *rep.Realm   { r, _ := e.Realm.Get(); return r }
func (e *Evidence) client() *rep.Client { l, _ := e.Clients.Get(); return l[0] }

// session changes the numbers about the client's sessions.
func (e *Evidence) session(f func(*ClientSessions)) {
	all, _ := e.Sessions.Get()
	n := all["web-id"]
	f(&n)
	all["web-id"] = n
}

func (e *Evidence) provider() *Provider { l, _ := e.Providers.Get(); return &l[0] }

func noRealm(e *Evidence)   { e.Realm = Untold[*rep.Realm]("this account lacks view-realm") }
func noClients(e *Evidence) { e.Clients = Untold[[]*rep.Client]("this account lacks view-clients") }
func noScopes(e *Evidence)  { e.Scopes = Untold[[]Scope]("this account lacks view-clients") }
func noSessions(e *Evidence) {
	e.Sessions = Untold[map[string]ClientSessions]("this account lacks view-users")
}
func noUses(e *Evidence) { e.Uses = Untold[map[string]Use]("events are not stored") }
func noProviders(e *Evidence) {
	e.Providers = Untold[[]Provider]("this account lacks view-identity-providers")
}
func noKeys(e *Evidence)   { e.Keys = Untold[[]Key]("this account lacks view-realm") }
func noIssuer(e *Evidence) { e.Issuer = Untold[string]("the server does not answer discovery") }

// Each check finds what it is for, says so in numbers, and offers what mends
// it; and without its evidence it says that it cannot tell, and why.
func TestChecks(t *testing.T) {
	for _, c := range []struct {
		check  string
		ill    func(*Evidence)
		wants  []string // parts of the finding's texts
		fixes  string   // ids, the default first
		change string   // of the default fix
		blind  func(*Evidence)
		why    string
	}{
		{"offline-access-realm-default", func(e *Evidence) {
			list, _ := e.Scopes.Get()
			list[1].Assigned = Default
			e.client().DefaultClientScopes = []string{"offline_access"}
			e.client().Enabled = new(false)
		},
			[]string{"Every client that is made in realm shop", "1 client has it already"}, "optional remove",
			`realm shop: client scope offline_access: "default" -> "optional"`, noScopes, "lacks view-clients"},
		{"offline-access-client-default", func(e *Evidence) {
			e.client().DefaultClientScopes = []string{"offline_access"}
			e.session(func(n *ClientSessions) {
				n.Offline, n.Week = Told(Count{N: 214}), Told(Week{Begun: Count{N: 214}, Unrefreshed: Count{N: 214}, Of: Count{N: 214}})
			})
		}, []string{"browser client web (public)", "214 offline sessions begun this week, 0 refreshed", "214 live offline tokens keep working",
			"214 live offline tokens fail at their next refresh"},
			"optional remove", `client web: client scope offline_access: "default" -> "optional"`, noClients, "lacks view-clients"},
		{"offline-sessions-without-maximum", func(e *Evidence) {
			e.realm().OfflineSessionMaxLifespanEnabled = new(false)
			e.session(func(n *ClientSessions) { n.Offline, n.Older = Told(Count{10_000, true}), Told(Count{N: 7}) })
		}, []string{"at least every 30 days", "more than 10,000 live offline sessions", "more than 60 days ago end at once: 7 sessions"}, "limit",
			`realm shop: offlineSessionMaxLifespanEnabled: false -> true`, noRealm, "lacks view-realm"},
		{"zombie-offline-sessions", func(e *Evidence) {
			e.session(func(n *ClientSessions) { n.Dead, n.Left = Told(Count{N: 2}), Told(Count{N: 1}) })
		},
			[]string{"2 offline sessions of client web have no token that works", "1 offline session whose login the user has logged out of"}, "",
			"", noSessions, "lacks view-users"},
		{"rotation-without-grace", func(e *Evidence) { e.realm().RevokeRefreshToken = new(true) },
			[]string{"1 public client with a browser flow: web", "It concerns 6 live sessions"}, "reuse", "realm shop: refreshTokenMaxReuse: 0 -> 1",
			noRealm, "lacks view-realm"},
		{"direct-grants-unused", func(e *Evidence) {
			e.Uses = Told(map[string]Use{"web-id": {Last: Told(noon), Passwords: Told(Count{})}})
		},
			[]string{"0 logins by the password grant in the last 90 days"}, "off", "client web: directAccessGrantsEnabled: true -> false", noUses,
			"events are not stored"},
		{"implicit-flow", func(e *Evidence) { e.client().ImplicitFlowEnabled = new(true) }, []string{"3 live sessions go on"}, "off",
			"client web: implicitFlowEnabled: true -> false", noClients, "lacks view-clients"},
		{"redirect-uri-wildcard", func(e *Evidence) { e.client().RedirectURIs = []string{"https://*"} },
			[]string{"any host that matches https://*"}, "", "", noClients, "lacks view-clients"},
		{"redirect-uri-http", func(e *Evidence) {
			e.client().RedirectURIs = []string{"http://app.example.org/cb", "http://localhost:3000/*"}
		},
			[]string{"plain http at http://app.example.org/cb."}, "", "", noClients, "lacks view-clients"},
		{"web-origins-any", func(e *Evidence) { e.client().WebOrigins = []string{"*"} }, []string{"Scripts of any web site"}, "redirects",
			`client web: webOrigins: ["*"] -> ["+"]`, noClients, "lacks view-clients"},
		{"access-token-outlives-session", func(e *Evidence) { e.realm().AccessTokenLifespan = new(7200) },
			[]string{"live 2 hours, but sessions end after 30 minutes"},
			"shorten", "realm shop: accessTokenLifespan: 7200 -> 300", noRealm, "lacks view-realm"},
		{"access-token-outlives-session", func(e *Evidence) { e.client().Attributes = map[string]string{"access.token.lifespan": "3600"} },
			[]string{"Access tokens of client web live 1 hour"},
			"inherit", `client web: attributes.access.token.lifespan: "3600" -> ""`, noClients, "lacks view-clients"},
		{"idle-longer-than-maximum", func(e *Evidence) { e.realm().SSOSessionIdleTimeout = new(40000) },
			[]string{"ssoSessionMaxLifespan is 10 hours"},
			"shorten", "realm shop: ssoSessionIdleTimeout: 40000 -> 36000", noRealm, "lacks view-realm"},
		{"client-unused", func(e *Evidence) {
			e.Uses = Told(map[string]Use{"web-id": {Last: Told(time.Time{}), Passwords: Told(Count{N: 1})}})
		},
			[]string{"not been used for 90 days", "3 online sessions and 3 offline sessions live on"}, "disable",
			"client web: enabled: true -> false", noUses, "events are not stored"},
		{"consent-third-party", func(e *Evidence) {
			e.client().RedirectURIs = []string{"https://www.partner.example/cb"}
			e.client().PublicClient = new(false)
		},
			[]string{"at www.partner.example, the realm is at example.org", "6 live sessions: those of users who have not consented fail"}, "ask",
			"client web: consentRequired: false -> true", noIssuer, "does not answer discovery"},
		{"signing-key-single", func(e *Evidence) { list, _ := e.Keys.Get(); e.Keys = Told(list[:1]) }, []string{"one key only for RS256"}, "", "",
			noKeys, "lacks view-realm"},
		{"signing-key-old", func(e *Evidence) { list, _ := e.Keys.Get(); list[0].Made = Told(noon.AddDate(-3, 0, 0)) },
			[]string{"k1 (RS256) of 2023-03-01"}, "", "",
			func(e *Evidence) {
				list, _ := e.Keys.Get()
				list[0].Made = Untold[time.Time]("no certificate says when the key was made")
			}, "no certificate"},
		{"brute-force-off", func(e *Evidence) { e.realm().BruteForceProtected = nil }, []string{"guessed without end"}, "on",
			"realm shop: bruteForceProtected: false -> true", noRealm, "lacks view-realm"},
		{"smtp-missing", func(e *Evidence) { e.realm().ResetPasswordAllowed = new(true) }, []string{"resetPasswordAllowed is true"}, "", "",
			func(e *Evidence) { e.Actions = Untold[[]rep.RequiredAction]("this account lacks view-realm") }, "lacks view-realm"},
		{"smtp-broken", func(e *Evidence) {
			e.realm().SMTPServer = map[string]string{"host": "mail.example.org", "from": "nobody", "port": "465", "auth": "true"}
		}, []string{"the sender address is no address: nobody", "ssl is off", "there is no user", "there is no password"}, "", "",
			noRealm, "lacks view-realm"},
		{"smtp-broken", func(e *Evidence) {
			e.realm().SMTPServer = map[string]string{"host": "mail.example.org", "from": "a@b.example", "port": "587", "ssl": "true", "auth": "true",
				"authType": "token", "user": "u"}
		}, []string{"ssl is on", "there is no authTokenUrl", "there is no authTokenClientSecret"}, "", "", noRealm, "lacks view-realm"},
		{"smtp-missing", func(e *Evidence) { list, _ := e.Actions.Get(); list[0].DefaultAction = true },
			[]string{"VERIFY_EMAIL is a default action"}, "", "", noRealm, "lacks view-realm"},
		{"hostname-follows-request", func(e *Evidence) { e.Follows = Told(true) }, []string{"whatever host name"}, "", "",
			func(e *Evidence) { e.Follows = Untold[bool]("a proxy is in between") }, "a proxy"},
		{"hostname-differs", func(e *Evidence) { e.Asked = Told("http://10.0.0.7:8080") }, []string{"asked at http://10.0.0.7:8080"}, "", "",
			noIssuer, "discovery"},
		{"issuer-over-http", func(e *Evidence) {
			e.Issuer = Told("http://id.example.org/realms/shop")
			e.Asked = Told("http://id.example.org")
		}, []string{"over plain http", "sslRequired is external"}, "", "", noIssuer, "discovery"},
		{"third-party-cookies", func(e *Evidence) {
			e.client().RedirectURIs = []string{"https://app.example.com/cb"}
			e.client().ConsentRequired = new(true)
		},
			[]string{"redirect URIs are at app.example.com"}, "", "", noIssuer, "discovery"},
		{"provider-trusts-email", func(e *Evidence) { e.provider().Rep.TrustEmail, e.provider().Rep.Config = new(true), nil },
			[]string{"identity provider town", "validateSignature is not true"}, "", "", noProviders, "lacks view-identity-providers"},
		{"provider-trusts-email", func(e *Evidence) { e.provider().Rep.TrustEmail, e.provider().Rep.ProviderID = new(true), "twitter" },
			[]string{"the kind of the provider is twitter"}, "", "", noProviders, "lacks view-identity-providers"},
		{"provider-signatures-unchecked", func(e *Evidence) { e.provider().Rep.Config = nil }, []string{"cannot be told from forged ones"}, "",
			"", noProviders, "lacks view-identity-providers"},
		{"provider-only-way-in", func(e *Evidence) { e.provider().Only = Told(Count{N: 4}) }, []string{"4 users linked to it without a password"},
			"", "",
			func(e *Evidence) { e.provider().Only = Untold[Count]("this account lacks view-users") }, "lacks view-users"},
		{"provider-mapper-gives-rights", func(e *Evidence) {
			e.provider().Mappers[0].Gives = []string{"offline_access", "realm-management.realm-admin"}
		},
			[]string{"mapper grade gives offline_access", "mapper grade gives realm-management.realm-admin"}, "", "", noProviders,
			"lacks view-identity-providers"},
	} {
		e := sound()
		c.ill(e)
		r := Examine(e, Filter{Check: c.check})
		if len(r.Findings) != 1 || len(r.Healthy) > 0 || len(r.CannotTell) > 0 {
			t.Errorf("%s: %d findings, cannot tell %v", c.check, len(r.Findings), r.CannotTell)
			continue
		}
		f := r.Findings[0]
		text := f.What + "\n" + strings.Join(f.Evidence, "\n") + "\n" + f.Consequence
		var fixes []string
		for _, x := range f.Fixes {
			fixes = append(fixes, x.ID)
			text += "\n" + strings.Join(x.Effects, "\n")
		}
		for _, want := range c.wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", c.check, want, text)
			}
		}
		if strings.Join(fixes, " ") != c.fixes {
			t.Errorf("%s: fixes %q, want %q", c.check, fixes, c.fixes)
		} else if c.fixes != "" && f.Fixes[0].Changes[0].String() != c.change {
			t.Errorf("%s: %s, want %s", c.check, f.Fixes[0].Changes[0], c.change)
		}
		if f.Remedy == "" || f.Subject.ID == "" || !strings.HasPrefix(f.ID, c.check+".") || len(f.Evidence) == 0 {
			t.Errorf("%s: incomplete: %+v", c.check, f)
		}
		e = sound()
		c.blind(e)
		r = Examine(e, Filter{Check: c.check})
		if len(r.Findings) != 0 || len(r.CannotTell) != 1 || !strings.Contains(r.CannotTell[0].Because, c.why) {
			t.Errorf("%s: without evidence: %d findings, %v", c.check, len(r.Findings), r.CannotTell)
		}
	}
}

// A realm in order has no findings, and every check says so; whoever may see
// nothing is told so by every check.
func TestSoundAndBlind(t *testing.T) {
	r := Examine(sound(), Filter{})
	if len(r.Findings)+len(r.CannotTell) > 0 || len(r.Healthy) != len(Checks()) {
		t.Errorf("a sound realm: %+v", r)
	}
	r = Examine(&Evidence{At: noon, Server: Keycloak}, Filter{})
	for _, c := range Checks() {
		if !slices.ContainsFunc(r.CannotTell, func(u Undecided) bool { return u.Check == c.ID && u.Because != "" }) {
			t.Errorf("%s is silent without evidence", c.ID)
		}
	}
	if len(r.Findings)+len(r.Healthy) > 0 {
		t.Errorf("without evidence: %+v", r)
	}
}

// What is not a finding, and what only nearly is one.
func TestHealthyBorders(t *testing.T) {
	for name, c := range map[string]struct {
		check  string
		change func(*Evidence)
		found  int
	}{
		"a background client may have offline_access": {"offline-access-client-default", func(e *Evidence) {
			e.client().DefaultClientScopes, e.client().RedirectURIs = []string{"offline_access"}, nil
		}, 0},
		"a disabled client does no harm": {"implicit-flow", func(e *Evidence) {
			e.client().ImplicitFlowEnabled,
				e.client().Enabled = new(true), new(false)
		}, 0},
		"a SAML client has no flows": {"implicit-flow", func(e *Evidence) {
			e.client().ImplicitFlowEnabled,
				e.client().Protocol = new(true), "saml"
		}, 0},
		"rotation with reuse has grace": {"rotation-without-grace", func(e *Evidence) {
			e.realm().RevokeRefreshToken,
				e.realm().RefreshTokenMaxReuse = new(true), new(1)
		}, 0},
		"rotation of confidential clients only": {"rotation-without-grace", func(e *Evidence) {
			e.realm().RevokeRefreshToken,
				e.client().PublicClient = new(true), new(false)
		}, 0},
		"grace is Latchkey's": {"rotation-without-grace", func(e *Evidence) {
			e.Server, e.realm().RevokeRefreshToken, e.realm().Attributes = Latchkey, new(true), map[string]string{graceSetting: "10"}
		}, 0},
		"grace means nothing to Keycloak": {"rotation-without-grace", func(e *Evidence) {
			e.realm().RevokeRefreshToken, e.realm().Attributes = new(true), map[string]string{graceSetting: "10"}
		}, 1},
		"a path with a wildcard is worth knowing": {"redirect-uri-wildcard",
			func(e *Evidence) { e.client().RedirectURIs = []string{"https://app.example.org/*"} }, 1},
		"a relative wildcard is below the root URL": {"redirect-uri-wildcard", func(e *Evidence) { e.client().RedirectURIs = []string{"/*"} },
			1},
		"an app's scheme is no site": {"consent-third-party",
			func(e *Evidence) { e.client().RedirectURIs = []string{"com.partner.app:/cb"} }, 0},
		"a sibling of the realm's host is of its site": {"consent-third-party",
			func(e *Evidence) { e.client().RedirectURIs = []string{"https://shop.example.org/cb"} }, 0},
		"hosts below a public suffix are strangers": {"consent-third-party", func(e *Evidence) {
			e.Issuer = Told("https://a.github.io/realms/shop")
			e.client().RedirectURIs = []string{"https://b.github.io/cb"}
		}, 1},
		"loopback may be http": {"issuer-over-http", func(e *Evidence) { e.Issuer = Told("http://127.0.0.1:8080/realms/shop") },
			0},
		"an access token as long as the session": {"access-token-outlives-session",
			func(e *Evidence) { e.realm().AccessTokenLifespan = new(1800) }, 0},
		"offline idle without a maximum": {"idle-longer-than-maximum", func(e *Evidence) {
			e.realm().OfflineSessionMaxLifespanEnabled, e.realm().OfflineSessionMaxLifespan = new(false), new(60)
		}, 0},
		"offline idle with a maximum":     {"idle-longer-than-maximum", func(e *Evidence) { e.realm().OfflineSessionMaxLifespan = new(60) }, 1},
		"no key of the realm's algorithm": {"signing-key-single", func(e *Evidence) { e.realm().DefaultSignatureAlgorithm = new("ES256") }, 1},
		"mail is set up": {"smtp-missing", func(e *Evidence) {
			e.realm().VerifyEmail, e.realm().SMTPServer = new(true), map[string]string{"host": "mail"}
		}, 0},
	} {
		e := sound()
		c.change(e)
		if r := Examine(e, Filter{Check: c.check}); len(r.Findings) != c.found {
			t.Errorf("%s: %d findings, want %d: %+v", name, len(r.Findings), c.found, r.Findings)
		}
	}
}

// Each check has its section in the documentation, with its severity.
func TestChecksAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../doc/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range Checks() {
		if !strings.Contains(strings.ToLower(string(text)), "\n### "+c.ID+"\n"+string(c.Severity)) {
			t.Errorf("doc/doctor.md has no section on %s that begins with %s", c.ID, c.Severity)
		}
		if c.Title == "" || c.Needs == "" {
			t.Errorf("%s says neither what it is nor what it needs", c.ID)
		}
	}
}

func TestFilterAndOrder(t *testing.T) {
	e := sound()
	e.client().ImplicitFlowEnabled, e.client().RedirectURIs = new(true), []string{"https://*", "https://app.example.org/*"}
	e.realm().BruteForceProtected = new(false)
	e.Uses = Told(map[string]Use{"web-id": {Last: Told(time.Time{}), Passwords: Told(Count{N: 1})}})
	for _, c := range []struct {
		filter Filter
		want   string
	}{
		{Filter{}, "redirect-uri-wildcard.web-id implicit-flow.web-id brute-force-off.realm client-unused.web-id"},
		{Filter{Severity: Warning}, "redirect-uri-wildcard.web-id implicit-flow.web-id brute-force-off.realm"},
		{Filter{Severity: Error}, "redirect-uri-wildcard.web-id"},
		{Filter{Client: "web", Check: "implicit-flow"}, "implicit-flow.web-id"},
		{Filter{Client: "web-id", Severity: Error}, "redirect-uri-wildcard.web-id"},
		{Filter{Client: "other"}, ""},
	} {
		var ids []string
		for _, f := range Examine(e, c.filter).Findings {
			ids = append(ids, f.ID)
		}
		if got := strings.Join(ids, " "); got != c.want {
			t.Errorf("%+v: %s", c.filter, got)
		}
	}
}

// A change is written into an object, read back, and turned into requests.
func TestChanges(t *testing.T) {
	realm, client := Subject{KindRealm, "r1", "shop"}, Subject{KindClient, "c/1", "web"}
	scope := Scope{ID: "s2", Name: "offline_access"}
	for _, c := range []struct {
		change       Change
		before, want string // the object
		requests     string
	}{
		{setting(realm, "bruteForceProtected", false, true), `{"realm":"shop"}`, `{"bruteForceProtected":true,"realm":"shop"}`,
			`PUT  {"bruteForceProtected":true}`},
		{setting(realm, "attributes.x", "", "10"), `{"attributes":{"y":"1"}}`, `{"attributes":{"x":"10","y":"1"}}`,
			`PUT  {"attributes":{"x":"10"}}`},
		{setting(realm, "attributes.x", "10", ""), `{"attributes":{"x":"10","y":"1"}}`, `{"attributes":{"y":"1"}}`, `PUT  {"attributes":{}}`},
		{setting(client, "attributes.x", "10", ""), `{"attributes":{"x":"10"}}`, `{"attributes":{"x":""}}`,
			`PUT /clients/c%2F1 {"attributes":{"x":""}}`},
		{setting(client, "webOrigins", []string{"*"}, []string{"+"}), `{"webOrigins":["*"]}`, `{"webOrigins":["+"]}`,
			`PUT /clients/c%2F1 {"webOrigins":["+"]}`},
		{assignment(client, scope, Default, Optional), "", "",
			`DELETE /clients/c%2F1/default-client-scopes/s2  PUT /clients/c%2F1/optional-client-scopes/s2 `},
		{assignment(realm, scope, Default, Unassigned), "", "", `DELETE /default-default-client-scopes/s2 `},
		{assignment(realm, scope, Default, Unassigned).Reverse(), "", "", `PUT /default-default-client-scopes/s2 `},
	} {
		var got []string
		list, err := c.change.Requests()
		for _, r := range list {
			got = append(got, r.Method+" "+r.Path+" "+string(r.Body))
		}
		if strings.Join(got, " ") != c.requests || err != nil {
			t.Errorf("%s: %q %v", c.change, got, err)
		}
		if c.before == "" {
			continue
		}
		if now, err := c.change.Current([]byte(c.before)); err != nil || !Same(now, c.change.Before) {
			t.Errorf("%s: now %s %v", c.change, now, err)
		}
		after, err := c.change.Put([]byte(c.before))
		if err != nil || string(after) != c.want {
			t.Errorf("%s: %s %v", c.change, after, err)
		}
		back := c.change.Reverse()
		if now, err := back.Current(after); err != nil || !Same(now, back.Before) {
			t.Errorf("%s: afterwards %s %v", c.change, now, err)
		}
	}
}

func TestExpectFollowsTheChange(t *testing.T) {
	preview := func(lifespan int) string {
		e := sound()
		e.realm().AccessTokenLifespan = &lifespan
		f := Examine(e, Filter{Check: "access-token-outlives-session"}).Findings[0]
		p, err := f.Preview(f.Fix(""))
		if err != nil {
			t.Fatal(err)
		}
		return p.Expect
	}
	if again := preview(7200); again != preview(7200) || again == preview(7201) {
		t.Error("expect does not stand for the change")
	}
}
