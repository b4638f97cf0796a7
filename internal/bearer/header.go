package bearer

import (
	"context"
	"strings"
	"time"

	"latchkey/internal/realms"
	"latchkey/internal/tokens"
)

// APITypes are the types of tokens that the APIs take.
var APITypes = []string{tokens.TypeBearer, tokens.TypeDPoP}

// APIChecks are those of the APIs that take bearer tokens. Keycloak: AppAuthManager.BearerTokenAuthenticator,
// TokenManager.TokenRevocationCheck.
var APIChecks = []Check{
	OfType, OfHost, NotExpired, AfterRealm, KnownClient, Proved, LiveSession, LivePart, ClientOn, NotRevoked, AfterSession, AfterRealm, AfterClient, UserOn, RealmOn, AfterUser,
}

// OfHeader returns the token of an Authorization header, and whether it came by the
// scheme DPoP; raw is "" for none.
func OfHeader(header string) (raw string, dpop bool) {
	scheme, raw, _ := strings.Cut(header, " ")
	dpop = strings.EqualFold(scheme, "DPoP")
	if !dpop && !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(raw), dpop
}

// Once keeps for proofs that they are shown once.
func (s *Service) Once(ctx context.Context, r *realms.Realm) func(key string, until time.Time) (bool, error) {
	return func(key string, until time.Time) (bool, error) {
		return s.Sessions.PutSingleUse(ctx, r, key, []byte("1"), until)
	}
}
