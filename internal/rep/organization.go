package rep

import "github.com/go-json-experiment/json/jsontext"

// Organization is Keycloak's OrganizationRepresentation. A nil Enabled means true.
type Organization struct {
	ID                string               `json:"id,omitzero"`
	Name              string               `json:"name,omitzero"`
	Alias             string               `json:"alias,omitzero"`
	Enabled           *bool                `json:"enabled,omitzero"`
	Description       *string              `json:"description,omitzero"`
	RedirectURL       *string              `json:"redirectUrl,omitzero"`
	Attributes        map[string][]string  `json:"attributes,omitzero"`
	Domains           []OrganizationDomain `json:"domains,omitzero"`
	Members           []Member             `json:"members,omitzero"`
	IdentityProviders []IdentityProvider   `json:"identityProviders,omitzero"`
	Groups            []Group              `json:"groups,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"OrganizationRepresentation"`
}

// OrganizationDomain is Keycloak's OrganizationDomainRepresentation.
type OrganizationDomain struct {
	Name     string `json:"name,omitzero"`
	Verified bool   `json:"verified"`

	Unknown jsontext.Value `json:",embed" rep:"OrganizationDomainRepresentation,text=name"`
}

// Member is Keycloak's MemberRepresentation.
type Member struct {
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
	MembershipType              string                       `json:"membershipType,omitzero" rep:"enum=UNMANAGED|MANAGED"`

	Unknown jsontext.Value `json:",embed" rep:"MemberRepresentation"`
}

// OrganizationInvitation is Keycloak's OrganizationInvitationRepresentation.
type OrganizationInvitation struct {
	ID             string  `json:"id,omitzero"`
	OrganizationID *string `json:"organizationId,omitzero"`
	Email          *string `json:"email,omitzero"`
	FirstName      *string `json:"firstName,omitzero"`
	LastName       *string `json:"lastName,omitzero"`
	SentDate       int     `json:"sentDate"`
	ExpiresAt      int     `json:"expiresAt"`
	Status         string  `json:"status,omitzero" rep:"enum=PENDING|EXPIRED"`
	InviteLink     *string `json:"inviteLink,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"OrganizationInvitationRepresentation"`
}
