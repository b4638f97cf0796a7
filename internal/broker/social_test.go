package broker

import (
	"testing"

	"latchkey/internal/iam"
)

// What administrators say of where a provider is holds for all of its addresses.
// Otherwise they are the reference's. Keycloak: org.keycloak.social.
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
		{"google", nil, map[string]string{"authorizationUrl": "https://accounts.google.com/o/oauth2/v2/auth",
			"tokenUrl": "https://oauth2.googleapis.com/token", "userInfoUrl": "https://openidconnect.googleapis.com/v1/userinfo"}},
		{"gitlab", nil, map[string]string{"authorizationUrl": "https://gitlab.com/oauth/authorize",
			"tokenUrl": "https://gitlab.com/oauth/token", "userInfoUrl": "https://gitlab.com/api/v4/user"}},
		{"facebook", nil, map[string]string{"authorizationUrl": "https://graph.facebook.com/oauth/authorize",
			"tokenUrl": "https://graph.facebook.com/oauth/access_token", "userInfoUrl": "https://graph.facebook.com/me"}},
		{"bitbucket", nil, map[string]string{"authorizationUrl": "https://bitbucket.org/site/oauth2/authorize",
			"tokenUrl": "https://bitbucket.org/site/oauth2/access_token", "userInfoUrl": "https://api.bitbucket.org/2.0/user"}},
		{"paypal", nil, map[string]string{"authorizationUrl": "https://www.paypal.com/signin/authorize",
			"tokenUrl":    "https://api.paypal.com/v1/identity/openidconnect/tokenservice",
			"userInfoUrl": "https://api.paypal.com/v1/oauth2/token/userinfo"}},
		{"paypal", map[string]string{"sandbox": "true"}, map[string]string{"authorizationUrl": "https://www.sandbox.paypal.com/signin/authorize",
			"tokenUrl":    "https://api.sandbox.paypal.com/v1/identity/openidconnect/tokenservice",
			"userInfoUrl": "https://api.sandbox.paypal.com/v1/oauth2/token/userinfo"}},
		{"stackoverflow", nil, map[string]string{"authorizationUrl": "https://stackexchange.com/oauth",
			"tokenUrl": "https://stackexchange.com/oauth/access_token", "userInfoUrl": "https://api.stackexchange.com/2.2/me"}},
		{"openshift-v4", map[string]string{"baseUrl": "https://os.example/"}, map[string]string{
			"userInfoUrl": "https://os.example/apis/user.openshift.io/v1/users/~"}},
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
