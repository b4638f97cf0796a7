package users

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/otp"
	"latchkey/internal/realms"
	"latchkey/internal/store"
)

// ErrNoCredential says that the user has no such credential.
var ErrNoCredential = &iam.Error{Kind: iam.NotFound, Msg: "Credential not found"}

// Credentials lists a user's credentials in the user's order of preference.
func (s *Service) Credentials(ctx context.Context, r *realms.Realm, user iam.UserID) ([]*iam.Credential, error) {
	return s.db.Credentials(ctx, r.ID, user)
}

// Kinds returns which kinds of credential each of some users has.
func (s *Service) Kinds(ctx context.Context, r *realms.Realm, ids ...iam.UserID) (map[iam.UserID][]iam.CredentialKind, error) {
	return s.db.CredentialKinds(ctx, r.ID, ids)
}

// CheckOTP reports whether a one-time code fits the user's credential with an
// id, the first one for "". A code works once: the step of a time-based one is
// used up (unless the realm allows its codes to be reused), the counter of the
// other kind moves past it by a compare-and-swap. g is the guess that brute
// force protection allowed.
func (s *Service) CheckOTP(ctx context.Context, r *realms.Realm, user iam.UserID, g *iam.Guess, credential, code string) (bool, error) {
	return s.check(ctx, r, user, g, iam.OTP, presented{credential: credential, value: code})
}

// compareOTP is the check of one-time codes.
func (s *Service) compareOTP(ctx context.Context, r *realms.Realm, user iam.UserID, p presented) (ok bool, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		ok = false
		list, err := tx.Credentials(ctx, r.ID, user)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(c *iam.Credential) bool { return c.Kind == iam.OTP && (p.credential == "" || c.ID == p.credential) })
		if i < 0 {
			return nil
		}
		ok, err = useCode(ctx, tx, r, list[i], p.value)
		return err
	})
	return ok && err == nil, err
}

func useCode(ctx context.Context, tx *store.Tx, r *realms.Realm, c *iam.Credential, code string) (bool, error) {
	parsed, err := otp.ParseCredential(c.Data, c.Secret)
	if err != nil {
		return false, nil // no code fits what cannot be read
	}
	match, ok := parsed.Verify(code, tx.Now, r.OTP.LookAheadWindow)
	if !ok {
		return false, nil
	}
	if parsed.Type == otp.HOTP {
		if c.Data, err = otp.WithCounter(c.Data, match+1); err != nil {
			return false, err
		}
		return true, tx.UpdateCredential(ctx, r.ID, c)
	}
	if r.OTP.Reusable {
		return true, nil
	}
	period := time.Duration(parsed.Period) * time.Second
	used := store.SingleUse{Key: fmt.Sprintf("otp:%s:%d", c.ID, match), Expires: tx.Now.Add(period * time.Duration(2*r.OTP.LookAheadWindow+2))}
	return tx.PutSingleUse(ctx, r.ID, used)
}

// OTPPolicy is the realm's policy in the words of package otp.
func OTPPolicy(r *realms.Realm) otp.Policy {
	return otp.Policy{Type: r.OTP.Type, Algorithm: r.OTP.Algorithm, Digits: r.OTP.Digits, Period: int(r.OTP.Period / time.Second),
		Counter: r.OTP.InitialCounter, Window: r.OTP.LookAheadWindow}
}

// AddOTP stores a one-time code credential after a code has proved that it
// works; it reports whether the code did. That code is used up. ErrLabel and
// ErrCredentials say that there is no room for it.
func (s *Service) AddOTP(ctx context.Context, r *realms.Realm, user iam.UserID, secret, label, code string) (ok bool, err error) {
	if iam.Characters(label) > iam.MaxLabel {
		return false, ErrLabel
	}
	data, sealed, err := OTPPolicy(r).NewCredential(secret)
	if err != nil {
		return false, err
	}
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		ok = false
		list, err := tx.Credentials(ctx, r.ID, user)
		if err != nil {
			return err
		}
		if len(list) >= iam.MaxCredentials {
			return ErrCredentials
		}
		c := &iam.Credential{User: user, Kind: iam.OTP, Label: label, Data: data, Secret: sealed, Created: tx.Now}
		parsed, err := otp.ParseCredential(data, sealed)
		if err != nil {
			return err
		}
		if _, fits := parsed.Verify(code, tx.Now, r.OTP.LookAheadWindow); !fits {
			return nil
		}
		if err := insertCredential(ctx, tx, r.ID, list, c); err != nil {
			return err
		}
		if c, err = tx.Credential(ctx, r.ID, user, c.ID); err != nil {
			return err
		}
		ok, err = useCode(ctx, tx, r, c, code)
		return err
	})
	return ok && err == nil, err
}

// AddCredential stores a credential behind those that the user has.
func (s *Service) AddCredential(ctx context.Context, r *realms.Realm, c *iam.Credential) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		list, err := tx.Credentials(ctx, r.ID, c.User)
		if err != nil {
			return err
		}
		if c.Created.IsZero() {
			c.Created = tx.Now
		}
		return insertCredential(ctx, tx, r.ID, list, c)
	})
}

// PutCredential stores a credential that is hashed already: a password in place
// of the user's own, any other behind those that the user has.
func (s *Service) PutCredential(ctx context.Context, r *realms.Realm, given *iam.Credential) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		c := *given
		if c.Kind == iam.Password {
			return putPassword(ctx, tx, r, c.User, &c)
		}
		list, err := tx.Credentials(ctx, r.ID, c.User)
		if err != nil {
			return err
		}
		if c.Created.IsZero() {
			c.Created = tx.Now
		}
		return insertCredential(ctx, tx, r.ID, list, &c)
	})
	if _, taken := store.Exists(err); taken {
		return iam.Errorf(iam.Conflict, "Duplicate resource error")
	}
	return err
}

// ErrLabel says that a credential's label is too long.
var ErrLabel = &iam.Error{Kind: iam.Invalid, Field: "userLabel", Msg: "The label is too long"}

// ErrCredentials says that the user has as many credentials as one may add.
var ErrCredentials = &iam.Error{Kind: iam.Invalid, Msg: "The user has too many credentials"}

// Label names a credential, or returns ErrLabel.
func (s *Service) Label(ctx context.Context, r *realms.Realm, user iam.UserID, id, label string) error {
	if iam.Characters(label) > iam.MaxLabel {
		return ErrLabel
	}
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		c, err := tx.Credential(ctx, r.ID, user, id)
		if errors.Is(err, store.ErrNotFound) {
			return ErrNoCredential
		}
		if err != nil {
			return err
		}
		c.Label = label
		return tx.UpdateCredential(ctx, r.ID, c)
	})
}

// RemoveCredential takes a credential from a user, or returns ErrNoCredential.
func (s *Service) RemoveCredential(ctx context.Context, r *realms.Realm, user iam.UserID, id string) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		was, err := tx.DeleteCredential(ctx, r.ID, user, id)
		if err == nil && !was {
			return ErrNoCredential
		}
		return err
	})
}

// MoveCredential puts a credential behind another in the user's order of
// preference, first of all for after "". ErrNoCredential when it is not there;
// behind one that is not there it stays where it is. Keycloak: JpaUserCredentialStore.moveCredentialTo.
func (s *Service) MoveCredential(ctx context.Context, r *realms.Realm, user iam.UserID, id, after string) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		list, err := tx.Credentials(ctx, r.ID, user)
		if err != nil {
			return err
		}
		at := func(id string) int { return slices.IndexFunc(list, func(c *iam.Credential) bool { return c.ID == id }) }
		from := at(id)
		if from < 0 {
			return ErrNoCredential
		}
		if after != "" && at(after) < 0 || id == after {
			return nil
		}
		moved := list[from]
		list = slices.Delete(list, from, from+1)
		list = slices.Insert(list, at(after)+1, moved)
		for i, c := range list {
			if want := (i + 1) * priorityStep; c.Priority != want {
				c.Priority = want
				if err := tx.UpdateCredential(ctx, r.ID, c); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
