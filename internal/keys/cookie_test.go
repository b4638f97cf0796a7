package keys_test

import (
	"encoding/base64"
	"errors"
	"testing"

	"latchkey/internal/jose"
	"latchkey/internal/keys"
	"latchkey/internal/rep"
)

// Cookies of realms that were moved from a Keycloak: signed with HS512, or with HS256 before
// version 25, with the id of their key or, long ago, without.
func TestReadsCookiesOfMovedRealms(t *testing.T) {
	secret := func(fill byte) []byte {
		b := make([]byte, 64)
		for i := range b {
			b[i] = fill
		}
		return b
	}
	component := func(alg, kid, enabled string, fill byte) rep.Component {
		return rep.Component{ID: kid, ProviderID: "hmac-generated", ProviderType: "org.keycloak.keys.KeyProvider", Config: map[string][]string{
			"algorithm": {alg}, "kid": {kid}, "enabled": {enabled}, "secret": {base64.RawURLEncoding.EncodeToString(secret(fill))}}}
	}
	realm := snapshot(t, []rep.Component{component("HS512", "new", "true", 1),
		component("HS256", "old", "true", 2), component("HS256", "off", "false", 3)})
	for _, c := range []struct {
		name, alg, kid string
		fill           byte
		want           error
	}{
		{"as now", "HS512", "new", 1, nil},
		{"before 25", "HS256", "old", 2, nil},
		{"without a kid", "HS512", "", 1, nil},
		{"without a kid, before 25", "HS256", "", 2, nil},
		{"by another secret", "HS256", "old", 9, keys.ErrForged},
		{"by another secret, without a kid", "HS512", "", 9, keys.ErrForged},
		{"by the other key's algorithm", "HS256", "new", 1, keys.ErrForged},
		{"by the other key, without a kid", "HS512", "", 2, keys.ErrForged},
		{"by a disabled key", "HS256", "off", 3, keys.ErrUnknownKey},
		{"by a disabled key, without a kid", "HS256", "", 3, keys.ErrForged},
		{"by a key that is not there", "HS512", "gone", 1, keys.ErrUnknownKey},
		{"by another algorithm", "HS384", "new", 1, keys.ErrForged},
	} {
		k := &jose.Key{Alg: c.alg, KID: c.kid, Use: "sig", Secret: secret(c.fill)}
		raw, err := k.SignJSON("JWT", map[string]string{"sub": "somebody"})
		if err != nil {
			t.Fatal(err)
		}
		var claims struct {
			Sub string `json:"sub"`
		}
		err = keys.ReadInternal(t.Context(), realm, raw, &claims)
		if !errors.Is(err, c.want) || err == nil && claims.Sub != "somebody" {
			t.Errorf("%s: %v %+v, want %v", c.name, err, claims, c.want)
		}
	}
}
