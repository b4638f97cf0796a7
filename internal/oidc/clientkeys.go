package oidc

import (
	"cmp"
	"errors"
	"net/http"

	"latchkey/internal/iam"
	"latchkey/internal/jose"
)

var errNoClientKey = errors.New("the client has no such key")

// clientKeys returns the keys of a client for a use ("sig" or "enc"): from its
// JWKS, by address or as a text, or its certificate or public key, which only
// signs. With a kid only the key of that name is returned, or one without any.
// Keycloak: PublicKeyStorageManager, ClientPublicKeyLoader.
func (c *call) clientKeys(client *iam.Client, kid, use string) (jose.Set, error) {
	var set jose.Set
	var err error
	switch {
	case client.Flag("use.jwks.url"):
		set, err = c.jwks.fetch(c.ctx(), c.realm, jwksURL(client, c.urls.Frontend), c.realm.Reach(client), kid)
	case client.Flag("use.jwks.string"):
		set, err = jose.ParseSet([]byte(client.Attr("jwks.string")))
	case use == "sig":
		set, err = clientCertificate(client)
	}
	if err != nil {
		return nil, err
	}
	var fit jose.Set
	for _, k := range set {
		if k.Use != "" && k.Use != use || kid != "" && k.KID != "" && k.KID != kid {
			continue
		}
		if k.KID == "" { // the only name it has is the one that the token gives it
			named := *k
			named.KID, k = kid, &named
		}
		fit = append(fit, k)
	}
	if len(fit) == 0 {
		return nil, errNoClientKey
	}
	return fit, nil
}

func clientCertificate(client *iam.Client) (jose.Set, error) {
	text := cmp.Or(client.Attr("jwt.credential.certificate"), client.Attr("jwt.credential.public.key"))
	if text == "" {
		return nil, errNoClientKey
	}
	pub, err := jose.ParsePublicKey(text)
	if err != nil {
		return nil, err
	}
	kid := client.Attr("jwt.credential.kid")
	if kid == "" {
		if kid, err = jose.KeyID(pub); err != nil {
			return nil, err
		}
	}
	return jose.Set{{KID: kid, Public: pub}}, nil
}

// encryption returns what encrypts a kind of answer for a client that wants it
// so, nil for one that does not. The kind is the attributes' prefix:
// "id.token", "user.info", "authorization". Keycloak: DefaultTokenManager.getEncryptedToken.
func (c *call) encryption(client *iam.Client, kind, cty string) func(string) (string, error) {
	alg := client.Attr(kind + ".encrypted.response.alg")
	if alg == "" {
		return nil
	}
	return func(plain string) (string, error) {
		set, err := c.clientKeys(client, "", "enc")
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
