package engine

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// A Reader reads: from a DB what is committed, from a Tx also what the
// transaction has written.
type Reader struct {
	q     reading
	short reading // for short reads; nil: q
	fresh reading // for searches; nil: q
}

// Quick is r for a statement that finds one or a few rows by an index: those
// of several requests may share a round trip, so a long one would keep the others.
func (r *Reader) Quick() *Reader {
	if r.short == nil {
		return r
	}
	return &Reader{q: r.short}
}

// Search is r for a statement with filters, whose best plan depends on their values.
func (r *Reader) Search() *Reader {
	if r.fresh == nil {
		return r
	}
	return &Reader{q: r.fresh}
}

// Together runs reads that do not need each other's answers: at once where they
// share a round trip, else in turn. It returns the first error in their order.
func (r *Reader) Together(reads ...func() error) error {
	errs := make([]error, len(reads))
	if r.short == nil {
		for i, read := range reads {
			if errs[i] = read(); errs[i] != nil {
				return errs[i]
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	for i, read := range reads[1:] {
		wg.Go(func() { errs[i+1] = read() })
	}
	errs[0] = reads[0]()
	wg.Wait()
	return cmp.Or(errs...)
}

// A Tx is one transaction. Now is fixed for its length.
type Tx struct {
	Reader
	Now   time.Time
	w     querier
	after []func()
}

// use makes q what the transaction reads and writes with.
func (tx *Tx) use(q querier) { tx.q, tx.w = q, q }

// After runs f once the transaction is committed; it is dropped when the
// transaction fails or is run again.
func (tx *Tx) After(f func()) { tx.after = append(tx.after, f) }

const maxTries = 8

// Tx runs f in a transaction and commits when it returns nil. f may run more
// than once: when the engine reports a serialization failure, and when f
// returns ErrConflict because a compare-and-swap lost its race. So no mail, no
// HTTP and no log in it; use After. f must not call DB.Tx and must not use DB
// for reads it bases its writes on.
func (db *DB) Tx(ctx context.Context, f func(tx *Tx) error) error {
	return db.run(ctx, f, false)
}

// Single is Tx for an f that asks once: for one statement, or for several
// together. PostgreSQL does that whole or not at all by itself, which saves two
// round trips. To ask again fails. f returns the statements' error and no other:
// there would be nothing to undo them with.
func (db *DB) Single(ctx context.Context, f func(tx *Tx) error) error {
	guarded := func(tx *Tx) error {
		tx.use(&single{q: tx.w})
		return f(tx)
	}
	return db.run(ctx, guarded, true)
}

// A single asks once.
type single struct {
	q    querier
	used bool
}

func (s *single) QueryContext(ctx context.Context, query string, args ...any) (rows, error) {
	if err := s.use(); err != nil {
		return nil, err
	}
	return s.q.QueryContext(ctx, query, args...)
}

func (s *single) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := s.use(); err != nil {
		return nil, err
	}
	return s.q.ExecContext(ctx, query, args...)
}

func (s *single) together(ctx context.Context, list []*Statement) error {
	if err := s.use(); err != nil {
		return err
	}
	return together(ctx, s.q, list)
}

func (s *single) use() error {
	if s.used {
		return errors.New("store: asked a second time in DB.Single")
	}
	s.used = true
	return nil
}

// A Statement is one of several that do not need each other's answers.
type Statement struct {
	Query   string
	Args    []any
	Read    func(Row) error // reads each row that comes back, nil for a statement that returns none
	Touched int64           // how many rows it touched, once it has run; of one without Read

	rows rowBuffer
	tag  pgconn.CommandTag
}

// together runs statements in their order, in one round trip where there are round trips.
func together(ctx context.Context, q querier, list []*Statement) error {
	if t, ok := q.(interface {
		together(ctx context.Context, list []*Statement) error
	}); ok {
		return t.together(ctx, list)
	}
	for _, s := range list {
		if err := s.run(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

func (s *Statement) run(ctx context.Context, q querier) error {
	if s.Read == nil {
		res, err := q.ExecContext(ctx, s.Query, s.Args...)
		if err == nil {
			s.Touched, err = res.RowsAffected()
		}
		return err
	}
	rows, err := q.QueryContext(ctx, s.Query, s.Args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := s.Read(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (db *DB) run(ctx context.Context, f func(tx *Tx) error, implicit bool) error {
	var err error
	for try := 1; try <= maxTries; try++ {
		tx := &Tx{Now: db.Now()}
		switch {
		case db.writer != nil:
			err = db.writer.do(ctx, func(q querier) error { tx.use(q); tx.after = nil; return f(tx) })
		case db.txPool != nil:
			err = db.txPool.run(ctx, tx, f, implicit)
		default:
			err = db.txPostgres(ctx, tx, f)
		}
		if err == nil {
			for _, g := range tx.after {
				g()
			}
			return nil
		}
		// A server that has become read-only has done nothing; the next connection leads to another, if there is one.
		again := retryable(err) || errors.Is(err, ErrConflict) || try == 1 && refusesWrites(err)
		if !again || ctx.Err() != nil {
			break
		}
		time.Sleep(time.Duration(rand.IntN(1<<try)) * time.Millisecond)
	}
	return Translate(err)
}

// txPostgres is a transaction by way of database/sql, before poolers that know no prepared statements.
func (db *DB) txPostgres(ctx context.Context, tx *Tx, f func(tx *Tx) error) error {
	ctx, done := db.live.bound(ctx)
	defer done()
	t, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return orSilent(ctx, errors.Join(ErrUnavailable, err))
	}
	defer func() { _ = t.Rollback() }()
	tx.use(plain{t, db.live})
	if err := f(tx); err != nil {
		return orSilent(ctx, err)
	}
	return orSilent(ctx, t.Commit())
}

// groupWriter owns SQLite's one writing connection. Transactions that wait
// while another one is being synced to disk share the next sync: each runs in
// a savepoint of its own, so that one's failure leaves the others alone, and
// all are answered after the commit.
type groupWriter struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	jobs  chan *writeJob
	quit  chan struct{}
	done  chan struct{}
}

type writeJob struct {
	run      func(querier) error
	err      error
	panicked any
	done     chan struct{}
}

const maxGroup = 256

func newGroupWriter(conn *sql.Conn) *groupWriter {
	w := &groupWriter{conn: conn, stmts: map[string]*sql.Stmt{}, jobs: make(chan *writeJob, maxGroup), quit: make(chan struct{}),
		done: make(chan struct{})}
	go w.loop()
	return w
}

func (w *groupWriter) close() {
	close(w.quit)
	<-w.done
	_ = w.conn.Close()
}

func (w *groupWriter) do(ctx context.Context, run func(querier) error) error {
	job := &writeJob{run: run, done: make(chan struct{})}
	select {
	case w.jobs <- job:
	case <-w.done:
		return fmt.Errorf("%w: closed", ErrUnavailable)
	case <-ctx.Done():
		return ctx.Err()
	}
	// The transaction is under way now; its answer decides, not ctx.
	select {
	case <-job.done:
	case <-w.done:
		select {
		case <-job.done:
		default:
			return fmt.Errorf("%w: closed", ErrUnavailable)
		}
	}
	if job.panicked != nil {
		panic(job.panicked)
	}
	return job.err
}

func (w *groupWriter) loop() {
	defer close(w.done)
	for {
		select {
		case <-w.quit:
			return
		case first := <-w.jobs:
			group := []*writeJob{first}
			for len(group) < maxGroup {
				select {
				case next := <-w.jobs:
					group = append(group, next)
					continue
				default:
				}
				break
			}
			w.commit(group)
		}
	}
}

func (w *groupWriter) commit(group []*writeJob) {
	ctx := context.Background()
	fail := func(err error) {
		for _, job := range group {
			if job.err == nil {
				job.err = err
			}
		}
	}
	if _, err := w.ExecContext(ctx, `begin immediate`); err != nil {
		fail(err)
	} else {
		for _, job := range group {
			w.runOne(ctx, job)
		}
		if _, err := w.ExecContext(ctx, `commit`); err != nil {
			fail(err)
			// A full disk may have ended the transaction already; then this fails, and nothing is lost by it.
			_, _ = w.conn.ExecContext(ctx, `rollback`)
		}
	}
	for _, job := range group {
		close(job.done)
	}
}

func (w *groupWriter) runOne(ctx context.Context, job *writeJob) {
	if _, job.err = w.ExecContext(ctx, `savepoint one`); job.err != nil {
		return
	}
	func() {
		defer func() { job.panicked = recover() }()
		job.err = job.run(w)
	}()
	if job.err != nil || job.panicked != nil {
		_, _ = w.ExecContext(ctx, `rollback to one`)
	}
	if _, err := w.ExecContext(ctx, `release one`); err != nil && job.err == nil {
		job.err = err
	}
}

func (w *groupWriter) stmt(query string) (*sql.Stmt, error) {
	if s, ok := w.stmts[query]; ok {
		return s, nil
	}
	s, err := w.conn.PrepareContext(context.Background(), query)
	if err == nil {
		w.stmts[query] = s
	}
	return s, err
}

// QueryContext and ExecContext run on the writing connection. A context that
// ends must not break the transaction that others share, so it is not passed on.
func (w *groupWriter) QueryContext(_ context.Context, query string, args ...any) (rows, error) {
	s, err := w.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(context.Background(), args...)
}

// ExecContext: see QueryContext.
func (w *groupWriter) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	s, err := w.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(context.Background(), args...)
}

// A Row is what a scan function reads from.
type Row interface{ Scan(dest ...any) error }

// One returns the first row of a query, or ErrNotFound.
func One[T any](ctx context.Context, r *Reader, scan func(Row) (T, error), query string, args ...any) (T, error) {
	var v T
	rows, err := r.q.QueryContext(ctx, query, args...)
	if err != nil {
		return v, Translate(err)
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return v, Translate(err)
		}
		return v, ErrNotFound
	}
	if v, err = scan(rows); err != nil {
		return v, Translate(err)
	}
	return v, Translate(rows.Close())
}

// All returns every row of a query, in its order; nil when there is none.
func All[T any](ctx context.Context, r *Reader, scan func(Row) (T, error), query string, args ...any) ([]T, error) {
	rows, err := r.q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, Translate(err)
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, Translate(err)
		}
		list = append(list, v)
	}
	return list, Translate(rows.Err())
}

// Exec runs a statement and returns how many rows it touched.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := tx.w.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, Translate(err)
	}
	return res.RowsAffected()
}

// Send runs statements in their order, those that do not need each other's answers in one round trip.
func (tx *Tx) Send(ctx context.Context, list ...*Statement) error {
	return Translate(together(ctx, tx.w, list))
}
