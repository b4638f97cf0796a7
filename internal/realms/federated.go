package realms

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// Federated users are what a realm knows beyond their provider of users who
// live in a directory: attributes, roles, groups, credentials, consents. Until
// a provider is there to ask for them, their documents are kept as they came,
// with the names in them unresolved, and written back. Keycloak:
// JpaUserFederatedStorageProvider.

// prepareFederated returns the federated users of a realm without passwords in
// clear: these are hashed as other users' are.
func (m *Manager) prepareFederated(ctx context.Context, r *rep.Realm, now time.Time) ([]rep.User, error) {
	realm, err := r.IAM()
	if err != nil {
		return nil, iam.Errorf(iam.Invalid, "%v", err)
	}
	users := slices.Clone(r.FederatedUsers)
	for i := range users {
		u := &users[i]
		u.Credentials = slices.Clone(u.Credentials)
		for j := range u.Credentials {
			c := &u.Credentials[j]
			if c.Value == nil {
				continue
			}
			made, err := m.credential(ctx, realm, u.IAM(), c, now, fmt.Sprintf("/federatedUsers/%d/credentials/%d", i, j))
			if err != nil {
				return nil, err
			}
			c.Value, c.CredentialData, c.SecretData = nil, string(made.Data), string(made.Secret)
		}
	}
	return users, nil
}

func (w *writer) writeFederated(ctx context.Context, u *rep.User) error {
	return w.object(ctx, store.Object{Kind: store.KindFederatedUser, ID: u.ID, Parent: providerOf(u.ID), Name: u.Username}, u)
}

// providerOf is the component that a federated user comes from, whose id is in
// the user's: "f:<component>:<id there>". With the component its users go.
// Keycloak: StorageId.
func providerOf(user string) string {
	rest, ok := strings.CutPrefix(user, "f:")
	component, _, found := strings.Cut(rest, ":")
	if !ok || !found {
		return ""
	}
	return component
}

// ExportFederated calls yield with pages of at most size federated users in
// order of their ids. Keycloak: ExportUtils.exportFederatedUser.
func (m *Manager) ExportFederated(ctx context.Context, name string, size int, yield func([]rep.User) error) error {
	r, err := m.Cache.Get(ctx, name)
	if err != nil {
		return err
	}
	for after := ""; ; {
		page, err := m.Cache.db.ObjectsAfter(ctx, r.ID, store.KindFederatedUser, after, size)
		if err != nil || len(page) == 0 {
			return err
		}
		users := make([]rep.User, len(page))
		for i, o := range page {
			if err := rep.Unmarshal(o.Doc, &users[i]); err != nil {
				return fmt.Errorf("federated user %s: %w", o.ID, err)
			}
			after = o.ID
		}
		if err := yield(users); err != nil {
			return err
		}
	}
}
