package store

import (
	"context"
	"time"

	"latchkey/internal/iam"
)

const failureColumns = `user_id, failures, temporary_lockouts, secondary_failures, last_failure, last_ip, not_before`

func scanFailures(row row) (*iam.LoginFailures, error) {
	v := new(iam.LoginFailures)
	var last, notBefore int64
	err := row.Scan(&v.User, &v.Failures, &v.TemporaryLockouts, &v.SecondaryFailures, &last, &v.LastIP, &notBefore)
	v.LastFailure, v.NotBefore = fromMillis(last), fromMillis(notBefore)
	return v, err
}

// LoginFailures returns what is known of a user's failed logins, or ErrNotFound.
func (r *Reader) LoginFailures(ctx context.Context, realm iam.RealmID, user iam.UserID) (*iam.LoginFailures, error) {
	return one(ctx, r.quick(), scanFailures, `select `+failureColumns+` from login_failures where realm_id = $1 and user_id = $2`, realm, user)
}

// CountFailure counts a failed login of a user, in one statement, and returns
// the counts after it. Failures before a pause longer than forget (0: none is
// too long) count no more; secondary is added to the secondary failures.
func (tx *Tx) CountFailure(ctx context.Context, realm iam.RealmID, user iam.UserID, ip string, forget time.Duration, secondary int) (*iam.LoginFailures, error) {
	pause := forget.Milliseconds()
	if pause <= 0 {
		pause = 1 << 60
	}
	return one(ctx, &tx.Reader, scanFailures, `insert into login_failures
		(realm_id, user_id, failures, temporary_lockouts, secondary_failures, last_failure, last_ip, not_before) values ($1, $2, 1, 0, $3, $4, $5, 0)
		on conflict (realm_id, user_id) do update set
		failures = case when excluded.last_failure - login_failures.last_failure > $6 then 1 else login_failures.failures + 1 end,
		temporary_lockouts = case when excluded.last_failure - login_failures.last_failure > $6 then 0 else login_failures.temporary_lockouts end,
		not_before = case when excluded.last_failure - login_failures.last_failure > $6 then 0 else login_failures.not_before end,
		secondary_failures = login_failures.secondary_failures + excluded.secondary_failures,
		last_failure = excluded.last_failure, last_ip = excluded.last_ip
		returning `+failureColumns, realm, user, secondary, millis(tx.Now), ip, pause)
}

// LockOut refuses a user's logins until a time; counted adds to the number of
// temporary lockouts, of which the new number is returned.
func (tx *Tx) LockOut(ctx context.Context, realm iam.RealmID, user iam.UserID, until time.Time, counted int) (int, error) {
	return one(ctx, &tx.Reader, scanValue[int], `update login_failures set not_before = $1, temporary_lockouts = temporary_lockouts + $2
		where realm_id = $3 and user_id = $4 returning temporary_lockouts`, millis(until), counted, realm, user)
}

// ClearFailures forgets a user's failures, the secondary ones only when asked to.
func (tx *Tx) ClearFailures(ctx context.Context, realm iam.RealmID, user iam.UserID, secondary bool) error {
	if secondary {
		_, err := tx.exec(ctx, `delete from login_failures where realm_id = $1 and user_id = $2`, realm, user)
		return err
	}
	if _, err := tx.exec(ctx, `delete from login_failures where realm_id = $1 and user_id = $2 and secondary_failures = 0`, realm, user); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `update login_failures set failures = 0, temporary_lockouts = 0, last_failure = 0, last_ip = '', not_before = 0
		where realm_id = $1 and user_id = $2`, realm, user)
	return err
}

// ClearAllFailures forgets the failures of all users of a realm.
func (tx *Tx) ClearAllFailures(ctx context.Context, realm iam.RealmID) error {
	_, err := tx.exec(ctx, `delete from login_failures where realm_id = $1`, realm)
	return err
}
