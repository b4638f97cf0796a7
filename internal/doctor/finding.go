package doctor

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
)

// A Severity says how bad a finding is.
type Severity string

// Severities: people lose sessions or secrets; they may; it is worth knowing.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// Severities are all of them, the worst first.
func Severities() []Severity { return []Severity{Error, Warning, Info} }

// The kinds of Subject.
const (
	KindRealm    = "realm"
	KindClient   = "client"
	KindProvider = "identity-provider"
)

// A Subject is what a finding is about.
type Subject struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`   // the database id
	Name string `json:"name"` // the realm's name, OAuth's client_id, a provider's alias
}

// A Finding is something that a check has found.
type Finding struct {
	ID          string   `json:"id"` // the check's and, after a dot, the client's; stable
	Check       string   `json:"check"`
	Severity    Severity `json:"severity"`
	Subject     Subject  `json:"subject"`
	What        string   `json:"what"`        // one plain sentence
	Evidence    []string `json:"evidence"`    // settings and numbers that it was found by
	Consequence string   `json:"consequence"` // in numbers where they are known
	Remedy      string   `json:"remedy"`
	Fixes       []Fix    `json:"fixes"` // the first is the default; may be empty
}

// A Fix mends a finding by changes of settings.
type Fix struct {
	ID      string   `json:"id"` // unique within the finding
	Title   string   `json:"title"`
	Changes []Change `json:"changes"`
	Effects []string `json:"effects"` // what happens to live sessions and tokens
	Lasting string   `json:"lasting"` // what undoing does not bring back; "" for nothing
}

// Fix returns the fix of that id, for "" the default; nil when there is none.
func (f *Finding) Fix(id string) *Fix {
	for i := range f.Fixes {
		if id == "" || f.Fixes[i].ID == id {
			return &f.Fixes[i]
		}
	}
	return nil
}

// A Preview is what applying a fix would do. Expect, sent along when it is
// applied, makes sure that it still does just that.
type Preview struct {
	Finding string  `json:"finding"`
	Subject Subject `json:"subject"`
	Fix
	Expect string `json:"expect"`
}

// Preview shows what a fix of this finding would do.
func (f *Finding) Preview(fix *Fix) (*Preview, error) {
	p := &Preview{Finding: f.ID, Subject: f.Subject, Fix: *fix}
	text, err := json.Marshal(struct {
		Finding, Fix string
		Changes      []Change
	}{f.ID, fix.ID, fix.Changes}, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	p.Expect = hex.EncodeToString(sum[:16])
	return p, nil
}

// An Undecided is a check, or a part of one, that could not tell.
type Undecided struct {
	Check   string `json:"check"`
	Title   string `json:"title"`
	Because string `json:"because"` // goes on after "cannot tell, because "
}

// A Report is what the examination of a realm came to.
type Report struct {
	Realm      string      `json:"realm"`
	Server     Product     `json:"server"`
	At         int64       `json:"at"` // milliseconds since 1970
	Findings   []Finding   `json:"findings"`
	CannotTell []Undecided `json:"cannotTell"`
	Healthy    []string    `json:"healthy"` // checks that could tell everything and found nothing
	Notes      []string    `json:"notes"`
}

// Worst reports whether a finding is worse than Info.
func (r *Report) Worst() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity != Info })
}

// Finding returns a finding by its id, nil when there is none.
func (r *Report) Finding(id string) *Finding {
	for i := range r.Findings {
		if r.Findings[i].ID == id {
			return &r.Findings[i]
		}
	}
	return nil
}

// A Filter narrows a report; its zero members do not.
type Filter struct {
	Severity Severity // this one and worse ones
	Check    string
	Client   string // database id or client_id
}

func (f Filter) keeps(x *Finding) bool {
	rank := func(s Severity) int { return slices.Index(Severities(), s) }
	return (f.Severity == "" || rank(x.Severity) <= rank(f.Severity)) &&
		(f.Client == "" || x.Subject.Kind == KindClient && (x.Subject.ID == f.Client || x.Subject.Name == f.Client))
}

// Examine runs the checks over the evidence.
func Examine(e *Evidence, filter Filter) *Report {
	r := &Report{Server: e.Server, At: e.At.UnixMilli(), Findings: []Finding{}, CannotTell: []Undecided{}, Healthy: []string{},
		Notes: append([]string{}, e.Notes...)}
	if realm, ok := e.Realm.Get(); ok {
		r.Realm = realm.Realm
	}
	for _, c := range Checks() {
		if filter.Check != "" && filter.Check != c.ID {
			continue
		}
		a := &answer{e: e, check: c}
		c.look(a)
		for i := range a.findings {
			if filter.keeps(&a.findings[i]) {
				r.Findings = append(r.Findings, a.findings[i])
			}
		}
		for _, why := range a.untold {
			r.CannotTell = append(r.CannotTell, Undecided{c.ID, c.Title, why})
		}
		if len(a.findings) == 0 && len(a.untold) == 0 {
			r.Healthy = append(r.Healthy, c.ID)
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Compare(slices.Index(Severities(), a.Severity), slices.Index(Severities(), b.Severity))
	})
	return r
}

// span writes a duration as people do: "30 minutes", "10 hours", "60 days".
func span(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := int64(d / u.unit); n > 0 && (d%u.unit == 0 || n >= 10) {
			return plural(Count{N: n}, u.name)
		}
	}
	return d.String()
}

// plural writes "1 session", "214 sessions", "more than 10,000 sessions".
func plural(n Count, what string) string {
	if n == (Count{N: 1}) {
		return "1 " + what
	}
	return n.String() + " " + what + "s"
}
