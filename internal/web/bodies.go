package web

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// Bodies says what request bodies may cost: one place for every bound on what
// is held and waited for while a body is read. The bounds on bytes are of what
// was read from connections; what is parsed of it is a small multiple.
type Bodies struct {
	// Small bounds one body whose sender is unknown, in bytes, Large one whose
	// sender may do what they ask for (see AllowLarge).
	Small, Large int64
	// SmallTime is how long a small body may take to come. A large one has the
	// time of its connection.
	SmallTime time.Duration
	// First bytes of each body count against HeldFirst, what follows against
	// HeldSmall, and all of large bodies against HeldLarge: so that nobody who
	// holds large bodies open keeps out the few hundred bytes of a login.
	First                           int64
	HeldFirst, HeldSmall, HeldLarge int64
}

// DefaultBodies is what the server goes by. The reference takes 10 MB
// everywhere, 128 KiB of one parameter of a form (see maxValue).
var DefaultBodies = Bodies{
	Small: 256 << 10, Large: 10 << 20, SmallTime: 15 * time.Second,
	First: 16 << 10, HeldFirst: 64 << 20, HeldSmall: 64 << 20, HeldLarge: 256 << 20,
}

// A BodyError says why a body was not read: it is the status to answer with,
// 400, 408, 413 or 503. None is a fault of the server.
type BodyError int

func (e BodyError) Error() string { return "the body was not read: " + http.StatusText(int(e)) }

// What reading a body can end in.
const (
	ErrCutOff   BodyError = http.StatusBadRequest            // the connection broke, or the body is not framed as its headers say
	ErrTooSlow  BodyError = http.StatusRequestTimeout        // it took longer than it may
	ErrTooLarge BodyError = http.StatusRequestEntityTooLarge // larger than its sender may send
	ErrTooMany  BodyError = http.StatusServiceUnavailable    // other requests hold all that may be held
)

// Limit refuses bodies of more than Large bytes at once where the length is
// announced, and makes what readers of this package read of others keep to the
// bounds. What a request holds is given back when it is answered.
func (b Bodies) Limit() Middleware {
	held := new(held)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength > b.Large {
				w.Header().Set("Connection", "close")
				WriteStatus(w, http.StatusRequestEntityTooLarge)
				return
			}
			if r.Body == nil || r.Body == http.NoBody {
				next.ServeHTTP(w, r)
				return
			}
			if r.ContentLength < 0 && r.ProtoMajor == 1 {
				// Where a Content-Length stood beside the chunks, which net/http hides,
				// a proxy in front may have read another request (RFC 9112, section 6.1).
				w.Header().Set("Connection", "close")
			}
			body := &body{bounds: &b, held: held, inner: r.Body, w: w, length: r.ContentLength}
			r.Body = body
			defer body.release()
			next.ServeHTTP(w, r)
		})
	}
}

// AllowLarge lets a body be as large as bodies may be: its sender is known and
// may do what the request asks for. It comes before the body is read.
func AllowLarge(r *http.Request) {
	if b, ok := r.Body.(*body); ok {
		b.large = true
	}
}

// held counts the bytes of bodies that are in memory.
type held struct{ first, small, large atomic.Int64 }

// take counts n bytes more unless that is more than may be held.
func take(count *atomic.Int64, n, most int64) bool {
	if count.Add(n) <= most {
		return true
	}
	count.Add(-n)
	return false
}

// A body is a request's, read within bounds by one goroutine.
type body struct {
	bounds *Bodies
	held   *held
	inner  io.ReadCloser
	w      http.ResponseWriter
	length int64 // that was announced, -1 if none was
	large  bool

	read                int64
	first, small, whole int64 // bytes that are counted in held
	timed               bool  // the connection has the deadline of a small body
	err                 error // what reading has ended in
}

// most is how many bytes there may be.
func (b *body) most() int64 {
	if b.large {
		return b.bounds.Large
	}
	return b.bounds.Small
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.length > b.most() {
		return 0, b.refuse(ErrTooLarge)
	}
	if !b.timed && !b.large && b.read == 0 {
		b.timed = http.NewResponseController(b.w).SetReadDeadline(time.Now().Add(b.bounds.SmallTime)) == nil
	}
	if room := b.most() + 1 - b.read; int64(len(p)) > room { // one more tells a body that ends at the bound from one that does not
		p = p[:room]
	}
	n, err := b.inner.Read(p)
	b.read += int64(n)
	switch {
	case b.read > b.most():
		return 0, b.refuse(ErrTooLarge)
	case !b.take(int64(n)):
		return 0, b.refuse(ErrTooMany)
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		b.err = io.EOF
		if b.timed { // else the connection would be taken for broken while the request is worked on
			_ = http.NewResponseController(b.w).SetReadDeadline(time.Time{})
		}
		return n, io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, b.refuse(ErrTooSlow)
	}
	return n, b.refuse(ErrCutOff)
}

// take counts n bytes that were read; false when others hold too many.
func (b *body) take(n int64) bool {
	if b.large {
		if !take(&b.held.large, n, b.bounds.HeldLarge) {
			return false
		}
		b.whole += n
		return true
	}
	first := max(min(n, b.bounds.First-b.first), 0)
	if !take(&b.held.first, first, b.bounds.HeldFirst) {
		return false
	}
	b.first += first
	if !take(&b.held.small, n-first, b.bounds.HeldSmall) {
		return false
	}
	b.small += n - first
	return true
}

// refuse ends the reading. The rest of the body is not waited for.
func (b *body) refuse(e BodyError) error {
	b.err = e
	b.w.Header().Set("Connection", "close")
	if e == ErrTooMany {
		b.w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	return e
}

// retryAfter is when to come again after a refusal for want of room, in seconds.
const retryAfter = 5

func (b *body) release() {
	b.held.first.Add(-b.first)
	b.held.small.Add(-b.small)
	b.held.large.Add(-b.whole)
	b.first, b.small, b.whole = 0, 0, 0
}

func (b *body) Close() error { return b.inner.Close() }
