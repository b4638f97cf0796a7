package clientauth

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
)

// Key sets that cannot be had cost the other server no more than those that can.
func TestFailingKeySetsAreNotAskedForEachTime(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"an error":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"no key set":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"a key set":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) },
		"a redirect":   func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"a broken end": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked.Add(1); answer(w, r) }))
			defer s.Close()
			now := time.Now()
			f := newKeyFetcher(func() time.Time { return now })
			realm := &realms.Realm{Realm: iam.Realm{ID: "r"}}
			for round := int64(1); round <= 3; round++ {
				_, first := f.fetch(t.Context(), realm, s.URL, iam.ReachAll, "kid")
				for range 10 {
					if _, err := f.fetch(t.Context(), realm, s.URL, iam.ReachAll, "kid"); (err == nil) != (first == nil) {
						t.Errorf("first %v, then %v", first, err)
					}
				}
				if asked.Load() != round {
					t.Fatalf("asked %d times in %d pauses", asked.Load(), round)
				}
				now = now.Add(keySetPause)
			}
		})
	}
}
