package iam

// ClientOIDC are the settings of a client for OpenID Connect and OAuth, which its
// representation holds as attributes. Keycloak: OIDCAdvancedConfigWrapper, OIDCConfigAttributes.
type ClientOIDC struct {
	PKCE         string // the method that is demanded, "" for none
	PushedOnly   bool   // authorization requests must be pushed
	DPoP         bool   // tokens must be bound to a key of the client
	MTLS         bool   // likewise to its certificate
	SessionState bool   // is in authorization responses
	IssuerParam  bool   // likewise "iss"

	Device         bool  // may use the device grant
	DeviceLife     int64 // seconds that its device codes live; 0: as the realm says
	DeviceInterval int64 // likewise between two questions for one

	Refresh         bool // grants come with refresh tokens
	ServiceRefresh  bool // client_credentials too
	Exchange        bool // may exchange tokens
	ExchangeRefresh bool // for refresh tokens of the same session too
	ConfirmLogout   bool // a logout ends at a page

	AnyAudience    bool // may introspect tokens that are for others
	IntrospectJWT  bool // may have introspection answer with a JWT
	LightUserinfo  bool // its lightweight tokens are good for userinfo
	UserInfoAlg    string
	ResponseAlg    string // of signed authorization responses
	IDToken        Encryption
	UserInfo       Encryption
	Response       Encryption // of authorization responses
	RequestObjects RequestObjects

	SecretMethod  string // by which alone its secret may be sent, "" for any
	AssertionAlg  string // of assertions, "" for any
	AssertionLife int64  // seconds that an assertion may live; 0: the default
	Keys          ClientKeys
}

// Encryption is the algorithms of a kind of answer, "" for none and for the default.
type Encryption struct{ Alg, Enc string }

// RequestObjects is what a client's request objects must be: "" and "any" are for no demand.
type RequestObjects struct {
	Demand     ObjectDemand
	Signature  string
	Encryption Encryption
	URIs       string // from which they are fetched, with ## between
}

// ClientKeys is where a client's public keys are.
type ClientKeys struct {
	ByURL, ByText bool   // URL or Text counts
	URL, Text     string // of a JWKS
	PEM           string // a certificate or public key, which counts else
	KID           string // of PEM
}
