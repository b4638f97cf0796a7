package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

const (
	overloadLogins = 200
	overloadMemory = 400 << 20
	overloadP99    = 250 * time.Millisecond
)

// TestOverloaded has 200 browsers log in at once on two processors for a minute: each answer is a page, a redirect or 503, memory is
// bounded, and refreshing and introspection stay quick.
func TestOverloaded(t *testing.T) {
	asked(t)
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		s := harness.Start(t, harness.Options{Engine: e, Command: "start", Args: production, Env: []string{"GOMAXPROCS=2"}})
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		_, err := visitor.NewAdmin(s.URL).Post(ctx, "", json.RawMessage(`{"realm": "crowd", "enabled": true,
			"clients": [{"clientId": "app", "enabled": true, "secret": "app-secret", "redirectUris": ["http://app.example/*"]}],
			"users": [{"username": "vic", "enabled": true, "email": "vic@bench.example", "emailVerified": true, "firstName": "Vic",
				"lastName": "Tim", "credentials": [{"type": "password", "value": "vics-password"}]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		app := visitor.Party{Base: s.URL, Realm: "crowd", ClientID: "app", Secret: "app-secret", Redirect: "http://app.example/cb"}
		code, err := app.Code(ctx, visitor.NewBrowser(), "vic", "vics-password")
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := app.Redeem(ctx, code)
		if err != nil {
			t.Fatal(err)
		}

		var mu sync.Mutex
		statuses := map[int]int{}
		until := time.Now().Add(time.Minute)
		var crowd sync.WaitGroup
		for range overloadLogins {
			crowd.Go(func() {
				for time.Now().Before(until) {
					p, err := visitor.NewBrowser().Open(ctx, app.AuthURL())
					if err == nil && p.Asks("password") {
						p, err = p.Login(ctx, "vic", "vics-password")
					}
					status := -1
					if err == nil {
						status = p.Status
					}
					mu.Lock()
					statuses[status]++
					mu.Unlock()
				}
			})
		}
		var refreshes, introspections []time.Duration
		for time.Now().Before(until) {
			began := time.Now()
			next, err := app.Renew(ctx, tokens.Refresh)
			if err != nil || !next.OK() {
				t.Errorf("a refresh: %v %+v", err, next)
				break
			}
			refreshes, tokens = append(refreshes, time.Since(began)), next
			began = time.Now()
			if a, err := app.Introspect(ctx, tokens.Access); err != nil || a.Status != http.StatusOK {
				t.Errorf("an introspection: %v %+v", err, a)
				break
			}
			introspections = append(introspections, time.Since(began))
		}
		crowd.Wait()
		t.Logf("answers %v; refresh p99 %v, introspection p99 %v; peak memory %d MB", statuses, p99(refreshes),
			p99(introspections), peak(t, s)>>20)
		for status := range statuses {
			if status != http.StatusOK && status != http.StatusFound && status != http.StatusServiceUnavailable {
				t.Errorf("%d answers of status %d", statuses[status], status)
			}
		}
		if p99(refreshes) > overloadP99 || p99(introspections) > overloadP99 || peak(t, s) > overloadMemory {
			t.Error("beyond the budget")
		}
	})
}

func p99(list []time.Duration) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[len(list)*99/100]
}

// peak is the most memory that a server has taken, in bytes.
func peak(t *testing.T, s *harness.Server) (bytes int64) {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "VmHWM:")
	if _, err := fmt.Sscan(rest, &bytes); err != nil {
		t.Fatal(err)
	}
	return bytes << 10
}
