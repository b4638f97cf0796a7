package engine

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	_ "modernc.org/sqlite" // the "sqlite" driver
)

// A Kind is a kind of database.
type Kind string

// The kinds. Postgres stands for whatever speaks its protocol.
const (
	SQLite   Kind = "sqlite"
	Postgres Kind = "postgres"
)

// Config says which database to open. MaxConns and Clock may be zero.
type Config struct {
	Kind       Kind
	Path       string           // SQLite: the file
	URL        string           // Postgres: postgres://...
	MaxConns   int              // Postgres: at most so many connections; 0: 20
	Clock      func() time.Time // nil: time.Now
	Migrations fs.FS            // files for goose, in its root
	Statistics Statistics       // SQLite: how rows are spread
}

// A DB is an open database. Its reads see only what is committed.
type DB struct {
	Reader
	kind     Kind
	read     *sql.DB
	write    *sql.DB // SQLite: one connection, owned by writer; Postgres: the same as read
	clock    func() time.Time
	writer   *groupWriter // SQLite only
	pipeline *pipeline    // Postgres only, and not before poolers
	txPool   *txPool      // as pipeline
	live     *liveness    // Postgres only
}

// Open connects and migrates the schema.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	db := &DB{kind: cfg.Kind, clock: cfg.Clock}
	if db.clock == nil {
		db.clock = time.Now
	}
	var err error
	switch cfg.Kind {
	case SQLite:
		err = db.openSQLite(ctx, cfg)
	case Postgres:
		err = db.openPostgres(ctx, cfg)
	default:
		err = fmt.Errorf("store: unknown engine %q", cfg.Kind)
	}
	if err != nil {
		return nil, err
	}
	if err := db.migrate(ctx, cfg.Migrations); err != nil {
		db.Close()
		return nil, err
	}
	if db.kind == SQLite {
		if err := cfg.Statistics.apply(ctx, db.write); err != nil {
			db.Close()
			return nil, Translate(err)
		}
		conn, err := db.write.Conn(ctx)
		if err != nil {
			db.Close()
			return nil, Translate(err)
		}
		db.writer = newGroupWriter(conn)
	}
	return db, nil
}

// sqliteURL spells the settings that every pooled connection has. Full
// synchronisation: what was acknowledged survives a power cut.
func sqliteURL(path, extra string) string {
	pragmas := []string{"busy_timeout(10000)", "journal_mode(wal)", "synchronous(full)", "foreign_keys(1)", "case_sensitive_like(1)",
		"cache_size(-16000)", "mmap_size(268435456)", "temp_store(memory)"}
	var b strings.Builder
	b.WriteString("file:" + (&url.URL{Path: path}).EscapedPath() + "?" + extra)
	for _, p := range pragmas {
		b.WriteString("&_pragma=" + p)
	}
	return b.String()
}

func (db *DB) openSQLite(ctx context.Context, cfg Config) error {
	var err error
	if db.write, err = sql.Open("sqlite", sqliteURL(cfg.Path, "_txlock=immediate")); err != nil {
		return err
	}
	db.write.SetMaxOpenConns(1)
	if db.read, err = sql.Open("sqlite", sqliteURL(cfg.Path, "_pragma=query_only(1)")); err != nil {
		return err
	}
	readers := max(2, runtime.GOMAXPROCS(0))
	db.read.SetMaxOpenConns(readers)
	db.read.SetMaxIdleConns(readers)
	if err := db.write.PingContext(ctx); err != nil {
		return fmt.Errorf("opening %s: %w", cfg.Path, Translate(err))
	}
	db.q = &prepared{db: db.read}
	return nil
}

func (db *DB) openPostgres(ctx context.Context, cfg Config) error {
	config, err := pgx.ParseConfig(cfg.URL)
	if err != nil {
		return err
	}
	boundConnecting(config)
	pool := stdlib.OpenDB(*config,
		stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
			noteReadOnly(conn.PgConn())
			if config.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement { // not before poolers, whose connections are not ours alone
				watchClient(ctx, conn.PgConn())
			}
			return nil
		}),
		stdlib.OptionResetSession(func(_ context.Context, conn *pgx.Conn) error {
			if demoted(conn.PgConn()) {
				return driver.ErrBadConn
			}
			return nil
		}))
	db.live = newLiveness(ctx)
	conns := cfg.MaxConns
	if conns <= 0 {
		conns = 20
	}
	// One connection for two processors: with fewer connections more reads share a round trip.
	forReads := min((runtime.GOMAXPROCS(0)+1)/2, conns/4)
	if db.pipeline = newPipeline(config, forReads, db.live); db.pipeline != nil {
		forTx := (conns - forReads) / 2 // two are left of four: a migration takes two
		conns -= forReads + forTx
		db.txPool = newTxPool(db.pipeline.config, forTx, db.clock, db.live)
		db.short = db.pipeline
		db.fresh = planned{plain{pool, db.live}}
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	db.read, db.write, db.q = pool, pool, plain{pool, db.live}
	return nil
}

// migrate brings the schema up to date; several nodes may start at once.
func (db *DB) migrate(ctx context.Context, files fs.FS) error {
	var err error
	dialect := database.DialectSQLite3
	if db.kind == Postgres {
		dialect = database.DialectPostgres
	}
	up := func() error {
		p, err := goose.NewProvider(dialect, db.write, files, goose.WithLogger(goose.NopLogger()))
		if err != nil {
			return err
		}
		pending, err := p.HasPending(ctx)
		if err != nil || !pending {
			return err
		}
		_, err = p.Up(ctx)
		return err
	}
	// Another node may be migrating at the same time: "already exists" then means that it was first. Look again.
	for try := 0; ; try++ {
		if err = up(); err == nil || try == 10 || ctx.Err() != nil {
			break
		}
		if db.kind == SQLite {
			break
		}
		time.Sleep(time.Duration(50+rand.IntN(200)) * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("migrating the database: %w", Translate(err))
	}
	return nil
}

// Kind tells which kind of database this is.
func (db *DB) Kind() Kind { return db.kind }

// Now is the database's clock, to the millisecond.
func (db *DB) Now() time.Time { return db.clock().Truncate(time.Millisecond) }

// Clock is the clock underneath Now, not cut to milliseconds and with what a
// process's monotonic clock says.
func (db *DB) Clock() time.Time { return db.clock() }

// Close ends all connections after the writes under way.
func (db *DB) Close() error {
	if db.writer != nil {
		db.writer.close()
	}
	if db.pipeline != nil {
		db.pipeline.close()
		db.txPool.close()
	}
	var errs []error
	for _, pool := range []*sql.DB{db.write, db.read} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(errs...)
}

// Backup writes a consistent copy of a SQLite database to a new file while the
// server runs. The seal key file is not part of it and must be kept as well.
func (db *DB) Backup(ctx context.Context, path string) error {
	if db.kind != SQLite {
		return errors.New("store: back up PostgreSQL with its own tools (pg_dump)")
	}
	conn, err := db.read.Conn(ctx)
	if err != nil {
		return Translate(err)
	}
	defer conn.Close()
	// To SQLite the copy is a write, which readers' connections refuse.
	if _, err = conn.ExecContext(ctx, `pragma query_only(0)`); err != nil {
		return Translate(err)
	}
	_, err = conn.ExecContext(ctx, `vacuum into $1`, path)
	_, back := conn.ExecContext(context.WithoutCancel(ctx), `pragma query_only(1)`)
	return Translate(errors.Join(err, back))
}

// Durability returns the synchronous setting of a fresh pooled connection of
// each SQLite pool (2 is full), for the test that guards it.
func (db *DB) Durability(ctx context.Context) ([]int, error) {
	if db.kind != SQLite {
		return nil, nil
	}
	var levels []int
	for _, pool := range []*sql.DB{db.read} {
		var level int
		if err := pool.QueryRowContext(ctx, `pragma synchronous`).Scan(&level); err != nil {
			return nil, Translate(err)
		}
		levels = append(levels, level)
	}
	err := db.writer.do(ctx, func(q querier) error {
		rows, err := q.QueryContext(ctx, `pragma synchronous`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var level int
			if err := rows.Scan(&level); err != nil {
				return err
			}
			levels = append(levels, level)
		}
		return rows.Err()
	})
	return levels, Translate(err)
}

// reading is what answers queries: pools, transactions, SQLite's wrappers and the pipeline.
type reading interface {
	QueryContext(ctx context.Context, query string, args ...any) (rows, error)
}

// querier also writes.
type querier interface {
	reading
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// rows is *sql.Rows, or a rowBuffer.
type rows interface {
	Row
	Next() bool
	Err() error
	Close() error
}

// plain is a *sql.DB or *sql.Tx without prepared statements of ours: PostgreSQL's driver keeps its own.
type plain struct {
	sql interface {
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	}
	live *liveness
}

func (p plain) QueryContext(ctx context.Context, query string, args ...any) (rows, error) {
	ctx, done := p.live.bound(ctx)
	list, err := p.sql.QueryContext(ctx, query, args...)
	if err != nil {
		defer done()
		return nil, orSilent(ctx, err)
	}
	return &boundRows{list, ctx, done}, nil
}

func (p plain) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx, done := p.live.bound(ctx)
	defer done()
	res, err := p.sql.ExecContext(ctx, query, args...)
	return res, orSilent(ctx, err)
}

// boundRows are read while the database is not silent.
type boundRows struct {
	*sql.Rows
	ctx  context.Context
	done context.CancelFunc
}

func (r *boundRows) Err() error { return orSilent(r.ctx, r.Rows.Err()) }

func (r *boundRows) Close() error {
	defer r.done()
	return orSilent(r.ctx, r.Rows.Close())
}

// planned has PostgreSQL plan every statement for the values that come with it.
// After five times it would take one plan for all, which for a user with a
// million sessions is not the one for a user with ten.
type planned struct{ plain }

func (p planned) QueryContext(ctx context.Context, query string, args ...any) (rows, error) {
	return p.plain.QueryContext(ctx, query, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
}

// prepared keeps a statement per text: parsing costs SQLite more than running.
type prepared struct {
	db    *sql.DB
	stmts sync.Map // text -> *sql.Stmt
}

func (p *prepared) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := p.stmts.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if first, raced := p.stmts.LoadOrStore(query, s); raced {
		_ = s.Close()
		return first.(*sql.Stmt), nil
	}
	return s, nil
}

func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (rows, error) {
	s, err := p.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (p *prepared) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := p.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}
