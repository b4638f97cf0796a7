package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A liveness bounds how long anything waits for a database that is silent: it
// answers nothing at all, because its machine or network was lost without
// notice. A limit for every statement would not do: removing a large realm takes
// minutes. But a database that answers at all answers a query for one row within
// moments.
type liveness struct {
	mu     sync.Mutex
	root   context.Context // never ends
	alive  context.Context // ends when the database falls silent
	silent context.CancelCauseFunc
}

// errSilent is the error of everything that waits for a silent database.
var errSilent = fmt.Errorf("%w: it does not answer", ErrUnavailable)

const (
	maxAnswer = 3 * time.Second // for the answer to a query for one row
	maxAsked  = 2               // queries without an answer; one may fail because the node itself was stopped
)

func newLiveness(ctx context.Context) *liveness {
	l := &liveness{root: context.WithoutCancel(ctx)}
	l.alive, l.silent = context.WithCancelCause(l.root)
	return l
}

// answers notes that the database answers.
func (l *liveness) answers() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.alive.Err() != nil {
		l.alive, l.silent = context.WithCancelCause(l.root)
	}
}

// falls notes that the database is silent: everything that waits for it fails,
// and all that follows until it answers again.
func (l *liveness) falls() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silent(errSilent)
}

// current returns a context that ends when the database falls silent.
func (l *liveness) current() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.alive
}

// bound returns a context for one statement. A nil liveness bounds nothing.
func (l *liveness) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if l == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.current(), func() { cancel(errSilent) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// orSilent returns err, or errSilent for a statement that was ended since the database is silent.
func orSilent(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		return errSilent
	}
	return err
}

// CheckLiveness asks whether the database answers. It has to run once a second:
// where it does not, all that waits for it fails with ErrUnavailable.
func (db *DB) CheckLiveness(ctx context.Context) (err error) {
	if db.live == nil {
		return nil // SQLite's is this machine's own disk
	}
	for range maxAsked {
		if err = db.askLiveness(ctx); err == nil {
			db.live.answers()
			return nil
		}
		if !timedOut(err) || ctx.Err() != nil {
			return err
		}
	}
	db.live.falls()
	return err
}

// askLiveness reads one row, even while other statements fail because the database is silent.
func (db *DB) askLiveness(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, maxAnswer)
	defer cancel()
	var r reading = plain{db.read, nil}
	if db.pipeline != nil {
		r = unbounded{db.pipeline}
	}
	_, err := One(ctx, &Reader{q: r}, func(row Row) (n int64, err error) {
		err = row.Scan(&n)
		return n, err
	}, `select 1`)
	return err
}

func timedOut(err error) bool { return errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err) }

// serverFailed reports whether an error says that this server cannot run
// statements, and not that the statement is wrong: another connection may lead
// to a server that can.
func serverFailed(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	switch pg.Code {
	case readOnly, "57P01", "57P02", "57P03", "53300":
		return true
	}
	return pg.Code[:2] == "08"
}

// refusesWrites reports whether a server has refused to write anything, and so has not.
func refusesWrites(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == readOnly
}

// readOnly is PostgreSQL's code for a write to a server that takes none.
const readOnly = "25006"

// demoted reports whether the server of a connection has become one that takes
// no writes. Since version 14 PostgreSQL reports it without being asked.
func demoted(conn *pgconn.PgConn) bool {
	return takesNoWrites(conn) && conn.CustomData()[readOnlyAtFirst] == nil
}

// readOnlyAtFirst marks a connection whose server took no writes when it was
// opened: a new connection would be no better.
const readOnlyAtFirst = "read-only at first"

// noteReadOnly marks a fresh connection to a server that takes no writes.
func noteReadOnly(conn *pgconn.PgConn) {
	if takesNoWrites(conn) {
		conn.CustomData()[readOnlyAtFirst] = true
	}
}

func takesNoWrites(conn *pgconn.PgConn) bool {
	return conn.ParameterStatus("default_transaction_read_only") == "on" || conn.ParameterStatus("in_hot_standby") == "on"
}

// boundConnecting bounds connecting to each of the URL's servers where the URL
// does not: a later one may answer where an earlier one is silent.
func boundConnecting(config *pgx.ConnConfig) {
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = maxAnswer
	}
}

// connect tries the servers in turn, as long as that may take for all of them.
func connect(ctx context.Context, config *pgconn.Config) (*pgconn.PgConn, error) {
	servers := time.Duration(1 + len(config.Fallbacks))
	ctx, cancel := context.WithTimeout(ctx, servers*config.ConnectTimeout+time.Second)
	defer cancel()
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err == nil {
		noteReadOnly(conn)
		watchClient(ctx, conn)
	}
	return conn, err
}

// watchClient has the server end statements whose client is gone. A statement ends with its request by a cancellation, but
// one that comes before the server has begun with the statement does nothing. Servers that do not
// know the setting, those before PostgreSQL 14 among them, go on as they did.
func watchClient(ctx context.Context, conn *pgconn.PgConn) {
	_, _ = conn.Exec(ctx, `set client_connection_check_interval = '5s'`).ReadAll() // a connection that broke says so at its first use
}
