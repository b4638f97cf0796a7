package store_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"latchkey/internal/store"
)

// What says that this server cannot, or that nobody answers, is no fault of a
// statement; what says that the statement is wrong is.
func TestWhatIsUnavailable(t *testing.T) {
	var list []error
	for _, code := range []string{
		"25006",                            // read-only after a failover
		"57P01", "57P02", "57P03", "57P05", // shut down, crashed, starting, idle for too long
		"08000", "08003", "08006", "08001", "08004", "08P01", // connections
		"53000", "53100", "53200", "53300", // room on disk, memory, connections
		"58000", "58030", // the system
	} {
		list = append(list, &pgconn.PgError{Code: code})
	}
	list = append(list, pgconn.ErrConnClosed, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, &net.OpError{Op: "read", Err: errors.New("reset")},
		driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone, context.DeadlineExceeded)
	for _, err := range list {
		if got := store.Translate(fmt.Errorf("asking: %w", err)); !errors.Is(got, store.ErrUnavailable) || !errors.Is(got, err) {
			t.Errorf("%v: %v", err, got)
		}
	}
	for _, err := range []error{
		&pgconn.PgError{Code: "42601"}, &pgconn.PgError{Code: "22021"}, &pgconn.PgError{Code: "23503"}, &pgconn.PgError{Code: "23505"},
		&pgconn.PgError{Code: "25P02"}, &pgconn.PgError{Code: "28P01"}, sql.ErrNoRows, context.Canceled, errors.New("another"),
	} {
		if got := store.Translate(err); errors.Is(got, store.ErrUnavailable) || got == nil {
			t.Errorf("%v: %v", err, got)
		}
	}
}
