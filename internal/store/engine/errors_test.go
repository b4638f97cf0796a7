package engine_test

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

	"latchkey/internal/iam"
	"latchkey/internal/store"
	"latchkey/internal/store/engine"
	"latchkey/internal/store/storetest"
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
		if got := engine.Translate(fmt.Errorf("asking: %w", err)); !errors.Is(got, store.ErrUnavailable) || !errors.Is(got, err) {
			t.Errorf("%v: %v", err, got)
		}
	}
	for _, err := range []error{
		&pgconn.PgError{Code: "42601"}, &pgconn.PgError{Code: "22021"}, &pgconn.PgError{Code: "23503"}, &pgconn.PgError{Code: "23505"},
		&pgconn.PgError{Code: "25P02"}, &pgconn.PgError{Code: "28P01"}, sql.ErrNoRows, context.Canceled, errors.New("another"),
	} {
		if got := engine.Translate(err); errors.Is(got, store.ErrUnavailable) || got == nil {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// A write that finds what is unique taken says of which table and column, on both engines alike.
func TestWhatExists(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		user := func(id, name, email string) func(*store.Tx) error {
			return func(tx *store.Tx) error {
				return tx.InsertUser(ctx, &iam.User{ID: iam.UserID(id), Realm: "r", Username: name, Email: email, Enabled: true}, false)
			}
		}
		realm := func(id, name string) func(*store.Tx) error {
			return func(tx *store.Tx) error {
				return tx.InsertRealm(ctx, store.RealmRow{ID: iam.RealmID(id), Name: name, Enabled: true, Doc: []byte(`{}`)})
			}
		}
		client := func(id, name string) func(*store.Tx) error {
			return func(tx *store.Tx) error {
				return tx.InsertClient(ctx, "r", store.ClientRow{ID: iam.ClientID(id), ClientID: name, Doc: []byte(`{}`)})
			}
		}
		for _, f := range []func(*store.Tx) error{realm("r", "shop"), user("u", "sam", "sam@shop.example"), client("c", "till")} {
			if err := db.Tx(ctx, f); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			write         func(*store.Tx) error
			table, column string // "" where the id is taken
		}{
			{realm("q", "shop"), "realms", "name"},
			{realm("r", "other"), "realms", ""},
			{user("v", "sam", ""), "users", "username"},
			{user("v", "tom", "sam@shop.example"), "users", "email_unique"},
			{user("u", "tom", ""), "users", ""},
			{client("d", "till"), "clients", "client_id"},
			{client("c", "desk"), "clients", ""},
		} {
			err := db.Tx(ctx, c.write)
			exists, ok := store.Exists(err)
			if !ok || exists.Table != c.table {
				t.Errorf("%s %s: %v", c.table, c.column, err)
				continue
			}
			for _, column := range []string{"name", "username", "email_unique", "client_id", "service_client_id"} {
				if got := exists.On(c.table, column); got != (column == c.column) {
					t.Errorf("%s %s: %v is on %s: %v", c.table, c.column, err, column, got)
				}
			}
		}
	})
}
