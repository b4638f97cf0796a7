package rep

import "github.com/go-json-experiment/json/jsontext"

// UPConfig is Keycloak's UPConfig, the declarative user profile.
type UPConfig struct {
	Attributes               []UPAttribute `json:"attributes,omitzero"`
	Groups                   []UPGroup     `json:"groups,omitzero"`
	UnmanagedAttributePolicy string        `json:"unmanagedAttributePolicy,omitzero" rep:"enum=ENABLED|ADMIN_VIEW|ADMIN_EDIT"`

	Unknown jsontext.Value `json:",embed" rep:"UPConfig"`
}

// UPAttribute is Keycloak's UPAttribute.
type UPAttribute struct {
	Name         string                               `json:"name,omitzero"`
	DisplayName  *string                              `json:"displayName,omitzero"`
	Validations  map[string]map[string]jsontext.Value `json:"validations,omitzero"`
	Annotations  map[string]jsontext.Value            `json:"annotations,omitzero"`
	Required     *UPAttributeRequired                 `json:"required,omitzero"`
	Permissions  *UPAttributePermissions              `json:"permissions,omitzero"`
	Selector     *UPAttributeSelector                 `json:"selector,omitzero"`
	Group        *string                              `json:"group,omitzero"`
	Multivalued  bool                                 `json:"multivalued"`
	DefaultValue *string                              `json:"defaultValue,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"UPAttribute,text=name"`
}

// UPGroup is Keycloak's UPGroup.
type UPGroup struct {
	Name               string                    `json:"name,omitzero"`
	DisplayHeader      *string                   `json:"displayHeader,omitzero"`
	DisplayDescription *string                   `json:"displayDescription,omitzero"`
	Annotations        map[string]jsontext.Value `json:"annotations,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"UPGroup,text=name"`
}

// UPAttributeRequired is Keycloak's UPAttributeRequired.
type UPAttributeRequired struct {
	Roles  []string `json:"roles,omitzero"`
	Scopes []string `json:"scopes,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"UPAttributeRequired"`
}

// UPAttributePermissions is Keycloak's UPAttributePermissions.
type UPAttributePermissions struct {
	View []string `json:"view,omitzero"`
	Edit []string `json:"edit,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"UPAttributePermissions"`
}

// UPAttributeSelector is Keycloak's UPAttributeSelector.
type UPAttributeSelector struct {
	Scopes []string `json:"scopes,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"UPAttributeSelector"`
}

// UserProfileMetadata is Keycloak's UserProfileMetadata.
type UserProfileMetadata struct {
	Attributes []UserProfileAttributeMetadata      `json:"attributes,omitzero"`
	Groups     []UserProfileAttributeGroupMetadata `json:"groups,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"UserProfileMetadata"`
}

// UserProfileAttributeMetadata is Keycloak's UserProfileAttributeMetadata.
type UserProfileAttributeMetadata struct {
	Name         string                               `json:"name,omitzero"`
	DisplayName  string                               `json:"displayName,omitzero"`
	Required     bool                                 `json:"required"`
	ReadOnly     bool                                 `json:"readOnly"`
	Annotations  map[string]jsontext.Value            `json:"annotations,omitzero"`
	Validators   map[string]map[string]jsontext.Value `json:"validators,omitzero"`
	Group        string                               `json:"group,omitzero"`
	Multivalued  bool                                 `json:"multivalued"`
	DefaultValue string                               `json:"defaultValue,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"UserProfileAttributeMetadata"`
}

// UserProfileAttributeGroupMetadata is Keycloak's UserProfileAttributeGroupMetadata.
type UserProfileAttributeGroupMetadata struct {
	Name               string                    `json:"name,omitzero"`
	DisplayHeader      string                    `json:"displayHeader,omitzero"`
	DisplayDescription string                    `json:"displayDescription,omitzero"`
	Annotations        map[string]jsontext.Value `json:"annotations,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"UserProfileAttributeGroupMetadata"`
}
