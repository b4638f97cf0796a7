package users

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
)

// What brute force protection leaves on a user that it has disabled for good.
const (
	disabledReason   = "disabledReason"
	permanentLockout = "permanentLockout"
)

// Failures returns what is known of a user's failed logins, nil when nothing is.
func (s *Service) Failures(ctx context.Context, r *realms.Realm, user iam.UserID) (*iam.LoginFailures, error) {
	f, err := s.db.LoginFailures(ctx, r.ID, user)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return f, err
}

// Locked returns Keycloak's error word when brute force protection keeps a user
// out, "user_disabled" for good or "user_temporarily_disabled", else "".
// Keycloak: AuthenticatorUtils.getDisabledByBruteForceEventError.
func (s *Service) Locked(ctx context.Context, r *realms.Realm, u *iam.User) (string, error) {
	if !r.Brute.Enabled {
		return "", nil
	}
	if !u.Enabled && u.Attr(disabledReason) == permanentLockout {
		return "user_disabled", nil
	}
	f, err := s.Failures(ctx, r, u.ID)
	if err != nil || f == nil || !s.db.Now().Before(f.NotBefore) {
		return "", err
	}
	return "user_temporarily_disabled", nil
}

// Guess takes a place for an attempt at a user's credentials before anything is
// compared, in one statement: of many attempts at once no more are compared than
// could be wrong one after the other. Without a place it returns the error word,
// as Locked does. A place must be given back, by Failed or EndGuess.
// Keycloak: DefaultBlockingBruteForceProtector, which has one place for a user.
func (s *Service) Guess(ctx context.Context, r *realms.Realm, u *iam.User) (g *iam.Guess, word string, err error) {
	b := r.Brute
	if !b.Enabled {
		return nil, "", nil
	}
	if !u.Enabled && u.Attr(disabledReason) == permanentLockout {
		return nil, "user_disabled", nil
	}
	limit := store.GuessLimit{Failures: b.FailureFactor, Secondary: b.MaxSecondaryFailures, Forget: forgotten(b), Quick: b.QuickLoginCheck}
	failures := 0
	err = s.db.Tx(ctx, func(tx *store.Tx) (err error) {
		g, failures, err = tx.TakeGuess(ctx, r.ID, u.ID, limit)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, "user_temporarily_disabled", nil
	case err != nil || failures == 0 || !b.Permanent && b.MaxSecondaryFailures == 0:
		return g, "", err
	}
	now, err := s.Get(ctx, r, u.ID) // one of the failures may have disabled the user since u was read
	if err == nil && now.Enabled == u.Enabled {
		return g, "", nil
	}
	if _, end := s.EndGuess(ctx, g); err == nil {
		err = end
	}
	return nil, "user_disabled", err
}

// EndGuess gives a place back that no failure came of. It reports whether there
// is nothing that Succeeded would have to forget.
func (s *Service) EndGuess(ctx context.Context, g *iam.Guess) (clean bool, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) (err error) {
		clean, err = tx.EndGuess(ctx, g)
		return err
	})
	return clean, err
}

// comparing bounds a comparison by the time that its guess has. Under brute
// force protection nothing is compared without a guess.
func (s *Service) comparing(ctx context.Context, r *realms.Realm, user iam.UserID,
	g *iam.Guess) (context.Context, context.CancelFunc, error) {
	if !r.Brute.Enabled {
		return ctx, func() {}, nil
	}
	if g == nil || g.User != user || g.Realm != r.ID {
		return nil, nil, errors.New("users: credentials are to be compared without a guess")
	}
	ctx, cancel := context.WithDeadline(ctx, g.Until)
	return ctx, cancel, nil
}

func onlyPermanent(b iam.BruteForcePolicy) bool { return b.Permanent && b.MaxTemporaryLockouts == 0 }

// forgotten is the pause after which failures count no more, 0 for none.
func forgotten(b iam.BruteForcePolicy) time.Duration {
	if onlyPermanent(b) {
		return 0
	}
	return b.MaxDelta
}

// Failed counts a failed login, gives the place of its guess back, if it had
// one, and locks the user out when the realm's limits are reached. It returns
// the events to emit: lockouts. second says that it was a second factor that failed.
// Keycloak: DefaultBruteForceProtector.failure.
func (s *Service) Failed(ctx context.Context, r *realms.Realm, user iam.UserID, ip string, second bool,
	g *iam.Guess) (events []iam.Event, err error) {
	b := r.Brute
	if !b.Enabled {
		return nil, nil
	}
	secondary := 0
	if second {
		secondary = 1
	}
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		events = nil
		f, err := tx.CountFailure(ctx, r.ID, user, ip, forgotten(b), secondary, g)
		if err != nil {
			return err
		}
		quick := f.Pause >= 0 && f.Pause < b.QuickLoginCheck
		wait, counted := waitFor(b, f.Failures), 1
		if wait <= 0 && quick {
			wait, counted = b.MinimumQuickWait, 0
		}
		lockouts := f.TemporaryLockouts + counted
		if wait > 0 {
			if !onlyPermanent(b) {
				wait = min(wait, b.MaxWait)
			}
			until := f.NotBefore
			locks := counted == 0 || !b.Permanent || lockouts <= b.MaxTemporaryLockouts
			if locks {
				// Whole seconds, as Keycloak counts them.
				until = tx.Now.Truncate(time.Second).Add(wait)
			}
			if lockouts, err = tx.LockOut(ctx, r.ID, user, until, counted); err != nil {
				return err
			}
			if locks {
				e := lockEvent("USER_DISABLED_BY_TEMPORARY_LOCKOUT", user, ip, f.Failures)
				e.Details["not_before"] = until.Format("2006-01-02T15:04:05")
				events = append(events, e)
			}
		} else {
			lockouts = f.TemporaryLockouts
		}
		tooMany := b.Permanent && (lockouts > b.MaxTemporaryLockouts || onlyPermanent(b) && f.Failures >= b.FailureFactor)
		if second && b.MaxSecondaryFailures > 0 && f.SecondaryFailures > b.MaxSecondaryFailures {
			tooMany = true
		}
		if !tooMany {
			return nil
		}
		events = append(events, lockEvent("USER_DISABLED_BY_PERMANENT_LOCKOUT", user, ip, f.Failures))
		_, err = change(ctx, tx, r, user, func(u *iam.User) error {
			u.Enabled = false
			if u.Attrs == nil {
				u.Attrs = map[string][]string{}
			}
			u.Attrs[disabledReason] = []string{permanentLockout}
			return nil
		})
		return err
	})
	return events, err
}

// waitFor is how long a user is locked out after so many failures, 0 for not yet.
func waitFor(b iam.BruteForcePolicy, failures int) time.Duration {
	if onlyPermanent(b) || b.FailureFactor <= 0 {
		return 0
	}
	times := failures / b.FailureFactor
	if b.Strategy == "LINEAR" {
		times = 1 + failures - b.FailureFactor
	}
	if times > 0 && b.WaitIncrement > math.MaxInt64/time.Duration(times) {
		return math.MaxInt64
	}
	return b.WaitIncrement * time.Duration(times)
}

func lockEvent(kind iam.EventKind, user iam.UserID, ip string, failures int) iam.Event {
	return iam.Event{Kind: kind, User: user, IP: ip, Details: map[string]string{"reason": "brute_force_attack detected",
		"num_failures": strconv.Itoa(failures)}}
}

// Succeeded forgets a user's failures after a login; those of the second factor
// only when it was part of it. Keycloak: DefaultBruteForceProtector.success.
func (s *Service) Succeeded(ctx context.Context, r *realms.Realm, user iam.UserID, second bool) error {
	if !r.Brute.Enabled {
		return nil
	}
	f, err := s.Failures(ctx, r, user)
	if err != nil || f == nil || !second && f.Failures == 0 && f.NotBefore.IsZero() {
		return err
	}
	return s.db.Tx(ctx, func(tx *store.Tx) error { return tx.ForgiveFailures(ctx, r.ID, user, second) })
}

// ClearFailures forgets a user's failures at an administrator's wish. A user
// disabled for good stays so, as in Keycloak.
func (s *Service) ClearFailures(ctx context.Context, r *realms.Realm, user iam.UserID) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error { return tx.ClearFailures(ctx, r.ID, user) })
}

// ClearAllFailures forgets the failures of all users of a realm.
func (s *Service) ClearAllFailures(ctx context.Context, r *realms.Realm) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error { return tx.ClearAllFailures(ctx, r.ID) })
}

// Unlock takes back what a permanent lockout did to a user, but for enabling it.
// Keycloak: DefaultBruteForceProtector.cleanUpPermanentLockout.
func Unlock(u *iam.User) {
	if u.Attr(disabledReason) == permanentLockout {
		delete(u.Attrs, disabledReason)
	}
}
