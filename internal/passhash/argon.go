package passhash

import (
	"encoding/binary"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/blake2b"
)

// A block is argon2's unit of memory, a kibibyte.
type block [128]uint64

// Types of argon2, as they are hashed (RFC 9106 section 3.2).
const (
	argonI  = 1
	argonID = 2
)

// slices is how many parts a pass over the memory has.
const argonSlices = 4

// argon computes argon2 version 1.3. With one lane, which is what Keycloak has
// ever written, and on a processor with AVX2, it does so itself: that takes half
// of the time and no new memory, and a login is little else. All other cases
// are x/crypto's.
func (h *Hasher) argon(mode uint64, password, salt []byte, time, memory uint32, lanes uint8, length int) []byte {
	switch {
	case lanes == 1 && canFill():
		return h.oneLane(mode, password, salt, time, memory, uint32(length))
	case mode == argonI:
		return argon2.Key(password, salt, time, memory, lanes, uint32(length))
	}
	return argon2.IDKey(password, salt, time, memory, lanes, uint32(length))
}

// oneLane is RFC 9106 section 3.2 for p = 1.
func (h *Hasher) oneLane(mode uint64, password, salt []byte, time, memory, length uint32) []byte {
	le := binary.LittleEndian
	var in []byte
	for _, v := range []uint32{1, length, memory, time, argon2.Version, uint32(mode), uint32(len(password))} {
		in = le.AppendUint32(in, v)
	}
	in = append(in, password...)
	in = append(le.AppendUint32(in, uint32(len(salt))), salt...)
	in = append(in, 0, 0, 0, 0, 0, 0, 0, 0) // neither secret nor associated data
	h0 := blake2b.Sum512(in)
	clear(in)

	memory = max(memory/argonSlices*argonSlices, 2*argonSlices)
	mem := h.blocks(int(memory))
	defer h.spare.Put(mem)
	b := *mem
	for i := range uint32(2) {
		start := stretch(le.AppendUint32(le.AppendUint32(h0[:], i), 0), 1024)
		for w := range b[i] {
			b[i][w] = le.Uint64(start[8*w:])
		}
	}
	for pass := range time {
		for slice := range uint32(argonSlices) {
			fillSlice(b, mode, time, pass, slice)
		}
	}
	last := make([]byte, 0, 1024)
	for _, w := range b[memory-1] {
		last = le.AppendUint64(last, w)
	}
	return stretch(last, int(length))
}

// blocks returns memory for a hash, whatever is in it. Each hash would else
// leave megabytes to the garbage collector.
func (h *Hasher) blocks(n int) *[]block {
	if mem, ok := h.spare.Get().(*[]block); ok && len(*mem) == n {
		return mem
	}
	mem := make([]block, n)
	return &mem
}

// fillSlice computes a quarter of the memory once (RFC 9106 sections 3.3 and 3.4).
func fillSlice(b []block, mode uint64, time, pass, slice uint32) {
	size := uint32(len(b))
	part := size / argonSlices
	var addresses, in, zero block
	blind := mode == argonI || pass == 0 && slice < argonSlices/2 // what is referred to does not depend on the password
	in = block{uint64(pass), 0, uint64(slice), uint64(size), uint64(time), mode}
	next := func() {
		in[6]++
		fill(&addresses, &in, &zero, false)
		fill(&addresses, &addresses, &zero, false)
	}
	first := uint32(0)
	if pass == 0 && slice == 0 {
		first = 2 // those are there already
		if blind {
			next()
		}
	}
	for i := first; i < part; i++ {
		at := slice*part + i
		prev := (at + size - 1) % size
		random := b[prev][0]
		if blind {
			if i%128 == 0 {
				next()
			}
			random = addresses[i%128]
		}
		// The blocks that may be referred to: all that were computed in the last
		// round of the memory but the one before this.
		count, start := 3*part+i-1, (slice+1)%argonSlices*part
		if pass == 0 {
			count, start = slice*part+i-1, 0
		}
		x := random & 0xFFFFFFFF
		x = x * x >> 32 * uint64(count) >> 32
		ref := (uint64(start) + uint64(count) - 1 - x) % uint64(size)
		fill(&b[at], &b[prev], &b[ref], pass > 0)
	}
}

// stretch is the variable-length hash H' (RFC 9106 section 3.3). in is not kept.
func stretch(in []byte, length int) []byte {
	in = append(binary.LittleEndian.AppendUint32(nil, uint32(length)), in...)
	if length <= blake2b.Size {
		return short(in, length)
	}
	out := make([]byte, 0, length)
	v := blake2b.Sum512(in)
	for length-len(out) > blake2b.Size {
		out = append(out, v[:blake2b.Size/2]...)
		if rest := length - len(out); rest <= blake2b.Size {
			return append(out, short(v[:], rest)...)
		}
		v = blake2b.Sum512(v[:])
	}
	return out
}

func short(in []byte, length int) []byte {
	h, err := blake2b.New(length, nil)
	if err != nil {
		panic(err) // only for lengths that callers rule out
	}
	h.Write(in)
	return h.Sum(nil)
}
