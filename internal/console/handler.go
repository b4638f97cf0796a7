package console

import (
	"bytes"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"

	"latchkey/internal/iam"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/telemetry"
	"latchkey/internal/web"
)

// A Handler is the door. Make it with New.
type Handler struct {
	Config
	templates *template.Template
	build     *Build // nil where the server was built without the consoles
	texts     *lru.Cache[textsKey, *packedTexts]
}

// Config is what the door works with.
type Config struct {
	Realms        *realms.Cache
	Pages         *pages.Set
	Hostname      *web.Hostname
	Log           *slog.Logger
	ResourcesPath string // below which the server serves files, with its relative path
}

// New makes the door. build is nil where there is none.
func New(c Config, build *Build) *Handler {
	texts, _ := lru.New[textsKey, *packedTexts](keptTexts) // of a size that is allowed
	return &Handler{Config: c, templates: parsed(), build: build, texts: texts}
}

// masterRealm is where the console's address without a realm leads.
const masterRealm = "master"

// Routes mounts the pages of the admin console and the consoles' texts. The account console
// is shown by Account, and files by Asset, where other doors have the addresses.
func (h *Handler) Routes(mux *http.ServeMux) {
	for _, path := range []string{"/admin", "/admin/{$}", "/admin/index.html"} {
		mux.HandleFunc("GET "+path, h.toMaster)
	}
	mux.HandleFunc("GET /admin/{realm}/console", h.withRealm(h.toConsole))
	mux.HandleFunc("GET /admin/{realm}/console/index.html", h.withRealm(h.toConsole))
	mux.HandleFunc("GET /admin/{realm}/console/{$}", h.withRealm(h.admin))
	mux.HandleFunc("GET /admin/{realm}/console/logout", h.withRealm(h.logout))
	for _, console := range []string{consoleAdmin, consoleAccount} {
		mux.HandleFunc("GET /resources/{realm}/"+console+"/{lng}", func(w http.ResponseWriter, r *http.Request) { h.serveTexts(w, r, console) })
	}
}

// The consoles, by the names that addresses and files have for them.
const (
	consoleAdmin   = "admin"
	consoleAccount = "account"
)

// A visit is a request for a page of a realm.
type visit struct {
	w     http.ResponseWriter
	r     *http.Request
	realm *realms.Realm
	urls  web.URLs
}

// withRealm makes a handler of one that needs the realm.
func (h *Handler) withRealm(f func(*visit)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		realm, err := h.Realms.Get(r.Context(), r.PathValue("realm"))
		switch {
		case realms.Missing(err):
			h.refuse(w, r, http.StatusNotFound, "pageNotFound", "Realm not found.  Did you type in a bad URL?")
		case err != nil:
			h.fail(w, r, err)
		default:
			f(&visit{w, r, realm, h.Hostname.URLs(web.RequestOf(r), realm.Attrs["frontendUrl"])})
		}
	}
}

func (h *Handler) toMaster(w http.ResponseWriter, r *http.Request) {
	redirect(w, h.Hostname.URLs(web.RequestOf(r), "").Admin+"/admin/"+masterRealm+"/console/")
}

func (h *Handler) toConsole(v *visit) {
	v.w.Header().Set("Cache-Control", web.CacheNoCache)
	redirect(v.w, v.console())
}

// logout ends the session of the console's user. Keycloak: AdminConsole.logout.
func (h *Handler) logout(v *visit) {
	v.w.Header().Set("Cache-Control", web.CacheNoCache)
	redirect(v.w, v.urls.Frontend+"/realms/"+iam.PathName(v.realm.Name)+"/protocol/openid-connect/logout?post_logout_redirect_uri="+
		url.QueryEscape(strings.TrimSuffix(v.console(), "/")))
}

// console is the address of the realm's admin console.
func (v *visit) console() string {
	return v.urls.Admin + "/admin/" + iam.PathName(v.realm.Name) + "/console/"
}

func redirect(w http.ResponseWriter, to string) {
	web.SecurityHeaders(w.Header(), nil, "")
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
}

// Asset answers with a file of the build, by its path below the files of the server; false
// where it has no such file.
func (h *Handler) Asset(w http.ResponseWriter, r *http.Request, file string) bool {
	if h.build == nil {
		return false
	}
	version, name, ok := strings.Cut(file, "/console/")
	if !ok {
		return false
	}
	found, err := h.build.serve(w, r, version, name)
	if err != nil {
		h.fail(w, r, err)
		return true
	}
	return found
}

// refuse is an answer in words: as a page to who wants one.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, status int, key, problem string) {
	if !web.AcceptsHTML(r) {
		web.SecurityHeaders(w.Header(), nil, "application/json")
		web.WriteProblem(w, status, problem, "")
		return
	}
	var b bytes.Buffer
	if err := h.Pages.Render(&b, pages.Request{Message: &pages.Message{Type: pages.Problem, Key: key}},
		pages.Error{SkipLink: true}); err != nil {
		h.fail(w, r, err)
		return
	}
	web.SecurityHeaders(w.Header(), nil, "text/html")
	writePage(w, status, b.Bytes())
}

func writePage(w http.ResponseWriter, status int, page []byte) {
	w.Header().Set("Content-Type", "text/html;charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(status)
	_, _ = w.Write(page)
}

// fail is the one place that answers what is the server's fault, and logs it.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	if !web.Left(r) {
		h.Log.ErrorContext(r.Context(), "console", "route", r.Pattern, "req", web.RequestOf(r).ID, telemetry.KeyError, err)
	}
	web.SecurityHeaders(w.Header(), nil, "application/json")
	if realms.Unavailable(err) || errors.Is(err, r.Context().Err()) && r.Context().Err() != nil {
		web.WriteStatus(w, http.StatusServiceUnavailable)
		return
	}
	web.WriteInternal(w, r)
}
