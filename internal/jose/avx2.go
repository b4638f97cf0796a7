//go:build !(linux && amd64 && boringcrypto && cgo)

package jose

// PrefersAVX2 tells whether BoringSSL was told to leave ADX alone.
func PrefersAVX2() bool { return false }
