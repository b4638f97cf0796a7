package grants

import (
	"context"

	"latchkey/internal/iam"
	"latchkey/internal/sessions"
)

// clientCredentials gives a client tokens of its own service account (RFC 6749
// 4.4). Without a refresh token no session is stored.
// Keycloak: ClientCredentialsGrantType.process.
func (s *Service) clientCredentials(ctx context.Context, q *Request) (*Decision, error) {
	switch {
	case q.Client.Access == iam.Public:
		return nil, servicePublic
	case !q.Client.ServiceAccounts:
		return nil, serviceOff
	}
	user, err := s.Users.ServiceAccount(ctx, q.Realm, q.Client.ID)
	if err != nil {
		return nil, err
	}
	if user == nil {
		return nil, serviceMissing
	}
	q.Event.Detail("username", user.Username)
	q.Event.User = user.ID
	if !user.Enabled {
		return nil, serviceUserOff.With("$user", user.Username)
	}
	scope, err := q.scope()
	if err != nil {
		return nil, err
	}
	now, addr := s.Now(), q.Event.IP
	us := &iam.UserSession{
		ID: sessions.NewID(), Realm: q.Realm.ID, User: user.ID, Username: user.Username, IP: addr, AuthMethod: "client_auth",
		Started: now, LastAccess: now, Origin: iam.Origin{How: iam.HowService, Client: q.Client.ID},
		Notes: map[string]string{"clientId": q.Client.ClientID, "client_id": q.Client.ClientID, "clientHost": addr, "clientAddress": addr},
	}
	g := q.grant("cc", scope)
	g.User, g.Session, g.ClientSession = user, us, q.newPart(us, scope, iam.HowService)
	if !q.Client.OIDC.ServiceRefresh {
		g.Transient = iam.Transient
		return &Decision{Grant: g}, nil
	}
	q.Event.Session = us.ID
	return &Decision{Grant: g}, s.begin(ctx, q, g)
}
