package oidc

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"latchkey/internal/authn"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
)

const wrongClient = "Invalid client or Invalid client credentials"

// A clientProof is one attempt of a client to prove who it is: the walk through
// the realm's flow for that. Keycloak: ClientAuthenticationFlow.
type clientProof struct {
	*backCall
	client    *realms.Client // whom the request names, once somebody found out
	assertion *assertion
}

// A refusedClient is a client that did not prove who it is: the error word of
// the event, and the answer.
type refusedClient struct {
	word   string
	answer *Error
}

func (r *refusedClient) Error() string { return r.word }

// authenticators by Keycloak's provider ids. Each sets the client that the
// request names and returns a *refusedClient unless it has proved it. The flow
// may hold others: a client that is set up for one of them finds no way in.
var authenticators = map[string]func(*clientProof) error{
	"client-secret":     (*clientProof).secret,
	"client-jwt":        (*clientProof).signed,
	"client-secret-jwt": (*clientProof).signedWithSecret,
}

// authenticateClient says which client sent the request, or refuses it with an
// event. word and answer of a refusal are the reference's.
func (b *backCall) authenticateClient() error {
	a := &clientProof{backCall: b}
	err := a.walk()
	var refused *refusedClient
	if errors.As(err, &refused) {
		b.anyOrigin()
		return b.refuse(refused.word, refused.answer)
	}
	if err != nil {
		return err
	}
	b.client = a.client
	switch {
	case !b.client.Enabled:
		return b.clientOff()
	case b.client.Protocol != "" && b.client.Protocol != iam.OIDC:
		return b.refuse("invalid_client", &Error{http.StatusBadRequest, "invalid_client", "Wrong client protocol."})
	}
	return nil
}

// walk tries what the realm's flow for clients lets them authenticate by, in its
// order. What decides is the one that the client is set up for.
func (a *clientProof) walk() error {
	flow := a.realm.Flow(a.realm.Flows.ClientAuthentication)
	if flow == nil {
		return errors.New("the realm has no flow for client authentication")
	}
	for _, method := range authn.ClientAuthenticators(flow) {
		try := authenticators[method]
		if try == nil {
			if a.client != nil && methodOf(a.client) == method {
				return &refusedClient{"invalid_client_credentials", &Error{http.StatusUnauthorized, "invalid_client", wrongClient}}
			}
			continue
		}
		err := try(a)
		var refused *refusedClient
		if err != nil && !errors.As(err, &refused) {
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
	return &refusedClient{"client_not_found", &Error{http.StatusUnauthorized, "invalid_client", wrongClient}}
}

// methodOf is the authenticator that a client is set up for.
func methodOf(c *realms.Client) string {
	if c.Access == iam.Public || c.AuthMethod == "" {
		return "client-secret"
	}
	return c.AuthMethod
}

// find looks up the client that the request names.
func (a *clientProof) find(clientID string) error {
	c, err := a.lookUp(clientID)
	if err != nil {
		return err
	}
	a.client = c
	return nil
}

func (a *clientProof) lookUp(clientID string) (*realms.Client, error) {
	c, err := a.realm.ClientByName(a.ctx(), clientID)
	if realms.Missing(err) {
		return nil, &refusedClient{"client_not_found", &Error{http.StatusUnauthorized, "invalid_client", wrongClient}}
	}
	return c, err
}

// secret: client_id and client_secret in the form or by Basic (RFC 6749 2.3.1).
// Keycloak: ClientIdAndSecretAuthenticator.
func (a *clientProof) secret() error {
	id, secret, sent, err := basic(a.r.Header.Get("Authorization"))
	if err != nil {
		// Keycloak: ClientAuthenticationFlow ends where an authenticator breaks down.
		a.anyOrigin()
		return a.refuse("invalid_client_credentials", &Error{http.StatusBadRequest, "unauthorized_client", "Unexpected error when authenticating client"})
	}
	if a.form.Has("client_id") {
		id = a.form.Get("client_id")
	}
	if a.form.Has("client_secret") {
		secret, sent = a.form.Get("client_secret"), true
	}
	if id == "" && !sent && !a.form.Has("client_id") {
		return &refusedClient{"client_not_found", &Error{http.StatusBadRequest, "invalid_client", "Missing client_id parameter"}}
	}
	a.event.Client = id
	if err := a.find(id); err != nil {
		return err
	}
	wrong := &refusedClient{"invalid_client_credentials", &Error{http.StatusUnauthorized, "unauthorized_client", wrongClient}}
	method := "client_secret_basic"
	if a.form.Has("client_secret") {
		method = "client_secret_post"
	}
	switch allowed := a.client.Attr("client.secret.authentication.allowed.method"); {
	case !a.client.Enabled:
		return &refusedClient{"client_disabled", &Error{http.StatusUnauthorized, "invalid_client", wrongClient}}
	case a.client.Access == iam.Public:
		return nil
	case !sent:
		return wrong
	case allowed != "" && allowed != method:
		return &refusedClient{"invalid_client_credentials", &Error{http.StatusUnauthorized, "unauthorized_client",
			"Invalid method used to get client secret. Client requires method '" + allowed + "' to obtain client secret from the request"}}
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
