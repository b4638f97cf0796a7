package floor

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

const begin, end = "<!-- oracle: begin -->\n", "<!-- oracle: end -->\n"

// Table renders a report for doc/STATUS.md: the areas, then each scenario that
// is not whole with its reason.
func (b *Books) Table(r *Report) string {
	type total struct{ scenarios, whole, steps, matching int }
	counts := b.Counts(r)
	areas, all := map[string]*total{}, &total{}
	for _, s := range r.Scenarios {
		if areas[s.Area()] == nil {
			areas[s.Area()] = new(total)
		}
		c := counts[s.Name]
		for _, t := range []*total{areas[s.Area()], all} {
			t.scenarios++
			t.steps += c.Steps
			t.matching += c.Matching
			if c.Matching == c.Steps {
				t.whole++
			}
		}
	}
	var out strings.Builder
	out.WriteString("| area | scenarios | steps | |\n|---|---|---|---|\n")
	row := func(name string, t *total) {
		fmt.Fprintf(&out, "| %s | %d/%d | %d/%d | %.1f %% |\n", name, t.whole, t.scenarios, t.matching, t.steps,
			100*float64(t.matching)/float64(max(t.steps, 1)))
	}
	for _, name := range slices.Sorted(maps.Keys(areas)) {
		row(name, areas[name])
	}
	row("**all**", all)
	out.WriteString("\n| scenario that differs | steps | why |\n|---|---|---|\n")
	for _, s := range r.Scenarios {
		c := counts[s.Name]
		var why []string
		if c.Matching < c.Steps {
			reason := b.Reasons[s.Name]
			if reason == "" {
				reason = "not looked into yet"
			}
			why = append(why, reason)
		}
		for _, d := range s.Differ {
			if excuse, ok := b.Excused[s.Name][d.Number]; ok {
				why = append(why, fmt.Sprintf("step %d excused: %s", d.Number, excuse))
			}
		}
		if why != nil {
			fmt.Fprintf(&out, "| %s | %v | %s |\n", s.Name, c, strings.Join(why, "; "))
		}
	}
	return out.String()
}

// WriteStatus puts a table between the marks in a file, which must hold them.
func WriteStatus(file, table string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(data), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no place for the table: write %q and %q", file, begin, end)
	}
	return os.WriteFile(file, []byte(before+begin+table+end+after), 0o644)
}
