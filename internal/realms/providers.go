package realms

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
	"latchkey/internal/store"
)

// A ProviderType is what identity providers may be used for.
// Keycloak: IdentityProviderType.
type ProviderType string

// The types of identity providers; ANY is all of them.
const (
	AnyProvider       ProviderType = "ANY"
	LogsIn            ProviderType = "USER_AUTHENTICATION"
	AssertsClients    ProviderType = "CLIENT_ASSERTION"
	HoldsKeys         ProviderType = "TRUST_MATERIAL"
	ExchangesTokens   ProviderType = "EXCHANGE_EXTERNAL_TOKEN"
	GrantsByAssertion ProviderType = "JWT_AUTHORIZATION_GRANT"
)

// A ProviderKind is a kind of identity providers that Keycloak 26.7 has.
type ProviderKind struct {
	Social bool           // a well-known site, whose addresses are known
	Types  []ProviderType // what it is listed by; Shown is a part of them
	checks []address      // settings whose address must be one
	fill   map[string]string
}

// Shown are the types that a representation names: none of a social provider.
func (k *ProviderKind) Shown() []ProviderType {
	if k.Social {
		return []ProviderType{}
	}
	return k.Types
}

// An address is a setting that holds one, and what a refusal calls it.
type address struct{ setting, name string }

var (
	oauthAddresses = []address{{"authorizationUrl", "authorization_url"}, {"tokenUrl", "token_url"}, {"userInfoUrl", "userinfo_url"},
		{"tokenIntrospectionUrl", "tokenIntrospection_url"}}
	oidcAddresses = []address{{"authorizationUrl", "authorization_url"}, {"tokenUrl", "token_url"}, {"userInfoUrl", "userinfo_url"},
		{"tokenIntrospectionUrl", "tokenIntrospection_url"},
		{"jwksUrl", "jwks_url"}, {"logoutUrl", "logout_url"}}
	samlAddresses = []address{{"singleSignOnServiceUrl", "singleSignOnServiceUrl"}, {"singleLogoutServiceUrl", "singleLogoutServiceUrl"},
		{"artifactResolutionServiceUrl", "artifactResolutionServiceUrl"}, {"metadataDescriptorUrl", "metadataDescriptorUrl"}}
)

var (
	loginTypes = []ProviderType{LogsIn}
	grantTypes = []ProviderType{LogsIn, GrantsByAssertion}
	oidcTypes  = []ProviderType{LogsIn, AssertsClients, HoldsKeys, ExchangesTokens, GrantsByAssertion}
)

var providerKinds = map[string]*ProviderKind{
	"oidc":          {Types: oidcTypes, checks: oidcAddresses},
	"keycloak-oidc": {Types: oidcTypes, checks: oidcAddresses},
	"oauth2":        {Types: []ProviderType{LogsIn, ExchangesTokens}, checks: oauthAddresses},
	"saml":          {Types: loginTypes, checks: samlAddresses},
	"kubernetes": {Types: []ProviderType{AssertsClients},
		fill: map[string]string{"issuer": "https://kubernetes.default.svc.cluster.local"}},
	"jwt-authorization-grant": {Types: []ProviderType{GrantsByAssertion}},
	"apple":                   {Social: true, Types: loginTypes, checks: oauthAddresses}, // which Keycloak lacks
	"bitbucket":               {Social: true, Types: loginTypes, checks: oauthAddresses},
	"facebook":                {Social: true, Types: loginTypes, checks: oauthAddresses},
	"github":                  {Social: true, Types: loginTypes, checks: oauthAddresses},
	"gitlab":                  {Social: true, Types: grantTypes, checks: oauthAddresses},
	"google":                  {Social: true, Types: grantTypes, fill: map[string]string{"issuer": "https://accounts.google.com"}},
	"linkedin-openid-connect": {Social: true, Types: grantTypes, checks: oauthAddresses},
	"microsoft":               {Social: true, Types: loginTypes, checks: oidcAddresses},
	"openshift-v4":            {Social: true, Types: loginTypes, checks: oauthAddresses},
	"paypal":                  {Social: true, Types: loginTypes, checks: oauthAddresses},
	"stackoverflow":           {Social: true, Types: loginTypes, checks: oauthAddresses},
	"twitter":                 {Social: true, Types: loginTypes, checks: oauthAddresses},
}

// ProviderKindOf returns a kind of identity providers by its providerId, nil for one that Keycloak lacks.
func ProviderKindOf(id string) *ProviderKind { return providerKinds[id] }

func missing(what, when string) error {
	return iam.Errorf(iam.Invalid, "%s is required when %s", what, when)
}

// checkProvider refuses settings that Keycloak refuses.
// Keycloak: OAuth2IdentityProviderConfig.validate, OIDCIdentityProviderConfig.validate, RepresentationToModel.toModel.
func (m *Manager) checkProvider(r *Realm, p *rep.IdentityProvider) error {
	kind := providerKinds[p.ProviderID]
	if kind == nil || !m.Can(CanBroker, p.ProviderID) {
		id := p.ProviderID
		if id == "" {
			id = "null"
		}
		return iam.Errorf(iam.Invalid, "Invalid identity provider id [%s]", id)
	}
	for _, a := range kind.checks {
		if err := checkAddress(r.Rep, a.name, p.Config[a.setting]); err != nil {
			return err
		}
	}
	flag := func(name string) bool { return strings.EqualFold(p.Config[name], "true") }
	if method := p.Config["pkceMethod"]; flag("pkceEnabled") && method != "plain" && method != "S256" {
		if method == "" {
			method = "null"
		}
		return iam.Errorf(iam.Invalid, "PKCE Method not supported: %s", method)
	}
	switch p.ProviderID {
	case "oauth2":
		if p.Config["userInfoUrl"] == "" {
			return iam.Errorf(iam.Invalid, "User Info URL not provided")
		}
	case "oidc", "keycloak-oidc":
		for _, c := range []struct{ setting, name string }{
			{"validateSignature", "'Validate signatures'"}, {"supportsClientAssertions", "'Supports client assertions'"},
			{"jwtAuthorizationGrantEnabled", "'JWT Authorization Grant'"},
		} {
			switch {
			case !flag(c.setting):
			case flag("useJwksUrl") && p.Config["jwksUrl"] == "":
				return missing("JWKS URL", c.name+" enabled and 'Use JWKS URL' enabled")
			case !flag("useJwksUrl") && p.Config["publicKeySignatureVerifier"] == "":
				return missing("The 'Validating public key'", c.name+" enabled and 'Use JWKS URL' disabled")
			}
		}
	}
	if len([]rune(p.Alias)) > maxName || len([]rune(rep.Val(p.DisplayName))) > maxName {
		return errNameTooLong
	}
	for _, flow := range []*string{p.FirstBrokerLoginFlowAlias, p.PostBrokerLoginFlowAlias} {
		if alias := rep.Val(flow); alias != "" && r.Flow(alias) == nil { // the reference breaks down
			return iam.Errorf(iam.Invalid, "No available authentication flow with alias: %s", alias)
		}
	}
	return nil
}

// checkAddress refuses what is no address, and one that sslRequired forbids.
// Keycloak: UriUtils.checkUrl.
func checkAddress(r *rep.Realm, name, text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || !strings.EqualFold(u.Scheme, "http") && !strings.EqualFold(u.Scheme, "https") {
		return iam.Errorf(iam.Invalid, "The url [%s] is malformed", name)
	}
	if plainAddress(r, text) {
		return iam.Errorf(iam.Invalid, "The url [%s] requires secure connections", name)
	}
	return nil
}

// tidyProvider brings a posted provider into the form in which it is stored:
// what Keycloak computes or has given up is left out, and so are empty settings.
func tidyProvider(p *rep.IdentityProvider) {
	p.Config = maps.Clone(p.Config)
	legacyProvider(p)
	p.Types, p.OrganizationID = nil, nil // organizations have routes of their own
	if p.Config == nil {
		p.Config = map[string]string{}
	}
	maps.DeleteFunc(p.Config, func(_, value string) bool { return value == "" })
	for _, flow := range []**string{&p.FirstBrokerLoginFlowAlias, &p.PostBrokerLoginFlowAlias} {
		if *flow != nil && **flow == "" {
			*flow = nil
		}
	}
	kind := providerKinds[p.ProviderID]
	if kind == nil {
		return
	}
	for name, value := range kind.fill {
		if p.Config[name] == "" {
			p.Config[name] = value
		}
	}
	if p.ProviderID == "kubernetes" {
		p.HideOnLogin = new(true)
	}
}

// providerObject is the row of a provider, without its document.
func providerObject(p *rep.IdentityProvider) store.Object {
	return store.Object{Kind: store.KindIdentityProvider, ID: p.InternalID, Name: p.Alias, UniqueName: p.Alias}
}

// CreateProvider adds an identity provider, and fills in its id.
// Keycloak: IdentityProvidersResource.create.
func (m *Manager) CreateProvider(ctx context.Context, r *Realm, p *rep.IdentityProvider) error {
	if err := CheckProviderAlias(p.Alias); err != nil {
		return err
	}
	tidyProvider(p)
	if err := m.checkProvider(r, p); err != nil {
		return err
	}
	if p.Alias == "" { // the reference breaks down, or makes one that no path names
		return iam.Errorf(iam.Invalid, "path is null")
	}
	setID(&p.InternalID)
	o := providerObject(p)
	var err error
	if o.Doc, err = rep.Marshal(p); err != nil {
		return err
	}
	err = m.Cache.Change(ctx, r.ID, func(tx *store.Tx) error { return tx.InsertObject(ctx, r.ID, o) })
	if _, exists := store.Exists(err); exists {
		return errExists("Identity Provider " + p.Alias + " already exists")
	}
	return err
}

// CheckProviderAlias refuses an alias that may not stand in an address.
// Keycloak: ReservedCharValidator.validateNoSpace.
func CheckProviderAlias(alias string) error {
	if strings.Contains(alias, " ") {
		return &iam.Error{Kind: iam.Invalid, Msg: "Empty Space not allowed.", Err: ErrBadRequest}
	}
	return CheckReserved(alias)
}

// UpdateProvider replaces an identity provider's settings; a masked secret stays
// what it was, and the kind of the provider cannot be changed.
// Keycloak: IdentityProviderResource.updateIdpFromRep.
func (m *Manager) UpdateProvider(ctx context.Context, r *Realm, have *IdentityProvider, p *rep.IdentityProvider) error {
	if p.Alias != "" && p.Alias != have.Alias {
		return iam.Errorf(iam.Invalid, "Identity Provider alias cannot be changed")
	}
	p.Alias, p.InternalID = have.Alias, have.ID
	tidyProvider(p)
	if err := m.checkProvider(r, p); err != nil {
		return err
	}
	p.ProviderID = have.Provider
	return m.Cache.Change(ctx, r.ID, func(tx *store.Tx) error {
		o, err := tx.Object(ctx, r.ID, store.KindIdentityProvider, have.ID)
		if err != nil {
			return err
		}
		was := new(rep.IdentityProvider)
		if err := rep.Unmarshal(o.Doc, was); err != nil {
			return err
		}
		p.OrganizationID = was.OrganizationID
		for name, value := range p.Config {
			if value != Masked {
				continue
			}
			if kept, ok := was.Config[name]; ok {
				p.Config[name] = kept
			} else {
				delete(p.Config, name)
			}
		}
		if o.Doc, err = rep.Marshal(p); err != nil {
			return err
		}
		return tx.UpdateObject(ctx, r.ID, o)
	})
}

// DeleteProvider removes an identity provider with its mappers and with the
// links that users have to it. Keycloak: IdentityProviderResource.delete.
func (m *Manager) DeleteProvider(ctx context.Context, r *Realm, p *IdentityProvider) error {
	return m.Cache.Change(ctx, r.ID, func(tx *store.Tx) error {
		if err := removeProvider(ctx, tx, r, p); err != nil {
			return err
		}
		return tx.DeleteLinks(ctx, r.ID, p.Alias)
	})
}

// removeProvider leaves the links of users alone.
func removeProvider(ctx context.Context, tx *store.Tx, r *Realm, p *IdentityProvider) error {
	for _, mapper := range p.Mappers { // one made before its provider does not go with it by itself
		if err := tx.DeleteObject(ctx, r.ID, store.KindIDPMapper, mapper.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return tx.DeleteObject(ctx, r.ID, store.KindIdentityProvider, p.ID)
}

// NameMatches matches a name as Keycloak's search for identity providers does: by
// its beginning, a pattern with asterisks, or in quotes the whole. Case does not matter.
func NameMatches(search, name string) bool {
	search, name = strings.ToLower(strings.TrimSpace(search)), strings.ToLower(name)
	if len(search) > 1 && strings.HasPrefix(search, `"`) && strings.HasSuffix(search, `"`) {
		return name == search[1:len(search)-1]
	}
	parts := strings.Split(search, "*")
	rest, ok := strings.CutPrefix(name, parts[0])
	for _, part := range parts[1:] {
		if !ok {
			break
		}
		_, rest, ok = strings.Cut(rest, part)
	}
	return ok
}

// ProviderMapper returns a mapper of whatever identity provider by its id, nil
// when there is none.
func (r *Realm) ProviderMapper(id string) *IdentityProviderMapper {
	for _, list := range r.mappers {
		for _, mapper := range list {
			if mapper.ID == id {
				return mapper
			}
		}
	}
	return nil
}

// mapperObject is the row of a mapper, without its document. Its provider need
// not be there, as in Keycloak.
func mapperObject(providers map[string]string, v *rep.IdentityProviderMapper) store.Object {
	o := store.Object{Kind: store.KindIDPMapper, ID: v.ID, Parent: providers[v.IdentityProviderAlias], Name: v.Name}
	if v.Name != "" {
		o.UniqueName = v.IdentityProviderAlias + "/" + v.Name
	}
	return o
}

func (r *Realm) providerIDs() map[string]string {
	ids := map[string]string{}
	for _, p := range r.IDPs {
		ids[p.Alias] = p.ID
	}
	return ids
}

// PutProviderMapper adds a mapper, whose id it fills in, or with isNew false changes one.
// Keycloak: IdentityProviderResource.addMapper, update.
func (m *Manager) PutProviderMapper(ctx context.Context, r *Realm, v *rep.IdentityProviderMapper, isNew bool) error {
	if v.Name == "" || v.IdentityProviderAlias == "" || v.IdentityProviderMapper == "" {
		return errIncomplete
	}
	if len([]rune(v.Name)) > maxName {
		return errNameTooLong
	}
	v.Config = maps.Clone(v.Config)
	if v.Config == nil {
		v.Config = map[string]string{}
	}
	maps.DeleteFunc(v.Config, func(_, value string) bool { return value == "" })
	setID(&v.ID)
	doc, err := rep.Marshal(v)
	if err != nil {
		return err
	}
	o := mapperObject(r.providerIDs(), v)
	o.Doc = doc
	err = m.Cache.Change(ctx, r.ID, func(tx *store.Tx) error {
		if isNew {
			return tx.InsertObject(ctx, r.ID, o)
		}
		have, err := tx.Object(ctx, r.ID, store.KindIDPMapper, v.ID)
		if err != nil {
			return err
		}
		o.Version = have.Version
		return tx.UpdateObject(ctx, r.ID, o)
	})
	if _, exists := store.Exists(err); exists {
		return errIncomplete
	}
	return err
}

// errIncomplete is Keycloak's answer to a mapper without name, provider or kind,
// and to a second one of a name.
var errIncomplete = &iam.Error{Kind: iam.Conflict, Msg: "Duplicate resource error"}

// DeleteProviderMapper removes a mapper of an identity provider.
func (m *Manager) DeleteProviderMapper(ctx context.Context, r *Realm, id string) error {
	return m.Cache.Change(ctx, r.ID, func(tx *store.Tx) error { return tx.DeleteObject(ctx, r.ID, store.KindIDPMapper, id) })
}

// RoleNamed finds a role by the name that mappers of identity providers have it
// by: "role", or "client.role", where either may have dots. Nil when there is none.
// Keycloak: KeycloakModelUtils.getRoleFromString.
func (r *Realm) RoleNamed(ctx context.Context, name string) (*Role, error) {
	const tries = 25 // Keycloak: MAX_CLIENT_LOOKUPS_DURING_ROLE_RESOLVE
	for i, n := strings.LastIndexByte(name, '.'), 0; i >= 0 && n < tries; i, n = strings.LastIndexByte(name[:i], '.'), n+1 {
		client, err := r.ClientByName(ctx, name[:i])
		if Missing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return r.RoleByName(client.ID, name[i+1:]), nil
	}
	return r.RoleByName("", name), nil
}

// MapsGroups reports whether a mapper of an identity provider gives a group.
func (r *Realm) MapsGroups() bool {
	for _, list := range r.mappers {
		if slices.ContainsFunc(list, func(m *IdentityProviderMapper) bool { return m.Config["group"] != "" }) {
			return true
		}
	}
	return false
}

// RenameInMappers writes a role's or group's new name into the mappers of
// identity providers that give it: setting is "role" or "group".
// Keycloak: RoleConfigPropertyByRoleNameSynchronizer, GroupConfigPropertyByGroupPathSynchronizer.
func (r *Realm) RenameInMappers(ctx context.Context, tx *store.Tx, setting string, renamed func(name string) string) error {
	changed := false
	for _, list := range r.mappers {
		for _, mapper := range list {
			was := mapper.Config[setting]
			now := renamed(was)
			if was == "" || now == was {
				continue
			}
			o, err := tx.Object(ctx, r.ID, store.KindIDPMapper, mapper.ID)
			if errors.Is(err, store.ErrNotFound) {
				continue // removed meanwhile
			}
			if err != nil {
				return err
			}
			doc := new(rep.IdentityProviderMapper)
			if err := rep.Unmarshal(o.Doc, doc); err != nil {
				return err
			}
			if doc.Config[setting] != was {
				continue // changed meanwhile
			}
			doc.Config[setting] = now
			if o.Doc, err = rep.Marshal(doc); err != nil {
				return err
			}
			if err := tx.UpdateObject(ctx, r.ID, o); err != nil {
				return err
			}
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return r.cache.Changed(ctx, tx, r.ID)
}
