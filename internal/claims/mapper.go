package claims

import (
	"slices"

	"latchkey/internal/iam"
	"latchkey/internal/roles"
)

// A Kind is what claims are mapped into.
type Kind int

// The things that mappers may put claims into.
const (
	AccessToken Kind = 1 << iota
	IDToken
	UserInfo
	Introspection
	Response // of the token endpoint, beside access_token
	Rights   // what a full access token and introspection both say
)

// An Input is what mappers read. Access may change: role mappers rename roles
// for all tokens of one response, as in Keycloak (RoleResolveUtil caches them).
type Input struct {
	Grant     *iam.Grant
	Effective *roles.Effective
	Access    *roles.Access
	Origins   func() []string // the client's web origins, resolved
	Levels    map[string]int  // the client's or the realm's acr.loa.map
	AMR       func() []string
}

// user is the user whom the token is about.
func (in *Input) user() *iam.User { return in.Grant.User }

// note returns a note of the user session, "" when there is none.
func (in *Input) note(name string) string {
	if in.Grant.Session == nil {
		return ""
	}
	return in.Grant.Session.Notes[name]
}

// partNote returns a note of the client's part in the session.
func (in *Input) partNote(name string) string {
	if in.Grant.ClientSession == nil {
		return ""
	}
	return in.Grant.ClientSession.Notes[name]
}

// A spec is a provider of mappers.
type spec struct {
	kinds    Kind
	priority int // lower ones run first
	gate     gate
	reads    reads
	run      func(in *Input, m *iam.ProtocolMapper, kind Kind, t *Set)
}

// reads says what of the effective roles and groups a provider's mappers look at.
type reads int

const (
	nothing reads = iota
	groups
	access // roles; one that only renames or adds them matters to those that show them
)

// A gate says how a provider reads the switches that put a mapper into a token.
type gate int

const (
	strict  gate = iota // AbstractOIDCProtocolMapper: "true" switches on
	lenient             // an absent access.token.claim or introspection.token.claim means true
	always              // switches are not looked at
)

const tokens = AccessToken | IDToken | UserInfo | Introspection

// specs holds Keycloak's provider ids, in which tokens each may put claims (the
// interfaces of its class), and its priority (ProtocolMapperUtils).
var specs = map[string]spec{
	"oidc-sub-mapper":                        {AccessToken | Introspection, -10, strict, nothing, subject},
	"oidc-role-name-mapper":                  {AccessToken | UserInfo | Introspection, 10, always, nothing, roleName},
	"oidc-hardcoded-role-mapper":             {AccessToken | UserInfo | Introspection, 20, always, nothing, hardcodedRole},
	"oidc-audience-resolve-mapper":           {AccessToken | Introspection, 30, lenient, access, audienceResolve},
	"oidc-usermodel-realm-role-mapper":       {tokens, 40, strict, access, realmRoles},
	"oidc-usermodel-client-role-mapper":      {tokens, 40, strict, access, clientRoles},
	"oidc-acr-mapper":                        {AccessToken | IDToken | Introspection, 0, strict, nothing, acr},
	"oidc-amr-mapper":                        {AccessToken | IDToken, 0, strict, nothing, amr},
	"oidc-address-mapper":                    {tokens, 0, strict, nothing, address},
	"oidc-allowed-origins-mapper":            {AccessToken | Introspection, 0, lenient, nothing, allowedOrigins},
	"oidc-audience-mapper":                   {AccessToken | IDToken | Introspection, 0, strict, nothing, audience},
	"oidc-claims-param-token-mapper":         {IDToken | UserInfo, 0, strict, nothing, claimsParameter},
	"oidc-claims-param-value-idtoken-mapper": {IDToken, 0, strict, nothing, claimsParameterValue},
	"oidc-full-name-mapper":                  {tokens, 0, strict, nothing, fullName},
	"oidc-group-membership-mapper":           {tokens, 0, strict, groups, groupMembership},
	"oidc-hardcoded-claim-mapper":            {tokens | Response, 0, strict, nothing, hardcodedClaim},
	"oidc-nonce-backwards-compatible-mapper": {AccessToken, 0, always, nothing, nonce},
	"oidc-session-state-mapper":              {tokens, 0, strict, nothing, sessionState},
	"oidc-sha256-pairwise-sub-mapper":        {tokens, 0, always, nothing, pairwise},
	"oidc-usermodel-attribute-mapper":        {tokens, 0, strict, groups, userAttribute},
	"oidc-usermodel-property-mapper":         {tokens, 0, strict, nothing, userProperty},
	"oidc-usersessionmodel-note-mapper":      {tokens | Response, 0, strict, nothing, sessionNote},
}

// Known reports whether a provider of mappers is built.
func Known(provider string) bool { _, ok := specs[provider]; return ok }

// A Chain is the mappers of a grant in the order in which they run.
type Chain []link

type link struct {
	*iam.ProtocolMapper
	spec spec
	open Kind // the kinds of claims that the mapper runs for
}

// Of collects the mappers of the granted scopes and of the client. Mappers of
// other protocols or unknown providers have no effect, as in Keycloak.
func Of(g *iam.Grant) Chain {
	c := make(Chain, 0, 32)
	light := g.Client.Lightweight()
	add := func(list []iam.ProtocolMapper) {
		for i := range list {
			if s, ok := specs[list[i].Mapper]; ok && list[i].Protocol == iam.OIDC {
				c = append(c, link{&list[i], s, s.opens(&list[i], light)})
			}
		}
	}
	add(g.Client.Mappers)
	for _, s := range g.Scopes {
		add(s.Mappers)
	}
	slices.SortStableFunc(c, func(a, b link) int { return a.spec.priority - b.spec.priority })
	return c
}

// Needs reports whether the chain looks at the user's roles or groups to map a
// kind of claims; where it does not, the Input may come without Effective and
// with an empty Access.
func (c Chain) Needs(in *Input, kind Kind) bool {
	return slices.ContainsFunc(c, func(l link) bool {
		return (l.spec.reads == access || l.spec.reads == groups && !in.Grant.NoGroups) && l.open&kind != 0
	})
}

// opens returns the kinds of claims that a mapper runs for.
func (s spec) opens(m *iam.ProtocolMapper, light bool) Kind {
	var open Kind
	for kind := AccessToken; kind <= Response; kind <<= 1 {
		if s.kinds&kind != 0 && s.gate.open(m, light, kind) {
			open |= kind
		}
	}
	if open&Introspection != 0 && s.kinds&AccessToken != 0 && s.gate.open(m, false, AccessToken) {
		open |= Rights
	}
	return open
}

// Apply runs the chain for one token.
func (c Chain) Apply(in *Input, kind Kind, t *Set) {
	for _, l := range c {
		if l.open&kind != 0 {
			l.spec.run(in, l.ProtocolMapper, kind, t)
		}
	}
}

// open decides by the mapper's switches.
// Keycloak: OIDCAttributeMapperHelper.includeIn*, AbstractOIDCProtocolMapper.
func (g gate) open(m *iam.ProtocolMapper, light bool, kind Kind) bool {
	if g == always {
		return true
	}
	on := func(name string, fallback bool) bool {
		v, ok := m.Config[name]
		if !ok {
			return fallback
		}
		return v == "true"
	}
	switch kind {
	case AccessToken:
		if light {
			return on("lightweight.claim", false)
		}
		return on("access.token.claim", g == lenient)
	case IDToken:
		return on("id.token.claim", false)
	case UserInfo:
		return on("userinfo.token.claim", on("id.token.claim", false))
	case Introspection:
		return on("introspection.token.claim", g == lenient || on("access.token.claim", false))
	}
	return on("access.tokenResponse.claim", false)
}
