package rep

import "github.com/go-json-experiment/json/jsontext"

// User is Keycloak's UserRepresentation. CreatedTimestamp is in milliseconds, NotBefore in seconds
// since the epoch.
type User struct {
	ID                          string                       `json:"id,omitzero"`
	Username                    string                       `json:"username,omitzero"`
	FirstName                   *string                      `json:"firstName,omitzero"`
	LastName                    *string                      `json:"lastName,omitzero"`
	Email                       *string                      `json:"email,omitzero"`
	EmailVerified               *bool                        `json:"emailVerified,omitzero"`
	Attributes                  map[string][]string          `json:"attributes,omitzero" rep:"listmap"`
	UserProfileMetadata         *UserProfileMetadata         `json:"userProfileMetadata,omitzero"`
	Enabled                     *bool                        `json:"enabled,omitzero"`
	Self                        string                       `json:"self,omitzero"`
	Origin                      string                       `json:"origin,omitzero"`
	CreatedTimestamp            *int64                       `json:"createdTimestamp,omitzero"`
	TOTP                        *bool                        `json:"totp,omitzero"`
	FederationLink              string                       `json:"federationLink,omitzero"`
	ServiceAccountClientID      string                       `json:"serviceAccountClientId,omitzero"`
	Credentials                 []Credential                 `json:"credentials,omitzero"`
	DisableableCredentialTypes  []string                     `json:"disableableCredentialTypes,omitzero"`
	RequiredActions             []string                     `json:"requiredActions,omitzero"`
	FederatedIdentities         []FederatedIdentity          `json:"federatedIdentities,omitzero"`
	RealmRoles                  []string                     `json:"realmRoles,omitzero"`
	ClientRoles                 map[string][]string          `json:"clientRoles,omitzero"`
	ClientConsents              []UserConsent                `json:"clientConsents,omitzero"`
	NotBefore                   *int                         `json:"notBefore,omitzero"`
	VerifiableCredentials       []UserVerifiableCredential   `json:"verifiableCredentials,omitzero"`
	IssuedVerifiableCredentials []IssuedVerifiableCredential `json:"issuedVerifiableCredentials,omitzero"`
	ApplicationRoles            map[string][]string          `json:"applicationRoles,omitzero"`
	SocialLinks                 []SocialLink                 `json:"socialLinks,omitzero"`
	Groups                      []string                     `json:"groups,omitzero"`
	Access                      map[string]bool              `json:"access,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"UserRepresentation"`
}

// Credential is Keycloak's CredentialRepresentation. Value is a password in clear and only ever
// read; CreatedDate is in milliseconds. The members from Device on are those of old realm files.
type Credential struct {
	ID                string              `json:"id,omitzero"`
	Type              string              `json:"type,omitzero"`
	UserLabel         *string             `json:"userLabel,omitzero"`
	CreatedDate       *int64              `json:"createdDate,omitzero"`
	SecretData        string              `json:"secretData,omitzero"`
	CredentialData    string              `json:"credentialData,omitzero"`
	Priority          *int                `json:"priority,omitzero"`
	Value             *string             `json:"value,omitzero"`
	Temporary         *bool               `json:"temporary,omitzero"`
	Device            *string             `json:"device,omitzero"`
	HashedSaltedValue *string             `json:"hashedSaltedValue,omitzero"`
	Salt              *string             `json:"salt,omitzero"`
	HashIterations    *int                `json:"hashIterations,omitzero"`
	Counter           *int                `json:"counter,omitzero"`
	Algorithm         *string             `json:"algorithm,omitzero"`
	Digits            *int                `json:"digits,omitzero"`
	Period            *int                `json:"period,omitzero"`
	Config            map[string][]string `json:"config,omitzero"`
	FederationLink    string              `json:"federationLink,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"CredentialRepresentation"`
}

// FederatedIdentity is Keycloak's FederatedIdentityRepresentation.
type FederatedIdentity struct {
	IdentityProvider string `json:"identityProvider,omitzero"`
	UserID           string `json:"userId,omitzero"`
	UserName         string `json:"userName,omitzero"`
	Token            string `json:"-"` // the provider's, which realm files do not hold

	Unknown jsontext.Value `json:",embed" rep:"FederatedIdentityRepresentation"`
}

// SocialLink is Keycloak's SocialLinkRepresentation.
type SocialLink struct {
	SocialProvider string `json:"socialProvider,omitzero"`
	SocialUserID   string `json:"socialUserId,omitzero"`
	SocialUsername string `json:"socialUsername,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"SocialLinkRepresentation"`
}

// UserConsent is Keycloak's UserConsentRepresentation.
type UserConsent struct {
	ClientID            string   `json:"clientId,omitzero"`
	GrantedClientScopes []string `json:"grantedClientScopes,omitzero"`
	CreatedDate         *int64   `json:"createdDate,omitzero"`
	LastUpdatedDate     *int64   `json:"lastUpdatedDate,omitzero"`
	GrantedRealmRoles   []string `json:"grantedRealmRoles,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"UserConsentRepresentation,ignore"`
}

// UserVerifiableCredential is Keycloak's UserVerifiableCredentialRepresentation.
type UserVerifiableCredential struct {
	CredentialScopeName       string              `json:"credentialScopeName,omitzero"`
	CredentialConfigurationID string              `json:"credentialConfigurationId,omitzero"`
	Revision                  string              `json:"revision,omitzero"`
	CreatedDate               *int64              `json:"createdDate,omitzero"`
	UpdatedDate               *int64              `json:"updatedDate,omitzero"`
	UserAttributes            map[string][]string `json:"userAttributes,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"UserVerifiableCredentialRepresentation"`
}

// IssuedVerifiableCredential is Keycloak's IssuedVerifiableCredentialRepresentation.
type IssuedVerifiableCredential struct {
	ID             string `json:"id,omitzero"`
	UserID         string `json:"userId,omitzero"`
	CredentialType string `json:"credentialType,omitzero"`
	IssuedAt       *int64 `json:"issuedAt,omitzero"`
	ExpiresAt      *int64 `json:"expiresAt,omitzero"`
	ClientID       string `json:"clientId,omitzero"`
	ClientName     string `json:"clientName,omitzero"`
	ClientBaseURL  string `json:"clientBaseUrl,omitzero"`
	Revision       string `json:"revision,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"IssuedVerifiableCredentialRepresentation"`
}

// UserSession is Keycloak's UserSessionRepresentation. Start and LastAccess are in milliseconds;
// Clients maps a client's id to its client id.
type UserSession struct {
	ID            string            `json:"id,omitzero"`
	Username      string            `json:"username,omitzero"`
	UserID        string            `json:"userId,omitzero"`
	IPAddress     string            `json:"ipAddress,omitzero"`
	Start         int64             `json:"start"`
	LastAccess    int64             `json:"lastAccess"`
	RememberMe    bool              `json:"rememberMe"`
	Clients       map[string]string `json:"clients,omitzero"`
	TransientUser bool              `json:"transientUser"`

	Unknown jsontext.Value `json:",embed" rep:"UserSessionRepresentation"`
}
