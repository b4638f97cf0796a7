//go:build !amd64 || purego

package passhash

func canFill() bool { return false }

func fill(_, _, _ *block, _ bool) { panic("passhash: fill on a processor that cannot") }
