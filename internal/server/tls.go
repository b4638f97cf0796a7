package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"latchkey/internal/telemetry"
)

// reloadEvery bounds how often the TLS files are looked at.
const reloadEvery = time.Second

// certificate is a pair of TLS files that is read again when one changes. A
// pair that cannot be read, as while it is being replaced, leaves the one
// before in use.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	stamp  string // sizes and times of the files when loaded
	looked time.Time
}

func loadCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("TLS files: %w", err)
	}
	c.loaded, c.stamp, c.looked = &pair, c.stat(), time.Now()
	return c, nil
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current(time.Now()), nil
		},
	}
}

func (c *certificate) current(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.looked) < reloadEvery {
		return c.loaded
	}
	c.looked = now
	stamp := c.stat()
	if stamp == c.stamp {
		return c.loaded
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		c.log.Warn("the TLS files changed and cannot be read; the certificate before stays in use", telemetry.KeyError, err)
		return c.loaded
	}
	c.loaded, c.stamp = &pair, stamp
	c.log.Info("TLS files read again")
	return c.loaded
}

func (c *certificate) stat() string {
	stamp := ""
	for _, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			stamp += fmt.Sprint(info.Size(), info.ModTime().UnixNano(), ";")
		}
	}
	return stamp
}
