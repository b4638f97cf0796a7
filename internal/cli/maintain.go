package cli

import (
	"fmt"

	"latchkey/internal/server"
)

type backupCmd struct {
	File string `arg:"" help:"File to write; it must not exist."`
}

// Run writes the backup.
func (b *backupCmd) Run(c *call) error {
	cfg, err := c.config(server.Defaults())
	if err != nil {
		return err
	}
	return server.Backup(c.ctx, cfg, b.File)
}

type restoreCmd struct {
	File string `arg:"" help:"Backup to restore."`
}

// Run restores the backup.
func (r *restoreCmd) Run(c *call) error {
	cfg, err := c.config(server.Defaults())
	if err != nil {
		return err
	}
	return server.Restore(c.ctx, cfg, r.File)
}

type rotateCmd struct{}

// Run rotates the key.
func (rotateCmd) Run(c *call) error {
	cfg, err := c.config(server.Defaults())
	if err != nil {
		return err
	}
	n, err := server.RotateSealKey(c.ctx, cfg)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "%d values are sealed with the new key; the old ones are dropped\n", n)
	return err
}
