//go:build !boringcrypto

package jose

const rsaOf = "Go"
