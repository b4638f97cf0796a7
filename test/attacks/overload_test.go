package attacks

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// Who brings more passwords than the server can hash is answered 503, whoever they name, and keeps nobody from what needs no hash.
// One hash runs at a time here, one waits, and each takes long.
func TestOverload(t *testing.T) {
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e, Args: []string{"--password-hash-queue=1"}, Env: []string{"GOMAXPROCS=1"}})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		_, err := visitor.NewAdmin(s.URL).Post(ctx, "", json.RawMessage(`{"realm": "crowd", "enabled": true,
			"passwordPolicy": "hashAlgorithm(pbkdf2-sha512) and hashIterations(400000)",
			"clients": [{"clientId": "app", "enabled": true, "secret": "app-secret", "redirectUris": ["http://app.example/*"],
				"directAccessGrantsEnabled": true}],
			"users": [{"username": "vic", "enabled": true, "email": "vic@attacks.example", "emailVerified": true, "firstName": "Vic",
				"lastName": "Tim", "credentials": [{"type": "password", "value": "vics-password"}]}]}`))
		must(err)
		app := visitor.Party{Base: s.URL, Realm: "crowd", ClientID: "app", Secret: "app-secret", Redirect: "http://app.example/cb"}
		direct := func() (*visitor.Answer, error) {
			return app.Post(ctx, "token", url.Values{"grant_type": {"password"}, "username": {"vic"}, "password": {"vics-password"},
				"scope": {"openid"}})
		}
		tokens, err := direct()
		must(err)
		if !tokens.OK() {
			t.Fatalf("the server at rest refuses a direct grant: %d %s", tokens.Status, tokens.Description)
		}
		pages := map[string]*visitor.Page{}
		for _, name := range []string{"vic", "nobody"} {
			pages[name], err = visitor.NewBrowser().Open(ctx, app.AuthURL())
			must(err)
		}

		stop := make(chan struct{})
		var crowd sync.WaitGroup
		for range 4 {
			crowd.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					a, err := direct()
					if err != nil || !a.OK() && (a.Status != http.StatusServiceUnavailable || a.Error != "temporarily_unavailable") {
						t.Errorf("a direct grant in the crowd: %v, %+v", err, a)
						return
					}
				}
			})
		}
		leave := sync.OnceFunc(func() { close(stop); crowd.Wait() })
		defer leave()

		bodies := map[string]string{}
		for name, page := range pages {
			for range 20 { // now and then a login finds room
				p, err := page.Submit(ctx, map[string]string{"username": name, "password": "vics-password-not"})
				must(err)
				if p.Status == http.StatusServiceUnavailable {
					bodies[name] = p.Body
					if p.Header.Get("Retry-After") == "" || !strings.Contains(p.Body, "Too many people are logging in") {
						t.Errorf("%s: Retry-After %q, %s", name, p.Header.Get("Retry-After"), p.Body)
					}
					break
				}
				page = p
			}
		}
		if bodies["vic"] == "" || bodies["vic"] != bodies["nobody"] {
			t.Errorf("known and unknown users are told apart:\n%s\n%s", bodies["vic"], bodies["nobody"])
		}
		began := time.Now()
		a, err := app.Renew(ctx, tokens.Refresh)
		must(err)
		if !a.OK() {
			t.Errorf("a refresh meanwhile: %d %s", a.Status, a.Error)
		}
		if a, err := app.Introspect(ctx, a.Access); err != nil || !a.OK() {
			t.Errorf("an introspection meanwhile: %v %+v", err, a)
		}
		resp, err := http.Get(s.Management + "/health/ready")
		must(err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("the readiness meanwhile: %d", resp.StatusCode)
		}
		t.Logf("refresh, introspection and readiness took %v", time.Since(began))

		leave()
		p, err := pages["vic"].Submit(ctx, map[string]string{"username": "vic", "password": "vics-password"})
		must(err)
		if !p.Away && p.Asks("password") { // a login that found room before had made the page an old one
			p, err = p.Submit(ctx, map[string]string{"username": "vic", "password": "vics-password"})
			must(err)
		}
		if _, err := p.Code(); err != nil {
			t.Errorf("the same form later: %v\n%s", err, p.Body)
		}
	})
}
