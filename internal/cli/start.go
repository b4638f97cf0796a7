package cli

import (
	"errors"
	"fmt"
	"runtime/debug"

	"latchkey/internal/jose"
	"latchkey/internal/server"
)

type startCmd struct {
	importing
}

// importing are the options of commands that may import realm files first.
type importing struct {
	ImportRealm      bool   `help:"Import the realm files in --import-dir before serving; realms that exist are skipped."`
	ImportDir        string `help:"Directory of realm files. Default: import in --data-dir." placeholder:"DIR"`
	ThemesDir        string `help:"Directory of themes. Default: themes in --data-dir." placeholder:"DIR"`
	ImportAcceptGaps bool   `help:"Import realms although something in them will not work yet; the log says what."`
}

func (i importing) apply(c *server.Config) {
	c.ImportRealm, c.ImportAcceptGaps = i.ImportRealm, i.ImportAcceptGaps
	give(&c.ImportDir, i.ImportDir)
	give(&c.ThemesDir, i.ThemesDir)
}

// Run serves until the context ends.
func (s *startCmd) Run(c *call) error {
	cfg, err := c.config(server.Defaults())
	if err != nil {
		return err
	}
	s.apply(&cfg)
	cfg.SetupLink = func(address string) {
		fmt.Fprintf(c.out, "\n  There is no administrator yet. This link makes one, once:\n\n    %s\n\n", address)
	}
	return run(c, cfg)
}

type startDevCmd struct {
	importing
}

// Run serves until the context ends and says what to try.
func (s *startDevCmd) Run(c *call) error {
	cfg, err := c.config(server.DevDefaults())
	if err != nil {
		return err
	}
	s.apply(&cfg)
	cfg.Ready = func(address string) {
		fmt.Fprintf(c.out, `
  Latchkey is ready at %[1]s (development: do not show it to the world)

  Console:        %[1]s/admin/
  Administrator:  %[2]s
  Data:           %[3]s

  Try:
    curl %[1]s/realms/master/.well-known/openid-configuration
    curl %[1]s/realms/master/protocol/openid-connect/token -d grant_type=password -d client_id=admin-cli -d username=%[4]s -d password=%[5]s

  Stop it with Ctrl-C.

`, address, administrator(cfg), place(cfg), cfg.Bootstrap.Username, knownPassword(cfg))
	}
	return run(c, cfg)
}

// administrator says how to log in.
func administrator(cfg server.Config) string {
	return cfg.Bootstrap.Username + " / " + knownPassword(cfg) + " (at the first start)"
}

// knownPassword is the administrator's password only if it is the one that
// everybody knows.
func knownPassword(cfg server.Config) string {
	if cfg.Bootstrap.Password.Equal("admin") {
		return "admin"
	}
	return "***"
}

func place(cfg server.Config) string {
	if cfg.DB.Engine == server.SQLite {
		return cfg.SQLitePath()
	}
	return cfg.DB.Engine
}

func run(c *call, cfg server.Config) (err error) {
	s, err := server.New(c.ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.Run(c.ctx)
}

type versionCmd struct{}

// Run prints the module's version, the revision it was built from, and whose
// RSA is in it: see packaging/crypto.
func (versionCmd) Run(c *call) error {
	version, revision := "(devel)", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " " + s.Value
			}
		}
	}
	_, err := fmt.Fprintf(c.out, "latchkey %s%s, RSA by %s\n", version, revision, jose.RSA())
	return err
}
