package clientauth

import (
	"context"
	"errors"

	"latchkey/internal/iam"
	"latchkey/internal/jose"
	"latchkey/internal/realms"
)

var errNoClientKey = errors.New("the client has no such key")

// Keys returns the keys of a client for a use ("sig" or "enc"): from its
// JWKS, by address or as a text, or its certificate or public key, which only
// signs. With a kid only the key of that name is returned, or one without any. base is
// the server's address as everybody sees it, which a relative address is below.
// Keycloak: PublicKeyStorageManager, ClientPublicKeyLoader.
func (s *Service) Keys(ctx context.Context, r *realms.Realm, client *iam.Client, base, kid, use string) (jose.Set, error) {
	var set jose.Set
	var err error
	switch {
	case client.OIDC.Keys.ByURL:
		set, err = s.keys.fetch(ctx, r, jwksURL(client, base), r.Reach(client), kid)
	case client.OIDC.Keys.ByText:
		set, err = jose.ParseSet([]byte(client.OIDC.Keys.Text))
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
	text := client.OIDC.Keys.PEM
	if text == "" {
		return nil, errNoClientKey
	}
	pub, err := jose.ParsePublicKey(text)
	if err != nil {
		return nil, err
	}
	kid := client.OIDC.Keys.KID
	if kid == "" {
		if kid, err = jose.KeyID(pub); err != nil {
			return nil, err
		}
	}
	return jose.Set{{KID: kid, Public: pub}}, nil
}
