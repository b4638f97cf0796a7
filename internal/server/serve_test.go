package server

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/internal/web"
)

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// start runs a server made from the options and returns its address and a
// function that stops it and returns what Run returned.
func start(t *testing.T, cfg Config, prepare func(*Server)) (address string, log *syncBuffer, stop func() error) {
	t.Helper()
	ready := make(chan string, 1)
	cfg.Ready = func(a string) { ready <- a }
	log = &syncBuffer{}
	cfg.LogTo, cfg.DataDir = log, t.TempDir()
	cfg.HTTP.Port, cfg.HTTP.TLSPort, cfg.Management.Port = 0, 0, 0
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); err := <-done; return errors.Join(err, s.Close()) })
	t.Cleanup(func() { _ = stop() })
	select {
	case address = <-ready:
	case err := <-done:
		t.Fatalf("Run: %v", err)
	}
	return address, log, stop
}

// get returns status and body.
func get(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// writeCert writes a fresh self-signed certificate for 127.0.0.1.
func writeCert(t *testing.T, dir, name string) (certFile, keyFile string, cert *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ = x509.ParseCertificate(der)
	keyDER, _ := x509.MarshalPKCS8PrivateKey(key)
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der},
		keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile, cert
}

func TestServesAndStops(t *testing.T) {
	entered, release := make(chan bool), make(chan bool)
	cfg := DevDefaults()
	cfg.HTTP.RelativePath = "/auth"
	address, log, stop := start(t, cfg, func(s *Server) {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			<-release
			_, _ = io.WriteString(w, s.hostname.URLs(web.RequestOf(r), "").Frontend)
		})
		s.handler, _ = s.front(mux)
	})
	if !strings.HasPrefix(address, "http://127.0.0.1:") || !strings.HasSuffix(address, "/auth") {
		t.Error(address)
	}
	// Oracle: badinput/limits.
	if status, body := get(t, http.DefaultClient, address+"/nonsense"); status != 404 ||
		body != `{"error":"Unable to find matching target resource method"}` {
		t.Error(status, body)
	}
	answer := make(chan string, 1)
	go func() {
		_, body := get(t, http.DefaultClient, address+"/slow")
		answer <- body
	}()
	<-entered
	time.AfterFunc(50*time.Millisecond, func() { close(release) })
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got := <-answer; got != address {
		t.Errorf("the request under way was answered %q, want %q", got, address)
	}
	if !strings.Contains(log.String(), "listening") || !strings.Contains(log.String(), "stopping") {
		t.Error(log.String())
	}
}

func TestTLSFilesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	cfg := DevDefaults()
	cfg.HTTP.Enabled = false
	var first *x509.Certificate
	cfg.HTTP.CertFile, cfg.HTTP.KeyFile, first = writeCert(t, dir, "first")
	address, log, _ := start(t, cfg, nil)
	served := func(trust *x509.Certificate) (string, error) {
		pool := x509.NewCertPool()
		pool.AddCert(trust)
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, ForceAttemptHTTP2: true,
			TLSClientConfig: &tls.Config{RootCAs: pool}}}
		res, err := client.Get(address + "/")
		if err != nil {
			return "", err
		}
		_ = res.Body.Close()
		return fmt.Sprint(res.Proto, " ", res.TLS.PeerCertificates[0].Subject.CommonName), nil
	}
	if got, err := served(first); err != nil || got != "HTTP/2.0 first" || !strings.HasPrefix(address, "https://") {
		t.Fatal(address, got, err)
	}
	// A half-written pair leaves the first in use, a whole one replaces it.
	if err := os.WriteFile(cfg.HTTP.CertFile, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(reloadEvery)
	if got, err := served(first); err != nil || got != "HTTP/2.0 first" || !strings.Contains(log.String(), "cannot be read") {
		t.Error(got, err, log.String())
	}
	_, _, second := writeCert(t, dir, "second")
	time.Sleep(reloadEvery)
	if got, err := served(second); err != nil || got != "HTTP/2.0 second" {
		t.Error(got, err)
	}
}

func TestManagement(t *testing.T) {
	var gone atomic.Bool
	log := &syncBuffer{}
	cfg := DevDefaults()
	cfg.LogTo, cfg.DataDir = log, t.TempDir()
	cfg.Management.Health, cfg.Management.Metrics = true, true
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.readiness.probe = func(context.Context) error {
		if gone.Load() {
			return errors.New("connection refused")
		}
		return nil
	}
	s.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/nonsense", nil))
	ask := func(path string) string {
		s.readiness.asked = time.Time{} // asks at each request
		w := httptest.NewRecorder()
		s.management().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return fmt.Sprint(w.Code, " ", w.Body)
	}
	// Keycloak: "Tracking instance status with health checks".
	const up = `200 {"status":"UP","checks":[{"name":"Keycloak database connections async health check","status":"UP"}]}`
	const alive = `200 {"status":"UP","checks":[]}`
	expect := func(ready string) {
		t.Helper()
		for path, want := range map[string]string{"/health": ready, "/health/ready": ready, "/health/live": alive, "/health/started": alive} {
			if got := ask(path); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s, want %s", path, got, want)
			}
		}
	}
	expect(up)
	gone.Store(true)
	expect(`503 {"status":"DOWN","checks":[{"name":"Keycloak database connections async health check","status":"DOWN","data":{"Failing since":"`)
	gone.Store(false)
	expect(up)
	if got := log.String(); strings.Count(got, "does not answer") != 1 || strings.Count(got, "the database is back") != 1 {
		t.Error(got)
	}
	if got := ask("/metrics"); !strings.Contains(got, `latchkey_http_requests_total{method="GET",route="none",status="404"} 1`) {
		t.Error(got)
	}
	s.stopping.Store(true)
	if got := ask("/health/ready"); !strings.HasPrefix(got, "503") {
		t.Error(got)
	}
	s.cfg.Management.Metrics = false
	if got := ask("/metrics"); !strings.HasPrefix(got, "404") {
		t.Error(got)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   string // part of the message; empty: no error
	}{
		{"development", func(*Config) {}, ""},
		{"one TLS file", func(c *Config) { c.HTTP.CertFile = "x" }, "go together"},
		{"nowhere to listen", func(c *Config) { c.HTTP.Enabled = false }, "nothing to listen on"},
		{"strict without a name", func(c *Config) { c.Hostname.Strict = true }, "hostname is not configured"},
		{"proxy header", func(c *Config) { c.Proxy.Headers = "x-real-ip" }, "unknown proxy-headers"},
		{"proxy addresses", func(c *Config) { c.Proxy = ProxyConfig{"forwarded", "10.0.0.0/99"} }, "proxy-trusted-addresses"},
		{"addresses without headers", func(c *Config) { c.Proxy.Trusted = "10.0.0.1" }, "needs proxy-headers"},
		{"level", func(c *Config) { c.Log.Level = "loud" }, "unknown log level"},
		{"half an administrator", func(c *Config) { c.Bootstrap.Password = nil }, "go together"},
		{"half a client", func(c *Config) { c.Bootstrap.ClientID = "x" }, "go together"},
		{"engine", func(c *Config) { c.DB.Engine = "oracle" }, "unknown database"},
		{"PostgreSQL without address", func(c *Config) { c.DB.Engine = Postgres }, "needs db-url"},
		{"PostgreSQL without key", func(c *Config) { c.DB = DBConfig{Engine: Postgres, URL: "postgres://h/d"} }, "needs seal-key-file"},
		{"PostgreSQL", func(c *Config) { c.DB, c.SealKeyFile = DBConfig{Engine: Postgres, URL: "postgres://h/d"}, "k" }, ""},
		{"relative path", func(c *Config) { c.HTTP.RelativePath = "auth" }, "slash"},
	} {
		cfg := DevDefaults()
		c.change(&cfg)
		err := cfg.Check()
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := Defaults().Check(); err == nil {
		t.Error("a production server without TLS and name was accepted")
	}
}
