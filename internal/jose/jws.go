package jose

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes named in algorithms
	_ "crypto/sha512"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxSize is the length in bytes above which a token is refused unread. The largest that are met in practice (thousands of roles) stay far
// below.
const MaxSize = 256 << 10

// What can be wrong with a token. Errors of this package wrap one of these.
var (
	ErrMalformed = errors.New("jose: malformed token")
	ErrKey       = errors.New("jose: key does not fit the token")
	ErrSignature = errors.New("jose: invalid signature")
)

type family int

const (
	rsaPKCS1 family = iota
	rsaPSS
	ecDSA
	edDSA
	hmacSHA
)

type algorithm struct {
	family family
	hash   crypto.Hash
	curve  string
}

// algorithms is every signature algorithm there is here; "none" is not one. The hash of EdDSA is that of Ed25519, for hash claims.
var algorithms = map[string]algorithm{
	"RS256": {rsaPKCS1, crypto.SHA256, ""},
	"RS384": {rsaPKCS1, crypto.SHA384, ""},
	"RS512": {rsaPKCS1, crypto.SHA512, ""},
	"PS256": {rsaPSS, crypto.SHA256, ""},
	"PS384": {rsaPSS, crypto.SHA384, ""},
	"PS512": {rsaPSS, crypto.SHA512, ""},
	"ES256": {ecDSA, crypto.SHA256, "P-256"},
	"ES384": {ecDSA, crypto.SHA384, "P-384"},
	"ES512": {ecDSA, crypto.SHA512, "P-521"},
	"EdDSA": {edDSA, crypto.SHA512, "Ed25519"},
	"HS256": {hmacSHA, crypto.SHA256, ""},
	"HS384": {hmacSHA, crypto.SHA384, ""},
	"HS512": {hmacSHA, crypto.SHA512, ""},
}

// Known reports whether alg is a signature algorithm that this package implements (RFC 7518 section 3.1, RFC 8037; never "none").
func Known(alg string) bool {
	_, ok := algorithms[alg]
	return ok
}

// Symmetric reports whether alg is one of the HMAC algorithms.
func Symmetric(alg string) bool {
	a, ok := algorithms[alg]
	return ok && a.family == hmacSHA
}

// Sign returns the compact JWS of the payload. The header is {"alg","typ","kid"} in this order, as Keycloak's JWSBuilder
// writes it; typ and kid are left out where empty.
func (k *Key) Sign(typ string, payload []byte) (string, error) {
	a, ok := algorithms[k.Alg]
	if !ok || !k.fits(k.Alg) {
		return "", fmt.Errorf("%w: %s cannot sign", ErrKey, k)
	}
	head := make([]byte, 0, 128)
	head = append(head, `{"alg":"`...)
	head = append(head, k.Alg...)
	head = append(head, '"')
	var err error
	for _, m := range [...]struct{ name, value string }{{`,"typ":`, typ}, {`,"kid":`, k.KID}} {
		if m.value != "" {
			head = append(head, m.name...)
			if head, err = jsontext.AppendQuote(head, m.value); err != nil {
				return "", fmt.Errorf("jose: header: %w", err)
			}
		}
	}
	head = append(head, '}')

	enc := base64.RawURLEncoding
	out := make([]byte, 0, enc.EncodedLen(len(head))+enc.EncodedLen(len(payload))+2+enc.EncodedLen(512))
	out = enc.AppendEncode(out, head)
	out = append(out, '.')
	out = enc.AppendEncode(out, payload)
	sig, err := k.sign(a, out)
	if err != nil {
		return "", err
	}
	out = append(out, '.')
	return string(enc.AppendEncode(out, sig)), nil
}

// SignJSON signs the JSON of claims.
func (k *Key) SignJSON(typ string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("jose: claims: %w", err)
	}
	return k.Sign(typ, payload)
}

func (k *Key) sign(a algorithm, input []byte) ([]byte, error) {
	if a.family == hmacSHA {
		mac := hmac.New(a.hash.New, k.Secret)
		mac.Write(input)
		return mac.Sum(nil), nil
	}
	if k.Private == nil {
		return nil, fmt.Errorf("%w: %s has no private half", ErrKey, k)
	}
	digest, opts := input, crypto.SignerOpts(a.hash)
	switch a.family {
	case edDSA:
		opts = crypto.Hash(0) // Ed25519 signs the message, not a digest
	case rsaPSS:
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.hash}
		digest = sum(a.hash, input)
	default:
		digest = sum(a.hash, input)
	}
	sig, err := k.Private.Sign(rand.Reader, digest, opts)
	if err != nil {
		return nil, fmt.Errorf("jose: signing with %s: %w", k, err)
	}
	if a.family == ecDSA {
		// RFC 7518 section 3.4: R and S as fixed-length octets, where Go's Signer gives ASN.1.
		var rs struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(sig, &rs); err != nil {
			return nil, fmt.Errorf("jose: signing with %s: %w", k, err)
		}
		n := octets(k.PublicKey().(*ecdsa.PublicKey))
		sig = make([]byte, 2*n)
		rs.R.FillBytes(sig[:n])
		rs.S.FillBytes(sig[n:])
	}
	return sig, nil
}

// Header is the part of a JOSE header that somebody here reads.
type Header struct {
	Alg  string         `json:"alg"`
	Typ  string         `json:"typ,omitempty"`
	Cty  string         `json:"cty,omitempty"`
	KID  string         `json:"kid,omitempty"`
	JWK  jsontext.Value `json:"jwk,omitzero"` // for DPoP proofs (RFC 9449 section 4.2); see ParseJWK
	X5t  string         `json:"x5t,omitempty"`
	Crit []string       `json:"crit,omitempty"`
}

// Token is a parsed and, until Verify has returned nil, unverified JWS.
type Token struct {
	Header  Header
	Payload []byte
	input   string // what the signature covers
	sig     []byte
}

// Parse takes a compact JWS apart. It is strict: three parts of unpadded base64url, a header without duplicate members, and no
// critical extensions (RFC 7515 section 4.1.11), since none are known here. It verifies nothing.
func Parse(token string) (*Token, error) {
	if len(token) > MaxSize {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxSize)
	}
	head, rest, _ := strings.Cut(token, ".")
	body, sig, ok := strings.Cut(rest, ".")
	if !ok || strings.Contains(sig, ".") {
		return nil, fmt.Errorf("%w: not three parts", ErrMalformed)
	}
	var parts [3][]byte
	for i, s := range [...]string{head, body, sig} {
		// Go's decoder skips line breaks; JOSE does not (RFC 7515 section 2).
		b, err := base64.RawURLEncoding.Strict().DecodeString(s)
		if err != nil || strings.ContainsAny(s, "\r\n") {
			return nil, fmt.Errorf("%w: part %d is not base64url", ErrMalformed, i+1)
		}
		parts[i] = b
	}
	t := &Token{Payload: parts[1], input: token[:len(head)+1+len(body)], sig: parts[2]}
	if err := json.Unmarshal(parts[0], &t.Header); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	if t.Header.Alg == "" || t.Header.Crit != nil {
		return nil, fmt.Errorf("%w: no algorithm, or critical extensions", ErrMalformed)
	}
	return t, nil
}

// Verify checks the signature with one key. The algorithm is the key's; a header that names another (or "none") is ErrKey.
func (t *Token) Verify(k *Key) error {
	if !k.fits(t.Header.Alg) {
		return fmt.Errorf("%w: %s, header says %q", ErrKey, k, t.Header.Alg)
	}
	a := algorithms[t.Header.Alg]
	if k.verified == nil || a.family == hmacSHA { // which is as fast as the look-up
		return t.verify(k, a)
	}
	mark := t.mark()
	if k.verified.has(mark) {
		return nil
	}
	err := t.verify(k, a)
	if err == nil {
		k.verified.add(mark)
	}
	return err
}

func (t *Token) verify(k *Key, a algorithm) error {
	input := []byte(t.input)
	ok := false
	switch a.family {
	case hmacSHA:
		want, err := k.sign(a, input)
		ok = err == nil && hmac.Equal(want, t.sig)
	case rsaPKCS1:
		ok = rsa.VerifyPKCS1v15(k.PublicKey().(*rsa.PublicKey), a.hash, sum(a.hash, input), t.sig) == nil
	case rsaPSS:
		opts := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.hash}
		ok = rsa.VerifyPSS(k.PublicKey().(*rsa.PublicKey), a.hash, sum(a.hash, input), t.sig, opts) == nil
	case ecDSA:
		pub := k.PublicKey().(*ecdsa.PublicKey)
		n := octets(pub)
		ok = len(t.sig) == 2*n && ecdsa.Verify(pub, sum(a.hash, input),
			new(big.Int).SetBytes(t.sig[:n]), new(big.Int).SetBytes(t.sig[n:]))
	case edDSA:
		ok = ed25519.Verify(k.PublicKey().(ed25519.PublicKey), input, t.sig)
	}
	if !ok {
		return fmt.Errorf("%w (%s)", ErrSignature, k)
	}
	return nil
}

// Claims reads the payload, a JSON object without duplicate members, into v.
func (t *Token) Claims(v any) error {
	if b := bytes.TrimLeft(t.Payload, " \t\r\n"); len(b) == 0 || b[0] != '{' {
		return fmt.Errorf("%w: claims are not an object", ErrMalformed)
	}
	if err := json.Unmarshal(t.Payload, v); err != nil {
		return fmt.Errorf("%w: claims: %w", ErrMalformed, err)
	}
	return nil
}

// HashClaim returns the value of at_hash, c_hash and s_hash: the left half of the hash that goes with the ID token's algorithm, base64url
// (OpenID Connect Core 3.1.3.6, 3.3.2.11). Unknown algorithms give "".
func HashClaim(alg, value string) string {
	a, ok := algorithms[alg]
	if !ok {
		return ""
	}
	h := sum(a.hash, []byte(value))
	return base64.RawURLEncoding.EncodeToString(h[:len(h)/2])
}

func sum(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

// octets is the length of one coordinate of the key's curve.
func octets(k *ecdsa.PublicKey) int { return (k.Curve.Params().BitSize + 7) / 8 }
