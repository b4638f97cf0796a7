package store

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

// A ferry takes short reads to PostgreSQL, those of several requests in one
// round trip: reads that arrive while a boat is away wait for it and cross
// together. It is what groupWriter is to SQLite's writes. Most of what a read
// costs is the crossing - two system calls and two changes of goroutine - and
// not the statement. Nothing is cached: each read is a statement of its own,
// begun after it was asked for. One that fails fails alone.
type ferry struct {
	config *pgconn.Config
	pulse  *pulse
	harbour
	waiting []*passage
}

// A harbour has boats at rest. Its lock guards what its owner has, too.
type harbour struct {
	mu     sync.Mutex
	moored []*boat // the one that came back last goes first
	closed bool
}

// close ends the connections at rest; the others are ended when they are back.
func (h *harbour) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, b := range h.moored {
		b.sink()
	}
	h.moored = nil
}

// A passage is one read that crosses.
type passage struct {
	query string
	args  []any
	cargo cargo
	err   error
	done  chan struct{}
}

// A boat is one connection, made when first needed and again when it is lost.
type boat struct {
	config *pgconn.Config
	conn   *pgconn.PgConn
	known  map[string]*readied // on conn, by text
	watch  *time.Timer         // cuts conn when it rests, or is away, for too long
	back   time.Time           // when it came back to its charter
}

// A readied is a statement that a connection knows, and how much it brought back
// the last time: so much room its next cargo has from the start.
type readied struct {
	*pgconn.StatementDescription
	bytes, values int
}

// maxRoom bounds it, in bytes.
const maxRoom = 16 << 10

const (
	maxPassages = 64              // that cross together
	maxAway     = 5 * time.Second // for a crossing
	maxMoored   = 5 * time.Minute // then the connection is given up
	maxKnown    = 400             // prepared statements of a connection
)

// newFerry returns nil where the URL asks for anything but prepared statements,
// as it must before some poolers.
func newFerry(config *pgx.ConnConfig, boats int, p *pulse) *ferry {
	if config.DefaultQueryExecMode != pgx.QueryExecModeCacheStatement || boats == 0 {
		return nil
	}
	f := &ferry{config: &config.Config, pulse: p}
	for range boats {
		f.moored = append(f.moored, &boat{config: f.config})
	}
	return f
}

// unbounded asks whether or not the database was silent.
type unbounded struct{ *ferry }

func (f unbounded) QueryContext(ctx context.Context, query string, args ...any) (rows, error) {
	return f.ask(ctx, nil, query, args)
}

// QueryContext waits for its turn, the answer, or the end of ctx or of a silent
// database's time. What others wait for goes on without it.
func (f *ferry) QueryContext(ctx context.Context, query string, args ...any) (rows, error) {
	return f.ask(ctx, f.pulse.current().Done(), query, args)
}

func (f *ferry) ask(ctx context.Context, silent <-chan struct{}, query string, args []any) (rows, error) {
	p := &passage{query: query, args: args, done: make(chan struct{})}
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil, errFerryClosed
	}
	f.waiting = append(f.waiting, p)
	if n := len(f.moored); n > 0 {
		b := f.moored[n-1]
		f.moored = f.moored[:n-1]
		go f.sail(b)
	}
	f.mu.Unlock()
	select {
	case <-p.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-silent:
		return nil, errSilent
	}
	if p.err != nil {
		return nil, p.err
	}
	return &p.cargo, nil
}

var errFerryClosed = fmt.Errorf("%w: closed", ErrUnavailable)

// sail takes over whoever waits until nobody does.
func (f *ferry) sail(b *boat) {
	for {
		runtime.Gosched() // requests that can run have the chance to come along
		f.mu.Lock()
		n := min(len(f.waiting), maxPassages)
		if n == 0 {
			if f.closed {
				b.sink()
			} else {
				b.leave()
				b.rest(maxMoored)
				f.moored = append(f.moored, b)
			}
			f.mu.Unlock()
			return
		}
		group := f.waiting[:n:n]
		f.waiting = f.waiting[n:]
		f.mu.Unlock()
		b.carry(group)
		for _, p := range group {
			close(p.done)
		}
	}
}

// carry answers every passage of a group. A connection that broke at rest is
// no failure of the reads: they go once more, on a new one.
func (b *boat) carry(group []*passage) {
	for again := true; len(group) > 0; {
		fresh, err := b.ready()
		if err != nil {
			fail(group, err)
			return
		}
		crossed, err := b.cross(group)
		group = group[crossed:]
		var pg *pgconn.PgError
		switch {
		case err == nil:
		case b.conn.IsClosed(), !errors.As(err, &pg), cannot(pg):
			b.sink()
			if fresh || !again {
				fail(group, err)
				return
			}
			again = false
		case stalePlan(pg) && again:
			b.sink() // statements and all
			again = false
		default:
			fail(group[:1], err)
			group = group[1:]
		}
	}
}

func fail(group []*passage, err error) {
	for _, p := range group {
		p.err = err
	}
}

// stalePlan reports whether a prepared statement has outlived what it was
// prepared for: another node has migrated the schema, or a pooler changed sessions.
func stalePlan(err *pgconn.PgError) bool { return err.Code == "0A000" || err.Code == "26000" }

// ready connects where there is no connection, and starts the watch.
func (b *boat) ready() (fresh bool, err error) {
	if b.conn == nil || len(b.known) > maxKnown {
		b.sink()
		if b.conn, err = connect(context.Background(), b.config); err != nil {
			b.conn = nil
			return true, err
		}
		b.known = map[string]*readied{}
		line := b.conn.Conn()
		b.watch, fresh = time.AfterFunc(maxAway, func() { _ = line.Close() }), true
	}
	b.rest(maxAway)
	return fresh, nil
}

// rest sets the watch anew. A connection that it cuts is replaced by the next crossing.
func (b *boat) rest(d time.Duration) {
	if b.conn != nil {
		b.watch.Reset(d)
	}
}

// leave gives up a connection to a server that takes no writes any more: another one does.
func (b *boat) leave() {
	if b.conn != nil && demoted(b.conn) {
		b.sink()
	}
}

// sink gives the connection up.
func (b *boat) sink() {
	if b.conn == nil {
		return
	}
	b.watch.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = b.conn.Close(ctx)
	b.conn, b.known = nil, nil
}

// asBinary is how all values travel, in both directions.
var asBinary = []int16{pgx.BinaryFormatCode}

// cross sends a group over and reads the answers. It returns how many were
// answered, and why not the next one.
func (b *boat) cross(group []*passage) (answered int, err error) {
	var batch pgconn.Batch
	for i, p := range group {
		room, err := b.load(context.Background(), &batch, p.query, p.args)
		if err != nil {
			if i == 0 {
				return 0, asStatement(err)
			}
			group = group[:i] // it is the first of the next crossing, and its failure seen there
			break
		}
		p.cargo = room
	}
	answers := b.conn.ExecBatch(context.Background(), &batch)
	for answers.NextResult() {
		if _, err = group[answered].cargo.unload(answers.ResultReader()); err != nil {
			break
		}
		answered++
	}
	return answered, errors.Join(err, answers.Close())
}

// asStatement makes an error that is the statement's own one of its kind for carry.
func asStatement(err error) error {
	if unfit, ok := errors.AsType[*unfitError](err); ok {
		return &pgconn.PgError{Severity: "ERROR", Code: "22000", Message: unfit.Error()}
	}
	return err
}

// load adds a statement to a batch, and returns what its answer is to be unloaded into.
func (b *boat) load(ctx context.Context, batch *pgconn.Batch, query string, args []any) (cargo, error) {
	s, err := b.prepare(ctx, query)
	if err != nil {
		return cargo{}, err
	}
	values, err := encode(args, s.ParamOIDs)
	if err != nil {
		return cargo{}, err
	}
	batch.ExecStatement(s.StatementDescription, values, asBinary, asBinary)
	return cargo{stmt: s, data: make([]byte, 0, s.bytes), lengths: make([]int32, 0, s.values)}, nil
}

func (b *boat) prepare(ctx context.Context, query string) (*readied, error) {
	if s := b.known[query]; s != nil {
		return s, nil
	}
	desc, err := b.conn.Prepare(ctx, "known"+strconv.Itoa(len(b.known)), query, nil)
	if err != nil {
		return nil, err
	}
	s := &readied{StatementDescription: desc}
	b.known[query] = s
	return s, nil
}
