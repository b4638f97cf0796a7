package console

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strings"

	"latchkey/internal/i18n"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/web"
)

//go:embed page.html missing.html
var templateFS embed.FS

// parsed are the page that loads a console, and the one that says that there is none.
func parsed() *template.Template { return template.Must(template.ParseFS(templateFS, "*.html")) }

// A page is what the page of a console is drawn from.
type page struct {
	Console     string // its name
	Language    string
	RightToLeft bool
	DarkMode    bool
	Title       string
	Files       string // the address of the build's files
	Theme       string
	Entry       entry
	Environment any // the script's; written as JSON into the page, which is data and no script
}

// environment is what both consoles know of the server. Keycloak: AdminConsole, AccountConsole.
type environment struct {
	ServerBaseURL string `json:"serverBaseUrl"`
	AuthURL       string `json:"authUrl"`
	AuthServerURL string `json:"authServerUrl"`
	Realm         string `json:"realm"`
	ClientID      string `json:"clientId"`
	ResourceURL   string `json:"resourceUrl"`
	Logo          string `json:"logo"`
	LogoURL       string `json:"logoUrl"`
	DarkMode      bool   `json:"darkMode"`
}

type adminEnvironment struct {
	environment
	AdminBaseURL    string `json:"adminBaseUrl"`
	ConsoleBaseURL  string `json:"consoleBaseUrl"`
	MasterRealm     string `json:"masterRealm"`
	ResourceVersion string `json:"resourceVersion"`
}

type accountEnvironment struct {
	environment
	BaseURL      string   `json:"baseUrl"`
	Locale       string   `json:"locale"`
	ReferrerName string   `json:"referrerName"`
	ReferrerURL  string   `json:"referrerUrl"`
	Features     features `json:"features"`
	Scope        string   `json:"scope"`
}

// features are what of the account console the realm has. What depends on the user's roles
// the console finds in its token.
type features struct {
	EmailAsUsername      bool `json:"isRegistrationEmailAsUsername"`
	EditUsername         bool `json:"isEditUserNameAllowed"`
	Internationalization bool `json:"isInternationalizationEnabled"`
	LinkedAccounts       bool `json:"isLinkedAccountsEnabled"`
	Resources            bool `json:"isMyResourcesEnabled"`
	Organizations        bool `json:"isViewOrganizationsEnabled"`
	DeleteAccount        bool `json:"deleteAccountAllowed"`
	UpdateEmail          bool `json:"updateEmailFeatureEnabled"`
	UpdateEmailAction    bool `json:"updateEmailActionEnabled"`
	Applications         bool `json:"isViewApplicationsEnabled"`
	Groups               bool `json:"isViewGroupsEnabled"`
	Credentials          bool `json:"isOid4VciEnabled"`
}

// The required actions by which people delete their account, and change their address.
const (
	actionDelete = "delete_account"
	actionEmail  = "UPDATE_EMAIL"
)

// enabled reports whether the realm has a required action switched on.
func enabled(r *realms.Realm, action string) bool {
	a := r.RequiredAction(action)
	return a != nil && a.Rep.Enabled
}

func (h *Handler) files() string { return h.ResourcesPath + "/" + h.build.Version + "/console" }

func (h *Handler) environment(v *visit, client string) environment {
	return environment{ServerBaseURL: v.urls.Frontend, AuthURL: v.urls.Frontend, AuthServerURL: v.urls.Frontend,
		Realm: v.realm.Name, ClientID: client,
		ResourceURL: h.files(), Logo: "/logo.svg", DarkMode: v.realm.Attrs["darkMode"] != "false"}
}

// admin shows the admin console.
func (h *Handler) admin(v *visit) {
	if h.build == nil {
		h.missing(v)
		return
	}
	e := adminEnvironment{environment: h.environment(v, "security-admin-console"), AdminBaseURL: v.urls.Admin,
		ConsoleBaseURL: pathOf(v.console()), MasterRealm: masterRealm, ResourceVersion: h.build.Version}
	h.show(v, page{Console: consoleAdmin, Language: "en", Title: "Latchkey Administration Console", DarkMode: e.DarkMode,
		Entry: h.build.Admin, Environment: e})
}

// Account shows browsers the account console, at every address below the account's.
func (h *Handler) Account() http.Handler {
	return h.withRealm(func(v *visit) {
		if h.build == nil {
			h.missing(v)
			return
		}
		l := v.realm.Locale
		language := i18n.Choose(nil, "en")
		if l.Enabled {
			cookie := ""
			if c, err := v.r.Cookie("KEYCLOAK_LOCALE"); err == nil {
				cookie = c.Value
			}
			language = i18n.Choose(l.Supported, l.Default, v.r.URL.Query().Get("kc_locale"), v.r.URL.Query().Get("ui_locales"), cookie,
				strings.Join(web.Languages(v.r), " "))
		}
		e := accountEnvironment{environment: h.environment(v, "account-console"), BaseURL: v.urls.Frontend + "/realms/" +
			iam.PathName(v.realm.Name) + "/account/", Locale: language,
			Features: features{
				EmailAsUsername: v.realm.Login.RegistrationEmailAsUsername, EditUsername: rep.Val(v.realm.Rep.EditUsernameAllowed),
				Internationalization: l.Enabled,
				LinkedAccounts:       len(v.realm.IDPs) > 0, DeleteAccount: enabled(v.realm, actionDelete), UpdateEmail: true,
				UpdateEmailAction: enabled(v.realm, actionEmail), Applications: true, Groups: true,
			}}
		h.show(v, page{Console: consoleAccount, Language: language, Title: "Latchkey Account Management", DarkMode: e.DarkMode,
			Entry: h.build.Account, Environment: e})
	})
}

// pathOf cuts scheme and host off an address.
func pathOf(at string) string {
	_, rest, _ := strings.Cut(at, "://")
	_, path, _ := strings.Cut(rest, "/")
	return "/" + path
}

// missing says how to get the consoles.
func (h *Handler) missing(v *visit) {
	h.write(v, "missing.html", nil)
}

func (h *Handler) show(v *visit, p page) {
	p.Files, p.Theme = h.files(), h.build.Theme
	h.write(v, "page.html", p)
}

func (h *Handler) write(v *visit, name string, data any) {
	var b bytes.Buffer
	if err := h.templates.ExecuteTemplate(&b, name, data); err != nil {
		h.fail(v.w, v.r, err)
		return
	}
	head := v.w.Header()
	head.Set("Cache-Control", web.CacheNoCache)
	if own := v.realm.SecurityHeaders["contentSecurityPolicy"]; own == "" || own == web.DefaultPolicy() {
		head.Set("Content-Security-Policy", policy(v.urls))
	}
	web.SecurityHeaders(head, v.realm.SecurityHeaders, "text/html")
	writePage(v.w, http.StatusOK, b.Bytes())
}

// policy lets the page run and load what the server serves, and nothing else; where the
// administration has a host name of its own, it asks for tokens at the other. A realm's own policy wins.
func policy(urls web.URLs) string {
	also := ""
	if front := iam.OriginOf(urls.Frontend); front != iam.OriginOf(urls.Admin) {
		also = " " + front
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'" + also +
		"; frame-src 'self'" + also +
		"; frame-ancestors 'self'; base-uri 'none'; form-action 'self'"
}
