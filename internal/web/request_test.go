package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"latchkey/internal/web"
)

// identify sends one request through Identify and returns what it found.
func identify(t *testing.T, p web.Proxy, relative, peer, target string, header http.Header) (*web.Request, int) {
	t.Helper()
	var got *web.Request
	h := web.Identify(p, relative)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = web.RequestOf(r) }))
	r := httptest.NewRequest("GET", target, nil)
	r.RemoteAddr = peer
	for k, v := range header {
		r.Header[k] = v
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return got, w.Code
}

func TestClientAddress(t *testing.T) {
	trusted, err := web.ParsePrefixes("10.0.0.0/8, 192.0.2.1,fd00::/8")
	if err != nil {
		t.Fatal(err)
	}
	xf := func(kv ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(kv); i += 2 {
			h.Add(kv[i], kv[i+1])
		}
		return h
	}
	for _, c := range []struct {
		name  string
		proxy web.Proxy
		peer  string
		h     http.Header
		want  string // address scheme://host prefix
	}{
		{"nothing is trusted by default", web.Proxy{}, "10.1.1.1:99",
			xf("X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil", "Forwarded", "for=1.2.3.4;proto=https"),
			"10.1.1.1 http://srv "},
		{"IPv6 peer", web.Proxy{}, "[::1]:99", nil, "::1 http://srv "},
		{"mapped IPv4 peer", web.Proxy{}, "[::ffff:7.7.7.7]:99", nil, "7.7.7.7 http://srv "},
		{"an untrusted peer is not believed", web.Proxy{Headers: "xforwarded", Trusted: trusted}, "8.8.8.8:1",
			xf("X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https"), "8.8.8.8 http://srv "},
		{"a trusted peer is", web.Proxy{Headers: "xforwarded", Trusted: trusted}, "10.0.0.1:1",
			xf("X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "id.example:443"), "1.2.3.4 https://id.example "},
		{"the rightmost untrusted counts", web.Proxy{Headers: "xforwarded", Trusted: trusted}, "10.0.0.1:1",
			xf("X-Forwarded-For", "6.6.6.6, 1.2.3.4, 10.0.0.2"), "1.2.3.4 http://srv "},
		{"several header lines are one list", web.Proxy{Headers: "xforwarded", Trusted: trusted}, "10.0.0.1:1",
			xf("X-Forwarded-For", "6.6.6.6", "X-Forwarded-For", "1.2.3.4", "X-Forwarded-For", "192.0.2.1"), "1.2.3.4 http://srv "},
		{"all trusted: the leftmost", web.Proxy{Headers: "xforwarded", Trusted: trusted}, "10.0.0.1:1",
			xf("X-Forwarded-For", "10.9.9.9, 10.0.0.2"), "10.9.9.9 http://srv "},
		{"no trusted list: the peer is the proxy, nobody else", web.Proxy{Headers: "xforwarded"}, "8.8.8.8:1",
			xf("X-Forwarded-For", "6.6.6.6, 1.2.3.4"), "1.2.3.4 http://srv "},
		{"rubbish hides the address, not the proxy", web.Proxy{Headers: "xforwarded", Trusted: trusted}, "10.0.0.1:1",
			xf("X-Forwarded-For", "1.2.3.4, unknown"), "10.0.0.1 http://srv "},
		{"appended scheme and host follow the address", web.Proxy{Headers: "xforwarded", Trusted: trusted}, "10.0.0.1:1",
			xf("X-Forwarded-For", "6.6.6.6, 1.2.3.4, 10.0.0.2", "X-Forwarded-Proto", "http, https, http", "X-Forwarded-Host",
				"evil, id.example, inner"), "1.2.3.4 https://id.example "},
		{"port and prefix", web.Proxy{Headers: "xforwarded"}, "8.8.8.8:1",
			xf("X-Forwarded-Proto", "https", "X-Forwarded-Port", "8443", "X-Forwarded-Prefix", "/sso/"), "8.8.8.8 https://srv:8443 /sso"},
		{"address with port", web.Proxy{Headers: "xforwarded"}, "8.8.8.8:1",
			xf("X-Forwarded-For", "[2001:db8::1]:4711"), "2001:db8::1 http://srv "},
		{"hosts that break out are refused", web.Proxy{Headers: "xforwarded"}, "8.8.8.8:1",
			xf("X-Forwarded-Host", "a/b\"><x", "X-Forwarded-Prefix", "//evil"), "8.8.8.8 http://srv "},
		{"the other header is not read", web.Proxy{Headers: "forwarded"}, "8.8.8.8:1",
			xf("X-Forwarded-For", "1.2.3.4"), "8.8.8.8 http://srv "},
		// RFC 7239, section 4.
		{"Forwarded", web.Proxy{Headers: "forwarded", Trusted: trusted}, "10.0.0.1:1",
			xf("Forwarded", `for=6.6.6.6;host=evil, For="[2001:db8:cafe::17]:4711";Proto=https;host="id.example:8443", for=10.0.0.3;proto=http;host=inner`), "2001:db8:cafe::17 https://id.example:8443 "},
		{"Forwarded, quoted separators", web.Proxy{Headers: "forwarded"}, "8.8.8.8:1",
			xf("Forwarded", `for=1.2.3.4;secret="a,b;for=9.9.9.9";proto=https`), "1.2.3.4 https://srv "},
	} {
		q, _ := identify(t, c.proxy, "", c.peer, "http://srv/", c.h)
		if got := q.Addr + " " + q.Scheme() + "://" + q.Host + " " + q.Prefix; got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if _, err := web.ParsePrefixes("10.0.0.0/8,nonsense"); err == nil {
		t.Error("nonsense was taken for an address")
	}
}

func TestRelativePath(t *testing.T) {
	for target, want := range map[string]int{"/auth": 200, "/auth/": 200, "/auth/realms/a%2Fb": 200, "/authority": 404, "/": 404} {
		if _, code := identify(t, web.Proxy{}, "/auth/", "1.1.1.1:1", "http://srv"+target, nil); code != want {
			t.Errorf("%s: %d, want %d", target, code, want)
		}
	}
	q, _ := identify(t, web.Proxy{Headers: "xforwarded"}, "/auth", "1.1.1.1:1", "http://srv/auth/x",
		http.Header{"X-Forwarded-Prefix": {"/sso"}})
	if q.Prefix != "/sso/auth" {
		t.Error(q.Prefix)
	}
}

func TestBadHostIsRefused(t *testing.T) {
	h := web.Identify(web.Proxy{}, "")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for host, want := range map[string]int{`a"b`: 400, "a/b": 400, "x:99999": 400, "[::1": 400, "": 400, "[::1]:8080": 200,
		"localhost:8080": 200} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%q: %d, want %d", host, w.Code, want)
		}
	}
}

// Keycloak: HostnameV2Provider.
func TestHostname(t *testing.T) {
	own := &web.Request{Host: "10.0.0.5:8080"}
	ownTLS := &web.Request{Host: "id.example", Secure: true}
	for _, c := range []struct {
		name                         string
		o                            web.HostnameOptions
		q                            *web.Request
		realm                        string
		frontend, backchannel, admin string
	}{
		{"dynamic", web.HostnameOptions{}, own, "", "http://10.0.0.5:8080", "http://10.0.0.5:8080", "http://10.0.0.5:8080"},
		{"dynamic with a relative path", web.HostnameOptions{}, &web.Request{Host: "h", Prefix: "/auth"}, "", "http://h/auth",
			"http://h/auth", "http://h/auth"},
		{"name keeps scheme and port", web.HostnameOptions{Hostname: "id.example"}, own, "", "http://id.example:8080", "http://id.example:8080",
			"http://id.example:8080"},
		{"URL", web.HostnameOptions{Hostname: "https://id.example:443/auth/"}, own, "", "https://id.example/auth", "https://id.example/auth",
			"https://id.example/auth"},
		{"dynamic back channel", web.HostnameOptions{Hostname: "https://id.example", BackchannelDynamic: true}, own, "", "https://id.example",
			"http://10.0.0.5:8080", "https://id.example"},
		{"a request through the front door stays there", web.HostnameOptions{Hostname: "https://id.example", BackchannelDynamic: true}, ownTLS,
			"", "https://id.example", "https://id.example", "https://id.example"},
		{"admin", web.HostnameOptions{Hostname: "https://id.example", Admin: "https://admin.example:8443/"}, own, "", "https://id.example",
			"https://id.example", "https://admin.example:8443"},
		{"the realm's own", web.HostnameOptions{Hostname: "https://id.example"}, own, "https://acme.example/", "https://acme.example",
			"https://acme.example", "https://acme.example"},
		{"a realm's nonsense is passed over", web.HostnameOptions{Hostname: "https://id.example"}, own, "acme", "https://id.example",
			"https://id.example", "https://id.example"},
	} {
		h, err := web.NewHostname(c.o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got, want := h.URLs(c.q, c.realm), (web.URLs{Frontend: c.frontend, Backchannel: c.backchannel, Admin: c.admin}); got != want {
			t.Errorf("%s: %+v, want %+v", c.name, got, want)
		}
	}
}

// Keycloak: HostnameV2ProviderFactory.
func TestHostnameRefuses(t *testing.T) {
	for _, o := range []web.HostnameOptions{
		{Strict: true},
		{Hostname: "id.example:8080"},
		{Hostname: "id.example/auth"},
		{Hostname: "https://"},
		{Hostname: "https://a@b"},
		{Hostname: "https://b?c"},
		{Admin: "https://admin.example"},
		{Hostname: "id.example", Admin: "https://admin.example"},
		{Hostname: "https://id.example", Admin: "admin.example"},
		{BackchannelDynamic: true},
		{Hostname: "id.example", BackchannelDynamic: true},
	} {
		if _, err := web.NewHostname(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

// Only who breaks a request off has left; a request that took too long was waited for.
func TestLeft(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	broken, cancel := context.WithCancel(t.Context())
	cancel()
	late, stop := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer stop()
	if web.Left(r) || !web.Left(r.WithContext(broken)) || web.Left(r.WithContext(late)) {
		t.Error(web.Left(r), web.Left(r.WithContext(broken)), web.Left(r.WithContext(late)))
	}
}
