package harness

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"latchkey/internal/seal"
	"latchkey/internal/store/pgtest"
	"latchkey/test/ports"
)

// Engine is where the server keeps its state.
type Engine string

// The engines the server runs on.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// Each runs a test on both engines, the second where PostgreSQL is installed.
func Each(t *testing.T, f func(t *testing.T, e Engine)) {
	for _, e := range []Engine{SQLite, Postgres} {
		t.Run(string(e), func(t *testing.T) { f(t, e) })
	}
}

// Options say how to run the server. The zero value is SQLite in a new folder.
type Options struct {
	Engine  Engine   // SQLite when empty
	DB      string   // URL of a PostgreSQL database; a fresh one when empty
	Beside  *Server  // runs as another node of this one's PostgreSQL, with its seal key
	Dir     string   // data directory; t.TempDir() when empty
	Command string   // start-dev when empty
	Args    []string // more arguments after the command
	Env     []string // more environment, NAME=value; wins over what is set here
}

// A Server is a running latchkey, administrator admin/admin.
type Server struct {
	URL        string // where it answers, without a slash at the end
	Addr       string // host:port of the same
	Management string // URL of the health and metrics listener
	DB         string // its PostgreSQL URL; empty on SQLite
	Dir        string // its working folder and data directory
	SealKey    string // its seal key file; empty on SQLite, where it is the server's own

	program string
	args    []string
	env     []string
	log     *log
	proc    *exec.Cmd
	ended   chan struct{} // closed when proc is gone
}

// Start runs a server and returns when it answers. It is stopped when the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := Prepare(t, o)
	s.Restart(t)
	return s
}

// Prepare does all that Start does but running the server, for tests that expect it to refuse.
func Prepare(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{program: Binary(t), Dir: o.Dir, DB: o.DB, log: new(log)}
	if s.Dir == "" {
		s.Dir = t.TempDir()
	}
	first := ports.Free(t, 2)
	port, management := strconv.Itoa(first), strconv.Itoa(first+1)
	s.Addr = net.JoinHostPort("127.0.0.1", port)
	s.URL = "http://" + s.Addr
	s.Management = "http://" + net.JoinHostPort("127.0.0.1", management)
	if o.Command == "" {
		o.Command = "start-dev"
	}
	s.args = append([]string{o.Command}, o.Args...)
	surroundings := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "LATCHKEY_") || strings.HasPrefix(v, "KC_")
	})
	s.env = append(surroundings,
		"LATCHKEY_DATA_DIR="+s.Dir,
		"LATCHKEY_HTTP_HOST=127.0.0.1",
		"LATCHKEY_HTTP_PORT="+port,
		"LATCHKEY_HTTP_MANAGEMENT_HOST=127.0.0.1",
		"LATCHKEY_HTTP_MANAGEMENT_PORT="+management,
		"LATCHKEY_HEALTH_ENABLED=true",
		"LATCHKEY_METRICS_ENABLED=true",
		"LATCHKEY_BOOTSTRAP_ADMIN_USERNAME=admin",
		"LATCHKEY_BOOTSTRAP_ADMIN_PASSWORD=admin",
	)
	switch {
	case o.Beside != nil:
		s.DB, s.SealKey = o.Beside.DB, o.Beside.SealKey
	case o.Engine == Postgres:
		if s.DB == "" {
			s.DB = pgtest.Database(t)
		}
		s.SealKey = filepath.Join(s.Dir, "seal-key")
		if _, err := seal.LoadOrCreate(s.SealKey); err != nil {
			t.Fatal(err)
		}
	}
	if s.DB != "" {
		s.env = append(s.env, "LATCHKEY_DB=postgres", "LATCHKEY_DB_URL="+s.DB, "LATCHKEY_SEAL_KEY_FILE="+s.SealKey)
	}
	s.env = append(s.env, o.Env...)
	t.Cleanup(func() {
		s.Stop(t)
		if t.Failed() {
			t.Logf("log of %s:\n%s", s.URL, s.log.tail())
		}
	})
	return s
}

// Restart starts the server, again or for the first time, at its address and
// with its database, and returns when it answers.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Run(t)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		if s.answers(ctx) {
			return
		}
		select {
		case <-s.ended:
			t.Fatalf("the server ended (%v) before it answered:\n%s", s.proc.ProcessState, s.log.tail())
		case <-ctx.Done():
			t.Fatalf("the server does not answer after 30 s:\n%s", s.log.tail())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Wait runs a server that is expected to end by itself and returns its exit code and log.
func (s *Server) Wait(t testing.TB) (code int, log string) {
	t.Helper()
	s.Run(t)
	select {
	case <-s.ended:
		return s.proc.ProcessState.ExitCode(), s.log.tail()
	case <-time.After(30 * time.Second):
		t.Fatalf("the server still runs after 30 s:\n%s", s.log.tail())
		return 0, ""
	}
}

// Run starts the server as Restart does and returns at once.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	s.proc = exec.Command(s.program, s.args...)
	s.proc.Dir, s.proc.Env = s.Dir, s.env
	s.proc.Stdout, s.proc.Stderr = s.log, s.log
	s.proc.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is for the test
	if err := s.proc.Start(); err != nil {
		t.Fatal(err)
	}
	ended, proc := make(chan struct{}), s.proc
	s.ended = ended
	go func() {
		proc.Wait()
		close(ended)
	}()
}

func (s *Server) answers(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Management+"/health/ready", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusOK
}

// Stop asks the server to end and waits for it; it fails the test when that
// takes more than 20 s. Stopping one that does not run is nothing.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if s.proc == nil {
		return
	}
	s.proc.Process.Signal(syscall.SIGTERM) // fails only where it has ended already
	select {
	case <-s.ended:
	case <-time.After(20 * time.Second):
		s.Kill9()
		t.Errorf("the server did not stop in 20 s")
	}
	s.proc = nil
}

// Kill9 ends the server as a power cut would and returns when it is gone.
func (s *Server) Kill9() {
	s.proc.Process.Kill()
	<-s.ended
}

// PID is the process id of the running server.
func (s *Server) PID() int { return s.proc.Process.Pid }

// Log is what the server has written to standard output and error.
func (s *Server) Log() string { return s.log.String() }

// Command runs another subcommand of the binary with the server's settings and returns what it wrote.
func (s *Server) Command(args ...string) (output string, err error) {
	cmd := exec.Command(s.program, args...)
	cmd.Dir, cmd.Env = s.Dir, s.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// log gathers the server's output.
type log struct {
	mu   sync.Mutex
	text []byte
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// tail is the end of the log, which is where the reason is.
func (l *log) tail() string {
	text := l.String()
	return text[max(0, len(text)-4000):]
}
