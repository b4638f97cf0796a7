package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"log/slog"
	"slices"
)

// Key is one key with the one algorithm it is used for. Keys are values that are never changed once built, and are safe for
// concurrent use. Which fields are set depends on the kind: asymmetric keys have Public and, where this server owns
// them, Private; symmetric keys have Secret.
type Key struct {
	KID string
	// Alg is the JWS or JWE algorithm (RFC 7518) that the key is pinned to. Foreign keys may leave it empty: such a key
	// verifies with the algorithms of its own type only.
	Alg string
	// Use is "sig", "enc" or empty (either).
	Use     string
	Private crypto.Signer
	Public  crypto.PublicKey
	Secret  []byte
	// Chain holds certificates as DER, the key's own first.
	Chain [][]byte

	verified *verified // nil: every signature is verified anew
}

// Remember makes the key remember which signatures it has verified, so that a
// token that is presented often costs a hash. It is for keys that outlive a
// request; call it before the key is shared. A signature stays true for as long
// as its key does: whether that is still accepted is up to who chooses the Set.
func (k *Key) Remember() { k.verified = &verified{young: map[[sha256.Size]byte]struct{}{}} }

// PublicKey returns the public half: Public, or that of Private; nil for a symmetric key.
func (k *Key) PublicKey() crypto.PublicKey {
	if k.Public == nil && k.Private != nil {
		return k.Private.Public()
	}
	return k.Public
}

// String names the key without its secrets.
func (k Key) String() string { return fmt.Sprintf("key %q (%s)", k.KID, k.Alg) }

// GoString is String, so that %#v shows no secrets either.
func (k Key) GoString() string { return k.String() }

// LogValue is String.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON refuses: a Key is published through JWK, which has no secrets.
func (k Key) MarshalJSON() ([]byte, error) {
	return nil, fmt.Errorf("jose: %s is not for JSON, publish its JWK", k)
}

// Set is a list of keys, the preferred first.
type Set []*Key

// Has reports whether a key of that id is in the set.
func (s Set) Has(kid string) bool {
	return slices.ContainsFunc(s, func(k *Key) bool { return k.KID == kid })
}

// Verify finds the key that signed the token and checks the signature. A token with a kid is tried with the keys of that kid only, one
// without a
// kid with all that fit.
func (s Set) Verify(t *Token) (*Key, error) {
	err := fmt.Errorf("%w: no key for kid %q and algorithm %q", ErrKey, t.Header.KID, t.Header.Alg)
	for _, k := range s {
		if t.Header.KID != "" && k.KID != t.Header.KID || !k.fits(t.Header.Alg) {
			continue
		}
		if err = t.Verify(k); err == nil {
			return k, nil
		}
	}
	return nil, err
}

// fits reports whether the key may be used with a JWS algorithm.
func (k *Key) fits(alg string) bool {
	a, ok := algorithms[alg]
	if !ok || k.Use != "" && k.Use != "sig" || k.Alg != "" && k.Alg != alg {
		return false
	}
	switch pub := k.PublicKey().(type) {
	case nil:
		// A secret without a pinned algorithm is not accepted: nothing would say which.
		return a.family == hmacSHA && len(k.Secret) > 0 && k.Alg != ""
	case *rsa.PublicKey:
		return a.family == rsaPKCS1 || a.family == rsaPSS
	case *ecdsa.PublicKey:
		return a.family == ecDSA && pub.Curve.Params().Name == a.curve
	case ed25519.PublicKey:
		return a.family == edDSA
	}
	return false
}

// KeyID returns the key id that Keycloak gives a public key: base64url of the SHA-256 of its SubjectPublicKeyInfo (KeyUtils.createKeyId).
func KeyID(pub crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return "", fmt.Errorf("jose: key id: %w", err)
	}
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}
