package clients

import (
	"context"
	"errors"
	"maps"
	"slices"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// An Owner has protocol mappers and role scope mappings: a client, or a client
// scope. Exactly one member is set.
type Owner struct {
	Client *realms.Client
	Scope  *realms.Scope
}

// Mappers are the owner's protocol mappers as stored.
func (o Owner) Mappers() []rep.ProtocolMapper {
	if o.Client != nil {
		return o.Client.Rep.ProtocolMappers
	}
	return o.Scope.Rep.ProtocolMappers
}

// ID is what the owner's rows go by.
func (o Owner) ID() string {
	if o.Client != nil {
		return string(o.Client.ID)
	}
	return string(o.Scope.ID)
}

var errNoMapper = &iam.Error{Kind: iam.NotFound, Msg: "Model not found"}

// ErrMapperExists is Keycloak's answer to a second mapper of a name.
var ErrMapperExists = &iam.Error{Kind: iam.Conflict, Msg: "Protocol mapper exists with same name"}

// Mapper returns one of the owner's mappers.
func (o Owner) Mapper(id string) (*rep.ProtocolMapper, error) {
	list := o.Mappers()
	i := slices.IndexFunc(list, func(m rep.ProtocolMapper) bool { return m.ID == id })
	if i < 0 {
		return nil, errNoMapper
	}
	return &list[i], nil
}

// alwaysOn are providers that work without switches; a switch that is missing
// shows as on. Keycloak: AllowedWebOriginsProtocolMapper, AudienceResolveProtocolMapper.
var alwaysOn = map[string]bool{"oidc-allowed-origins-mapper": true, "oidc-audience-resolve-mapper": true}

const (
	inAccess        = "access.token.claim"
	inID            = "id.token.claim"
	inUserInfo      = "userinfo.token.claim"
	inIntrospection = "introspection.token.claim"
)

// Effective is a mapper with the switches that follow from others: what is in
// the access token is in introspection, and what is in the ID token in
// userinfo, unless said otherwise. Keycloak: ProtocolMapper.getEffectiveModel,
// OIDCAttributeMapperHelper.
func Effective(m rep.ProtocolMapper) rep.ProtocolMapper {
	config := map[string]string{}
	maps.Copy(config, m.Config)
	maps.DeleteFunc(config, func(_, v string) bool { return v == "" })
	m.Config = config
	follow := func(name, from string) {
		if _, ok := config[name]; !ok && config[from] != "" {
			config[name] = config[from]
		}
	}
	switch {
	case m.Protocol != string(iam.OIDC), m.ProtocolMapper == "oidc-nonce-backwards-compatible-mapper":
	case alwaysOn[m.ProtocolMapper]:
		for _, name := range []string{inAccess, inIntrospection} {
			if config[name] == "" {
				config[name] = "true"
			}
		}
	default:
		follow(inIntrospection, inAccess)
		follow(inUserInfo, inID)
	}
	return m
}

// completeMappers gives mappers ids and configurations; false when two have one
// name or id.
func completeMappers(list []rep.ProtocolMapper) bool {
	seen := map[string]bool{}
	for i := range list {
		m := &list[i]
		if m.ID == "" {
			m.ID = realms.NewID()
		}
		if m.Config == nil {
			m.Config = map[string]string{}
		}
		maps.DeleteFunc(m.Config, func(_, v string) bool { return v == "" })
		m.ConsentRequired, m.ConsentText = false, nil // of Keycloak 3; not kept since
		key := m.Protocol + " " + m.Name
		if seen[key] {
			return false
		}
		seen[key] = true
		if seen["id "+m.ID] {
			return false
		}
		seen["id "+m.ID] = true
	}
	return true
}

// mergeMappers makes a client's mappers those given, matched by protocol and
// name; nil leaves them. Keycloak: RepresentationToModel.updateClientProtocolMappers.
func mergeMappers(c *rep.Client, given []rep.ProtocolMapper) bool {
	if given == nil {
		return true
	}
	list := slices.Clone(given)
	for i := range list {
		for _, old := range c.ProtocolMappers {
			if old.Protocol == list[i].Protocol && old.Name == list[i].Name {
				list[i].ID = old.ID
			}
		}
	}
	c.ProtocolMappers = list
	return completeMappers(list)
}

// changeMappers lets f make a new list of the owner's mappers.
func (s *Service) changeMappers(ctx context.Context, r *realms.Realm, o Owner,
	f func([]rep.ProtocolMapper) ([]rep.ProtocolMapper, error)) error {
	var err error
	if o.Client != nil {
		_, err = s.change(ctx, r, o.Client.ID, func(_ *store.Tx, c *rep.Client) error {
			c.ProtocolMappers, err = f(c.ProtocolMappers)
			return err
		})
		return err
	}
	return s.changeScope(ctx, r, o.Scope.ID, func(doc *rep.ClientScope) error {
		doc.ProtocolMappers, err = f(doc.ProtocolMappers)
		return err
	})
}

// AddMappers adds mappers to an owner and gives them ids.
func (s *Service) AddMappers(ctx context.Context, r *realms.Realm, o Owner, added []rep.ProtocolMapper) error {
	if !completeMappers(added) {
		return ErrMapperExists
	}
	for i := range added {
		if added[i].Protocol == "" {
			return ErrDuplicate // as the reference's database says
		}
		salt(&added[i])
	}
	if err := checkPairwiseMappers(o, added); err != nil {
		return err
	}
	return s.changeMappers(ctx, r, o, func(list []rep.ProtocolMapper) ([]rep.ProtocolMapper, error) {
		list = append(slices.Clone(list), added...)
		if !completeMappers(list) {
			return nil, ErrMapperExists
		}
		return list, nil
	})
}

// salt gives a mapper of pairwise subjects the salt that it lacks: without one,
// who knows a user's id could compute the subject at any client.
// Keycloak: SHA256PairwiseSubMapper.validateAdditionalConfig.
func salt(m *rep.ProtocolMapper) {
	const setting = "pairwiseSubAlgorithmSalt"
	if m.ProtocolMapper != "oidc-sha256-pairwise-sub-mapper" || m.Config[setting] != "" {
		return
	}
	m.Config = maps.Clone(m.Config)
	if m.Config == nil {
		m.Config = map[string]string{}
	}
	m.Config[setting] = realms.NewID()
}

// UpdateMapper gives a mapper another provider and configuration; its name and
// protocol stay. Keycloak: ClientAdapter.updateProtocolMapper.
func (s *Service) UpdateMapper(ctx context.Context, r *realms.Realm, o Owner, id string, m rep.ProtocolMapper) error {
	salt(&m)
	if err := checkPairwiseMappers(o, []rep.ProtocolMapper{m}); err != nil {
		return err
	}
	return s.changeMappers(ctx, r, o, func(list []rep.ProtocolMapper) ([]rep.ProtocolMapper, error) {
		i := slices.IndexFunc(list, func(old rep.ProtocolMapper) bool { return old.ID == id })
		if i < 0 {
			return nil, errNoMapper
		}
		m.ID, m.Name, m.Protocol = list[i].ID, list[i].Name, list[i].Protocol
		list = slices.Clone(list)
		list[i] = m
		if !completeMappers(list) {
			return nil, ErrMapperExists
		}
		return list, nil
	})
}

// DeleteMapper takes a mapper away.
func (s *Service) DeleteMapper(ctx context.Context, r *realms.Realm, o Owner, id string) error {
	return s.changeMappers(ctx, r, o, func(list []rep.ProtocolMapper) ([]rep.ProtocolMapper, error) {
		i := slices.IndexFunc(list, func(old rep.ProtocolMapper) bool { return old.ID == id })
		if i < 0 {
			return nil, errNoMapper
		}
		return slices.Delete(slices.Clone(list), i, i+1), nil
	})
}

// AddScopeRoles puts roles into the owner's scope.
func (s *Service) AddScopeRoles(ctx context.Context, r *realms.Realm, o Owner, ids []iam.RoleID) error {
	return s.scopeRoles(ctx, r, o, ids, (*store.Tx).AddScopeRole)
}

// RemoveScopeRoles takes roles out of the owner's scope.
func (s *Service) RemoveScopeRoles(ctx context.Context, r *realms.Realm, o Owner, ids []iam.RoleID) error {
	return s.scopeRoles(ctx, r, o, ids, (*store.Tx).RemoveScopeRole)
}

func (s *Service) scopeRoles(ctx context.Context, r *realms.Realm, o Owner, ids []iam.RoleID, f func(*store.Tx, context.Context,
	iam.RealmID, string, iam.RoleID) error) error {
	return s.cache.Change(ctx, r.ID, func(tx *store.Tx) error {
		for _, id := range ids {
			if err := f(tx, ctx, r.ID, o.ID(), id); err != nil {
				return err
			}
		}
		return nil
	})
}

// ScopeRoles are the roles directly in the owner's scope.
func (o Owner) ScopeRoles(r *realms.Realm) []*realms.Role {
	var list []*realms.Role
	for _, id := range r.ScopeRoles(o.ID()) {
		if role := r.Role(id); role != nil {
			list = append(list, role)
		}
	}
	return list
}

// HasScope reports whether a role is in the owner's scope, by itself or by a
// composite; a client's own roles are in its scope, and with full scope all are.
// Keycloak: ClientAdapter.hasScope, ClientScopeAdapter.hasScope.
func (o Owner) HasScope(r *realms.Realm, role *realms.Role) bool {
	if o.Client != nil && (o.Client.FullScope || role.Client == o.Client.ID) {
		return true
	}
	seen := map[iam.RoleID]bool{}
	var within func(id iam.RoleID) bool
	within = func(id iam.RoleID) bool {
		if id == role.ID {
			return true
		}
		outer := r.Role(id)
		if outer == nil || seen[id] {
			return false
		}
		seen[id] = true
		return slices.ContainsFunc(outer.Composites, within)
	}
	return slices.ContainsFunc(r.ScopeRoles(o.ID()), within)
}

// FindRoles resolves the roles that a request names by id; those of a client
// are found by name when client is not "". Keycloak: ScopeMappedResource,
// ScopeMappedClientResource.
func FindRoles(r *realms.Realm, client iam.ClientID, given []rep.Role) ([]iam.RoleID, error) {
	ids := make([]iam.RoleID, 0, len(given))
	for _, g := range given {
		role := r.Role(iam.RoleID(g.ID))
		if client != "" {
			role = r.RoleByName(client, g.Name)
		}
		if role == nil {
			return nil, errNoRole
		}
		ids = append(ids, role.ID)
	}
	return ids, nil
}

var errNoRole = &iam.Error{Kind: iam.NotFound, Msg: "Role not found"}

// missing turns a store's "not found" into the given refusal.
func missing(err error, refusal *iam.Error) error {
	if errors.Is(err, store.ErrNotFound) {
		return refusal
	}
	return err
}
