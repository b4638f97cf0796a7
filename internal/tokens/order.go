package tokens

import (
	"slices"
	"strings"

	"latchkey/internal/iam"
)

// Keycloak writes scopes in the order of a Java HashSet of client scopes, whose
// hash is that of their ids. The order of two realms may differ, that of one realm is
// the same for ever, also after an import elsewhere; clients compare such texts.

// inOrder is scopes, which are sorted by name, as Keycloak reads them: first the
// optional ones as the parameter names them and then the default ones by name were
// added to the set of those that were asked for, along with the client itself; out of
// it those that the user may have are added to another.
// Keycloak: TokenManager.getRequestedClientScopes, DefaultClientSessionContext.
func inOrder(scopes, permitted []*iam.ClientScope, c *iam.Client, param string) []*iam.ClientScope {
	list, defaults := make([]*iam.ClientScope, 0, len(scopes)), make([]*iam.ClientScope, 0, len(scopes))
	for _, s := range scopes {
		if slices.Contains(c.DefaultScopes, s.ID) {
			defaults = append(defaults, s)
		}
	}
	take := func(wanted func(*iam.ClientScope) bool) {
		for _, s := range scopes {
			if wanted(s) && !slices.Contains(defaults, s) && !slices.Contains(list, s) {
				list = append(list, s)
			}
		}
	}
	for name := range strings.SplitSeq(param, " ") {
		take(func(s *iam.ClientScope) bool { return s.Name == name })
	}
	take(func(*iam.ClientScope) bool { return true })
	iam.HashOrder(defaults, 0, func(s *iam.ClientScope) string { return s.Name })
	list = append(list, defaults...)
	id := func(s *iam.ClientScope) string { return string(s.ID) }
	iam.HashOrder(list, 1, id)
	if len(permitted) < len(list) {
		list = slices.DeleteFunc(list, func(s *iam.ClientScope) bool { return !slices.Contains(permitted, s) })
		iam.HashOrder(list, 1, id)
	}
	return list
}
