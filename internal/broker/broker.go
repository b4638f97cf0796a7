package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"latchkey/internal/iam"
	"latchkey/internal/jose"
	"latchkey/internal/keys"
	"latchkey/internal/realms"
	"latchkey/internal/roles"
	"latchkey/internal/users"
	"latchkey/internal/web"
)

// Config is what the room needs. All fields must be set.
type Config struct {
	Users  *users.Service
	Roles  *roles.Service
	Keys   *keys.Service // by which the realm proves itself to providers
	Client *web.Client
	Now    func() time.Time
}

// A Service asks identity providers. It is safe for concurrent use.
type Service struct {
	Config
	sets *lru.Cache[string, *keySet]
}

// New makes the service.
func New(c Config) *Service {
	iam.Complete(c)
	sets, _ := lru.New[string, *keySet](1000)
	return &Service{c, sets}
}

// A Kind is one kind of identity provider.
type Kind interface {
	// To is where the browser is sent to log in.
	To(ctx context.Context, v *Visit) (string, error)
	// Came is who came back, by the parameters that the browser brought.
	Came(ctx context.Context, v *Visit, q url.Values) (*iam.Brokered, error)
	// Out is where the browser is sent to log out there, "" for nowhere.
	Out(p *iam.IdentityProvider, o Outgoing) string
}

// A Visit is one browser's way to a provider and back.
type Visit struct {
	Realm    *realms.Realm
	Provider *iam.IdentityProvider
	Issuer   string // the realm's address
	State    string
	Nonce    string
	Verifier string // RFC 7636

	LoginHint string
	Locale    string
	Params    map[string]string // of the client's request
}

// Back is the address that the provider sends browsers to.
func (v *Visit) Back() string { return Endpoint(v.Issuer, v.Provider.Alias) }

// Endpoint is the address of a realm's provider. Keycloak: Urls.identityProviderAuthnResponse.
func Endpoint(issuer, alias string) string {
	return issuer + "/broker/" + url.PathEscape(alias) + "/endpoint"
}

// An Outgoing session is one that ended here and shall end at its provider.
type Outgoing struct{ Session, IDToken, Back string }

// Errors of providers, beside *Refused.
var (
	ErrNoKind = errors.New("no identity provider of this kind is built")
	// ErrDenied: whoever is there said no.
	ErrDenied = errors.New("the identity provider was told no")
)

// Unreachable says that a provider could not be asked, or did not answer in its protocol.
type Unreachable struct {
	What string
	Err  error
}

func (e *Unreachable) Error() string { return e.What + ": " + e.Err.Error() }
func (e *Unreachable) Unwrap() error { return e.Err }

// Refused says that what a provider said is not good.
type Refused struct {
	Why    string
	Reason iam.Reason // "" when it is the provider's word that is refused
	Key    string     // message key for the user, "" for the usual
}

func (e *Refused) Error() string { return e.Why }

func refuse(format string, args ...any) error { return &Refused{Why: fmt.Sprintf(format, args...)} }

// Kind returns what is built of a provider's kind, or ErrNoKind.
func (s *Service) Kind(id string) (Kind, error) {
	switch id {
	case "oidc":
		return openid{s: s}, nil
	case "keycloak-oidc":
		return openid{s: s, keycloak: true}, nil
	}
	if p, ok := socials[id]; ok {
		if p.openid {
			return openid{s: s, social: p}, nil
		}
		return oauth{s, p}, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrNoKind, id)
}

// Built tells whether providers of a kind can be logged in by.
func Built(id string) bool {
	_, err := new(Service).Kind(id)
	return err == nil
}

// Complete fills in what a provider's kind says of its addresses, where its settings do not.
func Complete(p *iam.IdentityProvider) *iam.IdentityProvider {
	k, ok := socials[p.Provider]
	if !ok {
		return p
	}
	full := *p
	full.Config = map[string]string{}
	for name, value := range map[string]string{"authorizationUrl": k.auth, "tokenUrl": k.token, "userInfoUrl": k.profile,
		"defaultScope": k.scope, "issuer": k.issuer, "jwksUrl": k.keys} {
		if value = k.at(p, value); value != "" {
			full.Config[name] = value
		}
	}
	if k.keys != "" {
		full.Config["useJwksUrl"], full.Config["validateSignature"] = "true", "true"
	}
	if k.method != "" {
		full.Config["clientAuthMethod"] = k.method
	}
	if k.pkce {
		full.Config["pkceEnabled"], full.Config["pkceMethod"] = "true", "S256"
	}
	for name, value := range p.Config {
		if value != "" {
			full.Config[name] = value
		}
	}
	return &full
}

// Offered lists the providers that a login page shows, in the order that
// administrators gave. Keycloak: IdentityProviderBean.
func Offered(r *realms.Realm) []*realms.IdentityProvider {
	var list []*realms.IdentityProvider
	for _, p := range r.IDPs {
		if p.Enabled && !p.LinkOnly && !p.HideOnLogin && p.Rep.OrganizationID == nil {
			list = append(list, p)
		}
	}
	order := func(p *realms.IdentityProvider) int {
		n, err := strconv.Atoi(p.Config["guiOrder"])
		if err != nil {
			return 10000
		}
		return n
	}
	slices.SortStableFunc(list, func(a, b *realms.IdentityProvider) int {
		if d := order(a) - order(b); d != 0 {
			return d
		}
		return strings.Compare(strings.ToLower(cmp.Or(a.DisplayName, a.Alias)), strings.ToLower(cmp.Or(b.DisplayName, b.Alias)))
	})
	return list
}

// keySet is the keys that a provider publishes, as they were a while ago.
type keySet struct {
	keys jose.Set
	at   time.Time
}

// Keys are asked for again when one is unknown, but not more often than this, and
// when they are older than the other. Keycloak: PublicKeyStorageProvider.
const (
	keysAgain = 10 * time.Second
	keysOld   = 24 * time.Hour
)

// keysAt returns the keys at an address, those that have been asked for if kid is among them.
func (s *Service) keysAt(ctx context.Context, address, kid string) (jose.Set, error) {
	now := s.Now()
	known, ok := s.sets.Get(address)
	if ok && now.Sub(known.at) < keysOld && (known.keys.Has(kid) || kid == "" || now.Sub(known.at) < keysAgain) {
		return known.keys, nil
	}
	doc, err := s.Client.Get(ctx, address, iam.ReachAll)
	if err != nil {
		return nil, &Unreachable{"keys", err}
	}
	set, err := jose.ParseSet(doc)
	if err != nil {
		return nil, &Unreachable{"keys", err}
	}
	s.sets.Add(address, &keySet{set, now})
	return set, nil
}

// ForgetKeys has a provider's keys asked for again, and tells whether it publishes any.
func (s *Service) ForgetKeys(p *iam.IdentityProvider) bool {
	address := Complete(p).Config["jwksUrl"]
	s.sets.Remove(address)
	return address != ""
}
