package clientauth

import (
	"context"
	"fmt"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"latchkey/internal/iam"
	"latchkey/internal/jose"
	"latchkey/internal/realms"
	"latchkey/internal/web"
)

// A keyFetcher fetches clients' key sets and keeps them. It is safe for
// concurrent use.
type keyFetcher struct {
	client *web.Client
	now    func() time.Time
	kept   *lru.Cache[string, fetchedKeys]
	group  singleflight.Group
}

type fetchedKeys struct {
	set     jose.Set
	err     error // instead of the set: what cannot be fetched is not asked for at each request
	at      time.Time
	version int64 // of the realm, when they were fetched
}

const (
	keySetsKept = 1000
	keySetAge   = 24 * time.Hour
	keySetPause = 10 * time.Second // between two requests for one set. Keycloak: minTimeBetweenRequests
)

func newKeyFetcher(now func() time.Time) *keyFetcher {
	kept, _ := lru.New[string, fetchedKeys](keySetsKept)
	return &keyFetcher{client: web.NewClient(web.KeySet), now: now, kept: kept}
}

// fetch returns the set at an address. It is fetched anew when it is old, or
// when it lacks the key or the realm has changed since, as it does when its
// caches are cleared, and it was not asked for just now.
func (f *keyFetcher) fetch(ctx context.Context, realm *realms.Realm, address string, reach iam.Reach, kid string) (jose.Set, error) {
	name := fmt.Sprint(realm.ID, " ", reach, " ", address)
	have, ok := f.kept.Get(name)
	age := f.now().Sub(have.at)
	if ok && (age < keySetPause || age < keySetAge && have.err == nil && have.version == realm.Version && has(have.set, kid)) {
		return have.set, have.err
	}
	v, err, _ := f.group.Do(name, func() (any, error) {
		set, err := f.get(context.WithoutCancel(ctx), address, reach)
		f.kept.Add(name, fetchedKeys{set, err, f.now(), realm.Version})
		return set, err
	})
	if err != nil {
		return nil, err
	}
	return v.(jose.Set), nil
}

func has(set jose.Set, kid string) bool {
	for _, k := range set {
		if kid == "" || k.KID == kid {
			return true
		}
	}
	return false
}

func (f *keyFetcher) get(ctx context.Context, address string, reach iam.Reach) (jose.Set, error) {
	b, err := f.client.Get(ctx, address, reach)
	if err != nil {
		return nil, fmt.Errorf("keys of a client: %w", err)
	}
	return jose.ParseSet(b)
}

// jwksURL is where a client's keys are; a relative one stands below its root.
func jwksURL(c *iam.Client, base string) string {
	u := c.OIDC.Keys.URL
	if strings.HasPrefix(u, "/") {
		return c.ResolvedRoot(base) + u
	}
	return u
}
