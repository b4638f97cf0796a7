package passhash

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/sync/semaphore"

	"latchkey/internal/iam"
)

// Default is the algorithm of a realm whose password policy names none (Keycloak: DefaultPasswordHash).
const Default = "argon2"

var (
	// ErrUnsupported is wrapped by errors about algorithms and parameters that cannot be computed here.
	ErrUnsupported = errors.New("passhash: unsupported")
	// ErrCorrupt is wrapped by errors about credentials that cannot be read.
	ErrCorrupt = errors.New("passhash: corrupt credential")
)

const (
	saltLength = 16 // bytes

	// What Keycloak's argon2 provider uses where the policy says nothing (Argon2Parameters). More iterations than the limit are a policy
	// meant for PBKDF2, and are replaced by the default (Argon2PasswordHashProvider).
	argonMemory         = 7168 // KiB
	argonParallelism    = 1
	argonIterationLimit = 100

	// maxIterations keeps a hostile realm file from buying hours of CPU with one login; it is ten times the highest default.
	maxIterations = 13_000_000
)

// kind is an algorithm by its Keycloak provider id; length is that of the derived key in bytes.
type kind struct {
	hash       func() hash.Hash // nil for argon2
	iterations int
	length     int
}

var kinds = map[string]kind{
	"argon2":        {nil, 5, 32},
	"pbkdf2":        {sha1.New, 1_300_000, 64},
	"pbkdf2-sha256": {sha256.New, 600_000, 32},
	"pbkdf2-sha512": {sha512.New, 210_000, 64},
}

// Known reports whether new passwords can be hashed with the algorithm.
func Known(algorithm string) bool {
	_, ok := kinds[algorithm]
	return ok
}

// Policy is what a realm's password policy says about hashing. Its zero value is Keycloak's default.
type Policy struct {
	Algorithm  string // hashAlgorithm; empty is Default
	Iterations int    // hashIterations; 0 or less is the algorithm's default
}

func (p Policy) data() (data, error) {
	if p.Algorithm == "" {
		p.Algorithm = Default
	}
	k, ok := kinds[p.Algorithm]
	if !ok {
		return data{}, fmt.Errorf("%w: algorithm %q", ErrUnsupported, p.Algorithm)
	}
	d := data{Algorithm: p.Algorithm, Iterations: p.Iterations}
	if d.Iterations <= 0 || k.hash == nil && d.Iterations > argonIterationLimit {
		d.Iterations = k.iterations
	}
	if d.Iterations > maxIterations {
		return data{}, fmt.Errorf("%w: %d iterations", ErrUnsupported, d.Iterations)
	}
	if k.hash == nil {
		one := func(n int) []string { return []string{strconv.Itoa(n)} }
		d.Params = params{one(k.length), one(argonMemory), []string{"id"}, []string{"1.3"}, one(argonParallelism)}
	}
	return d, nil
}

// data is credentialData, members in Keycloak's order.
type data struct {
	Iterations int    `json:"hashIterations"`
	Algorithm  string `json:"algorithm"`
	Params     params `json:"additionalParameters"`
}

// params are argon2's; PBKDF2 has none. Lists, because Keycloak keeps a multi-valued map.
type params struct {
	HashLength  []string `json:"hashLength,omitempty"`
	Memory      []string `json:"memory,omitempty"`
	Type        []string `json:"type,omitempty"`
	Version     []string `json:"version,omitempty"`
	Parallelism []string `json:"parallelism,omitempty"`
}

// secret is secretData.
type secret struct {
	Value  []byte   `json:"value"`
	Salt   []byte   `json:"salt"`
	Params struct{} `json:"additionalParameters"`
}

// derivation is credentialData understood.
type derivation struct {
	kind
	name    string
	variant string // of argon2: "id" or "i"
	memory  uint32 // KiB
	threads uint8
}

func (d data) derivation() (derivation, error) {
	k, ok := kinds[d.Algorithm]
	if !ok {
		return derivation{}, fmt.Errorf("%w: algorithm %q", ErrUnsupported, d.Algorithm)
	}
	if d.Iterations < 1 || d.Iterations > maxIterations {
		return derivation{}, fmt.Errorf("%w: %d iterations", ErrUnsupported, d.Iterations)
	}
	k.iterations = d.Iterations
	if k.hash != nil {
		return derivation{kind: k, name: d.Algorithm}, nil
	}
	first := func(list []string, otherwise string) string {
		if len(list) > 0 {
			return list[0]
		}
		return otherwise
	}
	variant, version := first(d.Params.Type, "id"), first(d.Params.Version, "1.3")
	if variant != "id" && variant != "i" || version != "1.3" {
		return derivation{}, fmt.Errorf("%w: argon2%s version %s", ErrUnsupported, variant, version)
	}
	memory, err1 := strconv.ParseUint(first(d.Params.Memory, strconv.Itoa(argonMemory)), 10, 32)
	threads, err2 := strconv.ParseUint(first(d.Params.Parallelism, strconv.Itoa(argonParallelism)), 10, 8)
	if err := errors.Join(err1, err2); err != nil {
		return derivation{}, fmt.Errorf("%w: argon2 parameters: %w", ErrCorrupt, err)
	}
	if memory < 1 || threads < 1 {
		return derivation{}, fmt.Errorf("%w: argon2 with memory %d and parallelism %d", ErrUnsupported, memory, threads)
	}
	return derivation{k, d.Algorithm, variant, uint32(memory), uint8(threads)}, nil
}

// key derives length bytes.
func (h *Hasher) key(d derivation, password, salt []byte, length int) ([]byte, error) {
	switch {
	case d.hash != nil:
		return pbkdf2.Key(d.hash, string(password), salt, d.iterations, length)
	case d.variant == "i":
		return h.argon(argonI, password, salt, uint32(d.iterations), d.memory, d.threads, length), nil
	}
	return h.argon(argonID, password, salt, uint32(d.iterations), d.memory, d.threads, length), nil
}

// Hasher computes hashes. It is safe for concurrent use; a server has one.
type Hasher struct {
	memory  *semaphore.Weighted // in KiB
	limit   int64
	floor   int64
	queue   int64
	waiting atomic.Int64
	spare   sync.Pool // of *[]block
}

// New returns a Hasher that uses at most memory bytes for hashes at a time. Each is counted with at least a processor's share of it, so
// that no more hashes run at once than there are processors: more would take memory and finish no sooner. At most queue others wait for
// their turn, in the order in which they came.
func New(memory int64, queue int) *Hasher {
	limit := max(memory>>10, 1)
	return &Hasher{memory: semaphore.NewWeighted(limit), limit: limit, floor: max(limit/int64(runtime.GOMAXPROCS(0)), 1), queue: int64(queue)}
}

// DefaultQueue is how many hashes wait for others unless the configuration says otherwise: with argon2, as the default policy has it,
// the last of them waits for one to two seconds on two processors.
const DefaultQueue = 256

// longestWait is how long a hash waits for others: whoever would wait longer, or
// finds the queue full, is told to come again (iam.ErrBusy).
const longestWait = 5 * time.Second

func (h *Hasher) derive(ctx context.Context, d derivation, password, salt []byte, length int) ([]byte, error) {
	if int64(d.memory) > h.limit {
		return nil, fmt.Errorf("%w: argon2 with %d KiB of memory, where %d are allowed", ErrUnsupported, d.memory, h.limit)
	}
	weight := max(int64(d.memory), h.floor)
	if err := h.acquire(ctx, weight); err != nil {
		return nil, fmt.Errorf("passhash: waiting for memory: %w", err)
	}
	defer h.memory.Release(weight)
	return h.key(d, password, salt, length)
}

// acquire takes memory at once, or waits for it in the queue.
func (h *Hasher) acquire(ctx context.Context, weight int64) error {
	if h.memory.TryAcquire(weight) { // which fails while anybody waits, too
		return nil
	}
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > h.queue {
		return iam.ErrBusy
	}
	waiting, cancel := context.WithTimeout(ctx, longestWait)
	defer cancel()
	err := h.memory.Acquire(waiting, weight)
	if err != nil && ctx.Err() == nil {
		return iam.ErrBusy
	}
	return err
}

// Hash returns credentialData and secretData of the password under the policy. The second is a secret.
func (h *Hasher) Hash(ctx context.Context, p Policy, password []byte) (credentialData, secretData []byte, err error) {
	cd, err := p.data()
	if err != nil {
		return nil, nil, err
	}
	d, err := cd.derivation()
	if err != nil {
		return nil, nil, err
	}
	s := secret{Salt: make([]byte, saltLength)}
	rand.Read(s.Salt) // never fails
	if s.Value, err = h.derive(ctx, d, password, s.Salt, d.length); err != nil {
		return nil, nil, err
	}
	if credentialData, err = json.Marshal(cd); err != nil {
		return nil, nil, fmt.Errorf("passhash: %w", err)
	}
	if secretData, err = json.Marshal(s); err != nil {
		return nil, nil, fmt.Errorf("passhash: %w", err)
	}
	return credentialData, secretData, nil
}

// Verify reports whether the password is the credential's, in time that does not depend on the password. The error is
// ErrUnsupported, ErrCorrupt or the context's; the password is then neither right nor wrong.
func (h *Hasher) Verify(ctx context.Context, credentialData, secretData, password []byte) (bool, error) {
	d, s, err := parse(credentialData, secretData)
	if err != nil {
		return false, err
	}
	got, err := h.derive(ctx, d, password, s.Salt, len(s.Value))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, s.Value) == 1, nil
}

// Check reports why a credential can never be verified here, nil if it can; for an import that wants to know beforehand.
func (h *Hasher) Check(credentialData, secretData []byte) error {
	d, _, err := parse(credentialData, secretData)
	if err == nil && int64(d.memory) > h.limit {
		return fmt.Errorf("%w: argon2 with %d KiB of memory, where %d are allowed", ErrUnsupported, d.memory, h.limit)
	}
	return err
}

func parse(credentialData, secretData []byte) (derivation, secret, error) {
	var cd data
	var s secret
	if err := json.Unmarshal(credentialData, &cd); err != nil {
		return derivation{}, s, fmt.Errorf("%w: credentialData: %w", ErrCorrupt, err)
	}
	if err := json.Unmarshal(secretData, &s); err != nil {
		return derivation{}, s, errCorruptSecret
	}
	// Keys up to 64 bytes are what the providers have ever written; longer ones only cost.
	if n := len(s.Value); n < 16 || n > 128 || len(s.Salt) == 0 {
		return derivation{}, s, fmt.Errorf("%w: a hash of %d bytes, a salt of %d", ErrCorrupt, n, len(s.Salt))
	}
	d, err := cd.derivation()
	return d, s, err
}

// errCorruptSecret carries no cause, for the cause could quote the secret.
var errCorruptSecret = fmt.Errorf("%w: secretData", ErrCorrupt)

// NeedsRehash reports whether the credential was made under other parameters than the policy's, so that it should be made anew
// once the password is known (Keycloak: PasswordHashProvider.policyCheck, which for PBKDF2 includes the length of the key).
func NeedsRehash(p Policy, credentialData, secretData []byte) bool {
	want, err := p.data()
	if err != nil {
		return false // nothing better can be made
	}
	d, s, err := parse(credentialData, secretData)
	if err != nil {
		return true
	}
	wanted, err := want.derivation()
	if err != nil {
		return false
	}
	return d.name != wanted.name || d.iterations != wanted.iterations || d.variant != wanted.variant ||
		d.memory != wanted.memory || d.threads != wanted.threads || len(s.Value) != wanted.length
}
