package rep

import "github.com/go-json-experiment/json/jsontext"

// ResourceServer is Keycloak's ResourceServerRepresentation.
type ResourceServer struct {
	ID                            string          `json:"id,omitzero"`
	ClientID                      string          `json:"clientId,omitzero"`
	Name                          string          `json:"name,omitzero"`
	AllowRemoteResourceManagement *bool           `json:"allowRemoteResourceManagement,omitzero"`
	PolicyEnforcementMode         string          `json:"policyEnforcementMode,omitzero" rep:"enum=ENFORCING|PERMISSIVE|DISABLED"`
	Resources                     []AuthzResource `json:"resources,omitzero"`
	Policies                      []AuthzPolicy   `json:"policies,omitzero"`
	Scopes                        []AuthzScope    `json:"scopes,omitzero"`
	DecisionStrategy              string          `json:"decisionStrategy,omitzero" rep:"enum=AFFIRMATIVE|UNANIMOUS|CONSENSUS"`
	AuthorizationSchema           *AuthzSchema    `json:"authorizationSchema,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ResourceServerRepresentation"`
}

// AuthzResource is Keycloak's ResourceRepresentation.
type AuthzResource struct {
	Name               string              `json:"name,omitzero"`
	Type               string              `json:"type,omitzero"`
	Owner              *AuthzResourceOwner `json:"owner,omitzero"`
	OwnerManagedAccess *bool               `json:"ownerManagedAccess,omitzero"`
	DisplayName        *string             `json:"displayName,omitzero"`
	Attributes         map[string][]string `json:"attributes,omitzero" rep:"listmap"`
	ID                 *string             `json:"_id,omitzero"`
	URIs               []string            `json:"uris,omitzero"`
	Scopes             []AuthzScope        `json:"scopes,omitzero"`
	IconURI            *string             `json:"icon_uri,omitzero"`
	URI                *string             `json:"uri,omitzero"`
	ResourceScopes     []AuthzScope        `json:"resource_scopes,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ResourceRepresentation"`
}

// AuthzPolicy is Keycloak's PolicyRepresentation.
type AuthzPolicy struct {
	ID               string            `json:"id,omitzero"`
	Name             string            `json:"name,omitzero"`
	Description      *string           `json:"description,omitzero"`
	Type             string            `json:"type,omitzero"`
	Policies         []string          `json:"policies,omitzero"`
	Resources        []string          `json:"resources,omitzero"`
	Scopes           []string          `json:"scopes,omitzero"`
	Logic            string            `json:"logic,omitzero" rep:"enum=POSITIVE|NEGATIVE"`
	DecisionStrategy string            `json:"decisionStrategy,omitzero" rep:"enum=AFFIRMATIVE|UNANIMOUS|CONSENSUS"`
	Owner            *string           `json:"owner,omitzero"`
	ResourceType     *string           `json:"resourceType,omitzero"`
	ResourcesData    []AuthzResource   `json:"resourcesData,omitzero"`
	ScopesData       []AuthzScope      `json:"scopesData,omitzero"`
	Config           map[string]string `json:"config,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"PolicyRepresentation"`
}

// AuthzScope is Keycloak's ScopeRepresentation.
type AuthzScope struct {
	ID          string          `json:"id,omitzero"`
	Name        string          `json:"name,omitzero"`
	IconURI     *string         `json:"iconUri,omitzero"`
	Policies    []AuthzPolicy   `json:"policies,omitzero"`
	Resources   []AuthzResource `json:"resources,omitzero"`
	DisplayName *string         `json:"displayName,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ScopeRepresentation,text=name"`
}

// AuthzSchema is Keycloak's AuthorizationSchema.
type AuthzSchema struct {
	ResourceTypes map[string]AuthzResourceType `json:"resourceTypes,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"AuthorizationSchema"`
}

// AuthzResourceOwner is Keycloak's ResourceOwnerRepresentation.
type AuthzResourceOwner struct {
	ID   string `json:"id,omitzero"`
	Name string `json:"name,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ResourceOwnerRepresentation"`
}

// AuthzResourceType is Keycloak's ResourceType.
type AuthzResourceType struct {
	Type         string              `json:"type,omitzero"`
	Scopes       []string            `json:"scopes,omitzero"`
	ScopeAliases map[string][]string `json:"scopeAliases,omitzero"`
	GroupType    *string             `json:"groupType,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ResourceType"`
}
