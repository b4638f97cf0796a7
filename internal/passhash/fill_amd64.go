//go:build amd64 && !purego

package passhash

import "golang.org/x/sys/cpu"

// canFill reports whether this processor runs fill.
func canFill() bool { return cpu.X86.HasAVX2 }

// fill is argon2's compression function G (RFC 9106 section 3.5): out becomes
// G(prev, ref), or with xor what it was, xor that. out may be prev.
//
//go:noescape
func fill(out, prev, ref *block, xor bool)
