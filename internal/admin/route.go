package admin

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"latchkey/internal/clients"
	"latchkey/internal/deliveries"
	"latchkey/internal/doctor"
	"latchkey/internal/emails"
	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/logout"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/records"
	"latchkey/internal/roles"
	"latchkey/internal/sessions"
	"latchkey/internal/telemetry"
	"latchkey/internal/tokens"
	"latchkey/internal/users"
	"latchkey/internal/web"
)

// A Route is one line of the admin API.
type Route struct {
	Pattern string // "GET /admin/realms/{realm}/users/{user}"; with {realm} the realm is looked up
	Perm    Perm   // what the caller must hold
	Op      Op     // of the admin event that success writes; None for reads
	Kind    string // resource type of that event, Keycloak's ResourceType
	Serve   func(*Call) (any, error)
	Cache   Caching
}

// Op is the operation of an admin event.
type Op string

// Keycloak's OperationType. With None no event is written.
const (
	None   Op = ""
	Create Op = "CREATE"
	Update Op = "UPDATE"
	Delete Op = "DELETE"
	Action Op = "ACTION"
)

// Caching says whether an answer carries "Cache-Control: no-cache".
type Caching int

// By default answers to GET carry it and others do not.
const (
	ByMethod Caching = iota
	NoCache          // Keycloak's @NoCache on a method other than GET
	Silent           // a GET without it
)

// Browsers is what the administration has the login door do, which it may not import.
type Browsers interface {
	// SignIn begins a session of a user for an administrator who acts as the
	// user, and gives the browser its cookies. Notes go into the session.
	SignIn(w http.ResponseWriter, r *http.Request, realm *realms.Realm, u *iam.User, notes map[string]string) (iam.SessionID, error)
}

// A Handler serves the admin API. Its fields are set once, before Mux.
type Handler struct {
	Realms   *realms.Cache
	Manager  *realms.Manager
	Started  time.Time // when the server began; zero is not told
	RSA      string    // whose RSA is built in: jose.RSA
	Clients  *clients.Service
	Sessions *sessions.Service
	Users    *users.Service
	Issuer   *tokens.Issuer
	Roles    *roles.Service
	Events   *events.Writer
	Doctor   *doctor.Service
	Explorer *records.Explorer
	Why      *records.Explainer
	Hostname *web.Hostname
	Log      *slog.Logger
	Mails    *emails.Service
	Pages    *pages.Set // whose languages the server speaks

	Metadata *web.Client // asks identity providers for their metadata

	// Deliveries shows what other servers were told of.
	Deliveries *deliveries.Queue
	// Ender ends users' sessions, tells clients and says what that does.
	Ender *logout.Ender
	// Browsers signs browsers on.
	Browsers Browsers

	// Authenticate verifies the request's bearer token. An error of kind
	// Unauthenticated is answered 401 in the reference's words.
	Authenticate func(r *http.Request) (*Caller, error)
}

// Routes returns the whole table.
func (h *Handler) Routes() []Route {
	return slices.Concat(
		h.realmRoutes(),
		h.componentRoutes(), h.providerRoutes(), h.trustRoutes(),
		h.clientPolicyRoutes(),
		h.unbuiltRoutes(),
		h.flowRoutes(), h.actionRoutes(),
		h.serverInfoRoutes(),
		h.clientRoutes(),
		h.scopeRoutes(),
		h.evaluateRoutes(), h.registrationRoutes(), h.certificateRoutes(),
		h.sessionRoutes(), h.endRoutes(),
		h.eventRoutes(),
		h.deliveryRoutes(), h.mailRoutes(),
		h.userRoutes(),
		h.userCredentialRoutes(),
		h.userBelongingRoutes(),
		h.profileRoutes(),
		h.groupRoutes(),
		h.roleRoutes(),
		h.attackRoutes(),
		h.doctorRoutes(),
		h.explorerRoutes(),
		h.whyRoutes(),
		h.consoleRoutes(), h.uiExtRoutes(), h.uiRoleRoutes(),
	)
}

// masterRealm is where administrators of all realms are at home.
const masterRealm = "master"

// Mux returns the handler for all paths below /admin/.
func (h *Handler) Mux() http.Handler { return h.mux(h.Routes()) }

func (h *Handler) mux(routes []Route) http.Handler {
	mux := http.NewServeMux()
	for _, rt := range routes {
		object := objectOf(rt.Pattern)
		mux.HandleFunc(rt.Pattern, func(w http.ResponseWriter, r *http.Request) { h.serve(rt, object, w, r) })
	}
	inner := web.Fallback(mux, h.unmatched(routes))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions {
			web.SecurityHeaders(w.Header(), nil, "")
			cors(nil).Preflight(w, r)
			return
		}
		// A slash at the end means nothing in JAX-RS, and clients send it.
		if strings.HasSuffix(r.URL.EscapedPath(), "/") {
			r.URL.Path, r.URL.RawPath = strings.TrimSuffix(r.URL.Path, "/"), strings.TrimSuffix(r.URL.RawPath, "/")
		}
		// A copy, so that what was not matched here is not taken for unmatched
		// by the mux in front.
		own := r.WithContext(r.Context())
		inner.ServeHTTP(w, own)
		if own.Pattern != "" {
			r.Pattern = own.Pattern
		}
	})
}

// cors is the policy of the admin API for a caller's token.
// Keycloak: AdminRoot.getRealmsAdmin, AdminCorsPreflightService.
func cors(origins []string) web.CORS {
	return web.CORS{Origins: origins, Methods: []string{"GET", "PUT", "POST", "DELETE"}, Expose: []string{"Location"}, Auth: true}
}

func (h *Handler) serve(rt Route, object string, w http.ResponseWriter, r *http.Request) {
	c, err := h.open(rt, object, w, r)
	var out any
	if err == nil {
		out, err = rt.Serve(c)
	}
	if err == nil {
		err = c.finish(out)
	}
	if err != nil {
		h.fail(w, r, err)
	}
}

// open finds out who asks for what and whether they may; object is the wildcard of what it is about.
func (h *Handler) open(rt Route, object string, w http.ResponseWriter, r *http.Request) (*Call, error) {
	caller, err := h.Authenticate(r)
	if err != nil {
		return nil, err
	}
	c := &Call{Context: r.Context(), R: r, W: w, Caller: caller, route: rt, h: h}
	front := ""
	if name := r.PathValue("realm"); name != "" {
		if c.Realm, err = h.Realms.Get(r.Context(), name); err != nil {
			return nil, err
		}
		if caller.Realm.Name != masterRealm && caller.Realm.ID != c.Realm.ID {
			return nil, errForbidden
		}
		front = c.Realm.Attrs["frontendUrl"]
	}
	urls := h.Hostname.URLs(web.RequestOf(r), front)
	c.URLs = urls
	if origin := r.Header.Get("Origin"); origin != "" && origin != originOf(urls.Admin) && origin != originOf(urls.Frontend) {
		if !cors(caller.Origins).Apply(w, r) {
			return nil, &Error{Status: http.StatusForbidden, Body: plainBody{"Invalid origin", ""}}
		}
	}
	if r.Method == http.MethodGet && rt.Cache == ByMethod && !acceptsJSON(r) {
		return nil, plain(http.StatusNotAcceptable)
	}
	if rt.Perm != Checked && !c.Can(rt.Perm, c.named(object)) {
		return nil, h.refuse(c)
	}
	if err := h.demand(c, rt.Perm); err != nil {
		return nil, err
	}
	for _, values := range r.URL.Query() {
		if slices.ContainsFunc(values, func(v string) bool { return len(v) > iam.MaxSearched }) {
			return nil, Plain(http.StatusBadRequest, "A parameter of the query is too long")
		}
	}
	web.AllowLarge(r)
	return c, nil
}

// refuse is the answer to a caller without the right. Who may ask for users,
// clients or client scopes at all is told first that one is not there.
// Keycloak: UsersResource.user, ClientsResource.getClient, ClientScopesResource.getClientScope.
func (h *Handler) refuse(c *Call) error {
	if c.Path("user") != "" && c.Can(QueryUsers, onAll) {
		if _, err := h.user(c); errors.Is(err, users.ErrNotFound) {
			return err
		}
	}
	if below(c.route.Pattern, "clients/{client}") && c.Can(QueryClients, onAll) {
		if _, err := clientOf(c); errors.Is(err, clients.ErrNoClient) {
			return err
		}
	}
	if (below(c.route.Pattern, "client-scopes/{scope}") || below(c.route.Pattern, "client-templates/{scope}")) && c.Can(QueryClients, onAll) {
		if s, err := namedScope(c); s == nil {
			return err
		}
	}
	return errForbidden
}

// below reports whether a route serves a path of a realm or what is below it.
func below(pattern, path string) bool {
	return strings.Contains(pattern+"/", " /admin/realms/{realm}/"+path+"/")
}

// originOf cuts scheme://host[:port] from a base URL.
func originOf(base string) string {
	scheme, rest, _ := strings.Cut(base, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// errForbidden is what callers without the right are told.
var errForbidden = &iam.Error{Kind: iam.Forbidden, Msg: "HTTP 403 Forbidden"}

// ErrUnauthenticated is what callers without a valid token are told.
var ErrUnauthenticated = &iam.Error{Kind: iam.Unauthenticated, Msg: "HTTP 401 Unauthorized"}

// fail is the one place that writes errors.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := answerTo(err)
	web.SecurityHeaders(w.Header(), nil, "application/json")
	if e == nil {
		if realms.Unavailable(err) {
			h.Log.ErrorContext(r.Context(), "admin: database not available", "route", r.Pattern, "req", web.RequestOf(r).ID, telemetry.KeyError, err)
			web.WriteStatus(w, http.StatusServiceUnavailable)
			return
		}
		if errors.Is(err, r.Context().Err()) && r.Context().Err() != nil {
			web.WriteStatus(w, http.StatusServiceUnavailable)
			return
		}
		h.Log.ErrorContext(r.Context(), "admin", "route", r.Pattern, "req", web.RequestOf(r).ID, telemetry.KeyError, err)
		web.WriteInternal(w, r)
		return
	}
	if err := web.WriteJSON(w, e.Status, e.Body); err != nil && !web.Left(r) {
		h.Log.ErrorContext(r.Context(), "admin: error not written", "route", r.Pattern, telemetry.KeyError, err)
	}
}
