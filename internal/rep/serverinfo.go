package rep

import "github.com/go-json-experiment/json/jsontext"

// ServerInfo is Keycloak's ServerInfoRepresentation.
type ServerInfo struct {
	SystemInfo              *SystemInfo                     `json:"systemInfo,omitzero"`
	CPUInfo                 *CpuInfo                        `json:"cpuInfo,omitzero"`
	MemoryInfo              *MemoryInfo                     `json:"memoryInfo,omitzero"`
	ProfileInfo             *ProfileInfo                    `json:"profileInfo,omitzero"`
	Features                []Feature                       `json:"features,omitzero"`
	CryptoInfo              *CryptoInfo                     `json:"cryptoInfo,omitzero"`
	Themes                  map[string][]ThemeInfo          `json:"themes,omitzero"`
	SocialProviders         []map[string]string             `json:"socialProviders,omitzero"`
	IdentityProviders       []map[string]string             `json:"identityProviders,omitzero"`
	ClientImporters         []map[string]string             `json:"clientImporters,omitzero"`
	Providers               map[string]SpiInfo              `json:"providers,omitzero"`
	ProtocolMapperTypes     map[string][]ProtocolMapperType `json:"protocolMapperTypes,omitzero"`
	BuiltinProtocolMappers  map[string][]ProtocolMapper     `json:"builtinProtocolMappers,omitzero"`
	ClientInstallations     map[string][]ClientInstallation `json:"clientInstallations,omitzero"`
	ComponentTypes          map[string][]ComponentType      `json:"componentTypes,omitzero"`
	PasswordPolicies        []PasswordPolicyType            `json:"passwordPolicies,omitzero"`
	Enums                   map[string][]string             `json:"enums,omitzero"`
	ParameterizedScopeTypes []ParameterizedScopeType        `json:"parameterizedScopeTypes,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ServerInfoRepresentation"`
}

// SystemInfo is Keycloak's SystemInfoRepresentation.
type SystemInfo struct {
	Version        string `json:"version,omitzero"`
	ServerTime     string `json:"serverTime,omitzero"`
	Uptime         string `json:"uptime,omitzero"`
	UptimeMillis   *int64 `json:"uptimeMillis,omitzero"`
	JavaVersion    string `json:"javaVersion,omitzero"`
	JavaVendor     string `json:"javaVendor,omitzero"`
	JavaVm         string `json:"javaVm,omitzero"`
	JavaVmVersion  string `json:"javaVmVersion,omitzero"`
	JavaRuntime    string `json:"javaRuntime,omitzero"`
	JavaHome       string `json:"javaHome,omitzero"`
	OSName         string `json:"osName,omitzero"`
	OSArchitecture string `json:"osArchitecture,omitzero"`
	OSVersion      string `json:"osVersion,omitzero"`
	FileEncoding   string `json:"fileEncoding,omitzero"`
	UserName       string `json:"userName,omitzero"`
	UserDir        string `json:"userDir,omitzero"`
	UserTimezone   string `json:"userTimezone,omitzero"`
	UserLocale     string `json:"userLocale,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"SystemInfoRepresentation"`
}

// CpuInfo is Keycloak's CpuInfoRepresentation.
type CpuInfo struct {
	ProcessorCount int64 `json:"processorCount"`

	Unknown jsontext.Value `json:",embed" rep:"CpuInfoRepresentation"`
}

// MemoryInfo is Keycloak's MemoryInfoRepresentation.
type MemoryInfo struct {
	Total          int64  `json:"total"`
	TotalFormated  string `json:"totalFormated,omitzero"`
	Used           int64  `json:"used"`
	UsedFormated   string `json:"usedFormated,omitzero"`
	Free           int64  `json:"free"`
	FreePercentage int64  `json:"freePercentage"`
	FreeFormated   string `json:"freeFormated,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"MemoryInfoRepresentation"`
}

// ProfileInfo is Keycloak's ProfileInfoRepresentation.
type ProfileInfo struct {
	Name                 string   `json:"name,omitzero"`
	DisabledFeatures     []string `json:"disabledFeatures,omitzero"`
	PreviewFeatures      []string `json:"previewFeatures,omitzero"`
	ExperimentalFeatures []string `json:"experimentalFeatures,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ProfileInfoRepresentation"`
}

// Feature is Keycloak's FeatureRepresentation.
type Feature struct {
	Name         string   `json:"name,omitzero"`
	Label        string   `json:"label,omitzero"`
	Type         string   `json:"type,omitzero" rep:"enum=DEFAULT|DISABLED_BY_DEFAULT|PREVIEW|PREVIEW_DISABLED_BY_DEFAULT|EXPERIMENTAL|DEPRECATED"`
	Deprecated   *bool    `json:"deprecated,omitzero"`
	Dependencies []string `json:"dependencies,omitzero"`
	Enabled      bool     `json:"enabled"`

	Unknown jsontext.Value `json:",embed" rep:"FeatureRepresentation"`
}

// CryptoInfo is Keycloak's CryptoInfoRepresentation.
type CryptoInfo struct {
	CryptoProvider                      string   `json:"cryptoProvider,omitzero"`
	SupportedKeystoreTypes              []string `json:"supportedKeystoreTypes,omitzero"`
	ClientSignatureSymmetricAlgorithms  []string `json:"clientSignatureSymmetricAlgorithms,omitzero"`
	ClientSignatureAsymmetricAlgorithms []string `json:"clientSignatureAsymmetricAlgorithms,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"CryptoInfoRepresentation"`
}

// ThemeInfo is Keycloak's ThemeInfoRepresentation.
type ThemeInfo struct {
	Name        string   `json:"name,omitzero"`
	Locales     []string `json:"locales,omitzero"`
	Description string   `json:"description,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ThemeInfoRepresentation"`
}

// SpiInfo is Keycloak's SpiInfoRepresentation.
type SpiInfo struct {
	Internal  bool                `json:"internal"`
	Providers map[string]Provider `json:"providers,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"SpiInfoRepresentation"`
}

// ClientInstallation is Keycloak's ClientInstallationRepresentation.
type ClientInstallation struct {
	ID           string `json:"id,omitzero"`
	Protocol     string `json:"protocol,omitzero"`
	DownloadOnly bool   `json:"downloadOnly"`
	DisplayType  string `json:"displayType,omitzero"`
	HelpText     string `json:"helpText,omitzero"`
	Filename     string `json:"filename,omitzero"`
	MediaType    string `json:"mediaType,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ClientInstallationRepresentation"`
}

// ParameterizedScopeType is Keycloak's ParameterizedScopeTypeRepresentation.
type ParameterizedScopeType struct {
	Name       string `json:"name,omitzero"`
	Repeatable bool   `json:"repeatable"`

	Unknown jsontext.Value `json:",embed" rep:"ParameterizedScopeTypeRepresentation"`
}

// Provider is Keycloak's ProviderRepresentation.
type Provider struct {
	Order           int               `json:"order"`
	OperationalInfo map[string]string `json:"operationalInfo,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"ProviderRepresentation"`
}
