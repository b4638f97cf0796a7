package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"golang.org/x/oauth2"

	"latchkey/internal/console"
	"latchkey/test/chromium"
	"latchkey/test/harness"
	"latchkey/test/visitor"
)

// realmFile is the realm of the story that the product began with.
const realmFile = "../../doc/examples/motoshare/motoshare-realm.json"

const (
	realm    = "motoshare"
	callback = "http://127.0.0.1:7070/callback"
)

// A world is a server with the consoles and the realm motoshare.
type world struct {
	ctx context.Context
	*testing.T
	server *harness.Server
	admin  *visitor.Admin
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if _, err := console.Embedded(); errors.Is(err, console.ErrNotBuilt) {
		t.Skip("the consoles are not built: packaging/console")
	}
	chromium.Path(t)
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	t.Cleanup(cancel)
	w := &world{ctx: ctx, T: t, server: harness.Start(t, harness.Options{})}
	w.admin = visitor.NewAdmin(w.server.URL)
	text, err := os.ReadFile(realmFile)
	if err != nil {
		t.Fatal(err)
	}
	w.do("POST", "", json.RawMessage(text), nil)
	return w
}

func (w *world) do(method, at string, in, out any) (id string) {
	w.Helper()
	id, err := w.admin.Do(w.ctx, method, at, in, out)
	if err != nil {
		w.Fatal(err)
	}
	return id
}

// id finds something of the realm by a member of its representation.
func (w *world) id(list, member, value string) string {
	w.Helper()
	var found []map[string]any
	w.do("GET", "/"+realm+"/"+list, nil, &found)
	for _, x := range found {
		if x[member] == value {
			return fmt.Sprint(x["id"])
		}
	}
	w.Fatalf("%s has no %s %q", list, member, value)
	return ""
}

// logIn logs ada in at motoshare, in a browser of her own, and redeems the code.
func (w *world) logIn() {
	w.Helper()
	at := w.server.URL + "/realms/" + realm + "/protocol/openid-connect/"
	app := oauth2.Config{ClientID: "motoshare", ClientSecret: "motoshare-secret", RedirectURL: callback, Scopes: []string{"openid"},
		Endpoint: oauth2.Endpoint{AuthURL: at + "auth", TokenURL: at + "token"}}
	verifier := oauth2.GenerateVerifier()
	page, err := visitor.NewBrowser().Open(w.ctx, app.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)))
	if err == nil {
		page, err = page.Login(w.ctx, "ada", "ada-rides")
	}
	if err != nil {
		w.Fatal(err)
	}
	if _, err := app.Exchange(w.ctx, page.Param("code"), oauth2.VerifierOption(verifier)); err != nil {
		w.Fatal(err)
	}
}

// A view is a tab in which a console runs, and all that went wrong in it.
type view struct {
	*chromium.Tab
	w    *world
	base string // of the console

	mu       sync.Mutex
	sent     map[network.RequestID]bool
	done     map[network.RequestID]bool // events of two kinds come in any order
	moved    time.Time
	requests []string // "METHOD path", ids and names replaced
	troubles []string
}

// adminConsole opens the console of a realm and logs an administrator in.
func (w *world) adminConsole(home, username, password string) *view {
	w.Helper()
	v := w.open(w.server.URL + "/admin/" + home + "/console/")
	v.Go(v.base)
	v.LogIn(username, password)
	v.settled()
	return v
}

func (w *world) open(base string) *view {
	w.Helper()
	v := &view{Tab: chromium.Start(w.T, w.ctx, chromium.Options{Flags: map[string]string{"window-size": "1400,1000", "lang": "en-US"}}), w: w,
		base: base, sent: map[network.RequestID]bool{}, done: map[network.RequestID]bool{}}
	listen(v, network.RequestWillBeSent, func(e network.EventRequestWillBeSent) {
		if at, ok := strings.CutPrefix(e.Request.URL, w.server.URL); ok {
			v.sent[e.RequestID] = true
			v.requests = append(v.requests, e.Request.Method+" "+at)
		}
	})
	listen(v, network.ResponseReceived, func(e network.EventResponseReceived) {
		if e.Response.Status >= 400 {
			v.troubles = append(v.troubles, fmt.Sprintf("%d of %s", e.Response.Status, e.Response.URL))
		}
	})
	listen(v, network.LoadingFinished, func(e network.EventLoadingFinished) { v.done[e.RequestID] = true })
	listen(v, network.LoadingFailed, func(e network.EventLoadingFailed) { v.done[e.RequestID] = true })
	listen(v, runtime.ExceptionThrown, func(e runtime.EventExceptionThrown) {
		v.troubles = append(v.troubles, "exception: "+e.ExceptionDetails.Text)
	})
	listen(v, log.EntryAdded, func(e log.EventEntryAdded) {
		if e.Entry.Level == log.EntryLevelError {
			v.troubles = append(v.troubles, "console: "+e.Entry.Text+" "+e.Entry.URL)
		}
	})
	if _, err := chromedp.Call(v.Tab, runtime.Enable, cdp.Empty{}); err != nil {
		w.Fatal(err)
	}
	if _, err := chromedp.Call(v.Tab, log.Enable, cdp.Empty{}); err != nil {
		w.Fatal(err)
	}
	return v
}

// settled waits until nothing is asked for, and a page stands there.
func (v *view) settled() {
	v.w.Helper()
	v.Until(`document.querySelector('h1, h2.pf-v5-c-title, [data-testid=currentRealm], .pf-v5-c-alert') && !document.querySelector('main .pf-v5-c-spinner')`)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(25 * time.Millisecond) {
		v.mu.Lock()
		still := v.quiet() && time.Since(v.moved) > 250*time.Millisecond
		v.mu.Unlock()
		if still && chromium.MustEval[bool](v.Tab, `!document.querySelector('main .pf-v5-c-spinner')`) {
			return
		}
	}
}

// quiet reports whether every request has its answer.
func (v *view) quiet() bool {
	for id := range v.sent {
		if !v.done[id] {
			return false
		}
	}
	return true
}

// visit loads a page of the console anew: the library takes up another realm in no other way.
func (v *view) visit(page string) {
	v.w.Helper()
	v.Go("about:blank")
	v.mu.Lock()
	clear(v.sent) // what the page before was still waiting for has nobody to tell of it
	v.mu.Unlock()
	v.Go(v.base + page)
	v.settled()
}

// follow goes to another page of the same realm, as a link does.
func (v *view) follow(page string) {
	v.w.Helper()
	chromium.MustEval[any](v.Tab, fmt.Sprintf(`(location.hash = %q, null)`, page))
	time.Sleep(100 * time.Millisecond) // for its first request to be on its way
	v.settled()
}

// took returns what went wrong since it was last asked, error alerts among it.
func (v *view) took() []string {
	v.w.Helper()
	alerts := chromium.MustEval[[]string](v.Tab,
		`[...document.querySelectorAll('.pf-v5-c-alert.pf-m-danger')].map(a => 'alert: ' + a.textContent)`)
	v.mu.Lock()
	defer v.mu.Unlock()
	all := slices.Concat(v.troubles, alerts)
	v.troubles = nil
	return all
}

// press clicks the first element of a kind whose text is the one given; any text for "".
func (v *view) press(selector, text string) {
	v.w.Helper()
	find := fmt.Sprintf(`[...document.querySelectorAll(%q)].find(e => %q === '' || e.textContent.trim() === %q)`, selector, text, text)
	v.Until(`!!` + find)
	chromium.MustEval[chromedp.Void](v.Tab, `void `+find+`.click()`)
}

// fill sets the value of a form's field, as somebody does who types or chooses it.
func (v *view) fill(selector, value string) {
	v.w.Helper()
	v.Until(fmt.Sprintf(`!!document.querySelector(%q)`, selector))
	chromium.MustEval[any](v.Tab, fmt.Sprintf(`(() => {
		const e = document.querySelector(%q)
		Object.getOwnPropertyDescriptor(Object.getPrototypeOf(e), 'value').set.call(e, %q)
		e.dispatchEvent(new Event(e.tagName === 'SELECT' ? 'change' : 'input', {bubbles: true}))
		return null
	})()`, selector, value))
}

// shows waits for an element with a text in it.
func (v *view) shows(selector, text string) {
	v.w.Helper()
	v.Until(fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => e.textContent.includes(%q))`, selector, text))
}

// listen hands events of the tab to f, one at a time.
func listen[E any](v *view, event cdp.Event[E], f func(E)) {
	events := chromedp.Events(v.Tab, event)
	go func() {
		for e, err := range events {
			if err != nil {
				return // the browser is gone
			}
			v.mu.Lock()
			f(e)
			v.moved = time.Now()
			v.mu.Unlock()
		}
	}()
}
