package pages

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"latchkey/internal/i18n"
)

// functions are for templates; they are few, because a scene's methods know the language.
var functions = template.FuncMap{
	"link":    link,
	"picture": picture,
}

// A scene is what templates see as their dot: the request, the page's own view, and texts in the page's language.
type scene struct {
	Request
	View  View
	set   *Set
	texts *i18n.Messages
}

// Text is the text for a key.
func (s *scene) Text(key string, args ...any) string {
	return s.short(s.texts.Format(key, args...))
}

// Styles are the resources that pages link to besides login.css.
func (s *scene) Styles() []string { return s.set.styles }

// short leaves out a text that a theme has made long.
func (s *scene) short(text string) string {
	if s.set.limit > 0 && len(text) > maxText {
		return ""
	}
	return text
}

// LocaleName is what a language is called: in the page's language and, in
// brackets, in its own; once where both are the same. A realm's own text for it wins. Keycloak: LocaleBean.
func (s *scene) LocaleName(tag string) string {
	if name, ok := s.texts.Pattern("locale_" + tag); ok {
		return name
	}
	parsed, err := language.Parse(tag)
	if _, script, _ := parsed.Raw(); err != nil || script.String() != "Zzzz" {
		return tag // Oracle: login-locales/chinese
	}
	own := capital(languageName(parsed, parsed))
	page, err := language.Parse(s.texts.Locale())
	if err != nil {
		return own
	}
	here := capital(languageName(page, parsed))
	if here == own {
		return own
	}
	return here + " (" + own + ")"
}

// languageName is the name of a language in another, with its country: "Portuguese (Brazil)".
func languageName(in, of language.Tag) string {
	base, _, region := of.Raw()
	name := cmp.Or(nameBy(display.Languages(in), language.Make(base.String())), of.String())
	if region.String() != "ZZ" {
		name += " (" + cmp.Or(nameBy(display.Regions(in), region), region.String()) + ")"
	}
	return name
}

// nameBy is a name in one of Unicode's tables, "" where a language has no table.
func nameBy(table display.Namer, x any) string {
	if table == nil {
		return ""
	}
	return table.Name(x)
}

// Markup is the text for a key whose texts may contain markup. Arguments are text, whatever they contain.
func (s *scene) Markup(key string, args ...any) template.HTML {
	safe := make([]any, len(args))
	for i, a := range args {
		safe[i] = template.HTMLEscapeString(fmt.Sprint(a))
	}
	return sanitize(s.short(s.texts.Format(key, safe...)))
}

// Advanced resolves the ${key} of names and texts that administrators give to clients, attributes and scopes.
// Keycloak: AdvancedMessageFormatterMethod.
func (s *scene) Advanced(text string, args ...any) string {
	if key, ok := strings.CutPrefix(text, "${"); ok {
		if key, ok = strings.CutSuffix(key, "}"); ok {
			return s.Text(key, args...)
		}
	}
	if len(args) > 0 {
		return s.short(s.texts.Format(text, args...))
	}
	return text
}

// Date writes a time in the language of the page.
func (s *scene) Date(at time.Time) string {
	tag, err := language.Parse(s.texts.Locale())
	if err != nil {
		tag = language.English
	}
	return shortTime(tag, at.UTC()) + " UTC"
}

// Title is the title of the window, of all pages without one of their own.
func (s *scene) Title() string {
	name := s.Realm.DisplayName
	if name == "" {
		name = s.Realm.Name
	}
	if name == "" {
		return "Latchkey"
	}
	return s.Text("loginTitle", name)
}

// Brand is what stands above the page: the realm's own markup, its name, or the product's.
func (s *scene) Brand() template.HTML {
	switch {
	case s.Realm.DisplayNameHTML != "":
		return sanitize(s.Realm.DisplayNameHTML)
	case s.Realm.DisplayName != "":
		return template.HTML(template.HTMLEscapeString(s.Realm.DisplayName))
	case s.Realm.Name != "":
		return template.HTML(template.HTMLEscapeString(s.Realm.Name))
	}
	return "Latchkey"
}

// Direction is that of the page's script.
func (s *scene) Direction() string { return direction(s.texts) }

// Resource is the URL of a file of the theme.
func (s *scene) Resource(name string) (string, error) {
	r, ok := s.set.resources[name]
	if !ok {
		return "", fmt.Errorf("no resource %s", name)
	}
	return s.set.base + r.Path, nil
}

// UserLabel is what the field for the username is called. Keycloak: login.ftl.
func (s *scene) UserLabel() string {
	switch {
	case !s.Realm.LoginWithEmail:
		return s.Text("username")
	case !s.Realm.EmailAsUsername:
		return s.Text("usernameOrEmail")
	}
	return s.Text("email")
}

// ClientName is the client's name in the page's language, or its id.
func (s *scene) ClientName() string {
	if s.Client.Name != "" {
		return s.Advanced(s.Client.Name)
	}
	return s.Client.ID
}

// Alert is the notice above the form, or nil. There is none when a field of the page has an error, which stands beside the field; what is
// wrong
// with a field the page does not have is told in the notice. Pages made of attributes show only what concerns the page as a whole.
// Keycloak: FreeMarkerLoginFormsProvider.createCommonAttributes, displayMessage in the templates.
func (s *scene) Alert() *alert {
	p := s.View.page()
	if p.quiet || p.attributes && s.Message == nil {
		return nil
	}
	for _, e := range s.Errors {
		if slices.Contains(p.fields, e.Field) {
			return nil
		}
	}
	a := alert{Type: Problem}
	if s.Message != nil {
		a.Type = s.Message.Type
		if a.Type == "" {
			a.Type = Notice
		}
		if a.Type == Warning && s.AppInitiated {
			return nil
		}
		a.Lines = append(a.Lines, s.Text(s.Message.Key, s.Message.Args...))
	}
	if !p.attributes {
		for _, e := range s.Errors {
			a.Lines = append(a.Lines, s.Text(e.Key, s.errorArgs(e)...))
		}
	}
	if len(a.Lines) == 0 {
		return nil
	}
	return &a
}

type alert struct {
	Type  string
	Lines []string
}

// Role makes assistive technology read problems out at once.
func (a *alert) Role() string {
	if a.Type == Problem || a.Type == Warning {
		return "alert"
	}
	return "status"
}

// Summary is the text of the page's message, or empty.
func (s *scene) Summary() string {
	if s.Message == nil {
		return ""
	}
	return s.Text(s.Message.Key, s.Message.Args...)
}

// SummaryMarkup is the same where the reference lets texts contain markup.
func (s *scene) SummaryMarkup() template.HTML {
	if s.Message == nil {
		return ""
	}
	return s.Markup(s.Message.Key, s.Message.Args...)
}

// Error is what is wrong with the first of the fields that has an error.
func (s *scene) Error(fields ...string) string {
	for _, name := range fields {
		var lines []string
		for _, e := range s.Errors {
			if e.Field == name {
				lines = append(lines, s.Text(e.Key, s.errorArgs(e)...))
			}
		}
		if len(lines) > 0 {
			return strings.Join(lines, "\n")
		}
	}
	return ""
}

func (s *scene) errorArgs(e FieldError) []any {
	args := make([]any, len(e.Args))
	for i, a := range e.Args {
		if text, ok := a.(string); ok {
			a = s.Advanced(text)
		}
		args[i] = a
	}
	return args
}

// A field is an input with its label and error.
type field struct {
	*scene
	Name, Label, Value, Kind, Autocomplete, Error, ErrorID string
	Autofocus, Required                                    bool
}

// Field describes an input of type text. Words after its value change it: autofocus, required, kind=password, autocomplete=username,
// error=NAME for another field's error and id=ID for the error's id.
func (s *scene) Field(name, label, value string, words ...string) field {
	f := field{scene: s, Name: name, Label: label, Value: value, Kind: "text", Autocomplete: "off", Error: s.Error(name),
		ErrorID: "input-error-" + name}
	for _, w := range words {
		key, val, _ := strings.Cut(w, "=")
		switch key {
		case "autofocus":
			f.Autofocus = true
		case "required":
			f.Required = true
		case "kind":
			f.Kind = val
		case "autocomplete":
			f.Autocomplete = val
		case "error":
			f.Error = s.Error(strings.Split(val, ",")...)
		case "id":
			f.ErrorID = val
		}
	}
	return f
}

// Plain says that a phone must not put in capitals or corrections.
func (f field) Plain() bool { return f.Name == "username" }

// Numeric says that a phone's digit keys suffice.
func (f field) Numeric() bool { return f.Autocomplete == "one-time-code" }

// link lets applications' own schemes through, which html/template refuses, but nothing that runs in this page.
func link(to string) template.URL {
	u, err := url.Parse(to)
	if err != nil {
		return "#"
	}
	switch u.Scheme {
	case "javascript", "data", "vbscript", "blob":
		return "#"
	}
	return template.URL(u.String())
}

// RequiredMarks says that the page explains its asterisks.
func (s *scene) RequiredMarks() bool { return s.View.page().attributes }

// picture is a PNG as a data URL.
func picture(image []byte) template.URL {
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(image))
}
