package ports

import (
	"net"
	"strconv"
	"testing"
)

// Where a port is taken, no row that holds it is given.
func TestTakenPortsAreNotGiven(t *testing.T) {
	first := Free(t, 3)
	if first < lowest || first+2 > highest {
		t.Errorf("%d is not in the range", first)
	}
	if !allFree(first, 3) {
		t.Fatalf("%d to %d are given and not free", first, first+2)
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(first+1)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if allFree(first, 3) {
		t.Errorf("%d to %d count as free, and %d is taken", first, first+2, first+1)
	}
	if !allFree(first, 1) {
		t.Errorf("%d counts as taken", first)
	}
}
