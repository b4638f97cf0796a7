package attacks

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// lightRealm has one user who may look at users and has an account, and clients that let through
// more or less of that.
const lightRealm = `{"realm": "light", "enabled": true,
	"clients": [
		{"clientId": "whole", "enabled": true, "secret": "app-secret", "directAccessGrantsEnabled": true},
		{"clientId": "narrow", "enabled": true, "secret": "app-secret", "directAccessGrantsEnabled": true, "fullScopeAllowed": false},
		{"clientId": "mute", "enabled": true, "secret": "app-secret", "directAccessGrantsEnabled": true, "defaultClientScopes": ["basic"]},
		{"clientId": "hidden", "enabled": true, "secret": "app-secret", "directAccessGrantsEnabled": true, "defaultClientScopes": ["basic"], "protocolMappers": [
			{"name": "roles", "protocol": "openid-connect", "protocolMapper": "oidc-usermodel-client-role-mapper", "config": {
				"claim.name": "resource_access.${client_id}.roles", "jsonType.label": "String", "multivalued": "true",
				"access.token.claim": "false", "introspection.token.claim": "true"}},
			{"name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-resolve-mapper", "config": {
				"access.token.claim": "false", "introspection.token.claim": "true"}}]}],
	"users": [{"username": "vic", "enabled": true, "email": "vic@attacks.example", "firstName": "Vic", "lastName": "Tim",
		"clientRoles": {"account": ["manage-account"], "realm-management": ["view-users"]},
		"credentials": [{"type": "password", "value": "vic-pw"}]}]}`

// A lightweight access token says nothing of roles; it opens what a full one of the same
// client opens, and nothing else.
func TestLightweightTokensOpenWhatFullOnesDo(t *testing.T) {
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
		_, err := admin.Post(ctx, "", json.RawMessage(lightRealm))
		must(err)
		opens := func(client string) (out [2]int) {
			party := visitor.Party{Base: s.URL, Realm: "light", ClientID: client, Secret: "app-secret"}
			tokens, err := party.Post(ctx, "token", url.Values{"grant_type": {"password"}, "username": {"vic"}, "password": {"vic-pw"},
				"scope": {"openid"}})
			must(err)
			for i, path := range []string{"/admin/realms/light/users", "/realms/light/account"} {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
				must(err)
				req.Header.Set("Authorization", "Bearer "+tokens.Access)
				req.Header.Set("Accept", "application/json")
				resp, err := http.DefaultClient.Do(req)
				must(err)
				must(resp.Body.Close())
				out[i] = resp.StatusCode
			}
			return out
		}
		for client, want := range map[string][2]int{"whole": {200, 200}, "narrow": {403, 401}, "mute": {403, 401}, "hidden": {403, 401}} {
			full := opens(client)
			id, err := admin.ID(ctx, "/light/clients?clientId="+client, "clientId", client)
			must(err)
			must(admin.Put(ctx, "/light/clients/"+id, map[string]any{"clientId": client,
				"attributes": map[string]string{"client.use.lightweight.access.token.enabled": "true"}}))
			if light := opens(client); full != want || light != want {
				t.Errorf("%s: a full token is answered %d and a lightweight one %d, want %d", client, full, light, want)
			}
		}
	})
}
