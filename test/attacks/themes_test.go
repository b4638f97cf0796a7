package attacks

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// A realm and a client have the pages that their themes say, under the realm's Content-Security-Policy; resources of themes
// are what is in their folder and nothing else; the server tells of the themes that are good.
func TestThemesOfRealmAndClient(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"house/login/theme.properties":                "styles=house.css",
		"house/login/resources/house.css":             "h1{}",
		"house/login/messages/messages_en.properties": "loginAccountTitle=The house",
		"annex/login/theme.properties":                "parent=house",
		"annex/login/messages/messages_en.properties": "loginAccountTitle=The annex",
		"broken/login/templates/login.html":           "{{if}}",
		"secret.css":                                  "secret",
	} {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e, Args: []string{"--themes-dir", dir}})
		ctx, admin := t.Context(), visitor.NewAdmin(s.URL)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		type doc = map[string]any
		for realm, theme := range map[string]string{"house": "house", "broken": "broken", "plain": ""} {
			client := doc{"clientId": "own", "redirectUris": []string{"http://app.example/*"}, "publicClient": true}
			other := doc{"clientId": "annexed", "redirectUris": []string{"http://app.example/*"}, "publicClient": true,
				"attributes": doc{"login_theme": "annex"}}
			_, err := admin.Post(ctx, "", doc{"realm": realm, "enabled": true, "loginTheme": theme, "clients": []doc{client, other}})
			must(err)
		}
		get := func(path string) (*http.Response, string) {
			t.Helper()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
			must(err)
			req.URL.Opaque = path // as it is, dots and all
			res, err := http.DefaultClient.Do(req)
			must(err)
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			must(err)
			return res, string(body)
		}
		login := func(realm, client string) (*http.Response, string) {
			return get("/realms/" + realm + "/protocol/openid-connect/auth?response_type=code&redirect_uri=http://app.example/&client_id=" + client)
		}
		for place, want := range map[string]string{"house own": "The house", "house annexed": "The annex",
			"broken own": "Sign in to your account", "plain own": "Sign in to your account", "plain annexed": "The annex"} {
			realm, client, _ := strings.Cut(place, " ")
			res, page := login(realm, client)
			if !strings.Contains(page, want) {
				t.Errorf("%s: the page does not say %q", place, want)
			}
			if !strings.Contains(res.Header.Get("Content-Security-Policy"), "object-src 'none'") {
				t.Errorf("%s: the policy is %q", place, res.Header.Get("Content-Security-Policy"))
			}
		}
		_, page := login("house", "own")
		at, ok := stylesheet(page, "/login/house/house.css")
		if !ok {
			t.Fatal("the page does not link to the theme's style sheet")
		}
		if res, css := get(at); res.StatusCode != http.StatusOK || css != "h1{}" || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %q", at, res.StatusCode, css)
		}
		for _, path := range []string{"../theme.properties", "../../secret.css", "..%2f..%2fsecret.css", "%2e%2e/%2e%2e/secret.css",
			"....//secret.css", "../../../../../../../../etc/passwd", "/etc/passwd", "theme.properties",
			"house.css/../../../../secret.css", "..\\..\\secret.css"} {
			if res, body := get("/resources/0/login/house/" + path); res.StatusCode == http.StatusOK || strings.Contains(body, "secret") {
				t.Errorf("%s: %d %q", path, res.StatusCode, body)
			}
		}
		var names []string
		var info struct {
			Themes map[string][]struct{ Name string }
		}
		serverInfo(t, ctx, s.URL, &info)
		for _, theme := range info.Themes["login"] {
			names = append(names, theme.Name)
		}
		if !slices.Contains(names, "house") || !slices.Contains(names, "annex") || slices.Contains(names, "broken") {
			t.Errorf("the server tells of %v", names)
		}
	})
}

// stylesheet is the address of a style sheet that a page links to, by its end.
func stylesheet(page, end string) (string, bool) {
	before, _, ok := strings.Cut(page, end+`"`)
	if !ok {
		return "", false
	}
	return before[strings.LastIndexByte(before, '"')+1:] + end, true
}
