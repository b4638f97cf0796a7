package rep

import "github.com/go-json-experiment/json/jsontext"

// AccountConsent is Keycloak's ConsentRepresentation.
type AccountConsent struct {
	GrantedScopes   []AccountConsentScope `json:"grantedScopes,omitzero"`
	CreatedDate     *int64                `json:"createdDate,omitzero"`
	LastUpdatedDate *int64                `json:"lastUpdatedDate,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ConsentRepresentation"`
}

// AccountConsentScope is Keycloak's ConsentScopeRepresentation.
type AccountConsentScope struct {
	ID          string `json:"id,omitzero"`
	Name        string `json:"name,omitzero"`
	Description string `json:"description,omitzero"`
	Protocol    string `json:"protocol,omitzero"`
	DisplayText string `json:"displayText,omitzero"`
	DisplayTest string `json:"displayTest,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ConsentScopeRepresentation"`
}

// AccountClient is Keycloak's ClientRepresentation.
type AccountClient struct {
	ClientID            string          `json:"clientId,omitzero"`
	ClientName          string          `json:"clientName,omitzero"`
	Description         string          `json:"description,omitzero"`
	UserConsentRequired bool            `json:"userConsentRequired"`
	InUse               bool            `json:"inUse"`
	OfflineAccess       bool            `json:"offlineAccess"`
	RootURL             string          `json:"rootUrl,omitzero"`
	BaseURL             string          `json:"baseUrl,omitzero"`
	EffectiveURL        string          `json:"effectiveUrl,omitzero"`
	Consent             *AccountConsent `json:"consent,omitzero"`
	LogoURI             string          `json:"logoUri,omitzero"`
	PolicyURI           string          `json:"policyUri,omitzero"`
	TosURI              string          `json:"tosUri,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ClientRepresentation"`
}

// AccountUser is Keycloak's UserRepresentation.
type AccountUser struct {
	ID                  string               `json:"id,omitzero"`
	Username            string               `json:"username,omitzero"`
	FirstName           string               `json:"firstName,omitzero"`
	LastName            string               `json:"lastName,omitzero"`
	Email               string               `json:"email,omitzero"`
	EmailVerified       *bool                `json:"emailVerified,omitzero"`
	Attributes          map[string][]string  `json:"attributes,omitzero" rep:"listmap"`
	UserProfileMetadata *UserProfileMetadata `json:"userProfileMetadata,omitzero"`
	Enabled             *bool                `json:"enabled,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"UserRepresentation"`
}

// AccountDevice is Keycloak's DeviceRepresentation.
type AccountDevice struct {
	ID         string           `json:"id,omitzero"`
	IPAddress  string           `json:"ipAddress,omitzero"`
	OS         string           `json:"os,omitzero"`
	OSVersion  string           `json:"osVersion,omitzero"`
	Browser    string           `json:"browser,omitzero"`
	Device     string           `json:"device,omitzero"`
	LastAccess int              `json:"lastAccess"`
	Current    *bool            `json:"current,omitzero"`
	Sessions   []AccountSession `json:"sessions,omitzero"`
	Mobile     bool             `json:"mobile"`

	Unknown jsontext.Value `json:",embed" rep:"DeviceRepresentation"`
}

// AccountSession is Keycloak's SessionRepresentation.
type AccountSession struct {
	ID         string          `json:"id,omitzero"`
	IPAddress  string          `json:"ipAddress,omitzero"`
	Started    int             `json:"started"`
	LastAccess int             `json:"lastAccess"`
	Expires    int             `json:"expires"`
	Clients    []AccountClient `json:"clients,omitzero"`
	Browser    string          `json:"browser,omitzero"`
	Current    *bool           `json:"current,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"SessionRepresentation"`
}

// AccountCredentialMetadata is Keycloak's CredentialMetadataRepresentation.
type AccountCredentialMetadata struct {
	InfoMessage               *AccountMessage  `json:"infoMessage,omitzero"`
	InfoProperties            []AccountMessage `json:"infoProperties,omitzero"`
	WarningMessageTitle       *AccountMessage  `json:"warningMessageTitle,omitzero"`
	WarningMessageDescription *AccountMessage  `json:"warningMessageDescription,omitzero"`
	Credential                *Credential      `json:"credential,omitzero"`
	IconLight                 string           `json:"iconLight,omitzero"`
	IconDark                  string           `json:"iconDark,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"CredentialMetadataRepresentation"`
}

// AccountLinkedAccount is Keycloak's LinkedAccountRepresentation.
type AccountLinkedAccount struct {
	Connected      bool   `json:"connected"`
	ProviderAlias  string `json:"providerAlias,omitzero"`
	ProviderName   string `json:"providerName,omitzero"`
	DisplayName    string `json:"displayName,omitzero"`
	LinkedUsername string `json:"linkedUsername,omitzero"`
	Social         bool   `json:"social"`

	Unknown jsontext.Value `json:",embed" rep:"LinkedAccountRepresentation"`
}

// AccountMessage is Keycloak's LocalizedMessage.
type AccountMessage struct {
	Key        string   `json:"key,omitzero"`
	Parameters []string `json:"parameters,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"LocalizedMessage"`
}
