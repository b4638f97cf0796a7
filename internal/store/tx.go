package store

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"latchkey/internal/seal"
	"latchkey/internal/store/engine"
)

// A Reader reads: from a DB what is committed, from a Tx also what the
// transaction has written.
type Reader struct {
	on   *engine.Reader
	ring *seal.Ring
}

// quick is r for a statement that finds one or a few rows by an index: those
// of several requests may share a round trip, so a long one would keep the others.
func (r *Reader) quick() *Reader { return &Reader{r.on.Quick(), r.ring} }

// search is r for a statement with filters, whose best plan depends on their values.
func (r *Reader) search() *Reader { return &Reader{r.on.Search(), r.ring} }

// Together runs reads that do not need each other's answers: at once where they
// share a round trip, else in turn. It returns the first error in their order.
func (r *Reader) Together(reads ...func() error) error { return r.on.Together(reads...) }

// few is quick for a statement about n rows, when they are few.
func few(r *Reader, n int) *Reader {
	if n > 64 {
		return r
	}
	return r.quick()
}

// even repeats the last id until their number is a power of two, so that lists
// of any length take a dozen prepared statements and not hundreds.
func even[T any](ids []T) []T {
	n := len(ids)
	size := 1 << bits.Len(uint(max(n, 1)-1))
	return append(slices.Clip(ids), slices.Repeat(ids[n-1:], size-n)...)
}

// A Tx is one transaction. Now is fixed for its length.
type Tx struct {
	Reader
	Now time.Time
	on  *engine.Tx
}

// After runs f once the transaction is committed; it is dropped when the
// transaction fails or is run again.
func (tx *Tx) After(f func()) { tx.on.After(f) }

// Tx runs f in a transaction and commits when it returns nil. f may run more
// than once: when the engine reports a serialization failure, and when f
// returns ErrConflict because a compare-and-swap lost its race. So no mail, no
// HTTP and no log in it; use After. f must not call DB.Tx and must not use DB
// for reads it bases its writes on.
func (db *DB) Tx(ctx context.Context, f func(tx *Tx) error) error {
	return db.engine.Tx(ctx, db.statements(f))
}

// Single is Tx for an f that asks once: for one statement, or for several
// together. PostgreSQL does that whole or not at all by itself, which saves two
// round trips. To ask again fails. f returns the statements' error and no other:
// there would be nothing to undo them with.
func (db *DB) Single(ctx context.Context, f func(tx *Tx) error) error {
	return db.engine.Single(ctx, db.statements(f))
}

// InChunks runs transactions that each do up to size of something and say how many
// they did, until one finds fewer.
func (db *DB) InChunks(ctx context.Context, size int64, some func(tx *Tx) (int64, error)) error {
	for {
		var n int64
		err := db.Tx(ctx, func(tx *Tx) (err error) { n, err = some(tx); return err })
		if err != nil || n < size {
			return err
		}
	}
}

// statements gives f the statements of this package.
func (db *DB) statements(f func(tx *Tx) error) func(*engine.Tx) error {
	return func(on *engine.Tx) error {
		return f(&Tx{Reader: Reader{&on.Reader, db.ring}, Now: on.Now, on: on})
	}
}

type (
	row       = engine.Row
	statement = engine.Statement
)

// one returns the first row of a query, or ErrNotFound.
func one[T any](ctx context.Context, r *Reader, scan func(row) (T, error), query string, args ...any) (T, error) {
	return engine.One(ctx, r.on, scan, query, args...)
}

// all returns every row of a query, in its order; nil when there is none.
func all[T any](ctx context.Context, r *Reader, scan func(row) (T, error), query string, args ...any) ([]T, error) {
	return engine.All(ctx, r.on, scan, query, args...)
}

// exec runs a statement and returns how many rows it touched.
func (tx *Tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	return tx.on.Exec(ctx, query, args...)
}

// must runs a statement that has to touch a row; ErrConflict when it does not.
func (tx *Tx) must(ctx context.Context, query string, args ...any) error {
	n, err := tx.exec(ctx, query, args...)
	if err == nil && n == 0 {
		err = ErrConflict
	}
	return err
}

// together runs statements in their order, those that do not need each other's answers in one round trip.
func (tx *Tx) together(ctx context.Context, list ...*statement) error {
	return tx.on.Send(ctx, list...)
}

// scanValue scans a single column.
func scanValue[T any](r row) (v T, err error) {
	err = r.Scan(&v)
	return v, err
}

// seal and unseal protect a value at rest; place binds it to its row, so that
// values cannot be swapped between rows.
func (r *Reader) seal(place string, plain []byte) []byte { return r.ring.Seal(plain, []byte(place)) }

func (r *Reader) unseal(place string, sealed []byte) ([]byte, error) {
	plain, err := r.ring.Open(sealed, []byte(place))
	if err != nil {
		return nil, fmt.Errorf("unsealing %s: %w", place, err)
	}
	return plain, nil
}

// millis is how times are stored; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// shard spreads expiry indexes over 16 ranges, so that distributed engines have
// no hot tail and sweepers can share the work.
func shard(key string) int64 {
	var h uint32 = 2166136261
	for i := range len(key) {
		h = (h ^ uint32(key[i])) * 16777619
	}
	return int64(h % Shards)
}

// Shards is the number of ranges that expiry indexes are split into.
const Shards = 16
