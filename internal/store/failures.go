package store

import (
	"context"
	"time"

	"latchkey/internal/iam"
)

const failureColumns = `user_id, failures, temporary_lockouts, secondary_failures, last_failure, last_ip, not_before, last_pause`

func scanFailures(row row) (*iam.LoginFailures, error) {
	v := new(iam.LoginFailures)
	var last, notBefore, pause int64
	err := row.Scan(&v.User, &v.Failures, &v.TemporaryLockouts, &v.SecondaryFailures, &last, &v.LastIP, &notBefore, &pause)
	v.LastFailure, v.NotBefore, v.Pause = fromMillis(last), fromMillis(notBefore), time.Duration(pause)*time.Millisecond
	return v, err
}

// LoginFailures returns what is known of a user's failed logins, or ErrNotFound.
func (r *Reader) LoginFailures(ctx context.Context, realm iam.RealmID, user iam.UserID) (*iam.LoginFailures, error) {
	return one(ctx, r.quick(), scanFailures, `select `+failureColumns+` from login_failures where realm_id = $1 and user_id = $2`, realm, user)
}

// GuessTime is how long a guess may be at it. What was taken by a server that
// ended meanwhile counts for at most twice as long.
const GuessTime = time.Minute

// A GuessLimit is how many guesses at a user's credentials may be compared
// before brute force protection has to be asked again.
type GuessLimit struct {
	Failures  int           // that lock the user out
	Secondary int           // failures of a second factor that do, 0: any number
	Forget    time.Duration // after such a pause earlier failures count no more, 0: they always do
	Quick     time.Duration // two failures within this time lock the user out, 0: they do not
}

// never is a number of milliseconds that no pause is as long as.
const never = 1 << 60

func pauseOf(forget time.Duration) int64 {
	if ms := forget.Milliseconds(); ms > 0 {
		return ms
	}
	return never
}

// underway is how many guesses are being compared at minute $3.
const underway = `case when login_failures.guess_minute >= $3 then login_failures.guesses + login_failures.guesses_before
	when login_failures.guess_minute = $3 - 1 then login_failures.guesses else 0 end`

// TakeGuess takes a place for a guess at a user's credentials, in one statement,
// or returns ErrNotFound: the user is locked out, or the guesses that are being
// compared would lock the user out if they all were wrong. When the user is
// not, one guess is always allowed. failures are those that count by now.
func (tx *Tx) TakeGuess(ctx context.Context, realm iam.RealmID, user iam.UserID, l GuessLimit) (g *iam.Guess, failures int, err error) {
	now := millis(tx.Now)
	secondary, atOnce := int64(l.Secondary), int64(never)
	if secondary <= 0 {
		secondary = never
	}
	if l.Quick > 0 {
		atOnce = 2
	}
	g = &iam.Guess{Realm: realm, User: user, Until: tx.Now.Add(GuessTime)}
	failures, err = one(ctx, &tx.Reader, func(row row) (n int, err error) { err = row.Scan(&g.Minute, &n); return n, err },
		`insert into login_failures
		(realm_id, user_id, failures, temporary_lockouts, secondary_failures, last_failure, last_ip, not_before, guess_minute, guesses,
			guesses_before)
		values ($1, $2, 0, 0, 0, 0, '', 0, $3, 1, 0)
		on conflict (realm_id, user_id) do update set
		guesses = case when login_failures.guess_minute < $3 then 1 else login_failures.guesses + 1 end,
		guesses_before = case when login_failures.guess_minute >= $3 then login_failures.guesses_before when login_failures.guess_minute = $3 - 1
			then login_failures.guesses else 0 end,
		guess_minute = case when login_failures.guess_minute < $3 then $3 else login_failures.guess_minute end
		where login_failures.not_before <= $4 and (`+underway+` = 0 or `+underway+` < $5 and `+underway+` + login_failures.secondary_failures <=
			$6
			and $4 - login_failures.last_failure >= $7
			and `+underway+` + case when $4 - login_failures.last_failure > $8 then 0 else login_failures.failures end < $9)
		returning guess_minute, failures`,
		realm, user, now/GuessTime.Milliseconds(), now, atOnce, secondary, l.Quick.Milliseconds(), pauseOf(l.Forget), l.Failures)
	return g, failures, err
}

// given is what becomes of the columns of guesses when the place of minute $1 is given back.
const given = `guesses = case when guess_minute = $1 and guesses > 0 then guesses - 1 else guesses end,
	guesses_before = case when guess_minute = $1 + 1 and guesses_before > 0 then guesses_before - 1 else guesses_before end`

// EndGuess gives a place back without a failure. It reports whether nothing at
// all is known of the user's failures, and nobody else is guessing.
func (tx *Tx) EndGuess(ctx context.Context, g *iam.Guess) (clean bool, err error) {
	n, err := tx.exec(ctx, `delete from login_failures where realm_id = $1 and user_id = $2
		and guesses + guesses_before <= 1 and failures = 0 and temporary_lockouts = 0 and secondary_failures = 0 and last_failure = 0 and
			not_before = 0`, g.Realm, g.User)
	if err != nil || n > 0 {
		return n > 0, err
	}
	_, err = tx.exec(ctx, `update login_failures set `+given+` where realm_id = $2 and user_id = $3`, g.Minute, g.Realm, g.User)
	return false, err
}

// CountFailure counts a failed login of a user, in one statement, and returns
// the counts after it. Failures before a pause longer than forget (0: none is
// too long) count no more; secondary is added to the secondary failures. The
// place of the guess that failed, if there was one, is given back.
func (tx *Tx) CountFailure(ctx context.Context, realm iam.RealmID, user iam.UserID, ip string, forget time.Duration, secondary int,
	g *iam.Guess) (*iam.LoginFailures, error) {
	minute := int64(-2) // of no place
	if g != nil {
		minute = g.Minute
	}
	return one(ctx, &tx.Reader, scanFailures, `insert into login_failures
		(realm_id, user_id, failures, temporary_lockouts, secondary_failures, last_failure, last_ip, not_before) values
			($2, $3, 1, 0, $4, $5, $6, 0)
		on conflict (realm_id, user_id) do update set
		failures = case when excluded.last_failure - login_failures.last_failure > $7 then 1 else login_failures.failures + 1 end,
		temporary_lockouts = case when excluded.last_failure - login_failures.last_failure > $7 then 0 else login_failures.temporary_lockouts end,
		not_before = case when excluded.last_failure - login_failures.last_failure > $7 then 0 else login_failures.not_before end,
		secondary_failures = login_failures.secondary_failures + excluded.secondary_failures,
		last_pause = case when login_failures.last_failure = 0 then -1 when login_failures.last_failure > excluded.last_failure then 0 else
			excluded.last_failure - login_failures.last_failure end,
		last_failure = excluded.last_failure, last_ip = excluded.last_ip,
		guesses = case when login_failures.guess_minute = $1 and login_failures.guesses > 0 then login_failures.guesses - 1 else
			login_failures.guesses end,
		guesses_before = case when login_failures.guess_minute = $1 + 1 and login_failures.guesses_before > 0 then login_failures.guesses_before
			- 1 else login_failures.guesses_before end
		returning `+failureColumns, minute, realm, user, secondary, millis(tx.Now), ip, pauseOf(forget))
}

// LockOut refuses a user's logins until a time; counted adds to the number of
// temporary lockouts, of which the new number is returned.
func (tx *Tx) LockOut(ctx context.Context, realm iam.RealmID, user iam.UserID, until time.Time, counted int) (int, error) {
	return one(ctx, &tx.Reader, scanValue[int], `update login_failures set not_before = $1, temporary_lockouts = temporary_lockouts + $2
		where realm_id = $3 and user_id = $4 returning temporary_lockouts`, millis(until), counted, realm, user)
}

// ClearFailures forgets a user's failures, and the guesses that are being compared.
func (tx *Tx) ClearFailures(ctx context.Context, realm iam.RealmID, user iam.UserID) error {
	_, err := tx.exec(ctx, `delete from login_failures where realm_id = $1 and user_id = $2`, realm, user)
	return err
}

// ForgiveFailures forgets a user's failures after a login, the secondary ones
// only when asked to. While others are guessing it does nothing, so that no
// more of what is tried at once is compared than without the login.
func (tx *Tx) ForgiveFailures(ctx context.Context, realm iam.RealmID, user iam.UserID, secondary bool) error {
	const idle = ` where realm_id = $1 and user_id = $2 and (guess_minute < $3 - 1 or guesses + guesses_before = 0)`
	minute := millis(tx.Now) / GuessTime.Milliseconds()
	if secondary {
		_, err := tx.exec(ctx, `delete from login_failures`+idle, realm, user, minute)
		return err
	}
	if _, err := tx.exec(ctx, `delete from login_failures`+idle+` and secondary_failures = 0`, realm, user, minute); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `update login_failures set failures = 0, temporary_lockouts = 0, last_failure = 0, last_ip = '', not_before = 0`+
		idle, realm, user, minute)
	return err
}

// ClearAllFailures forgets the failures of all users of a realm.
func (tx *Tx) ClearAllFailures(ctx context.Context, realm iam.RealmID) error {
	_, err := tx.exec(ctx, `delete from login_failures where realm_id = $1`, realm)
	return err
}
