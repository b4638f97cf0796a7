package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// root finds the repository's folder from wherever the test runs.
var root = sync.OnceValues(func() (string, error) {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "layers_test.go")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			err = errors.New("the test does not run inside the repository")
		}
	}
	return "", err
})

// Root is the repository's folder.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Build compiles a main package, given as a folder below the repository's root
// that may be a module of its own, and returns the program's path. Programs
// stay in bin/test; a running one is never overwritten, only replaced.
func Build(t testing.TB, folder string) string {
	t.Helper()
	program, err := build(Root(t), filepath.Base(folder), func(file string) *exec.Cmd {
		cmd := exec.Command("go", "build", "-o", file, ".")
		cmd.Dir = filepath.Join(Root(t), folder)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		return cmd
	})
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func build(root, name string, command func(file string) *exec.Cmd) (string, error) {
	program := filepath.Join(root, "bin", "test", name)
	fresh := fmt.Sprintf("%s.%d", program, os.Getpid())
	if out, err := command(fresh).CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, out)
	}
	return program, os.Rename(fresh, program)
}

// latchkey is built once per test binary, as `make build` builds it.
var latchkey = sync.OnceValues(func() (string, error) {
	dir, err := root()
	if err != nil {
		return "", err
	}
	return build(dir, "latchkey", func(file string) *exec.Cmd {
		return exec.Command(filepath.Join(dir, "packaging", "build"), file)
	})
})

// Binary is the path of a freshly built latchkey. It skips the test while there is none to build.
func Binary(t testing.TB) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(Root(t), "cmd", "latchkey")); errors.Is(err, os.ErrNotExist) {
		t.Skip("there is no cmd/latchkey")
	}
	path, err := latchkey()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
