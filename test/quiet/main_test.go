package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	const stream = `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: no PostgreSQL\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`
	const failing = `{"Action":"output","Package":"q","Test":"TestC","Output":"    c_test.go:9: got 1\n"}
{"Action":"fail","Package":"q","Test":"TestC"}
{"Action":"output","Package":"q","Output":"FAIL\tq\t0.1s\n"}
{"Action":"fail","Package":"q"}
`
	for _, c := range []struct {
		stream, want string
		ok           bool
	}{
		{stream, "SKIP p TestA: a_test.go:3: no PostgreSQL\nok  \tp\t0.1s\n", true},
		{failing, "    c_test.go:9: got 1\nFAIL\tq\t0.1s\n", false},
		{`{"Action":"build-output","ImportPath":"r","Output":"r.go:1: oops\n"}` + "\n" + `{"Action":"build-fail","ImportPath":"r"}`,
			"r.go:1: oops\n", false},
	} {
		var out strings.Builder
		if ok := report(strings.NewReader(c.stream), &out); ok != c.ok || out.String() != c.want {
			t.Errorf("got %v %q, want %v %q", ok, out.String(), c.ok, c.want)
		}
	}
}
