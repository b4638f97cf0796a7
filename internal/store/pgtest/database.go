package pgtest

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// shared is the one server of a test binary: the one LATCHKEY_TEST_DB gives
// the URL of, whose role may create databases, or one that is started here.
var shared = sync.OnceValues(func() (*Server, error) {
	if url := os.Getenv("LATCHKEY_TEST_DB"); url != "" {
		return &Server{base: url}, nil
	}
	return create(Options{})
})

// Database returns the URL of an empty database on the shared server, which is
// removed when the test ends. It skips the test where there is no PostgreSQL.
func Database(t testing.TB) string {
	t.Helper()
	return database(t, "template0")
}

// A Template is a database that is prepared once per test binary and then
// copied, which takes milliseconds where migrating takes a second.
type Template struct {
	Prepare func(url string) error // fills an empty database and lets go of it

	once sync.Once
	name string
	err  error
}

// Clone returns the URL of a copy of the template, removed when the test ends.
func (c *Template) Clone(t testing.TB) string {
	t.Helper()
	s, err := shared()
	if err != nil {
		unavailable(t, err)
	}
	c.once.Do(func() {
		name := "template_" + strings.ToLower(rand.Text())
		if c.err = s.exec("create database " + name + " template template0"); c.err == nil {
			c.err = c.Prepare(s.URL(name))
		}
		c.name = name
	})
	if c.err != nil {
		t.Fatal(c.err)
	}
	return database(t, c.name)
}

func database(t testing.TB, template string) string {
	t.Helper()
	s, err := shared()
	if err != nil {
		unavailable(t, err)
	}
	name := "test_" + strings.ToLower(rand.Text())
	if err := s.exec("create database " + name + " template " + template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.exec("drop database " + name + " with (force)"); err != nil {
			t.Error(err)
		}
	})
	return s.URL(name)
}

// exec runs one statement as the server's administrator.
func (s *Server) exec(statement string) error {
	ctx := context.Background()
	url := s.base
	if url == "" {
		url = s.URL("postgres")
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}
