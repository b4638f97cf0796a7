package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"latchkey/internal/telemetry"
)

// Middleware wraps a handler.
type Middleware func(http.Handler) http.Handler

// Chain puts the middleware around h, the first outermost.
func Chain(h http.Handler, ms ...Middleware) http.Handler {
	for i := len(ms) - 1; i >= 0; i-- {
		h = ms[i](h)
	}
	return h
}

// Identify finds out who asks and how the server was addressed (see RequestOf)
// and cuts the relative path ("" or "/auth") from the request's path; what lies
// outside of it is answered 404. A Host that could not stand in an address is
// answered 400.
func Identify(p Proxy, relative string) Middleware {
	relative = strings.TrimRight(relative, "/")
	return func(next http.Handler) http.Handler {
		inner := next
		if relative != "" {
			strip := http.StripPrefix(relative, next)
			inner = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == relative {
					r.URL.Path, r.URL.RawPath = relative+"/", ""
				}
				if !strings.HasPrefix(r.URL.Path, relative+"/") {
					WriteStatus(w, http.StatusNotFound)
					return
				}
				strip.ServeHTTP(w, r)
			})
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			q := p.read(r, relative)
			if !validHost(q.Host) {
				WriteStatus(w, http.StatusBadRequest)
				return
			}
			inner.ServeHTTP(w, withRequest(r, q))
		})
	}
}

// Observe calls seen after each request with what was answered; route is the
// mux's pattern, empty where none matched.
func Observe(now func() time.Time, seen func(r *http.Request, route string, status int, took time.Duration)) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := now()
			sw := &statusWriter{ResponseWriter: w}
			defer func() { seen(r, r.Pattern, sw.answered(), now().Sub(start)) }()
			next.ServeHTTP(sw, r)
		})
	}
}

// AccessLog is a function for Observe that writes a line for each request,
// without its query, which may carry codes and tokens.
func AccessLog(log *slog.Logger) func(*http.Request, string, int, time.Duration) {
	return func(r *http.Request, route string, status int, took time.Duration) {
		q := RequestOf(r)
		log.LogAttrs(r.Context(), slog.LevelInfo, "request",
			slog.String(telemetry.KeyRequest, q.ID), slog.String(telemetry.KeyAddr, q.Addr),
			slog.String(telemetry.KeyMethod, r.Method), slog.String(telemetry.KeyPath, r.URL.Path),
			slog.String(telemetry.KeyRoute, route), slog.Int(telemetry.KeyStatus, status),
			slog.Float64(telemetry.KeyDuration, float64(took.Microseconds())/1000))
	}
}

// Recover turns a panic into a logged 500 in the reference's words with the
// request's id; what went wrong stays in the log.
func Recover(log *slog.Logger) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sw := &statusWriter{ResponseWriter: w}
			defer func() {
				p := recover()
				if p == nil {
					return
				}
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
				log.LogAttrs(r.Context(), slog.LevelError, "panic",
					slog.String(telemetry.KeyRequest, RequestOf(r).ID), slog.String(telemetry.KeyMethod, r.Method),
					slog.String(telemetry.KeyPath, r.URL.Path), slog.Any(telemetry.KeyError, p), slog.String(telemetry.KeyStack, string(debug.Stack())))
				if sw.status != 0 {
					panic(http.ErrAbortHandler) // half an answer is out: only a cut connection tells the client
				}
				WriteInternal(w, r)
			}()
			next.ServeHTTP(sw, r)
		})
	}
}

// Deadline ends the context of each request after d, so that a database that
// hangs holds no request for ever.
func Deadline(d time.Duration) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), d)
			defer cancel()
			r2 := r.WithContext(ctx) // a copy, so what the mux notes in it is carried back for Observe
			defer func() { r.Pattern = r2.Pattern }()
			next.ServeHTTP(w, r2)
		})
	}
}

// Fallback serves the mux and gives what matched none of its patterns to the
// function, with 404 or 405. ServeMux itself would answer in plain text.
func Fallback(mux *http.ServeMux, unmatched func(w http.ResponseWriter, r *http.Request, status int)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(&fallbackWriter{ResponseWriter: w, r: r, unmatched: unmatched}, r)
	})
}

type fallbackWriter struct {
	http.ResponseWriter
	r         *http.Request
	unmatched func(http.ResponseWriter, *http.Request, int)
	swallow   bool
}

func (w *fallbackWriter) WriteHeader(status int) {
	if w.r.Pattern == "" && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed) {
		w.swallow = true
		for _, name := range []string{"Content-Type", "Content-Length", "X-Content-Type-Options", "Allow"} {
			if name != "Allow" || w.r.Method != http.MethodOptions {
				w.Header().Del(name) // the mux's own, which the reference does not send
			}
		}
		w.unmatched(w.ResponseWriter, w.r, status)
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *fallbackWriter) Write(b []byte) (int, error) {
	if w.swallow {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

func (w *fallbackWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// statusWriter remembers the status that was written.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) answered() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
