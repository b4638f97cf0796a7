package server

import (
	"context"
	"net/http"
	"sync"
	"time"

	"latchkey/internal/telemetry"
	"latchkey/internal/web"
)

const (
	probeTimeout = 2 * time.Second // then a database counts as gone
	probePause   = time.Second     // between two questions to it, however many ask for them
)

// health is Keycloak's (MicroProfile Health's) document.
type health struct {
	Status string        `json:"status"`
	Checks []healthCheck `json:"checks"`
}

type healthCheck struct {
	Name   string            `json:"name"`
	Status string            `json:"status"`
	Data   map[string]string `json:"data,omitempty"`
}

// databaseCheck has the name by which monitoring of the reference knows it.
const databaseCheck = "Keycloak database connections async health check"

// management serves /health... and /metrics, as far as they are on.
func (s *Server) management() http.Handler {
	mux := http.NewServeMux()
	if s.cfg.Management.Health {
		alive := func(w http.ResponseWriter, _ *http.Request) { writeHealth(w, nil) }
		mux.HandleFunc("GET /health/live", alive)
		mux.HandleFunc("GET /health/started", alive) // whoever listens has started
		ready := func(w http.ResponseWriter, r *http.Request) { writeHealth(w, s.readiness.checks(r.Context(), s)) }
		mux.HandleFunc("GET /health", ready)
		mux.HandleFunc("GET /health/ready", ready)
	}
	if s.cfg.Management.Metrics {
		mux.Handle("GET /metrics", s.metrics.Handler())
	}
	return web.Chain(mux, web.Recover(s.log), web.Deadline(10*time.Second))
}

func writeHealth(w http.ResponseWriter, checks []healthCheck) {
	doc, status := health{Status: "UP", Checks: checks}, http.StatusOK
	for _, c := range checks {
		if c.Status != "UP" {
			doc.Status, status = "DOWN", http.StatusServiceUnavailable
		}
	}
	_ = web.WriteJSON(w, status, doc)
}

// readiness asks the database to write something: one that is read-only or full
// answers reads. It remembers since when the database fails, for the document
// and so that the log says it once.
type readiness struct {
	probe func(context.Context) error
	mu    sync.Mutex
	asked time.Time
	err   error     // of that time
	since time.Time // zero while all is well
}

func (h *readiness) checks(ctx context.Context, s *Server) []healthCheck {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := time.Now(); now.Sub(h.asked) >= probePause {
		// Others wait for this answer, too.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
		defer cancel()
		h.err, h.asked = h.probe(ctx), now
	}
	err := h.err
	check := healthCheck{Name: databaseCheck, Status: "UP"}
	switch {
	case err == nil && !h.since.IsZero():
		s.log.Info("the database is back", "after", time.Since(h.since).Round(time.Second).String())
		h.since = time.Time{}
	case err != nil && h.since.IsZero():
		h.since = time.Now()
		s.log.Error("the database does not answer, or takes no writes", telemetry.KeyError, err)
	}
	if err != nil {
		check.Status = "DOWN"
		check.Data = map[string]string{"Failing since": h.since.UTC().Format(time.RFC3339)}
	}
	checks := []healthCheck{check}
	if s.stopping.Load() {
		checks = append(checks, healthCheck{Name: "Graceful Shutdown", Status: "DOWN"})
	}
	return checks
}
