package rep

import "github.com/go-json-experiment/json/jsontext"

// Client is Keycloak's ClientRepresentation. Attributes hold most of a client's OIDC and SAML
// settings, by Keycloak's names.
type Client struct {
	ID                                 string            `json:"id,omitzero"`
	ClientID                           string            `json:"clientId,omitzero"`
	Name                               *string           `json:"name,omitzero"`
	Description                        *string           `json:"description,omitzero"`
	Type                               *string           `json:"type,omitzero"`
	RootURL                            *string           `json:"rootUrl,omitzero"`
	AdminURL                           *string           `json:"adminUrl,omitzero"`
	BaseURL                            *string           `json:"baseUrl,omitzero"`
	SurrogateAuthRequired              *bool             `json:"surrogateAuthRequired,omitzero"`
	Enabled                            *bool             `json:"enabled,omitzero"`
	AlwaysDisplayInConsole             *bool             `json:"alwaysDisplayInConsole,omitzero"`
	ClientAuthenticatorType            string            `json:"clientAuthenticatorType,omitzero"`
	Secret                             *string           `json:"secret,omitzero"`
	RegistrationAccessToken            *string           `json:"registrationAccessToken,omitzero"`
	DefaultRoles                       []string          `json:"defaultRoles,omitzero"`
	RedirectURIs                       []string          `json:"redirectUris,omitzero"`
	WebOrigins                         []string          `json:"webOrigins,omitzero"`
	NotBefore                          *int              `json:"notBefore,omitzero"`
	BearerOnly                         *bool             `json:"bearerOnly,omitzero"`
	ConsentRequired                    *bool             `json:"consentRequired,omitzero"`
	StandardFlowEnabled                *bool             `json:"standardFlowEnabled,omitzero"`
	ImplicitFlowEnabled                *bool             `json:"implicitFlowEnabled,omitzero"`
	DirectAccessGrantsEnabled          *bool             `json:"directAccessGrantsEnabled,omitzero"`
	ServiceAccountsEnabled             *bool             `json:"serviceAccountsEnabled,omitzero"`
	AuthorizationServicesEnabled       *bool             `json:"authorizationServicesEnabled,omitzero"`
	DirectGrantsOnly                   *bool             `json:"directGrantsOnly,omitzero"`
	PublicClient                       *bool             `json:"publicClient,omitzero"`
	FrontchannelLogout                 *bool             `json:"frontchannelLogout,omitzero"`
	Protocol                           string            `json:"protocol,omitzero"`
	Attributes                         map[string]string `json:"attributes,omitzero"`
	AuthenticationFlowBindingOverrides map[string]string `json:"authenticationFlowBindingOverrides,omitzero"`
	FullScopeAllowed                   *bool             `json:"fullScopeAllowed,omitzero"`
	NodeReRegistrationTimeout          *int              `json:"nodeReRegistrationTimeout,omitzero"`
	RegisteredNodes                    map[string]int    `json:"registeredNodes,omitzero"`
	ProtocolMappers                    []ProtocolMapper  `json:"protocolMappers,omitzero"`
	ClientTemplate                     string            `json:"clientTemplate,omitzero"`
	UseTemplateConfig                  *bool             `json:"useTemplateConfig,omitzero"`
	UseTemplateScope                   *bool             `json:"useTemplateScope,omitzero"`
	UseTemplateMappers                 *bool             `json:"useTemplateMappers,omitzero"`
	DefaultClientScopes                []string          `json:"defaultClientScopes,omitzero"`
	OptionalClientScopes               []string          `json:"optionalClientScopes,omitzero"`
	AuthorizationSettings              *ResourceServer   `json:"authorizationSettings,omitzero"`
	Access                             map[string]bool   `json:"access,omitzero"`
	Origin                             string            `json:"origin,omitzero"`
	InheritsScopes                     bool              `json:"-"` // its scopes were not given: they are the realm's for new clients

	Unknown jsontext.Value `json:",embed" rep:"ClientRepresentation"`
}

// ProtocolMapper is Keycloak's ProtocolMapperRepresentation.
type ProtocolMapper struct {
	ID              string            `json:"id,omitzero"`
	Name            string            `json:"name,omitzero"`
	Protocol        string            `json:"protocol,omitzero"`
	ProtocolMapper  string            `json:"protocolMapper,omitzero"`
	ConsentRequired bool              `json:"consentRequired"`
	ConsentText     *string           `json:"consentText,omitzero"`
	Config          map[string]string `json:"config,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ProtocolMapperRepresentation"`
}

// ClientScope is Keycloak's ClientScopeRepresentation.
type ClientScope struct {
	ID              string            `json:"id,omitzero"`
	Name            string            `json:"name,omitzero"`
	Description     *string           `json:"description,omitzero"`
	Protocol        string            `json:"protocol,omitzero"`
	Attributes      map[string]string `json:"attributes,omitzero"`
	ProtocolMappers []ProtocolMapper  `json:"protocolMappers,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ClientScopeRepresentation,ignore"`
}

// ClientInitialAccess is Keycloak's ClientInitialAccessPresentation.
type ClientInitialAccess struct {
	ID             string `json:"id,omitzero"`
	Token          string `json:"token,omitzero"`
	Timestamp      *int   `json:"timestamp,omitzero"`
	Expiration     *int   `json:"expiration,omitzero"`
	Count          *int   `json:"count,omitzero"`
	RemainingCount *int   `json:"remainingCount,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ClientInitialAccessPresentation"`
}

// ClientInitialAccessCreate is Keycloak's ClientInitialAccessCreatePresentation.
type ClientInitialAccessCreate struct {
	Expiration *int     `json:"expiration,omitzero"`
	Count      *int     `json:"count,omitzero"`
	WebOrigins []string `json:"webOrigins,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ClientInitialAccessCreatePresentation"`
}

// Certificate is Keycloak's CertificateRepresentation.
type Certificate struct {
	PrivateKey  string `json:"privateKey,omitzero"`
	PublicKey   string `json:"publicKey,omitzero"`
	Certificate string `json:"certificate,omitzero"`
	Kid         string `json:"kid,omitzero"`
	JWKS        string `json:"jwks,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"CertificateRepresentation"`
}

// KeyStoreConfig is Keycloak's KeyStoreConfig.
type KeyStoreConfig struct {
	RealmCertificate *bool  `json:"realmCertificate,omitzero"`
	StorePassword    string `json:"storePassword,omitzero"`
	KeyPassword      string `json:"keyPassword,omitzero"`
	KeyAlias         string `json:"keyAlias,omitzero"`
	RealmAlias       string `json:"realmAlias,omitzero"`
	Format           string `json:"format,omitzero"`
	KeySize          *int   `json:"keySize,omitzero"`
	Validity         *int   `json:"validity,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"KeyStoreConfig"`
}

// GlobalRequestResult is Keycloak's GlobalRequestResult.
type GlobalRequestResult struct {
	SuccessRequests []string `json:"successRequests,omitzero"`
	FailedRequests  []string `json:"failedRequests,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"GlobalRequestResult"`
}

// ManagementPermissionReference is Keycloak's ManagementPermissionReference.
type ManagementPermissionReference struct {
	Enabled          bool              `json:"enabled"`
	Resource         string            `json:"resource,omitzero"`
	ScopePermissions map[string]string `json:"scopePermissions,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ManagementPermissionReference"`
}

// ManagementPermission is Keycloak's ManagementPermissionRepresentation.
type ManagementPermission struct {
	Enabled bool `json:"enabled"`

	Unknown jsontext.Value `json:",embed" rep:"ManagementPermissionRepresentation"`
}
