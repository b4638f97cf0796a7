package cli

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/records"
)

type whyCmd struct {
	User     string `arg:"" optional:"" help:"User: name, e-mail address or id."`
	Code     string `help:"Explain the refusal that carried this support code, instead of a user." placeholder:"CODE" only:"flag"`
	Client   string `help:"What this client met." placeholder:"CLIENT" only:"flag"`
	At       string `help:"What was the matter then: a time, or how long ago (3h, 2d). Default: now." placeholder:"TIME" only:"flag"`
	Question string `help:"no-session, asked-again or refresh-failed. Default: all." placeholder:"QUESTION" only:"flag"`

	asking
}

// Run says why.
func (y *whyCmd) Run(c *call) error { return outcome(y.run(c)) }

func (y *whyCmd) run(c *call) (found bool, err error) {
	if (y.User == "") == (y.Code == "") {
		return false, errors.New("name a user, or a support code with --code")
	}
	t, err := y.open(c)
	if err != nil {
		return false, err
	}
	if y.Code != "" {
		return y.code(c, t)
	}
	at, err := parseMoment(y.At, time.Now(), true)
	if err != nil {
		return false, fmt.Errorf("--at: %w", err)
	}
	if plain, err := y.plain(c.ctx, t); err != nil {
		return false, err
	} else if plain {
		q := records.WhyQuery{Client: y.Client, Question: records.Question(y.Question)}
		if at != 0 {
			q.At = time.UnixMilli(at)
		}
		return y.whyOutside(c, t, q)
	}
	if y.Client != "" {
		if err := t.client(c.ctx, y.Client); err != nil {
			return false, err
		}
	}
	q := url.Values{}
	if at != 0 {
		q.Set("at", strconv.FormatInt(at, 10))
	}
	if y.Question != "" {
		q.Set("question", y.Question)
	}
	if y.Client != "" {
		q.Set("client", y.Client)
	}
	user, err := t.user(c.ctx, y.User)
	if err != nil {
		return false, err
	}
	var findings []records.Finding
	answer, err := t.get(c.ctx, "/users/"+url.PathEscape(user)+"/why", q, "view-users", &findings)
	if err != nil {
		return false, err
	}
	if y.JSON {
		return len(findings) > 0, c.printJSON(answer)
	}
	printWhy(c.out, findings)
	return len(findings) > 0, nil
}

// code explains a support code.
func (y *whyCmd) code(c *call, t *conversation) (bool, error) {
	found := new(records.Support)
	answer, err := t.get(c.ctx, "/support-codes/"+url.PathEscape(y.Code), nil, "view-users", found)
	if err != nil {
		return false, err
	}
	if y.JSON {
		return true, c.printJSON(answer)
	}
	printSupport(c.out, found)
	return true, nil
}

func printSupport(w io.Writer, s *records.Support) {
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	wrap(w, "", "", clean(s.What))
	line("")
	e := s.Story.Entry
	var clients []string
	for _, cl := range e.Clients {
		clients = append(clients, cl.ClientID)
	}
	facts(w, "reason", string(s.Reason), "detail", s.Text, "user", orElse(e.Username, string(e.User)),
		"client", strings.Join(clients, ", "), "address", e.Address, "first", moment(e.Start), "last", moment(e.LastAccess))
	wrap(w, "remedy:  ", "         ", clean(s.Remedy))
	line("\n%s.", zone())
}

// asked are the questions in words.
var asked = map[records.Question]string{
	records.NoSession: "No session", records.AskedAgain: "Asked to log in again", records.RefreshFailed: "A refresh failed",
}

// printWhy prints findings, the likeliest first.
func printWhy(w io.Writer, findings []records.Finding) {
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	if len(findings) == 0 {
		line("Nothing was found: as far as it is known, nothing is wrong.")
		return
	}
	for i, f := range findings {
		what, ok := asked[f.Question]
		if !ok {
			what = string(f.Question)
		}
		holds := ""
		if f.Holds {
			holds = ", and it still holds"
		}
		line("%d. %s: %s, %s%s", i+1, clean(what), clean(string(f.Reason)), moment(f.At), holds)
		wrap(w, "   ", "   ", clean(f.Sentence))
		for _, e := range f.Evidence {
			wrap(w, "   seen:    ", "            ", clean(evidenceOf(e)))
		}
		if f.Remedy != "" {
			wrap(w, "   remedy:  ", "            ", clean(f.Remedy))
		}
		line("")
	}
	line("%s.", zone())
}

// evidenceOf is a piece of evidence in one text.
func evidenceOf(e records.Evidence) string {
	var parts []string
	add := func(s string) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if e.Name != "" { // a setting, or how a user or client stands
		text := e.Name + " = " + orElse(e.Value, "(none)")
		if e.Where != "" {
			text += " (" + e.Where + ")"
		}
		add(text)
	}
	add(e.Text)
	if e.At != 0 && e.Text == "" {
		add(moment(e.At))
	}
	if e.Count > 1 {
		add(strconv.FormatInt(e.Count, 10) + " times within the hour")
	}
	if e.ID != "" {
		add(e.Kind + " " + e.ID)
	}
	return strings.Join(parts, "; ")
}
