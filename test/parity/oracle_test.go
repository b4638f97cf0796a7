package parity

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/test/floor"
	"latchkey/test/harness"
)

var (
	update = flag.Bool("update", false, "raise the floors, and write the table in doc/STATUS.md anew")
	areas  = flag.String("areas", "", "more areas to play than those that have a floor, with commas: for an area that is being built")
)

// Oracle: every scenario of the areas that are built, on both engines, against test/floors.txt.
// Scenarios of what is not built wait in vain for mails and requests, which takes minutes.
func TestOracle(t *testing.T) {
	if testing.Short() {
		t.Skip("the oracle takes minutes")
	}
	harness.Binary(t)
	root := harness.Root(t)
	oracle := harness.Build(t, "test/oracle")
	books, err := floor.Open(filepath.Join(root, "test"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "internal/pages/translations/keycloak.zip")); err != nil {
		if *update {
			t.Fatal("without the translations no floors are raised: packaging/translations/get fetches them")
		}
		t.Log("SKIP: the area login-locales needs the translations, which packaging/translations/get fetches")
		books.Leave("login-locales")
	}
	var reports []*floor.Report
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e})
		play := strings.Trim(strings.Join(books.Areas(), ",")+","+*areas, ",")
		cmd := exec.Command(oracle, "check", "-json", "-area", play, "-base", s.URL)
		cmd.Dir, cmd.Stderr = filepath.Join(root, "test", "oracle"), os.Stderr
		out, err := cmd.Output()
		// 1: steps differ, which the floors judge
		if exit := new(exec.ExitError); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
			t.Fatal(err)
		}
		report, err := floor.Read(out)
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, report)
		fallen, notes := books.Check(report)
		for _, n := range notes {
			t.Log(n)
		}
		for _, f := range fallen {
			t.Error(f)
		}
	})
	if *update && len(reports) > 0 {
		books.Raise(reports...)
		if err := errors.Join(
			books.Save(filepath.Join(root, "test")),
			floor.WriteStatus(filepath.Join(root, "doc", "STATUS.md"), books.Table(reports[0])),
		); err != nil {
			t.Fatal(err)
		}
	}
}
