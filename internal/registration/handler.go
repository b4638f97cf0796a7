package registration

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"latchkey/internal/bearer"
	"latchkey/internal/clientauth"
	"latchkey/internal/clients"
	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/roles"
	"latchkey/internal/telemetry"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// A Handler is the door. Its fields are set once, before Routes.
type Handler struct {
	Realms     *realms.Cache
	Clients    *clients.Service
	Judge      *bearer.Service
	ClientAuth *clientauth.Service
	Roles      *roles.Service
	Events     *events.Writer
	Hostname   *web.Hostname
	Log        *slog.Logger
	Now        func() time.Time
	// Lookup resolves the names of trusted hosts, as net.Resolver.LookupHost.
	Lookup func(ctx context.Context, host string) ([]string, error)
}

// An Error is a refusal as Keycloak's OAuth2ErrorRepresentation.
type Error struct {
	Status      int
	Code        string
	Description string
}

func (e *Error) Error() string { return e.Code + ": " + e.Description }

// A call is one request.
type call struct {
	*Handler
	ctx    context.Context
	w      http.ResponseWriter
	r      *http.Request
	realm  *realms.Realm
	urls   web.URLs
	event  iam.Event
	client *realms.Client // that the path names, nil when there is none
	bearer *presented     // nil without a token
}

const (
	above = "/realms/{realm}/clients-registrations"
	base  = above + "/{provider}"
)

// Routes mounts the door.
func (h *Handler) Routes(mux *http.ServeMux) {
	for _, rt := range []struct {
		pattern string
		kind    iam.EventKind
		serve   func(*call, provider) error
	}{
		{"POST " + base, "CLIENT_REGISTER", (*call).create},
		{"GET " + base + "/{client}", "CLIENT_INFO", (*call).get},
		{"PUT " + base + "/{client}", "CLIENT_UPDATE", (*call).update},
		{"DELETE " + base + "/{client}", "CLIENT_DELETE", (*call).remove},
		// Methods that the format has one step above or below.
		{"GET " + base, "", (*call).nothingHere}, {"PUT " + base, "", (*call).nothingHere}, {"DELETE " + base, "", (*call).nothingHere},
		{"POST " + base + "/{client}", "", (*call).nothingHere},
		{"OPTIONS " + base, "", (*call).options}, {"OPTIONS " + base + "/{client}", "", (*call).options},
	} {
		mux.HandleFunc(rt.pattern, func(w http.ResponseWriter, r *http.Request) {
			c, p, err := h.open(w, r, rt.kind)
			if err == nil {
				err = rt.serve(c, p)
			}
			if err != nil {
				h.fail(w, r, err)
			}
		})
	}
	for _, pattern := range []string{above, above + "/{$}"} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodOptions {
				h.fail(w, r, errMethod)
				return
			}
			w.Header().Set("Allow", "HEAD, OPTIONS")
			w.WriteHeader(http.StatusOK)
		})
	}
}

var errMethod = &Error{http.StatusMethodNotAllowed, "HTTP 405 Method Not Allowed", ""}

func (c *call) nothingHere(p provider) error {
	if _, ok := p.(installFormat); ok {
		return errMethod
	}
	return &Error{http.StatusNotFound, "HTTP 404 Not Found", ""}
}

// options answers what may be asked; of the formats, that of OpenID Connect is
// for scripts too. Keycloak: OIDCClientRegistrationProvider.preflight.
func (c *call) options(p provider) error {
	allow := "HEAD, DELETE, POST, GET, OPTIONS, PUT"
	switch p.(type) {
	case oidcFormat:
		web.CORS{Methods: []string{"GET", "POST", "PUT", "DELETE", "OPTIONS"}, Auth: true}.Preflight(c.w, c.r)
		return nil
	case installFormat:
		allow = "HEAD, GET, OPTIONS"
	}
	c.w.Header().Set("Allow", allow)
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (h *Handler) open(w http.ResponseWriter, r *http.Request, kind iam.EventKind) (*call, provider, error) {
	realm, err := h.Realms.Get(r.Context(), r.PathValue("realm"))
	if err != nil {
		return nil, nil, err
	}
	if !realm.Enabled {
		return nil, nil, &Error{http.StatusForbidden, "access_denied", "Realm not enabled"}
	}
	c := &call{
		Handler: h, ctx: r.Context(), w: w, r: r, realm: realm, urls: h.Hostname.URLs(web.RequestOf(r), realm.Attrs["frontendUrl"]),
		event: iam.Event{Kind: kind, IP: web.RequestOf(r).Addr},
	}
	p, ok := providers[r.PathValue("provider")]
	if !ok {
		return nil, nil, &Error{http.StatusNotFound, "Client registration provider not found", ""}
	}
	if name := r.PathValue("client"); name != "" {
		if c.client, err = clients.ByClientID(c.ctx, realm, name); err != nil {
			return nil, nil, err
		}
	}
	if _, ok := p.(oidcFormat); ok && kind != "" && r.Header.Get("Origin") != "" {
		if err := c.checkOrigin(); err != nil {
			return nil, nil, err
		}
	}
	return c, p, nil
}

// fail is the one place that writes errors.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	web.SecurityHeaders(w.Header(), nil, "application/json")
	var refused *Error
	var input *clients.InputError
	var unread web.BodyError
	switch {
	case errors.As(err, &refused):
	case errors.As(err, &input):
		refused = &Error{http.StatusBadRequest, input.Code, input.Description}
	case errors.Is(err, realms.ErrNotFound):
		refused = &Error{http.StatusNotFound, "Realm does not exist", ""}
	case errors.As(err, &unread):
		refused = &Error{int(unread), "HTTP " + strconv.Itoa(int(unread)) + " " + http.StatusText(int(unread)), ""}
	default:
		if bad, ok := errors.AsType[rep.DecodeError](err); ok {
			code, description := bad.Answer()
			refused = &Error{http.StatusBadRequest, code, description}
		} else if e, ok := errors.AsType[*iam.Error](err); ok && e.Kind == iam.Invalid {
			refused = &Error{http.StatusBadRequest, "invalid_client_metadata", e.Msg}
		}
	}
	if refused == nil {
		if !web.Left(r) {
			h.Log.ErrorContext(r.Context(), "registration", "route", r.Pattern, "req", web.RequestOf(r).ID, telemetry.KeyError, err)
		}
		if realms.Unavailable(err) {
			web.WriteStatus(w, http.StatusServiceUnavailable)
			return
		}
		web.WriteInternal(w, r)
		return
	}
	body := rep.OAuthError{Error: refused.Code, ErrorDescription: refused.Description}
	if err := web.WriteJSON(w, refused.Status, body); err != nil && !web.Left(r) {
		h.Log.ErrorContext(r.Context(), "registration: error not written", telemetry.KeyError, err)
	}
}

func (c *call) issuer() string { return c.urls.Frontend + c.realm.Path() }

// address is where a client is managed.
func (c *call) address(clientID string) string {
	return c.issuer() + "/clients-registrations/" + c.r.PathValue("provider") + "/" + (&url.URL{Path: clientID}).EscapedPath()
}

// emit writes the call's event down.
func (c *call) emit() {
	e := c.event
	c.Events.Emit(c.ctx, c.realm, &e)
}

// detail adds to the call's event.
func (c *call) detail(name, value string) {
	if c.event.Details == nil {
		c.event.Details = map[string]string{}
	}
	c.event.Details[name] = value
}

// refuse writes the call's event down as an error and returns err.
func (c *call) refuse(word, reason string, err error) error {
	c.event.Kind, c.event.Error = events.Failed(c.event.Kind), word
	if reason != "" {
		c.detail("reason", reason)
	}
	c.emit()
	return err
}

func (c *call) unauthorized(reason string) error {
	return c.refuse("invalid_token", reason, &Error{http.StatusUnauthorized, "invalid_token", reason})
}

func (c *call) forbidden(description string) error {
	return c.refuse("not_allowed", "", &Error{http.StatusForbidden, "insufficient_scope", description})
}

func (c *call) write(status int, v any) error {
	web.SecurityHeaders(c.w.Header(), nil, "application/json")
	return web.WriteJSON(c.w, status, v)
}

// A provider is one of the formats in which clients are registered.
type provider interface {
	// read reads the client that is to be made or, with update, changed.
	read(c *call, update bool) (*rep.Client, error)
	// show renders a client with its registration access token, "" for none.
	show(c *call, cl *realms.Client, token string, created bool) any
}

var providers = map[string]provider{"openid-connect": oidcFormat{}, "default": ownFormat{}, "install": installFormat{}}

// create registers a client. Keycloak: AbstractClientRegistrationProvider.create.
func (c *call) create(p provider) error {
	if _, ok := p.(installFormat); ok {
		return errMethod
	}
	given, err := p.read(c, false)
	if err != nil {
		return err
	}
	kind, err := c.mayCreate()
	if err != nil {
		return err
	}
	if err := c.mayGive(given); err != nil {
		return err
	}
	if err := c.applyPolicies(kind, given); err != nil {
		return err
	}
	if existing, err := clients.ByClientID(c.ctx, c.realm, given.ClientID); err != nil {
		return err
	} else if given.ClientID != "" && existing != nil {
		return &Error{http.StatusBadRequest, "invalid_client_metadata", "Client Identifier in use"}
	}
	made, err := c.Clients.Register(c.ctx, c.realm, given, c.bearer.initial())
	for _, used := range []error{clients.ErrInitialAccessUsedUp, clients.ErrInitialAccessExpired, clients.ErrNoInitialAccess} {
		if errors.Is(err, used) {
			return c.unauthorized(used.Error())
		}
	}
	if e, ok := errors.AsType[*iam.Error](err); ok && e.Kind == iam.Conflict || errors.Is(err, clients.ErrDuplicate) {
		return &Error{http.StatusBadRequest, "invalid_client_metadata", "Client Identifier in use"}
	}
	if err != nil {
		return metadata(err)
	}
	c.event.Client = made.ClientID
	if err := c.reload(made.ClientID); err != nil {
		return err
	}
	token, err := c.Clients.RegistrationToken(c.ctx, c.realm, c.issuer(), *made.RegistrationAccessToken, kind, c.origins(kind))
	if err != nil {
		return err
	}
	c.emit()
	c.w.Header().Set("Location", c.address(made.ClientID))
	return c.write(http.StatusCreated, p.show(c, c.client, token, true))
}

// reload takes the realm and the client as they are after a change.
func (c *call) reload(clientID string) (err error) {
	if c.realm, err = c.Realms.ByID(c.ctx, c.realm.ID); err != nil {
		return err
	}
	c.client, err = clients.ByClientID(c.ctx, c.realm, clientID)
	return err
}

// metadata turns a refusal of the rules into one of RFC 7591, section 3.2.2.
func metadata(err error) error {
	input, ok := errors.AsType[*clients.InputError](err)
	if !ok || input.Code != "invalid_input" {
		return err
	}
	code := "invalid_client_metadata"
	if input.About == "redirectUris" {
		code = "invalid_redirect_uri"
	}
	return &Error{http.StatusBadRequest, code, input.Description}
}

func (c *call) get(p provider) error {
	_, install := p.(installFormat)
	kind, err := c.mayView(install)
	if err == nil {
		err = c.checkSender(kind)
	}
	if err != nil {
		return err
	}
	c.event.Client = c.client.ClientID
	if c.bearer != nil && c.bearer.Type == tokens.TypeBearer {
		sees, err := c.seesSecrets()
		if err != nil {
			return err
		}
		if !sees {
			c.client = clients.Hidden(c.client)
		}
	}
	token := ""
	if c.bearer != nil && c.bearer.Type == clients.TypeRegistrationAccess {
		// The same token, signed anew with today's key.
		if token, err = c.Clients.RegistrationToken(c.ctx, c.realm, c.issuer(), c.bearer.ID, c.bearer.auth, c.bearer.origins); err != nil {
			return err
		}
	}
	c.emit()
	return c.write(http.StatusOK, p.show(c, c.client, token, false))
}

func (c *call) update(p provider) error {
	if _, ok := p.(installFormat); ok {
		return errMethod
	}
	c.event.Client = c.r.PathValue("client")
	given, err := p.read(c, true)
	if err != nil {
		return err
	}
	kind, err := c.mayUpdate()
	if err != nil {
		return err
	}
	if err := c.mayGive(given); err != nil {
		return err
	}
	if err := c.applyPolicies(kind, given); err != nil {
		return err
	}
	if c.bearer.Type == clients.TypeRegistrationAccess && given.Protocol != "" && given.Protocol != string(c.client.Protocol) {
		// Keycloak 26.7.5: AbstractClientRegistrationProvider.update.
		return &Error{http.StatusBadRequest, "invalid_client_metadata", "Protocol cannot be changed via registration access token"}
	}
	if given.ClientID != c.client.ClientID {
		return &Error{http.StatusBadRequest, "invalid_client_metadata", "Client Identifier modified"}
	}
	token := ""
	if c.bearer.Type == clients.TypeRegistrationAccess {
		id, err := c.Clients.UpdateRegistered(c.ctx, c.realm, c.client.ID, given, c.bearer.ID)
		if errors.Is(err, clients.ErrSpentRegistration) {
			return c.mayNotUpdate()
		}
		if err != nil {
			return metadata(err)
		}
		if token, err = c.Clients.RegistrationToken(c.ctx, c.realm, c.issuer(), id, c.bearer.auth, c.origins(kind)); err != nil {
			return err
		}
	} else if _, err := c.Clients.Update(c.ctx, c.realm, c.client.ID, given); err != nil {
		return metadata(err)
	}
	if err := c.reload(c.client.ClientID); err != nil {
		return err
	}
	c.emit()
	return c.write(http.StatusOK, p.show(c, c.client, token, false))
}

func (c *call) remove(provider) error {
	c.event.Client = c.r.PathValue("client")
	kind, err := c.mayUpdate()
	if err == nil {
		err = c.checkSender(kind)
	}
	if err != nil {
		return err
	}
	if c.bearer.Type == clients.TypeRegistrationAccess {
		err = c.Clients.DeleteRegistered(c.ctx, c.realm, c.client, c.bearer.ID)
	} else {
		err = c.Clients.Delete(c.ctx, c.realm, c.client)
	}
	if errors.Is(err, clients.ErrSpentRegistration) {
		return c.mayNotUpdate()
	}
	if err != nil {
		return err
	}
	c.emit()
	web.SecurityHeaders(c.w.Header(), nil, "")
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// proved reports whether the request proves that the client itself sent it.
// Keycloak: ClientRegistrationAuth.authenticateClient.
func (c *call) proved() (bool, error) {
	p, err := c.ClientAuth.Authenticate(c.ctx, c.realm, clientauth.Request{
		Credentials: clientauth.Credentials{Authorization: c.r.Header.Get("Authorization")},
		Base:        c.urls.Frontend, Backchannel: c.urls.Backchannel,
	})
	return err == nil && p.Client != nil && p.Client.Enabled && p.Client.ID == c.client.ID, err
}
