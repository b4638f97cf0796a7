package login

import (
	"bytes"
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/authn/actions"
	"latchkey/internal/authn/steps"
	"latchkey/internal/authn/tabs"
	"latchkey/internal/i18n"
	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/telemetry"
	"latchkey/internal/web"
)

// chooseLocale picks the language of pages: what the user picked in this login
// or has in the profile, what the client asked for, then the browser's.
// Keycloak: DefaultLocaleSelectorProvider.
func (a *attempt) chooseLocale() string {
	l := a.realm.Locale
	if !l.Enabled {
		return "en"
	}
	picked, own := a.language, ""
	if a.tab != nil {
		picked = a.tab.Notes[tabs.NoteLocale]
	}
	if a.run != nil && a.run.User != nil {
		own = a.run.User.Attr("locale")
	}
	return i18n.Choose(l.Supported, l.Default, append([]string{picked, own}, a.wishes()...)...)
}

// wishes are the languages that client and browser ask for.
func (a *attempt) wishes() []string {
	asked := ""
	if a.tab != nil {
		asked = a.tab.Request.UILocales
	}
	return append([]string{asked, web.CookieValue(a.r, web.CookieLocale)}, i18n.AcceptLanguage(a.r.Header.Get("Accept-Language"))...)
}

// pickLocale keeps the language that the user picks, for the pages of this
// login and, as a cookie, for others. Keycloak: LocaleUtil.processLocaleParam.
func (a *attempt) pickLocale() {
	picked := a.query.Get("kc_locale")
	if picked == "" || !a.realm.Locale.Enabled {
		return
	}
	a.cookies.Set(a.w, web.CookieLocale, picked)
	if a.tab.Notes == nil {
		a.tab.Notes = map[string]string{}
	}
	a.tab.Notes[tabs.NoteLocale], a.picked = picked, true
}

// localeCookie brings the cookie in line with the language that the user has,
// in a realm that keeps it.
func (a *attempt) localeCookie() {
	if locale, due := actions.KeptLocale(a.run); due {
		a.cookies.Put(a.w, a.r, web.CookieLocale, locale)
	}
}

// locales are the languages of the realm, each with the page's address in it.
func (a *attempt) locales(at *url.URL) (list []pages.Locale) {
	r := &a.realm.Realm
	if !r.Locale.Enabled || len(r.Locale.Supported) < 2 {
		return nil
	}
	for _, tag := range r.Locale.Supported {
		u := *at
		v := u.Query()
		v.Set("kc_locale", tag)
		u.RawQuery = v.Encode()
		list = append(list, pages.Locale{Tag: tag, URL: u.String()})
	}
	return list
}

// here is the page's address where a link may lead to it: without what was posted.
func (a *attempt) here() *url.URL {
	if a.r.Method == http.MethodGet {
		return a.r.URL
	}
	return &url.URL{Path: a.r.URL.Path}
}

// request is what all pages have in common; at is where the page is to be had in other languages.
func (a *attempt) request(at *url.URL) pages.Request {
	if a.realm == nil {
		return pages.Request{}
	}
	r := &a.realm.Realm
	q := pages.Request{Realm: pages.RealmOf(r), Locale: a.chooseLocale(), Texts: r.Locale.Texts, Locales: a.locales(at)}
	if c := a.client; c != nil {
		server, _, _ := strings.Cut(a.base, "/realms/")
		q.Client = pages.Client{ID: c.ClientID, Name: c.Name, BaseURL: c.Home(server), LogoURI: c.Attr("logoUri"), PolicyURI: c.Attr("policyUri"),
			TermsURI: c.Attr("tosUri"), Theme: c.Attr("login_theme")}
	}
	return q
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
	place := []string{"client_id", a.client.ClientID, "tab_id", a.tab.ID, "client_data", data}
	// The address that the page was asked at may be a form's, or the authorization request's, which no language is picked by.
	// Keycloak: FreeMarkerLoginFormsProvider.createCommonAttributes.
	at, err := url.Parse(a.url(path, append([]string{"execution", execution}, place...)...))
	if err != nil {
		a.broken(err)
		return
	}
	q := a.request(at)
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
	q := a.request(a.here())
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
	view, m := pages.Error{SkipLink: a.client == nil, Support: a.support}, &authn.Message{Tone: pages.Problem, Key: key, Params: params}
	if a.tab == nil {
		a.notice(status, view, m)
		return
	}
	a.show(status, view, m, nil, nil)
}

// notice shows a page whose login is gone, or never was: a cookie has what it says, for the other languages that it links to.
// Keycloak: DetachedInfoStateChecker.
func (a *attempt) notice(status int, view pages.View, m *authn.Message) {
	q := a.request(a.here())
	q.Message = pageMessage(m)
	if a.realm != nil && a.realm.Locale.Enabled && m != nil {
		n := tabs.Notice{Tone: m.Tone, Key: m.Key}
		n.SetParams(m.Params)
		if _, bad := view.(pages.Error); bad {
			n.Status = status
		}
		clientID := ""
		if a.client != nil {
			n.Client, clientID = a.client.ID, a.client.ClientID
		}
		cookie, query, err := a.h.Tabs.KeepNotice(a.realm.ID, clientID, a.query.Get(tabs.ParamNotice), n)
		at, bad := url.Parse(a.url(authn.PathNotice))
		if err = cmp.Or(err, bad); err != nil {
			a.broken(err)
			return
		}
		at.RawQuery = query.Encode()
		a.cookies.SetFor(a.w, web.CookieStateChecker, cookie, int(a.realm.Lifespans.UserAction.Seconds()))
		q.Locales = a.locales(at)
	}
	a.write(status, q, view)
}

// overloaded answers a login whose password cannot be checked now. Nothing was stored: the same form can be sent again.
func (a *attempt) overloaded() {
	a.h.Log.WarnContext(a.ctx, "login put off: too many passwords to check", "path", a.r.URL.Path)
	if run := a.run; run != nil {
		run.Event.Cause.Reason = iam.Overload
		run.Emit(wordOverload)
		a.h.Events.Emit(a.ctx, a.realm, &run.Events[len(run.Events)-1])
	}
	a.w.Header().Set("Retry-After", strconv.Itoa(retryAfterOverload))
	a.errorPage(http.StatusServiceUnavailable, "overloadedMessage")
}

const (
	// wordOverload is the error of events about logins that the server could not judge.
	wordOverload = "temporarily_unavailable"
	// retryAfterOverload is how many seconds later a full queue of hashes will have been worked off.
	retryAfterOverload = 5
)

// broken answers a fault of the server, and logs it.
func (a *attempt) broken(err error) {
	if errors.Is(err, iam.ErrBusy) && a.realm != nil {
		a.overloaded()
		return
	}
	if !web.Left(a.r) {
		a.h.Log.ErrorContext(a.ctx, "login failed", "path", a.r.URL.Path, telemetry.KeyError, err)
	}
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
	q := a.request(a.here())
	q.Message = &pages.Message{Type: pages.Problem, Key: key}
	return q
}

func (a *attempt) write(status int, q pages.Request, view pages.View) {
	var b bytes.Buffer
	if err := a.h.Pages.Render(&b, q, view); err != nil {
		a.h.Log.ErrorContext(a.ctx, "page not drawn", "path", a.r.URL.Path, telemetry.KeyError, err)
		web.WriteInternal(a.w, a.r)
		return
	}
	h := a.w.Header()
	h.Set("Content-Type", "text/html;charset=utf-8")
	var headers map[string]string
	if a.realm != nil {
		headers = a.realm.SecurityHeaders
		h.Set("Content-Language", q.Locale)
	}
	web.SecurityHeaders(h, headers, "text/html")
	a.w.WriteHeader(status)
	_, _ = a.w.Write(b.Bytes())
}
