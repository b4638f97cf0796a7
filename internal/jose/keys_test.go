package jose

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Keycloak: testdata/keycloak-keys.json holds key components as kc.sh export (26.7.3) wrote them, and what the certs endpoint of that
// server
// published for them. From the components we derive the same ids and the same JWKs, byte for byte, and write the same configuration.
func TestKeycloakKeys(t *testing.T) {
	raw, err := os.ReadFile("testdata/keycloak-keys.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Components []struct {
			ProviderID string              `json:"providerId"`
			Config     map[string][]string `json:"config"`
		} `json:"components"`
		Certs struct {
			Keys []jsontext.Value `json:"keys"`
		} `json:"certs"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	published := map[string]string{}
	for _, j := range file.Certs.Keys {
		var id struct {
			KID string `json:"kid"`
		}
		if err := json.Unmarshal(j, &id); err != nil {
			t.Fatal(err)
		}
		if err := j.Compact(); err != nil {
			t.Fatal(err)
		}
		published[id.KID] = string(j)
	}
	for _, c := range file.Components {
		k := &Key{Alg: "RS256", Use: "sig"}
		member := "privateKey"
		switch c.ProviderID {
		case "rsa-enc-generated":
			k.Alg, k.Use = "RSA-OAEP", "enc"
		case "ecdsa-generated":
			k.Alg, member = "ES256", "ecdsaPrivateKey"
		case "eddsa-generated":
			k.Alg, member = "EdDSA", "eddsaPrivateKey"
		}
		stored := c.Config[member][0]
		if k.Private, err = ParsePrivateKey(stored); err != nil {
			t.Fatalf("%s: %v", c.ProviderID, err)
		}
		if k.KID, err = KeyID(k.PublicKey()); err != nil {
			t.Fatal(err)
		}
		if cert := c.Config["certificate"]; cert != nil {
			x, err := ParseCertificate(cert[0])
			if err != nil {
				t.Fatal(err)
			}
			k.Chain = [][]byte{x.Raw}
			if EncodeCertificate(x.Raw) != cert[0] {
				t.Errorf("%s: certificate written differently", c.ProviderID)
			}
			if !x.PublicKey.(*rsa.PublicKey).Equal(k.PublicKey()) {
				t.Errorf("%s: certificate of another key", c.ProviderID)
			}
		}
		if pub := c.Config[strings.TrimSuffix(member, "PrivateKey")+"PublicKey"]; pub != nil {
			if got, err := EncodePublicKey(k.PublicKey()); err != nil || got != pub[0] {
				t.Errorf("%s: public key %s, %v, want %s", c.ProviderID, got, err, pub[0])
			}
		}
		written, err := EncodePrivateKey(k.Private)
		if err != nil {
			t.Fatal(err)
		}
		// Java leaves the optional public half out of an EC key; Go writes it.
		if c.ProviderID != "ecdsa-generated" && written != stored {
			t.Errorf("%s: private key written as %s, want %s", c.ProviderID, written, stored)
		}
		if again, err := ParsePrivateKey(written); err != nil || !samePublic(t, again.Public(), k.PublicKey()) {
			t.Errorf("%s: written key reads as another, %v", c.ProviderID, err)
		}
		set, err := Set{k, {Alg: "HS512", Secret: []byte("x")}}.Public()
		if err != nil || len(set.Keys) != 1 {
			t.Fatalf("%s: %v, %v", c.ProviderID, set, err)
		}
		got, err := json.Marshal(set.Keys[0])
		if err != nil || string(got) != published[k.KID] {
			t.Errorf("%s: JWK %s, %v\nwant %s", c.ProviderID, got, err, published[k.KID])
		}
		foreign, err := ParseJWK(got)
		if err != nil || !samePublic(t, foreign.Public, k.PublicKey()) || foreign.KID != k.KID || foreign.Alg != k.Alg ||
			len(foreign.Chain) != len(k.Chain) {
			t.Errorf("%s: JWK reads as %v, %v", c.ProviderID, foreign, err)
		}
	}
}

func samePublic(t *testing.T, a, b any) bool {
	t.Helper()
	ka, err := EncodePublicKey(a)
	if err != nil {
		t.Fatal(err)
	}
	kb, err := EncodePublicKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return ka == kb
}

// RFC 7638 section 3.1 and RFC 8037 appendix A.3.
func TestThumbprint(t *testing.T) {
	for want, jwk := range map[string]string{
		"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs": `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`,
		"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
	} {
		k, err := ParseJWK([]byte(jwk))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Thumbprint(k.Public); err != nil || got != want {
			t.Errorf("thumbprint %s, %v, want %s", got, err, want)
		}
	}
}

// RFC 7517 section 5: what is not understood is ignored; private members never come in; secrets are no public keys.
func TestParseSet(t *testing.T) {
	set, err := ParseSet([]byte(`{"x":1,"keys":[
		{"kty":"future","kid":"0"},
		{"kty":"oct","kid":"1","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T"},
		{"kty":"EC","crv":"P-256","kid":"2","use":"sig","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"},
		{"kty":"EC","crv":"P-256","kid":"3","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"}]}`))
	if err != nil || len(set) != 1 || set[0].KID != "2" || set[0].Use != "sig" || set[0].Private != nil || set[0].Public == nil {
		t.Fatalf("%v, %v", set, err)
	}
	for _, bad := range []string{``, `[]`, `{}`, `{"keys":null}`, `{"keys":{}}`, `{"keys":[]`} {
		if _, err := ParseSet([]byte(bad)); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func TestPEM(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, k := range testKeys(t) {
		if k.Private == nil {
			continue
		}
		der, err := SelfSign(k.Private, "my realm", now, 10)
		if err != nil {
			t.Fatal(err)
		}
		bare := EncodeCertificate(der)
		for _, form := range []string{bare, "-----BEGIN CERTIFICATE-----\n" + bare + "\n-----END CERTIFICATE-----\n",
			bare[:64] + "\n" + bare[64:]} {
			c, err := ParseCertificate(form)
			if err != nil {
				t.Fatal(err)
			}
			// Keycloak: CertificateUtils.generateV1SelfSignedCertificate.
			if c.Subject.String() != "CN=my realm" || c.Issuer.String() != "CN=my realm" || !c.NotAfter.Equal(now.AddDate(10, 0, 0)) ||
				!c.NotBefore.Equal(now.Add(-100*time.Second)) || c.SerialNumber.Int64() != now.UnixMilli() {
				t.Errorf("certificate %s %s %s %s %s", c.Subject, c.Issuer, c.NotBefore, c.NotAfter, c.SerialNumber)
			}
			if pub, err := ParsePublicKey(form); err != nil || !samePublic(t, pub, k.PublicKey()) {
				t.Errorf("%s: public key of its certificate: %v", k, err)
			}
		}
		pub, err := EncodePublicKey(k.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParsePublicKey("-----BEGIN PUBLIC KEY-----\n" + pub + "\n-----END PUBLIC KEY-----"); err != nil ||
			!samePublic(t, got, k.PublicKey()) {
			t.Errorf("%s: public key: %v", k, err)
		}
	}
	for _, bad := range []string{"", " \n", "!!!", "AAAA", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"} {
		if _, err := ParsePrivateKey(bad); err == nil {
			t.Errorf("%q is a private key", bad)
		}
		if _, err := ParsePublicKey(bad); err == nil {
			t.Errorf("%q is a public key", bad)
		}
		if _, err := ParseCertificate(bad); err == nil {
			t.Errorf("%q is a certificate", bad)
		}
	}
	if _, err := GenerateRSA(1024); err == nil {
		t.Error("1024 bits")
	}
	if _, err := GenerateEC("P-224"); err == nil {
		t.Error("P-224")
	}
}

// Each key algorithm with each content encryption there and back; a token is not opened with another key, nor with another algorithm of
// the same key.
func TestEncryption(t *testing.T) {
	rsaKey, err := GenerateRSA(2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := GenerateEC("P-256")
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int{"A128KW": 16, "A192KW": 24, "A256KW": 32}
	direct := map[string]int{"A128GCM": 16, "A192GCM": 24, "A256GCM": 32, "A128CBC-HS256": 32, "A192CBC-HS384": 48, "A256CBC-HS512": 64}
	for _, alg := range keyAlgorithms {
		for _, content := range contentAlgorithms {
			enc := string(content)
			k := &Key{KID: "id", Alg: alg, Use: "enc"}
			switch {
			case strings.HasPrefix(alg, "RSA"):
				k.Private = rsaKey
			case strings.HasPrefix(alg, "ECDH"):
				k.Private = ecKey
			case alg == "dir":
				k.Secret = bytes.Repeat([]byte{7}, direct[enc])
			default:
				k.Secret = bytes.Repeat([]byte{7}, sizes[alg])
			}
			token, err := k.Encrypt(enc, "JWT", []byte("inner"))
			if err != nil {
				t.Errorf("%s %s: %v", alg, enc, err)
				continue
			}
			if plain, err := k.Decrypt(token); err != nil || string(plain) != "inner" {
				t.Errorf("%s %s: %q, %v", alg, enc, plain, err)
			}
			if _, err := k.Decrypt(token[:len(token)-8] + "AAAAAAAA"); err == nil {
				t.Errorf("%s %s: forgery opened", alg, enc)
			}
			other := *k
			other.Alg = "RSA-OAEP-512"
			if _, err := other.Decrypt(token); !errors.Is(err, ErrKey) {
				t.Errorf("%s %s: unknown algorithm: %v", alg, enc, err)
			}
			if other.Alg = "RSA-OAEP"; alg != other.Alg {
				if _, err := other.Decrypt(token); !errors.Is(err, ErrMalformed) {
					t.Errorf("%s %s: another algorithm: %v", alg, enc, err)
				}
			}
		}
	}
	k := &Key{Alg: "RSA-OAEP", Private: rsaKey}
	if _, err := k.Encrypt("A1GCM", "", nil); err == nil {
		t.Error("unknown content encryption")
	}
	k.Use = "sig"
	if _, err := k.Encrypt("A128GCM", "", nil); !errors.Is(err, ErrKey) {
		t.Errorf("signature key: %v", err)
	}
	if _, err := (&Key{Alg: "RSA-OAEP", Public: &rsaKey.PublicKey}).Decrypt("a.b.c.d.e"); !errors.Is(err, ErrKey) {
		t.Error("decrypting with a public key")
	}
}
