package console

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"latchkey/internal/keys"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store/storetest"
	"latchkey/internal/web"
)

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// door is the door over the realms master and shop; without files it was built without consoles.
func door(t *testing.T, files fstest.MapFS, host web.HostnameOptions) (*Handler, http.Handler) {
	t.Helper()
	cache := realms.NewCache(storetest.SQLite(t))
	m := realms.NewManager(cache, time.Now, realms.Rules{NewKey: keys.NewMaker(time.Now).Fill})
	for _, doc := range []string{`{"realm":"master","enabled":true}`,
		`{"realm":"shop","enabled":true,"displayName":"</script><b>","internationalizationEnabled":true,"supportedLocales":["de","en"],
		"localizationTexts":{"de":{"own":"Eigenes"},"en":{"own":"Own","greeting":"</script>"}},"attributes":{"darkMode":"false"},
		"requiredActions":[{"alias":"UPDATE_EMAIL","name":"Update Email","providerId":"UPDATE_EMAIL","enabled":true,"config":{}}]}`,
		`{"realm":"strict","enabled":true,"browserSecurityHeaders":{"contentSecurityPolicy":"script-src 'none'","xFrameOptions":"DENY"}}`} {
		given := new(rep.Realm)
		if err := rep.Unmarshal([]byte(doc), given); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Create(t.Context(), given); err != nil {
			t.Fatal(err)
		}
	}
	set, err := pages.New(pages.Options{ResourcesPath: "/resources"})
	if err != nil {
		t.Fatal(err)
	}
	name, err := web.NewHostname(host)
	if err != nil {
		t.Fatal(err)
	}
	var built *Build
	if files != nil {
		if built, err = open(files); err != nil {
			t.Fatal(err)
		}
	}
	h := New(Config{Realms: cache, Pages: set, Hostname: name, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		ResourcesPath: "/resources"}, built)
	mux := http.NewServeMux()
	h.Routes(mux)
	mux.Handle("/realms/{realm}/account/", h.Account())
	mux.HandleFunc("GET /resources/{file...}", func(w http.ResponseWriter, r *http.Request) {
		if !h.Asset(w, r, r.PathValue("file")) {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	return h, mux
}

func small(t *testing.T) fstest.MapFS {
	t.Helper()
	return fstest.MapFS{
		"manifest.json": {Data: []byte(
			`{"version":"abc","admin":{"script":"assets/admin-1.js","styles":["assets/a.css"]},"account":{"script":"assets/account-1.js"},
			"theme":"assets/theme-1.js","languages":{"admin":["en","de","pt","pt-BR"],"account":["en"]},
			"files":{"assets/admin-1.js":{"size":5},"logo.svg":{"size":4},"assets/f.woff2":{"size":3,"plain":true}}}`)},
		"files/assets/admin-1.js.br": {Data: []byte("brotli")}, "files/assets/admin-1.js.gz": {Data: zipped(t, "plain")},
		"files/logo.svg.br": {Data: []byte("b")}, "files/logo.svg.gz": {Data: zipped(t, "logo")}, "files/assets/f.woff2": {Data: []byte("abc")},
		"messages/admin/en.json.gz": {Data: zipped(t, `{"a":"A","b":"B","c":"C"}`)},
		"messages/admin/de.json.gz": {Data: zipped(t, `{"b":"Be","greeting":"Hallo"}`)},
		"messages/admin/pt.json.gz": {Data: zipped(t, `{"a":"pt","b":"pt"}`)}, "messages/admin/pt-BR.json.gz": {Data: zipped(t, `{"b":"br"}`)},
		"messages/account/en.json.gz": {Data: zipped(t, `{}`)},
	}
}

// ask sends a GET; headers are "Name: value".
func ask(h http.Handler, at string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", at, nil)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestFilesAreServedAsTheyAreKept(t *testing.T) {
	_, h := door(t, small(t), web.HostnameOptions{})
	const immutable = "max-age=2592000, public, immutable"
	for _, c := range []struct{ at, accept, coding, cache, kind, body string }{
		{"/resources/abc/console/assets/admin-1.js", "gzip, br", "br", immutable, "text/javascript; charset=utf-8", "brotli"},
		{"/resources/abc/console/assets/admin-1.js", "gzip", "gzip", immutable, "text/javascript; charset=utf-8", string(zipped(t, "plain"))},
		{"/resources/abc/console/assets/admin-1.js", "", "", immutable, "text/javascript; charset=utf-8", "plain"},
		{"/resources/older/console/assets/admin-1.js", "br;q=0", "", immutable, "text/javascript; charset=utf-8", "plain"},
		{"/resources/abc/console/logo.svg", "", "", immutable, "image/svg+xml", "logo"},
		{"/resources/older/console/logo.svg", "", "", "no-cache", "image/svg+xml", "logo"}, // may be another one's
		{"/resources/abc/console/assets/f.woff2", "br", "", immutable, "font/woff2", "abc"},
	} {
		w := ask(h, c.at, "Accept-Encoding: "+c.accept)
		head := w.Header()
		if w.Code != 200 || head.Get("Content-Encoding") != c.coding || head.Get("Cache-Control") != c.cache ||
			head.Get("Content-Type") != c.kind || w.Body.String() != c.body {
			t.Errorf("%s as %q: %d %v %q", c.at, c.accept, w.Code, head, w.Body)
		}
		if head.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s may be taken for another type", c.at)
		}
	}
	for _, at := range []string{"/resources/abc/console/nothing.js", "/resources/abc/console/manifest.json", "/resources/abc/logo.svg",
		"/resources/abc/console/assets/admin-1.js.br",
		"/resources/abc/console/%2e%2e/manifest.json", "/resources/abc/console/../manifest.json", "/resources/abc/console/"} {
		if w := ask(h, at); w.Code == 200 {
			t.Errorf("%s is served: %q", at, w.Body)
		}
	}
}

func TestTextsAreThoseOfTheRealmOnTopOfTheConsoles(t *testing.T) {
	_, h := door(t, small(t), web.HostnameOptions{})
	for _, c := range []struct{ at, want string }{
		{"/resources/master/admin/en", "a=A b=B c=C"}, {"/resources/master/admin/de", "a=A b=Be c=C greeting=Hallo"},
		{"/resources/master/admin/xx", "a=A b=B c=C"},
		{"/resources/master/admin/pt-BR", "a=pt b=br c=C"}, {"/resources/master/admin/pt_BR", "a=pt b=br c=C"},
		{"/resources/master/admin/pt-PT", "a=pt b=pt c=C"},
		{"/resources/shop/admin/de", "a=A b=Be c=C greeting=Hallo own=Eigenes"}, {"/resources/shop/admin/de-AT",
			"a=A b=Be c=C greeting=Hallo own=Eigenes"},
		{"/resources/shop/account/de", "greeting=</script> own=Eigenes"}, {"/resources/shop/admin/en", "a=A b=B c=C greeting=</script> own=Own"},
		{"/resources/shop/admin/%2e%2e", "a=A b=B c=C greeting=</script> own=Own"},
	} {
		w := ask(h, c.at)
		var list []keyedText
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
			t.Errorf("%s: %d %v", c.at, w.Code, err)
			continue
		}
		var got []string
		for _, x := range list {
			got = append(got, x.Key+"="+x.Value)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v\nwant %s", c.at, got, c.want)
		}
		if again := ask(h, c.at, "If-None-Match: "+w.Header().Get("ETag")); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("%s again: %d", c.at, again.Code)
		}
	}
	if w := ask(h, "/resources/nope/admin/en"); w.Code != 404 {
		t.Errorf("texts of no realm: %d", w.Code)
	}
}

func TestPagesRunTheServersScriptsAlone(t *testing.T) {
	_, h := door(t, small(t), web.HostnameOptions{Hostname: "https://id.test", Admin: "https://admin.test/base"})
	for _, c := range []struct{ at, policy, in string }{
		{"/admin/shop/console/", "connect-src 'self' https://id.test;",
			`"adminBaseUrl":"https://admin.test/base","consoleBaseUrl":"/base/admin/shop/console/"`},
		{"/admin/shop/console/", "script-src 'self';", `<script src="/resources/abc/console/assets/admin-1.js" type="module">`},
		{"/realms/shop/account/", "style-src 'self';", `"baseUrl":"https://id.test/realms/shop/account/"`},
		{"/realms/shop/account/any/thing", "", `"locale":"de"`},
		{"/realms/shop/account/", "", `data-dark-mode="off"`},
		{"/realms/shop/account/", "", `"updateEmailFeatureEnabled":true,"updateEmailActionEnabled":true`},
		{"/realms/strict/account/", "", `"updateEmailFeatureEnabled":true,"updateEmailActionEnabled":false`},
		{"/admin/strict/console/", "script-src 'none'", "admin-1.js"},
		{"/realms/strict/account/", "script-src 'none'", "account-1.js"},
	} {
		w := ask(h, c.at, "Accept: text/html", "Accept-Language: fr, de;q=0.5")
		if w.Code != 200 || !strings.Contains(w.Header().Get("Content-Security-Policy"), c.policy) || !strings.Contains(w.Body.String(), c.in) {
			t.Errorf("%s: %d %s\n%s\nwant %s and %s", c.at, w.Code, w.Header().Get("Content-Security-Policy"), w.Body, c.policy, c.in)
		}
		if strings.Contains(w.Header().Get("Content-Security-Policy"), "unsafe") || w.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %v", c.at, w.Header())
		}
		// The one script without an address is data.
		if n := strings.Count(w.Body.String(), "<script"); n != 3 || strings.Count(w.Body.String(), `<script src="/resources/`) != 2 ||
			!strings.Contains(w.Body.String(), `type="application/json"`) {
			t.Errorf("%s has %d scripts:\n%s", c.at, n, w.Body)
		}
	}
	for at, to := range map[string]string{
		"/admin": "https://admin.test/base/admin/master/console/", "/admin/": "https://admin.test/base/admin/master/console/",
		"/admin/shop/console":            "https://admin.test/base/admin/shop/console/",
		"/admin/shop/console/index.html": "https://admin.test/base/admin/shop/console/",
		"/admin/shop/console/logout":     "https://id.test/realms/shop/protocol/openid-connect/logout?post_logout_redirect_uri=https%3A%2F%2Fadmin.test%2Fbase%2Fadmin%2Fshop%2Fconsole",
	} {
		if w := ask(h, at); w.Code != 302 || w.Header().Get("Location") != to {
			t.Errorf("%s leads to %q", at, w.Header().Get("Location"))
		}
	}
}

func TestAServerWithoutConsolesSaysHowToGetThem(t *testing.T) {
	_, h := door(t, nil, web.HostnameOptions{})
	for _, at := range []string{"/admin/shop/console/", "/realms/shop/account/"} {
		if w := ask(h, at); w.Code != 200 || !strings.Contains(w.Body.String(), "make build") || strings.Contains(w.Body.String(), "<script") {
			t.Errorf("%s: %d %s", at, w.Code, w.Body)
		}
	}
	if w := ask(h, "/resources/shop/admin/de"); w.Code != 200 ||
		w.Body.String() != `[{"key":"greeting","value":"\u003c/script\u003e"},{"key":"own","value":"Eigenes"}]` {
		t.Errorf("the realm's texts: %d %s", w.Code, w.Body)
	}
	for at, status := range map[string]int{"/resources/abc/console/logo.svg": 404, "/admin/nope/console/": 404, "/admin": 302} {
		if w := ask(h, at, "Accept: text/html"); w.Code != status {
			t.Errorf("%s: %d", at, w.Code)
		}
	}
}

func TestWhatIsBuiltInIsWhole(t *testing.T) {
	b, err := Embedded()
	if errors.Is(err, ErrNotBuilt) {
		t.Skip("the consoles are not built: packaging/console")
	}
	if err != nil {
		t.Fatal(err)
	}
	needed := append([]string{b.Theme, b.Admin.Script, b.Account.Script, "logo.svg", "favicon.svg", "content.json", "NOTICE.txt"},
		append(b.Admin.Styles, b.Account.Styles...)...)
	for _, name := range needed {
		if _, ok := b.Files[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	for name, f := range b.Files {
		for _, accept := range []string{"", "br", "gzip"} {
			r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
			r.Header.Set("Accept-Encoding", accept)
			if found, err := b.serve(w, r, b.Version, name); !found || err != nil || accept == "" && int64(w.Body.Len()) != f.Size {
				t.Errorf("%s as %q: %v, %d of %d bytes", name, accept, err, w.Body.Len(), f.Size)
			}
		}
	}
	for console, languages := range b.Languages {
		for _, l := range languages {
			if texts, err := b.texts(console, l); err != nil || texts == nil {
				t.Errorf("%s in %s: %d texts, %v", console, l, len(texts), err)
			}
		}
	}
}
