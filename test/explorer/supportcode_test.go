package explorer

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"latchkey/internal/records"
	"latchkey/test/visitor"
)

var (
	codeOnPage = regexp.MustCompile(`id="kc-support-code" aria-label="Support code" value="([0-9A-Z-]+)"`)
	codeShape  = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}$`)
)

// shown is the code on the page that a browser sees at an address, "" without one.
func (w *shop) shown(at string) string {
	w.Helper()
	p, err := visitor.NewBrowser().Open(w.ctx, at)
	w.must(err)
	if m := codeOnPage.FindStringSubmatch(p.Body); m != nil {
		return m[1]
	}
	return ""
}

// told is the code that comes with an endpoint's answer to a program.
func (w *shop) told(at string, form url.Values, headers ...string) string {
	w.Helper()
	req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, w.web.Endpoint(at), strings.NewReader(form.Encode()))
	w.must(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if len(headers) == 2 {
		req.Header.Set(headers[0], headers[1])
	}
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	w.must(resp.Body.Close())
	if resp.StatusCode < 400 {
		w.Fatalf("%s: %s", at, resp.Status)
	}
	return resp.Header.Get("Support-Code")
}

// Whoever is refused by a page or an answer can tell an administrator a code that leads to the explanation, and is told no more by it.
func TestSupportCodes(t *testing.T) {
	each(t, false, func(w *shop) {
		auth := w.web.Endpoint("auth") + "?"
		asked := func(more url.Values) string {
			q := url.Values{"client_id": {"web"}, "redirect_uri": {"http://web.test/cb"}, "response_type": {"code"}, "scope": {"openid"}}
			for name, values := range more {
				q[name] = values
			}
			return auth + q.Encode()
		}
		form := func(grant string, more ...string) url.Values {
			f := url.Values{"client_id": {"web"}, "client_secret": {"web-secret"}, "grant_type": {grant}}
			for i := 0; i < len(more); i += 2 {
				f.Set(more[i], more[i+1])
			}
			return f
		}
		_, err := w.admin.Post(w.ctx, "", map[string]any{"realm": "other", "enabled": true})
		w.must(err)

		seen := map[string]bool{}
		for _, c := range []struct {
			name   string
			code   func() string
			reason string
			in     string // the answer
		}{
			{"a redirect URI that is not the client's", func() string {
				return w.shown(asked(url.Values{"redirect_uri": {"http://evil.test/cb"}}))
			}, "redirect-mismatch", "http://evil.test/cb"},
			{"a client that there is not", func() string {
				return w.shown(asked(url.Values{"client_id": {"nobody"}}))
			}, "unknown-client", "client"},
			{"a logout with somebody's redirect URI", func() string {
				return w.shown(w.web.Endpoint("logout") + "?client_id=web&post_logout_redirect_uri=http://evil.test/")
			}, "redirect-mismatch", "http://evil.test/"},
			{"a login link of nowhere", func() string {
				return w.shown(w.s.URL + "/realms/shop/login-actions/action-token?key=nonsense")
			}, "", ""},
			{"a wrong secret", func() string {
				return w.told("token", form("client_credentials", "client_secret", "wrong"))
			}, "client-credentials", "client web"},
			{"a wrong password", func() string {
				return w.told("token", form("password", "username", "ada", "password", "wrong"))
			}, "wrong-password", "ada"},
			{"nobody", func() string {
				return w.told("token", form("password", "username", "nobody", "password", "wrong"))
			}, "unknown-user", ""},
			{"nobody again", func() string {
				return w.told("token", form("password", "username", "nobody", "password", "wrong"))
			}, "unknown-user", "2 times"},
			{"an invented code", func() string {
				return w.told("token", form("authorization_code", "code", "invented", "redirect_uri", "http://web.test/cb"))
			}, "code-replayed", ""},
			{"an invented refresh token", func() string {
				return w.told("token", form("refresh_token", "refresh_token", "invented"))
			}, "token-invalid", ""},
			{"an invented access token", func() string {
				return w.told("userinfo", nil, "Authorization", "Bearer invented")
			}, "token-invalid", ""},
			{"a pushed request of somebody else", func() string {
				return w.told("ext/par/request", url.Values{"client_id": {"web"}, "client_secret": {"wrong"}})
			}, "client-credentials", "client web"},
		} {
			code := c.code()
			if c.reason == "" && code == "" {
				continue // what is not counted has none
			}
			if !codeShape.MatchString(code) || seen[code] {
				w.Errorf("%s: code %q, of %v", c.name, code, seen)
				continue
			}
			seen[code] = true
			if c.reason == "" {
				continue
			}
			typed := strings.ToLower(strings.ReplaceAll(code, "-", " "))
			var found records.Support
			w.must(w.admin.Get(w.ctx, "/shop/support-codes/"+url.PathEscape(typed), &found))
			if string(found.Reason) != c.reason || found.Remedy == "" || found.Story == nil || found.Story.Kind != "refused" || found.What == "" {
				w.Errorf("%s: %+v", c.name, found)
			}
			w.expect(w.at("why", "--realm", "shop", "--code", code), 0, c.reason)
			if c.in != "" {
				w.expect(w.at("why", "--realm", "shop", "--code", typed), 0, c.in)
			}
		}
		// Elsewhere, and made up, they say nothing.
		for code := range seen {
			var status *visitor.StatusError
			if err := w.admin.Get(w.ctx, "/other/support-codes/"+code, nil); !errors.As(err, &status) || status.Status != http.StatusNotFound {
				w.Errorf("another realm answers %v", err)
			}
			w.expect(w.at("why", "--realm", "other", "--code", code), 1, "No refusal in this realm has this support code")
			break
		}
		for _, code := range []string{"0000-0000-0000", "x", "ZZZZ-ZZZZ-ZZZZ-ZZZZ", "UUUU-UUUU-UUUU", "é"} {
			w.expect(w.at("why", "--realm", "shop", "--code", code), 1, "No refusal in this realm has this support code")
		}
		w.expect(w.at("why", "--realm", "shop"), 2, "name a user, or a support code")
		// A login page that is shown again tells what it told, and no code.
		p, err := visitor.NewBrowser().Open(w.ctx, w.web.AuthURL())
		w.must(err)
		if p, err = p.Login(w.ctx, "ada", "wrong"); err != nil || strings.Contains(p.Body, "kc-support-code") {
			w.Errorf("%v: %s", err, p.Body)
		}
	})
}
