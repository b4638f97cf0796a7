package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"latchkey/internal/iam"
)

// CookieKind is one of Keycloak's cookies (CookieType, CookieScope).
type CookieKind struct {
	Name   string
	MaxAge int           // seconds when none is given; 0 lasts as long as the browser runs
	Script bool          // pages' scripts may read it
	Site   http.SameSite // None becomes Lax outside of secure contexts, where browsers would drop it
}

// The cookies, with the names and scopes of the reference.
var (
	CookieAuthSession     = CookieKind{Name: "AUTH_SESSION_ID", Site: http.SameSiteNoneMode}
	CookieAuthSessionHash = CookieKind{Name: "KC_AUTH_SESSION_HASH", MaxAge: 60, Script: true, Site: http.SameSiteNoneMode}
	CookieRestart         = CookieKind{Name: "KC_RESTART", Site: http.SameSiteNoneMode}
	CookieIdentity        = CookieKind{Name: "KEYCLOAK_IDENTITY", Site: http.SameSiteNoneMode}
	CookieSession         = CookieKind{Name: "KEYCLOAK_SESSION", Script: true, Site: http.SameSiteNoneMode}
	CookieRememberMe      = CookieKind{Name: "KEYCLOAK_REMEMBER_ME", MaxAge: 31536000, Site: http.SameSiteNoneMode}
	CookieLocale          = CookieKind{Name: "KEYCLOAK_LOCALE", Site: http.SameSiteNoneMode}
	CookieStateChecker    = CookieKind{Name: "KC_STATE_CHECKER", Site: http.SameSiteStrictMode}
)

// Cookies sets and expires the cookies of one realm.
type Cookies struct {
	path   string
	secure bool
}

// NewCookies returns the cookies of the realm whose frontend base URL (see
// URLs.Frontend) is given: they live under the base's path + /realms/NAME/ and
// are Secure where the browser calls the address a secure context, which Safari
// does with HTTPS alone. Keycloak: SecureContextResolver.
func NewCookies(frontend, realm string, safari bool) Cookies {
	u, err := url.Parse(frontend)
	if err != nil {
		u = &url.URL{}
	}
	return Cookies{path: strings.TrimRight(u.EscapedPath(), "/") + "/realms/" + iam.PathName(realm) + "/",
		secure: u.Scheme == "https" || !safari && secureContext(u)}
}

// Set sets a cookie with the kind's own age; one set before in the same answer
// is replaced.
func (c Cookies) Set(w http.ResponseWriter, k CookieKind, value string) {
	c.SetFor(w, k, value, k.MaxAge)
}

// SetFor sets a cookie for maxAge seconds; 0 lasts as long as the browser runs.
func (c Cookies) SetFor(w http.ResponseWriter, k CookieKind, value string, maxAge int) {
	site := k.Site
	if site == http.SameSiteNoneMode && !c.secure {
		site = http.SameSiteLaxMode
	}
	c.write(w, &http.Cookie{Name: k.Name, Value: value, Path: c.path, MaxAge: max(maxAge, 0), Secure: c.secure,
		HttpOnly: !k.Script, SameSite: site})
}

// Put sets a cookie, or expires it when the value is empty.
func (c Cookies) Put(w http.ResponseWriter, r *http.Request, k CookieKind, value string) {
	if value == "" {
		c.Expire(w, r, k)
		return
	}
	c.Set(w, k, value)
}

// Expire tells the browser to forget a cookie, if the request brought it.
func (c Cookies) Expire(w http.ResponseWriter, r *http.Request, k CookieKind) {
	if _, err := r.Cookie(k.Name); err == nil {
		c.write(w, &http.Cookie{Name: k.Name, Path: c.path, MaxAge: -1})
	}
}

func (c Cookies) write(w http.ResponseWriter, cookie *http.Cookie) {
	h := w.Header()
	h["Set-Cookie"] = append(slices.DeleteFunc(h["Set-Cookie"], func(line string) bool {
		return strings.HasPrefix(line, cookie.Name+"=") && strings.Contains(line+";", "; Path="+c.path+";")
	}), cookie.String())
}

// CookieValue returns the request's cookie, empty if there is none.
func CookieValue(r *http.Request, k CookieKind) string {
	c, err := r.Cookie(k.Name)
	if err != nil {
		return ""
	}
	return c.Value
}

// secureContext is W3C's "potentially trustworthy" origin. Keycloak:
// SecureContextResolver.
func secureContext(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || parseAddr(host).IsLoopback()
}
