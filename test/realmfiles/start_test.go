package realmfiles_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/test/harness"
)

// TestStartWithGaps: a server that imports realm files first names what would
// not work, and the option of its own by which that is accepted; once the realm
// is there, its file is not asked again.
func TestStartWithGaps(t *testing.T) {
	dir := t.TempDir()
	text := `{"realm":"gappy","enabled":true,"components":{"org.keycloak.models.workflow.WorkflowProvider":[{"name":"leavers","providerId":"default"}]}}`
	if err := os.WriteFile(filepath.Join(dir, "gappy-realm.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	refused := harness.Prepare(t, harness.Options{Args: []string{"--import-realm", "--import-dir", dir}})
	code, log := refused.Wait(t)
	if code == 0 || !strings.Contains(log, "workflow leavers") || !strings.Contains(log, "--import-accept-gaps") {
		t.Errorf("exit code %d: %s", code, log)
	}
	s := harness.Start(t, harness.Options{Args: []string{"--import-realm", "--import-dir", dir, "--import-accept-gaps"}})
	s.Stop(t)
	again := harness.Start(t, harness.Options{Dir: s.Dir, Args: []string{"--import-realm", "--import-dir", dir}})
	if status, text := (site{again, again.URL}).admin("GET", "/gappy", nil, nil); status != 200 {
		t.Errorf("%d %s", status, text)
	}
}
