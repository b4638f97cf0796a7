package oidc_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// send makes a request at an endpoint of the protocol; a form makes it a POST.
func (s *site) send(method, path, form string, headers ...string) *answer {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+protocol+path, strings.NewReader(form))
	if err != nil {
		s.t.Fatal(err)
	}
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return s.do(r)
}

// Keycloak: BasicAuthHelper.RFC6749, ClientIdAndSecretAuthenticator, ClientAuthenticationFlow.
func TestBasicCredentials(t *testing.T) {
	s := newSite(t, "")
	encode := base64.StdEncoding.EncodeToString
	for _, c := range []struct{ why, header, want string }{
		{"right", "Basic " + encode([]byte("app:app-secret")), "OK"},
		{"without padding", "Basic " + strings.TrimRight(encode([]byte("app:app-secret")), "="), "OK"},
		{"by another case", "basic " + encode([]byte("app:app-secret")), "OK"},
		{"encoded", "Basic " + encode([]byte("%61pp:app%2Dsecret")), "OK"},
		{"badly encoded", "Basic " + encode([]byte("app:%zz")), "unauthorized_client: Unexpected error when authenticating client"},
		{"no secret in it", "Basic " + encode([]byte("app")), "invalid_client: Invalid client or Invalid client credentials"},
		{"no name in it", "Basic " + encode([]byte(":app-secret")), "invalid_client: Invalid client or Invalid client credentials"},
	} {
		s.send(http.MethodPost, "/token", "grant_type=client_credentials", "Authorization", c.header).want(t, c.why, c.want)
	}
}

// Keycloak: ClientIdAndSecretAuthenticator, with the method that OIDC registration notes.
func TestMethodOfTheSecret(t *testing.T) {
	s := newSite(t, "")
	for _, c := range []struct{ allowed, form, basic, want string }{
		{"client_secret_basic", "", "m:m-secret", "OK"},
		{"client_secret_basic", "&client_id=m", "m:m-secret", "OK"},
		{"client_secret_basic", "&client_id=m&client_secret=m-secret", "", "client_secret_basic"},
		{"client_secret_basic", "&client_id=m&client_secret=wrong", "", "client_secret_basic"},
		{"client_secret_basic", "&client_secret=m-secret", "m:m-secret", "client_secret_basic"},
		{"client_secret_basic", "", "m:wrong", ""},
		{"client_secret_basic", "&client_id=m", "", ""},
		{"client_secret_post", "&client_id=m&client_secret=m-secret", "", "OK"},
		{"client_secret_post", "&client_secret=m-secret", "m:wrong", "OK"},
		{"client_secret_post", "", "m:m-secret", "client_secret_post"},
		{"", "", "m:m-secret", "OK"},
		{"", "&client_id=m&client_secret=m-secret", "", "OK"},
	} {
		client := `{"clientId":"m","secret":"m-secret","serviceAccountsEnabled":true,"attributes":{"client.secret.authentication.allowed.method":"` + c.allowed + `"}}`
		made := s.admin(http.MethodPost, "/clients", client)
		made.want(t, "the client", "Created")
		var header []string
		if c.basic != "" {
			header = []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(c.basic))}
		}
		want := c.want
		switch want {
		case "OK":
		case "":
			want = "unauthorized_client: Invalid client or Invalid client credentials"
		default:
			want = "unauthorized_client: Invalid method used to get client secret. Client requires method '" + want +
				"' to obtain client secret from the request"
		}
		s.send(http.MethodPost, "/token", "grant_type=client_credentials"+c.form, header...).want(t, c.allowed+", by "+c.form+" "+c.basic, want)
		_, id, _ := strings.Cut(made.header.Get("Location"), "/clients/")
		s.admin(http.MethodDelete, "/clients/"+id, "").want(t, "the client's end", "No Content")
	}
}

// Keycloak: AppAuthManager.extractTokenStringFromAuthHeader, UserInfoEndpoint, OAuth2Error.
func TestUserinfoTokens(t *testing.T) {
	s := newSite(t, "")
	token := s.password("openid").text("access_token")
	const failed = `realm="shop", error="invalid_token", error_description="Token verification failed"`
	const dpop = `DPoP algs="PS384 RS384 EdDSA ES384 ES256 RS256 ES512 PS256 PS512 RS512", `
	for _, c := range []struct {
		why, form, header string
		status            int
		challenge         string
	}{
		{"in the header", "", "Bearer " + token, 200, ""},
		{"by another case", "", "bearer " + token, 200, ""},
		{"after two spaces", "", "Bearer  " + token, 401, `Bearer realm="shop"`},
		{"with something behind it", "", "Bearer " + token + " x", 401, `Bearer realm="shop"`},
		{"as if it were bound to a key", "", "DPoP " + token, 401, dpop + failed},
		{"in the form", "access_token=" + token, "", 200, ""},
		{"empty in the form", "access_token=", "", 401, "Bearer " + failed},
		{"twice", "access_token=", "Bearer " + token, 400,
			`Bearer realm="shop", error="invalid_request", error_description="More than one method used for including an access token"`},
	} {
		method, headers := http.MethodGet, []string{"Origin", "https://app.example.org"}
		if c.form != "" {
			method = http.MethodPost
		}
		if c.header != "" {
			headers = append(headers, "Authorization", c.header)
		}
		a := s.send(method, "/userinfo", c.form, headers...)
		if a.status != c.status || a.header.Get("WWW-Authenticate") != c.challenge {
			t.Errorf("%s: %d %s", c.why, a.status, a.header.Get("WWW-Authenticate"))
		}
		if exposed := strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate"); exposed != (c.challenge != "") {
			t.Errorf("%s: scripts may read %q", c.why, a.header.Get("Access-Control-Expose-Headers"))
		}
	}
	if a := s.send(http.MethodGet, "/userinfo", "", "Authorization", "Bearer "+token, "Origin",
		"https://evil.example.org"); a.status != http.StatusForbidden || a.text("error") != "Invalid origin" {
		t.Errorf("from a foreign origin: %d %s", a.status, a.raw)
	}
}

// Keycloak: TokenIntrospectionEndpoint, RPTIntrospectionProvider.
func TestIntrospectionHints(t *testing.T) {
	file := strings.Replace(realmFile, `"standard.token.exchange.enabled":"true"`,
		`"standard.token.exchange.enabled":"true","allow.token.introspection.without.audience.check":"true","client.introspection.response.allow.jwt.claim.enabled":"true"`, 1)
	s := newSiteOf(t, file)
	token := s.password("openid").text("access_token")
	ask := func(token string, pairs ...string) *answer {
		return s.post("/token/introspect", app(append(pairs, "token", token)...)...)
	}
	ask(token, "token_type_hint", "").want(t, "an empty hint", "invalid_request: Unsupported token type.")
	a := ask(token, "token_type_hint", "requesting_party_token")
	for name, there := range map[string]bool{"active": true, "exp": true, "iat": true, "jti": true, "typ": true, "acr": true, "sub": false,
		"username": false, "client_id": false, "iss": false} {
		if _, ok := a.body[name]; ok != there {
			t.Errorf("as a requesting party token: %s in %s", name, a.raw)
		}
	}
	light := strings.Replace(realmFile, `{"clientId":"app",`,
		`{"clientId":"light","publicClient":true,"directAccessGrantsEnabled":true,"attributes":{"client.use.lightweight.access.token.enabled":"true"},
		"protocolMappers":[{"name":"a","protocol":"openid-connect","protocolMapper":"oidc-audience-mapper","config":{"included.client.audience":"app","access.token.claim":"true"}}]},{"clientId":"app",`, 1)
	l := newSiteOf(t, light)
	slim := l.token("grant_type", "password", "client_id", "light", "username", "ann", "password", "ann-pw").text("access_token")
	if claimsOf(t, slim)["aud"] != nil {
		t.Errorf("a lightweight token with an audience: %v", claimsOf(t, slim))
	}
	for client, active := range map[string]bool{"app": true, "other": false} { // the audience is what the mappers say
		if a := l.post("/token/introspect", "token", slim, "client_id", client, "client_secret", client+"-secret"); a.body["active"] != active {
			t.Errorf("a lightweight token, to %s: %s", client, a.raw)
		}
	}
	form := url.Values{"token": {token}, "client_id": {"app"}, "client_secret": {"app-secret"}}
	if a := s.send(http.MethodPost, "/token/introspect", form.Encode(), "Accept", "application/jwt"); claimsOf(t,
		a.text("jwt"))["sub"] != a.text("sub") {
		t.Errorf("as a JWT: %s", a.raw)
	}
	form.Set("token", "nonsense") // a JWT would look like a good token
	if a := s.send(http.MethodPost, "/token/introspect", form.Encode(), "Accept", "application/jwt"); len(a.body) != 1 ||
		a.body["active"] != false {
		t.Errorf("nonsense as a JWT: %s", a.raw)
	}
}

// A token from an exchange by a client without a part in the session gives no
// session to refresh in. Keycloak: StandardTokenExchangeProvider.exchangeClientToOIDCClient.
func TestExchangedTokenGivesNoRefreshToken(t *testing.T) {
	exchange := `"standard.token.exchange.enabled":"true","standard.token.exchange.enableRefreshRequestedTokenType":"SAME_SESSION"`
	file := strings.Replace(realmFile, `"standard.token.exchange.enabled":"true"`, exchange, 1)
	mapper := `"protocolMappers":[{"name":"a","protocol":"openid-connect","protocolMapper":"oidc-audience-mapper","config":{"included.client.audience":"app","access.token.claim":"true"}},{"name":"b","protocol":"openid-connect","protocolMapper":"oidc-audience-mapper","config":{"included.client.audience":"other","access.token.claim":"true"}}],`
	file = strings.Replace(file, `{"clientId":"other",`, `{"clientId":"other","attributes":{`+exchange+`},`+mapper, 1)
	file = strings.Replace(file, `{"clientId":"app",`, `{"clientId":"app",`+mapper, 1)
	s := newSiteOf(t, file)
	const access = "urn:ietf:params:oauth:token-type:access_token"
	do := func(client, subject, kind string) *answer {
		return s.token("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "client_id", client, "client_secret", client+"-secret",
			"subject_token", subject, "subject_token_type", access, "requested_token_type", kind)
	}
	const refresh = "urn:ietf:params:oauth:token-type:refresh_token"
	first := s.password("openid").text("access_token")
	passing := do("other", first, access)
	passing.want(t, "exchange", "OK")
	do("app", passing.text("access_token"), refresh).want(t, "from a passing part",
		"invalid_request: Refresh token not valid as requested_token_type because creating a new session is needed")
	do("other", first, refresh).want(t, "from the session's own", "OK")
}

// Keycloak: LogoutEndpoint.backchannelLogout, TokenManager.verifyLogoutToken.
func TestLogoutTokensOfProviders(t *testing.T) {
	s := newSite(t, "")
	for form, want := range map[string]string{
		"x=y":                            "invalid_request: No logout token",
		"logout_token=x":                 "invalid_request: The decode of the logoutToken failed",
		"logout_token=" + unsigned("{}"): "invalid_request: No Identity Provider has been found",
	} {
		s.send(http.MethodPost, "/logout/backchannel-logout", form).want(t, form, want)
	}
}

// Keycloak: OIDCLoginProtocolService.certs; RFC 7517 8.5.2, JAX-RS 3.3.5.
func TestWhatEndpointsOffer(t *testing.T) {
	s := newSite(t, "")
	if a := s.send(http.MethodGet, "/certs", "", "Accept", "application/jwk-set+json"); a.header.Get(
		"Content-Type") != "application/jwk-set+json" || a.body["keys"] == nil {
		t.Errorf("keys: %s %s", a.header.Get("Content-Type"), a.raw)
	}
	if a := s.send(http.MethodOptions, "/token/introspect", ""); a.status != 200 || a.header.Get("Allow") != "HEAD, POST, OPTIONS" {
		t.Errorf("introspection: %d %s", a.status, a.header.Get("Allow"))
	}
	for path, methods := range map[string]string{"/logout": "GET, HEAD, OPTIONS", "/auth/device": "POST, OPTIONS"} {
		a := s.send(http.MethodOptions, path, "", "Origin", "https://app.example.org", "Access-Control-Request-Method", "POST")
		if got := a.header.Get("Access-Control-Allow-Methods"); got != methods {
			t.Errorf("preflight of %s: %s", path, got)
		}
	}
}

// Keycloak 26.7.3, asked: StringUtil.removeControlCharacters is for what a request
// wants, not for who it says it comes from.
func TestControlCharacters(t *testing.T) {
	s := newSite(t, "")
	const form = "grant_type=password&client_id=app&client_secret=app-secret&username=ann&password=ann-pw"
	for _, c := range []struct{ form, want string }{
		{form, "OK"},
		{strings.Replace(form, "type=pass", "type=pa%01ss", 1), "OK"},
		{strings.Replace(form, "type=pass", "type=pa%00ss", 1), "invalid_request: the form cannot be understood"}, // ours: no door takes NUL
		{form + "&scope=open%01id", "OK"},
		{strings.Replace(form, "client_id=app", "client_id=app%01", 1), "invalid_client: Invalid client or Invalid client credentials"},
		{strings.Replace(form, "app-secret", "app-%09secret", 1), "unauthorized_client: Invalid client or Invalid client credentials"},
		{strings.Replace(form, "=ann&", "=an%0An&", 1), "invalid_grant: Invalid user credentials"},
		{strings.Replace(form, "ann-pw", "ann-%0Apw", 1), "invalid_grant: Invalid user credentials"},
	} {
		s.send(http.MethodPost, "/token", c.form).want(t, c.form, c.want)
		s.send(http.MethodPost, "/token/", c.form).want(t, "with a slash at the end, "+c.form, c.want)
	}
}

// Keycloak: AuthzEndpointRequestParser, OIDCRedirectUriBuilder.
func TestStateIsGivenBackAsItIs(t *testing.T) {
	s := newSite(t, "")
	v := s.visitor(t)
	for state, want := range map[string]string{"": "", "&state=": "&state=", "&state=a%0Ab": "&state=ab"} {
		_, to, _ := v.open(protocol+"/auth?client_id=app&response_type=code&prompt=none&redirect_uri=https://app.example.org/cb"+state, nil)
		if !strings.Contains(to, "error=login_required"+want+"&iss=") {
			t.Errorf("%q: %s", state, to)
		}
	}
}

// Keycloak: OIDCWellKnownProvider.getScopesSupported, ClientScopeModel.INCLUDE_IN_OPENID_PROVIDER_METADATA.
func TestScopesThatDiscoveryNames(t *testing.T) {
	s := newSite(t, "")
	for name, in := range map[string]string{"shown": "true", "hidden": "false"} {
		a := s.admin("POST", "/client-scopes", `{"name":"`+name+
			`","protocol":"openid-connect","attributes":{"include.in.openid.provider.metadata":"`+in+`"}}`)
		if a.status != http.StatusCreated {
			t.Fatal(a.status, a.raw)
		}
	}
	for _, slash := range []string{"", "/"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/realms/shop/.well-known/openid-configuration"+slash, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := s.do(r)
		if a.status != http.StatusOK || !strings.Contains(a.raw, `"shown"`) || strings.Contains(a.raw, `"hidden"`) {
			t.Errorf("%d %s", a.status, a.raw)
		}
	}
}

// A flow for clients may hold its authenticators in sub-flows.
func TestClientsAuthenticateInSubFlows(t *testing.T) {
	s := newSite(t, `,"clientAuthenticationFlow":"own clients","authenticationFlows":[
	 {"alias":"own clients","providerId":"client-flow","topLevel":true,"authenticationExecutions":[{"authenticatorFlow":true,"flowAlias":"secrets","requirement":"ALTERNATIVE","priority":10}]},
	 {"alias":"secrets","providerId":"client-flow","topLevel":false,"authenticationExecutions":[{"authenticator":"client-secret","requirement":"ALTERNATIVE","priority":10}]}]`)
	for secret, want := range map[string]string{"app-secret": "OK",
		"wrong": "unauthorized_client: Invalid client or Invalid client credentials"} {
		s.post("/token", "grant_type", "client_credentials", "client_id", "app", "client_secret", secret).want(t, secret, want)
	}
}
