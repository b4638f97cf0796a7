package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// JWK is a public key as the certs endpoint publishes it, members in Keycloak's order.
type JWK struct {
	KID     string   `json:"kid,omitempty"`
	Kty     string   `json:"kty"`
	Alg     string   `json:"alg,omitempty"`
	Use     string   `json:"use,omitempty"`
	X5c     []string `json:"x5c,omitempty"`
	X5t     string   `json:"x5t,omitempty"`
	X5tS256 string   `json:"x5t#S256,omitempty"`
	N       string   `json:"n,omitempty"`
	E       string   `json:"e,omitempty"`
	Crv     string   `json:"crv,omitempty"`
	X       string   `json:"x,omitempty"`
	Y       string   `json:"y,omitempty"`
}

// JWKS is a JWK set (RFC 7517 section 5).
type JWKS struct {
	Keys []JWK `json:"keys"`
}

// JWK returns the public half for publication. A symmetric key is ErrKey.
func (k *Key) JWK() (JWK, error) {
	b64 := base64.RawURLEncoding.EncodeToString
	j := JWK{KID: k.KID, Alg: k.Alg, Use: k.Use}
	switch pub := k.PublicKey().(type) {
	case *rsa.PublicKey:
		j.Kty, j.N, j.E = "RSA", b64(pub.N.Bytes()), b64(big.NewInt(int64(pub.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := pub.Bytes() // 0x04, X, Y (SEC 1), so that leading zeros are kept (RFC 7518 section 6.2.1.2)
		if err != nil {
			return JWK{}, fmt.Errorf("jose: %s: %w", k, err)
		}
		n := octets(pub)
		j.Kty, j.Crv, j.X, j.Y = "EC", pub.Curve.Params().Name, b64(point[1:1+n]), b64(point[1+n:])
	case ed25519.PublicKey:
		j.Kty, j.Crv, j.X = "OKP", "Ed25519", b64(pub)
	default:
		return JWK{}, fmt.Errorf("%w: %s has no public half", ErrKey, k)
	}
	for i, der := range k.Chain {
		if i == 0 {
			s1, s256 := sha1.Sum(der), sha256.Sum256(der)
			j.X5t, j.X5tS256 = b64(s1[:]), b64(s256[:])
		}
		j.X5c = append(j.X5c, base64.StdEncoding.EncodeToString(der))
	}
	return j, nil
}

// Public returns the JWK set of the keys that have a public half, in their order.
func (s Set) Public() (JWKS, error) {
	out := JWKS{Keys: []JWK{}}
	for _, k := range s {
		if k.PublicKey() == nil {
			continue
		}
		j, err := k.JWK()
		if err != nil {
			return JWKS{}, err
		}
		out.Keys = append(out.Keys, j)
	}
	return out, nil
}

// ParseSet reads the public keys of a foreign JWK set. Keys of kinds that are unknown here are left out, as RFC 7517 section 5 asks;
// private
// members are dropped, symmetric keys ignored.
func ParseSet(data []byte) (Set, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, fmt.Errorf("jose: JWK set: %w", err)
	}
	if set.Keys == nil {
		return nil, fmt.Errorf("jose: JWK set: no member keys")
	}
	var out Set
	for _, raw := range set.Keys {
		if k, err := ParseJWK(raw); err == nil {
			out = append(out, k)
		}
	}
	return out, nil
}

// ParseJWK reads the public half of one JWK.
func ParseJWK(data []byte) (*Key, error) {
	var j gojose.JSONWebKey
	if err := j.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("jose: JWK: %w", err)
	}
	pub := j.Public()
	switch pub.Key.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return nil, fmt.Errorf("%w: JWK has no public key", ErrKey)
	}
	k := &Key{KID: j.KeyID, Alg: j.Algorithm, Use: j.Use, Public: pub.Key}
	for _, c := range j.Certificates {
		k.Chain = append(k.Chain, c.Raw)
	}
	return k, nil
}

// Thumbprint returns the RFC 7638 SHA-256 thumbprint of a public key, base64url; it is DPoP's jkt.
func Thumbprint(pub crypto.PublicKey) (string, error) {
	b, err := (&gojose.JSONWebKey{Key: pub}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("jose: thumbprint: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}
