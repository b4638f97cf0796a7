package realms

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/rep"
)

// Identity providers and client registration policies of Keycloak 26.7, by the
// ids of their types. A file that names another type is one that Keycloak breaks
// down over, also where the provider is disabled.
var (
	brokerTypes = []string{
		"bitbucket", "facebook", "github", "gitlab", "google", "linkedin-openid-connect", "microsoft", "openshift-v4", "paypal",
		"stackoverflow", "twitter",
		"jwt-authorization-grant", "keycloak-oidc", "kubernetes", "oauth2", "oidc", "saml",
	}
	registrationPolicyTypes = []string{
		"allowed-client-templates", "allowed-protocol-mappers", "client-disabled", "consent-required", "max-clients", "registration-web-origins",
		"scope", "trusted-hosts",
	}
)

// brokerAddresses are the settings of identity providers whose scheme Keycloak
// holds against sslRequired. Keycloak: OIDCIdentityProviderConfig.validate,
// SAMLIdentityProviderConfig.validate.
var brokerAddresses = map[string][]string{
	"oidc":          {"authorizationUrl", "tokenUrl", "userInfoUrl", "logoutUrl", "jwksUrl", "tokenIntrospectionUrl"},
	"keycloak-oidc": {"authorizationUrl", "tokenUrl", "userInfoUrl", "logoutUrl", "jwksUrl", "tokenIntrospectionUrl"},
	"saml":          {"singleSignOnServiceUrl", "singleLogoutServiceUrl", "artifactResolutionServiceUrl", "metadataDescriptorUrl"},
}

// elsewhere looks for what is kept here and what Keycloak refuses the whole file for.
func (g *gapFinder) elsewhere() {
	refused := func(place, format string, args ...any) {
		g.add(place, fmt.Sprintf(format, args...)+": Keycloak refuses the whole file for it")
	}
	for i := range g.p.given.Clients {
		c, place := &g.p.given.Clients[i], fmt.Sprintf("/clients/%d", i)
		if p := c.Protocol; p != "" && p != string(iam.OIDC) && p != "saml" {
			refused(place+"/protocol", "there is no protocol %s", p)
		}
		for j, m := range c.ProtocolMappers {
			if m.Protocol == "" {
				refused(fmt.Sprintf("%s/protocolMappers/%d", place, j), "mapper %s has no protocol", m.Name)
			}
		}
	}
	for i := range g.p.given.ClientScopes {
		for j, m := range g.p.given.ClientScopes[i].ProtocolMappers {
			if m.Protocol == "" {
				refused(fmt.Sprintf("/clientScopes/%d/protocolMappers/%d", i, j), "mapper %s has no protocol", m.Name)
			}
		}
	}
	for i := range g.p.given.IdentityProviders {
		p, place := &g.p.given.IdentityProviders[i], fmt.Sprintf("/identityProviders/%d", i)
		if !slices.Contains(brokerTypes, p.ProviderID) {
			refused(place+"/providerId", "there is no type of identity providers %q", p.ProviderID)
		}
		for _, name := range brokerAddresses[p.ProviderID] {
			if plainAddress(g.r, p.Config[name]) {
				refused(place+"/config/"+name, "the address is not https, and sslRequired is %s", g.r.SSLRequired)
			}
		}
	}
	for i, c := range g.p.given.Components[TypeRegistrationPolicy] {
		if !slices.Contains(registrationPolicyTypes, c.ProviderID) {
			refused(fmt.Sprintf("/components/%s/%d/providerId", TypeRegistrationPolicy, i), "there is no client registration policy %q",
				c.ProviderID)
		}
	}
}

// plainAddress reports whether an address is one that the realm's sslRequired
// forbids. Keycloak: UriUtils.checkUrl, SslRequired.isRequired.
func plainAddress(r *rep.Realm, text string) bool {
	u, err := url.Parse(text)
	if err != nil || !strings.EqualFold(u.Scheme, "http") {
		return false
	}
	switch iam.SSLRequirement(r.SSLRequired) {
	case iam.SSLNone:
		return false
	case iam.SSLAll:
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return !(u.Hostname() == "localhost" || err == nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified()))
}
