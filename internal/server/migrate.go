package server

import (
	"context"
	"errors"
	"fmt"
	"io"

	"latchkey/internal/migrate"
	"latchkey/internal/realms"
)

// MigrateOptions say from which Keycloak realms move in.
type MigrateOptions struct {
	From  string // the URL of its database
	Realm string // "" for all
	Out   io.Writer
}

// withSource opens a Keycloak's database and the own one, and closes both after.
func withSource(ctx context.Context, cfg Config, o MigrateOptions, f func(*migrate.Source, *realms.Manager) error) (err error) {
	s, err := migrate.Open(ctx, o.From)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return withManager(ctx, cfg, func(m *realms.Manager) error { return f(s, m) })
}

// MigratePlan says what of a Keycloak would come, and what cannot.
func MigratePlan(ctx context.Context, cfg Config, o MigrateOptions) error {
	return withSource(ctx, cfg, o, func(s *migrate.Source, m *realms.Manager) error {
		p, err := s.Plan(ctx, o.Realm, func(ctx context.Context, f *realms.RealmFile) ([]realms.Gap, error) {
			done, err := m.Check(ctx, []*realms.RealmFile{f})
			if err != nil {
				return nil, err
			}
			return done[0].Gaps, nil
		})
		if err != nil {
			return err
		}
		printPlan(o.Out, p)
		return nil
	})
}

func printPlan(w io.Writer, p *migrate.Plan) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	say("Keycloak %s on %s", p.Version, p.Product)
	for _, r := range p.Realms {
		c := r.Counts
		say("\nrealm %s", r.Realm)
		say("  comes: %d users, %d clients, %d roles, %d groups, %d initial access tokens", c.Users, c.Clients, c.Roles, c.Groups,
			c.InitialAccess)
		say("  comes: %d sessions of browsers with %d clients' parts, %d offline sessions with %d", c.OnlineSessions, c.OnlineParts,
			c.OfflineSessions, c.OfflineParts)
		say("  comes: %d events, %d admin events", c.Events, c.AdminEvents)
		for _, g := range r.Gaps {
			say("  would not work yet: %s: %s", g.What, g.Whom)
		}
		for _, lost := range r.Lost {
			say("  cannot come: %s", lost)
		}
	}
	say("\nin no realm")
	for _, lost := range p.Lost {
		say("  cannot come: %s", lost)
	}
}
