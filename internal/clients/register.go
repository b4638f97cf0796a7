package clients

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"latchkey/internal/claims"
	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// The "typ" claims of tokens that register and manage clients.
// Keycloak: ClientRegistrationTokenUtils.
const (
	TypeInitialAccess      = "InitialAccessToken"
	TypeRegistrationAccess = "RegistrationAccessToken"
)

// The reasons why an initial access token is refused, in Keycloak's words.
var (
	ErrNoInitialAccess      = errors.New("Initial Access Token not found")
	ErrInitialAccessExpired = errors.New("Expired initial access token")
	ErrInitialAccessUsedUp  = errors.New("No remaining count on initial access token")
)

// AddInitialAccess makes an initial access token for count registrations
// within lifespan seconds, 0 for no end, and returns it with the token itself,
// issued by issuer. Keycloak: ClientInitialAccessResource.create.
func (s *Service) AddInitialAccess(ctx context.Context, r *realms.Realm, issuer string,
	given *rep.ClientInitialAccessCreate) (*rep.ClientInitialAccess, error) {
	count, lifespan := 1, rep.Val(given.Expiration)
	if given.Count != nil {
		count = *given.Count
	}
	if lifespan < 0 {
		return nil, &InputError{Code: "Invalid value for expiration", Description: "The expiration time interval cannot be less than 0"}
	}
	if count < 0 {
		return nil, &InputError{Code: "Invalid value for count", Description: "The count cannot be less than 0"}
	}
	now := s.cache.DB().Now()
	a := &rep.ClientInitialAccess{ID: realms.NewID(), Timestamp: new(int(now.Unix())), Expiration: &lifespan, Count: &count,
		RemainingCount: &count}
	doc, err := rep.Marshal(a)
	if err != nil {
		return nil, err
	}
	err = s.cache.DB().Tx(ctx, func(tx *store.Tx) error {
		return tx.InsertObject(ctx, r.ID, store.Object{Kind: store.KindInitialAccess, ID: a.ID, Name: a.ID, Position: now.UnixMilli(), Doc: doc})
	})
	if err != nil {
		return nil, err
	}
	t := new(claims.Set)
	if given.WebOrigins != nil {
		origins := slices.Clone(given.WebOrigins)
		slices.Sort(origins)
		t.Put("allowed-origins", slices.Compact(origins))
	}
	exp := int64(0)
	if lifespan > 0 {
		exp = now.Unix() + int64(lifespan)
	}
	a.Token, err = s.sign(ctx, r, t, exp, a.ID, issuer, TypeInitialAccess)
	return a, err
}

func (s *Service) sign(ctx context.Context, r *realms.Realm, more *claims.Set, exp int64, id, issuer, typ string) (string, error) {
	t := new(claims.Set)
	t.Put("exp", exp)
	t.Put("iat", s.cache.DB().Now().Unix())
	t.Put("jti", id)
	t.Put("iss", issuer)
	t.Put("aud", issuer)
	t.Put("typ", typ)
	more.All(func(name string, v any) bool { t.Put(name, v); return true })
	return s.issuer.Sign(ctx, r, t, "HS512", "JWT")
}

// InitialAccesses returns a realm's initial access tokens that are not
// expired, without the tokens themselves.
func (s *Service) InitialAccesses(ctx context.Context, r *realms.Realm) ([]rep.ClientInitialAccess, error) {
	objects, err := s.cache.DB().Objects(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	list := []rep.ClientInitialAccess{}
	for _, o := range objects {
		var a rep.ClientInitialAccess
		if o.Kind != store.KindInitialAccess {
			continue
		}
		if err := rep.Unmarshal(o.Doc, &a); err != nil {
			return nil, err
		}
		if !expired(&a, s.cache.DB().Now()) {
			list = append(list, a)
		}
	}
	return list, nil
}

func expired(a *rep.ClientInitialAccess, now time.Time) bool {
	life := rep.Val(a.Expiration)
	return life > 0 && int64(rep.Val(a.Timestamp)+life) <= now.Unix()
}

// RemoveInitialAccess ends an initial access token; one that is not there is no error.
func (s *Service) RemoveInitialAccess(ctx context.Context, r *realms.Realm, id string) error {
	return s.cache.DB().Tx(ctx, func(tx *store.Tx) error {
		err := tx.DeleteObject(ctx, r.ID, store.KindInitialAccess, id)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
}

// initialAccess reads an initial access token that can still be used.
func initialAccess(ctx context.Context, rd *store.Reader, r *realms.Realm, id string,
	now time.Time) (store.Object, *rep.ClientInitialAccess, error) {
	o, err := rd.Object(ctx, r.ID, store.KindInitialAccess, id)
	if errors.Is(err, store.ErrNotFound) {
		return o, nil, ErrNoInitialAccess
	}
	if err != nil {
		return o, nil, err
	}
	a := new(rep.ClientInitialAccess)
	switch err := rep.Unmarshal(o.Doc, a); {
	case err != nil:
		return o, nil, err
	case rep.Val(a.RemainingCount) <= 0:
		return o, nil, ErrInitialAccessUsedUp
	case expired(a, now):
		return o, nil, ErrInitialAccessExpired
	}
	return o, a, nil
}

// CheckInitialAccess says why an initial access token cannot be used, nil when it can.
func (s *Service) CheckInitialAccess(ctx context.Context, r *realms.Realm, id string) error {
	_, _, err := initialAccess(ctx, &s.cache.DB().Reader, r, id, s.cache.DB().Now())
	return err
}

// useInitialAccess counts one registration. The version that UpdateObject
// compares lets only one of two racing registrations have the last one.
func useInitialAccess(ctx context.Context, tx *store.Tx, r *realms.Realm, id string) error {
	o, a, err := initialAccess(ctx, &tx.Reader, r, id, tx.Now)
	if err != nil {
		return err
	}
	a.RemainingCount = new(*a.RemainingCount - 1)
	if o.Doc, err = rep.Marshal(a); err != nil {
		return err
	}
	return tx.UpdateObject(ctx, r.ID, o)
}

// Register is Create for the client registration service: it uses up an initial
// access token, unless initial is "", and gives the client the id of a
// registration access token, in its representation's RegistrationAccessToken.
func (s *Service) Register(ctx context.Context, r *realms.Realm, given *rep.Client, initial string) (*rep.Client, error) {
	c, err := rep.Clone(given)
	if err != nil {
		return nil, err
	}
	c.RegistrationAccessToken = new(realms.NewID())
	return s.create(ctx, r, c, func(tx *store.Tx) error {
		if initial == "" {
			return nil
		}
		return useInitialAccess(ctx, tx, r, initial)
	})
}

// RegistrationToken makes the token that manages a registered client, by the id
// that Register or NewRegistrationID gave it. auth is "anonymous" or
// "authenticated", and origins may be nil.
func (s *Service) RegistrationToken(ctx context.Context, r *realms.Realm, issuer, id, auth string, origins []string) (string, error) {
	t := new(claims.Set)
	if origins != nil {
		t.Put("allowed-origins", origins)
	}
	t.Put("registration_auth", auth)
	return s.sign(ctx, r, t, 0, id, issuer, TypeRegistrationAccess)
}

// ErrSpentRegistration says that a registration access token is not, or no
// longer, the one that manages its client.
var ErrSpentRegistration = errors.New("clients: not the client's registration access token")

// registered refuses the id of a registration access token that is not, as
// stored, the one of the client, which is enabled.
func registered(c *rep.Client, presented string) error {
	if !rep.Val(c.Enabled) || presented == "" || rep.Val(c.RegistrationAccessToken) != presented {
		return ErrSpentRegistration
	}
	return nil
}

// CheckRegistration looks whether the id of a registration access token is that
// of the client's now: a snapshot may be of before its last use at another node.
func (s *Service) CheckRegistration(ctx context.Context, r *realms.Realm, id iam.ClientID, presented string) error {
	row, err := s.cache.DB().Client(ctx, r.ID, id)
	if errors.Is(err, store.ErrNotFound) {
		return ErrSpentRegistration
	}
	if err != nil {
		return err
	}
	c := new(rep.Client)
	if err := rep.Unmarshal(row.Doc, c); err != nil {
		return err
	}
	return registered(c, presented)
}

// UpdateRegistered is Update by who presents the client's registration access
// token, which it uses up: it returns the id of the one that takes its place.
func (s *Service) UpdateRegistered(ctx context.Context, r *realms.Realm, id iam.ClientID, given *rep.Client,
	presented string) (next string, err error) {
	if err := checkFlows(r, given.AuthenticationFlowBindingOverrides); err != nil {
		return "", err
	}
	_, err = s.change(ctx, r, id, func(tx *store.Tx, c *rep.Client) error {
		if err := registered(c, presented); err != nil {
			return err
		}
		next = realms.NewID()
		c.RegistrationAccessToken = &next
		return s.update(ctx, tx, r, c, given)
	})
	if errors.Is(err, ErrNoClient) {
		return "", ErrSpentRegistration
	}
	return next, err
}

// DeleteRegistered is Delete by who presents the client's registration access token.
func (s *Service) DeleteRegistered(ctx context.Context, r *realms.Realm, c *realms.Client, presented string) error {
	err := s.cache.Change(ctx, r.ID, func(tx *store.Tx) error {
		// The row is written first, so that of an update and a removal with one token the second finds it used.
		_, err := changeIn(ctx, tx, r, c.ID, func(_ *store.Tx, now *rep.Client) error { return registered(now, presented) })
		if err != nil {
			return err
		}
		return s.remove(ctx, tx, r, c.ID)
	})
	if errors.Is(err, ErrNoClient) {
		return ErrSpentRegistration
	}
	return err
}

// NewRegistrationID makes a client's registration access token invalid and
// returns the id of the one that takes its place.
func (s *Service) NewRegistrationID(ctx context.Context, r *realms.Realm, id iam.ClientID) (string, error) {
	c, err := s.change(ctx, r, id, func(_ *store.Tx, c *rep.Client) error {
		c.RegistrationAccessToken = new(realms.NewID())
		return nil
	})
	if err != nil {
		return "", err
	}
	return *c.RegistrationAccessToken, nil
}

// Policies are a realm's client registration policies of one kind, "anonymous"
// or "authenticated", those first that look at who asks.
func Policies(r *realms.Realm, kind string) []*realms.Component {
	var list []*realms.Component
	for _, c := range r.Components {
		if c.Type == realms.TypeRegistrationPolicy && c.Sub == kind {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b *realms.Component) int {
		return cmp.Or(cmp.Compare(policyOrder(a), policyOrder(b)), cmp.Compare(a.Name, b.Name))
	})
	return list
}

func policyOrder(c *realms.Component) int {
	if c.Provider == "trusted-hosts" {
		return 0
	}
	return 1
}

// A Refusal is what a client registration policy says no with.
type Refusal struct{ Policy, Details string }

func (e *Refusal) Error() string {
	return "Policy '" + e.Policy + "' rejected request to client-registration service. Details: " + e.Details
}

// ApplyPolicy checks a client that somebody registers or updates against one
// policy, and changes in it what the policy demands. old is what is updated, nil
// for a new client. Policies of trusted hosts are not looked at here: they are
// about the request. A policy that is not built refuses.
// Keycloak: org.keycloak.services.clientregistration.policy.impl.
func (s *Service) ApplyPolicy(ctx context.Context, r *realms.Realm, p *realms.Component, c *rep.Client, old *realms.Client) error {
	refuse := func(details string) error { return &Refusal{p.Name, details} }
	switch p.Provider {
	case "trusted-hosts", "registration-web-origins":
	case "consent-required":
		if old == nil {
			c.ConsentRequired = new(true)
		} else if c.ConsentRequired != nil && !*c.ConsentRequired {
			return refuse("Not permitted to update consentRequired to false")
		}
	case "scope":
		if old == nil {
			c.FullScopeAllowed = new(false)
		} else if rep.Val(c.FullScopeAllowed) && !old.FullScope {
			return refuse("Not permitted to enable fullScopeAllowed")
		}
	case "client-disabled":
		if old == nil {
			c.Enabled = new(false)
		} else if rep.Val(c.Enabled) && !old.Enabled {
			return refuse("Not permitted to enable client")
		}
	case "max-clients":
		limit, err := strconv.Atoi(p.Get("max-clients"))
		if err != nil {
			return refuse("max-clients is no number")
		}
		names, err := s.cache.DB().ClientNames(ctx, r.ID)
		if err != nil {
			return err
		}
		if old == nil && len(names) >= limit {
			return refuse("It's allowed to have max " + strconv.Itoa(limit) + " clients per realm")
		}
	case "allowed-protocol-mappers":
		for _, m := range c.ProtocolMappers {
			if slices.Contains(p.Config["allowed-protocol-mapper-types"], m.ProtocolMapper) {
				continue
			}
			if old != nil && m.ID == "" {
				return refuse("Missing id for mapper named '" + m.Name + "'")
			}
			// What the client has already, it may keep.
			if old == nil || !slices.ContainsFunc(old.Mappers, func(had iam.ProtocolMapper) bool {
				return string(had.ID) == m.ID &&
					had.Mapper == m.ProtocolMapper
			}) {
				return refuse("ProtocolMapper type not allowed")
			}
		}
	case "allowed-client-templates":
		allowed := slices.Clone(p.Config["allowed-client-scopes"])
		if p.Get("allow-default-scopes") != "false" {
			for _, scope := range r.Scopes {
				if scope.DefaultOfRealm || scope.OptionalOfRealm {
					allowed = append(allowed, scope.Name)
				}
			}
		}
		for _, name := range slices.Concat(c.DefaultClientScopes, c.OptionalClientScopes) {
			if !slices.Contains(allowed, name) {
				return refuse("Not permitted to use specified clientScope")
			}
		}
	default:
		return refuse("Policy of unknown kind " + p.Provider)
	}
	return nil
}
