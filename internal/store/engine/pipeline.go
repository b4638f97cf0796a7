package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A pipeline sends short reads to PostgreSQL, those of several callers in one
// round trip: reads that arrive while every connection is in use wait, and are
// sent together by the next connection that is free. groupWriter does the same
// for SQLite's writes. Most of the cost of a short read is the round trip (two
// system calls and two changes of goroutine), not the statement. Nothing is
// cached: each read is a statement of its own, begun after it was asked for. A
// read that fails does not make the others fail.
type pipeline struct {
	config *pgconn.Config
	live   *liveness
	idleConns
	waiting []*request
}

// idleConns are the connections that nobody uses. Its lock also guards the
// other fields of the struct that embeds it.
type idleConns struct {
	mu     sync.Mutex
	idle   []*conn // the one that was used last is taken first
	closed bool
}

// close closes the idle connections; the others are closed when their users are done.
func (i *idleConns) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	for _, c := range i.idle {
		c.close()
	}
	i.idle = nil
}

// A request is one read that waits for its answer.
type request struct {
	query string
	args  []any
	rows  rowBuffer
	err   error
	done  chan struct{}
}

// A conn is one connection. It is opened when it is first needed, and opened
// again after it was lost.
type conn struct {
	config   *pgconn.Config
	pg       *pgconn.PgConn     // nil while there is none
	stmts    map[string]*pgStmt // prepared on pg, by text
	timeout  *time.Timer        // closes pg when a round trip, or its idle time, takes too long
	released time.Time          // when it came back to its txPool
}

// A pgStmt is a prepared statement of a connection. It remembers the size of
// its last answer: the next rowBuffer is allocated with that size.
type pgStmt struct {
	*pgconn.StatementDescription
	bytes, values int
}

// maxPrealloc bounds the size that a pgStmt remembers, in bytes.
const maxPrealloc = 16 << 10

const (
	maxPipelined = 64              // requests in one round trip
	maxRoundTrip = 5 * time.Second // for one round trip
	maxIdle      = 5 * time.Minute // then an idle connection is closed
	maxStmts     = 400             // prepared statements of a connection
)

// newPipeline returns nil where the URL asks for anything but prepared statements,
// as it must before some poolers.
func newPipeline(config *pgx.ConnConfig, conns int, live *liveness) *pipeline {
	if config.DefaultQueryExecMode != pgx.QueryExecModeCacheStatement || conns == 0 {
		return nil
	}
	p := &pipeline{config: &config.Config, live: live}
	for range conns {
		p.idle = append(p.idle, &conn{config: p.config})
	}
	return p
}

// unbounded sends reads even to a database that does not answer.
type unbounded struct{ *pipeline }

func (u unbounded) QueryContext(ctx context.Context, query string, args ...any) (rows, error) {
	return u.ask(ctx, nil, query, args)
}

// QueryContext waits for the answer, for the end of ctx, or until the database is
// found not to answer. The requests of others in the same round trip go on without it.
func (p *pipeline) QueryContext(ctx context.Context, query string, args ...any) (rows, error) {
	return p.ask(ctx, p.live.current().Done(), query, args)
}

func (p *pipeline) ask(ctx context.Context, silent <-chan struct{}, query string, args []any) (rows, error) {
	r := &request{query: query, args: args, done: make(chan struct{})}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosed
	}
	p.waiting = append(p.waiting, r)
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		go p.serve(c)
	}
	p.mu.Unlock()
	select {
	case <-r.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-silent:
		return nil, errSilent
	}
	if r.err != nil {
		return nil, r.err
	}
	return &r.rows, nil
}

var errClosed = fmt.Errorf("%w: closed", ErrUnavailable)

// serve answers the waiting requests over c until there are none.
func (p *pipeline) serve(c *conn) {
	for {
		runtime.Gosched() // goroutines that are about to read can join this round trip
		p.mu.Lock()
		n := min(len(p.waiting), maxPipelined)
		if n == 0 {
			if p.closed {
				c.close()
			} else {
				c.closeDemoted()
				c.setTimeout(maxIdle)
				p.idle = append(p.idle, c)
			}
			p.mu.Unlock()
			return
		}
		group := p.waiting[:n:n]
		p.waiting = p.waiting[n:]
		p.mu.Unlock()
		c.answer(group)
		for _, r := range group {
			close(r.done)
		}
	}
}

// answer answers every request of a group. When an idle connection turns out to
// be lost, the reads have not failed: they are sent once more, on a new one.
func (c *conn) answer(group []*request) {
	for again := true; len(group) > 0; {
		fresh, err := c.open()
		if err != nil {
			fail(group, err)
			return
		}
		answered, err := c.roundTrip(group)
		group = group[answered:]
		var pg *pgconn.PgError
		switch {
		case err == nil:
		case c.pg.IsClosed(), !errors.As(err, &pg), serverFailed(pg):
			c.close()
			if fresh || !again {
				fail(group, err)
				return
			}
			again = false
		case stalePlan(pg) && again:
			c.close() // with its prepared statements
			again = false
		default:
			fail(group[:1], err)
			group = group[1:]
		}
	}
}

func fail(group []*request, err error) {
	for _, r := range group {
		r.err = err
	}
}

// stalePlan reports whether a prepared statement is no longer valid: another node
// has migrated the schema, or a pooler changed sessions.
func stalePlan(err *pgconn.PgError) bool { return err.Code == "0A000" || err.Code == "26000" }

// open connects where there is no connection, and starts the timeout of a round trip.
func (c *conn) open() (fresh bool, err error) {
	if c.pg == nil || len(c.stmts) > maxStmts {
		c.close()
		if c.pg, err = connect(context.Background(), c.config); err != nil {
			c.pg = nil
			return true, err
		}
		c.stmts = map[string]*pgStmt{}
		socket := c.pg.Conn()
		c.timeout, fresh = time.AfterFunc(maxRoundTrip, func() { _ = socket.Close() }), true
	}
	c.setTimeout(maxRoundTrip)
	return fresh, nil
}

// setTimeout has the connection closed after d. The next round trip then opens a new one.
func (c *conn) setTimeout(d time.Duration) {
	if c.pg != nil {
		c.timeout.Reset(d)
	}
}

// closeDemoted closes the connection to a server that takes no writes any more:
// a new connection leads to the server that does.
func (c *conn) closeDemoted() {
	if c.pg != nil && demoted(c.pg) {
		c.close()
	}
}

// close closes the connection. The conn can be opened again.
func (c *conn) close() {
	if c.pg == nil {
		return
	}
	c.timeout.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.pg.Close(ctx)
	c.pg, c.stmts = nil, nil
}

// asBinary is the format of all values, in both directions.
var asBinary = []int16{pgx.BinaryFormatCode}

// roundTrip sends a group and reads the answers. It returns how many requests were
// answered, and why the next one was not.
func (c *conn) roundTrip(group []*request) (answered int, err error) {
	var batch pgconn.Batch
	for i, r := range group {
		rows, err := c.queue(context.Background(), &batch, r.query, r.args)
		if err != nil {
			if i == 0 {
				return 0, asStatement(err)
			}
			group = group[:i] // it is the first of the next round trip, which reports its error
			break
		}
		r.rows = rows
	}
	answers := c.pg.ExecBatch(context.Background(), &batch)
	for answers.NextResult() {
		if _, err = group[answered].rows.fill(answers.ResultReader()); err != nil {
			break
		}
		answered++
	}
	return answered, errors.Join(err, answers.Close())
}

// asStatement turns an error of the statement itself into one that answer takes for such.
func asStatement(err error) error {
	if unfit, ok := errors.AsType[*unfitError](err); ok {
		return &pgconn.PgError{Severity: "ERROR", Code: "22000", Message: unfit.Error()}
	}
	return err
}

// queue adds a statement to a batch, and returns the buffer for its answer.
func (c *conn) queue(ctx context.Context, batch *pgconn.Batch, query string, args []any) (rowBuffer, error) {
	s, err := c.prepare(ctx, query)
	if err != nil {
		return rowBuffer{}, err
	}
	values, err := encode(args, s.ParamOIDs)
	if err != nil {
		return rowBuffer{}, err
	}
	batch.ExecStatement(s.StatementDescription, values, asBinary, asBinary)
	return rowBuffer{stmt: s, data: make([]byte, 0, s.bytes), lengths: make([]int32, 0, s.values)}, nil
}

func (c *conn) prepare(ctx context.Context, query string) (*pgStmt, error) {
	if s := c.stmts[query]; s != nil {
		return s, nil
	}
	desc, err := c.pg.Prepare(ctx, "known"+strconv.Itoa(len(c.stmts)), query, nil)
	if err != nil {
		return nil, err
	}
	s := &pgStmt{StatementDescription: desc}
	c.stmts[query] = s
	return s, nil
}
