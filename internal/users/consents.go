package users

import (
	"context"
	"errors"

	"latchkey/internal/iam"
	"latchkey/internal/store"
)

// Consents returns what a user has granted to clients.
func (s *Service) Consents(ctx context.Context, r *iam.Realm, user iam.UserID) ([]*iam.Consent, error) {
	return s.db.Consents(ctx, r.ID, user)
}

// Consent returns what a user has granted a client, nil when nothing was.
func (s *Service) Consent(ctx context.Context, r *iam.Realm, user iam.UserID, client iam.ClientID) (*iam.Consent, error) {
	c, err := s.db.Consent(ctx, r.ID, user, client)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return c, err
}

// Grant stores a consent in place of the one that may be there; Updated is
// filled in, and Created is when the user first granted the client anything.
func (s *Service) Grant(ctx context.Context, r *iam.Realm, c *iam.Consent) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		before, err := tx.Consent(ctx, r.ID, c.User, c.Client)
		switch {
		case err == nil:
			c.Created = before.Created
		case errors.Is(err, store.ErrNotFound):
			c.Created = tx.Now
		default:
			return err
		}
		c.Updated = tx.Now
		return tx.PutConsent(ctx, r.ID, c)
	})
}

// RevokeConsent takes a consent back and reports whether there was one. The
// client's parts in sessions stay: see sessions.Service.RevokeClient.
func (s *Service) RevokeConsent(ctx context.Context, r *iam.Realm, user iam.UserID, client iam.ClientID) (was bool, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		was, err = tx.DeleteConsent(ctx, r.ID, user, client)
		return err
	})
	return was, err
}

// Links returns a user's accounts at identity providers.
func (s *Service) Links(ctx context.Context, r *iam.Realm, user iam.UserID) ([]*iam.FederatedIdentity, error) {
	return s.db.Links(ctx, r.ID, user)
}

// AddLink adds an account at an identity provider; a second one there, or one
// that is somebody's already, is an *iam.Error of kind Conflict.
func (s *Service) AddLink(ctx context.Context, r *iam.Realm, l *iam.FederatedIdentity) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error { return tx.InsertLink(ctx, r.ID, l) })
	if errors.As(err, new(*store.ExistsError)) {
		return &iam.Error{Kind: iam.Conflict, Msg: "User is already linked with provider", Err: err}
	}
	return err
}

// RemoveLink takes a user's account at an identity provider away and reports
// whether there was one.
func (s *Service) RemoveLink(ctx context.Context, r *iam.Realm, user iam.UserID, provider string) (was bool, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		was, err = tx.DeleteLink(ctx, r.ID, user, provider)
		return err
	})
	return was, err
}
