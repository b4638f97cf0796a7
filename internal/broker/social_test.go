package broker

import (
	"testing"

	"latchkey/internal/iam"
)

// What administrators say of where a provider is holds for all of its addresses.
// Keycloak: MicrosoftIdentityProvider, GitHubIdentityProvider.
func TestAddresses(t *testing.T) {
	for _, x := range []struct {
		kind   string
		config map[string]string
		want   map[string]string
	}{
		{"microsoft", nil, map[string]string{"authorizationUrl": "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
			"tokenUrl": "https://login.microsoftonline.com/common/oauth2/v2.0/token"}},
		{"microsoft", map[string]string{"tenantId": "contoso.example"}, map[string]string{
			"authorizationUrl": "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/authorize",
			"tokenUrl":         "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token"}},
		{"github", nil, map[string]string{"tokenUrl": "https://github.com/login/oauth/access_token",
			"userInfoUrl": "https://api.github.com/user"}},
		{"github", map[string]string{"baseUrl": "https://git.example/", "apiUrl": "https://git.example/api/v3/"}, map[string]string{
			"authorizationUrl": "https://git.example/login/oauth/authorize", "tokenUrl": "https://git.example/login/oauth/access_token",
			"userInfoUrl": "https://git.example/api/v3/user"}},
	} {
		p := &iam.IdentityProvider{Provider: x.kind, Config: x.config}
		got := Complete(p).Config
		for name, want := range x.want {
			if got[name] != want {
				t.Errorf("%s %v: %s is %s, want %s", x.kind, x.config, name, got[name], want)
			}
		}
		if at, want := socials["github"].at(p, socials["github"].emails), x.want["userInfoUrl"]+"/emails"; x.kind == "github" && at != want {
			t.Errorf("%v: addresses are at %s, want %s", x.config, at, want)
		}
	}
}
