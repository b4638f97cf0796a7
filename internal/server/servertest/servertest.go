// Package servertest starts the assembled server for the tests of its doors: on
// a database of its own, with realms from documents, answering at an address.
package servertest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"latchkey/internal/server"
	"latchkey/internal/store/pgtest"
)

// CheapHash is a member of a realm's document with which passwords cost little.
const CheapHash = `"passwordPolicy":"hashAlgorithm(pbkdf2-sha256) and hashIterations(1)"`

// master is the realm of administrators unless a document says otherwise: "admin" with the password "admin".
const master = `{"realm":"master","enabled":true,` + CheapHash + `,"users":[{"username":"admin","enabled":true,
	"realmRoles":["default-roles-master","admin"],"credentials":[{"type":"password","value":"admin"}]}]}`

// A Server is a running server.
type Server struct {
	URL     string
	Handler http.Handler
}

// New starts a server on SQLite with the realms of documents.
func New(t testing.TB, documents ...string) *Server {
	t.Helper()
	return Start(t, Config(t), documents...)
}

// Each runs f with a server on every engine, as sub-tests named after them.
func Each(t *testing.T, f func(t *testing.T, cfg server.Config)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, Config(t)) })
	t.Run("postgres", func(t *testing.T) {
		cfg := Config(t)
		cfg.DB.Engine, cfg.DB.URL = server.Postgres, pgtest.Database(t)
		cfg.SealKeyFile = filepath.Join(cfg.DataDir, "seal-key")
		f(t, cfg)
	})
}

// Config is that of a server on SQLite in a folder of the test, which logs nothing.
func Config(t testing.TB) server.Config {
	t.Helper()
	cfg := server.DevDefaults()
	cfg.DataDir, cfg.LogTo = t.TempDir(), io.Discard
	return cfg
}

// Start starts a server with the realms of documents, which are read as realm
// files are. Realms that name no keys share those of the test's program.
func Start(t testing.TB, cfg server.Config, documents ...string) *Server {
	t.Helper()
	dir := filepath.Join(cfg.DataDir, "import")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, doc := range append([]string{master}, documents...) {
		name, text := prepared(t, doc)
		files[name] = text
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name+"-realm.json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg.ImportRealm, cfg.ImportAcceptGaps = true, true
	s, err := server.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		h.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &Server{URL: h.URL, Handler: s.Handler()}
}

// prepared is a realm's name, and its document with keys.
func prepared(t testing.TB, doc string) (string, []byte) {
	t.Helper()
	var realm map[string]any
	if err := json.Unmarshal([]byte(doc), &realm); err != nil {
		t.Fatal(err)
	}
	components, _ := realm["components"].(map[string]any)
	const kind = "org.keycloak.keys.KeyProvider"
	if components[kind] == nil {
		components = maps.Clone(components)
		if components == nil {
			components = map[string]any{}
		}
		components[kind], realm["components"] = keys(), components
	}
	text, err := json.Marshal(realm)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(realm["realm"]), text
}

// private is an RSA key that all realms of a program sign with: to make one takes longer than most tests.
var private = sync.OnceValue(func() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // no randomness: nothing can be tested
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
})

// keys are the key providers of a realm that Keycloak would have made itself.
func keys() []any {
	provider := func(id string, config map[string]any) any {
		config["priority"] = []string{"100"}
		return map[string]any{"name": id, "providerId": id, "config": config}
	}
	return []any{
		provider("rsa", map[string]any{"privateKey": []string{private()}, "algorithm": []string{"RS256"}}),
		provider("rsa-enc", map[string]any{"privateKey": []string{private()}, "algorithm": []string{"RSA-OAEP"}}),
		provider("hmac-generated", map[string]any{"algorithm": []string{"HS512"}}),
		provider("aes-generated", map[string]any{}),
	}
}
