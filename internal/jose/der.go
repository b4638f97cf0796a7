package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// decodeDER takes PEM of any type, or the same without its header and footer lines, as realm files and client attributes carry it.
func decodeDER(s string) ([]byte, error) {
	if block, _ := pem.Decode([]byte(s)); block != nil {
		return block.Bytes, nil
	}
	bare := strings.Join(strings.Fields(s), "")
	if bare == "" {
		return nil, errors.New("jose: empty key or certificate")
	}
	der, err := base64.StdEncoding.DecodeString(bare)
	if err != nil {
		return nil, errors.New("jose: neither PEM nor base64")
	}
	return der, nil
}

// ParsePrivateKey reads an RSA, EC or Ed25519 private key: PKCS#1, SEC 1 or PKCS#8, as PEM or as bare base64 DER. An RSA key is
// validated and comes precomputed for signing.
func ParsePrivateKey(s string) (crypto.Signer, error) {
	der, err := decodeDER(s)
	if err != nil {
		return nil, err
	}
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k, nil
	}
	if k, err := x509.ParseECPrivateKey(der); err == nil {
		return k, nil
	}
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("jose: private key: %w", err)
	}
	switch k := k.(type) {
	case *rsa.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, fmt.Errorf("%w: private key of type %T", ErrKey, k)
}

// EncodePrivateKey writes a private key as Keycloak's components keep it in their configuration: bare base64 DER, PKCS#1 for RSA
// (PemUtils.encodeKey), PKCS#8 for EC and Ed25519 (AbstractGeneratedEcKeyProviderFactory).
func EncodePrivateKey(k crypto.Signer) (string, error) {
	if r, ok := k.(*rsa.PrivateKey); ok {
		return base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PrivateKey(r)), nil
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return "", fmt.Errorf("jose: private key: %w", err)
	}
	return base64.StdEncoding.EncodeToString(der), nil
}

// ParsePublicKey reads a public key (SubjectPublicKeyInfo or PKCS#1) or the one of a certificate, as PEM or as bare base64 DER.
func ParsePublicKey(s string) (crypto.PublicKey, error) {
	der, err := decodeDER(s)
	if err != nil {
		return nil, err
	}
	if c, err := x509.ParseCertificate(der); err == nil {
		return c.PublicKey, nil
	}
	if k, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return k, nil
	}
	k, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("jose: public key: %w", err)
	}
	return k, nil
}

// EncodePublicKey writes a public key as bare base64 of its SubjectPublicKeyInfo, as the keys endpoint of the admin API
// and the realm's public_key member show it.
func EncodePublicKey(pub crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return "", fmt.Errorf("jose: public key: %w", err)
	}
	return base64.StdEncoding.EncodeToString(der), nil
}

// ParseCertificate reads a certificate, as PEM or as bare base64 DER; its Raw is what Key.Chain takes.
func ParseCertificate(s string) (*x509.Certificate, error) {
	der, err := decodeDER(s)
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("jose: certificate: %w", err)
	}
	return c, nil
}

// EncodeCertificate writes a certificate's DER as bare base64.
func EncodeCertificate(der []byte) string { return base64.StdEncoding.EncodeToString(der) }

// GenerateRSA makes an RSA key of 2048, 3072 or 4096 bits, the sizes that Keycloak offers (1024 is its too, and is refused here).
func GenerateRSA(bits int) (*rsa.PrivateKey, error) {
	switch bits {
	case 2048, 3072, 4096:
		return rsa.GenerateKey(rand.Reader, bits)
	}
	return nil, fmt.Errorf("jose: RSA key of %d bits", bits)
}

// GenerateEC makes a key on the curve P-256, P-384 or P-521.
func GenerateEC(curve string) (*ecdsa.PrivateKey, error) {
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		if c.Params().Name == curve {
			return ecdsa.GenerateKey(c, rand.Reader)
		}
	}
	return nil, fmt.Errorf("jose: EC key on curve %q", curve)
}

// GenerateEd25519 makes an Ed25519 key.
func GenerateEd25519() (ed25519.PrivateKey, error) {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	return k, err
}

// SelfSign returns the DER of the certificate that Keycloak makes for a generated key: subject and issuer CN=name, valid for some years
// from now, and from a little earlier for clocks that are behind, the serial number being the time in milliseconds
// (CertificateUtils.generateV1SelfSignedCertificate).
// The standard library writes version 3, where Keycloak writes version 1; nothing that reads x5c cares.
func SelfSign(key crypto.Signer, name string, now time.Time, years int) ([]byte, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixMilli()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-100 * time.Second),
		NotAfter:     now.AddDate(years, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("jose: certificate: %w", err)
	}
	return der, nil
}
