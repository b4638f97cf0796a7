package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// A world is a server with a realm of its own, and an application's server.
type world struct {
	context.Context
	base   string
	issuer string
	realm  string
	admin  *visitor.Admin
	app    *httptest.Server // where the relying party lives
	mux    *http.ServeMux   // of the app
}

const (
	webSecret = "web-secret-0123456789"
	username  = "kim"
	password  = "kim-password"
)

// newWorld starts a server and makes a realm with a confidential client "shop",
// a public client "page" and a user.
func newWorld(t *testing.T) *world {
	t.Helper()
	base := os.Getenv("LATCHKEY_TEST_AGAINST")
	if base == "" {
		base = harness.Start(t, harness.Options{}).URL
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	w := &world{Context: ctx, base: base, admin: visitor.NewAdmin(base), mux: http.NewServeMux()}
	w.app = httptest.NewServer(w.mux)
	t.Cleanup(w.app.Close)
	w.realm = fmt.Sprintf("clients-%s-%d", strings.ToLower(strings.TrimPrefix(t.Name(), "Test")), time.Now().UnixNano()%1e9)
	w.issuer = base + "/realms/" + w.realm
	doc := fmt.Sprintf(`{"realm": %q, "enabled": true, "clients": [
		{"clientId": "shop", "enabled": true, "secret": %q, "redirectUris": ["%[3]s/*"], "serviceAccountsEnabled": true,
		 "attributes": {"post.logout.redirect.uris": "%[3]s/*"}},
		{"clientId": "page", "enabled": true, "publicClient": true, "redirectUris": ["%[3]s/*"], "webOrigins": ["+"],
		 "attributes": {"post.logout.redirect.uris": "+", "pkce.code.challenge.method": "S256"}}]}`, w.realm, webSecret, w.app.URL)
	w.must(t, w.second(w.admin.Post(w, "", json.RawMessage(doc))))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := w.admin.Delete(ctx, "/"+w.realm); err != nil {
			t.Errorf("the realm could not be removed: %v", err)
		}
	})
	w.must(t, w.second(w.admin.Post(w, "/"+w.realm+"/users", json.RawMessage(fmt.Sprintf(
		`{"username": %q, "enabled": true, "email": "kim@clients.example", "emailVerified": true, "firstName": "Kim", "lastName": "Client",
		  "credentials": [{"type": "password", "value": %q}]}`, username, password)))))
	return w
}

func (w *world) second(_ string, err error) error { return err }

func (w *world) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// logIn opens an authorization URL, fills in the login page where there is
// one, and returns the address of the app that the browser was sent to.
func (w *world) logIn(t *testing.T, b *visitor.Browser, url string) *visitor.Page {
	t.Helper()
	page, err := b.Open(w, url)
	w.must(t, err)
	if page.Asks("password") {
		page, err = page.Login(w, username, password)
		w.must(t, err)
	}
	if !page.Away || !strings.HasPrefix(page.URL.String(), w.app.URL) {
		t.Fatalf("the browser is at %s with status %d instead of at the app:\n%.2000s", page.URL, page.Status, page.Body)
	}
	return page
}
