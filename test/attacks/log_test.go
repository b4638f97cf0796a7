package attacks

import (
	"context"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/ports"
	"latchkey/test/visitor"
)

// A reader of the log that stops or goes away hangs no request, ends no server
// and keeps none from ending.
func TestReaderOfTheLog(t *testing.T) {
	for _, gone := range []bool{false, true} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		port := ports.Free(t, 2)
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		cmd := exec.Command(harness.Binary(t), "start-dev", "--http-port", strconv.Itoa(port), "--http-management-port", strconv.Itoa(port+1),
			"--data-dir", t.TempDir())
		cmd.Stdout, cmd.Stderr = w, w
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			if c, err := net.Dial("tcp", addr); err == nil {
				_ = c.Close()
				break
			}
			if time.Since(began) > 30*time.Second {
				t.Fatal("the server does not listen")
			}
		}
		if gone {
			_ = r.Close()
		} else {
			defer r.Close()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		p := visitor.Party{Base: "http://" + addr, Realm: "master", ClientID: "admin-cli"}
		for range 300 { // a pipe holds some 64 KB of warnings
			a, err := p.Post(ctx, "token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {letters(2_000)},
				"client_secret": {letters(900)}})
			if err != nil || a.Status != 400 {
				t.Fatalf("reader gone: %v: %+v, %v", gone, a, err)
			}
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("reader gone: %v: the server ended with %v", gone, err)
			}
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			t.Errorf("reader gone: %v: the server does not end", gone)
		}
	}
}
