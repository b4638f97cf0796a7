package login

import (
	"bytes"
	"net/http"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/authn/steps"
	"latchkey/internal/i18n"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/web"
)

// chooseLocale picks the language of pages, and keeps what the user picked.
// Keycloak: DefaultLocaleSelectorProvider.
func (a *attempt) chooseLocale() {
	l := a.realm.Locale
	if !l.Enabled {
		a.locale = "en"
		return
	}
	picked := a.query.Get("kc_locale")
	if picked != "" {
		a.cookies.Set(a.w, web.CookieLocale, picked)
	}
	wishes := append([]string{picked, a.query.Get("ui_locales"), web.CookieValue(a.r, web.CookieLocale)}, i18n.AcceptLanguage(a.r.Header.Get("Accept-Language"))...)
	a.locale = i18n.Choose(l.Supported, l.Default, wishes...)
}

// request is what all pages have in common.
func (a *attempt) request() pages.Request {
	q := pages.Request{Locale: a.locale}
	if a.realm == nil {
		return q
	}
	r := &a.realm.Realm
	q.Realm = pages.Realm{Name: r.Name, DisplayName: r.DisplayName, DisplayNameHTML: r.DisplayNameHTML, DefaultLocale: r.Locale.Default,
		LoginWithEmail: r.Login.LoginWithEmail, EmailAsUsername: r.Login.RegistrationEmailAsUsername, DuplicateEmails: r.Login.DuplicateEmails,
		RegistrationAllowed: r.Login.Registration, ResetPassword: r.Login.ResetPassword, RememberMe: r.Login.RememberMe}
	q.Texts = r.Locale.Texts
	if r.Locale.Enabled && len(r.Locale.Supported) > 1 && a.r.Method == http.MethodGet {
		for _, tag := range r.Locale.Supported {
			u := *a.r.URL
			v := u.Query()
			v.Set("kc_locale", tag)
			u.RawQuery = v.Encode()
			q.Locales = append(q.Locales, pages.Locale{Tag: tag, Label: tag, URL: u.RequestURI()})
		}
	}
	if c := a.client; c != nil {
		q.Client = pages.Client{ID: c.ClientID, Name: c.Name, BaseURL: baseURL(c.RootURL, c.BaseURL, a.base), LogoURI: c.Attr("logoUri"), PolicyURI: c.Attr("policyUri"), TermsURI: c.Attr("tosUri")}
	}
	return q
}

// baseURL is where "back to the application" leads.
// Keycloak: ResolveRelative.resolveRelativeUri.
func baseURL(root, base, realm string) string {
	server, _, _ := strings.Cut(realm, "/realms/")
	root = strings.NewReplacer("${authBaseUrl}", server, "${authAdminUrl}", server).Replace(root)
	if base == "" || !strings.HasPrefix(base, "/") {
		return base
	}
	if root != "" {
		return strings.TrimSuffix(root, "/") + base
	}
	return server + base
}

// showPage shows a page of the login: its form goes to the execution.
func (a *attempt) showPage(p authn.Page, path, execution string, more func(*pages.Request)) {
	code, err := a.sessionCode()
	if err != nil {
		a.broken(err)
		return
	}
	data, err := a.clientData("")
	if err != nil {
		a.broken(err)
		return
	}
	q := a.request()
	place := []string{"client_id", a.client.ClientID, "tab_id", a.tab.ID, "client_data", data}
	q.URLs = pages.URLs{
		Action:           a.url(path, append([]string{"session_code", code, "execution", execution}, place...)...),
		Restart:          a.url("restart", append(place, "skip_logout", "false")...),
		Login:            a.url(authn.PathAuthenticate, place...),
		Registration:     a.url(authn.PathRegistration, place...),
		ResetCredentials: a.url(authn.PathReset, place...),
	}
	if a.run != nil && a.run.User != nil && path == authn.PathAuthenticate {
		if q.AttemptedUsername = a.run.Note(steps.NoteAttempted); q.AttemptedUsername == "" {
			q.AttemptedUsername = a.run.User.Username
		}
	}
	for _, e := range p.Errors {
		q.Errors = append(q.Errors, pages.FieldError{Field: e.Field, Key: e.Key, Args: e.Params})
	}
	q.Message = pageMessage(p.Message)
	if more != nil {
		more(&q)
	}
	status := p.Status
	if status == 0 {
		status = http.StatusOK
	}
	view, ok := p.View.(pages.View)
	if !ok {
		a.failed(&authn.FlowError{Code: authn.InternalError, Provider: execution})
		return
	}
	a.write(status, q, view)
}

func pageMessage(m *authn.Message) *pages.Message {
	if m == nil {
		return nil
	}
	return &pages.Message{Type: m.Tone, Key: m.Key, Args: m.Params}
}

// show shows a page that belongs to no execution.
func (a *attempt) show(status int, view pages.View, m *authn.Message, errs []authn.FieldError, urls func(*pages.URLs)) {
	q := a.request()
	q.Message = pageMessage(m)
	for _, e := range errs {
		q.Errors = append(q.Errors, pages.FieldError{Field: e.Field, Key: e.Key, Args: e.Params})
	}
	if urls != nil {
		urls(&q.URLs)
	}
	a.write(status, q, view)
}

// errorPage is the door's one writer of errors that users are told about.
func (a *attempt) errorPage(status int, key string, params ...any) {
	a.show(status, pages.Error{SkipLink: a.client == nil}, &authn.Message{Tone: pages.Problem, Key: key, Params: params}, nil, nil)
}

// broken answers a fault of the server, and logs it.
func (a *attempt) broken(err error) {
	a.h.Log.ErrorContext(a.ctx, "login failed", "path", a.r.URL.Path, "err", err)
	if realms.Unavailable(err) {
		a.w.Header().Set("Retry-After", "1")
		web.WriteStatus(a.w, http.StatusServiceUnavailable)
		return
	}
	if a.realm == nil {
		web.WriteInternal(a.w, a.r)
		return
	}
	a.write(http.StatusInternalServerError, a.withMessage("unexpectedErrorHandlingRequestMessage"), pages.Error{ID: web.RequestOf(a.r).ID})
}

func (a *attempt) withMessage(key string) pages.Request {
	q := a.request()
	q.Message = &pages.Message{Type: pages.Problem, Key: key}
	return q
}

func (a *attempt) write(status int, q pages.Request, view pages.View) {
	var b bytes.Buffer
	if err := a.h.Pages.Render(&b, q, view); err != nil {
		a.h.Log.ErrorContext(a.ctx, "page not drawn", "path", a.r.URL.Path, "err", err)
		web.WriteInternal(a.w, a.r)
		return
	}
	h := a.w.Header()
	h.Set("Content-Type", "text/html;charset=utf-8")
	var headers map[string]string
	if a.realm != nil {
		headers = a.realm.SecurityHeaders
		h.Set("Content-Language", a.locale)
	}
	web.SecurityHeaders(h, headers, "text/html")
	a.w.WriteHeader(status)
	_, _ = a.w.Write(b.Bytes())
}
