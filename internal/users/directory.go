package users

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
)

// An Outcome says what came of comparing a password.
type Outcome int

// The outcomes. The zero value lets nobody in.
const (
	Wrong       Outcome = iota // it is not the user's password, or there is no such user
	Accepted                   // it is the user's password
	Disabled                   // the directory keeps this user out, whatever the password
	Unavailable                // the directory cannot be asked now, which says nothing of the password
)

// ErrUnavailable says that a directory cannot be asked now, so that nobody knows
// whether it has the user.
var ErrUnavailable = errors.New("users: a directory is not available")

// A Directory is where users come from. The table of our own is one, and all
// that a realm has unless its components name others. Users of other directories
// are rows of the table, too, from their first login on: sessions, roles and
// groups belong to rows. from is the component that sets the directory up, nil for the table.
type Directory interface {
	// Find returns the user whom somebody means who logs in as login, nil if the
	// directory has none. A user without an id is not in the table yet. The error
	// is ErrUnavailable when the directory cannot be asked.
	Find(ctx context.Context, r *realms.Realm, from *realms.Component, login string) (*iam.User, error)
	// Validate compares a password, which is not empty, with that of a user whom
	// the directory has found. An error is a fault of the server.
	Validate(ctx context.Context, r *realms.Realm, from *realms.Component, u *iam.User, password string) (Outcome, error)
}

// Directories are the kinds that are built besides the table, by Keycloak's provider ids.
type Directories map[string]Directory

// table is the directory of users who have no other: rows with credentials of our own.
type table struct{ s *Service }

// Find finds by e-mail address where the realm allows that and the name looks like one, else by name.
// Keycloak: KeycloakModelUtils.findUserByNameOrEmail.
func (t table) Find(ctx context.Context, r *realms.Realm, _ *realms.Component, login string) (*iam.User, error) {
	if r.Login.LoginWithEmail && strings.Contains(login, "@") {
		u, err := t.s.ByEmail(ctx, r, login)
		if u != nil || err != nil {
			return u, err
		}
	}
	return t.s.ByName(ctx, r, login)
}

// Validate compares with the password that is stored here.
func (t table) Validate(ctx context.Context, r *realms.Realm, _ *realms.Component, u *iam.User, password string) (Outcome, error) {
	ok, err := checks[iam.Password](t.s, ctx, r, u.ID, presented{value: password})
	if err != nil || !ok {
		return Wrong, err
	}
	return Accepted, nil
}

// A source is a directory as one component of a realm sets it up.
type source struct {
	Directory
	from *realms.Component
}

// sources are the directories that a realm's components set up and that are
// built, in the order of their priority; the table, which is asked first, is not among them.
func (s *Service) sources(r *realms.Realm) []source {
	if len(s.directories) == 0 {
		return nil
	}
	var list []source
	for _, c := range r.Components {
		if d := s.directories[c.Provider]; d != nil && c.Type == realms.TypeUserStorage && enabled(c) {
			list = append(list, source{d, c})
		}
	}
	slices.SortStableFunc(list, func(a, b source) int {
		first, _ := strconv.Atoi(a.from.Get("priority")) // one without a number is first, as in Keycloak
		second, _ := strconv.Atoi(b.from.Get("priority"))
		return cmp.Compare(first, second)
	})
	return list
}

// sourceOf is the directory that a user comes from, the zero value for the table
// and for directories that are not built.
func (s *Service) sourceOf(r *realms.Realm, u *iam.User) source {
	if u.Federation == "" {
		return source{}
	}
	c := r.Component(u.Federation)
	if c == nil || c.Type != realms.TypeUserStorage || s.directories[c.Provider] == nil {
		return source{}
	}
	return source{s.directories[c.Provider], c}
}

func enabled(c *realms.Component) bool { return c.Get("enabled") != "false" }

// Find finds the user that somebody means who logs in as login: in the table,
// else in the realm's directories, whose user is then made one of the table. It returns nil
// when there is none, and ErrUnavailable when a directory that might have the user cannot be asked.
func (s *Service) Find(ctx context.Context, r *realms.Realm, login string) (*iam.User, error) {
	u, err := s.FindStored(ctx, r, login)
	if u != nil || err != nil || !findable(login) {
		return u, err
	}
	unavailable := false
	for _, d := range s.sources(r) {
		u, err := d.Find(ctx, r, d.from, login)
		if errors.Is(err, ErrUnavailable) {
			unavailable = true
			continue
		}
		if err == nil && u != nil && u.ID == "" {
			u, err = s.adopt(ctx, r, d, u)
		}
		if u != nil || err != nil {
			return u, err
		}
	}
	if unavailable {
		return nil, ErrUnavailable
	}
	return nil, nil
}

// FindStored finds as Find does, but only who is in the table.
func (s *Service) FindStored(ctx context.Context, r *realms.Realm, login string) (*iam.User, error) {
	if !findable(login) {
		return nil, nil
	}
	return table{s}.Find(ctx, r, nil, login)
}

// findable tells whether anybody can have such a name.
func findable(login string) bool { return len(login) <= iam.MaxName && iam.Storable(login) }

// adopt makes a directory's user one of the table. Where two logins do so at
// once, both get the same row. It returns nil where somebody else has the name or address.
func (s *Service) adopt(ctx context.Context, r *realms.Realm, d source, u *iam.User) (*iam.User, error) {
	u.Federation = d.from.ID
	err := s.Create(ctx, r, &Newcomer{User: u})
	if !errors.Is(err, ErrNameTaken) && !errors.Is(err, ErrEmailTaken) {
		return u, err
	}
	there, err := s.ByName(ctx, r, u.Username)
	if err != nil || there == nil || there.Federation != d.from.ID {
		return nil, err
	}
	return there, nil
}

// CheckPassword compares a password with a user's; nil for a user that is not
// there, which takes as long. The user's directory is asked first; what it does not know may be a
// password of the table, which is hashed anew where it was hashed under another policy. g is the guess that
// brute force protection allowed. An error says that it cannot be told now, which is not wrong: it counts as no failure.
func (s *Service) CheckPassword(ctx context.Context, r *realms.Realm, u *iam.User, g *iam.Guess, password string) (Outcome, error) {
	if u == nil {
		return Wrong, s.Dummy(ctx, r)
	}
	ctx, done, err := s.comparing(ctx, r, u.ID, g)
	if err != nil {
		return Wrong, err
	}
	defer done()
	if d := s.sourceOf(r, u); d.from != nil {
		if !enabled(d.from) {
			return Disabled, nil // Keycloak: UserStorageManager, whose users of such a provider are disabled
		}
		if password == "" {
			return Wrong, nil // directories take an empty one for a login of nobody
		}
		if out, err := d.Validate(ctx, r, d.from, u, password); out != Wrong || err != nil {
			return out, err
		}
	}
	return table{s}.Validate(ctx, r, nil, u, password)
}
