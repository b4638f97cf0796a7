package attacks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// ownRealm lets people do with their accounts all that a realm can let them do.
const ownRealm = `{"realm": "own", "enabled": true, "editUsernameAllowed": true, "registrationAllowed": true,
	"components": {"org.keycloak.userprofile.UserProfileProvider": [{"providerId": "declarative-user-profile", "config": {"kc.user.profile.config": [
		"{\"unmanagedAttributePolicy\": \"ENABLED\", \"attributes\": [
			{\"name\": \"username\", \"permissions\": {\"view\": [\"admin\", \"user\"], \"edit\": [\"admin\", \"user\"]}},
			{\"name\": \"email\", \"permissions\": {\"view\": [\"admin\", \"user\"], \"edit\": [\"admin\", \"user\"]}},
			{\"name\": \"firstName\", \"permissions\": {\"view\": [\"admin\", \"user\"], \"edit\": [\"admin\", \"user\"]}},
			{\"name\": \"lastName\", \"permissions\": {\"view\": [\"admin\", \"user\"], \"edit\": [\"admin\", \"user\"]}},
			{\"name\": \"open\", \"multivalued\": true, \"validations\": {\"length\": {\"min\": 1}}, \"permissions\": {\"view\": [\"admin\", \"user\"], \"edit\": [\"admin\", \"user\"]}},
			{\"name\": \"many\", \"multivalued\": true, \"permissions\": {\"view\": [\"admin\", \"user\"], \"edit\": [\"admin\", \"user\"]}}]}"]}}]},
	"clients": [{"clientId": "pub", "publicClient": true, "enabled": true, "redirectUris": ["http://app.example/*"], "directAccessGrantsEnabled": true}],
	"users": [{"username": "kim", "enabled": true, "email": "kim@attacks.example", "emailVerified": true, "firstName": "Kim", "lastName": "Own",
		"clientRoles": {"account": ["manage-account", "view-profile", "manage-consent"]}, "credentials": [{"type": "password", "value": "kim-password"}]}]}`

// kimAnd is kim's profile with members in place of, or beside, what is there.
func kimAnd(members map[string]any) string {
	all := map[string]any{"username": "kim", "email": "kim@attacks.example", "firstName": "Kim", "lastName": "Own"}
	for name, v := range members {
		all[name] = v
	}
	b, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// attributesOf makes n attributes of m values of a length.
func attributesOf(n, m, length int) map[string]any {
	all := map[string][]string{}
	for i := range n {
		name := fmt.Sprintf("a%d", i)
		if n == 1 {
			name = "many"
		}
		for j := range m {
			all[name] = append(all[name], fmt.Sprintf("%d%s", j, letters(length)))
		}
	}
	return map[string]any{"attributes": all}
}

// What people can make the server keep of themselves has a length and a number,
// at every door at which they can. Source of the lengths: Keycloak's columns and
// its default validator (oracle account/lengths); where those fail with 500 there,
// the answer here is 400.
func TestWhatUsersKeep(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e})
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		admin := visitor.NewAdmin(s.URL)
		if _, err := admin.Post(ctx, "", json.RawMessage(strings.ReplaceAll(strings.ReplaceAll(ownRealm, "\n", ""), "\t", ""))); err != nil {
			t.Fatal(err)
		}
		user, err := admin.ID(ctx, "/own/users?username=kim", "username", "kim")
		if err != nil {
			t.Fatal(err)
		}
		credential, err := admin.ID(ctx, "/own/users/"+user+"/credentials", "type", "password")
		if err != nil {
			t.Fatal(err)
		}
		scope, err := admin.ID(ctx, "/own/client-scopes", "name", "email")
		if err != nil {
			t.Fatal(err)
		}
		account, label := "/realms/own/account", "/realms/own/account/credentials/"+credential+"/label"
		consent := account + "/applications/pub/consent"
		sign := "Bearer " + access(ctx, t, s.URL, "own", "pub", "kim", "kim-password")
		for _, c := range []struct {
			name, method, path, body string
			status                   int
		}{
			{"label", "PUT", label, `"` + letters(255) + `"`, 204},
			{"long label", "PUT", label, `"` + letters(256) + `"`, 400},
			{"label in four bytes a character", "PUT", label, `"` + strings.Repeat("\U0001F511", 127) + `"`, 204},
			{"long label in four bytes a character", "PUT", label, `"` + strings.Repeat("\U0001F511", 128) + `"`, 400},
			{"endless label", "PUT", label, `"` + strings.Repeat("x", 9<<20) + `"`, 413},
			{"username", "POST", account, kimAnd(map[string]any{"username": letters(256)}), 400},
			{"email", "POST", account, kimAnd(map[string]any{"email": letters(50) + "@" + strings.Repeat(letters(50)+".", 5) + "example"}), 400},
			{"first name", "POST", account, kimAnd(map[string]any{"firstName": letters(256)}), 400},
			{"last name", "POST", account, kimAnd(map[string]any{"lastName": letters(256)}), 400},
			{"names", "POST", account, kimAnd(map[string]any{"firstName": letters(255), "lastName": letters(255)}), 204},
			{"attribute", "POST", account, kimAnd(map[string]any{"attributes": map[string]any{"many": []string{letters(2048)},
				"free": []string{letters(2048)}}}), 204},
			{"long attribute", "POST", account, kimAnd(map[string]any{"attributes": map[string]any{"many": []string{letters(2049)}}}), 400},
			{"long attribute, not of the profile", "POST", account,
				kimAnd(map[string]any{"attributes": map[string]any{"free": []string{letters(2049)}}}), 400},
			{"attribute with a validator without end", "POST", account,
				kimAnd(map[string]any{"attributes": map[string]any{"open": []string{letters(200_000)}}}), 400},
			{"name of an attribute", "POST", account, kimAnd(map[string]any{"attributes": map[string]any{letters(256): []string{"x"}}}), 400},
			{"values", "POST", account, kimAnd(attributesOf(1, 900, 3)), 204},
			{"many values", "POST", account, kimAnd(attributesOf(1, 1001, 3)), 400},
			{"many attributes", "POST", account, kimAnd(attributesOf(1001, 1, 3)), 400},
			{"long values together", "POST", account, kimAnd(attributesOf(60, 1, 2000)), 400},
			{"endless attributes", "POST", account, kimAnd(attributesOf(1, 1000, 2000)), 413},
			{"consent to one scope many times", "PUT", consent, `{"grantedScopes": [{"id": "` + scope + `"}` + strings.Repeat(`, {"id": "`+scope+
				`"}`, 4000) + `]}`, 200},
			{"consent to what is not there", "PUT", consent, `{"grantedScopes": [{"id": "` + letters(60_000) + `"}]}`, 400},
			{"consent to 150,000 scopes", "PUT", consent, `{"grantedScopes": [{"id": "` + scope + `"}` + strings.Repeat(`, {"id": "`+scope+`"}`,
				150_000) + `]}`, 413},
		} {
			if got := ask(ctx, t, c.method, s.URL+c.path, c.body, map[string]string{"Content-Type": jsonType, "Accept": jsonType,
				"Authorization": sign}); got != c.status {
				t.Errorf("%s: %d, want %d", c.name, got, c.status)
			}
		}
		var granted []struct{ GrantedClientScopes []string }
		if err := admin.Get(ctx, "/own/users/"+user+"/consents", &granted); err != nil || len(granted) != 1 ||
			len(granted[0].GrantedClientScopes) != 1 {
			t.Errorf("consents %+v, %v", granted, err)
		}

		// Pages show the form again, and keep nothing.
		party := visitor.Party{Base: s.URL, Realm: "own", ClientID: "pub", Redirect: "http://app.example/cb"}
		many := map[string]string{}
		for i := range 80 {
			many[fmt.Sprintf("b%d", i)] = letters(2000)
		}
		for _, c := range []struct {
			name, page string
			fields     map[string]string
		}{
			{"first name", "UPDATE_PROFILE", map[string]string{"firstName": letters(256)}},
			{"username", "UPDATE_PROFILE", map[string]string{"username": letters(256)}},
			{"attribute", "UPDATE_PROFILE", map[string]string{"many": letters(2049)}},
			{"attribute, not of the profile", "UPDATE_PROFILE", map[string]string{"free": letters(2049)}},
			{"attributes", "UPDATE_PROFILE", many},
			{"label", "CONFIGURE_TOTP", map[string]string{"totp": "000000", "userLabel": letters(256)}},
			{"first name", "", map[string]string{"firstName": letters(256)}},
			{"username", "", map[string]string{"username": letters(256)}},
			{"attribute", "", map[string]string{"many": letters(2049)}},
			{"attributes", "", many},
		} {
			b, at := visitor.NewBrowser(), party.AuthURL()
			if c.page == "" {
				at = strings.Replace(at, "/auth?", "/registrations?", 1)
			} else {
				at += "&kc_action=" + c.page
			}
			p, err := b.Open(ctx, at)
			if err == nil && c.page != "" {
				p, err = p.Login(ctx, "kim", "kim-password")
			}
			if err != nil {
				t.Fatal(err)
			}
			fields := map[string]string{"username": "lee" + letters(5), "email": letters(9) + "@attacks.example", "firstName": "Lee",
				"lastName": "Own", "password": "lee-password", "password-confirm": "lee-password"}
			if c.page != "" {
				fields = map[string]string{"username": "kim"}
			}
			for name, v := range c.fields {
				fields[name] = v
			}
			asks := "lastName"
			if c.page == "CONFIGURE_TOTP" {
				asks = "totp"
			}
			if p, err = p.Submit(ctx, fields); err != nil || p.Status != http.StatusOK || !p.Asks(asks) {
				t.Errorf("%s %s: status %d at %s, %v", c.page, c.name, p.Status, p.URL, err)
			} else if c.page == "CONFIGURE_TOTP" && !strings.Contains(p.Body, "label is too long") {
				t.Errorf("%s %s: its label is not judged", c.page, c.name)
			}
		}

		// Attributes do not add up, page by page.
		for round := range 3 {
			p, err := visitor.NewBrowser().Open(ctx, party.AuthURL()+"&kc_action=UPDATE_PROFILE")
			if err == nil {
				p, err = p.Login(ctx, "kim", "kim-password")
			}
			if err != nil {
				t.Fatal(err)
			}
			fields := map[string]string{}
			for i := range 30 {
				fields[fmt.Sprintf("c%d-%d", round, i)] = letters(2000)
			}
			if _, err := p.Submit(ctx, fields); err != nil {
				t.Fatal(err)
			}
		}
		var kim map[string]any
		if err := admin.Get(ctx, "/own/users/"+user, &kim); err != nil {
			t.Fatal(err)
		}
		if all, err := json.Marshal(kim); err != nil || len(all) > 120_000 {
			t.Errorf("%d bytes are kept of a user, %v", len(all), err)
		}
		var users []any
		if err := admin.Get(ctx, "/own/users?max=100", &users); err != nil || len(users) != 1 {
			t.Errorf("%d users, %v", len(users), err)
		}
	})
}
