package pages

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"

	"latchkey/internal/i18n"
)

// Options say how pages are drawn.
type Options struct {
	// Theme replaces embedded files, each by its path: templates/login.html, resources/login.css, messages/messages_de.properties.
	// Texts are merged by key. Nil means the embedded theme as it is.
	Theme fs.FS
	// ResourcesPath is the URL path below which the door serves what [Set.Resource] returns, without a slash at its end.
	ResourcesPath string
}

// A Set is a theme that is ready to draw every page. It does not change and may be used from several goroutines.
type Set struct {
	templates map[string]*template.Template
	resources map[string]Resource
	catalog   *i18n.Catalog
	mails     *i18n.Catalog      // texts of mails
	mail      *template.Template // what is around the text of a mail in HTML
	base      string
}

// New reads and parses the theme. It reports a template that is missing or does not parse, so that a broken theme stops the start and not a
// login.
func New(o Options) (*Set, error) {
	files := overlay{o.Theme, embedded()}
	s := &Set{templates: map[string]*template.Template{}, base: o.ResourcesPath}
	var err error
	if s.resources, err = readResources(files); err != nil {
		return nil, fmt.Errorf("theme resources: %w", err)
	}
	base, err := translated()
	if err != nil {
		return nil, fmt.Errorf("translations: %w", err)
	}
	if s.catalog, err = texts(files, base, "messages", "account", "login", "login.v2"); err != nil {
		return nil, err
	}
	if err = s.loadMails(files, base); err != nil {
		return nil, err
	}
	shared := template.New("").Option("missingkey=error").Funcs(functions)
	for _, name := range []string{"layout", "fields"} {
		if shared, err = parse(shared, files, name); err != nil {
			return nil, err
		}
	}
	for _, name := range templateNames {
		page, err := shared.Clone()
		if err == nil {
			page, err = parse(page, files, name)
		}
		if err != nil {
			return nil, err
		}
		s.templates[name] = page
	}
	return s, nil
}

// texts are the messages of a folder of the theme, with the translations of others beneath them.
func texts(files overlay, base fs.FS, dir string, beneath ...string) (*i18n.Catalog, error) {
	c, err := i18n.Load(sides{"lower": files.lower, "upper": files.upper}, "lower/"+dir, "upper/"+dir)
	if err == nil {
		c, err = c.Beneath(base, beneath...)
	}
	if err != nil {
		return nil, fmt.Errorf("theme messages: %w", err)
	}
	return c, nil
}

func parse(t *template.Template, files fs.FS, name string) (*template.Template, error) {
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

// Render writes the page. Nothing is written when the template fails.
func (s *Set) Render(w io.Writer, r Request, v View) error {
	name := v.page().template
	t, ok := s.templates[name]
	if !ok {
		return fmt.Errorf("page %s: no template", name)
	}
	texts := s.catalog.Messages(r.Locale, r.Realm.DefaultLocale, r.Texts)
	r.Locale = texts.Locale()
	var page bytes.Buffer
	if err := t.ExecuteTemplate(&page, "page", &scene{Request: r, View: v, set: s, texts: texts}); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	_, err := w.Write(page.Bytes())
	return err
}
