package oidc

import (
	"cmp"
	"net/http"

	"latchkey/internal/iam"
)

// encryption returns what encrypts a kind of answer for a client that wants it
// so, nil for one that does not. The kind is the attributes' prefix:
// "id.token", "user.info", "authorization". Keycloak: DefaultTokenManager.getEncryptedToken.
func (c *call) encryption(client *iam.Client, kind, cty string) func(string) (string, error) {
	alg := client.Attr(kind + ".encrypted.response.alg")
	if alg == "" {
		return nil
	}
	return func(plain string) (string, error) {
		set, err := c.ClientAuth.Keys(c.ctx(), c.realm, client, c.urls.Frontend, "", "enc")
		if err != nil {
			return "", &Error{http.StatusBadRequest, "invalid_request", "can not get encryption KEK"}
		}
		for _, k := range set {
			if k.CanEncrypt(alg) {
				to := *k
				to.Alg, to.Use = alg, "enc"
				return to.Encrypt(cmp.Or(client.Attr(kind+".encrypted.response.enc"), "A128CBC-HS256"), cty, []byte(plain))
			}
		}
		return "", &Error{http.StatusBadRequest, "invalid_request", "can not get encryption KEK"}
	}
}
