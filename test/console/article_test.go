package console

import (
	"strings"
	"testing"

	"latchkey/test/chromium"
)

// What somebody did who found Users -> Sessions empty after a login that worked: five steps, all of them in the console.
func TestSessionIsFoundAndThenListed(t *testing.T) {
	w := newWorld(t)
	w.logIn()
	ada, client := w.id("users?username=ada&exact=true", "username", "ada"), w.id("clients?clientId=motoshare", "clientId", "motoshare")
	v := w.adminConsole("master", "admin", "admin")

	v.visit("#/motoshare/users/" + ada + "/sessions")
	v.shows("main h1, main h2, main .pf-v5-c-empty-state__title-text", "No sessions")
	v.shows("[data-testid=lk-entry]", "Offline") // which the library does not list, and ours does
	v.shows("[data-testid=lk-entry]", "Replaced by an offline session")
	v.shows("[data-testid=lk-why]", "offline_access")

	optional := func() {
		t.Helper()
		row := `[...document.querySelectorAll('main tr')].find(r => /^offline_access$/m.test(r.querySelector('td:nth-child(2)')?.textContent.trim() ?? ''))`
		v.Until(`!!` + row)
		chromium.MustEval[any](v.Tab, `(`+row+`.querySelector('.pf-v5-c-menu-toggle').click(), null)`)
		v.press(".pf-v5-c-menu__item, .pf-v5-c-menu__list-item button", "Optional")
		v.shows(".pf-v5-c-alert.pf-m-success", "")
		v.settled()
		v.Until(row + `.querySelector('.pf-v5-c-menu-toggle').textContent.includes('Optional')`)
	}
	// 1. Realm -> Client scopes: Assigned type from Default to Optional.
	v.visit("#/motoshare/client-scopes")
	v.shows("[data-testid=lk-finding-offline-access-realm-default]", "offline_access")
	optional()
	// 2. Clients -> motoshare -> Client scopes: the same.
	v.visit("#/motoshare/clients/" + client + "/clientScopes/setup")
	v.shows("[data-testid=lk-finding-offline-access-client-default]", "motoshare")
	optional()
	// 3. The old sessions are ended, after a preview.
	v.visit("#/motoshare/users/" + ada + "/sessions")
	v.press("[data-testid=lk-end-preview]", "")
	v.shows(".pf-v5-c-alert.pf-m-warning", "1 session would end")
	v.press("[data-testid=lk-end]", "")
	v.shows("[data-testid=lk-ended]", "1 session ended")
	// 4. Log in again.
	w.logIn()
	// 5. Users -> Sessions: started, last access, IP address and client.
	v.visit("#/motoshare/users/" + ada + "/sessions")
	v.shows("main table", "motoshare")
	cells := chromium.MustEval[[]string](v.Tab,
		`[...document.querySelector('main table tbody tr').querySelectorAll('td')].map(c => c.textContent.trim())`)
	if text := strings.Join(cells, " | "); len(cells) < 4 || cells[0] == "" || cells[1] == "" || cells[2] != "127.0.0.1" ||
		!strings.Contains(cells[3], "motoshare") {
		t.Errorf("the table says %q", text)
	}
	for _, trouble := range v.took() {
		t.Error(trouble)
	}
}
