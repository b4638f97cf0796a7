package pages

import (
	"bytes"
	"flag"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

var update = flag.Bool("update", false, "write the golden pages anew")

// hashes are those of the resources' content, which goldens leave out.
var hashes = regexp.MustCompile(`/resources/[0-9a-f]{12}/`)

func newSet(t *testing.T) *Set {
	t.Helper()
	s, err := New(Options{ResourcesPath: "/resources"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func render(t *testing.T, s *Set, r Request, v View) string {
	t.Helper()
	var out bytes.Buffer
	if err := s.Render(&out, r, v); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// walk visits the elements of a page.
func walk(t *testing.T, page string, visit func(n *html.Node, attr map[string]string)) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode {
			attr := map[string]string{}
			for _, a := range n.Attr {
				attr[a.Key] = a.Val
			}
			visit(n, attr)
		}
	}
}

func words(n *html.Node) string {
	var out strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			out.WriteString(c.Data)
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// Every page in every state: it renders, it looks as it did, and it is accessible and free of inline handlers and styles.
func TestSamples(t *testing.T) {
	s := newSet(t)
	seen := map[string]bool{}
	for _, sample := range Samples() {
		name := sample.View.page().template
		seen[name] = true
		t.Run(sample.Name, func(t *testing.T) {
			page := render(t, s, sample.Request, sample.View)
			golden(t, sample.Name+".html", hashes.ReplaceAllString(page, "/resources/HASH/"))
			frame := strings.HasPrefix(name, "3p-cookies") || name == "login-status-iframe"
			checkPage(t, page, frame)
		})
	}
	for _, name := range templateNames {
		if !seen[name] {
			t.Errorf("page %s has no sample", name)
		}
	}
}

func checkPage(t *testing.T, page string, frame bool) {
	t.Helper()
	if !strings.HasPrefix(page, "<!DOCTYPE html>") || !strings.Contains(page, "</html>") {
		t.Error("not a whole document")
	}
	for _, bad := range []string{"ZgotmplZ", "<no value>", "%!"} {
		if strings.Contains(page, bad) {
			t.Errorf("page contains %s", bad)
		}
	}
	headings, labelled, ids := 0, map[string]bool{}, map[string]bool{}
	walk(t, page, func(n *html.Node, attr map[string]string) {
		switch n.Data {
		case "h1":
			headings++
			if words(n) == "" {
				t.Error("empty heading")
			}
		case "label":
			labelled[attr["for"]] = true
		}
		if id := attr["id"]; id != "" && ids[id] {
			t.Errorf("id %s occurs twice", id)
		} else {
			ids[id] = true
		}
		for key := range attr {
			if strings.HasPrefix(key, "on") || key == "style" {
				t.Errorf("<%s> has the attribute %s, which a content security policy refuses", n.Data, key)
			}
		}
	})
	if !frame && headings != 1 {
		t.Errorf("%d main headings", headings)
	}
	walk(t, page, func(n *html.Node, attr map[string]string) {
		switch n.Data {
		case "input", "select", "textarea":
			if attr["type"] != "hidden" && attr["type"] != "submit" && !labelled[attr["id"]] && attr["aria-label"] == "" {
				t.Errorf("<%s name=%q> has no label", n.Data, attr["name"])
			}
			if attr["type"] == "password" && attr["autocomplete"] == "" {
				t.Errorf("password field %s says nothing to password managers", attr["name"])
			}
		case "button":
			if words(n) == "" {
				t.Error("button without text")
			}
		case "iframe":
			if attr["title"] == "" {
				t.Error("frame without title")
			}
		case "img":
			if _, ok := attr["alt"]; !ok {
				t.Error("picture without alternative")
			}
		}
		if by := attr["aria-describedby"]; by != "" && !ids[by] {
			t.Errorf("described by %s, which is not there", by)
		}
	})
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s; look at it and run the test with -update", file)
	}
}

// facts are what the pages of two servers are compared by: inputs as "name type value" per form, links and messages.
type facts struct {
	inputs   []string
	links    []string
	messages []string
}

func factsOf(t *testing.T, page string) (f facts) {
	t.Helper()
	walk(t, page, func(n *html.Node, attr map[string]string) {
		switch n.Data {
		case "input", "select", "textarea", "button":
			kind := n.Data
			if attr["type"] != "" {
				kind = attr["type"]
			}
			if attr["name"] == "" {
				return
			}
			if kind == "submit" {
				attr["value"] = ""
			}
			f.inputs = append(f.inputs, strings.TrimSpace(attr["name"]+" "+kind+" "+attr["value"]))
		case "a":
			f.links = append(f.links, words(n))
		}
		if attr["role"] == "alert" || attr["role"] == "status" || strings.HasPrefix(attr["id"], "input-error") ||
			attr["id"] == "kc-error-message" || attr["id"] == "kc-info-message" {
			if text := words(n); text != "" {
				f.messages = append(f.messages, text)
			}
		}
	})
	slices.Sort(f.inputs)
	return f
}

// Keycloak: the templates of theme keycloak.v2; Oracle: login/*, oidc/end-session, sessions/remember-me.
func TestWhatIsCompared(t *testing.T) {
	want := map[string]facts{
		"login": {
			[]string{"credentialId hidden", "login submit", "password password", "rememberMe checkbox", "username text"},
			[]string{"Forgot Password?", "Register"}, nil},
		"login-wrong": {
			[]string{"credentialId hidden", "login submit", "password password", "rememberMe checkbox", "username text grace"},
			[]string{"Forgot Password?", "Register"}, []string{"Invalid username or password."}},
		"login-again": {
			[]string{"credentialId hidden", "login submit", "password password"},
			[]string{"Forgot Password?"}, []string{"Please re-authenticate to continue"}},
		"login-username": {[]string{"login submit", "rememberMe checkbox", "username text"}, []string{"Register"}, nil},
		"login-password": {[]string{"login submit", "password password", "tryAnotherWay hidden on"}, []string{"Forgot Password?"}, nil},
		"login-otp":      {[]string{"login submit", "otp text", "selectedCredentialId hidden d1"}, nil, nil},
		"login-update-password": {
			[]string{"login submit", "logout-sessions checkbox", "password-confirm password", "password-new password"}, nil,
			[]string{"You need to change your password to activate your account."}},
		"login-update-password-wrong": {
			[]string{"login submit", "logout-sessions checkbox", "password-confirm password", "password-new password"}, nil,
			[]string{"Invalid password: minimum length 8."}},
		"register-wrong": {
			[]string{"email text grace@example.test", "firstName text", "lastName text", "password password", "password-confirm password",
				"username text grace"},
			[]string{"« Back to Login"}, []string{"Username already exists."}},
		"login-reset-password": {[]string{"username text"}, []string{"« Back to Login"}, nil},
		"login-config-totp": {
			[]string{"logout-sessions checkbox", "totp text", "totpSecret hidden JBSWY3DPEHPK3PXP", "userLabel text"},
			[]string{"Unable to scan?"}, []string{"You need to set up Mobile Authenticator to activate your account."}},
		"terms":             {[]string{"accept submit", "cancel submit"}, nil, nil},
		"login-oauth-grant": {[]string{"accept submit", "cancel submit", "code hidden c"}, []string{"terms of service."}, nil},
		"logout-confirm": {[]string{"confirmLogout submit", "session_code hidden c"}, []string{"« Back to Application"},
			[]string{"« Back to Application"}},
		"info":                       {nil, []string{"« Back to Application"}, []string{"You are logged out « Back to Application"}},
		"error":                      {nil, []string{"« Back to Application"}, []string{"Invalid parameter: redirect_uri « Back to Application"}},
		"form-post":                  {[]string{"code hidden c", "state hidden s"}, nil, nil},
		"delete-account-confirm":     {nil, nil, nil},
		"delete-account-confirm-app": {[]string{"cancel-aia submit"}, nil, nil},
		"delete-credential":          {[]string{"accept submit", "cancel-aia submit"}, nil, nil},
	}
	s := newSet(t)
	for _, sample := range Samples() {
		w, ok := want[sample.Name]
		if !ok {
			continue
		}
		delete(want, sample.Name)
		got := factsOf(t, render(t, s, sample.Request, sample.View))
		if !slices.Equal(got.inputs, w.inputs) || !slices.Equal(got.links, w.links) || !slices.Equal(got.messages, w.messages) {
			t.Errorf("%s:\n got %q\nwant %q", sample.Name, got, w)
		}
	}
	for name := range want {
		t.Errorf("no sample %s", name)
	}
}

// Keycloak: displayMessage in the templates.
func TestMessageBesideFieldOrAbove(t *testing.T) {
	s := newSet(t)
	for _, c := range []struct {
		name string
		r    Request
		v    View
		want []string
	}{
		{"own field", Request{Errors: []FieldError{{Field: "password", Key: "invalidPasswordMessage"}}}, LoginPassword{},
			[]string{"Invalid password."}},
		{"foreign field", Request{Errors: []FieldError{{Field: "other", Key: "invalidPasswordMessage"}}}, LoginPassword{},
			[]string{"Invalid password."}},
		{"page of attributes", Request{Message: &Message{Type: Warning, Key: "updateProfileMessage"},
			Errors: []FieldError{{Field: "email", Key: "invalidEmailMessage"}}},
			UpdateProfile{Attributes: []Attribute{{Name: "email"}}}, []string{"You need to update your user profile to activate your account.",
				"Invalid email address."}},
		{"no warning for an application's action", Request{AppInitiated: true, Message: &Message{Type: Warning, Key: "updatePasswordMessage"}},
			UpdatePassword{}, nil},
	} {
		if got := factsOf(t, render(t, s, c.r, c.v)).messages; !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// What people and applications send in never becomes markup or script.
func TestHostileValues(t *testing.T) {
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	s := newSet(t)
	r := Request{
		Realm: Realm{Name: evil, DisplayName: evil, DisplayNameHTML: evil}, Client: Client{ID: evil, Name: evil, BaseURL: "javascript:alert(1)",
			TermsURI: "javascript:alert(1)"},
		URLs: URLs{Action: evil, Restart: "javascript:alert(1)"}, AttemptedUsername: evil, Locale: evil,
		Message: &Message{Type: Problem, Key: "invalidParameterMessage", Args: []any{evil}},
	}
	for _, v := range []View{Login{Username: evil, CredentialID: evil}, Error{ID: evil}, Info{RedirectURL: "JavaScript:alert(1)"},
		Consent{Code: evil, Scopes: []ConsentScope{{Text: evil}}},
		FormPost{URL: "data:text/html,x", Parameters: []Parameter{{evil, evil}}}, Code{Error: evil},
		UpdateProfile{Attributes: []Attribute{{Name: evil, Values: []string{evil},
			Annotations: map[string]any{"inputHelperTextBefore": evil}}}}} {
		page := render(t, s, r, v)
		walk(t, page, func(n *html.Node, attr map[string]string) {
			if n.Data == "script" && attr["src"] == "" {
				t.Errorf("%T: a script came in", v)
			}
			for key, value := range attr {
				if strings.HasPrefix(key, "on") || strings.HasPrefix(strings.ToLower(strings.TrimSpace(value)), "javascript:") && key != "value" {
					t.Errorf("%T: %s=%q came in", v, key, value)
				}
			}
		})
	}
}

func TestApplicationsOwnSchemes(t *testing.T) {
	page := render(t, newSet(t), Request{}, FormPost{URL: "com.example.app:/cb"})
	if !strings.Contains(page, `action="com.example.app:/cb"`) {
		t.Error("a native application's redirect URI did not survive")
	}
}

func TestSanitize(t *testing.T) {
	for in, want := range map[string]string{
		`<b>x</b>`:                     `<b>x</b>`,
		`<b>x`:                         `<b>x</b>`,
		`x</div></main>`:               `x`,
		`<script>alert(1)</script>y`:   `y`,
		`<a href="javascript:x">l</a>`: `<a rel="noopener noreferrer nofollow">l</a>`,
		`<a href="https://a.test/?x=1&amp;y=2">l</a>`: `<a href="https://a.test/?x=1&amp;y=2" rel="noopener noreferrer nofollow">l</a>`,
		`<img src="/logo.png" onerror="x" alt="L">`:   `<img src="/logo.png" alt="L">`,
		`<p style="color:red" class="c">t</p>`:        `<p class="c">t</p>`,
		`1 < 2 & 3`:                                   `1 &lt; 2 &amp; 3`,
		`<unknown>t</unknown>`:                        `t`,
	} {
		if got := string(sanitize(in)); got != want {
			t.Errorf("sanitize(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestFrameSources(t *testing.T) {
	v := FrontchannelLogout{Clients: []LogoutClient{{"a", "https://a.test/out?x"}, {"b", "https://a.test/other"}, {"c", "http://c.test:81/"}}}
	if got := v.FrameSources(); !slices.Equal(got, []string{"https://a.test", "http://c.test:81"}) {
		t.Error(got)
	}
}

// WCAG 2.2, 1.4.3 and 1.4.11: 4.5 for text, 3 for the outlines of controls, in light and in dark.
func TestContrast(t *testing.T) {
	css, ok := newSet(t).Resource("/0/login/login.css")
	if !ok {
		t.Fatal("no style sheet")
	}
	light, dark, ok := strings.Cut(string(css.Body), "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("no dark mode")
	}
	for mode, text := range map[string]string{"light": light, "dark": dark} {
		luminance := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(text, -1) {
			n, err := strconv.ParseUint(m[2], 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			for i, weight := range []float64{.0722, .7152, .2126} {
				c := float64(n>>(8*i)&0xff) / 255
				if c <= .04045 {
					c /= 12.92
				} else {
					c = math.Pow((c+.055)/1.055, 2.4)
				}
				luminance[m[1]] += weight * c
			}
		}
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"ink", "paper", 4.5}, {"quiet", "paper", 4.5}, {"quiet", "ground", 4.5}, {"accent", "paper", 4.5}, {"accent-strong", "paper", 4.5},
			{"on-accent", "accent", 4.5},
			{"on-accent", "accent-strong", 4.5}, {"error", "paper", 4.5}, {"error", "error-ground", 4.5}, {"warning", "warning-ground", 4.5},
			{"success", "success-ground", 4.5}, {"notice", "notice-ground", 4.5}, {"line", "paper", 3},
		} {
			a, okA := luminance[pair.front]
			b, okB := luminance[pair.back]
			if ratio := (max(a, b) + .05) / (min(a, b) + .05); !okA || !okB || ratio < pair.least {
				t.Errorf("%s: %s on %s: contrast %.1f, want %.1f", mode, pair.front, pair.back, ratio, pair.least)
			}
		}
	}
}

// Keycloak: LocaleBean and its messages locale_de, locale_pt_BR, ...
func TestLanguagesAreCalledByTheirNames(t *testing.T) {
	s := newSet(t)
	r := Request{Locale: "en", Texts: map[string]map[string]string{"en": {"locale_nds": "Plattdüütsch"}}}
	want := map[string]string{"en": "English", "de": "German (Deutsch)", "pt_BR": "Portuguese (Brazil) (Português (Brasil))",
		"pt-BR": "Portuguese (Brazil) (Português (Brasil))", "ja": "Japanese (日本語)", "ar": "Arabic (العربية)", "nds": "Plattdüütsch", "?": "?"}
	for tag := range want {
		r.Locales = append(r.Locales, Locale{tag, "?kc_locale=" + tag})
	}
	page := render(t, s, r, Error{})
	seen := 0
	walk(t, page, func(n *html.Node, attr map[string]string) {
		if n.Data != "option" {
			return
		}
		seen++
		if got := words(n); got != want[attr["lang"]] {
			t.Errorf("%s is called %q, want %q", attr["lang"], got, want[attr["lang"]])
		}
	})
	if seen != len(want) {
		t.Errorf("%d languages are offered, want %d", seen, len(want))
	}
}
