package server

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestDiscoveryKeepsItsWord calls every endpoint that the documents name, by
// GET and by POST: one of both is served, and neither breaks down.
func TestDiscoveryKeepsItsWord(t *testing.T) {
	srv := serveRealm(t, `{"realm":"shop","enabled":true,"clients":[{"clientId":"till","publicClient":true}]}`, io.Discard)
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	status := func(r *http.Response, err error) int {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Body.Close() }()
		_, _ = io.Copy(io.Discard, r.Body)
		return r.StatusCode
	}
	called := 0
	for _, document := range []string{"/realms/shop/.well-known/openid-configuration", "/realms/shop/.well-known/oauth-authorization-server",
		"/realms/shop/.well-known/uma2-configuration", "/.well-known/oauth-authorization-server/realms/shop"} {
		res, err := http.Get(srv.URL + document)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
			t.Fatalf("%s: %v", document, err)
		}
		_ = res.Body.Close()
		if doc["issuer"] != srv.URL+"/realms/shop" {
			t.Errorf("%s: issuer %v", document, doc["issuer"])
		}
		for name, value := range doc {
			at, ok := value.(string)
			if !ok || !strings.HasPrefix(at, srv.URL) || name == "issuer" {
				continue
			}
			called++
			got := status(browser.Get(at))
			posted := status(browser.PostForm(at, url.Values{"client_id": {"till"}}))
			if name == "registration_endpoint" {
				got = posted // clients are read one level below, and here there is nothing
			}
			for _, s := range []int{got, posted} {
				if s == http.StatusNotFound || s >= 500 {
					t.Errorf("%s: %s %s answers %d to GET and %d to POST", document, name, at, got, posted)
				}
			}
			if got == http.StatusMethodNotAllowed && posted == http.StatusMethodNotAllowed {
				t.Errorf("%s: %s %s takes neither GET nor POST", document, name, at)
			}
		}
	}
	if called < 20 {
		t.Errorf("only %d endpoints were called", called)
	}
}

// TestUnbuiltEndpointsRefuseInOAuthsWords: doc/DIVERGENCES.md, "Not advertised
// until it works".
func TestUnbuiltEndpointsRefuseInOAuthsWords(t *testing.T) {
	srv := serveRealm(t, `{"realm":"shop","enabled":true,"clients":[{"clientId":"till","publicClient":true}]}`, io.Discard)
	for path, want := range map[string]string{
		"/auth/device": "unauthorized_client", "/ext/ciba/auth": "invalid_grant",
	} {
		status, doc := postForm(t, srv.URL+"/realms/shop/protocol/openid-connect"+path, url.Values{"client_id": {"till"}})
		if doc["error"] != want || status/100 != 4 {
			t.Errorf("%s: %d %v, want %s", path, status, doc, want)
		}
	}
	for _, grant := range []string{"urn:ietf:params:oauth:grant-type:device_code", "urn:openid:params:grant-type:ciba",
		"urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:uma-ticket"} {
		status, doc := postForm(t, srv.URL+"/realms/shop/protocol/openid-connect/token", url.Values{"client_id": {"till"}, "grant_type": {grant}})
		if doc["error"] == nil || status/100 != 4 {
			t.Errorf("%s: %d %v, want an error of OAuth's", grant, status, doc)
		}
	}
}
