package users

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/passhash"
	"latchkey/internal/policy"
	"latchkey/internal/realms"
	"latchkey/internal/store"
)

// hashing is what a realm's policy says about hashing.
func hashing(p iam.PasswordPolicy) passhash.Policy {
	algorithm, _ := p.Rule("hashAlgorithm")
	iterations, _ := p.Rule("hashIterations")
	n, err := strconv.Atoi(iterations)
	if err != nil {
		n = 0 // the algorithm's default
	}
	if !passhash.Known(algorithm) {
		algorithm = ""
	}
	return passhash.Policy{Algorithm: algorithm, Iterations: n}
}

// A dummy is a credential that no password fits, for users that are not there.
type dummy struct {
	mu           sync.Mutex
	data, secret []byte // nil until the first was made
}

// Dummy spends as long as checking a password under the realm's policy takes,
// and fails as that does, so that answers do not tell which users exist.
func (s *Service) Dummy(ctx context.Context, r *realms.Realm) error {
	p := hashing(r.Password)
	v, _ := s.dummies.LoadOrStore(p, new(dummy))
	data, secret, fresh, err := v.(*dummy).credential(func() ([]byte, []byte, error) {
		return s.hash.Hash(ctx, p, []byte(realms.NewID()))
	})
	if err == nil && !fresh { // making it took as long
		_, err = s.hash.Verify(ctx, data, secret, []byte("x"))
	}
	if errors.Is(err, passhash.ErrUnsupported) { // a policy that nothing can be hashed under: users' own passwords are checked as they are
		return nil
	}
	return err
}

// credential is the dummy's, made now if it is not there yet.
func (d *dummy) credential(hash func() ([]byte, []byte, error)) (data, secret []byte, fresh bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.data != nil {
		return d.data, d.secret, false, nil
	}
	d.data, d.secret, err = hash()
	return d.data, d.secret, true, err
}

// comparePassword is the check of passwords.
func (s *Service) comparePassword(ctx context.Context, r *realms.Realm, user iam.UserID, p presented) (bool, error) {
	list, err := s.db.Credentials(ctx, r.ID, user)
	if err != nil {
		return false, err
	}
	c := ofKind(list, iam.Password)
	if c == nil {
		return false, s.Dummy(ctx, r)
	}
	ok, err := s.hash.Verify(ctx, c.Data, c.Secret, []byte(p.value))
	if errors.Is(err, passhash.ErrUnsupported) || errors.Is(err, passhash.ErrCorrupt) {
		return false, s.Dummy(ctx, r) // no password is this one; Keycloak: PasswordCredentialProvider.isValid
	}
	if err != nil || !ok {
		return false, err
	}
	want := hashing(r.Password)
	if !passhash.NeedsRehash(want, c.Data, c.Secret) {
		return true, nil
	}
	renewed := *c
	data, secret, err := s.hash.Hash(ctx, want, []byte(p.value))
	if err != nil {
		return false, err
	}
	renewed.Data, renewed.Secret = data, secret
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		err := tx.UpdateCredential(ctx, r.ID, &renewed)
		if errors.Is(err, store.ErrConflict) {
			return nil // somebody else has renewed or changed it: theirs counts
		}
		return err
	})
	return err == nil, err
}

// ofKind returns the user's first credential of a kind, nil when there is none.
func ofKind(list []*iam.Credential, kind iam.CredentialKind) *iam.Credential {
	for _, c := range list {
		if c.Kind == kind {
			return c
		}
	}
	return nil
}

// CheckNewPassword returns the policy's refusal of a password for a user who
// may not be stored yet (an *iam.Error with message key and parameters), or nil.
func (s *Service) CheckNewPassword(ctx context.Context, r *iam.Realm, u *iam.User, password string) error {
	subject := &policy.Subject{Name: u.Username, Email: u.Email}
	if u.ID != "" {
		list, err := s.db.Credentials(ctx, r.ID, u.ID)
		if err != nil {
			return err
		}
		past := &pastPasswords{s: s, list: list, password: []byte(password), now: s.db.Now()}
		subject.UsedBefore, subject.UsedWithin = past.before, past.within
	}
	return s.policy.Check(ctx, r.Password, subject, password)
}

// pastPasswords answers the policy's questions about a user's earlier passwords.
type pastPasswords struct {
	s        *Service
	list     []*iam.Credential
	password []byte
	now      time.Time
}

func (p *pastPasswords) any(ctx context.Context, list []*iam.Credential) (bool, error) {
	for _, c := range list {
		ok, err := p.s.hash.Verify(ctx, c.Data, c.Secret, p.password)
		if errors.Is(err, passhash.ErrUnsupported) || errors.Is(err, passhash.ErrCorrupt) {
			continue // it cannot be the same as one that nobody can check
		}
		if err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

// past returns the current password and those before it, the latest first.
func (p *pastPasswords) past() (current, before []*iam.Credential) {
	for _, c := range p.list {
		switch c.Kind {
		case iam.Password:
			current = append(current, c)
		case iam.PasswordHistory:
			before = append(before, c)
		}
	}
	slices.SortFunc(before, func(a, b *iam.Credential) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.Priority, a.Priority))
	})
	return current, before
}

func (p *pastPasswords) before(ctx context.Context, count int) (bool, error) {
	current, before := p.past()
	return p.any(ctx, append(current, before[:max(0, min(count-1, len(before)))]...))
}

func (p *pastPasswords) within(ctx context.Context, age time.Duration) (bool, error) {
	current, before := p.past()
	before = slices.DeleteFunc(before, func(c *iam.Credential) bool { return !c.Created.After(p.now.Add(-age)) })
	return p.any(ctx, append(current, before...))
}

// SetPassword gives a user a password if the policy takes it; its refusal is an
// *iam.Error with a message key and parameters.
func (s *Service) SetPassword(ctx context.Context, r *realms.Realm, u *iam.User, password string) error {
	if err := s.CheckNewPassword(ctx, &r.Realm, u, password); err != nil {
		return err
	}
	c, err := s.HashPassword(ctx, &r.Realm, password)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *store.Tx) error { return putPassword(ctx, tx, r, u.ID, c) })
}

// HashPassword makes a password credential under the realm's policy, without
// asking whether the policy takes it. ID, User and Created are left out.
func (s *Service) HashPassword(ctx context.Context, r *iam.Realm, password string) (*iam.Credential, error) {
	data, secret, err := s.hash.Hash(ctx, hashing(r.Password), []byte(password))
	if err != nil {
		return nil, err
	}
	return &iam.Credential{Kind: iam.Password, Data: data, Secret: secret}, nil
}

// putPassword stores a password credential in place of the one that is there,
// which becomes history where the policy wants to know it.
// Keycloak: PasswordCredentialProvider.createCredential.
// FirstPassword is how passwords in clear become credentials where a realm file
// or a new administrator brings them: the realm's policy is asked as for any
// other, but for what a user who is being made had before.
func (s *Service) FirstPassword(ctx context.Context, r *iam.Realm, u *iam.User, password string) (*iam.Credential, error) {
	stranger := *u
	stranger.ID = ""
	if err := s.CheckNewPassword(ctx, r, &stranger, password); err != nil {
		return nil, err
	}
	c, err := s.HashPassword(ctx, r, password)
	if errors.Is(err, passhash.ErrUnsupported) {
		return nil, iam.Errorf(iam.Invalid, "the policy asks for a hash that cannot be made here")
	}
	return c, err
}

func putPassword(ctx context.Context, tx *store.Tx, r *realms.Realm, user iam.UserID, c *iam.Credential) error {
	list, err := tx.Credentials(ctx, r.ID, user)
	if err != nil {
		return err
	}
	next := *c
	next.User = user
	if next.Created.IsZero() {
		next.Created = tx.Now
	}
	old := ofKind(list, iam.Password)
	if old == nil {
		return insertCredential(ctx, tx, r.ID, list, &next)
	}
	next.ID, next.Version, next.Priority = old.ID, old.Version, old.Priority
	if err := tx.UpdateCredential(ctx, r.ID, &next); err != nil {
		return err
	}
	count, age := policy.History(r.Password)
	if count > 1 || age > 0 {
		past := *old
		past.ID, past.Kind = "", iam.PasswordHistory
		if err := insertCredential(ctx, tx, r.ID, list, &past); err != nil {
			return err
		}
		list = append(list, &past)
	}
	_, before := (&pastPasswords{list: list}).past()
	for i, c := range before {
		if i >= max(0, count-1) && !c.Created.After(tx.Now.Add(-age)) {
			if _, err := tx.DeleteCredential(ctx, r.ID, user, c.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// priorityStep is between two credentials of a user, in the order of their making.
// Keycloak: JpaUserCredentialStore.PRIORITY_DIFFERENCE.
const priorityStep = 10

// insertCredential adds a credential behind those that the user has.
func insertCredential(ctx context.Context, tx *store.Tx, realm iam.RealmID, has []*iam.Credential, c *iam.Credential) error {
	if c.ID == "" {
		c.ID = realms.NewID()
	}
	last := 0
	for _, other := range has {
		last = max(last, other.Priority)
	}
	c.Priority = last + priorityStep
	return tx.InsertCredential(ctx, realm, c)
}

// PasswordExpired reports whether the policy's age for passwords is exceeded.
// Keycloak: UpdatePassword.evaluateTriggers.
func (s *Service) PasswordExpired(ctx context.Context, r *realms.Realm, u *iam.User) (bool, error) {
	age := policy.Expiry(r.Password)
	if age == 0 {
		return false, nil
	}
	list, err := s.db.Credentials(ctx, r.ID, u.ID)
	if err != nil {
		return false, err
	}
	c := ofKind(list, iam.Password)
	return c != nil && (c.Created.IsZero() || s.db.Now().Sub(c.Created) > age), nil
}

// ValidPolicy refuses a password policy that cannot be followed here; see
// policy.Checker.Valid.
func (s *Service) ValidPolicy(p iam.PasswordPolicy) error { return s.policy.Valid(p) }
