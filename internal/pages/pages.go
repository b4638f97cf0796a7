package pages

import (
	"cmp"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"

	"latchkey/internal/i18n"
	"latchkey/internal/telemetry"
)

// Options say how pages are drawn.
type Options struct {
	// Themes are those that realms and clients may choose; nil: there are none.
	Themes *Themes
	// ResourcesPath is the URL path below which the door serves what [Set.Resource] returns, without a slash at its end.
	ResourcesPath string
}

// A Set is ready to draw every page, in the built-in theme or in one that the page's request names. It may be used from several goroutines.
type Set struct {
	templates map[string]*template.Template
	resources map[string]Resource
	styles    []string // resources that pages link to besides login.css
	catalog   *i18n.Catalog
	mails     *i18n.Catalog      // texts of mails
	mail      *template.Template // what is around the text of a mail in HTML
	base      string
	limit     int // bytes of a page; 0: any
	themes    *Themes
}

// New reads and parses the built-in theme, and those of Options.Themes. A theme with a mistake is left out, and logged.
func New(o Options) (*Set, error) {
	s, err := build(o.ResourcesPath, theme{})
	if err != nil {
		return nil, err
	}
	if s.themes = o.Themes; s.themes != nil {
		s.themes.base = o.ResourcesPath
		s.themes.load()
	}
	return s, nil
}

// build makes a Set of a theme, with what is built in beneath it.
func build(base string, t theme) (*Set, error) {
	s := &Set{templates: map[string]*template.Template{}, base: base, styles: t.styles}
	files := append(slices.Clip(t.login), embedded())
	var err error
	if s.resources, err = readResources(files, t.name); err != nil {
		return nil, fmt.Errorf("theme resources: %w", err)
	}
	translations, err := translated()
	if err != nil {
		return nil, fmt.Errorf("translations: %w", err)
	}
	if s.catalog, err = texts(files, translations, "account", "login", "login.v2"); err != nil {
		return nil, err
	}
	mails, err := fs.Sub(embedded(), "mails")
	if err == nil {
		err = s.loadMails(append(slices.Clip(t.email), mails), translations)
	}
	if err != nil {
		return nil, err
	}
	shared := template.New("").Option("missingkey=error").Funcs(functions)
	if t.name != "" {
		s.limit = maxPage
		shared = shared.Funcs(boundFunctions)
	}
	for _, name := range []string{"layout", "fields"} {
		if shared, err = parseFile(shared, files, name); err != nil {
			return nil, err
		}
	}
	for _, name := range templateNames {
		page, err := shared.Clone()
		if err == nil {
			page, err = parseFile(page, files, name)
		}
		if err == nil && t.name != "" {
			err = bounded(page, "page")
		}
		if err != nil {
			return nil, err
		}
		s.templates[name] = page
	}
	return s, nil
}

// texts are the messages of a theme, with the translations of others beneath them.
func texts(files layers, base fs.FS, beneath ...string) (*i18n.Catalog, error) {
	all, dirs := sides{}, make([]string, 0, len(files))
	for i, f := range slices.Backward(files) {
		name := strconv.Itoa(i)
		all[name], dirs = f, append(dirs, name+"/messages")
	}
	c, err := i18n.Load(all, dirs...)
	if err == nil {
		c, err = c.Beneath(base, beneath...)
	}
	if err != nil {
		return nil, fmt.Errorf("theme messages: %w", err)
	}
	return c, nil
}

func parseFile(t *template.Template, files fs.FS, name string) (*template.Template, error) {
	file := path.Join("templates", name+".html")
	text, err := fs.ReadFile(files, file)
	if err != nil {
		return nil, fmt.Errorf("theme template: %w", err)
	}
	if _, err := t.New(file).Parse(string(text)); err != nil {
		return nil, fmt.Errorf("theme template: %w", err)
	}
	return t, nil
}

// Texts are the messages of the pages, for doors that speak of the same things.
func (s *Set) Texts() *i18n.Catalog { return s.catalog }

// Render writes the page, in the theme of the request's client or realm. What a theme cannot draw is drawn without it. Nothing is written
// when that fails, too.
func (s *Set) Render(w io.Writer, r Request, v View) error {
	name := cmp.Or(r.Client.Theme, r.Realm.Theme)
	if t := s.themes.find(LoginTheme, name); t != nil {
		page, err := t.draw(r, v)
		if err == nil {
			_, err = w.Write(page)
			return err
		}
		s.themes.log.Error("a theme cannot draw a page", "theme", name, telemetry.KeyError, err)
	}
	page, err := s.draw(r, v)
	if err == nil {
		_, err = w.Write(page)
	}
	return err
}

func (s *Set) draw(r Request, v View) ([]byte, error) {
	name := v.page().template
	t, ok := s.templates[name]
	if !ok {
		return nil, fmt.Errorf("page %s: no template", name)
	}
	texts := s.catalog.Messages(r.Locale, r.Realm.DefaultLocale, r.Texts)
	r.Locale = texts.Locale()
	page := &limited{limit: s.limit}
	if err := t.ExecuteTemplate(page, "page", &scene{Request: r, View: v, set: s, texts: texts}); err != nil {
		return nil, fmt.Errorf("page %s: %w", name, err)
	}
	return page.Bytes(), nil
}
