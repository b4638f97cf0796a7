//go:build linux

package durability

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

var (
	synced   = regexp.MustCompile(`(fsync|fdatasync)(\(\d+\)| resumed>\)) *= 0`)
	answered = regexp.MustCompile(`write\(\d+, "HTTP/1\.1 (20[14])`)
)

// A traced run: every answer to a change follows a sync that was not there at
// the answer before. Without synchronous=full SQLite would leave syncs out.
func TestAnswersFollowTheSync(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	s := harness.Start(t, harness.Options{})
	admin := visitor.NewAdmin(s.URL)
	if _, err := admin.Post(t.Context(), "", map[string]any{"realm": "traced", "enabled": true}); err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command(strace, "-f", "-s", "16", "-e", "trace=fsync,fdatasync,write", "-o", trace, "-p", strconv.Itoa(s.PID()))
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}
	defer stop()
	deadline := time.Now().Add(10 * time.Second)
	for {
		if b, err := os.ReadFile("/proc/" + strconv.Itoa(s.PID()) + "/status"); err == nil && strings.Contains(string(b), "TracerPid:\t"+
			strconv.Itoa(cmd.Process.Pid)) {
			break
		}
		if time.Now().After(deadline) || cmd.ProcessState != nil {
			t.Skipf("strace may not attach here: %s", &said)
		}
		time.Sleep(20 * time.Millisecond)
	}
	const changes = 10
	for i := range changes {
		if _, err := admin.Post(t.Context(), "/traced/users", map[string]any{"username": fmt.Sprint("user-", i), "enabled": true}); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	answers, syncs := 0, 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		switch line := lines.Text(); {
		case synced.MatchString(line):
			syncs++
		case answered.MatchString(line):
			answers++
			if syncs == 0 {
				t.Errorf("answer %d was written before a sync: %s", answers, line)
			}
			syncs = 0
		}
	}
	if answers < changes {
		t.Errorf("the trace shows %d answers to %d changes", answers, changes)
	}
}
