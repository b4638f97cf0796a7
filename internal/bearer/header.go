package bearer

import (
	"context"
	"strings"
	"time"

	"latchkey/internal/realms"
	"latchkey/internal/tokens"
)

// apiTypes are the types of tokens that the APIs take.
var apiTypes = []string{tokens.TypeBearer, tokens.TypeDPoP}

// apiChecks are those of the APIs that take bearer tokens. Keycloak: AppAuthManager.BearerTokenAuthenticator,
// TokenManager.TokenRevocationCheck.
var apiChecks = []Check{
	OfType, OfHost, NotExpired, AfterRealm, KnownClient, Proved, LiveSession, LiveClientSession, ClientOn, NotRevoked,
	AfterSession, AfterRealm,
	AfterClient, UserOn, RealmOn, AfterUser,
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

// JudgeAPI judges the token of a request to one of the APIs. issuer is the realm's address as the request sees
// it; of what a proof must name (RFC 9449 4.3) the caller says header, method, bases and path.
func (s *Service) JudgeAPI(ctx context.Context, r *realms.Realm, raw string, dpop bool, issuer string,
	proof tokens.Proof) (*Verdict, error) {
	proof.Access, proof.Now, proof.Once = raw, s.Now(), s.Once(ctx, r)
	return s.Judge(ctx, r, raw, Want{Checks: apiChecks, Types: apiTypes, Issuer: issuer, DPoP: dpop, Proof: &proof})
}

// Once keeps for proofs that they are shown once.
func (s *Service) Once(ctx context.Context, r *realms.Realm) func(key string, until time.Time) (bool, error) {
	return func(key string, until time.Time) (bool, error) {
		return s.Sessions.PutSingleUse(ctx, r, key, []byte("1"), until)
	}
}
