package users

import (
	"context"

	"latchkey/internal/iam"
	"latchkey/internal/otp"
	"latchkey/internal/realms"
	"latchkey/internal/webauthn"
)

// presented is what somebody shows to prove who they are: a password, a code.
type presented struct {
	credential string // the id of the credential that is meant, "" for any
	value      string
	passkey    *passkeyProof // of an authenticator
}

// A comparison tells whether what was presented fits a user's credentials of
// one kind. It is called within a guess.
type comparison func(s *Service, ctx context.Context, r *realms.Realm, user iam.UserID, p presented) (bool, error)

// checks are the checks that are built, by kind. A kind without one proves
// nothing: it is kept, listed to administrators and exported, and not offered.
var checks = map[iam.CredentialKind]comparison{
	iam.Password:             (*Service).comparePassword,
	iam.OTP:                  (*Service).compareOTP,
	iam.RecoveryCodes:        (*Service).compareRecoveryCode,
	iam.WebAuthn:             (*Service).comparePasskey,
	iam.WebAuthnPasswordless: (*Service).comparePasskey,
}

// check is the one way to a comparison: within the guess that brute force
// protection allowed, and its time.
func (s *Service) check(ctx context.Context, r *realms.Realm, user iam.UserID, g *iam.Guess, kind iam.CredentialKind,
	p presented) (bool, error) {
	ctx, done, err := s.comparing(ctx, r, user, g)
	if err != nil {
		return false, err
	}
	defer done()
	return checks[kind](s, ctx, r, user, p)
}

// Checks reports whether credentials of a kind can prove something here.
func Checks(kind iam.CredentialKind) bool { return checks[kind] != nil }

// CheckStored says why nothing can ever fit a stored credential, nil if
// something can or its kind is not checked at all.
func (s *Service) CheckStored(c *iam.Credential) error {
	switch c.Kind {
	case iam.Password:
		return s.hash.Check(c.Data, c.Secret)
	case iam.OTP:
		_, err := otp.ParseCredential(c.Data, c.Secret)
		return err
	case iam.WebAuthn, iam.WebAuthnPasswordless:
		_, err := webauthn.ParseKey(c.Data)
		return err
	case iam.RecoveryCodes:
		_, _, err := parseRecoveryCodes(c)
		return err
	}
	return nil
}

// Removable reports whether users may take their credentials of a kind away.
// Keycloak: CredentialDeleteHelper.removeCredential.
func Removable(kind iam.CredentialKind) bool {
	for _, t := range iam.CredentialTypes {
		if t.Kind == kind {
			return t.Removable && Checks(kind)
		}
	}
	return false
}
