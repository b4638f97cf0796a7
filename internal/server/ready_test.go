package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"latchkey/internal/store/pgtest"
)

// A database that is gone takes the node out of service, and it comes back by
// itself when the database does.
func TestReadyFollowsTheDatabase(t *testing.T) {
	pg := pgtest.Start(t, pgtest.Options{})
	cfg := DevDefaults()
	cfg.LogTo, cfg.DataDir = io.Discard, t.TempDir()
	cfg.DB = DBConfig{Engine: Postgres, URL: pg.URL("postgres")}
	cfg.SealKeyFile = filepath.Join(cfg.DataDir, "seal-key")
	cfg.Management.Health = true
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ready := func() int {
		w := httptest.NewRecorder()
		s.management().ServeHTTP(w, httptest.NewRequest("GET", "/health/ready", nil))
		return w.Code
	}
	until := func(want int) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ready() != want; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("never answered %d", want)
			}
		}
	}
	until(http.StatusOK)
	pg.Stop()
	until(http.StatusServiceUnavailable)
	pg.Restart(t)
	until(http.StatusOK)
}
