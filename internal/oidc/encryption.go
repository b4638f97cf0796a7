package oidc

import (
	"cmp"

	"latchkey/internal/iam"
)

// encryption returns what encrypts a kind of answer for a client that wants it
// so, nil for one that does not. Keycloak: DefaultTokenManager.getEncryptedToken.
func (c *call) encryption(client *iam.Client, how iam.Encryption, cty string) func(string) (string, error) {
	if how.Alg == "" {
		return nil
	}
	return func(plain string) (string, error) {
		set, err := c.door.ClientAuth.Keys(c.ctx(), c.realm, client, c.urls.Frontend, "", "enc")
		if err != nil {
			return "", noEncryption
		}
		for _, k := range set {
			if k.CanEncrypt(how.Alg) {
				to := *k
				to.Alg, to.Use = how.Alg, "enc"
				return to.Encrypt(cmp.Or(how.Enc, "A128CBC-HS256"), cty, []byte(plain))
			}
		}
		return "", noEncryption
	}
}
