package cli

import (
	"fmt"
	"io"
	"strings"

	"latchkey/internal/doctor"
)

// columns is how wide a report is printed.
const columns = 100

// headings name the severities.
var headings = map[doctor.Severity]string{doctor.Error: "ERRORS", doctor.Warning: "WARNINGS", doctor.Info: "WORTH KNOWING"}

// printReport prints a report by severity.
func printReport(w io.Writer, r *doctor.Report) {
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	line("Realm %s (%s): %d findings, %d checks without, %d things it cannot tell", r.Realm, r.Server, len(r.Findings),
		len(r.Healthy), len(r.CannotTell))
	for _, severity := range doctor.Severities() {
		first := true
		for _, f := range r.Findings {
			if f.Severity != severity {
				continue
			}
			if first {
				line("\n%s", headings[severity])
				first = false
			}
			line("")
			wrap(w, "  ", "  ", f.What)
			for _, e := range f.Evidence {
				wrap(w, "    seen:    ", "             ", e)
			}
			wrap(w, "    means:   ", "             ", f.Consequence)
			wrap(w, "    remedy:  ", "             ", f.Remedy)
			for i, fix := range f.Fixes {
				text := fix.ID + ": " + fix.Title
				if i == 0 && len(f.Fixes) > 1 {
					text += " (the default)"
				}
				wrap(w, "    --fix:   ", "             ", text)
			}
			line("    finding: %s", f.ID)
		}
	}
	if len(r.CannotTell) > 0 {
		line("\nCANNOT TELL\n")
		for _, u := range r.CannotTell {
			wrap(w, "  ", "    ", "whether "+u.Title+", because "+u.Because)
		}
	}
	for _, n := range r.Notes {
		line("")
		wrap(w, "", "", n)
	}
	line("")
}

// printFix prints what a fix would do.
func printFix(w io.Writer, fix *doctor.Fix) {
	wrap(w, "  "+fix.ID+": ", "    ", fix.Title)
	for _, c := range fix.Changes {
		wrap(w, "    change:  ", "             ", c.String())
	}
	for _, e := range fix.Effects {
		wrap(w, "    effect:  ", "             ", e)
	}
	if fix.Lasting != "" {
		wrap(w, "    lasting: ", "             ", "undoing does not bring back "+fix.Lasting)
	}
}

// wrap prints text in lines of at most columns, if its words let it.
func wrap(w io.Writer, first, rest, text string) {
	line := first
	empty := true
	for _, word := range strings.Fields(text) {
		if !empty && len(line)+1+len(word) > columns {
			_, _ = fmt.Fprintln(w, line)
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	_, _ = fmt.Fprintln(w, line)
}

// kcadm are the commands of Keycloak's kcadm.sh that make a change. An update
// that sets a member merges it into what is there.
func kcadm(realm string, c *doctor.Change) []string {
	in := " -r " + shell(realm)
	if c.Member == doctor.MemberScope {
		requests, err := c.Requests()
		if err != nil {
			return nil
		}
		var lines []string
		for _, r := range requests {
			if path := shell(strings.TrimPrefix(r.Path, "/")); r.Method == "DELETE" {
				lines = append(lines, "kcadm.sh delete "+path+in)
			} else {
				lines = append(lines, "kcadm.sh update "+path+in+" -n -b '{}'")
			}
		}
		return lines
	}
	member := c.Member
	if name, ok := c.Attribute(); ok {
		member = `attributes."` + name + `"`
	}
	if c.Subject.Kind == doctor.KindRealm {
		return []string{"kcadm.sh update realms/" + shell(realm) + " -s " + shell(member+"="+string(c.After))}
	}
	return []string{"kcadm.sh update clients/" + shell(c.Subject.ID) + in + " -s " + shell(member+"="+string(c.After))}
}

// shell quotes an argument for a shell where it needs to be.
func shell(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@=", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
