package broker

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/roles"
	"latchkey/internal/users"
)

// A mapper makes something of what a provider says: before it is known who that is (ready), and of the user (apply).
// One that only adds does not take away what its condition no longer grants.
type mapper struct {
	ready func(*mapping)
	apply func(context.Context, *mapping) error
}

// A mapping is one mapper's look at one identity.
type mapping struct {
	s      *Service
	r      *realms.Realm
	p      *realms.IdentityProvider
	m      *iam.IdentityProviderMapper
	said   *iam.Brokered
	c      claims // of ID token and profile
	access claims
	user   *iam.User
	change *users.BrokeredChange
	edits  []func(*iam.User)
}

// mappers are those of Keycloak 26.7, by provider id. Those of the social kinds end alike.
var mappers = map[string]mapper{
	"hardcoded-attribute-idp-mapper":              {apply: fixedAttribute},
	"hardcoded-user-session-attribute-idp-mapper": {ready: fixedNote},
	"oidc-hardcoded-role-idp-mapper":              {apply: func(ctx context.Context, m *mapping) error { return m.role(ctx, true) }},
	"oidc-hardcoded-group-idp-mapper":             {apply: func(ctx context.Context, m *mapping) error { return m.group(ctx, true) }},
	"oidc-role-idp-mapper":                        {apply: func(ctx context.Context, m *mapping) error { return m.role(ctx, m.hasValue()) }},
	"oidc-advanced-role-idp-mapper":               {apply: func(ctx context.Context, m *mapping) error { return m.role(ctx, m.hasAll()) }},
	"oidc-advanced-group-idp-mapper":              {apply: func(ctx context.Context, m *mapping) error { return m.group(ctx, m.hasAll()) }},
	"keycloak-oidc-role-to-role-idp-mapper":       {apply: func(ctx context.Context, m *mapping) error { return m.role(ctx, m.hasRole()) }},
	"oidc-user-attribute-idp-mapper":              {ready: attributeReady, apply: attribute},
	"oidc-username-idp-mapper":                    {ready: username, apply: rename},
	"oidc-user-session-note-idp-mapper":           {ready: notes},
}

// jsonMapper is the suffix of the mappers of social kinds. Keycloak: AbstractJsonUserAttributeMapper.
const jsonMapper = "-user-attribute-mapper"

func mapperOf(id string) (mapper, bool) {
	m, ok := mappers[id]
	if !ok && strings.HasSuffix(id, jsonMapper) {
		return mapper{ready: attributeReady, apply: attribute}, true
	}
	return m, ok
}

func (s *Service) mapping(r *realms.Realm, p *realms.IdentityProvider, said *iam.Brokered) *mapping {
	return &mapping{s: s, r: r, p: p, said: said, c: claimsOf(said.Claims), access: claimsOf(said.Access), change: &users.BrokeredChange{}}
}

// Ready has the mappers make what they make before it is known whose the identity is.
// Keycloak: IdentityProviderMapper.preprocessFederatedIdentity.
func (s *Service) Ready(r *realms.Realm, p *realms.IdentityProvider, said *iam.Brokered) {
	m := s.mapping(r, p, said)
	for i := range p.Mappers {
		m.m = &p.Mappers[i].IdentityProviderMapper
		if f, ok := mapperOf(m.m.Mapper); ok && f.ready != nil {
			f.ready(m)
		}
	}
}

// Sync brings the user whose identity it is up to date, the link included, and says by which mappers.
// first: the link is made now. Keycloak: IdentityBrokerService.updateFederatedIdentity, importNewUser.
func (s *Service) Sync(ctx context.Context, r *realms.Realm, p *realms.IdentityProvider, said *iam.Brokered, u *iam.User,
	first bool) (*iam.User, error) {
	m := s.mapping(r, p, said)
	m.user, said.Mapped = u, nil
	m.change.Link = &iam.FederatedIdentity{User: u.ID, Provider: p.Alias, ExternalID: said.ID, ExternalUsername: said.Username}
	if m.change.New = first; p.StoreToken && said.Kept != "" {
		m.change.Link.Token = withExpiry(said.Kept, s.Now().Unix())
	}
	if !said.New && p.SyncMode() == iam.SyncForce {
		m.basics()
	}
	if said.New && s.trusts(p, said) && u.Email != "" && !said.Changed {
		m.edit(func(u *iam.User) { u.EmailVerified = true })
	}
	if first && p.ReadToken {
		if client, err := r.ClientByName(ctx, realms.ClientBroker); err == nil {
			if role := r.RoleByName(client.ID, RoleReadToken); role != nil {
				m.change.Give = append(m.change.Give, role.ID)
			}
		}
	}
	for i := range p.Mappers {
		m.m = &p.Mappers[i].IdentityProviderMapper
		f, ok := mapperOf(m.m.Mapper)
		if !ok || f.apply == nil || !said.New && m.mode() == iam.SyncImport {
			continue
		}
		if err := f.apply(ctx, m); err != nil {
			return nil, err
		}
	}
	if len(m.edits) > 0 {
		edits := m.edits
		m.change.Edit = func(u *iam.User) {
			for _, f := range edits {
				f(u)
			}
		}
	}
	// one mapper gives what another does not
	m.change.Take = slices.DeleteFunc(m.change.Take, func(id iam.RoleID) bool { return slices.Contains(m.change.Give, id) })
	m.change.Leave = slices.DeleteFunc(m.change.Leave, func(id iam.GroupID) bool { return slices.Contains(m.change.Join, id) })
	return s.Users.ApplyBrokered(ctx, r, u.ID, m.change)
}

// Link gives a user an account at a provider, or brings the link that is there up to date.
func (s *Service) Link(ctx context.Context, r *realms.Realm, p *realms.IdentityProvider, said *iam.Brokered, u *iam.User,
	first bool) (*iam.User, error) {
	l := &iam.FederatedIdentity{User: u.ID, Provider: p.Alias, ExternalID: said.ID, ExternalUsername: said.Username}
	if p.StoreToken && said.Kept != "" {
		l.Token = withExpiry(said.Kept, s.Now().Unix())
	}
	return s.Users.ApplyBrokered(ctx, r, u.ID, &users.BrokeredChange{Link: l, New: first})
}

// RoleReadToken is the role of the client broker with which users read their providers' tokens.
const RoleReadToken = "read-token"

// withExpiry adds to a token answer when the access token expires, as readers of it expect.
// Keycloak: OIDCIdentityProvider.processAccessTokenResponse, accessTokenExpiration.
func withExpiry(kept string, now int64) iam.Secret {
	var doc map[string]any
	if json.Unmarshal([]byte(kept), &doc) != nil {
		return iam.Secret(kept)
	}
	if in, ok := doc["expires_in"].(float64); ok {
		doc["accessTokenExpiration"] = now + int64(in)
	}
	out, err := json.Marshal(doc)
	if err != nil {
		return iam.Secret(kept)
	}
	return out
}

// trusts tells whether an address counts as verified because the provider says so.
// Keycloak: OIDCIdentityProvider.setEmailVerified.
func (s *Service) trusts(p *realms.IdentityProvider, said *iam.Brokered) bool {
	return p.TrustEmail && (said.Verified == nil || *said.Verified)
}

// basics takes over names and address. Keycloak: IdentityBrokerService.setBasicUserAttributes.
func (m *mapping) basics() {
	said, trusts := m.said, m.s.trusts(m.p, m.said)
	m.edit(func(u *iam.User) {
		if said.FirstName != "" {
			u.FirstName = said.FirstName
		}
		if said.LastName != "" {
			u.LastName = said.LastName
		}
		if email := strings.ToLower(said.Email); email != "" && email != u.Email {
			u.Email, u.EmailVerified = email, trusts
		}
	})
}

func (m *mapping) edit(f func(*iam.User)) { m.edits = append(m.edits, f) }

func (m *mapping) mode() iam.SyncMode { return m.m.SyncMode(&m.p.IdentityProvider) }

func (m *mapping) get(name string) string { return m.m.Config[name] }

// value finds a claim: in the access token, then elsewhere. Keycloak: AbstractClaimMapper.getClaimValue.
func (m *mapping) value(claim string) any {
	if v := m.access.at(claim); v != nil {
		return v
	}
	return m.c.at(claim)
}

func fixedAttribute(_ context.Context, m *mapping) error {
	name, value := m.get("attribute"), m.get("attribute.value")
	if !m.said.New && m.mode() == iam.SyncLegacy {
		return nil
	}
	m.set(name, []string{value}, true)
	return nil
}

func fixedNote(m *mapping) { m.note(m.get("attribute"), m.get("attribute.value")) }

func (m *mapping) note(name, value string) {
	if name == "" {
		return
	}
	if m.said.Notes == nil {
		m.said.Notes = map[string]string{}
	}
	m.said.Notes[name] = value
}

// mostMapped bounds what a session's record tells of mappers.
const mostMapped = 50

// tell keeps what the mapper gives for the session's record.
func (m *mapping) tell(what iam.Mapped) {
	if what.Mapper = m.m.Name; len(m.said.Mapped) < mostMapped {
		m.said.Mapped = append(m.said.Mapped, what)
	}
}

// set gives the user an attribute, or takes it away. keep: names and address stay as they are where there is no value.
func (m *mapping) set(name string, values []string, keep bool) {
	first := ""
	if len(values) > 0 {
		first = values[0]
	}
	m.edit(func(u *iam.User) {
		switch strings.ToLower(name) {
		case "":
		case "username":
		case "email":
			if email := strings.ToLower(first); first != "" && email != u.Email {
				u.Email, u.EmailVerified = email, m.s.trusts(m.p, m.said)
			}
		case "firstname":
			if first != "" {
				u.FirstName = first
			}
		case "lastname":
			if first != "" {
				u.LastName = first
			}
		default:
			if u.Attrs = maps.Clone(u.Attrs); u.Attrs == nil {
				u.Attrs = map[string][]string{}
			}
			if len(values) == 0 && !keep {
				delete(u.Attrs, name)
			} else {
				u.Attrs[name] = values
			}
		}
	})
}

func (m *mapping) imported() (name string, values []string) {
	if name = m.get("user.attribute"); name != "" {
		return name, texts(m.value(m.get("claim")))
	}
	return m.get("userAttribute"), texts(m.c.at(m.get("jsonField")))
}

func attributeReady(m *mapping) {
	name, values := m.imported()
	first := ""
	if len(values) > 0 {
		first = values[0]
	}
	switch strings.ToLower(name) {
	case "":
	case "email":
		if first != "" {
			m.said.Email, m.said.Verified = first, m.c.truth("email_verified")
		}
	case "firstname":
		if first != "" {
			m.said.FirstName = first
		}
	case "lastname":
		if first != "" {
			m.said.LastName = first
		}
	default:
		if len(values) > 0 {
			if m.said.Attrs == nil {
				m.said.Attrs = map[string][]string{}
			}
			m.said.Attrs[name] = values
		}
	}
}

func attribute(_ context.Context, m *mapping) error {
	if m.said.New { // the user was made of it, and may have changed it since
		return nil
	}
	name, values := m.imported()
	m.set(name, values, false)
	return nil
}

// notes: Keycloak's ClaimToUserSessionNoteMapper.
func notes(m *mapping) {
	for _, want := range m.wanted() {
		for _, v := range texts(m.value(want.Key)) {
			if want.matches(v) {
				m.note(want.Key, v)
			}
		}
	}
}

// A wanted claim is one that must have a value, which may be a regular expression.
type wanted struct {
	Key, Value string
	pattern    bool
}

func (w wanted) matches(v string) bool {
	if !w.pattern {
		return v == w.Value
	}
	x, err := regexp.Compile("^(?:" + w.Value + ")$")
	return err == nil && x.MatchString(v)
}

func (m *mapping) wanted() []wanted {
	var list []wanted
	_ = json.Unmarshal([]byte(m.get("claims")), &list) // none are wanted where there is nothing to read
	for i := range list {
		list[i].pattern = m.get("are.claim.values.regex") == "true"
	}
	return list
}

func (m *mapping) hasAll() bool {
	for _, want := range m.wanted() {
		if !slices.ContainsFunc(texts(m.value(want.Key)), want.matches) {
			return false
		}
	}
	return true
}

func (m *mapping) hasValue() bool {
	return slices.Contains(texts(m.value(m.get("claim"))), m.get("claim.value"))
}

// hasRole looks for a role of the Keycloak that the user comes from.
// Keycloak: ExternalKeycloakRoleToRoleMapper.
func (m *mapping) hasRole() bool {
	client, role := "", m.get("external.role")
	if slices.Contains(texts(m.access.at("realm_access.roles")), role) {
		return true
	}
	if i := strings.LastIndexByte(role, '.'); i > 0 {
		client, role = role[:i], role[i+1:]
	}
	of, _ := m.access["resource_access"].(map[string]any)
	roles, _ := of[client].(map[string]any)
	return slices.Contains(texts(roles["roles"]), role)
}

// role gives or takes the role that the mapper names.
func (m *mapping) role(ctx context.Context, give bool) error {
	name := m.get("role")
	if name == "" {
		return nil
	}
	role, err := m.r.RoleNamed(ctx, name) // as it was judged when the mapper was made
	if err != nil || role == nil {
		return err
	}
	id := role.ID
	if !give {
		if !m.said.New {
			m.change.Take = append(m.change.Take, id)
		}
		return nil
	}
	if m.allowed(ctx, id) {
		m.change.Give = append(m.change.Give, id)
		m.tell(iam.Mapped{Role: name})
	}
	return nil
}

// allowed tells whether mappers may give a role: administrators' roles only where the provider's
// settings say so. Keycloak 26.8: allowAdminRoleMapping.
func (m *mapping) allowed(ctx context.Context, ids ...iam.RoleID) bool {
	if m.p.Flag("allowAdminRoleMapping") {
		return true
	}
	for id := range roles.Expand(m.r, ids...) {
		if roles.Administrative(ctx, m.r, m.r.Role(id)) {
			return false
		}
	}
	return true
}

// group makes the user a member of the group that the mapper names, or ends that.
func (m *mapping) group(ctx context.Context, join bool) error {
	path := m.get("group")
	if path == "" {
		return nil
	}
	g, err := m.s.Users.GroupAt(ctx, m.r, path)
	if err != nil || g == nil {
		return err
	}
	if !join {
		if !m.said.New {
			m.change.Leave = append(m.change.Leave, g.ID)
		}
		return nil
	}
	ids, err := m.s.Users.RolesAround(ctx, m.r, g)
	if err != nil {
		return err
	}
	if m.allowed(ctx, ids...) {
		m.change.Join = append(m.change.Join, g.ID)
		m.tell(iam.Mapped{Group: path})
	}
	return nil
}

// substitution is a part of a template. Keycloak: UsernameTemplateMapper.
var substitution = regexp.MustCompile(`\$\{([^}|]+?)\s*((?:\|\s*\w+\s*)*)\}`)

// fill makes a text of a template.
func (m *mapping) fill() string {
	return substitution.ReplaceAllStringFunc(m.get("template"), func(s string) string {
		parts := substitution.FindStringSubmatch(s)
		value := ""
		switch name := strings.TrimSpace(parts[1]); {
		case name == "UUID":
			value = uuid.NewString()
		case name == "ALIAS":
			value = m.p.Alias
		default:
			if claim, ok := strings.CutPrefix(name, "CLAIM."); ok {
				if list := texts(m.value(claim)); len(list) > 0 {
					value = list[0]
				}
			} else {
				return parts[1]
			}
		}
		for _, how := range strings.Split(parts[2], "|") {
			switch strings.TrimSpace(how) {
			case "uppercase":
				value = strings.ToUpper(value)
			case "lowercase":
				value = strings.ToLower(value)
			case "localpart":
				value, _, _ = strings.Cut(value, "@")
			}
		}
		return value
	})
}

func username(m *mapping) {
	value := m.fill()
	switch m.get("target") {
	case "BROKER_ID":
		m.said.ID = value
	case "BROKER_USERNAME":
		m.said.Username = value
	default:
		m.said.Local = value
	}
}

func rename(_ context.Context, m *mapping) error {
	if target := m.get("target"); m.said.New || target != "" && target != "LOCAL" || m.mode() != iam.SyncForce {
		return nil
	}
	name := strings.ToLower(m.said.Local)
	m.edit(func(u *iam.User) {
		if name != "" {
			u.Username = name
		}
	})
	return nil
}
