package login

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/authn/actions"
	"latchkey/internal/authn/tabs"
	"latchkey/internal/bearer"
	"latchkey/internal/broker"
	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/keys"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
	"latchkey/internal/users"
	"latchkey/internal/web"
)

// Config is what the door needs of the house. All fields must be set.
type Config struct {
	Realms   *realms.Cache
	Keys     *keys.Service
	Sessions *sessions.Service
	Judge    *bearer.Service // of identity cookies
	Users    *users.Service
	Issuer   *tokens.Issuer // of action tokens
	Events   *events.Writer
	Tabs     *tabs.Keeper
	Engine   *authn.Engine
	Broker   *broker.Service
	Actions  *actions.Set
	Pages    *pages.Set
	Hostname *web.Hostname
	Log      *slog.Logger
	// Protocols are those in which clients may ask for logins.
	Protocols map[iam.Protocol]Protocol
}

// A Protocol is how clients of one kind ask for logins and are answered. What a client
// hears when a session ends is logout.Protocol.
type Protocol interface {
	// Finish ends a login with a user, Refuse one without: see authn.Done and authn.Refused.
	Finish(w http.ResponseWriter, r *http.Request, d *authn.Done)
	Refuse(w http.ResponseWriter, r *http.Request, x *authn.Refused)
	// Judge judges a request again by the client's rules of now; nil: it is still good.
	Judge(r *http.Request, realm *realms.Realm, c *realms.Client, q *iam.LoginRequest) *authn.Unfit
	// Details are what events tell of a request.
	Details(q *iam.LoginRequest) map[string]string
	// Parameters are the request's, by their names in the protocol, as identity providers may be passed them.
	Parameters(q *iam.LoginRequest) map[string]string
	// Unasked is the request of a login that no client has asked for.
	Unasked(c *iam.Client, issuer string) iam.LoginRequest
}

// A Handler serves login actions. Make it with New.
type Handler struct{ Config }

// New makes the door.
func New(c Config) *Handler {
	iam.Complete(c)
	return &Handler{c}
}

// Routes returns what the door serves, by ServeMux pattern.
func (h *Handler) Routes() map[string]http.HandlerFunc {
	const base = "/realms/{realm}/login-actions/"
	routes := map[string]http.HandlerFunc{
		"GET " + base + "required-action":  h.with("CUSTOM_REQUIRED_ACTION", (*attempt).requiredAction),
		"POST " + base + "required-action": h.with("CUSTOM_REQUIRED_ACTION", (*attempt).requiredAction),
		"GET " + base + "consent":          h.with("LOGIN", (*attempt).nowhere),
		"POST " + base + "consent":         h.with("LOGIN", (*attempt).consent),
		"GET " + base + "restart":          h.with("RESTART_AUTHENTICATION", (*attempt).restart),
		"GET " + base + authn.PathNotice:   h.with("LOGIN", (*attempt).detachedInfo),
		"GET " + base + "action-token":     h.with("EXECUTE_ACTION_TOKEN", (*attempt).actionToken),
		"GET " + base + authn.PathReturn:   h.with("LOGIN", (*attempt).comeBack),
		"POST " + base + authn.PathReturn:  h.with("LOGIN", (*attempt).comeBack),
		"HEAD " + base + "action-token":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) },
	}
	for path, kind := range map[string]iam.EventKind{
		authn.PathAuthenticate: "LOGIN", authn.PathRegistration: "REGISTER", authn.PathReset: "RESET_PASSWORD",
		pathFirstBroker: "IDENTITY_PROVIDER_FIRST_LOGIN", pathPostBroker: "IDENTITY_PROVIDER_POST_LOGIN",
	} {
		walk := h.with(kind, func(a *attempt) { a.flowPath(path) })
		routes["GET "+base+path], routes["POST "+base+path] = walk, walk
	}
	maps.Copy(routes, h.brokerRoutes())
	return routes
}

// Mount adds the door's routes to a mux.
func (h *Handler) Mount(mux *http.ServeMux) {
	for pattern, f := range h.Routes() {
		mux.HandleFunc(pattern, f)
	}
}

// An attempt is one request's part in a login.
type attempt struct {
	h       *Handler
	w       http.ResponseWriter
	r       *http.Request
	ctx     context.Context
	realm   *realms.Realm
	client  *realms.Client // whom the login is for; nil while that is unknown
	base    string         // the realm's address: frontend + /realms/NAME
	cookies web.Cookies
	query   url.Values
	form    url.Values // nil when nothing was posted

	root     root
	named    iam.SessionID // the root that the browser's cookie names
	foreign  bool          // the page may have been made for another browser
	opened   *restartToken // what KC_RESTART says, once it was read
	tab      *iam.AuthTab
	proved   string         // what the tab knew of its user when it was loaded
	message  *authn.Message // forwarded from an earlier request
	kind     iam.EventKind
	details  map[string]string // of the event, before a run exists
	subject  iam.UserID        // of the event, likewise
	identity *authn.Identity
	read     *readToken           // the identity cookie
	seen     *seen                // the session that was read last
	why      iam.Reason           // there is no identity
	claimed  *authn.IdentityToken // what a cookie says that is good for no identity any more
	run      *authn.Run
	starting bool // the request is the protocol's, not a page's
	passive  bool
	language string // that the user picks on a page without a login
	support  string // code of the request's refusal
	picked   bool   // the request says the language, which the tab has noted
	switched bool   // the request leads a stored login from one flow to another: to the registration, say
}

// with finds realm and client, reads query and form, and calls f.
func (h *Handler) with(kind iam.EventKind, f func(*attempt)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a := &attempt{h: h, w: w, r: r, ctx: r.Context(), kind: kind, details: map[string]string{}}
		realm, err := h.Realms.Get(a.ctx, r.PathValue("realm"))
		if errors.Is(err, realms.ErrNotFound) && web.AcceptsHTML(r) {
			a.errorPage(http.StatusNotFound, "pageNotFound")
			return
		}
		if errors.Is(err, realms.ErrNotFound) {
			web.SecurityHeaders(w.Header(), nil, "application/json")
			web.WriteProblem(w, http.StatusNotFound, "Realm does not exist", "")
			return
		}
		if err != nil {
			a.broken(err)
			return
		}
		if !a.enter(realm) {
			return
		}
		f(a)
	}
}

// enter takes the realm and reads the request; false when it has been answered.
func (a *attempt) enter(realm *realms.Realm) bool {
	a.realm = realm
	urls := a.h.Hostname.URLs(web.RequestOf(a.r), realm.Attrs["frontendUrl"])
	a.base = urls.Frontend + realm.Path()
	a.cookies = web.NewCookies(urls.Frontend, realm.Name, sessions.Safari(a.r.UserAgent()))
	a.w.Header().Set("Cache-Control", web.CacheNoPage)
	q, err := web.Query(a.r)
	if err != nil {
		a.errorPage(http.StatusBadRequest, "invalidRequestMessage")
		return false
	}
	a.query = q.Values
	if a.r.Method == http.MethodPost {
		f, err := web.ReadForm(a.r)
		if unread, ok := errors.AsType[web.BodyError](err); ok {
			a.errorPage(int(unread), "invalidRequestMessage")
			return false
		}
		if err != nil {
			a.errorPage(http.StatusBadRequest, "invalidRequestMessage")
			return false
		}
		if a.form = f.Values; a.form == nil {
			a.form = url.Values{}
		}
	}
	switch {
	case !a.secure():
		a.emitError("ssl_required")
		a.errorPage(http.StatusBadRequest, "httpsRequiredMessage")
	case !realm.Enabled:
		a.emitError("realm_disabled")
		a.errorPage(http.StatusBadRequest, "realmNotEnabledMessage")
	default:
		return true
	}
	return false
}

// secure tells whether the realm's rule about HTTPS is kept.
func (a *attempt) secure() bool {
	q := web.RequestOf(a.r)
	switch {
	case q.Secure || a.realm.SSL == iam.SSLNone:
		return true
	case a.realm.SSL == iam.SSLAll:
		return false
	}
	return privateAddress(q.Addr)
}

// emit writes an event down, and keeps the support code of a refusal for the page that tells of it.
func (a *attempt) emit(e *iam.Event) {
	a.h.Events.Emit(a.ctx, a.realm, e)
	if a.support == "" { // what follows from the first refusal says less
		a.support = e.Support
	}
}

// emitError writes the event of a request that has no login yet.
func (a *attempt) emitError(word string) { a.emitRefusal(word, iam.Refusal{}) }

// emitRefusal is emitError with what was refused.
func (a *attempt) emitRefusal(word string, what iam.Refusal) {
	a.emitCause(word, iam.Cause{Refusal: what})
}

// emitCause is emitError with why that was so.
func (a *attempt) emitCause(word string, why iam.Cause) {
	e := iam.Event{Kind: events.Failed(a.kind), User: a.subject, IP: web.RequestOf(a.r).Addr, Error: word, Details: a.details, Cause: why}
	if a.client != nil {
		e.Client = a.client.ClientID
	}
	a.emit(&e)
}

// findClient takes the client that the query names, for pages and events.
func (a *attempt) findClient() error {
	id := a.query.Get("client_id")
	if id == "" {
		return nil
	}
	c, err := a.realm.ClientByName(a.ctx, id)
	if realms.Missing(err) {
		return nil
	}
	if err == nil {
		a.client = c
	}
	return err
}

// url makes an address below login-actions.
func (a *attempt) url(path string, pairs ...string) string {
	var b strings.Builder
	b.WriteString(a.base + "/login-actions/" + path)
	sep := byte('?')
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		b.WriteByte(sep)
		b.WriteString(pairs[i] + "=" + url.QueryEscape(pairs[i+1]))
		sep = '&'
	}
	return b.String()
}

func (a *attempt) redirect(to string) { a.redirectWith(http.StatusFound, to) }

func (a *attempt) redirectWith(status int, to string) {
	web.SecurityHeaders(a.w.Header(), a.realm.SecurityHeaders, "")
	a.w.Header().Set("Location", to)
	a.w.WriteHeader(status)
}
