package oidc

import (
	"net/http"
	"slices"

	"latchkey/internal/web"
)

// Values of discovery documents. They are what works here, in the reference's
// order; what it advertises beyond is in doc/DIVERGENCES.md. signing, keyEncryption
// and contentEncryption list the algorithms of package jose.
var (
	signing = []string{"PS384", "RS384", "EdDSA", "ES384", "HS256", "HS512", "ES256", "RS256", "HS384", "ES512",
		"PS256", "PS512", "RS512"}
	keyEncryption     = []string{"ECDH-ES+A256KW", "ECDH-ES+A192KW", "ECDH-ES+A128KW", "RSA-OAEP", "RSA-OAEP-256", "RSA1_5", "ECDH-ES"}
	contentEncryption = []string{"A256GCM", "A192GCM", "A128GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"}
	clientAuth        = []string{"private_key_jwt", "client_secret_basic", "client_secret_post", "client_secret_jwt"}
	grantTypes        = []string{
		"authorization_code", "client_credentials", "implicit", "password", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code",
		"urn:ietf:params:oauth:grant-type:token-exchange",
	}
	responseTypes = []string{
		"code", "none", "id_token", "token", "id_token token", "code id_token", "code token", "code id_token token",
	}
	responseModes = []string{"query", "fragment", "form_post", "query.jwt", "fragment.jwt", "form_post.jwt", "jwt"}
	claimNames    = []string{
		"iss", "sub", "aud", "exp", "iat", "auth_time", "name", "given_name", "family_name", "preferred_username", "email", "acr", "azp", "nonce",
	}
)

// metadata is OpenID Connect Discovery 1.0, section 3, and RFC 8414, members in
// the reference's order. Keycloak: OIDCConfigurationRepresentation.
type metadata struct {
	Issuer                  string   `json:"issuer"`
	Authorization           string   `json:"authorization_endpoint"`
	Token                   string   `json:"token_endpoint"`
	Introspection           string   `json:"introspection_endpoint"`
	Userinfo                string   `json:"userinfo_endpoint,omitempty"`
	EndSession              string   `json:"end_session_endpoint"`
	FrontLogoutSession      bool     `json:"frontchannel_logout_session_supported"`
	FrontLogout             bool     `json:"frontchannel_logout_supported"`
	JWKS                    string   `json:"jwks_uri"`
	CheckSession            string   `json:"check_session_iframe,omitempty"`
	GrantTypes              []string `json:"grant_types_supported"`
	ACRs                    []string `json:"acr_values_supported,omitempty"`
	ResponseTypes           []string `json:"response_types_supported"`
	SubjectTypes            []string `json:"subject_types_supported,omitempty"`
	Prompts                 []string `json:"prompt_values_supported,omitempty"`
	IDTokenAlgs             []string `json:"id_token_signing_alg_values_supported,omitempty"`
	IDTokenKeyAlgs          []string `json:"id_token_encryption_alg_values_supported,omitempty"`
	IDTokenEncs             []string `json:"id_token_encryption_enc_values_supported,omitempty"`
	UserinfoAlgs            []string `json:"userinfo_signing_alg_values_supported,omitempty"`
	UserinfoKeyAlgs         []string `json:"userinfo_encryption_alg_values_supported,omitempty"`
	UserinfoEncs            []string `json:"userinfo_encryption_enc_values_supported,omitempty"`
	RequestAlgs             []string `json:"request_object_signing_alg_values_supported,omitempty"`
	RequestKeyAlgs          []string `json:"request_object_encryption_alg_values_supported,omitempty"`
	RequestEncs             []string `json:"request_object_encryption_enc_values_supported,omitempty"`
	ResponseModes           []string `json:"response_modes_supported"`
	Registration            string   `json:"registration_endpoint,omitempty"`
	TokenAuth               []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgs           []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAuth       []string `json:"introspection_endpoint_auth_methods_supported,omitempty"`
	IntrospectionAuthAlgs   []string `json:"introspection_endpoint_auth_signing_alg_values_supported,omitempty"`
	AuthorizationAlgs       []string `json:"authorization_signing_alg_values_supported,omitempty"`
	AuthorizationKeyAlgs    []string `json:"authorization_encryption_alg_values_supported,omitempty"`
	AuthorizationEncs       []string `json:"authorization_encryption_enc_values_supported,omitempty"`
	Claims                  []string `json:"claims_supported,omitempty"`
	ClaimTypes              []string `json:"claim_types_supported,omitempty"`
	ClaimsParameter         bool     `json:"claims_parameter_supported,omitzero"`
	Scopes                  []string `json:"scopes_supported"`
	RequestParameter        bool     `json:"request_parameter_supported,omitzero"`
	RequestURIParameter     bool     `json:"request_uri_parameter_supported,omitzero"`
	RequestURIRegistered    bool     `json:"require_request_uri_registration,omitzero"`
	ChallengeMethods        []string `json:"code_challenge_methods_supported,omitempty"`
	ProofAlgs               []string `json:"dpop_signing_alg_values_supported,omitempty"`
	Revocation              string   `json:"revocation_endpoint,omitempty"`
	RevocationAuth          []string `json:"revocation_endpoint_auth_methods_supported,omitempty"`
	RevocationAuthAlgs      []string `json:"revocation_endpoint_auth_signing_alg_values_supported,omitempty"`
	BackLogout              bool     `json:"backchannel_logout_supported,omitzero"`
	BackLogoutSession       bool     `json:"backchannel_logout_session_supported,omitzero"`
	Device                  string   `json:"device_authorization_endpoint,omitempty"`
	Pushed                  string   `json:"pushed_authorization_request_endpoint,omitempty"`
	PushedRequired          *bool    `json:"require_pushed_authorization_requests,omitzero"`
	ResponseIssuerParameter bool     `json:"authorization_response_iss_parameter_supported,omitzero"`
}

// wellKnownDocuments are the documents below .well-known.
var wellKnownDocuments = map[string]func(*call) *metadata{
	"openid-configuration":       configuration,
	"oauth-authorization-server": configuration,
	"uma2-configuration":         umaConfiguration,
}

// nowhere answers 404 to methods that the reference has no resource for, where
// others have one.
func (h *Handler) nowhere(*call) error { return statusError(http.StatusNotFound) }

// wellKnown answers discovery. Keycloak: RealmsResource.getWellKnown.
func (h *Handler) wellKnown(c *call) error {
	document := wellKnownDocuments[c.r.PathValue("document")]
	if document == nil {
		return statusError(http.StatusNotFound)
	}
	c.public()
	c.w.Header().Set("Cache-Control", web.CacheNoDocument)
	return c.json(http.StatusOK, document(c))
}

// rootWellKnown is RFC 8414's place for the same document: the issuer's path
// follows the well-known part.
func (h *Handler) rootWellKnown(c *call) error {
	if c.r.PathValue("document") != "oauth-authorization-server" {
		return statusError(http.StatusNotFound)
	}
	return h.wellKnown(c)
}

// configuration describes the realm to clients. Endpoints that clients' servers
// call have back-channel addresses. Keycloak: OIDCWellKnownProvider.
func configuration(c *call) *metadata {
	back := c.urls.Backchannel + c.realm.Path() + "/protocol/openid-connect"
	no := false
	return &metadata{
		Issuer: c.issuer(), Authorization: c.endpoint("/auth"), Token: back + "/token", Introspection: back + "/token/introspect",
		Userinfo: back + "/userinfo", EndSession: c.endpoint("/logout"), FrontLogoutSession: true, FrontLogout: true,
		JWKS: back + "/certs", CheckSession: c.endpoint("/login-status-iframe.html"), GrantTypes: grantTypes, ACRs: c.acrs(),
		ResponseTypes: responseTypes, SubjectTypes: []string{"public", "pairwise"}, Prompts: []string{"none", "login", "consent"},
		IDTokenAlgs: signing, UserinfoAlgs: append(slices.Clone(signing), "none"), ResponseModes: responseModes,
		Registration: c.urls.Backchannel + c.realm.Path() + "/clients-registrations/openid-connect",
		TokenAuth:    clientAuth, TokenAuthAlgs: signing, IntrospectionAuth: clientAuth, IntrospectionAuthAlgs: signing,
		IDTokenKeyAlgs: keyEncryption, IDTokenEncs: contentEncryption, UserinfoKeyAlgs: keyEncryption, UserinfoEncs: contentEncryption,
		AuthorizationKeyAlgs: keyEncryption, AuthorizationEncs: contentEncryption,
		AuthorizationAlgs: signing, Claims: claimNames, ClaimTypes: []string{"normal"}, ClaimsParameter: true, Scopes: c.scopeNames(),
		RequestAlgs: append(slices.Clone(signing), "none"), RequestKeyAlgs: keyEncryption, RequestEncs: contentEncryption,
		RequestParameter: true, RequestURIParameter: true, RequestURIRegistered: true, ChallengeMethods: []string{"plain", "S256"},
		ProofAlgs:  proofAlgs(),
		Revocation: back + "/revoke", RevocationAuth: clientAuth, RevocationAuthAlgs: signing,
		BackLogout: true, BackLogoutSession: true, ResponseIssuerParameter: true,
		Device: c.endpoint("/auth/device"), Pushed: back + "/ext/par/request", PushedRequired: &no,
	}
}

// umaConfiguration is what UMA's clients read; the protection API is not there.
// Keycloak: UmaWellKnownProvider.
func umaConfiguration(c *call) *metadata {
	m := configuration(c)
	return &metadata{
		Issuer: m.Issuer, Authorization: m.Authorization, Token: m.Token, Introspection: m.Introspection, EndSession: m.EndSession,
		FrontLogoutSession: true, FrontLogout: true, JWKS: m.JWKS, GrantTypes: m.GrantTypes, ResponseTypes: m.ResponseTypes,
		ResponseModes: m.ResponseModes, Registration: m.Registration, TokenAuth: m.TokenAuth, TokenAuthAlgs: m.TokenAuthAlgs, Scopes: m.Scopes,
	}
}

// acrs lists the realm's names for levels of authentication and the levels 0 and 1.
func (c *call) acrs() []string {
	out := sortedNames(c.realm.Attrs["acr.loa.map"])
	for _, level := range []string{"0", "1"} {
		if !slices.Contains(out, level) {
			out = append(out, level)
		}
	}
	return out
}

// scopeNames lists what a client may ask for: openid and the realm's scopes
// of the protocol.
func (c *call) scopeNames() []string {
	names := []string{"openid"}
	for _, s := range c.realm.Scopes {
		if string(s.Protocol) == "openid-connect" && s.InMetadata {
			names = append(names, s.Name)
		}
	}
	return names
}
