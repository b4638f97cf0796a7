package server

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/internal/realms"
)

func noEnv(string) (string, bool) { return "", false }

const shopFile = `{"realm":"shop","enabled":true,"users":[{"username":"ann","enabled":true,"credentials":[{"type":"password","value":"pw"}]},
	{"username":"bob"},{"username":"cy"}],"clients":[{"clientId":"till","secret":"s"}],"components":{"org.keycloak.keys.KeyProvider":[{"name":"h","providerId":"hmac-generated","config":{}}]}}`

// A realm that needs nothing special has no gaps in this build.
func TestADefaultRealmHasNoGaps(t *testing.T) {
	cfg := devIn(t.TempDir())
	path := filepath.Join(t.TempDir(), "shop.json")
	if err := os.WriteFile(path, []byte(shopFile), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Import(t.Context(), cfg, ImportOptions{Path: path, OnConflict: OnConflictFail, Check: true, Env: noEnv, Out: &out}); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "shop: everything would work, for 3 users\n" {
		t.Error(got)
	}
}

// What was exported in any layout is imported and exported again alike.
func TestExportAndImport(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	path := filepath.Join(dir, "shop.json")
	text := strings.Replace(shopFile, `"clients"`,
		`"federatedUsers":[{"id":"f:dir:a","attributes":{"a":["1"]}},{"id":"f:dir:b"},{"id":"f:dir:c"}],"clients"`, 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	first := devIn(filepath.Join(dir, "first"))
	if err := Import(ctx, first, ImportOptions{Path: path, OnConflict: OnConflictFail, AcceptGaps: true, Env: noEnv, Out: &out}); err != nil {
		t.Fatal(err)
	}
	err := Import(ctx, first, ImportOptions{Path: path, OnConflict: OnConflictFail, AcceptGaps: true, Env: noEnv, Out: &out})
	if err == nil || !strings.Contains(err.Error(), "Realm shop already exists; nothing was imported (on-conflict: skip leaves") {
		t.Errorf("a second time: %v", err)
	}
	want := filepath.Join(dir, "want.json")
	if err := Export(ctx, first, ExportOptions{Realm: "shop", File: want, Users: "same_file"}); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]ExportOptions{
		"different_files": {Dir: filepath.Join(dir, "a"), Users: "different_files", UsersPerFile: 2},
		"same_file":       {Dir: filepath.Join(dir, "b"), Users: "same_file"},
		"realm_file":      {Dir: filepath.Join(dir, "c"), Users: "realm_file"},
		"one file":        {File: filepath.Join(dir, "d.json"), Users: "same_file"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Export(ctx, first, o); err != nil {
				t.Fatal(err)
			}
			from := o.Dir + o.File
			if name == "different_files" {
				for _, file := range []string{"shop-users-1.json", "shop-federated-users-1.json"} {
					if _, err := os.Stat(filepath.Join(o.Dir, file)); err != nil {
						t.Error(err)
					}
				}
			}
			second := devIn(t.TempDir())
			if err := Import(ctx, second, ImportOptions{Path: from, OnConflict: OnConflictFail, AcceptGaps: true, Env: noEnv,
				Out: &out}); err != nil {
				t.Fatal(err)
			}
			got := filepath.Join(t.TempDir(), "got.json")
			if err := Export(ctx, second, ExportOptions{Realm: "shop", File: got, Users: "same_file"}); err != nil {
				t.Fatal(err)
			}
			if a, b := read(t, want), read(t, got); len(a) != len(b) || !strings.Contains(b, `"clientId": "till"`) ||
				strings.Count(b, `"f:dir:`) != 3 {
				t.Errorf("%d bytes became %d", len(a), len(b))
			}
			if info, err := os.Stat(got); err != nil || info.Mode().Perm() != 0o600 {
				t.Error(info.Mode(), err)
			}
		})
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestImportReportsGaps(t *testing.T) {
	cfg := devIn(t.TempDir())
	path := filepath.Join(t.TempDir(), "shop.json")
	text := strings.Replace(shopFile, `"users"`, `"identityProviders":[{"alias":"g","providerId":"saml"}],"users"`, 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	o := ImportOptions{Path: path, OnConflict: OnConflictFail, Env: noEnv, Out: &out}
	err := Import(t.Context(), cfg, o)
	if _, ok := errors.AsType[*realms.GapsError](err); !ok || !strings.Contains(out.String(),
		"shop: identity provider g (saml): 0 users are linked to it") {
		t.Errorf("%v, %s", err, out.String())
	}
	o.AcceptGaps = true
	if err := Import(t.Context(), cfg, o); err != nil {
		t.Error(err)
	}
}
