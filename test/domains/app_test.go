package domains

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// An app is a web application that logs people in on its server, as Laravel's
// Socialite and its like do: code flow with PKCE, then a session of its own
// behind a cookie of its own. It is written with x/oauth2 and go-oidc.
type app struct {
	t        *testing.T
	host     string
	client   *http.Client
	provider *oidc.Provider
	config   *oauth2.Config

	mu       sync.Mutex
	sessions map[string]*appSession // by the cookie's value
	logins   map[string]appLogin    // under way, by state
	heard    []heard                // front-channel logouts
	told     []string               // sessions that back-channel logouts named
	byCookie bool                   // a front-channel logout ends the session of the cookie, not of the address
}

// An appSession is the application's own session.
type appSession struct {
	user, sid, idToken string
	token              *oauth2.Token
}

type appLogin struct{ nonce, verifier string }

// heard is a front-channel logout as it arrived in the application's frame.
type heard struct {
	sid    string
	cookie bool // whether the browser sent the application's cookie along
}

// appCookie is SameSite=None, the most that an application can ask of a browser:
// where it does not arrive in a frame, no cookie does.
const appCookie = "app_session"

// appAt runs an application for a client whose discovery document is read below
// an address: the realm's, under the name of the server that the application knows.
func (w *world) appAt(from string, c client, scopes ...string) *app {
	w.t.Helper()
	a := &app{t: w.t, host: c.host, client: w.client(w.t), sessions: map[string]*appSession{}, logins: map[string]appLogin{}}
	issuer := a.issuerAt(from)
	var err error
	if a.provider, err = oidc.NewProvider(oidc.InsecureIssuerURLContext(a.context(), issuer), from); err != nil {
		w.t.Fatal(err)
	}
	a.config = &oauth2.Config{
		ClientID: c.id, ClientSecret: clientSecret, Endpoint: a.provider.Endpoint(), RedirectURL: a.url("/callback"),
		Scopes: append([]string{oidc.ScopeOpenID}, scopes...),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /login", a.login)
	mux.HandleFunc("GET /callback", a.callback)
	mux.HandleFunc("GET /logout", a.logout)
	mux.HandleFunc("GET /refresh", a.refresh)
	mux.HandleFunc("POST /backchannel-logout", a.backchannel)
	mux.HandleFunc("GET /frontchannel-logout", a.frontchannel)
	w.serve(w.t, c.host, c.host, mux)
	return a
}

// issuerAt is the issuer that the discovery document below an address names.
func (a *app) issuerAt(from string) string {
	a.t.Helper()
	resp, err := a.client.Get(from + "/.well-known/openid-configuration")
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	var doc struct{ Issuer string }
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		a.t.Fatal(err)
	}
	return doc.Issuer
}

func (a *app) url(path string) string { return "https://" + a.host + path }

// context is for calls to the server.
func (a *app) context() context.Context { return oidc.ClientContext(a.t.Context(), a.client) }

// session is the session that a request's cookie names, nil without one.
func (a *app) session(r *http.Request) *appSession {
	c, err := r.Cookie(appCookie)
	if err != nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sessions[c.Value]
}

func (a *app) home(w http.ResponseWriter, r *http.Request) {
	state := "out"
	if s := a.session(r); s != nil {
		state = "in as " + s.user
	}
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprintf(w, "<!doctype html><title>%s</title><p id=state>%s</p>", a.host, state)
}

func (a *app) login(w http.ResponseWriter, r *http.Request) {
	state, l := oauth2.GenerateVerifier(), appLogin{nonce: oauth2.GenerateVerifier(), verifier: oauth2.GenerateVerifier()}
	a.mu.Lock()
	a.logins[state] = l
	a.mu.Unlock()
	// A real application binds the state to the browser; here one browser visits it.
	http.Redirect(w, r, a.config.AuthCodeURL(state, oidc.Nonce(l.nonce), oauth2.S256ChallengeOption(l.verifier)), http.StatusFound)
}

func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	a.mu.Lock()
	l, ok := a.logins[q.Get("state")]
	delete(a.logins, q.Get("state"))
	a.mu.Unlock()
	if !ok || q.Get("code") == "" {
		http.Error(w, "no login: "+q.Get("error"), http.StatusBadRequest)
		return
	}
	token, err := a.config.Exchange(a.context(), q.Get("code"), oauth2.VerifierOption(l.verifier))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	s, err := a.verify(token, l.nonce)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	id := oauth2.GenerateVerifier()
	a.mu.Lock()
	a.sessions[id] = s
	a.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: appCookie, Value: id, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteNoneMode})
	http.Redirect(w, r, "/", http.StatusFound)
}

func (a *app) verify(token *oauth2.Token, nonce string) (*appSession, error) {
	raw, _ := token.Extra("id_token").(string)
	id, err := a.provider.Verifier(&oidc.Config{ClientID: a.config.ClientID}).Verify(a.context(), raw)
	if err != nil {
		return nil, err
	}
	var claims struct {
		SID      string `json:"sid"`
		Username string `json:"preferred_username"`
	}
	if err := id.Claims(&claims); err != nil {
		return nil, err
	}
	if id.Nonce != nonce {
		return nil, fmt.Errorf("nonce %q", id.Nonce)
	}
	return &appSession{user: claims.Username, sid: claims.SID, idToken: raw, token: token}, nil
}

// logout ends the own session and sends the browser on to the server, to end
// that one (OpenID Connect RP-Initiated Logout 1.0).
func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	s := a.session(r)
	if s == nil {
		http.Redirect(w, r, "/", http.StatusFound)
		return
	}
	a.end(s.sid)
	var doc struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := a.provider.Claims(&doc); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	q := "?post_logout_redirect_uri=" + a.url("/") + "&id_token_hint=" + s.idToken
	http.Redirect(w, r, doc.EndSession+q, http.StatusFound)
}

// refresh takes a new access token; where the server refuses, the own session is over, too.
func (a *app) refresh(w http.ResponseWriter, r *http.Request) {
	if s := a.session(r); s != nil {
		fresh, err := a.config.TokenSource(a.context(), &oauth2.Token{RefreshToken: s.token.RefreshToken}).Token()
		if err != nil {
			a.end(s.sid)
		} else {
			s.token = fresh
		}
	}
	http.Redirect(w, r, "/", http.StatusFound)
}

// end forgets the sessions that began in a session of the server.
func (a *app) end(sid string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, s := range a.sessions {
		if s.sid == sid {
			delete(a.sessions, id)
		}
	}
}

// backchannel takes a logout token (OpenID Connect Back-Channel Logout 1.0).
func (a *app) backchannel(w http.ResponseWriter, r *http.Request) {
	token, err := a.provider.Verifier(&oidc.Config{ClientID: a.config.ClientID}).Verify(a.context(), r.FormValue("logout_token"))
	if err != nil {
		a.t.Errorf("%s: the logout token: %v", a.host, err)
		http.Error(w, "no logout token", http.StatusBadRequest)
		return
	}
	var claims struct {
		SID    string                     `json:"sid"`
		Events map[string]json.RawMessage `json:"events"`
	}
	if err := token.Claims(&claims); err != nil || claims.SID == "" ||
		claims.Events["http://schemas.openid.net/event/backchannel-logout"] == nil {
		a.t.Errorf("%s: the logout token says %+v, %v", a.host, claims, err)
	}
	a.mu.Lock()
	a.told = append(a.told, claims.SID)
	a.mu.Unlock()
	a.end(claims.SID)
}

// frontchannel is loaded in a frame of the server's logout page (OpenID Connect
// Front-Channel Logout 1.0). It goes by the session that the address names, or by the cookie.
func (a *app) frontchannel(_ http.ResponseWriter, r *http.Request) {
	_, err := r.Cookie(appCookie)
	sid, own := r.URL.Query().Get("sid"), a.session(r)
	a.mu.Lock()
	a.heard = append(a.heard, heard{sid: sid, cookie: err == nil})
	byCookie := a.byCookie
	a.mu.Unlock()
	switch {
	case !byCookie:
		a.end(sid)
	case own != nil:
		a.end(own.sid)
	}
}

// reset forgets all that happened.
func (a *app) reset(byCookie bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sessions, a.heard, a.told, a.byCookie = map[string]*appSession{}, nil, nil, byCookie
}

// only is the application's one session.
func (a *app) only() *appSession {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.sessions) != 1 {
		a.t.Fatalf("%s has %d sessions, want one", a.host, len(a.sessions))
	}
	for _, s := range a.sessions {
		return s
	}
	return nil
}

// sid is the server's session that the application's one session began in.
func (a *app) sid() string {
	a.t.Helper()
	return a.only().sid
}

// refreshType is the type of the one session's refresh token: Refresh or Offline.
func (a *app) refreshType(t *testing.T) string {
	t.Helper()
	parts := strings.Split(a.only().token.RefreshToken, ".")
	if len(parts) != 3 {
		t.Fatal("the refresh token is no JWT")
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Type string `json:"typ"`
	}
	if err := json.Unmarshal(data, &claims); err != nil {
		t.Fatal(err)
	}
	return claims.Type
}

// count is how many own sessions the application has.
func (a *app) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.sessions)
}

// frontLogouts are the front-channel logouts that arrived.
func (a *app) frontLogouts() []heard {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]heard(nil), a.heard...)
}

// backLogouts are the sessions that back-channel logouts named.
func (a *app) backLogouts() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.told...)
}
