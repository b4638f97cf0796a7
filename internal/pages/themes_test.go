package pages

import (
	"archive/zip"
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const terms = `{{define "name"}}terms{{end}}{{define "header"}}House rules{{end}}{{define "body"}}{{.Text "doAccept"}}{{end}}`

// put writes files of themes, by their paths below the directory.
func put(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func themed(t *testing.T, dir string, live bool) (*Set, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	s, err := New(Options{Themes: NewThemes(dir, live, time.Now, slog.New(slog.NewTextHandler(log, nil))), ResourcesPath: "/r"})
	if err != nil {
		t.Fatal(err)
	}
	return s, log
}

// A theme stands on its parent, that on the built-in one; the client's wins over the realm's, and the realm's texts over all.
func TestThemes(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string]string{
		"house/login/templates/terms.html":            terms,
		"house/login/messages/messages_de.properties": "doAccept=Annehmen\n",
		"house/login/messages/messages_en.properties": "doDecline=No way\n",
		"house/login/resources/login.css":             "body{}",
		"house/login/resources/img/logo.svg":          "<svg/>",
		"house/email/messages/messages_de.properties": "emailTestSubject=It works here\n",
		"annex/login/theme.properties":                "parent=house\nstyles=annex.css\n",
		"annex/login/resources/annex.css":             "h1{}",
		"annex/login/messages/messages_en.properties": "logoutConfirmTitle=Going\n",
		"notheme.txt": "",
	})
	s, log := themed(t, dir, false)
	if log.Len() > 0 {
		t.Fatal(log)
	}
	house := Request{Realm: Realm{Name: "r", Theme: "house", EmailTheme: "house"}, Locale: "de-AT"}
	page := render(t, s, house, Terms{})
	if !strings.Contains(page, "House rules") || !strings.Contains(page, "Annehmen") {
		t.Error("the theme's template or text is not used")
	}
	css, ok := s.Resource("/0000/login/house/login.css")
	if !ok || string(css.Body) != "body{}" || !strings.HasPrefix(css.ContentType, "text/css") || !strings.Contains(page, "/r"+css.Path) {
		t.Errorf("the theme's style sheet is not used: %+v", css)
	}
	annex := Request{Realm: Realm{Theme: "house"}, Client: Client{Theme: "annex"},
		Texts: map[string]map[string]string{"en": {"doLogout": "Bye"}}}
	page = render(t, s, annex, LogoutConfirm{})
	for _, want := range []string{"Going", "Bye", "/login/annex/annex.css", "/login/annex/login.css"} {
		if !strings.Contains(page, want) {
			t.Errorf("the client's theme lacks %s", want)
		}
	}
	if page = render(t, s, annex, Terms{}); !strings.Contains(page, "House rules") {
		t.Error("the parent's template is not used")
	}
	if letter, err := s.Mail(house, TestMail{}); err != nil || letter.Subject != "It works here" {
		t.Errorf("%+v %v", letter, err)
	}
	for _, name := range []string{"", "keycloak", "keycloak.v2", "nonsense", "../house", "notheme.txt"} {
		if page := render(t, s, Request{Realm: Realm{Theme: name}}, Terms{}); strings.Contains(page, "House rules") {
			t.Errorf("%s: not the built-in theme", name)
		}
	}
	if got := s.Names(LoginTheme); strings.Join(got, " ") != "annex house" {
		t.Error(got)
	}
	if got := s.Names(EmailTheme); strings.Join(got, " ") != "house" {
		t.Error(got)
	}
	for at, want := range map[string]bool{
		"/0/login/house/img/logo.svg": true, "/0/login/house/../annex/annex.css": false, "/0/login/house/login.js": true,
		"/0/login/house/theme.properties": false, "/0/login/house/../theme.properties": false, "/0/login/nonsense/login.css": false,
		"/0/login/../../etc/passwd": false, "login.css": false, "/0/login/house//img/logo.svg": false,
	} {
		if _, ok := s.Resource(at); ok != want {
			t.Errorf("%s: %v", at, ok)
		}
	}
}

// A theme with a mistake is left out, with its place and the reason in the log, and the built-in one is used instead.
func TestThemesWithMistakes(t *testing.T) {
	body := func(text string) map[string]string {
		return map[string]string{"x/login/templates/terms.html": `{{define "name"}}terms{{end}}{{define "header"}}House rules{{end}}` +
			`{{define "body"}}` + text + `{{end}}`}
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"syntax":           {body("\n\n{{if}}"), "templates/terms.html:3: missing value for if"},
		"unknown function": {body("{{nonsense}}"), `terms.html:1: function "nonsense" not defined`},
		"unknown field":    {body("{{.View.Nonsense}}"), "terms.html:1"},
		"unknown template": {body(`{{template "nonsense"}}`), `there is no template "nonsense"`},
		"unknown resource": {body(`{{.Resource "nonsense.css"}}`), "no resource nonsense.css"},
		"counted loop":     {body("{{range 1000000000}}{{end}}"), "range goes through lists, not through int"},
		"counted variable": {body("{{$n := 1000000000}}{{range $n}}{{end}}"), "range goes through lists, not through int"},
		"recursion":        {body(`{{template "a"}}` + `{{end}}{{define "a"}}{{template "a"}}`), `the template "a" calls itself`},
		"recursion of two": {body(`{{template "a"}}{{end}}{{define "a"}}{{template "b"}}{{end}}{{define "b"}}{{template "a"}}`), "calls itself"},
		"nested loops":     {body(strings.Repeat("{{range $.Locales}}", 5) + strings.Repeat("{{end}}", 5)), "steps"},
		"many calls":       {body(calls(8)), "steps"},
		"long number":      {body(`{{printf "%0900000d" 1}}`), "a text is longer than 65536 bytes"},
		"doubled text":     {body(`{{$x := "0123456789"}}` + strings.Repeat(`{{$x = printf "%s%s" $x $x}}`, 40)), "a text is longer"},
		"long page":        {body(`{{$x := printf "%060000d" 1}}` + strings.Repeat("{{$x}}", 40)), "the page is longer than"},
		"escaper":          {body(`{{"<" | html | print}}`), "html"},
		"markup in script": {body(`<script>var x = {{if .AppInitiated}}"{{end}}</script>`), "terms.html"},
		"own parent":       {map[string]string{"x/login/theme.properties": "parent=x"}, "the theme x is its own parent"},
		"two as parents":   {map[string]string{"x/login/theme.properties": "parent=y", "y/login/theme.properties": "parent=x"}, "own parent"},
		"parent missing":   {map[string]string{"x/login/theme.properties": "parent=nobody"}, "the parent nobody is not there"},
		"style missing":    {map[string]string{"x/login/theme.properties": "styles=no.css"}, "there is no resources/no.css"},
		"style outside":    {map[string]string{"x/login/theme.properties": "styles=../theme.properties"}, "there is no resources/"},
		"nothing in it":    {map[string]string{"x/readme.txt": ""}, "neither a folder login nor a folder email"},
		"kind of file":     {map[string]string{"x/login/resources/x.html": ""}, "no kind of file that pages load"},
		"long file":        {map[string]string{"x/login/resources/x.css": strings.Repeat(" ", maxFile+1)}, "x.css is longer than"},
		"mail":             {map[string]string{"x/email/mail.html": "{{.Nonsense}}"}, "mail:1"},
		"built-in name":    {map[string]string{"keycloak/login/templates/terms.html": terms}, "no name for a theme"},
		"locale":           {map[string]string{"x/login/messages/messages_!!.properties": ""}, "messages_!!"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, c.files)
			began := time.Now()
			s, log := themed(t, dir, false)
			if !strings.Contains(strings.ReplaceAll(log.String(), `\"`, `"`), c.want) {
				t.Errorf("the log does not say %q:\n%s", c.want, log)
			}
			for _, theme := range []string{"x", "keycloak"} {
				if page := render(t, s, Request{Realm: Realm{Theme: theme}}, Terms{}); strings.Contains(page, "House rules") {
					t.Error("the theme is used")
				}
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// calls are templates that call each other ten times each, in so many layers.
func calls(layers int) string {
	var b strings.Builder
	b.WriteString(`{{template "0"}}{{end}}`)
	for i := range layers {
		b.WriteString(`{{define "` + string(rune('0'+i)) + `"}}` + strings.Repeat(`{{template "`+string(rune('1'+i))+`"}}`, 10) + `{{end}}`)
	}
	b.WriteString(`{{define "` + string(rune('0'+layers)) + `"}}`)
	return b.String()
}

// A zip file holds a theme at its top or in a folder of its name, and nothing that leads out of it.
func TestZippedThemes(t *testing.T) {
	pack := func(mode os.FileMode, files map[string]string) string {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for name, text := range files {
			h := &zip.FileHeader{Name: name, Method: zip.Deflate}
			h.SetMode(mode)
			w, err := z.CreateHeader(h)
			if err == nil {
				_, err = w.Write([]byte(text))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	good := map[string]string{"login/templates/terms.html": terms}
	for name, c := range map[string]struct {
		zip  string
		want string // "": it is good
	}{
		"top":       {pack(0o644, good), ""},
		"folder":    {pack(0o644, map[string]string{"x/login/templates/terms.html": terms}), ""},
		"slip":      {pack(0o644, map[string]string{"../x/login/templates/terms.html": terms}), "no path within a theme"},
		"absolute":  {pack(0o644, map[string]string{"/login/templates/terms.html": terms}), "no path within a theme"},
		"backslash": {pack(0o644, map[string]string{`login\..\..\x.html`: terms}), "no path within a theme"},
		"link":      {pack(os.ModeSymlink|0o777, map[string]string{"login/resources/x.css": "/etc/passwd"}), "no file but a link"},
		"bomb":      {pack(0o644, map[string]string{"login/resources/x.css": strings.Repeat(" ", 64<<20)}), "is longer than"},
		"no zip":    {"nonsense", "zip: not a valid zip file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, map[string]string{"x.zip": c.zip})
			s, log := themed(t, dir, false)
			used := strings.Contains(render(t, s, Request{Realm: Realm{Theme: "x"}}, Terms{}), "House rules")
			if used != (c.want == "") || !strings.Contains(log.String(), c.want) {
				t.Errorf("used: %v, log: %s", used, log)
			}
		})
	}
}

// A link in a theme's folder, or in its place, leads nowhere.
func TestLinkedThemes(t *testing.T) {
	outside := t.TempDir()
	put(t, outside, map[string]string{"login/templates/terms.html": terms, "secret.css": "secret"})
	for name, link := range map[string]string{
		"file": "x/login/resources/own.css", "folder": "x/login/resources", "theme": "x", "zip": "x.zip"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, map[string]string{"y/login/templates/terms.html": terms})
			at := filepath.Join(dir, filepath.FromSlash(link))
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			to := outside
			if strings.HasSuffix(link, ".css") {
				to = filepath.Join(outside, "secret.css")
			}
			if err := os.Symlink(to, at); err != nil {
				t.Skip("SKIP: no symbolic links here")
			}
			s, _ := themed(t, dir, false)
			if strings.Contains(render(t, s, Request{Realm: Realm{Theme: "x"}}, Terms{}), "House rules") {
				t.Error("the link was followed")
			}
			for _, file := range []string{"own.css", "secret.css"} {
				if _, ok := s.Resource("/0/login/x/" + file); ok {
					t.Errorf("%s is served", file)
				}
			}
			if !strings.Contains(render(t, s, Request{Realm: Realm{Theme: "y"}}, Terms{}), "House rules") {
				t.Error("the theme beside it is not used")
			}
		})
	}
}

// While somebody works on a theme each change is seen; a mistake leads back to the built-in theme until it is mended.
func TestLiveThemes(t *testing.T) {
	dir := t.TempDir()
	s, _ := themed(t, dir, true)
	look := func(want bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if strings.Contains(render(t, s, Request{Realm: Realm{Theme: "x"}}, Terms{}), "House rules") == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("used: %v", !want)
			}
		}
	}
	look(false)
	put(t, dir, map[string]string{"x/login/templates/terms.html": terms})
	look(true)
	put(t, dir, map[string]string{"x/login/templates/terms.html": terms + "{{if}}"})
	look(false)
	put(t, dir, map[string]string{"x/login/templates/terms.html": terms + " "})
	look(true)
}

func TestThemesAreDrawn(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string]string{"x/login/templates/terms.html": terms, "y/login/theme.properties": "parent=nobody"})
	list, err := CheckThemes(dir, "resources")
	if err != nil || len(list) != 2 || list[0].Err != nil || list[1].Err == nil {
		t.Fatalf("%+v %v", list, err)
	}
	files := map[string]string{}
	if err := list[0].Set.Preview(func(name string, body []byte) error { files[name] = string(body); return nil }); err != nil {
		t.Fatal(err)
	}
	for _, sample := range Samples() {
		if files[sample.Name+".html"] == "" {
			t.Errorf("no preview of %s", sample.Name)
		}
	}
	if !strings.Contains(files["terms.html"], "House rules") {
		t.Error("the preview is not the theme's")
	}
}
