package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A pulse bounds how long anything waits for a database that answers nothing at
// all, as one does whose machine or network is gone without a word. How long a
// statement may take cannot be said: to remove a large realm takes minutes. But
// a database that answers at all answers a question for one row in moments.
type pulse struct {
	mu     sync.Mutex
	root   context.Context // never ends
	life   context.Context // ends when the database falls silent
	silent context.CancelCauseFunc
}

// errSilent is what everything that waits for a silent database ends with.
var errSilent = fmt.Errorf("%w: it does not answer", ErrUnavailable)

const (
	patience  = 3 * time.Second // for the answer to a question for one row
	questions = 2               // without an answer; one may be lost when the node itself was stopped
)

func newPulse(ctx context.Context) *pulse {
	p := &pulse{root: context.WithoutCancel(ctx)}
	p.life, p.silent = context.WithCancelCause(p.root)
	return p
}

// beats says that the database answers.
func (p *pulse) beats() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life.Err() != nil {
		p.life, p.silent = context.WithCancelCause(p.root)
	}
}

// stops ends everything that waits, and what comes until the database answers again.
func (p *pulse) stops() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent(errSilent)
}

// current ends when the database falls silent.
func (p *pulse) current() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life
}

// bound returns a context for one statement. A nil pulse bounds nothing.
func (p *pulse) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if p == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(p.current(), func() { cancel(errSilent) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// because returns errSilent instead of the error of a statement that it ended.
func because(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		return errSilent
	}
	return err
}

// Pulse asks the database for a sign of life. It has to run once a second: all
// that waits for a database that gives none is ended with ErrUnavailable.
func (db *DB) Pulse(ctx context.Context) (err error) {
	if db.pulse == nil {
		return nil // SQLite's is this machine's own disk
	}
	for range questions {
		if err = db.question(ctx); err == nil {
			db.pulse.beats()
			return nil
		}
		if !timedOut(err) || ctx.Err() != nil {
			return err
		}
	}
	db.pulse.stops()
	return err
}

// question asks for one row, past what bounds other statements.
func (db *DB) question(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var r reading = plain{db.read, nil}
	if db.ferry != nil {
		r = unbounded{db.ferry}
	}
	_, err := one(ctx, &Reader{q: r}, scanValue[int64], aliveQuery, sealCheck)
	return err
}

const aliveQuery = `select count(*) from meta where name = $1`

func timedOut(err error) bool { return errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err) }

// Probe writes a few kilobytes, which a database that has no room, or has become
// read-only, refuses.
func (db *DB) Probe(ctx context.Context) error {
	noise := make([]byte, 8<<10) // what can be compressed would need less room than it seems
	_, _ = rand.Read(noise)      // never fails
	done := make(chan error, 1)
	go func() {
		done <- db.Tx(ctx, func(tx *Tx) error {
			_, err := tx.exec(ctx, `insert into leases (name, holder, until) values ($1, $2, $3)
				on conflict (name) do update set holder = excluded.holder, until = excluded.until`,
				"probe", hex.EncodeToString(noise), millis(tx.Now))
			return err
		})
	}()
	select {
	case err := <-done:
		return translate(err)
	case <-ctx.Done():
		if db.engine == SQLite {
			return nil // one writes at a time, and somebody does
		}
		return translate(ctx.Err())
	}
}

// cannot reports whether an error says that this server cannot, and not that
// the statement is wrong: another connection may lead to one that can.
func cannot(err error) bool {
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
// no writes. PostgreSQL tells of it since version 14 without being asked.
func demoted(conn *pgconn.PgConn) bool {
	return takesNoWrites(conn) && conn.CustomData()[bornReadOnly] == nil
}

// bornReadOnly marks a connection whose server took no writes from the start:
// there is nothing better to be had.
const bornReadOnly = "born read-only"

// born notes what a fresh connection's server is.
func born(conn *pgconn.PgConn) {
	if takesNoWrites(conn) {
		conn.CustomData()[bornReadOnly] = true
	}
}

func takesNoWrites(conn *pgconn.PgConn) bool {
	return conn.ParameterStatus("default_transaction_read_only") == "on" || conn.ParameterStatus("in_hot_standby") == "on"
}

// connectWithin bounds connecting to each of the URL's servers where the URL
// does not: behind one that is silent there may be one that answers.
func connectWithin(config *pgx.ConnConfig) {
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = patience
	}
}

// connect tries the servers in turn, as long as that may take for all of them.
func connect(ctx context.Context, config *pgconn.Config) (*pgconn.PgConn, error) {
	servers := time.Duration(1 + len(config.Fallbacks))
	ctx, cancel := context.WithTimeout(ctx, servers*config.ConnectTimeout+time.Second)
	defer cancel()
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err == nil {
		born(conn)
	}
	return conn, err
}
