package passkeys

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"latchkey/test/chromium"
	"latchkey/test/harness"
)

// TestPasskeyInABrowser registers a passkey by the page's own script, and logs
// in by what the login page offers by itself, and by its button.
func TestPasskeyInABrowser(t *testing.T) {
	chromium.Path(t)
	s := harness.Start(t, harness.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	base := strings.Replace(s.URL, "127.0.0.1", "localhost", 1) // an address is no relying party
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "signed on") }))
	defer app.Close()

	var token struct {
		Access string `json:"access_token"`
	}
	answer, err := http.PostForm(s.URL+"/realms/master/protocol/openid-connect/token",
		url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {"admin"}})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&token); err != nil {
		t.Fatal(err)
	}
	realm, err := json.Marshal(map[string]any{"realm": "shop", "enabled": true, "webAuthnPolicyPasswordlessPasskeysEnabled": true,
		"clients": []any{map[string]any{"clientId": "web", "publicClient": true, "redirectUris": []string{app.URL + "/*"}}},
		"users": []any{map[string]any{"username": "kim", "enabled": true, "email": "kim@example.test", "firstName": "Kim", "lastName": "Doe",
			"credentials": []any{map[string]any{"type": "password", "value": "pw"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/admin/realms", bytes.NewReader(realm))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token.Access)
	r.Header.Set("Content-Type", "application/json")
	made, err := http.DefaultClient.Do(r)
	if err != nil || made.StatusCode != http.StatusCreated {
		t.Fatal(made, err)
	}
	made.Body.Close()

	b := chromium.Start(t, ctx, chromium.Options{})
	if _, err := chromedp.Call(b, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	key := webauthn.VirtualAuthenticatorOptions{Protocol: "ctap2", Transport: "internal", HasResidentKey: true, HasUserVerification: true,
		IsUserVerified: true, AutomaticPresenceSimulation: true}
	if _, err := chromedp.Call(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &key}); err != nil {
		t.Fatal(err)
	}
	login := base + "/realms/shop/protocol/openid-connect/auth?client_id=web&response_type=code&scope=openid&state=s&redirect_uri=" +
		url.QueryEscape(app.URL+"/cb")
	arrived := func(more string) {
		t.Helper()
		b.Until(`document.body.innerText === 'signed on' && location.search.includes('code=')`)
		if at := chromium.MustEval[string](b, `location.search`); !strings.Contains(at, more) {
			t.Errorf("arrived with %s", at)
		}
	}

	b.Go(login + "&kc_action=webauthn-register-passwordless")
	b.LogIn("kim", "pw")
	b.Until(`document.readyState === 'complete' && document.getElementById('registerWebAuthn')`)
	chromium.MustEval[bool](b, `window.prompt = () => 'key ring', true`)
	b.Do(chromedp.Click(chromedp.CSS(`#registerWebAuthn`)))
	arrived("kc_action_status=success")

	b.ClearCookies()
	b.Go(login) // the page offers it, and the virtual authenticator accepts at once
	arrived("code=")

	b.Go(login + "&prompt=login") // the user is known: the button asks for the credential
	b.Until(`document.readyState === 'complete' && document.getElementById('authenticateWebAuthnButton')`)
	b.Do(chromedp.Click(chromedp.CSS(`#authenticateWebAuthnButton`)))
	arrived("code=")
}
