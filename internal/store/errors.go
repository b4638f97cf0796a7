package store

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

// An ExistsError says which unique constraint a write ran into. What names
// columns ("users.realm_id, users.username") on SQLite and the constraint
// ("users_realm_id_username_key") on PostgreSQL; use On to ask.
type ExistsError struct{ What string }

func (e *ExistsError) Error() string { return "store: exists already: " + e.What }

// On reports whether the constraint is about the given column of its table.
func (e *ExistsError) On(column string) bool { return strings.Contains(e.What, column) }

// Exists returns the ExistsError in err's chain, if any.
func Exists(err error) (*ExistsError, bool) { return errors.AsType[*ExistsError](err) }

// translate turns a driver's error into one of this package's. What took longer
// than its caller had time is no fault of the statement either.
func translate(err error) error {
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
			return &ExistsError{What: pg.ConstraintName}
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
			_, what, _ := strings.Cut(lite.Error(), "failed: ")
			return &ExistsError{What: what}
		case code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
			return errors.Join(ErrOrphan, err)
		case code&0xff == sqlite3.SQLITE_FULL, code&0xff == sqlite3.SQLITE_IOERR, code&0xff == sqlite3.SQLITE_CANTOPEN,
			code&0xff == sqlite3.SQLITE_BUSY, code&0xff == sqlite3.SQLITE_LOCKED, code&0xff == sqlite3.SQLITE_READONLY, code&0xff == sqlite3.SQLITE_NOMEM:
			return errors.Join(ErrUnavailable, err)
		}
		return err
	}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) ||
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
