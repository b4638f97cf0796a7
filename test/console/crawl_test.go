package console

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"latchkey/test/chromium"
)

var update = flag.Bool("update", false, "write what the crawl asked for into "+requestsFile)

// requestsFile lists what the console's pages ask of the server, ids and names replaced.
const requestsFile = "testdata/requests.txt"

// mostPages bounds a crawl.
const mostPages = 150

var (
	uuid    = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)
	session = regexp.MustCompile(`(sessions-explained|session-explorer)/[^/?]+`)
	flow    = regexp.MustCompile(`(authentication/flows|authentication/required-actions|identity-provider/instances)/[^/?]+`)
	hashed  = regexp.MustCompile(`^(GET /resources/)[0-9a-f]{12}/.*`)
	places  = map[string]*regexp.Regexp{"{id}": uuid}
)

// pattern is an address with what differs between things of a kind replaced.
func pattern(at string) string {
	at, _, _ = strings.Cut(at, "?")
	for name, what := range places {
		at = what.ReplaceAllString(at, name)
	}
	return flow.ReplaceAllString(session.ReplaceAllString(at, "$1/{id}"), "$1/{id}")
}

// Every entry of the menu, and from there every kind of page and tab that a link leads to, is opened once: no request fails,
// nothing is thrown or logged as an error, no policy is broken, no error is shown.
func TestCrawl(t *testing.T) {
	w := newWorld(t)
	w.logIn()
	w.do("POST", "/"+realm+"/groups", map[string]any{"name": "riders"}, nil)
	w.do("POST", "/"+realm+"/roles", map[string]any{"name": "rider"}, nil)
	v := w.adminConsole("master", "admin", "admin")
	var queue []string
	seen := map[string]bool{}
	links := func(selector string) {
		for _, at := range chromium.MustEval[[]string](v.Tab, `[...document.querySelectorAll('`+selector+
			`')].map(a => a.getAttribute('href')).filter(h => h && h.startsWith('#/'))`) {
			// One thing of each kind; and of another realm nothing.
			if p := pattern(at); !seen[p] && strings.HasPrefix(at, "#/"+realm+"/") {
				seen[p] = true
				queue = append(queue, at)
			}
		}
	}
	v.visit("#/" + realm + "/users")
	links("a.pf-v5-c-nav__link")
	if len(queue) < 14 {
		t.Errorf("the menu has %d entries: %v", len(queue), queue)
	}
	visited, spoilt := 0, false
	for ; len(queue) > 0 && visited < mostPages; visited++ {
		at := queue[0]
		queue = queue[1:]
		open := v.follow
		if spoilt { // an error stays until the page is loaded anew
			open = v.visit
		}
		open(at)
		troubles := v.took()
		for _, trouble := range troubles {
			t.Errorf("%s: %s", at, trouble)
		}
		spoilt = len(troubles) > 0
		if text := chromium.MustEval[string](v.Tab, `document.querySelector('main')?.innerText ?? ''`); len(text) < 20 ||
			strings.Contains(text, "Something went wrong") || strings.Contains(text, "Page not found") {
			t.Errorf("%s shows %q", at, text)
		}
		links("main a, .pf-v5-c-nav__link")
	}
	t.Logf("%d pages", visited)
	if visited < 60 {
		t.Errorf("only %d pages were found", visited)
	}
	v.compareRequests(t)
}

// compareRequests holds what was asked for against the list: what is new there is to be looked at, then written down.
func (v *view) compareRequests(t *testing.T) {
	t.Helper()
	v.mu.Lock()
	var asked []string
	for _, r := range v.requests {
		if r = pattern(r); hashed.MatchString(r) {
			r = hashed.ReplaceAllString(r, "$1{file}")
		}
		asked = append(asked, r)
	}
	v.mu.Unlock()
	slices.Sort(asked)
	asked = slices.Compact(asked)
	if *update {
		if err := os.WriteFile(requestsFile, []byte(strings.Join(asked, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(requestsFile)
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Fields(strings.ReplaceAll(string(text), " ", "\x00"))
	for _, r := range asked {
		if !slices.Contains(known, strings.ReplaceAll(r, " ", "\x00")) {
			t.Errorf("the console asks for %s, which %s does not have (-update)", r, requestsFile)
		}
	}
}
