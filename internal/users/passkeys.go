package users

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
	"latchkey/internal/webauthn"
)

// ErrChallenge says that a challenge was answered before.
var ErrChallenge = &iam.Error{Kind: iam.Invalid, Msg: "the challenge was answered before"}

// WebAuthnPolicy is the policy of a realm for one of the two kinds of authenticators' credentials.
func WebAuthnPolicy(r *realms.Realm, kind iam.CredentialKind) iam.WebAuthnPolicy {
	if kind == iam.WebAuthnPasswordless {
		return r.Passwordless
	}
	return r.WebAuthn
}

// A passkeyProof is an assertion, and what was wrong with it.
type passkeyProof struct {
	kind      iam.CredentialKind
	party     webauthn.Party
	challenge string
	assertion webauthn.Assertion
	refused   error
}

// CheckPasskey judges an assertion by the user's credential with its id. The
// error refused says, for events, why it proves nothing. A challenge is good
// once, and the counter of the credential moves by a compare-and-swap. g is the
// guess that brute force protection allowed.
func (s *Service) CheckPasskey(ctx context.Context, r *realms.Realm, user iam.UserID, g *iam.Guess, kind iam.CredentialKind,
	issuer, challenge string,
	a webauthn.Assertion) (ok bool, refused, err error) {
	proof := &passkeyProof{kind: kind, party: webauthn.PartyOf(WebAuthnPolicy(r, kind), issuer), challenge: challenge, assertion: a}
	ok, err = s.check(ctx, r, user, g, kind, presented{passkey: proof})
	return ok, proof.refused, err
}

// comparePasskey is the check of both kinds of authenticators' credentials.
func (s *Service) comparePasskey(ctx context.Context, r *realms.Realm, user iam.UserID, p presented) (ok bool, err error) {
	proof := p.passkey
	if proof == nil { // text proves nothing here
		return false, nil
	}
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		ok = false
		list, err := tx.Credentials(ctx, r.ID, user)
		if err != nil {
			return err
		}
		c, key := PasskeyOf(list, proof.kind, proof.assertion.ID)
		if c == nil {
			proof.refused = errors.New("the user has no such credential")
			return nil
		}
		fresh, err := spendChallenge(ctx, tx, r, proof.challenge)
		if err != nil || !fresh {
			proof.refused = ErrChallenge
			return err
		}
		counter, refused := key.Verify(WebAuthnPolicy(r, proof.kind), proof.party, proof.challenge, proof.assertion)
		if proof.refused = refused; refused != nil {
			return nil
		}
		ok = true
		if counter == key.Counter {
			return nil
		}
		key.Counter = counter
		if c.Data, err = key.Marshal(); err != nil {
			return err
		}
		return tx.UpdateCredential(ctx, r.ID, c)
	})
	return ok && err == nil, err
}

// spendChallenge reports whether a challenge was not answered yet. It is
// remembered for as long as the page that shows it may be submitted.
func spendChallenge(ctx context.Context, tx *store.Tx, r *realms.Realm, challenge string) (bool, error) {
	open := max(r.Lifespans.Login, r.Lifespans.UserAction) + time.Minute
	return tx.PutSingleUse(ctx, r.ID, store.SingleUse{Key: "webauthn:" + challenge, Expires: tx.Now.Add(open)})
}

// PasskeyOf finds the credential of a kind with the id that its authenticator gave it.
func PasskeyOf(list []*iam.Credential, kind iam.CredentialKind, id []byte) (*iam.Credential, *webauthn.Key) {
	for _, c := range list {
		if c.Kind != kind {
			continue
		}
		if key, err := webauthn.ParseKey(c.Data); err == nil && key.Is(id) {
			return c, key
		}
	}
	return nil, nil
}

// AddPasskey stores a credential that answered a challenge. ErrChallenge,
// ErrLabel and ErrCredentials say why not.
func (s *Service) AddPasskey(ctx context.Context, r *realms.Realm, user iam.UserID, kind iam.CredentialKind, challenge, label string,
	key *webauthn.Key) error {
	if iam.Characters(label) > iam.MaxLabel {
		return ErrLabel
	}
	data, err := key.Marshal()
	if err != nil {
		return err
	}
	id, err := webauthn.Decode(key.ID)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		list, err := tx.Credentials(ctx, r.ID, user)
		if err != nil {
			return err
		}
		fresh, err := spendChallenge(ctx, tx, r, challenge)
		if err != nil {
			return err
		}
		has, _ := PasskeyOf(list, kind, id)
		switch {
		case !fresh:
			return ErrChallenge
		case has != nil:
			return iam.Errorf(iam.Conflict, "the authenticator is registered already")
		case len(list) >= iam.MaxCredentials:
			return ErrCredentials
		}
		return insertCredential(ctx, tx, r.ID, list, &iam.Credential{User: user, Kind: kind, Label: label, Data: data, Secret: iam.Secret("{}"),
			Created: tx.Now})
	})
}

// PasskeyTransports is how a stored credential's authenticator is reached.
func PasskeyTransports(c *iam.Credential) []string {
	key, err := webauthn.ParseKey(c.Data)
	if err != nil {
		return nil
	}
	return key.Transports
}
