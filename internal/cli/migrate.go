package cli

import (
	"strings"

	"latchkey/internal/server"
)

// migrateCmd are the steps of a move from a Keycloak.
type migrateCmd struct {
	Plan   migratePlanCmd   `cmd:"" help:"Say what would come, what cannot, and whom that affects; store nothing."`
	Copy   migrateCopyCmd   `cmd:"" help:"Copy realms with users, keys, sessions and events, or go on with a copy that was broken off."`
	Delta  migrateDeltaCmd  `cmd:"" help:"Bring what has changed in that Keycloak since the copy."`
	Verify migrateVerifyCmd `cmd:"" help:"Compare that Keycloak's database with this one: counts, keys and settings."`
	Switch migrateSwitchCmd `cmd:"" help:"Say the steps of the switch, and whether each has been done."`
}

// migrateFrom is what all steps are told.
type migrateFrom struct {
	From  secret `required:"" help:"Keycloak's database: postgres://... or a JDBC URL. It is only read." kc:"LATCHKEY_MIGRATE_FROM" placeholder:"URL"`
	Realm string `help:"This realm only. Default: all." placeholder:"NAME"`
}

// options are the step's, with the source's address in the form of its driver.
func (m *migrateFrom) options(c *call) (server.Config, server.MigrateOptions, error) {
	from := string(m.From.Secret)
	if strings.HasPrefix(from, "jdbc:postgresql:") {
		var err error
		if from, err = postgresURL(from, "", ""); err != nil {
			return server.Config{}, server.MigrateOptions{}, err
		}
	}
	cfg, err := c.config(server.Defaults())
	return cfg, server.MigrateOptions{From: from, Realm: m.Realm, Days: 30, Out: c.out}, err
}

type migratePlanCmd struct{ migrateFrom }

// Run tells the plan.
func (m *migratePlanCmd) Run(c *call) error {
	cfg, o, err := m.options(c)
	if err != nil {
		return err
	}
	return server.MigratePlan(c.ctx, cfg, o)
}

type migrateCopyCmd struct {
	migrateFrom
	Days  int  `help:"Take the events of so many days." default:"30" placeholder:"N"`
	Again bool `help:"Begin anew with realms that were copied already: what is here of them is removed."`
}

// Run copies.
func (m *migrateCopyCmd) Run(c *call) error {
	cfg, o, err := m.options(c)
	if err != nil {
		return err
	}
	o.Days, o.Again = m.Days, m.Again
	return server.MigrateCopy(c.ctx, cfg, o)
}

type migrateDeltaCmd struct {
	migrateFrom
	Days int `help:"Take the events of so many days." default:"30" placeholder:"N"`
}

// Run brings what has changed.
func (m *migrateDeltaCmd) Run(c *call) error {
	cfg, o, err := m.options(c)
	if err != nil {
		return err
	}
	o.Days = m.Days
	return server.MigrateDelta(c.ctx, cfg, o)
}

type migrateVerifyCmd struct{ migrateFrom }

// Run compares.
func (m *migrateVerifyCmd) Run(c *call) error {
	cfg, o, err := m.options(c)
	if err != nil {
		return err
	}
	return server.MigrateVerify(c.ctx, cfg, o)
}

type migrateSwitchCmd struct{ migrateFrom }

// Run says what is left to do.
func (m *migrateSwitchCmd) Run(c *call) error {
	cfg, o, err := m.options(c)
	if err != nil {
		return err
	}
	return server.MigrateSwitch(c.ctx, cfg, o)
}
