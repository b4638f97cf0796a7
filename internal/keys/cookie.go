package keys

import (
	"context"
	"errors"
	"fmt"

	"latchkey/internal/iam"
	"latchkey/internal/jose"
	"latchkey/internal/realms"
)

// internalAlg signs what only this server reads: refresh tokens and cookies.
// Keycloak: Constants.INTERNAL_SIGNATURE_ALGORITHM.
const internalAlg = "HS512"

// oldInternalAlg is what Keycloak signed with before version 25: realms that were moved
// from there have a key for it.
const oldInternalAlg = "HS256"

// ErrForged says that a token was not signed by the realm for itself.
var ErrForged = errors.New("keys: not signed by this realm")

// ErrUnknownKey is an ErrForged of what names a key that the realm does not
// have, or no longer accepts.
var ErrUnknownKey = fmt.Errorf("%w: by no key that it has", ErrForged)

// SignInternal signs claims with the realm's HMAC key, for the server itself.
func (s *Service) SignInternal(ctx context.Context, r *realms.Realm, claims any) (string, error) {
	k, err := s.Signer(ctx, r, internalAlg)
	if err != nil {
		return "", err
	}
	return k.SignJSON("JWT", claims)
}

// ReadInternal reads the claims of what SignInternal returned, or returns
// ErrForged. Keys that are passive by now still count; times are the caller's to check.
func ReadInternal(ctx context.Context, r *realms.Realm, token string, claims any) error {
	t, err := jose.Parse(token)
	if err != nil || t.Header.Alg != internalAlg && t.Header.Alg != oldInternalAlg {
		return ErrForged
	}
	if accepted := Of(r).Accepted(iam.Sig); t.Header.KID != "" && !accepted.Has(t.Header.KID) {
		return ErrUnknownKey
	} else if _, err := accepted.Verify(t); err != nil {
		return ErrForged
	}
	if err := t.Claims(claims); err != nil {
		return ErrForged
	}
	return nil
}
