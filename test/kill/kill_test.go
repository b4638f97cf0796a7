package kill

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/test/harness"
	"latchkey/test/visitor"
)

var (
	rounds = flag.Int("rounds", 2, "how often the server is killed, on each engine (20 in full)")
	seed   = flag.Uint64("seed", 0, "of the random choices; 0: another one each time")
)

const (
	workers = 8
	enough  = 200 // acknowledged operations before a kill
)

// The server is killed under logins, rotating refreshes and logouts, at random
// moments. No acknowledged session, rotation or logout is lost; no code and no
// rotated token works twice.
func TestKill(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-seed %d", *seed)
	harness.Each(t, func(t *testing.T, e harness.Engine) {
		server := harness.Start(t, harness.Options{Engine: e})
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(*rounds)*time.Minute)
		defer cancel()
		party := newRealm(t, ctx, server.URL)
		for round := range *rounds {
			random := rand.New(rand.NewPCG(*seed, uint64(round)))
			book := load(t, ctx, server, party, random)
			server.Restart(t)
			losses, err := book.audit(ctx, party)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range losses {
				t.Errorf("round %d: %s", round, text)
			}
			open := 0
			for _, e := range book.entries {
				if e.open != "" {
					open++
				}
			}
			t.Logf("round %d: %d acknowledged operations, %d sessions, %d of them with an open request", round, book.acks.Load(),
				len(book.entries), open)
		}
	})
}

// load lets the workers go on until the server is killed and returns what they know.
func load(t *testing.T, ctx context.Context, server *harness.Server, party visitor.Party, random *rand.Rand) *ledger {
	t.Helper()
	book := new(ledger)
	var dead atomic.Bool
	var all sync.WaitGroup
	failed := make(chan error, workers)
	for i := range workers {
		w := &worker{party: party, username: fmt.Sprintf("user%d", i), random: rand.New(rand.NewPCG(random.Uint64(), uint64(i))),
			book: book, dead: &dead}
		all.Go(func() {
			if err := w.work(ctx); err != nil {
				failed <- err
			}
		})
	}
	goal := enough + random.Int64N(enough/2)
	for book.acks.Load() < goal {
		select {
		case err := <-failed:
			t.Fatalf("before the kill: %v", err)
		case <-ctx.Done():
			t.Fatalf("%d operations were acknowledged in time", book.acks.Load())
		case <-time.After(time.Millisecond):
		}
	}
	rest(random)
	dead.Store(true)
	server.Kill9()
	all.Wait()
	return book
}

// newRealm makes a realm whose refresh tokens rotate and whose passwords are
// cheap to check: what they cost is not under test.
func newRealm(t *testing.T, ctx context.Context, base string) visitor.Party {
	t.Helper()
	var users []string
	for i := range workers {
		users = append(users, fmt.Sprintf(`{"username": "user%d", "enabled": true, "email": "user%[1]d@kill.example", "emailVerified": true,
			"firstName": "User", "lastName": "Load", "credentials": [{"type": "password", "value": "user%[1]d-pw"}]}`, i))
	}
	_, err := visitor.NewAdmin(base).Post(ctx, "", json.RawMessage(`{"realm": "load", "enabled": true,
		"revokeRefreshToken": true, "refreshTokenMaxReuse": 0, "accessCodeLifespan": 600,
		"passwordPolicy": "hashAlgorithm(pbkdf2-sha256) and hashIterations(1000)",
		"clients": [{"clientId": "desk", "enabled": true, "secret": "desk-secret", "redirectUris": ["http://app.example/*"]}],
		"users": [`+strings.Join(users, ",")+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	return visitor.Party{Base: base, Realm: "load", ClientID: "desk", Secret: "desk-secret", Redirect: "http://app.example/callback"}
}
