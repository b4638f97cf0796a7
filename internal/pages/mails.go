package pages

import (
	"fmt"
	"html/template"
	"io/fs"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/language"

	"latchkey/internal/i18n"
	"latchkey/internal/telemetry"
)

// A Mail is the content of one mail to a user; every mail has its own type. Its texts
// have Keycloak's keys, and their arguments Keycloak's order.
type Mail interface {
	// texts are the keys of subject, text and HTML, and the arguments of each.
	texts(w *mailWriter) (keys mailKeys, args []any)
}

type mailKeys struct {
	subject, text, html string
	named               int // of the arguments, that the subject has, too: the first ones
}

// named are the keys of most mails.
func named(name string) mailKeys {
	return mailKeys{subject: name + "Subject", text: name + "Body", html: name + "BodyHtml"}
}

// VerificationMail has the link that verifies the address.
type VerificationMail struct {
	Link  string
	Valid time.Duration
}

// ResetMail has the link that resets a forgotten password.
type ResetMail struct {
	Link  string
	Valid time.Duration
}

// UpdateEmailMail has the link by which a new address takes the old one's place.
type UpdateEmailMail struct {
	Link    string
	Valid   time.Duration
	Address string
}

// ActionsMail has the link to the required actions that an administrator asks for.
type ActionsMail struct {
	Link    string
	Valid   time.Duration
	Actions []string // aliases
}

// EventMail tells of something that happened to the account.
type EventMail struct {
	Kind       string // of the event: LOGIN_ERROR
	At         time.Time
	Addr       string // IP address it came from
	Credential string // type of the credential it is about
}

// TestMail tells an administrator that the settings work.
type TestMail struct{}

func (m VerificationMail) texts(w *mailWriter) (mailKeys, []any) {
	return named("emailVerification"), []any{m.Link, minutes(m.Valid), w.realm, w.expiration(m.Valid)}
}

// LinkingMail has the link that links an account at an identity provider.
type LinkingMail struct {
	Link               string
	Valid              time.Duration
	Provider, Username string
}

func (m LinkingMail) texts(w *mailWriter) (mailKeys, []any) {
	keys := named("identityProviderLink")
	keys.named = 1
	return keys, []any{m.Provider, w.realm, m.Username, m.Link, minutes(m.Valid), w.expiration(m.Valid)}
}

func (m ResetMail) texts(w *mailWriter) (mailKeys, []any) {
	return named("passwordReset"), []any{m.Link, minutes(m.Valid), w.realm, w.expiration(m.Valid)}
}

func (m UpdateEmailMail) texts(w *mailWriter) (mailKeys, []any) {
	return named("emailUpdateConfirmation"), []any{m.Link, m.Address, w.realm, w.expiration(m.Valid)}
}

func (m ActionsMail) texts(w *mailWriter) (mailKeys, []any) {
	names := make([]string, len(m.Actions))
	for i, alias := range m.Actions {
		names[i] = w.texts.Format("requiredAction." + alias)
	}
	return named("executeActions"), []any{m.Link, minutes(m.Valid), w.realm, strings.Join(names, ", "), w.expiration(m.Valid)}
}

// Keycloak: FreeMarkerEmailTemplateProvider.sendEvent, templates event-*.ftl.
func (m EventMail) texts(w *mailWriter) (mailKeys, []any) {
	var name strings.Builder
	for word := range strings.SplitSeq(strings.ToLower(m.Kind), "_") {
		if word != "" {
			name.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	keys, at := named("event"+name.String()), shortTime(w.tag, m.At)
	switch m.Kind {
	case "UPDATE_CREDENTIAL", "REMOVE_CREDENTIAL":
		kind := m.Credential
		if kind == "" {
			kind = "unknown"
		}
		return keys, []any{kind, at, m.Addr}
	case "USER_DISABLED_BY_TEMPORARY_LOCKOUT", "USER_DISABLED_BY_PERMANENT_LOCKOUT":
		keys.html = "event" + name.String() + "Html"
		return keys, []any{at}
	}
	return keys, []any{at, m.Addr}
}

func (TestMail) texts(w *mailWriter) (mailKeys, []any) { return named("emailTest"), []any{w.realm} }

// A mailWriter is what mails see of whom they are for.
type mailWriter struct {
	texts *i18n.Messages
	tag   language.Tag
	realm string // name
}

// A Letter is a mail in words.
type Letter struct{ Subject, Text, HTML string }

// Mail writes a mail. Of the request it takes the realm, its texts and the language.
func (s *Set) Mail(r Request, m Mail) (Letter, error) {
	if t := s.themes.find(EmailTheme, r.Realm.EmailTheme); t != nil {
		letter, err := t.letter(r, m)
		if err == nil {
			return letter, nil
		}
		s.themes.log.Error("a theme cannot write a mail", "theme", r.Realm.EmailTheme, telemetry.KeyError, err)
	}
	return s.letter(r, m)
}

func (s *Set) letter(r Request, m Mail) (Letter, error) {
	w := &mailWriter{texts: s.mails.Messages(r.Locale, r.Realm.DefaultLocale, r.Texts), realm: r.Realm.DisplayName}
	w.tag, _ = language.Parse(w.texts.Locale())
	if w.realm == "" {
		w.realm = capital(r.Realm.Name)
	}
	keys, args := m.texts(w)
	safe := make([]any, len(args))
	for i, a := range args {
		safe[i] = a
		if text, ok := a.(string); ok {
			safe[i] = template.HTMLEscapeString(text)
		}
	}
	body := struct {
		Locale, Direction string
		Body              template.HTML
	}{w.texts.Locale(), direction(w.texts), sanitize(w.texts.Format(keys.html, safe...))}
	html := &limited{limit: s.limit}
	if err := s.mail.Execute(html, body); err != nil {
		return Letter{}, fmt.Errorf("mail %s: %w", keys.subject, err)
	}
	return Letter{Subject: w.texts.Format(keys.subject, args[:keys.named]...), Text: w.texts.Format(keys.text, args...),
		HTML: html.String()}, nil
}

func direction(texts *i18n.Messages) string {
	if texts.RightToLeft() {
		return "rtl"
	}
	return "ltr"
}

// capital is a realm's name as mails have it. Keycloak: ObjectUtil.capitalize.
func capital(name string) string {
	_, size := utf8.DecodeRuneInString(name)
	return strings.ToUpper(name[:size]) + name[size:]
}

func minutes(d time.Duration) int { return int(d / time.Minute) }

// expiration says for how long a link is good, in whole minutes or longer units.
// Keycloak: LinkExpirationFormatterMethod.
func (w *mailWriter) expiration(d time.Duration) string {
	unit, value := "seconds", minutes(d)*60
	for _, step := range []struct {
		unit string
		size int
	}{{"minutes", 60}, {"hours", 60}, {"days", 24}} {
		if value == 0 || value%step.size != 0 {
			break
		}
		unit, value = step.unit, value/step.size
	}
	const prefix = "linkExpirationFormatter.timePeriodUnit."
	key := prefix + unit
	if special := key + "." + strconv.Itoa(value); w.has(special) {
		key = special
	}
	return strconv.Itoa(value) + " " + w.texts.Format(key, value)
}

func (w *mailWriter) has(key string) bool { _, ok := w.texts.Pattern(key); return ok }

// shortTimes are how languages write a time shortly, as Java does. Others get it by ISO 8601.
var shortTimes = map[string]string{
	"en": "1/2/06, 3:04 PM", "de": "02.01.06, 15:04", "fr": "02/01/2006 15:04", "es": "2/1/06, 15:04", "pt": "02/01/2006, 15:04",
	"it": "02/01/06, 15:04",
	"ja": "2006/01/02 15:04", "zh": "2006/1/2 15:04", "nl": "02-01-2006 15:04",
}

func shortTime(tag language.Tag, at time.Time) string {
	base, _ := tag.Base()
	layout, ok := shortTimes[base.String()]
	if !ok {
		layout = "2006-01-02 15:04"
	}
	return at.Format(layout)
}

// loadMails reads the texts and the frame of mails.
func (s *Set) loadMails(files layers, base fs.FS) (err error) {
	if s.mails, err = texts(files, base, "email"); err != nil {
		return err
	}
	text, err := fs.ReadFile(files, "mail.html")
	if err != nil {
		return fmt.Errorf("theme template: %w", err)
	}
	if s.mail, err = template.New("mail").Option("missingkey=error").Funcs(boundFunctions).Parse(string(text)); err != nil {
		return fmt.Errorf("theme template: %w", err)
	}
	if err := bounded(s.mail, "mail"); err != nil {
		return err
	}
	return nil
}
