package attacks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// levelRealm has a browser flow with a password at level 1 and a one-time code at level 2.
const levelRealm = `{"realm": "levels", "enabled": true, "attributes": {"acr.loa.map": "{\"low\":1,\"high\":2}"}, "browserFlow": "levels",
	"authenticationFlows": [
		{"alias": "levels", "providerId": "basic-flow", "topLevel": true, "authenticationExecutions": [
			{"authenticator": "auth-cookie", "requirement": "ALTERNATIVE", "priority": 10},
			{"authenticatorFlow": true, "flowAlias": "forms", "requirement": "ALTERNATIVE", "priority": 20}]},
		{"alias": "forms", "providerId": "basic-flow", "authenticationExecutions": [
			{"authenticatorFlow": true, "flowAlias": "one", "requirement": "CONDITIONAL", "priority": 10},
			{"authenticatorFlow": true, "flowAlias": "two", "requirement": "CONDITIONAL", "priority": 20}]},
		{"alias": "one", "providerId": "basic-flow", "authenticationExecutions": [
			{"authenticator": "conditional-level-of-authentication", "authenticatorConfig": "one", "requirement": "REQUIRED", "priority": 10},
			{"authenticator": "auth-username-password-form", "requirement": "REQUIRED", "priority": 20}]},
		{"alias": "two", "providerId": "basic-flow", "authenticationExecutions": [
			{"authenticator": "conditional-level-of-authentication", "authenticatorConfig": "two", "requirement": "REQUIRED", "priority": 10},
			{"authenticator": "auth-otp-form", "requirement": "REQUIRED", "priority": 20}]}],
	"authenticatorConfig": [
		{"alias": "one", "config": {"loa-condition-level": "1", "loa-max-age": "36000"}},
		{"alias": "two", "config": {"loa-condition-level": "2", "loa-max-age": "36000"}}],
	"clients": [{"clientId": "app", "enabled": true, "secret": "app-secret", "redirectUris": ["http://app.example/*"]},
		{"clientId": "mapped", "enabled": true, "secret": "app-secret", "redirectUris": ["http://app.example/*"], "attributes": {"acr.loa.map": "{\"1\":2}"}},
		{"clientId": "claiming", "enabled": true, "secret": "app-secret", "redirectUris": ["http://app.example/*"], "protocolMappers": [
			{"name": "acr", "protocol": "openid-connect", "protocolMapper": "oidc-hardcoded-claim-mapper", "config": {
				"claim.name": "acr", "claim.value": "high", "jsonType.label": "String", "access.token.claim": "true"}}]}],
	"users": [{"username": "vic", "enabled": true, "email": "vic@attacks.example", "emailVerified": true, "firstName": "Vic", "lastName": "Tim",
		"clientRoles": {"account": ["manage-account"]},
		"credentials": [{"type": "password", "value": %q}%s]}]}`

// CVE-2023-3597: who knows the password alone takes the second factor away, or adds one.
func TestPasswordAloneChangesNoSecondFactor(t *testing.T) {
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e})
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		admin := visitor.NewAdmin(s.URL)
		_, err := admin.Post(ctx, "", json.RawMessage(fmt.Sprintf(levelRealm, vicsPassword, device("otp"))))
		must(err)
		user, err := admin.ID(ctx, "/levels/users?username=vic", "username", "vic")
		must(err)
		otp, err := admin.ID(ctx, "/levels/users/"+user+"/credentials", "type", "otp")
		must(err)
		party := visitor.Party{Base: s.URL, Realm: "levels", ClientID: "app", Secret: "app-secret", Redirect: "http://app.example/cb"}
		ask := func(b *visitor.Browser, q url.Values) *visitor.Page {
			page, err := b.Open(ctx, party.AuthURL()+"&"+q.Encode())
			must(err)
			if page.Asks("password") {
				page, err = page.Login(ctx, "vic", vicsPassword)
				must(err)
			}
			return page
		}
		browser := visitor.NewBrowser()
		remove := func(access string) int {
			req, err := http.NewRequestWithContext(ctx, http.MethodDelete, s.URL+"/realms/levels/account/credentials/"+otp, nil)
			must(err)
			req.Header.Set("Authorization", "Bearer "+access)
			req.Header.Set("Accept", "application/json")
			resp, err := http.DefaultClient.Do(req)
			must(err)
			must(resp.Body.Close())
			return resp.StatusCode
		}
		// Neither a client's own map of levels nor its mappers make more of a password.
		for _, client := range []string{"mapped", "claiming", "app"} {
			party.ClientID = client
			code, err := ask(browser, nil).Code()
			must(err)
			low, err := party.Redeem(ctx, code)
			must(err)
			if status := remove(low.Access); status != http.StatusForbidden {
				t.Errorf("%s: the account API answers %d", client, status)
			}
		}
		for _, action := range []string{"delete_credential:" + otp, "CONFIGURE_TOTP"} {
			for name, b := range map[string]*visitor.Browser{"with a session": browser, "without one": visitor.NewBrowser()} {
				if page := ask(b, url.Values{"kc_action": {action}}); !page.Asks("otp") {
					t.Errorf("%s %s: no page for the one-time code but %s", action, name, page.URL)
				}
			}
		}
		if _, err := admin.ID(ctx, "/levels/users/"+user+"/credentials", "type", "otp"); err != nil {
			t.Error(errors.Join(errors.New("the second factor is gone"), err))
		}
	})
}
