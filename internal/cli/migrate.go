package cli

import (
	"strings"

	"latchkey/internal/server"
)

// migrateCmd are the steps of a move from a Keycloak.
type migrateCmd struct {
	Plan migratePlanCmd `cmd:"" help:"Say what would come, what cannot, and whom that affects; store nothing."`
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
	return cfg, server.MigrateOptions{From: from, Realm: m.Realm, Out: c.out}, err
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
