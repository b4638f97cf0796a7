package passhash

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/crypto/argon2"
)

// What is computed here is what x/crypto computes, for every shape of
// parameters, with memory that other hashes have left behind.
func TestArgonIsArgon(t *testing.T) {
	if !canFill() {
		t.Skip("this processor has no AVX2: all hashes are x/crypto's")
	}
	h := New(64<<20, DefaultQueue)
	random := rand.New(rand.NewPCG(1, 2))
	check := func(time, memory uint32, length int) {
		t.Helper()
		password, salt := make([]byte, random.IntN(90)), make([]byte, 1+random.IntN(40))
		for _, b := range [][]byte{password, salt} {
			for i := range b {
				b[i] = byte(random.Uint32())
			}
		}
		at := fmt.Sprintf("time %d, memory %d, length %d", time, memory, length)
		if got, want := h.argon(argonID, password, salt, time, memory, 1, length), argon2.IDKey(password, salt, time, memory, 1,
			uint32(length)); !bytes.Equal(got, want) {
			t.Errorf("argon2id, %s: %x, want %x", at, got, want)
		}
		if got, want := h.argon(argonI, password, salt, time, memory, 1, length), argon2.Key(password, salt, time, memory, 1,
			uint32(length)); !bytes.Equal(got, want) {
			t.Errorf("argon2i, %s: %x, want %x", at, got, want)
		}
	}
	for _, memory := range []uint32{1, 7, 8, 9, 15, 16, 17, 511, 512, 513, 1027, 4096} {
		for time := range uint32(4) {
			check(time+1, memory, 32)
		}
	}
	for length := 16; length <= 200; length++ {
		check(1, 8, length)
	}
	for range 200 {
		check(1+random.Uint32N(3), 1+random.Uint32N(300), 16+random.IntN(100))
	}
	check(5, argonMemory, 32)
}
