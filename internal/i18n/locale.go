package i18n

import (
	"fmt"
	"strings"

	"golang.org/x/text/language"
)

// parseTag takes BCP 47 tags and Java's spelling with underscores. Nothing is replaced by a newer or more usual tag: files and realms must
// agree to the letter.
func parseTag(s string) (language.Tag, error) {
	tag, err := language.Raw.Parse(strings.ReplaceAll(s, "_", "-"))
	if err != nil || tag == language.Und {
		return language.Und, fmt.Errorf("i18n: %q is no locale", s)
	}
	return tag, nil
}

// AcceptLanguage returns the tags of an Accept-Language header, the most wanted first; nothing if it is malformed.
func AcceptLanguage(header string) []string {
	tags, _, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return nil
	}
	var out []string
	for _, t := range tags {
		out = append(out, t.String())
	}
	return out
}

// Choose returns the supported locale that answers the first wish that any can answer, in the spelling of the list. Each wish is one or
// more tags
// with spaces between: what the user picked, what the profile says, ui_locales, the cookie; then the tags of Accept-Language. Without an
// answer it is the
// realm's default, or else English (Keycloak: DefaultLocaleSelectorProvider.resolveLocale).
func Choose(supported []string, realmDefault string, wishes ...string) string {
	for _, wish := range wishes {
		for _, w := range strings.Fields(wish) {
			if found := match(supported, w); found != "" {
				return found
			}
		}
	}
	if realmDefault != "" {
		return realmDefault
	}
	return fallback
}

// match is Keycloak's findBestMatchingLocale: the same language, and the same country or one of the two without; an equal country is
// better. We
// prefer a locale that is wished for literally, where Keycloak could take another script of the same language.
func match(supported []string, wish string) string {
	want, err := parseTag(wish)
	if err != nil {
		return ""
	}
	wantBase, wantCountry := parts(want)
	best, bestCountry := "", ""
	for _, s := range supported {
		tag, err := parseTag(s)
		if err != nil {
			continue
		}
		if tag == want {
			return s
		}
		base, country := parts(tag)
		if base != wantBase || country != wantCountry && country != "" && wantCountry != "" {
			continue
		}
		if best == "" || country == wantCountry && bestCountry != wantCountry {
			best, bestCountry = s, country
		}
	}
	return best
}

func parts(t language.Tag) (base, country string) {
	b, _, r := t.Raw()
	if country = r.String(); country == "ZZ" { // the region of tags that have none
		country = ""
	}
	return b.String(), country
}
