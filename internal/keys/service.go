package keys

import (
	"context"
	"fmt"
	"log/slog"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// A Service finds the key to sign with, and makes one where a realm has none
// for an algorithm. It is safe for concurrent use.
type Service struct {
	Cache *realms.Cache
	Maker *Maker
	Log   *slog.Logger // of components that yield no key
}

// Signer returns the active key for a signature algorithm. A realm without one
// gets a component for it, named fallback-ALG and of priority -100, as in
// Keycloak: DefaultKeyManager.getActiveKey. An algorithm that no provider makes
// keys for is ErrUnsupportedKey of package realms.
func (s *Service) Signer(ctx context.Context, r *realms.Realm, alg string) (*Key, error) {
	set := Of(r)
	set.tell(ctx, r, s.Log)
	if k := set.Active(iam.Sig, alg); k != nil {
		return k, nil
	}
	config := map[string][]string{"priority": {"-100"}}
	providerID := ""
	switch alg {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		providerID, config["algorithm"] = "rsa-generated", []string{alg}
	case "HS256", "HS384", "HS512":
		providerID, config["algorithm"] = "hmac-generated", []string{alg}
	case "EdDSA":
		providerID = "eddsa-generated"
	default:
		for curve, of := range curves {
			if of == alg {
				providerID, config["ecdsaEllipticCurveKey"] = "ecdsa-generated", []string{curve}
			}
		}
	}
	if providerID == "" {
		return nil, fmt.Errorf("%w: no key for %s", realms.ErrUnsupportedKey, alg)
	}
	if err := s.Maker.Fill(ctx, r.Name, providerID, config); err != nil {
		return nil, err
	}
	// Its name makes the component one of a kind: of two nodes that sign for the
	// first time, one adds it, and both use what is stored.
	name := "fallback-" + alg
	c := rep.Component{
		ID: realms.NewID(), Name: name, ProviderID: providerID, ProviderType: realms.TypeKeyProvider,
		ParentID: string(r.ID), Config: config,
	}
	doc, err := rep.Marshal(&c)
	if err != nil {
		return nil, err
	}
	err = s.Cache.Change(ctx, r.ID, func(tx *store.Tx) error {
		return tx.InsertObject(ctx, r.ID, store.Object{
			Kind: store.KindComponent, ID: c.ID, Parent: c.ParentID, Name: name, UniqueName: name, Doc: doc,
		})
	})
	if _, exists := store.Exists(err); exists {
		s.Cache.Forget(r.ID) // another node was first
	} else if err != nil {
		return nil, err
	}
	fresh, err := s.Cache.ByID(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	if k := Of(fresh).Active(iam.Sig, alg); k != nil {
		return k, nil
	}
	return nil, fmt.Errorf("keys: component %s is there, but yields no active key", name)
}
