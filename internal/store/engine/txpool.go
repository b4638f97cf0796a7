package engine

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A txPool is the connections of transactions on PostgreSQL. It does what
// database/sql does at a lower cost: a transaction begins in the round trip of
// its first statement, and statements that do not need each other's answers
// share a round trip.
type txPool struct {
	config *pgconn.Config
	clock  func() time.Time
	live   *liveness
	slots  chan struct{} // one is taken by every connection in use
	idleConns
}

// maxUnchecked is how long a connection may have been idle and is used without a
// question first: what is sent over a lost connection may have been done or not.
const maxUnchecked = time.Second

func newTxPool(config *pgconn.Config, conns int, clock func() time.Time, live *liveness) *txPool {
	return &txPool{config: config, clock: clock, live: live, slots: make(chan struct{}, conns)}
}

// run is one transaction. implicit says that f sends all its statements in one
// round trip: PostgreSQL makes that a transaction without being told so.
func (p *txPool) run(ctx context.Context, tx *Tx, f func(*Tx) error, implicit bool) error {
	c, err := p.acquire(ctx)
	if err != nil {
		return err
	}
	defer p.release(c) // closes the connection when f panicked
	t := &pipelinedTx{conn: c, live: p.live, implicit: implicit}
	tx.use(t)
	if err := f(tx); err != nil {
		if t.begun && c.pg != nil && !c.pg.IsClosed() {
			_ = t.send(context.WithoutCancel(ctx), &Statement{Query: `rollback`}) // release closes the connection if this failed
		}
		return err
	}
	if !t.begun {
		return nil
	}
	return t.commit(ctx)
}

// acquire waits for a free connection, and opens it where it is not open.
func (p *txPool) acquire(ctx context.Context) (*conn, error) {
	silent := p.live.current()
	if silent.Err() != nil {
		return nil, errSilent
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-silent.Done():
		return nil, errSilent
	}
	p.mu.Lock()
	c := &conn{config: p.config}
	if n := len(p.idle); n > 0 {
		c, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	closed := p.closed
	p.mu.Unlock()
	if closed {
		<-p.slots
		return nil, errClosed
	}
	bounded, done := p.live.bound(ctx)
	defer done()
	if err := c.openForTx(bounded, p.clock()); err != nil {
		p.release(c)
		return nil, orSilent(bounded, err)
	}
	return c, nil
}

// openForTx connects where there is no connection, or none that answers.
func (c *conn) openForTx(ctx context.Context, now time.Time) error {
	fresh, err := c.open()
	if err == nil && !fresh && now.Sub(c.released) > maxUnchecked && c.pg.Ping(ctx) != nil {
		c.close()
		_, err = c.open()
	}
	if err == nil {
		c.timeout.Stop() // ctx is what bounds a transaction
	}
	return err
}

// release takes a connection back, and closes it when it cannot be used again.
func (p *txPool) release(c *conn) {
	if c.pg != nil && (c.pg.IsClosed() || c.pg.IsBusy() || c.pg.TxStatus() != outsideTx) {
		c.close()
	}
	c.closeDemoted()
	p.mu.Lock()
	if p.closed {
		c.close()
	} else {
		c.released = p.clock()
		c.setTimeout(maxIdle)
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	<-p.slots
}

// outsideTx is the transaction status of a connection that has no transaction.
const outsideTx = 'I'

// A pipelinedTx is a transaction on a connection of a txPool.
type pipelinedTx struct {
	conn     *conn
	live     *liveness
	implicit bool
	begun    bool // there is a transaction to end
}

// roundTrip sends statements, after the transaction's beginning if it has not begun.
func (t *pipelinedTx) roundTrip(ctx context.Context, list []*Statement) error {
	if t.implicit || t.begun {
		return t.send(ctx, list...)
	}
	t.begun = true
	return t.send(ctx, append([]*Statement{{Query: `begin`}}, list...)...)
}

func (t *pipelinedTx) send(ctx context.Context, list ...*Statement) (err error) {
	ctx, done := t.live.bound(ctx)
	defer done()
	var batch pgconn.Batch
	for _, s := range list {
		if s.rows, err = t.conn.queue(ctx, &batch, s.Query, s.Args); err != nil {
			return orSilent(ctx, err)
		}
	}
	answers := t.conn.pg.ExecBatch(ctx, &batch)
	for _, s := range list {
		if !answers.NextResult() {
			break // answers.Close returns the error
		}
		s.tag, _ = s.rows.fill(answers.ResultReader())
	}
	err = answers.Close()
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && (stalePlan(pg) || serverFailed(pg)) {
		t.conn.close() // with its prepared statements; the transaction runs again on another connection
	}
	return orSilent(ctx, err)
}

// commit fails where PostgreSQL rolls back instead, since a statement had failed.
func (t *pipelinedTx) commit(ctx context.Context) error {
	s := &Statement{Query: `commit`}
	err := t.send(ctx, s)
	if err == nil && s.tag.String() == "ROLLBACK" {
		err = pgx.ErrTxCommitRollback
	}
	return err
}

// together sends statements in one round trip, and reads their answers.
func (t *pipelinedTx) together(ctx context.Context, list []*Statement) error {
	if err := t.roundTrip(ctx, list); err != nil {
		return err
	}
	for _, s := range list {
		s.Touched = s.tag.RowsAffected()
		for s.Read != nil && s.rows.Next() {
			if err := s.Read(&s.rows); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *pipelinedTx) QueryContext(ctx context.Context, query string, args ...any) (rows, error) {
	s := &Statement{Query: query, Args: args}
	if err := t.roundTrip(ctx, []*Statement{s}); err != nil {
		return nil, err
	}
	return &s.rows, nil
}

func (t *pipelinedTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s := &Statement{Query: query, Args: args}
	if err := t.roundTrip(ctx, []*Statement{s}); err != nil {
		return nil, err
	}
	return driver.RowsAffected(s.tag.RowsAffected()), nil
}
