//go:build !(linux && amd64 && boringcrypto && cgo)

package jose

// prefersAVX2 tells whether BoringSSL was told to leave ADX alone.
func prefersAVX2() bool { return false }
