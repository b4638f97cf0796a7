package rep

import "github.com/go-json-experiment/json/jsontext"

// Realm is Keycloak's RealmRepresentation: a realm's settings and, in realm files, all that it
// holds. Durations are seconds unless the name says otherwise.
type Realm struct {
	ID                                                        string                       `json:"id,omitzero"`
	Realm                                                     string                       `json:"realm,omitzero"`
	DisplayName                                               *string                      `json:"displayName,omitzero"`
	DisplayNameHTML                                           *string                      `json:"displayNameHtml,omitzero"`
	NotBefore                                                 *int                         `json:"notBefore,omitzero"`
	DefaultSignatureAlgorithm                                 *string                      `json:"defaultSignatureAlgorithm,omitzero"`
	RevokeRefreshToken                                        *bool                        `json:"revokeRefreshToken,omitzero"`
	RefreshTokenMaxReuse                                      *int                         `json:"refreshTokenMaxReuse,omitzero"`
	AccessTokenLifespan                                       *int                         `json:"accessTokenLifespan,omitzero"`
	AccessTokenLifespanForImplicitFlow                        *int                         `json:"accessTokenLifespanForImplicitFlow,omitzero"`
	SSOSessionIdleTimeout                                     *int                         `json:"ssoSessionIdleTimeout,omitzero"`
	SSOSessionMaxLifespan                                     *int                         `json:"ssoSessionMaxLifespan,omitzero"`
	SSOSessionIdleTimeoutRememberMe                           *int                         `json:"ssoSessionIdleTimeoutRememberMe,omitzero"`
	SSOSessionMaxLifespanRememberMe                           *int                         `json:"ssoSessionMaxLifespanRememberMe,omitzero"`
	OfflineSessionIdleTimeout                                 *int                         `json:"offlineSessionIdleTimeout,omitzero"`
	OfflineSessionMaxLifespanEnabled                          *bool                        `json:"offlineSessionMaxLifespanEnabled,omitzero"`
	OfflineSessionMaxLifespan                                 *int                         `json:"offlineSessionMaxLifespan,omitzero"`
	ClientSessionIdleTimeout                                  *int                         `json:"clientSessionIdleTimeout,omitzero"`
	ClientSessionMaxLifespan                                  *int                         `json:"clientSessionMaxLifespan,omitzero"`
	ClientOfflineSessionIdleTimeout                           *int                         `json:"clientOfflineSessionIdleTimeout,omitzero"`
	ClientOfflineSessionMaxLifespan                           *int                         `json:"clientOfflineSessionMaxLifespan,omitzero"`
	AccessCodeLifespan                                        *int                         `json:"accessCodeLifespan,omitzero"`
	AccessCodeLifespanUserAction                              *int                         `json:"accessCodeLifespanUserAction,omitzero"`
	AccessCodeLifespanLogin                                   *int                         `json:"accessCodeLifespanLogin,omitzero"`
	ActionTokenGeneratedByAdminLifespan                       *int                         `json:"actionTokenGeneratedByAdminLifespan,omitzero"`
	ActionTokenGeneratedByUserLifespan                        *int                         `json:"actionTokenGeneratedByUserLifespan,omitzero"`
	OAuth2DeviceCodeLifespan                                  *int                         `json:"oauth2DeviceCodeLifespan,omitzero"`
	OAuth2DevicePollingInterval                               *int                         `json:"oauth2DevicePollingInterval,omitzero"`
	Enabled                                                   *bool                        `json:"enabled,omitzero"`
	SSLRequired                                               string                       `json:"sslRequired,omitzero"`
	PasswordCredentialGrantAllowed                            *bool                        `json:"passwordCredentialGrantAllowed,omitzero"`
	RegistrationAllowed                                       *bool                        `json:"registrationAllowed,omitzero"`
	RegistrationEmailAsUsername                               *bool                        `json:"registrationEmailAsUsername,omitzero"`
	RememberMe                                                *bool                        `json:"rememberMe,omitzero"`
	VerifyEmail                                               *bool                        `json:"verifyEmail,omitzero"`
	LoginWithEmailAllowed                                     *bool                        `json:"loginWithEmailAllowed,omitzero"`
	DuplicateEmailsAllowed                                    *bool                        `json:"duplicateEmailsAllowed,omitzero"`
	ResetPasswordAllowed                                      *bool                        `json:"resetPasswordAllowed,omitzero"`
	EditUsernameAllowed                                       *bool                        `json:"editUsernameAllowed,omitzero"`
	BruteForceProtected                                       *bool                        `json:"bruteForceProtected,omitzero"`
	PermanentLockout                                          *bool                        `json:"permanentLockout,omitzero"`
	MaxTemporaryLockouts                                      *int                         `json:"maxTemporaryLockouts,omitzero"`
	BruteForceStrategy                                        string                       `json:"bruteForceStrategy,omitzero" rep:"enum=LINEAR|MULTIPLE"`
	MaxFailureWaitSeconds                                     *int                         `json:"maxFailureWaitSeconds,omitzero"`
	MinimumQuickLoginWaitSeconds                              *int                         `json:"minimumQuickLoginWaitSeconds,omitzero"`
	WaitIncrementSeconds                                      *int                         `json:"waitIncrementSeconds,omitzero"`
	QuickLoginCheckMilliSeconds                               *int64                       `json:"quickLoginCheckMilliSeconds,omitzero"`
	MaxDeltaTimeSeconds                                       *int                         `json:"maxDeltaTimeSeconds,omitzero"`
	FailureFactor                                             *int                         `json:"failureFactor,omitzero"`
	MaxSecondaryAuthFailures                                  *int                         `json:"maxSecondaryAuthFailures,omitzero"`
	PrivateKey                                                *string                      `json:"privateKey,omitzero"`
	PublicKey                                                 *string                      `json:"publicKey,omitzero"`
	Certificate                                               *string                      `json:"certificate,omitzero"`
	CodeSecret                                                *string                      `json:"codeSecret,omitzero"`
	Roles                                                     *Roles                       `json:"roles,omitzero"`
	Groups                                                    []Group                      `json:"groups,omitzero"`
	DefaultRoles                                              []string                     `json:"defaultRoles,omitzero"`
	DefaultRole                                               *Role                        `json:"defaultRole,omitzero"`
	AdminPermissionsClient                                    *Client                      `json:"adminPermissionsClient,omitzero"`
	DefaultGroups                                             []string                     `json:"defaultGroups,omitzero"`
	RequiredCredentials                                       []string                     `json:"requiredCredentials,omitzero"`
	PasswordPolicy                                            *string                      `json:"passwordPolicy,omitzero"`
	OTPPolicyType                                             string                       `json:"otpPolicyType,omitzero"`
	OTPPolicyAlgorithm                                        string                       `json:"otpPolicyAlgorithm,omitzero"`
	OTPPolicyInitialCounter                                   *int                         `json:"otpPolicyInitialCounter,omitzero"`
	OTPPolicyDigits                                           *int                         `json:"otpPolicyDigits,omitzero"`
	OTPPolicyLookAheadWindow                                  *int                         `json:"otpPolicyLookAheadWindow,omitzero"`
	OTPPolicyPeriod                                           *int                         `json:"otpPolicyPeriod,omitzero"`
	OTPPolicyCodeReusable                                     *bool                        `json:"otpPolicyCodeReusable,omitzero"`
	OTPSupportedApplications                                  []string                     `json:"otpSupportedApplications,omitzero"`
	LocalizationTexts                                         map[string]map[string]string `json:"localizationTexts,omitzero"`
	WebAuthnPolicyRPEntityName                                *string                      `json:"webAuthnPolicyRpEntityName,omitzero"`
	WebAuthnPolicySignatureAlgorithms                         []string                     `json:"webAuthnPolicySignatureAlgorithms,omitzero"`
	WebAuthnPolicyRPID                                        *string                      `json:"webAuthnPolicyRpId,omitzero"`
	WebAuthnPolicyAttestationConveyancePreference             *string                      `json:"webAuthnPolicyAttestationConveyancePreference,omitzero"`
	WebAuthnPolicyAuthenticatorAttachment                     *string                      `json:"webAuthnPolicyAuthenticatorAttachment,omitzero"`
	WebAuthnPolicyRequireResidentKey                          *string                      `json:"webAuthnPolicyRequireResidentKey,omitzero"`
	WebAuthnPolicyResidentKey                                 *string                      `json:"webAuthnPolicyResidentKey,omitzero"`
	WebAuthnPolicyUserVerificationRequirement                 *string                      `json:"webAuthnPolicyUserVerificationRequirement,omitzero"`
	WebAuthnPolicyCreateTimeout                               *int                         `json:"webAuthnPolicyCreateTimeout,omitzero"`
	WebAuthnPolicyAvoidSameAuthenticatorRegister              *bool                        `json:"webAuthnPolicyAvoidSameAuthenticatorRegister,omitzero"`
	WebAuthnPolicyAcceptableAaguids                           []string                     `json:"webAuthnPolicyAcceptableAaguids,omitzero"`
	WebAuthnPolicyExtraOrigins                                []string                     `json:"webAuthnPolicyExtraOrigins,omitzero"`
	WebAuthnPolicyPasswordlessRPEntityName                    *string                      `json:"webAuthnPolicyPasswordlessRpEntityName,omitzero"`
	WebAuthnPolicyPasswordlessSignatureAlgorithms             []string                     `json:"webAuthnPolicyPasswordlessSignatureAlgorithms,omitzero"`
	WebAuthnPolicyPasswordlessRPID                            *string                      `json:"webAuthnPolicyPasswordlessRpId,omitzero"`
	WebAuthnPolicyPasswordlessAttestationConveyancePreference *string                      `json:"webAuthnPolicyPasswordlessAttestationConveyancePreference,omitzero"`
	WebAuthnPolicyPasswordlessAuthenticatorAttachment         *string                      `json:"webAuthnPolicyPasswordlessAuthenticatorAttachment,omitzero"`
	WebAuthnPolicyPasswordlessRequireResidentKey              *string                      `json:"webAuthnPolicyPasswordlessRequireResidentKey,omitzero"`
	WebAuthnPolicyPasswordlessResidentKey                     *string                      `json:"webAuthnPolicyPasswordlessResidentKey,omitzero"`
	WebAuthnPolicyPasswordlessUserVerificationRequirement     *string                      `json:"webAuthnPolicyPasswordlessUserVerificationRequirement,omitzero"`
	WebAuthnPolicyPasswordlessCreateTimeout                   *int                         `json:"webAuthnPolicyPasswordlessCreateTimeout,omitzero"`
	WebAuthnPolicyPasswordlessAvoidSameAuthenticatorRegister  *bool                        `json:"webAuthnPolicyPasswordlessAvoidSameAuthenticatorRegister,omitzero"`
	WebAuthnPolicyPasswordlessAcceptableAaguids               []string                     `json:"webAuthnPolicyPasswordlessAcceptableAaguids,omitzero"`
	WebAuthnPolicyPasswordlessExtraOrigins                    []string                     `json:"webAuthnPolicyPasswordlessExtraOrigins,omitzero"`
	WebAuthnPolicyPasswordlessPasskeysEnabled                 *bool                        `json:"webAuthnPolicyPasswordlessPasskeysEnabled,omitzero"`
	WebAuthnPolicyPasswordlessMediation                       *string                      `json:"webAuthnPolicyPasswordlessMediation,omitzero"`
	Users                                                     []User                       `json:"users,omitzero"`
	FederatedUsers                                            []User                       `json:"federatedUsers,omitzero"`
	ScopeMappings                                             []ScopeMapping               `json:"scopeMappings,omitzero"`
	ClientScopeMappings                                       map[string][]ScopeMapping    `json:"clientScopeMappings,omitzero"`
	Clients                                                   []Client                     `json:"clients,omitzero"`
	ClientScopes                                              []ClientScope                `json:"clientScopes,omitzero"`
	DefaultDefaultClientScopes                                []string                     `json:"defaultDefaultClientScopes,omitzero"`
	DefaultOptionalClientScopes                               []string                     `json:"defaultOptionalClientScopes,omitzero"`
	BrowserSecurityHeaders                                    map[string]string            `json:"browserSecurityHeaders,omitzero"`
	SMTPServer                                                map[string]string            `json:"smtpServer,omitzero"`
	UserFederationProviders                                   []UserFederationProvider     `json:"userFederationProviders,omitzero"`
	UserFederationMappers                                     []UserFederationMapper       `json:"userFederationMappers,omitzero"`
	LoginTheme                                                *string                      `json:"loginTheme,omitzero"`
	AccountTheme                                              *string                      `json:"accountTheme,omitzero"`
	AdminTheme                                                *string                      `json:"adminTheme,omitzero"`
	EmailTheme                                                *string                      `json:"emailTheme,omitzero"`
	EventsEnabled                                             *bool                        `json:"eventsEnabled,omitzero"`
	EventsExpiration                                          *int64                       `json:"eventsExpiration,omitzero"`
	EventsListeners                                           []string                     `json:"eventsListeners,omitzero"`
	EnabledEventTypes                                         []string                     `json:"enabledEventTypes,omitzero"`
	AdminEventsEnabled                                        *bool                        `json:"adminEventsEnabled,omitzero"`
	AdminEventsDetailsEnabled                                 *bool                        `json:"adminEventsDetailsEnabled,omitzero"`
	IdentityProviders                                         []IdentityProvider           `json:"identityProviders,omitzero"`
	IdentityProviderMappers                                   []IdentityProviderMapper     `json:"identityProviderMappers,omitzero"`
	ProtocolMappers                                           []ProtocolMapper             `json:"protocolMappers,omitzero"`
	Components                                                map[string][]ComponentExport `json:"components,omitzero"`
	InternationalizationEnabled                               *bool                        `json:"internationalizationEnabled,omitzero"`
	SupportedLocales                                          []string                     `json:"supportedLocales,omitzero"`
	DefaultLocale                                             *string                      `json:"defaultLocale,omitzero"`
	AuthenticationFlows                                       []Flow                       `json:"authenticationFlows,omitzero"`
	AuthenticatorConfig                                       []AuthenticatorConfig        `json:"authenticatorConfig,omitzero"`
	RequiredActions                                           []RequiredAction             `json:"requiredActions,omitzero"`
	BrowserFlow                                               string                       `json:"browserFlow,omitzero"`
	RegistrationFlow                                          string                       `json:"registrationFlow,omitzero"`
	DirectGrantFlow                                           string                       `json:"directGrantFlow,omitzero"`
	ResetCredentialsFlow                                      string                       `json:"resetCredentialsFlow,omitzero"`
	ClientAuthenticationFlow                                  string                       `json:"clientAuthenticationFlow,omitzero"`
	DockerAuthenticationFlow                                  string                       `json:"dockerAuthenticationFlow,omitzero"`
	FirstBrokerLoginFlow                                      *string                      `json:"firstBrokerLoginFlow,omitzero"`
	Attributes                                                map[string]string            `json:"attributes,omitzero"`
	KeycloakVersion                                           string                       `json:"keycloakVersion,omitzero"`
	UserManagedAccessAllowed                                  *bool                        `json:"userManagedAccessAllowed,omitzero"`
	OrganizationsEnabled                                      *bool                        `json:"organizationsEnabled,omitzero"`
	Organizations                                             []Organization               `json:"organizations,omitzero"`
	VerifiableCredentialsEnabled                              *bool                        `json:"verifiableCredentialsEnabled,omitzero"`
	AdminPermissionsEnabled                                   *bool                        `json:"adminPermissionsEnabled,omitzero"`
	Social                                                    *bool                        `json:"social,omitzero"`
	UpdateProfileOnInitialSocialLogin                         *bool                        `json:"updateProfileOnInitialSocialLogin,omitzero"`
	SocialProviders                                           map[string]string            `json:"socialProviders,omitzero"`
	ApplicationScopeMappings                                  map[string][]ScopeMapping    `json:"applicationScopeMappings,omitzero"`
	Applications                                              []jsontext.Value             `json:"applications,omitzero"`
	OAuthClients                                              []jsontext.Value             `json:"oauthClients,omitzero"`
	ClientTemplates                                           []jsontext.Value             `json:"clientTemplates,omitzero"`
	SCIMAPIEnabled                                            *bool                        `json:"scimApiEnabled,omitzero"`
	ClientProfiles                                            jsontext.Value               `json:"clientProfiles,omitzero"`
	ClientPolicies                                            jsontext.Value               `json:"clientPolicies,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"RealmRepresentation"`
}

// PartialImport is Keycloak's PartialImportRepresentation.
type PartialImport struct {
	Policy                  string                   `json:"policy,omitzero" rep:"enum=SKIP|OVERWRITE|FAIL"`
	IfResourceExists        string                   `json:"ifResourceExists,omitzero"`
	Users                   []User                   `json:"users,omitzero"`
	Groups                  []Group                  `json:"groups,omitzero"`
	Clients                 []Client                 `json:"clients,omitzero"`
	IdentityProviders       []IdentityProvider       `json:"identityProviders,omitzero"`
	IdentityProviderMappers []IdentityProviderMapper `json:"identityProviderMappers,omitzero"`
	Roles                   *Roles                   `json:"roles,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"PartialImportRepresentation,ignore"`
}

// Roles is Keycloak's RolesRepresentation.
type Roles struct {
	Realm       []Role            `json:"realm,omitzero"`
	Client      map[string][]Role `json:"client,omitzero"`
	Application map[string][]Role `json:"application,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"RolesRepresentation"`
}

// ScopeMapping is Keycloak's ScopeMappingRepresentation.
type ScopeMapping struct {
	Self           string   `json:"self,omitzero"`
	Client         string   `json:"client,omitzero"`
	ClientTemplate string   `json:"clientTemplate,omitzero"`
	ClientScope    string   `json:"clientScope,omitzero"`
	Roles          []string `json:"roles,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ScopeMappingRepresentation"`
}

// UserFederationProvider is Keycloak's UserFederationProviderRepresentation.
type UserFederationProvider struct {
	ID                string            `json:"id,omitzero"`
	DisplayName       *string           `json:"displayName,omitzero"`
	ProviderName      *string           `json:"providerName,omitzero"`
	Config            map[string]string `json:"config,omitzero"`
	Priority          int               `json:"priority"`
	FullSyncPeriod    int               `json:"fullSyncPeriod"`
	ChangedSyncPeriod int               `json:"changedSyncPeriod"`
	LastSync          int               `json:"lastSync"`

	Unknown jsontext.Value `json:",embed" rep:"UserFederationProviderRepresentation"`
}

// UserFederationMapper is Keycloak's UserFederationMapperRepresentation.
type UserFederationMapper struct {
	ID                            string            `json:"id,omitzero"`
	Name                          string            `json:"name,omitzero"`
	FederationProviderDisplayName *string           `json:"federationProviderDisplayName,omitzero"`
	FederationMapperType          *string           `json:"federationMapperType,omitzero"`
	Config                        map[string]string `json:"config,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"UserFederationMapperRepresentation"`
}

// KeysMetadata is Keycloak's KeysMetadataRepresentation.
type KeysMetadata struct {
	Active map[string]string `json:"active,omitzero"`
	Keys   []KeyMetadata     `json:"keys,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"KeysMetadataRepresentation"`
}

// KeyMetadata is Keycloak's KeyMetadataRepresentation.
type KeyMetadata struct {
	ProviderID       string `json:"providerId,omitzero"`
	ProviderPriority int64  `json:"providerPriority"`
	Kid              string `json:"kid,omitzero"`
	Status           string `json:"status,omitzero"`
	Type             string `json:"type,omitzero"`
	Algorithm        string `json:"algorithm,omitzero"`
	PublicKey        string `json:"publicKey,omitzero"`
	Certificate      string `json:"certificate,omitzero"`
	Use              string `json:"use,omitzero" rep:"enum=SIG|ENC|JWT_SVID"`
	ValidTo          *int64 `json:"validTo,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"KeyMetadataRepresentation"`
}

// PublishedRealm is Keycloak's PublishedRealmRepresentation.
type PublishedRealm struct {
	Realm           string `json:"realm,omitzero"`
	PublicKey       string `json:"public_key,omitzero"`
	TokenService    string `json:"token-service,omitzero"`
	AccountService  string `json:"account-service,omitzero"`
	TokensNotBefore int    `json:"tokens-not-before"`

	Unknown jsontext.Value `json:",embed" rep:"PublishedRealmRepresentation"`
}
