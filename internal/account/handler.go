package account

import (
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"latchkey/internal/events"
	"latchkey/internal/i18n"
	"latchkey/internal/iam"
	"latchkey/internal/logout"
	"latchkey/internal/realms"
	"latchkey/internal/records"
	"latchkey/internal/rep"
	"latchkey/internal/roles"
	"latchkey/internal/sessions"
	"latchkey/internal/telemetry"
	"latchkey/internal/tokens"
	"latchkey/internal/users"
	"latchkey/internal/web"
)

// A Handler serves the account API. Its fields are set once, before Routes.
type Handler struct {
	Realms   *realms.Cache
	Users    *users.Service
	Roles    *roles.Service
	Sessions *sessions.Service
	Explorer *records.Explorer
	Ender    *logout.Ender // ends sessions and tells clients
	Events   *events.Writer
	Texts    *i18n.Catalog // of consent screens
	Hostname *web.Hostname
	Log      *slog.Logger
	Page     http.Handler // the account console, for browsers

	// Authenticate verifies the request's bearer token, which must be the
	// realm's. A nil caller without error is nobody: 401.
	Authenticate func(r *http.Request, realm *realms.Realm) (*Caller, error)
}

// A Caller is the person behind a request, as their access token says.
type Caller struct {
	User     *iam.User
	Token    *tokens.Token
	Client   *iam.Client   // which the token was issued to
	Session  iam.SessionID // "" for a token without a session
	Offline  bool          // the session is an offline one
	Level    int           // of authentication, that the client's login in the session reached
	Audience []string
	Roles    []string // of the client account
	Origins  []string // allowed by the token
}

// Client is the client_id of the client whose roles this door asks for, and in whose name
// its events are written. Keycloak: Constants.ACCOUNT_MANAGEMENT_CLIENT_ID.
const Client = "account"

// Keycloak's AccountRoles.
const (
	manageAccount    = "manage-account"
	viewProfile      = "view-profile"
	viewApplications = "view-applications"
	viewConsent      = "view-consent"
	manageConsent    = "manage-consent"
	viewGroups       = "view-groups"
)

// A route is one line of the API; the path is below /realms/{realm}/account.
type route struct {
	method, path string
	roles        string // the caller needs one of them; "" for everybody
	noCache      bool   // a success carries Cache-Control: no-cache
	serve        func(*call) (any, error)
}

func (h *Handler) routes() []route {
	const view, manage = manageAccount + " " + viewProfile, manageAccount
	const consent = "/applications/{client}/consent"
	return []route{
		{"GET", "/{$}", view, true, h.profile},
		{"POST", "/{$}", manage, true, h.updateProfile},
		{"GET", "/sessions", view, true, h.listSessions},
		{"GET", "/sessions/devices", view, true, h.listDevices},
		{"DELETE", "/sessions", manage, true, h.endSessions},
		{"DELETE", "/sessions/{session}", manage, true, h.endSession},
		{"GET", "/offline-grants", view, true, h.offlineGrants},
		// A client_id may have slashes in it.
		{"DELETE", "/offline-grants/{session}/{client...}", manage, true, h.endOfflineGrant},
		{"GET", "/applications", manageAccount + " " + viewApplications, true, h.applications},
		{"GET", consent, manageAccount + " " + viewConsent + " " + manageConsent, false, h.consent},
		{"POST", consent, manageAccount + " " + manageConsent, false, h.putConsent},
		{"PUT", consent, manageAccount + " " + manageConsent, false, h.putConsent},
		{"DELETE", consent, manageAccount + " " + manageConsent, false, h.revokeConsent},
		{"GET", "/credentials", view, true, h.credentials},
		{"DELETE", "/credentials/{credential}", manage, true, h.deleteCredential},
		{"PUT", "/credentials/{credential}/label", manage, true, h.labelCredential},
		{"GET", "/linked-accounts", view, false, h.linkedAccounts},
		{"GET", "/linked-accounts/{provider}", manage, false, h.linkURI},
		{"DELETE", "/linked-accounts/{provider}", manage, false, h.unlink},
		{"GET", "/groups", manageAccount + " " + viewGroups, true, h.groups},
		{"GET", "/supportedLocales", "", false, h.supportedLocales},
		{"GET", "/resources", "", false, h.resources},
	}
}

// A call is one request whose sender is known.
type call struct {
	context.Context
	w      http.ResponseWriter
	r      *http.Request
	realm  *realms.Realm
	caller *Caller
	urls   web.URLs
}

// Routes mounts the door.
func (h *Handler) Routes(mux *http.ServeMux) {
	inner := http.NewServeMux()
	for _, rt := range h.routes() {
		inner.HandleFunc(rt.method+" "+rt.path, func(w http.ResponseWriter, r *http.Request) {
			c := r.Context().Value(callKey{}).(*call)
			c.r = r
			h.answer(c, rt)
		})
	}
	door := web.Fallback(inner, func(w http.ResponseWriter, r *http.Request, _ int) {
		h.fail(w, r, r.Context().Value(callKey{}).(*call).realm, status(unmatched(r)))
	})
	serve := func(w http.ResponseWriter, r *http.Request) { h.open(w, r, door) }
	mux.HandleFunc("/realms/{realm}/account", serve)
	mux.HandleFunc("/realms/{realm}/account/{path...}", serve)
}

type callKey struct{}

// methods are those that the reference's classes have, by the first segment of
// the path; whatever else is asked of them is answered 405, and 404 where only
// the path is wrong.
func unmatched(r *http.Request) int {
	methods := []string{"GET", "POST", "PUT", "DELETE"}
	switch first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); first {
	case "sessions", "linked-accounts", "offline-grants":
		methods = []string{"GET", "DELETE"}
	case "credentials":
		methods = []string{"GET", "PUT", "DELETE"}
	}
	if slices.Contains(methods, r.Method) {
		return http.StatusNotFound
	}
	return http.StatusMethodNotAllowed
}

// versioned is a path that names the API's version.
// Keycloak: AccountLoader.getVersionedAccountRestService.
var versioned = regexp.MustCompile(`^/(v\d[0-9a-zA-Z_-]*)(/.*|)$`)

// onlyVersion is Keycloak's AccountRestApiVersion.V1_ALPHA1.
const onlyVersion = "v1alpha1"

func cors(origins []string) web.CORS {
	return web.CORS{Origins: origins, Methods: []string{"GET", "HEAD", "OPTIONS", "PUT", "POST", "DELETE"}, Auth: true}
}

// open finds out who asks, and hands the request to the door under its path.
// Keycloak: AccountLoader.
func (h *Handler) open(w http.ResponseWriter, r *http.Request, door http.Handler) {
	realm, err := h.Realms.Get(r.Context(), r.PathValue("realm"))
	if err == nil && !realm.Enabled {
		err = plain(http.StatusForbidden, "Realm not enabled")
	}
	if realms.Missing(err) && h.wantsPage(r) {
		h.Page.ServeHTTP(w, r)
		return
	}
	if err != nil {
		h.fail(w, r, nil, err)
		return
	}
	if r.Method == http.MethodOptions {
		web.SecurityHeaders(w.Header(), realm.SecurityHeaders, "")
		cors(nil).Preflight(w, r)
		return
	}
	path := "/" + r.PathValue("path")
	version := versioned.FindStringSubmatch(path)
	if version == nil && !web.Accepts(r, "application/json") && web.MediaType(r) != "application/json" {
		if h.wantsPage(r) {
			h.Page.ServeHTTP(w, r)
			return
		}
		h.fail(w, r, realm, status(http.StatusNotFound))
		return
	}
	c, err := h.authenticate(w, r, realm)
	if err == nil && version != nil {
		if path = "/" + strings.TrimPrefix(version[2], "/"); version[1] != onlyVersion {
			err = plain(http.StatusNotFound, "API version not found")
		}
	}
	if err != nil {
		h.fail(w, r, realm, err)
		return
	}
	r2 := r.Clone(context.WithValue(r.Context(), callKey{}, c))
	r2.URL.Path, r2.URL.RawPath = path, ""
	door.ServeHTTP(w, r2)
}

// wantsPage reports whether a request is for the account console, at any address of the API.
func (h *Handler) wantsPage(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && !web.Accepts(r, "application/json") &&
		web.MediaType(r) != "application/json" &&
		versioned.FindStringSubmatch("/"+r.PathValue("path")) == nil
}

func (h *Handler) authenticate(w http.ResponseWriter, r *http.Request, realm *realms.Realm) (*call, error) {
	client, err := realm.ClientByName(r.Context(), Client)
	if realms.Missing(err) || err == nil && !client.Enabled {
		return nil, plain(http.StatusNotFound, "account management not enabled")
	} else if err != nil {
		return nil, err
	}
	caller, err := h.Authenticate(r, realm)
	if err != nil {
		return nil, err
	}
	if caller == nil || !slices.Contains(caller.Audience, Client) {
		return nil, status(http.StatusUnauthorized)
	}
	urls := h.Hostname.URLs(web.RequestOf(r), realm.Attrs["frontendUrl"])
	if origin := r.Header.Get("Origin"); origin != originOf(urls.Frontend) && !cors(caller.Origins).Apply(w, r) {
		return nil, plain(http.StatusForbidden, "Invalid origin")
	}
	if caller.User.ServiceAccount != "" {
		return nil, status(http.StatusUnauthorized)
	}
	return &call{Context: r.Context(), w: w, r: r, realm: realm, caller: caller, urls: urls}, nil
}

// answer asks whether the caller may, and writes what the route says.
func (h *Handler) answer(c *call, rt route) {
	if rt.roles != "" && !slices.ContainsFunc(strings.Fields(rt.roles), c.has) {
		h.fail(c.w, c.r, c.realm, status(http.StatusForbidden))
		return
	}
	out, err := rt.serve(c)
	if err != nil {
		h.fail(c.w, c.r, c.realm, err)
		return
	}
	head := c.w.Header()
	if rt.noCache {
		head.Set("Cache-Control", web.CacheNoCache)
	}
	if out == nil {
		web.SecurityHeaders(head, c.realm.SecurityHeaders, "")
		c.w.WriteHeader(http.StatusNoContent)
		return
	}
	web.SecurityHeaders(head, c.realm.SecurityHeaders, "application/json")
	if err := web.WriteJSON(c.w, http.StatusOK, out); err != nil && !web.Left(c.r) {
		h.Log.ErrorContext(c, "account: answer not written", "path", c.r.URL.Path, telemetry.KeyError, err)
	}
}

func (c *call) has(role string) bool { return slices.Contains(c.caller.Roles, role) }

// emit writes an event of the caller's down.
func (h *Handler) emit(c *call, kind iam.EventKind, session iam.SessionID, details map[string]string) {
	h.emitError(c, kind, session, "", details)
}

func (h *Handler) emitError(c *call, kind iam.EventKind, session iam.SessionID, word string, details map[string]string) {
	if word != "" {
		kind = events.Failed(kind)
	}
	h.Events.Emit(c, c.realm, &iam.Event{
		Kind: kind, Client: Client, User: c.caller.User.ID, Session: session, IP: web.RequestOf(c.r).Addr, Error: word, Details: details,
	})
}

// body reads the request's body, whose type must be JSON where one is given.
func (c *call) body() ([]byte, error) {
	if t := c.r.Header.Get("Content-Type"); t != "" && web.MediaType(c.r) != "application/json" {
		return nil, plain(http.StatusUnsupportedMediaType, "The content-type header value did not match the value in @Consumes")
	}
	data, err := web.ReadBody(c.r)
	if err != nil {
		return nil, err
	}
	return data, rep.CheckText(data)
}

// decode reads the request's JSON into a T, as Keycloak's Jackson does.
func decode[T any](c *call) (*T, error) {
	data, err := c.body()
	if err != nil {
		return nil, err
	}
	v := new(T)
	return v, rep.Decode(data, v)
}

// flag reads a parameter of the query as Java's Boolean.valueOf does.
func (c *call) flag(name string, absent bool) bool {
	q := c.r.URL.Query()
	if !q.Has(name) {
		return absent
	}
	return strings.EqualFold(q.Get(name), "true")
}

// originOf cuts scheme://host[:port] from a base URL.
func originOf(base string) string {
	scheme, rest, _ := strings.Cut(base, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}
