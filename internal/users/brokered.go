package users

import (
	"context"
	"errors"
	"slices"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
)

// ByLink returns who is linked to an account at an identity provider, nil when nobody is.
func (s *Service) ByLink(ctx context.Context, r *realms.Realm, provider, external string) (*iam.User, error) {
	u, err := s.db.UserByLink(ctx, r.ID, provider, external)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return u, err
}

// ErrLinked: the account at the provider is somebody's already, or the user has another there.
var ErrLinked = &iam.Error{Kind: iam.Conflict, Msg: "User is already linked with provider"}

// A BrokeredChange is what a login through an identity provider makes of a user.
type BrokeredChange struct {
	Link        *iam.FederatedIdentity // nil: it stays as it is
	New         bool                   // the link is made now
	Edit        func(*iam.User)        // nil: nothing; may run twice
	Give, Take  []iam.RoleID
	Join, Leave []iam.GroupID
}

// ApplyBrokered makes a change, all of it or nothing, and returns the user as written.
func (s *Service) ApplyBrokered(ctx context.Context, r *realms.Realm, id iam.UserID, c *BrokeredChange) (u *iam.User, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		if u, err = tx.User(ctx, r.ID, id); err != nil {
			return err
		}
		if c.Link != nil {
			own := *c.Link
			own.User = id
			if c.New {
				err = tx.InsertLink(ctx, r.ID, &own)
			} else {
				err = tx.UpdateLink(ctx, r.ID, &own)
			}
			if errors.As(err, new(*store.ExistsError)) {
				return ErrLinked
			}
			if err != nil {
				return err
			}
		}
		if c.Edit != nil {
			if u, err = change(ctx, tx, r, id, func(u *iam.User) error { c.Edit(u); return r.FillDefaults(u) }); err != nil {
				return err
			}
		}
		for _, role := range c.Give {
			if _, err := tx.AddUserRole(ctx, r.ID, id, role); err != nil {
				return err
			}
		}
		for _, role := range c.Take {
			if _, err := tx.RemoveUserRole(ctx, r.ID, id, role); err != nil {
				return err
			}
		}
		for _, group := range c.Join {
			if _, err := tx.JoinGroup(ctx, r.ID, id, group); err != nil {
				return err
			}
		}
		for _, group := range c.Leave {
			if _, err := tx.LeaveGroup(ctx, r.ID, id, group); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNotFound
	}
	return u, err
}

// LinkTo returns a user's link to a provider, nil when there is none.
func (s *Service) LinkTo(ctx context.Context, r *realms.Realm, user iam.UserID, provider string) (*iam.FederatedIdentity, error) {
	links, err := s.Links(ctx, r, user)
	if i := slices.IndexFunc(links, func(l *iam.FederatedIdentity) bool { return l.Provider == provider }); i >= 0 {
		return links[i], err
	}
	return nil, err
}

// CreateBrokered makes a user of what an identity provider says. Names are not checked by
// the profile's rules: whoever wants that has the profile reviewed, or verified afterwards.
func (s *Service) CreateBrokered(ctx context.Context, r *realms.Realm, username string, said *iam.Brokered) (*iam.User, error) {
	u := &iam.User{Enabled: true, Username: username, Email: said.Email, FirstName: said.FirstName, LastName: said.LastName,
		Attrs: map[string][]string{}}
	for name, values := range said.Attrs {
		if !ownAttribute(name) {
			u.Attrs[name] = slices.Clone(values)
		}
	}
	return u, s.Create(ctx, r, &Newcomer{User: u})
}
