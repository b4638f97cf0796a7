// Package ports finds ports of the loopback address for servers that tests start.
package ports

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// The range lies below the ports that systems give to outgoing connections and
// to listeners that ask for any: one of those could take a port after it was
// found to be free and before the server listens.
const (
	lowest  = 10000
	highest = 29999
)

var errNone = errors.New("no free ports in a row")

// Free returns the first of so many free ports in a row; without any, the test fails.
func Free(t testing.TB, row int) int {
	t.Helper()
	port, err := Find(row)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Find is Free for who has no test.
func Find(row int) (int, error) {
	for range 1000 {
		port := lowest + rand.IntN(highest-lowest-row)
		if allFree(port, row) {
			return port, nil
		}
	}
	return 0, errNone
}

func allFree(port, row int) bool {
	for i := range row {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+i)))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}
