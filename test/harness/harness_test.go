package harness

import (
	"debug/elf"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The server under test is the real binary: it stops when asked, comes back at
// its address after a kill, and runs twice on one database.
func TestStartStopKill(t *testing.T) {
	Each(t, func(t *testing.T, e Engine) {
		s := Start(t, Options{Engine: e})
		s.Kill9()
		if _, err := http.Get(s.URL); err == nil {
			t.Fatal("the killed server answers")
		}
		s.Restart(t)
		if e == Postgres {
			other := Start(t, Options{Beside: s})
			if other.DB != s.DB || other.URL == s.URL {
				t.Errorf("the other node is at %s on %s", other.URL, other.DB)
			}
		}
		s.Stop(t)
		if _, err := http.Get(s.URL); err == nil {
			t.Fatal("the stopped server answers")
		}
		s.Restart(t)
	})
}

func TestRefusalsAreSeen(t *testing.T) {
	code, log := Prepare(t, Options{Args: []string{"--no-such-option"}}).Wait(t)
	if code == 0 || !strings.Contains(log, "no-such-option") {
		t.Errorf("exit code %d, log %q", code, log)
	}
}

// lateAMD tells whether the processor is one of AMD's since Zen 3, by what Linux says of it.
func lateAMD(t *testing.T) bool {
	t.Helper()
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	field := func(name string) string {
		m := regexp.MustCompile(`(?m)^` + name + `\s*:(.*)$`).FindSubmatch(info)
		if m == nil {
			return ""
		}
		return strings.TrimSpace(string(m[1]))
	}
	family, _ := strconv.Atoi(field("cpu family"))
	return field("vendor_id") == "AuthenticAMD" && family >= 25 && slices.Contains(strings.Fields(field("flags")), "avx2") && os.Getenv("OPENSSL_ia32cap") == ""
}

// What is tested is what `make build` makes: static, with BoringSSL's RSA where it can be linked.
func TestBuild(t *testing.T) {
	out, err := exec.Command(Binary(t), "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := "RSA by Go\n"
	if _, err := exec.LookPath("gcc"); err == nil && os.Getenv("RSA") == "" && runtime.GOOS == "linux" && slices.Contains([]string{"amd64", "arm64"}, runtime.GOARCH) {
		want = "RSA by BoringSSL\n"
		if lateAMD(t) {
			want = "RSA by BoringSSL with AVX2\n"
		}
	}
	if !strings.HasSuffix(string(out), want) {
		t.Errorf("version prints %q, want %q", out, want)
	}
	file, err := elf.Open(Binary(t))
	if err != nil {
		t.Skip("not an ELF file: " + err.Error())
	}
	defer file.Close()
	if libraries, err := file.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("the program needs %v (%v)", libraries, err)
	}
}
