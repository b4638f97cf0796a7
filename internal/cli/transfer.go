package cli

import (
	"errors"

	"latchkey/internal/server"
)

type importCmd struct {
	Path       string `arg:"" help:"Realm file, or directory of realm files as kc.sh export writes it."`
	OnConflict string `help:"What to do with realms that exist: skip, replace or fail." enum:"skip,replace,fail" default:"fail"`
	Check      bool   `help:"Say what will not work yet and whom it affects; store nothing."`
	AcceptGaps bool   `help:"Import a realm although something in it will not work yet."`
}

// Run imports the files.
func (i *importCmd) Run(c *call) error {
	cfg, err := c.config(server.Defaults())
	if err != nil {
		return err
	}
	return server.Import(c.ctx, cfg, server.ImportOptions{Path: i.Path, OnConflict: i.OnConflict, Check: i.Check, AcceptGaps: i.AcceptGaps,
		Env: c.sources.lookup, Out: c.out})
}

type exportCmd struct {
	Realm        string `help:"Realm to export. Default: all." kc:"KC_REALM" placeholder:"NAME"`
	Dir          string `help:"Directory to write a file per realm to." xor:"to" required:"" placeholder:"DIR"`
	File         string `help:"File to write everything to." xor:"to" required:"" placeholder:"FILE"`
	Users        string `help:"Where users go: skip, realm_file, same_file or different_files." enum:"skip,realm_file,same_file,different_files" default:"different_files"`
	UsersPerFile int    `help:"Users in each file, with different_files." default:"50" placeholder:"N"`
}

// Run exports the realms.
func (e *exportCmd) Run(c *call) error {
	cfg, err := c.config(server.Defaults())
	if err != nil {
		return err
	}
	users := e.Users
	if e.File != "" && users == "different_files" {
		users = "same_file" // a single file is all there is
	}
	return server.Export(c.ctx, cfg, server.ExportOptions{Realm: e.Realm, File: e.File, Dir: e.Dir, Users: users,
		UsersPerFile: e.UsersPerFile})
}

type bootstrapCmd struct{}

// Run makes the administrator.
func (bootstrapCmd) Run(c *call) error {
	cfg, err := c.config(server.Defaults())
	if err != nil {
		return err
	}
	if !cfg.Bootstrap.Set() {
		return errors.New("give --bootstrap-admin-username and --bootstrap-admin-password, or --bootstrap-admin-client-id and " +
			"--bootstrap-admin-client-secret")
	}
	return server.BootstrapAdmin(c.ctx, cfg)
}
