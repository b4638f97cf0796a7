package telemetry

import (
	"io"
	"sync/atomic"
	"time"
)

// patience is how long a line waits for whoever reads the log.
const patience = time.Second

// A Writer hands lines to a writer that may be stuck or gone: who logs waits
// for it no longer than patience, and not at all while it is stuck. Lines that
// cannot be written are counted.
type Writer struct {
	to    io.Writer
	turn  chan struct{} // holds who writes
	stuck atomic.Bool
	lost  atomic.Int64
}

// NewWriter makes a Writer on another.
func NewWriter(to io.Writer) *Writer { return &Writer{to: to, turn: make(chan struct{}, 1)} }

// Lost is how many lines could not be written.
func (w *Writer) Lost() int64 { return w.lost.Load() }

// Write writes one line. It never fails.
func (w *Writer) Write(line []byte) (int, error) {
	if w.stuck.Load() {
		w.lost.Add(1)
		return len(line), nil
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case w.turn <- struct{}{}:
	case <-late.C:
		w.lost.Add(1)
		return len(line), nil
	}
	done := make(chan struct{})
	own := append([]byte(nil), line...) // the caller's buffer is used again
	go func() {
		if _, err := w.to.Write(own); err != nil {
			w.lost.Add(1)
		}
		w.stuck.Store(false)
		<-w.turn
		close(done)
	}()
	select {
	case <-done:
	case <-late.C:
		w.stuck.Store(true)
		select {
		case <-done: // it came just now
			w.stuck.Store(false)
		default:
		}
	}
	return len(line), nil
}
