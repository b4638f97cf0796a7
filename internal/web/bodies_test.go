package web_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/web"
)

// bounded serves a handler that reads the body and says what became of it; a
// query of "large" allows large bodies, one of "hold" keeps what was read.
func bounded(t *testing.T, b web.Bodies) (url string, letGo func()) {
	t.Helper()
	holding := make(chan struct{})
	srv := httptest.NewServer(b.Limit()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "large") {
			web.AllowLarge(r)
		}
		data, err := web.ReadBody(r)
		if strings.Contains(r.URL.RawQuery, "hold") {
			<-holding
		}
		status := http.StatusOK
		if e, ok := errors.AsType[web.BodyError](err); ok {
			status = int(e)
		} else if err != nil {
			t.Errorf("reading ended in %v, which is no BodyError", err)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, strconv.Itoa(len(data)))
	})))
	var once sync.Once
	letGo = func() { once.Do(func() { close(holding) }) }
	t.Cleanup(func() { letGo(); srv.Close() })
	return srv.URL, letGo
}

func TestBodiesKeepToTheirBounds(t *testing.T) {
	url, _ := bounded(t, web.Bodies{Small: 100, Large: 1000, SmallTime: time.Second, First: 10, HeldFirst: 1 << 20, HeldSmall: 1 << 20,
		HeldLarge: 1 << 20})
	for _, c := range []struct {
		query   string
		size    int
		chunked bool
		want    int
	}{
		{"", 0, false, 200}, {"", 100, false, 200}, {"", 101, false, 413}, {"", 1001, false, 413},
		{"", 100, true, 200}, {"", 101, true, 413}, {"", 100_000, true, 413},
		{"large", 101, false, 200}, {"large", 1000, false, 200}, {"large", 1001, false, 413},
		{"large", 1000, true, 200}, {"large", 1001, true, 413},
	} {
		var sent io.Reader = strings.NewReader(strings.Repeat("x", c.size))
		if c.chunked {
			sent = io.MultiReader(sent)
		}
		res, err := http.Post(url+"?"+c.query, "text/plain", sent)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		got, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != c.want || c.want == 200 && string(got) != strconv.Itoa(c.size) {
			t.Errorf("%+v: %d, %s bytes", c, res.StatusCode, got)
		}
	}
}

// open sends a request's head and some of its body.
func open(t *testing.T, url, query, head, sent string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_, err = io.WriteString(c, "POST /?"+query+" HTTP/1.1\r\nHost: x\r\n"+head+"\r\n\r\n"+sent)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answerOf(t *testing.T, c net.Conn) *http.Response {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res
}

func TestBodiesThatDoNotCome(t *testing.T) {
	url, _ := bounded(t, web.Bodies{Small: 100, Large: 100, SmallTime: 50 * time.Millisecond, First: 10, HeldFirst: 1 << 20,
		HeldSmall: 1 << 20, HeldLarge: 1 << 20})
	if got := answerOf(t, open(t, url, "", "Content-Length: 20", "0123456789")).StatusCode; got != http.StatusRequestTimeout {
		t.Errorf("half a body: %d, want 408", got)
	}
	if got := answerOf(t, open(t, url, "", "Transfer-Encoding: chunked", "a\r\n0123456789\r\nno size\r\n")).
		StatusCode; got != http.StatusBadRequest {
		t.Errorf("broken chunks: %d, want 400", got)
	}
	// The time is for the body: a request that came whole may be worked on longer.
	res := answerOf(t, open(t, url, "", "Content-Length: 4", "0123"))
	if res.StatusCode != http.StatusOK {
		t.Errorf("a whole body: %d", res.StatusCode)
	}
}

func TestBodiesShareWhatMayBeHeld(t *testing.T) {
	url, letGo := bounded(t, web.Bodies{Small: 100, Large: 1000, SmallTime: time.Minute, First: 10, HeldFirst: 1000,
		HeldSmall: 180, HeldLarge: 1000})
	status := func(query string, size int) int {
		res, err := http.Post(url+"?"+query, "text/plain", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") == "" {
			t.Error("503 does not say when to come again")
		}
		return res.StatusCode
	}
	for range 2 { // each holds 10 of the first and 90 of the rest
		open(t, url, "hold", "Content-Length: 100", strings.Repeat("x", 100))
	}
	deadline := time.Now().Add(5 * time.Second)
	for status("", 100) != http.StatusServiceUnavailable {
		if time.Now().After(deadline) {
			t.Fatal("a third large body is still read")
		}
	}
	if got := status("", 10); got != http.StatusOK {
		t.Errorf("a body as small as a login's beside them: %d", got)
	}
	if got := status("large", 1000); got != http.StatusOK {
		t.Errorf("an administrator's beside them: %d", got)
	}
	letGo()
	for status("", 100) != http.StatusOK {
		if time.Now().After(deadline) {
			t.Fatal("what was held is not given back")
		}
	}
}

// A connection whose requests could be read in two ways is not used again.
func TestChunkedBodiesCloseTheConnection(t *testing.T) {
	url, _ := bounded(t, web.DefaultBodies)
	for head, closed := range map[string]bool{
		"Content-Length: 4": false, "Transfer-Encoding: chunked": true, "Content-Length: 4\r\nTransfer-Encoding: chunked": true,
	} {
		res := answerOf(t, open(t, url, "", head, "0\r\n\r\n"))
		if res.Close != closed {
			t.Errorf("%q: closed is %v, want %v", head, res.Close, closed)
		}
	}
}
