package attacks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"latchkey/test/harness"
)

// mapperOf writes a claim with a fixed value, or with a user's attribute.
func mapperOf(provider, claim, value string) string {
	m := map[string]any{"name": "COUNT " + claim, "protocol": "openid-connect", "protocolMapper": provider, "config": map[string]string{
		"claim.name": claim, "claim.value": value, "user.attribute": value, "jsonType.label": "String", "access.token.claim": "true",
		"introspection.token.claim": "true",
	}}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// register sends a client to the door of client registration.
func (w *town) register(method, path, token, body string) (int, string) {
	w.t.Helper()
	return w.read(token, method, "/realms/"+w.realm+"/clients-registrations/"+path, w.ids.Replace(body))
}

// Nobody but who has all rights sets up mappers that write whom a token is about,
// by any door: a client that registers itself or its manager would be anybody.
func TestNobodyWritesWhoATokenIsAbout(t *testing.T) {
	t.Parallel()
	type door struct {
		name string
		send func(w *town, i int, token, mapper string) (int, string)
	}
	admin := func(method, path, body string) func(w *town, i int, token, mapper string) (int, string) {
		return func(w *town, i int, token, mapper string) (int, string) {
			body := strings.NewReplacer("COUNT", fmt.Sprint(i)).Replace(strings.ReplaceAll(body, "MAPPER", mapper))
			return w.ask(token, attempt{method, path, body})
		}
	}
	const client = `{"clientId":"made-COUNT","secret":"own","serviceAccountsEnabled":true,"protocolMappers":[MAPPER]}`
	doors := []door{
		{"a new client", admin("POST", "/clients", client)},
		{"a client's mapper, changed", admin("PUT", "/clients/{c:app}/protocol-mappers/models/{m:audience}", `MAPPER`)},
		{"a client", admin("PUT", "/clients/{c:app}", `{"clientId":"app","protocolMappers":[MAPPER]}`)},
		{"a client's mapper", admin("POST", "/clients/{c:app}/protocol-mappers/models", `MAPPER`)},
		{"a client's mappers", admin("POST", "/clients/{c:app}/protocol-mappers/add-models", `[MAPPER]`)},
		{"a new scope", admin("POST", "/client-scopes", `{"name":"made-COUNT","protocol":"openid-connect","protocolMappers":[MAPPER]}`)},
		{"a scope's mapper", admin("POST", "/client-scopes/{s:extra}/protocol-mappers/models", `MAPPER`)},
		{"a partial import", admin("POST", "/partialImport", `{"ifResourceExists":"SKIP","clients":[`+client+`]}`)},
		{"registration", func(w *town, i int, token, mapper string) (int, string) {
			return w.register("POST", "default", token, strings.NewReplacer("MAPPER", mapper, "COUNT", fmt.Sprint(i, "r")).Replace(client))
		}},
		{"registration with an initial access token", func(w *town, i int, _, mapper string) (int, string) {
			return w.register("POST", "default", w.initial(), strings.NewReplacer("MAPPER", mapper, "COUNT", fmt.Sprint(i, "i")).Replace(client))
		}},
	}
	claims := []string{"sub", "azp", "sid", `\sub`, "sub.", "sid.x"}
	providers := []string{"oidc-hardcoded-claim-mapper", "oidc-usermodel-property-mapper", "oidc-usermodel-attribute-mapper",
		"oidc-usermodel-realm-role-mapper"}
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e})
		w := newTown(t, s, "names", "manage-clients view-users create-client manage-realm manage-users")
		token := w.token("self", "own of self")
		boss := w.ids.Replace("{u:boss}")
		count := 0
		for _, d := range doors {
			for _, provider := range providers {
				for _, claim := range claims {
					if provider != providers[0] && claim != "sub" {
						continue // who writes it does not matter to how it is named
					}
					count++
					if status, answer := d.send(w, count, token, mapperOf(provider, claim, boss)); status != http.StatusForbidden {
						t.Errorf("%s: %s of %s: %d %s", d.name, claim, provider, status, answer)
					}
				}
			}
			count++
			if status, answer := d.send(w, count, token, mapperOf(providers[1], "subject.sub", "email")); status >= 300 {
				t.Errorf("%s: another claim: %d %s", d.name, status, answer)
			}
		}
		for i := range count {
			for _, name := range []string{fmt.Sprint("made-", i), fmt.Sprint("made-", i, "r"), fmt.Sprint("made-", i, "i")} {
				made := w.grant(url.Values{"grant_type": {"client_credentials"}, "client_id": {name}, "client_secret": {"own"}})
				if made == "" {
					continue
				}
				if status, _ := w.ask(made, attempt{"GET", "/users/{u:boss}", ""}); status < 300 {
					t.Errorf("%s is an administrator", name)
				}
			}
		}
		// Who has all rights sets them up, and they hinder nobody afterwards.
		chief := w.token("boss", "own of boss")
		employee := mapperOf(providers[2], "sub", "employee")
		for _, step := range []struct{ token, body string }{
			{chief, `{"clientId":"app","protocolMappers":[` + employee + `]}`}, {token, `{"clientId":"app","description":"x","protocolMappers":[` +
				employee + `]}`},
		} {
			if status, answer := w.ask(step.token, attempt{"PUT", "/clients/{c:app}", step.body}); status != http.StatusNoContent {
				t.Errorf("%s: %d %s", step.body, status, answer)
			}
		}
	})
}

// initial makes an initial access token.
func (w *town) initial() string {
	w.t.Helper()
	status, answer := w.ask(w.token("boss", "own of boss"), attempt{"POST", "/clients-initial-access", `{"count":1,"expiration":60}`})
	var made struct{ Token string }
	if status >= 300 || json.Unmarshal([]byte(answer), &made) != nil {
		w.t.Fatalf("%d %s", status, answer)
	}
	return made.Token
}

// A token without a session whose subject names nobody is its client's own
// service account's, or nobody's, whatever username a mapper puts there.
func TestUsernamesInTokensNameNobodyElse(t *testing.T) {
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e})
		w := newTown(t, s, "usernames", "manage-clients")
		for _, c := range []struct {
			username string
			ok       bool
		}{{"boss", false}, {"service-account-robot", false}, {"service-account-nameless", true}} {
			const id = "nameless"
			token := w.token("self", "own of self")
			status, answer := w.ask(token, attempt{"POST", "/clients",
				`{"clientId":"nameless","secret":"own","serviceAccountsEnabled":true,"attributes":{"standard.token.exchange.enabled":"true"},
				"redirectUris":["http://app.example/cb"],"defaultClientScopes":[],"protocolMappers":[` + mapperOf("oidc-hardcoded-claim-mapper", "preferred_username", c.username) + `,
				{"name":"pairwise","protocol":"openid-connect","protocolMapper":"oidc-sha256-pairwise-sub-mapper","config":{"pairwiseSubAlgorithmSalt":"salt"}}]}`})
			if status >= 300 {
				t.Fatalf("%d %s", status, answer)
			}
			made := w.grant(url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {"own"}})
			if !strings.Contains(string(payload(made)), c.username) {
				t.Fatalf("%s", payload(made))
			}
			exchanged := w.grant(url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "client_id": {id},
				"client_secret": {"own"}, "subject_token": {made},
				"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}})
			if (exchanged != "") != c.ok {
				t.Errorf("%s: exchanged %s", c.username, payload(exchanged))
			}
			var list []struct{ ID, ClientID string }
			w.must(w.root.Get(t.Context(), "/usernames/clients?clientId=nameless", &list))
			i := slices.IndexFunc(list, func(c struct{ ID, ClientID string }) bool { return c.ClientID == id })
			w.must(w.root.Delete(t.Context(), "/usernames/clients/"+list[i].ID))
		}
	})
}
