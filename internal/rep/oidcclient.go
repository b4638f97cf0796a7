package rep

import "github.com/go-json-experiment/json/jsontext"

// OIDCClient is Keycloak's OIDCClientRepresentation: a client as OpenID Connect Dynamic Client
// Registration 1.0 and RFC 7591 describe it.
type OIDCClient struct {
	ClientID                string   `json:"client_id,omitzero"`
	ClientSecret            string   `json:"client_secret,omitzero"`
	ClientIDIssuedAt        *int     `json:"client_id_issued_at,omitzero"`
	ClientSecretExpiresAt   *int64   `json:"client_secret_expires_at,omitzero"`
	RegistrationAccessToken string   `json:"registration_access_token,omitzero"`
	RegistrationClientURI   string   `json:"registration_client_uri,omitzero"`
	ClientName              *string  `json:"client_name,omitzero"`
	ClientURI               *string  `json:"client_uri,omitzero"`
	RedirectURIs            []string `json:"redirect_uris,omitzero"`
	PostLogoutRedirectURIs  []string `json:"post_logout_redirect_uris,omitzero"`
	GrantTypes              []string `json:"grant_types,omitzero"`
	ResponseTypes           []string `json:"response_types,omitzero"`
	ApplicationType         *string  `json:"application_type,omitzero"`
	AuthMethod              string   `json:"token_endpoint_auth_method,omitzero"`
	AuthSigningAlg          *string  `json:"token_endpoint_auth_signing_alg,omitzero"`
	Scope                   *string  `json:"scope,omitzero"`
	Contacts                []string `json:"contacts,omitzero"`
	LogoURI                 *string  `json:"logo_uri,omitzero"`
	TosURI                  *string  `json:"tos_uri,omitzero"`
	PolicyURI               *string  `json:"policy_uri,omitzero"`

	JWKSURI             *string        `json:"jwks_uri,omitzero"`
	JWKS                jsontext.Value `json:"jwks,omitzero"`
	SectorIdentifierURI *string        `json:"sector_identifier_uri,omitzero"`
	SubjectType         *string        `json:"subject_type,omitzero"`

	IDTokenSignedAlg           *string  `json:"id_token_signed_response_alg,omitzero"`
	IDTokenEncryptedAlg        *string  `json:"id_token_encrypted_response_alg,omitzero"`
	IDTokenEncryptedEnc        *string  `json:"id_token_encrypted_response_enc,omitzero"`
	UserinfoSignedAlg          *string  `json:"userinfo_signed_response_alg,omitzero"`
	UserinfoEncryptedAlg       *string  `json:"userinfo_encrypted_response_alg,omitzero"`
	UserinfoEncryptedEnc       *string  `json:"userinfo_encrypted_response_enc,omitzero"`
	RequestObjectSigningAlg    *string  `json:"request_object_signing_alg,omitzero"`
	RequestObjectEncryptionAlg *string  `json:"request_object_encryption_alg,omitzero"`
	RequestObjectEncryptionEnc *string  `json:"request_object_encryption_enc,omitzero"`
	AuthorizationSignedAlg     *string  `json:"authorization_signed_response_alg,omitzero"`
	AuthorizationEncryptedAlg  *string  `json:"authorization_encrypted_response_alg,omitzero"`
	AuthorizationEncryptedEnc  *string  `json:"authorization_encrypted_response_enc,omitzero"`
	DefaultMaxAge              *int     `json:"default_max_age,omitzero"`
	RequireAuthTime            *bool    `json:"require_auth_time,omitzero"`
	DefaultACRValues           []string `json:"default_acr_values,omitzero"`
	InitiateLoginURI           *string  `json:"initiate_login_uri,omitzero"`
	RequestURIs                []string `json:"request_uris,omitzero"`
	RequirePAR                 *bool    `json:"require_pushed_authorization_requests,omitzero"`

	TLSBoundTokens *bool   `json:"tls_client_certificate_bound_access_tokens,omitzero"`
	TLSSubjectDN   *string `json:"tls_client_auth_subject_dn,omitzero"`
	DPoPBound      *bool   `json:"dpop_bound_access_tokens,omitzero"`

	SoftwareID      *string `json:"software_id,omitzero"`
	SoftwareVersion *string `json:"software_version,omitzero"`

	BackchannelLogoutURI      *string `json:"backchannel_logout_uri,omitzero"`
	BackchannelLogoutSession  *bool   `json:"backchannel_logout_session_required,omitzero"`
	BackchannelLogoutOffline  *bool   `json:"backchannel_logout_revoke_offline_tokens,omitzero"`
	BackchannelDeliveryMode   *string `json:"backchannel_token_delivery_mode,omitzero"`
	BackchannelNotification   *string `json:"backchannel_client_notification_endpoint,omitzero"`
	BackchannelSigningAlg     *string `json:"backchannel_authentication_request_signing_alg,omitzero"`
	FrontchannelLogoutURI     *string `json:"frontchannel_logout_uri,omitzero"`
	FrontchannelLogoutSession *bool   `json:"frontchannel_logout_session_required,omitzero"`

	Unknown jsontext.Value `json:",embed" rep:"OIDCClientRepresentation"`
}
