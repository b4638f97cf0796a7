package keys

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"

	"latchkey/internal/iam"
	"latchkey/internal/jose"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/telemetry"
)

// A Set is a realm's keys at one moment, the preferred first. It is immutable.
type Set struct {
	keys     []*Key
	unusable []unusable
	told     sync.Once // of what is unusable
}

// An unusable component of keys yields none.
type unusable struct {
	component, provider string
	err                 error
}

// tell logs what is unusable, once for each snapshot of a realm.
func (s *Set) tell(ctx context.Context, r *realms.Realm, log *slog.Logger) {
	s.told.Do(func() {
		for _, u := range s.unusable {
			log.ErrorContext(ctx, "a key component yields no key", telemetry.KeyRealm, r.Name, "component", u.component, telemetry.KeyProvider,
				u.provider, telemetry.KeyError, u.err)
		}
	})
}

// A Key is one of them; its embedded jose.Key does the work.
type Key struct {
	*jose.Key
	Provider string // the component's id
	Priority int64
	Type     string // "RSA", "EC", "OKP", "OCT"
	For      iam.KeyUse
	Status   iam.KeyStatus
	validTo  int64 // of the certificate, in milliseconds since the epoch, 0 without
}

type derived struct{}

// Of returns the keys of a realm, parsed once per snapshot. A component that
// yields no key (another provider, a broken key) is left out, and logged when
// somebody signs: what it signed is refused, never accepted unseen.
func Of(r *realms.Realm) *Set {
	v, _ := r.Derive(derived{}, func() (any, error) {
		s := new(Set)
		for _, c := range r.Components {
			if c.Type != realms.TypeKeyProvider {
				continue
			}
			k, err := parse(&c.Component)
			if err != nil {
				s.unusable = append(s.unusable, unusable{c.ID, c.Provider, err})
				continue
			}
			s.keys = append(s.keys, k)
		}
		// Keycloak: DefaultKeyManager.getProviders sorts by priority, then by id.
		slices.SortFunc(s.keys, func(a, b *Key) int {
			return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Provider, b.Provider))
		})
		return s, nil
	})
	return v.(*Set)
}

func parse(c *iam.Component) (*Key, error) {
	p, ok := providers[c.Provider]
	if !ok {
		return nil, realms.ErrUnsupportedKey
	}
	k := &Key{Provider: c.ID, Type: p.kind, For: p.use, Status: iam.KeyActive}
	switch {
	case c.Get("enabled") == "false":
		k.Status = iam.KeyDisabled
	case c.Get("active") == "false":
		k.Status = iam.KeyPassive
	}
	k.Priority, _ = strconv.ParseInt(c.Get("priority"), 10, 64)
	j := &jose.Key{Alg: cmp.Or(c.Get("algorithm"), p.alg), Use: map[iam.KeyUse]string{iam.Sig: "sig", iam.Enc: "enc"}[p.use]}
	j.Remember() // for as long as this snapshot of the realm lives
	k.Key = j
	if p.kind == "OCT" {
		secret, err := decodeSecret(c.Get("secret"))
		if err != nil || len(secret) == 0 {
			return nil, errors.New("secret: not base64url")
		}
		j.Secret, j.KID = secret, c.Get("kid")
		return k, nil
	}
	text := c.Get("privateKey")
	if p.curve != "" {
		text = c.Get(p.curve + "PrivateKey")
		if p.curve == "ecdsa" {
			j.Alg = curves[cmp.Or(c.Get("ecdsaEllipticCurveKey"), "P-256")]
		}
	}
	private, err := jose.ParsePrivateKey(text)
	if err != nil {
		return nil, err
	}
	j.Private, j.Public = private, private.Public()
	if j.KID = c.Get("kid"); j.KID == "" {
		if j.KID, err = jose.KeyID(j.Public); err != nil {
			return nil, err
		}
	}
	if cert := c.Get("certificate"); cert != "" && p.kind == "RSA" {
		parsed, err := jose.ParseCertificate(cert)
		if err != nil {
			return nil, err
		}
		j.Chain = [][]byte{parsed.Raw}
		k.validTo = parsed.NotAfter.UnixMilli()
	}
	return k, nil
}

// All returns the keys, the preferred first; do not change them.
func (s *Set) All() []*Key { return s.keys }

// Active returns the key that is used for new things with an algorithm, nil
// when there is none. Keycloak: DefaultKeyManager.getActiveKey.
func (s *Set) Active(use iam.KeyUse, alg string) *Key {
	for _, k := range s.keys {
		if k.Status == iam.KeyActive && k.For == use && k.Alg == alg {
			return k
		}
	}
	return nil
}

// Accepted returns the keys of one use that are not disabled: what verifies
// tokens (iam.Sig) and decrypts (iam.Enc).
func (s *Set) Accepted(use iam.KeyUse) jose.Set {
	var list jose.Set
	for _, k := range s.keys {
		if k.Status != iam.KeyDisabled && k.For == use {
			list = append(list, k.Key)
		}
	}
	return list
}

// JWKS is what the realm publishes: its public keys, disabled ones left out.
// Keycloak: OIDCLoginProtocolService.certs.
func (s *Set) JWKS() (jose.JWKS, error) {
	var list jose.Set
	for _, k := range s.keys {
		if k.Status != iam.KeyDisabled && k.Type != "OCT" {
			list = append(list, k.Key)
		}
	}
	return list.Public()
}

// Metadata is what GET /admin/realms/{realm}/keys shows. Keycloak: KeyResource.
func (s *Set) Metadata() (*rep.KeysMetadata, error) {
	m := &rep.KeysMetadata{Active: map[string]string{}, Keys: []rep.KeyMetadata{}}
	for _, k := range s.keys {
		if k.Status == iam.KeyActive && m.Active[k.Alg] == "" {
			m.Active[k.Alg] = k.KID
		}
		v := rep.KeyMetadata{
			ProviderID: k.Provider, ProviderPriority: k.Priority, Kid: k.KID, Status: string(k.Status), Type: k.Type,
			Algorithm: k.Alg, Use: string(k.For),
		}
		if k.Public != nil {
			text, err := jose.EncodePublicKey(k.Public)
			if err != nil {
				return nil, fmt.Errorf("key %s: %w", k.KID, err)
			}
			v.PublicKey = text
		}
		if len(k.Chain) > 0 {
			v.Certificate = jose.EncodeCertificate(k.Chain[0])
			v.ValidTo = &k.validTo
		}
		m.Keys = append(m.Keys, v)
	}
	return m, nil
}

// PublicText is the public half as bare base64 of its SubjectPublicKeyInfo, the
// form in which adapters are configured with it.
func (k *Key) PublicText() (string, error) { return jose.EncodePublicKey(k.Public) }
