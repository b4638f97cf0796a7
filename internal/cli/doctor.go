package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/term"

	"latchkey/internal/doctor"
	"latchkey/internal/server"
)

type doctorCmd struct {
	Realm    string `help:"Realm to examine. Default: all." kc:"LATCHKEY_DOCTOR_REALM" placeholder:"NAME"`
	Severity string `help:"Leave out what is less severe: error, warning or info." enum:"error,warning,info," default:"" placeholder:"SEVERITY"`
	Check    string `help:"This check only; doc/doctor.md lists them." placeholder:"CHECK"`
	Client   string `help:"Findings about this client only." placeholder:"CLIENT"`
	Days     int    `help:"A client that was not used for so many days is unused." default:"90" placeholder:"N"`
	JSON     bool   `name:"json" help:"Print the reports as JSON."`

	Server       string `help:"Address of a running Keycloak 26 or Latchkey to examine, instead of the database." kc:"LATCHKEY_DOCTOR_SERVER" placeholder:"URL"`
	User         string `help:"Administrator to log in as; the password is asked for, or comes from LATCHKEY_DOCTOR_PASSWORD or the file that LATCHKEY_DOCTOR_PASSWORD_FILE names." kc:"LATCHKEY_DOCTOR_USER,LATCHKEY_ADMIN_USER" placeholder:"NAME"`
	Password     secret `hidden:"" kc:"LATCHKEY_DOCTOR_PASSWORD,LATCHKEY_ADMIN_PASSWORD"`
	ClientID     string `name:"client-id" help:"Client with a service account to log in as; its secret like a password, from LATCHKEY_DOCTOR_CLIENT_SECRET." kc:"LATCHKEY_DOCTOR_CLIENT_ID,LATCHKEY_ADMIN_CLIENT_ID" placeholder:"ID"`
	ClientSecret secret `hidden:"" kc:"LATCHKEY_DOCTOR_CLIENT_SECRET,LATCHKEY_ADMIN_CLIENT_SECRET"`
	AuthRealm    string `help:"Realm in which the account is at home." default:"master" kc:"LATCHKEY_DOCTOR_AUTH_REALM" placeholder:"NAME"`

	Fix     bool   `help:"Show what would mend each finding, ask, and do it."`
	Yes     bool   `help:"With --fix: do not ask, and apply the default fix of errors and warnings. One that ends sessions is left out unless --check names its check."`
	Records string `help:"Directory for the files by which fixes are undone. Default: the current one." placeholder:"DIR"`
	Undo    string `help:"Take a fix back, by the file that it left." placeholder:"FILE"`
}

// An examiner is what a doctor works on: a database, or a server.
type examiner interface {
	Realms(ctx context.Context) ([]string, error)
	Examine(ctx context.Context, realm string, unusedAfter time.Duration, f doctor.Filter) (*doctor.Report, error)
	Apply(ctx context.Context, realm string, on doctor.Product, p *doctor.Preview) (*doctor.Record, error)
	Undo(ctx context.Context, realm string, on doctor.Product, rec *doctor.Record) error
}

// The exit codes of doctor besides 0.
const (
	exitFindings = 1 // there are errors or warnings
	exitFailed   = 2 // it could not be done
)

// Run examines the realms, and mends or undoes when asked to.
func (d *doctorCmd) Run(c *call) error {
	found, err := d.run(c)
	switch {
	case err != nil:
		return &exitError{exitFailed, err}
	case found:
		return &exitError{exitFindings, nil}
	}
	return nil
}

func (d *doctorCmd) run(c *call) (found bool, err error) {
	x, done, err := d.open(c)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, done()) }()
	if d.Undo != "" {
		return false, d.undo(c, x)
	}
	names := []string{d.Realm}
	if d.Realm == "" {
		if names, err = x.Realms(c.ctx); err != nil {
			return false, err
		}
	}
	var reports []*doctor.Report
	for _, name := range names {
		r, err := x.Examine(c.ctx, name, time.Duration(d.Days)*24*time.Hour, doctor.Filter{Severity: doctor.Severity(d.Severity),
			Check: d.Check, Client: d.Client})
		if err != nil {
			return found, fmt.Errorf("realm %s: %w", name, err)
		}
		found = found || r.Worst()
		reports = append(reports, r)
	}
	if d.JSON {
		if reports == nil {
			reports = []*doctor.Report{}
		}
		err = json.MarshalWrite(c.out, reports, json.Deterministic(true), jsontext.WithIndent("  "))
		_, _ = fmt.Fprintln(c.out)
	} else {
		for _, r := range reports {
			printReport(c.out, r)
		}
	}
	if err != nil || !d.Fix {
		return found, err
	}
	in := bufio.NewReader(os.Stdin)
	for _, r := range reports {
		if err := d.mend(c, x, r, in); err != nil {
			return found, fmt.Errorf("realm %s: %w", r.Realm, err)
		}
	}
	return found, nil
}

// open finds out what to work on, and asks for a password if need be.
func (d *doctorCmd) open(c *call) (x examiner, done func() error, err error) {
	if d.Fix && !d.Yes && !term.IsTerminal(int(os.Stdin.Fd())) {
		return nil, nil, errors.New("--fix asks before each change and needs a terminal for it; --yes does not ask")
	}
	if d.Server == "" {
		cfg, err := c.config(server.Defaults())
		if err != nil {
			return nil, nil, err
		}
		local, err := server.OpenDoctor(c.ctx, cfg)
		if err != nil {
			return nil, nil, err
		}
		return local, local.Close, nil
	}
	s, err := remoteServer(d.Server)
	if err != nil {
		return nil, nil, err
	}
	if s.Credentials, err = c.credentials(account{d.User, d.Password, d.ClientID, d.ClientSecret, d.AuthRealm}, "",
		"LATCHKEY_DOCTOR_"); err != nil {
		return nil, nil, err
	}
	if f, ok := c.err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.Progress = func(done, of int) { bar(f, done, of) }
	}
	return s, func() error { return nil }, nil
}

// bar draws how far the examination is, over itself, and wipes it at the end.
func bar(w io.Writer, done, of int) {
	const width = 40
	if done >= of {
		_, _ = fmt.Fprintf(w, "\r%*s\r", width+20, "")
		return
	}
	full := done * width / of
	_, _ = fmt.Fprintf(w, "\r[%s%s] %d requests", strings.Repeat("#", full), strings.Repeat(".", width-full), done)
}

// mend goes through the findings that can be mended.
func (d *doctorCmd) mend(c *call, x examiner, r *doctor.Report, in *bufio.Reader) error {
	for i := range r.Findings {
		f := &r.Findings[i]
		if len(f.Fixes) == 0 || d.Yes && f.Severity == doctor.Info && d.Check == "" {
			continue
		}
		fix := &f.Fixes[0]
		if d.Yes && fix.Lasting != "" && d.Check == "" {
			_, _ = fmt.Fprintf(c.out, "\n%s is left: undoing does not bring back %s. Name it with --check to apply it.\n", f.ID, fix.Lasting)
			continue
		}
		if !d.Yes {
			var err error
			if fix, err = choose(c.out, in, f); err != nil {
				return err
			}
			if fix == nil {
				continue
			}
		} else {
			_, _ = fmt.Fprintf(c.out, "\n%s\n", f.What)
			printFix(c.out, fix)
		}
		p, err := f.Preview(fix)
		if err != nil {
			return err
		}
		rec, err := x.Apply(c.ctx, r.Realm, r.Server, p)
		if err != nil {
			return fmt.Errorf("%s: %w", f.ID, err)
		}
		if err := d.keep(c, r, rec); err != nil {
			return err
		}
	}
	return nil
}

// choose shows a finding's fixes and asks which one to apply; nil is none.
func choose(out io.Writer, in *bufio.Reader, f *doctor.Finding) (*doctor.Fix, error) {
	_, _ = fmt.Fprintf(out, "\n%s\n", f.What)
	for i := range f.Fixes {
		fix := &f.Fixes[i]
		printFix(out, fix)
		_, _ = fmt.Fprintf(out, "Apply %s? [y/N] ", fix.ID)
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if answer := strings.ToLower(strings.TrimSpace(line)); answer == "y" || answer == "yes" {
			return fix, nil
		}
	}
	return nil, nil
}

// A kept record is what undoing needs, in a file.
type kept struct {
	Server  string         `json:"server,omitzero"` // its address; "" is the database
	Realm   string         `json:"realm"`
	Product doctor.Product `json:"product"`
	Record  *doctor.Record `json:"record"`
}

// keep writes a record to a file, and says how to undo what was done.
func (d *doctorCmd) keep(c *call, r *doctor.Report, rec *doctor.Record) error {
	text, err := json.Marshal(&kept{d.Server, r.Realm, r.Server, rec}, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	name := filepath.Join(d.Records, "doctor-"+rec.ID+".json")
	if err := os.WriteFile(name, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("done, but its record could not be written: %w\n%s", err, text)
	}
	_, _ = fmt.Fprintf(c.out, "Done. To undo it:\n  latchkey doctor%s --undo %s\n", d.account(), name)
	if d.Server == "" {
		return nil
	}
	_, _ = fmt.Fprintln(c.out, "or with Keycloak's kcadm.sh, logged in as an administrator:")
	for _, back := range doctor.Reversed(rec.Changes) {
		for _, line := range kcadm(r.Realm, &back) {
			_, _ = fmt.Fprintln(c.out, "  "+line)
		}
	}
	return nil
}

// account repeats the options that say where and as whom.
func (d *doctorCmd) account() string {
	if d.Server == "" {
		return ""
	}
	text := " --server " + d.Server
	if d.User != "" {
		text += " --user " + shell(d.User)
	}
	if d.ClientID != "" {
		text += " --client-id " + shell(d.ClientID)
	}
	if d.AuthRealm != "master" {
		text += " --auth-realm " + shell(d.AuthRealm)
	}
	return text
}

func (d *doctorCmd) undo(c *call, x examiner) error {
	text, err := os.ReadFile(d.Undo)
	if err != nil {
		return err
	}
	var k kept
	if err := json.Unmarshal(text, &k); err != nil || k.Record == nil {
		return fmt.Errorf("%s is no record of a fix", d.Undo)
	}
	if strings.TrimRight(k.Server, "/") != strings.TrimRight(d.Server, "/") {
		return fmt.Errorf("the fix was made at %s", orElse(k.Server, "the database: leave out --server"))
	}
	if err := x.Undo(c.ctx, k.Realm, k.Product, k.Record); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(c.out, "Undone: %s\n", k.Record.Finding)
	for _, back := range doctor.Reversed(k.Record.Changes) {
		_, _ = fmt.Fprintf(c.out, "  %s\n", back)
	}
	return nil
}
