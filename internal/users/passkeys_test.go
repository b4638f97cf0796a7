package users_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"latchkey/internal/iam"
	"latchkey/internal/users"
	"latchkey/internal/webauthn"
)

// A challenge is good once, also for two who bring its answer to two nodes at once.
func TestChallengesAreAnsweredOnce(t *testing.T) {
	const issuer = "https://id.example.test/realms/shop"
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	// EC2, ES256, P-256
	cose := slices.Concat([]byte("\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20"), public[1:33], []byte("\x22\x58\x20"), public[33:])
	sign := func(challenge string, counter uint32) webauthn.Assertion {
		rp := sha256.Sum256([]byte("id.example.test"))
		a := webauthn.Assertion{ID: []byte("key"), ClientData: []byte(`{"type":"webauthn.get","challenge":"` + challenge +
			`","origin":"https://id.example.test"}`),
			AuthenticatorData: binary.BigEndian.AppendUint32(append(rp[:], 5), counter)} // somebody was there, and was verified
		hash := sha256.Sum256(a.ClientData)
		digest := sha256.Sum256(slices.Concat(a.AuthenticatorData, hash[:]))
		if a.Signature, err = ecdsa.SignASN1(rand.Reader, key, digest[:]); err != nil {
			t.Fatal(err)
		}
		return a
	}
	each(t, `{}`, func(w *world) {
		ctx, r := w.Context(), w.realm
		stored := &webauthn.Key{ID: base64.StdEncoding.EncodeToString([]byte("key")), Public: webauthn.Encode(cose)}
		var added, won atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				switch err := w.s.AddPasskey(ctx, r, w.anna.ID, iam.WebAuthn, "Zmlyc3Q", "mine", stored); {
				case err == nil:
					added.Add(1)
				case err != users.ErrChallenge:
					w.Error(err)
				}
			})
		}
		wg.Wait()
		if added.Load() != 1 {
			w.Errorf("%d credentials by one answer", added.Load())
		}
		if err := w.s.AddPasskey(ctx, r, w.anna.ID, iam.WebAuthn, "b3RoZXI", "again", stored); err == nil {
			w.Error("an authenticator is registered twice")
		}
		for _, counter := range []uint32{0, 7} { // of a key without a counter, and of one with it
			won.Store(0)
			challenge := webauthn.NewChallenge()
			answer := sign(challenge, counter)
			for range 8 {
				wg.Go(func() {
					ok, refused, err := w.s.CheckPasskey(ctx, r, w.anna.ID, nil, iam.WebAuthn, issuer, challenge, answer)
					if err != nil || ok == (refused != nil) {
						w.Error(ok, refused, err)
					}
					if ok {
						won.Add(1)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				w.Errorf("%d logins by one answer, counter %d", won.Load(), counter)
			}
		}
		list, err := w.s.Credentials(ctx, r, w.anna.ID)
		w.must(err)
		if c, _ := users.PasskeyOf(list, iam.WebAuthn, []byte("key")); c == nil || !strings.Contains(string(c.Data), `"counter":7`) {
			w.Error("the counter is not kept")
		}
		challenge := webauthn.NewChallenge()
		if ok, _, err := w.s.CheckPasskey(ctx, r, w.anna.ID, nil, iam.WebAuthn, issuer, challenge, sign(challenge, 6)); ok || err != nil {
			w.Error("a copied authenticator logs in:", ok, err)
		}
		if ok, _, err := w.s.CheckPasskey(ctx, r, w.anna.ID, nil, iam.WebAuthnPasswordless, issuer, challenge, sign(challenge, 9)); ok ||
			err != nil {
			w.Error("a second factor logs in alone:", ok, err)
		}
	})
}
