package keys_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"

	"latchkey/internal/iam"
	"latchkey/internal/jose"
	"latchkey/internal/keys"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
	"latchkey/internal/store/storetest"
)

func clock() time.Time { return time.Unix(1_800_000_000, 0) }

// snapshot makes a realm of key components only.
func snapshot(t *testing.T, components []rep.Component) *realms.Realm {
	t.Helper()
	ctx := t.Context()
	db := storetest.SQLite(t)
	err := db.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.InsertRealm(ctx, store.RealmRow{ID: "r", Name: "r", Doc: []byte(`{"realm":"r"}`)}); err != nil {
			return err
		}
		for _, c := range components {
			c.ProviderType = realms.TypeKeyProvider
			doc, err := rep.Marshal(&c)
			if err != nil {
				return err
			}
			if err := tx.InsertObject(ctx, "r", store.Object{Kind: store.KindComponent, ID: c.ID, Doc: doc}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := realms.NewCache(db).Get(ctx, "r")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestAsTheReference gives the key components of a realm of the reference (as
// kc.sh export wrote them) and compares with what its endpoints showed.
// Keycloak: KeyResource, OIDCLoginProtocolService.certs. Oracle: discovery/keys
func TestAsTheReference(t *testing.T) {
	text, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		Components []rep.Component
		Keys       json.RawMessage // GET /admin/realms/{realm}/keys
		Certs      json.RawMessage // GET .../protocol/openid-connect/certs
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	set := keys.Of(snapshot(t, ref.Components))
	meta, err := set.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "keys", ref.Keys, meta)
	certs, err := set.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "certs", ref.Certs, certs)
}

// same compares JSON, in order.
func same(t *testing.T, what string, want json.RawMessage, got any) {
	t.Helper()
	text, err := rep.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var w, g any
	if err := errors.Join(json.Unmarshal(want, &w), json.Unmarshal(text, &g)); err != nil {
		t.Fatal(err)
	}
	a, _ := json.MarshalIndent(w, "", " ")
	b, _ := json.MarshalIndent(g, "", " ")
	if string(a) != string(b) {
		t.Errorf("%s: want %s, got %s", what, a, b)
	}
}

func TestChoiceOfKey(t *testing.T) {
	maker := keys.NewMaker(clock)
	component := func(id, provider string, config map[string][]string) rep.Component {
		if err := maker.Fill(t.Context(), "r", provider, config); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		return rep.Component{ID: id, ProviderID: provider, Config: config}
	}
	type conf = map[string][]string
	r := snapshot(t, []rep.Component{
		component("low", "hmac-generated", conf{"priority": {"1"}, "algorithm": {"HS512"}}),
		component("high", "hmac-generated", conf{"priority": {"100"}, "algorithm": {"HS512"}}),
		component("passive", "hmac-generated", conf{"priority": {"200"}, "algorithm": {"HS512"}, "active": {"false"}}),
		component("disabled", "hmac-generated", conf{"priority": {"300"}, "algorithm": {"HS512"}, "enabled": {"false"}}),
		component("ec", "ecdsa-generated", conf{"ecdsaEllipticCurveKey": {"P-384"}}),
		component("ed", "eddsa-generated", conf{}),
		component("aes", "aes-generated", conf{}),
		{ID: "store", ProviderID: "java-keystore", Config: conf{"priority": {"999"}}},
		{ID: "broken", ProviderID: "rsa-generated", Config: conf{"priority": {"999"}, "privateKey": {"nonsense"}}},
	})
	set := keys.Of(r)
	if k := set.Active(iam.Sig, "HS512"); k == nil || k.Provider != "high" || len(k.Secret) != 128 {
		t.Errorf("HS512 is signed by %+v", k)
	}
	if k := set.Active(iam.Sig, "ES384"); k == nil || k.Provider != "ec" {
		t.Errorf("ES384 is signed by %+v", k)
	}
	if k := set.Active(iam.Enc, "AES"); k == nil || len(k.Secret) != 32 {
		t.Errorf("AES: %+v", k)
	}
	if k := set.Active(iam.Sig, "RS256"); k != nil {
		t.Errorf("a broken key signs: %+v", k)
	}
	accepted := set.Accepted(iam.Sig)
	for _, k := range set.All() {
		if k.For != iam.Sig {
			continue
		}
		token, err := k.SignJSON("JWT", map[string]string{"sub": "x"})
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := jose.Parse(token)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := accepted.Verify(parsed); (err == nil) != (k.Provider != "disabled") {
			t.Errorf("what %s signed: %v", k.Provider, err)
		}
	}
	if again := keys.Of(r); again != set {
		t.Error("keys are parsed twice for one snapshot")
	}
}

// TestFillRefuses holds the reference's words for wrong settings.
// Keycloak: AbstractRsaKeyProviderFactory, ImportedRsaKeyProviderFactory
func TestFillRefuses(t *testing.T) {
	type conf = map[string][]string
	for _, test := range []struct {
		provider string
		config   conf
		want     string
	}{
		{"rsa-generated", conf{"keySize": {"77"}}, "'Key size' should be 1024, 2048, 3072 or 4096"},
		{"rsa-generated", conf{"priority": {"x"}}, "'Priority' should be a number"},
		{"rsa", conf{}, "'Private RSA Key' is required"},
		{"rsa", conf{"privateKey": {"nonsense"}}, "Failed to decode private key"},
	} {
		err := keys.NewMaker(clock).Fill(t.Context(), "r", test.provider, test.config)
		if refused, ok := errors.AsType[*iam.Error](err); !ok || refused.Msg != test.want {
			t.Errorf("%s %v: %v", test.provider, test.config, err)
		}
	}
	for provider, config := range map[string]conf{"java-keystore": {}, "nonsense": {},
		"eddsa-generated": {"eddsaEllipticCurveKey": {"Ed448"}}} {
		if err := keys.NewMaker(clock).Fill(t.Context(), "r", provider, config); !errors.Is(err, realms.ErrUnsupportedKey) {
			t.Errorf("%s: %v", provider, err)
		}
	}
}

func TestKeysAreMadeAhead(t *testing.T) {
	maker := keys.NewMaker(clock)
	ctx := t.Context()
	if err := maker.MakeAhead(ctx); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 3 {
		config := map[string][]string{}
		if err := maker.Fill(ctx, "r", "rsa-generated", config); err != nil {
			t.Fatal(err)
		}
		if key := config["privateKey"][0]; seen[key] {
			t.Error("a key is given out twice")
		} else {
			seen[key] = true
		}
		before := config["privateKey"][0] + config["certificate"][0]
		if err := maker.Fill(ctx, "r", "rsa-generated", config); err != nil || config["privateKey"][0]+config["certificate"][0] != before {
			t.Errorf("a key that is there is replaced (%v)", err)
		}
	}
}

// TestFallback: a realm that has no key for an algorithm gets one, once.
// Keycloak: DefaultKeyManager.getActiveKey, GeneratedEcdsaKeyProviderFactory.createFallbackKeys
func TestFallback(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		err := db.Tx(ctx, func(tx *store.Tx) error {
			return tx.InsertRealm(ctx, store.RealmRow{ID: "r", Name: "r", Doc: []byte(`{"realm":"r"}`)})
		})
		if err != nil {
			t.Fatal(err)
		}
		one, two := realms.NewCache(db), realms.NewCache(db)
		kids := make(chan string, 8)
		for i := range cap(kids) {
			cache := []*realms.Cache{one, two}[i%2]
			s := &keys.Service{Cache: cache, Maker: keys.NewMaker(clock), Log: slog.New(slog.DiscardHandler)}
			r, err := cache.Get(ctx, "r")
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				k, err := s.Signer(ctx, r, "ES256")
				if err != nil {
					t.Error(err)
					kids <- "none"
					return
				}
				kids <- k.KID
			}()
		}
		kid := <-kids
		for range cap(kids) - 1 {
			if other := <-kids; other != kid || kid == "none" {
				t.Errorf("two keys for one algorithm: %s and %s", kid, other)
			}
		}
		two.PollOnce(ctx)
		r, err := two.Get(ctx, "r")
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Components) != 1 || r.Components[0].Name != "fallback-ES256" || r.Components[0].Get("priority") != "-100" {
			t.Errorf("components: %+v", r.Components)
		}
		if _, err := (&keys.Service{Cache: two, Maker: keys.NewMaker(clock), Log: slog.New(slog.DiscardHandler)}).Signer(ctx, r,
			"none"); !errors.Is(err, realms.ErrUnsupportedKey) {
			t.Errorf("algorithm none: %v", err)
		}
	})
}
