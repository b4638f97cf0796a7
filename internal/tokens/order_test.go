package tokens

import (
	"slices"
	"strings"
	"testing"

	"latchkey/internal/iam"
)

// The order of scopes in realms of the reference, Keycloak 26.7.3, recorded with the
// ids of their scopes. Roles that a scope needs are no part of this.
func TestOrderOfScopes(t *testing.T) {
	for _, c := range []struct{ asked, want, defaults, optional string }{
		{"openid phone address", "openid phone address profile email",
			`acr=409f658c-3170-4400-8a8c-079112fdab87 basic=a90c8cfd-95ad-46d5-952c-6d4cd595e4ef email=9a10dc82-8868-49e7-a03c-26143fd4104f profile=d0f79e57-8034-46b2-9588-429061d126d4 roles=6be77158-7381-4fb9-a658-72553e995f16 web-origins=e2710be0-3695-4e31-8e09-f6351d1019e1`,
			`address=7f1ea990-1853-45bc-94d9-113d11567e76 phone=4f06cf03-454d-4a67-8eb2-70e73195c167`},
		{"openid phone address", "openid s7 s1 s8 s5 s6 profile email s2 s0 s3 phone s4 address",
			`acr=f383f47b-980f-481f-ba5a-673b672a7e27 basic=bf09702b-26dd-4377-8176-94ae033d2cbb email=5f083dad-3bcc-4f1d-afd9-5d771abe394d profile=0d97cb03-b3cf-4db2-a697-72a2f14e4175 roles=e54d943c-d143-468e-b15e-97d98947674c s0=c5ceebac-b013-4a19-aafa-f147293b768d s1=f919763c-0bc5-40c0-8ea0-55bfed4e843e s2=97aef95a-005d-4499-ab85-9b0f55b16621 s3=75ce1c06-e19c-429c-aba5-a1324002f46f s4=57e01337-2b37-49c4-868d-e2aabe7bb799 s5=0150bfea-ad32-448e-b417-146a862443ae s6=53e41150-17ce-44bf-ba36-f975566c0894 s7=5f69d8e3-7705-4a2c-97bc-5658ff1e1539 s8=cf23e0fb-7d5b-4887-a874-a122bc3d7432 web-origins=24642cb2-ea01-4d92-8059-5ddfc046c812`,
			`address=46486473-cef4-4de0-ba7d-fa62064729e1 phone=8e77e666-db50-400d-8b81-43584dc1fb3e`},
		{"address openid microprofile-jwt phone", "openid address phone profile email microprofile-jwt",
			`acr=ca02bcf6-c739-4315-805f-dd39a4e07895 basic=6f701f29-c5cf-4c18-8d2a-215e1816adb6 email=c2cbce92-1b75-45a4-a199-14374db83e0c profile=a07782d9-7b4e-4901-be0b-6769074bcfbe roles=bc8a99de-cfcf-4851-bd9b-4321a3160531 web-origins=6abe55ce-e398-46be-8bee-57874cd7c6ff`,
			`address=bcbfc4f3-4c6d-4d22-ad9c-d22b4489a4f8 microprofile-jwt=8e91782d-c627-4683-a811-dd0aa4b02667 phone=840e83dd-14ad-49e5-b3b1-172c9bfdd217`},
	} {
		client := &iam.Client{}
		var scopes []*iam.ClientScope
		add := func(list string, ids *[]iam.ScopeID) {
			for pair := range strings.SplitSeq(list, " ") {
				name, id, _ := strings.Cut(pair, "=")
				hidden := slices.Contains([]string{"acr", "basic", "roles", "web-origins"}, name)
				scopes = append(scopes, &iam.ClientScope{ID: iam.ScopeID(id), Name: name, InTokenScope: !hidden})
				*ids = append(*ids, iam.ScopeID(id))
			}
		}
		add(c.defaults, &client.DefaultScopes)
		add(c.optional, &client.OptionalScopes)
		slices.SortFunc(scopes, func(a, b *iam.ClientScope) int { return strings.Compare(a.Name, b.Name) })
		g := &iam.Grant{Client: client, Scopes: scopes, Asked: c.asked, OpenID: true}
		if got := scopeText(g, scopes, false); got != c.want {
			t.Errorf("asked for %s: %s, want %s", c.asked, got, c.want)
		}
	}
}
