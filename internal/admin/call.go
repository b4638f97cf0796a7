package admin

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"latchkey/internal/clients"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/telemetry"
	"latchkey/internal/web"
)

// A Call is one request whose sender is known and may do it. Handlers read from
// it and return what to answer: nil for 204, anything else as JSON.
type Call struct {
	context.Context
	R      *http.Request
	W      http.ResponseWriter
	Realm  *realms.Realm // nil on routes without {realm}
	Caller *Caller
	URLs   web.URLs

	route  Route
	h      *Handler
	body   any    // what Body decoded, for the admin event
	made   string // the last segment of what was made below the request's path
	at     string // the escaped path of what was made, below /admin/realms/{realm}/
	events []*iam.AdminEvent
	quiet  bool
	realm  bool // what was made is a realm
}

// Body decodes the request's JSON into a T, as Keycloak's Jackson does. The
// admin event will carry it, so handlers may fill in what the server decided.
func Body[T any](c *Call) (*T, error) { return BodyInto(c, new(T)) }

// BodyInto decodes the request's JSON on top of v: what a PUT leaves out stays.
func BodyInto[T any](c *Call, v *T) (*T, error) {
	data, err := c.json()
	if err != nil {
		return nil, err
	}
	if err := rep.Decode(data, v); err != nil {
		return nil, err
	}
	c.body = v
	return v, nil
}

// json reads the body, whose type must be JSON where one is given.
func (c *Call) json() ([]byte, error) {
	if t := c.R.Header.Get("Content-Type"); t != "" && web.MediaType(c.R) != "application/json" {
		return nil, errMediaType()
	}
	data, err := web.ReadBody(c.R)
	if err != nil {
		return nil, err
	}
	return data, rep.CheckText(data)
}

// Text reads a body of type text/plain.
func (c *Call) Text() (string, error) {
	if t := c.R.Header.Get("Content-Type"); t != "" && web.MediaType(c.R) != "text/plain" {
		return "", errMediaType()
	}
	b, err := web.ReadBody(c.R)
	if err == nil && !iam.Storable(string(b)) {
		err = plain(http.StatusBadRequest)
	}
	return string(b), err
}

// Path returns a part of the path by its name in the pattern.
func (c *Call) Path(name string) string { return c.R.PathValue(name) }

// Query returns a parameter of the query, "" when absent.
func (c *Call) Query(name string) string { return c.R.URL.Query().Get(name) }

// Has reports whether the query has a parameter.
func (c *Call) Has(name string) bool { return c.R.URL.Query().Has(name) }

// Bool reads a parameter as Java's Boolean.valueOf does; absent when it is not there.
func (c *Call) Bool(name string, absent bool) bool {
	if c.Query(name) == "" {
		return absent
	}
	return strings.EqualFold(c.Query(name), "true")
}

// BoolPtr is Bool for parameters whose absence means a third thing.
func (c *Call) BoolPtr(name string) *bool {
	if c.Query(name) == "" {
		return nil
	}
	return new(c.Bool(name, false))
}

// Int reads a whole number; what is none is answered 404, as in JAX-RS.
func (c *Call) Int(name string, absent int) (int, error) {
	text := c.Query(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, plain(http.StatusNotFound)
	}
	return int(n), nil
}

// defaultPage is how many users are listed at most unless asked otherwise.
// Keycloak: Constants.DEFAULT_MAX_RESULTS.
const defaultPage = 100

// Page reads first and max. A negative first counts as 0; a negative max, and
// one that is absent where absent is -1, means all.
func (c *Call) Page(absent int) (first, max int, err error) {
	if first, err = c.Int("first", 0); err != nil {
		return 0, 0, err
	}
	if max, err = c.Int("max", absent); err != nil {
		return 0, 0, err
	}
	if first < 0 {
		first = 0
	}
	if max < 0 {
		max = -1
	}
	return first, max, nil
}

// Created answers 201 with a Location: the request's path and one more segment.
// A Create event's resource path ends in it, too.
func (c *Call) Created(segment string) {
	c.made = segment
	c.at = c.escaped() + "/" + url.PathEscape(segment)
}

// CreatedAt answers 201 with a Location given by its segments below
// /admin/realms/{realm}/; the event's path is still the request's.
func (c *Call) CreatedAt(segments ...string) {
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	c.at = strings.Join(segments, "/")
}

// CreatedRealm answers 201 with the Location of a realm.
func (c *Call) CreatedRealm(name string) {
	c.R.SetPathValue("realm", name)
	c.realm = true
}

// Event writes an admin event in place of the route's own, once the request has
// succeeded. path is below the realm; representation nil is none.
func (c *Call) Event(op Op, kind, path string, representation any) {
	c.events = append(c.events, c.adminEvent(op, kind, path, representation, nil))
}

// EventDetails is Event with details.
func (c *Call) EventDetails(op Op, kind, path string, representation any, details map[string]string) {
	c.events = append(c.events, c.adminEvent(op, kind, path, representation, details))
}

// NoEvent says that nothing happened that is worth the route's event.
func (c *Call) NoEvent() { c.quiet = true }

// Represent gives the route's event another representation than the body.
func (c *Call) Represent(v any) { c.body = v }

// resource is the request's path below /admin/realms/{realm}/.
// Keycloak: AdminEventBuilder.resourcePath.
func (c *Call) resource() string { return belowRealm(c.R.URL.Path) }

// escaped is resource as it stands in URLs.
func (c *Call) escaped() string { return belowRealm(c.R.URL.EscapedPath()) }

func belowRealm(path string) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(path, "/admin/realms/"), "/")
	return strings.TrimSuffix(rest, "/")
}

func (c *Call) adminEvent(op Op, kind, path string, representation any, details map[string]string) *iam.AdminEvent {
	e := &iam.AdminEvent{
		AuthRealm: c.Caller.Realm.ID, AuthClient: c.Caller.Client.ID, AuthUser: c.Caller.User.ID, IP: web.RequestOf(c.R).Addr,
		Operation: string(op), ResourceType: kind, ResourcePath: path, Details: details,
	}
	if representation != nil && c.Realm != nil && c.Realm.Events.AdminDetails {
		text, err := rep.Marshal(withoutSecrets(representation))
		if err != nil {
			c.h.Log.ErrorContext(c, "admin event without representation", "path", path, telemetry.KeyError, err)
		}
		e.Representation = string(text)
	}
	return e
}

// Raw is an answer that is no JSON.
type Raw struct {
	Type string // media type
	Data []byte
}

// finish writes the answer and the admin events of a request that succeeded.
func (c *Call) finish(out any) error {
	if c.Realm != nil && (c.route.Op != None || len(c.events) > 0) {
		// What the request has changed may be whether events are kept.
		if fresh, err := c.h.Realms.ByID(c, c.Realm.ID); err == nil {
			c.Realm = fresh
		}
	}
	if c.route.Op != None && !c.quiet && len(c.events) == 0 {
		path := c.resource()
		if c.made != "" {
			path += "/" + c.made
		}
		c.Event(c.route.Op, c.route.Kind, path, c.body)
	}
	if c.Realm != nil {
		for _, e := range c.events {
			c.h.Events.EmitAdmin(c, c.Realm, e)
		}
	}
	head := c.W.Header()
	if c.route.Cache == NoCache || c.route.Cache == ByMethod && c.R.Method == http.MethodGet {
		head.Set("Cache-Control", web.CacheNoCache)
	}
	status := http.StatusOK
	if c.at != "" || c.realm {
		status = http.StatusCreated
		at := c.URLs.Admin + "/admin/realms/" + iam.PathName(c.Path("realm"))
		if !c.realm {
			at += "/" + c.at
		}
		head.Set("Location", at)
	}
	switch out := out.(type) {
	case nil:
		web.SecurityHeaders(head, nil, "")
		if status == http.StatusOK {
			status = http.StatusNoContent
		}
		c.W.WriteHeader(status)
		return nil
	case Raw:
		web.SecurityHeaders(head, nil, out.Type)
		head.Set("Content-Type", out.Type)
		head.Set("Content-Length", strconv.Itoa(len(out.Data)))
		c.W.WriteHeader(status)
		_, _ = c.W.Write(out.Data)
		return nil
	}
	web.SecurityHeaders(head, nil, "application/json")
	if status != http.StatusOK {
		return web.WriteJSON(c.W, status, out)
	}
	return web.WriteLargeJSON(c.W, c.R, out)
}

// withoutSecrets is what of a representation admin events may show.
// Keycloak: StripSecretsUtils.
func withoutSecrets(v any) any {
	switch v := v.(type) {
	case *rep.User:
		u := *v
		u.Credentials = nil
		return &u
	case *rep.Client:
		return clients.WithoutSecrets(v)
	case *rep.Credential:
		c := *v
		if c.Value != nil {
			c.Value = new(masked)
		}
		return &c
	case *rep.IdentityProvider:
		p := *v
		p.Config = maskConfig(p.Config, masked)
		return &p
	case *rep.Component:
		p := *v
		p.Config = maskConfig(p.Config, []string{masked})
		return &p
	}
	return v
}

// masked stands for a secret that is there.
const masked = realms.Masked

// secretKeys are the configuration entries of components and identity
// providers that hold secrets (ProviderConfigProperty.isSecret).
var secretKeys = []string{"clientSecret", "secret", "privateKey", "keyPassword", "keystorePassword", "bindCredential"}

func maskConfig[V any](config map[string]V, mask V) map[string]V {
	if config == nil {
		return nil
	}
	out := maps.Clone(config)
	for _, key := range secretKeys {
		if _, ok := out[key]; ok {
			out[key] = mask
		}
	}
	return out
}
