package settings

import (
	"strings"
	"testing"
)

// What userinfo says follows the mappers of the token's client and scopes as they
// are now, not as they were when the last answer was given.
func TestMappersHoldAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := w.realm("mappers", "")
		client, err := r.admin.ID(r, r.at("/clients?clientId=app"), "clientId", "app")
		w.must(err)
		scope, err := r.admin.ID(r, r.at("/client-scopes"), "name", "email")
		w.must(err)
		r.oauth.Scopes = []string{"openid"}
		token := r.passwordGrant().AccessToken
		says := func(when, claim string, want any) {
			t.Helper()
			for range 2 { // the first has prepared the second
				info, err := r.party.UserInfo(r, token)
				w.must(err)
				if info.Members[claim] != want {
					t.Errorf("%s: %s is %v, want %v", when, claim, info.Members[claim], want)
				}
			}
		}
		says("at first", "desk", nil)
		for kind, at := range map[string]string{"client": r.at("/clients/" + client), "scope": r.at("/client-scopes/" + scope)} {
			at += "/protocol-mappers/models"
			mapper := map[string]any{"name": "desk", "protocol": "openid-connect", "protocolMapper": "oidc-hardcoded-claim-mapper",
				"config": map[string]string{
					"claim.name": "desk", "claim.value": "A", "jsonType.label": "String", "userinfo.token.claim": "true"}}
			id, err := r.admin.Post(r, at, mapper)
			w.must(err)
			id = id[strings.LastIndexByte(id, '/')+1:]
			says(kind+": a mapper more", "desk", "A")
			mapper["id"] = id
			mapper["config"].(map[string]string)["claim.value"] = "B"
			w.must(r.admin.Put(r, at+"/"+id, mapper))
			says(kind+": another value", "desk", "B")
			w.must(r.admin.Delete(r, at+"/"+id))
			says(kind+": the mapper is gone", "desk", nil)
		}
		says("still", "email", "kim@settings.example")
		w.must(r.admin.Delete(r, r.at("/clients/"+client+"/default-client-scopes/"+scope)))
		says("without the scope", "email", nil)
	})
}
