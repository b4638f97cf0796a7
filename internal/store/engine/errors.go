package engine

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrNotFound is returned where exactly one row was asked for and there is none.
	ErrNotFound = errors.New("store: not found")
	// ErrConflict is returned when a compare-and-swap found another version.
	ErrConflict = errors.New("store: changed by somebody else")
	// ErrOrphan is returned when what a new row belongs to is gone.
	ErrOrphan = errors.New("store: what it belongs to is gone")
	// ErrUnavailable marks a database that is gone, full or too busy; the same
	// request may succeed later. Doors answer 503.
	ErrUnavailable = errors.New("store: database not available")
)

// An ExistsError says which unique constraint a write ran into; use On to ask.
type ExistsError struct {
	Table   string
	columns string // in their order, as PostgreSQL joins them in a constraint's name: realm_id_username
}

func (e *ExistsError) Error() string {
	return "store: exists already: " + e.Table + " (" + e.columns + ")"
}

// On reports whether the constraint is about the given column of a table.
func (e *ExistsError) On(table, column string) bool {
	return e.Table == table && strings.Contains("_"+e.columns+"_", "_"+column+"_")
}

// existsInPostgres reads the name that PostgreSQL gives a constraint without one: table_columns_key.
func existsInPostgres(err *pgconn.PgError) *ExistsError {
	columns := strings.TrimPrefix(err.ConstraintName, err.TableName+"_")
	return &ExistsError{Table: err.TableName, columns: strings.TrimSuffix(columns, "_key")}
}

// existsInSQLite reads the one place where SQLite says which constraint it was,
// its message: "constraint failed: UNIQUE constraint failed: users.realm_id, users.username (2067)".
func existsInSQLite(err *sqlite.Error) *ExistsError {
	text := err.Error()
	list, _, _ := strings.Cut(text[strings.LastIndex(text, ": ")+2:], " (")
	e := new(ExistsError)
	var columns []string
	for name := range strings.SplitSeq(list, ", ") {
		table, column, _ := strings.Cut(name, ".")
		e.Table, columns = table, append(columns, column)
	}
	e.columns = strings.Join(columns, "_")
	return e
}

// Exists returns the ExistsError in err's chain, if any.
func Exists(err error) (*ExistsError, bool) { return errors.AsType[*ExistsError](err) }

// Translate turns a driver's error into one of this package's. What took longer
// than its caller had time is no fault of the statement either.
func Translate(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(ErrUnavailable, err)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch class := pg.Code[:2]; {
		case pg.Code == "23505":
			return existsInPostgres(pg)
		case pg.Code == "23503":
			return errors.Join(ErrOrphan, err)
		case class == "08", class == "53", class == "57", class == "58", pg.Code == readOnly:
			return errors.Join(ErrUnavailable, err)
		}
		return err
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		switch code := lite.Code(); {
		case code == sqlite3.SQLITE_CONSTRAINT_UNIQUE, code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
			return existsInSQLite(lite)
		case code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
			return errors.Join(ErrOrphan, err)
		case code&0xff == sqlite3.SQLITE_FULL, code&0xff == sqlite3.SQLITE_IOERR, code&0xff == sqlite3.SQLITE_CANTOPEN,
			code&0xff == sqlite3.SQLITE_BUSY, code&0xff == sqlite3.SQLITE_LOCKED, code&0xff == sqlite3.SQLITE_READONLY,
			code&0xff == sqlite3.SQLITE_NOMEM:
			return errors.Join(ErrUnavailable, err)
		}
		return err
	}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, sql.ErrTxDone) ||
		errors.Is(err, pgconn.ErrConnClosed) || pgconn.SafeToRetry(err) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.Join(ErrUnavailable, err)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return errors.Join(ErrUnavailable, err)
	}
	return err
}

// retryable reports whether a transaction that failed so may be run again.
// SQLite needs no such thing: it has one writer, which waits for its turn.
func retryable(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == "40001" || pg.Code == "40P01" || stalePlan(pg))
}
