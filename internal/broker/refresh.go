package broker

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/users"
)

// leastValid is how long a stored access token must be good for yet to be handed out, where the
// provider's settings say nothing. Keycloak: OAuth2IdentityProviderConfig.getMinValidityToken.
const leastValid = 5 * time.Second

// Stale tells whether a stored token has to be refreshed before it is handed out, and can be.
// Keycloak: OIDCIdentityProvider.retrieveToken.
func (s *Service) Stale(p *realms.IdentityProvider, stored iam.Secret) bool {
	var doc struct {
		Expires float64 `json:"accessTokenExpiration"`
		Refresh string  `json:"refresh_token"`
	}
	if json.Unmarshal(stored, &doc) != nil || doc.Expires == 0 || doc.Refresh == "" {
		return false
	}
	least := leastValid
	if n, err := strconv.Atoi(p.Config["minValidityToken"]); err == nil {
		least = time.Duration(n) * time.Second
	}
	return int64(doc.Expires) <= s.Now().Add(least).Unix()
}

// Refresh asks a provider for new tokens for those of a link, and stores them. Whoever calls it sees to it that nobody
// does at the same time: a provider may take a refresh token once.
func (s *Service) Refresh(ctx context.Context, r *realms.Realm, p *realms.IdentityProvider, issuer string,
	link *iam.FederatedIdentity) (iam.Secret, error) {
	var was map[string]any
	if err := json.Unmarshal(link.Token, &was); err != nil {
		return nil, refuse("there is no refresh token")
	}
	refresh, _ := was["refresh_token"].(string)
	got, err := s.tokens(ctx, r, Complete(&p.IdentityProvider), issuer,
		url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
	if err != nil {
		return nil, err
	}
	var now map[string]any
	if err := json.Unmarshal(got.raw, &now); err != nil {
		return nil, refuse("the tokens cannot be kept")
	}
	for _, name := range []string{"refresh_token", "id_token"} { // RFC 6749 6: the old one stays good
		if now[name] == nil && was[name] != nil {
			now[name] = was[name]
		}
	}
	doc, err := json.Marshal(now)
	if err != nil {
		return nil, err
	}
	next := *link
	next.Token = withExpiry(string(doc), s.Now().Unix())
	_, err = s.Users.ApplyBrokered(ctx, r, link.User, &users.BrokeredChange{Link: &next})
	return next.Token, err
}
