package oidc

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"

	"latchkey/internal/authn"
	"latchkey/internal/authn/tabs"
	"latchkey/internal/i18n"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/web"
)

// page answers with a page of the realm in the browser's language.
func (c *call) page(status int, p pages.Request, v pages.View) { c.render(status, p, v, false) }

// render is page also for one that other sites may show in a frame.
func (c *call) render(status int, p pages.Request, v pages.View, framed bool) {
	p.Realm = pages.RealmOf(&c.realm.Realm)
	p.Locale, p.Locales = c.locale()
	if err := c.keepNotice(status, &p, v); err != nil {
		c.door.broken(c.w, c.r, err)
		return
	}
	p.Texts = c.realm.Locale.Texts
	var b bytes.Buffer
	if err := c.door.Pages.Render(&b, p, v); err != nil {
		c.door.broken(c.w, c.r, err)
		return
	}
	h := c.w.Header()
	web.SecurityHeaders(h, c.realm.SecurityHeaders, "text/html")
	if framed {
		h.Del("X-Frame-Options")
	}
	h.Set("Content-Type", "text/html;charset=utf-8")
	h.Set("Content-Language", p.Locale)
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(b.Bytes())
	}
}

// keepNotice has a page that belongs to no login lead to itself in other languages: a cookie has what it says.
// Keycloak: DetachedInfoStateChecker.
func (c *call) keepNotice(status int, p *pages.Request, v pages.View) error {
	switch v.(type) {
	case pages.Info:
		status = 0
	case pages.Error:
	default:
		return nil
	}
	if !c.realm.Locale.Enabled || p.Message == nil {
		return nil
	}
	n := tabs.Notice{Tone: p.Message.Type, Key: p.Message.Key, Status: status}
	n.SetParams(p.Message.Args)
	if p.Client.ID != "" {
		client, err := c.realm.ClientByName(c.ctx(), p.Client.ID)
		if err != nil && !realms.Missing(err) {
			return err
		}
		if err == nil {
			n.Client = client.ID
		}
	}
	cookie, query, err := c.door.Tabs.KeepNotice(c.realm.ID, p.Client.ID, "", n)
	if err != nil {
		return err
	}
	c.cookies().SetFor(c.w, web.CookieStateChecker, cookie, int(c.realm.Lifespans.UserAction.Seconds()))
	for i, l := range p.Locales {
		query.Set("kc_locale", l.Tag)
		p.Locales[i].URL = c.issuer() + "/login-actions/" + authn.PathNotice + "?" + query.Encode()
	}
	return nil
}

func (c *call) cookies() web.Cookies {
	return web.NewCookies(c.urls.Frontend, c.realm.Name, sessions.Safari(c.r.UserAgent()))
}

// locale chooses the language of a page: the address's kc_locale, ui_locales,
// the cookie, the browser's. Keycloak: DefaultLocaleSelectorProvider.
func (c *call) locale() (string, []pages.Locale) {
	l := c.realm.Locale
	if !l.Enabled {
		return "en", nil
	}
	q := c.r.URL.Query()
	wishes := append([]string{q.Get("kc_locale"), q.Get("ui_locales"), web.CookieValue(c.r, web.CookieLocale)}, web.Languages(c.r)...)
	var offered []pages.Locale
	for _, tag := range l.Supported {
		at := url.URL{Path: c.r.URL.Path}
		q.Set("kc_locale", tag)
		at.RawQuery = q.Encode()
		offered = append(offered, pages.Locale{Tag: tag, URL: at.String()})
	}
	return i18n.Choose(l.Supported, l.Default, wishes...), offered
}

// pageClient is what pages show of a client.
func (c *call) pageClient(of *realms.Client) pages.Client {
	return pages.Client{ID: of.ClientID, Name: of.Name, BaseURL: of.Home(c.urls.Frontend), Theme: of.Attr("login_theme")}
}
