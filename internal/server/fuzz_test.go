package server

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// handler assembles a server with a fresh database and an administrator.
func handler(f *testing.F) http.Handler {
	f.Helper()
	cfg := DevDefaults()
	cfg.LogTo, cfg.DataDir = io.Discard, f.TempDir()
	s, err := New(context.Background(), cfg)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := s.Close(); err != nil {
			f.Error(err)
		}
	})
	return s.Handler()
}

// answer sends a request and returns its answer, which must not be a breakdown.
func answer(t *testing.T, h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code >= 500 {
		t.Errorf("%s %s: %d %s", r.Method, r.URL, w.Code, w.Body)
	}
	return w
}

// request makes one without the panic of httptest.NewRequest on odd targets.
func request(method, path, query string, body []byte) *http.Request {
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	r.URL.RawQuery = query
	return r
}

func FuzzAuthorizeQuery(f *testing.F) {
	h := handler(f)
	for _, q := range []string{
		"client_id=account-console&redirect_uri=http%3A%2F%2Fexample.com%2Frealms%2Fmaster%2Faccount%2F&response_type=code&scope=openid&state=s&nonce=n&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
		"client_id=account-console&response_type=code%20id_token%20token&response_mode=form_post&prompt=none%20login&max_age=-1",
		"client_id=security-admin-console&redirect_uri=javascript%3Aalert(1)&response_type=none",
		"client_id=&client_id=x&redirect_uri=%00&response_type=code&claims=%7B%22id_token%22%3A%7B%22acr%22%3A%7B%22values%22%3A%5B1%5D%7D%7D%7D",
		"request=eyJhbGciOiJub25lIn0.e30.&request_uri=urn%3Aietf&ui_locales=de%20fr&acr_values=1%20gold&login_hint=%F0%9F%92%A9&kc_action=UPDATE_PASSWORD",
		"%zz&;=&&=",
	} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		w := answer(t, h, request("GET", "/realms/master/protocol/openid-connect/auth", query, nil))
		// Whatever was asked: no page or redirect for anybody but a registered address.
		if to := w.Header().Get("Location"); to != "" {
			if u, err := url.Parse(to); err != nil || u.Host != "example.com" {
				t.Errorf("%q is redirected to %q", query, to)
			}
		}
	})
}

func FuzzTokenForm(f *testing.F) {
	h := handler(f)
	for _, form := range []string{
		"grant_type=password&client_id=admin-cli&username=admin&password=wrong&scope=openid",
		"grant_type=authorization_code&client_id=account-console&code=a.b.c&redirect_uri=http%3A%2F%2Fx&code_verifier=v",
		"grant_type=refresh_token&client_id=admin-cli&refresh_token=eyJhbGciOiJIUzUxMiJ9.e30.x",
		"grant_type=client_credentials&client_id=broker&client_secret=%00&scope=a%20b",
		"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&client_id=admin-cli&subject_token=x&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token",
		"grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=e30.e30.e30",
		"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=x&grant_type=twice",
		"=&%zz",
	} {
		f.Add(form, "")
	}
	f.Add("grant_type=client_credentials", "Basic YnJva2VyOiVaWg==")
	f.Fuzz(func(t *testing.T, form, authorization string) {
		r := request("POST", "/realms/master/protocol/openid-connect/token", "", []byte(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		if w := answer(t, h, r); w.Code == http.StatusOK && !strings.Contains(form, "password") {
			t.Errorf("%q got tokens", form)
		}
	})
}

// Tokens and other doors' odd input: userinfo, introspection, logout, admin REST.
func FuzzBearer(f *testing.F) {
	h := handler(f)
	for _, token := range []string{"", "x", "e30.e30.e30", "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwOi8vZXhhbXBsZS5jb20vcmVhbG1zL21hc3RlciJ9.",
		strings.Repeat("a.", 3000)} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		for _, at := range []struct{ method, path string }{
			{"GET", "/realms/master/protocol/openid-connect/userinfo"}, {"GET", "/admin/realms"}, {"GET", "/realms/master/account/sessions"},
		} {
			r := request(at.method, at.path, "", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Accept", "application/json")
			if w := answer(t, h, r); w.Code < 400 {
				t.Errorf("%s with %q: %d", at.path, token, w.Code)
			}
		}
		q := url.Values{"id_token_hint": {token}, "post_logout_redirect_uri": {"https://evil.example/"}}
		answer(t, h, request("GET", "/realms/master/protocol/openid-connect/logout", q.Encode(), nil))
	})
}
