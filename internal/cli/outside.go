package cli

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/term"

	"latchkey/internal/iam"
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

// fromOutside lists what a Keycloak has of sessions, online and offline, and what latchkey watch has kept of them.
func (s *sessionsCmd) fromOutside(c *call, t *conversation) (found bool, err error) {
	q := records.Query{State: s.State, Reason: iam.Reason(s.Reason), Address: s.Address, After: s.After, Count: s.Count, Max: s.Max,
		Kinds:    s.Kind,
		ByAccess: s.Sort == "lastAccess"}
	for to, text := range map[*time.Time]string{&q.From: s.From, &q.To: s.To} {
		at, err := parseMoment(text, time.Now(), to == &q.To)
		if err != nil {
			return false, fmt.Errorf("--from or --to: %w", err)
		}
		if at != 0 {
			*to = time.UnixMilli(at)
		}
	}
	var list *watch.List
	var story *records.Story
	err = s.outside(c, t, func(w *watch.Watch, x *watch.Subject) (err error) {
		if s.ID != "" {
			story, err = w.Story(c.ctx, x, s.User, s.ID)
			return err
		}
		list, err = w.List(c.ctx, x, s.User, s.Client, q)
		return err
	})
	switch {
	case errors.Is(err, watch.ErrNoClient):
		return false, fmt.Errorf("there is no client %s in realm %s", s.Client, t.realm)
	case errors.Is(err, records.ErrNoRecord) && s.User == "":
		return false, nothing("nothing is known of that session: --user says whose it is, and then that user's are read")
	case errors.Is(err, records.ErrNoRecord):
		return false, nothing(err.Error())
	case err != nil:
		return false, err
	case story != nil && s.JSON:
		return true, c.printAny(story)
	case story != nil:
		printStory(c.out, story)
		return true, nil
	}
	found = len(list.Sessions) > 0
	if s.JSON {
		return found, c.printAny(list)
	}
	printSessions(c.out, &list.Page)
	for _, note := range list.Notes {
		wrap(c.out, "", "", clean(note))
	}
	return found, nil
}

// fromOutside tells of a token what a Keycloak's keys and sessions tell.
func (i *inspectCmd) fromOutside(c *call, t *conversation, token string) (works bool, err error) {
	var in *watch.Inspection
	err = i.outside(c, t, func(w *watch.Watch, x *watch.Subject) (err error) {
		in, err = w.Inspect(c.ctx, x, token)
		return err
	})
	if errors.Is(err, watch.ErrForeign) {
		return false, nothing(err.Error())
	}
	if err != nil {
		return false, err
	}
	if i.JSON {
		return in.Works, c.printAny(in)
	}
	story := in.Story
	in.Story = "" // it takes more to have it told than of a Latchkey
	printInspection(c.out, &in.Inspection, t.realm)
	if story != "" {
		_, _ = fmt.Fprintf(c.out, "Its session's story: latchkey sessions %s --user %s --realm %s --server %s\n", shell(story),
			shell(string(in.User)), shell(t.realm), shell(t.s.Base))
	}
	if in.Unverified != "" {
		wrap(c.out, "", "", in.Unverified)
	}
	return in.Works, nil
}
