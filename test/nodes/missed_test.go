package nodes

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/test/visitor"
)

// A node that could not look for changes answers nothing that was changed
// meanwhile: neither with the first request after it runs again, nor later.
func TestChangesAreNotMissed(t *testing.T) {
	const away = 4 * time.Second // longer than a node answers without having looked
	for _, c := range []struct {
		name string
		// run has the change made while b is away, and returns when b is back.
		run func(p *pair, line *relay, change func())
	}{
		{"stopped", func(p *pair, _ *relay, change func()) {
			p.must(syscall.Kill(p.other.PID(), syscall.SIGSTOP))
			defer syscall.Kill(p.other.PID(), syscall.SIGCONT)
			change()
			time.Sleep(away)
		}},
		{"cut off from its database", func(p *pair, line *relay, change func()) {
			line.Cut()
			change()
			time.Sleep(away)
			got, err := p.party.At(p.b).Post(p, "token", byPassword)
			p.must(err)
			if got.Status != http.StatusServiceUnavailable {
				p.t.Errorf("without its database the node answers %d", got.Status)
			}
			line.Mend()
		}},
		{"a change that waits for a lock", func(p *pair, _ *relay, change func()) {
			conn, err := pgx.Connect(p, p.other.DB)
			p.must(err)
			defer conn.Close(context.WithoutCancel(p))
			tx, err := conn.Begin(p)
			p.must(err)
			_, err = tx.Exec(p, "select version from realm_versions for update")
			p.must(err)
			go func() {
				time.Sleep(away)
				tx.Rollback(context.WithoutCancel(p))
			}()
			change()
			time.Sleep(2 * time.Second) // what any change may take to be seen
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var line *relay
			p := newPairBy(t, func(url string) string {
				line = newRelay(t, url)
				return line.URL(url)
			})
			there := p.party.At(p.b)
			p.granted(there.Post(p, "token", byPassword)) // b holds the realm and the client
			c.run(p, line, func() {
				p.put(realm+"/clients/"+p.client, map[string]any{"secret": "changed", "redirectUris": []string{"http://new.example/*"}})
			})
			changed := there
			changed.Secret = "changed"
			for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
				var all sync.WaitGroup
				for range 4 {
					all.Go(func() {
						if old, err := there.Post(p, "token", byPassword); err != nil || old.OK() {
							t.Errorf("the old secret is taken (%v)", err)
						}
					})
					all.Go(func() {
						page, err := visitor.NewBrowser().Open(p,
							p.b+"/realms/pair/protocol/openid-connect/auth?client_id=desk&response_type=code&redirect_uri=http%3A%2F%2Fapp.example%2Fcallback")
						if err != nil || page.Asks("password") {
							t.Errorf("the old address is taken (%v)", err)
						}
					})
				}
				all.Wait()
				if fresh, err := changed.Post(p, "token", byPassword); err == nil && fresh.OK() {
					return
				}
			}
			t.Error("the new secret is not taken")
		})
	}
}

// byPassword is a request for tokens.
var byPassword = url.Values{"grant_type": {"password"}, "username": {username}, "password": {password}}
