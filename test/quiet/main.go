// Quiet reads what `go test -json` writes and prints what a reader wants of
// it: go test's closing line of each package, the whole output of what failed,
// and every skipped test with its reason, so that a skip is never silent. It
// exits with 1 when something failed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

type event struct {
	Action, Package, Test, Output, ImportPath string
}

func main() {
	if !report(os.Stdin, os.Stdout) {
		os.Exit(1)
	}
}

func report(in io.Reader, out io.Writer) (ok bool) {
	ok = true
	said := map[string][]string{} // output by package and test
	scan := bufio.NewScanner(in)
	scan.Buffer(nil, 64<<20)
	for scan.Scan() {
		var e event
		if json.Unmarshal(scan.Bytes(), &e) != nil {
			fmt.Fprintln(out, scan.Text())
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "build-output":
			fmt.Fprint(out, e.Output)
		case "build-fail":
			ok = false
		case "output":
			said[key] = append(said[key], e.Output)
		case "skip":
			if e.Test != "" {
				fmt.Fprintf(out, "SKIP %s %s: %s\n", e.Package, e.Test, reason(said[key]))
			} else {
				fmt.Fprint(out, last(said[key]))
			}
		case "pass":
			if e.Test == "" {
				fmt.Fprint(out, last(said[key]))
			}
		case "fail":
			ok = false
			fmt.Fprint(out, strings.Join(said[key], ""))
		}
		if e.Action == "pass" || e.Action == "skip" || e.Action == "fail" {
			delete(said, key)
		}
	}
	return ok && scan.Err() == nil
}

// reason is what a skipped test said, without go test's own lines.
func reason(lines []string) string {
	var words []string
	for _, l := range lines {
		l = strings.TrimSpace(l)
		if !strings.HasPrefix(l, "=== ") && !strings.HasPrefix(l, "--- ") && l != "" {
			words = append(words, l)
		}
	}
	return strings.Join(words, " ")
}

// last is the closing line of a package.
func last(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}
