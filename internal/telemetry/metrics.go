package telemetry

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is the server's own registry and every series in it. A nil *Metrics
// counts nothing, so that a room can be used without one.
type Metrics struct {
	registry   *prometheus.Registry
	requests   *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	events     *prometheus.CounterVec
	deliveries *prometheus.CounterVec
	jobs       *prometheus.CounterVec
	jobLast    *prometheus.GaugeVec
	jobSeconds *prometheus.GaugeVec
}

// NewMetrics makes a registry with the Go runtime's and the process's series
// and Latchkey's own.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latchkey_http_requests_total", Help: "Requests answered, by method, route and status.",
		}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "latchkey_http_request_seconds", Help: "Time to answer, by route.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latchkey_events_total", Help: "User events, by type and error: logins, token requests and whatever else a realm could write " +
				"down, stored or not.",
		}, []string{"type", "error"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latchkey_deliveries_total", Help: "Attempts to tell other servers something, by kind (backchannel-logout, webhook) and outcome " +
				"(delivered, failed, given up).",
		}, []string{"kind", "outcome"}),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latchkey_job_runs_total", Help: "Runs of periodic work on this node, by job and outcome (done, failed).",
		}, []string{"job", "outcome"}),
		jobLast: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "latchkey_job_last_done_timestamp_seconds", Help: "When a job last ended without an error on this node, in seconds since 1970.",
		}, []string{"job"}),
		jobSeconds: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "latchkey_job_last_seconds", Help: "How long the last run of a job took on this node.",
		}, []string{"job"}),
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.requests, m.seconds, m.events, m.deliveries, m.jobs, m.jobLast, m.jobSeconds)
	return m
}

// Request counts an answered request. An empty route stands for "no route
// matched" and is counted as such, so that a scanner cannot grow the label.
func (m *Metrics) Request(method, route string, status int, took time.Duration) {
	if m == nil {
		return
	}
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(boundedMethod(method), route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// Event counts a user event by Keycloak's type and error words.
func (m *Metrics) Event(kind, failure string) {
	if m != nil {
		m.events.WithLabelValues(kind, failure).Inc()
	}
}

// Delivery counts an attempt to tell another server something.
func (m *Metrics) Delivery(kind, outcome string) {
	if m != nil {
		m.deliveries.WithLabelValues(kind, outcome).Inc()
	}
}

// Job runs periodic work and notes how it ended.
func (m *Metrics) Job(name string, run func() error) error {
	if m == nil {
		return run()
	}
	began := time.Now()
	err := run()
	ended := time.Now()
	m.jobSeconds.WithLabelValues(name).Set(ended.Sub(began).Seconds())
	if err != nil {
		m.jobs.WithLabelValues(name, "failed").Inc()
		return err
	}
	m.jobs.WithLabelValues(name, "done").Inc()
	m.jobLast.WithLabelValues(name).Set(float64(ended.UnixMilli()) / 1000)
	return nil
}

// Gauge registers a value that is read when the metrics are; name gets the
// prefix latchkey_. Registering a name twice is an error.
func (m *Metrics) Gauge(name, help string, read func() float64) error {
	return m.registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "latchkey_" + name, Help: help}, read))
}

// Handler serves the registry in Prometheus' text form.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// boundedMethod keeps invented methods from growing the label.
func boundedMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodHead, http.MethodOptions:
		return method
	}
	return "other"
}
