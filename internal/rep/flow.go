package rep

import "github.com/go-json-experiment/json/jsontext"

// Flow is Keycloak's AuthenticationFlowRepresentation.
type Flow struct {
	ID                       string            `json:"id,omitzero"`
	Alias                    string            `json:"alias,omitzero"`
	Description              *string           `json:"description,omitzero"`
	ProviderID               string            `json:"providerId,omitzero"`
	TopLevel                 bool              `json:"topLevel"`
	BuiltIn                  bool              `json:"builtIn"`
	AuthenticationExecutions []ExecutionExport `json:"authenticationExecutions,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"AuthenticationFlowRepresentation"`
}

// ExecutionExport is Keycloak's AuthenticationExecutionExportRepresentation, an execution as it
// stands in a flow's document; AutheticatorFlow is Keycloak's own misspelling of AuthenticatorFlow,
// which it still writes.
type ExecutionExport struct {
	AuthenticatorConfig string `json:"authenticatorConfig,omitzero"`
	Authenticator       string `json:"authenticator,omitzero"`
	AuthenticatorFlow   bool   `json:"authenticatorFlow"`
	Requirement         string `json:"requirement,omitzero"`
	Priority            *int   `json:"priority,omitzero"`
	AutheticatorFlow    bool   `json:"autheticatorFlow"`
	FlowAlias           string `json:"flowAlias,omitzero"`
	UserSetupAllowed    bool   `json:"userSetupAllowed"`

	Unknown jsontext.Value `json:",embed" rep:"AuthenticationExecutionExportRepresentation"`
}

// ExecutionInfo is Keycloak's AuthenticationExecutionInfoRepresentation, an execution as the admin
// console lists it.
type ExecutionInfo struct {
	ID                   string   `json:"id,omitzero"`
	Requirement          string   `json:"requirement,omitzero"`
	DisplayName          string   `json:"displayName,omitzero"`
	Alias                string   `json:"alias,omitzero"`
	Description          *string  `json:"description,omitzero"`
	RequirementChoices   []string `json:"requirementChoices,omitzero"`
	Configurable         *bool    `json:"configurable,omitzero"`
	AuthenticationFlow   *bool    `json:"authenticationFlow,omitzero"`
	ProviderID           string   `json:"providerId,omitzero"`
	AuthenticationConfig string   `json:"authenticationConfig,omitzero"`
	FlowID               string   `json:"flowId,omitzero"`
	Level                int      `json:"level"`
	Index                int      `json:"index"`
	Priority             int      `json:"priority"`

	Unknown jsontext.Value `json:",embed" rep:"AuthenticationExecutionInfoRepresentation"`
}

// Execution is Keycloak's AuthenticationExecutionRepresentation, an execution as POST
// .../authentication/executions takes it.
type Execution struct {
	AuthenticatorConfig string  `json:"authenticatorConfig,omitzero"`
	Authenticator       string  `json:"authenticator,omitzero"`
	AuthenticatorFlow   bool    `json:"authenticatorFlow"`
	Requirement         string  `json:"requirement,omitzero"`
	Priority            *int    `json:"priority,omitzero"`
	AutheticatorFlow    bool    `json:"autheticatorFlow"`
	ID                  string  `json:"id,omitzero"`
	FlowID              *string `json:"flowId,omitzero"`
	ParentFlow          *string `json:"parentFlow,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"AuthenticationExecutionRepresentation"`
}

// AuthenticatorConfig is Keycloak's AuthenticatorConfigRepresentation.
type AuthenticatorConfig struct {
	ID     string            `json:"id,omitzero"`
	Alias  string            `json:"alias,omitzero"`
	Config map[string]string `json:"config,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"AuthenticatorConfigRepresentation"`
}

// AuthenticatorConfigInfo is Keycloak's AuthenticatorConfigInfoRepresentation.
type AuthenticatorConfigInfo struct {
	Name       string           `json:"name,omitzero"`
	ProviderID string           `json:"providerId,omitzero"`
	HelpText   string           `json:"helpText,omitzero"`
	Properties []ConfigProperty `json:"properties,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"AuthenticatorConfigInfoRepresentation"`
}

// RequiredAction is Keycloak's RequiredActionProviderRepresentation.
type RequiredAction struct {
	Alias         string            `json:"alias,omitzero"`
	Name          string            `json:"name,omitzero"`
	ProviderID    string            `json:"providerId,omitzero"`
	Enabled       bool              `json:"enabled"`
	DefaultAction bool              `json:"defaultAction"`
	Priority      int               `json:"priority"`
	Config        map[string]string `json:"config,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"RequiredActionProviderRepresentation"`
}

// UnregisteredAction is Keycloak's RequiredActionProviderSimpleRepresentation.
type UnregisteredAction struct {
	ID         string `json:"id,omitzero"`
	Name       string `json:"name,omitzero"`
	ProviderID string `json:"providerId,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"RequiredActionProviderSimpleRepresentation,ignore"`
}

// RequiredActionConfig is Keycloak's RequiredActionConfigRepresentation.
type RequiredActionConfig struct {
	Config map[string]string `json:"config,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"RequiredActionConfigRepresentation"`
}

// RequiredActionConfigInfo is Keycloak's RequiredActionConfigInfoRepresentation.
type RequiredActionConfigInfo struct {
	Properties []ConfigProperty `json:"properties,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"RequiredActionConfigInfoRepresentation"`
}
