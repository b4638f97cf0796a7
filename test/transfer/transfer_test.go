package transfer_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// motley.json is what kc.sh export (26.7.3) wrote of a realm, of whose users
// otto has an OTP. The passwords of user3 to user6 have been hashed since with
// pbkdf2-sha256 (27,500 and 1,234 iterations) and pbkdf2-sha512 (30,000 and 1),
// in Keycloak's encoding; the others are the reference's own argon2.
const (
	motley    = "testdata/motley.json"
	realm     = "motley2"
	ottosCode = "JBSWY3DPEHPK3PXP"
)

var people = []string{"user1", "user2", "user3", "user4", "user5", "user6"}

// A site is a server and an administrator's token.
type site struct {
	*harness.Server
	t *testing.T
}

func (s site) form(realm string, form url.Values) (int, map[string]any) {
	s.t.Helper()
	resp, err := http.PostForm(s.URL+"/realms/"+realm+"/protocol/openid-connect/token", form)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var body map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, body
}

// admin makes an administrator's request below the realm; body nil is none.
func (s site) admin(method, path string, body any) (int, []byte) {
	s.t.Helper()
	_, token := s.form("master", url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"},
		"password": {"admin"}})
	var text io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		text = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+"/admin/realms/"+realm+path, text)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token["access_token"].(string))
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode >= 300 {
		s.t.Errorf("%s %s: %d %s", method, path, resp.StatusCode, data)
	}
	return resp.StatusCode, data
}

func (s site) get(path string, v any) {
	s.t.Helper()
	_, data := s.admin("GET", path, nil)
	if err := json.Unmarshal(data, v); err != nil {
		s.t.Fatalf("%s: %v", path, err)
	}
}

// everybodyLogsIn checks each kind of credential: the right one opens, a wrong
// one does not, and OTP cannot be left out.
func (s site) everybodyLogsIn() {
	s.t.Helper()
	login := func(user, password, otp string) int {
		form := url.Values{"grant_type": {"password"}, "client_id": {"front"}, "client_secret": {"front-secret"}, "username": {user},
			"password": {password}}
		if otp != "" {
			form.Set("totp", otp)
		}
		status, _ := s.form(realm, form)
		return status
	}
	for _, user := range people {
		if got := login(user, user+"-pw", ""); got != 200 {
			s.t.Errorf("%s: %d", user, got)
		}
		if got := login(user, "wrong", ""); got != 401 && got != 400 {
			s.t.Errorf("%s with a wrong password: %d", user, got)
		}
	}
	code, err := totp.GenerateCode(ottosCode, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	if got := login("otto", "otto-pw", code); got != 200 {
		s.t.Errorf("otto with password and code: %d", got)
	}
	if got := login("otto", "otto-pw", ""); got == 200 {
		s.t.Error("otto without a code")
	}
	if got, _ := s.form(realm, url.Values{"grant_type": {"client_credentials"}, "client_id": {"job"},
		"client_secret": {"job-secret"}}); got != 200 {
		s.t.Errorf("the service account: %d", got)
	}
}

func (s site) command(args ...string) string {
	s.t.Helper()
	out, err := s.Command(args...)
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (s site) export() map[string]any {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "export.json")
	s.command("export", "--realm", realm, "--file", path)
	return load(s.t, path)
}

func load(t *testing.T, path string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return sorted(doc).(map[string]any)
}

// sorted makes the order of lists not count.
func sorted(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = sorted(v[k])
		}
	case []any:
		texts := make([]string, len(v))
		for i := range v {
			v[i] = sorted(v[i])
			text, _ := json.Marshal(v[i])
			texts[i] = string(text)
		}
		sort.Sort(byText{v, texts})
	}
	return v
}

type byText struct {
	list  []any
	texts []string
}

func (b byText) Len() int           { return len(b.list) }
func (b byText) Less(i, j int) bool { return b.texts[i] < b.texts[j] }
func (b byText) Swap(i, j int) {
	b.list[i], b.list[j] = b.list[j], b.list[i]
	b.texts[i], b.texts[j] = b.texts[j], b.texts[i]
}

// find returns the object of a list with a member of that value.
func find(t *testing.T, doc map[string]any, list, member, value string) map[string]any {
	t.Helper()
	for _, v := range doc[list].([]any) {
		if m := v.(map[string]any); m[member] == value {
			return m
		}
	}
	t.Fatalf("%s: none with %s %s", list, member, value)
	return nil
}

// TestTransfer: Keycloak's file comes out of either engine as it went in, all
// its credentials work, what is changed by the admin REST and by use shows in
// the next export, and the other engine takes that over.
func TestTransfer(t *testing.T) {
	lite := site{harness.Start(t, harness.Options{}), t}
	file, err := filepath.Abs(motley)
	if err != nil {
		t.Fatal(err)
	}
	if out := lite.command("import", "--check", file); !strings.Contains(out, realm+": everything would work") {
		t.Errorf("check: %s", out)
	}
	lite.command("import", file)
	want, got := load(t, file), lite.export()
	for _, member := range keys(want, got) {
		if !reflect.DeepEqual(want[member], got[member]) {
			a, _ := json.Marshal(want[member])
			b, _ := json.Marshal(got[member])
			t.Errorf("%s: want %s, got %s", member, a, b)
		}
	}
	lite.everybodyLogsIn()
	lite.consent()
	lite.change()
	changed := lite.export()
	checkChanged(t, changed)

	t.Run("to PostgreSQL", func(t *testing.T) {
		pg := site{harness.Start(t, harness.Options{Engine: harness.Postgres}), t}
		path := filepath.Join(t.TempDir(), "export.json")
		site{lite.Server, t}.command("export", "--realm", realm, "--file", path)
		pg.command("import", path)
		pg.everybodyLogsIn()
		if again := pg.export(); !reflect.DeepEqual(again, changed) {
			for _, member := range keys(changed, again) {
				if !reflect.DeepEqual(changed[member], again[member]) {
					a, _ := json.Marshal(changed[member])
					b, _ := json.Marshal(again[member])
					t.Errorf("%s: want %s, got %s", member, a, b)
				}
			}
		}
	})
}

func keys(a, b map[string]any) []string {
	all := map[string]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	var list []string
	for k := range all {
		list = append(list, k)
	}
	sort.Strings(list)
	return list
}

// consent lets user2 log in with a browser to a client that asks for consent.
func (s site) consent() {
	s.t.Helper()
	party := visitor.Party{Base: s.URL, Realm: realm, ClientID: "asks", Redirect: "http://app.test/callback"}
	page, err := visitor.NewBrowser().Open(s.t.Context(), party.AuthURL())
	if err == nil {
		page, err = page.Login(s.t.Context(), "user2", "user2-pw")
	}
	if err == nil && !page.Away {
		page, err = page.Submit(s.t.Context(), map[string]string{"accept": "Yes"})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := page.Code(); err != nil {
		s.t.Fatal(err)
	}
}

type object map[string]any

// change changes one of each kind of thing.
func (s site) change() {
	s.t.Helper()
	s.admin("PUT", "", object{"displayName": "Changed", "accessTokenLifespan": 77, "attributes": object{"new": "attribute"}})
	var clients, scopes, users, groups, actions, executions, components []object
	s.get("/clients?clientId=front", &clients)
	front := clients[0]
	front["name"], front["attributes"].(map[string]any)["new"] = "Changed", "attribute"
	s.admin("PUT", "/clients/"+front["id"].(string), front)
	s.admin("POST", "/clients/"+front["id"].(string)+"/protocol-mappers/models", object{
		"name": "hard", "protocol": "openid-connect", "protocolMapper": "oidc-hardcoded-claim-mapper", "config": object{"claim.name": "a"}})
	s.get("/client-scopes", &scopes)
	for _, scope := range scopes {
		if scope["name"] == "phone" {
			scope["description"] = "Changed"
			s.admin("PUT", "/client-scopes/"+scope["id"].(string), scope)
			s.admin("DELETE", "/default-optional-client-scopes/"+scope["id"].(string), nil)
		}
	}
	s.admin("PUT", "/roles/clerk", object{"name": "clerk", "description": "Changed"})
	s.get("/groups?search=till", &groups)
	s.get("/users?username=user1&exact=true", &users)
	one := users[0]
	one["lastName"] = "Changed"
	s.admin("PUT", "/users/"+one["id"].(string), one)
	s.admin("PUT", "/users/"+one["id"].(string)+"/reset-password", object{"type": "password", "value": "user1-pw"})
	s.get("/authentication/required-actions", &actions)
	for _, a := range actions {
		if a["alias"] == "TERMS_AND_CONDITIONS" {
			a["name"] = "Changed"
			s.admin("PUT", "/authentication/required-actions/TERMS_AND_CONDITIONS", a)
		}
	}
	s.get("/authentication/flows/browser/executions", &executions)
	for _, e := range executions {
		if e["providerId"] == "auth-spnego" {
			e["requirement"] = "ALTERNATIVE"
			s.admin("PUT", "/authentication/flows/browser/executions", e)
			e["requirement"] = "DISABLED"
			s.admin("PUT", "/authentication/flows/browser/executions", e)
		}
		if e["providerId"] == "auth-cookie" {
			e["requirement"] = "DISABLED"
			s.admin("PUT", "/authentication/flows/browser/executions", e)
		}
	}
	s.admin("POST", "/components", object{"name": "rotated", "providerId": "ecdsa-generated", "providerType": "org.keycloak.keys.KeyProvider",
		"config": object{"priority": []string{"200"}}})
	s.get("/components?type=org.keycloak.keys.KeyProvider", &components)
	if len(components) != 5 {
		s.t.Errorf("%d key components", len(components))
	}
}

func checkChanged(t *testing.T, doc map[string]any) {
	t.Helper()
	is := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v", what, got)
		}
	}
	is("realm", doc["displayName"], "Changed")
	is("lifespan", doc["accessTokenLifespan"], 77.0)
	is("attribute", doc["attributes"].(map[string]any)["new"], "attribute")
	front := find(t, doc, "clients", "clientId", "front")
	is("client", front["name"], "Changed")
	is("client's attribute", front["attributes"].(map[string]any)["new"], "attribute")
	is("mapper", front["protocolMappers"].([]any)[0].(map[string]any)["name"], "hard")
	is("secret", front["secret"], "front-secret")
	is("client scope", find(t, doc, "clientScopes", "name", "phone")["description"], "Changed")
	for _, name := range doc["defaultOptionalClientScopes"].([]any) {
		if name == "phone" {
			t.Error("phone is still a default scope")
		}
	}
	is("role", find(t, doc["roles"].(map[string]any), "realm", "name", "clerk")["description"], "Changed")
	one := find(t, doc, "users", "username", "user1")
	is("user", one["lastName"], "Changed")
	is("user's group", one["groups"], []any{"/shop/till"})
	is("required action", find(t, doc, "requiredActions", "alias", "TERMS_AND_CONDITIONS")["name"], "Changed")
	browser := find(t, doc, "authenticationFlows", "alias", "browser")
	is("execution", find(t, browser, "authenticationExecutions", "authenticator", "auth-cookie")["requirement"], "DISABLED")
	is("component", find(t, doc["components"].(map[string]any), "org.keycloak.keys.KeyProvider", "name", "rotated")["providerId"],
		"ecdsa-generated")
	consents, _ := find(t, doc, "users", "username", "user2")["clientConsents"].([]any)
	if len(consents) != 1 || consents[0].(map[string]any)["clientId"] != "asks" ||
		len(consents[0].(map[string]any)["grantedClientScopes"].([]any)) == 0 {
		t.Errorf("user2's consents: %v", consents)
	}
	otto := find(t, doc, "users", "username", "otto")
	is("otto's credentials", len(otto["credentials"].([]any)), 2)
}
