package settings

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// A world is a server on one engine; each test has a realm of its own on it.
type world struct {
	context.Context
	t     *testing.T
	base  string
	admin *visitor.Admin
}

// each runs a test with a server on each engine.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e})
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		t.Cleanup(cancel)
		f(t, &world{Context: ctx, t: t, base: s.URL, admin: visitor.NewAdmin(s.URL)})
	})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// A realm is one with the client "app", whose default scopes hold offline_access
// where it is inherited, and the user "kim".
type realm struct {
	*world
	name  string
	party visitor.Party
	oauth *oauth2.Config
}

const (
	username = "kim"
	password = "kim-password"
)

// realm makes one with further settings, members of a JSON object that end in a comma.
func (w *world) realm(name, settings string) *realm {
	w.t.Helper()
	doc := fmt.Sprintf(`{"realm": %q, "enabled": true, %s
		"clients": [{"clientId": "app", "name": "The app", "enabled": true, "secret": "app-secret", "redirectUris": ["http://app.example/*"], "directAccessGrantsEnabled": true}],
		"users": [{"username": %q, "enabled": true, "email": "kim@settings.example", "emailVerified": true, "firstName": "Kim", "lastName": "Set",
			"realmRoles": ["default-roles-%s"], "credentials": [{"type": "password", "value": %q}]}]}`, name, settings, username, name, password)
	_, err := w.admin.Post(w, "", json.RawMessage(doc))
	w.must(err)
	r := &realm{world: w, name: name, party: visitor.Party{Base: w.base, Realm: name, ClientID: "app", Secret: "app-secret",
		Redirect: "http://app.example/cb"}}
	r.oauth = &oauth2.Config{ClientID: "app", ClientSecret: "app-secret", Scopes: []string{"openid"}, RedirectURL: r.party.Redirect,
		Endpoint: oauth2.Endpoint{AuthURL: r.party.Endpoint("auth"), TokenURL: r.party.Endpoint("token"), AuthStyle: oauth2.AuthStyleInParams}}
	return r
}

// at is a path of the admin API below the realm.
func (r *realm) at(path string) string { return "/" + r.name + path }

// offlineByDefault gives the client the scope offline_access without being asked.
func (r *realm) offlineByDefault() {
	r.t.Helper()
	client, err := r.admin.ID(r, r.at("/clients?clientId=app"), "clientId", "app")
	r.must(err)
	scope, err := r.admin.ID(r, r.at("/client-scopes"), "name", "offline_access")
	r.must(err)
	r.must(r.admin.Delete(r, r.at("/clients/"+client+"/optional-client-scopes/"+scope)))
	r.must(r.admin.Put(r, r.at("/clients/"+client+"/default-client-scopes/"+scope), nil))
}

// logIn logs kim in, with the given scope parameter, and redeems the code.
func (r *realm) logIn(b *visitor.Browser, scope string) *oauth2.Token {
	r.t.Helper()
	party := r.party
	party.Scope = scope
	code, err := party.Code(r, b, username, password)
	r.must(err)
	tok, err := r.oauth.Exchange(r, code)
	r.must(err)
	return tok
}

// passwordGrant gets tokens without a browser.
func (r *realm) passwordGrant() *oauth2.Token {
	r.t.Helper()
	tok, err := r.oauth.PasswordCredentialsToken(r, username, password)
	r.must(err)
	return tok
}

// refresh presents a refresh token; refused is the description of the refusal.
func (r *realm) refresh(token string) (tok *oauth2.Token, refused string) {
	r.t.Helper()
	tok, err := r.oauth.TokenSource(r, &oauth2.Token{RefreshToken: token}).Token()
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok && e.Response.StatusCode == 400 {
		return nil, e.ErrorDescription
	}
	r.must(err)
	return tok, ""
}

// id is the jti of a token, which is not checked.
func id(t testing.TB, token string) string {
	t.Helper()
	return claims(t, token)["jti"].(string)
}

func claims(t testing.TB, token string) map[string]any {
	t.Helper()
	_, rest, _ := strings.Cut(token, ".")
	body, _, _ := strings.Cut(rest, ".")
	b, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		t.Fatalf("%q is no token: %v", token, err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func (w *world) second(_ string, err error) error { return err }

// together runs n at once and returns when all are done.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}
