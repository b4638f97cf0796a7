package iam

import (
	"math"
	"strconv"
)

// An IdentityProvider is another server that users may come from.
// Keycloak: IdentityProviderModel.
type IdentityProvider struct {
	ID          string // internalId
	Alias       string
	DisplayName string
	Provider    string // providerId, the kind: "oidc", "google"
	Enabled     bool
	TrustEmail  bool // an address from there counts as verified
	StoreToken  bool // what the provider has issued is kept with the link
	ReadToken   bool // addReadTokenRoleOnCreate: users made by it may read that token
	LinkOnly    bool // nobody logs in by it, accounts are linked only
	HideOnLogin bool
	FirstLogin  FlowID // firstBrokerLoginFlowAlias; "" is the realm's
	PostLogin   FlowID // postBrokerLoginFlowAlias; "" is none

	// Missing names the flows that the provider is set to and that are not there:
	// a login by it is refused, since a check may have been in them.
	Missing []string

	Config map[string]string // secrets in clear
}

// Get returns an entry of the configuration, "" when absent.
func (p *IdentityProvider) Get(name string) string { return p.Config[name] }

// Flag reports whether an entry of the configuration is "true".
func (p *IdentityProvider) Flag(name string) bool { return p.Config[name] == "true" }

// GUIOrder is the provider's place among others; those without one come last.
// Keycloak: IdentityProviderBean.IDP_COMPARATOR_INSTANCE.
func (p *IdentityProvider) GUIOrder() int {
	if n, err := strconv.Atoi(p.Config["guiOrder"]); err == nil {
		return n
	}
	return math.MaxInt
}

// A SyncMode says when what comes from an identity provider is written to a user.
type SyncMode string

// Keycloak's IdentityProviderMapperSyncMode and IdentityProviderSyncMode.
const (
	SyncImport  SyncMode = "IMPORT" // when the user is made
	SyncForce   SyncMode = "FORCE"  // at each login
	SyncLegacy  SyncMode = "LEGACY" // what each mapper did before there were modes
	SyncInherit SyncMode = "INHERIT"
)

// SyncMode is what applies to mappers that inherit it.
// Keycloak: IdentityProviderModel.getSyncMode.
func (p *IdentityProvider) SyncMode() SyncMode {
	if mode := SyncMode(p.Config["syncMode"]); mode != "" {
		return mode
	}
	return SyncLegacy
}

// An IdentityProviderMapper makes something of a user of what an identity
// provider has said about them. Keycloak: IdentityProviderMapperModel.
type IdentityProviderMapper struct {
	ID     string
	Name   string
	Mapper string // Keycloak's provider id: "oidc-role-idp-mapper"
	Config map[string]string
}

// SyncMode is the mapper's own, or that of its provider.
// Keycloak: IdentityProviderMapperSyncModeDelegate.combineIdpAndMapperSyncMode.
func (m *IdentityProviderMapper) SyncMode(p *IdentityProvider) SyncMode {
	switch mode := SyncMode(m.Config["syncMode"]); mode {
	case "":
		return SyncLegacy
	case SyncInherit:
		return p.SyncMode()
	default:
		return mode
	}
}
