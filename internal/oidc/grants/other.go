package grants

import (
	"context"

	"latchkey/internal/bearer"
	"latchkey/internal/jose"
	"latchkey/internal/realms"
)

// The grants that are not built answer as the reference does where a realm has
// not set them up, so that no client takes them for a missing address.

// ciba: CibaGrantType of a client without backchannel authentication.
func (*Service) ciba(context.Context, *Request) (*Decision, error) { return nil, cibaOff }

// jwtBearer: JWTAuthorizationGrantType of a realm without an identity provider
// for it.
func (*Service) jwtBearer(_ context.Context, q *Request) (*Decision, error) {
	if !q.Params.Assertion.Given {
		return nil, assertionMissing
	}
	if _, err := jose.Parse(q.Params.Assertion.Text); err != nil {
		return nil, assertionInvalid
	}
	return nil, assertionUnknown
}

// permissionChecks are accessChecks behind the client, whose policy says which scripts may
// read the refusal.
var permissionChecks = []bearer.Check{
	bearer.KnownClient, bearer.OfHost, bearer.OfType, bearer.NotExpired, bearer.NotRevoked, bearer.LiveSession, bearer.LiveClientSession,
	bearer.AfterSession, bearer.AfterClientSession,
	bearer.ClientOn, bearer.UserOn, bearer.AfterRealm, bearer.AfterClient, bearer.AfterUser,
}

// uma: PermissionGrantType for a resource server without authorization services, also for
// who shows an access token in place of a client's secret.
func (*Service) uma(ctx context.Context, q *Request) (*Decision, error) {
	q.Event.Detail("auth_method", "oauth_credentials")
	switch audience := q.Params.Audience; {
	case q.Bearer == nil:
		return nil, permissionsOff
	case !q.Bearer.Good():
		return nil, permissionToken
	case len(audience) == 0:
		return nil, permissionAudience
	default:
		if _, err := q.Realm.ClientByName(ctx, audience[0]); realms.Missing(err) {
			return nil, permissionUnknown.With("$audience", audience[0])
		} else if err != nil {
			return nil, err
		}
	}
	return nil, permissionsOff
}
