package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"latchkey/internal/jobs"
	"latchkey/internal/jose"
	"latchkey/internal/telemetry"
	"latchkey/internal/web"
)

// Limits of a connection, whatever the handler does.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 2 * time.Minute // a large realm file over a slow line
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// Run listens until the context ends, then lets the requests under way finish
// (HTTP.StopTimeout at most) and returns. It does not close the server.
func (s *Server) Run(ctx context.Context) error {
	defer reserve()()
	var files *certificate
	if s.cfg.HTTP.TLS() {
		var err error
		if files, err = loadCertificate(s.cfg.HTTP.CertFile, s.cfg.HTTP.KeyFile, s.log); err != nil {
			return err
		}
	}
	var listeners []*listener
	closeAll := func() {
		for _, l := range listeners {
			_ = l.ln.Close()
		}
	}
	open := func(name, host string, port int, h http.Handler, tlsFiles *certificate) error {
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if tlsFiles != nil {
			ln = tls.NewListener(ln, tlsFiles.config())
		}
		listeners = append(listeners, &listener{name: name, ln: ln, secure: tlsFiles != nil, srv: s.httpServer(h)})
		return nil
	}
	var errs []error
	if s.cfg.HTTP.Enabled {
		errs = append(errs, open("http", s.cfg.HTTP.Host, s.cfg.HTTP.Port, s.handler, nil))
	}
	if files != nil {
		errs = append(errs, open("https", s.cfg.HTTP.Host, s.cfg.HTTP.TLSPort, s.handler, files))
	}
	if m := s.cfg.Management; m.Health || m.Metrics {
		if m.Plain {
			files = nil
		}
		errs = append(errs, open("management", m.Host, m.Port, s.management(), files))
	}
	if err := errors.Join(errs...); err != nil {
		closeAll()
		return err
	}
	return s.serve(ctx, listeners)
}

type listener struct {
	name   string
	ln     net.Listener
	secure bool
	srv    *http.Server
}

// address is what to type into a browser on this machine.
func (l *listener) address(relative string) string {
	scheme, host := "http", ""
	if l.secure {
		scheme = "https"
	}
	if tcp, ok := l.ln.Addr().(*net.TCPAddr); ok {
		host = net.JoinHostPort(tcp.IP.String(), strconv.Itoa(tcp.Port))
		if tcp.IP.IsUnspecified() {
			host = net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
		}
	}
	return scheme + "://" + host + relative
}

func (s *Server) serve(ctx context.Context, listeners []*listener) error {
	group, ctx := errgroup.WithContext(ctx)
	// What runs beside the requests ends after them: they leave it work to do.
	working, done := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error { jobs.New(s.db, s.log, s.metrics).Run(working, s.jobs); return nil })
	s.log.Info("starting", "rsa", jose.RSA())
	for _, l := range listeners {
		s.log.Info("listening", "on", l.name, telemetry.KeyAddr, l.address(""))
		group.Go(func() error {
			if err := l.srv.Serve(l.ln); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("%s: %w", l.name, err)
			}
			return nil
		})
	}
	if s.setup != nil {
		s.cfg.SetupLink(s.setup.address(listeners[0].address(s.cfg.HTTP.RelativePath), s.cfg.Hostname.Hostname))
	}
	if s.cfg.Ready != nil {
		s.cfg.Ready(listeners[0].address(s.cfg.HTTP.RelativePath))
	}
	group.Go(func() error {
		<-ctx.Done()
		defer done()
		s.stopping.Store(true)
		s.log.Info("stopping")
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.HTTP.StopTimeout)
		defer cancel()
		for _, l := range listeners {
			if err := l.srv.Shutdown(grace); err != nil {
				s.log.Warn("requests were cut off", "on", l.name, telemetry.KeyError, err)
				_ = l.srv.Close()
			}
		}
		return nil
	})
	return group.Wait()
}

func (s *Server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout,
		WriteTimeout: readTimeout + s.cfg.HTTP.Timeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // broken handshakes and the like: no operator's concern
	}
}

// front puts the middleware around the doors.
func (s *Server) front(mux *http.ServeMux) (http.Handler, error) {
	proxy, err := s.cfg.proxy()
	if err != nil {
		return nil, err
	}
	access := web.AccessLog(s.log)
	seen := func(r *http.Request, route string, status int, took time.Duration) {
		s.metrics.Request(r.Method, route, status, took)
		if s.cfg.AccessLog {
			access(r, route, status, took)
		}
	}
	return web.Chain(web.Fallback(mux, s.unmatched),
		web.Identify(proxy, s.cfg.HTTP.RelativePath),
		web.Observe(time.Now, seen),
		web.Recover(s.log),
		web.Gate,
		web.DefaultBodies.Limit(),
		web.Deadline(s.cfg.HTTP.Timeout),
		normalized,
		keepSegments,
	), nil
}
