package tokens

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"latchkey/internal/jose"
)

// How long a proof is good, and by how much a client's clock may differ.
// Keycloak: DPoPUtil.
const (
	proofLife = 10 * time.Second
	proofSkew = 15 * time.Second
)

// A ProofError says why a DPoP proof is not good, in the reference's words.
type ProofError string

func (e ProofError) Error() string { return string(e) }

// ErrNoProof is the refusal of a request that needs a proof and has none.
const ErrNoProof = ProofError("DPoP proof is missing")

// ErrOtherKey is the refusal of a proof by another key than a token is bound to.
const ErrOtherKey = ProofError("DPoP confirmation doesn't match DPoP proof")

// A Proof is the DPoP proof that a request comes with (RFC 9449 4.2), to be checked.
type Proof struct {
	Header []string // the values of the request's header DPoP
	Method string   // of the request
	// Bases are the addresses of the server that Path, that of the endpoint, may follow.
	Bases []string
	Path  string
	// Access is the token that the proof must be made for, "" where tokens are given.
	Access string
	Now    time.Time
	// Once keeps a key until a time, and reports whether it was new.
	Once func(key string, until time.Time) (bool, error)
}

// A proofKey is what tells private keys in a header from public ones.
type proofKey struct {
	Kind    string `json:"kty"`
	Private any    `json:"d"`
}

type proofClaims struct {
	ID       string `json:"jti"`
	Method   string `json:"htm"`
	URL      string `json:"htu"`
	IssuedAt *int64 `json:"iat"`
	Access   string `json:"ath"`
}

// Check returns the thumbprint of the key that signed the proof (RFC 7638). A
// proof that is not good is a ProofError. Keycloak: DPoPUtil.validateDPoP.
func (p *Proof) Check() (jkt string, err error) {
	text := strings.TrimSpace(strings.Join(p.Header, ","))
	if text == "" {
		return "", ErrNoProof
	}
	var said proofClaims
	tok, err := jose.Parse(text)
	if err == nil {
		err = tok.Claims(&said)
	}
	if err != nil {
		return "", ProofError("DPoP header verification failure")
	}
	key, err := signer(tok)
	if err != nil {
		return "", err
	}
	if tok.Verify(key) != nil {
		return "", ProofError("DPoP verification failure: org.keycloak.exceptions.TokenSignatureInvalidException: Invalid token signature")
	}
	if err := p.matches(&said); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(said.ID + "\n" + said.URL))
	fresh, err := p.Once("dpop "+hex.EncodeToString(sum[:]), time.Unix(*said.IssuedAt, 0).Add(proofLife+proofSkew+time.Second))
	if err != nil {
		return "", err
	}
	if !fresh {
		return "", ProofError("DPoP proof has already been used")
	}
	if p.Access != "" {
		sum := sha256.Sum256([]byte(p.Access))
		switch said.Access {
		case "":
			return "", ProofError("No access token hash in DPoP proof")
		case base64.RawURLEncoding.EncodeToString(sum[:]):
		default:
			return "", ProofError("DPoP proof access token hash mismatch")
		}
	}
	return jose.Thumbprint(key.Public)
}

// Holds reports whether the proof is good and by the key that a token is bound to.
// refused says in the reference's words what is wrong, "" that nothing is; err is
// what Once broke down over.
func (p *Proof) Holds(t *Token) (refused string, err error) {
	jkt, err := p.Check()
	if err == nil {
		err = t.Bound(jkt)
	}
	if no, ok := errors.AsType[ProofError](err); ok {
		return no.Error(), nil
	}
	return "", err
}

// signer is the key in a proof's header.
func signer(tok *jose.Token) (*jose.Key, error) {
	h := &tok.Header
	typ := h.Typ
	if typ == "" {
		typ = "null"
	}
	var kind proofKey
	switch {
	case h.JWK != nil && json.Unmarshal(h.JWK, &kind) != nil:
		return nil, ProofError("DPoP header verification failure")
	case typ != "dpop+jwt":
		return nil, ProofError("Invalid or missing type in DPoP header: " + typ)
	case !jose.Known(h.Alg) || jose.Symmetric(h.Alg):
		return nil, ProofError("Unsupported DPoP algorithm: " + h.Alg)
	case h.JWK == nil:
		return nil, ProofError("No JWK in DPoP header")
	case kind.Private != nil:
		return nil, ProofError("Private key material must not be present in DPoP JWK")
	}
	key, err := jose.ParseJWK(h.JWK)
	if err != nil {
		return nil, ProofError("Unsupported key type in DPoP header")
	}
	return &jose.Key{Alg: h.Alg, Public: key.Public}, nil
}

// matches checks what a proof says of the request and of its time.
func (p *Proof) matches(said *proofClaims) error {
	if said.IssuedAt == nil || strings.TrimSpace(said.ID) == "" || strings.TrimSpace(said.Method) == "" || strings.TrimSpace(said.URL) == "" {
		return ProofError("DPoP mandatory claims are missing")
	}
	got, err := url.Parse(said.URL)
	if err != nil {
		return ProofError("Malformed HTTP URL in DPoP proof")
	}
	found := false
	for _, base := range p.Bases {
		want, err := url.Parse(base)
		found = found || err == nil && strings.EqualFold(got.Scheme, want.Scheme) && strings.EqualFold(got.Host, want.Host) &&
			got.Path == want.Path+p.Path
	}
	if !found {
		return ProofError("DPoP HTTP URL mismatch")
	}
	if said.Method != p.Method {
		return ProofError("DPoP HTTP method mismatch")
	}
	if at := time.Unix(*said.IssuedAt, 0); at.After(p.Now.Add(proofSkew)) || at.Before(p.Now.Truncate(time.Second).Add(-proofLife-proofSkew)) {
		return ProofError("DPoP proof is not active")
	}
	return nil
}

// Bound reports whether a key of the thumbprint jkt, "" for none that was
// proved, is the one that a token is bound to. Tokens that are bound to no key
// are anybody's. Keycloak: DPoPUtil.validateBinding.
func (t *Token) Bound(jkt string) error {
	switch {
	case t.Confirm.JKT == "" || t.Confirm.JKT == jkt:
		return nil
	case jkt == "":
		return ErrNoProof
	}
	return ErrOtherKey
}
