package cli

import (
	"errors"
	"fmt"
	"time"

	"latchkey/internal/server"
	"latchkey/internal/watch"
)

type watchCmd struct {
	Every time.Duration `help:"How long to wait between two looks." default:"10s" placeholder:"TIME" only:"flag"`
	Once  bool          `help:"Look once, and end." only:"flag"`

	asking
}

// longestPause is between two attempts at a server that is away.
const longestPause = time.Minute

// Run follows a realm of a server, until it is told to end.
func (h *watchCmd) Run(c *call) error {
	if err := h.run(c); err != nil && c.ctx.Err() == nil {
		return &exitError{exitFailed, err}
	}
	return nil
}

func (h *watchCmd) run(c *call) (err error) {
	if h.Server == "" {
		return errors.New("which Keycloak? --server names it; this machine's Latchkey keeps its records itself")
	}
	t, err := h.open(c)
	if err != nil {
		return err
	}
	cfg, err := c.config(server.Defaults())
	if err != nil {
		return err
	}
	file := orElse(h.WatchDB, watchFile(cfg.DataDir, t.s.Base))
	w, done, err := server.OpenWatch(c.ctx, cfg, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	say := func(format string, args ...any) {
		_, _ = fmt.Fprintf(c.err, time.Now().Format(time.DateTime)+" "+format+"\n", args...)
	}
	f := &watch.Follower{Watch: w, Server: t.s, Realm: t.realm}
	pause, away, began := h.Every, false, false
	for {
		look, err := f.Look(c.ctx)
		switch {
		case err == nil:
			if !began {
				say("following realm %s of %s into %s", t.realm, t.s.Base, file)
			}
			if away {
				say("%s answers again", t.s.Base)
			}
			pause, away, began = h.Every, false, true
			for _, note := range look.Notes {
				say("%s", note)
			}
		case c.ctx.Err() != nil:
			return nil
		case !began || h.Once:
			return t.explain(c.ctx, err, "view-events")
		default: // it is away, or it refuses: both may pass
			if !away {
				say("%v; trying again", t.explain(c.ctx, err, "view-events"))
			}
			away, pause = true, min(max(2*pause, time.Second), longestPause)
		}
		if h.Once {
			return nil
		}
		select {
		case <-c.ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}
