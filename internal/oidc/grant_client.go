package oidc

import (
	"net/http"

	"latchkey/internal/iam"
	"latchkey/internal/sessions"
	"latchkey/internal/tokens"
)

// clientCredentials gives a client tokens of its own service account (RFC 6749
// 4.4). Without a refresh token no session is stored.
// Keycloak: ClientCredentialsGrantType.process.
func (t *tokenCall) clientCredentials() (*decision, error) {
	refused := func(reason string) error {
		return t.deny(refusal{word: "invalid_client", status: http.StatusUnauthorized, code: "unauthorized_client", description: reason})
	}
	switch {
	case t.client.Access == iam.Public:
		return nil, refused("Public client not allowed to retrieve service account")
	case !t.client.ServiceAccounts:
		return nil, refused("Client not enabled to retrieve service account")
	}
	user, err := t.Users.ServiceAccount(t.ctx(), t.realm, t.client.ID)
	if err != nil {
		return nil, err
	}
	if user == nil {
		return nil, t.deny(refusal{word: "user_not_found", status: http.StatusUnauthorized, code: "invalid_request",
			description: "The associated service account for the client does not exist"})
	}
	t.detail("username", user.Username)
	t.event.User = user.ID
	if !user.Enabled {
		return nil, t.deny(refusal{word: "user_disabled", status: http.StatusUnauthorized, code: "invalid_request", description: "User '" +
			user.Username + "' disabled"})
	}
	scope, err := t.requestedScope()
	if err != nil {
		return nil, err
	}
	now, addr := t.Now(), t.event.IP
	us := &iam.UserSession{
		ID: sessions.NewID(), Realm: t.realm.ID, User: user.ID, Username: user.Username, IP: addr, AuthMethod: "client_auth",
		Started: now, LastAccess: now,
		Origin: iam.Origin{How: iam.HowService, Client: t.client.ID},
		Notes:  map[string]string{"clientId": t.client.ClientID, "client_id": t.client.ClientID, "clientHost": addr, "clientAddress": addr},
	}
	g := &iam.Grant{
		Client: &t.client.Client, User: user, Session: us, ClientSession: t.newPart(us, scope, iam.HowService), Type: "cc",
		Scopes: tokens.Requested(t.realm, &t.client.Client, scope), Asked: scope, OpenID: tokens.HasScope(scope, tokens.ScopeOpenID),
	}
	if !t.client.OIDC.ServiceRefresh {
		g.Transient = iam.Transient
		return &decision{grant: g}, nil
	}
	t.event.Session = us.ID
	return &decision{grant: g}, t.begin(g)
}
