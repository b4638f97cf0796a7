package iam

import (
	"crypto/rand"
	"math/big"
)

// RandomText is a text of so many letters of an alphabet, each as likely as any other:
// codes and secrets that people type. The error is of the system's randomness.
func RandomText(alphabet string, length int) (string, error) {
	text := make([]byte, length)
	for i := range text {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
		if err != nil {
			return "", err
		}
		text[i] = alphabet[n.Int64()]
	}
	return string(text), nil
}
