package clients

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"latchkey/test/visitor"
)

// zitadel/oidc v3 as relying party, by its own HTTP handlers: code with PKCE and
// state in cookies, userinfo, refresh, revocation, end of session.
func TestZitadel(t *testing.T) {
	w := newWorld(t)
	cookies := httphelper.NewCookieHandler([]byte("0123456789abcdef"), []byte("0123456789abcdef"), httphelper.WithUnsecure())
	party, err := rp.NewRelyingPartyOIDC(w, w.issuer, "shop", webSecret, w.app.URL+"/callback", []string{"openid", "profile", "email"},
		rp.WithCookieHandler(cookies), rp.WithPKCE(cookies), rp.WithSigningAlgsFromDiscovery(),
		rp.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
	w.must(t, err)
	var tokens *oidc.Tokens[*oidc.IDTokenClaims]
	var info *oidc.UserInfo
	w.mux.Handle("/login", rp.AuthURLHandler(func() string { return "the state" }, party))
	w.mux.Handle("/callback", rp.CodeExchangeHandler(rp.UserinfoCallback(
		func(rw http.ResponseWriter, _ *http.Request, got *oidc.Tokens[*oidc.IDTokenClaims], _ string, _ rp.RelyingParty, about *oidc.UserInfo) {
			tokens, info = got, about
			_ = json.NewEncoder(rw).Encode(about)
		}), party))

	browser := visitor.NewBrowser()
	start, err := browser.Open(w, w.app.URL+"/login")
	w.must(t, err)
	if !start.Away {
		t.Fatalf("the app does not send the browser to the server: %d %s", start.Status, start.Body)
	}
	back := w.logIn(t, browser, start.URL.String())
	done, err := browser.Open(w, back.URL.String())
	w.must(t, err)
	if done.Status != http.StatusOK || tokens == nil || info == nil {
		t.Fatalf("the app says %d %s", done.Status, done.Body)
	}
	if info.PreferredUsername != username || info.Email != "kim@clients.example" || tokens.IDTokenClaims.Subject != info.Subject ||
		tokens.IDTokenClaims.SessionID == "" {
		t.Errorf("claims %+v, userinfo %+v", tokens.IDTokenClaims, info)
	}
	fresh, err := rp.RefreshTokens[*oidc.IDTokenClaims](w, party, tokens.RefreshToken, "", "")
	w.must(t, err)
	if fresh.IDTokenClaims.Subject != info.Subject {
		t.Error("the refreshed tokens are somebody else's")
	}
	bye, err := rp.EndSession(w, party, fresh.IDToken, w.app.URL+"/bye", "gone", "", nil)
	w.must(t, err)
	if bye == nil || bye.Path != "/bye" || bye.Query().Get("state") != "gone" {
		t.Errorf("the end of the session leads to %v", bye)
	}
	if _, err := rp.RefreshTokens[*oidc.IDTokenClaims](w, party, fresh.RefreshToken, "", ""); err == nil {
		t.Error("a refresh works after the end of the session")
	}

	browser.Forget()
	start, err = browser.Open(w, w.app.URL+"/login")
	w.must(t, err)
	_, err = browser.Open(w, w.logIn(t, browser, start.URL.String()).URL.String())
	w.must(t, err)
	w.must(t, rp.RevokeToken(w, party, tokens.RefreshToken, "refresh_token"))
	if _, err := rp.RefreshTokens[*oidc.IDTokenClaims](w, party, tokens.RefreshToken, "", ""); err == nil {
		t.Error("a revoked token is refreshed")
	}
}
