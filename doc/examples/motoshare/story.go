package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"latchkey/test/visitor"
)

const (
	realm    = "motoshare"
	client   = "motoshare"
	callback = "http://127.0.0.1:7070/callback"
)

// A story is one performance.
type story struct {
	base    string
	admin   *visitor.Admin
	fresh   bool
	restart func(context.Context) error // of the server; nil leaves that part out
	out     io.Writer

	browser  *visitor.Browser
	provider *oidc.Provider
	config   *oauth2.Config
	user     string // ada's id
	clientID string // the database id of the client
}

func newStory(base string, out io.Writer) *story {
	return &story{base: base, admin: visitor.NewAdmin(base), out: out, browser: visitor.NewBrowser()}
}

func (s *story) say(format string, args ...any)  { fmt.Fprintf(s.out, format+"\n", args...) }
func (s *story) show(format string, args ...any) { s.say("    "+format, args...) }

// claim prints what the story says, and fails when it is not so.
func (s *story) claim(so bool, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if !so {
		return errors.New("it is not so that " + text)
	}
	s.say("  - %s", text)
	return nil
}

// play tells the whole story.
func (s *story) play(ctx context.Context) error {
	for _, act := range []struct {
		title string
		play  func(context.Context) error
	}{
		{"The realm motoshare, where offline_access is a default client scope", s.setUp},
		{"Ada logs in", s.defaultOffline},
		{"offline_access becomes optional, all sessions are logged out, cookies are cleared, Ada logs in again", s.becomeOptional},
		{"A background job is given an offline token, and keeps refreshing it", s.survive},
		{"Servers talk to servers", s.serverToServer},
	} {
		s.say("\n%s", act.title)
		if err := act.play(ctx); err != nil {
			return fmt.Errorf("%s: %w", act.title, err)
		}
	}
	s.say("\nAll was as the story says.")
	return nil
}

func (s *story) setUp(ctx context.Context) error {
	path := "/" + realm
	if s.fresh {
		var gone *visitor.StatusError
		if err := s.admin.Delete(ctx, path); err != nil && !(errors.As(err, &gone) && gone.Status == 404) {
			return err
		}
	}
	var there struct{ Realm string }
	var missing *visitor.StatusError
	if err := s.admin.Get(ctx, path, &there); errors.As(err, &missing) && missing.Status == 404 {
		if _, err := s.admin.Post(ctx, "", json.RawMessage(realmFile)); err != nil {
			return err
		}
		s.say("  - made from motoshare-realm.json")
	} else if err != nil {
		return err
	}
	var err error
	if s.user, err = s.admin.ID(ctx, path+"/users?username=ada&exact=true", "username", "ada"); err != nil {
		return err
	}
	if s.clientID, err = s.admin.ID(ctx, path+"/clients?clientId="+client, "clientId", client); err != nil {
		return err
	}
	names, err := s.scopeNames(ctx, path+"/default-default-client-scopes")
	if err != nil {
		return err
	}
	s.show("realm default client scopes: %s", strings.Join(names, " "))
	if err := s.claim(slices.Contains(names, "offline_access"), "offline_access is a default client scope of the realm"); err != nil {
		return err
	}
	if names, err = s.scopeNames(ctx, path+"/clients/"+s.clientID+"/default-client-scopes"); err != nil {
		return err
	}
	s.show("the client's default scopes: %s", strings.Join(names, " "))
	if err := s.claim(slices.Contains(names, "offline_access"), "and of the client %s (if not, play with -fresh)", client); err != nil {
		return err
	}
	if s.provider, err = oidc.NewProvider(ctx, s.base+"/realms/"+realm); err != nil {
		return err
	}
	s.config = &oauth2.Config{
		ClientID: client, ClientSecret: "motoshare-secret", Endpoint: s.provider.Endpoint(), RedirectURL: callback,
		Scopes: []string{oidc.ScopeOpenID},
	}
	return nil
}

func (s *story) scopeNames(ctx context.Context, at string) ([]string, error) {
	var list []struct{ Name string }
	err := s.admin.Get(ctx, at, &list)
	var names []string
	for _, one := range list {
		names = append(names, one.Name)
	}
	slices.Sort(names)
	return names, err
}

// A login is what the client got out of one.
type login struct {
	asked bool // for the password
	token *oauth2.Token
	sid   string
	scope string
}

// logIn sends the browser to the server and redeems the code that it comes
// back with, as a relying party does: state, nonce, PKCE and the ID token are
// checked.
func (s *story) logIn(ctx context.Context, more ...oauth2.AuthCodeOption) (*login, error) {
	state, nonce, verifier := oauth2.GenerateVerifier(), oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	page, err := s.browser.Open(ctx, s.config.AuthCodeURL(state, append(more, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier))...))
	if err != nil {
		return nil, err
	}
	l := new(login)
	if l.asked = page.Asks("password"); l.asked {
		if page, err = page.Login(ctx, "ada", "ada-rides"); err != nil {
			return nil, err
		}
	}
	switch {
	case !page.Away || !strings.HasPrefix(page.URL.String(), callback+"?"):
		return nil, fmt.Errorf("the browser is at %s with status %d instead of back at the client", page.URL, page.Status)
	case page.Param("state") != state:
		return nil, errors.New("the state did not come back")
	case page.Param("error") != "":
		return nil, fmt.Errorf("%s: %s", page.Param("error"), page.Param("error_description"))
	}
	if l.token, err = s.config.Exchange(ctx, page.Param("code"), oauth2.VerifierOption(verifier)); err != nil {
		return nil, err
	}
	raw, _ := l.token.Extra("id_token").(string)
	id, err := s.provider.Verifier(&oidc.Config{ClientID: client}).Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if id.Nonce != nonce {
		return nil, errors.New("the nonce did not come back")
	}
	l.scope, _ = l.token.Extra("scope").(string)
	var claims struct{ Sid string }
	if err := id.Claims(&claims); err != nil {
		return nil, err
	}
	l.sid = claims.Sid
	s.show("the token answer: scope %q, expires_in %v, refresh_expires_in %v", l.scope, l.token.Extra("expires_in"),
		l.token.Extra("refresh_expires_in"))
	return l, nil
}

// An event is what of a user event the story looks at.
type event struct {
	Type      string
	ClientID  string
	SessionID string
	Error     string
	Details   map[string]string
}

// lastEvent is the latest event of a type.
func (s *story) lastEvent(ctx context.Context, kind string) (*event, error) {
	var list []*event
	if err := s.admin.Get(ctx, "/"+realm+"/events?max=1&type="+url.QueryEscape(kind), &list); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("there is no event %s", kind)
	}
	e := list[0]
	s.show("event %s: client %s, refresh_token_type %q, scope %q", e.Type, e.ClientID, e.Details["refresh_token_type"], e.Details["scope"])
	return e, nil
}

// A session is Keycloak's UserSessionRepresentation.
type session struct {
	ID         string
	Username   string
	IPAddress  string
	Start      int64
	LastAccess int64
	Clients    map[string]string
}

func (x session) String() string {
	var clients []string
	for _, name := range x.Clients {
		clients = append(clients, name)
	}
	at := func(ms int64) string { return time.UnixMilli(ms).Format(time.TimeOnly) }
	return fmt.Sprintf("%s started %s, last access %s, from %s, clients %v", x.Username, at(x.Start), at(x.LastAccess), x.IPAddress, clients)
}

// sessions lists sessions at a path below the realm.
func (s *story) sessions(ctx context.Context, what, at string) ([]session, error) {
	var list []session
	if err := s.admin.Get(ctx, "/"+realm+at, &list); err != nil {
		return nil, err
	}
	s.show("%s: %d", what, len(list))
	for _, one := range list {
		s.show("    %s", one)
	}
	return list, nil
}

func (s *story) userSessions(ctx context.Context) ([]session, error) {
	return s.sessions(ctx, "Users -> ada -> Sessions", "/users/"+s.user+"/sessions")
}

func (s *story) clientOffline(ctx context.Context) ([]session, error) {
	return s.sessions(ctx, "offline sessions of the client "+client, "/clients/"+s.clientID+"/offline-sessions")
}

func sameWords(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// claims is the first of several claims that failed.
func claims(list ...error) error { return cmp.Or(list...) }

// defaultOffline is a login while offline_access is a default scope.
func (s *story) defaultOffline(ctx context.Context) error {
	l, err := s.logIn(ctx)
	if err != nil {
		return err
	}
	e, err := s.lastEvent(ctx, "CODE_TO_TOKEN")
	if err != nil {
		return err
	}
	online, err := s.userSessions(ctx)
	if err != nil {
		return err
	}
	offline, err := s.clientOffline(ctx)
	if err != nil {
		return err
	}
	if err := claims(
		s.claim(sameWords(l.scope, "openid offline_access profile email"), "the login succeeds with scope openid offline_access profile email"),
		s.claim(e.Details["refresh_token_type"] == "Offline", "the event CODE_TO_TOKEN says refresh_token_type Offline"),
		s.claim(len(online) == 0, "Users -> Sessions shows none"),
		s.claim(len(offline) == 1 && offline[0].ID == l.sid, "the client's offline sessions show one, that of the login"),
	); err != nil {
		return err
	}
	again, err := s.logIn(ctx)
	if err != nil {
		return err
	}
	return s.claim(again.asked, "the next authorize request asks for the password: there is no single sign-on")
}

// becomeOptional is a login after offline_access was made optional.
func (s *story) becomeOptional(ctx context.Context) error {
	if err := s.makeOptional(ctx); err != nil {
		return err
	}
	if _, err := s.admin.Post(ctx, "/"+realm+"/logout-all", nil); err != nil {
		return err
	}
	s.browser.Forget()
	offline, err := s.clientOffline(ctx)
	if err != nil {
		return err
	}
	if err := s.claim(len(offline) == 0, "the offline sessions are logged out, too"); err != nil {
		return err
	}
	l, err := s.logIn(ctx)
	if err != nil {
		return err
	}
	e, err := s.lastEvent(ctx, "CODE_TO_TOKEN")
	if err != nil {
		return err
	}
	online, err := s.userSessions(ctx)
	if err != nil {
		return err
	}
	if err := claims(
		s.claim(l.asked, "Ada is asked for her password"),
		s.claim(sameWords(l.scope, "openid profile email"), "the scope is openid profile email"),
		s.claim(e.Details["refresh_token_type"] == "Refresh", "the event CODE_TO_TOKEN says refresh_token_type Refresh"),
		s.claim(len(online) == 1, "the session is listed"),
	); err != nil {
		return err
	}
	one := online[0]
	if err := s.claim(one.ID == l.sid && one.Start > 0 && one.LastAccess >= one.Start && one.IPAddress != "" &&
		one.Clients[s.clientID] == client,
		"with its start, last access, IP address and client"); err != nil {
		return err
	}
	sso, err := s.logIn(ctx)
	if err != nil {
		return err
	}
	return s.claim(!sso.asked && sso.sid == l.sid, "single sign-on works: the next authorize request asks for nothing")
}

// makeOptional moves offline_access from the default to the optional scopes.
func (s *story) makeOptional(ctx context.Context) error {
	scope, err := s.admin.ID(ctx, "/"+realm+"/client-scopes", "name", "offline_access")
	if err != nil {
		return err
	}
	for _, kind := range []string{"/" + realm + "/default-%s-client-scopes/", "/" + realm + "/clients/" + s.clientID + "/%s-client-scopes/"} {
		if err := s.admin.Delete(ctx, fmt.Sprintf(kind, "default")+scope); err != nil {
			return err
		}
		if err := s.admin.Put(ctx, fmt.Sprintf(kind, "optional")+scope, nil); err != nil {
			return err
		}
	}
	return nil
}

// survive gives a job an offline token that was asked for, logs the browser out
// and restarts the server, while the job goes on.
func (s *story) survive(ctx context.Context) error {
	l, err := s.logIn(ctx, oauth2.SetAuthURLParam("scope", "openid offline_access"))
	if err != nil {
		return err
	}
	if err := s.claim(!l.asked && sameWords(l.scope, "openid offline_access profile email"),
		"asked for, offline_access is granted in the session that there is"); err != nil {
		return err
	}
	job := s.startJob(ctx, l.token)
	defer job.stop()
	working := func(text string) error {
		if err := s.claim(job.refreshes(ctx, 2) == nil, "%s", text); err != nil {
			return errors.Join(err, job.failure())
		}
		return nil
	}
	if err := working("the job refreshes its offline token"); err != nil {
		return err
	}
	page, err := s.logOut(ctx, l)
	if err != nil {
		return err
	}
	online, err := s.userSessions(ctx)
	if err != nil {
		return err
	}
	if err := claims(
		s.claim(page.Away && page.URL.Path == "/bye", "the browser logs out and is sent back to the client"),
		s.claim(len(online) == 0, "its session is gone"),
		working("the job's token still works"),
	); err != nil {
		return err
	}
	if s.restart == nil {
		return nil
	}
	if err := s.restart(ctx); err != nil {
		return err
	}
	if err := working("after a restart of the server the job's token still works"); err != nil {
		return err
	}
	_, err = s.clientOffline(ctx)
	return err
}

// logOut is the browser's logout, asked for by the client.
func (s *story) logOut(ctx context.Context, l *login) (*visitor.Page, error) {
	var endpoints struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := s.provider.Claims(&endpoints); err != nil {
		return nil, err
	}
	hint, _ := l.token.Extra("id_token").(string)
	return s.browser.Open(ctx, endpoints.EndSession+"?"+url.Values{
		"id_token_hint": {hint}, "post_logout_redirect_uri": {"http://127.0.0.1:7070/bye"},
	}.Encode())
}

// serverToServer gets a token without any user.
func (s *story) serverToServer(ctx context.Context) error {
	config := clientcredentials.Config{ClientID: "motoshare-billing", ClientSecret: "billing-secret", TokenURL: s.provider.Endpoint().TokenURL}
	token, err := config.Token(ctx)
	if err != nil {
		return err
	}
	id, err := s.admin.ID(ctx, "/"+realm+"/clients?clientId=motoshare-billing", "clientId", "motoshare-billing")
	if err != nil {
		return err
	}
	online, err := s.sessions(ctx, "sessions of the client motoshare-billing", "/clients/"+id+"/user-sessions")
	if err != nil {
		return err
	}
	if _, err := s.lastEvent(ctx, "CLIENT_LOGIN"); err != nil {
		return err
	}
	return claims(
		s.claim(token.AccessToken != "" && token.RefreshToken == "", "the client motoshare-billing has an access token and no refresh token"),
		s.claim(len(online) == 0, "and no session"),
	)
}
