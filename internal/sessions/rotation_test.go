package sessions_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/sessions"
)

// Many present one refresh token at once. As many get a successor as the realm allows
// uses, each another; the first one too many ends the client session. Within the
// grace all get the same successor.
func TestManyRotateOneToken(t *testing.T) {
	const rivals = 8
	each(t, func(w *world) {
		w.realm.Refresh.Rotate = true
		for _, c := range []struct {
			reuse, answered, successors int
			grace                       string
		}{
			{0, 1, 1, ""},
			{rivals - 1, rivals, rivals, ""},
			{0, rivals, 1, "60"},
		} {
			name := fmt.Sprintf("reuse %d, grace %q", c.reuse, c.grace)
			id := iam.SessionID(name)
			w.realm.Refresh.MaxReuse, w.realm.Attrs = c.reuse, map[string]string{iam.SettingRefreshGrace: c.grace}
			w.login(id, "u1", w.db.Now())
			ref := iam.SessionRef{ID: id, User: "u1"}
			use := sessions.RefreshUse{ID: "first", ReuseID: "chain", Expires: w.db.Now().Add(time.Hour)}
			next, errs := make([]string, rivals), make([]error, rivals)
			views := make([]*sessions.View, rivals)
			for n := range views {
				var err error
				if views[n], err = w.svc.Find(w.Context(), w.realm, ref, w.client); err != nil {
					w.Fatal(err)
				}
			}
			var all sync.WaitGroup
			for n, v := range views {
				all.Go(func() { next[n], errs[n] = w.svc.Rotate(w.Context(), w.realm, v, w.client, use) })
			}
			all.Wait()
			answered, successors := 0, map[string]bool{}
			for n, err := range errs {
				switch {
				case err == nil:
					answered++
					successors[next[n]] = true
				case !errors.Is(err, sessions.ErrReused) && !errors.Is(err, sessions.ErrNoClientSession):
					w.Errorf("%s: %v", name, err)
				}
			}
			if answered != c.answered || len(successors) != c.successors {
				w.Errorf("%s: %d were answered with %d successors, want %d and %d", name, answered, len(successors), c.answered, c.successors)
			}
			v, err := w.svc.Find(w.Context(), w.realm, ref, w.client)
			if c.answered < rivals {
				if !errors.Is(err, sessions.ErrNoClientSession) {
					w.Errorf("%s: the client session goes on: %v", name, err)
				}
				continue
			}
			if err != nil || len(v.ClientSession.Chains) != 1 || v.ClientSession.Chains[0].Uses != c.successors ||
				sessions.Spent(w.realm, v.ClientSession, sessions.RefreshUse{ID: v.ClientSession.Chains[0].Newest, ReuseID: "chain"}) {
				w.Errorf("%s: afterwards %+v, %v", name, v.ClientSession, err)
			}
			if _, err := w.svc.Rotate(w.Context(), w.realm, v, w.client, sessions.RefreshUse{ID: "never seen", ReuseID: "chain"}); !errors.Is(err,
				sessions.ErrStale) {
				w.Errorf("%s: an older token: %v", name, err)
			}
		}
	})
}
