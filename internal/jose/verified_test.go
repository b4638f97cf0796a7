package jose

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"testing"
)

// A key that remembers accepts what it has verified, and nothing that differs
// from it anywhere, before and after.
func TestRemember(t *testing.T) {
	for _, k := range testKeys(t) {
		k.Remember()
		sign := func(payload string) string {
			token, err := k.Sign("JWT", []byte(payload))
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		verify := func(token string) error {
			parsed, err := Parse(token)
			if err != nil {
				return err
			}
			return parsed.Verify(k)
		}
		good, other := sign(`{"sub":"ann"}`), sign(`{"sub":"bob"}`)
		head, rest, _ := strings.Cut(good, ".")
		body, sig, _ := strings.Cut(rest, ".")
		raw, err := base64.RawURLEncoding.DecodeString(sig)
		if err != nil {
			t.Fatal(err)
		}
		raw[0] ^= 1
		for range 2 {
			if err := verify(good); err != nil {
				t.Errorf("%s: %v", k, err)
			}
			for name, bad := range map[string]string{
				"another's signature": head + "." + body + other[strings.LastIndexByte(other, '.'):],
				"a bent signature":    head + "." + body + "." + base64.RawURLEncoding.EncodeToString(raw),
				"another's payload":   head + "." + strings.Split(other, ".")[1] + "." + sig,
			} {
				if err := verify(bad); !errors.Is(err, ErrSignature) {
					t.Errorf("%s: %s: %v", k, name, err)
				}
			}
		}
	}
}

// What is remembered is bounded, and what is presented often stays.
func TestRememberForgets(t *testing.T) {
	k := new(Key)
	k.Remember()
	mark := func(n int) [32]byte { return (&Token{input: "a.b", sig: []byte(strconv.Itoa(n))}).mark() }
	for i := range 5 * maxVerified {
		k.verified.add(mark(i))
		if !k.verified.has(mark(0)) {
			t.Fatalf("the one that is always presented is forgotten after %d others", i)
		}
		if n := len(k.verified.young) + len(k.verified.old); n > 2*maxVerified {
			t.Fatalf("%d are remembered", n)
		}
	}
	if k.verified.has(mark(1)) {
		t.Error("the first of thousands is remembered")
	}
}
