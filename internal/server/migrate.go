package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"latchkey/internal/migrate"
	"latchkey/internal/realms"
)

// MigrateOptions say from which Keycloak realms move in.
type MigrateOptions struct {
	From  string // the URL of its database
	Realm string // "" for all
	Again bool   // with MigrateCopy: from the beginning
	Days  int    // of events that are taken
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

// MigrateCopy copies realms, or goes on with what was begun. Again begins anew.
func MigrateCopy(ctx context.Context, cfg Config, o MigrateOptions) error {
	return withMover(ctx, cfg, o, func(m *migrate.Mover) error { return m.Copy(ctx, o.Realm, o.Again) })
}

// MigrateDelta brings what has changed since the copy.
func MigrateDelta(ctx context.Context, cfg Config, o MigrateOptions) error {
	return withMover(ctx, cfg, o, func(m *migrate.Mover) error { return m.Delta(ctx, o.Realm) })
}

func withMover(ctx context.Context, cfg Config, o MigrateOptions, f func(*migrate.Mover) error) error {
	return withSource(ctx, cfg, o, func(s *migrate.Source, m *realms.Manager) error {
		return f(&migrate.Mover{Source: s, Manager: m, Days: o.Days, Progress: func(realm, what string, done int64) {
			if done == 0 {
				_, _ = fmt.Fprintf(o.Out, "%s: %s\n", realm, what)
				return
			}
			_, _ = fmt.Fprintf(o.Out, "%s: %s: %d\n", realm, what, done)
		}})
	})
}

// MigrateVerify compares what is here with the source, number by number and key by key. What
// differs is an error.
func MigrateVerify(ctx context.Context, cfg Config, o MigrateOptions) error {
	return withSource(ctx, cfg, o, func(s *migrate.Source, m *realms.Manager) error {
		lines, differ, err := migrate.Verify(ctx, s, m, o.Realm)
		for _, line := range lines {
			_, _ = fmt.Fprintln(o.Out, line)
		}
		if err == nil && differ > 0 {
			err = fmt.Errorf("%d things differ", differ)
		}
		return err
	})
}

// MigrateSwitch says which steps of the switch are left, and what going back would lose.
func MigrateSwitch(ctx context.Context, cfg Config, o MigrateOptions) error {
	return withMover(ctx, cfg, o, func(m *migrate.Mover) error {
		list, err := m.Standings(ctx, o.Realm)
		if err != nil {
			return err
		}
		say := func(format string, args ...any) { _, _ = fmt.Fprintf(o.Out, format+"\n", args...) }
		left := 0
		for _, x := range list {
			switch {
			case !x.Copied:
				say("%s: not copied yet: run copy", x.Realm)
				left++
			case x.Moved > 0:
				say("%s: %d sessions were used in Keycloak since %s: stop it, then run delta", x.Realm, x.Moved, x.Taken.UTC().Format(time.RFC3339))
				left++
			default:
				say("%s: copied; no session was used in Keycloak since %s", x.Realm, x.Taken.UTC().Format(time.RFC3339))
			}
			if x.Begun+x.Used > 0 {
				say("%s: going back would lose %d sessions that began here, and what %d clients' sessions have done here since", x.Realm, x.Begun,
					x.Used)
			}
		}
		say("\nThe switch: 1. stop Keycloak, all nodes of it; 2. latchkey migrate delta; 3. latchkey migrate verify;")
		say("4. start Latchkey under the same host name, port and path; 5. watch the first logins: latchkey sessions.")
		say("Going back: stop Latchkey and start Keycloak. Its database is as it was at 1.")
		if left > 0 {
			return fmt.Errorf("%d realms are not ready for the switch", left)
		}
		return nil
	})
}
