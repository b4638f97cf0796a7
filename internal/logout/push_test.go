package logout

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/deliveries"
	"latchkey/internal/iam"
	"latchkey/internal/keys"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/roles"
	"latchkey/internal/store/storetest"
	"latchkey/internal/tokens"
)

// Seen at the reference, 26.7.3: POST of a bare JWS as text to the admin URL's k_logout.
func TestPush(t *testing.T) {
	db := storetest.SQLite(t)
	cache := realms.NewCache(db)
	maker := keys.NewMaker(time.Now)
	m := realms.NewManager(cache, time.Now, realms.Rules{NewKey: maker.Fill, Hash: func(context.Context, *iam.Realm, *iam.User,
		string) (*iam.Credential, error) {
		return nil, errors.New("no users here")
	}})
	for _, doc := range []string{`{"realm":"master","enabled":true}`,
		`{"realm":"shop","enabled":true,"clients":[{"clientId":"old","adminUrl":"http://old.test/adm"},{"clientId":"rel","rootUrl":"http://rel.test","adminUrl":"/adm/"},{"clientId":"plain"}]}`} {
		given := new(rep.Realm)
		if err := rep.Unmarshal([]byte(doc), given); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Create(t.Context(), given); err != nil {
			t.Fatal(err)
		}
	}
	realm, err := cache.Get(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	got := map[string]string{}
	log := slog.New(slog.DiscardHandler)
	n := New(&tokens.Issuer{Keys: &keys.Service{Cache: cache, Maker: maker, Log: slog.New(slog.DiscardHandler)}, Roles: roles.New(db),
		Now: time.Now}, deliveries.New(cache, log, nil), nil,
		func(_ context.Context, _ iam.Reach, to, contentType, body string) error {
			mu.Lock()
			defer mu.Unlock()
			got[to] = contentType + " " + body
			if strings.Contains(to, "rel.test") {
				return errors.New("away")
			}
			return nil
		}, log, nil)
	at := time.Unix(1_700_000_000, 0)
	took, failed, err := n.Push(t.Context(), realm, "http://id.test/realms/shop", LogoutAll(), nil, at)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(took, []string{"http://old.test/adm"}) || !slices.Equal(failed, []string{"http://rel.test/adm"}) {
		t.Errorf("took %q, failed %q", took, failed)
	}
	kind, token, _ := strings.Cut(got["http://old.test/adm/k_logout"], " ")
	parts := strings.Split(token, ".")
	if kind != "text/plain" || len(parts) != 3 || got["http://rel.test/adm/k_logout"] == "" || len(got) != 2 {
		t.Fatalf("sent %q", got)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	if claims["action"] != "LOGOUT" || claims["resource"] != "old" || claims["notBefore"] != 1_700_000_000.0 || claims["id"] == nil {
		t.Errorf("claims %s", raw)
	}
}
