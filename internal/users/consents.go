package users

import (
	"context"
	"errors"
	"slices"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
)

// Consents returns what a user has granted to clients.
func (s *Service) Consents(ctx context.Context, r *realms.Realm, user iam.UserID) ([]*iam.Consent, error) {
	return s.db.Consents(ctx, r.ID, user)
}

// Consent returns what a user has granted a client, nil when nothing was.
func (s *Service) Consent(ctx context.Context, r *realms.Realm, user iam.UserID, client iam.ClientID) (*iam.Consent, error) {
	c, err := s.db.Consent(ctx, r.ID, user, client)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return c, err
}

// SetConsent stores that a user has granted a client these scopes and no others,
// and reports whether that is the first the client is granted.
func (s *Service) SetConsent(ctx context.Context, r *realms.Realm, user iam.UserID, client iam.ClientID, scopes []iam.ScopeID) (
	c *iam.Consent, first bool, err error) {
	return s.changeConsent(ctx, r, user, client, func([]iam.ScopeID) ([]iam.ScopeID, bool) { return scopes, true })
}

// AddConsent stores that a user has granted a client these scopes too. Where all
// are granted already the consent keeps its time of change.
// Keycloak: LoginActionsService.processConsent.
func (s *Service) AddConsent(ctx context.Context, r *realms.Realm, user iam.UserID, client iam.ClientID, scopes []iam.ScopeID) error {
	_, _, err := s.changeConsent(ctx, r, user, client, func(granted []iam.ScopeID) ([]iam.ScopeID, bool) {
		all := slices.Clone(granted)
		for _, id := range scopes {
			if !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
		return all, len(all) > len(granted)
	})
	return err
}

// changeConsent is the one way a grant comes about: what is written follows
// from what is there, whatever else is granted or taken back meanwhile. change
// returns the scopes to grant and whether a consent that is there is to be written.
func (s *Service) changeConsent(ctx context.Context, r *realms.Realm, user iam.UserID, client iam.ClientID,
	change func(granted []iam.ScopeID) ([]iam.ScopeID, bool)) (c *iam.Consent, first bool, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		before, err := tx.Consent(ctx, r.ID, user, client)
		if first = errors.Is(err, store.ErrNotFound); first {
			c = &iam.Consent{User: user, Client: client, Created: tx.Now, Updated: tx.Now}
			c.Scopes, _ = change(nil)
			return tx.InsertConsent(ctx, r.ID, c)
		}
		if err != nil {
			return err
		}
		scopes, changed := change(before.Scopes)
		if c = before; !changed {
			return nil
		}
		c = &iam.Consent{User: user, Client: client, Scopes: scopes, Created: before.Created, Updated: tx.Now}
		return tx.UpdateConsent(ctx, r.ID, before, c)
	})
	return c, first, err
}

// RevokeConsent takes a consent back and reports whether there was one. The
// client's parts in sessions stay: see sessions.Service.RevokeClient.
func (s *Service) RevokeConsent(ctx context.Context, r *realms.Realm, user iam.UserID, client iam.ClientID) (was bool, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		was, err = tx.DeleteConsent(ctx, r.ID, user, client)
		return err
	})
	return was, err
}

// Links returns a user's accounts at identity providers.
func (s *Service) Links(ctx context.Context, r *realms.Realm, user iam.UserID) ([]*iam.FederatedIdentity, error) {
	return s.db.Links(ctx, r.ID, user)
}

// AddLink adds an account at an identity provider; a second one there, or one
// that is somebody's already, is an *iam.Error of kind Conflict.
func (s *Service) AddLink(ctx context.Context, r *realms.Realm, l *iam.FederatedIdentity) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error { return tx.InsertLink(ctx, r.ID, l) })
	if errors.As(err, new(*store.ExistsError)) {
		return &iam.Error{Kind: iam.Conflict, Msg: "User is already linked with provider", Err: err}
	}
	return err
}

// RemoveLink takes a user's account at an identity provider away and reports
// whether there was one.
func (s *Service) RemoveLink(ctx context.Context, r *realms.Realm, user iam.UserID, provider string) (was bool, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		was, err = tx.DeleteLink(ctx, r.ID, user, provider)
		return err
	})
	return was, err
}
