package rep

import "github.com/go-json-experiment/json/jsontext"

// Component is Keycloak's ComponentRepresentation.
type Component struct {
	ID           string              `json:"id,omitzero"`
	Name         string              `json:"name,omitzero"`
	ProviderID   string              `json:"providerId,omitzero"`
	ProviderType string              `json:"providerType,omitzero"`
	ParentID     string              `json:"parentId,omitzero"`
	SubType      string              `json:"subType,omitzero"`
	Config       map[string][]string `json:"config,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ComponentRepresentation"`
}

// ComponentExport is Keycloak's ComponentExportRepresentation, a component in a realm file, its
// children inside it by provider type.
type ComponentExport struct {
	ID            string                       `json:"id,omitzero"`
	Name          string                       `json:"name,omitzero"`
	ProviderID    string                       `json:"providerId,omitzero"`
	SubType       string                       `json:"subType,omitzero"`
	SubComponents map[string][]ComponentExport `json:"subComponents,omitzero"`
	Config        map[string][]string          `json:"config,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ComponentExportRepresentation"`
}

// ComponentType is Keycloak's ComponentTypeRepresentation.
type ComponentType struct {
	ID               string                    `json:"id,omitzero"`
	HelpText         *string                   `json:"helpText,omitzero"`
	Properties       []ConfigProperty          `json:"properties,omitzero"`
	ClientProperties []ConfigProperty          `json:"clientProperties,omitzero"`
	Metadata         map[string]jsontext.Value `json:"metadata,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ComponentTypeRepresentation"`
}

// ConfigProperty is Keycloak's ConfigPropertyRepresentation.
type ConfigProperty struct {
	Name         string         `json:"name,omitzero"`
	Label        string         `json:"label,omitzero"`
	HelpText     string         `json:"helpText,omitzero"`
	Type         string         `json:"type,omitzero"`
	DefaultValue jsontext.Value `json:"defaultValue,omitzero"`
	Options      []string       `json:"options,omitzero"`
	Secret       bool           `json:"secret"`
	Required     bool           `json:"required"`
	ReadOnly     bool           `json:"readOnly"`

	Unknown jsontext.Value `json:",embed" rep:"ConfigPropertyRepresentation"`
}

// IdentityProvider is Keycloak's IdentityProviderRepresentation. A nil Enabled means true.
type IdentityProvider struct {
	Alias                       string            `json:"alias,omitzero"`
	DisplayName                 *string           `json:"displayName,omitzero"`
	InternalID                  string            `json:"internalId,omitzero"`
	ProviderID                  string            `json:"providerId,omitzero"`
	Enabled                     *bool             `json:"enabled,omitzero"`
	UpdateProfileFirstLoginMode string            `json:"updateProfileFirstLoginMode,omitzero"`
	TrustEmail                  *bool             `json:"trustEmail,omitzero"`
	StoreToken                  *bool             `json:"storeToken,omitzero"`
	AddReadTokenRoleOnCreate    *bool             `json:"addReadTokenRoleOnCreate,omitzero"`
	AuthenticateByDefault       *bool             `json:"authenticateByDefault,omitzero"`
	LinkOnly                    *bool             `json:"linkOnly,omitzero"`
	HideOnLogin                 *bool             `json:"hideOnLogin,omitzero"`
	FirstBrokerLoginFlowAlias   *string           `json:"firstBrokerLoginFlowAlias,omitzero"`
	PostBrokerLoginFlowAlias    *string           `json:"postBrokerLoginFlowAlias,omitzero"`
	OrganizationID              *string           `json:"organizationId,omitzero"`
	Config                      map[string]string `json:"config,omitzero"`
	Types                       []string          `json:"types,omitzero"`
	UpdateProfileFirstLogin     *bool             `json:"updateProfileFirstLogin,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"IdentityProviderRepresentation"`
}

// IdentityProviderMapper is Keycloak's IdentityProviderMapperRepresentation.
type IdentityProviderMapper struct {
	ID                     string            `json:"id,omitzero"`
	Name                   string            `json:"name,omitzero"`
	IdentityProviderAlias  string            `json:"identityProviderAlias,omitzero"`
	IdentityProviderMapper string            `json:"identityProviderMapper,omitzero"`
	Config                 map[string]string `json:"config,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"IdentityProviderMapperRepresentation"`
}

// IdentityProviderMapperType is Keycloak's IdentityProviderMapperTypeRepresentation.
type IdentityProviderMapperType struct {
	ID         string           `json:"id,omitzero"`
	Name       string           `json:"name,omitzero"`
	Category   string           `json:"category,omitzero"`
	HelpText   string           `json:"helpText,omitzero"`
	Properties []ConfigProperty `json:"properties,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"IdentityProviderMapperTypeRepresentation"`
}

// ProtocolMapperType is Keycloak's ProtocolMapperTypeRepresentation.
type ProtocolMapperType struct {
	ID         string           `json:"id,omitzero"`
	Name       string           `json:"name,omitzero"`
	Category   string           `json:"category,omitzero"`
	HelpText   string           `json:"helpText,omitzero"`
	Priority   int              `json:"priority"`
	Properties []ConfigProperty `json:"properties,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ProtocolMapperTypeRepresentation"`
}

// PasswordPolicyType is Keycloak's PasswordPolicyTypeRepresentation.
type PasswordPolicyType struct {
	ID                string  `json:"id,omitzero"`
	DisplayName       string  `json:"displayName,omitzero"`
	ConfigType        string  `json:"configType,omitzero"`
	DefaultValue      *string `json:"defaultValue,omitzero"`
	MultipleSupported bool    `json:"multipleSupported"`

	Unknown jsontext.Value `json:",embed" rep:"PasswordPolicyTypeRepresentation"`
}

// TestLdapConnection is Keycloak's TestLdapConnectionRepresentation.
type TestLdapConnection struct {
	Action            string `json:"action,omitzero"`
	ConnectionURL     string `json:"connectionUrl,omitzero"`
	BindDN            string `json:"bindDn,omitzero"`
	BindCredential    string `json:"bindCredential,omitzero"`
	UseTruststoreSpi  string `json:"useTruststoreSpi,omitzero"`
	ConnectionTimeout string `json:"connectionTimeout,omitzero"`
	ComponentID       string `json:"componentId,omitzero"`
	StartTLS          string `json:"startTls,omitzero"`
	AuthType          string `json:"authType,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"TestLdapConnectionRepresentation"`
}

// SynchronizationResult is Keycloak's SynchronizationResultRepresentation.
type SynchronizationResult struct {
	Ignored bool   `json:"ignored"`
	Added   int    `json:"added"`
	Updated int    `json:"updated"`
	Removed int    `json:"removed"`
	Failed  int    `json:"failed"`
	Status  string `json:"status,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"SynchronizationResultRepresentation"`
}
