package bearer

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/roles"
	"latchkey/internal/tokens"
)

// ErrUnreadable is of a token whose claims about roles mean nothing.
var ErrUnreadable = errors.New("bearer: the token's claims about roles cannot be read")

// Granted is what a token lets its bearer do.
type Granted struct {
	Roles    roles.Set
	Origins  []string
	Audience []string
}

// claims are the members of a token that say what its bearer may do.
type claims struct {
	Realm   access            `json:"realm_access"`
	Clients map[string]access `json:"resource_access"`
	Origins []string          `json:"allowed-origins"`
}

// claimsOf is a token whose claims were read lately.
type claimsOf string

type access struct {
	Roles []string `json:"roles"`
}

// Held is all that the user has, whatever a good token says of it.
func (s *Service) Held(ctx context.Context, r *realms.Realm, v *Verdict) (*Granted, error) {
	said, err := claimed(r, v)
	if err != nil {
		return nil, err
	}
	held, err := s.held(ctx, r, v)
	return &Granted{held, said.Origins, v.Token.Audience}, err
}

func (s *Service) held(ctx context.Context, r *realms.Realm, v *Verdict) (roles.Set, error) {
	if v.View != nil {
		effective, err := s.Roles.OfView(ctx, r, v.View)
		if err != nil {
			return nil, err
		}
		return effective.Roles, nil
	}
	effective, err := s.Roles.Of(ctx, r, v.User.ID)
	if err != nil {
		return nil, err
	}
	return effective.Roles, nil
}

// Granted is what a good token names of what the user has. One that is lightweight names
// neither roles nor its audience: the issuer tells. Keycloak: MgmtPermissions.initIdentity.
func (s *Service) Granted(ctx context.Context, r *realms.Realm, v *Verdict) (*Granted, error) {
	own, err := claimed(r, v)
	if err != nil {
		return nil, err
	}
	held, err := s.held(ctx, r, v)
	if err != nil {
		return nil, err
	}
	out, says := &Granted{roles.Set{}, nil, v.Token.Audience}, []claims{own}
	if v.Token.Context().Light && !exchanged(v) {
		left, audience, err := s.leftOut(ctx, r, v)
		if err != nil {
			return nil, err
		}
		says, out.Audience = append(says, left), append(slices.Clone(out.Audience), audience...)
	}
	for _, said := range says {
		out.Origins = append(out.Origins, said.Origins...)
		ofClients := make(map[string][]string, len(said.Clients))
		for name, of := range said.Clients {
			ofClients[name] = of.Roles
		}
		named, err := roles.Named(ctx, r, said.Realm.Roles, ofClients)
		if err != nil {
			return nil, err
		}
		for _, id := range named {
			if held.Has(id) {
				out.Roles[id] = struct{}{}
			}
		}
	}
	return out, nil
}

// claimed reads what a token says itself.
func claimed(r *realms.Realm, v *Verdict) (claims, error) {
	out, err := realms.Recall(r, claimsOf(v.Token.Payload), func() (said claims, err error) {
		return said, json.Unmarshal(v.Token.Payload, &said)
	})
	if err != nil {
		return out, ErrUnreadable
	}
	return out, nil
}

// exchanged tells whether a token came of token exchange, or may have by a refresh
// token: it may have been asked for one audience, which a lightweight one does not say.
func exchanged(v *Verdict) bool {
	how := v.Token.Context()
	if how.Guest || how.Grant == "te" {
		return true
	}
	if v.View == nil || v.View.ClientSession == nil {
		return false
	}
	for note := range v.View.ClientSession.Notes {
		if strings.HasPrefix(note, iam.NoteExchanged) {
			return true
		}
	}
	return false
}

// leftOut asks the issuer what a lightweight token leaves out.
func (s *Service) leftOut(ctx context.Context, r *realms.Realm, v *Verdict) (out claims, audience []string, err error) {
	g := &iam.Grant{
		Client: &v.Client.Client, User: v.User, Nonce: v.Token.Nonce, Issuer: v.Token.Issuer,
		OpenID: tokens.HasScope(v.Token.Scope, tokens.ScopeOpenID),
	}
	if v.View != nil {
		g.Session, g.ClientSession = v.View.Session, v.View.ClientSession
		v.View.SetRoles(g)
	}
	t, err := s.Issuer.Rights(ctx, r, g, v.Token.Scope)
	if err != nil {
		return out, nil, err
	}
	doc, err := t.JSON()
	if err != nil {
		return out, nil, err
	}
	return out, t.Audience(), json.Unmarshal(doc, &out)
}
