package broker

import (
	"strings"

	"latchkey/internal/iam"
)

// A social provider is a well-known one: its addresses, its scope, and which members of its
// profile say what. {base} is what a setting says, or the usual, and {api} the address in the setting apiUrl, likewise.
type social struct {
	openid                    bool // it speaks OpenID Connect: its ID token says who somebody is
	base, setting, api        string
	auth, token, profile      string
	scope, issuer, keys       string
	query                     string // of the profile's address; {token} and {key} are filled in
	id, username, email, name string
	first, last, verified     string
	emails                    string // where the address is asked for that the profile does not show
}

func (k social) at(p *iam.IdentityProvider, address string) string {
	base := strings.TrimSuffix(p.Config[k.setting], "/")
	if base == "" {
		base = k.base
	}
	api := strings.TrimSuffix(p.Config["apiUrl"], "/")
	if api == "" {
		api = k.api
	}
	return strings.NewReplacer("{base}", base, "{api}", api).Replace(address)
}

// socials are the kinds that Keycloak 26.7 has, and the documentation that each follows.
var socials = map[string]social{
	// RFC 6749; which members say what is in the provider's settings.
	"oauth2": {id: "sub", username: "preferred_username", email: "email", name: "name", first: "given_name", last: "family_name"},
	// https://developers.google.com/identity/openid-connect/openid-connect
	"google": {openid: true, auth: "https://accounts.google.com/o/oauth2/v2/auth", token: "https://oauth2.googleapis.com/token",
		profile: "https://openidconnect.googleapis.com/v1/userinfo", scope: "openid profile email",
		issuer: "https://accounts.google.com,accounts.google.com", keys: "https://www.googleapis.com/oauth2/v3/certs"},
	// https://docs.gitlab.com/integration/openid_connect_provider/
	"gitlab": {openid: true, base: "https://gitlab.com", setting: "baseUrl", auth: "{base}/oauth/authorize", token: "{base}/oauth/token",
		profile: "{base}/oauth/userinfo",
		scope:   "openid profile email", issuer: "{base}", keys: "{base}/oauth/discovery" + "/keys"},
	// https://learn.microsoft.com/linkedin/consumer/integrations/self-serve/sign-in-with-linkedin-v2
	"linkedin-openid-connect": {openid: true, auth: "https://www.linkedin.com/oauth/v2/authorization",
		token:   "https://www.linkedin.com/oauth/v2/accessToken",
		profile: "https://api.linkedin.com/v2/userinfo", scope: "openid profile email", issuer: "https://www.linkedin.com/oauth",
		keys: "https://www.linkedin.com/oauth/openid/jwks"},
	// https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
	"github": {base: "https://github.com", setting: "baseUrl", api: "https://api.github.com", auth: "{base}/login/oauth/authorize",
		token: "{base}/login/oauth/access_token", profile: "{api}/user",
		scope: "user:email", id: "id", username: "login", email: "email", name: "name", emails: "{api}/user/emails"},
	// https://learn.microsoft.com/graph/api/user-get
	// Who is of another tenant than the setting says is not let in there.
	"microsoft": {base: "common", setting: "tenantId", auth: "https://login.microsoftonline.com/{base}/oauth2/v2.0/authorize",
		token:   "https://login.microsoftonline.com/{base}/oauth2/v2.0/token",
		profile: "https://graph.microsoft.com/v1.0/me/", scope: "User.read", id: "id", username: "userPrincipalName", email: "mail",
		first: "givenName", last: "surname"},
	// https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow
	"facebook": {auth: "https://www.facebook.com/v14.0/dialog/oauth", token: "https://graph.facebook.com/v14.0/oauth/access_token",
		profile: "https://graph.facebook.com/me",
		query:   "fields=id,name,email,first_name,last_name", scope: "email", id: "id", username: "email", email: "email", name: "name",
		first: "first_name", last: "last_name"},
	// https://developer.x.com/en/docs/authentication/oauth-2-0
	"twitter": {auth: "https://x.com/i/oauth2/authorize", token: "https://api.x.com/2/oauth2/token", profile: "https://api.x.com/2/users/me",
		scope: "users.read tweet.read",
		id:    "data.id", username: "data.username", name: "data.name"},
	// https://developer.atlassian.com/cloud/bitbucket/oauth-2/
	"bitbucket": {auth: "https://bitbucket.org/site/oauth2/authorize", token: "https://bitbucket.org/site/oauth2/access_token",
		profile: "https://api.bitbucket.org/2.0/user",
		scope:   "account email", id: "account_id", username: "username", name: "display_name"},
	// https://developer.paypal.com/docs/log-in-with-paypal/
	"paypal": {auth: "https://www.paypal.com/signin/authorize", token: "https://api.paypal.com/v1/oauth2/token",
		profile: "https://api.paypal.com/v1/identity/oauth2/userinfo",
		query:   "schema=paypalv1.1", scope: "openid profile email", id: "user_id", username: "emails[0].value",
		email: "emails[0].value", name: "name"},
	// https://api.stackexchange.com/docs/authentication
	"stackoverflow": {auth: "https://stackexchange.com/oauth", token: "https://stackexchange.com/oauth/access_token/json",
		profile: "https://api.stackexchange.com/2.2/me",
		query:   "order=desc&sort=name&site=stackoverflow&access_token={token}&key={key}", id: "items[0].user_id",
		username: "items[0].display_name", name: "items[0].display_name"},
	// https://docs.openshift.com/container-platform/latest/authentication/configuring-oauth-clients.html
	"openshift-v4": {base: "https://api.preview.openshift.com", setting: "baseUrl", auth: "{base}/oauth/authorize",
		token: "{base}/oauth/token", profile: "{base}/apis/user.openshift.io/v1/users/~",
		scope: "user:full", id: "metadata.uid", username: "metadata.name", name: "fullName"},
	// https://developers.facebook.com/docs/instagram-platform
	"instagram": {auth: "https://api.instagram.com/oauth/authorize", token: "https://api.instagram.com/oauth/access_token",
		profile: "https://graph.instagram.com/me",
		query:   "fields=id,username&access_token={token}", scope: "user_profile", id: "id", username: "username"},
}
