package broker

import (
	"context"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"

	"latchkey/internal/iam"
)

// A social provider is a well-known one: its addresses, its scope, and which members of its
// profile say what. {base} is what a setting says, or the usual, and {api} the address in the setting apiUrl, likewise.
//
// Members are named as claims are, several with "|" between them: the first that is there counts, and one that ends in "@"
// only where it is an e-mail address.
type social struct {
	openid                    bool // it speaks OpenID Connect: its ID token says who somebody is
	base, setting, api        string
	sandbox                   string // {base} where the setting sandbox is on
	auth, token, profile      string
	metadata                  string // RFC 8414: where its addresses are asked for that stand here as ""
	scope, issuer, keys       string
	method                    string            // clientAuthMethod, where the settings say none
	pkce                      bool              // it asks for PKCE
	ask                       map[string]string // more parameters of authorization requests
	query                     string            // of the profile's address; {token}, {key} and {fields} are filled in
	within                    string            // the member of the profile's answer that is the profile
	want                      [2]string         // the member of the profile that must say so
	id, username, email, name string
	first, last               string
	emails                    string // where the address is asked for that the profile does not show
	guess                     bool   // who has no address there comes in without one
}

func (k social) at(p *iam.IdentityProvider, address string) string {
	base := strings.TrimSuffix(p.Config[k.setting], "/")
	if base == "" {
		base = k.base
	}
	if k.sandbox != "" && p.Flag("sandbox") {
		base = k.sandbox
	}
	api := strings.TrimSuffix(p.Config["apiUrl"], "/")
	if api == "" {
		api = k.api
	}
	return strings.NewReplacer("{base}", base, "{api}", api).Replace(address)
}

// fill is the query of the profile's address, beginning with "?", or "".
func (k social) fill(p *iam.IdentityProvider, access string) string {
	if k.query == "" {
		return ""
	}
	fields := ""
	if more := p.Config["fetchedFields"]; more != "" {
		fields = "," + more
	}
	return "?" + strings.NewReplacer("{token}", url.QueryEscape(access), "{key}", url.QueryEscape(p.Config["key"]),
		"{fields}", strings.ReplaceAll(url.QueryEscape(fields), "%2C", ",")).Replace(k.query)
}

// first is the first of some members that is there.
func (k social) member(c claims, names string) string {
	for _, name := range strings.Split(names, "|") {
		name, address := strings.CutSuffix(name, "@")
		if v := c.text(name); v != "" && (!address || strings.Contains(v, "@")) {
			return v
		}
	}
	return ""
}

// narrow is the part of a profile's answer that is the profile, which must be of the kind that is wanted.
func (k social) narrow(doc []byte) ([]byte, error) {
	c := claimsOf(doc)
	if k.want[0] != "" && c.text(k.want[0]) != k.want[1] {
		return nil, refuse("the profile is of no user")
	}
	if k.within == "" {
		return doc, nil
	}
	out, err := json.Marshal(c.at(k.within))
	return out, err
}

// found fills in the addresses that a provider itself tells, where neither the table nor the settings do.
// Keycloak: OpenshiftV4IdentityProvider.getAuthJson.
func (s *Service) found(ctx context.Context, k social, p *iam.IdentityProvider) error {
	if k.metadata == "" || p.Config["authorizationUrl"] != "" && p.Config["tokenUrl"] != "" {
		return nil
	}
	doc, err := s.Client.Get(ctx, k.at(p, k.metadata), iam.ReachAll)
	if err != nil {
		return &Unreachable{"metadata", err}
	}
	c := claimsOf(doc)
	for setting, name := range map[string]string{"authorizationUrl": "authorization_endpoint", "tokenUrl": "token_endpoint"} {
		if p.Config[setting] == "" {
			p.Config[setting] = c.text(name)
		}
	}
	return nil
}

// identity is who a profile is about. Keycloak: the identity providers' extractIdentityFromProfile.
func (k social) identity(p *iam.IdentityProvider, doc []byte) *iam.Brokered {
	said, c := &iam.Brokered{Provider: p.Alias, Claims: doc}, claimsOf(doc)
	get := func(setting, usual string) string {
		if own := p.Config[setting]; own != "" {
			return c.text(own)
		}
		return k.member(c, usual)
	}
	said.ID, said.Username = get("userIDClaim", k.id), get("userNameClaim", k.username)
	said.Email, said.FirstName, said.LastName = get("emailClaim", k.email), get("givenNameClaim", k.first), get("familyNameClaim", k.last)
	if said.FirstName == "" && said.LastName == "" {
		said.FirstName, said.LastName = splitName(get("fullNameClaim", k.name))
	}
	switch p.Provider {
	case "stackoverflow": // a name stands in the address of the profile alone
		said.Username = ""
		if u, err := url.Parse(c.text("link")); err == nil {
			if part := strings.Split(strings.TrimPrefix(u.Path, "/"), "/"); len(part) > 2 {
				said.Username = part[2]
			}
		}
		said.FirstName, said.LastName = splitName(html.UnescapeString(c.text("display_name")))
	case "openshift-v4":
		if said.ID == "" && said.Username == kubeAdmin {
			said.ID = kubeAdmin
		}
	}
	return said
}

// kubeAdmin is the one user of OpenShift who has no id.
const kubeAdmin = "kube:admin"

// An address is what a provider tells of a user's e-mail addresses.
type address struct {
	Email     string `json:"email"`
	Primary   bool   `json:"primary"`
	Verified  bool   `json:"verified"`
	IsPrimary bool   `json:"is_primary"`
	Confirmed bool   `json:"is_confirmed"`
}

// addEmail asks for the address that a profile does not show.
// Keycloak: GitHubIdentityProvider.searchEmail, BitbucketIdentityProvider.extractUserInfo.
func (s *Service) addEmail(ctx context.Context, k social, v *Visit, access string, said *iam.Brokered) error {
	doc, err := s.get(ctx, k.at(v.Provider, k.emails), access)
	if err != nil {
		if k.guess {
			return nil
		}
		return err
	}
	var list []address
	if err := json.Unmarshal(doc, &list); err != nil {
		var page struct{ Values []address }
		if err := json.Unmarshal(doc, &page); err != nil {
			return &Unreachable{"profile", err}
		}
		list = page.Values
	}
	i := slices.IndexFunc(list, func(e address) bool { return e.Primary || e.IsPrimary })
	if i < 0 {
		return nil
	}
	said.Email, said.Verified = list[i].Email, new(list[i].Verified || list[i].Confirmed)
	return nil
}

// socials are the kinds that Keycloak 26.7 has, apple beside them, and the documentation that each follows.
var socials = map[string]social{
	// RFC 6749; which members say what is in the provider's settings.
	"oauth2": {id: "sub", username: "preferred_username", email: "email", name: "name", first: "given_name", last: "family_name"},
	// https://developers.google.com/identity/openid-connect/openid-connect
	"google": {openid: true, auth: "https://accounts.google.com/o/oauth2/v2/auth", token: "https://oauth2.googleapis.com/token",
		profile: "https://openidconnect.googleapis.com/v1/userinfo", scope: "openid profile email",
		issuer: "https://accounts.google.com,accounts.google.com", keys: "https://www.googleapis.com/oauth2/v3/certs"},
	// https://docs.gitlab.com/integration/openid_connect_provider/, https://docs.gitlab.com/api/users/
	"gitlab": {openid: true, base: "https://gitlab.com", setting: "baseUrl", auth: "{base}/oauth/authorize", token: "{base}/oauth/token",
		profile: "{base}/api/v4/user", scope: "read_user openid", issuer: "{base}", keys: "{base}/oauth/discovery" + "/keys",
		id: "id", username: "username|email|id", email: "email", name: "name"},
	// https://learn.microsoft.com/linkedin/consumer/integrations/self-serve/sign-in-with-linkedin-v2
	"linkedin-openid-connect": {openid: true, auth: "https://www.linkedin.com/oauth/v2/authorization",
		token: "https://www.linkedin.com/oauth/v2/accessToken", profile: "https://api.linkedin.com/v2/userinfo",
		scope: "openid profile email", issuer: "https://www.linkedin.com/oauth", keys: "https://www.linkedin.com/oauth/openid/jwks"},
	// https://developer.apple.com/documentation/signinwithapplerestapi
	"apple": {openid: true, auth: "https://appleid.apple.com/auth/authorize", token: "https://appleid.apple.com/auth/token",
		scope: "openid email name", issuer: "https://appleid.apple.com", keys: "https://appleid.apple.com/auth/keys",
		method: methodApple, ask: map[string]string{"response_mode": "form_post"}},
	// https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
	"github": {base: "https://github.com", setting: "baseUrl", api: "https://api.github.com", auth: "{base}/login/oauth/authorize",
		token: "{base}/login/oauth/access_token", profile: "{api}/user", scope: "user:email", id: "id", username: "login", email: "email",
		name: "name", emails: "{api}/user/emails"},
	// https://learn.microsoft.com/graph/api/user-get
	// Who is of another tenant than the setting says is not let in there.
	"microsoft": {base: "common", setting: "tenantId", auth: "https://login.microsoftonline.com/{base}/oauth2/v2.0/authorize",
		token: "https://login.microsoftonline.com/{base}/oauth2/v2.0/token", profile: "https://graph.microsoft.com/v1.0/me/",
		scope: "User.read", id: "id", username: "mail|userPrincipalName@|id", email: "mail|userPrincipalName@", first: "givenName",
		last: "surname"},
	// https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow
	"facebook": {auth: "https://graph.facebook.com/oauth/authorize", token: "https://graph.facebook.com/oauth/access_token",
		profile: "https://graph.facebook.com/me", query: "fields=id,name,email,first_name,last_name{fields}", scope: "email", id: "id",
		username: "username|email|id", email: "email", first: "first_name", last: "last_name"},
	// https://docs.x.com/resources/fundamentals/authentication/oauth-2-0/authorization-code
	"twitter": {auth: "https://x.com/i/oauth2/authorize", token: "https://api.x.com/2/oauth2/token", profile: "https://api.x.com/2/users/me",
		scope: "users.read tweet.read", method: "client_secret_basic", pkce: true, within: "data", id: "id", username: "username",
		name: "name"},
	// https://developer.atlassian.com/cloud/bitbucket/oauth-2/
	"bitbucket": {api: "https://api.bitbucket.org/2.0", auth: "https://bitbucket.org/site/oauth2/authorize",
		token: "https://bitbucket.org/site/oauth2/access_token", profile: "{api}/user", scope: "account", want: [2]string{"type", "user"},
		id: "account_id", username: "username", name: "display_name", emails: "{api}/user/emails", guess: true},
	// https://developer.paypal.com/docs/log-in-with-paypal/
	"paypal": {base: "paypal.com", sandbox: "sandbox.paypal.com", auth: "https://www.{base}/signin/authorize",
		token: "https://api.{base}/v1/identity/openidconnect/tokenservice", profile: "https://api.{base}/v1/oauth2/token/userinfo",
		query: "schema=openid", scope: "openid profile email", id: "user_id", username: "email", email: "email", name: "name"},
	// https://api.stackexchange.com/docs/authentication, https://api.stackexchange.com/docs/me
	"stackoverflow": {auth: "https://stackexchange.com/oauth", token: "https://stackexchange.com/oauth/access_token",
		profile: "https://api.stackexchange.com/2.2/me",
		query:   "order=desc&sort=name&site=stackoverflow&access_token={token}&key={key}", within: "items[0]", id: "user_id"},
	// https://docs.openshift.com/container-platform/latest/authentication/configuring-oauth-clients.html
	"openshift-v4": {base: "https://api.preview.openshift.com", setting: "baseUrl",
		metadata: "{base}/.well-known/oauth-authorization-server", profile: "{base}/apis/user.openshift.io/v1/users/~",
		scope: "user:info", id: "metadata.uid", username: "metadata.name", name: "fullName"},
}
