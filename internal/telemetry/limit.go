package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// maxAlike is how many errors of one message are logged in a second: a database
// that is away fails every request alike. What is left out is counted by the
// next line.
const maxAlike = 5

// KeyAlike is how many lines of the same message were left out before.
const KeyAlike = "leftOut"

type limiter struct {
	slog.Handler
	seen *alike
}

type alike struct {
	mu sync.Mutex
	by map[string]*burst // by message; messages are constants of the program
}

type burst struct {
	since      time.Time
	n, leftOut int
}

func limited(h slog.Handler) slog.Handler { return limiter{h, &alike{by: map[string]*burst{}}} }

func (l limiter) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelError {
		return l.Handler.Handle(ctx, r)
	}
	l.seen.mu.Lock()
	b := l.seen.by[r.Message]
	if b == nil {
		b = new(burst)
		l.seen.by[r.Message] = b
	}
	if r.Time.Sub(b.since) >= time.Second {
		b.since, b.n = r.Time, 0
	}
	b.n++
	out, leftOut := b.n > maxAlike, b.leftOut
	if out {
		b.leftOut++
	} else {
		b.leftOut = 0
	}
	l.seen.mu.Unlock()
	if out {
		return nil
	}
	if leftOut > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int(KeyAlike, leftOut))
	}
	return l.Handler.Handle(ctx, r)
}

func (l limiter) WithAttrs(attrs []slog.Attr) slog.Handler {
	return limiter{l.Handler.WithAttrs(attrs), l.seen}
}

func (l limiter) WithGroup(name string) slog.Handler {
	return limiter{l.Handler.WithGroup(name), l.seen}
}
