package pages

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/magiconair/properties"
)

const fallbackLocale = "en"

// texts are the theme's texts: language tag, message key, pattern.
type texts map[string]map[string]string

func readTexts(files overlay) (texts, error) {
	names, err := files.names("messages")
	if err != nil {
		return nil, err
	}
	out := texts{}
	for _, name := range names {
		tag, ok := strings.CutPrefix(name, "messages_")
		tag, isBundle := strings.CutSuffix(tag, ".properties")
		if !ok || !isBundle {
			continue
		}
		tag = strings.ReplaceAll(tag, "_", "-")
		bundle := map[string]string{}
		for _, layer := range []fs.FS{files.lower, files.upper} {
			if layer == nil {
				continue
			}
			data, err := fs.ReadFile(layer, path.Join("messages", name))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			p, err := (&properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}).LoadBytes(data)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			for k, v := range p.Map() {
				bundle[k] = v
			}
		}
		out[tag] = bundle
	}
	return out, nil
}

// pattern looks for a text in the realm's own texts, in the language, in the language without its region, and in English.
func (s *Set) pattern(r *Request, key string) (string, bool) {
	if p, ok := r.Texts[key]; ok {
		return p, true
	}
	language, _, _ := strings.Cut(r.Locale, "-")
	for _, tag := range []string{r.Locale, language, fallbackLocale} {
		if p, ok := s.texts[tag][key]; ok {
			return p, true
		}
	}
	return "", false
}

// text is the text for a message key with its arguments; a key that is in no bundle is its own text, as in Keycloak's MessageFormatterMethod.
func (s *Set) text(r *Request, key string, args ...any) string {
	p, ok := s.pattern(r, key)
	if !ok {
		p = key
	}
	return format(p, args)
}

// format fills in {0}, {1}, ...; as in java.text.MessageFormat, an apostrophe quotes and two are one.
func format(pattern string, args []any) string {
	var out strings.Builder
	quoted := false
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\'' && i+1 < len(pattern) && pattern[i+1] == '\'':
			out.WriteByte(c)
			i++
		case c == '\'':
			quoted = !quoted
		case c == '{' && !quoted:
			end := strings.IndexByte(pattern[i:], '}')
			var n int
			if end > 0 {
				if _, err := fmt.Sscanf(pattern[i:i+end+1], "{%d}", &n); err == nil && n >= 0 && n < len(args) {
					fmt.Fprint(&out, args[n])
					i += end
					continue
				}
			}
			out.WriteByte(c)
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}
