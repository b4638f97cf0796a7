package doctor

import (
	"slices"
	"strings"

	"latchkey/internal/rep"
)

// A Provider is an identity provider, and what its mappers and links lead to.
type Provider struct {
	Rep     *rep.IdentityProvider
	Mappers []ProviderMapper
	Only    Known[Count] // users who are linked to it and have neither a password nor another link
}

// A ProviderMapper is a mapper, and the sensitive roles among those that it gives.
type ProviderMapper struct {
	Name  string
	Gives []string
}

// Sensitive reports whether a role, by the name that mappers have it by, is one
// that is not to be had by another server's word: it administers a realm, or
// makes a login an offline session.
func Sensitive(role string) bool {
	client, _, ofClient := strings.Cut(role, ".")
	return role == "offline_access" || role == "admin" || role == "create-realm" || ofClient && (client == "realm-management" ||
		strings.HasSuffix(client, "-realm"))
}

// providers calls f for every enabled identity provider.
func (a *answer) providers(f func(p *Provider, s Subject)) {
	list, ok := need(a, a.e.Providers)
	if !ok {
		return
	}
	for i := range list {
		if p := &list[i]; p.Rep.Enabled == nil || *p.Rep.Enabled {
			f(p, Subject{KindProvider, p.Rep.InternalID, p.Rep.Alias})
		}
	}
}

// unverifying are kinds of providers that tell addresses which nobody has verified, or
// do not tell whether somebody has. Microsoft's are whatever a tenant says.
var unverifying = []string{"bitbucket", "facebook", "microsoft", "oauth2", "paypal", "stackoverflow", "twitter"}

func isOIDC(p *rep.IdentityProvider) bool {
	return p.ProviderID == "oidc" || p.ProviderID == "keycloak-oidc"
}

func providerTrustsEmail(a *answer) {
	a.providers(func(p *Provider, s Subject) {
		unsigned := isOIDC(p.Rep) && p.Rep.Config["validateSignature"] != "true"
		if !rep.Val(p.Rep.TrustEmail) || !unsigned && !slices.Contains(unverifying, p.Rep.ProviderID) {
			return
		}
		evidence := []string{"trustEmail is true", "the kind of the provider is " + p.Rep.ProviderID}
		if unsigned {
			evidence = append(evidence, "validateSignature is not true")
		}
		a.find(s, Finding{
			What: "Addresses that identity provider " + s.Name +
				" tells count as verified, and it is not known that anybody has verified them.",
			Evidence: evidence,
			Consequence: "Whoever enters somebody else's address there has it here, verified: applications and flows that go by the address take " +
				"them for its owner.",
			Remedy: "Switch Trust Email off, so that users verify the address here, unless the provider is yours and verifies addresses itself.",
		})
	})
}

func providerUnsigned(a *answer) {
	a.providers(func(p *Provider, s Subject) {
		if !isOIDC(p.Rep) || p.Rep.Config["validateSignature"] == "true" {
			return
		}
		a.find(s, Finding{
			What:     "The signatures of tokens of identity provider " + s.Name + " are not checked.",
			Evidence: []string{"validateSignature is not true"},
			Consequence: "That a token is the provider's is known by the connection alone; logout tokens, and tokens that users bring, cannot be " +
				"told from forged ones.",
			Remedy: "Switch Validate Signatures and Use JWKS URL on, with the provider's jwks_uri; importing its metadata does so.",
		})
	})
}

func providerOnlyWay(a *answer) {
	a.providers(func(p *Provider, s Subject) {
		n, ok := need(a, p.Only)
		if !ok || n.N == 0 {
			return
		}
		a.find(s, Finding{
			What:        "Users of identity provider " + s.Name + " have no other way to log in.",
			Evidence:    []string{plural(n, "user") + " linked to it without a password or another link"},
			Consequence: "While it is down, or once it is removed, they cannot log in.",
			Remedy:      "Nothing, if that is meant. Before the provider is removed, let them set a password, or link them to its successor.",
		})
	})
}

func providerMapperGivesRights(a *answer) {
	a.providers(func(p *Provider, s Subject) {
		var evidence []string
		for _, m := range p.Mappers {
			for _, role := range m.Gives {
				evidence = append(evidence, "mapper "+m.Name+" gives "+role)
			}
		}
		if len(evidence) == 0 {
			return
		}
		a.find(s, Finding{
			What:        "Mappers of identity provider " + s.Name + " give roles that should not be had by another server's word.",
			Evidence:    evidence,
			Consequence: "Whoever administers the provider, or breaks into it, administers this realm, or has logins here that do not end.",
			Remedy:      "Give these roles to users or groups here, and remove the mappers.",
		})
	})
}
