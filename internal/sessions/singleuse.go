package sessions

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
)

// NewID makes a session's id: 144 random bits, as Keycloak's
// SecretGenerator.generateSecureID writes them. Whoever knows it is not thereby
// signed in, but it must not be guessed either: it links a browser's tabs.
func NewID() iam.SessionID {
	var b [18]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand aborts the program instead
	return iam.SessionID(base64.RawURLEncoding.EncodeToString(b[:]))
}

// TakeSingleUse takes a value that was stored to be taken once: of many who try,
// one gets it, all others ErrGone.
func (s *Service) TakeSingleUse(ctx context.Context, r *realms.Realm, key string) (value []byte, err error) {
	err = s.db.Single(ctx, func(tx *store.Tx) error {
		value, err = tx.TakeSingleUse(ctx, r.ID, key)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrGone
	}
	return value, err
}

// Redeem is TakeSingleUse for a value that belongs to a session, and Find of
// that session, in one step. value is nil when there was none to take; err is
// Find's. Where the database fails, nothing was taken.
func (s *Service) Redeem(ctx context.Context, r *realms.Realm, key string, ref iam.SessionRef,
	client *iam.Client) (value []byte, v *View, err error) {
	now := s.db.Now()
	err = s.db.Single(ctx, func(tx *store.Tx) error {
		value, v, err = tx.Redeem(ctx, r.ID, key, ref, client.ID)
		return err
	})
	switch {
	case err != nil:
		return nil, nil, err
	case v == nil:
		return value, nil, ErrGone
	}
	return value, v, s.judge(r, v, client, now)
}

// PutSingleUse stores a value until a time, unless its key is taken, and reports
// whether it did: a key that is taken is a replay.
func (s *Service) PutSingleUse(ctx context.Context, r *realms.Realm, key string, value []byte, expires time.Time) (fresh bool, err error) {
	err = s.db.Single(ctx, func(tx *store.Tx) error {
		fresh, err = tx.PutSingleUse(ctx, r.ID, SingleUse{Key: key, Value: value, Expires: expires})
		return err
	})
	return fresh, err
}

// HasSingleUse reports whether a key is stored: a revoked token's.
func (s *Service) HasSingleUse(ctx context.Context, r *realms.Realm, key string) (bool, error) {
	return s.db.HasSingleUse(ctx, r.ID, key, s.db.Now())
}

// LookSingleUse returns a value that was stored to be taken once, and leaves it; ErrGone as TakeSingleUse.
func (s *Service) LookSingleUse(ctx context.Context, r *realms.Realm, key string) ([]byte, error) {
	value, err := s.db.LookSingleUse(ctx, r.ID, key, s.db.Now())
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrGone
	}
	return value, err
}

// SingleUseExpired reports whether a key is stored still, and has expired: as long
// as it is not swept, what came too late can be told from what never was.
func (s *Service) SingleUseExpired(ctx context.Context, r *realms.Realm, key string) (bool, error) {
	return s.db.SingleUseExpired(ctx, r.ID, key, s.db.Now())
}

// Join adds a client's part to an online session that is there, or renews it;
// ErrChanged when somebody changed it since it was read.
func (s *Service) Join(ctx context.Context, p *iam.ClientSession) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error { return put(ctx, tx, p) })
}

// Detach takes a client out of a session and leaves the session, even when it
// was the last: what the reference does about a code or refresh token that was
// used twice. Keycloak: AuthenticatedClientSessionModel.detachFromUserSession.
func (s *Service) Detach(ctx context.Context, r *realms.Realm, ref iam.SessionRef, client iam.ClientID, e iam.End) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		_, err := tx.EndClientSessions(ctx, r.ID, ref.Only(), client, s.toucher.adjustClientSession, e)
		return err
	})
}

// DetachNoted takes those clients out of an online session whose part has a
// note, and returns them.
func (s *Service) DetachNoted(ctx context.Context, r *realms.Realm, ref iam.SessionRef, note string,
	e iam.End) (gone []iam.ClientID, err error) {
	parts, err := s.db.ClientSessionsOf(ctx, r.ID, ref.Only())
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		if p.Notes[note] == "" {
			continue
		}
		if err := s.Detach(ctx, r, ref, p.Client, e); err != nil {
			return nil, err
		}
		gone = append(gone, p.Client)
	}
	return gone, nil
}
