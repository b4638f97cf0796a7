package i18n

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/magiconair/properties"
	"golang.org/x/text/language"
)

// fallback is the locale that every chain ends with.
const fallback = "en"

// Catalog is message patterns by locale and key. Nothing of it changes, and it is safe for concurrent use.
type Catalog struct {
	bundles map[string]map[string]string
	beneath map[string]func() map[string]string // of whoever translated it, read when the locale is first asked for
}

// Load reads the files messages_<locale>.properties (UTF-8) of the folders, of which later ones win message by message: first the base
// theme's, then
// what is laid over it. Folders that do not exist are left out.
func Load(fsys fs.FS, dirs ...string) (*Catalog, error) {
	c := &Catalog{bundles: map[string]map[string]string{}}
	files, err := bundleFiles(fsys, dirs)
	if err != nil {
		return nil, err
	}
	for tag, names := range files {
		if c.bundles[tag], err = readBundle(fsys, names); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Beneath returns the catalog with the files of further folders under its own, as Load reads them: message by message they stand in for
// what the catalog lacks in a locale, before its parents do. Each locale is read when it is first asked for, since nobody speaks all of
// them;
// files that cannot be read then count as empty.
func (c *Catalog) Beneath(fsys fs.FS, dirs ...string) (*Catalog, error) {
	files, err := bundleFiles(fsys, dirs)
	if err != nil {
		return nil, err
	}
	out := &Catalog{bundles: c.bundles, beneath: map[string]func() map[string]string{}}
	for tag, names := range files {
		out.beneath[tag] = sync.OnceValue(func() map[string]string {
			bundle, err := readBundle(fsys, names)
			if err != nil {
				return nil
			}
			return bundle
		})
	}
	return out, nil
}

// bundleFiles are the files of each locale, in the order in which later ones win.
func bundleFiles(fsys fs.FS, dirs []string) (map[string][]string, error) {
	out := map[string][]string{}
	for _, dir := range dirs {
		files, err := fs.Glob(fsys, path.Join(dir, "messages_*.properties"))
		if err != nil {
			return nil, fmt.Errorf("i18n: %s: %w", dir, err)
		}
		for _, file := range files {
			name := strings.TrimSuffix(strings.TrimPrefix(path.Base(file), "messages_"), ".properties")
			tag, err := parseTag(name)
			if err != nil {
				return nil, fmt.Errorf("i18n: %s: %w", file, err)
			}
			out[tag.String()] = append(out[tag.String()], file)
		}
	}
	return out, nil
}

func readBundle(fsys fs.FS, files []string) (map[string]string, error) {
	bundle := map[string]string{}
	for _, file := range files {
		text, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, fmt.Errorf("i18n: %w", err)
		}
		p, err := Properties(text)
		if err != nil {
			return nil, fmt.Errorf("i18n: %s: %w", file, err)
		}
		maps.Copy(bundle, p)
	}
	return bundle, nil
}

// Properties reads the text of a .properties file in UTF-8.
func Properties(text []byte) (map[string]string, error) {
	p, err := (&properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}).LoadBytes(text)
	if err != nil {
		return nil, err
	}
	return p.Map(), nil
}

// Locales lists the locales that there are bundles for, as BCP 47 tags.
func (c *Catalog) Locales() []string {
	all := slices.AppendSeq(slices.Collect(maps.Keys(c.bundles)), maps.Keys(c.beneath))
	slices.Sort(all)
	return slices.Compact(all)
}

// scripts are the locales whose parent is a script: realms say the country, translations the script. Keycloak: LocaleUtil.
var scripts = map[string]string{"zh-CN": "zh-Hans", "zh-TW": "zh-Hant"}

// Speaks reports whether there is a bundle for a locale itself, under whichever name.
func (c *Catalog) Speaks(locale string) bool {
	tag, err := parseTag(locale)
	if err != nil {
		return false
	}
	return slices.ContainsFunc([]string{tag.String(), scripts[tag.String()]}, func(name string) bool {
		return c.bundles[name] != nil ||
			c.beneath[name] != nil
	})
}

// Messages is the view of a catalog for one locale.
type Messages struct {
	tag   language.Tag
	chain []map[string]string
}

// Messages returns the view for a locale: its own messages, those of its parents (pt-BR, pt), then those of the realm's default locale and
// of its parents,
// then English. At each of these, texts (a realm's localization texts, by locale and key; may be nil) win over the catalog.
func (c *Catalog) Messages(locale, realmDefault string, texts map[string]map[string]string) *Messages {
	m := &Messages{tag: language.English}
	if tag, err := parseTag(locale); err == nil {
		m.tag = tag
	}
	seen := map[string]bool{}
	for _, start := range []string{locale, realmDefault, fallback} {
		tag, err := parseTag(start)
		if err != nil {
			continue
		}
		for name := tag.String(); name != "" && !seen[name]; {
			seen[name] = true
			layers := []map[string]string{texts[name], c.bundles[name]}
			if read := c.beneath[name]; read != nil {
				layers = append(layers, read())
			}
			for _, layer := range layers {
				if layer != nil {
					m.chain = append(m.chain, layer)
				}
			}
			cut := strings.LastIndexByte(name, '-')
			if script := scripts[name]; script != "" {
				name = script
			} else {
				name = name[:max(cut, 0)]
			}
		}
	}
	return m
}

// Locale is the view's locale as a BCP 47 tag.
func (m *Messages) Locale() string { return m.tag.String() }

// RightToLeft reports whether the locale is written from right to left.
func (m *Messages) RightToLeft() bool {
	script, _ := m.tag.Script()
	return slices.Contains([]string{"Arab", "Hebr", "Syrc", "Thaa", "Nkoo"}, script.String())
}

// Pattern returns the pattern of a key and whether there is one.
func (m *Messages) Pattern(key string) (string, bool) {
	for _, layer := range m.chain {
		if p, ok := layer[key]; ok {
			return p, true
		}
	}
	return "", false
}

// Format returns the message of a key with its arguments. A key without a message is its own pattern, as in Keycloak's templates; a
// pattern that is
// broken is shown as it is, since a page with one odd line is better than none.
func (m *Messages) Format(key string, args ...any) string {
	pattern, ok := m.Pattern(key)
	if !ok {
		pattern = key
	}
	out, err := Format(m.tag, pattern, args...)
	if err != nil {
		return pattern
	}
	return out
}

// All returns every pattern by key, for those who format in the browser.
func (m *Messages) All() map[string]string {
	all := map[string]string{}
	for _, layer := range slices.Backward(m.chain) {
		maps.Copy(all, layer)
	}
	return all
}
