package admin

import (
	"strings"
	"testing"

	"latchkey/internal/doctor"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

// What is embedded of identity providers can be read, and every kind is known.
func TestProvidersEmbedded(t *testing.T) {
	all := providersOf()
	if len(all.Kinds) != 18 || len(all.Mappers) != 26 {
		t.Errorf("%d kinds, %d mappers", len(all.Kinds), len(all.Mappers))
	}
}

// The doctor sees what mappers give by a composite role, and who has no other way in.
func TestDoctorLooksAtProviders(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := newShopOn(t, db)
		s.want("POST", "/roles", `{"name":"grand"}`, 201, "")
		var offline struct{ ID, Name string }
		s.decode(s.want("GET", "/roles/offline_access", "", 200, ""), &offline)
		s.want("POST", "/roles/grand/composites", `[{"id":"`+offline.ID+`","name":"offline_access"}]`, 204, "")
		s.want("POST", "/identity-provider/instances", `{"alias":"town","providerId":"oidc","trustEmail":true}`, 201, "")
		s.want("POST", "/identity-provider/instances/town/mappers",
			`{"name":"all","identityProviderAlias":"town","identityProviderMapper":"oidc-hardcoded-role-idp-mapper","config":{"role":"grand"}}`,
			201, "")
		for _, user := range []string{
			`{"username":"only","federatedIdentities":[{"identityProvider":"town","userId":"1"}]}`,
			`{"username":"both","federatedIdentities":[{"identityProvider":"town","userId":"2"}],"credentials":[{"type":"password","value":"Secret-12345"}]}`,
		} {
			s.want("POST", "/users", user, 201, "")
		}
		var r doctor.Report
		s.decode(s.want("GET", "/doctor", "", 200, ""), &r)
		for check, want := range map[string]string{
			"provider-trusts-email": "validateSignature is not true", "provider-signatures-unchecked": "validateSignature",
			"provider-only-way-in": "1 user linked to it", "provider-mapper-gives-rights": "mapper all gives offline_access",
		} {
			found := ""
			for _, f := range r.Findings {
				if f.Check == check {
					found += strings.Join(f.Evidence, ", ")
				}
			}
			if !strings.Contains(found, want) {
				t.Errorf("%s: %q in %q", check, want, found)
			}
		}
	})
}
