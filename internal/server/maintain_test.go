package server

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/internal/store"
)

// remember and recall keep a sealed value in the database.
func remember(t *testing.T, cfg Config, value string) {
	t.Helper()
	withDB(t, cfg, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.PutSingleUse(ctx, "r", store.SingleUse{Key: "k", Value: []byte(value), Expires: tx.Now.Add(time.Hour)})
		return err
	})
}

func recall(t *testing.T, cfg Config) (value string) {
	t.Helper()
	withDB(t, cfg, func(ctx context.Context, tx *store.Tx) error {
		v, err := tx.TakeSingleUse(ctx, "r", "k")
		value = string(v)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	return value
}

func withDB(t *testing.T, cfg Config, f func(context.Context, *store.Tx) error) {
	t.Helper()
	db, err := openStore(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Tx(t.Context(), func(tx *store.Tx) error { return f(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

func devIn(dir string) Config {
	cfg := DevDefaults()
	cfg.DataDir = dir
	return cfg
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	cfg := devIn(filepath.Join(t.TempDir(), "new", "data"))
	remember(t, cfg, "x")
	for _, name := range []string{cfg.SQLitePath(), cfg.SQLitePath() + ".seal-key", cfg.DataDir} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Error(name, info.Mode(), err)
		}
	}
}

func TestWrongSealKeyIsSaidClearly(t *testing.T) {
	cfg := devIn(t.TempDir())
	remember(t, cfg, "x")
	key := cfg.sealKeyFile()
	if err := os.Rename(key, key+".away"); err != nil {
		t.Fatal(err)
	}
	_, err := openStore(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "does not fit this database") || !strings.Contains(err.Error(), key) {
		t.Error(err)
	}
	if _, err := os.Stat(key); err == nil {
		t.Error("a key that opens nothing was left behind")
	}
	if err := os.Rename(key+".away", key); err != nil {
		t.Fatal(err)
	}
	if got := recall(t, cfg); got != "x" {
		t.Error(got)
	}
}

func TestBackupAndRestore(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	cfg, file := devIn(filepath.Join(dir, "data")), filepath.Join(dir, "backup")
	if err := Backup(ctx, cfg, file); err == nil {
		t.Error("a database that does not exist was backed up")
	}
	remember(t, cfg, "x")
	running, err := New(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := Backup(ctx, cfg, file); err != nil {
		t.Fatal(err)
	}
	if err := running.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Backup(ctx, cfg, file); err == nil {
		t.Error("a backup was overwritten")
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	if recall(t, cfg) != "x" || recall(t, cfg) != "" {
		t.Error("the database lost its value, or did not give it up")
	}
	if err := Restore(ctx, cfg, file); err == nil || !strings.Contains(err.Error(), "in the way") {
		t.Error(err)
	}
	elsewhere := devIn(filepath.Join(dir, "elsewhere"))
	if err := os.Mkdir(elsewhere.DataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Restore(ctx, elsewhere, file); err == nil || !strings.Contains(err.Error(), "seal key file") {
		t.Error(err)
	}
	elsewhere.SealKeyFile = cfg.sealKeyFile()
	damaged := filepath.Join(dir, "damaged")
	if err := os.WriteFile(damaged, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Restore(ctx, elsewhere, damaged); err == nil {
		t.Error("a damaged backup was restored")
	}
	if err := Restore(ctx, elsewhere, file); err != nil {
		t.Fatal(err)
	}
	if got := recall(t, elsewhere); got != "x" {
		t.Errorf("restored %q", got)
	}
	left, _ := filepath.Glob(filepath.Join(elsewhere.DataDir, "*restoring*"))
	if len(left) > 0 {
		t.Error(left)
	}
}

func TestRotateSealKey(t *testing.T) {
	cfg := devIn(t.TempDir())
	remember(t, cfg, "x")
	before, err := os.ReadFile(cfg.sealKeyFile())
	if err != nil {
		t.Fatal(err)
	}
	if n, err := RotateSealKey(t.Context(), cfg); err != nil || n != 2 { // the value and the database's own check
		t.Error(n, err)
	}
	after, err := os.ReadFile(cfg.sealKeyFile())
	if err != nil || strings.Contains(string(after), strings.TrimSpace(string(before))) || strings.Count(string(after), "\n") != 1 {
		t.Errorf("the key file still has the old key (%v)", err)
	}
	if got := recall(t, cfg); got != "x" {
		t.Errorf("after the rotation: %q", got)
	}
}
