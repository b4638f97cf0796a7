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
	"latchkey/internal/oauth"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/web"
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
	Credentials
	Base        string // the server's address as everybody sees it
	Backchannel string // and as programs see it
}

// Credentials are what a request says of its client.
type Credentials struct {
	Authorization string // the header
	ID            web.Param
	Secret        web.Param
	Assertion     web.Param
	AssertionType web.Param
}

// Read reads the credentials in a form and the Authorization header.
func Read(form web.Form, authorization string) Credentials {
	return Credentials{
		Authorization: authorization, ID: form.Param("client_id"), Secret: form.Param("client_secret"),
		Assertion: form.Param("client_assertion"), AssertionType: form.Param("client_assertion_type"),
	}
}

// A Proof is what came of an attempt.
type Proof struct {
	Client  *realms.Client    // nil with a Refusal
	Named   string            // the client_id that the event tells, "" for none
	Details map[string]string // of the event
	Refusal *oauth.Refusal
}

// Authenticate says which client sent a request: the walk through the realm's flow for
// that. Whether the client is enabled and of the right protocol is for the caller.
// Keycloak: ClientAuthenticationFlow.
func (s *Service) Authenticate(ctx context.Context, r *realms.Realm, q Request) (*Proof, error) {
	a := &attempt{Service: s, sent: q, ctx: ctx, realm: r, proof: &Proof{}}
	err := a.walk()
	if refused, ok := errors.AsType[*oauth.Refusal](err); ok {
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
	sent      Request
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
// request names and returns an *oauth.Refusal unless it has proved it. The flow
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
				return otherMethod
			}
			continue
		}
		err := try(a)
		refused, ok := errors.AsType[*oauth.Refusal](err)
		if err != nil && (!ok || refused == unreadable) {
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
	return notFound
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
		return nil, notFound
	}
	return c, err
}

// secret: client_id and client_secret in the form or by Basic (RFC 6749 2.3.1).
// Keycloak: ClientIdAndSecretAuthenticator.
func (a *attempt) secret() error {
	id, secret, sent, err := basic(a.sent.Authorization)
	if err != nil {
		return unreadable
	}
	if a.sent.ID.Given {
		id = a.sent.ID.Text
	}
	if a.sent.Secret.Given {
		secret, sent = a.sent.Secret.Text, true
	}
	if id == "" && !sent && !a.sent.ID.Given {
		return noID
	}
	a.proof.Named = id
	if err := a.find(id); err != nil {
		return err
	}
	method := "client_secret_basic"
	if a.sent.Secret.Given {
		method = "client_secret_post"
	}
	switch allowed := a.client.OIDC.SecretMethod; {
	case !a.client.Enabled:
		return oauth.ClientOff
	case a.client.Access == iam.Public:
		return nil
	case !sent:
		return wrongSecret
	case allowed != "" && allowed != method:
		return otherWay.With("$method", allowed)
	case len(a.client.Secret) == 0:
		return wrongSecret
	case a.client.Secret.Equal(secret):
		return nil
	}
	return wrongSecret
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
