package cli

import (
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/records"
)

type sessionsCmd struct {
	ID string `arg:"" optional:"" help:"Tell the story of this one: an id of the list, or a session id (sid)."`

	User    string   `group:"Filters" help:"Of this user: name, e-mail address or id." placeholder:"USER" only:"flag"`
	Client  string   `group:"Filters" help:"That this client has, or had, a part in." placeholder:"CLIENT" only:"flag"`
	Kind    []string `group:"Filters" help:"online, offline, transient (tokens without a session) or refused, several with commas. Default: all but refused." placeholder:"KIND" only:"flag"`
	State   string   `group:"Filters" help:"live or ended." placeholder:"STATE" only:"flag"`
	Reason  string   `group:"Filters" help:"That ended, or were refused, for this reason; doc/sessions-reasons.md lists them." placeholder:"REASON" only:"flag"`
	Address string   `group:"Filters" help:"That began from this IP address." placeholder:"IP" only:"flag"`
	From    string   `group:"Filters" help:"That began at this time or later: a day, a time, or how long ago (3h, 2d)." placeholder:"TIME" only:"flag"`
	To      string   `group:"Filters" help:"That began at this time or before." placeholder:"TIME" only:"flag"`
	Sort    string   `help:"start or lastAccess, the latest first." default:"start" enum:"start,lastAccess" only:"flag"`
	Max     int      `help:"How many at most; the server gives 500 at once." default:"50" placeholder:"N" only:"flag"`
	After   string   `help:"Go on where the list before ended." placeholder:"PLACE" only:"flag"`
	Count   string   `help:"Count, too: true (up to 10,000) or exact." placeholder:"true|exact" only:"flag"`

	asking
}

// Run lists sessions, or tells the story of one.
func (s *sessionsCmd) Run(c *call) error { return outcome(s.run(c)) }

func (s *sessionsCmd) run(c *call) (found bool, err error) {
	t, err := s.open(c)
	if err != nil {
		return false, err
	}
	if plain, err := s.plain(c.ctx, t); err != nil {
		return false, err
	} else if plain {
		return s.fromOutside(c, t)
	}
	if s.ID != "" {
		return true, s.story(c, t)
	}
	q, err := s.query(c, t)
	if err != nil {
		return false, err
	}
	page := new(records.Page)
	answer, err := t.get(c.ctx, "/session-explorer", q, "view-users", page)
	if err != nil {
		return false, err
	}
	found = len(page.Sessions) > 0
	if s.JSON {
		return found, c.printJSON(answer)
	}
	printSessions(c.out, page)
	return found, nil
}

// query makes the parameters of the list.
func (s *sessionsCmd) query(c *call, t *conversation) (url.Values, error) {
	q := url.Values{"max": {strconv.Itoa(s.Max)}, "sort": {s.Sort}}
	for name, value := range map[string]string{"state": s.State, "reason": s.Reason, "address": s.Address, "after": s.After, "count": s.Count,
		"kind": strings.Join(s.Kind, ",")} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, text := range map[string]string{"from": s.From, "to": s.To} {
		at, err := parseMoment(text, time.Now(), name == "to")
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", name, err)
		}
		if at != 0 {
			q.Set(name, strconv.FormatInt(at, 10))
		}
	}
	if s.User != "" {
		id, err := t.user(c.ctx, s.User)
		if err != nil {
			return nil, err
		}
		q.Set("user", id)
	}
	if s.Client != "" {
		if err := t.client(c.ctx, s.Client); err != nil {
			return nil, err
		}
		q.Set("client", s.Client)
	}
	return q, nil
}

func (s *sessionsCmd) story(c *call, t *conversation) error {
	story := new(records.Story)
	answer, err := t.get(c.ctx, "/session-explorer/"+url.PathEscape(s.ID), nil, "view-users", story)
	if err != nil {
		return err
	}
	if s.JSON {
		return c.printJSON(answer)
	}
	printStory(c.out, story)
	return nil
}

// printSessions prints a list: a line for each session, and one below it that
// names it.
func printSessions(w io.Writer, page *records.Page) {
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	if len(page.Sessions) > 0 {
		cells := [][]string{{"KIND", "STATE OR REASON", "USER", "CLIENTS", "BEGAN", "LAST USED"}}
		for _, e := range page.Sessions {
			cells = append(cells, []string{e.Kind, stateOf(e), cut(orElse(e.Username, orElse(string(e.User), "-")), 14),
				cut(orElse(clientsOf(e), "-"), 16), minute(e.Start), minute(e.LastAccess)})
		}
		lines := rows(cells)
		line("%s", lines[0])
		for i, e := range page.Sessions {
			line("%s", lines[i+1])
			below := "  " + e.ID
			if e.Count > 1 {
				below += fmt.Sprintf("  %d times", e.Count)
			}
			if e.Address != "" {
				below += " from " + e.Address
			}
			line("%s", clean(below))
		}
		line("")
	}
	count := strconv.Itoa(len(page.Sessions)) + " listed"
	if page.Count != nil {
		count += " of " + page.Count.Text
	}
	line("%s. %s.", count, zone())
	if page.Next != "" {
		line("There are more: --after %s", page.Next)
	}
}

func stateOf(e *records.Entry) string {
	switch {
	case e.End != nil:
		return string(e.End.Reason)
	case e.Reason != "":
		return string(e.Reason)
	case e.Kind == records.KindTransient && e.State == records.StateEnded:
		return "expired"
	}
	return e.State
}

func clientsOf(e *records.Entry) string {
	var names []string
	for _, p := range e.Clients {
		names = append(names, orElse(p.ClientID, string(p.ID)))
	}
	return strings.Join(names, ", ")
}

// printStory prints all that is known of one session.
func printStory(w io.Writer, s *records.Story) {
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	wrap(w, "", "", clean(s.Sentence))
	line("")
	device := ""
	if d := s.Device; d != nil {
		device = orElse(d.Browser, "something")
		for _, more := range []string{" on " + d.OS, " " + d.OSVersion} {
			if !strings.HasSuffix(more, " ") && !strings.HasSuffix(more, " Unknown") {
				device += more
			}
		}
	}
	good := ""
	if g := s.GoodFor; g != nil {
		good = "refreshing tokens"
		if g.SingleSignOn {
			good = "single sign-on, " + good
		}
		good += ", until " + moment(g.UntilIdle) + " unless it is used"
		if g.UntilMax != 0 {
			good += ", " + moment(g.UntilMax) + " at most"
		}
	}
	count := ""
	if s.Count > 0 {
		count = strconv.FormatInt(s.Count, 10) + " within the hour"
	}
	ended := ""
	if s.End != nil {
		ended = moment(s.End.At) + " " + string(s.End.Reason)
	}
	facts(w, "id", s.ID, "kind", s.Kind, "state", stateOf(s.Entry), "user", userOf(s.Entry), "address", s.Address, "device", device,
		"began", moment(s.Start),
		"last used", moment(s.LastAccess), "ended", ended, "good for", good, "counted", count)
	if len(s.Clients) > 0 {
		line("\nCLIENTS")
		cells := [][]string{{"  client", "state", "since", "last used", "refreshes", "came by"}}
		for _, p := range s.Clients {
			state := p.State
			if p.End != nil {
				state = string(p.End.Reason)
			}
			cells = append(cells, []string{"  " + cut(orElse(p.ClientID, string(p.ID)), 24), orElse(state, "-"), minute(p.Start),
				minute(p.LastAccess),
				strconv.FormatInt(p.Refreshes, 10), orElse(string(p.How), "-")})
		}
		for _, text := range rows(cells) {
			line("%s", text)
		}
	}
	if len(s.Timeline) > 0 {
		line("\nTIMELINE")
		for _, step := range s.Timeline {
			wrap(w, "  "+moment(step.At)+"  ", strings.Repeat(" ", 23), clean(step.Text))
		}
	}
	if len(s.Relations) > 0 {
		line("\nRELATED")
		for _, r := range s.Relations {
			line("  %s", clean(r.ID))
			wrap(w, "    ", "    ", r.State+". "+clean(r.Text))
		}
	}
	line("")
	if s.Events != "" {
		wrap(w, "", "", s.Events)
	}
	line("%s.", zone())
}

func userOf(e *records.Entry) string {
	switch {
	case e.User == "":
		return e.Username
	case e.Username == "":
		return string(e.User)
	}
	return e.Username + " (" + string(e.User) + ")"
}
