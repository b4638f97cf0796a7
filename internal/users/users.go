package users

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"latchkey/internal/iam"
	"latchkey/internal/passhash"
	"latchkey/internal/policy"
	"latchkey/internal/realms"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
)

// ErrNotFound says that there is no such user.
var ErrNotFound = &iam.Error{Kind: iam.NotFound, Msg: "User not found"}

// A Service finds and changes users. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	hash    *passhash.Hasher
	policy  *policy.Checker
	live    *sessions.Service
	dummies sync.Map // passhash.Policy -> *dummy

	directories Directories
}

// New makes a Service. directories are those besides the table.
func New(db *store.DB, hash *passhash.Hasher, checker *policy.Checker, live *sessions.Service, directories Directories) *Service {
	return &Service{db: db, hash: hash, policy: checker, live: live, directories: directories}
}

// none turns a user that is not there into nil.
func none(u *iam.User, err error) (*iam.User, error) {
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return u, err
}

// ByName returns the user of that name, in whatever case, nil when there is none.
func (s *Service) ByName(ctx context.Context, r *realms.Realm, name string) (*iam.User, error) {
	return none(s.db.UserByName(ctx, r.ID, name))
}

// ByEmail returns the oldest user with an address, nil when there is none.
func (s *Service) ByEmail(ctx context.Context, r *realms.Realm, email string) (*iam.User, error) {
	list, err := s.db.UsersByEmail(ctx, r.ID, email)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

// Get returns a user by id, or ErrNotFound.
func (s *Service) Get(ctx context.Context, r *realms.Realm, id iam.UserID) (*iam.User, error) {
	u, err := s.db.User(ctx, r.ID, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNotFound
	}
	return u, err
}

// ByID returns a user by id, nil when there is none.
func (s *Service) ByID(ctx context.Context, r *realms.Realm, id iam.UserID) (*iam.User, error) {
	return none(s.db.User(ctx, r.ID, id))
}

// ServiceAccount returns the user of a client's service account, nil when there is none.
func (s *Service) ServiceAccount(ctx context.Context, r *realms.Realm, client iam.ClientID) (*iam.User, error) {
	return none(s.db.ServiceAccount(ctx, r.ID, client))
}

// A Newcomer is a user to be made with what belongs to them from the start.
type Newcomer struct {
	*iam.User
	Groups      []iam.GroupID // besides the realm's default groups
	Credentials []*iam.Credential
	Links       []*iam.FederatedIdentity
	Bare        bool // without default roles, groups and required actions
}

// Create makes a user: ID and CreatedAt are filled in where they are missing, and the realm's default
// role, groups and required actions are added. A name or address that is taken
// is an *iam.Error of kind Conflict.
// Keycloak: JpaUserProvider.addUser.
func (s *Service) Create(ctx context.Context, r *realms.Realm, n *Newcomer) error {
	u := n.User
	u.Realm = r.ID
	if u.ID == "" {
		u.ID = iam.UserID(realms.NewID())
	}
	if err := r.FillDefaults(u); err != nil {
		return err
	}
	u.Username, u.Email = strings.ToLower(u.Username), strings.ToLower(u.Email)
	if !n.Bare {
		for _, a := range r.RequiredActions {
			if a.Enabled && a.Default && !slices.Contains(u.Required, a.Alias) {
				u.Required = append(u.Required, a.Alias)
			}
		}
	}
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		if u.CreatedAt.IsZero() {
			u.CreatedAt = tx.Now
		}
		if err := conflict(tx.InsertUser(ctx, u, r.Login.DuplicateEmails)); err != nil {
			return err
		}
		groups := n.Groups
		if !n.Bare {
			if r.DefaultRole != "" {
				if _, err := tx.AddUserRole(ctx, r.ID, u.ID, r.DefaultRole); err != nil {
					return err
				}
			}
			defaults, err := tx.DefaultGroups(ctx, r.ID)
			if err != nil {
				return err
			}
			groups = append(slices.Clone(groups), defaults...)
		}
		for _, g := range groups {
			if _, err := tx.JoinGroup(ctx, r.ID, u.ID, g); err != nil {
				return err
			}
		}
		var stored []*iam.Credential
		for _, c := range n.Credentials {
			own := *c
			own.User = u.ID
			if own.Created.IsZero() {
				own.Created = tx.Now
			}
			if err := insertCredential(ctx, tx, r.ID, stored, &own); err != nil {
				return err
			}
			stored = append(stored, &own)
		}
		for _, l := range n.Links {
			own := *l
			own.User = u.ID
			if err := tx.InsertLink(ctx, r.ID, &own); err != nil {
				return err
			}
		}
		return nil
	})
}

// The refusals of a name and of an address that are taken.
var (
	ErrNameTaken  = &iam.Error{Kind: iam.Conflict, Msg: "User exists with same username", Field: "username"}
	ErrEmailTaken = &iam.Error{Kind: iam.Conflict, Msg: "User exists with same email", Field: "email"}
)

// conflict says in Keycloak's words what a unique constraint said.
func conflict(err error) error {
	exists, ok := store.Exists(err)
	switch {
	case !ok:
		return err
	case exists.On("users", "email_unique"):
		return ErrEmailTaken
	case exists.On("users", "username"):
		return ErrNameTaken
	}
	return &iam.Error{Kind: iam.Conflict, Msg: "User exists with same username or email", Err: err}
}

// Change reads a user, lets f change it and writes it back, all in one
// transaction; f may run more than once. The user is returned as written.
func (s *Service) Change(ctx context.Context, r *realms.Realm, id iam.UserID, f func(*iam.User) error) (changed *iam.User, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		changed, err = change(ctx, tx, r, id, f)
		return err
	})
	return changed, err
}

func change(ctx context.Context, tx *store.Tx, r *realms.Realm, id iam.UserID, f func(*iam.User) error) (*iam.User, error) {
	u, err := tx.User(ctx, r.ID, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	if err := f(u); err != nil {
		return nil, err
	}
	if err := conflict(tx.UpdateUser(ctx, u, r.Login.DuplicateEmails)); err != nil {
		return nil, err
	}
	u.Version++
	return u, nil
}

// Delete removes a user with all that belongs to them, sessions included. by says who did it.
func (s *Service) Delete(ctx context.Context, r *realms.Realm, id iam.UserID, by iam.End) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error { return s.live.DeleteUser(ctx, tx, r, id, by) })
	if errors.Is(err, store.ErrNotFound) {
		return ErrNotFound
	}
	return err
}

// SetAttr stores or, without values, removes an attribute, past the user profile.
func (s *Service) SetAttr(ctx context.Context, r *realms.Realm, id iam.UserID, name string, values ...string) (*iam.User, error) {
	return s.Change(ctx, r, id, func(u *iam.User) error {
		if u.Attrs == nil {
			u.Attrs = map[string][]string{}
		}
		if len(values) == 0 {
			delete(u.Attrs, name)
		} else {
			u.Attrs[name] = values
		}
		return nil
	})
}

// Require adds required actions to a user's list.
func (s *Service) Require(ctx context.Context, r *realms.Realm, id iam.UserID, aliases ...string) (*iam.User, error) {
	return s.Change(ctx, r, id, func(u *iam.User) error {
		for _, a := range aliases {
			if !slices.Contains(u.Required, a) {
				u.Required = append(u.Required, a)
			}
		}
		return nil
	})
}

// Done takes a required action off a user's list.
func (s *Service) Done(ctx context.Context, r *realms.Realm, id iam.UserID, alias string) (*iam.User, error) {
	return s.Change(ctx, r, id, func(u *iam.User) error {
		u.Required = slices.DeleteFunc(u.Required, func(a string) bool { return a == alias })
		return nil
	})
}
