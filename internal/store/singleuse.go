package store

import (
	"context"
	"time"

	"latchkey/internal/iam"
)

// PutOnce stores a value that can be taken once until it expires. It reports
// whether the key was free: an assertion's id that is there already is a replay.
// The value is sealed at rest.
func (tx *Tx) PutOnce(ctx context.Context, realm iam.RealmID, key string, value []byte, expires time.Time) (bool, error) {
	n, err := tx.exec(ctx, `insert into single_use (realm_id, key, shard, expires_at, value) values ($1, $2, $3, $4, $5)
		on conflict (realm_id, key) do update set expires_at = excluded.expires_at, value = excluded.value where single_use.expires_at <= $6`,
		realm, key, shard(key), millis(expires), tx.seal("once "+key, value), millis(tx.Now))
	return n > 0, err
}

// TakeOnce removes a value and returns it; ErrNotFound when it was taken
// already, has expired, or never was there. Of many callers one gets it.
func (tx *Tx) TakeOnce(ctx context.Context, realm iam.RealmID, key string) ([]byte, error) {
	v, err := one(ctx, &tx.Reader, scanValue[[]byte], `delete from single_use where realm_id = $1 and key = $2 and expires_at > $3 returning value`,
		realm, key, millis(tx.Now))
	if err != nil {
		return nil, err
	}
	return tx.unseal("once "+key, v)
}

// HasOnce reports whether a key is stored and has not expired at now: a revoked token's id, say.
func (r *Reader) HasOnce(ctx context.Context, realm iam.RealmID, key string, now time.Time) (bool, error) {
	n, err := one(ctx, r.quick(), scanValue[int64], `select count(*) from single_use where realm_id = $1 and key = $2 and expires_at > $3`, realm, key, millis(now))
	return n > 0, err
}

// OnceExpired reports whether a key is stored, and has expired at now.
func (r *Reader) OnceExpired(ctx context.Context, realm iam.RealmID, key string, now time.Time) (bool, error) {
	n, err := one(ctx, r, scanValue[int64], `select count(*) from single_use where realm_id = $1 and key = $2 and expires_at <= $3`, realm, key, millis(now))
	return n > 0, err
}

// SweepOnce removes up to limit expired values of a shard and returns how many.
func (tx *Tx) SweepOnce(ctx context.Context, shard int64, limit int) (int64, error) {
	return tx.exec(ctx, `delete from single_use where (realm_id, key) in
		(select realm_id, key from single_use where shard = $1 and expires_at <= $2 limit $3)`, shard, millis(tx.Now), limit)
}

// Lease takes or renews a named lease until a time and reports whether holder has it.
func (tx *Tx) Lease(ctx context.Context, name, holder string, until time.Time) (bool, error) {
	n, err := tx.exec(ctx, `insert into leases (name, holder, until) values ($1, $2, $3)
		on conflict (name) do update set holder = excluded.holder, until = excluded.until where leases.until < $4 or leases.holder = excluded.holder`,
		name, holder, millis(until), millis(tx.Now))
	return n > 0, err
}
