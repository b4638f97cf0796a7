package attacks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// Names of realms that need escaping are escaped in every address, as the reference
// escapes them: the issuer in discovery, tokens and answers, the addresses below it, what
// built-in clients are called back at, and the path of cookies.
func TestNamesInAddresses(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		base := harness.Start(t, harness.Options{Engine: e}).URL
		ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
		defer cancel()
		admin := visitor.NewAdmin(base)
		for name, segment := range map[string]string{ // recorded from the reference
			"a b": "a%20b", "büro": "b%C3%BCro", "a%b": "a%25b", "a|b": "a%7Cb", "a'b": "a'b", `a"b`: "a%22b", "a^b": "a%5Eb", "a~b": "a~b",
			"a<b": "a%3Cb", "plain": "plain",
		} {
			if _, err := admin.Post(ctx, "", map[string]any{"realm": name, "enabled": true,
				"clients": []any{map[string]any{"clientId": "app", "secret": "app-secret", "directAccessGrantsEnabled": true,
					"redirectUris": []string{"http://app.example/*"}, "webOrigins": []string{"+"}}},
				"users": []any{map[string]any{"username": "kim", "enabled": true, "email": "kim@names.example", "firstName": "Kim", "lastName": "Name",
					"clientRoles": map[string]any{"realm-management": []string{"realm-admin"}, "account": []string{"manage-account"}},
					"credentials": []any{map[string]any{"type": "password", "value": "kim-pw"}}}}}); err != nil {
				t.Fatal(name, err)
			}
			issuer := base + "/realms/" + segment
			get := func(address, bearer string, into any) (status int) {
				t.Helper()
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
				if err != nil {
					t.Fatal(err)
				}
				if bearer != "" {
					r.Header.Set("Authorization", "Bearer "+bearer)
				}
				r.Header.Set("Accept", "application/json")
				resp, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if into != nil {
					if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
						t.Fatal(address, err)
					}
				}
				return resp.StatusCode
			}
			document := map[string]any{}
			get(issuer+"/.well-known/openid-configuration", "", &document)
			for member, v := range document {
				if at, ok := v.(string); ok && strings.HasPrefix(at, base) && at != issuer && !strings.HasPrefix(at, issuer+"/") {
					t.Errorf("%s: %s is %s", name, member, at)
				}
			}
			if document["issuer"] != issuer {
				t.Errorf("%s: issuer %v, want %s", name, document["issuer"], issuer)
			}
			about := map[string]any{}
			get(issuer, "", &about)
			if about["account-service"] != issuer+"/account" || about["token-service"] != issuer+"/protocol/openid-connect" {
				t.Errorf("%s: %v", name, about)
			}
			at := "/" + segment
			for client, path := range map[string]string{"account": "/realms/" + segment + "/account/", "account-console": "/realms/" + segment +
				"/account/", "security-admin-console": "/admin/" + segment + "/console/"} {
				var list []struct {
					BaseURL      string
					RedirectURIs []string
				}
				if err := admin.Get(ctx, at+"/clients?clientId="+client, &list); err != nil || len(list) != 1 || list[0].BaseURL != path ||
					list[0].RedirectURIs[0] != path+"*" {
					t.Errorf("%s: %s has %+v, %v, want %s", name, client, list, err, path)
				}
			}

			// Tokens, and what they open. The cookie jar of Go compares paths without
			// their escapes, as browsers do not; so there is no browser here.
			party := visitor.Party{Base: base, Realm: segment, ClientID: "app", Secret: "app-secret", Redirect: "http://app.example/cb"}
			tokens, err := party.Post(ctx, "token", url.Values{"grant_type": {"password"}, "username": {"kim"}, "password": {"kim-pw"},
				"scope": {"openid"}})
			if err != nil || !tokens.OK() {
				t.Errorf("%s: %+v, %v", name, tokens, err)
				continue
			}
			for kind, token := range map[string]string{"access": tokens.Access, "refresh": tokens.Refresh, "id": tokens.ID} {
				payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
				var claims struct {
					Issuer string `json:"iss"`
				}
				if err := json.Unmarshal(payload, &claims); err != nil || claims.Issuer != issuer {
					t.Errorf("%s: the %s token is of %s", name, kind, claims.Issuer)
				}
			}
			for what, address := range map[string]string{
				"userinfo": issuer + "/protocol/openid-connect/userinfo", "account": issuer + "/account", "admin": base + "/admin/realms/" +
					segment + "/users/count",
			} {
				if status := get(address, tokens.Access, nil); status != http.StatusOK {
					t.Errorf("%s: %s answers %d", name, what, status)
				}
			}
			if a, err := party.Renew(ctx, tokens.Refresh); err != nil || !a.OK() {
				t.Errorf("%s: refresh %+v, %v", name, a, err)
			}

			// The console's own login, at the address that it has.
			login, err := http.Get(party.Endpoint("auth") + "?" + url.Values{"client_id": {"account-console"}, "response_type": {"code"},
				"scope":        {"openid"},
				"redirect_uri": {issuer + "/account/"}, "code_challenge": {"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"},
				"code_challenge_method": {"S256"}}.Encode())
			if err != nil {
				t.Fatal(err)
			}
			login.Body.Close()
			cookies := login.Header.Values("Set-Cookie")
			if login.StatusCode != http.StatusOK || len(cookies) == 0 {
				t.Errorf("%s: the account console's login: %d", name, login.StatusCode)
			}
			for _, cookie := range cookies {
				if !strings.Contains(cookie, "Path=/realms/"+segment+"/;") && !strings.HasSuffix(cookie, "Path=/realms/"+segment+"/") {
					t.Errorf("%s: cookie %s", name, cookie)
				}
			}

			// The location of what is made, and the address of a registration.
			r, _ := http.NewRequestWithContext(ctx, http.MethodPost, base+"/admin/realms/"+segment+"/clients",
				strings.NewReader(`{"clientId":"more"}`))
			r.Header.Set("Authorization", "Bearer "+tokens.Access)
			r.Header.Set("Content-Type", "application/json")
			if resp, err := http.DefaultClient.Do(r); err != nil || !strings.HasPrefix(resp.Header.Get("Location"), base+"/admin/realms/"+
				segment+"/clients/") {
				t.Errorf("%s: made at %v, %v", name, resp, err)
			} else {
				resp.Body.Close()
			}
			r, _ = http.NewRequestWithContext(ctx, http.MethodPost, issuer+"/clients-registrations/openid-connect",
				strings.NewReader(`{"redirect_uris":["http://app.example/cb"]}`))
			r.Header.Set("Authorization", "Bearer "+tokens.Access)
			r.Header.Set("Content-Type", "application/json")
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			made := map[string]any{}
			_ = json.NewDecoder(resp.Body).Decode(&made)
			resp.Body.Close()
			if at, _ := made["registration_client_uri"].(string); !strings.HasPrefix(at, issuer+"/clients-registrations/openid-connect/") ||
				resp.Header.Get("Location") != at {
				t.Errorf("%s: registered at %v, %s", name, made["registration_client_uri"], resp.Header.Get("Location"))
			}
		}
	})
}
