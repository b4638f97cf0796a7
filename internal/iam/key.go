package iam

import "crypto"

// KeyUse is what a key is for.
type KeyUse string

// A key signs or encrypts.
const (
	Sig KeyUse = "SIG"
	Enc KeyUse = "ENC"
)

// KeyStatus says whether a key is used for new things (Active), only accepted
// (Passive), or neither.
type KeyStatus string

// Keycloak's KeyStatus.
const (
	KeyActive   KeyStatus = "ACTIVE"
	KeyPassive  KeyStatus = "PASSIVE"
	KeyDisabled KeyStatus = "DISABLED"
)

// A Key is one of a realm's keys as its component yields it.
type Key struct {
	KID      string
	Provider string // the component's id
	Priority int64
	Use      KeyUse
	Type     string // "RSA", "EC", "OKP", "OCT"
	Alg      string // "RS256"
	Status   KeyStatus
	Signer   crypto.Signer // nil for OCT
	Public   crypto.PublicKey
	HMAC     Secret   // OCT keys
	Chain    [][]byte // X.509 DER, leaf first
}
