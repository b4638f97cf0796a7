package attacks

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// bearersFile says what each door answers in each situation. go test ./test/attacks
// -run TestBearersAtEveryDoor -update writes it anew; test/oracle's scenarios
// bearers/users and bearers/services are the reference's part of the same table.
const bearersFile = "testdata/bearers.txt"

// A bearing is a realm in which somebody bears tokens.
type bearing struct {
	*testing.T
	ctx   context.Context
	base  string
	realm string
	admin *visitor.Admin
	made  int
}

// A bearer has logged in with a browser, at a client of their own.
type bearer struct {
	*bearing
	party   visitor.Party
	client  string // its id
	user    string
	browser *visitor.Browser
	answer  *visitor.Answer // the tokens
	access  string          // what is presented as an access token
	refresh string          // and as a refresh token
	key     *ecdsa.PrivateKey
	scheme  string // Bearer when empty
	host    string // that requests name, "" for the server's own
}

const bearerRealm = `{"realm": "%s", "enabled": true, "sslRequired": "none", "rememberMe": true, "eventsEnabled": true,
	"enabledEventTypes": ["USER_INFO_REQUEST_ERROR", "INTROSPECT_TOKEN_ERROR", "PERMISSION_TOKEN_ERROR", "TOKEN_EXCHANGE_ERROR", "REFRESH_TOKEN_ERROR"],
	"clients": [
		{"clientId": "server", "enabled": true, "secret": "secret", "attributes": {"standard.token.exchange.enabled": "true"}},
		{"clientId": "shop", "enabled": true, "secret": "secret", "redirectUris": ["http://app.example/*"]}]}`

func newBearing(t *testing.T, s *harness.Server, realm string) *bearing {
	t.Helper()
	w := &bearing{T: t, ctx: t.Context(), base: s.URL, realm: realm, admin: visitor.NewAdmin(s.URL)}
	_, err := w.admin.Post(w.ctx, "", json.RawMessage(fmt.Sprintf(bearerRealm, realm)))
	w.must(err)
	return w
}

func (w *bearing) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// A situation is what has become of a bearer and the tokens.
type situation struct {
	name       string
	own        string         // settings of a realm of its own, "" for the one that all share
	attributes map[string]any // of the client
	service    bool           // the bearer is the client's service account
	plain      bool           // the client's tokens are for nobody
	remember   bool
	dpop       bool
	scope      string
	become     func(b *bearer)
}

// bear makes a client and a user, and logs the user in.
func (w *bearing) bear(s situation) *bearer {
	w.Helper()
	w.made++
	name := fmt.Sprintf("%s%d", w.realm, w.made)
	b := &bearer{bearing: w, browser: visitor.NewBrowser()}
	b.party = visitor.Party{Base: w.base, Realm: w.realm, ClientID: name, Secret: "secret", Redirect: "http://app.example/cb",
		Scope: cmp.Or(s.scope, "openid")}
	client := map[string]any{"clientId": name, "enabled": true, "secret": "secret", "redirectUris": []string{"http://app.example/*"},
		"attributes":             s.attributes,
		"serviceAccountsEnabled": s.service}
	if !s.plain {
		client["protocolMappers"] = []any{map[string]any{"name": "audience", "protocol": "openid-connect",
			"protocolMapper": "oidc-audience-mapper",
			"config":         map[string]string{"included.custom.audience": "server", "access.token.claim": "true"}}}
	}
	var err error
	b.client, err = w.admin.Post(w.ctx, "/"+w.realm+"/clients", client)
	w.must(err)
	if s.service {
		var account struct{ ID string }
		w.must(w.admin.Get(w.ctx, "/"+w.realm+"/clients/"+b.client+"/service-account-user", &account))
		b.user = account.ID
	} else {
		b.user, err = w.admin.Post(w.ctx, "/"+w.realm+"/users", map[string]any{"username": name, "enabled": true, "email": name +
			"@attacks.example", "firstName": "B",
			"lastName": "B", "credentials": []any{map[string]string{"type": "password", "value": "pw"}}})
		w.must(err)
	}
	b.give("manage-clients", "view-users")
	if s.dpop {
		b.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		w.must(err)
		b.scheme = "DPoP"
	}
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {b.party.Scope}}
	if !s.service {
		page, err := b.browser.Open(w.ctx, b.party.AuthURL())
		w.must(err)
		fields := map[string]string{"username": name, "password": "pw"}
		if s.remember {
			fields["rememberMe"] = "on"
		}
		page, err = page.Submit(w.ctx, fields)
		w.must(err)
		code, err := page.Code()
		w.must(err)
		form = url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {b.party.Redirect}}
	}
	b.answer = b.post(b.party, "token", form)
	if b.answer.Access == "" {
		w.Fatalf("%s: no tokens: %v", s.name, b.answer.Members)
	}
	b.access, b.refresh = b.answer.Access, b.answer.Refresh
	if s.become != nil {
		s.become(b)
	}
	return b
}

// give assigns roles of realm-management to the bearer.
func (b *bearer) give(names ...string) {
	b.Helper()
	id, err := b.admin.ID(b.ctx, "/"+b.realm+"/clients?clientId=realm-management", "clientId", "realm-management")
	b.must(err)
	roles := []any{}
	for _, name := range names {
		var role map[string]any
		b.must(b.admin.Get(b.ctx, "/"+b.realm+"/clients/"+id+"/roles/"+name, &role))
		roles = append(roles, role)
	}
	_, err = b.admin.Post(b.ctx, "/"+b.realm+"/users/"+b.user+"/role-mappings/clients/"+id, roles)
	b.must(err)
}

// proof is a DPoP proof of the bearer's key (RFC 9449 4.2).
func (b *bearer) proof(method, to, access string) string {
	raw, err := b.key.PublicKey.Bytes()
	b.must(err)
	encode := base64.RawURLEncoding.EncodeToString
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": to, "iat": time.Now().Unix()}
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		claims["ath"] = encode(sum[:])
	}
	part := func(m map[string]any) string {
		doc, err := json.Marshal(m)
		b.must(err)
		return encode(doc)
	}
	text := part(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": map[string]string{"kty": "EC", "crv": "P-256",
		"x": encode(raw[1:33]), "y": encode(raw[33:])}}) + "." + part(claims)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, b.key, sum[:])
	b.must(err)
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return text + "." + encode(sig)
}

// do sends a request with the bearer's token, or as a client with a form.
func (b *bearer) do(method, to string, form url.Values, access string) (*http.Response, []byte) {
	b.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(b.ctx, method, to, body)
	b.must(err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Accept", "application/json")
	if access != "" {
		r.Header.Set("Authorization", cmp.Or(b.scheme, "Bearer")+" "+access)
	}
	if b.host != "" {
		r.Host = b.host
	}
	if b.key != nil && (access != "" && b.scheme == "DPoP" || form.Has("grant_type")) {
		r.Header.Set("DPoP", b.proof(method, to, access))
	}
	resp, err := http.DefaultClient.Do(r)
	b.must(err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	b.must(err)
	return resp, data
}

func (b *bearer) post(as visitor.Party, endpoint string, form url.Values) *visitor.Answer {
	b.Helper()
	form.Set("client_id", as.ClientID)
	form.Set("client_secret", as.Secret)
	resp, data := b.do(http.MethodPost, as.Endpoint(endpoint), form, "")
	a := &visitor.Answer{Status: resp.StatusCode}
	_ = json.Unmarshal(data, a)
	_ = json.Unmarshal(data, &a.Members)
	return a
}

// server is the resource server that tokens are for.
func (b *bearer) server() visitor.Party {
	return visitor.Party{Base: b.base, Realm: b.realm, ClientID: "server", Secret: "secret"}
}

// A door is one that takes a token; ask says what it answers.
type door struct {
	name string
	ask  func(b *bearer) string
}

func said(a *visitor.Answer) string {
	if a.Status == 200 {
		return "200"
	}
	return strings.TrimSuffix(fmt.Sprintf("%d %s: %s", a.Status, a.Error, a.Description), ": ")
}

// get asks by GET with the token, and tells status and refusal.
func get(path string) func(b *bearer) string {
	return func(b *bearer) string {
		resp, data := b.do(http.MethodGet, b.base+strings.ReplaceAll(path, "$realm", b.realm), nil, b.access)
		a := &visitor.Answer{Status: resp.StatusCode}
		_ = json.Unmarshal(data, a)
		out := said(a)
		if challenge := resp.Header.Get("WWW-Authenticate"); challenge != "" {
			out += " [" + challenge + "]"
		}
		return strings.ReplaceAll(out, b.realm, "$realm")
	}
}

func introspect(hint string, token func(b *bearer) string) func(b *bearer) string {
	return func(b *bearer) string {
		as := b.server()
		if hint == "refresh_token" {
			as = b.party
		}
		a := b.post(as, "token/introspect", url.Values{"token": {token(b)}, "token_type_hint": {hint}})
		if a.Active {
			return "active"
		}
		return cmp.Or(strings.TrimPrefix(said(a), "200"), "inactive")
	}
}

// doors in the order in which they are asked: the last one may end the session.
var doors = []door{
	{"inspector", func(b *bearer) string { return b.inspected(b.access) }},
	{"inspector, refresh token", func(b *bearer) string { return b.inspected(b.refresh) }},
	{"userinfo", get("/realms/$realm/protocol/openid-connect/userinfo")},
	{"introspection", introspect("access_token", func(b *bearer) string { return b.access })},
	{"introspection, refresh token", introspect("refresh_token", func(b *bearer) string { return b.refresh })},
	{"admin", get("/admin/realms/$realm/users?max=1")},
	{"account", get("/realms/$realm/account/applications")},
	{"registration", get("/realms/$realm/clients-registrations/default/shop")},
	{"permission", func(b *bearer) string {
		_, data := b.do(http.MethodPost, b.party.Endpoint("token"), url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:uma-ticket"},
			"audience": {"server"}}, b.access)
		a := &visitor.Answer{}
		_ = json.Unmarshal(data, a)
		return a.Error + ": " + a.Description
	}},
	{"exchange", func(b *bearer) string {
		return said(b.post(b.server(), "token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"},
			"subject_token":      {b.access},
			"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}}))
	}},
	{"cookie", func(b *bearer) string {
		shop := b.party
		shop.ClientID = "shop"
		page, err := b.browser.Open(b.ctx, shop.AuthURL()+"&prompt=none")
		b.must(err)
		if page.Param("code") != "" {
			return "code"
		}
		return cmp.Or(page.Param("error"), fmt.Sprintf("page %d", page.Status))
	}},
	{"refresh", func(b *bearer) string {
		return said(b.post(b.party, "token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {b.refresh}}))
	}},
}

// inspected is what the inspector says of a token.
func (b *bearer) inspected(token string) string {
	resp, data := b.asAdmin(http.MethodPost, "/inspect-token", map[string]string{"token": token})
	if resp.StatusCode != http.StatusOK {
		return fmt.Sprint(resp.StatusCode)
	}
	var in struct {
		Works bool
		Why   []struct{ Reason string }
	}
	b.must(json.Unmarshal(data, &in))
	reasons := []string{}
	for _, w := range in.Why {
		reasons = append(reasons, w.Reason)
	}
	if in.Works != (len(reasons) == 0) {
		b.Errorf("the inspector says that it works: %v, because of %v", in.Works, reasons)
	}
	return cmp.Or(strings.Join(reasons, " "), "works")
}

// asAdmin asks the admin API, by the host name that the bearer uses.
func (b *bearer) asAdmin(method, path string, in any) (*http.Response, []byte) {
	b.Helper()
	doc, err := json.Marshal(in)
	b.must(err)
	administrator := visitor.Party{Base: b.base, Realm: "master", ClientID: "admin-cli"}
	as := &bearer{bearing: b.bearing, host: b.host}
	token := as.post(administrator, "token", url.Values{"grant_type": {"password"}, "username": {"admin"}, "password": {"admin"}})
	r, err := http.NewRequestWithContext(b.ctx, method, b.base+"/admin/realms/"+b.realm+path, strings.NewReader(string(doc)))
	b.must(err)
	r.Host = b.host
	r.Header.Set("Authorization", "Bearer "+token.Access)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	b.must(err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	b.must(err)
	return resp, data
}

// events are the error words of what was refused since the last time.
func (b *bearer) events() string {
	b.Helper()
	var list []struct {
		Error   string
		Details map[string]string
	}
	b.must(b.admin.Get(b.ctx, "/"+b.realm+"/events", &list))
	if len(list) == 0 {
		return ""
	}
	b.must(b.admin.Delete(b.ctx, "/"+b.realm+"/events"))
	out := ""
	for _, e := range list {
		out += " <" + strings.TrimSuffix(e.Error+": "+e.Details["reason"], ": ") + ">"
	}
	return out
}

// change sets members of the realm, of a client's or user's.
func (b *bearer) change(path string, members map[string]any) {
	b.Helper()
	all := map[string]any{}
	b.must(b.admin.Get(b.ctx, "/"+b.realm+path, &all))
	maps.Copy(all, members)
	b.must(b.admin.Put(b.ctx, "/"+b.realm+path, all))
}

func (b *bearer) changeClient(members map[string]any) { b.change("/clients/"+b.client, members) }
func (b *bearer) changeUser(members map[string]any)   { b.change("/users/"+b.user, members) }
func (b *bearer) remove(path string)                  { b.must(b.admin.Delete(b.ctx, "/"+b.realm+path)) }

func (b *bearer) revoke(token string) {
	if a := b.post(b.party, "revoke", url.Values{"token": {token}}); a.Status != 200 {
		b.Fatalf("revoke: %v", a)
	}
}

// everywhereOut ends all the user's sessions, which sets the user's not-before.
func (b *bearer) everywhereOut() {
	time.Sleep(1100 * time.Millisecond)
	_, err := b.admin.Post(b.ctx, "/"+b.realm+"/users/"+b.user+"/logout", nil)
	b.must(err)
}

// exchanged puts in the place of the token one that the server got for it.
func (b *bearer) exchanged() {
	a := b.post(b.server(), "token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {b.access},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}})
	if a.Access == "" {
		b.Fatalf("exchange: %v", a)
	}
	b.access = a.Access
}

// spoiled is a token whose signature is another.
func spoiled(token string) string {
	i := strings.LastIndexByte(token, '.') + 10
	c := byte('A')
	if token[i] == c {
		c = 'B'
	}
	return token[:i] + string(c) + token[i+1:]
}

var inTenMinutes = func() int64 { return time.Now().Add(10 * time.Minute).Unix() }

var bearerSituations = []situation{
	{name: "good"},
	{name: "no openid", scope: "profile"},
	{name: "expired", attributes: map[string]any{"access.token.lifespan": "1"}, become: func(*bearer) { time.Sleep(2100 * time.Millisecond) }},
	{name: "wrong signature", become: func(b *bearer) { b.access, b.refresh = spoiled(b.access), spoiled(b.refresh) }},
	{name: "malformed", become: func(b *bearer) { b.access, b.refresh = "x", "x" }},
	{name: "refresh token as access token", become: func(b *bearer) { b.access, b.refresh = b.refresh, b.access }},
	{name: "ID token as both", become: func(b *bearer) { b.access, b.refresh = b.answer.ID, b.answer.ID }},
	{name: "of another realm", become: func(b *bearer) {
		a, err := visitor.Party{Base: b.base, Realm: "master", ClientID: "admin-cli"}.Post(b.ctx, "token", url.Values{"grant_type": {"password"},
			"username": {"admin"},
			"password": {"admin"}, "scope": {"openid"}})
		b.must(err)
		b.access, b.refresh = a.Access, a.Refresh
	}},
	{name: "under another host name", become: func(b *bearer) { b.host = "other.example" }},
	{name: "for nobody", plain: true},
	{name: "of another client", become: func(b *bearer) { b.refresh = b.bear(situation{}).refresh }},
	{name: "revoked", become: func(b *bearer) { b.revoke(b.access) }},
	{name: "refresh token revoked", become: func(b *bearer) { b.revoke(b.refresh) }},
	{name: "logged out", become: func(b *bearer) {
		if a := b.post(b.party, "logout", url.Values{"refresh_token": {b.refresh}}); a.Status != 204 {
			b.Fatalf("logout: %v", a)
		}
	}},
	{name: "user logged out", become: (*bearer).everywhereOut},
	{name: "user disabled", become: func(b *bearer) { b.changeUser(map[string]any{"enabled": false}) }},
	{name: "user removed", become: func(b *bearer) { b.remove("/users/" + b.user) }},
	{name: "client disabled", become: func(b *bearer) { b.changeClient(map[string]any{"enabled": false}) }},
	{name: "client removed", become: func(b *bearer) { b.remove("/clients/" + b.client) }},
	{name: "not-before of the client", become: func(b *bearer) { b.changeClient(map[string]any{"notBefore": inTenMinutes()}) }},
	{name: "client's part timed out", become: func(b *bearer) {
		b.changeClient(map[string]any{"attributes": map[string]string{"client.session.max.lifespan": "1"}})
		time.Sleep(2100 * time.Millisecond)
	}},
	{name: "offline", scope: "openid offline_access"},
	{name: "offline, ended", scope: "openid offline_access", become: func(b *bearer) {
		b.remove("/sessions/" + b.answer.Session +
			"?isOffline=true")
	}},
	{name: "offline, revoked", scope: "openid offline_access", become: func(b *bearer) { b.revoke(b.refresh) }},
	{name: "offline, no longer granted", scope: "openid offline_access", become: func(b *bearer) {
		var roles []any
		b.must(b.admin.Get(b.ctx, "/"+b.realm+"/users/"+b.user+"/role-mappings/realm", &roles))
		_, err := b.admin.Do(b.ctx, http.MethodDelete, "/"+b.realm+"/users/"+b.user+"/role-mappings/realm", roles, nil)
		b.must(err)
	}},
	{name: "lightweight", attributes: map[string]any{"client.use.lightweight.access.token.enabled": "true"}},
	{name: "lightweight, user disabled", attributes: map[string]any{"client.use.lightweight.access.token.enabled": "true"},
		become: func(b *bearer) { b.changeUser(map[string]any{"enabled": false}) }},
	{name: "DPoP", dpop: true},
	{name: "DPoP, shown as Bearer", dpop: true, become: func(b *bearer) { b.scheme = "" }},
	{name: "DPoP, another's proof", dpop: true, become: func(b *bearer) { b.key = b.bear(situation{dpop: true}).key }},
	{name: "Bearer, shown as DPoP", become: func(b *bearer) { b.key, b.scheme = b.bear(situation{dpop: true}).key, "DPoP" }},
	{name: "Bearer, client demands DPoP", become: func(b *bearer) {
		b.changeClient(map[string]any{"attributes": map[string]string{"dpop.bound.access.tokens": "true"}})
	}},
	{name: "exchanged", become: (*bearer).exchanged},
	{name: "exchanged, session ended", become: func(b *bearer) { b.exchanged(); b.remove("/sessions/" + b.answer.Session) }},
	{name: "exchanged, revoked", become: func(b *bearer) {
		b.exchanged()
		if a := b.post(b.server(), "revoke", url.Values{"token": {b.access}}); a.Status != 200 {
			b.Fatalf("revoke: %v", a)
		}
	}},
	{name: "service account", service: true},
	{name: "service account, revoked", service: true, become: func(b *bearer) { b.revoke(b.access) }},
	{name: "service account, user disabled", service: true, become: func(b *bearer) { b.changeUser(map[string]any{"enabled": false}) }},
	{name: "service account, client disabled", service: true, become: func(b *bearer) { b.changeClient(map[string]any{"enabled": false}) }},
	{name: "service account, not-before of the client", service: true,
		become: func(b *bearer) { b.changeClient(map[string]any{"notBefore": inTenMinutes()}) }},
	{name: "service account, user logged out", service: true, become: (*bearer).everywhereOut},
	{name: "not-before of the realm", own: "before", become: func(b *bearer) { b.change("", map[string]any{"notBefore": inTenMinutes()}) }},
	{name: "service account, not-before of the realm", own: "servicebefore", service: true,
		become: func(b *bearer) { b.change("", map[string]any{"notBefore": inTenMinutes()}) }},
	{name: "realm disabled", own: "off", become: func(b *bearer) { b.change("", map[string]any{"enabled": false}) }},
	{name: "session timed out", own: "timed", become: func(b *bearer) {
		b.change("", map[string]any{"ssoSessionMaxLifespan": 1})
		time.Sleep(2100 * time.Millisecond)
	}},
	{name: "remembered no more", own: "forget", remember: true, become: func(b *bearer) { b.change("", map[string]any{"rememberMe": false}) }},
	{name: "retired key", own: "keys", become: func(b *bearer) {
		var list []map[string]any
		b.must(b.admin.Get(b.ctx, "/"+b.realm+"/components?type=org.keycloak.keys.KeyProvider", &list))
		for _, k := range list {
			k["config"].(map[string]any)["enabled"] = []string{"false"}
			b.must(b.admin.Put(b.ctx, "/"+b.realm+"/components/"+k["id"].(string), k))
		}
		for _, provider := range []string{"rsa-generated", "hmac-generated", "aes-generated"} {
			_, err := b.admin.Post(b.ctx, "/"+b.realm+"/components", map[string]any{"name": "new " + provider, "providerId": provider,
				"providerType": "org.keycloak.keys.KeyProvider",
				"config":       map[string]any{"priority": []string{"200"}}})
			b.must(err)
		}
	}},
	{name: "spent", own: "rotates", become: func(b *bearer) {
		b.change("", map[string]any{"revokeRefreshToken": true, "refreshTokenMaxReuse": 0})
		if a := b.post(b.party, "token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {b.refresh}}); a.Status != 200 {
			b.Fatalf("refresh: %v", a)
		}
	}},
}

// ids are what differs each time: ids of clients and of checks, and names of those that are made here.
var ids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|@[0-9a-f]{7}\b|127\.0\.0\.1:[0-9]+`)

// TestBearersAtEveryDoor asks each door that takes a token in each situation that a
// token can be in: they agree about what is worth nothing, each in its own words.
func TestBearersAtEveryDoor(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e})
		shared := newBearing(t, s, "bear")
		var got strings.Builder
		plays := sampled(t, e, 9)
		for i, x := range bearerSituations {
			if !plays(i) {
				fmt.Fprintf(&got, "== %s\n%s", x.name, notPlayed)
				continue
			}
			w := shared
			if x.own != "" {
				w = newBearing(t, s, x.own)
			}
			b := w.bear(x)
			b.events()
			fmt.Fprintf(&got, "== %s\n", x.name)
			for _, d := range doors {
				out := d.ask(b) + b.events()
				out = ids.ReplaceAllString(strings.ReplaceAll(out, b.party.ClientID, "$client"), "*")
				fmt.Fprintf(&got, "%-30s%s\n", d.name, strings.ReplaceAll(out, "realms/"+b.realm, "realms/$realm"))
			}
		}
		if *update && e == harness.SQLite {
			if err := os.WriteFile(bearersFile, []byte(got.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(bearersFile)
		if err != nil {
			t.Fatal(err)
		}
		differences(t, string(want), got.String())
	})
}

// notPlayed stands for the lines of a situation that was left out.
const notPlayed = "not played\n"

// differences reports lines that differ, each with its situation.
func differences(t *testing.T, want, got string) {
	t.Helper()
	table := func(text string) map[string]string {
		m, name := map[string]string{}, ""
		for line := range strings.Lines(text) {
			if after, ok := strings.CutPrefix(line, "== "); ok {
				name = strings.TrimSpace(after)
				continue
			}
			m[name+" | "+strings.TrimSpace(line[:min(30, len(line))])] = strings.TrimSpace(line[min(30, len(line)):])
		}
		return m
	}
	w, g := table(want), table(got)
	for _, key := range slices.Sorted(maps.Keys(w)) {
		name, _, _ := strings.Cut(key, " | ")
		if _, left := g[name+" | "+strings.TrimSpace(notPlayed)]; left {
			continue
		}
		if g[key] != w[key] {
			t.Errorf("%s:\n got %s\nwant %s", key, g[key], w[key])
		}
	}
	for key := range g {
		if _, known := w[key]; !known && !strings.HasSuffix(key, " | "+strings.TrimSpace(notPlayed)) {
			t.Errorf("%s: a line that is not in %s", key, bearersFile)
		}
	}
}
