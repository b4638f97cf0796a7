package keys

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/iam"
	"latchkey/internal/jose"
	"latchkey/internal/realms"
)

// certificateYears is for how long the certificates of a realm's keys are valid.
// Keycloak: AbstractGeneratedRsaKeyProviderFactory, CertificateUtils.
const certificateYears = 10

// A provider makes and reads the keys of one kind of component.
type provider struct {
	use  iam.KeyUse
	kind string // JWK key type
	alg  string // without the setting "algorithm"

	bits   bool   // RSA: has keySize
	given  bool   // RSA: the key is brought along, never made
	curve  string // EC and OKP: the prefix of its settings, "ecdsa"
	secret int    // OCT: bytes without the setting secretSize
}

// providers by Keycloak's providerId. Keycloak: the KeyProviderFactory implementations.
var providers = map[string]provider{
	"rsa-generated":     {use: iam.Sig, kind: "RSA", alg: "RS256", bits: true},
	"rsa-enc-generated": {use: iam.Enc, kind: "RSA", alg: "RSA-OAEP", bits: true},
	"rsa":               {use: iam.Sig, kind: "RSA", alg: "RS256", given: true},
	"rsa-enc":           {use: iam.Enc, kind: "RSA", alg: "RSA-OAEP", given: true},
	"hmac-generated":    {use: iam.Sig, kind: "OCT", alg: "HS256", secret: 128},
	"aes-generated":     {use: iam.Enc, kind: "OCT", alg: "AES", secret: 32},
	"ecdsa-generated":   {use: iam.Sig, kind: "EC", alg: "ES256", curve: "ecdsa"},
	"eddsa-generated":   {use: iam.Sig, kind: "OKP", alg: "EdDSA", curve: "eddsa"},
}

// Supported reports whether components of that providerId yield keys.
func Supported(providerID string) bool {
	_, ok := providers[providerID]
	return ok
}

// curves by the algorithm that is used with them.
var curves = map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}

// A Maker makes new keys. It is safe for concurrent use.
type Maker struct {
	clock func() time.Time
	ahead chan *rsa.PrivateKey
}

// NewMaker returns a Maker that keeps no keys ahead until MakeAhead is called.
func NewMaker(clock func() time.Time) *Maker {
	return &Maker{clock: clock, ahead: make(chan *rsa.PrivateKey, 4)}
}

// MakeAhead makes RSA keys ahead of time, until enough are kept: they take long,
// and a new realm needs two.
func (m *Maker) MakeAhead(ctx context.Context) error {
	for ctx.Err() == nil && len(m.ahead) < cap(m.ahead) {
		key, err := jose.GenerateRSA(2048)
		if err != nil {
			return err
		}
		select {
		case m.ahead <- key:
		default: // somebody else filled the last place
		}
	}
	return nil
}

// Fill puts a new key into the configuration of a key component that has none,
// and a certificate beside an RSA key that has none. realm is its common name.
// realms.ErrUnsupportedKey, or an *iam.Error with Keycloak's words for a wrong setting.
// Keycloak: AbstractRsaKeyProviderFactory and its siblings, validateConfiguration.
func (m *Maker) Fill(ctx context.Context, realm, providerID string, config map[string][]string) error {
	p, ok := providers[providerID]
	if !ok {
		return fmt.Errorf("%w: %s", realms.ErrUnsupportedKey, providerID)
	}
	if err := checkSettings(config); err != nil {
		return err
	}
	switch p.kind {
	case "RSA":
		return m.fillRSA(ctx, realm, p, config)
	case "OCT":
		return fillSecret(p, config)
	}
	return fillCurve(p, config)
}

func checkSettings(config map[string][]string) error {
	if v := first(config, "priority"); v != "" {
		if _, err := strconv.ParseInt(v, 10, 64); err != nil {
			return iam.Errorf(iam.Invalid, "'Priority' should be a number")
		}
	}
	for name, label := range map[string]string{"enabled": "Enabled", "active": "Active"} {
		if v := first(config, name); v != "" && v != "true" && v != "false" {
			return iam.Errorf(iam.Invalid, "'%s' should be 'true' or 'false'", label)
		}
	}
	return nil
}

func first(config map[string][]string, name string) string {
	if v := config[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (m *Maker) fillRSA(ctx context.Context, realm string, p provider, config map[string][]string) error {
	var key crypto.Signer
	var err error
	text := first(config, "privateKey")
	switch {
	case text != "":
		if key, err = jose.ParsePrivateKey(text); err != nil {
			return iam.Errorf(iam.Invalid, "Failed to decode private key")
		}
		if _, ok := key.(*rsa.PrivateKey); !ok {
			return iam.Errorf(iam.Invalid, "Failed to decode private key")
		}
	case p.given:
		return iam.Errorf(iam.Invalid, "'Private RSA Key' is required")
	default:
		if key, err = m.rsa(ctx, first(config, "keySize")); err != nil {
			return err
		}
		if text, err = jose.EncodePrivateKey(key); err != nil {
			return err
		}
		config["privateKey"] = []string{text}
		config["keyUse"] = []string{string(p.use)}
	}
	if first(config, "certificate") == "" {
		der, err := jose.SelfSign(key, realm, m.clock(), certificateYears)
		if err != nil {
			return err
		}
		config["certificate"] = []string{jose.EncodeCertificate(der)}
		return nil
	}
	cert, err := jose.ParseCertificate(first(config, "certificate"))
	if err != nil {
		return iam.Errorf(iam.Invalid, "Failed to decode certificate")
	}
	if pub, ok := cert.PublicKey.(*rsa.PublicKey); !ok || !pub.Equal(key.Public()) {
		return iam.Errorf(iam.Invalid, "Certificate does not match private key")
	}
	return nil
}

func (m *Maker) rsa(ctx context.Context, size string) (crypto.Signer, error) {
	bits := 2048
	switch size {
	case "", "2048":
		select {
		case key := <-m.ahead:
			return key, nil
		default:
		}
	case "3072", "4096":
		bits, _ = strconv.Atoi(size)
	case "1024":
		return nil, iam.Errorf(iam.Invalid, "RSA keys of 1024 bits are too weak")
	default:
		return nil, iam.Errorf(iam.Invalid, "'Key size' should be 1024, 2048, 3072 or 4096")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return jose.GenerateRSA(bits)
}

// secretSizes in bytes. Keycloak: Attributes.SECRET_SIZE_PROPERTY.
var secretSizes = []string{"16", "24", "32", "64", "128", "256", "512"}

func fillSecret(p provider, config map[string][]string) error {
	if first(config, "secret") == "" {
		size := p.secret
		if v := first(config, "secretSize"); v != "" {
			if !slices.Contains(secretSizes, v) {
				return iam.Errorf(iam.Invalid, "'Secret size' should be 16, 24, 32, 64, 128, 256 or 512")
			}
			size, _ = strconv.Atoi(v)
		}
		buf := make([]byte, size)
		_, _ = rand.Read(buf) // never fails: crypto/rand panics instead
		config["secret"] = []string{base64.RawURLEncoding.EncodeToString(buf)}
	} else if _, err := decodeSecret(first(config, "secret")); err != nil {
		return iam.Errorf(iam.Invalid, "Failed to decode secret")
	}
	if first(config, "kid") == "" {
		config["kid"] = []string{uuid.NewString()}
	}
	return nil
}

func decodeSecret(s string) ([]byte, error) {
	if b, err := base64.RawURLEncoding.DecodeString(s); err == nil {
		return b, nil
	}
	return base64.URLEncoding.DecodeString(s)
}

func fillCurve(p provider, config map[string][]string) error {
	curve := first(config, p.curve+"EllipticCurveKey")
	if curve == "" {
		curve = map[string]string{"ecdsa": "P-256", "eddsa": "Ed25519"}[p.curve]
		config[p.curve+"EllipticCurveKey"] = []string{curve}
	}
	if text := first(config, p.curve+"PrivateKey"); text != "" {
		if _, err := jose.ParsePrivateKey(text); err != nil {
			return iam.Errorf(iam.Invalid, "Failed to decode private key")
		}
		return nil
	}
	var key crypto.Signer
	var err error
	switch {
	case p.curve == "eddsa" && curve == "Ed25519":
		key, err = jose.GenerateEd25519()
	case p.curve == "ecdsa" && curves[curve] != "":
		key, err = jose.GenerateEC(curve)
	case p.curve == "eddsa" && curve == "Ed448":
		return fmt.Errorf("%w: curve %s", realms.ErrUnsupportedKey, curve)
	case p.curve == "eddsa":
		return iam.Errorf(iam.Invalid, "'Elliptic Curve' should be Ed25519 or Ed448")
	default:
		return iam.Errorf(iam.Invalid, "'Elliptic Curve' should be P-256, P-384 or P-521")
	}
	if err != nil {
		return err
	}
	private, err := jose.EncodePrivateKey(key)
	if err != nil {
		return err
	}
	public, err := jose.EncodePublicKey(key.Public())
	if err != nil {
		return err
	}
	config[p.curve+"PrivateKey"], config[p.curve+"PublicKey"] = []string{private}, []string{public}
	return nil
}
