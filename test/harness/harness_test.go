package harness

import (
	"debug/elf"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
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
	return field("vendor_id") == "AuthenticAMD" && family >= 25 && slices.Contains(strings.Fields(field("flags")), "avx2") &&
		os.Getenv("OPENSSL_ia32cap") == ""
}

// builtRSA is whose RSA `make build` builds in on this machine.
func builtRSA(t *testing.T) string {
	t.Helper()
	_, noCompiler := exec.LookPath("gcc")
	if noCompiler != nil || os.Getenv("RSA") == "go" || runtime.GOOS != "linux" ||
		!slices.Contains([]string{"amd64", "arm64"}, runtime.GOARCH) {
		return "Go"
	}
	if lateAMD(t) {
		return "BoringSSL with AVX2"
	}
	return "BoringSSL"
}

// What is tested is what `make build` makes: static, with BoringSSL's RSA where it can be linked.
// The version, the log and serverinfo say whose RSA it is.
func TestBuild(t *testing.T) {
	out, err := exec.Command(Binary(t), "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	rsa := "RSA by " + builtRSA(t)
	if !strings.HasSuffix(string(out), rsa+"\n") {
		t.Errorf("version prints %q, want %q", out, rsa)
	}
	s := Start(t, Options{})
	if want := "rsa=" + builtRSA(t); !strings.Contains(strings.ReplaceAll(s.Log(), `"`, ""), want) {
		t.Errorf("the log at the start lacks %s:\n%s", want, s.Log())
	}
	if info := serverInfo(t, s); !strings.Contains(info, rsa) {
		t.Errorf("serverinfo lacks %q", rsa)
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

// serverInfo is what master's administrator reads at /admin/serverinfo.
func serverInfo(t *testing.T, s *Server) string {
	t.Helper()
	answered, err := http.PostForm(s.URL+"/realms/master/protocol/openid-connect/token",
		url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {"admin"}})
	if err != nil {
		t.Fatal(err)
	}
	defer answered.Body.Close()
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(answered.Body).Decode(&token); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodGet, s.URL+"/admin/serverinfo", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token.AccessToken)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// A build that differs by what is on PATH says so, and one that was asked for
// BoringSSL fails without a C compiler.
func TestWhoseRSAIsAChoice(t *testing.T) {
	script := filepath.Join(Root(t), "packaging", "crypto")
	for _, c := range []struct {
		rsa, cc string
		want    string // of the output; "" for a failure
	}{
		{"go", "cc", "CGO_ENABLED=0"},
		{"", "/bin/false", "CGO_ENABLED=0"},
		{"boringssl", "/bin/false", ""},
		{"openssl", "cc", ""},
	} {
		cmd := exec.Command(script)
		cmd.Env = append(os.Environ(), "RSA="+c.rsa, "CC="+c.cc)
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		if (err != nil) != (c.want == "") || strings.TrimSpace(string(out)) != c.want {
			t.Errorf("RSA=%s CC=%s: %q, %v", c.rsa, c.cc, out, err)
		}
		if c.want == "" && !strings.Contains(said.String(), "RSA="+c.rsa) {
			t.Errorf("RSA=%s CC=%s: the error says %q", c.rsa, c.cc, said.String())
		}
	}
}
