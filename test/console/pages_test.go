package console

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"golang.org/x/oauth2"

	"latchkey/test/chromium"
	"latchkey/test/visitor"
)

// nobody's markup: a name that would be an element if it were not text.
const markup = `<img src=x onerror=alert(1)>`

// clean fails for what went wrong in the view.
func (v *view) clean(t *testing.T) {
	t.Helper()
	for _, trouble := range v.took() {
		t.Error(trouble)
	}
}

// Our own pages: each does what it is for, with texts as texts.
func TestOwnPages(t *testing.T) {
	w := newWorld(t)
	w.do("PUT", "/"+realm, map[string]any{"displayName": markup}, nil)
	w.do("POST", "/"+realm+"/groups", map[string]any{"name": markup}, nil)
	w.logIn()
	v := w.adminConsole("master", "admin", "admin")

	t.Run("sessions explained", func(t *testing.T) {
		v.visit("#/motoshare/sessions-explained")
		v.shows("[data-testid=lk-count]", "2")
		v.shows("[data-testid=lk-entry]", "Replaced by an offline session")
		v.fill("select[name=kind]", "offline")
		v.press("[data-testid=lk-search]", "")
		v.shows("[data-testid=lk-count]", "1")
		v.press("[data-testid=lk-entry] a", "Offline")
		v.shows("[data-testid=lk-sentence]", "It is good for refreshing tokens, not for single sign-on")
		v.shows("[data-testid=lk-timeline]", "Client motoshare took part")
		v.clean(t)
		v.visit("#/motoshare/sessions-explained/nonsense")
		v.shows(".pf-v5-c-alert.pf-m-danger", "not")
		v.took() // the refusal is what was asked for
		v.visit("#/motoshare/session-reasons")
		v.shows("[data-testid=lk-reasons]", "replaced-by-offline")
		v.clean(t)
	})
	t.Run("support code", func(t *testing.T) {
		at := w.server.URL + "/realms/motoshare/protocol/openid-connect/auth?client_id=motoshare&redirect_uri=http://evil.test/"
		page, err := visitor.NewBrowser().Open(w.ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		_, code, _ := strings.Cut(page.Body, `aria-label="Support code" value="`)
		code, _, _ = strings.Cut(code, `"`)
		v.visit("#/motoshare/sessions-explained")
		v.fill("input[name=code]", code)
		v.press("[data-testid=lk-explain]", "")
		v.shows("[data-testid=lk-support]", "http://evil.test/")
		v.shows("[data-testid=lk-support]", "Redirect URI does not match")
		v.clean(t)
		v.fill("input[name=code]", "0000-0000-0000")
		v.press("[data-testid=lk-explain]", "")
		v.shows(".pf-v5-c-alert.pf-m-danger", "No refusal in this realm has this support code")
		v.took() // the refusal is what was asked for
	})
	t.Run("doctor", func(t *testing.T) {
		v.visit("#/motoshare/doctor")
		v.Until(`document.querySelector('.lk-badge')?.textContent > 0`)
		card := "[data-testid=lk-finding-offline-access-client-default] "
		v.press(card+"[data-testid=lk-fix-optional]", "")
		v.shows(card+".pf-m-warning", "working")
		v.press(card+"[data-testid=lk-apply]", "")
		v.press(card+"[data-testid=lk-undo]", "")
		v.shows("[data-testid=lk-fixes]", "undone")
		v.shows(card, "motoshare")
		v.clean(t)
	})
	t.Run("token inspector", func(t *testing.T) {
		v.visit("#/motoshare/token-inspector")
		v.fill("textarea", markup)
		v.press("[data-testid=lk-inspect]", "")
		v.shows(".pf-v5-c-alert.pf-m-danger", "not a token of this realm")
		if held := chromium.MustEval[string](v.Tab, `document.querySelector('textarea').value`); held != markup {
			t.Errorf("the form lost what was typed: %q", held)
		}
		if at := chromium.MustEval[string](v.Tab, `location.href`); strings.Contains(at, "img") {
			t.Errorf("the token is in the address: %s", at)
		}
		v.took()
	})
	t.Run("narrow", func(t *testing.T) {
		for _, width := range []int64{600, 360} {
			if _, err := chromedp.Call(v.Tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 800,
				DeviceScaleFactor: 1}); err != nil {
				t.Fatal(err)
			}
			for _, page := range []string{"sessions-explained", "doctor", "token-inspector", "deliveries"} {
				v.visit("#/motoshare/" + page)
				if wide := chromium.MustEval[int](v.Tab, `document.querySelector('main').scrollWidth`); int64(wide) > width {
					t.Errorf("%s is %d wide on %d", page, wide, width)
				}
			}
		}
		v.clean(t)
	})
	if n := chromium.MustEval[int](v.Tab, `document.querySelectorAll('img[src=x]').length`); n > 0 {
		t.Error("a name became an element")
	}
}

// Who may look at users alone sees what that right shows, and no more of our entries.
func TestRestrictedAdministrator(t *testing.T) {
	w := newWorld(t)
	w.logIn()
	id := w.do("POST", "/"+realm+"/users", map[string]any{"username": "vera", "enabled": true, "email": "vera@motoshare.example",
		"firstName": "V", "lastName": "V",
		"attributes": map[string]any{"locale": []string{"de"}}, "credentials": []any{map[string]any{"type": "password", "value": "vera-pw"}}},
		nil)
	management := w.id("clients?clientId=realm-management", "clientId", "realm-management")
	var role map[string]any
	w.do("GET", "/"+realm+"/clients/"+management+"/roles/view-users", nil, &role)
	w.do("POST", fmt.Sprintf("/%s/users/%s/role-mappings/clients/%s", realm, id, management), []any{role}, nil)
	v := w.adminConsole(realm, "vera", "vera-pw")
	v.visit("#/motoshare/sessions-explained")
	v.shows("[data-testid=lk-entry]", "motoshare")
	ours := chromium.MustEval[[]string](v.Tab, `[...document.querySelectorAll('#nav-slot-latchkey a')].map(a => a.id)`)
	if got := strings.Join(ours, " "); got != "nav-item-sessions-explained nav-item-token-inspector" {
		t.Errorf("the menu has %s", got)
	}
	v.visit("#/motoshare/users/" + w.id("users?username=ada&exact=true", "username", "ada") + "/sessions")
	v.shows("[data-testid=lk-why]", "offline_access")
	v.clean(t)
}

// Account holders find what may act for them, and end it.
func TestOfflineAccessOfAnAccount(t *testing.T) {
	w := newWorld(t)
	w.do("POST", "", map[string]any{"realm": "plain", "enabled": true}, nil)
	w.do("POST", "/plain/clients", map[string]any{"clientId": "app", "name": markup, "publicClient": true, "directAccessGrantsEnabled": true},
		nil)
	w.do("POST", "/plain/users", map[string]any{"username": "kim", "enabled": true, "email": "kim@plain.example",
		"firstName": "Kim", "lastName": "K",
		"credentials": []any{map[string]any{"type": "password", "value": "kim-pw"}}}, nil)
	app := oauth2.Config{ClientID: "app", Scopes: []string{"openid", "offline_access"}, Endpoint: oauth2.Endpoint{TokenURL: w.server.URL +
		"/realms/plain/protocol/openid-connect/token"}}
	if _, err := app.PasswordCredentialsToken(w.ctx, "kim", "kim-pw"); err != nil {
		t.Fatal(err)
	}
	v := w.open(w.server.URL + "/realms/plain/account/")
	v.Go(v.base + "offline-access")
	v.LogIn("kim", "kim-pw")
	v.shows("[data-testid=lk-grants]", markup) // as text
	v.press("[data-testid=lk-grants] button", "End access")
	v.press("[data-testid=lk-end-grant]", "")
	v.shows("[data-testid=lk-none]", "No application")
	for _, page := range []string{"", "account-security/signing-in", "account-security/device-activity", "applications", "groups"} {
		v.Go(v.base + page)
		v.settled()
		if text := chromium.MustEval[string](v.Tab, `document.querySelector('main')?.innerText ?? ''`); len(text) < 10 ||
			strings.Contains(text, "wrong") {
			t.Errorf("%s shows %q", page, text)
		}
	}
	v.clean(t)
}
