package jose

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"strings"

	gojose "github.com/go-jose/go-jose/v4"
)

// keyAlgorithms and contentAlgorithms are the JWE algorithms that are offered (RFC 7518 sections 4.1 and 5.1). RSA1_5 is read
// and written because clients may still be registered with it.
var (
	keyAlgorithms = []string{"RSA-OAEP", "RSA-OAEP-256", "RSA1_5", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW",
		"A128KW", "A192KW", "A256KW", "dir"}
	contentAlgorithms = []gojose.ContentEncryption{gojose.A128GCM, gojose.A192GCM, gojose.A256GCM,
		gojose.A128CBC_HS256, gojose.A192CBC_HS384, gojose.A256CBC_HS512}
)

// jweKey is the key in go-jose's terms; private says which half.
func (k *Key) jweKey(private bool) (any, error) {
	known := false
	for _, a := range keyAlgorithms {
		known = known || a == k.Alg
	}
	switch {
	case !known || k.Use == "sig":
	case k.Secret != nil:
		return k.Secret, nil
	case private && k.Private != nil:
		return k.Private, nil
	case !private && k.PublicKey() != nil:
		return k.PublicKey(), nil
	}
	return nil, fmt.Errorf("%w: %s is not for encryption", ErrKey, k)
}

// CanEncrypt reports whether the key, one of somebody else's, may be used with a
// JWE algorithm: it is not pinned to another one and of the type that it takes.
func (k *Key) CanEncrypt(alg string) bool {
	if k.Use == "sig" || k.Alg != "" && k.Alg != alg {
		return false
	}
	switch k.PublicKey().(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(alg, "RSA")
	case *ecdsa.PublicKey:
		return strings.HasPrefix(alg, "ECDH-ES")
	}
	return false
}

// Encrypt returns the compact JWE of the plaintext under the key's algorithm and the content encryption enc (such as A256GCM). The content
// type cty is "JWT" around a signed token and empty otherwise.
func (k *Key) Encrypt(enc, cty string, plaintext []byte) (string, error) {
	key, err := k.jweKey(false)
	if err != nil {
		return "", err
	}
	opts := &gojose.EncrypterOptions{}
	if cty != "" {
		opts = opts.WithContentType(gojose.ContentType(cty))
	}
	to := gojose.Recipient{Algorithm: gojose.KeyAlgorithm(k.Alg), Key: key, KeyID: k.KID}
	e, err := gojose.NewEncrypter(gojose.ContentEncryption(enc), to, opts)
	if err != nil {
		return "", fmt.Errorf("jose: encrypting with %s and %q: %w", k, enc, err)
	}
	obj, err := e.Encrypt(plaintext)
	if err != nil {
		return "", fmt.Errorf("jose: encrypting with %s: %w", k, err)
	}
	return obj.CompactSerialize()
}

// Decrypt opens a compact JWE with the key, and with the key's algorithm only.
func (k *Key) Decrypt(token string) ([]byte, error) {
	key, err := k.jweKey(true)
	if err != nil {
		return nil, err
	}
	if len(token) > MaxSize {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxSize)
	}
	obj, err := gojose.ParseEncryptedCompact(token, []gojose.KeyAlgorithm{gojose.KeyAlgorithm(k.Alg)}, contentAlgorithms)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	plain, err := obj.Decrypt(key)
	if err != nil {
		return nil, fmt.Errorf("jose: decrypting with %s: %w", k, err)
	}
	return plain, nil
}
