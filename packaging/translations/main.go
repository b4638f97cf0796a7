// Command translations copies the translated texts of Keycloak's login pages and
// mails out of the jar that Keycloak publishes them in: a zip file with the message bundles alone.
package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// folders are where the bundles stand in the jar, and where in the copy.
var folders = map[string]string{
	"theme/base/login/messages": "login", "theme/keycloak.v2/login/messages": "login.v2", "theme/base/email/messages": "email",
	"theme/base/account/messages": "account",
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: translations PINNED.json JAR OUT.zip")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "translations:", err)
		os.Exit(1)
	}
}

func run(pinned, jar, out string) error {
	var pins struct {
		SHA256 map[string]string `json:"sha256"`
	}
	text, err := os.ReadFile(pinned)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &pins); err != nil {
		return fmt.Errorf("%s: %w", pinned, err)
	}
	data, err := os.ReadFile(jar)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	if got, want := hex.EncodeToString(sum[:]), pins.SHA256["keycloak-themes"]; got != want {
		return fmt.Errorf("%s has the SHA-256 %s, not the pinned %s", jar, got, want)
	}
	from, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return fmt.Errorf("%s: %w", jar, err)
	}
	var to bytes.Buffer
	w := zip.NewWriter(&to)
	copied := 0
	for _, f := range from.File {
		dir, ok := folders[path.Dir(f.Name)]
		if !ok || !strings.HasSuffix(f.Name, ".properties") {
			continue
		}
		if err := copyTo(w, f, dir+"/"+path.Base(f.Name)); err != nil {
			return err
		}
		copied++
	}
	if copied == 0 {
		return fmt.Errorf("%s holds no message bundles", jar)
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(out, to.Bytes(), 0o644)
}

func copyTo(w *zip.Writer, f *zip.File, name string) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	to, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate}) // without times: the same bytes at each build
	if err != nil {
		return err
	}
	_, err = io.Copy(to, r)
	return err
}
