package oidc_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Oracle: oidc/userinfo
func TestUserinfo(t *testing.T) {
	s := newSite(t, "")
	a := s.password("openid")
	got := s.userinfo(a.text("access_token"))
	if got.status != http.StatusOK || got.text("preferred_username") != "ann" || got.body["auth_time"] != nil || got.body["iss"] != nil {
		t.Errorf("userinfo: %d %v", got.status, got.body)
	}
	for name, c := range map[string]struct {
		token, want string
		status      int
	}{
		"an ID token":      {a.text("id_token"), `error="invalid_token", error_description="Token verification failed"`, 401},
		"a refresh token":  {a.text("refresh_token"), `error="invalid_token", error_description="Token verification failed"`, 401},
		"nonsense":         {"x", `error="invalid_token", error_description="Token verification failed"`, 401},
		"without openid":   {s.password("").text("access_token"), `error="insufficient_scope", error_description="Missing openid scope"`, 403},
		"nothing":          {"", `Bearer realm="shop"`, 401},
		"a foreign header": {"", `Bearer realm="shop"`, 401},
	} {
		got := s.userinfo(c.token)
		if got.status != c.status || !strings.Contains(got.header.Get("WWW-Authenticate"), c.want) {
			t.Errorf("%s: %d %s", name, got.status, got.header.Get("WWW-Authenticate"))
		}
	}
}

// The login's event tells of tokens that come with the answer, and a hybrid answer
// in scope offline_access has one of the offline session.
// Keycloak: OIDCLoginProtocol.authenticated, DefaultTokenContextEncoderProvider.
func TestTokensInTheFront(t *testing.T) {
	s := newSite(t, "")
	for _, c := range [][3]string{
		{"PUT", "/events/config", `{"eventsEnabled":true}`},
		{"POST", "/clients", `{"clientId":"front","publicClient":true,"implicitFlowEnabled":true,"redirectUris":["https://app.example.org/*"]}`},
	} {
		if a := s.admin(c[0], c[1], c[2]); a.status >= 400 {
			t.Fatalf("%s: %d %s", c[1], a.status, a.raw)
		}
	}
	v := s.visitor(t)
	for _, c := range []struct{ types, scope, want string }{
		{"code id_token token", "openid offline_access", "ofrtna:"},
		{"id_token token", "openid offline_access", "onrtna:"},
		{"code token", "openid", "onrtna:"},
	} {
		q := url.Values{"client_id": {"front"}, "redirect_uri": {"https://app.example.org/cb"}, "response_type": {c.types},
			"scope": {c.scope}, "nonce": {"n"}}
		_, to, page := v.open(protocol+"/auth?"+q.Encode(), nil)
		if m := action.FindStringSubmatch(page); m != nil {
			_, to, _ = v.open(html.UnescapeString(m[1]), url.Values{"username": {"ann"}, "password": {"ann-pw"}})
		}
		_, fragment, _ := strings.Cut(to, "#")
		back, err := url.ParseQuery(fragment)
		if err != nil || back.Get("access_token") == "" {
			t.Fatalf("%s: %q", c.types, to)
		}
		jti, _ := claimsOf(t, back.Get("access_token"))["jti"].(string)
		if !strings.HasPrefix(jti, c.want) || s.userinfo(back.Get("access_token")).status != 200 {
			t.Errorf("%s in %s: token %q", c.types, c.scope, jti)
		}
		if got := s.admin("GET", "/events?type=LOGIN&max=1", "").raw; !strings.Contains(got, `"token_id":"`+jti+`"`) ||
			!strings.Contains(got, `"scope":"`) {
			t.Errorf("%s: event %s", c.types, got)
		}
	}
}

// Keycloak: UserInfoEndpoint.issueUserInfo.
func TestUserinfoOfAClientThatIsGone(t *testing.T) {
	s := newSite(t, "")
	a := s.password("openid")
	list := s.admin("GET", "/clients?clientId=app", "").raw
	_, rest, _ := strings.Cut(list, `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	if got := s.admin("DELETE", "/clients/"+id, ""); got.status != 204 {
		t.Fatalf("%d %s", got.status, got.raw)
	}
	got := s.userinfo(a.text("access_token"))
	if h := got.header.Get("WWW-Authenticate"); got.status != 401 || !strings.Contains(h, `error_description="Token verification failed"`) {
		t.Errorf("%d %s", got.status, h)
	}
}

// Oracle: sessions/revoke-online
func TestRevocation(t *testing.T) {
	s := newSite(t, "")
	a := s.password("openid")
	s.post("/revoke", app("token", a.text("access_token"))...).want(t, "an access token", "OK")
	if got := s.userinfo(a.text("access_token")); got.status != http.StatusUnauthorized {
		t.Errorf("a revoked token still tells: %d", got.status)
	}
	s.token(app("grant_type", "refresh_token", "refresh_token", a.text("refresh_token"))...).want(t, "its refresh token lives", "OK")
	b := s.password("openid")
	s.post("/revoke", app("token", b.text("refresh_token"))...).want(t, "a refresh token", "OK")
	s.token(app("grant_type", "refresh_token", "refresh_token", b.text("refresh_token"))...).want(t, "it is worth nothing",
		"invalid_grant: Session not active")
	if got := s.post("/revoke", app("token", b.text("refresh_token"))...); got.status != http.StatusOK ||
		got.text("error") != "invalid_token" {
		t.Errorf("again: %d %s", got.status, got.raw)
	}
	s.post("/revoke", app("token", a.text("id_token"))...).want(t, "an ID token", "unsupported_token_type: Unsupported token type")
	s.post("/revoke", "token", a.text("refresh_token"), "client_id", "other", "client_secret", "other-secret").want(t, "another's",
		"invalid_request: Unmatching clients")
}

// Oracle: oidc/introspect
func TestIntrospection(t *testing.T) {
	s := newSite(t, `,"clientScopeMappings":{}`)
	a := s.password("openid")
	// A client's own access token is not for it, its ID token is.
	got := s.post("/token/introspect", app("token", a.text("access_token"))...)
	if got.raw != `{"active":false}` {
		t.Errorf("not its audience: %s", got.raw)
	}
	got = s.post("/token/introspect", app("token", a.text("id_token"))...)
	if got.body["active"] != true || got.text("username") != "ann" || got.text("client_id") != "app" || got.text("token_type") != "ID" {
		t.Errorf("ID token: %s", got.raw)
	}
	got = s.post("/token/introspect", app("token", a.text("refresh_token"), "token_type_hint", "refresh_token")...)
	if got.body["active"] != true {
		t.Errorf("refresh token: %s", got.raw)
	}
	s.post("/token/introspect", app()...).want(t, "nothing", "invalid_request: Token not provided.")
	s.post("/token/introspect", "token", "x", "client_id", "spa").want(t, "a public client", "invalid_request: Client not allowed.")
	s.post("/token/introspect", "token", "x", "client_id", "app", "client_secret", "x").want(t, "wrong secret",
		"invalid_client: Client authentication failed.")
}
