package clients

import (
	"context"
	"crypto"
	"crypto/x509"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/jose"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// The formats in which a client's key or certificate can be uploaded.
// Keycloak: ClientAttributeCertificateResource.
const (
	CertificatePEM = "Certificate PEM"
	PublicKeyPEM   = "Public Key PEM"
	KeySet         = "JSON Web Key Set"
)

// jwtCredential is what the attributes begin with that hold the key by which a
// client signs its assertions: only this one may be a key set.
const jwtCredential = "jwt.credential"

var errNoKey = &InputError{Code: "certificate-not-found", Description: "Certificate or key with given alias not found in the keystore"}

// certificateBits is the length of the RSA keys that are generated for clients.
const certificateBits = 4096

// certificateYears is for how long they are valid; a realm's last longer.
// Keycloak: KeycloakModelUtils.generateKeyPairCertificate.
const certificateYears = 3

// Certificate returns the key or certificate that a client's attributes hold
// below a prefix. Keycloak: CertificateInfoHelper.getCertificateFromClient.
func Certificate(c *realms.Client, prefix string) *rep.Certificate {
	v := &rep.Certificate{
		PrivateKey: c.Attr(prefix + ".private.key"), Certificate: c.Attr(prefix + ".certificate"),
		PublicKey: c.Attr(prefix + ".public.key"), Kid: c.Attr(prefix + ".kid"),
	}
	if prefix == jwtCredential && c.Flag("use.jwks.string") {
		if set, err := ReadCertificate(KeySet, c.Attr("jwks.string")); err == nil {
			return set
		}
	}
	return v
}

// GenerateCertificate makes a key for a client, with a certificate of its own
// signing, and stores it.
func (s *Service) GenerateCertificate(ctx context.Context, r *realms.Realm, c *realms.Client, prefix string) (*rep.Certificate, error) {
	key, err := jose.GenerateRSA(certificateBits)
	if err != nil {
		return nil, err
	}
	der, err := jose.SelfSign(key, c.ClientID, s.cache.DB().Now(), certificateYears)
	if err != nil {
		return nil, err
	}
	text, err := jose.EncodePrivateKey(key)
	if err != nil {
		return nil, err
	}
	v := &rep.Certificate{PrivateKey: text, Certificate: jose.EncodeCertificate(der)}
	return v, s.putCertificate(ctx, r, c.ID, prefix, v)
}

// UploadCertificate stores a key or certificate of a client.
func (s *Service) UploadCertificate(ctx context.Context, r *realms.Realm, id iam.ClientID, prefix, format,
	text string) (*rep.Certificate, error) {
	v, err := ReadCertificate(format, text)
	if err != nil {
		return nil, err
	}
	return v, s.putCertificate(ctx, r, id, prefix, v)
}

// ReadCertificate reads a key or certificate of a file in a format.
func ReadCertificate(format, text string) (*rep.Certificate, error) {
	switch format {
	case CertificatePEM:
		c, err := jose.ParseCertificate(text)
		if err != nil {
			return nil, errNoKey
		}
		return &rep.Certificate{Certificate: jose.EncodeCertificate(c.Raw)}, nil
	case PublicKeyPEM:
		if _, err := jose.ParsePublicKey(text); err != nil {
			return nil, errNoKey
		}
		return &rep.Certificate{PublicKey: strings.TrimSpace(text)}, nil
	case KeySet:
		set, err := jose.ParseSet([]byte(text))
		if err != nil {
			return nil, errNoKey
		}
		for _, k := range set {
			if pub := k.PublicKey(); pub != nil {
				der, err := publicDER(pub)
				return &rep.Certificate{PublicKey: der, Kid: k.KID, JWKS: text}, err
			}
		}
		return nil, errNoKey
	}
	return nil, &InputError{Code: "invalid_request", Description: "Keys in the format " + format + " cannot be read"}
}

func publicDER(pub crypto.PublicKey) (string, error) {
	if _, err := x509.MarshalPKIXPublicKey(pub); err != nil {
		return "", errNoKey
	}
	return jose.EncodePublicKey(pub)
}

// putCertificate replaces whatever key a client has below a prefix.
// Keycloak: CertificateInfoHelper.updateClientModelCertificateInfo.
func (s *Service) putCertificate(ctx context.Context, r *realms.Realm, id iam.ClientID, prefix string, v *rep.Certificate) error {
	_, err := s.change(ctx, r, id, func(_ *store.Tx, c *rep.Client) error {
		attrs := map[string]string{
			prefix + ".private.key": v.PrivateKey, prefix + ".certificate": v.Certificate, prefix + ".public.key": v.PublicKey,
			prefix + ".kid": v.Kid,
		}
		if prefix == jwtCredential {
			attrs["use.jwks.string"], attrs["jwks.string"] = "", ""
			if v.JWKS != "" {
				attrs = map[string]string{
					prefix + ".private.key": "", prefix + ".certificate": "", prefix + ".public.key": "", prefix + ".kid": "",
					"use.jwks.string": "true", "jwks.string": v.JWKS, "use.jwks.url": "",
				}
			}
		}
		mergeMap(&c.Attributes, attrs)
		return nil
	})
	return err
}
