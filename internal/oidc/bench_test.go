package oidc_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// These measure whole requests at the assembled server, without the network.
// Beside tokens.BenchmarkSign they tell what a token response costs beyond its
// signature.

func (s *site) bench(b *testing.B, path string, header http.Header, pairs ...string) {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	body := form.Encode()
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, s.url+"/realms/shop/protocol/openid-connect"+path, strings.NewReader(body))
		r.RemoteAddr, r.Header = "127.0.0.1:1", header.Clone()
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}

func BenchmarkClientCredentials(b *testing.B) {
	newSite(b, "").bench(b, "/token", http.Header{}, app("grant_type", "client_credentials")...)
}

func BenchmarkRefresh(b *testing.B) {
	s := newSite(b, "")
	s.bench(b, "/token", http.Header{}, app("grant_type", "refresh_token", "refresh_token", s.password("").text("refresh_token"))...)
}

func BenchmarkRotate(b *testing.B) {
	s := newSite(b, `,"revokeRefreshToken":true,"refreshTokenMaxReuse":1000000000`)
	s.bench(b, "/token", http.Header{}, app("grant_type", "refresh_token", "refresh_token", s.password("").text("refresh_token"))...)
}

func BenchmarkIntrospect(b *testing.B) {
	s := newSite(b, "")
	s.bench(b, "/token/introspect", http.Header{}, app("token", s.password("openid").text("id_token"))...)
}

func BenchmarkUserinfo(b *testing.B) {
	s := newSite(b, "")
	s.bench(b, "/userinfo", http.Header{"Authorization": {"Bearer " + s.password("openid").text("access_token")}})
}
