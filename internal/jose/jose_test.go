package jose

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
)

// testKeys makes one key per signature algorithm.
func testKeys(t testing.TB) []*Key {
	t.Helper()
	must := func(s crypto.Signer, err error) crypto.Signer {
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	rsaKey, err := GenerateRSA(2048)
	if err != nil {
		t.Fatal(err)
	}
	var keys []*Key
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"} {
		keys = append(keys, &Key{KID: "k-" + alg, Alg: alg, Use: "sig", Private: rsaKey})
	}
	for alg, curve := range map[string]string{"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"} {
		k, err := GenerateEC(curve)
		keys = append(keys, &Key{KID: "k-" + alg, Alg: alg, Use: "sig", Private: must(k, err)})
	}
	ed, err := GenerateEd25519()
	keys = append(keys, &Key{KID: "k-EdDSA", Alg: "EdDSA", Use: "sig", Private: must(ed, err)})
	for _, alg := range []string{"HS256", "HS384", "HS512"} {
		keys = append(keys, &Key{KID: "k-" + alg, Alg: alg, Use: "sig", Secret: bytes.Repeat([]byte(alg), 20)})
	}
	return keys
}

// Every algorithm signs what it verifies, what go-jose verifies, and nothing that another key signed.
func TestSignVerify(t *testing.T) {
	keys := testKeys(t)
	for _, k := range keys {
		token, err := k.Sign("JWT", []byte(`{"sub":"ann"}`))
		if err != nil {
			t.Fatalf("%s: %v", k, err)
		}
		// Keycloak: JWSBuilder writes alg, typ, kid in this order.
		head, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
		if want := fmt.Sprintf(`{"alg":%q,"typ":"JWT","kid":%q}`, k.Alg, k.KID); string(head) != want {
			t.Errorf("header %s, want %s", head, want)
		}
		parsed, err := Parse(token)
		if err != nil {
			t.Fatalf("%s: %v", k, err)
		}
		var claims struct {
			Sub string `json:"sub"`
		}
		if err := parsed.Claims(&claims); err != nil || claims.Sub != "ann" {
			t.Errorf("%s: claims %+v, %v", k, claims, err)
		}
		for _, other := range keys {
			err := parsed.Verify(other)
			if other == k && err != nil || other != k && !errors.Is(err, ErrKey) {
				t.Errorf("signed with %s, verified with %s: %v", k, other, err)
			}
		}
		if got, err := Set(keys).Verify(parsed); err != nil || got != k {
			t.Errorf("set: got %v, %v, want %s", got, err, k)
		}
		theirs, err := gojose.ParseSignedCompact(token, []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(k.Alg)})
		if err != nil {
			t.Fatalf("%s: go-jose: %v", k, err)
		}
		var verifier any = k.Secret
		if k.Private != nil {
			verifier = k.PublicKey()
		}
		if _, err := theirs.Verify(verifier); err != nil {
			t.Errorf("%s: go-jose: %v", k, err)
		}
		// One changed bit, in the payload or in the signature, and it is over.
		p := strings.Split(token, ".")
		for i, part := range []int{1, 2} {
			b, _ := base64.RawURLEncoding.DecodeString(p[part])
			b[len(b)/2] ^= 1
			bad := []string{p[0], p[1], p[2]}
			bad[part] = base64.RawURLEncoding.EncodeToString(b)
			forged, err := Parse(strings.Join(bad, "."))
			if err != nil {
				t.Fatal(err)
			}
			if err := forged.Verify(k); !errors.Is(err, ErrSignature) {
				t.Errorf("%s: forgery %d: %v", k, i, err)
			}
		}
	}
}

// The algorithm is the key's, whatever the header says.
func TestAlgorithmConfusion(t *testing.T) {
	keys := testKeys(t)
	rs := keys[0]
	pub, err := EncodePublicKey(rs.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	hs := &Key{Alg: "HS256", Secret: []byte(pub)}
	token, err := hs.Sign("JWT", []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := Parse(token)
	if err != nil {
		t.Fatal(err)
	}
	open := &Key{Public: rs.PublicKey()}
	for _, k := range []*Key{rs, open, {Secret: []byte(pub)}} {
		if err := parsed.Verify(k); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", k, err)
		}
	}
	b := base64.RawURLEncoding.EncodeToString
	for _, alg := range []string{"none", "None", "rs256", "ES256K"} {
		none, err := Parse(b([]byte(`{"alg":"`+alg+`"}`)) + "." + b([]byte(`{}`)) + ".")
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range append(keys, open, &Key{}, &Key{Alg: alg, Public: rs.PublicKey()}) {
			if err := none.Verify(k); !errors.Is(err, ErrKey) {
				t.Errorf("%s with %s: %v", alg, k, err)
			}
		}
	}
	// A key without an algorithm takes those of its type; an encryption key none.
	for _, k := range keys[:6] {
		token, _ := k.Sign("JWT", []byte(`{}`))
		parsed, err := Parse(token)
		if err != nil {
			t.Fatal(err)
		}
		if err := parsed.Verify(open); err != nil {
			t.Errorf("%s: %v", k, err)
		}
		if err := parsed.Verify(&Key{Use: "enc", Public: rs.PublicKey()}); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", k, err)
		}
	}
	if _, err := (&Key{Alg: "RS256", Public: rs.PublicKey()}).Sign("JWT", nil); !errors.Is(err, ErrKey) {
		t.Errorf("signing without a private half: %v", err)
	}
	if _, err := (&Key{Alg: "HS256"}).Sign("JWT", nil); !errors.Is(err, ErrKey) {
		t.Errorf("signing with an empty secret: %v", err)
	}
}

// The examples of RFC 7515 appendices A.1, A.2 and A.3, and of RFC 8037 appendix A.4.
func TestForeignTokens(t *testing.T) {
	secret, err := base64.RawURLEncoding.DecodeString("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
	if err != nil {
		t.Fatal(err)
	}
	const claims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	for _, c := range []struct{ name, jwk, token string }{
		{"A.1", "", "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + claims + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
		{"A.2", `{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}`,
			"eyJhbGciOiJSUzI1NiJ9." + claims +
				".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
		{"A.3", `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`,
			"eyJhbGciOiJFUzI1NiJ9." + claims + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
		{"8037 A.4", `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
			"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
	} {
		k := &Key{Alg: "HS256", Secret: secret}
		if c.jwk != "" {
			if k, err = ParseJWK([]byte(c.jwk)); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
		parsed, err := Parse(c.token)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if err := parsed.Verify(k); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		parsed.Payload = nil // the signature covers what came in, not what was decoded
		if err := parsed.Claims(&struct{}{}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: empty claims: %v", c.name, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	b := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	head, body := b(`{"alg":"RS256"}`), b(`{}`)
	for name, token := range map[string]string{
		"empty":              "",
		"two parts":          head + "." + body,
		"four parts":         head + "." + body + ".AA.AA",
		"JWE":                head + ".AA.AA.AA.AA",
		"padding":            head + "." + body + ".AA==",
		"trailing bits":      head + "." + body + ".AB",
		"line break":         head + "." + body + ".A\nA",
		"standard base64":    head + "." + body + ".+/+/",
		"no header":          "." + body + ".AA",
		"header no object":   b(`["alg"]`) + "." + body + ".AA",
		"no algorithm":       b(`{"kid":"x"}`) + "." + body + ".AA",
		"two algorithms":     b(`{"alg":"RS256","alg":"HS256"}`) + "." + body + ".AA",
		"algorithm no text":  b(`{"alg":1}`) + "." + body + ".AA",
		"critical extension": b(`{"alg":"RS256","crit":["b64"],"b64":false}`) + "." + body + ".AA",
		"empty crit":         b(`{"alg":"RS256","crit":[]}`) + "." + body + ".AA",
		"not UTF-8":          b("{\"alg\":\"RS256\",\"kid\":\"\xff\"}") + "." + body + ".AA",
		"too long":           head + "." + strings.Repeat("A", MaxSize) + ".AA",
	} {
		if _, err := Parse(token); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	dup, err := Parse(head + "." + b(`{"sub":"a","sub":"b"}`) + ".AA")
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := dup.Claims(&claims); !errors.Is(err, ErrMalformed) {
		t.Errorf("duplicate claim: %v", err)
	}
}

// OpenID Connect Core appendix A.4 and A.6: at_hash and c_hash of the examples; the other hashes by length.
func TestHashClaim(t *testing.T) {
	if got := HashClaim("RS256", "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"); got != "77QmUPtjPfzWtF2AnpK9RQ" {
		t.Errorf("at_hash %s", got)
	}
	if got := HashClaim("PS256", "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"); got != "LDktKdoQak3Pk0cnXxCltA" {
		t.Errorf("c_hash %s", got)
	}
	for alg, n := range map[string]int{"HS256": 16, "ES384": 24, "RS512": 32, "EdDSA": 32} {
		if b, err := base64.RawURLEncoding.DecodeString(HashClaim(alg, "x")); err != nil || len(b) != n {
			t.Errorf("%s: %d bytes, %v", alg, len(b), err)
		}
	}
	if HashClaim("none", "x") != "" {
		t.Error("a hash for none")
	}
}

// A key prints its name and never its secrets, however it is printed.
func TestKeyIsSilent(t *testing.T) {
	k := Key{KID: "id", Alg: "HS256", Secret: []byte("hunter2hunter2")}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "a", k, "b", &k)
	if _, err := json.Marshal(&k); err == nil {
		t.Error("marshalled")
	}
	secret := base64.StdEncoding.EncodeToString(k.Secret)
	for _, s := range []string{fmt.Sprintf("%v %+v %#v %s", k, k, k, &k), log.String()} {
		if strings.Contains(s, "hunter2") || strings.Contains(s, secret) || strings.Contains(s, "104 117") || !strings.Contains(s, "id") {
			t.Errorf("printed %s", s)
		}
	}
}

func FuzzParse(f *testing.F) {
	k := &Key{KID: "k", Alg: "HS256", Secret: []byte("secret")}
	good, err := k.Sign("JWT", []byte(`{"sub":"a"}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		parsed, err := Parse(token)
		if err != nil {
			return
		}
		// Nobody without the secret writes a token that verifies, nor the same one in a second spelling.
		if parsed.Verify(k) == nil && token != good {
			t.Errorf("%q verifies", token)
		}
		var claims map[string]any
		_ = parsed.Claims(&claims)
	})
}

func BenchmarkSign(b *testing.B) {
	payload := bytes.Repeat([]byte(`{"sub":"0123456789"}`), 40)
	for _, k := range testKeys(b) {
		switch k.Alg {
		case "RS256", "ES256", "EdDSA", "HS512":
			b.Run(k.Alg, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := k.Sign("JWT", payload); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkParseVerify(b *testing.B) {
	payload := bytes.Repeat([]byte(`{"sub":"0123456789"}`), 40)
	for _, k := range testKeys(b) {
		switch k.Alg {
		case "RS256", "ES256", "EdDSA", "HS512":
			token, err := k.Sign("JWT", payload)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(k.Alg, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					t, err := Parse(token)
					if err == nil {
						err = t.Verify(k)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
