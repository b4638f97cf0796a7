package attacks

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"latchkey/test/harness"
)

// viewers are those who may look and not change, each by itself, all together,
// and the managers of other things.
var viewers = []string{
	"view-realm", "view-users", "view-clients", "view-events", "view-identity-providers", "view-authorization", "create-client",
	"query-users", "query-clients", "query-groups", "query-realms", "manage-events", "manage-identity-providers",
	"manage-users", "impersonation",
	"view-realm view-users view-clients view-events view-identity-providers view-authorization query-realms",
	"manage-realm", "manage-realm view-clients", "manage-clients", "manage-clients view-realm view-events", "realm-admin",
}

// A planted secret is found in an answer by its text. Who has one of the rights
// may see it.
type planted struct{ name, text, readers string }

// plant puts secrets wherever a realm can have them, and makes admin events about
// them by changing them.
func (w *town) plant() []planted {
	w.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	w.must(err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	w.must(err)
	pem := base64.StdEncoding.EncodeToString(der)
	list := []planted{
		{"a client's secret", "planted-client-secret", "manage-clients"}, {"a client's rotated secret", "planted-rotated-secret",
			"manage-clients"},
		{"a client's private key", "planted-client-key", "manage-clients"}, {"the secret of an administrator's client",
			"robot-secret", "realm-admin"},
		{"the mail password", "planted-mail-password", ""}, {"the mail's client secret", "planted-mail-client-secret", ""},
		{"a webhook's secret", "planted-webhook-secret-long-enough", ""}, {"a directory's password", "planted-bind-credential", ""},
		{"a provider's client secret", "planted-provider-secret", ""}, {"a realm's private key", pem[200:260], ""},
		{"an authenticator's secret", "planted-captcha-secret", ""}, {"a user's password", "planted-password", ""},
		{"a hash", "planted+hash", ""},
		{"a user's one-time secret", "planted-otp-secret", ""},
	}
	secrets := `"secret":"planted-client-secret","attributes":{"client.secret.rotated":"planted-rotated-secret","client.secret.rotated.expiration.time":"9999999999","saml.signing.private.key":"planted-client-key","jwt.credential.private.key":"planted-client-key"}`
	idp := `{"alias":"other","providerId":"oidc","enabled":true,"config":{"clientId":"x","clientSecret":"planted-provider-secret","tokenUrl":"https://x.example/t","authorizationUrl":"https://x.example/a"}}`
	hash := `{"type":"password","credentialData":"{\"hashIterations\":1,\"algorithm\":\"pbkdf2-sha256\"}","secretData":"{\"value\":\"planted+hash\",\"salt\":\"planted+hash\"}"}`
	otp := `{"type":"otp","credentialData":"{\"subType\":\"totp\",\"digits\":6,\"period\":30,\"algorithm\":\"HmacSHA1\"}","secretData":"{\"value\":\"planted-otp-secret\"}"}`
	mail := `{"smtpServer":{"host":"127.0.0.1","from":"a@example.org","auth":"true","user":"u","password":"planted-mail-password","authType":"token","authTokenClientSecret":"planted-mail-client-secret"},"adminEventsEnabled":true,"adminEventsDetailsEnabled":true,"eventsEnabled":true}`
	at := "/" + w.realm
	put := func(path, body string) {
		w.must(w.root.Put(w.t.Context(), at+w.ids.Replace(path), json.RawMessage(body)))
	}
	post := func(path, body string) string {
		id, err := w.root.Post(w.t.Context(), at+w.ids.Replace(path), json.RawMessage(body))
		w.must(err)
		return id
	}
	put("", mail)
	put("", mail) // now with events
	put("/clients/{c:app}", `{`+secrets+`}`)
	post("/clients", `{"clientId":"secret-keeper","protocol":"openid-connect","publicClient":false,`+secrets+`}`)
	post("/partialImport", `{"ifResourceExists":"OVERWRITE","clients":[{"clientId":"by-import","enabled":true,`+secrets+
		`}],"identityProviders":[`+idp+`],
		"users":[{"username":"with-hash","enabled":true,"credentials":[`+hash+`,`+otp+`]}]}`)
	parent, err := w.root.ID(w.t.Context(), "", "realm", w.realm)
	w.must(err)
	post("/components", `{"name":"hook","providerId":"webhook","providerType":"latchkey.sessions.Webhook","parentId":"`+parent+
		`","config":{"url":["https://127.0.0.1:1/x"],"secret":["planted-webhook-secret-long-enough"]}}`)
	post("/components", `{"name":"mine","providerId":"rsa","providerType":"org.keycloak.keys.KeyProvider","parentId":"`+parent+
		`","config":{"privateKey":["`+pem+`"],"priority":["1"]}}`)
	post("/users", `{"username":"secretive","enabled":true,"credentials":[{"type":"password","value":"planted-password"}]}`)
	put("/users/{u:victim}/reset-password", `{"type":"password","value":"planted-password"}`)
	post("/users", `{"username":"hashed","enabled":true,"credentials":[`+hash+`]}`)
	post("/authentication/flows/registration/copy", `{"newName":"mine"}`)
	var steps []struct{ ID, ProviderID, AuthenticationConfig string }
	w.must(w.root.Get(w.t.Context(), at+"/authentication/flows/mine/executions", &steps))
	for _, s := range steps {
		if s.ProviderID == "registration-recaptcha-action" {
			w.more = append(w.more, "{execution}", s.ID,
				"{config}", post("/authentication/executions/"+s.ID+"/config",
					`{"alias":"captcha","config":{"site.key":"x","secret.key":"planted-captcha-secret"}}`))
		}
	}
	return list
}

var variable = regexp.MustCompile(`\{([a-z]+)(\.\.\.)?\}`)

// instances are the paths that a pattern stands for, of things with secrets and
// of others: for each variable a few values, all of them together one after the other.
func (w *town) instances(pattern string) []string {
	values := map[string][]string{
		"realm": {w.realm}, "client": {"{c:app}", "{c:robot}", "{c:realm-management}", "{c:secret-keeper}", "{c:by-import}"},
		"user":  {"{u:victim}", "{u:boss}", "{u:secretive}", "{u:hashed}", "{u:with-hash}"},
		"group": {"{g:admins}"}, "role": {"plain", "inner", "realm-admin"}, "roleid": {"{r:plain}", "{a:realm-admin}"}, "scope": {"{s:extra}"},
		"alias": {"other", "mine", "VERIFY_EMAIL"},
		"provider": {"keycloak-oidc-keycloak-json", "keycloak-oidc-jboss-subsystem", "keycloak-oidc-jboss-subsystem-cli",
			"registration-recaptcha-action"},
		"attr": {"jwt.credential", "saml.signing"}, "mapper": {"{m:audience}"}, "protocol": {"openid-connect"},
		"container": {"{c:realm-management}", "{c:app}"},
		"locale":    {"en"}, "key": {"x"}, "session": {w.bossSession}, "userid": {"{u:victim}"}, "path": {"admins"}, "execution": {"{execution}"},
		"id": w.componentIDs, "credential": {"{k:boss}"},
		"type": {"clients", "idp"}, "flow": {"none"}, "workflow": {"none"}, "rest": {"none"}, "resource": {"none"}, "code": {"0000-0000-0000"},
	}
	longest := 0
	for _, m := range variable.FindAllStringSubmatch(pattern, -1) {
		if len(values[m[1]]) == 0 {
			w.t.Fatalf("%s: no value for {%s}", pattern, m[1])
		}
		longest = max(longest, len(values[m[1]]))
	}
	var list []string
	for i := range max(longest, 1) {
		path := variable.ReplaceAllStringFunc(pattern, func(v string) string {
			of := values[variable.FindStringSubmatch(v)[1]]
			return of[i%len(of)]
		})
		list = append(list, path)
	}
	return list
}

// read asks for a path of the server as a viewer.
func (w *town) read(token, method, path, body string) (int, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.base+w.ids.Replace(strings.NewReplacer(w.more...).Replace(path)),
		strings.NewReader(body))
	w.must(err)
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(r)
	w.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	w.must(err)
	return res.StatusCode, string(text)
}

// No answer to a read or an export has a secret for whom it is not.
// Keycloak: StripSecretsUtils, ClientRegistrationAuth.isViewOnly.
func TestNoViewerReadsSecrets(t *testing.T) {
	t.Parallel()
	patterns := adminRoutes()
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e})
		w := newTown(t, s, "gallery", viewers...)
		secrets := w.plant()
		w.learn()
		reads := map[string]string{ // what is read by other methods
			"POST /admin/realms/gallery/partial-export?exportClients=true&exportGroupsAndRoles=true": "",
			"POST /admin/realms/gallery/partial-export?exportGroupsAndRoles=true":                    "",
			"POST /admin/realms/gallery/partial-export?exportClients=true":                           "",
			"POST /admin/realms/gallery/partial-export":                                              "",
			"GET /admin/realms/gallery/admin-events?max=500":                                         "",
			"GET /admin/realms/gallery/events?max=500":                                               "",
		}
		for _, client := range []string{"app", "robot", "secret-keeper", "by-import", "realm-management"} {
			for _, format := range []string{"default", "openid-connect", "install"} {
				reads["GET /realms/gallery/clients-registrations/"+format+"/"+client] = ""
			}
			reads["GET /admin/realms/gallery/clients?clientId="+client] = ""
		}
		for _, p := range patterns {
			if strings.HasPrefix(p, "GET ") {
				for _, path := range w.instances(p) {
					reads[path] = ""
				}
			}
		}
		answered := map[string]bool{}
		plays := sampled(t, e, 9)
		for i, rights := range viewers {
			if !plays(i) && rights != "realm-admin" { // who can read all shows that there is something to read
				continue
			}
			token := w.token(attacker(i), "own of "+attacker(i))
			if token == "" {
				t.Fatalf("%s does not get in", rights)
			}
			for read, body := range reads {
				method, path, _ := strings.Cut(read, " ")
				status, answer := w.read(token, method, path, body)
				answered[read] = answered[read] || status == http.StatusOK
				for _, secret := range secrets {
					if strings.Contains(answer, secret.text) && (secret.readers == "" || !slices.Contains(strings.Fields(rights), secret.readers) &&
						rights != "realm-admin") {
						t.Errorf("%s reads %s at %s", rights, secret.name, read)
					}
				}
			}
		}
		for _, must := range []string{"GET /admin/realms/gallery/clients/{c:app}/client-secret", "GET /admin/realms/gallery/admin-events?max=500",
			"GET /admin/realms/gallery/components/" + w.componentIDs[0],
			"GET /admin/realms/gallery/identity-provider/instances/other",
			"GET /admin/realms/gallery/clients/{c:app}/installation/providers/keycloak-oidc-keycloak-json",
			"POST /admin/realms/gallery/partial-export?exportClients=true&exportGroupsAndRoles=true",
			"GET /realms/gallery/clients-registrations/default/app"} {
			if !answered[must] {
				t.Errorf("nobody could read %s: the test shows nothing about it", must)
			}
		}
	})
}
