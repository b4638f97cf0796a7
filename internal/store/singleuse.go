package store

import (
	"context"
	"time"

	"latchkey/internal/iam"
)

// A SingleUse is a value that can be taken once, until it expires.
type SingleUse struct {
	Key     string
	Value   []byte
	Expires time.Time
}

// PutSingleUse stores a value that can be taken once until it expires. It reports
// whether the key was free: an assertion's id that is there already is a replay.
// The value is sealed at rest.
func (tx *Tx) PutSingleUse(ctx context.Context, realm iam.RealmID, v SingleUse) (bool, error) {
	s := tx.putSingleUse(realm, v)
	err := tx.together(ctx, s)
	return s.Touched > 0, err
}

func (tx *Tx) putSingleUse(realm iam.RealmID, v SingleUse) *statement {
	return &statement{Query: `insert into single_use (realm_id, key, shard, expires_at, value) values ($1, $2, $3, $4, $5)
		on conflict (realm_id, key) do update set expires_at = excluded.expires_at, value = excluded.value where single_use.expires_at <= $6`,
		Args: []any{realm, v.Key, shard(v.Key), millis(v.Expires), tx.seal("once "+v.Key, v.Value), millis(tx.Now)}}
}

// TakeSingleUse removes a value and returns it; ErrNotFound when it was taken
// already, has expired, or never was there. Of many callers one gets it.
func (tx *Tx) TakeSingleUse(ctx context.Context, realm iam.RealmID, key string) ([]byte, error) {
	var value []byte
	if err := tx.together(ctx, tx.takeSingleUse(realm, key, &value)); err != nil {
		return nil, err
	}
	if value == nil {
		return nil, ErrNotFound
	}
	return value, nil
}

const takingSingleUse = `delete from single_use where realm_id = $1 and key = $2 and expires_at > $3`

// takeSingleUse leaves value as it is when there is none to take.
func (tx *Tx) takeSingleUse(realm iam.RealmID, key string, value *[]byte) *statement {
	return &statement{
		Query: takingSingleUse + ` returning value`,
		Args:  []any{realm, key, millis(tx.Now)},
		Read: func(row row) error {
			sealed, err := scanValue[[]byte](row)
			if err == nil {
				sealed, err = tx.unseal("once "+key, sealed)
				*value = append([]byte{}, sealed...) // not nil
			}
			return err
		},
	}
}

// Redeem is TakeSingleUse, and Session of the online session that the value is said to
// belong to, in one round trip: for DB.Single. What is not there is nil; where the
// session is not, the value is not taken.
func (tx *Tx) Redeem(ctx context.Context, realm iam.RealmID, key string, ref iam.SessionRef,
	client iam.ClientID) (value []byte, v *SessionView, err error) {
	scan := scanSessionView(realm, ref)
	take := tx.takeSingleUse(realm, key, &value)
	take.Query, take.Args = takingSingleUse+
		` and exists (select 1 from user_sessions s where s.realm_id = $1 and s.id = $4 and s.offline = $5) returning value`,
		append(take.Args, ref.ID, ref.Kind)
	err = tx.together(ctx, take, &statement{
		Query: sessionAndSingleUse,
		Args:  []any{realm, ref.ID, ref.Kind, client, "", int64(0), ref.User},
		Read:  func(row row) (err error) { v, err = scan(row); return err },
	})
	return value, v, err
}

// HasSingleUse reports whether a key is stored and has not expired at now: a revoked token's id, say.
func (r *Reader) HasSingleUse(ctx context.Context, realm iam.RealmID, key string, now time.Time) (bool, error) {
	n, err := one(ctx, r.quick(), scanValue[int64], `select count(*) from single_use where realm_id = $1 and key = $2 and expires_at > $3`,
		realm, key, millis(now))
	return n > 0, err
}

// LookSingleUse returns a value that can still be taken at now, and leaves it; ErrNotFound as TakeSingleUse.
func (r *Reader) LookSingleUse(ctx context.Context, realm iam.RealmID, key string, now time.Time) ([]byte, error) {
	sealed, err := one(ctx, r, scanValue[[]byte], `select value from single_use where realm_id = $1 and key = $2 and expires_at > $3`,
		realm, key, millis(now))
	if err != nil {
		return nil, err
	}
	return r.unseal("once "+key, sealed)
}

// SingleUseExpired reports whether a key is stored, and has expired at now.
func (r *Reader) SingleUseExpired(ctx context.Context, realm iam.RealmID, key string, now time.Time) (bool, error) {
	n, err := one(ctx, r, scanValue[int64], `select count(*) from single_use where realm_id = $1 and key = $2 and expires_at <= $3`,
		realm, key, millis(now))
	return n > 0, err
}

// SweepSingleUse removes up to limit expired values of a shard and returns how many.
func (tx *Tx) SweepSingleUse(ctx context.Context, shard int64, limit int) (int64, error) {
	return tx.exec(ctx, `delete from single_use where (realm_id, key) in
		(select realm_id, key from single_use where shard = $1 and expires_at <= $2 limit $3)`, shard, millis(tx.Now), limit)
}

// Lease takes or renews a named lease until a time and reports whether holder has it.
func (tx *Tx) Lease(ctx context.Context, name, holder string, until time.Time) (bool, error) {
	n, err := tx.exec(ctx, `insert into leases (name, holder, until) values ($1, $2, $3)
		on conflict (name) do update set holder = excluded.holder, until = excluded.until where leases.until < $4 or leases.holder =
			excluded.holder`,
		name, holder, millis(until), millis(tx.Now))
	return n > 0, err
}
