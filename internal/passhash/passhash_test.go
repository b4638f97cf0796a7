package passhash

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

type exported struct {
	Username       string `json:"username"`
	CredentialData string `json:"credentialData"`
	SecretData     string `json:"secretData"`
	Password       string `json:"password"`
}

// Keycloak: testdata/keycloak-passwords.json is what kc.sh export (26.7.3) wrote for users with passwords of every algorithm, and the
// passwords.
func TestKeycloakPasswords(t *testing.T) {
	raw, err := os.ReadFile("testdata/keycloak-passwords.json")
	if err != nil {
		t.Fatal(err)
	}
	var users []exported
	if err := json.Unmarshal(raw, &users); err != nil {
		t.Fatal(err)
	}
	if len(users) != 5 {
		t.Fatalf("%d users", len(users))
	}
	h := New(64<<20, DefaultQueue)
	for _, u := range users {
		t.Run(u.Username, func(t *testing.T) {
			t.Parallel()
			data, secret := []byte(u.CredentialData), []byte(u.SecretData)
			if err := h.Check(data, secret); err != nil {
				t.Fatal(err)
			}
			if ok, err := h.Verify(context.Background(), data, secret, []byte(u.Password)); !ok || err != nil {
				t.Errorf("%v, %v", ok, err)
			}
			algorithm := strings.TrimPrefix(u.Username, "u-")
			if algorithm == "old" { // pbkdf2-sha256 with the 27500 iterations of Keycloak before 24
				for p, want := range map[Policy]bool{
					{"pbkdf2-sha256", 27500}: false, {"pbkdf2-sha256", 0}: true, {"pbkdf2-sha512", 27500}: true, {}: true,
				} {
					if NeedsRehash(p, data, secret) != want {
						t.Errorf("policy %+v: needs rehash is not %v", p, want)
					}
				}
				return
			}
			if NeedsRehash(Policy{Algorithm: algorithm}, data, secret) {
				t.Error("our default parameters are not Keycloak's")
			}
			// What we write has Keycloak's form; only the cheaper half of the algorithms is run for it.
			cd, err := Policy{Algorithm: algorithm}.data()
			if err != nil {
				t.Fatal(err)
			}
			if written, err := json.Marshal(cd); err != nil || string(written) != u.CredentialData {
				t.Errorf("would write %s, %v, want %s", written, err, u.CredentialData)
			}
			if algorithm != "argon2" {
				return
			}
			if ok, err := h.Verify(context.Background(), data, secret, []byte(u.Password+" ")); ok || err != nil {
				t.Errorf("wrong password: %v, %v", ok, err)
			}
			written, sd, err := h.Hash(context.Background(), Policy{}, []byte(u.Password))
			if err != nil || string(written) != u.CredentialData || len(sd) != len(u.SecretData) {
				t.Errorf("wrote %s (%d bytes of secretData), %v, want %s (%d)", written, len(sd), err, u.CredentialData, len(u.SecretData))
			}
			if ok, err := h.Verify(context.Background(), written, sd, []byte(u.Password)); !ok || err != nil {
				t.Errorf("own hash: %v, %v", ok, err)
			}
		})
	}
}

// cheap is a policy for tests that are not about the cost.
var cheap = Policy{Algorithm: "pbkdf2-sha256", Iterations: 2}

func TestPolicy(t *testing.T) {
	h := New(64<<20, DefaultQueue)
	for _, c := range []struct {
		policy     Policy
		iterations string // in credentialData; empty: refused
	}{
		{Policy{}, `"hashIterations":5,"algorithm":"argon2"`},
		{Policy{"argon2", 7}, `"hashIterations":7,`},
		// Keycloak: Argon2PasswordHashProvider takes more than 100 iterations for a mistake.
		{Policy{"argon2", 27500}, `"hashIterations":5,`},
		{Policy{"pbkdf2-sha512", 3}, `"hashIterations":3,"algorithm":"pbkdf2-sha512","additionalParameters":{}`},
		{Policy{"pbkdf2", 3}, `"hashIterations":3,`},
		{Policy{"bcrypt", 3}, ""},
		{Policy{"pbkdf2", 2_000_000_000}, ""},
	} {
		data, secret, err := h.Hash(context.Background(), c.policy, []byte("pw"))
		if c.iterations == "" {
			if !errors.Is(err, ErrUnsupported) || data != nil || secret != nil {
				t.Errorf("%+v: %s, %v", c.policy, data, err)
			}
			continue
		}
		if err != nil || !strings.Contains(string(data), c.iterations) || NeedsRehash(c.policy, data, secret) {
			t.Errorf("%+v: %s, %v", c.policy, data, err)
		}
	}
	_, one, err := h.Hash(context.Background(), cheap, []byte("pw"))
	if err != nil {
		t.Fatal(err)
	}
	_, two, err := h.Hash(context.Background(), cheap, []byte("pw"))
	if err != nil || bytes.Equal(one, two) {
		t.Errorf("the same password gave the same hash twice, %v", err)
	}
}

func TestRefuses(t *testing.T) {
	h := New(64<<20, DefaultQueue)
	const good = `{"hashIterations":1,"algorithm":"argon2","additionalParameters":%s}`
	value := base64.StdEncoding.EncodeToString(make([]byte, 32))
	secret := `{"value":"` + value + `","salt":"AAAA","additionalParameters":{}}`
	for _, c := range []struct {
		name, data, secret string
		want               error
	}{
		{"no JSON", `x`, secret, ErrCorrupt},
		{"no JSON as secret", fmt.Sprintf(good, "{}"), `{"value":"top"secret"`, ErrCorrupt},
		{"secret not base64", fmt.Sprintf(good, "{}"), `{"value":"?","salt":"AAAA"}`, ErrCorrupt},
		{"empty hash", fmt.Sprintf(good, "{}"), `{"value":"","salt":"AAAA"}`, ErrCorrupt},
		{"no salt", fmt.Sprintf(good, "{}"), `{"value":"` + value + `"}`, ErrCorrupt},
		{"foreign algorithm", `{"hashIterations":1,"algorithm":"bcrypt"}`, secret, ErrUnsupported},
		{"no iterations", `{"algorithm":"argon2"}`, secret, ErrUnsupported},
		{"too many iterations", `{"hashIterations":999999999,"algorithm":"pbkdf2"}`, secret, ErrUnsupported},
		{"argon2d", fmt.Sprintf(good, `{"type":["d"]}`), secret, ErrUnsupported},
		{"argon2 1.0", fmt.Sprintf(good, `{"version":["1.0"]}`), secret, ErrUnsupported},
		{"memory no number", fmt.Sprintf(good, `{"memory":["much"]}`), secret, ErrCorrupt},
		{"no memory", fmt.Sprintf(good, `{"memory":["0"]}`), secret, ErrUnsupported},
		{"too much memory", fmt.Sprintf(good, `{"memory":["65537"]}`), secret, ErrUnsupported},
		{"no lanes", fmt.Sprintf(good, `{"parallelism":["0"]}`), secret, ErrUnsupported},
	} {
		ok, err := h.Verify(context.Background(), []byte(c.data), []byte(c.secret), []byte("pw"))
		if ok || !errors.Is(err, c.want) || err != nil && strings.Contains(err.Error(), "secret\"") {
			t.Errorf("%s: %v, %v", c.name, ok, err)
		}
		if err := h.Check([]byte(c.data), []byte(c.secret)); !errors.Is(err, c.want) {
			t.Errorf("%s: check: %v", c.name, err)
		}
	}
	// Parameters that are absent are Keycloak's defaults, argon2i is computed too.
	for _, p := range []string{`{}`, `null`, `{"type":["i"],"other":["x"]}`} {
		if ok, err := h.Verify(context.Background(), fmt.Appendf(nil, good, p), []byte(secret), []byte("pw")); ok || err != nil {
			t.Errorf("%s: %v, %v", p, ok, err)
		}
	}
}

// The semaphore holds back whoever finds no memory, until the context ends or memory is free.
func TestMemoryIsBounded(t *testing.T) {
	h := New(8<<20, DefaultQueue) // one argon2 at a time
	if err := h.memory.Acquire(context.Background(), h.limit); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	for _, p := range []Policy{{}, cheap} {
		if _, _, err := h.Hash(ctx, p, []byte("pw")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	h.memory.Release(h.limit)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			data, secret, err := h.Hash(context.Background(), Policy{Iterations: 1}, []byte("pw"))
			if err != nil {
				t.Error(err)
				return
			}
			if ok, err := h.Verify(context.Background(), data, secret, []byte("pw")); !ok || err != nil {
				t.Error(ok, err)
			}
		})
	}
	wg.Wait()
	if !h.memory.TryAcquire(h.limit) {
		t.Error("memory was not given back")
	}
}

func BenchmarkArgon2id(b *testing.B) { benchmark(b, Policy{}) }

func BenchmarkPBKDF2SHA512(b *testing.B) { benchmark(b, Policy{Algorithm: "pbkdf2-sha512"}) }

func benchmark(b *testing.B, p Policy) {
	h := New(256<<20, DefaultQueue)
	data, secret, err := h.Hash(context.Background(), p, []byte("password"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := h.Verify(context.Background(), data, secret, []byte("password")); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
