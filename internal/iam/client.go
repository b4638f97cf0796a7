package iam

import "time"

// Protocol is "openid-connect" or "saml".
type Protocol string

// The protocols a client or client scope may speak.
const (
	OIDC Protocol = "openid-connect"
	SAML Protocol = "saml"
)

// AccessType says how a client proves who it is.
type AccessType int

// A client's access types.
const (
	Confidential AccessType = iota
	Public
	BearerOnly
)

// A Client is a relying party, a service provider or a bearer-only API.
type Client struct {
	ID               ClientID
	Realm            RealmID
	ClientID         string // OAuth's client_id
	Name             string
	Protocol         Protocol
	Enabled          bool
	Access           AccessType
	Secret           Secret
	AuthMethod       string // clientAuthenticatorType: "client-secret", "client-jwt", "client-secret-jwt", "client-x509"
	RootURL          string
	BaseURL          string
	AdminURL         string
	RedirectURIs     []string // patterns; relative ones resolve against RootURL
	WebOrigins       []string
	StandardFlow     bool
	ImplicitFlow     bool
	DirectGrants     bool
	ServiceAccounts  bool
	ConsentRequired  bool
	AlwaysInConsole  bool // alwaysDisplayInConsole
	FullScope        bool
	FrontLogout      bool // frontchannelLogout
	SurrogateAuth    bool
	NotBefore        time.Time
	DefaultScopes    []ScopeID
	OptionalScopes   []ScopeID
	InheritedScopes  []ScopeID // of DefaultScopes: those that it has because the realm had them as defaults when it was made
	ScopeRoles       []RoleID  // scope mappings, when FullScope is off
	Mappers          []ProtocolMapper
	OIDC             ClientOIDC        // of Attrs
	Attrs            map[string]string // client attributes: lifespans, logout URLs...
	FlowOverrides    map[string]FlowID // "browser", "direct_grant"
	ManagesOwnAccess bool              // authorizationServicesEnabled
	Registered       bool              // has a registration access token, whose holder may change it
}

// Attr returns an attribute, "" when absent.
func (c *Client) Attr(name string) string { return c.Attrs[name] }

// Flag reports whether an attribute is "true".
func (c *Client) Flag(name string) bool { return c.Attrs[name] == "true" }

// Lightweight reports whether access tokens say only what a mapper is told to
// put even there. Keycloak: OIDCAdvancedConfigWrapper.
func (c *Client) Lightweight() bool { return c.Flag("client.use.lightweight.access.token.enabled") }

// A ProtocolMapper puts something into tokens or assertions.
type ProtocolMapper struct {
	ID       string
	Name     string
	Protocol Protocol
	Mapper   string // Keycloak's provider id, "oidc-usermodel-attribute-mapper"
	Config   map[string]string
}

// A ClientScope is a named bundle of mappers and role scope mappings.
type ClientScope struct {
	ID              ScopeID
	Name            string
	Description     string
	Protocol        Protocol
	Mappers         []ProtocolMapper
	Roles           []RoleID // role scope mappings: the scope is granted only to users with one of them
	InTokenScope    bool     // include.in.token.scope
	InMetadata      bool     // include.in.openid.provider.metadata: discovery names it
	ShowOnConsent   bool     // display.on.consent.screen
	ConsentText     string
	GUIOrder        string
	Attrs           map[string]string
	DefaultOfRealm  bool // a default default client scope
	OptionalOfRealm bool // a default optional client scope
}

// A Role is a realm role or a client role.
type Role struct {
	ID          RoleID
	Client      ClientID // "" for realm roles
	Name        string
	Description string
	Composites  []RoleID // direct ones
	Attrs       map[string][]string
}

// A Group is a node of a realm's tree of groups.
type Group struct {
	ID          GroupID
	Parent      GroupID // "" at the top
	Name        string
	Description string
	Attrs       map[string][]string
}

// A Component is a configured provider: keys, user profile, registration
// policies, user storage. Config values are lists, as Keycloak's are.
type Component struct {
	ID       string
	Name     string
	Provider string // providerId: "rsa-generated"
	Type     string // providerType: "org.keycloak.keys.KeyProvider"
	Sub      string // subType
	Parent   string
	Config   map[string][]string
}

// Get returns the first value of a configuration entry, "" when absent.
func (c *Component) Get(name string) string {
	if v := c.Config[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}
