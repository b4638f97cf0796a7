package oidc_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
)

const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // RFC 7636, appendix B

// Before the redirect URI is known to be the client's, a refusal is a page;
// after it, the client is told. Oracle: login/bad-requests, login/pkce,
// login/prompts, login/response-modes.
func TestAuthorizeRefuses(t *testing.T) {
	s := newSite(t, `,"registrationAllowed":false`)
	v := s.visitor(t)
	const cb = "https://app.example.org/cb"
	for _, c := range []struct {
		why    string
		query  url.Values
		status int
		page   string // text of the page, or
		back   string // what the client is told
	}{
		{"no client", url.Values{"redirect_uri": {cb}}, 400, "Invalid Request", ""},
		{"client twice", url.Values{"client_id": {"app", "app"}}, 400, "Invalid Request", ""},
		{"unknown client", url.Values{"client_id": {"nobody"}}, 400, "Client not found.", ""},
		{"disabled client", url.Values{"client_id": {"off"}}, 400, "Client disabled.", ""},
		{"foreign address", url.Values{"client_id": {"app"}, "redirect_uri": {"https://evil.example.org/"}}, 400,
			"Invalid parameter: redirect_uri", ""},
		{"a step upwards", url.Values{"client_id": {"app"}, "redirect_uri": {"https://app.example.org/%2e%2e/x"}}, 400,
			"Invalid parameter: redirect_uri", ""},
		{"an answer's parameter in the address", url.Values{"client_id": {"app"}, "redirect_uri": {cb + "?code=1"}}, 400,
			"Invalid parameter: redirect_uri", ""},
		{"broken request object", url.Values{"client_id": {"app"}, "redirect_uri": {cb}, "request": {"x"}}, 400, "Invalid Request", ""},
		{"max_age is no number", url.Values{"client_id": {"app"}, "redirect_uri": {cb}, "response_type": {"code"}, "max_age": {"x"}}, 400,
			"Invalid Request", ""},
		{"an essential acr that there is not", url.Values{"client_id": {"app"}, "redirect_uri": {cb}, "response_type": {"code"},
			"claims": {`{"id_token":{"acr":{"essential":true,"values":["platinum"]}}}`}}, 400, "Invalid parameter: claims", ""},
		{"an acr that there is not", url.Values{"client_id": {"app"}, "redirect_uri": {cb}, "response_type": {"code"},
			"claims": {`{"id_token":{"acr":{"values":["platinum"]}}}`}}, 200, "Sign in", ""},
		{"prompt=create, where nobody may register", url.Values{"client_id": {"app"}, "redirect_uri": {cb}, "response_type": {"code"},
			"prompt": {"create"}}, 400, "Registration not allowed", ""},
		{"no response_type", url.Values{"client_id": {"app"}, "redirect_uri": {cb}}, 302, "",
			"?error=invalid_request&error_description=Missing+parameter%3A+response_type&state=s"},
		{"unknown response_type", url.Values{"client_id": {"app"}, "redirect_uri": {cb}, "response_type": {"x"}}, 302, "",
			"?error=unsupported_response_type&state=s"},
		{"unknown response_mode", url.Values{"client_id": {"app"}, "redirect_uri": {cb}, "response_type": {"code"}, "response_mode": {"x"}}, 302,
			"", "?error=invalid_request&error_description=Invalid+parameter%3A+response_mode"},
		{"implicit flow off", url.Values{"client_id": {"app"}, "redirect_uri": {cb}, "response_type": {"token"}}, 302, "",
			"#error=unauthorized_client"},
		{"unknown scope", url.Values{"client_id": {"app"}, "redirect_uri": {cb}, "response_type": {"code"}, "scope": {"openid x"}}, 302, "",
			"?error=invalid_scope"},
		// Keycloak: TokenManager.isValidScope
		{"an empty scope", url.Values{"client_id": {"app"}, "redirect_uri": {cb}, "response_type": {"code"}, "scope": {""}}, 302, "",
			"?error=invalid_scope"},
		{"a resource twice", url.Values{"client_id": {"app"}, "redirect_uri": {cb}, "response_type": {"code"}, "resource": {"a", "b"}}, 302, "",
			"?error=invalid_request&error_description=duplicated+parameter"},
		{"a parameter twice", url.Values{"client_id": {"app"}, "redirect_uri": {cb}, "response_type": {"code"}, "nonce": {"a", "b"}}, 302, "",
			"?error=invalid_request&error_description=duplicated+parameter"},
		{"a readable request object", url.Values{"client_id": {"app"}, "redirect_uri": {cb}, "response_type": {"code"},
			"request": {"eyJhbGciOiJub25lIn0.e30."}, "prompt": {"none"}}, 302, "", "?error=login_required"},
		{"none among other response types", url.Values{"client_id": {"app"}, "redirect_uri": {cb}, "response_type": {"code none"}}, 302, "",
			"?error=unsupported_response_type&state=s"},
		{"two blanks between response types", url.Values{"client_id": {"app"}, "redirect_uri": {cb}, "response_type": {"code  token"}}, 302, "",
			"?error=unsupported_response_type&state=s"},
		{"PKCE demanded", url.Values{"client_id": {"spa"}, "redirect_uri": {"https://spa.example.org/"}, "response_type": {"code"}}, 302, "",
			"?error=invalid_request&error_description=Missing+parameter%3A+code_challenge_method"},
		{"PKCE by another method", url.Values{"client_id": {"spa"}, "redirect_uri": {"https://spa.example.org/"}, "response_type": {"code"},
			"code_challenge": {challenge}, "code_challenge_method": {"plain"}}, 302, "",
			"?error=invalid_request&error_description=Invalid+parameter%3A+code+challenge+method"},
		{"PKCE too short", url.Values{"client_id": {"app"}, "redirect_uri": {cb}, "response_type": {"code"}, "code_challenge": {"short"}}, 302,
			"", "?error=invalid_request&error_description=Invalid+parameter%3A+code_challenge"},
		{"nobody logged in", url.Values{"client_id": {"app"}, "redirect_uri": {cb}, "response_type": {"code"}, "prompt": {"none"}}, 302, "",
			"?error=login_required&state=s"},
	} {
		c.query.Set("state", "s")
		status, to, page := v.open(protocol+"/auth?"+c.query.Encode(), nil)
		if status != c.status || !strings.Contains(page, c.page) {
			t.Errorf("%s: %d %s", c.why, status, page)
		}
		if redirect := c.query.Get("redirect_uri"); c.back != "" && !strings.HasPrefix(to, redirect+c.back) {
			t.Errorf("%s: back to %s, want %s%s", c.why, to, redirect, c.back)
		}
		if c.back != "" && !strings.Contains(to, "&iss="+url.QueryEscape(s.url+"/realms/shop")) {
			t.Errorf("%s: no issuer in %s", c.why, to)
		}
	}
	// A POST is the same request.
	form := url.Values{"client_id": {"app"}, "redirect_uri": {cb}, "response_type": {"code"}, "scope": {"x"}}
	if status, to, _ := v.open(protocol+"/auth", form); status != 302 || !strings.HasPrefix(to, cb+"?error=invalid_scope") {
		t.Errorf("POST: %d to %s", status, to)
	}
}

// JWT Secured Authorization Response Mode, 4.1.
func TestAnswersAsJWT(t *testing.T) {
	s := newSite(t, "")
	v := s.visitor(t)
	v.login("app", "https://app.example.org/cb")
	q := url.Values{"client_id": {"app"}, "redirect_uri": {"https://app.example.org/cb"}, "response_type": {"code"},
		"response_mode": {"jwt"}, "state": {"s"}}
	status, to, _ := v.open(protocol+"/auth?"+q.Encode(), nil)
	u, err := url.Parse(to)
	if err != nil || status != 302 || len(u.Query()) != 1 {
		t.Fatalf("%d to %s", status, to)
	}
	c := claimsOf(t, u.Query().Get("response"))
	if c["iss"] != s.url+"/realms/shop" || c["aud"] != "app" || c["state"] != "s" || c["code"] == nil || c["exp"] == nil {
		t.Errorf("response %v", c)
	}
}

// A client's home page has an address of its own. Keycloak: RealmsResource.getRedirect.
func TestClientHome(t *testing.T) {
	s := newSiteOf(t, `{"realm":"shop","enabled":true,"clients":[
		{"clientId":"base","publicClient":true,"baseUrl":"https://base.example.org/home"},
		{"clientId":"both","publicClient":true,"rootUrl":"https://both.example.org","baseUrl":"/home"},
		{"clientId":"root","publicClient":true,"rootUrl":"https://root.example.org/"},
		{"clientId":"server","publicClient":true,"rootUrl":"${authBaseUrl}","baseUrl":"/home"},
		{"clientId":"none","publicClient":true}]`)
	for client, want := range map[string]string{"base": "303 https://base.example.org/home", "both": "303 https://both.example.org/home",
		"root": "303 https://root.example.org/", "server": "303 " + s.url + "/home", "none": "204 ", "nobody": "204 "} {
		status, to, _ := s.visitor(t).open("/realms/shop/clients/"+client+"/redirect", nil)
		if got := strconv.Itoa(status) + " " + to; got != want {
			t.Errorf("%s: %q, want %q", client, got, want)
		}
	}
}
