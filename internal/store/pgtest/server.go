package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/test/ports"
)

// errAbsent says that there is no PostgreSQL to run.
var errAbsent = errors.New("PostgreSQL is not installed (no initdb in PATH or /usr/lib/postgresql)")

// Options say how a Server of one's own differs from the shared one.
type Options struct {
	Durable bool // sync to disk as in production; the shared server does not
}

// A Server is a running PostgreSQL with a data directory of its own. It ends,
// and its files are removed, at the latest when the test's process does,
// however that comes about.
type Server struct {
	dir     string // of data, log and socket
	bin     string // of initdb and postgres
	port    int
	durable bool
	cred    *syscall.Credential
	proc    *exec.Cmd
	leash   io.WriteCloser // closing it stops the server
	base    string         // URL of a server that others started; else empty
}

// Start runs a server for this test alone, to be stopped and started again at will.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := create(o)
	if err != nil {
		unavailable(t, err)
	}
	t.Cleanup(func() {
		s.Stop()
		os.RemoveAll(s.dir)
	})
	return s
}

// unavailable skips the test where PostgreSQL is absent, unless
// LATCHKEY_TEST_REQUIRE names postgres, as it does where it must be there.
func unavailable(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, errAbsent) && !strings.Contains(os.Getenv("LATCHKEY_TEST_REQUIRE"), "postgres") {
		t.Skip(err)
	}
	t.Fatal(err)
}

// URL is where a database of the server is found; "postgres" always exists.
func (s *Server) URL(database string) string {
	if s.base != "" {
		cfg, err := pgx.ParseConfig(s.base)
		if err != nil {
			return s.base
		}
		return fmt.Sprintf("postgres://%s:%s@%s:%d/%s?sslmode=disable", cfg.User, cfg.Password, cfg.Host, cfg.Port, database)
	}
	return fmt.Sprintf("postgres://latchkey@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// Standby starts a server that follows this one and takes no writes until it is promoted.
func (s *Server) Standby(t testing.TB) *Server {
	t.Helper()
	f := &Server{bin: s.bin, cred: s.cred}
	var err error
	if f.dir, err = os.MkdirTemp("", "latchkey-pg-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Stop()
		os.RemoveAll(f.dir)
	})
	if f.cred != nil {
		if err := os.Chown(f.dir, int(f.cred.Uid), int(f.cred.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	out, err := f.command(filepath.Join(s.bin, "pg_basebackup"), "-D", "data", "-R", "-c", "fast", "--no-sync", "-X", "stream",
		"-d", fmt.Sprintf("host=127.0.0.1 port=%d user=latchkey", s.port)).CombinedOutput()
	if err == nil {
		err = f.start()
	}
	if err != nil {
		t.Fatalf("starting a standby: %v\n%s", err, out)
	}
	return f
}

// Exec runs one statement as the server's administrator.
func (s *Server) Exec(t testing.TB, statement string) {
	t.Helper()
	if err := s.exec(statement); err != nil {
		t.Fatal(err)
	}
}

// Create makes a database on a server of one's own and returns its URL.
func (s *Server) Create(t testing.TB, database string) string {
	t.Helper()
	if err := s.exec("create database " + database + " template template0"); err != nil {
		t.Fatal(err)
	}
	return s.URL(database)
}

// PID is the process id of the running server, whose children serve the connections.
func (s *Server) PID(t testing.TB) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// binaries finds the folder of the newest PostgreSQL installed.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	best, version := "", 0
	for _, f := range found {
		if v, err := strconv.Atoi(strings.Split(f, "/")[4]); err == nil && v > version {
			best, version = filepath.Dir(f), v
		}
	}
	if best != "" {
		return best, nil
	}
	if p, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(p), nil
	}
	return "", errAbsent
}

// unprivileged is who runs the server when the test runs as root, which PostgreSQL refuses to.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.Atoi(u.Uid)
			gid, _ := strconv.Atoi(u.Gid)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("there is neither a user postgres nor nobody to run PostgreSQL as")
}

func create(o Options) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, durable: o.Durable}
	if s.cred, err = unprivileged(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "latchkey-pg-"); err != nil {
		return nil, err
	}
	if s.cred != nil {
		if err := os.Chown(s.dir, int(s.cred.Uid), int(s.cred.Gid)); err != nil {
			return nil, err
		}
	}
	out, err := s.command(filepath.Join(bin, "initdb"), "-D", "data", "-U", "latchkey", "-A", "trust", "-E", "UTF8", "--locale=C",
		"--no-sync").CombinedOutput()
	if err == nil {
		err = s.start()
	}
	if err != nil {
		os.RemoveAll(s.dir)
		return nil, fmt.Errorf("starting PostgreSQL: %w\n%s", err, out)
	}
	return s, nil
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	// A group of its own: an interrupt at the terminal is for the test, which then lets go of the leash.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.cred, Setpgid: true}
	return cmd
}

// tether runs the server until its input ends, which happens when the test's
// process lets go of the other end, be it by Stop, by its end, or by a kill.
// The folder goes too, unless the one who stopped asks to keep it.
const tether = `"$@" >>log 2>&1 &
read -r word
kill -INT $! && wait $!
[ "$word" = keep ] || rm -rf "$PWD"`

func (s *Server) start() error {
	if s.port == 0 {
		var err error
		if s.port, err = ports.Find(1); err != nil {
			return err
		}
	}
	settings := []string{"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(s.port), "unix_socket_directories=.", "max_connections=200",
		"shared_buffers=128MB"}
	if !s.durable {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	args := []string{"-c", tether, "sh", filepath.Join(s.bin, "postgres"), "-D", "data"}
	for _, x := range settings {
		args = append(args, "-c", x)
	}
	s.proc = s.command("sh", args...)
	var err error
	if s.leash, err = s.proc.StdinPipe(); err != nil {
		return err
	}
	if err := s.proc.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.Stop()
			return fmt.Errorf("not ready in 30 s: %w\n%s", err, log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the server as an administrator would, breaking its connections.
// What was committed stays: Restart brings it back.
func (s *Server) Stop() {
	if s.proc == nil {
		return
	}
	io.WriteString(s.leash, "keep\n") // fails only where the tether has ended already
	s.leash.Close()
	s.proc.Wait()
	s.proc = nil
}

// Restart starts a stopped server again, at the same address.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}
