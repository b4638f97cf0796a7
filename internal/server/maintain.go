package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"latchkey/internal/seal"
)

// Backup writes a consistent copy of the SQLite database to a new file, while a
// server may be running. The seal key file is no part of it.
func Backup(ctx context.Context, cfg Config, file string) (err error) {
	if _, err := os.Stat(file); err == nil {
		return fmt.Errorf("%s exists already", file)
	}
	if cfg.DB.Engine == SQLite {
		if _, err := os.Stat(cfg.SQLitePath()); err != nil {
			return err // opening would make an empty one, and a backup of that
		}
	}
	db, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Backup(ctx, file); err != nil {
		return err
	}
	return os.Chmod(file, 0o600)
}

// Restore puts a backup in the place of the SQLite database, which must not
// exist: whoever wants to lose one moves it away. The backup is opened first,
// so that one that is damaged, or does not fit the seal key file, is refused.
func Restore(ctx context.Context, cfg Config, file string) error {
	if cfg.DB.Engine != SQLite {
		return errors.New("restore PostgreSQL with its own tools (pg_restore)")
	}
	target := cfg.SQLitePath()
	for _, name := range []string{target, target + "-wal"} {
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is in the way: stop the server and move the database away first", name)
		}
	}
	if _, err := os.Stat(cfg.sealKeyFile()); err != nil {
		return fmt.Errorf("the seal key file of the backup is needed: %w", err)
	}
	trial := cfg
	trial.DB.Path, trial.SealKeyFile = target+".restoring", cfg.sealKeyFile()
	if err := copyFile(file, trial.DB.Path); err != nil {
		return err
	}
	defer os.Remove(trial.DB.Path)
	db, err := openStore(ctx, trial)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := db.Close(); err != nil {
		return err
	}
	return os.Rename(trial.DB.Path, target)
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Sync()
}

// RotateSealKey seals everything in the database with a new key and drops the
// old ones from the key file. All servers on the database must be stopped. If
// it is interrupted, nothing is lost and it can be run again. It returns the
// number of values that were sealed anew.
func RotateSealKey(ctx context.Context, cfg Config) (sealed int, err error) {
	keyFile := cfg.sealKeyFile()
	db, err := openStore(ctx, cfg) // the old keys fit, before anything changes
	if err != nil {
		return 0, err
	}
	if err := db.Close(); err != nil {
		return 0, err
	}
	ring, err := seal.Rotate(keyFile)
	if err != nil {
		return 0, err
	}
	if db, err = openWith(ctx, cfg, ring); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if sealed, err = db.Reseal(ctx); err != nil {
		return sealed, err
	}
	_, err = seal.Retire(keyFile)
	return sealed, err
}
