package cli

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/term"

	"latchkey/internal/records"
	"latchkey/internal/server"
	"latchkey/internal/watch"
)

// outside reads a realm by Keycloak's endpoints, into the file in which latchkey
// watch keeps it if there is one, and has f look at it.
func (a *asking) outside(c *call, t *conversation, f func(w *watch.Watch, x *watch.Subject) error) (err error) {
	cfg, err := c.config(server.Defaults())
	if err != nil {
		return err
	}
	file := a.WatchDB
	if file == "" {
		file = watchFile(cfg.DataDir, t.s.Base)
		if _, err := os.Stat(file); err != nil {
			file = ""
		}
	}
	w, done, err := server.OpenWatch(c.ctx, cfg, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	if f, ok := c.err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		t.s.Progress = func(done, of int) { bar(f, done, of) }
	}
	t.s.Begin(12)
	defer t.s.Done()
	x, err := w.Read(c.ctx, t.s, t.realm)
	if err == nil {
		err = f(w, x)
	}
	if err != nil {
		return t.explain(c.ctx, err, "view-users")
	}
	return nil
}

// watchFile is where latchkey watch keeps what it knows of a server.
func watchFile(dir, base string) string {
	name := base
	if u, err := url.Parse(base); err == nil {
		name = u.Host + u.Path
	}
	return filepath.Join(dir, "watch-"+strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, name)+".db")
}

// printAny prints a value as JSON.
func (c *call) printAny(v any) error {
	if err := json.MarshalWrite(c.out, v, json.Deterministic(true), jsontext.WithIndent("  ")); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.out)
	return err
}

// whyOutside answers from what a Keycloak tells.
func (y *whyCmd) whyOutside(c *call, t *conversation, q records.WhyQuery) (found bool, err error) {
	var a *watch.Answer
	err = y.outside(c, t, func(w *watch.Watch, x *watch.Subject) error {
		var err error
		a, err = w.Why(c.ctx, x, y.User, q)
		return err
	})
	if errors.Is(err, watch.ErrNoUser) {
		return false, fmt.Errorf("there is no user %s in realm %s: neither a user name nor an e-mail address", y.User, t.realm)
	}
	if err != nil {
		return false, err
	}
	if y.JSON {
		return len(a.Findings) > 0, c.printAny(a)
	}
	if len(a.Findings) > 0 || len(a.CannotTell) == 0 {
		printWhy(c.out, a.Findings)
	}
	printUndecided(c.out, a.CannotTell)
	return len(a.Findings) > 0, nil
}

// printUndecided prints the questions that have no answer.
func printUndecided(w io.Writer, list []watch.Undecided) {
	if len(list) == 0 {
		return
	}
	_, _ = fmt.Fprintln(w, "CANNOT TELL")
	for _, u := range list {
		wrap(w, "  - ", "    ", clean(asked[u.Question]+": cannot tell, because "+u.Because+"."))
		wrap(w, "    remedy:  ", "             ", clean(u.Remedy))
	}
}
