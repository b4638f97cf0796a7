package seal

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// NumberBits is how long a number is that SealNumber takes and returns.
const NumberBits = 60

const (
	halfBits     = NumberBits / 2
	half         = 1<<halfBits - 1
	numberRounds = 10
)

// SealNumber encrypts a number of NumberBits bits into one as long, for people who are to read it out. It is a permutation:
// different numbers become different ones, which say nothing of theirs; and since it has no room for a tag, every number
// opens to something. So the caller must look whether what it opens to exists, and must never seal one number twice where
// that must not show. purpose is part of the key. It is a Feistel network on HMAC-SHA256 (Luby and Rackoff): no block cipher
// is as short.
func (r *Ring) SealNumber(purpose string, n uint64) uint64 {
	return r.keys[0].feistel(purpose, n, false)
}

// OpenNumber decrypts what SealNumber returned for the same purpose: a candidate for each key of the ring, the active one first.
func (r *Ring) OpenNumber(purpose string, n uint64) []uint64 {
	var list []uint64
	for i := range r.keys {
		list = append(list, r.keys[i].feistel(purpose, n, true))
	}
	return list
}

func (k *key) feistel(purpose string, n uint64, back bool) uint64 {
	left, right := n>>halfBits&half, n&half
	sub, err := hkdf.Key(sha256.New, k.raw[:], nil, "latchkey seal: number "+purpose, sha256.Size)
	if err != nil {
		panic(err) // HKDF refuses lengths alone
	}
	mac := hmac.New(sha256.New, sub)
	round := func(i int, x uint64) uint64 {
		var in [9]byte
		in[0] = byte(i)
		binary.BigEndian.PutUint64(in[1:], x)
		mac.Reset()
		mac.Write(in[:])
		return binary.BigEndian.Uint64(mac.Sum(nil)) & half
	}
	for i := range numberRounds {
		if back {
			left, right = right^round(numberRounds-1-i, left), left
		} else {
			left, right = right, left^round(i, right)
		}
	}
	return left<<halfBits | right
}
