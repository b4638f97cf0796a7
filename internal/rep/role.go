package rep

import "github.com/go-json-experiment/json/jsontext"

// Role is Keycloak's RoleRepresentation.
type Role struct {
	ID                 string              `json:"id,omitzero"`
	Name               string              `json:"name,omitzero"`
	Description        *string             `json:"description,omitzero"`
	ScopeParamRequired *bool               `json:"scopeParamRequired,omitzero"`
	Composite          bool                `json:"composite"`
	Composites         *Composites         `json:"composites,omitzero"`
	ClientRole         *bool               `json:"clientRole,omitzero"`
	ContainerID        string              `json:"containerId,omitzero"`
	Attributes         map[string][]string `json:"attributes,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"RoleRepresentation"`
}

// Composites is Keycloak's RoleRepresentation.Composites: names of roles, the clients' by client id.
type Composites struct {
	Realm       []string            `json:"realm,omitzero"`
	Client      map[string][]string `json:"client,omitzero"`
	Application map[string][]string `json:"application,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"Composites"`
}

// Group is Keycloak's GroupRepresentation.
type Group struct {
	ID            string              `json:"id,omitzero"`
	Name          string              `json:"name,omitzero"`
	Description   *string             `json:"description,omitzero"`
	Path          string              `json:"path,omitzero"`
	ParentID      string              `json:"parentId,omitzero"`
	SubGroupCount *int64              `json:"subGroupCount,omitzero"`
	SubGroups     []Group             `json:"subGroups,omitzero"`
	Attributes    map[string][]string `json:"attributes,omitzero"`
	RealmRoles    []string            `json:"realmRoles,omitzero"`
	ClientRoles   map[string][]string `json:"clientRoles,omitzero"`
	Access        map[string]bool     `json:"access,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"GroupRepresentation"`
}

// Mappings is Keycloak's MappingsRepresentation.
type Mappings struct {
	RealmMappings  []Role                    `json:"realmMappings,omitzero"`
	ClientMappings map[string]ClientMappings `json:"clientMappings,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"MappingsRepresentation"`
}

// ClientMappings is Keycloak's ClientMappingsRepresentation.
type ClientMappings struct {
	ID       string `json:"id,omitzero"`
	Client   string `json:"client,omitzero"`
	Mappings []Role `json:"mappings,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ClientMappingsRepresentation"`
}
