package pages

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"latchkey/internal/i18n"
)

var languages = flag.Bool("languages", false, "write the table of doc/languages.md anew")

const (
	languagesBegin = "<!-- languages -->\n"
	languagesEnd   = "<!-- end of languages -->\n"
)

// The list of what is translated is kept in the repository: the texts are not.
func TestLanguages(t *testing.T) {
	base, err := translated()
	if err != nil {
		t.Fatal(err)
	}
	count := func(dir string, beneath ...string) map[string][]string {
		c, err := i18n.Load(base, beneath...)
		if err != nil {
			t.Fatal(err)
		}
		own, err := i18n.Load(embedded(), dir)
		if err != nil {
			t.Fatal(err)
		}
		english := own.Messages("en", "en", nil).All()
		out := map[string][]string{}
		for _, locale := range c.Locales() {
			out[locale] = nil
			theirs := c.Messages(locale, locale, nil)
			mine := own.Messages(locale, locale, nil)
			for key, text := range english {
				a, _ := theirs.Pattern(key)
				b, _ := mine.Pattern(key)
				if locale != "en" && (a == "" || a == text) && (b == "" || b == text) {
					out[locale] = append(out[locale], key)
				}
			}
		}
		out[""] = slices.Sorted(maps.Keys(english))
		return out
	}
	pages, mails := count("messages", "account", "login", "login.v2"), count("mails/messages", "email")
	if len(pages) < 2 {
		t.Skip("the translations are not there: packaging/translations/get fetches them")
	}
	var b strings.Builder
	b.WriteString("| Locale | texts of pages that are English (of " + fmt.Sprint(len(pages[""])) + ") | texts of mails (of " +
		fmt.Sprint(len(mails[""])) + ") |\n|---|---|---|\n")
	for _, locale := range slices.Sorted(maps.Keys(pages)) {
		if locale != "" {
			fmt.Fprintf(&b, "| `%s` | %d | %d |\n", locale, len(pages[locale]), len(mails[locale]))
		}
	}
	const file = "../../doc/languages.md"
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(doc), languagesBegin)
	table, after, ended := strings.Cut(rest, languagesEnd)
	if !ok || !ended {
		t.Fatalf("%s has no table", file)
	}
	if *languages {
		if err := os.WriteFile(file, []byte(before+languagesBegin+b.String()+languagesEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if table != b.String() {
		t.Errorf("%s is out of date: go test ./internal/pages -run TestLanguages -languages", file)
	}
	// The languages in which our own texts are written lack none of them.
	own, err := i18n.Load(embedded(), "messages")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := i18n.Load(base, "account", "login", "login.v2")
	if err != nil {
		t.Fatal(err)
	}
	keycloak := theirs.Messages("en", "en", nil).All()
	for _, locale := range own.Locales() {
		mine := own.Messages(locale, locale, nil).All()
		for _, key := range pages[""] {
			if _, known := keycloak[key]; !known && key != "warningAlert" && // which Keycloak's template says in English in every language
				locale != "en" && mine[key] == own.Messages("en", "en", nil).All()[key] {
				t.Errorf("%s: %s is not translated", locale, key)
			}
		}
	}
}
