package seal

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

var (
	// ErrUnknownKey is wrapped where the sealed bytes name a key that the ring lacks; the message names it.
	ErrUnknownKey = errors.New("seal: unknown key")
	// ErrCorrupt is wrapped where the sealed bytes are not what was sealed, or not for this place (other additional data, other purpose).
	ErrCorrupt = errors.New("seal: corrupt or misplaced")
	// ErrKeyFile is wrapped where the key file cannot be used.
	ErrKeyFile = errors.New("seal: unusable key file")
)

const (
	// version is the first byte of what is sealed: then come the key's id, the nonce, and the XChaCha20-Poly1305 ciphertext with its tag.
	// The nonce is long enough to be random without counting messages.
	version    = 1
	idLength   = 4
	headLength = 1 + idLength
	keyLength  = chacha20poly1305.KeySize
)

type key struct {
	id     [idLength]byte
	raw    [keyLength]byte
	rest   cipher.AEAD // for what is at rest
	tokens cipher.AEAD // for what goes through browsers
}

// newKey names the key by its own hash, so that a damaged line of the key file is noticed when it is read.
func newKey(raw []byte) (key, error) {
	var k key
	if len(raw) != keyLength {
		return k, fmt.Errorf("%w: a key of %d bytes, not %d", ErrKeyFile, len(raw), keyLength)
	}
	copy(k.raw[:], raw)
	id, err := hkdf.Key(sha256.New, raw, nil, "latchkey seal: id", idLength)
	if err != nil {
		return k, fmt.Errorf("seal: %w", err)
	}
	copy(k.id[:], id)
	if k.rest, err = k.derive("at rest"); err == nil {
		k.tokens, err = k.derive("tokens")
	}
	return k, err
}

func (k *key) derive(purpose string) (cipher.AEAD, error) {
	sub, err := hkdf.Key(sha256.New, k.raw[:], nil, "latchkey seal: "+purpose, keyLength)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return chacha20poly1305.NewX(sub)
}

func (k *key) name() string { return hex.EncodeToString(k.id[:]) }

// Ring is the keys of one key file. It never changes and is safe for concurrent use.
type Ring struct {
	keys []key // the active one first
}

// Generate returns a ring of one new key that is in no file.
func Generate() (*Ring, error) {
	raw := make([]byte, keyLength)
	rand.Read(raw) // never fails
	k, err := newKey(raw)
	if err != nil {
		return nil, err
	}
	return &Ring{[]key{k}}, nil
}

// Parse reads the text of a key file. Empty lines and those that begin with # are skipped.
func Parse(text []byte) (*Ring, error) {
	r := &Ring{}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) != 2 {
			return nil, fmt.Errorf("%w: line %d is not an id and a key", ErrKeyFile, n)
		}
		raw, err := base64.StdEncoding.DecodeString(f[1])
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: the key is not base64", ErrKeyFile, n)
		}
		k, err := newKey(raw)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if k.name() != f[0] {
			return nil, fmt.Errorf("%w: line %d: the key is not %s, the line is damaged", ErrKeyFile, n, f[0])
		}
		if r.find(k.id[:]) != nil {
			return nil, fmt.Errorf("%w: line %d: key %s is there twice", ErrKeyFile, n, f[0])
		}
		r.keys = append(r.keys, k)
	}
	if len(r.keys) == 0 {
		return nil, fmt.Errorf("%w: no key in it", ErrKeyFile)
	}
	return r, nil
}

// text is what Parse reads.
func (r *Ring) text() []byte {
	var b bytes.Buffer
	for i := range r.keys {
		fmt.Fprintf(&b, "%s %s\n", r.keys[i].name(), base64.StdEncoding.EncodeToString(r.keys[i].raw[:]))
	}
	return b.Bytes()
}

// ActiveID is the id of the key that seals.
func (r *Ring) ActiveID() string { return r.keys[0].name() }

// IDs lists the ids of all keys, the active one first.
func (r *Ring) IDs() []string {
	var ids []string
	for i := range r.keys {
		ids = append(ids, r.keys[i].name())
	}
	return ids
}

// String names the keys by their ids; so does every other way to print a ring.
func (r *Ring) String() string { return "ring " + strings.Join(r.IDs(), " ") }

// GoString is String.
func (r *Ring) GoString() string { return r.String() }

// LogValue is String.
func (r *Ring) LogValue() slog.Value { return slog.StringValue(r.String()) }

func (r *Ring) find(id []byte) *key {
	for i := range r.keys {
		if bytes.Equal(r.keys[i].id[:], id) {
			return &r.keys[i]
		}
	}
	return nil
}

// Seal encrypts plain with the active key and binds it to aad, which must name the place it is stored at (table, row, column), so
// that nobody who writes to the database can move a secret elsewhere.
func (r *Ring) Seal(plain, aad []byte) []byte {
	return r.keys[0].seal(r.keys[0].rest, plain, aad)
}

func (k *key) seal(aead cipher.AEAD, plain, aad []byte) []byte {
	n := headLength + aead.NonceSize()
	out := make([]byte, n, n+len(plain)+aead.Overhead())
	out[0] = version
	copy(out[1:], k.id[:])
	rand.Read(out[headLength:]) // never fails
	return aead.Seal(out, out[headLength:n], plain, bound(out[:headLength], aad))
}

// bound is the additional data: the head is authenticated too.
func bound(head, aad []byte) []byte {
	return append(append(make([]byte, 0, len(head)+len(aad)), head...), aad...)
}

// Open decrypts what Seal returned for the same aad. The error is ErrUnknownKey or ErrCorrupt.
func (r *Ring) Open(sealed, aad []byte) ([]byte, error) {
	k, err := r.keyOf(sealed)
	if err != nil {
		return nil, err
	}
	return open(k.rest, sealed, aad)
}

func (r *Ring) keyOf(sealed []byte) (*key, error) {
	if len(sealed) < headLength || sealed[0] != version {
		return nil, fmt.Errorf("%w: not sealed", ErrCorrupt)
	}
	id := sealed[1:headLength]
	if k := r.find(id); k != nil {
		return k, nil
	}
	return nil, fmt.Errorf("%w %x: the key file has %s", ErrUnknownKey, id, strings.Join(r.IDs(), ", "))
}

func open(aead cipher.AEAD, sealed, aad []byte) ([]byte, error) {
	n := headLength + aead.NonceSize()
	if len(sealed) < n+aead.Overhead() {
		return nil, fmt.Errorf("%w: too short", ErrCorrupt)
	}
	plain, err := aead.Open(nil, sealed[headLength:n], sealed[n:], bound(sealed[:headLength], aad))
	if err != nil {
		return nil, fmt.Errorf("%w: key %x does not open it", ErrCorrupt, sealed[1:headLength])
	}
	return plain, nil
}

// NeedsReseal reports whether the bytes were sealed with another than the active key.
func (r *Ring) NeedsReseal(sealed []byte) bool {
	return len(sealed) < headLength || !bytes.Equal(sealed[1:headLength], r.keys[0].id[:])
}

// checked is what Check seals, and checkPlace what it is bound to.
const (
	checked    = "latchkey"
	checkPlace = "check value"
)

// Check returns a value to keep with the sealed data, for Verify.
func (r *Ring) Check() []byte { return r.Seal([]byte(checked), []byte(checkPlace)) }

// Verify reports whether this ring belongs to the data that the check value was kept with. The error says what an operator has to do.
func (r *Ring) Verify(check []byte) error {
	plain, err := r.Open(check, []byte(checkPlace))
	if err == nil && string(plain) != checked {
		err = ErrCorrupt
	}
	if err != nil {
		return fmt.Errorf("the seal key file does not belong to this database; give the one it was made with: %w", err)
	}
	return nil
}

// SealToken encrypts state that goes through a browser, as base64url. A token for one purpose is
// ErrCorrupt for every other. When it expires is the caller's to put inside.
func (r *Ring) SealToken(purpose string, plain []byte) string {
	k := &r.keys[0]
	return base64.RawURLEncoding.EncodeToString(k.seal(k.tokens, plain, []byte(purpose)))
}

// OpenToken decrypts what SealToken returned for the same purpose. The error is ErrUnknownKey or ErrCorrupt.
func (r *Ring) OpenToken(purpose, token string) ([]byte, error) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || strings.ContainsAny(token, "\r\n") { // which Go's decoder would skip
		return nil, fmt.Errorf("%w: not base64url", ErrCorrupt)
	}
	k, err := r.keyOf(sealed)
	if err != nil {
		return nil, err
	}
	return open(k.tokens, sealed, []byte(purpose))
}
