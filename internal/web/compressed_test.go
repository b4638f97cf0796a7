package web

import (
	"compress/gzip"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestLargeAnswersAreCompressedForWhoTakesThat(t *testing.T) {
	for _, c := range []struct {
		accept string
		size   int
		want   string
	}{
		{"gzip", 100, ""}, {"gzip", compressed, "gzip"}, {"", compressed, ""}, {"br, gzip;q=0.5", compressed, "gzip"},
		{"gzip;q=0", compressed, ""},
		{"GZIP ; q=1", compressed, "gzip"}, {"gzip;q=x", compressed, ""}, {"xgzip", compressed, ""}, {"br", compressed, ""},
	} {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("Accept-Encoding", c.accept)
		text := strings.Repeat("a", c.size)
		if err := WriteLargeJSON(w, r, text); err != nil {
			t.Fatal(err)
		}
		body := io.Reader(w.Body)
		if got := w.Header().Get("Content-Encoding"); got != c.want {
			t.Errorf("%q takes %q, want %q", c.accept, got, c.want)
		} else if got == "gzip" {
			z, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			body = z
		}
		if b, err := io.ReadAll(body); err != nil || string(b) != `"`+text+`"` {
			t.Errorf("%q reads %d bytes, %v", c.accept, len(b), err)
		}
		if large := c.size >= compressed; (w.Header().Get("Vary") == "Accept-Encoding") != large {
			t.Errorf("%q of %d bytes varies by %q", c.accept, c.size, w.Header().Get("Vary"))
		}
	}
}
