package users

import (
	"context"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/store"
)

// Recovery codes are as many, as long and of the characters that Keycloak makes
// them of. Keycloak: RecoveryAuthnCodesUtils.
const (
	recoveryCodes      = 12
	recoveryCodeLength = 12
	recoveryAlphabet   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	recoveryAlgorithm  = "SHA-512"
)

// A recoveryData is what everybody may see of a user's recovery codes, as
// Keycloak stores it. Keycloak: RecoveryAuthnCodesCredentialData.
type recoveryData struct {
	Iterations int    `json:"hashIterations,omitzero"`
	Algorithm  string `json:"algorithm"`
	Total      int    `json:"totalCodes"`
	Remaining  int    `json:"remainingCodes"`
}

// A recoverySecret holds the hashes of the codes that are left, the next one
// first. Keycloak: RecoveryAuthnCodesSecretData.
type recoverySecret struct {
	Codes []recoveryCode `json:"codes"`
}

type recoveryCode struct {
	Number int    `json:"number"`
	Hash   string `json:"encodedHashedValue"`
}

// NewRecoveryCodes returns new codes, in the order in which they will be asked for.
func NewRecoveryCodes() ([]string, error) {
	codes := make([]string, recoveryCodes)
	for i := range codes {
		var err error
		if codes[i], err = iam.RandomText(recoveryAlphabet, recoveryCodeLength); err != nil {
			return nil, err
		}
	}
	return codes, nil
}

func hashRecoveryCode(code string) string {
	sum := sha512.Sum512([]byte(code))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func parseRecoveryCodes(c *iam.Credential) (data recoveryData, secret recoverySecret, err error) {
	err = errors.Join(json.Unmarshal(c.Data, &data), json.Unmarshal(c.Secret, &secret))
	if err == nil && data.Algorithm != recoveryAlgorithm {
		err = errors.New("recovery codes are hashed by " + strconv.Quote(data.Algorithm))
	}
	return data, secret, err
}

// PutRecoveryCodes gives a user codes in place of those that the user has.
// Keycloak: RecoveryAuthnCodesCredentialProvider.createCredential.
func (s *Service) PutRecoveryCodes(ctx context.Context, r *realms.Realm, user iam.UserID, codes []string, label string,
	made time.Time) error {
	if iam.Characters(label) > iam.MaxLabel {
		return ErrLabel
	}
	var secret recoverySecret
	for i, code := range codes {
		secret.Codes = append(secret.Codes, recoveryCode{i + 1, hashRecoveryCode(code)})
	}
	data, err := json.Marshal(recoveryData{Algorithm: recoveryAlgorithm, Total: len(codes), Remaining: len(codes)})
	if err != nil {
		return err
	}
	sealed, err := json.Marshal(secret)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		list, err := tx.Credentials(ctx, r.ID, user)
		if err != nil {
			return err
		}
		kept := list[:0:0]
		for _, c := range list {
			if c.Kind != iam.RecoveryCodes {
				kept = append(kept, c)
			} else if _, err := tx.DeleteCredential(ctx, r.ID, user, c.ID); err != nil {
				return err
			}
		}
		if len(kept) >= iam.MaxCredentials {
			return ErrCredentials
		}
		return insertCredential(ctx, tx, r.ID, kept, &iam.Credential{User: user, Kind: iam.RecoveryCodes, Label: label, Data: data,
			Secret: sealed, Created: made})
	})
}

// CheckRecoveryCode reports whether a code is the one of the user's that is to
// be used next, and uses it up. Dashes are for people. With their last code the
// codes are gone. g is the guess that brute force protection allowed.
func (s *Service) CheckRecoveryCode(ctx context.Context, r *realms.Realm, user iam.UserID, g *iam.Guess, code string) (bool, error) {
	return s.check(ctx, r, user, g, iam.RecoveryCodes, presented{value: strings.ReplaceAll(code, "-", "")})
}

// compareRecoveryCode is the check of recovery codes. The credential's version
// decides which of two who present a code at once has used it.
func (s *Service) compareRecoveryCode(ctx context.Context, r *realms.Realm, user iam.UserID, p presented) (ok bool, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		ok = false
		list, err := tx.Credentials(ctx, r.ID, user)
		if err != nil {
			return err
		}
		c := ofKind(list, iam.RecoveryCodes)
		if c == nil {
			return nil
		}
		data, secret, err := parseRecoveryCodes(c)
		if err != nil || len(secret.Codes) == 0 {
			return nil // no code fits what cannot be read
		}
		if subtle.ConstantTimeCompare([]byte(hashRecoveryCode(p.value)), []byte(secret.Codes[0].Hash)) == 0 {
			return nil
		}
		ok = true
		secret.Codes = secret.Codes[1:]
		data.Remaining = len(secret.Codes)
		if c.Data, err = json.Marshal(data); err != nil {
			return err
		}
		if c.Secret, err = json.Marshal(secret); err != nil {
			return err
		}
		if err := tx.UpdateCredential(ctx, r.ID, c); err != nil || data.Remaining > 0 {
			return err
		}
		_, err = tx.DeleteCredential(ctx, r.ID, user, c.ID)
		return err
	})
	return ok && err == nil, err
}

// A RecoveryState is how far a user's recovery codes are used up.
type RecoveryState struct {
	Next             int // the number of the code to use next
	Total, Remaining int
}

// RecoveryStateOf reads a credential; ok is false when it is none of this kind
// that can be used.
func RecoveryStateOf(c *iam.Credential) (state RecoveryState, ok bool) {
	data, secret, err := parseRecoveryCodes(c)
	if err != nil || len(secret.Codes) == 0 {
		return state, false
	}
	return RecoveryState{Next: secret.Codes[0].Number, Total: data.Total, Remaining: data.Remaining}, true
}

// recoveryThreshold is below how many codes users are warned where a realm says nothing.
const recoveryThreshold = 4

// RecoveryThreshold is below how many remaining codes a realm's users are warned.
// Keycloak: RecoveryAuthnCodesCredentialProvider.getWarningThreshold.
func RecoveryThreshold(r *realms.Realm) int {
	for _, a := range r.RequiredActions {
		if n, err := strconv.Atoi(a.Config["warning_threshold"]); err == nil && a.Provider == "CONFIGURE_RECOVERY_AUTHN_CODES" {
			return n
		}
	}
	for _, rule := range r.Password {
		if n, err := strconv.Atoi(rule.Value); err == nil && rule.ID == "recoveryCodesWarningThreshold" {
			return n
		}
	}
	return recoveryThreshold
}
