package oidc_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// A client that is switched off is in no aud, however it got there: by a role, by a
// mapper that names it, or by an exchange for it, whose refresh token outlives the
// switch. Keycloak keeps it in the last (CVE-2026-93999).
func TestDisabledAudiences(t *testing.T) {
	file := strings.Replace(realmFile, `{"clientId":"app",`, `{"clientId":"role"},{"clientId":"named"},{"clientId":"app",
	 "protocolMappers":[{"name":"named","protocol":"openid-connect","protocolMapper":"oidc-audience-mapper",
	  "config":{"included.client.audience":"named","access.token.claim":"true","id.token.claim":"true"}}],`, 1)
	file = strings.Replace(file, `"standard.token.exchange.enabled":"true"`,
		`"standard.token.exchange.enabled":"true","standard.token.exchange.enableRefreshRequestedTokenType":"SAME_SESSION"`, 1)
	file = strings.Replace(file, `"realmRoles":["default-roles-shop"]`, `"realmRoles":["default-roles-shop"],"clientRoles":{"role":["r"]}`, 1)
	s := newSiteOf(t, file+`,"roles":{"client":{"role":[{"name":"r"}]}}`)
	exchanged := func(audience string) *answer {
		return s.token(app("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token",
			s.password("openid").text("access_token"),
			"subject_token_type", "urn:ietf:params:oauth:token-type:access_token", "audience", audience,
			"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token")...)
	}
	refresh := func(a *answer) *answer {
		return s.token(app("grant_type", "refresh_token", "refresh_token", a.text("refresh_token"))...)
	}
	own, forRole, forNamed := s.password("openid"), exchanged("role"), exchanged("named")
	names := func(a *answer, token, client string) bool {
		raw := a.text(token)
		if raw == "" {
			return false
		}
		aud := claimsOf(t, raw)["aud"]
		list, ok := aud.([]any)
		return aud == client || ok && slices.Contains(list, any(client))
	}
	for _, client := range []string{"role", "named"} {
		before := map[string]*answer{"its own": s.password("openid"), "refreshed": refresh(own), "exchanged": exchanged(client)}
		for how, a := range before {
			if !names(a, "access_token", client) {
				t.Errorf("%s, switched on: %s is not in aud: %s", how, client, a.raw)
			}
		}
		s.switchOff(client)
		after := map[string]*answer{
			"its own": s.password("openid"), "refreshed": refresh(own),
			"an exchange for role, refreshed": refresh(forRole), "an exchange for named, refreshed": refresh(forNamed),
		}
		for how, a := range after {
			for _, token := range []string{"access_token", "id_token", "refresh_token"} {
				if names(a, token, client) {
					t.Errorf("%s: %s, which is switched off, is in the aud of the %s", how, client, token)
				}
			}
		}
		if got := exchanged(client); got.status == http.StatusOK {
			t.Errorf("an exchange for %s, which is switched off: %s", client, got.raw)
		}
	}
}

// switchOff disables a client.
func (s *site) switchOff(client string) {
	s.t.Helper()
	list := s.admin(http.MethodGet, "/clients?clientId="+client, "")
	id := strings.SplitN(strings.SplitN(string(list.raw), `"id":"`, 2)[1], `"`, 2)[0]
	if a := s.admin(http.MethodPut, "/clients/"+id, fmt.Sprintf(`{"clientId":%q,"enabled":false}`, client)); a.status != http.StatusNoContent {
		s.t.Fatalf("switching %s off: %d %s", client, a.status, a.raw)
	}
}
