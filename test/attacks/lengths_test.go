package attacks

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// letters makes text of n bytes that does not compress to nothing.
func letters(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + rand.IntN(26))
	}
	return string(b)
}

// longRealm keeps events and has a public client and a confidential one.
const longRealm = `{"realm": "long", "enabled": true, "eventsEnabled": true, "registrationAllowed": true, "resetPasswordAllowed": true,
	"clients": [
		{"clientId": "pub", "publicClient": true, "enabled": true, "redirectUris": ["http://app.example/*"], "directAccessGrantsEnabled": true},
		{"clientId": "app", "secret": "app-secret", "enabled": true, "redirectUris": ["http://app.example/*"], "serviceAccountsEnabled": true}],
	"users": [{"username": "kim", "enabled": true, "email": "kim@attacks.example", "emailVerified": true, "firstName": "Kim", "lastName": "Long",
		"credentials": [{"type": "password", "value": "kim-password"}]}]}`

// longPosts are forms of strangers; LONG stands for a text that is as long as a
// parameter of a form may be.
var longPosts = []struct{ name, path, form string }{
	{"token, client", "token", "grant_type=password&client_id=LONG&username=LONG&password=x"},
	{"token, user", "token", "grant_type=password&client_id=pub&username=LONG&password=x"},
	{"token, scope", "token", "grant_type=password&client_id=pub&username=kim&password=kim-password&scope=LONG"},
	{"token, scopes", "token", "grant_type=password&client_id=pub&username=kim&password=kim-password&scope=MUCH"},
	{"token, grant", "token", "grant_type=LONG&client_id=pub&LONG=x"},
	{"token, code", "token", "grant_type=authorization_code&client_id=pub&code=LONG&redirect_uri=LONG"},
	{"token, refresh", "token", "grant_type=refresh_token&client_id=pub&refresh_token=LONG"},
	{"token, exchange", "token",
		"grant_type=urn:ietf:params:oauth:grant-type:token-exchange&client_id=pub&subject_token=LONG&subject_token_type=LONG&audience=LONG&requested_token_type=LONG"},
	{"token, adapter", "token",
		"grant_type=password&client_id=pub&username=kim&password=kim-password&client_session_state=LONG&client_session_host=LONG"},
	{"token, adapter within a parameter", "token",
		"grant_type=password&client_id=pub&username=kim&password=kim-password&client_session_state=MUCH&client_session_host=MUCH"},
	{"pushed, state", "ext/par/request", "client_id=pub&response_type=code&redirect_uri=http://app.example/cb&state=LONG&nonce=LONG"},
	{"pushed, others", "ext/par/request", "client_id=pub&response_type=code&redirect_uri=http://app.example/cb&foo=LONG&LONG=y"},
	{"pushed, many", "ext/par/request",
		"client_id=pub&response_type=code&redirect_uri=http://app.example/cb&a=MUCH&b=MUCH&c=MUCH&d=MUCH&e=MUCH&f=MUCH&g=MUCH&h=MUCH"},
	{"pushed, redirect", "ext/par/request", "client_id=pub&response_type=code&redirect_uri=http://app.example/LONG"},
	{"introspect", "token/introspect", "client_id=LONG&token=LONG"},
	{"revoke", "revoke", "client_id=pub&token=LONG&token_type_hint=LONG"},
	{"logout", "logout", "client_id=pub&refresh_token=LONG"},
	{"logout hint", "logout", "id_token_hint=LONG&state=LONG"},
	{"authorize", "auth", "client_id=LONG&redirect_uri=LONG&response_type=LONG"},
	{"authorize, redirect", "auth", "client_id=pub&redirect_uri=http://app.example/LONG&response_type=LONG&state=LONG"},
	{"authorize, hint", "auth", "client_id=pub&redirect_uri=http://app.example/cb&response_type=code&login_hint=LONG&LONG=z"},
	{"device", "auth/device", "client_id=LONG&scope=LONG"},
}

// What strangers send is kept and logged up to a length, whatever it is.
func TestLongValuesOfStrangers(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e})
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		admin := visitor.NewAdmin(s.URL)
		if _, err := admin.Post(ctx, "", json.RawMessage(longRealm)); err != nil {
			t.Fatal(err)
		}
		base := s.URL + "/realms/long/protocol/openid-connect/"
		times := 10
		if e == harness.Postgres {
			times = 1 // whose files say little; the events are looked at
		}
		before := size(t, s.Dir)
		for _, c := range longPosts {
			logged, stored := len(s.Log()), size(t, s.Dir)
			for range times {
				form := strings.ReplaceAll(strings.ReplaceAll(c.form, "LONG", letters(120_000)), "MUCH", letters(3_900))
				status := post(ctx, t, base+c.path, form)
				if status >= 500 {
					t.Errorf("%s: %d", c.name, status)
				}
			}
			grew(t, s, c.name, times, logged, stored)
		}
		for _, field := range []string{"username", "password", "firstName", "email"} {
			logged, stored := len(s.Log()), size(t, s.Dir)
			for range times {
				b := visitor.NewBrowser()
				p, err := b.Open(ctx, visitor.Party{Base: s.URL, Realm: "long", ClientID: "pub", Redirect: "http://app.example/cb"}.AuthURL()+
					"&foo="+letters(1_900))
				if err != nil {
					t.Fatal(err)
				}
				fields := map[string]string{"username": "kim", "password": "x"}
				fields[field] = letters(120_000)
				if p, err = p.Submit(ctx, fields); err != nil {
					t.Fatal(err)
				}
				if p.Status >= 500 {
					t.Errorf("login form, %s: %d", field, p.Status)
				}
			}
			grew(t, s, "login form, "+field, times, logged, stored)
		}
		if all := size(t, s.Dir) - before; all > 12<<20 { // what was sent is three times as much
			t.Errorf("%d MB stored by all", all>>20)
		}
		var events []struct {
			Type, ClientID, Error string
			Details               map[string]string
		}
		if err := admin.Get(ctx, "/long/events?max=1000", &events); err != nil || len(events) == 0 {
			t.Fatalf("%d events, %v", len(events), err)
		}
		for _, x := range events {
			all := len(x.ClientID) + len(x.Error)
			for name, v := range x.Details {
				if all += len(name) + len(v); len(v) > 8<<10 {
					t.Errorf("%s %s: a detail %s of %d bytes", x.Type, x.Error, name, len(v))
				}
			}
			if all > 20_000 {
				t.Errorf("%s %s: %d bytes", x.Type, x.Error, all)
			}
		}
	})
}

// grew tells what n requests have left behind: of each 8 KB in the log at most,
// and in the database as many pages as a login writes, each twice; what may be
// kept of a request fits in.
func grew(t *testing.T, s *harness.Server, what string, n, logged, stored int) {
	t.Helper()
	if more := len(s.Log()) - logged; more > n*8_000 {
		t.Errorf("%s: %d bytes of log for %d requests", what, more, n)
	}
	if more := size(t, s.Dir) - stored; more > n*160_000 {
		t.Errorf("%s: %d bytes stored for %d requests", what, more, n)
	}
}

// size is that of all files in a folder.
func size(t *testing.T, dir string) (all int) {
	t.Helper()
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := d.Info(); err == nil && !d.IsDir() {
			all += int(info.Size())
		}
		return nil
	})
	return all
}

// post sends a form, and returns the answer's status.
func post(ctx context.Context, t *testing.T, at, form string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", formType)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode
}
