package migrate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"latchkey/internal/store/pgtest"
	"latchkey/test/harness"
	"latchkey/test/ports"
	"latchkey/test/visitor"
)

// people is how many browsers, and how many refresh tokens of each kind, a realm has.
const people = 12

// A keycloak is the reference, in production mode on a PostgreSQL of its own.
type keycloak struct {
	base, database string
	port           int
	script         string
}

// startKeycloak skips the test where the reference cannot be run.
func startKeycloak(t *testing.T) *keycloak {
	t.Helper()
	if _, err := exec.LookPath("java"); err != nil {
		t.Skip("moving from a Keycloak needs Java")
	}
	cache := os.Getenv("REFERENCE_CACHE")
	if cache == "" {
		home, _ := os.UserCacheDir()
		cache = filepath.Join(home, "latchkey-reference")
	}
	if _, err := os.Stat(filepath.Join(cache, "keycloak-26.7.3")); err != nil {
		t.Skip("moving from a Keycloak needs the reference: test/oracle/reference.sh start")
	}
	k := &keycloak{database: pgtest.Database(t), port: ports.Free(t, 3), script: filepath.Join(harness.Root(t), "test/oracle/reference.sh")}
	k.base = "http://127.0.0.1:" + strconv.Itoa(k.port)
	k.run(t, "start", strconv.Itoa(k.port), jdbc(t, k.database))
	t.Cleanup(func() { k.stop(t) })
	return k
}

func jdbc(t *testing.T, from string) string {
	u, err := url.Parse(from)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	return fmt.Sprintf("jdbc:postgresql://%s%s?user=%s&password=%s", u.Host, u.Path, u.User.Username(), password)
}

func (k *keycloak) run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(k.script, args...).CombinedOutput(); err != nil {
		t.Fatalf("reference.sh %s: %v\n%s", args[0], err, out)
	}
}

func (k *keycloak) stop(t *testing.T) { k.run(t, "stop", strconv.Itoa(k.port)) }

// A guest is somebody who was signed on before the move, with what they hold.
type guest struct {
	name                         string
	browser                      *visitor.Browser
	access, online, offline, old string
	info                         map[string]any
}

const cheapHash = "hashAlgorithm(pbkdf2-sha256) and hashIterations(1)"

// realm is one with every kind of object, whose refresh tokens rotate or not.
func realm(name string, rotate bool) map[string]any {
	var users []any
	for i := range people {
		users = append(users, map[string]any{"username": fmt.Sprint("guest", i), "enabled": true, "email": fmt.Sprintf("guest%d@example.org", i),
			"firstName": "Guest", "lastName": "Of " + name, "emailVerified": true, "attributes": map[string]any{"shoe": []string{"42", "43"}},
			"credentials": []any{map[string]any{"type": "password", "value": "secret"}}, "realmRoles": []string{"boss", "default-roles-" + name},
			"groups": []string{"/top/below"}, "clientRoles": map[string]any{"app": []string{"reader"}}})
	}
	return map[string]any{
		"realm": name, "enabled": true, "revokeRefreshToken": rotate, "rememberMe": true, "passwordPolicy": cheapHash, "eventsEnabled": true,
		"adminEventsEnabled": true, "displayName": "Moving", "sslRequired": "none", "internationalizationEnabled": true,
		"supportedLocales":    []string{"en", "de"},
		"bruteForceProtected": true, "failureFactor": 7, "ssoSessionIdleTimeout": 3600, "loginTheme": "keycloak", "organizationsEnabled": false,
		"smtpServer": map[string]any{"host": "mail.example.org", "from": "a@example.org", "password": "mailsecret"},
		"attributes": map[string]any{"frontendUrl": "", "acr.loa.map": `{"gold":2}`},
		"roles": map[string]any{"realm": []any{map[string]any{"name": "boss", "attributes": map[string]any{"a": []string{"1", "2"}},
			"composite": true, "composites": map[string]any{"client": map[string]any{"app": []string{"reader"}}}}},
			"client": map[string]any{"app": []any{map[string]any{"name": "reader", "description": "reads"}}}},
		"groups": []any{map[string]any{"name": "top", "attributes": map[string]any{"x": []string{"y"}}, "realmRoles": []string{"boss"},
			"subGroups": []any{map[string]any{"name": "below", "clientRoles": map[string]any{"app": []string{"reader"}}}}}},
		"defaultGroups": []string{"/top"},
		"clients": []any{
			map[string]any{"clientId": "app", "secret": "app-secret", "enabled": true, "redirectUris": []string{"http://app.example/*"},
				"directAccessGrantsEnabled": true,
				"serviceAccountsEnabled":    true, "authorizationServicesEnabled": true, "webOrigins": []string{"+"},
				"attributes": map[string]any{"post.logout.redirect.uris": "+", "access.token.lifespan": "1000"},
				"protocolMappers": []any{map[string]any{"name": "shoe", "protocol": "openid-connect",
					"protocolMapper": "oidc-usermodel-attribute-mapper",
					"config": map[string]any{"user.attribute": "shoe", "claim.name": "shoe",
						"userinfo.token.claim": "true", "multivalued": "true"}}}},
			map[string]any{"clientId": "public", "publicClient": true, "enabled": true, "redirectUris": []string{"http://public.example/*"},
				"fullScopeAllowed": false},
		},
		"scopeMappings": []any{map[string]any{"client": "public", "roles": []string{"boss"}}},
		"identityProviders": []any{map[string]any{"alias": "elsewhere", "providerId": "oidc", "enabled": true, "config": map[string]any{
			"clientId": "x", "clientSecret": "brokersecret", "authorizationUrl": "https://idp.example/auth",
			"tokenUrl": "https://idp.example/token"}}},
		"identityProviderMappers": []any{map[string]any{"name": "m", "identityProviderAlias": "elsewhere",
			"identityProviderMapper": "hardcoded-attribute-idp-mapper",
			"config":                 map[string]any{"syncMode": "INHERIT", "attribute": "a", "attribute.value": "b"}}},
		"users": users,
	}
}

func party(base, realm string) visitor.Party {
	return visitor.Party{Base: base, Realm: realm, ClientID: "app", Secret: "app-secret", Redirect: "http://app.example/back"}
}

// signOn signs a user on in a browser, takes an offline token besides, and refreshes what rotates.
func signOn(t *testing.T, p visitor.Party, name string, rotate bool) *guest {
	t.Helper()
	ctx := t.Context()
	g := &guest{name: name, browser: visitor.NewBrowser()}
	code, err := p.Code(ctx, g.browser, name, "secret")
	if err != nil {
		t.Fatal(err)
	}
	a := granted(t)(p.Redeem(ctx, code))
	if rotate {
		g.old = a.Refresh
		a = granted(t)(p.Renew(ctx, a.Refresh))
	}
	g.access, g.online = a.Access, a.Refresh
	o := granted(t)(p.Post(ctx, "token", url.Values{"grant_type": {"password"}, "username": {name}, "password": {"secret"}, "scope": {
		"openid offline_access"}}))
	if g.offline = o.Refresh; rotate {
		g.offline = granted(t)(p.Renew(ctx, o.Refresh)).Refresh
	}
	g.info = granted(t)(p.UserInfo(ctx, g.access)).Members
	return g
}

func granted(t *testing.T) func(*visitor.Answer, error) *visitor.Answer {
	return func(a *visitor.Answer, err error) *visitor.Answer {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if !a.OK() {
			t.Fatalf("%d %s: %s", a.Status, a.Error, a.Description)
		}
		return a
	}
}

func get(t *testing.T, at string) any {
	t.Helper()
	resp, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %s", at, text)
	}
	return v
}

// TestNobodyIsLoggedOut is the measure of the move: browsers that were signed on see no login page, and no token is refused that
// was good before.
func TestNobodyIsLoggedOut(t *testing.T) {
	k := startKeycloak(t)
	ctx, admin := t.Context(), visitor.NewAdmin(k.base)
	guests, certs := map[string][]*guest{}, map[string]any{}
	exports := map[string]map[string]any{}
	for name, rotate := range map[string]bool{"moving": false, "rotating": true} {
		if _, err := admin.Post(ctx, "", realm(name, rotate)); err != nil {
			t.Fatal(err)
		}
		for i := range people {
			guests[name] = append(guests[name], signOn(t, party(k.base, name), fmt.Sprint("guest", i), rotate))
		}
		certs[name] = get(t, k.base+"/realms/"+name+"/protocol/openid-connect/certs")
		exports[name] = export(t, ctx, admin, name)
	}
	k.stop(t)
	t.Log("everybody is signed on, and the Keycloak has stopped")

	port := strconv.Itoa(k.port)
	s := harness.Prepare(t, harness.Options{Env: []string{"LATCHKEY_HTTP_PORT=" + port}})
	for _, step := range [][]string{{"plan"}, {"copy"}, {"delta"}, {"verify"}, {"switch"}} {
		out, err := s.Command(append([]string{"migrate"}, append(step, "--from", k.database)...)...)
		if err != nil {
			t.Fatalf("%s: %v\n%s", step, err, out)
		}
		t.Logf("%s:\n%s", step[0], out)
	}
	s.Restart(t)
	admin = visitor.NewAdmin(k.base)
	for name, list := range guests {
		if now := get(t, k.base+"/realms/"+name+"/protocol/openid-connect/certs"); !sameKeys(certs[name], now) {
			t.Errorf("%s: certs were\n%v\nand are\n%v", name, certs[name], now)
		}
		for _, g := range list {
			stillSignedOn(t, party(k.base, name), g)
		}
		compare(t, name, exports[name], export(t, ctx, admin, name))
	}
	theStory(t, ctx, admin)
}

func stillSignedOn(t *testing.T, p visitor.Party, g *guest) {
	ctx := t.Context()
	if a, err := p.UserInfo(ctx, g.access); err != nil || fmt.Sprint(a.Members) != fmt.Sprint(g.info) {
		t.Errorf("%s: userinfo was %v and is %v (%v)", g.name, g.info, a, err)
	}
	page, err := g.browser.Open(ctx, p.AuthURL())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := page.Code(); err != nil {
		t.Errorf("%s of %s: a login page: %v", g.name, p.Realm, err)
	}
	for what, token := range map[string]string{"online": g.online, "offline": g.offline} {
		a, err := p.Renew(ctx, token)
		if err != nil || !a.OK() {
			t.Errorf("%s of %s, %s: %v %+v", g.name, p.Realm, what, err, a)
		}
	}
	if g.old != "" {
		if a, err := p.Renew(ctx, g.old); err != nil || a.Error != "invalid_grant" {
			t.Errorf("%s: a token that was spent before the move: %v %+v", g.name, err, a)
		}
	}
}

// theStory of a session says where it is from, and that no more is known.
func theStory(t *testing.T, ctx context.Context, admin *visitor.Admin) {
	t.Helper()
	user, err := admin.ID(ctx, "/moving/users?username=guest0", "username", "guest0")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		ID string `json:"id"`
	}
	if err := admin.Get(ctx, "/moving/users/"+user+"/sessions", &list); err != nil || len(list) == 0 {
		t.Fatalf("no session of guest0: %v", err)
	}
	var story map[string]any
	if err := admin.Get(ctx, "/moving/session-explorer/"+list[0].ID, &story); err != nil {
		t.Fatal(err)
	}
	if text, _ := json.Marshal(story); !strings.Contains(string(text), "in Keycloak 26.7.3, out of whose database it was copied") {
		t.Errorf("the story does not say where the session is from: %s", text)
	}
	var events []map[string]any
	if err := admin.Get(ctx, "/moving/events?type=LOGIN&max=1000", &events); err != nil || len(events) < people {
		t.Errorf("%d events of logins, %v; want those before the move", len(events), err)
	}
}

func sameKeys(a, b any) bool {
	keys := func(v any) []string {
		var list []string
		for _, k := range v.(map[string]any)["keys"].([]any) {
			text, _ := json.Marshal(k)
			list = append(list, string(text))
		}
		slices.Sort(list)
		return list
	}
	return slices.Equal(keys(a), keys(b))
}

// export is what an administrator sees of a realm.
func export(t *testing.T, ctx context.Context, admin *visitor.Admin, name string) map[string]any {
	t.Helper()
	out := map[string]any{}
	if _, err := admin.Do(ctx, http.MethodPost, "/"+name+"/partial-export?exportClients=true&exportGroupsAndRoles=true", nil,
		&out); err != nil {
		t.Fatal(err)
	}
	for member, at := range map[string]string{"users": "/users?max=100", "components": "/components"} {
		var list any
		if err := admin.Get(ctx, "/"+name+at, &list); err != nil {
			t.Fatal(err)
		}
		out["list of "+member] = list
	}
	return out
}

// compare tells every member of two exports that differs, without regard to the order of lists.
func compare(t *testing.T, at string, there, here any) {
	a, inMap := there.(map[string]any)
	if b, ok := here.(map[string]any); ok && inMap {
		names := map[string]bool{}
		for name := range a {
			names[name] = true
		}
		for name := range b {
			names[name] = true
		}
		for name := range names {
			compare(t, at+"/"+name, a[name], b[name])
		}
		return
	}
	x, inList := there.([]any)
	if y, ok := here.([]any); ok && inList && len(x) == len(y) {
		x, y = sorted(x), sorted(y)
		for i := range x {
			compare(t, fmt.Sprintf("%s[%s]", at, key(x[i])), x[i], y[i])
		}
		return
	}
	if fmt.Sprint(there) != fmt.Sprint(here) {
		t.Errorf("%s: %v there, %v here", at, there, here)
	}
}

func key(v any) string {
	if m, ok := v.(map[string]any); ok {
		for _, name := range []string{"id", "clientId", "alias", "name", "authenticator", "flowAlias", "client", "clientScope", "internalId"} {
			if s, ok := m[name].(string); ok && s != "" {
				return s
			}
		}
	}
	text, _ := json.Marshal(v)
	return string(text)
}

func sorted(list []any) []any {
	return slices.SortedFunc(slices.Values(list), func(a, b any) int { return strings.Compare(key(a), key(b)) })
}
