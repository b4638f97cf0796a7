package clients

import (
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"latchkey/test/visitor"
)

// golang.org/x/oauth2 and coreos/go-oidc: code with PKCE, refresh, userinfo,
// logout by the relying party, and the client's own token.
func TestGoOIDC(t *testing.T) {
	w := newWorld(t)
	provider, err := oidc.NewProvider(w, w.issuer)
	w.must(t, err)
	config := &oauth2.Config{
		ClientID: "shop", ClientSecret: webSecret, Endpoint: provider.Endpoint(), RedirectURL: w.app.URL + "/callback",
		Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
	}
	browser := visitor.NewBrowser()
	verifier := oauth2.GenerateVerifier()
	back := w.logIn(t, browser, config.AuthCodeURL("some state", oidc.Nonce("some nonce"), oauth2.S256ChallengeOption(verifier)))
	if back.Param("state") != "some state" || back.Param("iss") != w.issuer || back.Param("session_state") == "" {
		t.Fatalf("the answer is %s", back.URL)
	}
	if _, err := config.Exchange(w, back.Param("code"), oauth2.VerifierOption(oauth2.GenerateVerifier())); refusal(err) != "invalid_grant" {
		t.Errorf("a wrong verifier: %v", err)
	}
	back = w.logIn(t, browser, config.AuthCodeURL("some state", oidc.Nonce("some nonce"), oauth2.S256ChallengeOption(verifier)))
	token, err := config.Exchange(w, back.Param("code"), oauth2.VerifierOption(verifier))
	w.must(t, err)
	id := verify(t, w, provider, token)
	if id.Nonce != "some nonce" {
		t.Errorf("nonce %q", id.Nonce)
	}
	w.must(t, id.VerifyAccessToken(token.AccessToken))

	info, err := provider.UserInfo(w, oauth2.StaticTokenSource(token))
	w.must(t, err)
	if info.Subject != id.Subject || info.Email != "kim@clients.example" || !info.EmailVerified {
		t.Errorf("userinfo %+v", info)
	}
	stale := *token
	stale.Expiry = stale.Expiry.AddDate(-1, 0, 0)
	fresh, err := config.TokenSource(w, &stale).Token()
	w.must(t, err)
	if fresh.AccessToken == token.AccessToken || verify(t, w, provider, fresh).Subject != id.Subject {
		t.Error("the refreshed token is the old one, or somebody else's")
	}

	var endpoints struct {
		EndSession string `json:"end_session_endpoint"`
	}
	w.must(t, provider.Claims(&endpoints))
	raw, _ := fresh.Extra("id_token").(string)
	bye, err := browser.Open(w, endpoints.EndSession+"?"+url.Values{
		"id_token_hint": {raw}, "post_logout_redirect_uri": {w.app.URL + "/bye"}, "state": {"gone"},
	}.Encode())
	w.must(t, err)
	if !bye.Away || bye.URL.Path != "/bye" || bye.Param("state") != "gone" {
		t.Errorf("logged out, the browser is at %s", bye.URL)
	}
	if _, err := config.TokenSource(w, &oauth2.Token{RefreshToken: fresh.RefreshToken}).Token(); refusal(err) != "invalid_grant" {
		t.Errorf("a refresh after the logout: %v", err)
	}
	page, err := browser.Open(w, config.AuthCodeURL("again"))
	w.must(t, err)
	if !page.Asks("password") {
		t.Errorf("after the logout no password is asked for, at %s", page.URL)
	}

	own, err := (&clientcredentials.Config{ClientID: "shop", ClientSecret: webSecret, TokenURL: config.Endpoint.TokenURL}).Token(w)
	w.must(t, err)
	if own.AccessToken == "" || own.RefreshToken != "" {
		t.Error("the client's own token comes with a refresh token, or there is none")
	}
	if _, err := (&clientcredentials.Config{ClientID: "shop", ClientSecret: "wrong", TokenURL: config.Endpoint.TokenURL}).
		Token(w); refusal(err) != "unauthorized_client" {
		t.Errorf("a wrong secret: %v", err)
	}
}

func verify(t *testing.T, w *world, provider *oidc.Provider, token *oauth2.Token) *oidc.IDToken {
	t.Helper()
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: "shop"}).Verify(w, raw)
	w.must(t, err)
	return id
}

// refusal is the OAuth error code of a refused token request, "" for anything else.
func refusal(err error) string {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response.StatusCode < http.StatusInternalServerError {
		return refused.ErrorCode
	}
	return ""
}
