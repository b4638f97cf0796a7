// Check holds a report of the oracle, read from standard input, beside the
// floors in test/. It is for a server that runs already; the tests in
// test/parity start their own.
//
//	oracle check -json -base URL | go run ./test/floor/check [-update] [-status doc/STATUS.md]
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"latchkey/test/floor"
)

func main() {
	dir := flag.String("dir", "test", "where floors.txt, excused.txt and reasons.txt are")
	update := flag.Bool("update", false, "raise the floors to what the report reaches")
	status := flag.String("status", "", "file whose table to write anew")
	flag.Parse()
	ok, err := run(*dir, *update, *status)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

func run(dir string, update bool, status string) (ok bool, err error) {
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		return false, err
	}
	report, err := floor.Read(data)
	if err != nil {
		return false, err
	}
	books, err := floor.Open(dir)
	if err != nil {
		return false, err
	}
	fallen, notes := books.Check(report)
	for _, line := range append(notes, fallen...) {
		fmt.Println(line)
	}
	if update {
		books.Raise(report)
		if err := books.Save(dir); err != nil {
			return false, err
		}
	}
	if status != "" {
		if err := floor.WriteStatus(status, books.Table(report)); err != nil {
			return false, err
		}
	}
	return fallen == nil, nil
}
