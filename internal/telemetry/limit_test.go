package telemetry_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"latchkey/internal/telemetry"
)

func TestErrorsAlikeAreCounted(t *testing.T) {
	var out bytes.Buffer
	log, err := telemetry.NewLogger(&out, telemetry.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		log.Error("request failed")
		log.Warn("another level")
	}
	log.Error("another message")
	if n := strings.Count(out.String(), "request failed"); n < 5 || n > 10 { // a second may end in between
		t.Errorf("%d lines of 100", n)
	}
	if n := strings.Count(out.String(), "another level"); n != 100 {
		t.Errorf("%d warnings of 100", n)
	}
	time.Sleep(1100 * time.Millisecond)
	out.Reset()
	if log.Error("request failed"); !strings.Contains(out.String(), "leftOut=9") {
		t.Errorf("what was left out is not counted: %s", out.String())
	}
	if strings.Contains(out.String(), "another message") {
		t.Error("another message is counted with it")
	}
}

func TestReaderThatStopsOrGoesAway(t *testing.T) {
	r, pipe := io.Pipe()
	w := telemetry.NewWriter(pipe)
	began := time.Now()
	for range 100 {
		_, _ = w.Write([]byte("line\n"))
	}
	if took := time.Since(began); took > 3*time.Second || w.Lost() == 0 {
		t.Errorf("100 lines to nobody took %v, %d are lost", took, w.Lost())
	}
	buf := make([]byte, 100)
	n, err := r.Read(buf)
	if err != nil || string(buf[:n]) != "line\n" {
		t.Fatalf("%q, %v", buf[:n], err)
	}
	lost := w.Lost()
	go func() { time.Sleep(20 * time.Millisecond); _, _ = w.Write([]byte("again\n")) }()
	if n, err = r.Read(buf); err != nil || string(buf[:n]) != "again\n" || w.Lost() != lost {
		t.Errorf("a reader that comes back gets %q, %v", buf[:n], err)
	}
	_ = r.CloseWithError(errors.New("gone"))
	if _, err := w.Write([]byte("line\n")); err != nil || w.Lost() != lost+1 {
		t.Errorf("a reader that is gone: %v, %d lost", err, w.Lost()-lost)
	}
}
