package clientauth

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"time"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/web"
)

// Invalid is what a client is told of whom nothing more is to be said.
const Invalid = "Invalid client or Invalid client credentials"

// The error words of events.
const (
	wordCredentials = "invalid_client_credentials"
	wordDisabled    = "client_disabled"
	wordNotFound    = "client_not_found"
)

// A Service finds out which client sent a request. It is safe for concurrent use.
type Service struct {
	sessions *sessions.Service
	keys     *keyFetcher
	now      func() time.Time
}

// New makes a Service.
func New(s *sessions.Service, now func() time.Time) *Service {
	return &Service{sessions: s, keys: newKeyFetcher(now), now: now}
}

// A Request is what a request says of its client, and where it was sent to.
type Request struct {
	Form          web.Form
	Authorization string // the header
	Base          string // the server's address as everybody sees it
	Backchannel   string // and as programs see it
}

// A Proof is what came of an attempt.
type Proof struct {
	Client  *realms.Client    // nil with a Refusal
	Named   string            // the client_id that the event tells, "" for none
	Details map[string]string // of the event
	Refusal *Refusal
}

// A Refusal is of a client that did not prove who it is: the error word of the event,
// and the answer in OAuth's words (RFC 6749 5.2).
type Refusal struct {
	Word        string
	Status      int // of HTTP
	Code        string
	Description string
	ends        bool // no other authenticator is tried
}

func (r *Refusal) Error() string { return r.Word }

// Authenticate says which client sent a request: the walk through the realm's flow for
// that. Whether the client is enabled and of the right protocol is for the caller.
// Keycloak: ClientAuthenticationFlow.
func (s *Service) Authenticate(ctx context.Context, r *realms.Realm, q Request) (*Proof, error) {
	a := &attempt{Service: s, Request: q, ctx: ctx, realm: r, proof: &Proof{}}
	err := a.walk()
	if refused, ok := errors.AsType[*Refusal](err); ok {
		a.proof.Refusal = refused
		return a.proof, nil
	}
	if err != nil {
		return nil, err
	}
	a.proof.Client = a.client
	return a.proof, nil
}

// An attempt is one client's.
type attempt struct {
	*Service
	Request
	ctx       context.Context
	realm     *realms.Realm
	proof     *Proof
	client    *realms.Client // whom the request names, once somebody found out
	assertion *assertion
}

// detail adds a detail to the event.
func (a *attempt) detail(name, value string) {
	if value == "" {
		return
	}
	if a.proof.Details == nil {
		a.proof.Details = map[string]string{}
	}
	a.proof.Details[name] = value
}

// authenticators by Keycloak's provider ids. Each sets the client that the
// request names and returns a *Refusal unless it has proved it. The flow
// may hold others: a client that is set up for one of them finds no way in.
var authenticators = map[string]func(*attempt) error{
	"client-secret":     (*attempt).secret,
	"client-jwt":        (*attempt).signed,
	"client-secret-jwt": (*attempt).signedWithSecret,
}

// walk tries what the realm's flow for clients lets them authenticate by, in its
// order. What decides is the one that the client is set up for.
func (a *attempt) walk() error {
	flow := a.realm.Flow(a.realm.Flows.ClientAuthentication)
	if flow == nil {
		return errors.New("the realm has no flow for client authentication")
	}
	for _, method := range authn.ClientAuthenticators(flow) {
		try := authenticators[method]
		if try == nil {
			if a.client != nil && methodOf(a.client) == method {
				return &Refusal{Word: wordCredentials, Status: 401, Code: "invalid_client", Description: Invalid}
			}
			continue
		}
		err := try(a)
		refused, ok := errors.AsType[*Refusal](err)
		if err != nil && (!ok || refused.ends) {
			return err
		}
		if a.client == nil || methodOf(a.client) != method {
			continue
		}
		if err == nil {
			a.detail("client_auth_method", method)
		}
		return err
	}
	return &Refusal{Word: wordNotFound, Status: 401, Code: "invalid_client", Description: Invalid}
}

// methodOf is the authenticator that a client is set up for.
func methodOf(c *realms.Client) string {
	if c.Access == iam.Public || c.AuthMethod == "" {
		return "client-secret"
	}
	return c.AuthMethod
}

// find looks up the client that the request names.
func (a *attempt) find(clientID string) error {
	c, err := a.lookUp(clientID)
	if err != nil {
		return err
	}
	a.client = c
	return nil
}

func (a *attempt) lookUp(clientID string) (*realms.Client, error) {
	c, err := a.realm.ClientByName(a.ctx, clientID)
	if realms.Missing(err) {
		return nil, &Refusal{Word: wordNotFound, Status: 401, Code: "invalid_client", Description: Invalid}
	}
	return c, err
}

// secret: client_id and client_secret in the form or by Basic (RFC 6749 2.3.1).
// Keycloak: ClientIdAndSecretAuthenticator.
func (a *attempt) secret() error {
	id, secret, sent, err := basic(a.Authorization)
	if err != nil {
		// Keycloak: ClientAuthenticationFlow ends where an authenticator breaks down.
		return &Refusal{Word: wordCredentials, Status: 400, Code: "unauthorized_client",
			Description: "Unexpected error when authenticating client", ends: true}
	}
	if a.Form.Has("client_id") {
		id = a.Form.Get("client_id")
	}
	if a.Form.Has("client_secret") {
		secret, sent = a.Form.Get("client_secret"), true
	}
	if id == "" && !sent && !a.Form.Has("client_id") {
		return &Refusal{Word: wordNotFound, Status: 400, Code: "invalid_client", Description: "Missing client_id parameter"}
	}
	a.proof.Named = id
	if err := a.find(id); err != nil {
		return err
	}
	wrong := &Refusal{Word: wordCredentials, Status: 401, Code: "unauthorized_client", Description: Invalid}
	method := "client_secret_basic"
	if a.Form.Has("client_secret") {
		method = "client_secret_post"
	}
	switch allowed := a.client.OIDC.SecretMethod; {
	case !a.client.Enabled:
		return &Refusal{Word: wordDisabled, Status: 401, Code: "invalid_client", Description: Invalid}
	case a.client.Access == iam.Public:
		return nil
	case !sent:
		return wrong
	case allowed != "" && allowed != method:
		return &Refusal{Word: wordCredentials, Status: 401, Code: "unauthorized_client",
			Description: "Invalid method used to get client secret. Client requires method '" + allowed +
				"' to obtain client secret from the request"}
	case len(a.client.Secret) == 0:
		return wrong
	case a.client.Secret.Equal(secret):
		return nil
	}
	return wrong
}

// basic reads an Authorization header; its halves are form-encoded, and err says
// that they are so badly. Keycloak: BasicAuthHelper.RFC6749.
func basic(header string) (user, password string, ok bool, err error) {
	scheme, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false, nil
	}
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(rest), "="))
	if err != nil {
		return "", "", false, nil //nolint:nilerr // it is no credential at all
	}
	user, password, ok = strings.Cut(string(raw), ":")
	if !ok {
		return "", "", false, nil
	}
	if user, err = url.QueryUnescape(user); err != nil {
		return "", "", false, err
	}
	if password, err = url.QueryUnescape(password); err != nil {
		return "", "", false, err
	}
	return user, password, true, nil
}
