package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"latchkey/internal/seal"
	"latchkey/internal/store"
	"latchkey/internal/telemetry"
)

// sealKeyFile is where the keys that seal secrets are.
func (c Config) sealKeyFile() string {
	if c.SealKeyFile != "" {
		return c.SealKeyFile
	}
	return c.SQLitePath() + ".seal-key"
}

// openStore opens the database, migrates it, and makes the seal key file where
// there is none. A key file that was made for nothing, because the database is
// sealed with another, does not stay behind to be taken for the right one.
func openStore(ctx context.Context, cfg Config) (*store.DB, error) {
	if err := cfg.checkDB(); err != nil {
		return nil, err
	}
	keyFile := cfg.sealKeyFile()
	dirs := []string{filepath.Dir(keyFile)}
	if cfg.DB.Engine == SQLite {
		dirs = append(dirs, filepath.Dir(cfg.SQLitePath()))
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	_, err := os.Stat(keyFile)
	made := errors.Is(err, fs.ErrNotExist)
	ring, err := seal.LoadOrCreate(keyFile)
	if err != nil {
		return nil, err
	}
	db, err := openWith(ctx, cfg, ring)
	if err != nil && made {
		return nil, errors.Join(err, fmt.Errorf("there was no seal key file at %s", keyFile), os.Remove(keyFile))
	}
	return db, err
}

// storePause is between two attempts to open a database that does not answer.
const storePause = time.Second

// awaitStore is openStore for a server, which may be started before its
// database is. What another attempt would not mend is returned at once.
func awaitStore(ctx context.Context, cfg Config, log *slog.Logger) (*store.DB, error) {
	begun := time.Now()
	for told := false; ; told = true {
		db, err := openStore(ctx, cfg)
		switch {
		case err == nil && told:
			log.InfoContext(ctx, "the database answers", "after", time.Since(begun).Round(time.Second).String())
			return db, nil
		case err == nil || !errors.Is(err, store.ErrUnavailable) || cfg.DB.Engine == SQLite || time.Since(begun) >= cfg.DB.Wait:
			return db, err
		case !told:
			log.WarnContext(ctx, "waiting for the database", "for", cfg.DB.Wait.String(), telemetry.KeyError, err)
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		case <-time.After(storePause):
		}
	}
}

func openWith(ctx context.Context, cfg Config, ring *seal.Ring) (*store.DB, error) {
	if cfg.DB.Engine == SQLite {
		// SQLite makes its file readable for all; it holds password hashes.
		f, err := os.OpenFile(cfg.SQLitePath(), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	return store.Open(ctx, store.Config{
		Engine: store.Engine(cfg.DB.Engine), Path: cfg.SQLitePath(), URL: cfg.DB.URL, MaxConns: cfg.DB.MaxPool, Ring: ring,
	})
}
