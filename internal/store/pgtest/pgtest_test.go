package pgtest

import (
	"context"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func query[T any](t *testing.T, url, q string) (v T) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(context.Background(), q).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestDatabasesAreApart(t *testing.T) {
	template := &Template{Prepare: func(url string) error {
		conn, err := pgx.Connect(context.Background(), url)
		if err != nil {
			return err
		}
		defer conn.Close(context.Background())
		_, err = conn.Exec(context.Background(), "create table x (n bigint); insert into x (n) values (7)")
		return err
	}}
	a, b := template.Clone(t), template.Clone(t)
	query[int64](t, a, "update x set n = 8 returning n")
	if got := query[int64](t, b, "select n from x"); got != 7 {
		t.Errorf("the copy sees %d, want the template's 7", got)
	}
	if got := query[bool](t, Database(t), "select to_regclass('x') is null"); !got {
		t.Error("a fresh database is not empty")
	}
}

func TestStopAndRestart(t *testing.T) {
	s := Start(t, Options{Durable: true})
	url := s.URL("postgres")
	if got := query[string](t, url, "show fsync"); got != "on" {
		t.Errorf("fsync is %s on a durable server", got)
	}
	query[int64](t, url, "with made as (select 1) select count(*) from made")
	if got := query[string](t, s.Create(t, "mine"), "select current_database()"); got != "mine" {
		t.Errorf("the database is %s", got)
	}
	if err := syscall.Kill(s.PID(t), 0); err != nil {
		t.Errorf("process %d: %v", s.PID(t), err)
	}
	s.Stop()
	if c, err := pgx.Connect(context.Background(), url); err == nil {
		c.Close(context.Background())
		t.Fatal("the stopped server answers")
	}
	s.Restart(t)
	query[int64](t, url, "select 1")
}

// The leash breaks when the process that holds it is gone; closing it without
// a word is the same to the server.
func TestServerEndsWithItsProcess(t *testing.T) {
	s := Start(t, Options{})
	s.leash.Close()
	if err := s.proc.Wait(); err != nil {
		t.Fatal(err)
	}
	s.proc = nil
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Errorf("%s was left behind: %v", s.dir, err)
	}
	if c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), time.Second); err == nil {
		c.Close()
		t.Error("the server still listens")
	}
}
