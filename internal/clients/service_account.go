package clients

import (
	"context"
	"errors"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// ServiceAccount returns the user that a client acts as when it asks for tokens
// of its own; one that was removed is made anew.
// Keycloak: ClientResource.getServiceAccountUser, ClientManager.enableServiceAccount.
func (s *Service) ServiceAccount(ctx context.Context, r *realms.Realm, c *realms.Client) (*iam.User, error) {
	none := &iam.Error{Kind: iam.Invalid, Msg: "Service account not enabled for the client '" + c.ClientID + "'"}
	if !c.ServiceAccounts {
		return nil, none
	}
	u, err := s.cache.DB().ServiceAccount(ctx, r.ID, c.ID)
	if errors.Is(err, store.ErrNotFound) {
		err = s.cache.Change(ctx, r.ID, func(tx *store.Tx) error { return enableServiceAccount(ctx, tx, r, c.Rep) })
		if err == nil {
			u, err = s.cache.DB().ServiceAccount(ctx, r.ID, c.ID)
		}
	}
	return u, err
}

func (s *Service) updateServiceAccount(ctx context.Context, tx *store.Tx, r *realms.Realm, c *rep.Client, enabled *bool,
	renamed bool) error {
	id := iam.ClientID(c.ID)
	switch {
	case enabled != nil && *enabled:
		if err := enableServiceAccount(ctx, tx, r, c); err != nil {
			return err
		}
	case enabled != nil:
		if scope := r.ScopeByName(serviceAccountScope); scope != nil {
			if _, err := tx.UnbindScope(ctx, r.ID, id, scope.ID); err != nil {
				return err
			}
		}
		return s.removeServiceAccount(ctx, tx, r, id)
	}
	if !renamed {
		return nil
	}
	u, err := tx.ServiceAccount(ctx, r.ID, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	u.Username = serviceAccountPrefix + strings.ToLower(c.ClientID)
	return tx.UpdateUser(ctx, u, r.Login.DuplicateEmails)
}

// enableServiceAccount makes a client's user, unless it has one, as any new
// user of the realm starts. Keycloak: ClientManager.enableServiceAccount.
func enableServiceAccount(ctx context.Context, tx *store.Tx, r *realms.Realm, c *rep.Client) error {
	id := iam.ClientID(c.ID)
	if scope := r.ScopeByName(serviceAccountScope); scope != nil {
		if _, err := tx.BindScope(ctx, r.ID, store.ScopeBinding{Client: id, Scope: scope.ID}); err != nil {
			return err
		}
	}
	_, err := tx.ServiceAccount(ctx, r.ID, id)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	u := &iam.User{
		ID: iam.UserID(realms.NewID()), Realm: r.ID, Username: serviceAccountPrefix + strings.ToLower(c.ClientID),
		Enabled: true, ServiceAccount: id, CreatedAt: tx.Now,
	}
	if err := r.FillDefaults(u); err != nil {
		return err
	}
	for _, a := range r.RequiredActions {
		if a.Enabled && a.Default {
			u.Required = append(u.Required, a.Alias)
		}
	}
	if err := tx.InsertUser(ctx, u, r.Login.DuplicateEmails); err != nil {
		return err
	}
	if r.DefaultRole != "" {
		if _, err := tx.AddUserRole(ctx, r.ID, u.ID, r.DefaultRole); err != nil {
			return err
		}
	}
	groups, err := tx.DefaultGroups(ctx, r.ID)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if _, err := tx.JoinGroup(ctx, r.ID, u.ID, g); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) removeServiceAccount(ctx context.Context, tx *store.Tx, r *realms.Realm, client iam.ClientID) error {
	u, err := tx.ServiceAccount(ctx, r.ID, client)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.live.DeleteUser(ctx, tx, r, u.ID, iam.End{By: iam.ActorAdmin, Rule: "its client"})
}
