package tokens

import (
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
)

// Names of scopes and roles that the protocol treats specially.
const (
	ScopeOpenID  = "openid"
	ScopeOffline = "offline_access"
)

// SplitScope splits a scope parameter into its distinct names.
func SplitScope(param string) []string {
	var out []string
	for name := range strings.SplitSeq(param, " ") {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// HasScope reports whether a scope parameter or claim names a scope.
func HasScope(param, name string) bool {
	for s := range strings.SplitSeq(param, " ") {
		if s == name {
			return true
		}
	}
	return false
}

// Requested returns the client scopes that a request for a client comes to:
// the client's default ones, and of its optional ones those that the scope
// parameter names, by name. Keycloak: TokenManager.getRequestedClientScopes.
func Requested(r *realms.Realm, c *iam.Client, param string) []*iam.ClientScope {
	return slices.DeleteFunc(named(r, c, param), func(s *iam.ClientScope) bool {
		// It is granted to members of an organization, and there are none.
		// Keycloak: TokenManager.tryResolveOrganizationClientScope.
		return s.Name == scopeOrganization && !slices.Contains(c.DefaultScopes, s.ID)
	})
}

const scopeOrganization = "organization"

// named returns what Requested chooses from: all scopes that a request may name.
func named(r *realms.Realm, c *iam.Client, param string) []*iam.ClientScope {
	out := make([]*iam.ClientScope, 0, len(c.DefaultScopes)+2)
	for _, id := range c.DefaultScopes {
		if s := r.Scope(id); s != nil && s.Protocol == c.Protocol {
			out = append(out, &s.ClientScope)
		}
	}
	for _, id := range c.OptionalScopes {
		if s := r.Scope(id); s != nil && s.Protocol == c.Protocol && HasScope(param, s.Name) && !slices.Contains(out, &s.ClientScope) {
			out = append(out, &s.ClientScope)
		}
	}
	slices.SortFunc(out, func(a, b *iam.ClientScope) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// ValidScope reports whether every name in a scope parameter is openid or a
// client scope of the client. Keycloak: TokenManager.isValidScope.
func ValidScope(r *realms.Realm, c *iam.Client, param string) bool {
	if param == "" {
		return true
	}
	scopes := named(r, c, param)
	for _, name := range SplitScope(param) {
		if name != ScopeOpenID && !slices.ContainsFunc(scopes, func(s *iam.ClientScope) bool { return s.Name == name }) {
			return false
		}
	}
	return true
}

// scopeText lists the permitted ones of a grant's scopes as tokens show them: with
// all, also those that are not for tokens' scope claims, which the refresh token
// remembers. Keycloak: DefaultClientSessionContext.getScopeString.
func scopeText(g *iam.Grant, permitted []*iam.ClientScope, all bool) string {
	var b strings.Builder
	if g.OpenID {
		b.WriteString(ScopeOpenID)
	}
	for _, s := range inOrder(g.Scopes, permitted, g.Client, g.Asked) {
		if s.InTokenScope || all {
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(s.Name)
		}
	}
	return b.String()
}

// OfflineRequested reports whether the realm's scope offline_access is among
// the scopes of a request, whether or not the user may have it.
func OfflineRequested(scopes []*iam.ClientScope) bool {
	return slices.ContainsFunc(scopes, func(s *iam.ClientScope) bool { return s.Name == ScopeOffline })
}

// Why says of each granted scope why it was: the request named it, or it is one
// of the client's defaults.
func Why(c *iam.Client, param string, scopes []*iam.ClientScope) iam.Scopes {
	var b strings.Builder
	add := func(name string, why iam.ScopeWhy) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(name)
		b.WriteByte(':')
		b.WriteByte(byte(why))
	}
	if HasScope(param, ScopeOpenID) {
		add(ScopeOpenID, iam.ScopeRequested)
	}
	for _, s := range scopes {
		why := iam.ScopeDefault
		switch {
		case HasScope(param, s.Name):
			why = iam.ScopeRequested
		case slices.Contains(c.InheritedScopes, s.ID):
			why = iam.ScopeInherited
		}
		add(s.Name, why)
	}
	return iam.Scopes(b.String())
}
