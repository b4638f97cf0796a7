package attacks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

const largeRealm = `{"realm": "large", "enabled": true, "eventsEnabled": true, "adminEventsEnabled": true, "adminEventsDetailsEnabled": true,
	"roles": {"realm": [{"name": "r"}, {"name": "s"}]}, "groups": [{"name": "g", "attributes": {"a": ["b"]}}],
	"clients": [{"clientId": "app", "secret": "app-secret", "enabled": true, "redirectUris": ["http://app.example/*"], "serviceAccountsEnabled": true, "directAccessGrantsEnabled": true}],
	"users": [{"username": "kim", "enabled": true, "email": "kim@attacks.example", "emailVerified": true, "firstName": "Kim", "lastName": "Large",
		"credentials": [{"type": "password", "value": "kim-password"}]}]}`

// many joins what one makes of the numbers below n.
func many(n int, between string, one func(i int) string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = one(i)
	}
	return strings.Join(all, between)
}

// largeRequests grow with a number: values of a query, entries of a body. KIM,
// ROLE, GROUP and CLIENT stand for ids. An address takes 64 KB at most. What is refused is
// refused with 400, not broken down over; what is taken is taken soon.
func largeRequests() []struct{ name, method, path, body string } {
	pairs := func(n int) string {
		return url.QueryEscape(many(n, " ", func(i int) string { return fmt.Sprintf("a%d:b", i) }))
	}
	words := func(n int) string {
		return url.QueryEscape(many(n, " ", func(i int) string { return fmt.Sprintf("w%d", i) }))
	}
	params := func(n int, name, value string) string {
		return many(n, "&", func(i int) string { return name + "=" + strings.ReplaceAll(value, "#", fmt.Sprint(i)) })
	}
	roles := func(n int) string {
		return "[" + many(n, ",", func(int) string { return `{"id": "ROLE", "name": "r"}` }) + "]"
	}
	texts := func(n int, one string) string {
		return "[" + many(n, ",", func(i int) string { return strings.ReplaceAll(one, "#", fmt.Sprint(i)) }) + "]"
	}
	return []struct{ name, method, path, body string }{
		{"attributes of users", "GET", "/users?q=" + pairs(2000), ""},
		{"attributes of users, parts", "GET", "/users?exact=false&q=" + pairs(60), ""},
		{"attributes of users, counted", "GET", "/users/count?q=" + pairs(2000), ""},
		{"attributes of groups", "GET", "/groups?q=" + pairs(2000), ""},
		{"attributes of groups, counted", "GET", "/groups/count?q=" + pairs(2000), ""},
		{"attributes of clients", "GET", "/clients?q=" + pairs(2000), ""},
		{"words", "GET", "/users?search=" + words(60), ""},
		{"many words", "GET", "/users?search=" + words(4000), ""},
		{"many words, counted", "GET", "/users/count?search=" + words(4000), ""},
		{"a long word", "GET", "/users?search=" + strings.Repeat("_", 30_000), ""},
		{"a long name", "GET", "/users?username=" + strings.Repeat("_", 30_000), ""},
		{"a long name, exact", "GET", "/users?exact=true&username=" + strings.Repeat("_", 30_000), ""},
		{"a long address", "GET", "/users?email=" + strings.Repeat("_", 30_000), ""},
		{"a long value", "GET", "/users?exact=false&q=a:" + strings.Repeat("_", 30_000), ""},
		{"long names of clients", "GET", "/clients?search=true&clientId=" + strings.Repeat("_", 30_000), ""},
		{"long names of roles", "GET", "/roles?search=" + strings.Repeat("_", 30_000), ""},
		{"long names of groups", "GET", "/groups?search=" + strings.Repeat("_", 30_000), ""},
		{"stars", "GET", "/users?search=" + strings.Repeat("*a", 11_000), ""},
		{"a page of many users", "GET", "/users?max=2000000000", ""},
		{"ids of users", "GET", "/users?search=id:" + words(3000), ""},
		{"names of users", "GET", "/users?search=username:" + words(4500), ""},
		{"kinds of events", "GET", "/events?" + params(2500, "type", "LOGIN"), ""},
		{"unknown kinds of events", "GET", "/events?" + params(2500, "type", "X#"), ""},
		{"operations", "GET", "/admin-events?" + params(1300, "operationTypes", "CREATE"), ""},
		{"resource types", "GET", "/admin-events?" + params(1500, "resourceTypes", "USER"), ""},
		{"a long path of resources", "GET", "/admin-events?resourcePath=" + strings.Repeat("*a", 11_000), ""},
		{"an explorer's sources", "GET", "/sessions?" + params(2500, "state", "live"), ""},
		{"an explorer's words", "GET", "/session-explorer?kinds=" + many(4000, ",", func(int) string { return "online" }), ""},
		{"role mappings", "POST", "/users/KIM/role-mappings/realm", roles(40_000)},
		{"role mappings removed", "DELETE", "/users/KIM/role-mappings/realm", roles(33_000)},
		{"role mappings of a group", "POST", "/groups/GROUP/role-mappings/realm", roles(3000)},
		{"composites", "POST", "/roles/s/composites", roles(3000)},
		{"composites removed", "DELETE", "/roles/s/composites", roles(3000)},
		{"scope mappings", "POST", "/clients/CLIENT/scope-mappings/realm", roles(33_000)},
		{"scope mappings removed", "DELETE", "/clients/CLIENT/scope-mappings/realm", roles(3000)},
		{"mappers", "POST", "/clients/CLIENT/protocol-mappers/add-models",
			texts(2000, `{"name": "m#", "protocol": "openid-connect", "protocolMapper": "oidc-hardcoded-claim-mapper", "config": {"claim.name": "c", "claim.value": "v"}}`)},
		{"redirect addresses", "PUT", "/clients/CLIENT", `{"clientId": "app", "redirectUris": ` + texts(5000, `"http://app.example/#"`) + `}`},
		{"scopes of a new client", "POST", "/clients", `{"clientId": "new", "defaultClientScopes": ` + texts(33_000, `"email"`) + `}`},
		{"groups of a new user", "POST", "/users", `{"username": "lee", "groups": ` + texts(33_000, `"/g"`) + `}`},
		{"actions of a user", "PUT", "/users/KIM", `{"requiredActions": ` + texts(33_000, `"UPDATE_PASSWORD"`) + `}`},
		{"attributes of a user", "POST", "/users", `{"username": "max", "attributes": {"a": ` + texts(20_000, `"v#"`) + `}}`},
		{"attributes of a group", "PUT", "/groups/GROUP", `{"name": "g", "attributes": {"a": ` + texts(20_000, `"v#"`) + `}}`},
		{"credentials of a new user", "POST", "/users", `{"username": "moe", "credentials": ` +
			texts(20, `{"type": "password", "value": "a long password #"}`) + `}`},
		{"kinds of credentials", "PUT", "/users/KIM/disable-credential-types", texts(33_000, `"otp"`)},
		{"actions by mail", "PUT", "/users/KIM/execute-actions-email", texts(33_000, `"UPDATE_PASSWORD"`)},
		{"kinds of events to keep", "PUT", "/events/config", `{"eventsEnabled": true, "enabledEventTypes": ` + texts(33_000, `"LOGIN"`) + `}`},
		{"sessions to end", "POST", "/users/KIM/end-sessions", `{"kinds": ` + texts(33_000, `"online"`) + `, "clients": ` +
			texts(33_000, `"CLIENT"`) + `}`},
		{"texts", "POST", "/localization/en", "{" + many(20_000, ",", func(i int) string { return fmt.Sprintf(`"k%d": "v"`, i) }) + "}"},
		{"users of a partial import", "POST", "/partialImport", `{"ifResourceExists": "SKIP", "users": ` +
			texts(300, `{"username": "u#", "realmRoles": ["r", "r", "r"], "groups": ["/g", "/g"]}`) + `}`},
	}
}

// No request breaks down by being large, on either engine: neither by the number
// of parameters that a statement may have, nor the depth of its conditions, nor
// the length of a pattern.
func TestLargeRequests(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e})
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		admin := visitor.NewAdmin(s.URL)
		if _, err := admin.Post(ctx, "", json.RawMessage(largeRealm)); err != nil {
			t.Fatal(err)
		}
		id := func(list, member, value string) string {
			id, err := admin.ID(ctx, "/large"+list, member, value)
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		ids := strings.NewReplacer("KIM", id("/users", "username", "kim"), "ROLE", id("/roles", "name", "r"), "GROUP", id("/groups", "name", "g"),
			"CLIENT", id("/clients", "clientId", "app"))
		for _, c := range largeRequests() {
			sign := "Bearer " + access(ctx, t, s.URL, "master", "admin-cli", "admin", "admin")
			began := time.Now()
			got := ask(ctx, t, c.method, s.URL+"/admin/realms/large"+ids.Replace(c.path), ids.Replace(c.body),
				map[string]string{"Content-Type": jsonType, "Authorization": sign})
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("%s: took %v", c.name, took)
			}
			// there is no mail
			if got >= 500 && c.name != "actions by mail" || got == http.StatusRequestHeaderFieldsTooLarge || got == http.StatusUnauthorized {
				t.Errorf("%s: %d", c.name, got)
			}
		}
	})
}
