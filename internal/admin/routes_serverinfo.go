package admin

import (
	"embed"
	"maps"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/rep"
)

// serverinfo.json is what GET /admin/serverinfo of Keycloak 26.7.3 says about
// providers, without those that Latchkey lacks, and of all features. One of which
// only a part is there is not enabled. The themes are Keycloak's names for the one that is
// there: tools refuse to set a theme that the server does not list.
//
//go:embed serverinfo.json providers.json
var serverInfoFS embed.FS

// serverInfoRoutes: Keycloak's ServerInfoAdminResource.
func (h *Handler) serverInfoRoutes() []Route {
	return []Route{{"GET /admin/serverinfo", Checked, None, "", h.serverInfo, ByMethod}}
}

// serverInfo tells any administrator what there is; how the server runs is for
// those who may look into the master realm.
func (h *Handler) serverInfo(c *Call) (any, error) {
	home := c.Caller.Realm
	if !c.Can(AnyAdmin, onRealm(home)) && !c.Caller.HoldsRealmRole(string(CreateRealm)) {
		return nil, errForbidden
	}
	v := new(rep.ServerInfo)
	*v = *serverInfoOf()
	h.onlyBuilt(v)
	v.Themes = h.spoken(v.Themes)
	v.ProfileInfo = profileOf(v.Features)
	v.SystemInfo = &rep.SystemInfo{Version: realms.KeycloakVersion}
	if home.Name == masterRealm && c.Can(ViewRealm, onRealm(home)) {
		h.machine(v)
	}
	return v, nil
}

// spoken are the built-in themes, with the languages alone that the server was built with, and those of the directory of themes.
func (h *Handler) spoken(themes map[string][]rep.ThemeInfo) map[string][]rep.ThemeInfo {
	out := make(map[string][]rep.ThemeInfo, len(themes))
	for kind, list := range themes {
		for _, theme := range list {
			if kind == "login" || kind == "email" { // the consoles have texts of their own
				theme.Locales = slices.DeleteFunc(slices.Clone(theme.Locales), func(l string) bool { return !h.Pages.Texts().Speaks(l) })
			}
			out[kind] = append(out[kind], theme)
		}
		own := h.Pages.Names(kind)
		if len(own) == 0 || len(list) == 0 {
			continue
		}
		for _, name := range own {
			out[kind] = append(out[kind], rep.ThemeInfo{Name: name, Locales: out[kind][0].Locales})
		}
	}
	return out
}

// profileOf sorts features as Keycloak's profile does.
func profileOf(features []rep.Feature) *rep.ProfileInfo {
	p := &rep.ProfileInfo{Name: "default", DisabledFeatures: []string{}, PreviewFeatures: []string{}, ExperimentalFeatures: []string{}}
	for _, f := range features {
		if !f.Enabled {
			p.DisabledFeatures = append(p.DisabledFeatures, f.Name)
		}
		switch f.Type {
		case "PREVIEW":
			p.PreviewFeatures = append(p.PreviewFeatures, f.Name)
		case "EXPERIMENTAL":
			p.ExperimentalFeatures = append(p.ExperimentalFeatures, f.Name)
		}
	}
	return p
}

// partsOfFlows are the kinds of providers that flows and required actions may
// name although they are not built, so that their lists hold them.
var partsOfFlows = map[string]struct {
	component string
	can       realms.Capability
}{
	"authenticator":        {"org.keycloak.authentication.Authenticator", realms.CanAuthenticate},
	"form-action":          {"org.keycloak.authentication.FormAction", realms.CanAuthenticate},
	"client-authenticator": {"org.keycloak.authentication.ClientAuthenticator", realms.CanAuthClient},
	"required-action":      {"", realms.CanRequire},
}

// onlyBuilt makes a copy of the server's information tell what the server can do
// of what flows may name, and of identity providers.
func (h *Handler) onlyBuilt(v *rep.ServerInfo) {
	v.Providers, v.ComponentTypes = maps.Clone(v.Providers), maps.Clone(v.ComponentTypes)
	h.describeProviders(v)
	can := h.Manager.Can
	for name, part := range partsOfFlows {
		info := v.Providers[name]
		info.Providers = maps.Clone(info.Providers)
		maps.DeleteFunc(info.Providers, func(id string, _ rep.Provider) bool { return !can(part.can, id) })
		v.Providers[name] = info
		if part.component != "" {
			v.ComponentTypes[part.component] = slices.DeleteFunc(slices.Clone(v.ComponentTypes[part.component]),
				func(t rep.ComponentType) bool { return !can(part.can, t.ID) })
		}
	}
}

// serverInfoOf reads the embedded text once, and adds what the lists of
// providers say already; a test holds that it can be read.
var serverInfoOf = sync.OnceValue(func() *rep.ServerInfo {
	v := new(rep.ServerInfo)
	if text, err := serverInfoFS.ReadFile("serverinfo.json"); err == nil {
		_ = rep.Unmarshal(text, v)
	}
	if v.ComponentTypes == nil {
		v.ComponentTypes = map[string][]rep.ComponentType{}
	}
	flows := authProvidersOf()
	for class, list := range map[string][]authProvider{
		"Authenticator": flows.Authenticators, "ClientAuthenticator": flows.ClientAuthenticators,
		"FormAuthenticator": flows.Forms, "FormAction": flows.FormActions,
	} {
		v.ComponentTypes["org.keycloak.authentication."+class] = typesOfFlow(list)
	}
	mappers := v.ProtocolMapperTypes[string(iam.OIDC)]
	for _, m := range mappers {
		t := rep.ComponentType{ID: m.ID, Properties: m.Properties, Metadata: map[string]jsontext.Value{}}
		if m.HelpText != "" {
			t.HelpText = &m.HelpText
		}
		v.ComponentTypes[typeMapper] = append(v.ComponentTypes[typeMapper], t)
	}
	for _, name := range notYetThere {
		if v.ComponentTypes[name] == nil {
			v.ComponentTypes[name] = []rep.ComponentType{}
		}
	}
	v.Providers = map[string]rep.SpiInfo{
		"authenticator":              spi(flows.Authenticators, func(p authProvider) string { return p.ID }),
		"client-authenticator":       spi(flows.ClientAuthenticators, func(p authProvider) string { return p.ID }),
		"form-authenticator":         spi(flows.Forms, func(p authProvider) string { return p.ID }),
		"form-action":                spi(flows.FormActions, func(p authProvider) string { return p.ID }),
		"required-action":            spi(flows.RequiredActions, func(p actionProvider) string { return p.ProviderID }),
		"protocol-mapper":            spi(mappers, func(m rep.ProtocolMapperType) string { return m.ID }),
		"password-policy":            spi(v.PasswordPolicies, func(p rep.PasswordPolicyType) string { return p.ID }),
		"keys":                       spiOfType(v, realms.TypeKeyProvider),
		"client-registration-policy": spiOfType(v, realms.TypeRegistrationPolicy),
		"validator":                  spiOfType(v, "org.keycloak.validate.Validator"),
		"userProfile":                spiOfType(v, realms.TypeUserProfile),
		"client-installation":        spi(v.ClientInstallations[string(iam.OIDC)], func(i rep.ClientInstallation) string { return i.ID }),
	}
	for name, ids := range otherProviders {
		info := spi(ids, func(id string) string { return id })
		maps.Copy(info.Providers, v.Providers[name].Providers)
		v.Providers[name] = info
	}
	for name, orders := range providerOrders {
		for id, order := range orders {
			v.Providers[name].Providers[id] = rep.Provider{Order: order}
		}
	}
	for _, algs := range [][]string{v.CryptoInfo.ClientSignatureSymmetricAlgorithms, v.CryptoInfo.ClientSignatureAsymmetricAlgorithms} {
		for _, name := range []string{"signature", "clientSignature"} {
			has := v.Providers[name].Providers
			if has == nil {
				has = map[string]rep.Provider{}
				v.Providers[name] = rep.SpiInfo{Internal: true, Providers: has}
			}
			maps.Copy(has, spi(algs, func(id string) string { return id }).Providers)
		}
	}
	return v
})

// notYetThere are the types of components of which there are none. The console reads
// their lists without asking whether they are there.
var notYetThere = []string{
	"org.keycloak.models.workflow.WorkflowProvider",
	"org.keycloak.models.workflow.WorkflowStepProvider", "org.keycloak.services.clientpolicy.condition.ClientPolicyConditionProvider",
	"org.keycloak.services.clientpolicy.executor.ClientPolicyExecutorProvider", "org.keycloak.storage.UserStorageProvider",
	"org.keycloak.storage.ldap.mappers.LDAPStorageMapper",
}

const typeMapper = "org.keycloak.protocol.ProtocolMapper"

// otherProviders are those that no other list has, by Keycloak's names for
// their kinds: what tools and the console look up there.
var otherProviders = map[string][]string{
	"login-protocol":               {"openid-connect"},
	"client-registration":          {"default", "openid-connect"},
	"client-description-converter": {"keycloak", "openid-connect"},
	"well-known":                   {"openid-configuration", "oauth-authorization-server", "uma2-configuration"},
	"eventsListener":               {"jboss-logging", "email"},
	"actionTokenHandler":           {"execute-actions", "idp-verify-account-via-email", "reset-credentials", "update-email", "verify-email"},
	"emailSender":                  {"default"},
	"emailTemplate":                {"freemarker"},
	"password-hashing":             {"argon2", "pbkdf2", "pbkdf2-sha256", "pbkdf2-sha512"},
	"cekmanagement":                {"RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"},
	"contentencryption":            {"A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512", "A128GCM", "A192GCM", "A256GCM"},
	"oauth2-grant-type": {"authorization_code", "client_credentials", "password", "refresh_token",
		"urn:ietf:params:oauth:grant-type:token-exchange"},
	"oauth2-token-exchange":      {"standard"},
	"oauth2-token-introspection": {"access_token", "refresh_token"},
	"openid-connect-ext":         {"par"},
	"account-resource":           {"default"},
	"bruteForceProtector":        {"default-brute-force-detector"},
	"credential": {"keycloak-password", "keycloak-otp", "keycloak-recovery-authn-codes", "keycloak-webauthn",
		"keycloak-webauthn-passwordless"},
	"otp-application":               {"freeotp", "google", "microsoft-authenticator"},
	"hash":                          {"SHA-256", "SHA-384", "SHA-512"},
	"export":                        {"dir", "singleFile"},
	"import":                        {"dir", "singleFile"},
	"admin-realm-restapi-extension": {"clear-realm-cache", "clear-user-cache", "clear-keys-cache", "clear-crl-cache", "ui-ext"},
	// Validators that no profile names: rules that hold for every one.
	"validator": {
		"not-blank", "not-empty", "up-attribute-required-by-metadata-value", "up-blank-attribute-value", "up-duplicate-email",
		"up-duplicate-username",
		"up-email-exists-as-username", "up-immutable-attribute", "up-readonly-attribute-unchanged",
		"up-registration-email-as-username-email-value",
		"up-registration-email-as-username-username-value", "up-registration-username-exists", "up-username-has-value", "up-username-mutation",
	},
}

// providerOrders are those that are not 0: the highest is the one that is taken.
var providerOrders = map[string]map[string]int{
	"login-protocol":        {"openid-connect": 100},
	"oauth2-token-exchange": {"standard": 10},
	"password-hashing":      {"argon2": 300, "pbkdf2": -100, "pbkdf2-sha256": 100, "pbkdf2-sha512": 200},
	"userProfile":           {"declarative-user-profile": 1},
}

// spi is what Keycloak says of a kind of provider.
func spi[P any](list []P, id func(P) string) rep.SpiInfo {
	info := rep.SpiInfo{Internal: true, Providers: map[string]rep.Provider{}}
	for _, p := range list {
		info.Providers[id(p)] = rep.Provider{}
	}
	return info
}

func spiOfType(v *rep.ServerInfo, kind string) rep.SpiInfo {
	return spi(v.ComponentTypes[kind], func(t rep.ComponentType) string { return t.ID })
}

// typesOfFlow describes providers of flows as components.
func typesOfFlow(list []authProvider) []rep.ComponentType {
	out := make([]rep.ComponentType, 0, len(list))
	for _, p := range list {
		t := rep.ComponentType{ID: p.ID, Properties: slices.Clone(p.Properties), ClientProperties: p.PerClient,
			Metadata: map[string]jsontext.Value{}}
		if p.Description != "" {
			t.HelpText = &p.Description
		}
		if t.Properties == nil {
			t.Properties = []rep.ConfigProperty{}
		}
		out = append(out, t)
	}
	return out
}
