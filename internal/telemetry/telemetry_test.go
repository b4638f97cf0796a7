package telemetry_test

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"latchkey/internal/telemetry"
)

func TestLoggerForms(t *testing.T) {
	for _, c := range []struct {
		o          telemetry.LogOptions
		want, miss string
	}{
		{telemetry.LogOptions{}, "level=INFO msg=hello realm=acme password=***", "hunter2"},
		{telemetry.LogOptions{JSON: true}, `"realm":"acme","password":"***"`, "hunter2"},
		{telemetry.LogOptions{Level: "WARN"}, "", "hello"},
		{telemetry.LogOptions{Level: "error,org.keycloak:debug"}, "", "hello"},
		{telemetry.LogOptions{Level: "org.keycloak:error"}, "hello", "hunter2"},
	} {
		var b strings.Builder
		log, err := telemetry.NewLogger(&b, c.o)
		if err != nil {
			t.Fatal(err)
		}
		log.Info("hello", telemetry.KeyRealm, "acme", slog.String("password", "hunter2"))
		if !strings.Contains(b.String(), c.want) || strings.Contains(b.String(), c.miss) {
			t.Errorf("%+v: %s", c.o, b.String())
		}
	}
	if _, err := telemetry.NewLogger(nil, telemetry.LogOptions{Level: "loud"}); err == nil {
		t.Error("an unknown level was accepted")
	}
}

func TestMetricsAreBounded(t *testing.T) {
	m := telemetry.NewMetrics()
	m.Request("GET", "GET /realms/{realm}", 200, 3*time.Millisecond)
	m.Request("BREW", "", 404, time.Millisecond)
	m.Event("LOGIN", "")
	m.Delivery("webhook", "failed")
	if err := m.Gauge("up", "Whether it is.", func() float64 { return 1 }); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`latchkey_http_requests_total{method="GET",route="GET /realms/{realm}",status="200"} 1`,
		`latchkey_http_requests_total{method="other",route="none",status="404"} 1`,
		`latchkey_http_request_seconds_bucket{route="GET /realms/{realm}",le="0.005"} 1`,
		`latchkey_events_total{error="",type="LOGIN"} 1`,
		`latchkey_deliveries_total{kind="webhook",outcome="failed"} 1`,
		"latchkey_up 1", "go_goroutines", "process_",
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s", want)
		}
	}
	var none *telemetry.Metrics
	none.Request("GET", "", 200, 0)
	none.Event("", "")
	none.Delivery("", "")
}
