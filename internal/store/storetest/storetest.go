// Package storetest opens databases for tests: a fresh, migrated one per call,
// on SQLite always and on PostgreSQL where its programs are installed.
package storetest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"latchkey/internal/seal"
	"latchkey/internal/store"
	"latchkey/internal/store/pgtest"
)

// Each runs f on every engine, as sub-tests named after them. PostgreSQL is
// skipped visibly where it is not installed.
func Each(t *testing.T, f func(t *testing.T, db *store.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, Postgres(t)) })
}

// EachAt is Each with databases whose clock is now.
func EachAt(t *testing.T, now func() time.Time, f func(t *testing.T, db *store.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		f(t, openSQLite(t, store.Config{Clock: now}))
	})
	t.Run("postgres", func(t *testing.T) {
		f(t, open(t, store.Config{Engine: store.Postgres, URL: postgresTemplate.Clone(t), Ring: ring(), Clock: now}))
	})
}

// ring seals everything that the tests of one program store.
var ring = sync.OnceValue(func() *seal.Ring {
	r, err := seal.Generate()
	if err != nil {
		panic(err) // no randomness: nothing can be tested
	}
	return r
})

// SQLite returns a fresh database in the test's own folder.
func SQLite(t testing.TB) *store.DB {
	t.Helper()
	return openSQLite(t, store.Config{})
}

func openSQLite(t testing.TB, cfg store.Config) *store.DB {
	t.Helper()
	template, err := sqliteTemplate()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "latchkey.db")
	if err := os.WriteFile(path, template, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Engine, cfg.Path, cfg.Ring = store.SQLite, path, ring()
	return open(t, cfg)
}

// sqliteTemplate is the file of a migrated, empty database: copying it takes
// far less time than migrating.
var sqliteTemplate = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "storetest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "template.db")
	db, err := store.Open(context.Background(), store.Config{Engine: store.SQLite, Path: path, Ring: ring()})
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

var postgresTemplate = &pgtest.Template{Prepare: func(url string) error {
	db, err := store.Open(context.Background(), store.Config{Engine: store.Postgres, URL: url, Ring: ring()})
	if err != nil {
		return err
	}
	return db.Close()
}}

// Postgres returns a fresh database on a PostgreSQL that the test program
// starts; it skips the test where there is none.
func Postgres(t testing.TB) *store.DB {
	t.Helper()
	return open(t, store.Config{Engine: store.Postgres, URL: postgresTemplate.Clone(t), Ring: ring()})
}

func open(t testing.TB, cfg store.Config) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}
