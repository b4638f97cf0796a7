// Package floor keeps what was once compatible compatible: a checked-in count
// of matching steps per scenario of the oracle, below which no later state of
// the server may fall, and which only rises. Steps lost on purpose are excused
// one by one, with a reason. It also renders the table in doc/STATUS.md.
package floor

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Report is what `oracle check -json` writes.
type Report struct {
	Scenarios []Scenario
}

// A Scenario is how one scenario compared.
type Scenario struct {
	Name     string `json:"scenario"`
	Steps    int
	Matching int
	Differ   []struct{ Number int }
}

// Area is the part of the scenario's name before the slash.
func (s Scenario) Area() string {
	area, _, _ := strings.Cut(s.Name, "/")
	return area
}

// Read takes the output of `oracle check -json`.
func Read(data []byte) (*Report, error) {
	r := new(Report)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("report of the oracle: %w", err)
	}
	if len(r.Scenarios) == 0 {
		return nil, errors.New("report of the oracle: no scenario was played")
	}
	return r, nil
}

// A Count is matching steps of all steps.
type Count struct{ Matching, Steps int }

func (c Count) String() string { return fmt.Sprintf("%d/%d", c.Matching, c.Steps) }

// Books are the checked-in files beside which a report is held.
type Books struct {
	Floors  map[string]Count          // floors.txt: scenario matching/steps
	Excused map[string]map[int]string // excused.txt: scenario step reason
	Reasons map[string]string         // reasons.txt: scenario reason
}

// Open reads floors.txt, excused.txt and reasons.txt in dir; those that do not exist are empty.
func Open(dir string) (*Books, error) {
	b := &Books{map[string]Count{}, map[string]map[int]string{}, map[string]string{}}
	err := errors.Join(
		lines(filepath.Join(dir, "floors.txt"), func(scenario, rest string) error {
			var c Count
			_, err := fmt.Sscanf(rest, "%d/%d", &c.Matching, &c.Steps)
			b.Floors[scenario] = c
			return err
		}),
		lines(filepath.Join(dir, "excused.txt"), func(scenario, rest string) error {
			number, reason, _ := strings.Cut(rest, " ")
			n, err := strconv.Atoi(number)
			if err != nil {
				return err
			}
			if strings.TrimSpace(reason) == "" {
				return errors.New("an excuse needs a reason")
			}
			if b.Excused[scenario] == nil {
				b.Excused[scenario] = map[int]string{}
			}
			b.Excused[scenario][n] = strings.TrimSpace(reason)
			return nil
		}),
		lines(filepath.Join(dir, "reasons.txt"), func(scenario, rest string) error {
			b.Reasons[scenario] = rest
			return nil
		}),
	)
	return b, err
}

// lines calls f for each line of a file that is not empty or a comment.
func lines(file string, f func(scenario, rest string) error) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	scan := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; scan.Scan(); n++ {
		line := strings.TrimSpace(scan.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		scenario, rest, _ := strings.Cut(line, " ")
		if err := f(scenario, strings.TrimSpace(rest)); err != nil {
			return fmt.Errorf("%s:%d: %w", file, n, err)
		}
	}
	return scan.Err()
}

// Areas are the areas of the oracle that have a floor: those that are built.
func (b *Books) Areas() []string {
	areas := map[string]bool{}
	for name := range b.Floors {
		areas[Scenario{Name: name}.Area()] = true
	}
	return slices.Sorted(maps.Keys(areas))
}

// Leave forgets the floors of an area that cannot be played.
func (b *Books) Leave(area string) {
	maps.DeleteFunc(b.Floors, func(name string, _ Count) bool { return Scenario{Name: name}.Area() == area })
}

// Counts is the report with the excused steps counted as matching.
func (b *Books) Counts(r *Report) map[string]Count {
	counts := map[string]Count{}
	for _, s := range r.Scenarios {
		c := Count{s.Matching, s.Steps}
		for _, d := range s.Differ {
			if _, ok := b.Excused[s.Name][d.Number]; ok {
				c.Matching++
			}
		}
		counts[s.Name] = c
	}
	return counts
}

// Check compares a report with the floor. Fallen lines are failures; notes say
// what may rise and which excuses are needed no more.
func (b *Books) Check(r *Report) (fallen, notes []string) {
	counts := b.Counts(r)
	for _, name := range slices.Sorted(maps.Keys(b.Floors)) {
		floor := b.Floors[name]
		switch c, played := counts[name]; {
		case !played:
			fallen = append(fallen, name+" was not played")
		case c.Matching < floor.Matching:
			fallen = append(fallen, fmt.Sprintf("%s fell to %v, its floor is %v", name, c, floor))
		case c.Matching > floor.Matching:
			notes = append(notes, fmt.Sprintf("%s may rise from %v to %v", name, floor, c))
		}
	}
	for _, s := range r.Scenarios {
		if _, ok := b.Floors[s.Name]; !ok {
			notes = append(notes, fmt.Sprintf("%s has no floor yet, it may be %v", s.Name, counts[s.Name]))
		}
		differs := map[int]bool{}
		for _, d := range s.Differ {
			differs[d.Number] = true
		}
		for _, n := range slices.Sorted(maps.Keys(b.Excused[s.Name])) {
			if !differs[n] {
				notes = append(notes, fmt.Sprintf("%s step %d matches: its excuse may go", s.Name, n))
			}
		}
	}
	return fallen, notes
}

// Raise lifts each floor to what all the reports reach. It never lowers one.
func (b *Books) Raise(reports ...*Report) {
	reached := b.Counts(reports[0])
	for _, r := range reports[1:] {
		for name, c := range b.Counts(r) {
			if c.Matching < reached[name].Matching {
				reached[name] = c
			}
		}
	}
	for name, c := range reached {
		if floor, ok := b.Floors[name]; !ok || c.Matching > floor.Matching {
			b.Floors[name] = c
		}
	}
}

// Save writes floors.txt in dir.
func (b *Books) Save(dir string) error {
	var out strings.Builder
	out.WriteString("# scenario matching/steps: what the server must reach, excused steps included; it only rises\n")
	for _, name := range slices.Sorted(maps.Keys(b.Floors)) {
		fmt.Fprintf(&out, "%s %v\n", name, b.Floors[name])
	}
	return os.WriteFile(filepath.Join(dir, "floors.txt"), []byte(out.String()), 0o644)
}
