package oidc

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"latchkey/internal/authn"
	"latchkey/internal/authn/actions"
	"latchkey/internal/authn/tabs"
	"latchkey/internal/bearer"
	"latchkey/internal/broker"
	"latchkey/internal/clientauth"
	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/keys"
	"latchkey/internal/logout"
	"latchkey/internal/oidc/grants"
	"latchkey/internal/pages"
	"latchkey/internal/realms"
	"latchkey/internal/records"
	"latchkey/internal/sessions"
	"latchkey/internal/telemetry"
	"latchkey/internal/tokens"
	"latchkey/internal/users"
	"latchkey/internal/web"
)

// Config is what the door needs of the house.
type Config struct {
	Realms     *realms.Cache
	Keys       *keys.Service
	Sessions   *sessions.Service
	Users      *users.Service
	Bearer     *bearer.Service // judges presented tokens
	ClientAuth *clientauth.Service
	Events     *events.Writer
	Issuer     *tokens.Issuer
	Engine     *authn.Engine // for direct grants
	Broker     *broker.Service
	Actions    *actions.Set
	Pages      *pages.Set
	Hostname   *web.Hostname
	Log        *slog.Logger
	Now        func() time.Time
	Ender      *logout.Ender
	Tabs       *tabs.Keeper // seals what travels through the browser
	Counter    *records.Counter
}

// Login is the door of logins, which knows this one as a protocol: Routes is given it.
type Login interface {
	// Start answers an authorization request that was found good.
	Start(w http.ResponseWriter, r *http.Request, b *authn.Begin)
	// Identity finds the session that an identity cookie proves, nil when it
	// proves none; LogoutRoot sets the cookie that a logout goes by.
	Identity(ctx context.Context, r *realms.Realm, issuer, cookie string) (*authn.Identity, error)
	LogoutRoot(w http.ResponseWriter, r *http.Request, realm *realms.Realm) error
}

// A Handler is the door. Make it with New.
type Handler struct {
	Config
	grants  *grants.Service
	objects *web.Client // for request objects
	guesses codeGuesses
}

// New makes the door.
func New(c Config) *Handler {
	iam.Complete(c)
	return &Handler{Config: c, objects: web.NewClient(web.RequestObject), grants: grants.New(grants.Rooms{
		Sessions: c.Sessions, Users: c.Users, Bearer: c.Bearer, Issuer: c.Issuer, Engine: c.Engine, Actions: c.Actions,
		Events: c.Events, Tabs: c.Tabs, Log: c.Log, Now: c.Now,
	})}
}

// base is where the protocol's endpoints live.
const base = "/realms/{realm}/protocol/openid-connect"

// A route is one endpoint. The realm of the path is looked up before serve.
type route struct {
	pattern string
	serve   func(c *call) error
	event   iam.EventKind // that the call's event begins as, "" for none
}

// routes is every endpoint of the door.
func (h *Handler) routes() []route {
	return []route{
		{"GET /realms/{realm}", h.realmInfo, ""},
		{"GET /realms/{realm}/{$}", h.realmInfo, ""},
		{"GET /realms/{realm}/clients/{client}/redirect", h.toClient, ""},
		{"GET " + base + "/certs", h.certs, ""},
		{"OPTIONS " + base + "/certs", h.publicPreflight, ""},
		{"POST " + base + "/token", h.token, ""},
		{"OPTIONS " + base + "/token", h.postPreflight, ""},
		{"POST " + base + "/token/introspect", h.introspect, "INTROSPECT_TOKEN"},
		{"GET " + base + "/userinfo", h.userinfo, "USER_INFO_REQUEST"},
		{"POST " + base + "/userinfo", h.userinfo, "USER_INFO_REQUEST"},
		{"OPTIONS " + base + "/userinfo", h.anyPreflight, ""},
		{"POST " + base + "/revoke", h.revoke, "REVOKE_GRANT"},
		{"OPTIONS " + base + "/revoke", h.postPreflight, ""},
		{"POST " + base + "/ext/par/request", h.push, "PUSHED_AUTHORIZATION_REQUEST"},
		{"OPTIONS /realms/{realm}", h.realmPreflight, ""},
		{"GET /realms/{realm}/.well-known/{document}", h.wellKnown, ""},
		{"OPTIONS /realms/{realm}/.well-known/{document}", h.publicPreflight, ""},
		{"/realms/{realm}/.well-known/{document}", h.nowhere, ""},
		{"GET /.well-known/{document}/realms/{realm}", h.rootWellKnown, ""},
		{"GET " + base + "/auth", h.authorize, "LOGIN"},
		{"POST " + base + "/auth", h.authorize, "LOGIN"},
		{"GET " + base + "/logout", h.logout, "LOGOUT"},
		{"POST " + base + "/logout", h.logout, "LOGOUT"},
		{"OPTIONS " + base + "/logout", h.anyPreflight, ""},
		{"POST " + base + "/logout/backchannel-logout", h.logoutFromProvider, "LOGOUT"},
		{"GET /realms/{realm}/broker/{alias}/endpoint/logout_response", h.logoutResponse, "LOGOUT"},
		{"GET /realms/{realm}/broker/{alias}/token", h.brokerToken, "IDENTITY_PROVIDER_RETRIEVE_TOKEN"},
		{"GET " + base + "/logout/logout-confirm", h.confirmLogout, "LOGOUT"},
		{"POST " + base + "/logout/logout-confirm", h.confirmLogout, "LOGOUT"},
		{"GET " + base + "/login-status-iframe.html", h.statusFrame, ""},
		{"GET " + base + "/login-status-iframe.html/init", h.statusInit, ""},
		{"GET " + base + "/3p-cookies/step1.html", h.cookies1, ""},
		{"GET " + base + "/3p-cookies/step2.html", h.cookies2, ""},
		{"GET " + base + "/oauth/oob", h.showCode, ""},
		{"GET " + base + "/auth/device", h.deviceEndpoint, "OAUTH2_DEVICE_VERIFY_USER_CODE"},
		{"POST " + base + "/auth/device", h.deviceEndpoint, "OAUTH2_DEVICE_VERIFY_USER_CODE"},
		{"GET " + base + "/auth/device/status", h.deviceStatus, ""},
		{"GET /realms/{realm}/device", h.deviceEndpoint, "OAUTH2_DEVICE_VERIFY_USER_CODE"},
		{"POST /realms/{realm}/device", h.deviceEndpoint, "OAUTH2_DEVICE_VERIFY_USER_CODE"},
		{"OPTIONS /realms/{realm}/device", h.postPreflight, ""},
		{"GET /realms/{realm}/device/status", h.deviceStatus, ""},
		{"OPTIONS " + base + "/auth/device", h.postPreflight, ""},
		{"POST " + base + "/ext/ciba/auth", h.backchannelAuth, "LOGIN"},
		{"GET " + base + "/registrations", h.register, "REGISTER"},
		{"POST " + base + "/registrations", h.register, "REGISTER"},
		{"GET " + base + "/forgot-credentials", h.forgot, "RESET_PASSWORD"},
		{"POST " + base + "/forgot-credentials", h.forgot, "RESET_PASSWORD"},
	}
}

// Routes mounts the door.
func (h *Handler) Routes(mux *http.ServeMux, login Login) {
	for _, rt := range h.routes() {
		serve := func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, rt, login) }
		mux.HandleFunc(rt.pattern, serve)
		if strings.HasSuffix(rt.pattern, "/{$}") || strings.HasSuffix(rt.pattern, " /realms/{realm}") {
			continue
		}
		mux.HandleFunc(rt.pattern+"/{$}", serve) // as in JAX-RS, a slash at the end changes nothing
	}
}

// A call is one request at the door, after its realm was found.
type call struct {
	door  *Handler
	w     http.ResponseWriter
	r     *http.Request
	realm *realms.Realm
	urls  web.URLs
	login Login        // nil where the login door asks
	event iam.Event    // what is written down when the request was decided
	asks  pages.Client // whose request it is, once that is known: pages lead back to it

	cors *web.CORS // the policy for scripts of other origins; nil where none is to read the answer
}

func (c *call) ctx() context.Context { return c.r.Context() }

// issuer is the realm's issuer URL as this request sees it.
func (c *call) issuer() string { return c.urls.Frontend + c.realm.Path() }

// endpoint is an address of the protocol below the realm.
func (c *call) endpoint(path string) string {
	return c.issuer() + "/protocol/openid-connect" + path
}

// emit writes the call's event down as it is now.
func (c *call) emit() {
	e := c.event
	c.write(&e)
}

// write writes an event down, and keeps the support code of a refusal for the answer that tells of it.
func (c *call) write(e *iam.Event) {
	c.door.Events.Emit(c.ctx(), c.realm, e)
	if c.event.Support == "" { // what follows from the first refusal says less
		c.event.Support = e.Support
	}
}

// detail adds a detail to the call's event; an empty value is left out.
func (c *call) detail(name, value string) { c.event.Detail(name, value) }

// failed writes the call's event down as an error.
func (c *call) failed(word string) {
	c.event.Kind = events.Failed(c.event.Kind)
	c.event.Error = word
	c.emit()
}

func (h *Handler) call(w http.ResponseWriter, r *http.Request, realm *realms.Realm) *call {
	q := web.RequestOf(r)
	return &call{
		door: h, w: w, r: r, realm: realm, urls: h.Hostname.URLs(q, realm.Attrs["frontendUrl"]),
		event: iam.Event{Realm: realm.ID, IP: q.Addr},
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, rt route, login Login) {
	realm, err := h.Realms.Get(r.Context(), r.PathValue("realm"))
	if errors.Is(err, realms.ErrNotFound) {
		h.noRealm(w, r)
		return
	}
	if err != nil {
		h.broken(w, r, err)
		return
	}
	c := h.call(w, r, realm)
	c.event.Kind, c.login = rt.event, login
	if err := rt.serve(c); err != nil {
		c.fail(err)
	}
}

// json answers with a document.
func (c *call) json(status int, v any) error {
	web.SecurityHeaders(c.w.Header(), c.realm.SecurityHeaders, "application/json")
	if err := web.WriteJSON(c.w, status, v); err != nil && !web.Left(c.r) {
		c.door.Log.Error("an answer could not be written", telemetry.KeyError, err)
	}
	return nil
}

// public lets scripts of every origin read the answer.
func (c *call) public() {
	web.CORS{Origins: []string{"*"}, Auth: true}.Apply(c.w, c.r)
}

// realmPreflight answers for the realm's own document, whose answer is public.
// Keycloak: PublicRealmResource.accountPreflight.
func (h *Handler) realmPreflight(c *call) error {
	web.CORS{Auth: true}.Preflight(c.w, c.r)
	return nil
}

func (h *Handler) publicPreflight(c *call) error {
	web.SecurityHeaders(c.w.Header(), c.realm.SecurityHeaders, "")
	web.CORS{Methods: []string{"GET"}, Auth: true}.Preflight(c.w, c.r)
	return nil
}
