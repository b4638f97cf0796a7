package server

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"latchkey/internal/bearer"
	"latchkey/internal/events"
	"latchkey/internal/keys"
	"latchkey/internal/realms"
	"latchkey/internal/records"
	"latchkey/internal/roles"
	"latchkey/internal/seal"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
	"latchkey/internal/telemetry"
	"latchkey/internal/tokens"
	"latchkey/internal/watch"
)

// OpenWatch opens a database about realms of another server: a SQLite file, which is
// made where it is not there, or for "" one that is removed by done.
func OpenWatch(ctx context.Context, cfg Config, file string) (w *watch.Watch, done func() error, err error) {
	remove := func() error { return nil }
	if file == "" {
		dir, err := os.MkdirTemp("", "latchkey-")
		if err != nil {
			return nil, nil, err
		}
		file, remove = filepath.Join(dir, "watch.db"), func() error { return os.RemoveAll(dir) }
	} else if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, remove())
		}
	}()
	if err := ownFile(file); err != nil {
		return nil, nil, err
	}
	ring, err := seal.LoadOrCreate(file + ".seal-key")
	if err != nil {
		return nil, nil, err
	}
	log, err := newLog(cfg, telemetry.NewMetrics())
	if err != nil {
		return nil, nil, err
	}
	clock := watch.NewClock(time.Now)
	db, err := store.Open(ctx, store.Config{Engine: store.SQLite, Path: file, Ring: ring, Clock: clock.Now})
	if err != nil {
		return nil, nil, err
	}
	cache, maker, live := realms.NewCache(db), keys.NewMaker(db.Now), sessions.New(db, nil)
	people, standings := newUsers(db, cfg, live), roles.New(db)
	issuer := &tokens.Issuer{Keys: &keys.Service{Cache: cache, Maker: maker, Log: log}, Roles: standings, Now: db.Now}
	counter, writer := records.NewCounter(db), events.New(db, log, nil, nil)
	judge := &bearer.Service{Sessions: live, Users: people, Roles: standings, Issuer: issuer, Now: db.Now}
	w = &watch.Watch{
		DB: db, Clock: clock, Realms: cache, Manager: newManager(db, cache, maker, people, live), Sessions: live, Events: writer,
		Explorer:  &records.Explorer{DB: db, Sessions: live, Judge: judge, Counter: counter, Events: writer, Realms: cache},
		Explainer: &records.Explainer{Records: counter, Sessions: live, Users: people, Issuer: issuer},
	}
	return w, func() error { return errors.Join(db.Close(), remove()) }, nil
}

// ownFile makes a file that its owner alone may read, unless it is there; what SQLite
// keeps beside it has its rights.
func ownFile(name string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}
