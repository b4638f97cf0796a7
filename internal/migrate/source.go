package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// ErrH2 refuses the database that Keycloak keeps in a file when nothing else is configured.
var ErrH2 = errors.New("H2 databases cannot be read: stop Keycloak, run its bin/kc.sh export --dir DIR --users different_files, " +
	"and import what that writes with latchkey import DIR; sessions do not come along")

// A Source is one snapshot of a Keycloak's database. It is for one goroutine.
type Source struct {
	Product string // "PostgreSQL 16.4"
	Version Version
	Taken   time.Time // by the clock of the database

	db      *sql.DB
	tx      *sql.Tx
	dialect dialect
	tables  map[string]bool // in lower case
}

// A dialect is what differs between the databases that Keycloak uses.
type dialect struct {
	driver  string
	numbers bool   // parameters are $1, $2 instead of ?
	product string // a query for name and version
	tables  string // a query for the names of the tables
}

var postgres = dialect{
	driver: "pgx", numbers: true,
	product: `select 'PostgreSQL ' || current_setting('server_version'), extract(epoch from now())::bigint`,
	tables:  `select table_name from information_schema.tables where table_schema = any (current_schemas(false))`,
}

// Open connects to a Keycloak's database, begins the snapshot and recognises what
// is there. url is postgres://...; no error repeats it, since it may hold a password.
func Open(ctx context.Context, url string) (*Source, error) {
	d, dsn, err := dialectOf(url)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open(d.driver, dsn)
	if err != nil {
		return nil, errors.New("the URL of Keycloak's database cannot be understood")
	}
	db.SetMaxOpenConns(1)
	s := &Source{db: db, dialect: d, tables: map[string]bool{}}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func dialectOf(from string) (dialect, string, error) {
	scheme, _, ok := strings.Cut(from, ":")
	switch {
	case strings.HasSuffix(from, ".mv.db"), strings.HasSuffix(from, ".h2.db"), strings.HasPrefix(from, "jdbc:h2:"), scheme == "h2":
		return dialect{}, "", ErrH2
	case !ok:
		return dialect{}, "", errors.New("say where Keycloak's database is: --from postgres://USER:PASSWORD@HOST/DATABASE")
	case scheme == "postgres" || scheme == "postgresql":
		return postgres, from, nil
	}
	if _, err := url.Parse(from); err != nil {
		return dialect{}, "", errors.New("the URL of Keycloak's database cannot be understood")
	}
	return dialect{}, "", fmt.Errorf("databases of the kind %q cannot be read (postgres)", scheme)
}

func (s *Source) begin(ctx context.Context) error {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("reading Keycloak's database: %w", err)
	}
	s.tx = tx
	var now int64
	if err := tx.QueryRowContext(ctx, s.dialect.product).Scan(&s.Product, &now); err != nil {
		return fmt.Errorf("reading Keycloak's database: %w", err)
	}
	s.Taken = time.Unix(now, 0)
	for r, err := range s.query(ctx, s.dialect.tables) {
		if err != nil {
			return err
		}
		s.tables[strings.ToLower(r.text("table_name"))] = true
	}
	return s.recognise(ctx)
}

// Close lets go of the snapshot and the database.
func (s *Source) Close() error {
	if s.tx != nil {
		_ = s.tx.Rollback() // nothing was written
	}
	return s.db.Close()
}

// has reports whether this schema has a table.
func (s *Source) has(table string) bool { return s.tables[strings.ToLower(table)] }

// A row is one of a query, by the names of its columns. A column that this schema
// does not have is as one that is null: the versions of Keycloak differ in that.
type row struct {
	at     map[string]int
	values []any
}

// query streams rows. Its parameters are written ? in every dialect. The rows must be
// read to the end, or left, before the next query begins: there is one connection.
func (s *Source) query(ctx context.Context, q string, args ...any) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		rows, err := s.tx.QueryContext(ctx, s.dialect.bind(q), args...)
		if err != nil {
			yield(row{}, fmt.Errorf("reading Keycloak's database: %w", err))
			return
		}
		defer rows.Close() //nolint:errcheck // rows.Err tells
		names, err := rows.Columns()
		if err != nil {
			yield(row{}, err)
			return
		}
		at := make(map[string]int, len(names))
		for i, name := range names {
			at[strings.ToLower(name)] = i
		}
		for rows.Next() {
			r := row{at, make([]any, len(names))}
			into := make([]any, len(names))
			for i := range into {
				into[i] = &r.values[i]
			}
			if err := rows.Scan(into...); err != nil {
				yield(row{}, fmt.Errorf("reading Keycloak's database: %w", err))
				return
			}
			if !yield(r, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(row{}, fmt.Errorf("reading Keycloak's database: %w", err))
		}
	}
}

// each calls f for every row of a query.
func (s *Source) each(ctx context.Context, f func(row) error, q string, args ...any) error {
	for r, err := range s.query(ctx, q, args...) {
		if err != nil {
			return err
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

// count is the number that a query answers.
func (s *Source) count(ctx context.Context, q string, args ...any) (n int64, err error) {
	err = s.tx.QueryRowContext(ctx, s.dialect.bind(q), args...).Scan(&n)
	if err != nil {
		err = fmt.Errorf("reading Keycloak's database: %w", err)
	}
	return n, err
}

func (d dialect) bind(q string) string {
	if !d.numbers {
		return q
	}
	var b strings.Builder
	n := 0
	for _, c := range q {
		if c != '?' {
			b.WriteRune(c)
			continue
		}
		n++
		b.WriteString("$" + strconv.Itoa(n))
	}
	return b.String()
}

func (r row) value(name string) any {
	i, ok := r.at[name]
	if !ok {
		return nil
	}
	return r.values[i]
}

// opt is a column's text, nil where it is null.
func (r row) opt(name string) *string {
	switch v := r.value(name).(type) {
	case nil:
		return nil
	case string:
		return &v
	case []byte:
		return new(string(v))
	default:
		return new(fmt.Sprint(v))
	}
}

// text is a column's text, "" where it is null.
func (r row) text(name string) string {
	if v := r.opt(name); v != nil {
		return *v
	}
	return ""
}

// num is a column's number, 0 where it is null.
func (r row) num(name string) int64 {
	switch v := r.value(name).(type) {
	case int64:
		return v
	case bool:
		if v {
			return 1
		}
		return 0
	case []byte:
		if len(v) == 1 && v[0] < 2 { // MySQL's bit(1)
			return int64(v[0])
		}
	}
	n, _ := strconv.ParseInt(r.text(name), 10, 64)
	return n
}

// integer is a column's number, nil where it is null.
func (r row) integer(name string) *int {
	if r.value(name) == nil {
		return nil
	}
	return new(int(r.num(name)))
}

// flag is a column's truth, false where it is null.
func (r row) flag(name string) bool { return r.num(name) != 0 || r.text(name) == "true" }

// optFlag is a column's truth, nil where it is null.
func (r row) optFlag(name string) *bool {
	if r.value(name) == nil {
		return nil
	}
	return new(r.flag(name))
}
