package jose

// RSA says whose RSA this program was built with, and how it computes: "Go",
// "BoringSSL", or "BoringSSL with AVX2". packaging/crypto decides it.
func RSA() string {
	if prefersAVX2() {
		return rsaOf + " with AVX2"
	}
	return rsaOf
}
