package iam

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Whoever reads a reason finds it explained.
func TestReasonsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../doc/session-explorer.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, r := range Reasons() {
		var of []string
		if r.Ends {
			of = append(of, "ends")
		}
		if r.Refuses {
			of = append(of, "refusals")
		}
		fmt.Fprintf(&want, "| `%s` | %s | %s |\n", r.Reason, strings.Join(of, ", "), r.Text)
	}
	if !strings.Contains(string(text), want.String()) {
		t.Errorf("doc/session-explorer.md should list:\n%s", want.String())
	}
}
