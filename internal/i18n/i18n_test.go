package i18n

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/text/language"
)

// testdata/messageformat.tsv holds what java.text.MessageFormat (17) made of patterns: locale, pattern, the result quoted or ERR.
func TestFormatIsJavas(t *testing.T) {
	raw, err := os.ReadFile("testdata/messageformat.tsv")
	if err != nil {
		t.Fatal(err)
	}
	args := []any{"A", "B", 1234567, 2.5, -1.23456, 0, 1, nil}
	for line := range strings.Lines(string(raw)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		got, err := Format(language.Make(f[0]), f[1], args...)
		if err != nil {
			if !errors.Is(err, ErrPattern) {
				t.Errorf("%s: %v", f[1], err)
			}
			got = "ERR"
		} else {
			got = `"` + got + `"`
		}
		if got != f[2] {
			t.Errorf("%s %s: %s, want %s (%v)", f[0], f[1], got, f[2], err)
		}
	}
	for _, bad := range []string{"{0,date}", "{2,number,percent}", strings.Repeat("{0,choice,0#", 9)} {
		if _, err := Format(language.English, bad, args...); !errors.Is(err, ErrPattern) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := Format(language.English, "{0,choice,0#{0,choice,0#{0,choice,0#{0,choice,0#{0,choice,0#x}}}}}", 1); err != nil {
		t.Errorf("nested: %v", err)
	}
}

func testCatalog(t *testing.T) *Catalog {
	t.Helper()
	c, err := Load(fstest.MapFS{
		"base/messages_en.properties": {Data: []byte("# encoding: UTF-8\nhello=Hello {0}\nonly=English only\nraw=${properties.x} " +
			"{0}\nit=it''s $x \\\n  long\n!c\nsep:with colon\nbroken={0\ncount={0}\n")},
		"base/messages_de.properties":    {Data: []byte("hello=Hallo {0}\nschön=schön\\u00e9\n")},
		"base/messages_pt.properties":    {Data: []byte("hello=Olá {0}\nda=de\n")},
		"base/messages_pt_BR.properties": {Data: []byte("hello=Oi {0}\n")},
		"mine/messages_en.properties":    {Data: []byte("only=Mine\n")},
		"mine/other.properties":          {Data: []byte("only=No\n")},
	}, "base", "mine", "absent")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMessages(t *testing.T) {
	c := testCatalog(t)
	if got := c.Locales(); !slices.Equal(got, []string{"de", "en", "pt", "pt-BR"}) {
		t.Error(got)
	}
	texts := map[string]map[string]string{"pt": {"hello": "Salve {0}", "mine": "meu"}, "en": {"broken": "mended"}}
	for _, x := range []struct {
		locale, realmDefault string
		texts                map[string]map[string]string
		key                  string
		args                 []any
		want                 string
	}{
		{"de", "", nil, "hello", []any{"Ann"}, "Hallo Ann"},
		{"de", "", nil, "only", nil, "Mine"},
		{"de", "", nil, "schön", nil, "schöné"},
		{"de-AT", "", nil, "hello", []any{"Ann"}, "Hallo Ann"},
		{"pt-BR", "", nil, "hello", []any{"Ann"}, "Oi Ann"},
		{"pt_BR", "", nil, "da", nil, "de"},
		{"fr", "de", nil, "hello", []any{"Ann"}, "Hallo Ann"},
		{"fr", "fr", nil, "hello", []any{"Ann"}, "Hello Ann"},
		{"", "", nil, "hello", []any{"Ann"}, "Hello Ann"},
		{"en", "", nil, "it", nil, "it's $x long"},
		{"en", "", nil, "sep", nil, "with colon"},
		{"en", "", nil, "raw", []any{"x"}, "${properties.x} {0}"}, // not expanded; no pattern of Java's either
		{"en", "", nil, "no such key", nil, "no such key"},
		{"en", "", nil, "broken", []any{"x"}, "{0"},
		{"en", "", nil, "count", []any{12345}, "12,345"},
		{"de", "", nil, "count", []any{12345}, "12.345"},
		// A realm's texts win at their own level of the chain, not above it.
		{"pt-BR", "", texts, "hello", []any{"Ann"}, "Oi Ann"},
		{"pt", "", texts, "hello", []any{"Ann"}, "Salve Ann"},
		{"pt-BR", "", texts, "mine", nil, "meu"},
		{"de", "", texts, "broken", nil, "mended"},
	} {
		if got := c.Messages(x.locale, x.realmDefault, x.texts).Format(x.key, x.args...); got != x.want {
			t.Errorf("%s (%s) %s: %q, want %q", x.locale, x.realmDefault, x.key, got, x.want)
		}
	}
	m := c.Messages("pt-BR", "de", texts)
	if all := m.All(); all["hello"] != "Oi {0}" || all["mine"] != "meu" || all["only"] != "Mine" || all["schön"] != "schöné" ||
		len(all) != 10 {
		t.Errorf("%d: %v", len(all), all)
	}
	if m.Locale() != "pt-BR" || m.RightToLeft() || !c.Messages("ar", "", nil).RightToLeft() {
		t.Error("locale or direction")
	}
	if _, err := Load(fstest.MapFS{"messages_?.properties": {}}, "."); err == nil {
		t.Error("a bundle for no locale")
	}
}

// Keycloak: DefaultLocaleSelectorProvider.findBestMatchingLocale and resolveLocale.
func TestChoose(t *testing.T) {
	supported := []string{"en", "de", "pt", "pt-BR", "en-US", "fr-CA", "zh-Hans", "zh-Hant"}
	for _, c := range []struct {
		realmDefault string
		wishes       []string
		want         string
	}{
		{"", nil, "en"},
		{"de", nil, "de"},
		{"de", []string{"", "xx", "it es"}, "de"},
		{"", []string{"de"}, "de"},
		{"", []string{"de-AT"}, "de"},
		{"", []string{"pt-BR"}, "pt-BR"},
		{"", []string{"pt_BR"}, "pt-BR"},
		{"", []string{"pt-PT"}, "pt"},
		{"", []string{"pt"}, "pt"},
		{"", []string{"en-US"}, "en-US"},
		{"", []string{"fr"}, "fr-CA"},
		{"", []string{"fr-FR"}, "en"},
		{"", []string{"zh-Hant"}, "zh-Hant"},
		{"", []string{"zh-TW"}, "zh-Hans"},
		{"", []string{"it de pt"}, "de"},            // ui_locales, in order
		{"", []string{"", "pt", "de"}, "pt"},        // the first wish that is answered
		{"de", []string{"../../x", "%", "_"}, "de"}, // whatever a cookie says
	} {
		if got := Choose(supported, c.realmDefault, c.wishes...); got != c.want {
			t.Errorf("%q of %v: %s, want %s", c.realmDefault, c.wishes, got, c.want)
		}
	}
	for header, want := range map[string][]string{
		"de-CH, fr;q=0.9, en;q=0.8": {"de-CH", "fr", "en"},
		"en;q=0.1, pt-BR":           {"pt-BR", "en"},
		"":                          nil,
		"de;q=x":                    nil,
		"?":                         nil,
	} {
		if got := AcceptLanguage(header); !slices.Equal(got, want) {
			t.Errorf("%q: %v", header, got)
		}
	}
	if got := Choose(supported, "", AcceptLanguage("it, de-CH;q=0.9, en;q=0.8")...); got != "de" {
		t.Error(got)
	}
}

func FuzzFormat(f *testing.F) {
	raw, err := os.ReadFile("testdata/messageformat.tsv")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		f.Add(strings.Split(line, "\t")[1])
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		out, err := Format(language.English, pattern, "A", 2, 3.5)
		if err != nil && !errors.Is(err, ErrPattern) {
			t.Error(err)
		}
		if err == nil && !strings.ContainsAny(pattern, "{'") && out != pattern {
			t.Errorf("%q became %q", pattern, out)
		}
	})
}

// Bundles come from administrators: whatever they hold, loading ends with a catalog or an error.
func FuzzLoad(f *testing.F) {
	f.Add([]byte("a=b\nc:\\u00e9 \\\n d\n#x\n!y\n"))
	f.Add([]byte("a=${a}\n\\u12"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Load(fstest.MapFS{"messages_en.properties": {Data: text}}, ".")
		if err == nil {
			c.Messages("en", "", nil).Format("a", 1)
		}
	})
}
