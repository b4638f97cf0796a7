package chromium

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// adapterVersion is the keycloak-js that the tests use.
const adapterVersion = "26.2.4"

// Adapter is the path of keycloak.js, which npm fetches once into the user's
// cache; it is not part of the repository. Without npm the test is skipped.
func Adapter(t testing.TB) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm is not installed: keycloak-js cannot be fetched")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "latchkey-test", "keycloak-js-"+adapterVersion)
	script := filepath.Join(dir, "node_modules", "keycloak-js", "lib", "keycloak.js")
	if _, err := os.Stat(script); err == nil {
		return script
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, npm, "install", "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts", "keycloak-js@"+
		adapterVersion).CombinedOutput()
	if err != nil {
		t.Skipf("npm cannot fetch keycloak-js: %v\n%s", err, out)
	}
	return script
}
