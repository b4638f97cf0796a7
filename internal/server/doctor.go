package server

import (
	"context"
	"os"
	"time"

	"latchkey/internal/clients"
	"latchkey/internal/doctor"
	"latchkey/internal/events"
	"latchkey/internal/iam"
	"latchkey/internal/keys"
	"latchkey/internal/realms"
	"latchkey/internal/roles"
	"latchkey/internal/sessions"
	"latchkey/internal/store"
	"latchkey/internal/telemetry"
	"latchkey/internal/tokens"
	"latchkey/internal/web"
)

// A Doctor examines and mends realms in the database itself, also while no
// server runs. Close it after.
type Doctor struct {
	db       *store.DB
	service  *doctor.Service
	events   *events.Writer
	hostname *web.Hostname
}

// OpenDoctor opens the database for a Doctor.
func OpenDoctor(ctx context.Context, cfg Config) (*Doctor, error) {
	if cfg.DB.Engine == SQLite {
		if _, err := os.Stat(cfg.SQLitePath()); err != nil {
			return nil, err // opening would make an empty one, and find nothing wrong with it
		}
	}
	cfg.Hostname.Strict = false // it is looked at, not used
	hostname, err := web.NewHostname(cfg.Hostname)
	if err != nil {
		return nil, err
	}
	log, err := newLog(cfg, telemetry.NewMetrics())
	if err != nil {
		return nil, err
	}
	db, err := openStore(ctx, cfg)
	if err != nil {
		return nil, err
	}
	cache, maker := realms.NewCache(db), keys.NewMaker(db.Now)
	issuer := &tokens.Issuer{Keys: &keys.Service{Cache: cache, Maker: maker, Log: log}, Roles: roles.New(db), Now: db.Now}
	manager := realms.NewManager(cache, db.Now, realms.Rules{NewKey: maker.Fill})
	return &Doctor{db: db, events: events.New(db, log, nil, nil), hostname: hostname,
		service: &doctor.Service{Cache: cache, Manager: manager, Clients: clients.New(cache, issuer, sessions.New(db, nil))}}, nil
}

// Close closes the database.
func (d *Doctor) Close() error { return d.db.Close() }

// Realms returns the names of all realms.
func (d *Doctor) Realms(ctx context.Context) ([]string, error) { return d.service.Cache.Names(ctx) }

// view is everything; of the realm's address only what no request decides.
func (d *Doctor) view(r *realms.Realm, unusedAfter time.Duration) doctor.View {
	front := r.Attrs["frontendUrl"]
	v := doctor.View{Clients: true, Users: true, Events: true, Providers: true, UnusedAfter: unusedAfter,
		Follows: doctor.Told(d.hostname.Follows(front)),
		Asked:   doctor.Untold[string]("the database was asked, not the server"),
		Issuer:  doctor.Untold[string]("these options give the server no full address (option hostname), and the realm has no frontendUrl")}
	if at := d.hostname.Fixed(front); at != "" {
		v.Issuer = doctor.Told(at + r.Path())
	}
	return v
}

// Examine examines a realm.
func (d *Doctor) Examine(ctx context.Context, realm string, unusedAfter time.Duration, f doctor.Filter) (*doctor.Report, error) {
	r, err := d.service.Cache.Get(ctx, realm)
	if err != nil {
		return nil, err
	}
	return d.service.Examine(ctx, r, d.view(r, unusedAfter), f)
}

// byCommand is who makes changes from the command line.
const byCommand = "latchkey doctor"

// Apply makes the changes of a preview, with a record.
func (d *Doctor) Apply(ctx context.Context, realm string, _ doctor.Product, p *doctor.Preview) (*doctor.Record, error) {
	r, err := d.service.Cache.Get(ctx, realm)
	if err != nil {
		return nil, err
	}
	rec, err := d.service.Apply(ctx, r, p, byCommand)
	if err == nil {
		d.trace(ctx, r, p.Changes)
	}
	return rec, err
}

// Undo takes a fix back by its record.
func (d *Doctor) Undo(ctx context.Context, realm string, _ doctor.Product, rec *doctor.Record) error {
	r, err := d.service.Cache.Get(ctx, realm)
	if err != nil {
		return err
	}
	if rec, err = d.service.Record(ctx, r, rec.ID); err != nil {
		return err
	}
	if err = d.service.Undo(ctx, r, rec, byCommand); err == nil {
		d.trace(ctx, r, doctor.Reversed(rec.Changes))
	}
	return err
}

// trace writes the admin events of changes; nobody's account made them.
func (d *Doctor) trace(ctx context.Context, r *realms.Realm, list []doctor.Change) {
	for _, t := range doctor.Traces(list) {
		d.events.EmitAdmin(ctx, r, &iam.AdminEvent{AuthRealm: r.ID, Operation: t.Operation, ResourceType: t.Kind, ResourcePath: t.Path,
			Representation: string(t.Body), Details: map[string]string{"by": byCommand}})
	}
}
