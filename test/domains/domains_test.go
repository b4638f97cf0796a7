package domains

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/test/chromium"
	"latchkey/test/harness"
)

// A situation is a subtest of TestDomains.
type situation struct {
	name  string
	run   func(w *world)
	fixed bool // on the server that has its host name fixed
}

func situations() []situation {
	return []situation{
		{name: "the block", run: theBlock},
		{name: "several domains", run: severalDomains},
		{name: "front-channel logout", run: frontChannelLogout},
		{name: "logout is noticed", run: logoutIsNoticed},
		{name: "single-page application", run: singlePageApplication},
		{name: "status frame", run: statusFrame},
		{name: "several host names", run: severalHostNames},
		{name: "frontend URL", run: frontendURL},
		{name: "fixed host name", run: fixedHostName, fixed: true},
		{name: "several realms", run: severalRealms},
		{name: "offline_access", run: offlineAccess},
		{name: "remember me", run: rememberMe},
	}
}

// TestDomains runs the situations on two servers and in one browser, which are
// slow to start. Each begins without cookies and with third-party cookies blocked.
func TestDomains(t *testing.T) {
	chromium.Path(t) // or skip, before anything is started
	n := newInternet(t)
	asked, fixed := n.newServer(t, "id.one.test", "id.two.test"), n.newServer(t, "id.three.test", "id.four.test",
		"--hostname=https://id.three.test")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	first := n.start(t, ctx, "")
	for _, s := range situations() {
		t.Run(s.name, func(t *testing.T) {
			first.ClearCookies()
			w := &world{t: t, internet: n, at: asked, first: first}
			if s.fixed {
				w.at = fixed
			}
			s.run(w)
		})
	}
}

// The tests that the pages about sessions name are there, and they name each.
func TestPagesNameTests(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(harness.Root(t), "doc", "sessions*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages about sessions: %v", err)
	}
	var named []string
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("`TestDomains/([^`/]+)").FindAllStringSubmatch(string(text), -1) {
			named = append(named, m[1])
		}
	}
	var there []string
	for _, s := range situations() {
		name := strings.ReplaceAll(s.name, " ", "_")
		there = append(there, name)
		if !slices.Contains(named, name) {
			t.Errorf("no page names TestDomains/%s", name)
		}
	}
	for _, name := range named {
		if !slices.Contains(there, name) {
			t.Errorf("a page names TestDomains/%s, which is not there", name)
		}
	}
}
