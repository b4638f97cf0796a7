package explorer

import (
	"net/url"
	"testing"
	"time"

	"latchkey/test/visitor"
)

// A session that has timed out has ended, also while housekeeping has not come by.
func TestWhatHasTimedOutIsListedAsEnded(t *testing.T) {
	each(t, false, func(w *shop) {
		w.plain("web")
		w.login(w.web, visitor.NewBrowser())
		w.must(w.admin.Put(w.ctx, "/shop", map[string]any{"ssoSessionMaxLifespan": 1}))
		time.Sleep(1100 * time.Millisecond)
		for query, want := range map[string]int{
			"state=ended": 1, "state=live": 0, "reason=max-age": 1, "reason=idle": 0, "reason=max-age&state=live": 0, "state=ended&client=web": 1,
			"state=ended&user=" + w.ada: 1, "state=ended&sort=lastAccess": 1, "state=ended&sort=lastAccess&client=web": 1,
			"state=ended&to=2001-01-01": 0,
		} {
			p := w.list(query + "&count=exact")
			if len(p.Sessions) != want || query != "state=live" && query != "reason=idle" && p.Count.Number != int64(want) {
				w.Errorf("%q lists %d of %+v, want %d", query, len(p.Sessions), p.Count, want)
			}
			if len(p.Sessions) == 1 && (p.Sessions[0].State != "ended" || p.Sessions[0].End.Rule != "ssoSessionMaxLifespan") {
				w.Errorf("%q: %+v", query, p.Sessions[0])
			}
		}
	})
}

// A client's list shows a session once, however often the client left it and came back.
func TestAClientThatLeftIsListedOnce(t *testing.T) {
	each(t, false, func(w *shop) {
		w.client("other", false)
		w.plain("web")
		w.plain("other")
		b := visitor.NewBrowser()
		a := w.login(w.web, b)
		check := func(when, state string) {
			w.Helper()
			for _, query := range []string{"client=other", "client=other&user=" + w.ada, "client=other&address=127.0.0.1",
				"client=other&sort=lastAccess", "client=other&state=" + state} {
				p := w.list(query + "&count=true")
				if len(p.Sessions) != 1 || p.Count.Number != 1 || p.Sessions[0].SessionID != a.Session || p.Sessions[0].State != state {
					w.Errorf("%s, %q lists %d of %+v: %+v", when, query, len(p.Sessions), p.Count, p.Sessions)
				}
			}
		}
		for range 2 {
			in := w.login(w.party("other"), b)
			check("after it came in", "live")
			if r, err := w.party("other").Post(w.ctx, "revoke", url.Values{"token": {in.Refresh}}); err != nil || !r.OK() {
				w.Fatal(r, err)
			}
			check("after it left", "live")
		}
		w.login(w.party("other"), b)
		w.must(w.admin.Delete(w.ctx, "/shop/sessions/"+a.Session))
		check("after the session ended", "ended")
	})
}
