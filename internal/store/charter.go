package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A charter lends boats to transactions on PostgreSQL, one to each. It does what
// database/sql does with less: a transaction begins in the round trip of its
// first statement, and statements that do not need each other's answers cross
// together.
type charter struct {
	config *pgconn.Config
	clock  func() time.Time
	pulse  *pulse
	berths chan struct{} // taken by every boat that is out
	harbour
}

// maxAtRest is how long a connection may have rested and be trusted: what is
// sent over one that is lost may have been done or not.
const maxAtRest = time.Second

func newCharter(config *pgconn.Config, boats int, clock func() time.Time, p *pulse) *charter {
	return &charter{config: config, clock: clock, pulse: p, berths: make(chan struct{}, boats)}
}

// run is one transaction. whole says that f sends everything at once, in one
// crossing, which PostgreSQL does whole or not at all without being told so.
func (c *charter) run(ctx context.Context, tx *Tx, f func(*Tx) error, whole bool) error {
	b, err := c.hire(ctx)
	if err != nil {
		return err
	}
	defer c.moor(b) // gives the connection up when f panicked
	v := &voyage{boat: b, pulse: c.pulse, whole: whole}
	tx.use(v)
	if err := f(tx); err != nil {
		if v.begun && b.conn != nil && !b.conn.IsClosed() {
			_ = v.send(context.WithoutCancel(ctx), &statement{query: `rollback`}) // moor sees what comes of it
		}
		return err
	}
	if !v.begun {
		return nil
	}
	return v.commit(ctx)
}

// hire waits for a boat that is free, and has it connected.
func (c *charter) hire(ctx context.Context) (*boat, error) {
	silent := c.pulse.current()
	if silent.Err() != nil {
		return nil, errSilent
	}
	select {
	case c.berths <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-silent.Done():
		return nil, errSilent
	}
	c.mu.Lock()
	b := &boat{config: c.config}
	if n := len(c.moored); n > 0 {
		b, c.moored = c.moored[n-1], c.moored[:n-1]
	}
	closed := c.closed
	c.mu.Unlock()
	if closed {
		<-c.berths
		return nil, errFerryClosed
	}
	bounded, done := c.pulse.bound(ctx)
	defer done()
	if err := b.provision(bounded, c.clock()); err != nil {
		c.moor(b)
		return nil, because(bounded, err)
	}
	return b, nil
}

// provision connects where there is no connection, or none that answers.
func (b *boat) provision(ctx context.Context, now time.Time) error {
	fresh, err := b.ready()
	if err == nil && !fresh && now.Sub(b.back) > maxAtRest && b.conn.Ping(ctx) != nil {
		b.sink()
		_, err = b.ready()
	}
	if err == nil {
		b.watch.Stop() // ctx is what bounds a transaction
	}
	return err
}

// moor takes a boat back. A connection that is in no state to be used again goes.
func (c *charter) moor(b *boat) {
	if b.conn != nil && (b.conn.IsClosed() || b.conn.IsBusy() || b.conn.TxStatus() != idle) {
		b.sink()
	}
	b.leave()
	c.mu.Lock()
	if c.closed {
		b.sink()
	} else {
		b.back = c.clock()
		b.rest(maxMoored)
		c.moored = append(c.moored, b)
	}
	c.mu.Unlock()
	<-c.berths
}

// idle is the transaction status of a connection without one.
const idle = 'I'

// A voyage is a transaction on a boat.
type voyage struct {
	boat  *boat
	pulse *pulse
	whole bool
	begun bool // there is a transaction to end
}

// cross sends statements over, with the transaction's beginning if it is due.
func (v *voyage) cross(ctx context.Context, list []*statement) error {
	if v.whole || v.begun {
		return v.send(ctx, list...)
	}
	v.begun = true
	return v.send(ctx, append([]*statement{{query: `begin`}}, list...)...)
}

func (v *voyage) send(ctx context.Context, list ...*statement) (err error) {
	ctx, done := v.pulse.bound(ctx)
	defer done()
	var batch pgconn.Batch
	for _, s := range list {
		if s.cargo, err = v.boat.load(ctx, &batch, s.query, s.args); err != nil {
			return because(ctx, err)
		}
	}
	answers := v.boat.conn.ExecBatch(ctx, &batch)
	for _, s := range list {
		if !answers.NextResult() {
			break // answers knows why
		}
		s.tag, _ = s.cargo.unload(answers.ResultReader())
	}
	err = answers.Close()
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && (stalePlan(pg) || cannot(pg)) {
		v.boat.sink() // statements and all; the transaction runs again on another connection
	}
	return because(ctx, err)
}

// commit fails where PostgreSQL rolls back instead, since a statement had failed.
func (v *voyage) commit(ctx context.Context) error {
	s := &statement{query: `commit`}
	err := v.send(ctx, s)
	if err == nil && s.tag.String() == "ROLLBACK" {
		err = pgx.ErrTxCommitRollback
	}
	return err
}

// together sends statements in one crossing, and has what came back read.
func (v *voyage) together(ctx context.Context, list []*statement) error {
	if err := v.cross(ctx, list); err != nil {
		return err
	}
	for _, s := range list {
		s.touched = s.tag.RowsAffected()
		for s.read != nil && s.cargo.Next() {
			if err := s.read(&s.cargo); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *voyage) QueryContext(ctx context.Context, query string, args ...any) (rows, error) {
	s := &statement{query: query, args: args}
	if err := v.cross(ctx, []*statement{s}); err != nil {
		return nil, err
	}
	return &s.cargo, nil
}

func (v *voyage) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s := &statement{query: query, args: args}
	if err := v.cross(ctx, []*statement{s}); err != nil {
		return nil, err
	}
	return driver.RowsAffected(s.tag.RowsAffected()), nil
}
