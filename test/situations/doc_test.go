package situations

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/records"
	"latchkey/test/harness"
)

var update = flag.Bool("update", false, "write the table of doc/sessions-reasons.md anew")

const (
	tableBegins = "<!-- reasons -->\n"
	tableEnds   = "<!-- end of reasons -->\n"
)

// files are the tables of situations, by the files that they stand in.
var files = []struct {
	name string
	list []situation
}{{"ends_test.go", ends}, {"prompts_test.go", prompts}, {"logins_test.go", logins}, {"passkeys_test.go", passkeys},
	{"mails_test.go", mails}, {"tokens_test.go", tokenTrouble}, {"devices_test.go", devices},
	{"providers_test.go", providers}}

// reasonsTable is the table of all reasons, each with the situations that prove it.
func reasonsTable() string {
	var b strings.Builder
	b.WriteString("| Reason | What happened | How one notices | What to do | Proved by |\n|---|---|---|---|---|\n")
	for _, info := range iam.Reasons() {
		kind := "refused"
		if info.Ends {
			kind = "ended"
		}
		if info.Ends && info.Refuses {
			kind = "ended or refused"
		}
		var proofs []string
		for _, f := range files {
			for _, s := range f.list {
				if s.reason == info.Reason {
					proofs = append(proofs, fmt.Sprintf("[%s](../test/situations/%s)", s.name, f.name))
				}
			}
		}
		proof := strings.Join(proofs, "; ")
		if why := joinedReasons[info.Reason]; why != "" {
			proof = "never the first answer: " + why
		}
		if at := elsewhere[info.Reason]; at != "" {
			proof = fmt.Sprintf("[a directory of a test](%s)", at)
		}
		advice := records.Advice(info.Reason)
		fmt.Fprintf(&b, "| `%s` | %s %s | %s | %s | %s |\n", info.Reason, kind, info.Text, advice.Notice, advice.Remedy, proof)
	}
	return b.String()
}

// The table that people read is the one that the server answers from.
func TestReasonsAreDocumented(t *testing.T) {
	for _, info := range iam.Reasons() {
		if a := records.Advice(info.Reason); a.Notice == "" || a.Remedy == "" {
			t.Errorf("nothing is advised about %s", info.Reason)
		}
	}
	path := filepath.Join(harness.Root(t), "doc", "sessions-reasons.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), tableBegins)
	table, after, ends := strings.Cut(rest, tableEnds)
	if !ok || !ends {
		t.Fatalf("%s has no table", path)
	}
	if want := reasonsTable(); table != want {
		if !*update {
			t.Fatalf("the table of %s is not that of iam.Reasons and test/situations; go test ./test/situations -run Documented -update writes it",
				path)
		}
		if err := os.WriteFile(path, []byte(before+tableBegins+want+tableEnds+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
